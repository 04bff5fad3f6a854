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

  // Arms a claimed item, for `not_after` at the latest.
  void Arm(DelayedItem* dw, int cpu, core::Workqueue* wq, base::Nanos delay_ns,
           base::Nanos not_after);
  // Takes an armed item down: true, the caller owns its claim.
  bool Steal(DelayedItem* dw);
  // The same, whichever Runtime it is armed in.  `dw` may be any memory; false: in none.
  // Slow.  The caller holds no lock.
  static bool StealAnywhere(DelayedItem* dw);
  // Takes an armed item down and ends its claim, in one step: what most cancels are.
  // False: it is not armed here, nothing was done.
  bool Cancel(DelayedItem* dw);
  // Moves the deadline of an armed item, to `wq` of this Runtime.  False: it is not armed
  // here, nothing was done.
  bool Rearm(DelayedItem* dw, int cpu, core::Workqueue* wq, base::Nanos delay_ns) {
    return Move(dw, cpu, wq, delay_ns, /*only_earlier=*/false);
  }
  // The same, but an earlier deadline stays, with its queue; no particular CPU: the one it has.
  bool Reduce(DelayedItem* dw, int cpu, core::Workqueue* wq, base::Nanos delay_ns) {
    return Move(dw, cpu, wq, delay_ns, /*only_earlier=*/true);
  }
  enum class Found { kNotHere, kSooner, kStolen };
  // Steal(), unless the item is due before `delay_ns` have passed (0: always).  The deadline
  // that a stolen one had is left in `*due`.
  Found StealIfLater(DelayedItem* dw, base::Nanos delay_ns, base::Nanos* due);
  base::Nanos Deadline(DelayedItem* dw);
  // D10: takes down and reports what is armed for a queue that is being destroyed,
  // and waits for an expiry under way.  Others get the lock now and then meanwhile.
  void TakeDown(core::Workqueue* wq);

  void Poke() override { loop_->Poke(); }
  RuntimeLoop* loop() { return loop_.get(); }

 private:
  // The item is armed in this wheel.
  bool HoldsLocked(DelayedItem* dw) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Move(DelayedItem* dw, int cpu, core::Workqueue* wq, base::Nanos delay_ns, bool only_earlier);
  void StealLocked(DelayedItem* dw) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  TimerHost() : wheel_(base::Now()) {}
  void OnWake();
  // Steals the armed nodes for which take(TimerNode*) is true, as far as they do not move
  // from slot to slot meanwhile.  Looks at `hold` nodes, or those of one slot, in one hold of the
  // lock.
  template <typename Take>
  void StealAll(Take take, DueList* out, int hold);

  base::Mutex mutex_;  // before any pool lock
  TimerWheel wheel_ ABSL_GUARDED_BY(mutex_);
  // The thread that is between taking due items and placing them; 0: none.
  base::ThreadId expiring_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t batches_ ABSL_GUARDED_BY(mutex_) = 0;  // that have been placed
  base::CondVar expired_;                         // with mutex_
  std::unique_ptr<RuntimeLoop> loop_;
};

}  // namespace uwq::delayed

#endif  // UWQ_DELAYED_TIMER_HOST_H_
