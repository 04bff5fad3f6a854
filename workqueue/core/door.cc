// SPDX-License-Identifier: BSD-3-Clause
//
// door.cc -- the pool's side of the door: who lets items in, and when (docs/door.md).
// The producer's side is in queue.cc, the canceler's in cancel.cc.
#include "workqueue/base/trace.h"
#include "workqueue/core/item.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/workqueue.h"

namespace uwq::core {

using base::ListNode;
using base::MutexLock;

// Dekker's handshake with a producer, who pushes first and then looks at `attended`:
// whoever clears it looks at the door once more.  All four are seq_cst, so either the
// producer sees it cleared and empties the door itself, or its item is seen here.
void WorkerPool::UpdateAttendedLocked() {
  const bool now =
      Attended(ViewLocked(), unbound() ? standby != nullptr : watched) && claim_waiters == 0;
  if (now == door.attended.load(std::memory_order_relaxed)) return;
  door.attended.store(now, std::memory_order_seq_cst);
  if (!now) LetInLocked();
}

namespace {

Workqueue* QueueOf(const ListNode* node) { return reinterpret_cast<Workqueue*>(node->prev); }

// What stands at the door now, oldest first, with the queue that all of them are for, or null.
struct Taken {
  ListNode* oldest = nullptr;
  ListNode* newest;
  Workqueue* sole;
};
Taken Empty(Door* door) {
  ListNode* node = door->newest.exchange(nullptr, std::memory_order_seq_cst);
  Taken taken{.newest = node, .sole = node == nullptr ? nullptr : QueueOf(node)};
  while (node != nullptr) {
    ListNode* const older = node->next;
    if (QueueOf(node) != taken.sole) taken.sole = nullptr;
    node->next = taken.oldest;
    taken.oldest = node;
    node = older;
  }
  return taken;
}

}  // namespace

void WorkerPool::EmptyDoorLocked() {
  PlaceHallLocked();
  PlaceAllLocked(Empty(&door).oldest);
}

void WorkerPool::TakeInLocked() {
  if (door.attended.load(std::memory_order_relaxed)) LetInLocked();
}

void WorkerPool::LetInLocked() {
  if (door.newest.load(std::memory_order_seq_cst) == nullptr) return;
  // The canceler sleeps until its item is placed.
  if (__builtin_expect(claim_waiters != 0, 0)) return EmptyDoorLocked();
  const Taken taken = Empty(&door);
  AppendToHallLocked(taken.oldest, taken.newest, taken.sole);
}

void WorkerPool::LetIn() {
  AfterUnlock after;
  MutexLock held(&lock);
  LetInLocked();
  KickLocked(&after);
}

void WorkerPool::AppendToHallLocked(ListNode* oldest, ListNode* newest, Workqueue* sole) {
  if (hall_ == nullptr) {
    hall_ = oldest;
    hall_sole_ = sole;
    hall_wq_ = nullptr;
    hall_blocked_ = false;
  } else {
    hall_newest_->next = oldest;
    if (hall_sole_ != sole) {
      hall_sole_ = nullptr;
      hall_blocked_ = false;  // others may pass
    }
  }
  hall_newest_ = newest;
}

void WorkerPool::JoinOthersLocked(PoolWorkqueue* pwq, WorkItem* work, int req_cpu) {
  LetInLocked();
  if (hall_ == nullptr || base::ActiveTraceSink() != nullptr) {
    PlaceHallLocked();
    return PlaceLocked(this, pwq, work, req_cpu);
  }
  Workqueue* const wq = pwq->wq.load(std::memory_order_relaxed);
  ListNode* const node = &work->entry;
  node->prev = reinterpret_cast<ListNode*>(wq);
  node->next = nullptr;
  AppendToHallLocked(node, node, wq);
  if (EnterDoor(work, door_word)) WakeClaimWaiters(work);
}

void WorkerPool::PlaceAllLocked(ListNode* oldest) {
  Workqueue* wq = nullptr;
  PoolWorkqueue* pwq = nullptr;
  while (oldest != nullptr) {
    ListNode* const node = oldest;
    oldest = node->next;
    Workqueue* const its = QueueOf(node);
    if (its != wq) {
      wq = its;
      pwq = PlaceOfLocked(wq);
    }
    if (__builtin_expect(pwq == nullptr, 0)) {
      node->next = nullptr;
      *strays_end_ = node;
      strays_end_ = &node->next;
    } else {
      PlaceLocked(this, pwq, WorkOf(node), kWorkCpuUnbound);
    }
  }
}

// A queue changes its slots under the locks of the pools that they leave, so a place is
// live exactly while some slot names it.
PoolWorkqueue* WorkerPool::PlaceOfLocked(Workqueue* wq) {
  const int nr_cpus = runtime->topology().nr_cpus();
  for (int i = unbound() ? 0 : cpu; i < nr_cpus; ++i) {
    PoolWorkqueue* const pwq = wq->cpu_pwq[i].load(std::memory_order_acquire);
    if (pwq->pool.load(std::memory_order_acquire) != this) continue;
    return pwq->live && pwq->wq.load(std::memory_order_relaxed) == wq ? pwq : nullptr;
  }
  return nullptr;
}

void WorkerPool::ForwardStrays() {
  // One producer at a time, and each waits for the one before it: when its call returns
  // its item is placed, wherever that was done, so what it queues next comes behind (O1).
  DeferReports defer;
  MutexLock forwarding(&runtime->forward_mutex);
  for (;;) {
    ListNode* node;
    {
      PoolLock held(this);
      node = strays_;
      if (node == nullptr) return;
      strays_ = node->next;
      if (strays_ == nullptr) strays_end_ = &strays_;
    }
    Workqueue* const wq = QueueOf(node);
    base::ListInit(node);
    WorkItem* const work = WorkOf(node);
    if (LeaveDoor(work)) WakeClaimWaiters(work);
    QueueClaimed(kWorkCpuUnbound, wq, work);
  }
}

}  // namespace uwq::core
