// SPDX-License-Identifier: BSD-3-Clause
//
// libuv_async.cc -- what a libuv user writes to hand items to one loop thread:
// uv_async_send beside a list.  One worker by design.
#include <uv.h>

#include "bench/harness/handoff.h"
#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct LibuvAsync : PeerDefaults {
  static constexpr int kWorkers = 1;
  explicit LibuvAsync(int) {
    uv_loop_init(&loop);
    wake.data = &list;
    uv_async_init(&loop, &wake, [](uv_async_t* a) { static_cast<Handoff*>(a->data)->Drain(); });
    std::thread([this] { uv_run(&loop, UV_RUN_DEFAULT); }).detach();
    SleepFor(5000000);
  }
  void Prepare(size_t n, Callback fn) { list.Prepare(n, fn); }
  void Post(size_t i) {
    list.Push(i);
    uv_async_send(&wake);
  }
  void PrepareSerial(size_t n, Callback fn) { Prepare(n, fn); }
  void PostSerial(size_t i) { Post(i); }

  uv_loop_t loop;
  uv_async_t wake;
  Handoff list;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::LibuvAsync>("libuv-async"))
