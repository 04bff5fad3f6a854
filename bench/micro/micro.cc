// SPDX-License-Identifier: BSD-3-Clause
//
// micro.cc -- what single calls cost that one thread makes, nothing contended.
//
// Question of each: one call, ns.  The counter `allocs` must be 0 everywhere.
// The pool is blocked where an item has to stay pending.  The reference rows say
// what the machine's own primitives cost in the same run.
#include <benchmark/benchmark.h>

#include <memory>
#include <mutex>

#include "bench/harness/completion.h"
#include "bench/harness/measure.h"
#include "delayed/delayed_work.h"
#include "workqueue/workqueue.h"

namespace uwq::bench {
namespace {

Runtime* SharedRuntime() {
  static Runtime* const runtime = Runtime::Create({})->release();
  return runtime;
}

std::unique_ptr<Workqueue> Make(WorkqueueKind kind, int max_active = 0) {
  return *Workqueue::Create("micro",
                            {.kind = kind, .max_active = max_active, .runtime = SharedRuntime()});
}

// A queue whose only slot is taken until this object goes.
class BlockedQueue {
 public:
  BlockedQueue() : wq_(Make(WorkqueueKind::kUnbound, 1)) {
    gate.Reset();
    nr_blocked = 0;
    wq_->Queue(blocker_);
    AwaitBlocked(1);
  }
  ~BlockedQueue() {
    gate.Set();
    blocker_.Flush();
  }
  Workqueue& operator*() { return *wq_; }
  Workqueue* operator->() { return wq_.get(); }

 private:
  std::unique_ptr<Workqueue> wq_;
  WorkItem blocker_{[](uwq_work*) { BlockAtGate(); }};
};

void Nothing(uwq_work*) {}

// Counts allocations over the timed loop.
class AllocationCount {
 public:
  explicit AllocationCount(benchmark::State& state) : state_(state), before_(AllocationsSoFar()) {
    CountAllocations();
  }
  ~AllocationCount() {
    state_.counters["allocs"] = benchmark::Counter(
        static_cast<double>(AllocationsSoFar() - before_), benchmark::Counter::kAvgIterations);
  }

 private:
  benchmark::State& state_;
  const uint64_t before_;
};

void BM_QueueAlreadyPending(benchmark::State& state) {
  BlockedQueue wq;
  WorkItem item(&Nothing);
  wq->Queue(item);
  {
    const AllocationCount count(state);
    for (auto _ : state) benchmark::DoNotOptimize(wq->Queue(item));
  }
  item.Cancel();
}
BENCHMARK(BM_QueueAlreadyPending);

void BM_QueueThenCancel(benchmark::State& state) {
  BlockedQueue wq;
  WorkItem item(&Nothing);
  const AllocationCount count(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(wq->Queue(item));
    benchmark::DoNotOptimize(item.Cancel());
  }
}
BENCHMARK(BM_QueueThenCancel);

void BM_QueueThenCancelSync(benchmark::State& state) {
  BlockedQueue wq;
  WorkItem item(&Nothing);
  const AllocationCount count(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(wq->Queue(item));
    benchmark::DoNotOptimize(item.CancelSync());
  }
}
BENCHMARK(BM_QueueThenCancelSync);

// The queueing half of the pairs above: a thousand items, cancelled outside of the clock.
void BM_QueueOnly(benchmark::State& state) {
  constexpr int kItems = 1000;
  BlockedQueue wq;
  std::vector<std::unique_ptr<WorkItem>> items;
  for (int i = 0; i < kItems; ++i) items.push_back(std::make_unique<WorkItem>(&Nothing));
  for (auto _ : state) {
    for (auto& item : items) benchmark::DoNotOptimize(wq->Queue(*item));
    state.PauseTiming();
    for (auto& item : items) item->Cancel();
    state.ResumeTiming();
  }
  state.counters["per_item"] = benchmark::Counter(
      kItems, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_QueueOnly);

void BM_CancelIdle(benchmark::State& state) {
  WorkItem item(&Nothing);
  const AllocationCount count(state);
  for (auto _ : state) benchmark::DoNotOptimize(item.Cancel());
}
BENCHMARK(BM_CancelIdle);

void BM_FlushIdle(benchmark::State& state) {
  const auto wq = Make(WorkqueueKind::kUnbound);
  WorkItem item(&Nothing);
  wq->Queue(item);
  item.Flush();
  const AllocationCount count(state);
  for (auto _ : state) benchmark::DoNotOptimize(item.Flush());
}
BENCHMARK(BM_FlushIdle);

void BM_FlushIdleQueue(benchmark::State& state) {
  const auto wq = Make(WorkqueueKind::kUnbound);
  const AllocationCount count(state);
  for (auto _ : state) wq->Flush();
}
BENCHMARK(BM_FlushIdleQueue);

// A worker does it: what a flush costs with the two switches.
void BM_QueueThenFlush(benchmark::State& state) {
  const auto wq = Make(WorkqueueKind::kUnbound);
  WorkItem item(&Nothing);
  for (int i = 0; i < 1000; ++i) {  // the pool makes its workers
    wq->Queue(item);
    item.Flush();
  }
  const AllocationCount count(state);
  for (auto _ : state) {
    wq->Queue(item);
    item.Flush();
  }
}
BENCHMARK(BM_QueueThenFlush)->UseRealTime();

void BM_RunSyncIdle(benchmark::State& state) {
  const auto wq = Make(WorkqueueKind::kOrdered);
  int runs = 0;
  const AllocationCount count(state);
  for (auto _ : state) benchmark::DoNotOptimize(wq->RunSync([&runs] { ++runs; }).ok());
}
BENCHMARK(BM_RunSyncIdle);

void BM_ArmThenCancel(benchmark::State& state) {
  const auto wq = Make(WorkqueueKind::kUnbound);
  DelayedWorkItem item(&Nothing);
  const AllocationCount count(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(item.Queue(*wq, absl::Seconds(100)));
    benchmark::DoNotOptimize(item.Cancel());
  }
}
BENCHMARK(BM_ArmThenCancel);

void BM_ModArmed(benchmark::State& state) {
  const auto wq = Make(WorkqueueKind::kUnbound);
  DelayedWorkItem item(&Nothing);
  item.Queue(*wq, absl::Seconds(100));
  {
    const AllocationCount count(state);
    for (auto _ : state) benchmark::DoNotOptimize(item.Mod(*wq, absl::Seconds(100)));
  }
  item.Cancel();
}
BENCHMARK(BM_ModArmed);

void BM_ReferenceMutex(benchmark::State& state) {
  static std::mutex mutex;
  for (auto _ : state) {
    mutex.lock();
    benchmark::ClobberMemory();
    mutex.unlock();
  }
}
BENCHMARK(BM_ReferenceMutex);

void BM_ReferenceRmw(benchmark::State& state) {
  static std::atomic<uint64_t> word{0};
  for (auto _ : state) benchmark::DoNotOptimize(word.fetch_or(1, std::memory_order_acq_rel));
}
BENCHMARK(BM_ReferenceRmw);

void BM_ReferenceClock(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Now());
}
BENCHMARK(BM_ReferenceClock);

}  // namespace
}  // namespace uwq::bench

BENCHMARK_MAIN();
