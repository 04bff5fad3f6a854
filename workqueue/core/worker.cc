// SPDX-License-Identifier: BSD-3-Clause
//
// worker.cc -- the worker's loop, and the execution of one item.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "workqueue/base/trace.h"
#include "workqueue/core/item.h"
#include "workqueue/core/lock_check.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/worker_pool.h"

namespace uwq::core {

using base::ListEmpty;
using base::ListNode;
using base::MutexLock;

void WorkerPool::WorkerMain(Worker* worker) {
  base::ThreadSlot(base::Slot::kWorker) = worker;
  base::Nanos until = base::kForever;
  for (;;) {
    ParkIdle(worker, until);
    until = base::kForever;
    AfterUnlock after;
    {
      MutexLock held(&lock);
      if ((worker->flags & Worker::kDie) != 0) break;
      // A stray token of an earlier life, before the creator has attached it.
      if ((worker->flags & Worker::kIdle) == 0) continue;
      if (StandByLocked(worker, &until)) continue;
      LeaveIdleLocked(worker);
      while (NeedMoreWorker(ViewLocked())) {
        // P9: before it works, somebody must be left to be woken.
        if (!bh && !MayStartWorking(ViewLocked()) && ManageLocked(worker)) continue;
        ClearFlagsLocked(worker, Worker::kPrep);
        RunListLocked(worker);
        SetFlagsLocked(worker, Worker::kPrep);
      }
      EnterIdleLocked(worker, &after);
      (void)StandByLocked(worker, &until);
    }
  }
  base::ThreadSlot(base::Slot::kWorker) = nullptr;
}

void WorkerPool::ParkIdle(Worker* worker, base::Nanos until) {
  const base::Nanos most = runtime->options().idle_spin_ns;
  if (most == 0 || until != base::kForever) {
    (void)worker->parker.ParkUntil(until);
    return;
  }
  if (worker->idle_spin.worthwhile()) {
    worker->idle_spin.Spun(worker->parker.SpinFor(most));
    worker->parker.Park();
  } else {
    const base::Nanos since = base::Now();
    worker->parker.Park();
    worker->idle_spin.Slept(base::Now() - since, most);
  }
}

void WorkerPool::RunListLocked(Worker* worker) {
  // The clock is read once per stretch of items, and only where it decides something.
  constexpr int kStretch = 16, kStretchMin = 4;
  base::Nanos since = unbound() ? base::Now() : 0;
  worker->woke_ns = 0;
  int nr = 0;
  const auto measure = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock) {
    const base::Nanos now = base::Now();
    short_items.Measured((now - since - worker->woke_ns) / nr);
    worker->woke_ns = 0;
    UpdateAttendedLocked();
    // The next kick wakes one, also if the items wait elsewhere: beyond a limit, in a
    // caller's loop.  With a standby the door is open.
    want_standby = short_items.yes() && standby == nullptr;
    since = now;
  };
  do {
    if (!ListEmpty(&worklist)) {
      WorkItem* const work = WorkOf(worklist.next);
      ++progress;
      if (AssignLocked(work, worker, nullptr)) ProcessScheduledLocked(worker);
    } else {
      RunFromHallLocked(worker);
    }
    if (++nr >= kStretch) {
      if (unbound()) measure();
      nr = 0;
      TakeInLocked();  // also if the list never gets empty
    } else if (!HasWorkLocked()) {
      TakeInLocked();
    }
  } while (KeepWorking(ViewLocked()));
  if (nr >= kStretchMin && unbound()) measure();
  want_standby = false;
}

bool WorkerPool::StandByLocked(Worker* worker, base::Nanos* until) {
  constexpr base::Nanos kPause = 200 * base::kMicrosecond;
  if (worker == standby) {
    const bool called = (worker->flags & Worker::kKicked) != 0 || nr_running == 0;
    if (called || progress - standby_progress_ < kStandbyMovesMin) {
      standby = nullptr;
      UpdateAttendedLocked();  // what stands at the door is in the hall now
      if (called) return false;
      if (!HasWorkLocked()) return true;
      short_items.Stalled();  // something waits behind a long one
      return false;
    }
    // They move: it leaves them where they are.
  } else {
    if (nr_running == 0 || standby != nullptr || NeedMoreWorker(ViewLocked()) || !unbound() ||
        (!HasWorkLocked() && !want_standby)) {
      return false;
    }
  }
  worker->flags &= ~Worker::kKicked;
  SetStandbyLocked(worker, progress);
  *until = base::Now() + kPause;
  return true;
}

void WorkerPool::SetStandbyLocked(Worker* worker, uint64_t moved_from) {
  standby = worker;
  want_standby = false;
  standby_progress_ = moved_from;
  UpdateAttendedLocked();
}

int WorkerPool::RunPending(int max) {
  // A worker on the stack, so that an item that waits may run others inside.
  Worker worker;
  worker.pool = this;
  worker.flags = Worker::kPrep | Worker::kUncounted;
  base::ListInit(&worker.scheduled);
  worker.tid.store(base::SelfId(), std::memory_order_relaxed);
  void* const outer = base::ThreadSlot(base::Slot::kWorker);
  base::ThreadSlot(base::Slot::kWorker) = &worker;
  {
    MutexLock held(&lock);
    for (SpliceLocked(); !ListEmpty(&worklist) && worker.nr_executed < static_cast<uint64_t>(max);
         SpliceLocked()) {
      ++progress;
      if (AssignLocked(WorkOf(worklist.next), &worker, nullptr)) ProcessScheduledLocked(&worker);
    }
  }
  base::ThreadSlot(base::Slot::kWorker) = outer;
  return static_cast<int>(worker.nr_executed);
}

bool WorkerPool::AssignLocked(WorkItem* work, Worker* worker, ListNode** next_cursor) {
  // N2, N4: one instance at a time in a pool; a second one follows the first.
  Worker* const collision = FindBusyLocked(work, work->func);
  if (__builtin_expect(collision != nullptr, 0)) {
    MoveLinked(work, &collision->scheduled, next_cursor);
    return false;
  }
  MoveLinked(work, &worker->scheduled, next_cursor);
  return true;
}

void WorkerPool::ProcessScheduledLocked(Worker* worker) {
  while (!ListEmpty(&worker->scheduled)) {
    ProcessOneLocked(worker, WorkOf(worker->scheduled.next));
  }
}

// Inlined, twice: a call more for each item would show.
template <bool kFromDoor>
[[gnu::always_inline]] inline void WorkerPool::ExecuteLocked(Worker* worker, WorkItem* work,
                                                             PoolWorkqueue* pwq, Word word) {
  // Everything that is needed later is copied first: once the function runs,
  // the item may be gone (Q5).
  const WorkFunc func = work->func;
  Workqueue* const wq = pwq->wq.load(std::memory_order_relaxed);
  UWQ_DCHECK(pwq->pool.load(std::memory_order_relaxed) == this);

  worker->current_work = work;
  worker->current_func = func;
  worker->current_pwq = pwq;
  worker->current_word = word;
  ++worker->nr_executed;
  worker->busy_next = busy[Bucket(work)];
  busy[Bucket(work)] = worker;
  pwq->Count(PwqStat::kStarted);

  // P6: it does not hold others back once it has started.
  if (pwq->percpu_intensive) SetFlagsLocked(worker, Worker::kCpuIntensive);
  AfterUnlock after;
  KickLocked(&after);  // P8: chain wake-up
  if constexpr (kFromDoor) {
    if (__builtin_expect(StartFromDoor(work, idle_word), 0)) WakeClaimWaiters(work);
  } else {
    StartExecution(work, id, off_flags());
  }

  lock.Unlock();
  if (__builtin_expect(after.wake != nullptr, 0)) {
    // A wake-up may cost as much as a hundred items, and is none of the items' time.
    const base::Nanos begin = base::Now();
    after.Run();
    worker->woke_ns += base::Now() - begin;
  } else {
    after.Run();
  }
  {
    LockCheckItemScope checked(wq, func);
    UWQ_TRACE(execute_start, work, func, wq->name);
    func(work);
    UWQ_TRACE(execute_end, work, func);
  }
  lock.Lock();

  worker->desc[0] = '\0';
  worker->blocking_depth = 0;  // an Enter without its Exit ends with the item
  pwq->Count(PwqStat::kCompleted);
  if (__builtin_expect(worker->flags != 0, 0)) {
    ClearFlagsLocked(worker, Worker::kCpuIntensive | Worker::kSleeping | Worker::kSampledSleep);
  }
  Worker** link = &busy[Bucket(work)];
  while (*link != worker) link = &(*link)->busy_next;
  *link = worker->busy_next;
  worker->busy_next = nullptr;
  worker->current_work = nullptr;
  worker->current_func = nullptr;
  worker->current_pwq = nullptr;
  LeaveLocked(this, pwq, word, &after);
  if (after.activate != nullptr) {
    // Rare: the freed slot belongs to a queue that waits in another pool.
    lock.Unlock();
    after.Run();
    lock.Lock();
  }
}

void WorkerPool::ProcessOneLocked(Worker* worker, WorkItem* work) {
  const Word word = LoadWord(work);
  base::Unlink(&work->entry);
  ExecuteLocked</*kFromDoor=*/false>(worker, work, PwqOf(word), word);
}

// The way of most items: from the door straight to their execution, without having been on
// a list that nobody saw.  What follows is PlaceLocked(), AssignLocked() and the taking off
// the list, for the case that each of them has nothing to do but count.
void WorkerPool::RunFromHallLocked(Worker* worker) {
  ListNode* const node = hall_;
  Workqueue* const wq = reinterpret_cast<Workqueue*>(node->prev);
  if (wq != hall_wq_) {
    hall_wq_ = wq;
    hall_pwq_ = PlaceOfLocked(wq);
  }
  PoolWorkqueue* const pwq = hall_pwq_;
  WorkItem* const work = WorkOf(node);
  if (__builtin_expect(pwq == nullptr || base::ActiveTraceSink() != nullptr ||
                           FindBusyLocked(work, work->func) != nullptr,
                       0)) {
    PlaceHallLocked();
    return;
  }
  if (__builtin_expect(!ListEmpty(&pwq->inactive) || !TryGetActiveLocked(this, pwq, false), 0)) {
    // The limit is the pool's own affair: whoever leaves opens the hall again.
    hall_blocked_ = hall_sole_ == wq && pwq->node == nullptr;
    if (!hall_blocked_) PlaceHallLocked();
    return;
  }
  hall_ = node->next;
  __builtin_prefetch(hall_, 1);
  base::ListInit(node);
  const int color = pwq->work_color;
  ++pwq->nr_in_flight[color];
  ++progress;
  ExecuteLocked</*kFromDoor=*/true>(worker, work, pwq, ListedWord(pwq, color));
  ProcessScheduledLocked(worker);  // whoever waits for it
}

Worker* WorkerPool::FindBusyLocked(const WorkItem* work, WorkFunc func) {
  for (Worker* w = busy[Bucket(work)]; w != nullptr; w = w->busy_next) {
    if (w->current_work == work && w->current_func == func) return w;
  }
  return nullptr;
}

WorkItem* CurrentWork() {
  const Worker* const worker = CurrentWorker();
  if (worker == nullptr || worker->pool == nullptr || worker->pool->bh) return nullptr;  // B4
  return worker->current_work;
}

bool CurrentIsRescuer() {
  const Worker* const worker = CurrentWorker();
  return worker != nullptr && worker->rescue_wq != nullptr;
}

bool CurrentIsMemReclaim() {
  const Worker* const worker = CurrentWorker();
  if (worker == nullptr || worker->current_pwq == nullptr) return false;
  const Workqueue* const wq = worker->current_pwq->wq.load(std::memory_order_relaxed);
  return wq->HasFlag(kWqMemReclaim) && !wq->HasFlag(kWqLegacy);
}

void SetWorkerDesc(const char* desc) {
  Worker* const worker = CurrentWorker();
  if (worker == nullptr) return;
  MutexLock held(&worker->pool->lock);  // a dump may read it
  absl::SNPrintF(worker->desc, sizeof(worker->desc), "%s", desc);
}

}  // namespace uwq::core
