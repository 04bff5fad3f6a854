// SPDX-License-Identifier: BSD-3-Clause
//
// The explorer finds what it exists for, counts what it should, and repeats
// itself exactly.
#include "tests/sim/explorer.h"

#include <set>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sim/test_util.h"
#include "workqueue/base/check.h"
#include "workqueue/base/sim/sim.h"
#include "workqueue/base/sync.h"

namespace uwq::sim {
namespace {

using base::Atomic;
using base::CondVar;
using base::Mutex;
using base::MutexLock;
using base::Thread;
using testing::HasSubstr;

Options Exhaustive(int preemption_bound) {
  Options options;
  options.exhaustive = true;
  options.preemption_bound = preemption_bound;
  return options;
}

// ---- Bugs that must be found, in both modes ----

void LostUpdate() {
  Atomic<int> x{0};
  auto increment = [&x] { x.store(x.load() + 1); };
  Thread t = StartOrDie("increment", increment);
  increment();
  t.Join();
  if (x.load() != 2) Fail("lost update");
}

void AbbaDeadlock() {
  Mutex a, b;
  Thread t = StartOrDie("ba", [&] {
    MutexLock lock_b(&b);
    MutexLock lock_a(&a);
  });
  {
    MutexLock lock_a(&a);
    MutexLock lock_b(&b);
  }
  t.Join();
}

// Sets the flag without the mutex: between the waiter's look and its sleep.
void LostWakeUp() {
  Mutex mu;
  CondVar cv;
  Atomic<bool> flag{false};
  Thread t = StartOrDie("waiter", [&] {
    MutexLock lock(&mu);
    while (!flag.load()) cv.Wait(&mu);
  });
  flag.store(true);
  cv.NotifyOne();
  t.Join();
}

struct Bug {
  const char* name;
  void (*body)();
  const char* symptom;
};

class FindsBug : public testing::TestWithParam<Bug> {};

TEST_P(FindsBug, Exhaustively) {
  const Result result = ExploreBug(Exhaustive(2), GetParam().body);
  EXPECT_FALSE(result.ok);
  EXPECT_FALSE(result.complete);
  EXPECT_THAT(result.failure, HasSubstr(GetParam().symptom));
  EXPECT_THAT(result.replay, HasSubstr("UWQ_SIM_PATH="));
}

TEST_P(FindsBug, AtRandom) {
  const Result result = ExploreBug({}, GetParam().body);
  EXPECT_FALSE(result.ok);
  EXPECT_LT(result.executions, 500);
  EXPECT_THAT(result.failure, HasSubstr(GetParam().symptom));
  EXPECT_THAT(result.replay, HasSubstr("UWQ_SIM_SEED="));
}

// Goal: what a failure prints leads to the same failure, at once.
TEST_P(FindsBug, AndReplaysIt) {
  for (const bool exhaustive : {true, false}) {
    Options options;
    options.exhaustive = exhaustive;
    const Result found = ExploreBug(options, GetParam().body);
    ASSERT_FALSE(found.ok);
    const size_t equals = found.replay.find('=');
    ScopedEnv env(found.replay.substr(0, equals), found.replay.substr(equals + 1));
    const Result again = ExploreBug(options, GetParam().body);
    EXPECT_FALSE(again.ok);
    EXPECT_LE(again.executions, 2);  // a warm-up, and the one
    EXPECT_EQ(again.failure, found.failure);
    EXPECT_EQ(again.replay, found.replay);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Bugs, FindsBug,
    testing::Values(Bug{"LostUpdate", &LostUpdate, "lost update"},
                    Bug{"AbbaDeadlock", &AbbaDeadlock, "deadlock: every thread is blocked"},
                    Bug{"LostWakeUp", &LostWakeUp, "blocked in CondVar::Wait"}),
    [](const testing::TestParamInfo<Bug>& info) { return std::string(info.param.name); });

TEST(Explorer, Deadlock_NamesThreadsAndWhatTheyWaitFor) {
  const Result result = ExploreBug(Exhaustive(2), &AbbaDeadlock);
  EXPECT_THAT(result.failure,
              HasSubstr("root (id 2): blocked in Mutex::Lock, which depends on ba"));
  EXPECT_THAT(result.failure,
              HasSubstr("ba (id 3): blocked in Mutex::Lock, which depends on root"));
}

TEST(Explorer, CorrectCondVarUse_Holds) {
  const Result result = ExploreOrFail(Exhaustive(3), [] {
    Mutex mu;
    CondVar cv;
    bool flag = false;
    Thread t = StartOrDie("waiter", [&] {
      MutexLock lock(&mu);
      while (!flag) cv.Wait(&mu);
    });
    {
      MutexLock lock(&mu);
      flag = true;
    }
    cv.NotifyOne();
    t.Join();
  });
  EXPECT_TRUE(result.complete);
  EXPECT_GT(result.executions, 3);
}

// ---- Exhaustive means exhaustive ----

// Method: the child's lock and the root's lock.  Without preemption the root goes
// first; with one, the child does; with two, the child is stopped before its lock.
TEST(Exhaustive, TwoThreadsOneMutex_CountsSchedulesPerBound) {
  auto body = [] {
    Mutex mu;
    Thread t = StartOrDie("other", [&mu] { MutexLock lock(&mu); });
    { MutexLock lock(&mu); }
    t.Join();
  };
  const int64_t expected[] = {1, 2, 3, 3};
  for (int bound = 0; bound <= 3; ++bound) {
    const Result result = ExploreOrFail(Exhaustive(bound), body);
    EXPECT_TRUE(result.complete);
    EXPECT_EQ(result.executions, expected[bound]) << "bound " << bound;
  }
}

// Method: k steps here and m + 1 there (its start is one) can be interleaved in
// binomial(k + m + 1, k) ways.
TEST(Exhaustive, TwoThreadsAtomics_CountsAllInterleavings) {
  auto body = [](int k, int m) {
    return [k, m] {
      Atomic<int> x{0};
      Thread t = StartOrDie("other", [&x, m] {
        for (int i = 0; i < m; ++i) x.fetch_add(1);
      });
      for (int i = 0; i < k; ++i) x.fetch_add(1);
      t.Join();
    };
  };
  EXPECT_EQ(ExploreOrFail(Exhaustive(100), body(3, 2)).executions, 20);
  EXPECT_EQ(ExploreOrFail(Exhaustive(100), body(4, 3)).executions, 70);
  EXPECT_EQ(ExploreOrFail(Exhaustive(100), body(8, 7)).executions, 12870);
}

TEST(Exhaustive, StoreBuffering_SeesTheThreeSequentiallyConsistentOutcomes) {
  std::set<std::pair<int, int>> outcomes;
  const Result result = ExploreOrFail(Exhaustive(100), [&outcomes] {
    Atomic<int> x{0}, y{0};
    int seen_y = -1, seen_x = -1;
    Thread t = StartOrDie("other", [&] {
      y.store(1);
      seen_x = x.load();
    });
    x.store(1);
    seen_y = y.load();
    t.Join();
    outcomes.insert({seen_y, seen_x});
  });
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(outcomes, (std::set<std::pair<int, int>>{{0, 1}, {1, 0}, {1, 1}}));
}

TEST(Exhaustive, Choose_TriesEveryCombination) {
  std::set<std::pair<int, int>> seen;
  const Result result = ExploreOrFail(Exhaustive(0), [&seen] {
    const int a = Choose(3);
    const int b = Choose(4);
    seen.insert({a, b});
  });
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(result.executions, 12);
  EXPECT_EQ(seen.size(), 12u);
}

TEST(Exhaustive, NotifyOne_MayWakeAnyWaiter) {
  std::set<int> first;
  ExploreOrFail(Exhaustive(0), [&first] {
    Mutex mu;
    CondVar cv;
    bool go = false;
    int order = 0;
    auto wait = [&](int id) {
      MutexLock lock(&mu);
      while (!go) cv.Wait(&mu);
      if (order++ == 0) first.insert(id);
    };
    Thread a = StartOrDie("a", [&] { wait(1); });
    Thread b = StartOrDie("b", [&] { wait(2); });
    RunUntilIdle();
    {
      MutexLock lock(&mu);
      go = true;
    }
    cv.NotifyOne();
    RunUntilIdle();
    cv.NotifyOne();
    a.Join();
    b.Join();
  });
  EXPECT_EQ(first, (std::set<int>{1, 2}));
}

TEST(Exhaustive, LimitReached_IsNotComplete) {
  Options options = Exhaustive(2);
  options.max_executions = 5;
  const Result result = ExploreOrFail(options, [] {
    Atomic<int> x{0};
    Thread t = StartOrDie("other", [&x] { x.fetch_add(1); });
    for (int i = 0; i < 5; ++i) x.fetch_add(1);
    t.Join();
  });
  EXPECT_EQ(result.executions, 5);
  EXPECT_FALSE(result.complete);
}

// Goal: spinning threads do not starve the one they spin for, whatever the order.
TEST(Exhaustive, SpinLoops_TerminateUnderEverySchedule) {
  const Result result = ExploreOrFail(Exhaustive(2), [] {
    Atomic<bool> flag{false};
    auto spin = [&flag] {
      while (!flag.load()) base::CpuRelax();
    };
    Thread a = StartOrDie("a", spin);
    Thread b = StartOrDie("b", spin);
    Thread c = StartOrDie("c", [&flag] { flag.store(true); });
    a.Join();
    b.Join();
    c.Join();
  });
  EXPECT_TRUE(result.complete);
}

// Goal: plain memory touched after a release is raced for only with release
// points.  Method: the setter of a Completion looks at the waiter's stack.
TEST(Exhaustive, ReleasePoints_ExposeUseAfterSet) {
  auto body = [] {
    bool alive = true;
    base::Completion done;
    Thread t = StartOrDie("setter", [&] {
      done.Set();
      if (!alive) Fail("used after Set");
    });
    done.Wait();
    alive = false;
    t.Join();
  };
  EXPECT_TRUE(Explore(Exhaustive(2), body).ok);
  Options options = Exhaustive(2);
  options.release_points = true;
  EXPECT_THAT(ExploreBug(options, body).failure, HasSubstr("used after Set"));
  EXPECT_THAT(ExploreBug({}, body).failure, HasSubstr("used after Set"));
}

// ---- Every kind of failure ----

TEST(Failure, Check_IsReportedNotFatal) {
  const Result result = ExploreBug({}, [] { UWQ_CHECK(1 + 1 == 3); });
  EXPECT_THAT(result.failure, HasSubstr("UWQ_CHECK failed: 1 + 1 == 3"));
}

TEST(Failure, LiveLock_IsTheStepLimit) {
  Options options;
  options.max_steps = 1000;
  const Result result = ExploreBug(options, [] {
    Atomic<bool> never{false};
    while (!never.load()) {
    }
  });
  EXPECT_THAT(result.failure, HasSubstr("livelock? more than 1000 steps"));
}

TEST(Failure, ThreadLeftOver_IsNamed) {
  const Result result = ExploreBug({}, [] {
    auto* parker = new base::Parker;
    (void)StartOrDie("daemon", [parker] { parker->Park(); });
  });
  EXPECT_THAT(result.failure, HasSubstr("the body returned while threads it started still live"));
  EXPECT_THAT(result.failure, HasSubstr("daemon (id 3): blocked in Parker::Park"));
}

// Goal: a service that only wakes up for its timer does not keep an execution alive.
TEST(Failure, PeriodicThreadLeftOver_IsNamed) {
  const Result result = ExploreBug({}, [] {
    (void)StartOrDie("ticker", [] {
      for (;;) SleepFor(base::kMillisecond);
    });
  });
  EXPECT_THAT(result.failure, HasSubstr("ticker (id 3): blocked in SleepFor"));
}

TEST(Failure, ThreadAboutToFinish_IsWaitedFor) {
  ExploreOrFail(Exhaustive(2), [] {
    static Atomic<int> x{0};
    (void)StartOrDie("late", [] { x.fetch_add(1); });
  });
}

TEST(Failure, UnlockByAnother_SelfDeadlock_DestroyedInUse) {
  EXPECT_THAT(ExploreBug({},
                         []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
                           Mutex mu;
                           mu.Unlock();
                         })
                  .failure,
              HasSubstr("owner_ == sim::Self()"));
  EXPECT_THAT(ExploreBug({},
                         []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
                           Mutex mu;
                           mu.Lock();
                           mu.Lock();
                         })
                  .failure,
              HasSubstr("root (id 2): blocked in Mutex::Lock, which depends on root"));
  EXPECT_THAT(ExploreBug({},
                         []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
                           Mutex mu;
                           mu.Lock();
                         })
                  .failure,
              HasSubstr("Mutex destroyed in use"));
}

TEST(FailureDeathTest, GoogleTestAssertion_EndsTheExploration) {
  EXPECT_EXIT(
      {
        const Result result = Explore({}, [] {
          Atomic<int> x{0};
          EXPECT_EQ(x.load(), 1);
          x.store(1);
        });
        exit(!result.ok && result.executions == 1 && testing::Test::HasFailure() ? 7 : 0);
      },
      testing::ExitedWithCode(7), "GoogleTest failure at .*explorer_test.cc");
}

// ---- Determinism ----

TEST(Determinism, StateThatOutlivesBodies_IsReported) {
  int runs = 0;
  const Result result = ExploreBug({}, [&runs] {
    Atomic<int> x{0};
    for (int i = ++runs; i > 0; --i) x.fetch_add(1);
  });
  EXPECT_THAT(result.failure, HasSubstr("not deterministic"));
}

TEST(Determinism, InitialisationOnFirstUse_IsAllowed) {
  bool initialised = false;
  ExploreOrFail({}, [&initialised] {
    Atomic<int> x{0};
    if (!std::exchange(initialised, true)) x.fetch_add(1);
    x.fetch_add(1);
  });
}

// Goal: two explorations with one seed see the same, with two seeds something else.
TEST(Determinism, SeedDecidesEverything) {
  auto trail = [](uint64_t seed) {
    std::string text;
    Options options;
    options.seed = seed;
    options.max_executions = 50;
    ExploreOrFail(options, [&text] {
      Atomic<int> x{0};
      auto step = [&](char name) {
        for (int i = 0; i < 4; ++i) {
          x.fetch_add(1);
          text += name;
        }
      };
      Thread a = StartOrDie("a", [&] { step('a'); });
      Thread b = StartOrDie("b", [&] { step('b'); });
      step('r');
      a.Join();
      b.Join();
    });
    return text;
  };
  const std::string one = trail(1);
  EXPECT_EQ(one, trail(1));
  EXPECT_NE(one, trail(2));
}

TEST(Environment, ExecutionsOverrideAndMultiply) {
  Options options;
  options.max_executions = 10;
  auto body = [] { Atomic<int>{0}.load(); };
  EXPECT_EQ(Explore(options, body).executions, 11);  // one more for the check
  {
    ScopedEnv env("UWQ_SIM_EXECUTIONS", "30");
    EXPECT_EQ(Explore(options, body).executions, 31);
  }
  ScopedEnv env("UWQ_SIM_EXECUTIONS", "x5");
  EXPECT_EQ(Explore(options, body).executions, 51);
}

TEST(EnvironmentDeathTest, NoNumber_IsRefused) {
  ScopedEnv env("UWQ_SIM_SEED", "twelve");
  EXPECT_EXIT((void)Explore({}, [] {}), testing::ExitedWithCode(2),
              "UWQ_SIM_SEED=twelve: not a number");
}

TEST(EnvironmentDeathTest, Trace_PrintsDecisions) {
  ScopedEnv env("UWQ_SIM_PATH", "0:1");
  ScopedEnv trace("UWQ_SIM_TRACE", "1");
  EXPECT_EXIT(
      {
        (void)Explore(Exhaustive(1), [] {
          Mutex mu;
          Thread t = StartOrDie("other", [&mu] { MutexLock lock(&mu); });
          MutexLock lock(&mu);
          lock.Release();
          t.Join();
        });
        exit(0);
      },
      testing::ExitedWithCode(0), "of 2  other            start");
}

}  // namespace
}  // namespace uwq::sim
