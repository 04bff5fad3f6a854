// SPDX-License-Identifier: BSD-3-Clause
//
// cancel_test.cc -- section 5.5: what cancelling promises (C*).
#include <string.h>

#include "tests/conformance/core/env.h"

namespace uwq::conformance {

using core::CancelWork;
using core::CancelWorkSync;
using core::FlushWorkqueue;
using core::QueueWorkOn;
using core::Workqueue;

UWQ_ON_ALL_KINDS(Cancel);

// True once a cancel_sync or disable has closed the item's gate (C3).
bool GateClosed(core::WorkItem* work) {
  const core::Word word = core::LoadWord(work);
  return !core::OnList(word) && core::DisableDepthOf(word) > 0;
}

// C1: only running: waits, and returns false.
UWQ_BODY_ON_KINDS(Cancel, T052_RunningOnly, .schedules = 5000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Item x([&] { gate.Pass(); });
  EXPECT_TRUE(env.Queue(wq, x));
  gate.AwaitArrivals();
  std::atomic<bool> returned{false};
  env.Spawn([&] {
    EXPECT_FALSE(CancelWorkSync(x));
    EXPECT_EQ(x.running(), 0);
    returned = true;
  });
  AwaitTrue([&] { return GateClosed(x); });
  Settle();
  EXPECT_FALSE(returned);
  gate.Open();
  env.Join();
  EXPECT_EQ(x.runs(), 1);
}

// C1: pending: taken off, never runs.  C6: its slot and its flushers are settled.
UWQ_BODY_ON_KINDS(Cancel, T053_Pending, .schedules = 3000) {
  Workqueue* const wq = env.Make(kind, 1);
  Gate gate;
  Item blocker([&] { gate.Pass(); }), x;
  EXPECT_TRUE(env.Queue(wq, blocker));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, x));
  EXPECT_TRUE(CancelWork(x));
  EXPECT_FALSE(CancelWork(x));
  EXPECT_EQ(x.busy(), 0u);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 0);
  env.ExpectIdle(wq);
}

// C1, Q1: queue, cancel and run race for one item: accepted = runs + cancels.
UWQ_BODY_ON_KINDS(Cancel, T053_BalanceOfARace, .exhaustive = true, .schedules = 20000,
                  .repeat = 300, .cpus = 1) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  std::atomic<int> accepted{0}, cancelled{0};
  env.Spawn([&] { cancelled += CancelWork(x); });
  accepted += env.Queue(wq, x);
  accepted += env.Queue(wq, x);
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(accepted.load(), x.runs() + cancelled.load());
  EXPECT_LE(x.max_running(), 1);
  env.ExpectIdle(wq);
}

// C2 under a race, with few preemptions: after cancel_sync the item may be freed.
UWQ_BODY_ON_KINDS(Cancel, T066_FreeAfterCancelSync, .exhaustive = true, .schedules = 20000,
                  .repeat = 1, .cpus = 1) {
  Workqueue* const wq = env.Make(kind);
  for (int i = 0; i < Rounds(3000, 1); ++i) {
    auto x = std::make_unique<Item>();
    const bool accepted = env.Queue(wq, x->raw());
    const bool cancelled = CancelWorkSync(*x);
    EXPECT_TRUE(accepted);
    EXPECT_EQ(x->runs() + cancelled, 1);
    memset(static_cast<void*>(x->raw()), 0, sizeof(core::WorkItem));
    core::InitWord(*x, &Item::Run);
  }
}

// C3, C2: while cancel_sync waits, every attempt to queue is refused, the function's
// own included; afterwards queueing works again.
UWQ_BODY_ON_KINDS(Cancel, T055_GateClosedMeanwhile, .schedules = 5000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  std::atomic<int> own{-1};
  Item x;
  x.set_body([&] {
    gate.Pass();
    if (own == -1) own = env.Queue(wq, x);
  });
  EXPECT_TRUE(env.Queue(wq, x));
  gate.AwaitArrivals();
  env.Spawn([&] { EXPECT_FALSE(CancelWorkSync(x)); });
  AwaitTrue([&] { return GateClosed(x); });
  EXPECT_FALSE(env.Queue(wq, x));
  gate.Open();
  env.Join();
  EXPECT_EQ(own.load(), 0);
  EXPECT_EQ(x.runs(), 1);
  EXPECT_EQ(x.busy(), 0u);
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 2);
}

// C2, D7: cancel_sync ends an item that requeues itself for ever, whenever it comes.
UWQ_BODY_ON_KINDS(Cancel, T046_EndlessRequeue, .schedules = 20000, .repeat = 50) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  int ended = 0;
  x.set_body([&] {
    // An unfair schedule may never let the canceler run: not quite for ever there.
    ended += (kSim && x.runs() > 20) || !env.Queue(wq, x);
  });
  EXPECT_TRUE(env.Queue(wq, x));
  AwaitTrue([&] { return x.runs() > 2; });
  const bool was_pending = CancelWorkSync(x);
  const int runs = x.runs();
  EXPECT_EQ(was_pending + ended, 1);  // it was taken off the list, or refused
  Settle();
  EXPECT_EQ(x.runs(), runs);
  EXPECT_EQ(x.busy(), 0u);
}

// C4: two at once on a running and pending item: one true, both wait for the run.
UWQ_BODY_ON_KINDS(Cancel, T056_TwoCancelSync, .schedules = 8000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Item x([&] { gate.Pass(); });
  EXPECT_TRUE(env.Queue(wq, x));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, x));
  std::atomic<int> trues{0}, returned{0};
  for (int i = 0; i < 2; ++i) {
    env.Spawn([&] {
      trues += CancelWorkSync(x);
      EXPECT_EQ(x.running(), 0);
      ++returned;
    });
  }
  AwaitTrue([&] { return GateClosed(x); });
  Settle();
  EXPECT_EQ(returned.load(), 0);
  gate.Open();
  env.Join();
  EXPECT_EQ(trues.load(), 1);
  EXPECT_EQ(x.runs(), 1);
}

// F11, L6: cancel_sync from the item's own function: reported, not entered, and the item
// stays usable.
UWQ_BODY_ON_KINDS(Cancel, T058_SelfCancelSync, .schedules = 200) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  std::atomic<int> result{-1};
  x.set_body([&] { result = CancelWorkSync(x); });
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(result.load(), 0);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kSelfFlush);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find("cancel_work_sync"), std::string::npos) << texts[0];
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 2);
}

// C5: plain cancel from inside is legal: false, or true after a self-requeue.
UWQ_BODY_ON_KINDS(Cancel, C5_SelfCancel, .schedules = 2000) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  int idle = -1, requeued = -1;
  x.set_body([&] {
    idle = CancelWork(x);
    EXPECT_TRUE(env.Queue(wq, x));
    requeued = CancelWork(x);
  });
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(idle, 0);
  EXPECT_EQ(requeued, 1);
  EXPECT_EQ(x.runs(), 1);
}

// C6: cancelling an inactive item leaves the limit and the others as they should be.
UWQ_BODY_ON_KINDS(Cancel, T059_SlotRelease, .schedules = 5000, .repeat = 1) {
  Workqueue* const wq = env.Make(kind, 1);
  for (int i = 0; i < Rounds(300, 2); ++i) {
    Gate gate;
    Item a([&] { gate.Pass(); }), b, c;
    EXPECT_TRUE(env.Queue(wq, a));
    gate.AwaitArrivals();
    EXPECT_TRUE(env.Queue(wq, b));
    EXPECT_TRUE(env.Queue(wq, c));
    EXPECT_TRUE(CancelWork(b));
    gate.Open();
    FlushWorkqueue(wq);
    EXPECT_EQ(b.runs(), 0);
    EXPECT_EQ(c.runs(), 1);
    env.ExpectIdle(wq);
  }
}

// C6: cancelling an active item that has not started lets the next one in.
UWQ_BODY(CancelActive, T059_ActiveNotStarted, .schedules = 5000, .repeat = 20) {
  // The pool's only running worker is held by another queue's item, which does not
  // block, so that `b` is active and waits on the pool's list.
  Workqueue* const holder = env.Alloc("holder", core::kWqPercpu);
  Workqueue* const wq = env.Alloc("limited", core::kWqPercpu, 1);
  std::atomic<bool> started{false}, go{false};
  Item h([&] {
    started = true;
    AwaitTrue([&] { return go.load(); });
  });
  Item b, c;
  EXPECT_TRUE(env.Queue(holder, h));
  AwaitTrue([&] { return started.load(); });
  EXPECT_TRUE(env.Queue(wq, b));
  EXPECT_TRUE(env.Queue(wq, c));
  EXPECT_TRUE(core::WorkqueueCongested(0, wq));
  EXPECT_TRUE(CancelWork(b));
  EXPECT_FALSE(core::WorkqueueCongested(0, wq));  // c has the slot now
  go = true;
  FlushWorkqueue(wq);
  FlushWorkqueue(holder);
  EXPECT_EQ(b.runs(), 0);
  EXPECT_EQ(c.runs(), 1);
  env.ExpectIdle(wq);
}

// C7: cancel_sync keeps the user's disable depth.
UWQ_BODY_ON_KINDS(Cancel, T061_DepthPreserved, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  EXPECT_FALSE(core::DisableWork(x));
  EXPECT_FALSE(CancelWorkSync(x));
  EXPECT_FALSE(env.Queue(wq, x));
  EXPECT_FALSE(CancelWork(x));
  EXPECT_FALSE(env.Queue(wq, x));
  EXPECT_TRUE(core::EnableWork(x));
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// C8: an item queued on a second queue while it runs on the first: as in the kernel,
// cancel_sync does not see the first run any more; the queueing was reported (N3).
UWQ_BODY(CancelMigrated, T062_MigratedItem, .schedules = 200, .repeat = 5) {
  Workqueue* const a = env.Alloc("a", core::kWqPercpu);
  Workqueue* const b = env.Alloc("b", core::kWqPercpu, 1);
  Gate gate, gate_b;
  Item x([&] { gate.Pass(); }), blocker([&] { gate_b.Pass(); });
  EXPECT_TRUE(QueueWorkOn(1, b, blocker));
  gate_b.AwaitArrivals();
  EXPECT_TRUE(QueueWorkOn(0, a, x));
  gate.AwaitArrivals();
  EXPECT_TRUE(QueueWorkOn(1, b, x));
  EXPECT_EQ(env.Reports(ReportKind::kSecondQueue), 1);
  EXPECT_TRUE(CancelWorkSync(x));
  EXPECT_EQ(x.running(), 1);
  gate.Open();
  gate_b.Open();
  FlushWorkqueue(a);
  FlushWorkqueue(b);
  EXPECT_EQ(x.runs(), 1);
}

// C2: two items where one queues the other; cancelled in that order, neither runs.
UWQ_BODY_ON_KINDS(Cancel, T064_ProducerAndConsumer, .schedules = 8000, .repeat = 1) {
  Workqueue* const wq = env.Make(kind);
  for (int i = 0; i < Rounds(1000, 1); ++i) {
    Item b, a([&] { (void)env.Queue(wq, b); });
    EXPECT_TRUE(env.Queue(wq, a));
    for (int spin = Choose(50); spin > 0 && !kSim; --spin) base::CpuRelax();
    (void)CancelWorkSync(a);
    (void)CancelWorkSync(b);
    EXPECT_EQ(a.busy(), 0u);
    EXPECT_EQ(b.busy(), 0u);
  }
}

// C9: nothing to wait for on an item that was never queued.
UWQ_BODY_ON_KINDS(Cancel, T065_NeverQueued, .schedules = 100) {
  Item x;
  EXPECT_FALSE(CancelWork(x));
  EXPECT_FALSE(CancelWorkSync(x));
  EXPECT_FALSE(core::FlushWork(x));
}

// S2: a canceler that meets the window "claimed, not yet placed" sleeps and is woken.
// (Random schedules with points after releases find the window often.)
UWQ_BODY_ON_KINDS(Cancel, S2_CancelInTheClaimWindow, .schedules = 30000, .repeat = 300) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  std::atomic<int> accepted{0}, cancelled{0};
  env.Spawn([&] { accepted += QueueWorkOn(1, wq, x); });
  env.Spawn([&] { cancelled += CancelWorkSync(x); });
  env.Spawn([&] { cancelled += CancelWork(x); });
  accepted += QueueWorkOn(0, wq, x);
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(accepted.load(), x.runs() + cancelled.load());
}

// C1, Q1: reference counting by return values: get; if (!queue) put; the function puts;
// teardown: if (cancel_sync) put.
UWQ_BODY_ON_KINDS(Cancel, T154_ReferenceCounting, .schedules = 10000, .repeat = 1) {
  Workqueue* const wq = env.Make(kind);
  std::atomic<int> references{0};
  Item x([&] { --references; });
  for (int t = 0; t < (kSim ? 2 : 8); ++t) {
    env.Spawn([&] {
      for (int i = 0; i < Rounds(2000, 2); ++i) {
        ++references;
        if (!QueueWorkOn(Choose(2), wq, x)) --references;
      }
    });
  }
  if (CancelWorkSync(x)) --references;
  env.Join();
  if (CancelWorkSync(x)) --references;
  EXPECT_EQ(references.load(), 0);
}

// E, C2: remove(): stop the source, disable_sync, free; nothing runs afterwards.
UWQ_BODY_ON_KINDS(Cancel, T155_RemoveOrdering, .schedules = 8000, .repeat = 100) {
  Workqueue* const wq = env.Make(kind);
  auto device = std::make_unique<Item>();
  std::atomic<bool> stop{false};
  env.Spawn([&] {
    for (int i = 0; i < (kSim ? 3 : 1000) && !stop; ++i) (void)QueueWorkOn(i % 2, wq, *device);
  });
  Step();
  stop = true;
  (void)core::DisableWorkSync(*device);  // the source may still be in its last call
  const int runs = device->runs();
  env.Join();
  EXPECT_EQ(device->runs(), runs);
  EXPECT_EQ(device->busy(), 0u);
  device.reset();
  FlushWorkqueue(wq);
}

// 1.11: a function may look at current_work() before it waits for itself.
UWQ_BODY_ON_KINDS(Cancel, T158_SelfInspection, .schedules = 200) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  const auto stop_poll = [&] {
    if (core::CurrentWork() == x.raw() && core::CurrentWork()->func == x.raw()->func) {
      return CancelWork(x);
    }
    return CancelWorkSync(x);
  };
  x.set_body([&] { (void)stop_poll(); });
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_FALSE(stop_poll());
  EXPECT_EQ(x.runs(), 1);
}

}  // namespace uwq::conformance
