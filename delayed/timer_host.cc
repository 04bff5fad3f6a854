// SPDX-License-Identifier: BSD-3-Clause
#include "delayed/timer_host.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "workqueue/core/item.h"
#include "workqueue/core/report.h"

namespace uwq::delayed {

using base::kForever;
using base::kSecond;
using base::MutexLock;
using base::Nanos;

namespace {

DelayedItem* ItemOf(TimerNode* node) {
  return reinterpret_cast<DelayedItem*>(reinterpret_cast<uintptr_t>(node) -
                                        offsetof(DelayedItem, timer));
}

core::Workqueue* Wq(const DelayedItem* dw) { return reinterpret_cast<core::Workqueue*>(dw->wq); }
base::AtomicRef<uwq_workqueue*> WqRef(DelayedItem* dw) {
  return base::AtomicRef<uwq_workqueue*>(dw->wq);
}

struct Term {
  Nanos now;  // not after the true time: what the wheel counts from
  Nanos deadline;
};

#if defined(UWQ_SIM)
constexpr Nanos kStaleness = 0;  // the simulator's readings are fresh, its times exact
#else
constexpr Nanos kStaleness = base::kStaleness;
#endif

// Reading the clock is most of what arming costs.  A delay of a second and more starts
// from a reading up to 100 us old and is that much longer, so that it is never early.
// Saturates: a deadline past the end of time never comes.
// Items with `expires` in ticks are exact always: drivers compare it with jiffies.
Term TermOf(const DelayedItem* dw, Nanos delay) {
  const bool exact = delay < kSecond || (dw->flags & UWQ_DELAYED_EXPIRES) != 0;
  const Nanos now = exact ? base::Now() : base::StaleNow();
  const Nanos start = exact ? now : now + kStaleness;
  return {now, delay >= kForever - start ? kForever : start + delay};
}

Nanos SlackOf(const DelayedItem* dw, Nanos delay) {
  return (dw->flags & UWQ_DELAYED_DEFERRABLE) != 0 ? DeferrableSlack(delay) : 0;
}

// The kernel's INITIAL_JIFFIES, so that what cannot stand a wrap of the lower 32 bits
// fails within five minutes and not after seven weeks.
constexpr unsigned long kInitialTicks = static_cast<uint32_t>(-300 * 1000);
Nanos start_ns;

// The item is armed, and the caller's.
void NoteExpires(DelayedItem* dw) {
  if ((dw->flags & UWQ_DELAYED_EXPIRES) == 0) return;
  base::AtomicRef<unsigned long>(*ExpiresOf(dw))
      .store(uwq_ticks_at(dw->timer.deadline_ns), std::memory_order_relaxed);
}

bool StealTimer(core::WorkItem* work) {
  // TIMER is set, so wq was written before; it may be re-armed elsewhere meanwhile,
  // hence an atomic read, and Steal looks again under the lock.
  auto* const dw = reinterpret_cast<DelayedItem*>(work);
  uwq_workqueue* const wq = WqRef(dw).load(std::memory_order_acquire);
  return TimerHost::Of(reinterpret_cast<core::Workqueue*>(wq))->Steal(dw);
}

void TakeDownTimers(core::Workqueue* wq) {
  TimerHost* const host = TimerHost::Of(wq);
  if (host != nullptr) host->TakeDown(wq);
}

// Tells the core, at program start, that timers exist.  Before every ordinary initialiser,
// in a program of static libraries, too: one of those may make a queue.
[[gnu::constructor(101)]] void Install() {
  start_ns = base::Now() / base::kMillisecond * base::kMillisecond;
  core::SetTimerSteal(&StealTimer);
  core::SetArmedTimersHook(&TakeDownTimers);
  core::SetExtensionFactory(&TimerHost::Make);
}

// Nodes looked at in one hold of the lock.
constexpr int kHold = 1024;

}  // namespace

absl::StatusOr<std::unique_ptr<core::RuntimeExtension>> TimerHost::Make(core::Runtime* runtime) {
  std::unique_ptr<TimerHost> host(new TimerHost());
  absl::StatusOr<std::unique_ptr<RuntimeLoop>> loop =
      MakeRuntimeLoop(runtime, [h = host.get()] { h->OnWake(); });
  if (!loop.ok()) return loop.status();
  host->loop_ = *std::move(loop);
  return host;
}

TimerHost::~TimerHost() { loop_.reset(); }

void TimerHost::Arm(DelayedItem* dw, int cpu, core::Workqueue* wq, Nanos delay_ns,
                    Nanos not_after) {
  const Term term = TermOf(dw, delay_ns);
  WqRef(dw).store(reinterpret_cast<uwq_workqueue*>(wq), std::memory_order_release);
  dw->cpu = cpu;
  bool earlier, awaited;
  Nanos wake;
  {
    MutexLock lock(&mutex_);
    earlier =
        wheel_.Arm(&dw->timer, std::min(term.deadline, not_after), term.now, SlackOf(dw, delay_ns));
    wake = TimerWheel::WakeTime(dw->timer);
    ++wq->armed_timers;
    NoteExpires(dw);
    awaited = core::EnterTimer(&dw->work);
  }
  // The item may already be anybody's: only its address is used from here on.
  if (awaited) core::WakeClaimWaiters(&dw->work);
  if (earlier) loop_->ArmAt(wake);
}

bool TimerHost::HoldsLocked(DelayedItem* dw) {
  const core::Word word = core::LoadWord(&dw->work);
  return !core::OnList(word) && (word & core::kTimer) != 0 && Of(Wq(dw)) == this;
}

bool TimerHost::Steal(DelayedItem* dw) {
  TimerWheel::WarmUp(dw->timer);
  MutexLock lock(&mutex_);
  if (!HoldsLocked(dw)) return false;
  StealLocked(dw);
  return true;
}

void TimerHost::StealLocked(DelayedItem* dw) {
  UWQ_CHECK(wheel_.Cancel(&dw->timer));
  --Wq(dw)->armed_timers;
  core::LeaveTimer(&dw->work);
}

TimerHost::Found TimerHost::StealIfLater(DelayedItem* dw, Nanos delay_ns, Nanos* due) {
  const Term term = TermOf(dw, delay_ns);
  MutexLock lock(&mutex_);
  if (!HoldsLocked(dw)) return Found::kNotHere;
  *due = dw->timer.deadline_ns;
  if (delay_ns > 0 && *due <= term.deadline) return Found::kSooner;
  StealLocked(dw);
  return Found::kStolen;
}

bool TimerHost::Cancel(DelayedItem* dw) {
  TimerWheel::WarmUp(dw->timer);
  MutexLock lock(&mutex_);
  if (!HoldsLocked(dw)) return false;
  UWQ_CHECK(wheel_.Cancel(&dw->timer));
  --Wq(dw)->armed_timers;
  core::CancelTimer(&dw->work);
  return true;
}

bool TimerHost::Move(DelayedItem* dw, int cpu, core::Workqueue* wq, Nanos delay_ns,
                     bool only_earlier) {
  TimerWheel::WarmUp(dw->timer);
  const Term term = TermOf(dw, delay_ns);
  Nanos wake;
  {
    MutexLock lock(&mutex_);
    if (!HoldsLocked(dw)) return false;
    if (only_earlier && dw->timer.deadline_ns <= term.deadline) return true;
    if (core::Workqueue* const from = Wq(dw); from != wq) {
      --from->armed_timers;
      ++wq->armed_timers;
      WqRef(dw).store(reinterpret_cast<uwq_workqueue*>(wq), std::memory_order_release);
    }
    if (!only_earlier || cpu != core::kWorkCpuUnbound) dw->cpu = cpu;
    const bool earlier =
        wheel_.Mod(&dw->timer, term.deadline, term.now, SlackOf(dw, delay_ns)).earlier;
    NoteExpires(dw);
    if (!earlier) return true;
    wake = TimerWheel::WakeTime(dw->timer);
  }
  loop_->ArmAt(wake);
  return true;
}

Nanos TimerHost::Deadline(DelayedItem* dw) {
  MutexLock lock(&mutex_);
  return HoldsLocked(dw) ? dw->timer.deadline_ns : 0;
}

void TimerHost::OnWake() {
  for (bool done = false; !done;) {
    DueList due;
    Nanos next = kForever;
    {
      MutexLock lock(&mutex_);
      done = wheel_.Expire(base::Now(), &due);
      due.ForEach([](TimerNode* node) {
        DelayedItem* const dw = ItemOf(node);
        --Wq(dw)->armed_timers;
        core::LeaveTimer(&dw->work);  // H2
      });
      expiring_ = base::SelfId();
      if (done) next = wheel_.NextWake();
    }
    while (TimerNode* node = due.PopFront()) {
      DelayedItem* const dw = ItemOf(node);
      core::QueueClaimed(dw->cpu, Wq(dw), &dw->work);
    }
    if (done && next != kForever) loop_->ArmAt(next);
    MutexLock lock(&mutex_);
    expiring_ = 0;
    ++batches_;
    expired_.NotifyAll();
  }
}

template <typename Take>
void TimerHost::StealAll(Take take, DueList* out, int hold) {
  TimerWheel::Walk walk;
  for (bool done = false; !done;) {
    MutexLock lock(&mutex_);
    done = wheel_.TakeIf(
        &walk,
        [&](TimerNode* node) {
          if (!take(node)) return false;
          --Wq(ItemOf(node))->armed_timers;
          core::LeaveTimer(&ItemOf(node)->work);
          return true;
        },
        out, hold);
  }
}

bool TimerHost::StealAnywhere(DelayedItem* dw) {
  DueList found;
  core::Runtime::ForEachLive([&](core::Runtime* runtime) {
    auto* const host = static_cast<TimerHost*>(runtime->extension());
    if (host == nullptr || !found.empty()) return;
    host->StealAll([dw](TimerNode* node) { return node == &dw->timer; }, &found, kHold);
  });
  return found.PopFront() != nullptr;
}

void TimerHost::TakeDown(core::Workqueue* wq) {
  const auto armed = [&] {
    MutexLock lock(&mutex_);
    return wq->armed_timers > 0;
  };
  // A pass may miss what is armed or moves during it; the last one holds the lock all along.
  constexpr int kPasses = 4;
  DueList taken;
  for (int pass = 1; pass <= kPasses && armed(); ++pass) {
    StealAll([wq](TimerNode* node) { return Wq(ItemOf(node)) == wq; }, &taken,
             pass < kPasses ? kHold : std::numeric_limits<int>::max());
  }
  std::vector<std::string> names;
  int more = 0;
  while (TimerNode* node = taken.PopFront()) {
    DelayedItem* const dw = ItemOf(node);
    if (names.size() < 8) {
      names.push_back(core::FuncName(dw->work.func));
    } else {
      ++more;
    }
    core::ReleaseClaimed(&dw->work, 0);
  }
  {
    // An expiry under way may be about to queue on `wq`; a later one has nothing for it.
    MutexLock lock(&mutex_);
    const uint64_t seen = batches_;
    while (expiring_ != 0 && expiring_ != base::SelfId() && batches_ == seen) {
      expired_.Wait(&mutex_);
    }
  }
  if (names.empty()) return;
  // Always: another queue may have had this one's memory, and what its last items armed is
  // taken down by a second call.
  core::ReportAlways(
      core::ReportKind::kArmedTimerAtDestroy,
      absl::StrCat("workqueue ", wq->name, " is destroyed with delayed work ",
                   absl::StrJoin(names, ", "), more > 0 ? absl::StrCat(" and ", more, " more") : "",
                   " armed; taken down"));
}

}  // namespace uwq::delayed

extern "C" unsigned long uwq_ticks_at(int64_t ns) {
  return uwq::delayed::kInitialTicks +
         static_cast<unsigned long>((ns - uwq::delayed::start_ns) / uwq::base::kMillisecond);
}
