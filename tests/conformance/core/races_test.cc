// SPDX-License-Identifier: BSD-3-Clause
//
// races_test.cc -- the schedules that reading the core made one afraid of, and those
// that once broke it.  Each head says what would go wrong.
#include "tests/conformance/core/env.h"
#include "tests/sim/history.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::QueueWorkOn;
using core::Workqueue;

void PodPerCpu(core::RuntimeOptions* options) {
  options->default_affn_scope = core::AffnScope::kCpu;
}

UWQ_ON_ALL_KINDS(Races);

// A barrier is in flight a little longer than its target.  A destroyer that looks only
// at active and inactive items frees the accounts under it (X6).
UWQ_BODY_ON_KINDS(Races, BarrierOutlivesTheDrain, .schedules = 30000, .repeat = 300) {
  Workqueue* const wq = env.Make(kind);
  Item b;
  Item a([&] { EXPECT_TRUE(env.Queue(wq, b)); });
  EXPECT_TRUE(env.Queue(wq, a));
  env.Spawn([&] {
    (void)core::FlushWork(a);
    (void)core::FlushWork(b);
  });
  env.Destroy(wq);
  env.Join();
  EXPECT_EQ(a.runs(), 1);
  EXPECT_EQ(b.runs(), 1);
}

// The same, with the queue's place replaced meanwhile.
UWQ_BODY(RacesOnce, BarrierOutlivesItsPlace, .schedules = 20000, .repeat = 100) {
  Workqueue* const wq = env.Make(Kind::kUnbound);
  Item a;
  EXPECT_TRUE(env.Queue(wq, a));
  env.Spawn([&] { (void)core::FlushWork(a); });
  core::WorkqueueAttrs attrs;
  attrs.nice = 3;
  EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
  env.Destroy(wq);
  env.Join();
  EXPECT_EQ(a.runs(), 1);
}

// C6, A8: a pool_workqueue whose only waiting item was cancelled must not stay in the
// node's line: its memory is used again.
UWQ_BODY(RacesOnce, CancelledWaiterLeavesTheLine, .schedules = 30000, .repeat = 100,
         .tune = &PodPerCpu) {
  for (int round = 0; round < 2; ++round) {
    Workqueue* const wq = env.Alloc("one", core::kWqUnbound, 1);
    Gate gate;
    Item a([&] { gate.Pass(); }), b, c;
    EXPECT_TRUE(QueueWorkOn(0, wq, a));
    gate.AwaitArrivals();
    EXPECT_TRUE(QueueWorkOn(1, wq, b));
    EXPECT_TRUE(core::CancelWork(b));
    if (round == 0) {
      // The place that is in line goes; its memory becomes another one's.
      core::WorkqueueAttrs attrs;
      attrs.nice = 4;
      EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
      (void)env.Alloc("next", core::kWqUnbound, 1);
    }
    EXPECT_TRUE(QueueWorkOn(1, wq, c));
    gate.Open();
    FlushWorkqueue(wq);
    EXPECT_EQ(c.runs(), 1);
    env.ExpectIdle(wq);
    env.Destroy(wq);
  }
}

// The same as a race: the releaser of the slot still walks the line while the queue is
// destroyed and its memory used again.
UWQ_BODY(RacesOnce, LineOfADestroyedQueue, .schedules = 30000, .repeat = 100, .tune = &PodPerCpu) {
  Workqueue* const wq = env.Alloc("one", core::kWqUnbound, 1);
  Gate gate;
  Item a([&] { gate.Pass(); }), b;
  EXPECT_TRUE(QueueWorkOn(0, wq, a));
  gate.AwaitArrivals();
  EXPECT_TRUE(QueueWorkOn(1, wq, b));
  env.Spawn([&] { (void)core::CancelWork(b); });
  gate.Open();
  env.Destroy(wq);
  env.Join();
  Workqueue* const next = env.Alloc("next", core::kWqUnbound, 1);
  Item c, d;
  EXPECT_TRUE(QueueWorkOn(0, next, c));
  EXPECT_TRUE(QueueWorkOn(1, next, d));
  FlushWorkqueue(next);
  EXPECT_EQ(c.runs() + d.runs(), 2);
}

// L8, T149: an item that waits on a busy worker's own list is queued as well: to
// initialise it again would tear that list.
UWQ_BODY(RacesOnce, ReinitOfAnItemBehindItsRun, .schedules = 300, .repeat = 10) {
  Workqueue* const wq = env.Make(Kind::kUnbound);
  Gate gate;
  Item x([&] { gate.Pass(); }), other;
  EXPECT_TRUE(env.Queue(wq, x));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, x));
  EXPECT_TRUE(env.Queue(wq, other));  // a second worker hands x to the busy one
  AwaitTrue([&] { return other.runs() == 1; });
  core::InitWork(x, &Item::Run, /*on_stack=*/false);
  EXPECT_EQ(env.Reports(ReportKind::kReinitWhileQueued), 1);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// C2 on an ordered queue whose attributes changed while the item ran: it is pending in
// the new place and runs in the old one.
UWQ_BODY(RacesOnce, CancelSyncSeesTheRunInTheOldPlace, .schedules = 3000, .repeat = 10) {
  Workqueue* const wq = env.Make(Kind::kOrdered);
  Gate gate;
  Item x([&] { gate.Pass(); });
  EXPECT_TRUE(env.Queue(wq, x));
  gate.AwaitArrivals();
  core::WorkqueueAttrs attrs;
  attrs.nice = 5;
  attrs.ordered = true;
  EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
  EXPECT_TRUE(env.Queue(wq, x));
  std::atomic<bool> returned{false};
  env.Spawn([&] {
    EXPECT_TRUE(core::CancelWorkSync(x));
    EXPECT_EQ(x.running(), 0) << "C2: neither pending nor running";
    returned = true;
  });
  Settle();
  EXPECT_FALSE(returned);
  gate.Open();
  env.Join();
  EXPECT_EQ(x.runs(), 1);
}

// O1 with several attribute changes in a row: the place in the middle may be empty,
// full, or gone.
UWQ_BODY(RacesOnce, OrderedThroughManyPlaces, .schedules = 20000, .repeat = 20) {
  Workqueue* const wq = env.Make(Kind::kOrdered);
  sim::History history;
  history.SetOrdered(0);
  std::vector<std::unique_ptr<Item>> items;
  const int n = kSim ? 6 : 200;
  for (int i = 0; i < n; ++i) {
    items.push_back(std::make_unique<Item>([&, i] { history.Run(i, [] { Step(); }); }));
  }
  env.Spawn([&] {
    for (int i = 0; i < (kSim ? 3 : 30); ++i) {
      core::WorkqueueAttrs attrs;
      attrs.nice = i % 3;
      attrs.ordered = true;
      EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
    }
  });
  for (int i = 0; i < n; ++i) {
    // On any CPU: all of them must see the change of place at once.
    EXPECT_TRUE(history.Queue(i, [&] { return QueueWorkOn(Choose(2), wq, *items[i]); }));
  }
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(history.Check(), "");
  env.ExpectIdle(wq);
}

// The machine may say that the caller runs on no CPU that the Runtime knows.
UWQ_BODY_ON_KINDS(Races, CallerOnAnUnknownCpu, .schedules = 100, .cpus = 1) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  PretendCpu(7);
  EXPECT_TRUE(core::QueueWork(wq, x));
  FlushWorkqueue(wq);
  PretendCpu(-1);
  EXPECT_TRUE(core::QueueWork(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 2);
}

// Two destroyers of one queue: one does it, the other is reported.
UWQ_BODY_ON_KINDS(Races, TwoDestroyers, .schedules = 2000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  EXPECT_TRUE(env.Queue(wq, x));
  env.Spawn([&] { core::DestroyWorkqueue(wq); });
  env.Destroy(wq);
  env.Join();
  EXPECT_EQ(x.runs(), 1);
  EXPECT_EQ(env.Reports(ReportKind::kDoubleDestroy), 1);
}

// Limits that move while items come and go (A7, A8, A9).
UWQ_BODY_ON_KINDS(Races, LimitsThatMove, .schedules = 20000, .repeat = 1, .nodes = 2, .cpus = 1,
                  .tune = &PodPerCpu) {
  if (kind == Kind::kOrdered) kind = Kind::kUnbound;  // its limit is fixed; more of these
  Workqueue* const wq = env.Make(kind, 1);
  sim::History history;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 4; ++i) {
    items.push_back(std::make_unique<Item>([&, i] { history.Run(i, [] { Step(); }); }));
  }
  env.Spawn([&] {
    for (int i = 0; i < Rounds(500, 3); ++i) core::SetMaxActive(wq, 1 + Choose(3));
  });
  env.Spawn([&] {
    for (int i = 0; i < Rounds(500, 2); ++i) {
      env.runtime()->FreezeBegin();
      env.runtime()->Thaw();
    }
  });
  for (int i = 0; i < Rounds(3000, 6); ++i) {
    const int id = Choose(4);
    if (Choose(4) == 0) {
      history.Cancel(id, [&] { return core::CancelWork(*items[id]); });
    } else {
      history.Queue(id, [&] { return QueueWorkOn(Choose(2), wq, *items[id]); });
    }
  }
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(history.Check(), "");
  env.ExpectIdle(wq);
}

}  // namespace uwq::conformance
