// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: descriptors as interrupt lines, and signals.  Method: a loop that the test
// runs itself wherever one thread can tell the story; real threads for the races.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "workqueue/base/sync.h"
#include "workqueue/event/event_loop.h"

namespace uwq::event {
namespace {

using base::Nanos;

// Two connected descriptors, closed at the end.
struct Pair {
  explicit Pair(bool is_pipe = false) {
    int fds[2];
    const int result = is_pipe ? pipe2(fds, O_NONBLOCK | O_CLOEXEC)
                               : socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
    EXPECT_EQ(result, 0);
    reader = fds[0];
    writer = fds[1];
  }
  ~Pair() {
    if (reader >= 0) close(reader);
    if (writer >= 0) close(writer);
  }
  void Write() { EXPECT_EQ(write(writer, "x", 1), 1); }
  char Read() {
    char c = 0;
    return read(reader, &c, 1) == 1 ? c : '\0';
  }
  int reader, writer;
};

struct FdTest : testing::Test {
  FdWatch Watch(int fd, FdOptions options = {}) {
    absl::StatusOr<FdWatch> watch =
        loop->WatchFd(fd, options, [this](uint32_t events) { log.push_back(events); });
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *std::move(watch);
  }
  size_t Run() {
    const size_t before = log.size();
    EXPECT_TRUE(loop->RunUntilIdle().ok());
    return log.size() - before;
  }

  std::unique_ptr<EventLoop> loop = *EventLoop::Create();
  std::vector<uint32_t> log;
  Pair pair;
};

TEST_F(FdTest, Level_ReportsOnceThenIsMaskedUntilRearm) {
  FdWatch watch = Watch(pair.reader);
  EXPECT_EQ(Run(), 0u);
  pair.Write();
  EXPECT_EQ(Run(), 1u);
  EXPECT_EQ(log.back(), kReadable);
  pair.Write();
  EXPECT_EQ(Run(), 0u) << "masked";
  ASSERT_TRUE(watch.Rearm().ok());
  EXPECT_EQ(Run(), 1u) << "still readable";
  EXPECT_EQ(pair.Read(), 'x');
  EXPECT_EQ(pair.Read(), 'x');
  ASSERT_TRUE(watch.Rearm().ok());
  EXPECT_EQ(Run(), 0u) << "nothing left";
  pair.Write();
  EXPECT_EQ(Run(), 1u);
}

TEST_F(FdTest, Masked_CausesNoWakeUps) {
  FdWatch watch = Watch(pair.reader);
  pair.Write();
  EXPECT_EQ(Run(), 1u);
  const uint64_t before = loop->wakeups();
  pair.Write();
  EXPECT_EQ(*loop->RunOnce(base::Now() + 3 * base::kMillisecond), 0);
  EXPECT_EQ(loop->wakeups() - before, 1u) << "the deadline's own";
}

TEST_F(FdTest, Edge_RearmReportsOnlyNewReadiness) {
  FdWatch watch = Watch(pair.reader, {.edge = true});
  pair.Write();
  EXPECT_EQ(Run(), 1u);
  ASSERT_TRUE(watch.Rearm().ok());
  EXPECT_EQ(Run(), 0u) << "unread, but no new edge";
  pair.Write();
  EXPECT_EQ(Run(), 1u);
}

TEST_F(FdTest, Edge_WhileMasked_IsKeptForRearm) {
  FdWatch watch = Watch(pair.reader, {.edge = true});
  pair.Write();
  EXPECT_EQ(Run(), 1u);
  pair.Write();
  EXPECT_EQ(Run(), 0u);
  ASSERT_TRUE(watch.Rearm().ok());
  EXPECT_EQ(Run(), 1u);
  // ... unless what it announced was consumed meanwhile.
  pair.Write();
  EXPECT_EQ(Run(), 0u);
  while (pair.Read() != '\0') {
  }
  ASSERT_TRUE(watch.Rearm().ok());
  EXPECT_EQ(Run(), 0u);
}

TEST_F(FdTest, StartMasked_FirstReportAfterRearm) {
  for (bool edge : {false, true}) {
    Pair fresh;
    FdWatch watch = Watch(fresh.reader, {.edge = edge, .masked = true});
    fresh.Write();
    EXPECT_EQ(Run(), 0u);
    ASSERT_TRUE(watch.Rearm().ok());
    EXPECT_EQ(Run(), 1u);
  }
}

TEST_F(FdTest, Rearm_NotMasked_ChangesNothing) {
  FdWatch watch = Watch(pair.reader);
  pair.Write();
  ASSERT_TRUE(watch.Rearm().ok());
  EXPECT_EQ(Run(), 1u);
}

TEST_F(FdTest, Writable_IsReported) {
  FdWatch watch = Watch(pair.writer, {.events = kWritable});
  EXPECT_EQ(Run(), 1u);
  EXPECT_EQ(log.back(), kWritable);
}

TEST_F(FdTest, PeerStopsSending_Eof) {
  FdWatch watch = Watch(pair.reader);
  shutdown(pair.writer, SHUT_WR);
  EXPECT_EQ(Run(), 1u);
  EXPECT_EQ(log.back(), kReadable | kEof);
}

TEST_F(FdTest, PeerCloses_HangUp) {
  FdWatch socket = Watch(pair.reader);
  close(pair.writer);
  pair.writer = -1;
  EXPECT_EQ(Run(), 1u);
  EXPECT_EQ(log.back(), kReadable | kEof | kHangup);

  Pair pipe(/*is_pipe=*/true);
  FdWatch read_end = Watch(pipe.reader);
  close(pipe.writer);
  pipe.writer = -1;
  EXPECT_EQ(Run(), 1u);
  EXPECT_EQ(log.back(), kHangup);
}

TEST_F(FdTest, ReaderGone_Error) {
  Pair pipe(/*is_pipe=*/true);
  FdWatch watch = Watch(pipe.writer, {.events = kWritable, .masked = true});
  close(pipe.reader);
  pipe.reader = -1;
  ASSERT_TRUE(watch.Rearm().ok());
  EXPECT_EQ(Run(), 1u);
  EXPECT_EQ(log.back(), kWritable | kError);
}

testing::AssertionResult FailsNaming(const absl::Status& status, absl::StatusCode code, int fd) {
  const std::string name = "fd " + std::to_string(fd);
  if (status.code() == code && status.message().find(name) != absl::string_view::npos) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << status << " does not name " << name;
}

TEST_F(FdTest, BadDescriptor_ErrorNamesIt) {
  const auto code = absl::StatusCode::kInvalidArgument;
  const auto watch = [&](int fd, FdOptions options = {}) {
    return loop->WatchFd(fd, options, [](uint32_t) {}).status();
  };
  EXPECT_TRUE(FailsNaming(watch(-1), code, -1));
  const int closed = dup(pair.reader);
  close(closed);
  EXPECT_TRUE(FailsNaming(watch(closed), code, closed));
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  EXPECT_TRUE(FailsNaming(watch(file), code, file));
  close(file);
  EXPECT_TRUE(FailsNaming(watch(pair.reader, {.events = 0}), code, pair.reader));
  EXPECT_TRUE(FailsNaming(watch(pair.reader, {.events = kError}), code, pair.reader));
  FdWatch first = Watch(pair.reader);
  EXPECT_TRUE(FailsNaming(watch(pair.reader), absl::StatusCode::kAlreadyExists, pair.reader));
}

TEST_F(FdTest, ClosedWhileWatched_RearmNamesIt) {
  Pair other;
  FdWatch watch = Watch(other.reader);
  other.Write();
  EXPECT_EQ(Run(), 1u);
  const int fd = other.reader;
  close(other.reader);
  other.reader = -1;
  EXPECT_TRUE(FailsNaming(watch.Rearm(), absl::StatusCode::kInvalidArgument, fd));
  // The number has been given to another file, which this watch must not touch.
  const int reused = eventfd(0, EFD_NONBLOCK);
  ASSERT_EQ(reused, fd);
  EXPECT_TRUE(FailsNaming(watch.Rearm(), absl::StatusCode::kFailedPrecondition, fd));
  close(reused);
}

// The same, and the new file is watched: each watch keeps to its own.
TEST_F(FdTest, ClosedWhileWatched_TheNumbersNextWatchIsLeftAlone) {
  for (const bool edge : {false, true}) {
    Pair other;
    FdWatch old = Watch(other.reader, {.edge = edge});
    other.Write();
    EXPECT_EQ(Run(), 1u);
    const int fd = other.reader;
    close(other.reader);
    other.reader = -1;
    const int reused = eventfd(0, EFD_NONBLOCK);
    ASSERT_EQ(reused, fd);
    int runs = 0;
    FdWatch fresh = *loop->WatchFd(reused, {.edge = edge}, [&](uint32_t) { ++runs; });
    const auto raise = [&] {
      const uint64_t one = 1;
      EXPECT_EQ(write(reused, &one, sizeof(one)), 8);
      EXPECT_EQ(Run(), 0u) << "the old watch";
      return runs;
    };
    EXPECT_TRUE(FailsNaming(old.Rearm(), absl::StatusCode::kFailedPrecondition, fd));
    EXPECT_EQ(raise(), 1);
    ASSERT_TRUE(fresh.Rearm().ok());
    old.Unwatch();
    EXPECT_GT(raise(), 1);
    fresh.Unwatch();
    FdWatch again = Watch(reused);  // nothing of the three is left
    EXPECT_EQ(Run(), 1u);
    again.Unwatch();
    close(reused);
  }
}

TEST_F(FdTest, Rearm_AfterTheLoopOrTheWatchIsGone_IsAnError) {
  FdWatch watch = Watch(pair.reader);
  loop.reset();
  EXPECT_TRUE(FailsNaming(watch.Rearm(), absl::StatusCode::kFailedPrecondition, pair.reader));
  EXPECT_FALSE(FdWatch().Rearm().ok());
}

TEST_F(FdTest, Unwatch_NothingIsReportedAndTheDescriptorIsFree) {
  FdWatch watch = Watch(pair.reader);
  pair.Write();
  watch.Unwatch();
  watch.Unwatch();
  EXPECT_EQ(Run(), 0u);
  FdWatch again = Watch(pair.reader);
  EXPECT_EQ(Run(), 1u);
}

TEST_F(FdTest, UnwatchInItsOwnCallback_AndDestroyed) {
  FdWatch watch;
  int runs = 0;
  watch = *loop->WatchFd(pair.reader, {}, [&](uint32_t) {
    ++runs;
    watch = FdWatch();
  });
  pair.Write();
  ASSERT_TRUE(loop->RunUntilIdle().ok());
  ASSERT_TRUE(loop->RunUntilIdle().ok());
  EXPECT_EQ(runs, 1);
}

// Both are reported in one turn; whichever comes first takes the other down.
TEST_F(FdTest, UnwatchAnotherThatIsReadyInTheSameTurn_ItDoesNotRun) {
  Pair second;
  FdWatch one, two;
  int runs = 0;
  one = *loop->WatchFd(pair.reader, {}, [&](uint32_t) {
    ++runs;
    two.Unwatch();
  });
  two = *loop->WatchFd(second.reader, {}, [&](uint32_t) {
    ++runs;
    one.Unwatch();
  });
  pair.Write();
  second.Write();
  ASSERT_TRUE(loop->RunUntilIdle().ok());
  EXPECT_EQ(runs, 1);
}

// P2, T1, T14: many rounds of readiness against Unwatch, what was captured dies right
// after; and the rearm comes from another thread, as a work item's would.
TEST(FdStress, UnwatchAgainstCallback_NeverRunsAfterwards) {
  auto loop = *EventLoop::StartThread("uwq-test");
  int ran = 0;
  for (int i = 0; i < 3000; ++i) {
    const int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    struct Guarded {
      int alive = 1;
      base::Atomic<int> runs{0};
    };
    auto guarded = std::make_unique<Guarded>();
    FdWatch watch = *loop->WatchFd(fd, {.edge = i % 2 == 1}, [g = guarded.get()](uint32_t) {
      EXPECT_EQ(g->alive, 1);
      g->runs.fetch_add(1);
    });
    for (int spin = (i * 31) % 400; spin > 0; --spin) base::CpuRelax();
    (void)watch.Rearm();  // ok: watched; it may or may not have fired
    watch.Unwatch();
    guarded->alive = 0;
    ran += guarded->runs.load();
    close(fd);
  }
  EXPECT_GT(ran, 0);
}

TEST(FdStress, RearmFromAnotherThread_EveryEventIsSeen) {
  constexpr uint64_t kEvents = 20000;
  auto loop = *EventLoop::StartThread("uwq-test");
  for (bool edge : {false, true}) {
    const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    base::Parker handler;
    FdWatch watch = *loop->WatchFd(fd, {.edge = edge}, [&](uint32_t) { (void)handler.Unpark(); });
    base::Thread writer = *base::Thread::Start({.name = "device"}, [&] {
      const uint64_t one = 1;
      for (uint64_t i = 0; i < kEvents; ++i) EXPECT_EQ(write(fd, &one, 8), 8);
    });
    // The handler's rule: consume, then rearm.
    uint64_t seen = 0, value;
    while (seen < kEvents) {
      handler.Park();
      if (read(fd, &value, 8) == 8) seen += value;
      ASSERT_TRUE(watch.Rearm().ok());
    }
    writer.Join();
    EXPECT_EQ(seen, kEvents);
    watch.Unwatch();
    close(fd);
  }
}

TEST(FdStress, LoopDestroyedWhileDescriptorsAreBusy) {
  for (int i = 0; i < 200; ++i) {
    auto loop = *EventLoop::StartThread("uwq-test");
    const int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    base::Atomic<int> runs{0};
    FdWatch* self = nullptr;
    base::Completion placed;
    FdWatch watch = *loop->WatchFd(fd, {}, [&](uint32_t) {
      placed.Wait();
      runs.fetch_add(1);
      (void)self->Rearm();  // fails once the loop goes: nothing to do then
    });
    self = &watch;
    placed.Set();
    while (i % 2 == 0 && runs.load() < 3) base::CpuRelax();
    loop.reset();
    const int final_runs = runs.load();
    EXPECT_FALSE(watch.Rearm().ok());
    EXPECT_EQ(runs.load(), final_runs);
    close(fd);
  }
}

class SignalTest : public testing::Test {
 protected:
  void SetUp() override {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &set, &old_);
  }
  void TearDown() override { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }
  sigset_t old_;
};

TEST_F(SignalTest, Blocked_IsDeliveredToTheLoop) {
  struct sigaction before, after;
  sigaction(SIGUSR1, nullptr, &before);
  auto loop = *EventLoop::StartThread("uwq-test");
  base::Completion got;
  uint32_t number = 0, sender = 0;
  absl::StatusOr<SignalWatch> watch = loop->WatchSignal(SIGUSR1, [&](const signalfd_siginfo& info) {
    number = info.ssi_signo;
    sender = info.ssi_pid;
    got.Set();
  });
  ASSERT_TRUE(watch.ok()) << watch.status();
  kill(getpid(), SIGUSR1);
  got.Wait();
  EXPECT_EQ(number, static_cast<uint32_t>(SIGUSR1));
  EXPECT_EQ(sender, static_cast<uint32_t>(getpid()));
  // Nothing was taken from the program: the disposition is what it was.
  sigaction(SIGUSR1, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST_F(SignalTest, NotBlocked_ErrorNamesSignalAndThread) {
  auto loop = *EventLoop::Create();
  const absl::Status status = loop->WatchSignal(SIGUSR2, [](const signalfd_siginfo&) {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find(std::to_string(SIGUSR2)), absl::string_view::npos) << status;
  EXPECT_NE(status.message().find("thread"), absl::string_view::npos) << status;
}

// A second reader would take deliveries from the first.
TEST_F(SignalTest, Watched_IsRefusedInEveryLoopUntilTheWatchHasGone) {
  auto one = EventLoop::Create().value(), two = EventLoop::Create().value();
  const auto watch = [](EventLoop& loop, int signo) {
    return loop.WatchSignal(signo, [](const signalfd_siginfo&) {});
  };
  absl::StatusOr<SignalWatch> first = watch(*one, SIGUSR1);
  ASSERT_TRUE(first.ok()) << first.status();
  for (EventLoop* loop : {one.get(), two.get()}) {
    const absl::Status status = watch(*loop, SIGUSR1).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
    EXPECT_NE(status.message().find(std::to_string(SIGUSR1)), absl::string_view::npos) << status;
  }
  EXPECT_TRUE(watch(*two, SIGRTMIN).ok()) << "another signal";
  { const SignalWatch ended = *std::move(first); }
  absl::StatusOr<SignalWatch> next = watch(*two, SIGUSR1);
  EXPECT_TRUE(next.ok()) << next.status();
  two.reset();  // the handle that is left reads nothing
  EXPECT_TRUE(watch(*one, SIGUSR1).ok());
}

// P2: two deliveries are pending; the callback ends its watch, or the loop, at the first.
TEST_F(SignalTest, EndedInItsOwnCallback_DoesNotRunAgain) {
  for (const bool whole_loop : {false, true}) {
    auto loop = EventLoop::Create().value();
    EventLoop* const raw = loop.get();
    std::unique_ptr<SignalWatch> watch;
    int runs = 0;
    watch =
        std::make_unique<SignalWatch>(*loop->WatchSignal(SIGRTMIN, [&](const signalfd_siginfo&) {
          ++runs;
          if (whole_loop) {
            loop.reset();
          } else {
            watch.reset();
          }
        }));
    for (int i = 0; i < 2; ++i) ASSERT_EQ(sigqueue(getpid(), SIGRTMIN, {}), 0);
    ASSERT_TRUE(raw->RunUntilIdle().ok());
    EXPECT_EQ(runs, 1);
    watch.reset();
    loop = EventLoop::Create().value();  // what is left is for the next
    int rest = 0;
    absl::StatusOr<SignalWatch> next =
        loop->WatchSignal(SIGRTMIN, [&](const signalfd_siginfo&) { ++rest; });
    ASSERT_TRUE(next.ok()) << next.status();
    ASSERT_TRUE(loop->RunUntilIdle().ok());
    EXPECT_EQ(rest, 1);
  }
}

TEST_F(SignalTest, ImpossibleNumber_IsAnError) {
  auto loop = *EventLoop::Create();
  for (int signo : {0, -3, SIGKILL, SIGSTOP, 1000}) {
    EXPECT_EQ(loop->WatchSignal(signo, [](const signalfd_siginfo&) {}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << signo;
  }
}

}  // namespace
}  // namespace uwq::event
