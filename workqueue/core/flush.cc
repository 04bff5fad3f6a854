// SPDX-License-Identifier: BSD-3-Clause
//
// flush.cc -- waiting: for one item by a barrier, for a queue by colours, and
// drain (F*, X1-X5).  The colour algorithm: docs/flush_colours.md.
#include "absl/strings/str_cat.h"
#include "workqueue/core/concurrency.h"
#include "workqueue/core/gate.h"
#include "workqueue/core/item.h"
#include "workqueue/core/lock_check.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/workqueue.h"

namespace uwq::core {

using base::ListNode;
using base::MutexLock;

// --- One item -------------------------------------------------------------------------

namespace {

// An item on the waiter's stack that completes the waiter (S14).
struct Barrier {
  WorkItem work;
  base::Completion done;
  base::ThreadId waiter = base::SelfId();
};
static_assert(offsetof(Barrier, work) == 0);

void BarrierFunc(WorkItem* work) {
  // The waiter may leave, and its stack with it, as soon as this is set.
  reinterpret_cast<Barrier*>(work)->done.Set();
}

// Right behind the target: behind the queued item, or next on the list of the
// worker that executes it.  Not counted against max_active (F7).
void InsertBarrierLocked(WorkerPool* pool, PoolWorkqueue* pwq, Barrier* barrier, WorkItem* target,
                         Worker* worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool->lock) {
  InitWord(&barrier->work, BarrierFunc);
  (void)Claim(&barrier->work);
  ListNode* before;
  Word flags = kInactive;
  int color;
  if (worker != nullptr) {
    before = worker->scheduled.next;
    color = ColorOf(worker->current_word);
  } else {
    const Word word = LoadWord(target);
    before = target->entry.next;
    color = ColorOf(word);
    flags |= word & kLinked;  // what followed the target now follows the barrier
    MarkLinked(target);
  }
  (void)LinkLocked(pool, pwq, &barrier->work, before, color, flags);
}

}  // namespace

base::ThreadId BarrierWaiter(const WorkItem* work) {
  return work->func == BarrierFunc ? reinterpret_cast<const Barrier*>(work)->waiter : 0;
}

namespace {

// F11: would this wait never end?  `pwq` is the target's.
bool OrderedSelfWait(const PoolWorkqueue* pwq, const Worker* worker) {
  const Worker* const self = CurrentWorker();
  const Workqueue* const wq = pwq->wq.load(std::memory_order_relaxed);
  if (HoldsGate(wq)) return true;
  if (self == nullptr || self->current_pwq == nullptr || worker == self) return false;
  return wq->ordered() && self->current_pwq->wq.load(std::memory_order_relaxed) == wq;
}

bool IsSelf(const WorkItem* work) {
  const Worker* const self = CurrentWorker();
  return self != nullptr && self->current_work == work && self->current_func == work->func;
}

// F12: a reclaim item must not wait for one that needs memory to make progress.
void CheckDependency(const Workqueue* target, WorkFunc target_func) {
  if (target->HasFlag(kWqMemReclaim) || !CurrentIsMemReclaim()) return;
  const Worker* const self = CurrentWorker();
  const Workqueue* const wq = self->current_pwq->wq.load(std::memory_order_relaxed);
  ReportOnce(ReportKind::kFlushDependency, reinterpret_cast<void*>(self->current_func),
             absl::StrCat("WQ_MEM_RECLAIM ", wq->name, ":", FuncName(self->current_func),
                          " is flushing !WQ_MEM_RECLAIM ", target->name, ":",
                          target_func == nullptr ? "" : FuncName(target_func)));
}

enum class FlushStart { kIdle, kWait, kNever };

// Puts the barrier behind `work`'s last queued instance, or behind the executing
// one (F5); `*wq` is the queue that it was found on.
FlushStart StartFlush(WorkItem* work, WorkFunc func, Barrier* barrier, const Workqueue** wq) {
  for (;;) {
    const Word word = LoadWord(work);
    WorkerPool* const pool = OnList(word) ? PwqOf(word)->pool.load(std::memory_order_acquire)
                                          : Runtime::PoolById(PoolIdOf(word));
    if (pool == nullptr) {
      if (OnList(word)) continue;  // its queue was recycled between the two loads
      return FlushStart::kIdle;    // C9: never queued
    }
    if (pool->runtime->forked()) return FlushStart::kIdle;  // nobody would end the wait
    PoolLock lock(pool);
    const Word now = LoadWord(work);
    PoolWorkqueue* pwq;
    Worker* worker = nullptr;
    if (OnList(now)) {
      pwq = PwqOf(now);
      if (pwq->pool.load(std::memory_order_relaxed) != pool) continue;  // moved meanwhile
    } else {
      worker = pool->FindBusyLocked(work, func);
      if (worker == nullptr) return FlushStart::kIdle;
      pwq = worker->current_pwq;
    }
    *wq = pwq->wq.load(std::memory_order_relaxed);
    if (OrderedSelfWait(pwq, worker)) return FlushStart::kNever;
    InsertBarrierLocked(pool, pwq, barrier, work, worker);
    return FlushStart::kWait;
  }
}

}  // namespace

bool FlushWork(WorkItem* work) { return FlushWorkFrom(work, /*from_cancel=*/false); }

bool FlushWorkFrom(WorkItem* work, bool from_cancel) {
  const char* const call = from_cancel ? "cancel_work_sync" : "flush_work";
  const WorkFunc func = work->func;
  if (func == nullptr) {
    ReportOnce(ReportKind::kUninitialised, work,
               absl::StrCat(call, " of an item that was never initialised"));
    return false;
  }
  if (IsSelf(work)) {
    ReportOnce(ReportKind::kSelfFlush, reinterpret_cast<void*>(func),
               absl::StrCat(call, "(", FuncName(func), ") from inside itself would never return"));
    return false;
  }
  if (!from_cancel) MightSleep("flush_work");
  CheckLocksBeforeFlush(func, call);

  // Q4: an item that was refused as pending is flushed even if its owner has not
  // placed it yet; in the kernel this window is as long as interrupts are off.
  if (!from_cancel) WaitPlaced(work);
  Barrier barrier;
  const Workqueue* wq = nullptr;
  switch (StartFlush(work, func, &barrier, &wq)) {
    case FlushStart::kIdle:
      return false;
    case FlushStart::kNever:
      ReportOnce(
          ReportKind::kOrderedFlush, reinterpret_cast<void*>(func),
          absl::StrCat(call, "(", FuncName(func), ") from an item of the same ordered workqueue ",
                       wq->name, " would never return"));
      return false;
    case FlushStart::kWait:
      break;
  }
  if (!from_cancel) CheckDependency(wq, func);
  wq->runtime->WaitFor(&barrier.done);
  return true;
}

// --- A whole queue --------------------------------------------------------------------

namespace {

int NextColor(int color) { return (color + 1) % kNrColors; }

// Arms every pool_workqueue with items of `flush_color` (if >= 0) to report when
// the last of them has left, and gives all of them `work_color` (if >= 0) for new
// items.  Returns true if there is something to wait for.
bool PrepareFlushLocked(Workqueue* wq, int flush_color, int work_color)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(wq->mutex) {
  bool wait = false;
  // The 1 is ours: nobody completes the flusher before the walk is over.
  if (flush_color >= 0) wq->nr_pwqs_to_flush.store(1, std::memory_order_relaxed);
  for (PoolWorkqueue* pwq : wq->pwqs) {
    WorkerPool* const pool = pwq->pool.load(std::memory_order_relaxed);
    PoolLock lock(pool);
    if (flush_color >= 0 && pwq->nr_in_flight[flush_color] > 0) {
      UWQ_CHECK(pwq->flush_color == -1);
      pwq->flush_color = flush_color;
      wq->nr_pwqs_to_flush.fetch_add(1, std::memory_order_relaxed);
      wait = true;
    }
    if (work_color >= 0) pwq->work_color = work_color;
  }
  if (flush_color >= 0 && wq->nr_pwqs_to_flush.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    wq->first_flusher.load(std::memory_order_relaxed)->done.Set();
  }
  return wait;
}

// The first flusher has been completed: completes those of its colour, frees the
// colour, and makes the next one first, skipping colours that are done already.
void CascadeLocked(Workqueue* wq) ABSL_EXCLUSIVE_LOCKS_REQUIRED(wq->mutex) {
  for (;;) {
    for (Flusher* f : wq->flusher_queue) {
      if (f->flush_color != wq->flush_color) break;
      wq->flusher_queue.remove(f);
      f->done.Set();
    }
    wq->flush_color = NextColor(wq->flush_color);
    if (!wq->flusher_overflow.empty()) {
      // A colour is free again: all that overflowed share the current one.
      for (Flusher* f : wq->flusher_overflow) f->flush_color = wq->work_color;
      wq->work_color = NextColor(wq->work_color);
      base::SpliceBack(wq->flusher_queue.head(), wq->flusher_overflow.head());
      (void)PrepareFlushLocked(wq, -1, wq->work_color);
    }
    Flusher* const next = wq->flusher_queue.front();
    if (next == nullptr) {
      UWQ_CHECK(wq->flush_color == wq->work_color);
      return;
    }
    UWQ_CHECK(wq->flush_color != wq->work_color && wq->flush_color == next->flush_color);
    wq->flusher_queue.remove(next);
    wq->first_flusher.store(next, std::memory_order_relaxed);
    if (PrepareFlushLocked(wq, wq->flush_color, -1)) return;
    // That colour had drained by itself; the walk has completed `next`.
    wq->first_flusher.store(nullptr, std::memory_order_relaxed);
  }
}

void FlushColors(Workqueue* wq) {
  Flusher self;
  {
    MutexLock lock(&wq->mutex);
    const int next = NextColor(wq->work_color);
    if (next == wq->flush_color) {
      wq->flusher_overflow.push_back(&self);  // all colours are in use
    } else {
      self.flush_color = wq->work_color;
      wq->work_color = next;
      if (wq->first_flusher.load(std::memory_order_relaxed) == nullptr) {
        UWQ_CHECK(wq->flush_color == self.flush_color);
        wq->first_flusher.store(&self, std::memory_order_release);
        if (!PrepareFlushLocked(wq, wq->flush_color, wq->work_color)) {
          wq->flush_color = next;
          wq->first_flusher.store(nullptr, std::memory_order_relaxed);
          return;
        }
      } else {
        wq->flusher_queue.push_back(&self);
        (void)PrepareFlushLocked(wq, -1, wq->work_color);
      }
    }
  }
  wq->runtime->WaitFor(&self.done);
  if (wq->first_flusher.load(std::memory_order_acquire) != &self) return;
  MutexLock lock(&wq->mutex);
  // Between the two looks a cascade may have found our colour done already.
  if (wq->first_flusher.load(std::memory_order_relaxed) != &self) return;
  wq->first_flusher.store(nullptr, std::memory_order_relaxed);
  CascadeLocked(wq);
}

}  // namespace

bool RefuseOwnQueue(Workqueue* wq, const char* call) {
  const Worker* const self = CurrentWorker();
  const bool item = self != nullptr && self->current_pwq != nullptr &&
                    self->current_pwq->wq.load(std::memory_order_relaxed) == wq;
  if (!item && !HoldsGate(wq)) return false;
  ReportOnce(ReportKind::kOwnQueueFlush,
             item ? reinterpret_cast<const void*>(self->current_func) : wq,
             absl::StrCat(call, "(", wq->name, ") from its own ",
                          item ? absl::StrCat("item ", FuncName(self->current_func)) : "gate",
                          " would never return"));
  return true;
}

namespace {

bool DrainedLocked(Workqueue* wq) ABSL_EXCLUSIVE_LOCKS_REQUIRED(wq->mutex) {
  // The walk is no snapshot: a chained item may hop from a place not yet visited
  // to one that was.  Each hop is counted before its origin leaves.
  const uint64_t chained = wq->nr_chained.load(std::memory_order_acquire);
  for (PoolWorkqueue* pwq : wq->pwqs) {
    WorkerPool* const pool = pwq->pool.load(std::memory_order_relaxed);
    PoolLock lock(pool);
    // Barriers included: they are neither active nor inactive, but in flight (A1).
    if (!pwq->IdleLocked()) return false;
  }
  return wq->nr_chained.load(std::memory_order_acquire) == chained;
}

}  // namespace

void FlushWorkqueue(Workqueue* wq) {
  if (wq->runtime->forked()) return;  // its items count as idle
  if (wq->HasFlag(kWqSystem)) {
    ReportOnce(ReportKind::kSystemFlush, wq,
               absl::StrCat("flushing system-wide workqueue ", wq->name,
                            ": other users' items are waited for, deadlocks are likely"));
  }
  if (RefuseOwnQueue(wq, "flush_workqueue")) return;
  MightSleep("flush_workqueue");
  CheckLocksBeforeFlushQueue(wq, "flush_workqueue");
  CheckDependency(wq, nullptr);
  FlushColors(wq);
}

void DrainWorkqueue(Workqueue* wq) {
  if (wq->runtime->forked()) return;
  const char* const call = wq->HasFlag(kWqDestroying) ? "destroy_workqueue" : "drain_workqueue";
  if (RefuseOwnQueue(wq, call)) return;
  MightSleep(call);
  CheckLocksBeforeFlushQueue(wq, call);
  {
    MutexLock lock(&wq->mutex);
    if (wq->nr_drainers++ == 0) wq->flags.fetch_or(kWqDraining, std::memory_order_acq_rel);
  }
  for (int tries = 0;;) {
    FlushColors(wq);
    {
      MutexLock lock(&wq->mutex);
      if (DrainedLocked(wq)) {
        if (--wq->nr_drainers == 0) wq->flags.fetch_and(~kWqDraining, std::memory_order_acq_rel);
        return;
      }
    }
    ++tries;
    if (tries == 10 || (tries % 100 == 0 && tries <= 1000)) {
      ReportAlways(ReportKind::kSlowDrain,
                   absl::StrCat("workqueue ", wq->name, ": ", call, "() isn't complete after ",
                                tries, " tries"));
    }
  }
}

}  // namespace uwq::core
