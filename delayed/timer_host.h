// SPDX-License-Identifier: BSD-3-Clause
//
// timer_host.h -- the timers of one Runtime: a wheel, its lock, and the loop that wakes it.
//
// Invariant H1: a delayed item has TIMER in its state word exactly while its node
// is armed in the wheel of dw->wq's Runtime; both change under `mutex_`.
// Invariant H2: a due item leaves TIMER under `mutex_`, so from then on the expiry
// owns the claim, and cancelers sleep until it is placed (core/work_state.h, S2).
#ifndef UWQ_DELAYED_TIMER_HOST_H_
#define UWQ_DELAYED_TIMER_HOST_H_

#include <memory>

#include "absl/status/statusor.h"
#include "delayed/runtime_loop.h"
#include "delayed/timer_wheel.h"
#include "delayed/uwq_delayed.h"
#include "workqueue/core/runtime.h"

namespace uwq::delayed {

using DelayedItem = ::uwq_delayed_work;

// Of an item with UWQ_DELAYED_EXPIRES: the word behind it.
inline unsigned long* ExpiresOf(DelayedItem* dw) {
  return reinterpret_cast<unsigned long*>(dw + 1);
}

class TimerHost : public core::RuntimeExtension {
 public:
  static absl::StatusOr<std::unique_ptr<core::RuntimeExtension>> Make(core::Runtime* runtime);
  ~TimerHost() override;

  static TimerHost* Of(const core::Workqueue* wq) {
    return static_cast<TimerHost*>(wq->runtime->extension());
  }

  // Arms a claimed item.
  void Arm(DelayedItem* dw, int cpu, core::Workqueue* wq, base::Nanos delay_ns);
  // Takes an armed item down: true, the caller owns its claim.
  bool Steal(DelayedItem* dw);
  // Takes an armed item down and ends its claim, in one step: what most cancels are.
  // False: it is not armed here, nothing was done.
  bool Cancel(DelayedItem* dw);
  // Moves the deadline of an item armed for `wq`; with `only_earlier`, an earlier
  // one stays.  False: it is not armed here, nothing was done.
  bool Rearm(DelayedItem* dw, int cpu, core::Workqueue* wq, base::Nanos delay_ns,
             bool only_earlier);
  base::Nanos Deadline(DelayedItem* dw);
  // D10: takes down and reports what is armed for a queue that is being destroyed,
  // and waits for an expiry under way.
  void TakeDown(core::Workqueue* wq);

  RuntimeLoop* loop() { return loop_.get(); }

 private:
  // The item is armed in this wheel.
  bool HoldsLocked(DelayedItem* dw) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  TimerHost() : wheel_(base::Now()) {}
  void OnWake();

  base::Mutex mutex_;  // before any pool lock
  TimerWheel wheel_ ABSL_GUARDED_BY(mutex_);
  // The thread that is between taking due items and placing them; 0: none.
  base::ThreadId expiring_ ABSL_GUARDED_BY(mutex_) = 0;
  base::CondVar expired_;  // with mutex_
  std::unique_ptr<RuntimeLoop> loop_;
};

}  // namespace uwq::delayed

#endif  // UWQ_DELAYED_TIMER_HOST_H_
