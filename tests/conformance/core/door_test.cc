// SPDX-License-Identifier: BSD-3-Clause
//
// door_test.cc -- items that come in by the door, without the pool's lock (docs/door.md).
//
// Each scenario starts where a pool is attended (attended.h) and lets something else happen
// between a producer's claim and its push, or while an item stands at the door.  Of those
// that have been let in: hall_test.cc.
#include <algorithm>

#include "tests/conformance/core/attended.h"
#include "tests/conformance/core/env.h"
#include "tests/sim/history.h"

namespace uwq::conformance {

using core::CancelWork;
using core::CancelWorkSync;
using core::FlushWork;
using core::FlushWorkqueue;
using core::Workqueue;

UWQ_ON_ALL_KINDS(Door);

namespace {

bool StandsAtDoor(core::WorkItem* work) { return core::AtDoor(core::LoadWord(work)); }

}  // namespace

// The door is used at all; the item is pending, and is found by everybody who asks.
TEST_P(Door, LeftWithoutTheLock) {
  int stood = 0;
  RunBody({.schedules = 500}, [&, kind = GetParam()](Env& env) {
    Workqueue* const wq = env.Make(kind);
    Item x, y;
    Attended pool(env, wq, kind);
    EXPECT_TRUE(env.Queue(wq, x));
    stood += StandsAtDoor(x);  // unless the sampler or the standby came by
    // On an unbound queue, and where `a` counts as a hog, others may run it meanwhile.
    if (kSim && kind != Kind::kUnbound) {
      EXPECT_FALSE(env.Queue(wq, x)) << "Q1";
      EXPECT_EQ(x.busy(), core::kBusyPending);
      EXPECT_TRUE(env.Queue(wq, y));
      EXPECT_TRUE(CancelWork(y));
      EXPECT_FALSE(CancelWork(y));
    }
    pool.Open();
    (void)FlushWork(x);
    EXPECT_EQ(x.runs(), 1);
    EXPECT_EQ(y.runs(), 0);
  });
  if (kSim) {
    EXPECT_GT(stood, 0);
  }
}

// The worker leaves while somebody comes: one of the two lets the item in.
UWQ_BODY_ON_KINDS(Door, NobodyIsLeftOutside, .schedules = 20000, .repeat = 50) {
  Workqueue* const wq = env.Make(kind);
  base::Completion ran;
  std::atomic<Nanos> queued{0}, started{0};
  Item x([&] {
    started = base::Now();
    ran.Set();
  });
  Attended pool(env, wq, kind);
  env.Spawn([&] {
    EXPECT_TRUE(env.Queue(wq, x));
    queued = base::Now();
  });
  pool.Open();
  ran.Wait();  // no call that would look at the door
  env.Join();
  // No time passes for a look of the sampler or the standby.
  if (kSim) {
    EXPECT_LE(started.load(), std::max(queued.load(), pool.ended()));
  }
}

// Q1, C1 at the door: accepted = runs + cancelled.
UWQ_BODY_ON_KINDS(Door, Cancel, .schedules = 20000, .repeat = 50) {
  Workqueue* const wq = env.Make(kind);
  Item x, y;
  int accepted = 0, cancelled = 0;
  {
    Attended pool(env, wq, kind);
    env.Spawn([&] {
      accepted += env.Queue(wq, x);
      accepted += env.Queue(wq, y);
    });
    cancelled += CancelWork(x);
    cancelled += CancelWorkSync(y);
    if (Choose(2) == 0) pool.Open();
    cancelled += CancelWork(x);
    env.Join();
  }
  EXPECT_EQ(accepted, x.runs() + y.runs() + cancelled);
}

// S2: a canceler that meets the window between claim and push waits for the push, not
// for the sampler or the end of what runs.
UWQ_BODY(DoorOnce, CancelerInTheWindow, .schedules = 20000, .repeat = 50) {
  Workqueue* const wq = env.Make(Kind::kPerCpu);
  Item x;
  int accepted = 0, cancelled = 0;
  {
    Attended pool(env, wq, Kind::kPerCpu);
    [[maybe_unused]] const Nanos start = base::Now();
    Nanos queued = 0;
    env.Spawn([&] {
      accepted += env.Queue(wq, x);
      queued = base::Now();
    });
    cancelled += CancelWork(x);
    [[maybe_unused]] const Nanos returned = base::Now();
    env.Join();
    if (kSim) {
      EXPECT_LE(returned, std::max(start, queued));
    }
  }
  EXPECT_EQ(accepted, x.runs() + cancelled);
}

// F1, F5: whoever queued through the door and then flushes has the run behind it.
UWQ_BODY_ON_KINDS(Door, Flush, .schedules = 20000, .repeat = 50) {
  Workqueue* const wq = env.Make(kind);
  Item x, y, z;
  Attended pool(env, wq, kind);
  env.Spawn([&] {
    EXPECT_TRUE(env.Queue(wq, x));
    (void)FlushWork(x);
    EXPECT_EQ(x.runs(), 1);
  });
  env.Spawn([&] {
    EXPECT_TRUE(env.Queue(wq, y));
    FlushWorkqueue(wq);
    EXPECT_EQ(y.runs(), 1);
  });
  EXPECT_TRUE(env.Queue(wq, z));
  pool.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(z.runs(), 1);
  env.Join();
}

// E: the gate is down for what stands at the door, too.
UWQ_BODY_ON_KINDS(Door, Disable, .schedules = 10000, .repeat = 50) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  int accepted = 0, cancelled = 0;
  {
    Attended pool(env, wq, kind);
    env.Spawn([&] {
      accepted += env.Queue(wq, x);
      accepted += env.Queue(wq, x);
    });
    cancelled += core::DisableWorkSync(x);
    EXPECT_EQ(x.running(), 0);
    pool.Open();
    env.Join();
    EXPECT_FALSE(env.Queue(wq, x)) << "Q8";
    EXPECT_TRUE(core::EnableWork(x));
  }
  EXPECT_EQ(accepted, x.runs() + cancelled);
}

// O1, O5: what one producer queues starts in that order, by the door or by the lock.
UWQ_BODY(DoorOnce, Order, .schedules = 20000, .repeat = 50) {
  Workqueue* const wq = env.Make(Kind::kOrdered);
  Log log;
  Item x1([&] { log.Add(1); }), x2([&] { log.Add(2); }), x3([&] { log.Add(3); });
  Item y1([&] { log.Add(11); }), y2([&] { log.Add(12); });
  {
    Attended pool(env, wq, Kind::kOrdered);
    env.Spawn([&] {
      EXPECT_TRUE(env.Queue(wq, x1));
      EXPECT_TRUE(env.Queue(wq, x2));
      EXPECT_TRUE(env.Queue(wq, x3));
    });
    EXPECT_TRUE(env.Queue(wq, y1));
    pool.Open();
    EXPECT_TRUE(env.Queue(wq, y2));
    env.Join();
  }
  std::vector<int> x, y;
  for (int id : log.ids()) (id < 10 ? x : y).push_back(id);
  EXPECT_EQ(x, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(y, (std::vector<int>{11, 12}));
}

// O5: a place whose items follow each other, each let in by the one before, does not keep
// out who came to the door meanwhile, though the list never gets empty.
UWQ_BODY(DoorOnce, NobodyStarves, .schedules = 300, .repeat = 20) {
  constexpr int kMany = 24;  // more than the worker runs without a look
  Workqueue* const wq = env.Make(Kind::kPerCpu);
  Workqueue* const narrow = env.Make(Kind::kPerCpu, 1);
  Log log;
  std::vector<std::unique_ptr<Item>> many;
  Item y([&] { log.Add(kMany); });
  {
    Attended pool(env, wq, Kind::kPerCpu);
    for (int i = 0; i < kMany; ++i) {
      many.push_back(std::make_unique<Item>([&, i] { log.Add(i); }));
      EXPECT_TRUE(env.Queue(narrow, *many.back()));
    }
    EXPECT_EQ(core::WorkBusy(*many.front()), core::kBusyPending);  // and so all are placed
    EXPECT_TRUE(env.Queue(wq, y));
    pool.Open();
    AwaitTrue([&] { return log.size() == kMany + 1; });
    FlushWorkqueue(narrow);
  }
  EXPECT_NE(log.ids().back(), kMany);
}

// O3, O5, A2: three queues with limits share a pool, so that slots are passed on and the hall
// is placed at any moment; one is flushed and one's limit changes meanwhile.  Each queue
// keeps its own order and limit, and one producer's unlimited items keep theirs.
UWQ_BODY_ON_KINDS(Door, LimitedQueuesShareAPool, .schedules = 5000, .repeat = 50) {
  if (kind == Kind::kOrdered) kind = Kind::kUnbound;
  constexpr int kQueues = 3, kItems = 4;
  constexpr int kLimits[kQueues] = {1, 2, 0};
  Workqueue* queues[kQueues];
  Crowd crowds[kQueues];
  Log logs[kQueues];
  for (int q = 0; q < kQueues; ++q) queues[q] = env.Make(kind, kLimits[q]);
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < kQueues * kItems; ++i) {
    items.push_back(std::make_unique<Item>([&, i] {
      crowds[i % kQueues].Enter();
      logs[i % kQueues].Add(i);
      Step();
      crowds[i % kQueues].Leave();
    }));
  }
  {
    Attended pool(env, queues[2], kind);
    env.Spawn([&] { FlushWorkqueue(queues[0]); });
    for (auto& item : items) {
      const int q = static_cast<int>((&item - items.data()) % kQueues);
      EXPECT_TRUE(
          core::QueueWorkOn(kind == Kind::kPerCpu ? 0 : core::kWorkCpuUnbound, queues[q], *item));
      if (item == items[kQueues * kItems / 2]) pool.Open();
    }
    core::SetMaxActive(queues[1], 1);
    env.Join();
    for (Workqueue* wq : queues) FlushWorkqueue(wq);
  }
  for (int q = 0; q < kQueues; ++q) {
    const std::vector<int> ids = logs[q].ids();
    EXPECT_EQ(ids.size(), static_cast<size_t>(kItems));
    if (kLimits[q] > 0) {
      EXPECT_LE(crowds[q].max(), kLimits[q]);
    }
    // Two at a time may overtake each other between their start and the log.
    if (kLimits[q] == 1 || (kSim && kind == Kind::kPerCpu)) {
      EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
    }
  }
}

// O1, U4: the queue moves to another pool while its items stand at the door of the old
// one, or come to it too late.
UWQ_BODY_ON_KINDS(Door, AttributesChange, .schedules = 30000, .repeat = 50) {
  if (kind == Kind::kPerCpu) kind = Kind::kUnbound;  // its places are fixed; more of these
  Workqueue* const wq = env.Make(kind);
  Log log;
  Item x1([&] { log.Add(1); }), x2([&] { log.Add(2); }), x3([&] { log.Add(3); });
  {
    Attended pool(env, wq, kind);
    env.Spawn([&] {
      EXPECT_TRUE(env.Queue(wq, x1));
      EXPECT_TRUE(env.Queue(wq, x2));
      EXPECT_TRUE(env.Queue(wq, x3));
    });
    core::WorkqueueAttrs attrs;
    attrs.nice = 3;
    attrs.ordered = kind == Kind::kOrdered;
    EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
    pool.Open();
    env.Join();
  }
  EXPECT_EQ(log.size(), 3u);
  if (kind == Kind::kOrdered) {
    EXPECT_EQ(log.ids(), (std::vector<int>{1, 2, 3}));
  }
}

// O1, U4: the same with three producers and two changes in a row.
// Calls that follow one another, on whatever threads, keep their order.
UWQ_BODY_ON_KINDS(Door, AttributesChangeTwice, .schedules = 15000, .repeat = 50) {
  if (kind == Kind::kPerCpu) kind = Kind::kOrdered;  // its places are fixed; more of these
  Workqueue* const wq = env.Make(kind);
  constexpr int kProducers = 3;
  const bool in_turn = Choose(2) == 0;
  Log log;
  std::atomic<int> inside{0}, turn{0};
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 2 * kProducers; ++i) {
    items.push_back(std::make_unique<Item>([&, i] {
      const int others = inside++;
      if (kind == Kind::kOrdered) {
        EXPECT_EQ(others, 0);
      }
      log.Add(i);
      --inside;
    }));
  }
  {
    Attended pool(env, wq, kind);
    for (int p = 0; p < kProducers; ++p) {
      env.Spawn([&, p] {
        for (int i = p; i < 2 * kProducers; i += kProducers) {
          if (in_turn) AwaitTrue([&] { return turn.load() == i; });
          EXPECT_TRUE(env.Queue(wq, *items[static_cast<size_t>(i)]));
          ++turn;
        }
      });
    }
    for (int nice : {3, 5}) {
      core::WorkqueueAttrs attrs;
      attrs.nice = nice;
      attrs.ordered = kind == Kind::kOrdered;
      EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
    }
    pool.Open();
    env.Join();
  }
  env.Destroy(wq);
  const std::vector<int> ids = log.ids();
  ASSERT_EQ(ids.size(), items.size());
  if (kind != Kind::kOrdered) return;
  std::vector<int> last(kProducers, -1);
  for (size_t n = 0; n < ids.size(); ++n) {
    if (in_turn) {
      EXPECT_EQ(ids[n], static_cast<int>(n));
    }
    EXPECT_LT(last[static_cast<size_t>(ids[n] % kProducers)], ids[n]);
    last[static_cast<size_t>(ids[n] % kProducers)] = ids[n];
  }
}

// Z1: what was queued before the freeze began is active and runs, what comes later waits.
UWQ_BODY(DoorOnce, Freeze, .schedules = 5000, .repeat = 20) {
  Workqueue* const wq = env.Make(Kind::kPerCpu, 0, core::kWqFreezable);
  Item x, y;
  Attended pool(env, wq, Kind::kPerCpu);
  EXPECT_TRUE(env.Queue(wq, x));
  env.runtime()->FreezeBegin();
  EXPECT_TRUE(env.Queue(wq, y));
  pool.Open();
  AwaitTrue([&] { return !env.runtime()->FreezeBusy(); });
  EXPECT_EQ(x.runs(), 1);
  EXPECT_EQ(y.runs(), 0);
  env.runtime()->Thaw();
  FlushWorkqueue(wq);
  EXPECT_EQ(y.runs(), 1);
}

// A7: a limit counts for what is queued after it was set.
UWQ_BODY(DoorOnce, LowerTheLimit, .schedules = 2000, .repeat = 20) {
  Workqueue* const wq = env.Make(Kind::kPerCpu, 3);
  Item x, y;
  Attended pool(env, wq, Kind::kPerCpu);
  EXPECT_TRUE(env.Queue(wq, x));
  core::SetMaxActive(wq, 1);
  EXPECT_FALSE(core::WorkqueueCongested(0, wq));
  EXPECT_TRUE(env.Queue(wq, y));
  if (kSim) {
    EXPECT_TRUE(core::WorkqueueCongested(0, wq));  // else `a` may count as a hog
  }
  pool.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs() + y.runs(), 2);
}

// X1, X6: a queue is destroyed with items at the door.
UWQ_BODY_ON_KINDS(Door, Destroy, .schedules = 10000, .repeat = 50) {
  Workqueue* const wq = env.Make(kind);
  Workqueue* const other = env.Make(kind);  // shares the pool
  Item x, y, z([&] { EXPECT_TRUE(env.Queue(wq, y)); });
  {
    Attended pool(env, other, kind);
    EXPECT_TRUE(env.Queue(wq, x));
    EXPECT_TRUE(env.Queue(wq, z));
    env.Spawn([&] { pool.Open(); });
    env.Destroy(wq);
    EXPECT_EQ(x.runs(), 1);
    EXPECT_EQ(y.runs(), 1);
    env.Join();
  }
}

// L8: an item at the door is queued, and is found to be if somebody initialises it.
UWQ_BODY(DoorOnce, Reinit, .schedules = 300, .repeat = 10) {
  Workqueue* const wq = env.Make(Kind::kPerCpu);
  Item x;
  Attended pool(env, wq, Kind::kPerCpu);
  EXPECT_TRUE(env.Queue(wq, x));
  core::InitWork(x, &Item::Run, /*on_stack=*/false);
  EXPECT_EQ(env.Reports(ReportKind::kReinitWhileQueued), 1);
  pool.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 0);
}

// Several producers and items that queue each other again, everything at once.
UWQ_BODY_ON_KINDS(Door, Crowd, .schedules = 10000, .repeat = 50) {
  Workqueue* const wq = env.Make(kind);
  constexpr int kItems = 3;
  Item items[kItems];
  std::atomic<int> accepted{0}, cancelled{0};
  {
    Attended pool(env, wq, kind);
    for (int producer = 0; producer < 2; ++producer) {
      env.Spawn([&, producer] {
        for (int i = 0; i < 4; ++i) accepted += env.Queue(wq, items[(i + producer) % kItems]);
      });
    }
    env.Spawn([&] {
      for (Item& item : items) cancelled += CancelWork(item);
      FlushWorkqueue(wq);
      cancelled += CancelWorkSync(items[0]);
    });
    pool.Open();
    for (Item& item : items) (void)FlushWork(item);
    env.Join();
  }
  int runs = 0;
  for (Item& item : items) {
    runs += item.runs();
    EXPECT_EQ(item.max_running(), accepted > 0 && item.runs() > 0 ? 1 : 0) << "N1";
  }
  EXPECT_EQ(accepted, runs + cancelled);
}

}  // namespace uwq::conformance
