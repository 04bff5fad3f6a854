// SPDX-License-Identifier: BSD-3-Clause
//
// freeze_bh_attrs_test.cc -- section 5.11 without the rescuer (tests/fault): freezing
// (Z*), BH queues (B*), attributes and flags (U*, 1.3, 1.4).
#include "tests/conformance/core/env.h"
#include "tests/sim/history.h"
#include "workqueue/core/dump.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::QueueWorkOn;
using core::Workqueue;

UWQ_ON_ALL_KINDS(Freeze);

// Z1, Z2, Z4: active items finish, new and inactive ones wait, queueing says true; a
// thaw starts them in queueing order.
UWQ_BODY_ON_KINDS(Freeze, Z1_FreezeAndThaw, .schedules = 3000, .repeat = 10) {
  Workqueue* const wq = env.Make(kind, 1, core::kWqFreezable);
  Workqueue* const plain = env.Make(kind, 1);
  Gate gate;
  Log order;
  Item a([&] {
    order.Add(0);
    gate.Pass();
  });
  Item b([&] { order.Add(1); }), c([&] { order.Add(2); }), other;
  EXPECT_TRUE(env.Queue(wq, a));
  EXPECT_TRUE(env.Queue(wq, b));
  gate.AwaitArrivals();
  env.runtime()->FreezeBegin();
  EXPECT_TRUE(env.runtime()->FreezeBusy());
  EXPECT_TRUE(env.Queue(wq, c));
  EXPECT_TRUE(env.Queue(plain, other));  // not freezable: goes on
  FlushWorkqueue(plain);
  EXPECT_EQ(other.runs(), 1);
  gate.Open();
  AwaitTrue([&] { return !env.runtime()->FreezeBusy(); });
  EXPECT_EQ(order.ids(), (std::vector<int>{0}));
  env.runtime()->Thaw();
  FlushWorkqueue(wq);
  EXPECT_EQ(order.ids(), (std::vector<int>{0, 1, 2}));
  EXPECT_FALSE(env.runtime()->FreezeBusy());
}

// Z3: frozen items can be cancelled.
UWQ_BODY_ON_KINDS(Freeze, Z3_CancelFrozen, .schedules = 2000) {
  Workqueue* const wq = env.Make(kind, 0, core::kWqFreezable);
  env.runtime()->FreezeBegin();
  Item a, b;
  EXPECT_TRUE(env.Queue(wq, a));
  EXPECT_TRUE(env.Queue(wq, b));
  EXPECT_TRUE(core::CancelWork(a));
  EXPECT_TRUE(core::CancelWorkSync(b));
  EXPECT_TRUE(env.Queue(wq, b));
  env.runtime()->Thaw();
  FlushWorkqueue(wq);
  EXPECT_EQ(a.runs(), 0);
  EXPECT_EQ(b.runs(), 1);
}

// Z5: a limit set while frozen takes effect at the thaw.  T128.
UWQ_BODY_ON_KINDS(Freeze, T128_LimitWhileFrozen, .schedules = 1000) {
  if (kind == Kind::kOrdered) return;  // its limit is fixed
  Workqueue* const wq = env.Make(kind, 1, core::kWqFreezable);
  env.runtime()->FreezeBegin();
  core::SetMaxActive(wq, 3);
  EXPECT_EQ(wq->max_active.load(), 0);
  Gate gate;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 4; ++i) {
    items.push_back(std::make_unique<Item>([&] { gate.Pass(); }));
    EXPECT_TRUE(env.Queue(wq, *items.back()));
  }
  env.runtime()->Thaw();
  EXPECT_EQ(wq->max_active.load(), 3);
  gate.AwaitArrivals(3);
  Settle();
  EXPECT_EQ(gate.arrivals(), 3);
  gate.Open();
  FlushWorkqueue(wq);
}

// Z1: a queue made while the freeze is on is frozen as well.
UWQ_BODY_ON_KINDS(Freeze, Z1_MadeWhileFrozen, .schedules = 1000) {
  env.runtime()->FreezeBegin();
  env.runtime()->FreezeBegin();  // twice is once
  Workqueue* const wq = env.Make(kind, 0, core::kWqFreezable);
  Item a;
  EXPECT_TRUE(env.Queue(wq, a));
  Settle();
  EXPECT_EQ(a.runs(), 0);
  env.runtime()->Thaw();
  FlushWorkqueue(wq);
  EXPECT_EQ(a.runs(), 1);
}

// --- BH -----------------------------------------------------------------------------------

// B1, B2, B4: one at a time per CPU and priority, in queueing order; no current_work().
UWQ_BODY(Bh, B1_OneAtATime, .schedules = 5000, .repeat = 20) {
  Workqueue* const bh = env.Alloc("bh", core::kWqBh);
  Workqueue* const high = env.Alloc("bh_high", core::kWqBh | core::kWqHighpri);
  Crowd crowd;
  Log order;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 4; ++i) {
    items.push_back(std::make_unique<Item>([&, i] {
      crowd.Enter();
      EXPECT_EQ(core::CurrentWork(), nullptr);
      order.Add(i);
      Step();
      crowd.Leave();
    }));
    EXPECT_TRUE(QueueWorkOn(0, bh, *items.back()));
  }
  int ran_on = -1;
  Item urgent([&] { ran_on = CurrentPoolCpu(); });
  EXPECT_TRUE(QueueWorkOn(1, high, urgent));
  FlushWorkqueue(high);
  EXPECT_EQ(ran_on, 1);
  FlushWorkqueue(bh);
  EXPECT_EQ(order.ids(), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(crowd.max(), 1);
}

// B2: flush, cancel and disable work on BH items.
UWQ_BODY(Bh, T129_ContextAndCalls, .schedules = 3000, .repeat = 10) {
  Workqueue* const bh = env.Alloc("bh", core::kWqBh);
  std::atomic<bool> go{false};
  Item slow([&] { AwaitTrue([&] { return go.load(); }); }), x;
  EXPECT_TRUE(env.Queue(bh, slow));
  AwaitTrue([&] { return slow.running() == 1; });
  EXPECT_TRUE(env.Queue(bh, x));
  EXPECT_TRUE(core::CancelWork(x));
  EXPECT_TRUE(env.Queue(bh, x));
  EXPECT_TRUE(core::DisableWork(x));
  EXPECT_FALSE(env.Queue(bh, x));
  EXPECT_TRUE(core::EnableAndQueueWork(bh, x));
  go = true;
  EXPECT_TRUE(core::FlushWork(x) || x.runs() == 1);
  EXPECT_EQ(x.runs(), 1);
  EXPECT_FALSE(core::CancelWorkSync(slow));
}

// C10: cancel_sync counts as sleeping even on an idle item, but not on a BH item.
UWQ_BODY(Bh, C10_CancelSyncMaySleep, .schedules = 50) {
  Workqueue* const bh = env.Alloc("bh", core::kWqBh);
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  Item idle, other, x([&] {
    if (x.runs() == 1) {
      EXPECT_FALSE(core::CancelWorkSync(other));
    } else {
      EXPECT_FALSE(core::CancelWorkSync(idle));
    }
  });
  EXPECT_TRUE(env.Queue(bh, other));
  EXPECT_TRUE(env.Queue(wq, idle));
  FlushWorkqueue(bh);
  FlushWorkqueue(wq);
  EXPECT_TRUE(env.Queue(bh, x));
  FlushWorkqueue(bh);
  EXPECT_EQ(core::ReportCount(ReportKind::kSleepInBh), 0);
  EXPECT_TRUE(env.Queue(bh, x));
  FlushWorkqueue(bh);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kSleepInBh);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find("cancel_work_sync may sleep"), std::string::npos) << texts[0];
}

// B2: what may sleep is reported.
UWQ_BODY(Bh, T129_SleepIsReported, .schedules = 50) {
  Workqueue* const bh = env.Alloc("bh", core::kWqBh);
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  Item idle, x([&] {
    core::MightSleep("my_mutex_lock");
    (void)core::FlushWork(idle);  // B3
    FlushWorkqueue(wq);
  });
  EXPECT_TRUE(env.Queue(bh, x));
  FlushWorkqueue(bh);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kSleepInBh);
  ASSERT_EQ(texts.size(), 1u);  // once for the function
  EXPECT_EQ(core::ReportCount(ReportKind::kSleepInBh), 3);
  EXPECT_NE(texts[0].find("my_mutex_lock"), std::string::npos) << texts[0];
  // Elsewhere the same calls are in order.
  core::MightSleep("anything");
  EXPECT_TRUE(env.Queue(wq, idle));
  FlushWorkqueue(wq);
  EXPECT_EQ(env.Reports(ReportKind::kSleepInBh), 1);
}

// 1.4: what may accompany WQ_BH.
UWQ_BODY(Bh, T130_AllocationRules, .schedules = 20) {
  const auto refused = [&](unsigned flags, int max_active) {
    const auto wq =
        core::AllocWorkqueue(env.runtime(), {"bad_bh", core::kWqBh | flags, max_active});
    EXPECT_EQ(wq.status().code(), absl::StatusCode::kInvalidArgument) << flags;
    EXPECT_NE(wq.status().message().find("bad_bh"), absl::string_view::npos);
  };
  refused(0, 1);
  refused(core::kWqUnbound, 0);
  refused(core::kWqMemReclaim, 0);
  refused(core::kWqFreezable, 0);
  refused(core::kWqCpuIntensive, 0);
  refused(core::kWqOrdered, 0);
  EXPECT_EQ(env.Reports(ReportKind::kBadFlags), 2);  // one for the limit, one for the flags
  EXPECT_EQ(core::ReportCount(ReportKind::kBadFlags), 6);
  Workqueue* const good = env.Alloc("good", core::kWqBh | core::kWqHighpri | core::kWqPercpu);
  core::SetMaxActive(good, 5);
  EXPECT_EQ(env.Reports(ReportKind::kOrderedMaxActive), 1);
}

// B2: cancel_sync of another CPU's BH item inside a BH item is allowed.
UWQ_BODY(Bh, T131_CancelFromBh, .schedules = 5000, .repeat = 20) {
  Workqueue* const bh = env.Alloc("bh", core::kWqBh);
  std::atomic<bool> go{false};
  Item victim([&] { AwaitTrue([&] { return go.load(); }); });
  Item canceler([&] {
    go = true;
    EXPECT_FALSE(core::CancelWorkSync(victim));
    EXPECT_EQ(victim.running(), 0);
  });
  EXPECT_TRUE(QueueWorkOn(1, bh, victim));
  AwaitTrue([&] { return victim.running() == 1; });
  EXPECT_TRUE(QueueWorkOn(0, bh, canceler));
  FlushWorkqueue(bh);
  EXPECT_EQ(canceler.runs(), 1);
}

// --- Attributes and flags -----------------------------------------------------------------

// 1.13: per-CPU queues have none, and bad values are named.
UWQ_BODY(Attributes, T132_Refusals, .schedules = 20) {
  Workqueue* const percpu = env.Make(Kind::kPerCpu);
  Workqueue* const unbound = env.Make(Kind::kUnbound);
  const auto refused = [](Workqueue* wq, const core::WorkqueueAttrs& attrs, const char* what) {
    const absl::Status status = core::ApplyWorkqueueAttrs(wq, attrs);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << what;
    EXPECT_NE(status.message().find(what), absl::string_view::npos) << status.message();
    EXPECT_NE(status.message().find(wq->name), absl::string_view::npos) << status.message();
  };
  core::WorkqueueAttrs attrs;
  refused(percpu, attrs, "per-CPU");
  EXPECT_EQ(env.Reports(ReportKind::kUnboundOnly), 1);
  attrs.nice = 20;
  refused(unbound, attrs, "20");
  attrs.nice = -21;
  refused(unbound, attrs, "-21");
  attrs.nice = 0;
  attrs.affn_scope = static_cast<core::AffnScope>(77);
  refused(unbound, attrs, "77");
  attrs.affn_scope = static_cast<core::AffnScope>(-1);
  refused(unbound, attrs, "-1");
  attrs.affn_scope = core::AffnScope::kDefault;
  attrs.cpumask.set(1);
  attrs.cpumask.set(900);
  refused(unbound, attrs, "900");
  // Nothing of that has touched the queue.
  Item x;
  EXPECT_TRUE(env.Queue(unbound, x));
  FlushWorkqueue(unbound);
  EXPECT_EQ(x.runs(), 1);
}

// U1: queues of equal attributes share pools, others do not.
UWQ_BODY(Attributes, U1_PoolsAreShared, .schedules = 200) {
  int pool[4] = {};
  Workqueue* const a = env.Alloc("a", core::kWqUnbound);
  Workqueue* const b = env.Alloc("b", core::kWqUnbound);
  const auto pool_of = [&](Workqueue* wq, int* id) {
    Item x([id] { *id = CurrentPoolId(); });
    EXPECT_TRUE(env.Queue(wq, x));
    FlushWorkqueue(wq);
  };
  pool_of(a, &pool[0]);
  pool_of(b, &pool[1]);
  EXPECT_EQ(pool[0], pool[1]);
  core::WorkqueueAttrs attrs;
  attrs.nice = 7;
  EXPECT_TRUE(core::ApplyWorkqueueAttrs(b, attrs).ok());
  pool_of(b, &pool[2]);
  EXPECT_NE(pool[0], pool[2]);
  EXPECT_TRUE(core::ApplyWorkqueueAttrs(a, attrs).ok());
  pool_of(a, &pool[3]);
  EXPECT_EQ(pool[2], pool[3]);
}

// U3: an intersection with the unbound mask that is empty means the whole mask.
UWQ_BODY(
    Attributes, U3_EffectiveMask, .schedules = 200, .cpus = 4, .tune = [](core::RuntimeOptions* o) {
      o->unbound_cpus.set(0);
      o->unbound_cpus.set(1);
    }) {
  Workqueue* const wq = env.Alloc("masked", core::kWqUnbound);
  const auto cpus_of_pool = [&] {
    std::string cpus;
    Item x([&] { cpus = core::FormatCpuMask(core::CurrentWorker()->pool->attrs.cpumask); });
    EXPECT_TRUE(QueueWorkOn(3, wq, x));
    FlushWorkqueue(wq);
    return cpus;
  };
  EXPECT_EQ(cpus_of_pool(), "0-1");
  core::WorkqueueAttrs attrs;
  attrs.cpumask.set(1);
  attrs.cpumask.set(2);
  EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
  EXPECT_EQ(cpus_of_pool(), "1");
  attrs.cpumask.reset();
  attrs.cpumask.set(3);
  EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
  EXPECT_EQ(cpus_of_pool(), "0-1");
  // Q6: without a CPU the caller's is taken if the mask allows it.
  Item x;
  EXPECT_TRUE(core::QueueWork(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// U4, N1, T133: attributes change all the time under load; T133 of one item is in
// nonreentrance_test.cc, this one loses and duplicates none of many.
UWQ_BODY(Attributes, T133_SwitchUnderLoad, .schedules = 10000, .repeat = 1) {
  Workqueue* const wq = env.Alloc("switched", core::kWqUnbound, 2);
  sim::History history;
  constexpr int kItems = 3;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < kItems; ++i) {
    items.push_back(std::make_unique<Item>([&, i] { history.Run(i, [] { Step(); }); }));
  }
  env.Spawn([&] {
    for (int i = 0; i < Rounds(100, 3); ++i) {
      core::WorkqueueAttrs attrs;
      attrs.nice = Choose(3);
      attrs.affn_scope = Choose(2) == 0 ? core::AffnScope::kCpu : core::AffnScope::kSystem;
      EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
    }
  });
  for (int i = 0; i < Rounds(10000, 6); ++i) {
    const int id = Choose(kItems);
    history.Queue(id, [&] { return QueueWorkOn(Choose(2), wq, *items[id]); });
    if (Choose(4) == 0) {
      history.CancelSync(id, [&] { return core::CancelWorkSync(*items[id]); });
    }
  }
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(history.Check(), "");
  env.ExpectIdle(wq);
}

// 1.4: one of PERCPU and UNBOUND; the odd cases as in the kernel.
UWQ_BODY(Attributes, T134_FlagsCheck, .schedules = 20) {
  Workqueue* const neither = env.Alloc("neither", 0);
  EXPECT_FALSE(neither->unbound());
  EXPECT_TRUE(neither->HasFlag(core::kWqPercpu));
  Workqueue* const both = env.Alloc("both", core::kWqPercpu | core::kWqUnbound);
  EXPECT_TRUE(both->unbound());
  EXPECT_FALSE(both->HasFlag(core::kWqPercpu));
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kBadFlags);
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_NE(texts[0].find("neither"), std::string::npos) << texts[0];
  EXPECT_NE(texts[1].find("both"), std::string::npos) << texts[1];
  const auto unknown = core::AllocWorkqueue(env.runtime(), {"odd", 1u << 30, 0});
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(unknown.status().message().find("0x40000000"), absl::string_view::npos)
      << unknown.status().message();
}

// 1.4: POWER_EFFICIENT is per-CPU, or unbound where the Runtime says so.
UWQ_BODY(Attributes, PowerEfficientOff, .schedules = 20) {
  EXPECT_FALSE(env.Alloc("pe", core::kWqPowerEfficient | core::kWqPercpu)->unbound());
}
UWQ_BODY(
    Attributes, PowerEfficientOn, .schedules = 20,
    .tune = [](core::RuntimeOptions* o) { o->power_efficient = true; }) {
  Workqueue* const wq = env.Alloc("pe", core::kWqPowerEfficient | core::kWqPercpu);
  EXPECT_TRUE(wq->unbound());
  EXPECT_FALSE(wq->HasFlag(core::kWqPercpu));
}

// 1.3: 31 characters of a name are kept, one report.
UWQ_BODY(Attributes, T135_NameTruncation, .schedules = 20) {
  const std::string name(46, 'n');
  EXPECT_EQ(std::string(env.Alloc(name, core::kWqPercpu)->name), name.substr(0, 31));
  EXPECT_EQ(std::string(env.Alloc(name, core::kWqPercpu)->name), name.substr(0, 31));
  EXPECT_EQ(env.Reports(ReportKind::kNameTruncated), 1);
  EXPECT_EQ(std::string(env.Alloc(name.substr(0, 31), core::kWqPercpu)->name), name.substr(0, 31));
  EXPECT_EQ(core::ReportCount(ReportKind::kNameTruncated), 2);
}

// 1.13: debug_force_rr_cpu takes the CPUs in turn.
UWQ_BODY(
    Attributes, ForceRoundRobin, .schedules = 50, .tune = [](core::RuntimeOptions* o) {
      o->debug_force_rr_cpu = true;
      o->default_affn_scope = core::AffnScope::kCpu;
    }) {
  Workqueue* const wq = env.Alloc("rr", core::kWqUnbound);
  Log pools;
  for (int i = 0; i < 4; ++i) {
    Item x([&] { pools.Add(CurrentPoolId()); });
    EXPECT_TRUE(core::QueueWork(wq, x));
    FlushWorkqueue(wq);
  }
  EXPECT_NE(pools.ids()[0], pools.ids()[1]);
  EXPECT_EQ(pools.ids()[0], pools.ids()[2]);
  EXPECT_EQ(pools.ids()[1], pools.ids()[3]);
}

// 1.6: queue_work_node takes the node's CPU, and reports on a per-CPU queue.
UWQ_BODY(Attributes, QueueWorkNode, .schedules = 200, .nodes = 2, .cpus = 1) {
  Workqueue* const wq = env.Alloc("nodes", core::kWqUnbound);
  for (int node = 0; node < 2; ++node) {
    core::CpuMask pod;
    Item x([&] { pod = core::CurrentWorker()->pool->attrs.pod_mask; });
    EXPECT_TRUE(core::QueueWorkNode(node, wq, x));
    FlushWorkqueue(wq);
    EXPECT_EQ(core::FormatCpuMask(pod), std::to_string(node));
  }
  Item x;
  EXPECT_TRUE(core::QueueWorkNode(99, wq, x));  // no such node: any CPU
  FlushWorkqueue(wq);
  EXPECT_EQ(env.Reports(ReportKind::kUnboundOnly), 0);
  Workqueue* const percpu = env.Alloc("percpu", core::kWqPercpu);
  EXPECT_TRUE(core::QueueWorkNode(0, percpu, x));
  FlushWorkqueue(percpu);
  EXPECT_EQ(env.Reports(ReportKind::kUnboundOnly), 1);
  EXPECT_EQ(x.runs(), 2);
}

// 1.12: the system queues, their names and flags.
UWQ_BODY(Attributes, SystemQueues, .schedules = 5) {
  const struct {
    core::SystemWq which;
    const char* name;
    unsigned flags;
    int max_active;
  } kRows[] = {
      {core::SystemWq::kPercpu, "events", core::kWqPercpu, 1024},
      {core::SystemWq::kHighpri, "events_highpri", core::kWqPercpu | core::kWqHighpri, 1024},
      {core::SystemWq::kLong, "events_long", core::kWqPercpu, 1024},
      {core::SystemWq::kDfl, "events_unbound", core::kWqUnbound, 2048},
      {core::SystemWq::kDflLong, "events_dfl_long", core::kWqUnbound, 2048},
      {core::SystemWq::kFreezable, "events_freezable", core::kWqPercpu | core::kWqFreezable, 1024},
      {core::SystemWq::kPowerEfficient, "events_power_efficient",
       core::kWqPercpu | core::kWqPowerEfficient, 1024},
      {core::SystemWq::kFreezablePowerEfficient, "events_freezable_pwr_efficient",
       core::kWqPercpu | core::kWqFreezable | core::kWqPowerEfficient, 1024},
      {core::SystemWq::kBh, "events_bh", core::kWqBh | core::kWqPercpu, -1},
      {core::SystemWq::kBhHighpri, "events_bh_highpri",
       core::kWqBh | core::kWqPercpu | core::kWqHighpri, -1},
  };
  for (const auto& row : kRows) {
    Workqueue* const wq = env.runtime()->System(row.which);
    ASSERT_NE(wq, nullptr);
    EXPECT_EQ(wq, env.runtime()->System(row.which));
    EXPECT_STREQ(wq->name, row.name);
    EXPECT_EQ(wq->flags.load() & core::kWqPublicFlags, row.flags) << row.name;
    if (row.max_active > 0) {
      EXPECT_EQ(wq->max_active.load(), row.max_active) << row.name;
    }
  }
  // The deprecated names are queues of their own that say so once.
  Item x;
  EXPECT_TRUE(env.Queue(env.runtime()->System(core::SystemWq::kWq), x));
  (void)core::CancelWorkSync(x);
  EXPECT_TRUE(env.Queue(env.runtime()->System(core::SystemWq::kWq), x));
  (void)core::CancelWorkSync(x);
  EXPECT_EQ(env.Reports(ReportKind::kDeprecatedQueue), 1);
}

}  // namespace uwq::conformance
