// SPDX-License-Identifier: BSD-3-Clause
//
// delayed_test.cc -- section 5.4 and the delayed parts of the others (D*, E7, Q7).
//
// Times are exact on the virtual clock; on real threads lower bounds are exact, and the
// one upper bound (T032) is for a timer that is forgotten, not for one that is late.
#include <memory>

#include "tests/conformance/delayed/timed.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::Workqueue;

UWQ_ON_ALL_KINDS(Delayed);

// D1: delay 0 arms no timer.
UWQ_BODY_ON_KINDS(Delayed, T031_ZeroIsNow, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  EXPECT_TRUE(Queue(wq, d, 0));
  EXPECT_EQ(uwq_delayed_work_deadline(&d.dw), 0);
  FlushWorkqueue(wq);
  EXPECT_EQ(d.runs, 1);
}

// D2: never early; exact where the clock is.
UWQ_BODY_ON_KINDS(Delayed, T032_NeverEarly, .schedules = 50, .repeat = 1) {
  Workqueue* const wq = env.Make(kind);
  for (const Nanos ms : {1, 2, 10, 50, 100, 300}) {
    Timed d;
    const Nanos before = base::Now();
    EXPECT_TRUE(Queue(wq, d, ms * kMillisecond));
    AwaitRuns(d, 1);
    EXPECT_GE(d.ran_at - before, ms * kMillisecond);
    EXPECT_LE(d.ran_at - before, ms * kMillisecond + kSecond);
    if (kSim) {
      EXPECT_EQ(d.ran_at - before, ms * kMillisecond);
    }
    FlushWorkqueue(wq);
  }
}

// D3, Q1, Q3: while armed it is pending, and no other queueing moves it.
UWQ_BODY_ON_KINDS(Delayed, T034_ArmedIsPending, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Workqueue* const other = env.Make(kind);
  Timed d;
  EXPECT_TRUE(Queue(wq, d, kSecond));
  const Nanos deadline = uwq_delayed_work_deadline(&d.dw);
  EXPECT_TRUE(Pending(d));
  EXPECT_FALSE(core::QueueWork(wq, &d.dw.work));
  EXPECT_FALSE(Queue(wq, d, kMillisecond));
  EXPECT_FALSE(Queue(other, d, kMillisecond));
  EXPECT_EQ(uwq_delayed_work_deadline(&d.dw), deadline);
  EXPECT_EQ(d.dw.wq, Raw(wq));
  EXPECT_TRUE(uwq_cancel_delayed_work(&d.dw));
  EXPECT_FALSE(Pending(d));
}

// D4, D5, E7: mod_delayed_work in each state.
UWQ_BODY_ON_KINDS(Delayed, T035_ModReturns, .schedules = 2000) {
  Workqueue* const wq = env.Make(kind, 1);
  Gate gate, own;
  Item blocker([&] { gate.Pass(); });
  Timed d([&] { own.Pass(); });
  EXPECT_FALSE(Mod(wq, d, kSecond)) << "idle";
  EXPECT_TRUE(Pending(d));
  EXPECT_TRUE(Mod(wq, d, 2 * kSecond)) << "armed";
  EXPECT_TRUE(env.Queue(wq, blocker));
  gate.AwaitArrivals();
  EXPECT_TRUE(Mod(wq, d, 0)) << "armed, now on the list";
  EXPECT_TRUE(Mod(wq, d, kSecond)) << "on a list, armed again";
  EXPECT_TRUE(Pending(d));
  EXPECT_GT(uwq_delayed_work_deadline(&d.dw), 0);
  EXPECT_TRUE(Mod(wq, d, 0));
  gate.Open();
  own.AwaitArrivals();
  EXPECT_FALSE(Pending(d));
  EXPECT_FALSE(Mod(wq, d, kSecond)) << "running only";
  EXPECT_TRUE(Pending(d));
  EXPECT_TRUE(Mod(wq, d, 2 * kSecond)) << "running and armed";
  EXPECT_TRUE(uwq_disable_delayed_work(&d.dw));
  EXPECT_FALSE(Mod(wq, d, kMillisecond)) << "disabled";
  EXPECT_FALSE(Queue(wq, d, kMillisecond)) << "disabled";
  EXPECT_FALSE(Pending(d));
  EXPECT_TRUE(uwq_enable_delayed_work(&d.dw));
  own.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(d.runs, 1);
}

// D4: shortened and extended, it fires once, at the new time.
UWQ_BODY_ON_KINDS(Delayed, T036_ModMovesTheDeadline, .schedules = 200, .repeat = 1) {
  Workqueue* const wq = env.Make(kind);
  Timed shortened, extended;
  const Nanos start = base::Now();
  EXPECT_TRUE(Queue(wq, shortened, 1000 * kSecond));
  EXPECT_TRUE(Mod(wq, shortened, 20 * kMillisecond));
  EXPECT_TRUE(Queue(wq, extended, 5 * kMillisecond));
  EXPECT_TRUE(Mod(wq, extended, 60 * kMillisecond));
  AwaitRuns(shortened, 1);
  AwaitRuns(extended, 1);
  EXPECT_GE(shortened.ran_at - start, 20 * kMillisecond);
  EXPECT_GE(extended.ran_at - start, 60 * kMillisecond);
  if (kSim) {
    EXPECT_EQ(shortened.ran_at - start, 20 * kMillisecond);
    EXPECT_EQ(extended.ran_at - start, 60 * kMillisecond);
  }
  FlushWorkqueue(wq);
  EXPECT_EQ(shortened.runs + extended.runs, 2);
}

// The earlier deadline wins, whichever call comes last.
UWQ_BODY_ON_KINDS(Delayed, Reduce_KeepsTheEarlier, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  EXPECT_FALSE(uwq_reduce_delayed_work(Raw(wq), &d.dw, kSecond)) << "idle: armed";
  const Nanos second = uwq_delayed_work_deadline(&d.dw);
  EXPECT_TRUE(uwq_reduce_delayed_work(Raw(wq), &d.dw, 5 * kSecond));
  EXPECT_EQ(uwq_delayed_work_deadline(&d.dw), second);
  EXPECT_TRUE(uwq_reduce_delayed_work(Raw(wq), &d.dw, kSecond / 2));
  EXPECT_LT(uwq_delayed_work_deadline(&d.dw), second);
  EXPECT_TRUE(uwq_reduce_delayed_work(Raw(wq), &d.dw, 0));
  FlushWorkqueue(wq);
  EXPECT_EQ(d.runs, 1);
}

// [UWQ-DELAYED-3]: nor does the queue that it asks for make the item later; what moves
// keeps its CPU, unless the call names one.
UWQ_BODY_ON_KINDS(Delayed, Reduce_OnAnotherQueue, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Workqueue* const other = env.Make(kind);
  Timed d;
  EXPECT_TRUE(uwq_queue_delayed_work_on(1, Raw(wq), &d.dw, kSecond));
  const Nanos second = uwq_delayed_work_deadline(&d.dw);
  EXPECT_TRUE(uwq_reduce_delayed_work(Raw(other), &d.dw, 5 * kSecond));
  EXPECT_EQ(uwq_delayed_work_deadline(&d.dw), second);
  EXPECT_EQ(d.dw.wq, Raw(wq));
  EXPECT_TRUE(uwq_reduce_delayed_work(Raw(other), &d.dw, kSecond / 2));
  EXPECT_LT(uwq_delayed_work_deadline(&d.dw), second);
  EXPECT_EQ(d.dw.wq, Raw(other));
  EXPECT_EQ(d.dw.cpu, 1);
  EXPECT_TRUE(uwq_reduce_delayed_work_on(0, Raw(other), &d.dw, kSecond / 4));
  EXPECT_EQ(d.dw.cpu, 0);
  env.Destroy(wq);
  EXPECT_EQ(env.Reports(ReportKind::kArmedTimerAtDestroy), 0) << "it has left that queue";
  EXPECT_TRUE(uwq_reduce_delayed_work(Raw(other), &d.dw, 0));
  FlushWorkqueue(other);
  EXPECT_EQ(d.runs, 1);
}

// [UWQ-DELAYED-3]: an expiry that has begun places the item; nothing takes it back.
UWQ_BODY_ON_KINDS(Delayed, Reduce_RacesExpiry, .schedules = 40000, .time_races = true,
                  .repeat = 200) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  const Nanos delay = kSim ? kMillisecond : 20000;
  const Nanos latest = base::Now() + delay;
  EXPECT_TRUE(Queue(wq, d, delay));
  AwaitTrue([&] { return kSim || base::Now() >= latest - 5000; });
  // Less than the watchdog's threshold: where time races, it may pass between two of its looks.
  const bool was_pending = uwq_reduce_delayed_work(Raw(wq), &d.dw, 10 * kSecond);
  const Nanos deadline = uwq_delayed_work_deadline(&d.dw);
  if (was_pending) {
    EXPECT_LE(deadline, kSim ? latest : latest + kSecond);
  }
  const bool cancelled = uwq_cancel_delayed_work_sync(&d.dw);
  EXPECT_EQ(d.runs + cancelled, was_pending ? 1 : 2);  // 2: it had begun to run
}

// [UWQ-DELAYED-3]: nor is an item postponed that another thread was just arming.
UWQ_BODY_ON_KINDS(Delayed, Reduce_RacesQueue, .schedules = 20000, .repeat = 200) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  std::atomic<int> accepted{0};
  bool queued = false;
  const Nanos start = base::Now();
  env.Spawn([&] { accepted += queued = Queue(wq, d, 1000 * kSecond); });
  accepted += !uwq_reduce_delayed_work(Raw(wq), &d.dw, 100000 * kSecond);
  env.Join();
  EXPECT_EQ(accepted, 1);
  if (queued) {
    EXPECT_LE(uwq_delayed_work_deadline(&d.dw), start + 2000 * kSecond);
  }
  EXPECT_TRUE(uwq_cancel_delayed_work_sync(&d.dw));
}

// D3: neither flush_work nor flush_workqueue waits for an armed timer.
UWQ_BODY_ON_KINDS(Delayed, T038_FlushIgnoresArmed, .schedules = 200) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  EXPECT_TRUE(Queue(wq, d, 1000 * kSecond));
  EXPECT_FALSE(core::FlushWork(&d.dw.work));
  FlushWorkqueue(wq);
  EXPECT_TRUE(Pending(d));
  EXPECT_EQ(d.runs, 0);
  EXPECT_TRUE(uwq_cancel_delayed_work_sync(&d.dw));
}

// D6: flush_delayed_work turns "armed" into "now", and it does not fire again.
UWQ_BODY_ON_KINDS(Delayed, T039_FlushDelayed, .schedules = 2000, .time_races = true) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  EXPECT_FALSE(uwq_flush_delayed_work(&d.dw)) << "idle";
  EXPECT_TRUE(Queue(wq, d, 10 * kSecond));
  (void)uwq_flush_delayed_work(&d.dw);
  EXPECT_EQ(d.runs, 1);
  EXPECT_FALSE(Pending(d));
  Settle();
  EXPECT_EQ(d.runs, 1);
}

// T092: whatever it returns in a race with the expiry, it has run.
UWQ_BODY_ON_KINDS(Delayed, T092_FlushDelayedRacesExpiry, .schedules = 40000, .time_races = true,
                  .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  for (int i = 0; i < Rounds(50, 1); ++i) {
    Timed d;
    EXPECT_TRUE(Queue(wq, d, 1 + i % 3 * 50000));
    (void)uwq_flush_delayed_work(&d.dw);
    EXPECT_EQ(d.runs, 1);
  }
}

// D7, C3: cancel_sync ends a poller that re-arms itself, in whatever phase it is.
UWQ_BODY_ON_KINDS(Delayed, T041_StopAPoller, .schedules = 10000, .time_races = true, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  d.body = [&] {
    if (d.runs < 100) (void)Queue(wq, d, kMillisecond);
  };
  EXPECT_TRUE(Queue(wq, d, kMillisecond));
  AwaitRuns(d, 1 + Choose(2));
  (void)uwq_cancel_delayed_work_sync(&d.dw);
  const int runs = d.runs;
  EXPECT_FALSE(Pending(d));
  Settle();
  EXPECT_EQ(d.runs, runs);
}

// C2: queue, expiry and cancel_sync race; nothing is lost and nothing runs afterwards.
UWQ_BODY_ON_KINDS(Delayed, T042_CancelSyncRacesExpiry, .schedules = 40000, .time_races = true,
                  .repeat = 1) {
  Workqueue* const wq = env.Make(kind);
  for (int i = 0; i < Rounds(3000, 1); ++i) {
    auto d = std::make_unique<Timed>();
    EXPECT_TRUE(Queue(wq, *d, i % 3 * 20000 + 1));
    for (int spin = Choose(64) * (kSim ? 0 : 50); spin > 0; --spin) base::CpuRelax();
    const bool cancelled = uwq_cancel_delayed_work_sync(&d->dw);
    EXPECT_EQ(d->runs + cancelled, 1);
    EXPECT_FALSE(Pending(*d));
  }
}

// Expiry, cancel, mod and flush from two threads, in random schedules (every schedule with
// one preemption: delayed_races_test).
UWQ_BODY_ON_KINDS(Delayed, Races_ModCancelExpiry, .schedules = 40000, .time_races = true,
                  .repeat = 200) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  std::atomic<int> accepted{0}, cancelled{0};
  accepted += Queue(wq, d, kMillisecond);
  env.Spawn([&] { accepted += !Mod(wq, d, 2 * kMillisecond); });
  cancelled += uwq_cancel_delayed_work(&d.dw);
  env.Join();
  cancelled += uwq_cancel_delayed_work_sync(&d.dw);
  EXPECT_EQ(accepted.load(), d.runs + cancelled.load());
}

// M4, M6: the item's queue, CPU, timer and list node are plain fields, which each owner
// of PENDING writes without a lock: under TSan an owner that does not see what the last
// one left is a race.
UWQ_BODY_ON_KINDS(Delayed, M6_OwnersInTurn, .schedules = 4000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  std::atomic<int> accepted{0}, cancelled{0};
  const auto owner = [&](int cpu) {
    for (int i = Rounds(500, 2); i > 0; --i) {
      accepted += uwq_queue_delayed_work_on(cpu, Raw(wq), &d.dw, kSecond);
      cancelled += uwq_cancel_delayed_work(&d.dw);
      accepted += uwq_queue_delayed_work_on(cpu, Raw(wq), &d.dw, 0);
    }
  };
  env.Spawn([&] { owner(1); });
  owner(0);
  env.Join();
  cancelled += uwq_cancel_delayed_work_sync(&d.dw);
  EXPECT_EQ(accepted.load(), d.runs + cancelled.load());
}

UWQ_BODY_ON_KINDS(Delayed, Races_FlushModExpiry, .schedules = 40000, .time_races = true,
                  .repeat = 200) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  std::atomic<int> accepted{0};
  accepted += Queue(wq, d, kMillisecond);
  env.Spawn([&] { accepted += !Mod(wq, d, kMillisecond / 2); });
  (void)uwq_flush_delayed_work(&d.dw);
  env.Join();
  const bool cancelled = uwq_cancel_delayed_work_sync(&d.dw);
  EXPECT_EQ(accepted.load(), d.runs + cancelled);
}

// C1: running and armed: the cancel returns true and there is no second run.
UWQ_BODY_ON_KINDS(Delayed, T043_RunningAndArmed, .schedules = 1000) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Timed d([&] { gate.Pass(); });
  EXPECT_TRUE(Queue(wq, d, 0));
  gate.AwaitArrivals();
  EXPECT_TRUE(Queue(wq, d, kMillisecond));
  EXPECT_TRUE(uwq_cancel_delayed_work(&d.dw));
  gate.Open();
  FlushWorkqueue(wq);
  Settle();
  EXPECT_EQ(d.runs, 1);
}

// T047: a delay past the end of time stays armed and can be cancelled.
UWQ_BODY_ON_KINDS(Delayed, T047_VeryLong, .schedules = 100) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  for (const Nanos delay : {base::kForever, base::kForever - 1, base::kForever / 2}) {
    EXPECT_TRUE(Queue(wq, d, delay));
    EXPECT_TRUE(Pending(d));
    EXPECT_TRUE(uwq_cancel_delayed_work(&d.dw));
  }
}

// Q6: the CPU that was asked for.
UWQ_BODY(DelayedOnCpu, T049_TargetCpu, .schedules = 200) {
  Workqueue* const wq = env.Make(Kind::kPerCpu);
  std::atomic<int> cpu{-1};
  Timed d([&] { cpu = CurrentPoolCpu(); });
  EXPECT_TRUE(uwq_queue_delayed_work_on(1, Raw(wq), &d.dw, kMillisecond));
  AwaitRuns(d, 1);
  FlushWorkqueue(wq);
  EXPECT_EQ(cpu, 1);
}

// E2: disabling takes an armed timer down for good.
UWQ_BODY_ON_KINDS(Delayed, T072_DisableArmed, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  EXPECT_TRUE(Queue(wq, d, 1000 * kSecond));
  EXPECT_TRUE(uwq_disable_delayed_work_sync(&d.dw));
  EXPECT_FALSE(Queue(wq, d, 0));
  EXPECT_TRUE(uwq_enable_delayed_work(&d.dw));
  FlushWorkqueue(wq);
  EXPECT_EQ(d.runs, 0);
}

// Q7: expiry during a drain counts as queueing from outside: dropped.
UWQ_BODY_ON_KINDS(Delayed, T097_ExpiryDuringDrain, .schedules = 1000, .repeat = 2) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Item blocker([&] { gate.Pass(); });
  EXPECT_TRUE(env.Queue(wq, blocker));
  gate.AwaitArrivals();
  env.Spawn([&] { core::DrainWorkqueue(wq); });
  AwaitTrue([&] { return wq->HasFlag(core::kWqDraining); });
  Timed d;
  EXPECT_TRUE(Queue(wq, d, kMillisecond));
  AwaitTrue([&] { return !Pending(d); });
  EXPECT_EQ(env.Reports(ReportKind::kQueueOnDraining), 1);
  gate.Open();
  env.Join();
  EXPECT_EQ(d.runs, 0);
}

// X5: a chained re-arm during a drain is legal and fires afterwards.
UWQ_BODY_ON_KINDS(Delayed, X5_ChainedRearmDuringDrain, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Timed d;
  d.body = [&] {
    gate.Pass();
    if (d.runs == 1) {
      EXPECT_TRUE(Queue(wq, d, 100 * kMillisecond));
    }
  };
  EXPECT_TRUE(Queue(wq, d, 0));
  gate.AwaitArrivals();
  env.Spawn([&] { core::DrainWorkqueue(wq); });
  AwaitTrue([&] { return wq->HasFlag(core::kWqDraining); });
  gate.Open();
  env.Join();
  AwaitRuns(d, 2);
  FlushWorkqueue(wq);
}

// T152: the i915 model: queue(0) on an armed check does not accelerate it (Q3).
UWQ_BODY_ON_KINDS(Delayed, T152_HdcpPoll, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Timed check;
  EXPECT_TRUE(Queue(wq, check, 2048 * kSecond));
  const Nanos deadline = uwq_delayed_work_deadline(&check.dw);
  EXPECT_FALSE(Queue(wq, check, 0));
  EXPECT_EQ(uwq_delayed_work_deadline(&check.dw), deadline);
  EXPECT_TRUE(Mod(wq, check, 0));
  FlushWorkqueue(wq);
  EXPECT_EQ(check.runs, 1);
}

// Bad input: a negative delay is reported and counts as 0; nothing is lost.
UWQ_BODY_ON_KINDS(Delayed, NegativeDelay, .schedules = 100) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  EXPECT_TRUE(Queue(wq, d, -5));
  FlushWorkqueue(wq);
  EXPECT_EQ(d.runs, 1);
  EXPECT_EQ(env.Reports(ReportKind::kBadDelay), 1);
}

// D11: a deferrable timer comes with the next wake-up after its deadline.
UWQ_BODY(Deferrable, D11_WaitsForCompany, .schedules = 20, .repeat = 1) {
  Workqueue* const wq = env.Make(Kind::kUnbound);
  Timed lazy(nullptr, UWQ_DELAYED_DEFERRABLE), strict;
  const Nanos start = base::Now();
  EXPECT_TRUE(Queue(wq, lazy, 80 * kMillisecond));
  EXPECT_TRUE(Queue(wq, strict, 82 * kMillisecond));
  AwaitRuns(lazy, 1);
  AwaitRuns(strict, 1);
  EXPECT_GE(lazy.ran_at - start, 80 * kMillisecond);
  if (kSim) {
    EXPECT_EQ(lazy.ran_at - start, 82 * kMillisecond);
  }
  FlushWorkqueue(wq);
}

// D11: alone, it asks for one of its own within an eighth of its delay.
UWQ_BODY(Deferrable, D11_Alone, .schedules = 20, .repeat = 1) {
  Workqueue* const wq = env.Make(Kind::kUnbound);
  Timed lazy(nullptr, UWQ_DELAYED_DEFERRABLE);
  const Nanos start = base::Now();
  EXPECT_TRUE(Queue(wq, lazy, 80 * kMillisecond));
  AwaitRuns(lazy, 1);
  EXPECT_GE(lazy.ran_at - start, 80 * kMillisecond);
  if (kSim) {
    EXPECT_GT(lazy.ran_at - start, 84 * kMillisecond);
    EXPECT_LE(lazy.ran_at - start, 90 * kMillisecond);
  }
  FlushWorkqueue(wq);
}

}  // namespace uwq::conformance
