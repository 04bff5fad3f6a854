// SPDX-License-Identifier: BSD-3-Clause
//
// concurrency_test.cc -- section 5.10: when workers start and end (P*).
//
// Time is exact in the simulator, where each timeline is compared to the nanosecond;
// on real threads only lower bounds and orders are.
#include "tests/conformance/core/env.h"
#include "workqueue/core/dump.h"
#include "workqueue/core/lock_check.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::QueueWorkOn;
using core::Workqueue;

// Starts and ends of items, in ms since its making.
class Timeline {
 public:
  void Started(int i) { starts_[i] = Ms(); }
  void Ended(int i) { ends_[i] = Ms(); }
  int start(int i) const { return starts_[i]; }
  int end(int i) const { return ends_[i]; }

 private:
  int Ms() const { return static_cast<int>((base::Now() - begin_) / kMillisecond); }
  const Nanos begin_ = base::Now();
  int starts_[8] = {}, ends_[8] = {};
};

// P1: items that compute run one by one, first in, first out.
UWQ_BODY(Concurrency, T113_CpuBoundSerial, .schedules = 500, .repeat = 2) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  Timeline t;
  Crowd crowd;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 4; ++i) {
    items.push_back(std::make_unique<Item>([&, i] {
      crowd.Enter();
      t.Started(i);
      Burn(5 * kMillisecond);
      t.Ended(i);
      crowd.Leave();
    }));
  }
  for (auto& item : items) EXPECT_TRUE(env.Queue(wq, *item));
  FlushWorkqueue(wq);
  EXPECT_EQ(crowd.max(), 1);
  for (int i = 0; i < 4; ++i) {
    if (kSim) {
      EXPECT_EQ(t.start(i), 5 * i);
    } else {
      EXPECT_GE(t.start(i), 5 * i);
    }
  }
}

// P1, P2: items that sleep run together: at once where the pool is told, and where
// only the sampler can see it, each within its interval of the one before.
UWQ_BODY(Concurrency, T114_SleepersParallel, .schedules = 500, .repeat = 2) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  for (const bool told : {true, false}) {
    Timeline t;
    std::vector<std::unique_ptr<Item>> items;
    for (int i = 0; i < 4; ++i) {
      items.push_back(std::make_unique<Item>([&, i] {
        t.Started(i);
        told ? ScopedSleep(20 * kMillisecond) : Sleep(20 * kMillisecond);
        t.Ended(i);
      }));
    }
    const int64_t wakeups = env.Stat(wq, core::PwqStat::kCmWakeup);
    for (auto& item : items) EXPECT_TRUE(env.Queue(wq, *item));
    FlushWorkqueue(wq);
    // T3: the sampler found one asleep, the last one running, and had another one started.
    if (kSim && !told) {
      EXPECT_GT(env.Stat(wq, core::PwqStat::kCmWakeup), wakeups);
    }
    for (int i = 0; i < 4; ++i) {
      EXPECT_GE(t.end(i), 20);
      if (!kSim) continue;
      if (told) {
        EXPECT_EQ(t.end(i), 20);
      } else {
        EXPECT_LE(t.start(i), 5 * i + 5);
      }
    }
  }
}

// P2, P3: the example of the kernel's documentation.
void DocumentedExample(Env& env, int max_active, const int (&starts)[3], const int (&ends)[3]) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu, max_active);
  Timeline t;
  Item w0([&] {
    t.Started(0);
    Burn(5 * kMillisecond);
    ScopedSleep(10 * kMillisecond);
    Burn(5 * kMillisecond);
    t.Ended(0);
  });
  const auto other = [&](int i) {
    t.Started(i);
    Burn(5 * kMillisecond);
    ScopedSleep(10 * kMillisecond);
    t.Ended(i);
  };
  Item w1([&] { other(1); }), w2([&] { other(2); });
  for (Item* w : {&w0, &w1, &w2}) EXPECT_TRUE(env.Queue(wq, *w));
  FlushWorkqueue(wq);
  for (int i = 0; i < 3; ++i) {
    if (kSim) {
      EXPECT_EQ(t.start(i), starts[i]) << "w" << i;
      EXPECT_EQ(t.end(i), ends[i]) << "w" << i;
    } else {
      EXPECT_GE(t.start(i), starts[i]) << "w" << i;
    }
  }
}

UWQ_BODY(Concurrency, T115_DocumentedExample, .schedules = 500, .repeat = 2) {
  DocumentedExample(env, 0, {0, 5, 10}, {20, 20, 25});
}

UWQ_BODY(Concurrency, T115_WithMaxActiveTwo, .schedules = 500, .repeat = 2) {
  DocumentedExample(env, 2, {0, 5, 20}, {20, 20, 35});
}

// P6: items of a CPU_INTENSIVE queue do not hold each other back once started, but
// their start waits like any other's.  T119.
UWQ_BODY(Concurrency, T115_CpuIntensive, .schedules = 500, .repeat = 2) {
  Workqueue* const normal = env.Alloc("normal", core::kWqPercpu);
  Workqueue* const intensive = env.Alloc("intensive", core::kWqPercpu | core::kWqCpuIntensive);
  Timeline t;
  Item w0([&] {
    t.Started(0);
    Burn(5 * kMillisecond);
    ScopedSleep(10 * kMillisecond);
    Burn(5 * kMillisecond);
    t.Ended(0);
  });
  const auto other = [&](int i) {
    t.Started(i);
    Burn(5 * kMillisecond);
    ScopedSleep(10 * kMillisecond);
    t.Ended(i);
  };
  Item w1([&] { other(1); }), w2([&] { other(2); });
  EXPECT_TRUE(env.Queue(normal, w0));
  EXPECT_TRUE(env.Queue(intensive, w1));
  EXPECT_TRUE(env.Queue(intensive, w2));
  FlushWorkqueue(normal);
  FlushWorkqueue(intensive);
  EXPECT_GE(t.start(1), 5);
  EXPECT_GE(t.start(2), 5);
  if (!kSim) return;
  EXPECT_EQ(t.start(1), 5);
  EXPECT_EQ(t.start(2), 5);
}

// P1, P9, P11: 32 items deep, each waits for the next one, on one CPU.
static void PlayInterdependent(Env& env, unsigned flags) {
  Workqueue* const wq = env.Alloc("deep", flags);
  Workqueue* const other = env.Alloc("other", flags);
  constexpr int kDeep = 32;
  std::vector<std::unique_ptr<base::Completion>> done;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < kDeep; ++i) {
    done.push_back(std::make_unique<base::Completion>());
    items.push_back(std::make_unique<Item>([&, i] {
      if (i + 1 < kDeep) {
        core::BlockingScope blocking;
        done[i + 1]->Wait();
      }
      done[i]->Set();
    }));
  }
  for (int i = 0; i < kDeep; ++i) EXPECT_TRUE(env.Queue(i % 2 == 0 ? wq : other, *items[i]));
  FlushWorkqueue(wq);
  FlushWorkqueue(other);
  for (auto& item : items) EXPECT_EQ(item->runs(), 1);
}
UWQ_BODY(Concurrency, T116_Interdependent, .schedules = 100, .max_steps = 1000000) {
  PlayInterdependent(env, core::kWqPercpu);
}
UWQ_BODY(Concurrency, T116_InterdependentUnbound, .schedules = 100, .max_steps = 1000000) {
  PlayInterdependent(env, core::kWqUnbound);
}

// The same where the pool is not told that they block.
UWQ_BODY(Concurrency, T116_InterdependentForeign, .schedules = 100) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  base::Completion signal;
  Item a([&] { signal.Wait(); }), b([&] { signal.Set(); });
  EXPECT_TRUE(env.Queue(wq, a));
  EXPECT_TRUE(env.Queue(wq, b));
  FlushWorkqueue(wq);
  EXPECT_EQ(a.runs() + b.runs(), 2);
}

// P6: an item of a CPU_INTENSIVE queue leaves the count when it starts, so that the next
// one need not wait for hog detection, which is off here.
UWQ_BODY(
    Concurrency, T119_SecondDoesNotWait, .schedules = 300, .repeat = 2,
    .tune = [](core::RuntimeOptions* o) { o->cpu_intensive_thresh_ns = 0; }) {
  Workqueue* const wq = env.Alloc("intensive", core::kWqPercpu | core::kWqCpuIntensive);
  std::atomic<bool> second_ran{false};
  Item first([&] {
    AwaitTrue([&] {
      if (!second_ran) Burn(kMillisecond);
      return second_ran.load();
    });
  });
  Item second([&] { second_ran = true; });
  EXPECT_TRUE(env.Queue(wq, first));
  EXPECT_TRUE(env.Queue(wq, second));
  FlushWorkqueue(wq);
  EXPECT_EQ(first.runs() + second.runs(), 2);
}

// P4: an item that computes for too long does not hold the CPU's others back.
UWQ_BODY(Concurrency, T117_HogDetection, .schedules = 300, .repeat = 2) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  Timeline t;
  std::atomic<bool> b_ran{false}, hog_ended_first{true};
  Item hog([&] {
    t.Started(0);
    Burn(60 * kMillisecond);
    // Without detection b waits for this item's end, for ever if need be.
    AwaitTrue([&] {
      if (!b_ran) Burn(kMillisecond);
      return b_ran.load();
    });
    hog_ended_first = false;
  });
  Item b([&] {
    t.Started(1);
    b_ran = true;
  });
  EXPECT_TRUE(env.Queue(wq, hog));
  EXPECT_TRUE(env.Queue(wq, b));
  FlushWorkqueue(wq);
  EXPECT_FALSE(hog_ended_first);
  EXPECT_GE(t.start(1), 10);
  if (kSim) {
    EXPECT_LE(t.start(1), 20);
  }
  EXPECT_EQ(env.Stat(wq, core::PwqStat::kCpuIntensive), 1);
  // T3: sampled from the first tick on, and for some ticks after nothing waits any more.
  EXPECT_GT(env.Stat(wq, core::PwqStat::kCpuTimeNs), 0);
  if (kSim) {
    EXPECT_GE(env.Stat(wq, core::PwqStat::kCpuTimeNs), 40 * kMillisecond);
    EXPECT_LE(env.Stat(wq, core::PwqStat::kCpuTimeNs), 60 * kMillisecond);
  }
}

UWQ_BODY(
    Concurrency, T117_ThresholdZero, .schedules = 300, .repeat = 1,
    .tune = [](core::RuntimeOptions* o) { o->cpu_intensive_thresh_ns = 0; }) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  Log order;
  Item hog([&] {
    Burn(60 * kMillisecond);
    order.Add(0);
  });
  Item b([&] { order.Add(1); });
  EXPECT_TRUE(env.Queue(wq, hog));
  EXPECT_TRUE(env.Queue(wq, b));
  FlushWorkqueue(wq);
  EXPECT_EQ(order.ids(), (std::vector<int>{0, 1}));
}

// P5: the same function hogs 12 times: reports at 4, 5, 7 and 11.
UWQ_BODY(Concurrency, T118_HogReport, .schedules = 20, .repeat = 1) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  static std::atomic<bool> go_on;
  for (int i = 0; i < 12; ++i) {
    go_on = false;
    Item b([] { go_on = true; });
    Item hog([] {
      AwaitTrue([] {
        if (!go_on) Burn(kMillisecond);
        return go_on.load();
      });
    });
    EXPECT_TRUE(env.Queue(wq, hog));
    EXPECT_TRUE(env.Queue(wq, b));
    FlushWorkqueue(wq);
  }
  // The report follows b's start; the service thread may still be at it.
  const char* const kCounts[] = {" 4 times", " 5 times", " 7 times", " 11 times"};
  AwaitTrue([&] {
    if (!kSim) return env.Reports(ReportKind::kCpuHog) >= 4;
    Settle();
    return true;
  });
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kCpuHog);
  ASSERT_EQ(texts.size(), 4u);
  for (int i = 0; i < 4; ++i) {
    EXPECT_NE(texts[i].find(kCounts[i]), std::string::npos) << texts[i];
    EXPECT_NE(texts[i].find("Item::Run"), std::string::npos) << texts[i];
  }
}

// P7: the high-priority pool of a CPU is another one.
UWQ_BODY(Concurrency, T120_Highpri, .schedules = 2000, .repeat = 10) {
  Workqueue* const normal = env.Alloc("normal", core::kWqPercpu);
  Workqueue* const highpri = env.Alloc("highpri", core::kWqPercpu | core::kWqHighpri);
  std::atomic<bool> urgent_ran{false};
  Item hog([&] { AwaitTrue([&] { return urgent_ran.load(); }); });
  Item urgent([&] { urgent_ran = true; });
  EXPECT_TRUE(env.Queue(normal, hog));
  EXPECT_TRUE(env.Queue(highpri, urgent));
  FlushWorkqueue(normal);
  FlushWorkqueue(highpri);
}

// P10: a burst's workers are reaped down to the policy's number, never to none, and
// later work still runs.
static void PlayIdleReaping(Env& env, unsigned flags) {
  Workqueue* const wq = env.Alloc("burst", flags);
  const int n = kSim ? 12 : 64;
  Gate gate;
  std::atomic<int> pool_id{-1};
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < n; ++i) {
    items.push_back(std::make_unique<Item>([&] {
      pool_id = CurrentPoolId();
      gate.Pass();
    }));
    EXPECT_TRUE(env.Queue(wq, *items.back()));
  }
  gate.AwaitArrivals(n);
  const auto workers = [&] {
    for (const core::PoolSnapshot& pool : core::TakeSnapshot(env.runtime()).pools) {
      if (pool.id == pool_id) return pool.nr_workers;
    }
    return -1;
  };
  EXPECT_GT(workers(), n);  // P9: one more than are busy
  gate.Open();
  FlushWorkqueue(wq);
  if (kSim) {
    Sleep(100 * kMillisecond);  // virtual: five time-outs
    EXPECT_EQ(workers(), 2);
  } else {
    AwaitTrue([&] { return workers() == 2; });
  }
  Item later;
  EXPECT_TRUE(env.Queue(wq, later));
  FlushWorkqueue(wq);
  EXPECT_EQ(later.runs(), 1);
}
UWQ_BODY(
    Concurrency, T122_IdleReaping, .schedules = 100, .max_steps = 1000000, .repeat = 1,
    .tune = [](core::RuntimeOptions* o) { o->idle_worker_timeout_ns = 20 * base::kMillisecond; }) {
  PlayIdleReaping(env, core::kWqPercpu);
}
UWQ_BODY(
    Concurrency, T122_IdleReapingUnbound, .schedules = 100, .max_steps = 1000000, .repeat = 1,
    .tune = [](core::RuntimeOptions* o) { o->idle_worker_timeout_ns = 20 * base::kMillisecond; }) {
  PlayIdleReaping(env, core::kWqUnbound);
}

// P13: a function that returns with a lock held.
UWQ_BODY(Concurrency, T123_LeakedLock, .schedules = 20) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  core::TrackedLock lock("leaked_lock");
  Item x([&] { core::LockAcquired(&lock); });
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kLeakedLock);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_NE(texts[0].find("leaked_lock"), std::string::npos) << texts[0];
  EXPECT_NE(texts[0].find("percpu"), std::string::npos) << texts[0];
}

// P12: workers have the kernel's names.
UWQ_BODY(Concurrency, T124_WorkerNames, .schedules = 20) {
  std::string percpu, highpri, unbound, rescuer;
  const auto my_name = [](std::string* name) {
    return [name] { *name = ThreadName(base::SelfId()); };
  };
  Item a(my_name(&percpu)), b(my_name(&highpri)), c(my_name(&unbound));
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  Workqueue* const high = env.Alloc("high", core::kWqPercpu | core::kWqHighpri);
  Workqueue* const dfl = env.Alloc("dfl", core::kWqUnbound);
  EXPECT_TRUE(QueueWorkOn(1, wq, a));
  EXPECT_TRUE(QueueWorkOn(0, high, b));
  EXPECT_TRUE(QueueWorkOn(0, dfl, c));
  for (Workqueue* q : {wq, high, dfl}) FlushWorkqueue(q);
  EXPECT_EQ(percpu, "kworker/1:0");
  EXPECT_EQ(highpri, "kworker/0:0H");
  EXPECT_EQ(unbound.substr(0, 9), "kworker/u");
  EXPECT_EQ(unbound.substr(unbound.size() - 2), ":0");
}

// P8: an unbound queue's items start as soon as there are workers, whatever the others do.
UWQ_BODY(Concurrency, P8_UnboundStartsAtOnce, .schedules = 2000, .repeat = 10) {
  Workqueue* const wq = env.Alloc("unbound", core::kWqUnbound);
  std::atomic<int> inside{0};
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 4; ++i) {
    items.push_back(std::make_unique<Item>([&] {
      ++inside;
      AwaitTrue([&] { return inside == 4; });  // computing all the time
    }));
    EXPECT_TRUE(env.Queue(wq, *items.back()));
  }
  FlushWorkqueue(wq);
  EXPECT_EQ(inside.load(), 4);
}

// An unbound pool that has learnt that its items are short leaves them to one worker; if
// one is long after all, what waits behind it starts within two looks of the standby.
UWQ_BODY(Concurrency, ShortItemsThenALongOne, .schedules = 3000, .repeat = 10) {
  Workqueue* const wq = env.Make(Kind::kUnbound);
  {
    base::Completion go;
    Item first([&] { go.Wait(); }), more[5];
    EXPECT_TRUE(env.Queue(wq, first));
    for (Item& item : more) EXPECT_TRUE(env.Queue(wq, item));
    go.Set();
    core::FlushWorkqueue(wq);
  }
  const Nanos start = base::Now();
  base::Completion release;
  Item waits([&] { release.Wait(); });  // a foreign blocking call: nobody is told
  Item releases([&] { release.Set(); });
  EXPECT_TRUE(env.Queue(wq, waits));
  EXPECT_TRUE(env.Queue(wq, releases));
  core::FlushWorkqueue(wq);
  EXPECT_EQ(waits.runs() + releases.runs(), 2);
  if (kSim) {
    EXPECT_LE(base::Now() - start, 200 * base::kMicrosecond);
  }
}

// BlockingScope nests, and is free where it does not apply.
UWQ_BODY(Concurrency, P2_BlockingScopeNests, .schedules = 1000) {
  { core::BlockingScope outside; }
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  std::atomic<bool> go{false};
  Item b([&] { go = true; });
  Item a([&] {
    core::BlockingScope one;
    core::BlockingScope two;
    AwaitTrue([&] { return go.load(); });
  });
  EXPECT_TRUE(env.Queue(wq, a));
  EXPECT_TRUE(env.Queue(wq, b));
  FlushWorkqueue(wq);
  EXPECT_EQ(b.runs(), 1);
  for (const core::PoolSnapshot& pool : core::TakeSnapshot(env.runtime()).pools) {
    EXPECT_EQ(pool.nr_running, 0);
  }
}

}  // namespace uwq::conformance
