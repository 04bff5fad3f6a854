// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: what workqueue/rcu_work.h promises (1.8, T136), and real-time kthread workers.
#include "workqueue/rcu_work.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/delayed/fixture.h"
#include "workqueue/kthread_worker.h"

namespace uwq {
namespace {

class RcuTest : public QueueTest {};

// T136, [UWQ-RCU-1], [UWQ-RCU-3], [UWQ-RCU-4]: not before the reader has left.
TEST_F(RcuTest, T136_WaitsForTheReader) {
  std::atomic<bool> left{false};
  std::atomic<int> runs{0};
  base::Completion inside, leave;
  std::thread reader([&] {
    RcuReader outer;
    { RcuReader nested; }
    inside.Set();
    leave.Wait();
    left = true;
  });
  inside.Wait();
  RcuWork work([&] {
    EXPECT_TRUE(left);
    ++runs;
  });
  EXPECT_TRUE(work.Queue(*wq_));
  EXPECT_FALSE(work.Queue(*wq_)) << "pending already";
  EXPECT_TRUE(work.pending());
  EXPECT_EQ(runs, 0);
  leave.Set();
  EXPECT_TRUE(work.Flush());
  EXPECT_EQ(runs, 1);
  EXPECT_FALSE(work.Flush());
  reader.join();
}

// [UWQ-RCU-2], under the sanitizers: what a reader can see is never freed.
TEST_F(RcuTest, ReadersAgainstUpdaters) {
  struct Node {
    explicit Node(int n) : a(n), b(~n) {}
    int a, b;
  };
  std::atomic<Node*> published{new Node(0)};
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        RcuReader reader;
        const Node* const node = published.load(std::memory_order_acquire);
        if (node->a != ~node->b) ++torn;
      }
    });
  }
  for (int i = 1; i <= 200; ++i) {
    Node* const old = published.exchange(new Node(i), std::memory_order_acq_rel);
    if (i % 2 == 0) {
      SynchronizeRcu();
      delete old;
    } else {
      RcuWork retire([old] { delete old; });
      EXPECT_TRUE(retire.Queue(*wq_));
      EXPECT_TRUE(retire.Flush());
    }
  }
  stop = true;
  for (std::thread& t : readers) t.join();
  EXPECT_EQ(torn, 0);
  delete published.load();
}

// Inside a reader it would wait for itself: reported, returns.
TEST_F(RcuTest, SynchronizeInsideAReader) {
  RcuReader reader;
  SynchronizeRcu();
  EXPECT_EQ(Reports(ReportKind::kSelfFlush), 1);
}

// The other waits for readers and callbacks: reported, they return; the item runs later.
TEST_F(RcuTest, WaitsInsideAReader) {
  std::atomic<int> runs{0};
  RcuWork work([&] { ++runs; });
  {
    RcuReader reader;
    EXPECT_TRUE(work.Queue(*wq_));
    uwq_rcu_barrier();
    EXPECT_EQ(Reports(ReportKind::kSelfFlush), 1);
    EXPECT_FALSE(work.Flush());
    EXPECT_EQ(Reports(ReportKind::kSelfFlush), 2);
    EXPECT_EQ(runs, 0);
  }
  EXPECT_TRUE(work.Flush());
  EXPECT_EQ(runs, 1);
}

TEST_F(RcuTest, WaitsInsideACallback) {
  struct Callback {
    uwq_rcu_head head;  // first
    base::Completion done;
  } callback;
  uwq_call_rcu(&callback.head, [](uwq_rcu_head* head) {
    uwq_rcu_barrier();
    reinterpret_cast<Callback*>(head)->done.Set();
  });
  callback.done.Wait();
  EXPECT_EQ(Reports(ReportKind::kSelfFlush), 1);
  uwq_rcu_barrier();  // and the callback thread is well
  EXPECT_EQ(Reports(ReportKind::kSelfFlush), 1);
}

// [UWQ-RCU-LIFE-1]: inside a reader its grace period cannot end.
TEST_F(RcuTest, DestroyedInsideAReader) {
  RcuReader reader;
  {
    RcuWork work([] { ADD_FAILURE(); });
    EXPECT_TRUE(work.Queue(*wq_));
  }
  EXPECT_EQ(Reports(ReportKind::kFreedWhileBusy), 1);
}

// L9, T149: initialised anew in its grace period; the callbacks beside it still run.
TEST_F(RcuTest, T149_ReinitInTheGracePeriod) {
  std::atomic<int> runs{0};
  RcuWork before([&] { ++runs; }), after([&] { ++runs; });
  static std::atomic<int> own_runs;
  own_runs = 0;
  const auto func = [](uwq_work*) { ++own_runs; };
  uwq_rcu_work work;
  uwq_init_rcu_work(&work, func);
  uwq_workqueue* const wq = reinterpret_cast<uwq_workqueue*>(wq_->raw());
  {
    RcuReader reader;
    EXPECT_TRUE(before.Queue(*wq_));
    EXPECT_TRUE(uwq_queue_rcu_work(wq, &work));
    EXPECT_TRUE(after.Queue(*wq_));
    uwq_init_rcu_work(&work, func);
    EXPECT_EQ(Reports(ReportKind::kReinitWhileQueued), 1);
    EXPECT_FALSE(core::WorkPending(&work.work));
    EXPECT_TRUE(uwq_queue_rcu_work(wq, &work));
  }
  EXPECT_TRUE(uwq_flush_rcu_work(&work));
  EXPECT_EQ(own_runs, 1);
  (void)before.Flush();
  (void)after.Flush();
  EXPECT_EQ(runs, 2);
}

// The same against a batch that is being run: each item runs or was called off, once.
TEST_F(RcuTest, CallOffAgainstTheBatch) {
  for (int i = 0; i < 200; ++i) {
    std::atomic<int> runs{0};
    RcuWork first([&] { ++runs; }), second([&] { ++runs; });
    core::ResetReports();
    auto* const third = new RcuWork([&] { ++runs; });
    EXPECT_TRUE(first.Queue(*wq_));
    EXPECT_TRUE(third->Queue(*wq_));
    EXPECT_TRUE(second.Queue(*wq_));
    if (i % 2 == 0) {
      while (first.pending()) std::this_thread::yield();  // the batch has begun
    }
    delete third;
    (void)first.Flush();
    (void)second.Flush();
    const bool called_off = core::ReportCount(ReportKind::kFreedWhileBusy) > 0;
    EXPECT_GE(runs + called_off, 3);
  }
}

// [UWQ-RCU-LIFE-1]: destroyed while it waits for its grace period.
TEST_F(RcuTest, DestroyedWhilePending) {
  std::atomic<int> runs{0};
  {
    RcuWork work([&] { ++runs; });
    EXPECT_TRUE(work.Queue(*wq_));
  }
  EXPECT_EQ(Reports(ReportKind::kFreedWhileBusy), 1);
  const int after = runs;
  wq_->Flush();
  EXPECT_EQ(runs, after);
}

// A disabled item is not queued, and that is reported (1.8).
TEST_F(RcuTest, DisabledIsReported) {
  uwq_rcu_work work;
  uwq_init_rcu_work(&work, [](uwq_work*) { ADD_FAILURE(); });
  EXPECT_FALSE(core::DisableWork(&work.work));
  EXPECT_FALSE(uwq_queue_rcu_work(reinterpret_cast<uwq_workqueue*>(wq_->raw()), &work));
  EXPECT_EQ(Reports(ReportKind::kOther), 1);
  EXPECT_TRUE(core::EnableWork(&work.work));
}

// Whether the system lets a thread of this process have real-time priority.
bool RealTimePermitted() {
  bool permitted = false;
  std::thread([&] {
    const sched_param param{.sched_priority = 10};
    permitted = sched_setscheduler(0, SCHED_FIFO, &param) == 0;
  }).join();
  return permitted;
}

// [UWQ-KTHREAD-4]: the priority is in force, or there is a message and ordinary work.
TEST_F(RcuTest, RealTimeWorkerFallsBackWithAMessage) {
  const bool permitted = RealTimePermitted();
  std::unique_ptr<KthreadWorker> worker = *KthreadWorker::Create("rt", {.rt_priority = 10});
  int policy = -1;
  sched_param param = {};
  KthreadWork work(*worker, [&] {
    policy = sched_getscheduler(0);
    EXPECT_EQ(sched_getparam(0, &param), 0);
  });
  EXPECT_TRUE(work.Queue());
  work.Flush();
  EXPECT_EQ(worker->realtime(), permitted);
  EXPECT_EQ(policy, permitted ? SCHED_FIFO : SCHED_OTHER);
  EXPECT_EQ(param.sched_priority, permitted ? 10 : 0);
  EXPECT_EQ(Reports(ReportKind::kOther), permitted ? 0 : 1);
}

// [UWQ-KTHREAD-1]: the worker is on its CPU, and as nice as it was told to be.
TEST_F(RcuTest, WorkerOnItsCpuAndNice) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  int cpu = CPU_SETSIZE - 1;  // the last one: a worker that is not bound would have more
  while (!CPU_ISSET(cpu, &allowed)) --cpu;
  const int own_nice = getpriority(PRIO_PROCESS, 0);
  const int nice = std::min(own_nice + 3, 19);
  std::unique_ptr<KthreadWorker> worker = *KthreadWorker::Create("c", {.cpu = cpu, .nice = nice});
  int ran_on = -1, ran_nice = -100;
  cpu_set_t bound;
  KthreadWork work(*worker, [&] {
    ran_on = sched_getcpu();
    ran_nice = getpriority(PRIO_PROCESS, 0);  // Linux: of this thread
    EXPECT_EQ(sched_getaffinity(0, sizeof(bound), &bound), 0);
  });
  EXPECT_TRUE(work.Queue());
  work.Flush();
  EXPECT_EQ(ran_on, cpu);
  EXPECT_EQ(CPU_COUNT(&bound), 1);
  EXPECT_TRUE(CPU_ISSET(cpu, &bound));
  EXPECT_EQ(ran_nice, nice);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), own_nice);
  EXPECT_EQ(Reports(ReportKind::kOther), 0);
}

// K4: each worker tells, also one in the memory of another that was destroyed.
TEST_F(RcuTest, EveryWorkerTellsOfItsArmedItems) {
  for (int i = 1; i <= 3; ++i) {
    std::unique_ptr<KthreadWorker> worker = *KthreadWorker::Create("armed");
    KthreadDelayedWork item(*worker, [] { ADD_FAILURE(); });
    EXPECT_TRUE(item.Queue(absl::Hours(1)));
    worker.reset();
    EXPECT_EQ(Reports(ReportKind::kArmedTimerAtDestroy), i);
  }
}

// [UWQ-KTHREAD-2], misuse: destroyed by its own item: reported, thread and items are kept.
// (Not under the explorer, where no thread may be left.)
TEST_F(RcuTest, WorkerDestroyedByItsOwnItem) {
  std::unique_ptr<KthreadWorker> worker = *KthreadWorker::Create("own");
  std::atomic<int> runs{0};
  KthreadWork second(*worker, [&] { ++runs; });
  KthreadWork first(*worker, [&] { worker.reset(); });
  EXPECT_TRUE(first.Queue());
  first.Flush();
  EXPECT_EQ(Reports(ReportKind::kOwnQueueFlush), 1);
  EXPECT_TRUE(second.Queue());
  second.Flush();
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace uwq
