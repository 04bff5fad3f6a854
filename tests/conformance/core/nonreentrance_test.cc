// SPDX-License-Identifier: BSD-3-Clause
//
// nonreentrance_test.cc -- section 5.2: an item runs on one worker at a time (N*), and
// what breaks that on purpose.
#include "tests/conformance/core/env.h"
#include "tests/sim/history.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::QueueWorkOn;
using core::Workqueue;

// One pool per CPU for unbound queues as well, so that an item can change pools.
void PodPerCpu(core::RuntimeOptions* options) {
  options->default_affn_scope = core::AffnScope::kCpu;
}

UWQ_ON_ALL_KINDS(NonReentrance);

// N2: asked onto another CPU while it runs, it goes to the pool where it runs.
UWQ_BODY_ON_KINDS(NonReentrance, T016_SameQueueOtherCpu, .schedules = 5000, .repeat = 20,
                  .tune = &PodPerCpu) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Log pools;
  Item x([&] {
    pools.Add(CurrentPoolId());
    gate.Pass();
  });
  EXPECT_TRUE(QueueWorkOn(0, wq, x));
  gate.AwaitArrivals();
  EXPECT_TRUE(QueueWorkOn(1, wq, x));
  Settle();
  EXPECT_EQ(x.runs(), 1);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 2);
  EXPECT_EQ(x.max_running(), 1);
  EXPECT_EQ(pools.ids()[0], pools.ids()[1]);
}

// N1, N2: the same without a gate: every schedule with one preemption.
UWQ_BODY_ON_KINDS(NonReentrance, T016_TwoCpusAtOnce, .exhaustive = true, .preemptions = 0,
                  .schedules = 40000, .repeat = 300, .tune = &PodPerCpu) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  std::atomic<int> accepted{0};
  env.Spawn([&] { accepted += QueueWorkOn(1, wq, x) + QueueWorkOn(0, wq, x); });
  accepted += QueueWorkOn(0, wq, x);
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.max_running(), 1);
  EXPECT_EQ(x.runs(), accepted.load());
}

// N6: the second instance is handed to the worker that is busy with the first.
UWQ_BODY(NonReentrancePool, N6_SameWorkerGoesOn, .schedules = 5000, .repeat = 20) {
  Workqueue* const wq = env.Alloc("unbound", core::kWqUnbound);
  Gate gate;
  Log threads;
  Item x([&] {
    threads.Add(base::SelfId());
    gate.Pass();
  });
  EXPECT_TRUE(env.Queue(wq, x));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, x));
  Item other;  // makes another worker walk over the list
  EXPECT_TRUE(env.Queue(wq, other));
  EXPECT_TRUE(core::FlushWork(other) || other.runs() == 1);
  EXPECT_EQ(x.runs(), 1);
  gate.Open();
  FlushWorkqueue(wq);
  ASSERT_EQ(threads.size(), 2u);
  EXPECT_EQ(threads.ids()[0], threads.ids()[1]);
  EXPECT_EQ(x.max_running(), 1);
}

// N4: even over two queues, what meets in one pool is serialised.
UWQ_BODY(NonReentrancePool, N4_TwoQueuesOnePool, .schedules = 5000, .repeat = 20) {
  Workqueue* const a = env.Alloc("a", core::kWqUnbound);
  Workqueue* const b = env.Alloc("b", core::kWqUnbound);
  Gate gate;
  Item x([&] { gate.Pass(); });
  EXPECT_TRUE(env.Queue(a, x));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(b, x));
  Settle();
  EXPECT_EQ(x.runs(), 1);
  gate.Open();
  FlushWorkqueue(a);
  FlushWorkqueue(b);
  EXPECT_EQ(x.runs(), 2);
  EXPECT_EQ(x.max_running(), 1);
}

// N3: two queues with different pools: concurrent as in the kernel, and reported.
UWQ_BODY(NonReentrancePool, T017_OtherQueueOtherPool, .schedules = 300, .repeat = 5) {
  Workqueue* const a = env.Alloc("first", core::kWqPercpu);
  Workqueue* const b = env.Alloc("second", core::kWqPercpu);
  Gate gate;
  Item x([&] { gate.Pass(); });
  EXPECT_TRUE(QueueWorkOn(0, a, x));
  gate.AwaitArrivals();
  EXPECT_TRUE(QueueWorkOn(1, b, x));
  gate.AwaitArrivals(2);
  EXPECT_EQ(x.running(), 2);
  gate.Open();
  FlushWorkqueue(a);
  FlushWorkqueue(b);
  EXPECT_EQ(x.max_running(), 2);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kSecondQueue);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find("second"), std::string::npos) << texts[0];
}

// N3: re-initialised while it runs, it forgets its last pool: concurrent as in the kernel.
UWQ_BODY(NonReentrancePool, T019_ReinitWhileRunning, .schedules = 2000, .repeat = 5) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  Gate gate;
  Item x([&] { gate.Pass(); });
  EXPECT_TRUE(QueueWorkOn(0, wq, x));
  gate.AwaitArrivals();
  core::InitWork(x, &Item::Run, /*on_stack=*/false);
  EXPECT_EQ(x.busy(), 0u);
  EXPECT_TRUE(QueueWorkOn(1, wq, x));
  gate.AwaitArrivals(2);
  EXPECT_EQ(x.running(), 2);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.max_running(), 2);
}

// N5: a new item at the address of one that still runs waits for it if the function
// is the same, and does not if it is another.
UWQ_BODY(NonReentrancePool, N5_RecycledMemory, .schedules = 2000, .repeat = 5) {
  Workqueue* const wq = env.Alloc("unbound", core::kWqUnbound);
  static Gate* gate;
  static std::atomic<int> same, different;
  Gate the_gate;
  gate = &the_gate;
  same = different = 0;
  core::WorkItem memory;
  const core::WorkFunc blocks = [](core::WorkItem*) {
    ++same;
    gate->Pass();
  };
  core::InitWord(&memory, blocks);
  EXPECT_TRUE(env.Queue(wq, &memory));
  the_gate.AwaitArrivals();
  // "Freed" and used again, as far as the library can know.
  core::InitWord(&memory, [](core::WorkItem*) { ++different; });
  EXPECT_TRUE(env.Queue(wq, &memory));
  EXPECT_TRUE(core::FlushWork(&memory) || different == 1);
  EXPECT_EQ(different.load(), 1);
  core::InitWord(&memory, blocks);
  EXPECT_TRUE(env.Queue(wq, &memory));
  Settle();
  EXPECT_EQ(same.load(), 1);
  the_gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(same.load(), 2);
}

// N1: a storm of callers on all CPUs.
UWQ_BODY_ON_KINDS(NonReentrance, T020_Storm, .schedules = 30000, .repeat = 1, .tune = &PodPerCpu) {
  Workqueue* const wq = env.Make(kind);
  sim::History history;
  if (kind == Kind::kOrdered) history.SetOrdered(0);
  Item x;
  x.set_body([&] { history.Run(0, [] { Step(); }); });
  const int threads = kSim ? 3 : 8;
  const int rounds = Rounds(5000, 3);
  std::atomic<int> accepted{0};
  for (int t = 0; t < threads; ++t) {
    env.Spawn([&] {
      for (int i = 0; i < rounds; ++i) {
        accepted += history.Queue(0, [&] { return QueueWorkOn(Choose(2), wq, x); });
      }
    });
  }
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(history.Check(), "");
  EXPECT_EQ(x.max_running(), 1);
  EXPECT_EQ(x.runs(), accepted.load());
}

// N1 while attributes move the queue between pools (U4).
UWQ_BODY_ON_KINDS(NonReentrance, T133_AttributesUnderLoad, .schedules = 20000, .repeat = 1) {
  if (kind == Kind::kPerCpu) kind = Kind::kUnbound;  // with extra pools, below
  Workqueue* const wq = env.Make(kind);
  sim::History history;
  if (kind == Kind::kOrdered) history.SetOrdered(0);
  Item x;
  x.set_body([&] { history.Run(0, [] { Step(); }); });
  const int rounds = Rounds(3000, 3);
  for (int t = 0; t < 2; ++t) {
    env.Spawn([&] {
      for (int i = 0; i < rounds; ++i) {
        history.Queue(0, [&] { return QueueWorkOn(Choose(2), wq, x); });
      }
    });
  }
  for (int i = 0; i < Rounds(100, 2); ++i) {
    core::WorkqueueAttrs attrs;
    attrs.nice = i % 2 == 0 ? 5 : 0;
    attrs.affn_scope = i % 3 == 0 ? core::AffnScope::kCpu : core::AffnScope::kSystem;
    if (i % 4 == 1) attrs.cpumask.set(0);
    attrs.ordered = kind == Kind::kOrdered;
    EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
  }
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(history.Check(), "");
  EXPECT_EQ(x.max_running(), 1);
}

}  // namespace uwq::conformance
