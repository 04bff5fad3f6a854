// SPDX-License-Identifier: BSD-3-Clause
//
// delayed_work.h -- uwq::DelayedWork: an item with a timer.
//
//   uwq::DelayedWork poll([&] { Poll(); poll_again(); });
//   poll.Queue(*wq, absl::Milliseconds(50));   // one shot
//   poll.Mod(*wq, absl::Milliseconds(5));      // debounce: the last call counts
//   poll.CancelSync();                         // also ends one that re-arms itself
//
// Semantics: the kernel's delayed_work (D1-D11; docs/timers.md).  Timers never
// fire early.  Negative delays are reported and count as zero; infinite ones are
// reported and never come.
#ifndef UWQ_DELAYED_DELAYED_WORK_H_
#define UWQ_DELAYED_DELAYED_WORK_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "delayed/uwq_delayed.h"
#include "workqueue/workqueue.h"

namespace uwq {

// The bare delayed item: 80 bytes, nothing more while armed.
class DelayedWorkItem {
 public:
  using Func = core::WorkFunc;
  // `deferrable`: waits for a wake-up that comes anyway, at most 12.5 % of its delay (D11).
  explicit DelayedWorkItem(Func func, bool deferrable = false);
  // As ~WorkItem: one that is armed, queued or running elsewhere is reported by
  // name, cancelled and waited for.  [UWQ-DELAYED-LIFE-1]
  ~DelayedWorkItem();
  DelayedWorkItem(const DelayedWorkItem&) = delete;
  DelayedWorkItem& operator=(const DelayedWorkItem&) = delete;

  // True: this call made it pending.  False: pending already, with deadline and
  // queue unchanged, or disabled.  Zero: queued at once.  [UWQ-DELAYED-1]
  bool Queue(Workqueue& wq, absl::Duration delay) { return QueueOn(kAnyCpu, wq, delay); }
  bool QueueOn(int cpu, Workqueue& wq, absl::Duration delay);
  // Sets the delay whatever the state; true if it was pending.  [UWQ-DELAYED-2]
  bool Mod(Workqueue& wq, absl::Duration delay) { return ModOn(kAnyCpu, wq, delay); }
  bool ModOn(int cpu, Workqueue& wq, absl::Duration delay);
  // As Mod, but never later than it is due already, on whatever queue; true if it was
  // pending.  An armed item keeps its CPU unless ReduceOn names one.  [UWQ-DELAYED-3]
  bool Reduce(Workqueue& wq, absl::Duration delay) { return ReduceOn(kAnyCpu, wq, delay); }
  bool ReduceOn(int cpu, Workqueue& wq, absl::Duration delay);

  bool Cancel() { return uwq_cancel_delayed_work(&item_); }
  // On return neither armed, queued nor running, even if its function re-arms it.
  // Sleeps.  [UWQ-DELAYED-4]
  bool CancelSync() { return uwq_cancel_delayed_work_sync(&item_); }
  bool Disable() { return uwq_disable_delayed_work(&item_); }
  bool DisableSync() { return uwq_disable_delayed_work_sync(&item_); }  // sleeps
  bool Enable() { return uwq_enable_delayed_work(&item_); }
  // If armed, queues it now; then waits for it.  Sleeps.  [UWQ-DELAYED-5]
  bool Flush() { return uwq_flush_delayed_work(&item_); }

  bool pending() const { return uwq_delayed_work_pending(&item_); }
  unsigned busy() { return core::WorkBusy(&item_.work); }

  uwq_delayed_work* raw() { return &item_; }
  static DelayedWorkItem* FromRaw(uwq_work* work) {
    return reinterpret_cast<DelayedWorkItem*>(work);
  }

 private:
  uwq_delayed_work item_;  // first: FromRaw
};
static_assert(sizeof(DelayedWorkItem) == 80);

// A delayed item with a callable, as uwq::Work.
class DelayedWork : public DelayedWorkItem {
 public:
  explicit DelayedWork(absl::AnyInvocable<void()> fn, bool deferrable = false)
      : DelayedWorkItem(&Run, deferrable), fn_(std::move(fn)) {}
  template <typename T>
  DelayedWork(T* object, void (T::*method)())
      : DelayedWork([object, method] { (object->*method)(); }) {}
  // Before fn_ goes: the base's destructor would wait for a run that uses it.
  ~DelayedWork() { core::EndOfLife(&raw()->work, /*timer=*/true); }

 private:
  static void Run(uwq_work* work) { static_cast<DelayedWork*>(FromRaw(work))->fn_(); }
  absl::AnyInvocable<void()> fn_;
};

}  // namespace uwq

#endif  // UWQ_DELAYED_DELAYED_WORK_H_
