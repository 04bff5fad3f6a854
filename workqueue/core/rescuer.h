// SPDX-License-Identifier: BSD-3-Clause
//
// rescuer.h -- the thread of a WQ_MEM_RECLAIM queue (R1-R6).
//
// It exists from the queue's creation, so that the queue's items run even when no
// thread can be made.  It runs only items of its own queue, in the pool where they
// wait, and takes no part in concurrency management.
#ifndef UWQ_WORKQUEUE_CORE_RESCUER_H_
#define UWQ_WORKQUEUE_CORE_RESCUER_H_

#include "absl/status/statusor.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/workqueue.h"

namespace uwq::core {

inline constexpr int kRescuerBatch = 16;

class Rescuer {
 public:
  static absl::StatusOr<std::unique_ptr<Rescuer>> Start(Workqueue* wq);
  // Stops and joins.  The queue is drained.
  ~Rescuer();

  // `pwq` has an item on its pool's list that nobody can be made to run.
  // pool->lock held.
  void SendMayday(PoolWorkqueue* pwq);
  // `pwq` is about to be recycled.
  void Forget(PoolWorkqueue* pwq);

  Worker* worker() { return &worker_; }

 private:
  Rescuer() = default;
  void Main();
  void Rescue(PoolWorkqueue* pwq);

  Worker worker_;
  base::Mutex mayday_lock_;  // inside pool->lock
  base::List<PoolWorkqueue, &PoolWorkqueue::mayday_node> maydays_ ABSL_GUARDED_BY(mayday_lock_);
  PoolWorkqueue* serving_ ABSL_GUARDED_BY(mayday_lock_) = nullptr;
  base::CondVar served_;  // with mayday_lock_
  bool stop_ ABSL_GUARDED_BY(mayday_lock_) = false;
};

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_RESCUER_H_
