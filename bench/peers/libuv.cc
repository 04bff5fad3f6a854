// SPDX-License-Identifier: BSD-3-Clause
//
// libuv.cc -- libuv's thread pool, uv_queue_work: the loop's thread posts, and the
// completions come back to it.
#include <uv.h>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

Callback callback;

struct Libuv : PeerDefaults {
  static constexpr bool kManyProducers = false;
  static constexpr size_t kHopsMax = 20000;  // two thread switches each
  explicit Libuv(int) { setenv("UV_THREADPOOL_SIZE", "2", 1); }
  void Prepare(size_t n, Callback fn) {
    callback = fn;
    if (work.size() < n) work.resize(n);
  }
  void Post(size_t i) {
    uv_queue_work(
        loop, &work[i], [](uv_work_t*) { callback(); }, [](uv_work_t*, int) {});
  }
  void Settle(uint64_t target) {
    uv_run(loop, UV_RUN_DEFAULT);
    AwaitItems(target);
  }
  void RoundTrip() {
    Post(0);
    uv_run(loop, UV_RUN_DEFAULT);
  }
  // Only the loop's thread may queue, so a hop goes through it.
  static void Hop(uv_work_t* item) {
    uv_queue_work(
        item->loop, item, [](uv_work_t*) {},
        [](uv_work_t* done, int) {
          if (ChainStep()) Hop(done);
        });
  }
  void StartChain() {
    chain.loop = loop;
    Hop(&chain);
  }
  bool Cancel(size_t i) { return uv_cancel(reinterpret_cast<uv_req_t*>(&work[i])) == 0; }

  uv_loop_t* const loop = uv_default_loop();
  std::vector<uv_work_t> work;
  uv_work_t chain;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Libuv>("libuv"))
