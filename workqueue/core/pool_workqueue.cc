// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/core/pool_workqueue.h"

#include "workqueue/base/trace.h"
#include "workqueue/core/item.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/workqueue.h"

namespace uwq::core {

using base::ListEmpty;
using base::ListNode;
using base::MutexLock;

// --- NodeActive ------------------------------------------------------------------

void NodeActive::AddWaiter(PoolWorkqueue* pwq) {
  MutexLock lock(&lock_);
  if (pwq->waiting) return;
  pwq->waiting = true;
  base::PushBack(&pending_, &pwq->pending_node);
  nr_pending_.fetch_add(1, std::memory_order_seq_cst);
}

void NodeActive::RemoveWaiter(PoolWorkqueue* pwq) {
  MutexLock lock(&lock_);
  if (!pwq->waiting) return;
  pwq->waiting = false;
  base::Unlink(&pwq->pending_node);
  nr_pending_.fetch_sub(1, std::memory_order_seq_cst);
}

PoolWorkqueue* NodeActive::FirstWaiterIn(WorkerPool* pool) {
  MutexLock lock(&lock_);
  if (ListEmpty(&pending_)) return nullptr;
  auto* pwq = base::EntryOf<PoolWorkqueue, &PoolWorkqueue::pending_node>(pending_.next);
  return pwq->pool.load(std::memory_order_relaxed) == pool ? pwq : nullptr;
}

void NodeActive::Rotate(PoolWorkqueue* pwq) {
  MutexLock lock(&lock_);
  if (!pwq->waiting) return;
  base::Unlink(&pwq->pending_node);
  base::PushBack(&pending_, &pwq->pending_node);
}

void NodeActive::ActivatePending() {
  for (;;) {
    PoolWorkqueue* pwq;
    WorkerPool* pool;
    {
      MutexLock lock(&lock_);
      if (ListEmpty(&pending_)) return;
      pwq = base::EntryOf<PoolWorkqueue, &PoolWorkqueue::pending_node>(pending_.next);
      pool = pwq->pool.load(std::memory_order_relaxed);
    }
    AfterUnlock after;
    MutexLock lock(&pool->lock);
    // The pwq may have left, even have been recycled, before its pool was locked.
    if (pwq->pool.load(std::memory_order_relaxed) != pool || pwq->node != this || !pwq->waiting) {
      continue;
    }
    if (ListEmpty(&pwq->inactive) || pwq->plugged) {
      RemoveWaiter(pwq);  // unplugging activates by itself
      continue;
    }
    if (!ActivateFirstLocked(pool, pwq, /*fill=*/true)) return;
    pool->KickLocked(&after);
  }
}

// --- Accounting ----------------------------------------------------------------------

bool LinkLocked(WorkerPool* pool, PoolWorkqueue* pwq, WorkItem* work, ListNode* before, int color,
                Word flags) {
  base::InsertBefore(&work->entry, before);
  ++pwq->nr_in_flight[color];
  return EnterList(work, pwq, color, flags);
}

bool TryGetActiveLocked(WorkerPool* pool, PoolWorkqueue* pwq, bool fill) {
  NodeActive* const node = pwq->node;
  if (node == nullptr) {
    Workqueue* const wq = pwq->wq.load(std::memory_order_relaxed);
    if (pwq->nr_active >= wq->max_active.load(std::memory_order_relaxed)) return false;
    ++pwq->nr_active;
    return true;
  }
  if (pwq->plugged) return false;
  // In line already: the releaser of a slot serves it, a newcomer does not jump the queue.
  if (!fill && pwq->waiting) return false;
  if (!node->TryGet()) {
    // A9: in line first, then look again.
    node->AddWaiter(pwq);
    if (!node->TryGet()) return false;
    if (!fill) node->RemoveWaiter(pwq);
  }
  ++pwq->nr_active;
  return true;
}

namespace {

// The slot is taken: the first inactive item enters the pool's list.
void EnterFirstLocked(WorkerPool* pool, PoolWorkqueue* pwq)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool->lock) {
  pool->BeforeEntryLocked(pwq->wq.load(std::memory_order_relaxed));
  WorkItem* const work = WorkOf(pwq->inactive.next);
  UWQ_TRACE(activate_work, work, work->func);
  if (ListEmpty(&pool->worklist)) ++pool->progress;
  MoveLinked(work, &pool->worklist, nullptr);
  MarkActive(work);
}

}  // namespace

bool ActivateFirstLocked(WorkerPool* pool, PoolWorkqueue* pwq, bool fill) {
  if (ListEmpty(&pwq->inactive)) return false;
  if (!TryGetActiveLocked(pool, pwq, fill)) return false;
  EnterFirstLocked(pool, pwq);
  if (pwq->node != nullptr) {
    if (ListEmpty(&pwq->inactive)) {
      pwq->node->RemoveWaiter(pwq);
    } else {
      pwq->node->AddWaiter(pwq);  // just unplugged: nobody else puts the rest in line
      pwq->node->Rotate(pwq);
    }
  }
  return true;
}

void PlaceLocked(WorkerPool* pool, PoolWorkqueue* pwq, WorkItem* work, int req_cpu) {
  UWQ_TRACE(queue_work, work, work->func, pwq->wq.load(std::memory_order_relaxed)->name, req_cpu,
            pool->cpu);
  const int color = pwq->work_color;
  bool awaited;
  // O3: behind the inactive ones even if the limit has been raised meanwhile.
  if (ListEmpty(&pwq->inactive) && TryGetActiveLocked(pool, pwq, /*fill=*/false)) {
    if (ListEmpty(&pool->worklist)) ++pool->progress;
    UWQ_TRACE(activate_work, work, work->func);
    awaited = LinkLocked(pool, pwq, work, &pool->worklist, color, 0);
  } else {
    awaited = LinkLocked(pool, pwq, work, &pwq->inactive, color, kInactive);
  }
  if (awaited) WakeClaimWaiters(work);
}

void LeaveAwaitedLocked(WorkerPool* pool, PoolWorkqueue* pwq, Word word, AfterUnlock* after) {
  if (__builtin_expect(pwq->waiting, 0) && (word & kInactive) == 0 && pwq->node->MayPassOn() &&
      !pwq->plugged && !ListEmpty(&pwq->inactive)) {
    // Alone in line: what giving the slot back and taking it again comes to.
    EnterFirstLocked(pool, pwq);
    if (ListEmpty(&pwq->inactive)) pwq->node->RemoveWaiter(pwq);
  } else if ((word & kInactive) == 0) {
    --pwq->nr_active;
    if (pwq->node == nullptr) {
      pool->UnblockHallLocked();
      if (!ListEmpty(&pwq->inactive)) ActivateFirstLocked(pool, pwq, /*fill=*/false);
    } else if (pwq->node->Put()) {
      // Serve the waiter whose turn it is, here if its pool is ours, else once
      // this lock is dropped: two pool locks are never held together.
      PoolWorkqueue* const next = pwq->node->FirstWaiterIn(pool);
      if (next == nullptr || !ActivateFirstLocked(pool, next, /*fill=*/true)) {
        after->activate = pwq->node;
      }
    }
  }
  Workqueue* const wq = pwq->wq.load(std::memory_order_relaxed);
  const int color = ColorOf(word);
  if (--pwq->nr_in_flight[color] == 0) {
    if (pwq->flush_color == color) {
      pwq->flush_color = -1;
      if (wq->nr_pwqs_to_flush.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        wq->first_flusher.load(std::memory_order_acquire)->done.Set();
      }
    }
    if (!pwq->live && pwq->IdleLocked()) pool->runtime->ReleaseLater(pwq);
  }
}

void JoinNodeLocked(WorkerPool* pool, PoolWorkqueue* pwq, NodeActive* node) {
  pwq->node = node;
  node->Add(pwq->nr_active);
  if (!ListEmpty(&pwq->inactive)) node->AddWaiter(pwq);
}

void MoveLinked(WorkItem* work, ListNode* to, ListNode** next_cursor) {
  ListNode* node = &work->entry;
  for (;;) {
    ListNode* const next = node->next;
    const bool linked = (LoadWord(WorkOf(node)) & kLinked) != 0;
    base::Unlink(node);
    base::PushBack(to, node);
    node = next;
    if (!linked) break;
  }
  if (next_cursor != nullptr) *next_cursor = node;
}

}  // namespace uwq::core
