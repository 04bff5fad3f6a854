// SPDX-License-Identifier: BSD-3-Clause
//
// urcu.cc -- liburcu.  Its workqueue is private to the library; public are the
// wait-free queue below it (wfcqueue), which one thread drains here and sleeps on a
// futex when it is empty, as the private one does, and call_rcu.
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu.h>
#include <urcu/wfcqueue.h>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

Callback callback;

struct UrcuQueue : PeerDefaults {
  static constexpr int kWorkers = 1;
  explicit UrcuQueue(int) {
    cds_wfcq_init(&head, &tail);
    std::thread([this] { Work(); }).detach();
  }
  void Work() {
    cds_wfcq_head local_head;
    cds_wfcq_tail local_tail;
    cds_wfcq_init(&local_head, &local_tail);
    for (;;) {
      asleep.store(1, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      while (cds_wfcq_empty(cds_wfcq_head_cast(&head), &tail) && asleep.load() == 1) {
        syscall(SYS_futex, &asleep, FUTEX_WAIT_PRIVATE, 1, nullptr, nullptr, 0);
      }
      asleep.store(0, std::memory_order_relaxed);
      __cds_wfcq_splice_blocking(cds_wfcq_head_cast(&local_head), &local_tail,
                                 cds_wfcq_head_cast(&head), &tail);
      while (__cds_wfcq_dequeue_blocking(cds_wfcq_head_cast(&local_head), &local_tail) != nullptr)
        callback();
    }
  }
  void Prepare(size_t n, Callback fn) {
    callback = fn;
    if (items.size() < n) items.resize(n);
  }
  void Post(size_t i) {
    cds_wfcq_node_init(&items[i]);
    cds_wfcq_enqueue(cds_wfcq_head_cast(&head), &tail, &items[i]);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (asleep.load(std::memory_order_relaxed) == 0) return;
    asleep.store(0, std::memory_order_relaxed);
    syscall(SYS_futex, &asleep, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  void PrepareSerial(size_t n, Callback fn) { Prepare(n, fn); }
  void PostSerial(size_t i) { Post(i); }
  cds_wfcq_head head;
  alignas(64) cds_wfcq_tail tail;
  alignas(64) std::atomic<int> asleep{0};
  std::vector<cds_wfcq_node> items;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::UrcuQueue>("urcu-wfcqueue"))
