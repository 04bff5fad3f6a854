// SPDX-License-Identifier: BSD-3-Clause
//
// completion.h -- what the items of a workload do, and how their end is seen.
//
// Invariant: the same for every peer and as cheap as possible, so that a figure is
// the peer's and not the harness's: an "empty item" is one indirect call that adds
// one to a counter of the executing thread, and nobody waits on that counter.
#ifndef UWQ_BENCH_HARNESS_COMPLETION_H_
#define UWQ_BENCH_HARNESS_COMPLETION_H_

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "bench/harness/measure.h"

namespace uwq::bench {

using Callback = void (*)();

inline void Relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// --- Counting: one padded counter per executing thread ---------------------------

inline constexpr int kThreadsMax = 1024;
struct alignas(128) Counter {
  std::atomic<uint64_t> value{0};
};
inline Counter counters[kThreadsMax];
inline std::atomic<int> nr_counters{0};
inline thread_local Counter* own_counter = nullptr;

inline void ItemDone() {
  Counter* counter = own_counter;
  if (__builtin_expect(counter == nullptr, 0)) {
    counter = own_counter = &counters[nr_counters.fetch_add(1) % kThreadsMax];
  }
  counter->value.store(counter->value.load(std::memory_order_relaxed) + 1,
                       std::memory_order_release);
}

inline uint64_t ItemsDone() {
  uint64_t sum = 0;
  const int used = std::min(kThreadsMax, nr_counters.load());
  for (int i = 0; i < used; ++i) sum += counters[i].value.load(std::memory_order_acquire);
  return sum;
}

// Polls at long intervals, so that waiting takes nothing from the two CPUs.
inline void AwaitItems(uint64_t target) {
  while (ItemsDone() < target) SleepFor(50000);
}

// --- A one-shot event on a futex: for peers without a wait of their own ----------

class Event {
 public:
  void Set() {
    state_.store(1, std::memory_order_release);
    syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1 << 30, nullptr, nullptr, 0);
  }
  void Wait() {
    while (state_.load(std::memory_order_acquire) == 0) {
      syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    }
  }
  bool IsSet() const { return state_.load(std::memory_order_acquire) != 0; }
  void Reset() { state_.store(0); }

 private:
  std::atomic<int> state_{0};
};

// --- An item that notes when it started ------------------------------------------

inline std::atomic<int64_t> started_at{0};
inline std::atomic<uint64_t> nr_started{0};
inline void StampStart() {
  started_at.store(Now(), std::memory_order_relaxed);
  nr_started.fetch_add(1, std::memory_order_release);
}

// --- An item that posts itself again ----------------------------------------------

inline uint64_t hops_left = 0;
inline Event chain_done;
// True: the item posts itself once more.
inline bool ChainStep() {
  if (--hops_left != 0) return true;
  chain_done.Set();
  return false;
}

// --- A gate that blocks workers ---------------------------------------------------

inline Event gate;
inline std::atomic<int> nr_blocked{0};
inline void BlockAtGate() {
  nr_blocked.fetch_add(1);
  gate.Wait();
}
inline void AwaitBlocked(int workers) {
  while (nr_blocked.load() < workers) SleepFor(100000);
}

// --- Timers -------------------------------------------------------------------------

inline std::vector<std::atomic<int64_t>> fired_at;
inline std::atomic<size_t> nr_fired{0};
inline void TimerFired(size_t i) {
  if (i >= fired_at.size() || fired_at[i].load(std::memory_order_relaxed) != 0) return;
  fired_at[i].store(Now(), std::memory_order_relaxed);
  nr_fired.fetch_add(1, std::memory_order_release);
}

}  // namespace uwq::bench

#endif  // UWQ_BENCH_HARNESS_COMPLETION_H_
