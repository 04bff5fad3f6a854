// SPDX-License-Identifier: BSD-3-Clause
//
// moodycamel.cc -- moodycamel::BlockingConcurrentQueue drained by threads: a fast
// queue, not a workqueue; no order between producers, nothing can be taken back.
// With tokens on both sides, as its manual advises.
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
  static void Enqueue(Queue& queue, Callback fn) {
    thread_local moodycamel::ProducerToken token(queue);  // a run uses one queue
    queue.enqueue(token, fn);
  }
  void Post(size_t) { Enqueue(pool, fn); }
  void PrepareSerial(size_t, Callback f) {
    fn = f;
    if (single) return;
    single = std::make_unique<Queue>();
    Drain(*single, 1);
  }
  void PostSerial(size_t) { Enqueue(*single, fn); }
  Queue pool;
  std::unique_ptr<Queue> single;
  Callback fn = nullptr;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Moodycamel>("moodycamel"))
