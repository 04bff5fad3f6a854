// SPDX-License-Identifier: BSD-3-Clause
//
// drain_destroy_test.cc -- section 5.8: drain and destroy (X*), and Q7.
#include "tests/conformance/core/env.h"
#include "tests/sim/history.h"

namespace uwq::conformance {

using core::DrainWorkqueue;
using core::FlushWorkqueue;
using core::Workqueue;

UWQ_ON_ALL_KINDS(Drain);

// Q7, X4: from outside, while drained: true, reported, dropped, not pending; afterwards
// the queue is as before.
UWQ_BODY_ON_KINDS(Drain, T093_OutsideQueueing, .schedules = 300, .repeat = 10) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Item blocker([&] { gate.Pass(); }), x;
  EXPECT_TRUE(env.Queue(wq, blocker));
  gate.AwaitArrivals();
  env.Spawn([&] { DrainWorkqueue(wq); });
  AwaitTrue([&] { return wq->HasFlag(core::kWqDraining); });
  EXPECT_TRUE(env.Queue(wq, x));
  EXPECT_FALSE(core::WorkPending(x));
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kQueueOnDraining);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find(wq->name), std::string::npos) << texts[0];
  gate.Open();
  env.Join();
  EXPECT_EQ(x.runs(), 0);
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// X2: chains complete.
UWQ_BODY_ON_KINDS(Drain, T094_Chain, .schedules = 6000, .repeat = 50) {
  Workqueue* const wq = env.Make(kind);
  Item c;
  Item b([&] { EXPECT_TRUE(env.Queue(wq, c)); });
  Item a([&] { EXPECT_TRUE(env.Queue(wq, b)); });
  EXPECT_TRUE(env.Queue(wq, a));
  DrainWorkqueue(wq);
  EXPECT_EQ(c.runs(), 1);
  env.ExpectIdle(wq);
}

// X2, X7: destroy finishes chains as well, in every schedule with one preemption.
UWQ_BODY_ON_KINDS(Drain, T094_ChainAtDestroy, .exhaustive = true, .schedules = 20000, .repeat = 200,
                  .cpus = 1) {
  Workqueue* const wq = env.Make(kind);
  Item b;
  Item a([&] { EXPECT_TRUE(env.Queue(wq, b)); });
  EXPECT_TRUE(env.Queue(wq, a));
  env.Destroy(wq);
  EXPECT_EQ(a.runs(), 1);
  EXPECT_EQ(b.runs(), 1);
}

// X1: drainers nest; outside queueing is refused until the last is done.
UWQ_BODY_ON_KINDS(Drain, T095_TwoDrainers, .schedules = 200, .repeat = 10) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Item blocker([&] { gate.Pass(); }), x;
  EXPECT_TRUE(env.Queue(wq, blocker));
  gate.AwaitArrivals();
  std::atomic<int> returned{0};
  for (int i = 0; i < 2; ++i) {
    env.Spawn([&] {
      DrainWorkqueue(wq);
      ++returned;
    });
  }
  AwaitTrue([&] {
    base::MutexLock lock(&wq->mutex);
    return wq->nr_drainers == 2;
  });
  EXPECT_TRUE(env.Queue(wq, x));
  EXPECT_EQ(env.Reports(ReportKind::kQueueOnDraining), 1);
  EXPECT_EQ(returned.load(), 0);
  gate.Open();
  env.Join();
  EXPECT_EQ(returned.load(), 2);
  EXPECT_EQ(x.runs(), 0);
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// X7: destroy finishes what is pending, the inactive items included.
UWQ_BODY_ON_KINDS(Drain, T098_DestroyCompletesAll, .schedules = 1000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind, 1);
  Gate gate;
  Item first([&] { gate.Pass(); });
  std::vector<std::unique_ptr<Item>> rest;
  EXPECT_TRUE(env.Queue(wq, first));
  gate.AwaitArrivals();
  for (int i = 0; i < (kSim ? 6 : 50); ++i) {
    rest.push_back(std::make_unique<Item>());
    EXPECT_TRUE(env.Queue(wq, *rest.back()));
  }
  gate.Open();
  env.Destroy(wq);
  EXPECT_EQ(first.runs(), 1);
  for (auto& item : rest) EXPECT_EQ(item->runs(), 1);
}

// Q7: the same on a queue that is being destroyed, and on one that is gone.
UWQ_BODY_ON_KINDS(Drain, T099_QueueOnDestroying, .schedules = 200, .repeat = 10) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Item blocker([&] { gate.Pass(); }), x;
  EXPECT_TRUE(env.Queue(wq, blocker));
  gate.AwaitArrivals();
  env.Spawn([&] { env.Destroy(wq); });
  AwaitTrue([&] { return wq->HasFlag(core::kWqDestroying | core::kWqDraining); });
  EXPECT_TRUE(env.Queue(wq, x));
  EXPECT_EQ(env.Reports(ReportKind::kQueueOnDraining), 1);
  gate.Open();
  env.Join();
  EXPECT_TRUE(env.Queue(wq, x));  // a user's mistake; the memory is kept for a while
  EXPECT_EQ(core::ReportCount(ReportKind::kQueueOnDraining), 2);
  EXPECT_FALSE(core::WorkPending(x));
  EXPECT_EQ(x.runs(), 0);
}

// X3: a slow drain says so at ten tries.
UWQ_BODY_ON_KINDS(Drain, T100_SlowDrain, .schedules = 100, .repeat = 5) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  x.set_body([&] {
    if (x.runs() == 13) return;
    // Requeued once the drain's next flush has taken this instance's colour, so that
    // each try finds one instance more.
    const int color = core::ColorOf(core::CurrentWorker()->current_word);
    AwaitTrue([&] {
      base::MutexLock lock(&wq->mutex);
      return wq->work_color != color;
    });
    EXPECT_TRUE(env.Queue(wq, x));
  });
  EXPECT_TRUE(env.Queue(wq, x));
  DrainWorkqueue(wq);
  EXPECT_EQ(x.runs(), 13);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kSlowDrain);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find("10 tries"), std::string::npos) << texts[0];
  EXPECT_NE(texts[0].find(wq->name), std::string::npos) << texts[0];
}

// X6: with references left the queue is reported, dumped and leaked.
UWQ_BODY_ON_KINDS(Drain, T101_BusyDestroy, .schedules = 20) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  EXPECT_TRUE(env.Queue(wq, x));
  {
    base::MutexLock lock(&env.runtime()->mutex);
    wq->users = 1;
  }
  env.Destroy(wq);
  EXPECT_EQ(x.runs(), 1);  // X7 holds nevertheless
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kDestroyBusy);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find(wq->name), std::string::npos) << texts[0];
  EXPECT_TRUE(env.Queue(wq, x));  // still destroying: refused
  EXPECT_EQ(env.Reports(ReportKind::kQueueOnDraining), 1);
  EXPECT_EQ(env.Reports(ReportKind::kOther), 0);
  env.Finish();  // the Runtime takes the leaked queue down, and says so
  EXPECT_EQ(env.Reports(ReportKind::kOther), 1);
}

// F11: destroy from an item of another queue is no mistake.
UWQ_BODY_ON_KINDS(Drain, T102_DestroyFromAnotherQueuesItem, .schedules = 1000) {
  Workqueue* const wq = env.Make(kind);
  Workqueue* const other = env.Alloc("other", core::kWqUnbound);
  Item x, destroyer([&] { env.Destroy(wq); });
  EXPECT_TRUE(env.Queue(wq, x));
  EXPECT_TRUE(env.Queue(other, destroyer));
  FlushWorkqueue(other);
  EXPECT_EQ(x.runs(), 1);
}

// X: queues come and go on several threads; nothing is left.  The threads and file
// descriptors of many Runtimes are counted in tests/runtime.
UWQ_BODY_ON_KINDS(Drain, T103_CreateDestroyStorm, .schedules = 4000, .repeat = 1) {
  for (int t = 0; t < (kSim ? 2 : 8); ++t) {
    env.Spawn([&, t] {
      for (int i = 0; i < Rounds(100, 2); ++i) {
        unsigned flags = kind == Kind::kPerCpu ? core::kWqPercpu : core::kWqUnbound;
        if (kind == Kind::kOrdered) flags |= core::kWqOrdered;
        if (i % 8 == 7) flags |= core::kWqMemReclaim;
        absl::StatusOr<Workqueue*> wq =
            core::AllocWorkqueue(env.runtime(), {"storm" + std::to_string(t), flags, 0});
        ASSERT_TRUE(wq.ok());
        Item items[3];
        for (Item& item : items) EXPECT_TRUE(core::QueueWorkOn(t % 2, *wq, item));
        core::DestroyWorkqueue(*wq);
        for (Item& item : items) EXPECT_EQ(item.runs(), 1);
      }
    });
  }
  env.Join();
}

// X10: a chain holds the drain for as long as it goes on.
UWQ_BODY_ON_KINDS(Drain, X10_LongChain, .schedules = 1000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  const int hops = Rounds(1000, 12);
  std::atomic<bool> drained{false};
  Item x;
  x.set_body([&] {
    EXPECT_FALSE(drained.load());
    if (x.runs() < hops) {
      EXPECT_TRUE(env.Queue(wq, x));
    }
  });
  EXPECT_TRUE(env.Queue(wq, x));
  env.Spawn([&] {
    DrainWorkqueue(wq);
    drained = true;
  });
  env.Join();
  EXPECT_EQ(x.runs(), hops);
  (void)env.Reports(ReportKind::kSlowDrain);  // X3: expected, not required
  env.ExpectIdle(wq);
}

// X9: in BH nothing is chained: a BH item's requeue during the drain is refused.
UWQ_BODY(DrainBh, T104_RequeueInDrain, .schedules = 500, .repeat = 10) {
  Workqueue* const bh = env.Alloc("bh", core::kWqBh);
  std::atomic<bool> draining{false};
  Item x;
  x.set_body([&] {
    if (x.runs() > 1) return;
    AwaitTrue([&] { return draining.load(); });
    EXPECT_TRUE(env.Queue(bh, x));
  });
  EXPECT_TRUE(env.Queue(bh, x));
  env.Spawn([&] { DrainWorkqueue(bh); });
  AwaitTrue([&] { return bh->HasFlag(core::kWqDraining); });
  draining = true;
  env.Join();
  EXPECT_EQ(x.runs(), 1);
  EXPECT_EQ(env.Reports(ReportKind::kQueueOnDraining), 1);
}

// X1, X2, Q7 at random: what is accepted runs, or was reported as dropped.
UWQ_BODY_ON_KINDS(Drain, T093_RandomDrains, .schedules = 8000, .repeat = 1) {
  Workqueue* const wq = env.Make(kind, 2);
  sim::History history;
  Item inner;
  inner.set_body([&] { history.Run(0, [] { Step(); }); });
  Item outer;
  outer.set_body(
      [&] { history.Run(1, [&] { history.Queue(0, [&] { return env.Queue(wq, inner); }); }); });
  for (int i = 0; i < Rounds(300, 2); ++i) {
    history.Queue(1, [&] { return env.Queue(wq, outer); });
    history.Queue(0, [&] { return core::QueueWorkOn(1, wq, inner); });
    env.Spawn([&] { DrainWorkqueue(wq); });
    history.Drain(0, [&] { DrainWorkqueue(wq); });
    env.Join();
  }
  EXPECT_EQ(history.Check(), "");
  env.ExpectIdle(wq);
}

}  // namespace uwq::conformance
