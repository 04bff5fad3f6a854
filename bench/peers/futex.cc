// SPDX-License-Identifier: BSD-3-Clause
//
// futex.cc -- no peer but the limit: one thread that sleeps on a futex word, woken by
// the poster.  What a wake-up costs on this machine at least, in the same run.
#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct RawFutex : PeerDefaults {
  static constexpr bool kOneItem = true;
  static constexpr int kWorkers = 1;
  explicit RawFutex(int) {
    std::thread([this] {
      for (;;) {
        while (word.load(std::memory_order_acquire) == 0) {
          syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
        }
        word.store(0, std::memory_order_relaxed);
        fn();
      }
    }).detach();
  }
  void Prepare(size_t, Callback f) { fn = f; }
  void Post(size_t) {
    word.store(1, std::memory_order_release);
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }

  Callback fn = nullptr;
  alignas(64) std::atomic<int> word{0};
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::RawFutex>("raw-futex"))
