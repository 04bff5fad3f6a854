// SPDX-License-Identifier: BSD-3-Clause
//
// disable_test.cc -- section 5.6: disable and enable (E*).
#include "tests/conformance/core/env.h"

namespace uwq::conformance {

using core::DisableWork;
using core::DisableWorkSync;
using core::EnableWork;
using core::FlushWorkqueue;
using core::Workqueue;

UWQ_ON_ALL_KINDS(Disable);

// E1-E3: the depth counts.
UWQ_BODY_ON_KINDS(Disable, T067_Depth, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  EXPECT_FALSE(DisableWork(x));
  EXPECT_FALSE(env.Queue(wq, x));
  EXPECT_FALSE(DisableWorkSync(x));
  EXPECT_FALSE(EnableWork(x));
  EXPECT_FALSE(env.Queue(wq, x));
  EXPECT_TRUE(EnableWork(x));
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// E2: what disabling cancelled is not queued again by enabling.
UWQ_BODY_ON_KINDS(Disable, T068_NotRestored, .schedules = 2000) {
  Workqueue* const wq = env.Make(kind, 1);
  Gate gate;
  Item blocker([&] { gate.Pass(); }), x;
  EXPECT_TRUE(env.Queue(wq, blocker));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, x));
  EXPECT_TRUE(DisableWork(x));
  EXPECT_TRUE(EnableWork(x));
  EXPECT_EQ(x.busy(), 0u);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 0);
}

// E1: enable at depth 0: one report, true, and queueing works.
UWQ_BODY_ON_KINDS(Disable, T069_Underflow, .schedules = 100) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  EXPECT_TRUE(EnableWork(x));
  EXPECT_TRUE(EnableWork(x));
  EXPECT_EQ(env.Reports(ReportKind::kEnableUnderflow), 1);
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// 1.9: disable_sync waits for the run; the plain form does not (E5).
UWQ_BODY_ON_KINDS(Disable, T074_SyncWaits, .schedules = 4000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  std::atomic<int> own{-1};
  Item x;
  x.set_body([&] {
    gate.Pass();
    own = env.Queue(wq, x);
  });
  EXPECT_TRUE(env.Queue(wq, x));
  gate.AwaitArrivals();
  EXPECT_FALSE(DisableWork(x));  // E5: returns though it runs
  EXPECT_EQ(x.running(), 1);
  std::atomic<bool> returned{false};
  env.Spawn([&] {
    EXPECT_FALSE(DisableWorkSync(x));
    EXPECT_EQ(x.running(), 0);
    returned = true;
  });
  AwaitTrue([&] { return core::DisableDepthOf(core::LoadWord(x)) == 2; });
  Settle();
  EXPECT_FALSE(returned);
  gate.Open();
  env.Join();
  EXPECT_EQ(own.load(), 0);
  EXPECT_FALSE(EnableWork(x));
  EXPECT_TRUE(EnableWork(x));
}

// E6: INIT_WORK resets the depth.
UWQ_BODY_ON_KINDS(Disable, T075_ReinitResets, .schedules = 200) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  EXPECT_FALSE(DisableWork(x));
  core::InitWork(x, &Item::Run, /*on_stack=*/false);
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// E1: 16 bits of depth saturate with one report.
UWQ_BODY(DisableDepth, T076_Overflow, .schedules = 2, .max_steps = 2000000, .repeat = 1) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  Item x;
  for (int i = 0; i < 65535; ++i) ASSERT_FALSE(DisableWork(x));
  EXPECT_EQ(env.Reports(ReportKind::kDisableOverflow), 0);
  EXPECT_FALSE(DisableWork(x));
  EXPECT_FALSE(DisableWork(x));
  EXPECT_EQ(env.Reports(ReportKind::kDisableOverflow), 1);
  EXPECT_EQ(core::DisableDepthOf(core::LoadWord(x)), 65535);
  for (int i = 0; i < 65534; ++i) ASSERT_FALSE(EnableWork(x));
  EXPECT_FALSE(env.Queue(wq, x));
  EXPECT_TRUE(EnableWork(x));
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// E, C3: against a storm of queueing: after disable_sync it never runs until enable.
UWQ_BODY_ON_KINDS(Disable, T077_AgainstAStorm, .schedules = 10000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  std::atomic<bool> stop{false};
  env.Spawn([&] {
    for (int i = 0; i < (kSim ? 6 : 1000000) && !stop; ++i) (void)core::QueueWorkOn(i % 2, wq, x);
  });
  for (int round = 0; round < Rounds(50, 1); ++round) {
    (void)DisableWorkSync(x);
    const int runs = x.runs();
    EXPECT_EQ(x.running(), 0);
    EXPECT_EQ(x.busy() & core::kBusyRunning, 0u);  // PENDING may flash in a refused call
    Step();
    Step();
    EXPECT_EQ(x.runs(), runs);
    EXPECT_TRUE(EnableWork(x));
  }
  stop = true;
  env.Join();
  (void)core::CancelWorkSync(x);
  EXPECT_LE(x.max_running(), 1);
}

// E4: enable_and_queue at depth 2: false; at depth 1: true and it runs.
UWQ_BODY_ON_KINDS(Disable, E4_EnableAndQueue, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  EXPECT_FALSE(DisableWork(x));
  EXPECT_FALSE(DisableWork(x));
  EXPECT_FALSE(core::EnableAndQueueWork(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 0);
  EXPECT_TRUE(core::EnableAndQueueWork(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// E8: the plain forms from the item's own function.
UWQ_BODY_ON_KINDS(Disable, E8_FromItsOwnFunction, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  x.set_body([&] {
    EXPECT_FALSE(DisableWork(x));
    EXPECT_FALSE(env.Queue(wq, x));
    EXPECT_TRUE(EnableWork(x));
  });
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
}

// E1: concurrent disables and enables balance, whatever races with them.
UWQ_BODY_ON_KINDS(Disable, E1_ConcurrentDepth, .schedules = 15000, .repeat = 100) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  std::atomic<int> accepted{0}, cancelled{0};
  for (int t = 0; t < 2; ++t) {
    env.Spawn([&, t] {
      cancelled += t == 0 ? DisableWork(x) : DisableWorkSync(x);
      (void)EnableWork(x);
    });
  }
  accepted += env.Queue(wq, x);
  accepted += env.Queue(wq, x);
  env.Join();
  EXPECT_EQ(core::OnList(core::LoadWord(x)) ? 0 : core::DisableDepthOf(core::LoadWord(x)), 0);
  FlushWorkqueue(wq);
  // No enable takes an instance away unseen: at its depth nothing can be pending.
  EXPECT_EQ(x.runs() + cancelled.load(), accepted.load());
}

}  // namespace uwq::conformance
