// SPDX-License-Identifier: BSD-3-Clause
//
// The simulated back end of base/sync.h: exact virtual time, exact probes, and
// each object's behaviour under every schedule of a small scenario.
#include <sched.h>

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sim/explorer.h"
#include "tests/sim/test_util.h"
#include "workqueue/base/fault.h"
#include "workqueue/base/sim/sim.h"
#include "workqueue/base/sync.h"

namespace uwq::sim {
namespace {

using base::Atomic;
using base::AtomicRef;
using base::Completion;
using base::CondVar;
using base::kForever;
using base::kMillisecond;
using base::kSecond;
using base::Mutex;
using base::MutexLock;
using base::Now;
using base::Parker;
using base::ProbeThread;
using base::Thread;
using base::ThreadProbe;
using testing::ElementsAre;
using testing::HasSubstr;

// Every schedule with two preemptions.
Result Everywhere(const std::function<void()>& body) {
  Options options;
  options.exhaustive = true;
  Result result = ExploreOrFail(options, body);
  EXPECT_TRUE(result.complete);
  return result;
}

// ---- Time ----

TEST(Time, StartsAtTheSameValueAndMovesOnlyBySleeping) {
  Everywhere([] {
    EXPECT_EQ(Now(), kStartNs);
    Atomic<int> x{0};
    for (int i = 0; i < 100; ++i) x.fetch_add(1);
    EXPECT_EQ(Now(), kStartNs);
    SleepFor(5 * kMillisecond);
    EXPECT_EQ(Now(), kStartNs + 5 * kMillisecond);
    SleepFor(0);
    EXPECT_EQ(Now(), kStartNs + 5 * kMillisecond);
  });
}

TEST(Time, ParkUntil_ReturnsExactlyAtItsDeadline) {
  Everywhere([] {
    Parker parker;
    EXPECT_FALSE(parker.ParkUntil(kStartNs + 7));
    EXPECT_EQ(Now(), kStartNs + 7);
    EXPECT_FALSE(parker.ParkUntil(kStartNs + 3));  // already past: no waiting
    EXPECT_EQ(Now(), kStartNs + 7);
  });
}

TEST(Time, CondVarWaitUntil_ReturnsExactlyAtItsDeadlineWithTheMutex) {
  Everywhere([] {
    Mutex mu;
    CondVar cv;
    MutexLock lock(&mu);
    EXPECT_FALSE(cv.WaitUntil(&mu, kStartNs + 300 * kSecond));
    mu.AssertHeld();
    EXPECT_EQ(Now(), kStartNs + 300 * kSecond);
    EXPECT_FALSE(cv.WaitUntil(&mu, kStartNs));
    mu.AssertHeld();
  });
}

TEST(Time, CompletionWaitUntil_TimesOutOrSeesTheSet) {
  Everywhere([] {
    Completion never, soon;
    EXPECT_FALSE(never.WaitUntil(kStartNs + 10));
    Thread t = StartOrDie("setter", [&] {
      SleepFor(10);
      soon.Set();
    });
    EXPECT_TRUE(soon.WaitUntil(kStartNs + 1000));
    EXPECT_EQ(Now(), kStartNs + 20);
    EXPECT_TRUE(soon.IsSet());
    soon.Reset();
    EXPECT_FALSE(soon.IsSet());
    t.Join();
  });
}

TEST(Time, SleepersWakeInOrderOfTheirDeadlines) {
  Everywhere([] {
    std::vector<int> order;
    std::vector<Thread> threads;
    for (int ms : {30, 10, 20}) {
      threads.push_back(StartOrDie("sleeper", [&order, ms] {
        SleepFor(ms * kMillisecond);
        EXPECT_EQ(Now(), kStartNs + ms * kMillisecond);
        order.push_back(ms);
      }));
    }
    for (Thread& t : threads) t.Join();
    EXPECT_THAT(order, ElementsAre(10, 20, 30));
  });
}

TEST(Time, StandStill_MakesWhatItPassedDueAtOnce) {
  Everywhere([] {
    int awake = 0;
    std::vector<Thread> threads;
    for (int ms : {30, 10, 50}) {
      threads.push_back(StartOrDie("sleeper", [&awake, ms] {
        SleepFor(ms * kMillisecond);
        EXPECT_EQ(Now(), kStartNs + std::max(ms, 40) * kMillisecond);
        ++awake;
      }));
    }
    RunUntilIdle();  // all of them sleep
    StandStill(40 * kMillisecond);
    EXPECT_EQ(Now(), kStartNs + 40 * kMillisecond);
    RunUntilIdle();
    EXPECT_EQ(awake, 2);
    for (Thread& t : threads) t.Join();
  });
}

TEST(Time, RunUntilIdle_ReturnsWhenOthersSleepWithoutMovingTheClock) {
  Everywhere([] {
    Atomic<int> steps{0};
    Thread t = StartOrDie("worker", [&] {
      steps.fetch_add(1);
      steps.fetch_add(1);
      SleepFor(kMillisecond);
      steps.fetch_add(1);
    });
    RunUntilIdle();
    EXPECT_EQ(steps.load(), 2);
    EXPECT_EQ(Now(), kStartNs);
    SleepFor(2 * kMillisecond);
    EXPECT_EQ(steps.load(), 3);
    t.Join();
  });
}

// Goal: time passes for threads that spin, alone or with each other.
TEST(Time, SpinningUntilATimerFires_Terminates) {
  for (int spinners : {1, 3}) {
    Options options;
    options.exhaustive = true;
    options.preemption_bound = 0;  // each spin is a choice: more would take long
    ExploreOrFail(options, [spinners] {
      Atomic<bool> expired{false};
      std::vector<Thread> threads;
      threads.push_back(StartOrDie("timer", [&expired] {
        SleepFor(kMillisecond);
        expired.store(true);
      }));
      for (int i = 1; i < spinners; ++i) {
        threads.push_back(StartOrDie("spinner", [&expired] {
          while (!expired.load()) base::CpuRelax();
        }));
      }
      while (!expired.load()) base::CpuRelax();
      EXPECT_EQ(Now(), kStartNs + kMillisecond);
      for (Thread& t : threads) t.Join();
    });
  }
}

// Goal: a deadline races with running threads only if asked for.
TEST(Time, TimeRaces_LetDeadlinesPassUnderRunningThreads) {
  for (const bool races : {false, true}) {
    bool before = false, after = false;
    Options options;
    options.exhaustive = true;
    options.time_races = races;
    ExploreOrFail(options, [&] {
      Atomic<bool> expired{false};
      Thread timer = StartOrDie("timer", [&] {
        SleepFor(kSecond);
        expired.store(true);
      });
      for (int i = 0; i < 3; ++i) (expired.load() ? after : before) = true;
      timer.Join();
    });
    EXPECT_TRUE(before);
    EXPECT_EQ(after, races);
  }
}

// ---- Probes ----

TEST(Probe, BurningIsNotSleepingAndCostsCpuTime) {
  Everywhere([] {
    Thread t = StartOrDie("hog", [] {
      BurnCpu(10 * kMillisecond);
      SleepFor(10 * kMillisecond);
    });
    RunUntilIdle();
    ThreadProbe probe = ProbeThread(t.id());
    EXPECT_TRUE(probe.valid);
    EXPECT_FALSE(probe.sleeping);
    EXPECT_EQ(probe.cpu_time_ns, 0);
    SleepFor(4 * kMillisecond);
    probe = ProbeThread(t.id());
    EXPECT_FALSE(probe.sleeping);
    EXPECT_EQ(probe.cpu_time_ns, 4 * kMillisecond);
    SleepFor(11 * kMillisecond);
    probe = ProbeThread(t.id());
    EXPECT_TRUE(probe.sleeping);
    EXPECT_EQ(probe.cpu_time_ns, 10 * kMillisecond);
    t.Join();
    EXPECT_EQ(Now(), kStartNs + 20 * kMillisecond);
  });
}

TEST(Probe, TwoThreadsBurnSideBySide) {
  Everywhere([] {
    Thread t = StartOrDie("hog", [] { BurnCpu(10); });
    BurnCpu(10);
    t.Join();
    EXPECT_EQ(Now(), kStartNs + 10);
  });
}

TEST(Probe, MutexWaiterSleeps_FinishedThreadIsInvalid) {
  Everywhere([] {
    Mutex mu;
    Thread t;
    {
      MutexLock lock(&mu);
      t = StartOrDie("waiter", [&mu] { MutexLock wait(&mu); });
      RunUntilIdle();
      EXPECT_TRUE(ProbeThread(t.id()).sleeping);
      EXPECT_FALSE(ProbeThread(base::SelfId()).sleeping);
    }
    const base::ThreadId id = t.id();
    t.Join();
    EXPECT_FALSE(ProbeThread(id).valid);
    EXPECT_FALSE(ProbeThread(12345).valid);
    EXPECT_FALSE(ProbeThread(0).valid);
  });
}

// ---- Objects ----

TEST(Parker, UnparkBeforePark_IsKeptOnce) {
  Everywhere([] {
    Parker parker;
    EXPECT_FALSE(parker.Unpark());
    EXPECT_FALSE(parker.Unpark());
    EXPECT_TRUE(parker.ParkUntil(kForever));
    EXPECT_FALSE(parker.ParkUntil(Now() + 1));
  });
}

TEST(Parker, Unpark_TellsWhetherTheOwnerSlept) {
  Everywhere([] {
    Parker parker;
    Thread t = StartOrDie("owner", [&] { parker.Park(); });
    RunUntilIdle();
    EXPECT_TRUE(parker.Unpark());
    t.Join();
  });
}

TEST(Parker, TokenNeverLost) {
  Everywhere([] {
    Parker parker;
    Atomic<bool> flag{false};
    Thread t = StartOrDie("owner", [&] {
      while (!flag.load()) parker.Park();
    });
    flag.store(true);
    parker.Unpark();
    t.Join();
  });
}

TEST(Completion, SetAndDestroyAtOnce) {
  Everywhere([] {
    Thread t;
    {
      Completion done;
      t = StartOrDie("setter", [&done] { done.Set(); });
      done.Wait();
    }
    t.Join();
  });
}

TEST(Completion, SecondWaiter_IsAFailure) {
  const Result result = ExploreBug({}, [] {
    Completion done;
    Thread t = StartOrDie("second", [&done] { done.Wait(); });
    done.Wait();
    t.Join();
  });
  EXPECT_THAT(result.failure, HasSubstr("waiters_.empty()"));
}

TEST(Mutex, ExcludesAndTryLockTells) {
  Everywhere([] {
    Mutex mu;
    int inside = 0;
    Atomic<int> pause{0};
    auto enter = [&] {
      ++inside;
      pause.fetch_add(1);  // a chance for the other
      EXPECT_EQ(inside, 1);
      --inside;
    };
    Thread t = StartOrDie("other", [&] {
      if (!mu.TryLock()) return;
      enter();
      mu.Unlock();
    });
    {
      MutexLock lock(&mu);
      enter();
    }
    t.Join();
  });
}

TEST(CondVar, NotifyAllWakesAll) {
  Everywhere([] {
    Mutex mu;
    CondVar cv;
    bool go = false;
    auto wait = [&] {
      MutexLock lock(&mu);
      while (!go) cv.Wait(&mu);
    };
    Thread a = StartOrDie("a", wait);
    Thread b = StartOrDie("b", wait);
    {
      MutexLock lock(&mu);
      go = true;
      cv.NotifyAll();
    }
    a.Join();
    b.Join();
  });
}

// Goal: a wake-up and a deadline at the same instant: no waiter stays behind.
TEST(CondVar, NotifyAtTheDeadline_EitherWay) {
  bool notified_seen = false, timeout_seen = false;
  Everywhere([&] {
    Mutex mu;
    CondVar cv;
    Thread t = StartOrDie("notifier", [&] {
      SleepFor(10);
      MutexLock lock(&mu);
      cv.NotifyOne();
    });
    {
      MutexLock lock(&mu);
      (cv.WaitUntil(&mu, kStartNs + 10) ? notified_seen : timeout_seen) = true;
      EXPECT_EQ(Now(), kStartNs + 10);
    }
    t.Join();
  });
  EXPECT_TRUE(timeout_seen);
  EXPECT_FALSE(notified_seen);  // both wake at 10; the deadline has passed by then
}

TEST(Atomics, ActLikeStdAtomic) {
  Everywhere([] {
    Atomic<uint32_t> a{5};
    EXPECT_EQ(a.fetch_add(2), 5u);
    EXPECT_EQ(a.fetch_sub(1), 7u);
    EXPECT_EQ(a.fetch_or(8), 6u);
    EXPECT_EQ(a.fetch_and(12), 14u);
    EXPECT_EQ(a.fetch_xor(4), 12u);
    EXPECT_EQ(a.exchange(1, std::memory_order_acq_rel), 8u);
    uint32_t expected = 2;
    EXPECT_FALSE(a.compare_exchange_strong(expected, 3));
    EXPECT_EQ(expected, 1u);
    EXPECT_TRUE(
        a.compare_exchange_weak(expected, 3, std::memory_order_release, std::memory_order_relaxed));
    EXPECT_EQ(a, 3u);
    EXPECT_EQ(++a, 4u);
    a = 9;
    EXPECT_EQ(a.load(), 9u);

    Atomic<int32_t> wraps{INT32_MAX};
    wraps.fetch_add(1);
    EXPECT_EQ(wraps.load(), INT32_MIN);

    int array[3] = {};
    Atomic<int*> pointer{array};
    EXPECT_EQ(pointer.fetch_add(2), array);
    EXPECT_EQ(pointer.load(), array + 2);

    unsigned long word = 1;
    AtomicRef<unsigned long> ref(word);
    EXPECT_EQ(ref.fetch_or(2), 1ul);
    EXPECT_EQ(word, 3ul);
  });
}

// ---- Threads ----

TEST(Threads, SlotsNamesAndCpusAreTheirOwn) {
  Options options;
  options.exhaustive = true;
  options.cpus = 4;
  ExploreOrFail(options, [] {
    EXPECT_EQ(base::OnlineCpus(), 4);
    EXPECT_EQ(base::ThreadSlot(base::Slot::kWorker), nullptr);
    int mine = 0;
    base::ThreadSlot(base::Slot::kWorker) = &mine;
    SetCurrentCpu(2);
    auto start = [](Thread::Options o, int cpu) {
      Thread t = Thread::Start(o, [cpu] {
                   EXPECT_EQ(base::ThreadSlot(base::Slot::kWorker), nullptr);
                   EXPECT_EQ(base::CurrentCpu(), cpu);
                   SetCurrentCpu(17);
                   EXPECT_EQ(base::CurrentCpu(), 17);
                 }).value();
      EXPECT_NE(t.id(), base::SelfId());
      t.Join();
      EXPECT_FALSE(t.joinable());
    };
    start({}, 2);
    start({.cpu = 3}, 3);
    start({.cpu = 4}, 2);  // does not exist
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(1, &set);
    CPU_SET(3, &set);
    start({.cpus = &set}, 1);
    EXPECT_EQ(base::ThreadSlot(base::Slot::kWorker), &mine);
    EXPECT_EQ(base::CurrentCpu(), 2);
  });
}

TEST(Threads, StartFailsAtItsFaultPoint) {
  base::SetFaultHook([](const char* point) { return std::string(point) == "thread_create"; });
  Everywhere([] {
    const absl::StatusOr<Thread> t = Thread::Start({.name = "w/0"}, [] { Fail("started"); });
    EXPECT_EQ(t.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(t.status().message(), "thread w/0: injected fault");
  });
  base::SetFaultHook(nullptr);
}

TEST(Threads, ManyThreadsAndManyExecutions) {
  Options options;
  options.max_executions = 20;
  ExploreOrFail(options, [] {
    Atomic<int> sum{0};
    std::vector<Thread> threads;
    for (int i = 0; i < 300; ++i) {
      threads.push_back(StartOrDie("", [&sum] { sum.fetch_add(1); }));
    }
    for (Thread& t : threads) t.Join();
    EXPECT_EQ(sum.load(), 300);
  });
}

// ---- Without an execution ----

Mutex global_mutex;
Atomic<int> global_value{3};
const int initialised = [] {
  MutexLock lock(&global_mutex);
  return global_value.fetch_add(1);
}();

TEST(Outside, OperationsSimplyAct) {
  EXPECT_EQ(initialised, 3);
  EXPECT_EQ(global_value.load(), 4);
  EXPECT_TRUE(global_mutex.TryLock());
  global_mutex.AssertHeld();
  global_mutex.Unlock();
  Completion done;
  done.Set();
  done.Wait();
  Parker parker;
  parker.Unpark();
  parker.Park();
  EXPECT_FALSE(parker.ParkUntil(Now()));
  CondVar cv;
  cv.NotifyAll();
  EXPECT_GT(Now(), 0);
  EXPECT_NE(base::SelfId(), 0);
  base::CpuRelax();
}

TEST(OutsideDeathTest, BlockingIsACheckFailure) {
  EXPECT_DEATH(Completion().Wait(), "Completion::Wait would block outside of an execution");
  EXPECT_DEATH(Parker().Park(), "Parker::Park would block");
  EXPECT_DEATH((void)Thread::Start({}, [] {}), "Thread::Start outside of an execution");
}

}  // namespace
}  // namespace uwq::sim
