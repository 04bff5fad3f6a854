// SPDX-License-Identifier: BSD-3-Clause
//
// sleeper_test.cc -- Goal: what a thread that waits for a peer may rely on, whatever
// the peer does to the eventfd that they share.
#include "kup_bridge/sleeper.h"

#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "kup_bridge/eventfd.h"

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

// A peer may clear O_NONBLOCK, which belongs to the open file that it shares, and fill
// the counter: neither a look nor a signal blocks.
TEST(Sleeper, FlagsAndCounterOfTheEventFdAreThePeers) {
  Fd wake(eventfd(0, EFD_CLOEXEC));
  Sleeper sleeper;
  sleeper.SetFds(wake.get(), -1);
  EXPECT_FALSE(DrainEventFd(wake.get())) << "empty";
  sleeper.Drain();
  const uint64_t max = ~uint64_t{1};
  ASSERT_EQ(write(wake.get(), &max, sizeof max), 8);
  for (int i = 0; i < 1000; ++i) SignalShared(wake.get());
  sleeper.Renotify();
  EXPECT_TRUE(sleeper.Sleep(sleeper.Epoch(), base::kForever)) << "full is signalled";
  EXPECT_FALSE(DrainEventFd(wake.get()));
  SignalShared(wake.get());
  EXPECT_TRUE(DrainEventFd(wake.get()));
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const Fd read_end(pipe_ends[0]), write_end(pipe_ends[1]);
  EXPECT_FALSE(DrainEventFd(read_end.get())) << "nor does anything else";
}

TEST(Sleeper, SignalsFromAForkedChild) {
  Fd wake(eventfd(0, EFD_CLOEXEC));
  SignalShared(wake.get());
  EXPECT_TRUE(DrainEventFd(wake.get()));
  const pid_t pid = fork();
  if (pid == 0) {
    SignalShared(wake.get());
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  EXPECT_TRUE(DrainEventFd(wake.get()));
}

}  // namespace
}  // namespace uwq::kup
