// SPDX-License-Identifier: BSD-3-Clause
//
// kthread_test.cc -- section 5.12 (K1-K6) through the C ABI and uwq::KthreadWorker, on
// real threads and under the explorer.
#include <algorithm>
#include <memory>

#include "tests/conformance/core/env.h"
#include "workqueue/kthread_worker.h"

namespace uwq::conformance {

std::unique_ptr<KthreadWorker> MakeWorker() { return *KthreadWorker::Create("kworker"); }

// T137, K1, [UWQ-KTHREAD-3], [UWQ-KTHREAD-6]: first in, first out, one at a time, on one
// thread; a requeue while running goes to the tail.
UWQ_BODY(KthreadTest, T137_FifoAndRequeue, .schedules = 500) {
  const int kItems = Rounds(10000, 4);
  Log log;
  Crowd crowd;
  std::atomic<base::ThreadId> thread{0};
  std::vector<std::unique_ptr<KthreadWork>> items;
  auto worker = MakeWorker();
  for (int i = 0; i < kItems; ++i) {
    items.push_back(std::make_unique<KthreadWork>(*worker, [&, i, again = i % 7 == 0]() mutable {
      crowd.Enter();
      if (thread == 0) thread = base::SelfId();
      EXPECT_EQ(base::SelfId(), thread);
      log.Add(i);
      if (again) {
        EXPECT_TRUE(items[i]->Queue());
      }
      again = false;
      crowd.Leave();
    }));
  }
  for (auto& item : items) EXPECT_TRUE(item->Queue());
  worker->Flush();
  worker->Flush();  // those that were queued again
  std::vector<int> first, second;
  std::vector<bool> ran(kItems);
  for (const int id : log.ids()) {
    (ran[id] ? second : first).push_back(id);
    ran[id] = true;
  }
  EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
  EXPECT_TRUE(std::is_sorted(second.begin(), second.end()));
  EXPECT_EQ(first.size(), static_cast<size_t>(kItems));
  EXPECT_EQ(second.size(), static_cast<size_t>((kItems + 6) / 7));
  EXPECT_EQ(crowd.max(), 1);
}

// T139, K2: while a cancel_sync waits, queueing returns false; afterwards it works.
UWQ_BODY(KthreadTest, T139_CancelGate, .schedules = 3000) {
  auto worker = MakeWorker();
  Gate gate;
  std::atomic<int> runs{0};
  KthreadWork k(*worker, [&] {
    ++runs;
    gate.Pass();
  });
  EXPECT_TRUE(k.Queue());
  gate.AwaitArrivals();
  env.Spawn([&] { EXPECT_FALSE(k.CancelSync()) << "only running"; });
  Settle();  // the canceler waits now, in the simulator
  if (kSim) {
    EXPECT_FALSE(k.Queue());
  }
  gate.Open();
  env.Join();
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(k.Queue());
  k.Flush();
  EXPECT_EQ(runs, 2);
}

// T140, K3, [UWQ-KTHREAD-8]: true for pending and for running + pending, else false.
UWQ_BODY(KthreadTest, T140_CancelResults, .schedules = 2000) {
  auto worker = MakeWorker();
  Gate gate;
  std::atomic<int> runs{0};
  KthreadWork blocker(*worker, [&] { gate.Pass(); });
  KthreadDelayedWork k(*worker, [&] { ++runs; });
  EXPECT_FALSE(k.CancelSync()) << "idle";
  EXPECT_TRUE(blocker.Queue());
  gate.AwaitArrivals();
  EXPECT_TRUE(k.Queue(absl::ZeroDuration()));
  EXPECT_FALSE(k.Queue(absl::ZeroDuration()));
  EXPECT_TRUE(k.CancelSync()) << "on the list";
  EXPECT_TRUE(k.Queue(absl::Hours(1)));
  EXPECT_TRUE(k.CancelSync()) << "armed";
  EXPECT_TRUE(blocker.Queue()) << "running and queued again";
  env.Spawn([&] {
    Settle();  // the canceler waits now; on real threads it may be late
    gate.Open();
  });
  EXPECT_TRUE(blocker.CancelSync() || !kSim);
  env.Join();
  worker->Flush();
  EXPECT_EQ(runs, 0);
}

// T141, [UWQ-KTHREAD-9], [UWQ-KTHREAD-10]: mod in each state; never early.
UWQ_BODY(KthreadTest, T141_Mod, .schedules = 1000) {
  auto worker = MakeWorker();
  Gate gate;
  std::atomic<Nanos> ran_at{0};
  std::atomic<int> runs{0};
  KthreadDelayedWork k(*worker, [&] {
    ran_at = base::Now();
    ++runs;
    gate.Pass();
  });
  EXPECT_FALSE(k.Mod(absl::Hours(1))) << "idle";
  const Nanos begin = base::Now();
  EXPECT_TRUE(k.Mod(absl::Milliseconds(5))) << "armed";
  gate.AwaitArrivals();
  EXPECT_GE(ran_at - begin, 5 * kMillisecond);
  if (kSim) {
    EXPECT_EQ(ran_at - begin, 5 * kMillisecond);
  }
  EXPECT_FALSE(k.Mod(absl::Hours(1))) << "running only";
  env.Spawn([&] { EXPECT_TRUE(k.CancelSync()) << "armed while it runs"; });
  Settle();
  gate.Open();
  env.Join();
  EXPECT_EQ(runs, 1);
}

// Due timers come before what is queued after their deadline, in order of deadlines.
UWQ_BODY(KthreadTest, TimersKeepOrder, .schedules = 200) {
  auto worker = MakeWorker();
  Log log;
  std::vector<std::unique_ptr<KthreadDelayedWork>> items;
  for (int i = 0; i < 5; ++i) {
    items.push_back(std::make_unique<KthreadDelayedWork>(*worker, [&log, i] { log.Add(i); }));
  }
  for (int i : {3, 1, 4, 0, 2}) EXPECT_TRUE(items[i]->Queue(absl::Milliseconds(20 * (i + 1))));
  AwaitTrue([&] { return log.size() == 5; });
  EXPECT_EQ(log.ids(), (std::vector<int>{0, 1, 2, 3, 4}));
}

// T143, K6, [UWQ-KTHREAD-7]: flushing an armed item is reported and returns.
UWQ_BODY(KthreadTest, T143_FlushArmed, .schedules = 100) {
  auto worker = MakeWorker();
  KthreadDelayedWork k(*worker, [] {});
  EXPECT_TRUE(k.Queue(absl::Hours(1)));
  k.Flush();
  EXPECT_EQ(env.Reports(ReportKind::kSelfFlush), 1);
  EXPECT_TRUE(k.CancelSync());
}

// T144, K4, [UWQ-KTHREAD-2]: what is queued runs, what is armed is reported; the item
// outlives its worker and is refused.
UWQ_BODY(KthreadTest, T144_DestroyRunsPending, .schedules = 2000) {
  std::atomic<int> ran{0};
  auto worker = MakeWorker();
  KthreadWork a(*worker, [&] { ++ran; }), b(*worker, [&] { ++ran; });
  KthreadDelayedWork armed(*worker, [&] { ADD_FAILURE(); });
  EXPECT_TRUE(a.Queue());
  EXPECT_TRUE(b.Queue());
  EXPECT_TRUE(armed.Queue(absl::Hours(1)));
  worker.reset();
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(env.Reports(ReportKind::kArmedTimerAtDestroy), 1);
  EXPECT_FALSE(a.Queue());
  EXPECT_EQ(env.Reports(ReportKind::kQueueOnDraining), 1);
  EXPECT_FALSE(a.CancelSync());
  a.Flush();
}

// K1-K3 against each other, exhaustively for two threads: nothing is lost, nothing runs
// after its cancel_sync, [UWQ-KTHREAD-5] nor after its destructor.
UWQ_BODY(KthreadTest, Races_QueueCancel, .exhaustive = true, .preemptions = 2, .schedules = 20000,
         .repeat = 300) {
  auto worker = MakeWorker();
  std::atomic<int> runs{0}, accepted{0}, cancelled{0};
  auto k = std::make_unique<KthreadWork>(*worker, [&] {
    Step();
    ++runs;
  });
  env.Spawn([&] { accepted += k->Queue(); });
  accepted += k->Queue();
  cancelled += k->CancelSync();
  env.Join();
  cancelled += k->CancelSync();
  EXPECT_EQ(accepted.load(), runs + cancelled);
  k.reset();
  worker->Flush();
  EXPECT_EQ(accepted.load(), runs + cancelled);
}

// Expiry against mod and cancel_sync, exhaustively: the thread keeps the timer.
UWQ_BODY(KthreadTest, Races_ExpiryModCancel, .exhaustive = true, .preemptions = 2,
         .schedules = 20000, .time_races = true, .repeat = 300) {
  auto worker = MakeWorker();
  std::atomic<int> runs{0}, accepted{0}, cancelled{0};
  KthreadDelayedWork k(*worker, [&] { ++runs; });
  accepted += k.Queue(absl::Microseconds(50));
  env.Spawn([&] { accepted += !k.Mod(absl::Microseconds(20)); });
  Step();
  env.Join();
  cancelled += k.CancelSync();
  EXPECT_EQ(accepted.load(), runs + cancelled);
}

// Misuse from inside: each is reported and returns.
UWQ_BODY(KthreadTest, FromInsideIsDiagnosed, .schedules = 200) {
  auto worker = MakeWorker();
  std::unique_ptr<KthreadWork> k;
  k = std::make_unique<KthreadWork>(*worker, [&] {
    worker->Flush();
    EXPECT_FALSE(k->CancelSync());
  });
  EXPECT_TRUE(k->Queue());
  k->Flush();
  EXPECT_EQ(env.Reports(ReportKind::kOwnQueueFlush), 1);
  EXPECT_EQ(env.Reports(ReportKind::kSelfFlush), 1);
}

// [UWQ-KTHREAD-9], bad input: negative and infinite delays are reported.
UWQ_BODY(KthreadTest, BadDelays, .schedules = 100) {
  auto worker = MakeWorker(), other = MakeWorker();
  std::atomic<int> runs{0};
  KthreadDelayedWork negative(*worker, [&] { ++runs; });
  EXPECT_TRUE(negative.Queue(-absl::Seconds(1)));
  negative.Flush();
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(env.Reports(ReportKind::kBadDelay), 1);
  KthreadDelayedWork never(*other, [&] { ++runs; });
  EXPECT_TRUE(never.Queue(absl::InfiniteDuration()));
  EXPECT_EQ(env.Reports(ReportKind::kBadDelay), 2);
  EXPECT_TRUE(never.CancelSync());
  EXPECT_EQ(runs, 1);
}

struct Plain {
  uwq_kthread_work work;
  int runs;
};
void RunPlain(uwq_kthread_work* work) { ++reinterpret_cast<Plain*>(work)->runs; }

// K5: an item stays on its worker until it is initialised anew.
UWQ_BODY(KthreadTest, K5_OneWorker, .schedules = 200) {
  uwq_kthread_worker* const a = uwq_kthread_worker_create("a", nullptr);
  uwq_kthread_worker* const b = uwq_kthread_worker_create("b", nullptr);
  Plain p{};
  uwq_kthread_work_init(&p.work, &RunPlain);
  EXPECT_TRUE(uwq_kthread_work_queue(a, &p.work));
  uwq_kthread_work_flush(&p.work);
  EXPECT_FALSE(uwq_kthread_work_queue(b, &p.work));
  EXPECT_EQ(env.Reports(ReportKind::kSecondQueue), 1);
  uwq_kthread_work_init(&p.work, &RunPlain);
  EXPECT_TRUE(uwq_kthread_work_queue(b, &p.work));
  uwq_kthread_worker_flush(b);
  EXPECT_EQ(p.runs, 2);
  uwq_kthread_worker_destroy(a);
  uwq_kthread_worker_destroy(b);
}

// [UWQ-KTHREAD-1], bad input: named, nothing is started.
UWQ_BODY(KthreadTest, BadOptions, .schedules = 10) {
  for (const KthreadWorker::Options& bad :
       {KthreadWorker::Options{.rt_priority = 100}, KthreadWorker::Options{.rt_priority = -1},
        KthreadWorker::Options{.nice = 20}}) {
    const absl::Status status = KthreadWorker::Create("bad", bad).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  }
}

}  // namespace uwq::conformance
