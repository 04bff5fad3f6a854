// SPDX-License-Identifier: BSD-3-Clause
//
// libev_timers.cc -- libev's timers: a 4-heap, the loop's thread only, relative to a
// cached clock.
#include <ev.h>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct LibevTimers : PeerDefaults {
  explicit LibevTimers(int) : loop(ev_loop_new(EVFLAG_AUTO)) {}
  static void Fire(struct ev_loop*, ev_timer* timer, int) {
    TimerFired(reinterpret_cast<size_t>(timer->data));
  }
  void PrepareTimers(size_t n) {
    timers.resize(n);
    for (size_t i = 0; i < n; ++i) {
      ev_timer_init(&timers[i], &Fire, 0, 0);
      timers[i].data = reinterpret_cast<void*>(i);
    }
    ev_now_update(loop);
  }
  static double Seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }
  void Arm(size_t i, int64_t ns) {
    ev_timer_set(&timers[i], Seconds(ns), 0.);
    ev_timer_start(loop, &timers[i]);
  }
  void Disarm(size_t i) { ev_timer_stop(loop, &timers[i]); }
  void Rearm(size_t i, int64_t ns) {
    timers[i].repeat = Seconds(ns);
    ev_timer_again(loop, &timers[i]);
  }
  void TurnLoop() { ev_run(loop, EVRUN_NOWAIT); }
  void RunTimers(size_t) { ev_run(loop, 0); }

  struct ev_loop* const loop;
  std::vector<ev_timer> timers;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::LibevTimers>("libev"))
