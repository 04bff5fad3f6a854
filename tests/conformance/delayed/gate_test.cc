// SPDX-License-Identifier: BSD-3-Clause
//
// gate_test.cc -- RunSync: serialised with the items of an ordered queue.
#include "workqueue/core/gate.h"

#include "tests/conformance/core/env.h"
#include "workqueue/core/lock_check.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::RunSync;
using core::Workqueue;

// [UWQ-GATE-1]: idle: on the caller's thread, with no hand-over.
UWQ_BODY(GateTest, IdleRunsOnCaller, .schedules = 200) {
  Workqueue* const wq = env.Make(Kind::kOrdered);
  base::ThreadId ran_on = -1;
  EXPECT_TRUE(RunSync(wq, [&] { ran_on = base::SelfId(); }).ok());
  EXPECT_EQ(ran_on, base::SelfId());
  env.ExpectIdle(wq);
}

// Busy: in its turn, behind what was queued before.
UWQ_BODY(GateTest, BusyWaitsItsTurn, .schedules = 3000) {
  Workqueue* const wq = env.Make(Kind::kOrdered);
  Gate gate;
  Log log;
  Item first([&] {
    gate.Pass();
    log.Add(1);
  }),
      second([&] { log.Add(2); });
  EXPECT_TRUE(env.Queue(wq, first));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, second));
  env.Spawn([&] { EXPECT_TRUE(RunSync(wq, [&] { log.Add(3); }).ok()); });
  Settle();
  EXPECT_EQ(log.size(), 0u);
  gate.Open();
  env.Join();
  EXPECT_EQ(log.ids(), (std::vector<int>{1, 2, 3}));
  FlushWorkqueue(wq);
  env.ExpectIdle(wq);
}

// O1 with gates: never two at once, nothing lost, exhaustively without preemptions.
UWQ_BODY(GateTest, ExcludesItemsAndGates, .exhaustive = true, .preemptions = 0, .schedules = 100000,
         .repeat = 500) {
  Workqueue* const wq = env.Make(Kind::kOrdered);
  Crowd crowd;
  std::atomic<int> gates{0};
  const auto inside = [&] {
    crowd.Enter();
    Step();
    crowd.Leave();
  };
  Item x(inside);
  env.Spawn([&] {
    EXPECT_TRUE(RunSync(wq, inside).ok());
    ++gates;
  });
  EXPECT_TRUE(env.Queue(wq, x));
  EXPECT_TRUE(RunSync(wq, inside).ok());
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(crowd.max(), 1);
  EXPECT_EQ(x.runs() + gates, 2);
  env.ExpectIdle(wq);
}

// F1: flush_workqueue waits for a gate that is held; drain refuses new ones (Q7).
UWQ_BODY(GateTest, FlushAndDrainWaitForIt, .schedules = 2000) {
  Workqueue* const wq = env.Make(Kind::kOrdered);
  Gate gate;
  std::atomic<bool> done{false};
  env.Spawn([&] {
    EXPECT_TRUE(RunSync(wq, [&] {
                  gate.Pass();
                  done = true;
                }).ok());
  });
  gate.AwaitArrivals();
  env.Spawn([&] {
    core::DrainWorkqueue(wq);
    EXPECT_TRUE(done);
  });
  AwaitTrue([&] { return wq->HasFlag(core::kWqDraining); });
  EXPECT_EQ(RunSync(wq, [] {}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(env.Reports(ReportKind::kQueueOnDraining), 1);
  gate.Open();
  env.Join();
}

// F11: from an item or a gate of the same queue it is refused, reported, not run.
UWQ_BODY(GateTest, FromInsideIsDiagnosed, .schedules = 300) {
  Workqueue* const wq = env.Make(Kind::kOrdered);
  Item x([&] {
    EXPECT_EQ(RunSync(wq, [] { ADD_FAILURE(); }).code(), absl::StatusCode::kFailedPrecondition);
  });
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_TRUE(RunSync(wq, [&] {
                EXPECT_FALSE(RunSync(wq, [] { ADD_FAILURE(); }).ok());
                FlushWorkqueue(wq);  // refused, or it would never return
              }).ok());
  EXPECT_GE(env.Reports(ReportKind::kOwnQueueFlush), 1);
  EXPECT_EQ(x.runs(), 1);
}

// From an item of another queue it is a wait like any other, and gates of
// different queues nest.
UWQ_BODY(GateTest, NestsOverQueues, .schedules = 2000) {
  Workqueue* const a = env.Make(Kind::kOrdered);
  Workqueue* const b = env.Make(Kind::kOrdered);
  int ran = 0;
  Item x([&] { EXPECT_TRUE(RunSync(b, [&] { ++ran; }).ok()); });
  EXPECT_TRUE(env.Queue(a, x));
  FlushWorkqueue(a);
  EXPECT_TRUE(RunSync(a, [&] { EXPECT_TRUE(RunSync(b, [&] { ++ran; }).ok()); }).ok());
  EXPECT_EQ(ran, 2);
}

// L2: under a lock that a gate of that queue has taken: reported, idle or not.
UWQ_BODY(GateTest, L2_UnderALock, .schedules = 50) {
  Workqueue* const wq = env.Make(Kind::kOrdered);
  core::TrackedLock lock("gate_lock");
  const auto take = [&] {
    core::LockAcquired(&lock);
    core::LockReleased(&lock);
  };
  EXPECT_TRUE(RunSync(wq, take).ok());
  EXPECT_EQ(env.Reports(ReportKind::kFlushUnderLock), 0);
  core::LockAcquired(&lock);
  EXPECT_TRUE(RunSync(wq, [] {}).ok());
  core::LockReleased(&lock);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kFlushUnderLock);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find("gate_lock"), std::string::npos) << texts[0];
  EXPECT_NE(texts[0].find(wq->name), std::string::npos) << texts[0];
}

UWQ_BODY(GateTest, OnlyOrderedQueues, .schedules = 10) {
  Workqueue* const wq = env.Make(Kind::kUnbound);
  EXPECT_EQ(RunSync(wq, [] { ADD_FAILURE(); }).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace uwq::conformance
