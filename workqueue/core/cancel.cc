// SPDX-License-Identifier: BSD-3-Clause
//
// cancel.cc -- taking PENDING away: cancel, disable, enable (C*, E*).
//
// Where the kernel spins with interrupts off while another CPU is between
// "claimed" and "placed", a thread here may be preempted for a time slice.  So a
// canceler that meets this window marks the word WAIT and sleeps on the item's
// address; every step out of the window returns the mark and wakes it (S2).
#include <new>

#include "absl/strings/str_cat.h"
#include "workqueue/core/concurrency.h"
#include "workqueue/core/item.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/workqueue.h"

namespace uwq::core {

using base::MutexLock;

namespace {

struct WaitBucket {
  base::Mutex mutex;
  base::CondVar changed;
};
constexpr int kWaitBuckets = 64;

WaitBucket* Buckets() {
  // Never destroyed; not from the heap, as mod_delayed_work() may be the first here (Q9).
  alignas(WaitBucket) static unsigned char memory[kWaitBuckets][sizeof(WaitBucket)];
  static WaitBucket* const buckets = [] {
    for (auto& one : memory) new (&one) WaitBucket;
    return reinterpret_cast<WaitBucket*>(memory);
  }();
  return buckets;
}
WaitBucket& BucketOf(const WorkItem* work) {
  return Buckets()[(reinterpret_cast<uintptr_t>(work) >> 5) % kWaitBuckets];
}

// From a pool that is no more.  False: the word has moved on, look again.
bool TakeBack(WorkItem* work, Word seen) {
  if (!Abandon(work, seen)) return false;
  base::ListInit(&work->entry);
  return true;
}

base::Atomic<TimerStealFn> timer_steal{nullptr};

// Sleeps until the owner of the claim has taken its next step.
void SleepOnClaim(WorkItem* work, Word seen) {
  if (!MarkWait(work, seen)) return;
  WaitBucket& bucket = BucketOf(work);
  MutexLock lock(&bucket.mutex);
  for (;;) {
    const Word now = LoadWord(work);
    if (OnList(now) || (now & kWait) == 0) return;
    bucket.changed.Wait(&bucket.mutex);
  }
}

// The item is on its way to the door of the pool that `seen` names, or stands there:
// returns once it has been let in, or has moved on otherwise.  False: no such pool.
bool WaitAtDoor(WorkItem* work, Word seen) {
  WorkerPool* const pool = Runtime::PoolById(PoolIdOf(seen));
  if (pool == nullptr) return false;
  {
    PoolLock lock(pool);  // lets it in, unless it has not come yet
    seen = LoadWord(work);
    if (!AtDoor(seen) || PoolIdOf(seen) != pool->id) return true;
    // Nobody is attended as long as we wait: who comes to the door lets itself in.
    ++pool->claim_waiters;
    pool->UpdateAttendedLocked();
    pool->KickLocked(&lock.after);
  }
  SleepOnClaim(work, seen);
  PoolLock lock(pool);
  --pool->claim_waiters;
  pool->UpdateAttendedLocked();
  return true;
}

// Under its pool's lock: off the list, accounts settled (C6).
bool StealQueued(WorkItem* work, Word seen) {
  PoolWorkqueue* const pwq = PwqOf(seen);
  WorkerPool* const pool = pwq->pool.load(std::memory_order_acquire);
  if (pool == nullptr) return false;
  // Of a fork's parent, whose locks nobody may ever release here.
  if (pool->runtime->forked()) return TakeBack(work, seen);
  PoolLock lock(pool);
  const Word word = LoadWord(work);
  // It may have been run, stolen or queued elsewhere; the pwq may be recycled.
  if (!OnList(word) || PwqOf(word) != pwq || pwq->pool.load(std::memory_order_relaxed) != pool) {
    return false;
  }
  base::ListNode* const first_barrier = work->entry.next;
  base::Unlink(&work->entry);
  if ((word & kLinked) != 0) {
    if (Worker* const running = pool->FindBusyLocked(work, work->func)) {
      // F9: an earlier instance runs; its flushers wait for that one now.
      MoveLinked(WorkOf(first_barrier), &running->scheduled, nullptr);
    } else if ((word & kInactive) != 0) {
      // F7: its barriers may not stay on `inactive`, where nothing would activate
      // them.  Unlike the kernel, a worker is woken for them at once.
      if (base::ListEmpty(&pool->worklist)) ++pool->progress;
      MoveLinked(WorkOf(first_barrier), &pool->worklist, nullptr);
    }
  }
  // Nothing is left to wait for: out of the node's line, before the memory is reused.
  if ((word & kInactive) != 0 && pwq->node != nullptr && base::ListEmpty(&pwq->inactive)) {
    pwq->node->RemoveWaiter(pwq);
  }
  // C2: an ordered queue's item may wait in a plugged place while it still runs where
  // the queue's items run now; that is where a canceler must look for it.
  const int last_pool =
      pwq->plugged ? pwq->wq.load(std::memory_order_relaxed)->front_pool.load() : pool->id;
  StealFromList(work, last_pool, pool->off_flags());
  LeaveLocked(pool, pwq, word, &lock.after);
  pool->KickLocked(&lock.after);
  return true;
}

}  // namespace

void SetTimerSteal(TimerStealFn steal) { timer_steal.store(steal, std::memory_order_release); }

void ResetClaimWaiters() {
  for (int i = 0; i < kWaitBuckets; ++i) new (&Buckets()[i]) WaitBucket;
}

void WakeClaimWaiters(const WorkItem* work) {
  WaitBucket& bucket = BucketOf(work);
  MutexLock lock(&bucket.mutex);
  bucket.changed.NotifyAll();
}

void WaitPlaced(WorkItem* work) {
  for (;;) {
    const Word now = LoadWord(work);
    if (OnList(now) || (now & (kPending | kTimer)) != kPending) return;
    if (!AtDoor(now)) {
      SleepOnClaim(work, now);
    } else if (!WaitAtDoor(work, now)) {
      return;
    }
  }
}

void ReleaseClaimed(WorkItem* work, int disable_depth) {
  if (ReleaseClaim(work, disable_depth)) WakeClaimWaiters(work);
}

bool GrabPending(WorkItem* work, bool timer) {
  for (;;) {
    const Word old = Claim(work);
    if ((old & kPending) == 0) return false;
    if (OnList(old)) {
      if (StealQueued(work, old)) return true;
    } else if (AtDoor(old)) {
      if (!WaitAtDoor(work, old) && TakeBack(work, old)) return true;
    } else if ((old & kTimer) != 0) {
      if (!timer) {
        // D8: the kernel spins here until the timer fires.
        ReportOnce(ReportKind::kCancelArmedTimer, reinterpret_cast<void*>(work->func),
                   absl::StrCat("cancel_work or its kin on the armed delayed work ",
                                FuncName(work->func), ": use the delayed call"));
      }
      if (timer_steal.load(std::memory_order_acquire)(work)) return true;
    } else {
      SleepOnClaim(work, old);
    }
  }
}

bool CancelFlags(WorkItem* work, bool timer, bool disable) {
  const bool was_pending = GrabPending(work, timer);
  int depth = DisableDepthOf(OwnedWord(work));
  const bool overflow = disable && depth == static_cast<int>(kDisableMax);
  if (disable && !overflow) ++depth;
  const WorkFunc func = work->func;
  ReleaseClaimed(work, depth);
  if (overflow) {
    ReportOnce(
        ReportKind::kDisableOverflow, reinterpret_cast<void*>(func),
        absl::StrCat("disable depth of ", FuncName(func), " is at its limit of ", kDisableMax));
  }
  return was_pending;
}

// C10: whether or not there is something to wait for.  BH items are waited for without
// sleeping in the kernel, so they may be cancelled from each other.
static void CancelMightSleep(WorkItem* work) {
  const WorkerPool* const last = Runtime::PoolById(PoolIdOf(LoadWord(work)));
  if (last == nullptr || !last->bh) MightSleep("cancel_work_sync");
}

bool CancelSyncFlags(WorkItem* work, bool timer, bool disable) {
  // C3, C4, C7: the gate is one more level of disable, which nests.
  const bool was_pending = CancelFlags(work, timer, /*disable=*/true);
  if (CurrentWorker() != nullptr) CancelMightSleep(work);
  (void)FlushWorkFrom(work, /*from_cancel=*/true);
  if (!disable) (void)EnableWork(work, timer);
  return was_pending;
}

bool CancelWork(WorkItem* work) { return CancelFlags(work, false, false); }
bool CancelWorkSync(WorkItem* work) { return CancelSyncFlags(work, false, false); }
bool DisableWork(WorkItem* work) { return CancelFlags(work, false, true); }
bool DisableWorkSync(WorkItem* work) { return CancelSyncFlags(work, false, true); }

bool EnableWork(WorkItem* work, bool timer) {
  (void)GrabPending(work, timer);
  int depth = DisableDepthOf(OwnedWord(work));
  const bool underflow = depth == 0;
  if (!underflow) --depth;
  const WorkFunc func = work->func;
  ReleaseClaimed(work, depth);
  if (underflow) {
    ReportOnce(ReportKind::kEnableUnderflow, reinterpret_cast<void*>(func),
               absl::StrCat("enable of ", FuncName(func), ", which is not disabled"));
  }
  return depth == 0;  // E1: true on underflow, too
}

bool EnableAndQueueWork(Workqueue* wq, WorkItem* work) {
  if (!EnableWork(work)) return false;
  (void)QueueWork(wq, work);
  return true;
}

unsigned WorkBusy(WorkItem* work) {
  const Word word = LoadWord(work);
  unsigned result = (word & kPending) != 0 ? kBusyPending : 0;
  WorkerPool* const pool = OnList(word) ? PwqOf(word)->pool.load(std::memory_order_acquire)
                                        : Runtime::PoolById(PoolIdOf(word));
  if (pool == nullptr) return AtDoor(word) ? 0 : result;  // of a fork's parent, as below
  if (pool->runtime->forked()) return 0;
  PoolLock lock(pool);
  if (pool->FindBusyLocked(work, work->func) != nullptr) result |= kBusyRunning;
  return result;
}

}  // namespace uwq::core
