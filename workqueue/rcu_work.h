// SPDX-License-Identifier: BSD-3-Clause
//
// rcu_work.h -- work that runs after a grace period, and the readers it waits for.
//
//   { uwq::RcuReader reader; Use(table.load()); }      // any thread, no lock
//
//   Table* old = table.exchange(fresh);                // the updater
//   retire.Queue(*wq);   // its function frees `old`: every reader of it has left by then
//
// Grace periods are found without liburcu: rcu/rcu.cc says how and why.
#ifndef UWQ_WORKQUEUE_RCU_WORK_H_
#define UWQ_WORKQUEUE_RCU_WORK_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "workqueue/rcu/uwq_rcu.h"
#include "workqueue/workqueue.h"

namespace uwq {

// A read section: what it finds published stays valid until its end.  Nests; costs two
// stores; must not contain SynchronizeRcu() (reported).  [UWQ-RCU-1]
class RcuReader {
 public:
  RcuReader() { uwq_rcu_read_lock(); }
  ~RcuReader() { uwq_rcu_read_unlock(); }
  RcuReader(const RcuReader&) = delete;
  RcuReader& operator=(const RcuReader&) = delete;
};

// Returns when every reader that was inside at the call has left.  Sleeps.  [UWQ-RCU-2]
inline void SynchronizeRcu() { uwq_synchronize_rcu(); }

// An item that is queued a grace period after Queue().
class RcuWork {
 public:
  explicit RcuWork(absl::AnyInvocable<void()> fn) : fn_(std::move(fn)) {
    uwq_init_rcu_work(&item_.rwork, &Run);
    item_.self = this;
  }
  // As ~Work: one that is pending or running elsewhere is reported by name, cancelled
  // and waited for; not for readers, so inside a reader, too.  [UWQ-RCU-LIFE-1]
  ~RcuWork() { uwq_destroy_rcu_work(&item_.rwork); }
  RcuWork(const RcuWork&) = delete;
  RcuWork& operator=(const RcuWork&) = delete;

  // True if this call made it pending.  False: pending already, and the run may come
  // before a full grace period from this call; look into it then.  [UWQ-RCU-3]
  bool Queue(Workqueue& wq) {
    return uwq_queue_rcu_work(reinterpret_cast<uwq_workqueue*>(wq.raw()), &item_.rwork);
  }
  // Waits for the grace period and the run; true if there was one.  Sleeps; inside a reader
  // a pending one is reported and not waited for.  [UWQ-RCU-4]
  bool Flush() { return uwq_flush_rcu_work(&item_.rwork); }
  bool pending() { return core::WorkPending(&item_.rwork.work); }

 private:
  struct Item {
    uwq_rcu_work rwork;  // first: Run
    RcuWork* self;
  };
  static void Run(uwq_work* work) { reinterpret_cast<Item*>(work)->self->fn_(); }
  Item item_;
  absl::AnyInvocable<void()> fn_;
};

}  // namespace uwq

#endif  // UWQ_WORKQUEUE_RCU_WORK_H_
