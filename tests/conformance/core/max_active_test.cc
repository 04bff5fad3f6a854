// SPDX-License-Identifier: BSD-3-Clause
//
// max_active_test.cc -- section 5.9: limits (A*).  T109 at random: storm_test.cc.
#include "tests/conformance/core/env.h"
#include "workqueue/core/dump.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::QueueWorkOn;
using core::Workqueue;

// Items that gather in a crowd at a gate.
class Gathering {
 public:
  Gathering(int n, Gate* gate) : gate_(gate) {
    for (int i = 0; i < n; ++i) {
      items_.push_back(std::make_unique<Item>([this, i] {
        crowd_.Enter();
        order_.Add(i);
        gate_->Pass();
        crowd_.Leave();
      }));
    }
  }
  Item& operator[](int i) { return *items_[i]; }
  Crowd& crowd() { return crowd_; }
  Log& order() { return order_; }

 private:
  Gate* const gate_;
  Crowd crowd_;
  Log order_;
  std::vector<std::unique_ptr<Item>> items_;
};

UWQ_ON_ALL_KINDS(MaxActive);

// A1, O3: per CPU two of six at once, started first in, first out.
UWQ_BODY(MaxActiveLimit, T105_PerCpuLimit, .schedules = 3000, .repeat = 10) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu, 2);
  Gate gate;
  Gathering g(6, &gate);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(QueueWorkOn(0, wq, g[i]));
  gate.AwaitArrivals(2);
  Settle();
  EXPECT_EQ(g.crowd().inside(), 2);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(g.crowd().max(), 2);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(g[i].runs(), 1);
}

// A1: the limit is per CPU: with 1 there are as many at once as CPUs.
UWQ_BODY(MaxActiveLimit, T105_OnePerCpu, .schedules = 2000, .cpus = 4) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu, 1);
  Gate gate;
  Gathering g(8, &gate);
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(QueueWorkOn(i % 4, wq, g[i]));
  gate.AwaitArrivals(4);
  Settle();
  EXPECT_EQ(g.crowd().inside(), 4);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(g.crowd().max(), 4);
}

// A1: an unbound queue's limit is the node's.
UWQ_BODY(MaxActiveLimit, T106_UnboundLimit, .schedules = 2000, .cpus = 4) {
  Workqueue* const wq = env.Alloc("unbound", core::kWqUnbound, 4);
  Gate gate;
  Gathering g(10, &gate);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(QueueWorkOn(i % 4, wq, g[i]));
  gate.AwaitArrivals(4);
  Settle();
  EXPECT_EQ(g.crowd().inside(), 4);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(g.crowd().max(), 4);
}

// 1.10: out of range is clamped, with a report that names queue and value.
UWQ_BODY(MaxActiveLimit, T108_Clamp, .schedules = 20) {
  EXPECT_EQ(env.Alloc("dfl", core::kWqPercpu, 0)->max_active.load(), 1024);
  EXPECT_EQ(env.Reports(ReportKind::kMaxActiveClamped), 0);
  EXPECT_EQ(env.Alloc("low", core::kWqPercpu, -3)->max_active.load(), 1);
  EXPECT_EQ(env.Alloc("high", core::kWqUnbound, 5000)->max_active.load(), 2048);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kMaxActiveClamped);
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_NE(texts[0].find("low"), std::string::npos) << texts[0];
  EXPECT_NE(texts[0].find("-3"), std::string::npos) << texts[0];
  EXPECT_NE(texts[1].find("5000"), std::string::npos) << texts[1];
  Workqueue* const wq = env.Alloc("later", core::kWqPercpu, 7);
  core::SetMaxActive(wq, 0);
  EXPECT_EQ(wq->max_active.load(), 1);
  core::SetMaxActive(wq, 1000000);
  EXPECT_EQ(wq->max_active.load(), 2048);
  EXPECT_EQ(env.Reports(ReportKind::kMaxActiveClamped), 4);
}

// A2: congestion is visible, and ends.
UWQ_BODY_ON_KINDS(MaxActive, T110_Congested, .schedules = 2000) {
  Workqueue* const wq = env.Make(kind, 1);
  Gate gate;
  Item a([&] { gate.Pass(); }), b;
  EXPECT_FALSE(core::WorkqueueCongested(0, wq));
  EXPECT_TRUE(env.Queue(wq, a));
  gate.AwaitArrivals();
  EXPECT_FALSE(core::WorkqueueCongested(0, wq));
  EXPECT_TRUE(env.Queue(wq, b));
  EXPECT_TRUE(core::WorkqueueCongested(0, wq));
  if (kind == Kind::kPerCpu) {
    EXPECT_FALSE(core::WorkqueueCongested(1, wq));
  }
  gate.Open();
  core::DrainWorkqueue(wq);
  EXPECT_FALSE(core::WorkqueueCongested(0, wq));
  (void)core::WorkqueueCongested(core::kWorkCpuUnbound, wq);
  (void)core::WorkqueueCongested(99, wq);  // no such CPU: the local one
}

// A4, A5: a node's share of the limit, by its CPUs; at least min_active (8, or less
// if the limit is less), at most the limit.
UWQ_BODY(MaxActiveNodes, T111_Shares, .schedules = 50, .nodes = 2) {
  const struct {
    int max_active, from_both, from_one;
  } kRows[] = {
      {4, 8, 4},     // A6: the sum may exceed the limit
      {1, 2, 1},     //
      {64, 64, 32},  // A6: a node has its share only
      {20, 20, 10},  // ceil(20 * 2 / 4)
      {12, 16, 8},   // the floor of 8 on each
  };
  for (const auto& row : kRows) {
    for (const bool both : {true, false}) {
      Workqueue* const wq = env.Alloc("shares", core::kWqUnbound, row.max_active);
      const int expected = both ? row.from_both : row.from_one;
      Gate gate;
      Gathering g(expected + 6, &gate);
      for (int i = 0; i < expected + 6; ++i) {
        EXPECT_TRUE(QueueWorkOn(both ? i % 4 : i % 2, wq, g[i]));
      }
      gate.AwaitArrivals(expected);
      Settle();
      EXPECT_EQ(g.crowd().inside(), expected) << row.max_active << (both ? " both" : " one");
      gate.Open();
      FlushWorkqueue(wq);
      EXPECT_EQ(g.crowd().max(), expected);
      env.Destroy(wq);
    }
  }
}

// A5: min_active is the number of interdependent items that make progress on any node.
UWQ_BODY(MaxActiveNodes, T112_MinActive, .schedules = 100, .nodes = 2) {
  Workqueue* const wq = env.Alloc("interdependent", core::kWqUnbound, 20);
  core::SetMinActive(wq, 16);
  // 16 items that all must be inside before one may leave, from one node, whose
  // share would be 10.
  Gate gate;
  std::atomic<int> inside{0};
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 16; ++i) {
    items.push_back(std::make_unique<Item>([&] {
      if (++inside == 16) gate.Open();
      gate.Pass();
    }));
    EXPECT_TRUE(QueueWorkOn(i % 2, wq, *items.back()));
  }
  FlushWorkqueue(wq);
  for (auto& item : items) EXPECT_EQ(item->runs(), 1);
  // Out of range: clamped to 0..max_active.
  core::SetMinActive(wq, 1000);
  EXPECT_EQ(wq->min_active.load(), 20);
  core::SetMinActive(wq, -1);
  EXPECT_EQ(wq->min_active.load(), 0);
}

// A5: min_active is of unbound, unordered queues only.
UWQ_BODY(MaxActiveNodes, T112_MinActiveElsewhere, .schedules = 20) {
  Workqueue* const percpu = env.Make(Kind::kPerCpu);
  Workqueue* const ordered = env.Make(Kind::kOrdered);
  core::SetMinActive(percpu, 4);
  core::SetMinActive(ordered, 4);
  EXPECT_EQ(env.Reports(ReportKind::kUnboundOnly), 2);
}

// A7: raising the limit starts what waits at once; lowering it stops nobody.
UWQ_BODY_ON_KINDS(MaxActive, A7_RaiseAndLower, .schedules = 2000, .repeat = 10) {
  if (kind == Kind::kOrdered) return;  // A10: T025
  Workqueue* const wq = env.Make(kind, 1);
  Gate gate, gate2;
  Gathering g(4, &gate), h(2, &gate2);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(env.Queue(wq, g[i]));
  gate.AwaitArrivals(1);
  Settle();
  EXPECT_EQ(g.crowd().inside(), 1);
  core::SetMaxActive(wq, 4);
  gate.AwaitArrivals(4);
  core::SetMaxActive(wq, 1);
  EXPECT_EQ(g.crowd().inside(), 4);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(env.Queue(wq, h[i]));
  Settle();
  EXPECT_EQ(h.crowd().inside(), 0);
  gate.Open();
  gate2.AwaitArrivals(1);
  Settle();
  EXPECT_EQ(h.crowd().inside(), 1);
  gate2.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(h.crowd().max(), 1);
  env.ExpectIdle(wq);
}

// A8: the releaser of a slot serves the next place in line, in another pool.
UWQ_BODY(
    MaxActiveNodes, A8_LineOverPools, .schedules = 10000, .repeat = 50,
    .tune = [](core::RuntimeOptions* o) { o->default_affn_scope = core::AffnScope::kCpu; }) {
  Workqueue* const wq = env.Alloc("one", core::kWqUnbound, 1);
  Crowd crowd;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 6; ++i) {
    items.push_back(std::make_unique<Item>([&] {
      crowd.Enter();
      Step();
      crowd.Leave();
    }));
    EXPECT_TRUE(QueueWorkOn(i % 2, wq, *items.back()));
  }
  FlushWorkqueue(wq);
  EXPECT_EQ(crowd.max(), 1);
  for (auto& item : items) EXPECT_EQ(item->runs(), 1);
  env.ExpectIdle(wq);
}

// A9 with few preemptions: the releaser sees the waiter, or the waiter the lower count.
UWQ_BODY(
    MaxActiveNodes, A9_NoLostActivation, .exhaustive = true, .preemptions = 0, .schedules = 60000,
    .repeat = 200,
    .tune = [](core::RuntimeOptions* o) { o->default_affn_scope = core::AffnScope::kCpu; }) {
  Workqueue* const wq = env.Alloc("one", core::kWqUnbound, 1);
  Item a, b;
  EXPECT_TRUE(QueueWorkOn(0, wq, a));
  EXPECT_TRUE(QueueWorkOn(1, wq, b));
  FlushWorkqueue(wq);
  EXPECT_EQ(a.runs(), 1);
  EXPECT_EQ(b.runs(), 1);
}

}  // namespace uwq::conformance
