// SPDX-License-Identifier: BSD-3-Clause
//
// lock_check.h -- which locks do which work functions take?
//
// A small stand-in for the kernel's lock-dependency checker (L1-L3, P13): it knows
// the tracked locks that a thread holds, and which of them were ever taken inside
// a function or on a queue.  flush, drain and cancel_sync under such a lock is
// reported before it can deadlock, even when the item happens to be idle.
// Objects are compared, not classes, so there are no false reports of kind L5.
#ifndef UWQ_WORKQUEUE_CORE_LOCK_CHECK_H_
#define UWQ_WORKQUEUE_CORE_LOCK_CHECK_H_

#include <cstdint>

#include "workqueue/core/work_state.h"
#include "workqueue/core/workqueue.h"

namespace uwq::core {

// Lives inside a lock that wants to be known here.  While held it is a link of its
// owner's chain, so that nothing is allocated.
struct TrackedLock {
  explicit TrackedLock(const char* name);
  const char* name;
  uint64_t id;                       // never reused
  TrackedLock* next_held = nullptr;  // owner only
};

// Right after the lock was taken, right before it is released; owner's thread.
void LockAcquired(TrackedLock* lock);
void LockReleased(TrackedLock* lock);

void CheckLocksBeforeFlush(WorkFunc func, const char* call);
void CheckLocksBeforeFlushQueue(const Workqueue* wq, const char* call);

// Around a work function: reports a lock that it leaves held (P13).
class LockCheckItemScope {
 public:
  LockCheckItemScope(const Workqueue* wq, WorkFunc func) : wq_(wq), func_(func) {}
  ~LockCheckItemScope() {
    if (__builtin_expect(base::ThreadSlot(base::Slot::kLockDep) != nullptr, 0)) ReportLeak();
  }
  LockCheckItemScope(const LockCheckItemScope&) = delete;
  LockCheckItemScope& operator=(const LockCheckItemScope&) = delete;

 private:
  void ReportLeak();
  const Workqueue* const wq_;
  const WorkFunc func_;
};

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_LOCK_CHECK_H_
