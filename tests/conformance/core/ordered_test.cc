// SPDX-License-Identifier: BSD-3-Clause
//
// ordered_test.cc -- section 5.3: ordered queues (O*), and the order of all queues.
#include "tests/conformance/core/env.h"
#include "tests/sim/history.h"
#include "workqueue/core/rescuer.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::QueueWorkOn;
using core::Workqueue;

constexpr unsigned kOrderedFlags = core::kWqUnbound | core::kWqOrdered;

std::vector<int> UpTo(int n) {
  std::vector<int> ids;
  for (int i = 0; i < n; ++i) ids.push_back(i);
  return ids;
}

// O1: one producer, exact order.
UWQ_BODY(Ordered, T021_FifoOneProducer, .schedules = 5000, .repeat = 1) {
  Workqueue* const wq = env.Alloc("ordered", kOrderedFlags);
  const int n = Rounds(100000, 6);
  Log order;
  Crowd crowd;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < n; ++i) {
    items.push_back(std::make_unique<Item>([&, i] {
      crowd.Enter();
      order.Add(i);
      crowd.Leave();
    }));
    ASSERT_TRUE(QueueWorkOn(i % 2, wq, *items.back()));
  }
  FlushWorkqueue(wq);
  EXPECT_EQ(order.ids(), UpTo(n));
  EXPECT_EQ(crowd.max(), 1);
}

// O1: many producers on all CPUs: one at a time, and each producer's items in its order.
// The oracle checks more: no item overtakes one whose queueing had ended before.
UWQ_BODY(Ordered, T022_FifoManyProducers, .schedules = 20000, .repeat = 1) {
  Workqueue* const wq = env.Alloc("ordered", kOrderedFlags);
  const int producers = kSim ? 3 : 8;
  const int each = Rounds(500, 3);
  sim::History history;
  history.SetOrdered(0);
  Crowd crowd;
  Log order;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < producers * each; ++i) {
    items.push_back(std::make_unique<Item>([&, i] {
      history.Run(i, [&] {
        crowd.Enter();
        order.Add(i);
        Step();
        crowd.Leave();
      });
    }));
  }
  for (int p = 0; p < producers; ++p) {
    env.Spawn(
        [&, p] {
          for (int i = p * each; i < (p + 1) * each; ++i) {
            EXPECT_TRUE(history.Queue(i, [&] { return core::QueueWork(wq, *items[i]); }));
          }
        },
        p % 2);
  }
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(history.Check(), "");
  EXPECT_EQ(crowd.max(), 1);
  std::vector<int> last(producers, -1);
  for (int id : order.ids()) {
    EXPECT_GT(id, last[id / each]);
    last[id / each] = id;
  }
}

// O1: an item that sleeps holds its successor back.
UWQ_BODY(Ordered, T023_SleepingItemBlocks, .schedules = 2000) {
  Workqueue* const wq = env.Alloc("ordered", kOrderedFlags);
  Log order;
  Item a([&] {
    order.Add(0);
    Sleep(5 * kMillisecond);
    order.Add(1);
  });
  Item b([&] { order.Add(2); });
  EXPECT_TRUE(env.Queue(wq, a));
  EXPECT_TRUE(QueueWorkOn(1, wq, b));
  FlushWorkqueue(wq);
  EXPECT_EQ(order.ids(), UpTo(3));
}

// O6, A6: max_active 1 is not ordered: on two nodes two items run at once.
UWQ_BODY(Ordered, T024_UnboundOneIsNotOrdered, .schedules = 1000, .nodes = 2, .cpus = 1) {
  Workqueue* const wq = env.Alloc("one", core::kWqUnbound, 1);
  Gate gate;
  Crowd crowd;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 8; ++i) {
    items.push_back(std::make_unique<Item>([&] {
      crowd.Enter();
      gate.Pass();
      crowd.Leave();
    }));
    EXPECT_TRUE(QueueWorkOn(i % 2, wq, *items.back()));
  }
  gate.AwaitArrivals(2);
  Settle();
  EXPECT_EQ(crowd.inside(), 2);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(crowd.max(), 2);
}

// A10: the limit of an ordered queue is fixed.
UWQ_BODY(Ordered, T025_SetMaxActive, .schedules = 200) {
  Workqueue* const wq = env.Alloc("ordered", kOrderedFlags);
  core::SetMaxActive(wq, 4);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kOrderedMaxActive);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find("ordered"), std::string::npos) << texts[0];
  Gate gate;
  Crowd crowd;
  const auto body = [&] {
    crowd.Enter();
    gate.Pass();
    crowd.Leave();
  };
  Item a(body), b(body), c(body);
  for (Item* item : {&a, &b, &c}) EXPECT_TRUE(env.Queue(wq, *item));
  gate.AwaitArrivals();
  Settle();
  EXPECT_EQ(crowd.inside(), 1);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(crowd.max(), 1);
}

// O1, U4: new attributes under load: nothing overtakes.
UWQ_BODY(Ordered, T026_AttributesUnderLoad, .schedules = 5000, .repeat = 20) {
  Workqueue* const wq = env.Alloc("ordered", kOrderedFlags);
  Gate gate;
  Log order;
  Crowd crowd;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 6; ++i) {
    items.push_back(std::make_unique<Item>([&, i] {
      crowd.Enter();
      if (i == 0) gate.Pass();
      order.Add(i);
      crowd.Leave();
    }));
  }
  EXPECT_TRUE(env.Queue(wq, *items[0]));
  gate.AwaitArrivals();
  for (int i = 1; i <= 2; ++i) EXPECT_TRUE(env.Queue(wq, *items[i]));
  core::WorkqueueAttrs attrs;
  attrs.nice = 5;
  attrs.ordered = true;
  EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
  for (int i = 3; i <= 5; ++i) EXPECT_TRUE(env.Queue(wq, *items[i]));
  Settle();
  EXPECT_EQ(order.size(), 0u);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(order.ids(), UpTo(6));
  EXPECT_EQ(crowd.max(), 1);
}

// The same with `ordered` forgotten: the kernel's order breaks, ours reports and holds.
UWQ_BODY(Ordered, T026_OrderedForgotten, .schedules = 300) {
  Workqueue* const wq = env.Alloc("ordered", kOrderedFlags);
  Gate gate;
  Log order;
  Item a([&] {
    gate.Pass();
    order.Add(0);
  });
  Item b([&] { order.Add(1); });
  EXPECT_TRUE(env.Queue(wq, a));
  gate.AwaitArrivals();
  core::WorkqueueAttrs attrs;
  attrs.nice = 5;
  EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
  EXPECT_EQ(env.Reports(ReportKind::kOrderedAttrs), 1);
  EXPECT_TRUE(env.Queue(wq, b));
  Settle();
  EXPECT_EQ(order.size(), 0u);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(order.ids(), UpTo(2));
}

// O1, F6: who flushes a later item waits for the earlier ones as well.
UWQ_BODY(Ordered, T029_FlushLaterWaitsEarlier, .schedules = 3000) {
  Workqueue* const wq = env.Alloc("ordered", kOrderedFlags);
  Item a([] { Sleep(3 * kMillisecond); }), b;
  EXPECT_TRUE(env.Queue(wq, a));
  EXPECT_TRUE(env.Queue(wq, b));
  EXPECT_TRUE(core::FlushWork(b) || b.runs() == 1);
  EXPECT_EQ(a.runs(), 1);
  EXPECT_EQ(a.running(), 0);
  FlushWorkqueue(wq);
}

// 1.10: the flags of the create_*workqueue() family.
UWQ_BODY(Ordered, T030_LegacyCreators, .schedules = 100) {
  const unsigned legacy = core::kWqLegacy | core::kWqMemReclaim;
  Workqueue* const single = env.Alloc("single", legacy | kOrderedFlags, 1);
  EXPECT_TRUE(single->ordered());
  EXPECT_NE(single->rescuer, nullptr);
  Workqueue* const freezable =
      env.Alloc("freezable", legacy | core::kWqFreezable | core::kWqUnbound, 1);
  EXPECT_FALSE(freezable->ordered());
  EXPECT_EQ(freezable->max_active.load(), 1);
  Workqueue* const plain = env.Alloc("plain", legacy | core::kWqPercpu, 1);
  EXPECT_FALSE(plain->ordered());
  EXPECT_EQ(plain->max_active.load(), 1);
  EXPECT_NE(plain->rescuer, nullptr);
}

UWQ_ON_ALL_KINDS(Order);

// O2: a self-requeue, and a cancel followed by a queueing, go to the tail.
UWQ_BODY_ON_KINDS(Order, O2_RequeueGoesToTheTail, .schedules = 3000) {
  Workqueue* const wq = env.Make(kind, 1);
  Gate gate;
  Log order;
  Item a, b([&] { order.Add(2); }), c([&] { order.Add(3); });
  bool first = true;
  a.set_body([&] {
    if (!first) {
      order.Add(1);
      return;
    }
    first = false;
    gate.Pass();
    EXPECT_TRUE(env.Queue(wq, a));
  });
  EXPECT_TRUE(env.Queue(wq, a));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, b));
  EXPECT_TRUE(env.Queue(wq, c));
  EXPECT_TRUE(core::CancelWork(b));
  EXPECT_TRUE(env.Queue(wq, b));
  gate.Open();
  core::DrainWorkqueue(wq);
  EXPECT_EQ(order.ids(), (std::vector<int>{3, 2, 1}));
}

// O3: inactive items are activated first in, first out, and a newcomer stays behind
// them though the limit has been raised.
UWQ_BODY_ON_KINDS(Order, O3_InactiveFifo, .schedules = 3000) {
  Workqueue* const wq = env.Make(kind, 1);
  Gate gate;
  Log order;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 5; ++i) {
    items.push_back(std::make_unique<Item>([&, i] {
      order.Add(i);
      if (i == 0) gate.Pass();
    }));
    EXPECT_TRUE(env.Queue(wq, *items[i]));
    if (i == 0) gate.AwaitArrivals();
  }
  EXPECT_TRUE(core::CancelWork(*items[2]));
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(order.ids(), (std::vector<int>{0, 1, 3, 4}));
}

// O5: a pool's list is FIFO over all queues that share it.  T121.
UWQ_BODY(Order, T121_FifoAcrossQueues, .schedules = 3000) {
  Workqueue* const a = env.Alloc("a", core::kWqPercpu);
  Workqueue* const b = env.Alloc("b", core::kWqPercpu);
  // The first item holds the pool's only running worker until all are queued.
  std::atomic<bool> all_queued{false};
  Log order;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 6; ++i) {
    items.push_back(std::make_unique<Item>([&, i] {
      order.Add(i);
      if (i == 0) AwaitTrue([&] { return all_queued.load(); });
    }));
    EXPECT_TRUE(env.Queue(i % 2 == 0 ? a : b, *items[i]));
  }
  all_queued = true;
  FlushWorkqueue(a);
  FlushWorkqueue(b);
  EXPECT_EQ(order.ids(), UpTo(6));
}

}  // namespace uwq::conformance
