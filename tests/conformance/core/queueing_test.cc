// SPDX-License-Identifier: BSD-3-Clause
//
// queueing_test.cc -- section 5.1: what a queueing call promises (Q*, M1, M2).
// T012's allocation count and T015 (static initialisers) are in tests/runtime and tests/api.
#include <string.h>

#include "tests/conformance/core/env.h"
#include "workqueue/base/trace.h"

namespace uwq::conformance {

using core::CurrentWork;
using core::FlushWorkqueue;
using core::QueueWork;
using core::Workqueue;

UWQ_ON_ALL_KINDS(Queueing);

// Q1, Q2: one accepted call, one run; PENDING is clear while the function runs.
UWQ_BODY_ON_KINDS(Queueing, T001_SingleRun, .exhaustive = true, .schedules = 2000, .cpus = 1) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  bool was_pending = true;
  unsigned busy_inside = 0;
  core::WorkItem* current = nullptr;
  x.set_body([&] {
    was_pending = core::WorkPending(x);
    busy_inside = x.busy();
    current = CurrentWork();
  });
  EXPECT_EQ(x.busy(), 0u);
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
  EXPECT_FALSE(was_pending);
  EXPECT_EQ(busy_inside, core::kBusyRunning);
  EXPECT_EQ(current, x.raw());
  EXPECT_EQ(CurrentWork(), nullptr);
  EXPECT_EQ(x.busy(), 0u);
  env.ExpectIdle(wq);
}

// Q1: N calls before the start, one `true`, one run.
UWQ_BODY_ON_KINDS(Queueing, T002_Coalescing, .schedules = 3000) {
  Workqueue* const wq = env.Make(kind, 1);
  Gate gate;
  Item blocker([&] { gate.Pass(); }), x;
  EXPECT_TRUE(env.Queue(wq, blocker));
  gate.AwaitArrivals();
  int accepted = 0;
  for (int i = 0; i < 10; ++i) accepted += env.Queue(wq, x);
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(x.runs(), 0);
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// Q1 under a race: two callers and the execution; every schedule with one preemption.
UWQ_BODY_ON_KINDS(Queueing, T002_TwoCallersBalance, .exhaustive = true, .schedules = 20000,
                  .repeat = 200, .cpus = 1) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  std::atomic<int> accepted{0};
  env.Spawn([&] { accepted += env.Queue(wq, x); });
  accepted += env.Queue(wq, x);
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), accepted.load());
  EXPECT_GE(accepted.load(), 1);
  EXPECT_EQ(x.max_running(), 1);
}

// Q2, N1: queued while it runs, it runs again, after that.
UWQ_BODY_ON_KINDS(Queueing, T003_QueueWhileRunning, .schedules = 5000, .repeat = 10) {
  Workqueue* const wq = env.Make(kind);
  Gate gate;
  Item x([&] { gate.Pass(); });
  EXPECT_TRUE(env.Queue(wq, x));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, x));
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(core::QueueWorkOn(i % 2, wq, x));
  EXPECT_EQ(x.busy(), core::kBusyPending | core::kBusyRunning);
  Settle();
  EXPECT_EQ(x.runs(), 1);  // not entered again before it has returned
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 2);
  EXPECT_EQ(x.max_running(), 1);
}

// Q1, Q3: PENDING is of the item; a refused call leaves it where it is.
UWQ_BODY_ON_KINDS(Queueing, T005_PendingOnAnotherQueue, .schedules = 3000) {
  Workqueue* const a = env.Make(kind, 1);
  Workqueue* const b = env.Alloc("other", core::kWqUnbound);
  Gate gate;
  Workqueue* ran_on = nullptr;
  Item blocker([&] { gate.Pass(); }), x([&] { ran_on = CurrentQueue(); });
  EXPECT_TRUE(env.Queue(a, blocker));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(a, x));
  EXPECT_FALSE(env.Queue(b, x));
  env.ExpectIdle(b);
  gate.Open();
  FlushWorkqueue(a);
  EXPECT_EQ(x.runs(), 1);
  EXPECT_EQ(ran_on, a);
}

// M2, M3, Q4: after the last call, refused or not, a run sees the last value.
// Each producer has its own value; relaxed stores, so that only the queueing call orders them.
UWQ_BODY_ON_KINDS(Queueing, T006_RefusalVisibility, .schedules = 6000, .repeat = 1) {
  Workqueue* const wq = env.Make(kind);
  constexpr int kProducers = kSim ? 2 : 4;
  const int rounds = Rounds(500000, 3);
  base::Atomic<int> value[kProducers];
  int seen[kProducers] = {};
  for (auto& v : value) v.store(0);
  Item x([&] {
    for (int p = 0; p < kProducers; ++p) seen[p] = value[p].load(std::memory_order_relaxed);
  });
  std::atomic<int> accepted{0};
  for (int p = 0; p < kProducers; ++p) {
    env.Spawn([&, p] {
      int mine = 0;
      for (int i = 1; i <= rounds; ++i) {
        value[p].store(i, std::memory_order_relaxed);
        mine += core::QueueWorkOn(p % 2, wq, x);
      }
      accepted += mine;
    });
  }
  env.Join();
  FlushWorkqueue(wq);
  for (int p = 0; p < kProducers; ++p) EXPECT_EQ(seen[p], rounds) << "a lost update";
  EXPECT_EQ(x.runs(), accepted.load());
  EXPECT_EQ(x.max_running(), 1);
}

// M1, M5: plain stores before an accepted call are seen by the run, and the run's
// plain stores by the flusher.  TSan is the judge.
UWQ_BODY_ON_KINDS(Queueing, T007_AcceptanceVisibility, .schedules = 500, .repeat = 1) {
  Workqueue* const wq = env.Make(kind);
  int plain = 0, copy = 0;
  Item x([&] { copy = plain; });
  for (int i = 1; i <= Rounds(2000, 2); ++i) {
    plain = i;
    ASSERT_TRUE(env.Queue(wq, x));
    if (i % 2 == 0) {
      FlushWorkqueue(wq);
    } else {
      EXPECT_TRUE(core::FlushWork(x) || copy == i);
    }
    ASSERT_EQ(copy, i);
  }
}

// M2, M3: a refused call orders the caller's plain stores before the run that it relied
// on.  All other hand-overs between the two threads are relaxed, so that TSan sees a
// race if the refusal is less than a read-modify-write, or the start of an execution
// less than an acquire.
UWQ_BODY_ON_KINDS(Queueing, M3_RefusalOrdersPlainStores, .schedules = 1000, .repeat = 30) {
  Workqueue* const wq = env.Make(kind, 1);
  base::Atomic<bool> go{false}, refused{false};
  int plain = 0, seen = -1;
  // Holds the only slot without any ordering of its own.
  Item blocker([&] {
    while (!go.load(std::memory_order_relaxed)) base::CpuRelax();
  });
  Item x([&] { seen = plain; });
  EXPECT_TRUE(env.Queue(wq, blocker));
  EXPECT_TRUE(env.Queue(wq, x));
  env.Spawn([&] {
    plain = 42;
    EXPECT_FALSE(env.Queue(wq, x));
    refused.store(true, std::memory_order_relaxed);
  });
  while (!refused.load(std::memory_order_relaxed)) base::CpuRelax();
  go.store(true, std::memory_order_relaxed);
  FlushWorkqueue(wq);
  EXPECT_EQ(seen, 42);
  env.Join();
}

// Q5: the function frees the item first thing; nothing of it is touched any more,
// with tracing on.  ASan is the judge; flush returns only after the function ended.
UWQ_BODY_ON_KINDS(Queueing, T008_FreeInsideFunction, .schedules = 3000, .repeat = 50) {
  struct Heap {
    core::WorkItem work;
    static void Run(core::WorkItem* work) {
      auto* const heap = reinterpret_cast<Heap*>(work);
      std::atomic<int>* const ended = heap->ended;
      memset(static_cast<void*>(heap), 0xa5, sizeof(*heap));
      delete heap;
      Step();
      Sleep(base::kMicrosecond);
      ++*ended;
    }
    std::atomic<int>* ended;
  };
  static std::atomic<int> traced{0};
  static const base::TraceSink sink = {
      .queue_work = nullptr,
      .activate_work = nullptr,
      .execute_start = nullptr,
      .execute_end = [](const void*, core::WorkFunc) { ++traced; },
  };
  base::SetTraceSink(&sink);
  Workqueue* const wq = env.Make(kind);
  std::atomic<int> ended{0};
  traced = 0;
  Heap* heaps[3];
  // All first: one at the address of another that still runs would be a second instance.
  for (Heap*& heap : heaps) heap = new Heap;
  for (Heap* heap : heaps) {
    core::InitWord(&heap->work, &Heap::Run);
    heap->ended = &ended;
    EXPECT_TRUE(env.Queue(wq, &heap->work));
  }
  FlushWorkqueue(wq);
  EXPECT_EQ(ended.load(), 3);
  env.Destroy(wq);
  EXPECT_EQ(traced.load(), 3);
  base::SetTraceSink(nullptr);
}

// Q2: self-requeueing is exact.  X2: it is chained, so a drain lets it.
UWQ_BODY_ON_KINDS(Queueing, T010_SelfRequeueCount, .schedules = 3000) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  int left = 3;
  x.set_body([&] {
    if (left-- == 0) return;
    EXPECT_TRUE(env.Queue(wq, x));
  });
  EXPECT_TRUE(env.Queue(wq, x));
  core::DrainWorkqueue(wq);
  EXPECT_EQ(x.runs(), 4);
  EXPECT_EQ(x.max_running(), 1);
}

// Q9: queueing from where one must not sleep, here a BH item.
UWQ_BODY_ON_KINDS(Queueing, T012_QueueFromBh, .schedules = 2000) {
  Workqueue* const wq = env.Make(kind);
  Workqueue* const bh = env.Alloc("bh", core::kWqBh);
  Item x;
  Item from([&] { EXPECT_TRUE(env.Queue(wq, x)); });
  EXPECT_TRUE(env.Queue(bh, from));
  FlushWorkqueue(bh);
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// N: an idle item may move between queues.
UWQ_BODY_ON_KINDS(Queueing, T013_ReuseOnAnotherQueue, .schedules = 2000) {
  Workqueue* const a = env.Make(kind);
  Workqueue* const b = env.Make(kind == Kind::kPerCpu ? Kind::kUnbound : Kind::kPerCpu);
  Workqueue* ran_on = nullptr;
  Item x([&] { ran_on = CurrentQueue(); });
  EXPECT_TRUE(env.Queue(a, x));
  FlushWorkqueue(a);
  EXPECT_EQ(ran_on, a);
  EXPECT_TRUE(env.Queue(b, x));
  FlushWorkqueue(b);
  EXPECT_EQ(ran_on, b);
  EXPECT_EQ(x.runs(), 2);
  EXPECT_EQ(x.max_running(), 1);
}

// Q: items queue items, on the same queue and on another.
UWQ_BODY_ON_KINDS(Queueing, T014_QueueFromAnItem, .schedules = 2000) {
  Workqueue* const wq = env.Make(kind);
  Workqueue* const other = env.Alloc("other", core::kWqPercpu);
  Item same, elsewhere;
  Item a([&] {
    EXPECT_TRUE(env.Queue(wq, same));
    EXPECT_TRUE(env.Queue(other, elsewhere));
  });
  EXPECT_TRUE(env.Queue(wq, a));
  EXPECT_TRUE(core::FlushWork(a) || a.runs() == 1);
  FlushWorkqueue(wq);
  FlushWorkqueue(other);
  EXPECT_EQ(same.runs(), 1);
  EXPECT_EQ(elsewhere.runs(), 1);
}

// Q6: a per-CPU item runs in the pool of the CPU asked for, or of the caller's.
UWQ_BODY(QueueingPlacement, Q6_RequestedCpu, .schedules = 1000, .repeat = 20) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  for (int cpu = 0; cpu < 2; ++cpu) {
    int ran_on = -1;
    Item x([&] { ran_on = CurrentPoolCpu(); });
    EXPECT_TRUE(core::QueueWorkOn(cpu, wq, x));
    FlushWorkqueue(wq);
    EXPECT_EQ(ran_on, cpu);
  }
  if (base::OnlineCpus() < 2) return;
  env.Spawn(
      [&] {
        int ran_on = -1;
        Item x([&] { ran_on = CurrentPoolCpu(); });
        EXPECT_TRUE(QueueWork(wq, x));
        FlushWorkqueue(wq);
        EXPECT_EQ(ran_on, 1);
      },
      /*cpu=*/1);
  env.Join();
}

// Q8: a disabled item is refused by every queueing call.
UWQ_BODY_ON_KINDS(Queueing, Q8_DisabledIsRefused, .schedules = 500) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  EXPECT_FALSE(core::DisableWork(x));
  EXPECT_FALSE(QueueWork(wq, x));
  EXPECT_FALSE(core::QueueWorkOn(1, wq, x));
  if (kind == Kind::kUnbound) {
    EXPECT_FALSE(core::QueueWorkNode(0, wq, x));
  }
  EXPECT_FALSE(core::WorkPending(x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 0);
  EXPECT_TRUE(core::EnableWork(x));
}

}  // namespace uwq::conformance
