// SPDX-License-Identifier: BSD-3-Clause
//
// pool_policy_test.cc -- the tables of P1, P3, P9 and P10.
#include "workqueue/core/pool_policy.h"

#include "gtest/gtest.h"

namespace uwq::core {
namespace {

constexpr PoolView View(bool has_work, int nr_running, int nr_workers = 4, int nr_idle = 1,
                        bool managing = false) {
  return {has_work, nr_running, nr_workers, nr_idle, managing};
}

// P1: a worker is needed exactly while work waits and none who counts is running.
TEST(PoolPolicy, NeedMoreWorker) {
  EXPECT_FALSE(NeedMoreWorker(View(false, 0)));
  EXPECT_TRUE(NeedMoreWorker(View(true, 0)));
  EXPECT_FALSE(NeedMoreWorker(View(true, 1)));
  EXPECT_FALSE(NeedMoreWorker(View(false, 1)));
}

// P9: a worker starts only if another one is left to be woken.
TEST(PoolPolicy, MayStartWorking) {
  EXPECT_FALSE(MayStartWorking(View(true, 0, 1, 0)));
  EXPECT_TRUE(MayStartWorking(View(true, 0, 2, 1)));
}

// P3: a running worker goes on until it is not the only one any more.
TEST(PoolPolicy, KeepWorking) {
  EXPECT_TRUE(KeepWorking(View(true, 0)));
  EXPECT_TRUE(KeepWorking(View(true, 1)));
  EXPECT_FALSE(KeepWorking(View(true, 2)));
  EXPECT_FALSE(KeepWorking(View(false, 1)));
}

// Unbound pools whose items are not known to be short: as if nobody were running.
TEST(PoolPolicy, Parallel) {
  PoolView p = View(true, 1);
  p.parallel = true;
  EXPECT_TRUE(NeedMoreWorker(p));
  p.nr_running = 2;
  EXPECT_TRUE(KeepWorking(p));
  p.has_work = false;
  EXPECT_FALSE(NeedMoreWorker(p));
  EXPECT_FALSE(KeepWorking(p));
}

// One short stretch is enough to trust in short items, two to forgive a long one, and
// a stall is remembered for longer.
TEST(PoolPolicy, ShortItems) {
  ShortItems items;
  EXPECT_FALSE(items.yes());
  items.Measured(kShortItemNs - 1);
  EXPECT_TRUE(items.yes());
  items.Measured(kShortItemNs);
  EXPECT_FALSE(items.yes());
  for (int i = 0; i < 3; ++i) items.Measured(0);
  EXPECT_TRUE(items.yes());
  items.Measured(kShortItemNs);
  EXPECT_TRUE(items.yes());
  items.Measured(kShortItemNs);
  EXPECT_FALSE(items.yes());
  items.Measured(0);
  EXPECT_TRUE(items.yes());
  items.Stalled();
  for (int i = 0; i < 8; ++i) {
    items.Measured(0);
    EXPECT_FALSE(items.yes()) << i;
    items.Measured(kShortItemNs);
  }
  items.Measured(0);
  EXPECT_TRUE(items.yes());
}

TEST(PoolPolicy, IdleSpinFollowsShortPauses) {
  constexpr base::Nanos kMost = 50 * base::kMicrosecond;
  IdleSpin spin;
  spin.Slept(kMost + 1, kMost);
  EXPECT_FALSE(spin.worthwhile());
  spin.Slept(kMost, kMost);
  EXPECT_TRUE(spin.worthwhile());
  for (int i = 0; i < 100; ++i) spin.Spun(true);
  // The end of a burst costs no trust, three pauses without a burst do.
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(spin.worthwhile()) << i;
    spin.Spun(false);
  }
  EXPECT_FALSE(spin.worthwhile());
  for (int i = 0; i < 100; ++i) spin.Slept(kMost + 1, kMost);
  EXPECT_FALSE(spin.worthwhile());
}

// Pauses are short, but spinning bridges none: who queues waits for this CPU.
TEST(PoolPolicy, IdleSpinGivesUpWhereItDoesNotHelp) {
  IdleSpin spin;
  int sleeps = 0, spins = 0;
  while (sleeps < 100000) {
    if (spin.worthwhile()) {
      ++spins;
      spin.Spun(false);
    } else {
      ++sleeps;
      spin.Slept(0, 1);
    }
  }
  EXPECT_LT(spins, 120);  // then one in 1024
  EXPECT_GT(spins, 90);   // but it never gives up for good
}

TEST(PoolPolicy, NeedToCreateWorker) {
  EXPECT_TRUE(NeedToCreateWorker(View(true, 0, 3, 0)));
  EXPECT_FALSE(NeedToCreateWorker(View(true, 0, 3, 1)));
  EXPECT_FALSE(NeedToCreateWorker(View(true, 1, 3, 0)));
  EXPECT_FALSE(NeedToCreateWorker(View(false, 0, 3, 0)));
}

// P10: more than two idle, and (idle - 2) * 4 >= busy; a manager counts as idle.
TEST(PoolPolicy, TooManyWorkers) {
  const struct {
    int nr_workers, nr_idle;
    bool managing, too_many;
  } kRows[] = {
      {2, 2, false, false},   // two idle ones are always kept
      {3, 3, false, true},    // 1 * 4 >= 0
      {7, 3, false, true},    // 1 * 4 >= 4
      {8, 3, false, false},   // 1 * 4 < 5
      {12, 4, false, true},   // 2 * 4 >= 8
      {13, 4, false, false},  // 2 * 4 < 9
      {3, 2, true, true},     // the manager is the third idle one
      {8, 2, true, false},    // 1 * 4 < 5
      {64, 64, false, true},  //
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(TooManyWorkers(View(false, 0, row.nr_workers, row.nr_idle, row.managing)),
              row.too_many)
        << row.nr_workers << " workers, " << row.nr_idle << " idle, manager " << row.managing;
  }
}

// Reaping ends at two idle workers, never at none, whatever it starts from.
TEST(PoolPolicy, ReapingConverges) {
  for (int busy = 0; busy < 40; ++busy) {
    int idle = 100;
    while (TooManyWorkers(View(false, 0, busy + idle, idle))) --idle;
    EXPECT_GE(idle, 2);
    EXPECT_LT((idle - 2) * kMaxIdleWorkersRatio, busy + (busy == 0)) << busy << " busy";
  }
}

}  // namespace
}  // namespace uwq::core
