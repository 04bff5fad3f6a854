// SPDX-License-Identifier: BSD-3-Clause
//
// hall_test.cc -- items that have been let in and are not accounted for yet (docs/door.md,
// "The hall").  Most scenarios wait for runs, not for flushes: a call that asks for accounts
// would place them.
#include <atomic>
#include <memory>
#include <vector>

#include "tests/conformance/core/attended.h"
#include "tests/conformance/core/env.h"
#include "tests/sim/history.h"
#include "workqueue/core/concurrency.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::Workqueue;

// Who has come in by the door and waits for the worker that took him in can be cancelled.
UWQ_BODY(Hall, CancelFromTheHall, .schedules = 5000, .repeat = 20) {
  Workqueue* const wq = env.Make(Kind::kPerCpu);
  base::Completion started;
  std::atomic<bool> go{false};
  Item z, x([&] {
    started.Set();
    AwaitTrue([&] { return go.load(); });
  });
  int cancelled = 0;
  {
    Attended pool(env, wq, Kind::kPerCpu);
    EXPECT_TRUE(env.Queue(wq, x));
    EXPECT_TRUE(env.Queue(wq, z));
    pool.Open();
    started.Wait();
    cancelled = core::CancelWork(z);
    go = true;
  }
  FlushWorkqueue(wq);
  EXPECT_EQ(cancelled + z.runs(), 1);
  if (kSim) {
    EXPECT_EQ(z.runs(), 0);  // else `x` may count as a hog, and `z` runs beside it
  }
}

// P2: who was taken in is there for every worker of the pool, not only for the one that took
// it in, which may sleep.  No call looks at the door meanwhile.
UWQ_BODY(Hall, TheHallIsForEveryWorker, .schedules = 5000, .repeat = 20) {
  Workqueue* const wq = env.Make(Kind::kPerCpu);
  base::Completion x_started, y_ran, z_ran, x_ran;
  Item y([&] { y_ran.Set(); }), z([&] { z_ran.Set(); });
  Item x([&] {
    core::BlockingScope blocking;
    x_started.Set();
    y_ran.Wait();
    z_ran.Wait();
    x_ran.Set();
  });
  Attended pool(env, wq, Kind::kPerCpu);
  EXPECT_TRUE(env.Queue(wq, x));
  EXPECT_TRUE(env.Queue(wq, y));
  pool.Open();
  x_started.Wait();
  EXPECT_TRUE(env.Queue(wq, z));  // unattended, perhaps, with `y` in the hall
  x_ran.Wait();
}

// A2, O3: a queue whose limit is reached waits in the hall as it would on `inactive`, until a
// slot is free; who comes behind it for another queue does not wait with it.
UWQ_BODY(Hall, AFullQueueWaitsInTheHall, .schedules = 5000, .repeat = 20) {
  Workqueue* const wq = env.Make(Kind::kPerCpu);
  Workqueue* const narrow = env.Make(Kind::kPerCpu, 1);
  const bool other_comes = Choose(2) == 0;
  base::Completion n1_started, go, n3_ran;
  Log log;
  Crowd crowd;
  Item n1([&] {
    crowd.Enter();
    core::BlockingScope blocking;
    n1_started.Set();
    go.Wait();
    log.Add(1);
    crowd.Leave();
  });
  Item n2([&] {
    crowd.Enter();
    log.Add(2);
    crowd.Leave();
  });
  Item n3([&] {
    crowd.Enter();
    log.Add(3);
    crowd.Leave();
    n3_ran.Set();
  });
  Item other([&] { go.Set(); });
  Attended pool(env, wq, Kind::kPerCpu);
  for (Item* item : {&n1, &n2, &n3}) EXPECT_TRUE(env.Queue(narrow, *item));
  pool.Open();
  n1_started.Wait();
  if (other_comes) {
    EXPECT_TRUE(env.Queue(wq, other));
  } else {
    go.Set();
  }
  n3_ran.Wait();  // no call that would look at the door
  FlushWorkqueue(narrow);
  EXPECT_EQ(log.ids(), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(crowd.max(), 1);
}

// N2, U4: an item that still runs where its queue was goes there, behind those who came
// before it, though the queue has no place there any more.
UWQ_BODY(Hall, QueuedWhereItsQueueWas, .schedules = 3000, .repeat = 20) {
  Workqueue* const wq = env.Make(Kind::kUnbound);
  Workqueue* const other = env.Make(Kind::kUnbound);
  base::Completion started, go, again;
  int runs = 0;
  Item y, x([&] {
    if (runs++ > 0) return again.Set();
    core::BlockingScope blocking;
    started.Set();
    go.Wait();
  });
  EXPECT_TRUE(env.Queue(wq, x));
  started.Wait();
  {
    Attended pool(env, other, Kind::kUnbound);
    core::WorkqueueAttrs attrs;
    attrs.nice = 3;
    EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
    EXPECT_TRUE(env.Queue(other, y));  // at the door of the pool that `x` runs in
    EXPECT_TRUE(env.Queue(wq, x));
    go.Set();
    pool.Open();
    again.Wait();
    FlushWorkqueue(wq);
  }
  EXPECT_EQ(runs, 2);
}

// A2, A7, O3: two queues are full and both stand in the hall, the limit of one changes, and
// nobody attends any more: each keeps its order and its limit, and nobody is forgotten.
UWQ_BODY(Hall, FullQueuesAndAChangeOfLimits, .schedules = 20000, .repeat = 20) {
  constexpr int kQueues = 2, kItems = 3;
  Workqueue* const wq = env.Make(Kind::kPerCpu);
  Workqueue* narrow[kQueues];
  Crowd crowds[kQueues];
  Log logs[kQueues];
  std::atomic<int> left{kQueues * kItems};
  base::Completion all_ran;
  std::vector<std::unique_ptr<Item>> items[kQueues];
  for (int q = 0; q < kQueues; ++q) {
    narrow[q] = env.Make(Kind::kPerCpu, 1);
    for (int i = 0; i < kItems; ++i) {
      items[q].push_back(std::make_unique<Item>([&, q, i] {
        crowds[q].Enter();
        logs[q].Add(i);
        if (i == 0) {
          core::BlockingScope blocking;
          Step();
        }
        crowds[q].Leave();
        if (--left == 0) all_ran.Set();
      }));
    }
  }
  {
    Attended pool(env, wq, Kind::kPerCpu);
    for (int q = 0; q < kQueues; ++q) {
      env.Spawn([&, q] {
        for (auto& item : items[q]) EXPECT_TRUE(core::QueueWorkOn(0, narrow[q], *item));
      });
    }
    pool.Open();
    core::SetMaxActive(narrow[0], 2);
    env.Join();
    all_ran.Wait();  // no call that would look at the door
    for (Workqueue* one : narrow) FlushWorkqueue(one);
  }
  EXPECT_LE(crowds[0].max(), 2);
  EXPECT_EQ(crowds[1].max(), 1);
  EXPECT_EQ(logs[1].ids(), (std::vector<int>{0, 1, 2}));
}

}  // namespace uwq::conformance
