// SPDX-License-Identifier: BSD-3-Clause
//
// sync_real.h -- base/sync.h on pthreads, std::atomic and futexes.
// Include sync.h, never this file.
//
// Mutex is our own and not absl::Mutex, because the prebuilt absl::Mutex of the
// distribution is not instrumented: TSan reports false races through it.
#ifndef UWQ_WORKQUEUE_BASE_SYNC_REAL_H_
#define UWQ_WORKQUEUE_BASE_SYNC_REAL_H_

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "workqueue/base/check.h"
#include "workqueue/base/sync_types.h"
#include "workqueue/base/tsan.h"

namespace uwq::base {

inline void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <typename T>
using Atomic = std::atomic<T>;
template <typename T>
using AtomicRef = std::atomic_ref<T>;

// TSan does not model fences; every pairing of ours also works through RMWs on
// one location, so a seq_cst fence is only ever an addition there.
inline void Fence(std::memory_order order) {
#if defined(__SANITIZE_THREAD__)
  (void)order;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
  (void)order;
#else
  std::atomic_thread_fence(order);
#endif
#else
  std::atomic_thread_fence(order);
#endif
}

// A futex lock of three states, inline because its two atomic steps are a third of
// what std::mutex costs here (docs/timers.md has the numbers).  It is made of
// atomics, so TSan sees every edge; the hooks give TSan its lock-order checks, too.
class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  ~Mutex() { TsanMutexDestroy(this); }

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    TsanMutexPreLock(this);
    uint32_t seen = kFree;
    if (!state_.compare_exchange_strong(seen, kHeld, std::memory_order_acquire)) LockSlow();
    TsanMutexPostLock(this);
  }
  // After the exchange the next owner may have destroyed *this: only the address is used.
  void Unlock() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    TsanMutexPreUnlock(this);
    if (state_.exchange(kFree, std::memory_order_release) == kContended) Wake();
    TsanMutexPostUnlock(this);
  }
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    uint32_t seen = kFree;
    TsanMutexPreTryLock(this);
    const bool got = state_.compare_exchange_strong(seen, kHeld, std::memory_order_acquire);
    TsanMutexPostTryLock(this, got);
    return got;
  }
  // Tells the analysis that the caller holds it.
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK() {
    UWQ_DCHECK(state_.load(std::memory_order_relaxed) != kFree);
  }

 private:
  enum : uint32_t { kFree = 0, kHeld = 1, kContended = 2 };
  void LockSlow();
  void Wake();
  std::atomic<uint32_t> state_{kFree};
};

class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  // Both may return spuriously: wait in a loop.
  void Wait(Mutex* mu) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { (void)WaitUntil(mu, kForever); }
  // Returns false once `deadline_ns` has passed.
  bool WaitUntil(Mutex* mu, Nanos deadline_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // What the waiter waits for was changed under its mutex; that may be released by now.
  void NotifyOne() { Notify(1); }
  void NotifyAll();

 private:
  void Notify(int count);
  std::atomic<uint32_t> sequence_{0};
  std::atomic<uint32_t> waiters_{0};
};

class Completion {
 public:
  Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  void Wait() { (void)WaitUntil(kForever); }
  // Returns false if the deadline passed first.
  bool WaitUntil(Nanos deadline_ns);
  void Set();
  bool IsSet() const { return state_.load(std::memory_order_acquire) == kSet; }
  // Makes it usable again; only when no thread waits and none may still Set it.
  void Reset() { state_.store(kUnset, std::memory_order_relaxed); }

 private:
  enum : uint32_t { kUnset = 0, kSet = 1, kSleeping = 2 };
  std::atomic<uint32_t> state_{kUnset};
};

class Parker {
 public:
  Parker() = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  // Owner thread only.
  void Park() { (void)ParkUntil(kForever); }
  bool ParkUntil(Nanos deadline_ns);  // false: deadline passed, no token taken
  bool SpinFor(Nanos duration_ns);    // true: there is a token, which Park will take
  // Any thread.  Returns true if it had to make a system call.
  bool Unpark();

 private:
  enum : uint32_t { kEmpty = 0, kToken = 1, kSleeping = 2 };
  std::atomic<uint32_t> state_{kEmpty};
};

using ThreadId = int;  // the kernel's tid
ThreadId SelfId();

class Thread {
 public:
  struct Options {
    std::string name = {};            // cut to 15 characters by the kernel
    int cpu = -1;                     // >= 0: bind to that CPU if it exists, else ignored
    const cpu_set_t* cpus = nullptr;  // else bind to this set; read during Start only
    int nice = 0;                     // best effort: lowering needs CAP_SYS_NICE
    int rt_priority = 0;              // > 0: SCHED_FIFO, best effort
  };
  // All signals are blocked in the new thread.  Fails with RESOURCE_EXHAUSTED
  // when the system refuses a thread, or at fault point "thread_create".
  static absl::StatusOr<Thread> Start(const Options& options, std::function<void()> body);

  Thread() = default;
  Thread(Thread&&) = default;
  Thread& operator=(Thread&&) = default;
  bool joinable() const { return impl_ != nullptr; }
  void Join();
  ThreadId id() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Renames the calling thread (cut to 15 characters).
void SetThreadName(const std::string& name);
ThreadProbe ProbeThread(ThreadId id);

Nanos Now();
// In (Now() - kStaleness, Now()], and never goes back within a thread.
Nanos StaleNow();
int OnlineCpus();
inline int CurrentCpu() { return sched_getcpu(); }

inline thread_local void* tls_slots[static_cast<int>(Slot::kCount)] = {};
inline void*& ThreadSlot(Slot slot) { return tls_slots[static_cast<int>(slot)]; }

// Steps of CpuRelax() that a sleeper may spend before it sleeps; 0 on one CPU.
int SpinBudget();

}  // namespace uwq::base

#endif  // UWQ_WORKQUEUE_BASE_SYNC_REAL_H_
