// SPDX-License-Identifier: BSD-3-Clause
//
// delayed_life_test.cc -- armed items whose queue is destroyed, that are initialised anew,
// cancelled as plain items, or left on a stack (D8, D10, L9, L10).
#include <algorithm>
#include <string>

#include "tests/conformance/delayed/timed.h"

namespace uwq::conformance {

using core::FlushWorkqueue;

UWQ_ON_ALL_KINDS(DelayedLife);

// D10: destroy with an armed timer: taken down and reported, no use after free.
UWQ_BODY_ON_KINDS(DelayedLife, T045_DestroyArmed, .schedules = 2000, .time_races = true) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  EXPECT_TRUE(Queue(wq, d, kMillisecond));
  env.Destroy(wq);
  EXPECT_FALSE(Pending(d));
  EXPECT_EQ(d.runs + env.Reports(ReportKind::kArmedTimerAtDestroy), 1);
}

// D10, X5, X6: a poller whose re-arming finds its queue under destruction: this run is its
// last, and not followed by one before its time (D2).  The timer is taken down after the
// drain, or its expiry during it is refused.
UWQ_BODY_ON_KINDS(DelayedLife, T045_DestroyRunningPoller, .schedules = 2000, .time_races = true) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Timed poll;
  poll.body = [&] {
    gate.Pass();
    EXPECT_TRUE(Queue(wq, poll, 50 * kMillisecond));
  };
  EXPECT_TRUE(Queue(wq, poll, 0));
  gate.AwaitArrivals();
  env.Spawn([&] {
    AwaitTrue([&] { return wq->HasFlag(core::kWqDestroying); });
    gate.Open();
  });
  env.Destroy(wq);
  EXPECT_FALSE(Pending(poll));
  env.Join();
  Settle();
  EXPECT_EQ(poll.runs, 1);
  EXPECT_EQ(
      env.Reports(ReportKind::kArmedTimerAtDestroy) + env.Reports(ReportKind::kQueueOnDraining), 1);
}

// D10: whenever the poller re-arms, before, while or after destroy looks for timers.
UWQ_BODY_ON_KINDS(DelayedLife, T045_DestroyRacesRearm, .schedules = 20000, .repeat = 200) {
  Workqueue* const wq = env.Make(kind);
  Timed poll;
  poll.body = [&] { EXPECT_TRUE(Queue(wq, poll, kSecond)); };
  EXPECT_TRUE(Queue(wq, poll, 0));
  env.Destroy(wq);
  EXPECT_FALSE(Pending(poll));
  EXPECT_EQ(poll.runs, 1);
  EXPECT_EQ(env.Reports(ReportKind::kArmedTimerAtDestroy), 1);
}

// Bad input: arming on a destroyed queue is refused with a report, Q7's way.
UWQ_BODY_ON_KINDS(DelayedLife, ArmOnDestroyed, .schedules = 100) {
  Workqueue* const wq = env.Make(kind);
  env.Destroy(wq);
  Timed d;
  EXPECT_TRUE(Queue(wq, d, kMillisecond));
  EXPECT_FALSE(Pending(d));
  EXPECT_EQ(env.Reports(ReportKind::kQueueOnDraining), 1);
}

// D8: cancel_work on an armed delayed item: off the timer at once, reported.
UWQ_BODY_ON_KINDS(DelayedLife, T048_CancelWorkOnDelayed, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  EXPECT_TRUE(Queue(wq, d, 1000 * kSecond));
  EXPECT_TRUE(core::CancelWork(&d.dw.work));
  EXPECT_FALSE(Pending(d));
  EXPECT_EQ(env.Reports(ReportKind::kCancelArmedTimer), 1);
  FlushWorkqueue(wq);
  EXPECT_EQ(d.runs, 0);
}

// D10: one report names them all; and each queue has its own, also one in the memory of
// another that was destroyed.
UWQ_BODY_ON_KINDS(DelayedLife, T045_AllAreNamed, .schedules = 20, .repeat = 1) {
  constexpr int kQueues = 40;  // more than the destroyed ones that are kept
  for (int i = 0; i < kQueues; ++i) {
    Workqueue* const wq = env.Make(kind);
    Timed first, second;
    uwq_init_delayed_work(
        &second.dw, [](uwq_work*) {}, 0);
    EXPECT_TRUE(Queue(wq, first, kSecond));
    EXPECT_TRUE(Queue(wq, second, 1000 * kSecond));
    env.Destroy(wq);
    const std::string text = env.ReportTexts(ReportKind::kArmedTimerAtDestroy).back();
    EXPECT_NE(text.find(core::FuncName(first.dw.work.func)), std::string::npos) << text;
    EXPECT_NE(text.find(core::FuncName(second.dw.work.func)), std::string::npos) << text;
  }
  EXPECT_EQ(env.Reports(ReportKind::kArmedTimerAtDestroy), kQueues);
}

// L9, T149: INIT_DELAYED_WORK of an armed item takes it off the timer first.
UWQ_BODY_ON_KINDS(DelayedLife, T149_ReinitArmed, .schedules = 300) {
  Workqueue* const wq = env.Make(kind);
  Timed before, d, after;
  for (Timed* t : {&before, &d, &after}) EXPECT_TRUE(Queue(wq, *t, kSecond));
  uwq_init_delayed_work(&d.dw, &Timed::Run, 0);
  EXPECT_EQ(env.Reports(ReportKind::kReinitWhileQueued), 1);
  EXPECT_FALSE(Pending(d));
  EXPECT_TRUE(Queue(wq, d, kMillisecond));
  AwaitRuns(d, 1);
  // Its neighbours in the wheel are still there.
  EXPECT_TRUE(uwq_cancel_delayed_work(&before.dw));
  EXPECT_TRUE(uwq_cancel_delayed_work(&after.dw));
  FlushWorkqueue(wq);
  EXPECT_EQ(d.runs, 1);
}

// L9: whatever the memory holds, what is armed nowhere is not believed to be.
UWQ_BODY_ON_KINDS(DelayedLife, L9_MemoryThatLooksArmed, .schedules = 50) {
  Workqueue* const wq = env.Make(kind);
  Timed armed, d;
  EXPECT_TRUE(Queue(wq, armed, kSecond));
  std::fill_n(reinterpret_cast<unsigned char*>(&d.dw), sizeof(d.dw), 0x5a);
  d.dw.work.data = core::kPending | core::kTimer;
  uwq_init_delayed_work(&d.dw, &Timed::Run, 0);
  EXPECT_EQ(env.Reports(ReportKind::kReinitWhileQueued), 0);
  EXPECT_FALSE(Pending(d));
  EXPECT_TRUE(uwq_cancel_delayed_work(&armed.dw));
}

// L10: the end of an armed item on the stack is "freed while queued", and nothing else.
UWQ_BODY_ON_KINDS(DelayedLife, L10_DestroyArmedOnStack, .schedules = 100) {
  Workqueue* const wq = env.Make(kind);
  Timed d;
  uwq_init_delayed_work_onstack(&d.dw, &Timed::Run, 0);
  EXPECT_TRUE(Queue(wq, d, kSecond));
  uwq_destroy_delayed_work_on_stack(&d.dw);
  EXPECT_FALSE(Pending(d));
  EXPECT_EQ(env.Reports(ReportKind::kFreedWhileBusy), 1);
  EXPECT_EQ(env.Reports(ReportKind::kCancelArmedTimer), 0);
}

}  // namespace uwq::conformance
