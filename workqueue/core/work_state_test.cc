// SPDX-License-Identifier: BSD-3-Clause
//
// work_state_test.cc -- the layout of the state word, each legal transition, and that
// the illegal ones are noticed.
#include "workqueue/core/work_state.h"

#include <string.h>

#include "gtest/gtest.h"
#include "workqueue/core/pool_workqueue.h"

namespace uwq::core {
namespace {

void Nothing(WorkItem*) {}

class WorkState : public testing::Test {
 protected:
  void SetUp() override { InitWord(&work_, &Nothing); }
  Word word() { return LoadWord(&work_); }

  WorkItem work_;
  PoolWorkqueue pwq_;
};

// 1.2: the kernel's layout on 64-bit machines.
TEST_F(WorkState, Layout) {
  EXPECT_EQ(kPending, 1u);
  EXPECT_EQ(kInactive, 2u);
  EXPECT_EQ(kOnPwq, 4u);
  EXPECT_EQ(kLinked, 8u);
  EXPECT_EQ(kColorMask, 0xf0u);
  EXPECT_EQ(kPwqMask, ~0xfful);
  EXPECT_EQ(kOffBh, 0x10u);
  EXPECT_EQ(kDisableMask, 0xfffful << 5);
  EXPECT_EQ(kPoolMask, 0x7ffffffful << 21);
  EXPECT_EQ(kPoolNone, (1ul << 31) - 1);
  // Nothing overlaps off a list.
  EXPECT_EQ(kPending | kInactive | kOnPwq | kLinked, 0xfu);
  EXPECT_EQ((kOffBh ^ kDisableMask ^ kPoolMask ^ kWait ^ kTimer),
            (kOffBh | kDisableMask | kPoolMask | kWait | kTimer));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(&pwq_) % 256, 0u);
}

TEST_F(WorkState, FreshItem) {
  EXPECT_EQ(word(), kInitialWord);
  EXPECT_EQ(PoolIdOf(word()), static_cast<int>(kPoolNone));
  EXPECT_EQ(DisableDepthOf(word()), 0);
  EXPECT_FALSE(OnList(word()));
  EXPECT_FALSE(base::Linked(&work_.entry));
  EXPECT_EQ(work_.func, &Nothing);
}

// Q1: the first claim owns, the second is told.
TEST_F(WorkState, Claim) {
  EXPECT_EQ(Claim(&work_) & kPending, 0u);
  EXPECT_NE(Claim(&work_) & kPending, 0u);
  EXPECT_EQ(word(), kInitialWord | kPending);
}

TEST_F(WorkState, ThroughAList) {
  (void)Claim(&work_);
  EXPECT_FALSE(EnterList(&work_, &pwq_, 11, kInactive));
  EXPECT_TRUE(OnList(word()));
  EXPECT_EQ(PwqOf(word()), &pwq_);
  EXPECT_EQ(ColorOf(word()), 11);
  EXPECT_EQ(word() & (kPending | kInactive | kLinked), kPending | kInactive);
  MarkLinked(&work_);
  EXPECT_EQ(word() & kLinked, kLinked);
  MarkActive(&work_);
  EXPECT_EQ(word() & kInactive, 0u);
  EXPECT_EQ(ColorOf(word()), 11);
  StartExecution(&work_, 4097, 0);
  EXPECT_EQ(word(), 4097ul << kPoolShift);  // Q2: PENDING is clear
  EXPECT_EQ(PoolIdOf(word()), 4097);
}

TEST_F(WorkState, StolenFromAList) {
  (void)Claim(&work_);
  (void)EnterList(&work_, &pwq_, 0, 0);
  StealFromList(&work_, 77, kOffBh);
  EXPECT_EQ(word(), (77ul << kPoolShift) | kOffBh | kPending);
  EXPECT_FALSE(ReleaseClaim(&work_, 3));
  EXPECT_EQ(DisableDepthOf(word()), 3);
  EXPECT_EQ(PoolIdOf(word()), 77);  // the last pool is kept (1.19)
  EXPECT_EQ(word() & (kPending | kOffBh), kOffBh);
}

// E1: 16 bits of depth, next to nothing else.
TEST_F(WorkState, DisableDepth) {
  for (const int depth : {1, 255, 256, 65535, 0}) {
    (void)Claim(&work_);
    EXPECT_FALSE(ReleaseClaim(&work_, depth));
    EXPECT_EQ(DisableDepthOf(word()), depth);
    EXPECT_EQ(PoolIdOf(word()), static_cast<int>(kPoolNone));
  }
  EXPECT_EQ(word(), kInitialWord);
}

// S2: whoever takes the next step out of the window learns that somebody sleeps.
TEST_F(WorkState, WaitIsHandedOn) {
  (void)Claim(&work_);
  EXPECT_TRUE(MarkWait(&work_, word()));
  EXPECT_TRUE(MarkWait(&work_, word()));  // a second sleeper
  EXPECT_TRUE(ReleaseClaim(&work_, 0));
  EXPECT_EQ(word(), kInitialWord);

  (void)Claim(&work_);
  EXPECT_TRUE(MarkWait(&work_, word()));
  EXPECT_TRUE(EnterList(&work_, &pwq_, 0, 0));
  StealFromList(&work_, 1, 0);
  EXPECT_TRUE(MarkWait(&work_, word()));
  EXPECT_TRUE(EnterTimer(&work_));
  EXPECT_EQ(word() & (kWait | kTimer | kPending), kTimer | kPending);
  LeaveTimer(&work_);
  EXPECT_FALSE(ReleaseClaim(&work_, 0));

  const Word idle = 1ul << kPoolShift, door = idle | kDoor | kPending;
  (void)Claim(&work_);
  EXPECT_TRUE(MarkWait(&work_, word()));
  EXPECT_TRUE(EnterDoor(&work_, door));
  EXPECT_EQ(word(), door);
  EXPECT_TRUE(MarkWait(&work_, word()));
  EXPECT_TRUE(StartFromDoor(&work_, idle));
  EXPECT_EQ(word(), idle);
}

// A canceler that has looked too long ago does not go to sleep.
TEST_F(WorkState, StaleWait) {
  (void)Claim(&work_);
  const Word seen = word();
  (void)EnterList(&work_, &pwq_, 0, 0);
  EXPECT_FALSE(MarkWait(&work_, seen));
}

using WorkStateDeath = WorkState;

TEST_F(WorkStateDeath, IllegalSteps) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH((void)EnterList(&work_, &pwq_, 0, 0), "UWQ_CHECK");       // not claimed
  EXPECT_DEATH(StartExecution(&work_, 1, 0), "UWQ_CHECK");               // not on a list
  EXPECT_DEATH(StealFromList(&work_, 1, 0), "UWQ_CHECK");                // not on a list
  EXPECT_DEATH((void)ReleaseClaim(&work_, 0), "UWQ_CHECK");              // not claimed
  EXPECT_DEATH((void)EnterTimer(&work_), "UWQ_CHECK");                   // not claimed
  EXPECT_DEATH(LeaveTimer(&work_), "UWQ_CHECK");                         // not on a timer
  EXPECT_DEATH((void)EnterDoor(&work_, kDoor | kPending), "UWQ_CHECK");  // not claimed
  (void)Claim(&work_);
  EXPECT_DEATH(MarkActive(&work_), "UWQ_CHECK");  // not inactive
  EXPECT_DEATH(MarkLinked(&work_), "UWQ_CHECK");  // not on a list
  (void)EnterList(&work_, &pwq_, 0, 0);
  EXPECT_DEATH((void)EnterList(&work_, &pwq_, 0, 0), "UWQ_CHECK");  // twice
  EXPECT_DEATH((void)ReleaseClaim(&work_, 0), "UWQ_CHECK");         // still on the list
  EXPECT_DEATH(MarkActive(&work_), "UWQ_CHECK");                    // active already
}

}  // namespace
}  // namespace uwq::core
