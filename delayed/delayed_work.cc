// SPDX-License-Identifier: BSD-3-Clause
//
// delayed_work.cc -- the calls on delayed items (1.7, D*), C and C++.
#include "delayed/delayed_work.h"

#include "absl/strings/str_cat.h"
#include "delayed/timer_host.h"
#include "workqueue/core/item.h"
#include "workqueue/core/report.h"

namespace uwq {
namespace {

using base::Nanos;
using core::ReportKind;
using delayed::TimerHost;

core::Workqueue* Wq(uwq_workqueue* wq) { return reinterpret_cast<core::Workqueue*>(wq); }

bool Armed(uwq_delayed_work* dw) {
  return (core::LoadWord(&dw->work) & (core::kOnPwq | core::kTimer)) == core::kTimer;
}

// Of an item seen armed, whose queue was thus written before.
TimerHost* HostOf(uwq_delayed_work* dw) {
  return TimerHost::Of(Wq(base::AtomicRef<uwq_workqueue*>(dw->wq).load(std::memory_order_acquire)));
}

Nanos CheckDelay(uwq_delayed_work* dw, Nanos delay_ns) {
  if (delay_ns >= 0) return delay_ns;
  core::ReportOnce(ReportKind::kBadDelay, reinterpret_cast<void*>(dw->work.func),
                   absl::StrCat("delay of ", delay_ns, " ns for ", core::FuncName(dw->work.func),
                                " is negative; it counts as 0"));
  return 0;
}

Nanos FromDuration(uwq_delayed_work* dw, absl::Duration delay) {
  if (delay < absl::InfiniteDuration()) return absl::ToInt64Nanoseconds(delay);  // saturates
  core::ReportOnce(ReportKind::kBadDelay, reinterpret_cast<void*>(dw->work.func),
                   absl::StrCat("infinite delay for ", core::FuncName(dw->work.func),
                                "; it stays armed until it is cancelled"));
  return base::kForever;
}

// T149: the links of an armed node are the wheel's.  As InitWork() does, it is believed only
// of an item that is really found there, for the memory may hold anything.
void InitDelayedWork(uwq_delayed_work* dw, core::WorkFunc func, uint32_t flags, bool on_stack) {
  const core::Word word = core::LoadWord(&dw->work);
  if ((word & (core::kPending | core::kOnPwq | core::kTimer)) == (core::kPending | core::kTimer)) {
    if (TimerHost::StealAnywhere(dw)) {
      const std::string was = core::FuncName(dw->work.func);
      core::ReleaseClaimed(&dw->work, 0);
      core::ReportReinit(func, was, "armed");
    } else if (core::LoadWord(&dw->work) != word) {
      core::WaitPlaced(&dw->work);  // it has just expired: InitWork() finds it on its list
    }
  }
  core::InitWork(&dw->work, func, on_stack);
  dw->timer = {};
  dw->wq = nullptr;
  dw->cpu = core::kWorkCpuUnbound;
  dw->flags = flags;
  if ((flags & UWQ_DELAYED_EXPIRES) != 0) *delayed::ExpiresOf(dw) = 0;
}

// A destroyed queue, or one of a fork's parent, refuses with a report, now and not at
// expiry; but its own items may arm until they are done (X5): destroy_workqueue() takes
// that down after them.
bool RefusesTimers(const core::Workqueue* wq) {
  return wq->HasFlag(core::kWqDestroying) && !core::IsChained(wq);
}

// The item is claimed.  A timer fires after `delay_ns`, but not after `not_after`.
void Start(int cpu, core::Workqueue* wq, uwq_delayed_work* dw, Nanos delay_ns,
           Nanos not_after = base::kForever) {
  if (delay_ns == 0 || RefusesTimers(wq)) {  // D1
    core::QueueClaimed(cpu, wq, &dw->work);
    return;
  }
  TimerHost::Of(wq)->Arm(dw, cpu, wq, delay_ns, not_after);
}

// The same, but a disabled item is given back (E7).
void StartEnabled(int cpu, core::Workqueue* wq, uwq_delayed_work* dw, Nanos delay_ns) {
  const int depth = core::DisableDepthOf(core::OwnedWord(&dw->work));
  if (depth > 0) {
    core::ReleaseClaimed(&dw->work, depth);
  } else {
    Start(cpu, wq, dw, delay_ns);
  }
}

bool Modify(int cpu, core::Workqueue* wq, uwq_delayed_work* dw, Nanos delay_ns) {
  // The common case, one lock: armed, and stays armed.
  if (delay_ns > 0 && Armed(dw) && !RefusesTimers(wq) &&
      TimerHost::Of(wq)->Rearm(dw, cpu, wq, delay_ns)) {
    return true;
  }
  const bool was_pending = core::GrabPending(&dw->work, /*timer=*/true);
  StartEnabled(cpu, wq, dw, delay_ns);
  return was_pending;
}

// Never takes an item from whoever has claimed it: it may be an expiry, or arm for a time
// that is earlier than this one.  It is waited for until the item's place is known.
bool Reduce(int cpu, core::Workqueue* wq, uwq_delayed_work* dw, Nanos delay_ns) {
  for (;;) {
    const core::Word old = core::Claim(&dw->work);  // M3
    if ((old & core::kPending) == 0) {
      StartEnabled(cpu, wq, dw, delay_ns);
      return false;
    }
    if (core::OnList(old) || core::AtDoor(old)) return true;
    if ((old & core::kTimer) == 0) {
      core::WaitPlaced(&dw->work);
      continue;
    }
    TimerHost* const host = HostOf(dw);
    const bool same_host = host == TimerHost::Of(wq);
    if (same_host && delay_ns > 0 && !RefusesTimers(wq)) {
      if (host->Reduce(dw, cpu, wq, delay_ns)) return true;
      continue;  // not armed any more
    }
    Nanos due;
    switch (host->StealIfLater(dw, delay_ns, &due)) {
      case TimerHost::Found::kSooner:
        return true;
      case TimerHost::Found::kStolen:
        if (same_host && cpu == core::kWorkCpuUnbound) cpu = dw->cpu;
        Start(cpu, wq, dw, delay_ns, due);
        return true;
      case TimerHost::Found::kNotHere:
        break;
    }
  }
}

}  // namespace

extern "C" {

void uwq_init_delayed_work(uwq_delayed_work* dw, uwq_work_func_t func, uint32_t flags) {
  InitDelayedWork(dw, func, flags, /*on_stack=*/false);
}
void uwq_init_delayed_work_onstack(uwq_delayed_work* dw, uwq_work_func_t func, uint32_t flags) {
  InitDelayedWork(dw, func, flags, /*on_stack=*/true);
}
void uwq_destroy_delayed_work_on_stack(uwq_delayed_work* dw) {
  core::DestroyWorkOnStack(&dw->work, /*timer=*/true);
}

bool uwq_queue_delayed_work_on(int cpu, uwq_workqueue* wq, uwq_delayed_work* dw, int64_t delay_ns) {
  delay_ns = CheckDelay(dw, delay_ns);
  if (!core::ClaimForQueueing(&dw->work)) return false;
  Start(cpu, Wq(wq), dw, delay_ns);
  return true;
}
bool uwq_queue_delayed_work(uwq_workqueue* wq, uwq_delayed_work* dw, int64_t delay_ns) {
  return uwq_queue_delayed_work_on(core::kWorkCpuUnbound, wq, dw, delay_ns);
}
bool uwq_mod_delayed_work_on(int cpu, uwq_workqueue* wq, uwq_delayed_work* dw, int64_t delay_ns) {
  return Modify(cpu, Wq(wq), dw, CheckDelay(dw, delay_ns));
}
bool uwq_mod_delayed_work(uwq_workqueue* wq, uwq_delayed_work* dw, int64_t delay_ns) {
  return uwq_mod_delayed_work_on(core::kWorkCpuUnbound, wq, dw, delay_ns);
}
bool uwq_reduce_delayed_work_on(int cpu, uwq_workqueue* wq, uwq_delayed_work* dw,
                                int64_t delay_ns) {
  return Reduce(cpu, Wq(wq), dw, CheckDelay(dw, delay_ns));
}
bool uwq_reduce_delayed_work(uwq_workqueue* wq, uwq_delayed_work* dw, int64_t delay_ns) {
  return uwq_reduce_delayed_work_on(core::kWorkCpuUnbound, wq, dw, delay_ns);
}

bool uwq_cancel_delayed_work(uwq_delayed_work* dw) {
  if (Armed(dw) && HostOf(dw)->Cancel(dw)) return true;
  return core::CancelFlags(&dw->work, true, false);
}
bool uwq_cancel_delayed_work_sync(uwq_delayed_work* dw) {
  return core::CancelSyncFlags(&dw->work, true, false);
}
bool uwq_disable_delayed_work(uwq_delayed_work* dw) {
  return core::CancelFlags(&dw->work, true, true);
}
bool uwq_disable_delayed_work_sync(uwq_delayed_work* dw) {
  return core::CancelSyncFlags(&dw->work, true, true);
}
bool uwq_enable_delayed_work(uwq_delayed_work* dw) {
  return core::EnableWork(&dw->work, /*timer=*/true);
}

bool uwq_flush_delayed_work(uwq_delayed_work* dw) {
  core::WorkItem* const work = &dw->work;
  while (Armed(dw)) {
    if (HostOf(dw)->Steal(dw)) {
      core::QueueClaimed(dw->cpu, Wq(dw->wq), work);
      break;
    }
  }
  core::WaitPlaced(work);  // an expiry under way puts it on its list first
  return core::FlushWork(work);
}

bool uwq_delayed_work_pending(const uwq_delayed_work* dw) {
  return core::WorkPending(const_cast<uwq_work*>(&dw->work));
}

int64_t uwq_delayed_work_deadline(uwq_delayed_work* dw) {
  return Armed(dw) ? HostOf(dw)->Deadline(dw) : 0;
}

}  // extern "C"

DelayedWorkItem::DelayedWorkItem(Func func, bool deferrable) {
  core::InitWord(&item_.work, func);
  item_.timer = {};
  item_.wq = nullptr;
  item_.cpu = kAnyCpu;
  item_.flags = deferrable ? UWQ_DELAYED_DEFERRABLE : 0;
}

DelayedWorkItem::~DelayedWorkItem() { core::EndOfLife(&item_.work, /*timer=*/true); }

bool DelayedWorkItem::QueueOn(int cpu, Workqueue& wq, absl::Duration delay) {
  return uwq_queue_delayed_work_on(cpu, reinterpret_cast<uwq_workqueue*>(wq.raw()), &item_,
                                   FromDuration(&item_, delay));
}

bool DelayedWorkItem::ModOn(int cpu, Workqueue& wq, absl::Duration delay) {
  return uwq_mod_delayed_work_on(cpu, reinterpret_cast<uwq_workqueue*>(wq.raw()), &item_,
                                 FromDuration(&item_, delay));
}

bool DelayedWorkItem::ReduceOn(int cpu, Workqueue& wq, absl::Duration delay) {
  return uwq_reduce_delayed_work_on(cpu, reinterpret_cast<uwq_workqueue*>(wq.raw()), &item_,
                                    FromDuration(&item_, delay));
}

}  // namespace uwq
