// SPDX-License-Identifier: BSD-3-Clause
//
// libev.cc -- libev: ev_async beside a list, towards one loop thread.
#include <ev.h>

#include "bench/harness/handoff.h"
#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct Libev : PeerDefaults {
  static constexpr int kWorkers = 1;
  explicit Libev(int) : loop(ev_loop_new(EVFLAG_AUTO)) {
    wake.data = &list;
    ev_async_init(&wake, &Drain);
    ev_async_start(loop, &wake);
    std::thread([this] { ev_run(loop, 0); }).detach();
    SleepFor(5000000);
  }
  static void Drain(struct ev_loop*, ev_async* async, int) {
    static_cast<Handoff*>(async->data)->Drain();
  }
  void Prepare(size_t n, Callback fn) { list.Prepare(n, fn); }
  void Post(size_t i) {
    list.Push(i);
    ev_async_send(loop, &wake);
  }
  void PrepareSerial(size_t n, Callback fn) { Prepare(n, fn); }
  void PostSerial(size_t i) { Post(i); }

  struct ev_loop* const loop;
  ev_async wake;
  Handoff list;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Libev>("libev"))
