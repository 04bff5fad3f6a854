// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/core/rescuer.h"

#include "absl/strings/str_cat.h"
#include "workqueue/core/runtime.h"

namespace uwq::core {

using base::ListNode;
using base::MutexLock;

absl::StatusOr<std::unique_ptr<Rescuer>> Rescuer::Start(Workqueue* wq) {
  std::unique_ptr<Rescuer> rescuer(new Rescuer());
  Worker& worker = rescuer->worker_;
  base::ListInit(&worker.scheduled);
  base::ListInit(&worker.idle_node);
  base::ListInit(&worker.all_node);
  worker.rescue_wq = wq;
  base::Thread::Options options;
  options.name = absl::StrCat("kworker/R-", wq->name);
  options.nice = -20;
  absl::StatusOr<base::Thread> thread =
      base::Thread::Start(options, [r = rescuer.get()] { r->Main(); });
  if (!thread.ok()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("rescuer of workqueue ", wq->name, ": ", thread.status().message()));
  }
  worker.thread = *std::move(thread);
  worker.tid.store(worker.thread.id(), std::memory_order_relaxed);
  return rescuer;
}

Rescuer::~Rescuer() {
  if (!worker_.thread.joinable()) return;
  {
    MutexLock lock(&mayday_lock_);
    stop_ = true;
  }
  worker_.parker.Unpark();
  worker_.thread.Join();
}

void Rescuer::SendMayday(PoolWorkqueue* pwq) {
  {
    MutexLock lock(&mayday_lock_);
    if (pwq->mayday_sent.load(std::memory_order_relaxed)) return;
    pwq->mayday_sent.store(true, std::memory_order_relaxed);
    maydays_.push_back(pwq);
    pwq->Count(PwqStat::kMayday);
  }
  worker_.parker.Unpark();
}

void Rescuer::Forget(PoolWorkqueue* pwq) {
  MutexLock lock(&mayday_lock_);
  if (pwq->mayday_sent.load(std::memory_order_relaxed)) {
    maydays_.remove(pwq);
    pwq->mayday_sent.store(false, std::memory_order_relaxed);
  }
  while (serving_ == pwq) served_.Wait(&mayday_lock_);
}

void Rescuer::Main() {
  base::ThreadSlot(base::Slot::kWorker) = &worker_;
  for (;;) {
    PoolWorkqueue* pwq = nullptr;
    {
      MutexLock lock(&mayday_lock_);
      pwq = maydays_.front();
      if (pwq != nullptr) {
        maydays_.remove(pwq);
        pwq->mayday_sent.store(false, std::memory_order_relaxed);
        serving_ = pwq;
      } else if (stop_) {
        break;
      }
    }
    if (pwq == nullptr) {
      worker_.parker.Park();
      continue;
    }
    Rescue(pwq);
    MutexLock lock(&mayday_lock_);
    serving_ = nullptr;
    served_.NotifyAll();
  }
  base::ThreadSlot(base::Slot::kWorker) = nullptr;
}

// R3: from the pool's list, only items of our own queue, a bounded batch per turn.
void Rescuer::Rescue(PoolWorkqueue* pwq) {
  WorkerPool* const pool = pwq->pool.load(std::memory_order_acquire);
  AfterUnlock after;
  MutexLock lock(&pool->lock);
  pool->SpliceLocked();
  worker_.pool = pool;
  worker_.flags = Worker::kPrep | Worker::kUncounted;  // R4: never counted
  const auto first_of_ours = [pool, pwq]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool->lock) -> WorkItem* {
    for (ListNode* n = pool->worklist.next; n != &pool->worklist; n = n->next) {
      if (PwqOf(LoadWord(WorkOf(n))) == pwq) return WorkOf(n);
    }
    return nullptr;
  };
  // One by one: what it has not begun stays on the list, where a regular worker finds it
  // as soon as there is one; the item that it executes may wait for that.
  WorkItem* work = first_of_ours();
  for (int nr = 0; work != nullptr && nr < kRescuerBatch; ++nr, work = first_of_ours()) {
    pwq->Count(PwqStat::kRescued);
    if (pool->AssignLocked(work, &worker_, nullptr)) pool->ProcessScheduledLocked(&worker_);
  }
  // Its turn is over; if more waits, to the back of the line.
  if (work != nullptr) {
    MutexLock maydays(&mayday_lock_);
    if (!pwq->mayday_sent.load(std::memory_order_relaxed)) {
      pwq->mayday_sent.store(true, std::memory_order_relaxed);
      maydays_.push_back(pwq);
    }
  }
  pool->KickLocked(&after);  // the regular workers go on
  worker_.pool = nullptr;
}

}  // namespace uwq::core
