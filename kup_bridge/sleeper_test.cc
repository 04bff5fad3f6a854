// SPDX-License-Identifier: BSD-3-Clause
//
// sleeper_test.cc -- Goal: what a thread that waits for a peer may rely on, whatever
// the peer does to the eventfd that they share.
#include "kup_bridge/sleeper.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace uwq::kup {
namespace {

// A peer that signals all the time must not stretch a deadline.
TEST(Sleeper, DeadlineCountsThoughSignalled) {
  Fd wake(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  Sleeper sleeper;
  sleeper.SetFds(wake.get(), -1);
  const uint64_t epoch = sleeper.Epoch();
  EXPECT_FALSE(sleeper.Sleep(epoch, base::Now())) << "the descriptor is readable";
  sleeper.Kick();
  EXPECT_FALSE(sleeper.Sleep(epoch, base::Now())) << "and the epoch has moved";
  EXPECT_TRUE(sleeper.Sleep(epoch, base::kForever));
  EXPECT_TRUE(sleeper.Sleep(sleeper.Epoch(), base::kForever));
}

}  // namespace
}  // namespace uwq::kup
