// SPDX-License-Identifier: BSD-3-Clause
//
// moodycamel.cc -- moodycamel::BlockingConcurrentQueue drained by threads: a fast
// queue, not a workqueue; no order between producers, nothing can be taken back.
#include <concurrentqueue/blockingconcurrentqueue.h>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct Moodycamel : PeerDefaults {
  using Queue = moodycamel::BlockingConcurrentQueue<Callback>;
  static void Drain(Queue& queue, int workers) {
    for (int i = 0; i < workers; ++i) {
      std::thread([&queue] {
        moodycamel::ConsumerToken token(queue);
        for (Callback fn;;) {
          queue.wait_dequeue(token, fn);
          fn();
        }
      }).detach();
    }
  }
  explicit Moodycamel(int workers) { Drain(pool, workers); }
  void Prepare(size_t, Callback f) { fn = f; }
  void Post(size_t) { pool.enqueue(fn); }
  void PrepareSerial(size_t, Callback f) {
    fn = f;
    if (single) return;
    single = std::make_unique<Queue>();
    Drain(*single, 1);
  }
  void PostSerial(size_t) { single->enqueue(fn); }
  Queue pool;
  std::unique_ptr<Queue> single;
  Callback fn = nullptr;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Moodycamel>("moodycamel"))
