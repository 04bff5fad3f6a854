// SPDX-License-Identifier: BSD-3-Clause
//
// timers.cc -- struct timer_list and struct hrtimer: one thread, the wheel of delayed/.
//
// Invariant K1: a timer is pending exactly while its node is linked, in the wheel or,
// once it is due, in `ready_`, marked by kReady; both change under `mutex_`.  The
// thread unlinks one at a time and runs its function before it looks for the next, so
// no timer is ever due and nowhere.
// Functions run one after the other, as on a machine whose timers are all on one CPU.
#include "absl/strings/str_cat.h"
#include "delayed/timer_wheel.h"
#include "workqueue/base/check.h"
#include "workqueue/base/list.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/report.h"
#include "workqueue/linux/uwq_linux.h"

namespace base = uwq::base;
namespace core = uwq::core;
using uwq::delayed::DueList;
using uwq::delayed::TimerWheel;

namespace {

// What a node's `order` is while it is in `ready_`; the wheel counts from 0.
constexpr uint64_t kReady = ~uint64_t{0};

constexpr int kRestart = 1;  // HRTIMER_RESTART
using HrFunction = int (*)(uwq_ktimer*);

bool Known(const uwq_ktimer* timer) {
  return (timer->flags & (UWQ_KTIMER_JIFFIES | UWQ_KTIMER_HR)) != 0;
}

class TimerThread {
 public:
  static TimerThread& Get() {
    static TimerThread* const thread = new TimerThread;  // never destroyed: timers may fire late
    return *thread;
  }

  bool Arm(uwq_ktimer* timer, unsigned long expires, uwq_ktimer_mode mode) {
    const base::Nanos now = base::Now();
    const base::Nanos deadline = DeadlineOf(timer, expires, now);
    base::MutexLock lock(&mutex_);
    const bool was_armed = TimerWheel::Armed(timer->node);
    if (timer->function == nullptr) return false;  // shut down
    if (mode == UWQ_KTIMER_MOD_PENDING && !was_armed) return false;
    if (mode == UWQ_KTIMER_REDUCE && was_armed && timer->node.deadline_ns <= deadline) return true;
    timer->expires = expires;
    (void)DisarmLocked(timer);
    if (wheel_.Arm(&timer->node, deadline, now)) changed_.NotifyOne();
    return was_armed;
  }

  bool Pending(const uwq_ktimer* timer) {
    base::MutexLock lock(&mutex_);
    return TimerWheel::Armed(timer->node);
  }

  bool Running(const uwq_ktimer* timer) {
    base::MutexLock lock(&mutex_);
    return running_ == timer;
  }

  bool Cancel(uwq_ktimer* timer, bool shutdown) {
    base::MutexLock lock(&mutex_);
    return CancelLocked(timer, shutdown);
  }

  bool CancelSync(uwq_ktimer* timer, bool shutdown) {
    const bool own = base::SelfId() == thread_.id();
    base::MutexLock lock(&mutex_);
    if (running_ == timer && own) {
      const bool pending = CancelLocked(timer, shutdown);
      lock.Release();
      core::ReportOnce(core::ReportKind::kSelfFlush, timer,
                       "timer_delete_sync() from the timer's own function would never return");
      return pending;
    }
    // Its function may arm it again: what counts is that it is down when it stands still.
    bool pending = CancelLocked(timer, shutdown);
    while (running_ == timer) {
      idle_.Wait(&mutex_);
      pending = CancelLocked(timer, shutdown) || pending;
    }
    return pending;
  }

  int TryCancel(uwq_ktimer* timer) {
    base::MutexLock lock(&mutex_);
    if (running_ == timer) return -1;
    return CancelLocked(timer, false) ? 1 : 0;
  }

 private:
  TimerThread() : wheel_(base::Now()) {
    base::ListInit(&ready_);
    base::Thread::Options options;
    options.name = "uwq-timers";
    absl::StatusOr<base::Thread> thread = base::Thread::Start(options, [this] { Main(); });
    UWQ_CHECK(thread.ok());
    thread_ = *std::move(thread);
  }

  static base::Nanos DeadlineOf(const uwq_ktimer* timer, unsigned long expires, base::Nanos now) {
    if ((timer->flags & UWQ_KTIMER_HR) != 0) return static_cast<base::Nanos>(expires);
    const auto ticks = static_cast<long>(expires - uwq_jiffies());
    if (ticks <= 0) return now;
    constexpr long kTicksMax = (base::kForever / base::kMillisecond) / 2;
    return ticks > kTicksMax ? base::kForever : now + ticks * base::kMillisecond;
  }

  bool CancelLocked(uwq_ktimer* timer, bool shutdown) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (shutdown) timer->function = nullptr;
    return DisarmLocked(timer);
  }

  bool DisarmLocked(uwq_ktimer* timer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (timer->node.order != kReady) return wheel_.Cancel(&timer->node);
    UnlinkReadyLocked(&timer->node);
    return true;
  }

  void UnlinkReadyLocked(uwq_timer* node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    base::Unlink(&node->entry);
    node->entry = {nullptr, nullptr};
    node->order = 0;
  }

  void Main() {
    uwq_context_set(UWQ_CTX_SOFTIRQ);
    for (;;) {
      base::MutexLock lock(&mutex_);
      if (base::ListEmpty(&ready_)) {
        DueList due;
        const bool all = wheel_.Expire(base::Now(), &due);
        while (uwq_timer* const node = due.PopFront()) {
          node->order = kReady;
          base::PushBack(&ready_, &node->entry);
        }
        if (base::ListEmpty(&ready_)) {
          if (all) (void)changed_.WaitUntil(&mutex_, wheel_.NextWake());
          continue;
        }
      }
      auto* const timer = reinterpret_cast<uwq_ktimer*>(ready_.next);  // the node comes first
      UnlinkReadyLocked(&timer->node);
      const auto function = timer->function;
      const bool high_resolution = (timer->flags & UWQ_KTIMER_HR) != 0;
      running_ = timer;
      lock.Release();
      RunOne(timer, function, high_resolution);
    }
  }

  void RunOne(uwq_ktimer* timer, void (*function)(uwq_ktimer*), bool high_resolution) {
    bool again = false;
    if (high_resolution) {
      again =
          reinterpret_cast<HrFunction>(reinterpret_cast<void (*)()>(function))(timer) == kRestart;
    } else {
      function(timer);  // may free the timer
    }
    base::MutexLock lock(&mutex_);
    if (again && !TimerWheel::Armed(timer->node)) {
      (void)wheel_.Arm(&timer->node, static_cast<base::Nanos>(timer->expires), base::Now());
    }
    running_ = nullptr;
    idle_.NotifyAll();
  }

  base::Mutex mutex_;
  TimerWheel wheel_ ABSL_GUARDED_BY(mutex_);
  base::ListNode ready_ ABSL_GUARDED_BY(mutex_);  // due nodes, in order
  const uwq_ktimer* running_ ABSL_GUARDED_BY(mutex_) = nullptr;
  base::CondVar changed_;  // with mutex_: an earlier deadline
  base::CondVar idle_;     // with mutex_: running_ has ended
  base::Thread thread_;
};

bool Usable(const uwq_ktimer* timer, const char* call) {
  if (Known(timer)) return true;
  core::ReportOnce(core::ReportKind::kUninitialised, timer,
                   absl::StrCat(call,
                                ": not set up, or the timer of a delayed work item, which"
                                " only its own calls may touch"));
  return false;
}

}  // namespace

extern "C" {

bool uwq_ktimer_arm(uwq_ktimer* timer, unsigned long expires, uwq_ktimer_mode mode) {
  return Usable(timer, "mod_timer()") && TimerThread::Get().Arm(timer, expires, mode);
}
bool uwq_ktimer_pending(const uwq_ktimer* timer) {
  if (Known(timer)) return TimerThread::Get().Pending(timer);
  auto* const at = reinterpret_cast<char*>(const_cast<uwq_ktimer*>(timer));
  return uwq_delayed_work_deadline(
             reinterpret_cast<uwq_delayed_work*>(at - offsetof(uwq_delayed_work, timer))) != 0;
}
bool uwq_ktimer_cancel(uwq_ktimer* timer, bool shutdown) {
  return Usable(timer, "timer_delete()") && TimerThread::Get().Cancel(timer, shutdown);
}
bool uwq_ktimer_cancel_sync(uwq_ktimer* timer, bool shutdown) {
  return Usable(timer, "timer_delete_sync()") && TimerThread::Get().CancelSync(timer, shutdown);
}
int uwq_ktimer_try_cancel(uwq_ktimer* timer) {
  return Usable(timer, "timer_delete_sync_try()") ? TimerThread::Get().TryCancel(timer) : 0;
}
bool uwq_ktimer_running(const uwq_ktimer* timer) { return TimerThread::Get().Running(timer); }

}  // extern "C"
