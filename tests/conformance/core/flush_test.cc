// SPDX-License-Identifier: BSD-3-Clause
//
// flush_test.cc -- section 5.7: waiting for items and for queues (F*, L*).
#include "tests/conformance/core/env.h"
#include "tests/sim/history.h"
#include "workqueue/core/dump.h"
#include "workqueue/core/lock_check.h"

namespace uwq::conformance {

using core::FlushWork;
using core::FlushWorkqueue;
using core::Workqueue;

UWQ_ON_ALL_KINDS(Flush);

// Items and barriers of `wq` that have not left it.
int InFlight(Env& env, Workqueue* wq) {
  for (const core::WorkqueueSnapshot& s : core::TakeSnapshot(env.runtime()).workqueues) {
    if (s.name == wq->name) return s.nr_in_flight;
  }
  return -1;
}

// F1: what was queued before is waited for, what comes later is not.
UWQ_BODY_ON_KINDS(Flush, T078_BeforeAndAfter, .schedules = 5000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  Gate gate1, gate2;
  Item x1([&] { gate1.Pass(); }), x2([&] { gate2.Pass(); });
  EXPECT_TRUE(env.Queue(wq, x1));
  gate1.AwaitArrivals();
  std::atomic<bool> returned{false};
  env.Spawn([&] {
    FlushWorkqueue(wq);
    EXPECT_EQ(x1.running(), 0);
    returned = true;
  });
  // The flusher has its colour once the queue's has moved on.
  AwaitTrue([&] {
    base::MutexLock lock(&wq->mutex);
    return wq->first_flusher.load() != nullptr;
  });
  EXPECT_TRUE(env.Queue(wq, x2));
  Settle();
  EXPECT_FALSE(returned);
  gate1.Open();
  env.Join();
  EXPECT_TRUE(returned);
  EXPECT_EQ(x1.runs(), 1);
  gate2.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(x2.runs(), 1);
}

// F1, F2, F6: endless requeueing and a stream of new items do not hold flushers.
UWQ_BODY_ON_KINDS(Flush, T079_EndlessProducers, .schedules = 5000, .repeat = 10) {
  Workqueue* const wq = env.Make(kind);
  std::atomic<bool> stop{false};
  Item x, stream[4];
  // An unfair schedule may starve the flusher: the stream has an end there.
  x.set_body([&] {
    if (!stop && !(kSim && x.runs() > 30)) (void)env.Queue(wq, x);
  });
  EXPECT_TRUE(env.Queue(wq, x));
  env.Spawn([&] {
    for (int i = 0; !stop && !(kSim && i > 30); ++i) {
      (void)env.Queue(wq, stream[i % 4]);
      if (!kSim) Step();
    }
  });
  FlushWorkqueue(wq);
  EXPECT_GE(x.runs(), 1);
  (void)FlushWork(x);
  FlushWorkqueue(wq);
  stop = true;
  env.Join();
  core::DrainWorkqueue(wq);
}

// F3, F4: many more flushers than colours, on real threads 40.  The oracle: each
// sees all that was queued before its call.
UWQ_BODY_ON_KINDS(Flush, T080_MoreFlushersThanColours, .schedules = 1500, .max_steps = 500000,
                  .repeat = 5) {
  Workqueue* const wq = env.Make(kind);
  sim::History history;
  Gate gate;
  Item blocker([&] { gate.Pass(); });
  const int flushers = kSim ? 20 : 40;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < flushers; ++i) {
    items.push_back(std::make_unique<Item>([&, i] { history.Run(i, [] {}); }));
  }
  EXPECT_TRUE(env.Queue(wq, blocker));
  gate.AwaitArrivals();
  std::atomic<int> returned{0};
  for (int i = 0; i < flushers; ++i) {
    env.Spawn([&, i] {
      EXPECT_TRUE(history.Queue(i, [&] { return env.Queue(wq, *items[i]); }));
      history.FlushGroup(0, [&] { FlushWorkqueue(wq); });
      EXPECT_EQ(blocker.runs(), 1);
      EXPECT_EQ(blocker.running(), 0);
      EXPECT_EQ(items[i]->runs(), 1);
      ++returned;
    });
  }
  Settle();
  EXPECT_EQ(returned.load(), 0);
  gate.Open();
  env.Join();
  EXPECT_EQ(returned.load(), flushers);
  EXPECT_EQ(history.Check(), "");
  env.ExpectIdle(wq);
}

// The same without a gate: flushes at random moments of a stream.
UWQ_BODY_ON_KINDS(Flush, T080_RandomFlushes, .schedules = 10000, .repeat = 1) {
  Workqueue* const wq = env.Make(kind);
  sim::History history;
  constexpr int kItems = 4;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < kItems; ++i) {
    items.push_back(std::make_unique<Item>([&, i] { history.Run(i, [] { Step(); }); }));
  }
  const int rounds = Rounds(400, 2);
  for (int t = 0; t < (kSim ? 3 : 8); ++t) {
    env.Spawn([&] {
      for (int i = 0; i < rounds; ++i) {
        const int id = Choose(kItems);
        history.Queue(id, [&] { return core::QueueWorkOn(Choose(2), wq, *items[id]); });
        if (Choose(2) == 0) {
          history.FlushGroup(0, [&] { FlushWorkqueue(wq); });
        } else {
          history.Flush(id, [&] { (void)FlushWork(*items[id]); });
        }
      }
    });
  }
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(history.Check(), "");
  env.ExpectIdle(wq);
}

// F3 with few preemptions: two flushers, one of which may come between the other's steps.
UWQ_BODY_ON_KINDS(Flush, F3_TwoFlushersExhaustive, .exhaustive = true, .preemptions = 0,
                  .schedules = 40000, .repeat = 200, .cpus = 1) {
  Workqueue* const wq = env.Make(kind);
  Item a, b;
  EXPECT_TRUE(env.Queue(wq, a));
  env.Spawn([&] {
    EXPECT_TRUE(env.Queue(wq, b));
    FlushWorkqueue(wq);
    EXPECT_EQ(b.runs(), 1);
    EXPECT_EQ(a.runs(), 1);
  });
  FlushWorkqueue(wq);
  EXPECT_EQ(a.runs(), 1);
  env.Join();
}

// F8: two waiters on one running item.
UWQ_BODY_ON_KINDS(Flush, T082_TwoWaiters, .schedules = 4000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Item x([&] { gate.Pass(); });
  EXPECT_TRUE(env.Queue(wq, x));
  gate.AwaitArrivals();
  std::atomic<int> trues{0};
  for (int i = 0; i < 2; ++i) {
    env.Spawn([&] {
      trues += FlushWork(x);
      EXPECT_EQ(x.running(), 0);
    });
  }
  // Both barriers are on the worker's list.
  AwaitTrue([&] { return InFlight(env, wq) == 3; });
  EXPECT_EQ(trues.load(), 0);
  gate.Open();
  env.Join();
  EXPECT_EQ(trues.load(), 2);
}

// F5: running and queued: the flusher waits for the queued one.
UWQ_BODY_ON_KINDS(Flush, F5_RunningAndQueued, .schedules = 4000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Item x([&] { gate.Pass(); });
  EXPECT_TRUE(env.Queue(wq, x));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, x));
  env.Spawn([&] {
    EXPECT_TRUE(FlushWork(x) || x.runs() == 2);
    EXPECT_EQ(x.runs(), 2);
    EXPECT_EQ(x.running(), 0);
  });
  Settle();
  gate.Open();
  env.Join();
}

// F7: barriers do not count against max_active and wait behind their target only.
UWQ_BODY_ON_KINDS(Flush, T083_BarrierNotThrottled, .schedules = 4000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind, 1);
  Gate gate;
  Crowd crowd;
  const auto body = [&] {
    crowd.Enter();
    Step();
    crowd.Leave();
  };
  Item a([&] {
    crowd.Enter();
    gate.Pass();
    crowd.Leave();
  });
  Item b(body), c(body);
  EXPECT_TRUE(env.Queue(wq, a));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, b));
  EXPECT_TRUE(env.Queue(wq, c));
  for (int i = 0; i < 3; ++i) {
    env.Spawn([&] {
      EXPECT_TRUE(FlushWork(b) || b.runs() == 1);
      EXPECT_EQ(b.runs(), 1);
    });
  }
  Settle();
  gate.Open();
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(crowd.max(), 1);
  EXPECT_EQ(c.runs(), 1);
  env.ExpectIdle(wq);
}

// F7: cancelling the inactive target of a flusher lets it go at once, though the
// queue's only slot stays taken.
UWQ_BODY_ON_KINDS(Flush, F7_CancelOfAnInactiveTarget, .schedules = 5000, .repeat = 20) {
  Workqueue* const wq = env.Make(kind, 1);
  Gate gate;
  Item a([&] { gate.Pass(); }), b;
  EXPECT_TRUE(env.Queue(wq, a));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, b));
  std::atomic<int> done{0};
  for (int i = 0; i < 2; ++i) {
    env.Spawn([&] {
      (void)FlushWork(b);
      ++done;
    });
  }
  Settle();
  EXPECT_TRUE(core::CancelWork(b));
  env.Join();  // while the gate is shut
  EXPECT_EQ(done.load(), 2);
  EXPECT_EQ(a.running(), 1);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(b.runs(), 0);
  env.ExpectIdle(wq);
}

// T084: nothing to wait for.  F9: after a flush the item is idle.
UWQ_BODY_ON_KINDS(Flush, T084_Idle, .exhaustive = true, .schedules = 2000, .cpus = 1) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  EXPECT_FALSE(FlushWork(x));
  FlushWorkqueue(wq);
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_FALSE(FlushWork(x));
  EXPECT_TRUE(env.Queue(wq, x));
  (void)FlushWork(x);
  EXPECT_EQ(core::WorkBusy(x), 0u);
  EXPECT_EQ(x.runs(), 2);
}

// P9: an item waits for one of another queue that needs the same pool.
UWQ_BODY_ON_KINDS(Flush, T086_FromAnotherQueuesItem, .schedules = 4000, .repeat = 20) {
  Workqueue* const a = env.Make(kind);
  Workqueue* const b = env.Make(kind);
  Item inner([] { Step(); });
  Item outer([&] {
    EXPECT_TRUE(env.Queue(b, inner));
    EXPECT_TRUE(FlushWork(inner) || inner.runs() == 1);
    EXPECT_EQ(inner.runs(), 1);
  });
  EXPECT_TRUE(env.Queue(a, outer));
  FlushWorkqueue(a);
  EXPECT_EQ(outer.runs(), 1);
}

// F11: the waits that would never end are reported at the call and not entered.
UWQ_BODY_ON_KINDS(Flush, T087_InsideOwnQueue, .schedules = 100) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  x.set_body([&] {
    EXPECT_FALSE(FlushWork(x));
    FlushWorkqueue(wq);
    core::DrainWorkqueue(wq);
    core::DestroyWorkqueue(wq);
  });
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(env.Reports(ReportKind::kSelfFlush), 1);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kOwnQueueFlush);
  ASSERT_EQ(texts.size(), 1u);  // once for the function
  EXPECT_EQ(core::ReportCount(ReportKind::kOwnQueueFlush), 3);
  EXPECT_NE(texts[0].find(wq->name), std::string::npos) << texts[0];
  EXPECT_TRUE(env.Queue(wq, x));  // the queue is as it was
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 2);
}

// F11, L4, L6: on an ordered queue, flush_work of a later item from an earlier one.
UWQ_BODY(FlushOrdered, T087_LaterItem, .schedules = 200) {
  Workqueue* const wq = env.Make(Kind::kOrdered);
  Item later;
  Item x([&] {
    EXPECT_TRUE(env.Queue(wq, later));
    EXPECT_FALSE(FlushWork(later));
  });
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  FlushWorkqueue(wq);
  EXPECT_EQ(later.runs(), 1);
  EXPECT_EQ(env.Reports(ReportKind::kOrderedFlush), 1);
}

// L1-L3, L7: waiting under a lock that the function takes: reported even when idle.
UWQ_BODY_ON_KINDS(Flush, T088_UnderALock, .schedules = 50) {
  Workqueue* const wq = env.Make(kind);
  static base::Mutex* lock;
  static core::TrackedLock* tracked;
  base::Mutex the_lock;
  core::TrackedLock the_tracked("device_lock");
  lock = &the_lock;
  tracked = &the_tracked;
  core::WorkItem x;
  // A function of this test's own: what it takes is remembered by its address.
  core::InitWord(&x, [](core::WorkItem*) {
    base::MutexLock held(lock);
    core::LockAcquired(tracked);
    core::LockReleased(tracked);
  });
  EXPECT_TRUE(env.Queue(wq, &x));
  FlushWorkqueue(wq);
  EXPECT_EQ(env.Reports(ReportKind::kFlushUnderLock), 0);
  {
    base::MutexLock held(&the_lock);
    core::LockAcquired(&the_tracked);
    EXPECT_FALSE(FlushWork(&x));
    FlushWorkqueue(wq);
    core::LockReleased(&the_tracked);
  }
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kFlushUnderLock);
  ASSERT_EQ(texts.size(), 2u);  // L3 for the item, L2 for the queue
  EXPECT_NE(texts[0].find("device_lock"), std::string::npos) << texts[0];
  EXPECT_NE(texts[1].find(wq->name), std::string::npos) << texts[1];
  EXPECT_FALSE(core::CancelWorkSync(&x));  // no lock held: no further report
  EXPECT_EQ(env.Reports(ReportKind::kFlushUnderLock), 2);
}

// F13: a flush of a frozen queue waits for the thaw.
UWQ_BODY_ON_KINDS(Flush, T089_Frozen, .schedules = 3000, .repeat = 10) {
  Workqueue* const wq = env.Make(kind, 0, core::kWqFreezable);
  Item x;
  env.runtime()->FreezeBegin();
  EXPECT_TRUE(env.Queue(wq, x));
  std::atomic<bool> returned{false}, thawed{false};
  env.Spawn([&] {
    FlushWorkqueue(wq);
    EXPECT_TRUE(thawed);
    returned = true;
  });
  Settle();
  EXPECT_FALSE(returned);
  EXPECT_EQ(x.runs(), 0);
  thawed = true;
  env.runtime()->Thaw();
  env.Join();
  EXPECT_EQ(x.runs(), 1);
}

// 1.10: flushing a system queue works and is reported.
UWQ_BODY(FlushSystem, T090_SystemQueue, .schedules = 50) {
  Workqueue* const wq = env.runtime()->System(core::SystemWq::kPercpu);
  ASSERT_NE(wq, nullptr);
  Item x;
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kSystemFlush);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find("events"), std::string::npos) << texts[0];
}

// F12: an item that others rely on for memory waits for one that may need memory.
UWQ_BODY_ON_KINDS(Flush, T091_ReclaimDependency, .schedules = 100) {
  Workqueue* const reclaim = env.Alloc("reclaim", core::kWqUnbound | core::kWqMemReclaim);
  Workqueue* const legacy =
      env.Alloc("legacy", core::kWqUnbound | core::kWqMemReclaim | core::kWqLegacy);
  Workqueue* const plain = env.Make(kind);
  Gate gate;
  Item slow([&] { gate.Pass(); });
  bool cancelled = false;
  const auto wait_for_it = [&](bool by_cancel) {
    EXPECT_TRUE(env.Queue(plain, slow));
    gate.AwaitArrivals();
    gate.Open();
    if (by_cancel) {
      cancelled = core::CancelWorkSync(slow);
    } else {
      FlushWorkqueue(plain);
    }
  };
  Item canceler([&] { wait_for_it(true); }), flusher([&] { wait_for_it(false); });
  EXPECT_TRUE(env.Queue(reclaim, canceler));
  FlushWorkqueue(reclaim);
  EXPECT_TRUE(env.Queue(legacy, flusher));
  FlushWorkqueue(legacy);
  EXPECT_EQ(env.Reports(ReportKind::kFlushDependency), 0);  // cancelling and legacy are exempt
  EXPECT_TRUE(env.Queue(reclaim, flusher));
  FlushWorkqueue(reclaim);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kFlushDependency);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find("reclaim"), std::string::npos) << texts[0];
  EXPECT_NE(texts[0].find(plain->name), std::string::npos) << texts[0];
  EXPECT_FALSE(cancelled);
}

}  // namespace uwq::conformance
