// SPDX-License-Identifier: BSD-3-Clause
//
// allocation_test.cc -- Q9: queueing, flushing, cancelling and disabling allocate
// nothing; a million items need no more than themselves; and 10^4 Runtimes, made and
// destroyed, leak no thread, descriptor or byte.
#include <dirent.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/runtime/malloc_count.h"
#include "workqueue/core/concurrency.h"
#include "workqueue/core/item.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/workqueue.h"

namespace uwq::core {
namespace {

using test::Allocations;
using test::AllocationsOfThread;
using test::LiveBytes;

struct QueueKind {
  const char* name;
  unsigned flags;
  int max_active;
};

constexpr QueueKind kKinds[] = {
    {"percpu", kWqPercpu, 0},
    {"percpu_one", kWqPercpu, 1},
    {"unbound", kWqUnbound, 0},
    {"unbound_one", kWqUnbound, 1},
    {"ordered", kWqUnbound | kWqOrdered, 0},
    {"reclaim", kWqUnbound | kWqMemReclaim, 0},
    {"highpri", kWqPercpu | kWqHighpri, 0},
    {"bh", kWqBh, 0},
};

class Q9 : public testing::TestWithParam<QueueKind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, Q9, testing::ValuesIn(kKinds),
                         [](const auto& info) { return info.param.name; });

// First the pool gets more workers than the calls can need at once, as making a worker
// allocates; then each call is counted on its own.
TEST_P(Q9, NoCallAllocates) {
  RuntimeOptions options;
  options.topology = Topology::Emulated(1, 2);
  auto runtime = *Runtime::Create(options);
  Workqueue* const wq =
      *AllocWorkqueue(runtime.get(), {GetParam().name, GetParam().flags, GetParam().max_active});
  if (!wq->HasFlag(kWqBh)) {
    static std::atomic<bool> go;
    static std::atomic<int> inside;
    go = false;
    inside = 0;
    std::vector<WorkItem> crowd(16);
    Workqueue* const warm = *AllocWorkqueue(
        runtime.get(), {"warm", (GetParam().flags & ~(kWqOrdered | kWqMemReclaim)), 0});
    for (WorkItem& item : crowd) {
      InitWord(&item, [](WorkItem*) {
        BlockingScope blocking;
        ++inside;
        while (!go) std::this_thread::yield();
      });
    }
    for (size_t i = 0; i < crowd.size(); ++i) QueueWorkOn(static_cast<int>(i % 2), warm, &crowd[i]);
    while (inside < 16) std::this_thread::yield();
    go = true;
    DestroyWorkqueue(warm);
  }
  static std::atomic<int> runs;
  runs = 0;
  std::vector<WorkItem> items(64);
  for (WorkItem& item : items) InitWord(&item, [](WorkItem*) { ++runs; });
  // Once, so that lazily made things (wait buckets, thread-local ones) exist.
  QueueWork(wq, &items[0]);
  CancelWorkSync(&items[0]);
  FlushWorkqueue(wq);

  int64_t mine = 0;
  const auto counted = [&mine](auto&& call) {
    const int64_t before = AllocationsOfThread();
    (void)call();
    mine += AllocationsOfThread() - before;
  };
  const int64_t all_before = Allocations();
  for (int round = 0; round < 200; ++round) {
    for (size_t i = 0; i < items.size(); ++i) {
      WorkItem* const item = &items[i];
      counted([&] { return QueueWorkOn(static_cast<int>(i % 2), wq, item); });
      counted([&] { return QueueWork(wq, item); });
    }
    counted([&] { return CancelWork(&items[5]); });
    counted([&] { return CancelWorkSync(&items[6]); });
    counted([&] { return DisableWork(&items[7]); });
    counted([&] { return EnableWork(&items[7]); });
    counted([&] { return DisableWorkSync(&items[8]); });
    counted([&] { return EnableAndQueueWork(wq, &items[8]); });
    counted([&] { return FlushWork(&items[63]); });
    counted([&] { return WorkBusy(&items[9]); });
    counted([&] { return FlushWorkqueue(wq), 0; });
    counted([&] { return DrainWorkqueue(wq), 0; });
  }
  const int64_t all = Allocations() - all_before;
  EXPECT_EQ(mine, 0);
  EXPECT_EQ(all, 0) << "by workers or the service thread";
  EXPECT_GT(runs, 0);
  DestroyWorkqueue(wq);
}

// A million items are queued and live in 40 MB: their own 32 bytes each, and no more.
TEST(Memory, MillionItems) {
  constexpr int kItems = 1000000;
  RuntimeOptions options;
  options.topology = Topology::Emulated(1, 2);
  auto runtime = *Runtime::Create(std::move(options));
  Workqueue* const wq = *AllocWorkqueue(runtime.get(), {"million", kWqUnbound | kWqFreezable, 0});
  static std::atomic<int> runs;
  runs = 0;
  const int64_t before = LiveBytes();
  std::vector<WorkItem> items(kItems);
  runtime->FreezeBegin();
  for (WorkItem& item : items) {
    InitWord(&item, [](WorkItem*) { ++runs; });
    ASSERT_TRUE(QueueWork(wq, &item));
  }
  EXPECT_LE(LiveBytes() - before, 40 * 1000 * 1000);
  runtime->Thaw();
  FlushWorkqueue(wq);
  EXPECT_EQ(runs, kItems);
  DestroyWorkqueue(wq);
}

int EntriesOf(const char* folder) {
  int n = 0;
  DIR* const dir = opendir(folder);
  while (const dirent* entry = readdir(dir)) n += entry->d_name[0] != '.';
  closedir(dir);
  return n;
}

// A thread that was joined may stay in /proc for a moment: it is waited for, so that a
// leak is what never comes down to one.
int ThreadsInTheEnd() {
  int n = 0;
  for (int i = 0; i < 100000 && (n = EntriesOf("/proc/self/task")) > 1; ++i) {
    std::this_thread::yield();
  }
  return n;
}

TEST(RuntimeCycles, LeakNothing) {
  static std::atomic<int> runs;
  const auto cycle = [] {
    RuntimeOptions options;
    options.topology = Topology::Emulated(1, 1);
    options.pin_workers = false;
    auto runtime = *Runtime::Create(std::move(options));
    Workqueue* const percpu = *AllocWorkqueue(runtime.get(), {"percpu", kWqPercpu, 0});
    Workqueue* const ordered =
        *AllocWorkqueue(runtime.get(), {"ordered", kWqUnbound | kWqOrdered, 0});
    WorkItem a, b;
    InitWord(&a, [](WorkItem*) { ++runs; });
    InitWord(&b, [](WorkItem*) { ++runs; });
    QueueWork(percpu, &a);
    QueueWork(ordered, &b);
    DestroyWorkqueue(percpu);
    DestroyWorkqueue(ordered);
  };
  constexpr int kWarmUp = 200, kCycles = 10000;
  for (int i = 0; i < kWarmUp; ++i) cycle();
  runs = 0;
  const int descriptors = EntriesOf("/proc/self/fd");
  const int64_t bytes = LiveBytes();
  for (int i = 0; i < kCycles; ++i) cycle();
  EXPECT_EQ(runs, 2 * kCycles);
  EXPECT_EQ(ThreadsInTheEnd(), 1);
  EXPECT_EQ(EntriesOf("/proc/self/fd"), descriptors);
  // Not exactly equal: glibc keeps some stacks, each with a vector, for later threads.
  EXPECT_LT(LiveBytes() - bytes, kCycles) << "less than a byte for each cycle";
}

}  // namespace
}  // namespace uwq::core
