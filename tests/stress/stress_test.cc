// SPDX-License-Identifier: BSD-3-Clause
//
// stress_test.cc -- real threads make random calls on thousands of items for a given
// time; the oracle is in the data.
//
//   stress_test --seconds=30 --producers=4 --items=4000 --seed=1
//
// Invariants, checked for every item: it never runs twice at once; accepted queueing
// calls = runs + successful cancels; its plain counter, which only its function writes,
// equals the number of runs (so that one run sees the stores of the one before, TSan
// being the judge); afterwards every account of every queue is zero.
//
// An item keeps to one queue (N1).  Queueing from outside while a queue drains is
// dropped (Q7), so drainers exclude outside queueing, and only that, by a lock.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "workqueue/core/concurrency.h"
#include "workqueue/core/dump.h"
#include "workqueue/core/item.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/workqueue.h"

namespace uwq::core {
namespace {

struct Options {
  int seconds = 30;
  int producers = 4;
  int items = 4000;
  unsigned seed = 1;
};
Options options;

struct Queue {
  Workqueue* wq;
  std::shared_mutex outside;  // shared: queueing from outside; exclusive: draining
  std::vector<struct Item*> items;
};

struct Item {
  WorkItem work;  // first
  Queue* queue;
  uint64_t plain_runs = 0;
  std::atomic<uint64_t> accepted{0}, runs{0}, cancels{0};
  std::atomic<int> running{0};
  std::atomic<uint32_t> random{1};  // decides what the function does
};

std::atomic<uint64_t> reentered{0};

uint32_t Next(std::atomic<uint32_t>* state) {
  uint32_t x = state->load(std::memory_order_relaxed);
  x ^= x << 13, x ^= x >> 17, x ^= x << 5;
  state->store(x, std::memory_order_relaxed);
  return x;
}

void Enqueue(Item* item, int cpu) {
  if (QueueWorkOn(cpu, item->queue->wq, &item->work)) ++item->accepted;
}

void Function(WorkItem* work) {
  Item* const self = reinterpret_cast<Item*>(work);
  if (self->running.fetch_add(1) != 0) ++reentered;
  ++self->plain_runs;
  ++self->runs;
  const uint32_t random = Next(&self->random);
  Item* const other = self->queue->items[(random >> 8) % self->queue->items.size()];
  switch (random % 16) {
    case 0:
      Enqueue(self, static_cast<int>(random >> 5) % 2);
      break;
    case 1:
      Enqueue(other, kWorkCpuUnbound);
      break;
    case 2:
      if (CancelWork(&other->work)) ++other->cancels;
      break;
    case 3: {
      BlockingScope blocking;
      std::this_thread::sleep_for(std::chrono::microseconds(random % 50));
      break;
    }
    case 4:
      for (int i = static_cast<int>(random % 2000); i > 0; --i) base::CpuRelax();
      break;
    default:
      break;
  }
  self->running.fetch_sub(1);
}

class Stress {
 public:
  Stress() {
    RuntimeOptions runtime;
    runtime.topology = Topology::Emulated(2, 2);
    runtime.idle_worker_timeout_ns = 20 * base::kMillisecond;
    runtime.sample_interval_ns = base::kMillisecond;
    runtime.cpu_intensive_warning_thresh = 0;
    runtime_ = *Runtime::Create(runtime);
    const struct {
      const char* name;
      unsigned flags;
      int max_active;
    } kQueues[] = {
        {"percpu", kWqPercpu, 0},
        {"percpu_limited", kWqPercpu | kWqFreezable, 2},
        {"intensive", kWqPercpu | kWqCpuIntensive | kWqHighpri, 0},
        {"unbound", kWqUnbound, 0},
        {"unbound_limited", kWqUnbound | kWqFreezable, 3},
        {"reclaim", kWqUnbound | kWqMemReclaim, 1},
        {"ordered", kWqUnbound | kWqOrdered, 0},
        {"ordered_freezable", kWqUnbound | kWqOrdered | kWqFreezable, 0},
    };
    for (const auto& row : kQueues) {
      auto queue = std::make_unique<Queue>();
      queue->wq = *AllocWorkqueue(runtime_.get(), {row.name, row.flags, row.max_active});
      queues_.push_back(std::move(queue));
    }
    for (int i = 0; i < options.items; ++i) {
      auto item = std::make_unique<Item>();
      InitWord(&item->work, &Function);
      item->queue = queues_[i % queues_.size()].get();
      item->random = static_cast<uint32_t>(i) * 2654435761u | 1u;
      item->queue->items.push_back(item.get());
      items_.push_back(std::move(item));
    }
  }

  void Run() {
    std::vector<std::thread> threads;
    for (int p = 0; p < options.producers; ++p) threads.emplace_back([this, p] { Produce(p); });
    threads.emplace_back([this] { Disturb(); });
    threads.emplace_back([this] { ShortLived(); });
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(options.seconds);
    while (std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    stop_ = true;
    for (std::thread& t : threads) t.join();
    for (auto& queue : queues_) DrainWorkqueue(queue->wq);
    Check();
    for (auto& queue : queues_) DestroyWorkqueue(queue->wq);
    runtime_.reset();
  }

 private:
  void Produce(int number) {
    std::minstd_rand random(options.seed * 100 + static_cast<unsigned>(number) + 1);
    // Half of the calls go to few items, so that they meet.
    while (!stop_) {
      Item* const item =
          random() % 2 == 0 ? items_[random() % items_.size()].get() : items_[random() % 32].get();
      Queue* const queue = item->queue;
      switch (random() % 16) {
        default: {
          std::shared_lock<std::shared_mutex> lock(queue->outside);
          const int cpu = static_cast<int>(random() % 5) - 1;
          Enqueue(item, cpu);
          break;
        }
        case 8:
          if (CancelWork(&item->work)) ++item->cancels;
          break;
        case 9:
          if (CancelWorkSync(&item->work)) ++item->cancels;
          break;
        case 10:
          (void)FlushWork(&item->work);
          break;
        case 11:
          if (DisableWork(&item->work)) ++item->cancels;
          (void)EnableWork(&item->work);
          break;
        case 12:
          if (DisableWorkSync(&item->work)) ++item->cancels;
          (void)EnableWork(&item->work);
          break;
        case 13:
          if (random() % 16 == 0) FlushWorkqueue(queue->wq);
          break;
        case 14:
          (void)WorkBusy(&item->work);
          (void)WorkqueueCongested(static_cast<int>(random() % 4), queue->wq);
          break;
        case 15:
          if (random() % 64 == 0) {
            std::unique_lock<std::shared_mutex> lock(queue->outside);
            DrainWorkqueue(queue->wq);
          }
          break;
      }
      ++calls_;
    }
  }

  // What moves under everybody's feet.
  void Disturb() {
    std::minstd_rand random(options.seed + 77);
    while (!stop_) {
      Queue* const queue = queues_[random() % queues_.size()].get();
      switch (random() % 4) {
        case 0:
          if (!queue->wq->ordered()) SetMaxActive(queue->wq, 1 + static_cast<int>(random() % 8));
          break;
        case 1:
          if (queue->wq->unbound()) {
            WorkqueueAttrs attrs;
            attrs.nice = static_cast<int>(random() % 3);
            attrs.affn_scope = static_cast<AffnScope>(random() % kAffnScopes);
            if (random() % 2 == 0) attrs.cpumask.set(random() % 4);
            attrs.ordered = queue->wq->ordered();
            ASSERT_TRUE(ApplyWorkqueueAttrs(queue->wq, attrs).ok());
          }
          break;
        case 2:
          runtime_->FreezeBegin();
          (void)runtime_->FreezeBusy();
          std::this_thread::sleep_for(std::chrono::microseconds(random() % 200));
          runtime_->Thaw();
          break;
        case 3:
          (void)TakeSnapshot(runtime_.get());
          (void)DumpText(runtime_.get(), false);
          break;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
    }
  }

  // Items whose memory goes at once: after cancel_sync, or from their own function.
  void ShortLived() {
    std::minstd_rand random(options.seed + 99);
    while (!stop_) {
      Queue* const queue = queues_[random() % queues_.size()].get();
      auto item = std::make_unique<Item>();
      InitWord(&item->work, &Function);
      item->queue = queue;
      item->random = 5;  // Next(5) % 16 is none of the special cases' numbers below
      {
        std::shared_lock<std::shared_mutex> lock(queue->outside);
        Enqueue(item.get(), static_cast<int>(random() % 4));
        WorkItem* const heap = new WorkItem;
        InitWord(heap, [](WorkItem* work) { delete work; });
        EXPECT_TRUE(QueueWorkOn(static_cast<int>(random() % 4), queue->wq, heap));
      }
      if (DisableWorkSync(&item->work)) ++item->cancels;
      EXPECT_EQ(item->accepted.load(), item->runs + item->cancels);
      memset(static_cast<void*>(&item->work), 0xee, sizeof(item->work));
    }
  }

  void Check() {
    uint64_t accepted = 0, runs = 0, cancels = 0;
    for (auto& item : items_) {
      ASSERT_EQ(item->accepted.load(), item->runs + item->cancels)
          << "item of " << item->queue->wq->name << ": " << item->runs << " runs, " << item->cancels
          << " cancels";
      ASSERT_EQ(item->plain_runs, item->runs.load());
      ASSERT_EQ(item->running.load(), 0);
      ASSERT_EQ(WorkBusy(&item->work), 0u);
      accepted += item->accepted;
      runs += item->runs;
      cancels += item->cancels;
    }
    EXPECT_EQ(reentered.load(), 0u);
    for (const WorkqueueSnapshot& s : TakeSnapshot(runtime_.get()).workqueues) {
      EXPECT_EQ(s.nr_active, 0) << s.name;
      EXPECT_EQ(s.nr_inactive, 0) << s.name;
      EXPECT_EQ(s.nr_in_flight, 0) << s.name;
    }
    EXPECT_GT(runs, 0u);
    EXPECT_GT(cancels, 0u);
    printf("stress: %d s, seed %u: %llu calls, %llu accepted = %llu runs + %llu cancels\n",
           options.seconds, options.seed, static_cast<unsigned long long>(calls_.load()),
           static_cast<unsigned long long>(accepted), static_cast<unsigned long long>(runs),
           static_cast<unsigned long long>(cancels));
  }

  std::unique_ptr<Runtime> runtime_;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::vector<std::unique_ptr<Item>> items_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> calls_{0};
};

TEST(Stress, AcceptedIsRunsPlusCancels) {
  std::atomic<int> reports{0};
  SetReportHandler([&](const Report& report) {
    if (report.kind == ReportKind::kStall) return;  // a busy machine, no error
    ++reports;
    fprintf(stderr, "stress: %s: %s\n", ReportKindName(report.kind), report.text.c_str());
  });
  Stress().Run();
  SetReportHandler(nullptr);
  EXPECT_EQ(reports.load(), 0);
}

}  // namespace

bool ParseFlag(const char* arg) {
  const auto number = [arg](const char* name) {
    const size_t n = strlen(name);
    return strncmp(arg, name, n) == 0 ? atoi(arg + n) : -1;
  };
  if (const int n = number("--seconds="); n >= 0) return options.seconds = n, true;
  if (const int n = number("--producers="); n > 0) return options.producers = n, true;
  if (const int n = number("--items="); n >= 32) return options.items = n, true;
  if (const int n = number("--seed="); n >= 0) return options.seed = static_cast<unsigned>(n), true;
  return false;
}

}  // namespace uwq::core

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (uwq::core::ParseFlag(argv[i])) continue;
    fprintf(stderr,
            "stress_test: unknown argument %s; --seconds= --producers= --items= (>= 32) --seed=\n",
            argv[i]);
    return 2;
  }
  return RUN_ALL_TESTS();
}
