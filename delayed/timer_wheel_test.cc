// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: each promise of timer_wheel.h on its own.  Method: time is a parameter, so
// every test is exact; only the last ones use threads.  Random sequences against a
// model: timer_wheel_property_test.cc.
#include "delayed/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "workqueue/base/sync.h"

namespace uwq::delayed {
namespace {

using base::kForever;
using base::kMillisecond;
using base::kSecond;
using base::Nanos;

constexpr Nanos kStart = 1000 * kSecond;

struct Fixture : testing::Test {
  // Everything that Expire(now) hands over, as indices into `nodes`.
  std::vector<size_t> Fire(Nanos now) {
    DueList due;
    while (!wheel.Expire(now, &due)) {
    }
    std::vector<size_t> fired;
    while (TimerNode* node = due.PopFront()) fired.push_back(node - nodes.data());
    return fired;
  }
  bool Arm(size_t i, Nanos deadline, Nanos slack = 0) {
    return wheel.Arm(&nodes[i], deadline, kStart, slack);
  }

  TimerWheel wheel{kStart};
  std::vector<TimerNode> nodes = std::vector<TimerNode>(1000);
};
using TimerWheelTest = Fixture;
using Indices = std::vector<size_t>;

TEST_F(TimerWheelTest, Node_ZeroIsUnarmedAndSmall) {
  TimerNode node;
  std::memset(&node, 0, sizeof(node));
  EXPECT_FALSE(TimerWheel::Armed(node));
  EXPECT_FALSE(wheel.Cancel(&node));
  // 32 of the work, the timer, the queue's address, a CPU number.
  EXPECT_LE(32 + sizeof(TimerNode) + sizeof(void*) + 2 * sizeof(int), 88u);
}

// D2, T032: not one nanosecond early, and at the very nanosecond, for each magnitude.
TEST_F(TimerWheelTest, Expire_AnyDelay_FiresAtItsNanosecondAndNotBefore) {
  for (int width = 0; width < 60; ++width) {
    for (Nanos delay : {(Nanos{1} << width) - 1, Nanos{1} << width, (Nanos{1} << width) + 1}) {
      if (delay == 0) continue;
      SCOPED_TRACE(delay);
      TimerWheel wheel(kStart);
      TimerNode node{};
      EXPECT_TRUE(wheel.Arm(&node, kStart + delay, kStart));
      EXPECT_EQ(wheel.NextWake(), kStart + delay);
      DueList due;
      EXPECT_TRUE(wheel.Expire(kStart + delay - 1, &due));
      EXPECT_TRUE(due.empty());
      EXPECT_TRUE(TimerWheel::Armed(node));
      EXPECT_EQ(wheel.NextWake(), kStart + delay);
      wheel.CheckInvariants();
      EXPECT_TRUE(wheel.Expire(kStart + delay, &due));
      EXPECT_EQ(due.PopFront(), &node);
      EXPECT_FALSE(TimerWheel::Armed(node));
      EXPECT_EQ(wheel.NextWake(), kForever);
    }
  }
}

TEST_F(TimerWheelTest, Expire_SeveralDue_InOrderOfDeadlinesThenOfArming) {
  (void)Arm(0, kStart + 5 * kSecond);
  (void)Arm(1, kStart + 3);
  (void)Arm(2, kStart + 5 * kSecond);
  (void)Arm(3, kStart + 2);
  (void)Arm(4, kStart - 7);
  (void)Arm(5, kStart + 5 * kSecond - 1);
  (void)Arm(6, kStart + 3);
  EXPECT_EQ(Fire(kStart + 6 * kSecond), (Indices{4, 3, 1, 6, 5, 0, 2}));
}

TEST_F(TimerWheelTest, Expire_EqualDeadlinesArmedAtDifferentTimes_InOrderOfArming) {
  const Nanos deadline = kStart + 3000 * kSecond;
  for (size_t i = 0; i < 500; ++i) {
    // Nearer and nearer, hence from ever lower levels.
    (void)Fire(deadline - (deadline - kStart) / static_cast<Nanos>(i + 1));
    (void)Arm(i, deadline);
  }
  Indices all(500);
  for (size_t i = 0; i < 500; ++i) all[i] = i;
  EXPECT_EQ(Fire(deadline), all);
}

TEST_F(TimerWheelTest, Arm_PastDeadline_DueAtOnce) {
  EXPECT_TRUE(Arm(0, kStart - kSecond));
  EXPECT_EQ(wheel.NextWake(), kStart - kSecond);
  EXPECT_TRUE(Arm(1, -5));
  EXPECT_EQ(Fire(kStart), (Indices{1, 0}));
}

// T047: the largest deadlines neither overflow nor fire.
TEST_F(TimerWheelTest, Arm_EndOfTime_NeverFiresAndAsksForNoWakeUp) {
  EXPECT_FALSE(Arm(0, kForever));
  EXPECT_TRUE(Arm(1, kForever - 1));
  EXPECT_EQ(wheel.NextWake(), kForever - 1);
  EXPECT_EQ(Fire(kForever - 2), Indices{});
  wheel.CheckInvariants();
  EXPECT_EQ(Fire(kForever - 1), Indices{1});
  EXPECT_EQ(wheel.NextWake(), kForever);
  EXPECT_TRUE(wheel.Cancel(&nodes[0]));
}

TEST_F(TimerWheelTest, Cancel_Armed_TrueOnceAndNeverFires) {
  (void)Arm(0, kStart + kSecond);
  EXPECT_TRUE(wheel.Cancel(&nodes[0]));
  EXPECT_FALSE(wheel.Cancel(&nodes[0]));
  EXPECT_EQ(Fire(kStart + 10 * kSecond), Indices{});
}

TEST_F(TimerWheelTest, Cancel_HandedOver_FalseAndStaysInTheList) {
  (void)Arm(0, kStart + 1);
  (void)Arm(1, kStart + 2);
  DueList due;
  EXPECT_TRUE(wheel.Expire(kStart + 2, &due));
  EXPECT_FALSE(wheel.Cancel(&nodes[0]));
  EXPECT_EQ(due.PopFront(), &nodes[0]);
  EXPECT_EQ(due.PopFront(), &nodes[1]);
  EXPECT_EQ(due.PopFront(), nullptr);
}

// T036, D4: shorten and extend; it fires at the new time, once.
TEST_F(TimerWheelTest, Mod_ShortenAndExtend_FiresAtTheNewTimeOnce) {
  TimerWheel::ModResult result = wheel.Mod(&nodes[0], kStart + kSecond, kStart);
  EXPECT_FALSE(result.was_armed);
  EXPECT_TRUE(result.earlier);
  result = wheel.Mod(&nodes[0], kStart + 20 * kMillisecond, kStart);
  EXPECT_TRUE(result.was_armed);
  EXPECT_TRUE(result.earlier);
  result = wheel.Mod(&nodes[1], kStart + 20 * kMillisecond, kStart);
  EXPECT_FALSE(result.earlier);
  result = wheel.Mod(&nodes[1], kStart + kSecond, kStart);
  EXPECT_TRUE(result.was_armed);
  EXPECT_FALSE(result.earlier);
  EXPECT_EQ(Fire(kStart + 20 * kMillisecond), Indices{0});
  EXPECT_EQ(Fire(kStart + kSecond - 1), Indices{});
  EXPECT_EQ(Fire(kStart + kSecond), Indices{1});
}

TEST_F(TimerWheelTest, Arm_FromTheDueListsCallback_WorksAgain) {
  (void)Arm(0, kStart + 1);
  DueList due;
  EXPECT_TRUE(wheel.Expire(kStart + 1, &due));
  TimerNode* node = due.PopFront();
  EXPECT_TRUE(wheel.Arm(node, kStart + 2, kStart + 1));
  EXPECT_EQ(Fire(kStart + 2), Indices{0});
}

// The poke: once for each earlier time, never for a later or an equal one.
TEST_F(TimerWheelTest, Arm_ReturnsWhetherTheWakerMustBeTold) {
  EXPECT_TRUE(Arm(0, kStart + 100));
  EXPECT_FALSE(Arm(1, kStart + 100));
  EXPECT_FALSE(Arm(2, kStart + 200));
  EXPECT_TRUE(Arm(3, kStart + 99));
  EXPECT_TRUE(wheel.Cancel(&nodes[3]));
  EXPECT_FALSE(Arm(3, kStart + 99)) << "the waker still comes at 99";
  EXPECT_EQ(wheel.NextWake(), kStart + 99);
  EXPECT_EQ(Fire(kStart + 100), (Indices{3, 0, 1}));
  EXPECT_EQ(wheel.NextWake(), kStart + 200);
  EXPECT_FALSE(Arm(0, kStart + 300));
}

// "An armed but far timer causes no periodic wake-up": following NextWake, a timer
// of any length costs exactly one Expire.
TEST_F(TimerWheelTest, NextWake_FarTimerAlone_OneWakeUp) {
  for (Nanos delay : {kMillisecond, kSecond, 3600 * kSecond, 86400 * 365 * kSecond}) {
    (void)wheel.Mod(&nodes[0], kStart + delay, kStart);
    int wakes = 0;
    for (Nanos wake; (wake = wheel.NextWake()) != kForever; ++wakes) (void)Fire(wake);
    EXPECT_EQ(wakes, 1) << delay;
    new (&wheel) TimerWheel(kStart);
  }
}

// Wake-ups follow the armed deadlines alone, however many timers there are.
TEST_F(TimerWheelTest, NextWake_ManyTimers_OneWakeUpForEachDeadline) {
  std::mt19937_64 random(7);
  for (size_t i = 0; i < nodes.size(); ++i) {
    (void)Arm(i, kStart + static_cast<Nanos>(random() % (2 * kSecond)));
  }
  size_t wakes = 0, fired = 0;
  for (Nanos wake; (wake = wheel.NextWake()) != kForever; ++wakes) {
    const Indices now = Fire(wake);
    ASSERT_FALSE(now.empty());
    for (size_t i : now) ASSERT_EQ(nodes[i].deadline_ns, wake);
    fired += now.size();
  }
  EXPECT_EQ(fired, nodes.size());
  EXPECT_LE(wakes, nodes.size());
}

// Driver time-outs: armed and cancelled for ever, while one far timer stays.
TEST_F(TimerWheelTest, NextWake_TimeOutsAlwaysCancelled_NotOneWakeUpEach) {
  (void)Arm(0, kStart + 1000 * kSecond);
  Nanos now = kStart;
  int wakes = 0;
  Nanos next = wheel.NextWake();
  for (int i = 0; i < 100000; ++i) {
    now += 100 * base::kMicrosecond;
    if (now >= next) {
      ++wakes;
      EXPECT_EQ(Fire(now), Indices{});
      next = wheel.NextWake();
    }
    if (wheel.Arm(&nodes[1], now + kSecond, now)) {
      next = std::min(next, TimerWheel::WakeTime(nodes[1]));
    }
    EXPECT_TRUE(wheel.Cancel(&nodes[1]));
  }
  // 10 s of time-outs of 1 s each: the waker comes once for each second.
  EXPECT_LE(wakes, 10);
}

// D11: a deferrable timer does not wake; it goes with the next other expiry.
TEST_F(TimerWheelTest, Deferrable_WithoutLimit_FiresWithTheNextOtherExpiry) {
  EXPECT_FALSE(Arm(0, kStart + 100, kForever));
  EXPECT_EQ(wheel.NextWake(), kForever);
  EXPECT_TRUE(Arm(1, kStart + 50));
  EXPECT_TRUE(wheel.NextWake() == kStart + 50);
  EXPECT_EQ(Fire(kStart + 50), Indices{1});
  EXPECT_EQ(wheel.NextWake(), kForever);
  EXPECT_TRUE(Arm(1, kStart + 200));
  EXPECT_EQ(Fire(kStart + 200), (Indices{0, 1}));
}

TEST_F(TimerWheelTest, Deferrable_WithSlack_WakesByItselfWithinAnEighth) {
  const Nanos delay = 8 * kSecond;
  EXPECT_TRUE(Arm(0, kStart + delay, DeferrableSlack(delay)));
  const Nanos wake = wheel.NextWake();
  EXPECT_GT(wake, kStart + delay);
  EXPECT_LE(wake, kStart + delay + delay / 8);
  EXPECT_EQ(Fire(kStart + delay - 1), Indices{}) << "early";
  EXPECT_EQ(Fire(wake), Indices{0});
}

TEST_F(TimerWheelTest, Deferrable_BeforeAnExactTimer_NextWakeFindsTheExactOne) {
  (void)Arm(0, kStart + kSecond, kForever);
  (void)Arm(1, kStart + 2 * kSecond, 8 * kSecond);
  (void)Arm(2, kStart + 5 * kSecond);
  EXPECT_EQ(wheel.NextWake(), kStart + 5 * kSecond);
  EXPECT_EQ(Fire(kStart + 5 * kSecond), (Indices{0, 1, 2}));
}

TEST_F(TimerWheelTest, Expire_Budget_EndsEarlyAndLosesNothing) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    (void)Arm(i, kStart + kSecond + static_cast<Nanos>(i / 3) * 50000);
  }
  DueList due;
  int rounds = 1;
  bool cancelled = false;
  while (!wheel.Expire(kStart + 2 * kSecond, &due, 10)) {
    wheel.CheckInvariants();
    // In the midst of it the wheel is open to everybody.
    if (rounds++ == 2) {
      cancelled = wheel.Cancel(&nodes[999]);
      (void)wheel.Mod(&nodes[998], kStart + 10 * kSecond, kStart + 2 * kSecond);
    }
  }
  EXPECT_TRUE(cancelled);
  EXPECT_GT(rounds, 100);
  for (size_t i = 0; i < 998; ++i) ASSERT_EQ(due.PopFront(), &nodes[i]);
  EXPECT_EQ(due.PopFront(), nullptr);
  EXPECT_EQ(wheel.armed(), 1u);
}

TEST_F(TimerWheelTest, Expire_ClockHandedInBackwards_CountsAsTheLatest) {
  (void)Fire(kStart + kSecond);
  (void)wheel.Arm(&nodes[0], kStart + kSecond / 2, kStart);
  EXPECT_EQ(Fire(kStart), Indices{0}) << "its time had come a second ago";
}

TEST_F(TimerWheelTest, Arm_AfterLongIdleness_StartsFromThePresent) {
  const Nanos later = kStart + 86400 * kSecond;
  EXPECT_TRUE(wheel.Arm(&nodes[0], later + kMillisecond, later));
  wheel.CheckInvariants();
  EXPECT_EQ(wheel.NextWake(), later + kMillisecond);
  // One slot, one pass: nothing to move down first.
  DueList due;
  EXPECT_TRUE(wheel.Expire(later + kMillisecond, &due, 1));
  EXPECT_EQ(due.PopFront(), &nodes[0]);
}

TEST_F(TimerWheelTest, Million_ArmedAndExpired_AllInOrderNoneEarly) {
  constexpr size_t kMillion = 1000000;
  std::vector<TimerNode> many(kMillion);
  std::mt19937_64 random(11);
  for (TimerNode& node : many) {
    (void)wheel.Arm(&node, kStart + static_cast<Nanos>(random() % (1000 * kSecond)), kStart);
  }
  EXPECT_EQ(wheel.armed(), kMillion);
  size_t fired = 0;
  Nanos last = 0;
  for (Nanos now = kStart; wheel.armed() != 0; now += 10 * kSecond) {
    DueList due;
    while (!wheel.Expire(now, &due)) {
    }
    while (TimerNode* node = due.PopFront()) {
      ASSERT_LE(node->deadline_ns, now);
      ASSERT_GT(node->deadline_ns, now - 10 * kSecond);
      ASSERT_GE(node->deadline_ns, last);
      last = node->deadline_ns;
      ++fired;
    }
  }
  EXPECT_EQ(fired, kMillion);
}

// T4, T042 at this level: expiry against cancel with the node freed right after.
// The balance is exact: each arm ends in one successful cancel or one hand-over.
TEST_F(TimerWheelTest, Threads_ArmAndCancelAgainstExpiry_BalanceIsExact) {
  constexpr int kThreads = 3, kRounds = 30000;
  base::Mutex mu;
  TimerWheel shared(base::Now());
  base::Atomic<bool> stop{false};
  base::Atomic<long> cancelled{0}, handed_over{0};
  struct Item {
    TimerNode timer{};
    base::Atomic<bool> fired{false};
  };
  std::vector<base::Thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    absl::StatusOr<base::Thread> thread = base::Thread::Start({.name = "arm"}, [&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < kRounds; ++i) {
        auto item = std::make_unique<Item>();
        const Nanos now = base::Now();
        {
          base::MutexLock lock(&mu);
          (void)shared.Arm(&item->timer, now + static_cast<Nanos>(random() % 20000), now);
        }
        for (unsigned spin = random() % 200; spin > 0; --spin) base::CpuRelax();
        TimerWheel::WarmUp(item->timer);
        bool won;
        {
          base::MutexLock lock(&mu);
          won = shared.Cancel(&item->timer);
        }
        if (won) {
          cancelled.fetch_add(1);
        } else {
          while (!item->fired.load(std::memory_order_acquire)) base::CpuRelax();
        }
      }
    });
    ASSERT_TRUE(thread.ok());
    threads.push_back(*std::move(thread));
  }
  absl::StatusOr<base::Thread> expirer = base::Thread::Start({.name = "expire"}, [&] {
    while (!stop.load()) {
      DueList due;
      {
        base::MutexLock lock(&mu);
        (void)shared.Expire(base::Now(), &due, 16);
      }
      while (TimerNode* node = due.PopFront()) {
        handed_over.fetch_add(1);
        reinterpret_cast<Item*>(node)->fired.store(true, std::memory_order_release);
      }
    }
  });
  ASSERT_TRUE(expirer.ok());
  for (base::Thread& thread : threads) thread.Join();
  stop = true;
  expirer->Join();
  EXPECT_EQ(shared.armed(), 0u);
  EXPECT_EQ(cancelled + handed_over, long{kThreads} * kRounds);
}

// The owner may drop its lock between two stretches of a walk: what expires or moves down
// meanwhile is missed by nobody.
TEST_F(TimerWheelTest, TakeIf_InStretches) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    (void)Arm(i, kStart + 1 + static_cast<Nanos>(i * i) * 7 * kMillisecond);
  }
  TimerWheel::Walk walk;
  DueList taken;
  const auto odd = [&](TimerNode* node) { return (node - nodes.data()) % 2 == 1; };
  size_t fired = 0, fired_odd = 0;
  int stretches = 1;
  for (Nanos now = kStart; !wheel.TakeIf(&walk, odd, &taken, 50); ++stretches) {
    now += 20 * kSecond;
    for (const size_t i : Fire(now)) {
      ++fired;
      fired_odd += i % 2;
    }
    wheel.CheckInvariants();
  }
  size_t odds = fired_odd;
  while (TimerNode* node = taken.PopFront()) {
    EXPECT_EQ((node - nodes.data()) % 2, 1);
    EXPECT_FALSE(TimerWheel::Armed(*node));
    ++odds;
  }
  EXPECT_EQ(odds, nodes.size() / 2);
  EXPECT_GT(stretches, 10);
  EXPECT_LT(stretches, 100);
  EXPECT_EQ(wheel.armed(), nodes.size() / 2 - (fired - fired_odd));
  wheel.CheckInvariants();
}

}  // namespace
}  // namespace uwq::delayed
