// SPDX-License-Identifier: BSD-3-Clause
//
// libevent_timers.cc -- libevent's timers: with locks and its default clock, which
// is coarse and fires early; with the precise clock; without locks.
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

template <bool kLocks, int kFlags>
struct Timers : PeerDefaults {
  explicit Timers(int) {
    if (kLocks) evthread_use_pthreads();
    event_config* const config = event_config_new();
    event_config_set_flag(config, kFlags);
    base = event_base_new_with_config(config);
    event_config_free(config);
  }
  void PrepareTimers(size_t n) {
    timers.resize(n);
    for (size_t i = 0; i < n; ++i) {
      evtimer_assign(&timers[i], base, &Fire, reinterpret_cast<void*>(i));
    }
  }
  static void Fire(int, short, void* i) { TimerFired(reinterpret_cast<size_t>(i)); }
  void Arm(size_t i, int64_t ns) {
    const timeval tv = {ns / 1000000000, ns % 1000000000 / 1000};
    evtimer_add(&timers[i], &tv);
  }
  void Disarm(size_t i) { evtimer_del(&timers[i]); }
  void Rearm(size_t i, int64_t ns) { Arm(i, ns); }
  void TurnLoop() { event_base_loop(base, EVLOOP_NONBLOCK); }
  void RunTimers(size_t) { event_base_dispatch(base); }

  event_base* base;
  std::vector<event> timers;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Timers<true, 0>>("libevent"),
                Peer<uwq::bench::Timers<true, EVENT_BASE_FLAG_PRECISE_TIMER>>("libevent-precise"),
                Peer<uwq::bench::Timers<false, EVENT_BASE_FLAG_NOLOCK>>("libevent-nolock"))
