// SPDX-License-Identifier: BSD-3-Clause
//
// sync.h -- the only door to threads, locks, sleeping, thread-shared atomics
// and the machine's clocks.
//
// Two back ends stand behind one set of names, chosen by the build:
//   sync_real.h   pthreads, futexes, std::atomic          (//workqueue/base)
//   sync_sim.h    fibers under an explorer, virtual time  (//workqueue/base:base_sim)
// The same core sources compile against both, so that what the explorer proves
// is what ships.  Nothing else in the project names std::thread, std::mutex,
// std::atomic or a futex (tools/tidy.py checks the text).
//
// The vocabulary, identical in both back ends, namespace uwq::base:
//
//   Mutex, MutexLock          annotated; MutexLock is scoped and can be released early
//   CondVar                   Wait, WaitUntil, NotifyOne, NotifyAll
//   Completion                one-shot event on the waiter's stack: Wait, WaitUntil, Set.
//                             Set touches the object only up to the store that
//                             lets Wait return, so the waiter may destroy it at once.
//   Parker                    a thread's own place to sleep: Park, ParkUntil, Unpark;
//                             an Unpark before Park is kept (one token).  SpinFor
//                             waits for one awake, so that Unpark need not call the system.
//   Atomic<T>, AtomicRef<T>   subset of std::atomic / std::atomic_ref
//   Fence(order)              std::atomic_thread_fence
//   Thread                    Start (absl::StatusOr), Join, id
//   ThreadId, SelfId()        cheap, unique among live threads
//   ProbeThread(id)           scheduler state and CPU time of another thread
//   Now()                     CLOCK_MONOTONIC in ns, never the wall clock
//   StaleNow()                the same, at most kStaleness ago: a third of its price
//   CurrentCpu()              CPU the caller runs on (a hint, as in the kernel)
//   ThreadSlot(slot)          a void* per thread, initially null
//   CpuRelax()                one step of a bounded spin
//   SpinBudget()              how many CpuRelax steps a sleeper may spend first
//
// Deadlines are absolute, in the ns of Now(); kForever means none.
#ifndef UWQ_WORKQUEUE_BASE_SYNC_H_
#define UWQ_WORKQUEUE_BASE_SYNC_H_

#include "absl/base/thread_annotations.h"

#if defined(UWQ_SIM)
#include "workqueue/base/sync_sim.h"
#else
#include "workqueue/base/sync_real.h"
#endif

namespace uwq::base {

// Scoped lock.  Release() ends it early, for the "wake after dropping the lock" rule.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(mu) { mu_->Lock(); }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() {
    if (mu_ != nullptr) mu_->Unlock();
  }
  void Release() ABSL_UNLOCK_FUNCTION() {
    mu_->Unlock();
    mu_ = nullptr;
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* mu_;
};

}  // namespace uwq::base

#endif  // UWQ_WORKQUEUE_BASE_SYNC_H_
