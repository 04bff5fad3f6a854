// SPDX-License-Identifier: BSD-3-Clause
//
// libevent.cc -- libevent, with locks: event_active() towards one loop thread.
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

Callback callback;

struct Libevent : PeerDefaults {
  static constexpr int kWorkers = 1;
  explicit Libevent(int) {
    evthread_use_pthreads();
    base = event_base_new();
    std::thread([this] { event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY); }).detach();
    SleepFor(5000000);
  }
  static void Call(int, short, void*) { callback(); }
  void Prepare(size_t n, Callback fn) {
    callback = fn;
    if (items.size() >= n) return;
    items.resize(n);
    for (event& item : items) event_assign(&item, base, -1, 0, &Call, nullptr);
  }
  void Post(size_t i) { event_active(&items[i], EV_TIMEOUT, 0); }
  void PrepareSerial(size_t n, Callback fn) { Prepare(n, fn); }
  void PostSerial(size_t i) { Post(i); }
  bool Cancel(size_t i) { return event_del_noblock(&items[i]) == 0; }

  event_base* base;
  std::vector<event> items;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Libevent>("libevent"))
