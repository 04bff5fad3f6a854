// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: descriptors and signals as interrupt lines (workqueue/fd_work.h).
#include "workqueue/fd_work.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "delayed/runtime_loop.h"
#include "gtest/gtest.h"

namespace uwq {
namespace {

class Semaphore {
 public:
  void Post() {
    base::MutexLock lock(&mutex_);
    ++count_;
    changed_.NotifyAll();
  }
  void Wait() {
    base::MutexLock lock(&mutex_);
    while (count_ == 0) changed_.Wait(&mutex_);
    --count_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

class FdWorkTest : public testing::Test {
 protected:
  void SetUp() override {
    wq_ = *Workqueue::CreateOrdered("irq");
    fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  }
  void TearDown() override {
    wq_.reset();
    close(fd_);
  }
  void Raise() {
    const uint64_t one = 1;
    EXPECT_EQ(write(fd_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  }
  uint64_t Take() {
    uint64_t value = 0;
    return read(fd_, &value, sizeof(value)) == static_cast<ssize_t>(sizeof(value)) ? value : 0;
  }
  std::unique_ptr<Workqueue> wq_;
  int fd_ = -1;
};

// The loop has seen all that became ready before the call: it comes first to first ready.
// (A post would not do: the loop takes those that come while it runs others.)
void AwaitLoop(Workqueue& wq) {
  Semaphore seen;
  const int ready = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
  absl::StatusOr<event::FdWatch> watch =
      (*delayed::LoopOf(wq.raw()->runtime))->WatchFd(ready, {}, [&](uint32_t) { seen.Post(); });
  ASSERT_TRUE(watch.ok()) << watch.status();
  seen.Wait();
  watch->Unwatch();
  close(ready);
}

// [UWQ-FD-1]: masked until the handler has run; what comes meanwhile is one more run.
TEST_F(FdWorkTest, OneRunAtATimeNothingLost) {
  Semaphore entered, leave;
  std::atomic<uint64_t> taken{0};
  std::atomic<int> runs{0};
  auto irq = FdWork::Watch(*wq_, fd_, {}, [&](uint32_t events) {
    EXPECT_TRUE(events & event::kReadable);
    ++runs;
    taken += Take();
    entered.Post();
    leave.Wait();
  });
  ASSERT_TRUE(irq.ok()) << irq.status();
  Raise();
  entered.Wait();
  for (int i = 0; i < 10; ++i) Raise();  // masked now
  EXPECT_EQ(runs, 1);
  leave.Post();
  entered.Wait();
  leave.Post();
  wq_->Flush();
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(taken, 11u);
}

// [UWQ-FD-3]: masked by hand, the line waits, an event that is on its way included;
// unmasked, it delivers, once.
TEST_F(FdWorkTest, MaskNests) {
  Semaphore entered;
  std::atomic<int> runs{0};
  for (const bool edge : {false, true}) {
    event::FdOptions options;
    options.edge = edge;
    auto irq = FdWork::Watch(*wq_, fd_, options, [&](uint32_t events) {
      EXPECT_TRUE(events & event::kReadable);
      (void)Take();
      ++runs;
      entered.Post();
    });
    ASSERT_TRUE(irq.ok());
    const auto settle = [&] {
      AwaitLoop(*wq_);
      wq_->Flush();
      return runs.load();
    };
    runs = 0;
    (*irq)->Mask();
    (*irq)->Mask();
    Raise();
    EXPECT_EQ(settle(), 0);
    Raise();
    (*irq)->Unmask();
    EXPECT_EQ(settle(), 0);
    (*irq)->Unmask();
    entered.Wait();
    EXPECT_EQ(settle(), 1);
    Raise();
    entered.Wait();
    EXPECT_EQ(settle(), 2);

    // Masked while its handler is queued.
    Semaphore leave, blocked;
    Work blocker([&] {
      blocked.Post();
      leave.Wait();
    });
    EXPECT_TRUE(wq_->Queue(blocker));
    blocked.Wait();
    Raise();
    AwaitLoop(*wq_);
    (*irq)->Mask();
    leave.Post();
    EXPECT_EQ(settle(), 2);
    (*irq)->Unmask();
    entered.Wait();
    EXPECT_EQ(settle(), 3);
  }
}

// [UWQ-FD-3]: masked by its own handler, as a threaded interrupt may, and opened later.
TEST_F(FdWorkTest, MaskedByItsHandler) {
  Semaphore entered;
  std::atomic<int> runs{0};
  std::unique_ptr<FdWork> irq;
  base::Completion made;
  irq = *FdWork::Watch(*wq_, fd_, {}, [&](uint32_t) {
    made.Wait();
    if (++runs == 1) irq->Mask();
    (void)Take();
    entered.Post();
  });
  made.Set();
  Raise();
  entered.Wait();
  Raise();
  AwaitLoop(*wq_);
  wq_->Flush();
  EXPECT_EQ(runs, 1);
  irq->Unmask();
  entered.Wait();
  EXPECT_EQ(runs, 2);
}

// [UWQ-FD-3]: a line that starts masked is opened by the first Unmask().
TEST_F(FdWorkTest, StartsMasked) {
  core::ResetReports();
  Semaphore entered;
  std::atomic<int> runs{0};
  for (const bool edge : {false, true}) {
    event::FdOptions options;
    options.edge = edge;
    options.masked = true;
    auto irq = FdWork::Watch(*wq_, fd_, options, [&](uint32_t) {
      (void)Take();
      ++runs;
      entered.Post();
    });
    ASSERT_TRUE(irq.ok());
    runs = 0;
    Raise();
    (*irq)->Mask();
    (*irq)->Unmask();
    AwaitLoop(*wq_);
    wq_->Flush();
    EXPECT_EQ(runs, 0);
    (*irq)->Unmask();
    // In time or not at all: the loop has seen what was ready.
    AwaitLoop(*wq_);
    wq_->Flush();
    ASSERT_EQ(runs, 1);
    entered.Wait();
    Raise();
    entered.Wait();  // an ordinary line from here on
  }
  EXPECT_EQ(core::ReportCount(core::ReportKind::kEnableUnderflow), 0);
}

// [UWQ-FD-3], bad input: reported; the line goes on.
TEST_F(FdWorkTest, UnbalancedUnmaskIsReported) {
  core::ResetReports();
  Semaphore entered;
  auto irq = FdWork::Watch(*wq_, fd_, {}, [&](uint32_t) {
    (void)Take();
    entered.Post();
  });
  ASSERT_TRUE(irq.ok());
  (*irq)->Unmask();
  EXPECT_EQ(core::ReportCount(core::ReportKind::kEnableUnderflow), 1);
  Raise();
  entered.Wait();
}

// A queue that drains: its blocker holds the drain until End().
class Drain {
 public:
  explicit Drain(Workqueue& wq)
      : blocker_([this] {
          entered_.Post();
          leave_.Wait();
        }) {
    EXPECT_TRUE(wq.Queue(blocker_));
    entered_.Wait();
    thread_ = std::thread([&wq] { wq.Drain(); });
    while (!wq.raw()->HasFlag(core::kWqDraining)) std::this_thread::yield();
  }
  void End() {
    leave_.Post();
    thread_.join();
  }

 private:
  Semaphore entered_, leave_;
  Work blocker_;
  std::thread thread_;
};

// [UWQ-FD-1], Q7: an event during a drain is handled after it, and the line lives on.
TEST_F(FdWorkTest, EventDuringADrain) {
  core::ResetReports();
  Semaphore ran;
  std::atomic<uint64_t> taken{0};
  for (const bool edge : {false, true}) {
    event::FdOptions options;
    options.edge = edge;
    auto irq = FdWork::Watch(*wq_, fd_, options, [&](uint32_t events) {
      EXPECT_TRUE(events & event::kReadable);
      taken += Take();
      ran.Post();
    });
    ASSERT_TRUE(irq.ok());
    taken = 0;
    Drain drain(*wq_);
    Raise();
    AwaitLoop(*wq_);
    EXPECT_EQ(taken, 0u);
    drain.End();
    ran.Wait();
    EXPECT_EQ(taken, 1u);
    Raise();
    ran.Wait();
    EXPECT_EQ(taken, 2u);
  }
  EXPECT_EQ(core::ReportCount(core::ReportKind::kQueueOnDraining), 0);
}

// [UWQ-FD-2]: destroyed while an event waits for the end of a drain.
TEST_F(FdWorkTest, DestroyedWhileAnEventWaits) {
  auto irq = FdWork::Watch(*wq_, fd_, {}, [&](uint32_t) { ADD_FAILURE(); });
  ASSERT_TRUE(irq.ok());
  Drain drain(*wq_);
  Raise();
  AwaitLoop(*wq_);
  irq->reset();
  drain.End();
  wq_->Flush();
}

// Hang-up is told, and told as such.
TEST_F(FdWorkTest, HangUp) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  Semaphore told;
  std::atomic<uint32_t> seen{0};
  auto irq = FdWork::Watch(*wq_, pair[0], {}, [&](uint32_t events) {
    seen |= events;
    if (events & (event::kEof | event::kHangup)) told.Post();
  });
  ASSERT_TRUE(irq.ok());
  close(pair[1]);
  told.Wait();
  irq->reset();
  close(pair[0]);
}

// Edge: a run for what became ready, none for what merely still is.
TEST_F(FdWorkTest, EdgeReportsOnlyNewReadiness) {
  Semaphore ran;
  std::atomic<int> runs{0};
  event::FdOptions edge;
  edge.edge = true;
  auto irq = FdWork::Watch(*wq_, fd_, edge, [&](uint32_t events) {
    EXPECT_TRUE(events & event::kReadable);
    ++runs;
    ran.Post();  // without reading: level would come again at once
  });
  ASSERT_TRUE(irq.ok());
  Raise();
  ran.Wait();
  wq_->Flush();
  EXPECT_EQ(runs, 1);
  Raise();
  ran.Wait();
  wq_->Flush();
  EXPECT_EQ(runs, 2);
  irq->reset();
  EXPECT_EQ(Take(), 2u);
}

// Level: what the handler left is another run.
TEST_F(FdWorkTest, LevelReportsWhatIsStillReady) {
  Semaphore ran;
  std::atomic<int> runs{0};
  auto irq = FdWork::Watch(*wq_, fd_, {}, [&](uint32_t) {
    if (++runs == 3) {
      (void)Take();
      ran.Post();
    }
  });
  ASSERT_TRUE(irq.ok());
  Raise();
  ran.Wait();
  wq_->Flush();
  EXPECT_EQ(runs, 3);
}

// A pipe without a reader: the error is told, apart from "writable".
TEST_F(FdWorkTest, ErrorIsTold) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  char full[4096] = {};
  while (write(ends[1], full, sizeof(full)) > 0) {
  }
  Semaphore told;
  event::FdOptions writable;
  writable.events = event::kWritable;
  auto line = FdWork::Watch(*wq_, ends[1], writable, [&](uint32_t events) {
    if (events & event::kError) told.Post();
  });
  ASSERT_TRUE(line.ok());
  close(ends[0]);
  told.Wait();
  line->reset();
  close(ends[1]);
}

// Bad input: a descriptor closed under its line is reported, naming it; nothing hangs.
TEST_F(FdWorkTest, ClosedWhileWatchedIsReported) {
  core::ResetReports();
  Semaphore reported;
  std::string text;
  const int copy = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
  SetReportHandler([&](const Report& report) {
    text = report.text;
    reported.Post();
  });
  auto irq = FdWork::Watch(*wq_, copy, {}, [&](uint32_t) { close(copy); });
  ASSERT_TRUE(irq.ok());
  reported.Wait();
  EXPECT_NE(text.find("fd " + std::to_string(copy)), std::string::npos) << text;
  irq->reset();
  SetReportHandler(nullptr);
}

// [UWQ-FD-2]: another thread takes the line down while its handler runs: it waits.
TEST_F(FdWorkTest, DestroyedElsewhereWhileTheHandlerRuns) {
  for (int i = 0; i < 20; ++i) {
    Semaphore entered;
    std::atomic<bool> ended{false};
    auto irq = FdWork::Watch(*wq_, fd_, {}, [&](uint32_t) {
      entered.Post();
      (void)Take();
      std::this_thread::yield();
      ended = true;
    });
    ASSERT_TRUE(irq.ok());
    Raise();
    entered.Wait();
    std::thread other([&] {
      irq->reset();
      EXPECT_TRUE(ended);
    });
    other.join();
  }
}

// Bad input: each its own error, naming the descriptor.
TEST_F(FdWorkTest, BadDescriptors) {
  EXPECT_EQ(FdWork::Watch(*wq_, -1, {}, [](uint32_t) {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  const int closed = dup(fd_);
  close(closed);
  const absl::Status status = FdWork::Watch(*wq_, closed, {}, [](uint32_t) {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(std::to_string(closed)), absl::string_view::npos) << status;
}

// [UWQ-FD-2]: after the destructor the handler does not run, whatever it raced with.
TEST_F(FdWorkTest, DestroyRacesEvents) {
  for (int i = 0; i < 200; ++i) {
    auto alive = std::make_unique<std::atomic<bool>>(true);
    auto irq = FdWork::Watch(*wq_, fd_, {}, [&, a = alive.get()](uint32_t) {
      EXPECT_TRUE(a->load());
      (void)Take();
    });
    ASSERT_TRUE(irq.ok());
    std::thread raiser([&] {
      for (int n = 0; n < 20; ++n) Raise();
    });
    irq->reset();
    alive->store(false);
    alive.reset();
    raiser.join();
    (void)Take();
  }
}

// The handler may destroy its own line.
TEST_F(FdWorkTest, DestroyFromHandler) {
  Semaphore done;
  std::unique_ptr<FdWork> irq;
  base::Mutex mutex;
  {
    base::MutexLock lock(&mutex);
    irq = *FdWork::Watch(*wq_, fd_, {}, [&](uint32_t) {
      base::MutexLock inner(&mutex);
      irq.reset();
      done.Post();
    });
    Raise();
  }
  done.Wait();
  wq_->Flush();
  Raise();
  EXPECT_EQ(irq, nullptr);
}

// [UWQ-FD-2], B4: the same on a BH queue, where nothing may sleep; also when the event
// had to wait for the end of a drain.
TEST_F(FdWorkTest, DestroyFromHandlerInBh) {
  core::ResetReports();
  std::vector<std::string> texts;
  base::Mutex mutex;
  SetReportHandler([&](const Report& report) {
    base::MutexLock lock(&mutex);
    texts.push_back(report.text);
  });
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
  event::FdOptions masked;
  masked.masked = true;
  auto bh = *Workqueue::Create("bh", {.kind = WorkqueueKind::kBh});
  for (int i = 0; i < 20; ++i) {
    Semaphore done;
    std::unique_ptr<FdWork> irq = *FdWork::Watch(*bh, fd_, masked, [&](uint32_t) {
      (void)Take();
      irq.reset();
      done.Post();
    });
    std::unique_ptr<SignalWork> signal;
    base::Completion made;
    signal = *SignalWork::Watch(*bh, SIGUSR1, [&] {
      made.Wait();
      signal.reset();
      done.Post();
    });
    made.Set();
    irq->Unmask();
    std::unique_ptr<Drain> drain;
    if (i % 2 == 1) drain = std::make_unique<Drain>(*bh);
    Raise();
    kill(getpid(), SIGUSR1);
    if (drain != nullptr) {
      AwaitLoop(*bh);
      drain->End();
    }
    done.Wait();
    done.Wait();
    bh->Flush();
    EXPECT_EQ(irq, nullptr);
    EXPECT_EQ(signal, nullptr);
  }
  bh.reset();
  SetReportHandler(nullptr);
  for (const std::string& text : texts) ADD_FAILURE() << text;
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

// [UWQ-SIGNAL-1]: deliveries become runs; a thread that does not block it is named.
TEST_F(FdWorkTest, Signals) {
  const absl::Status open = SignalWork::Watch(*wq_, SIGUSR1, [] {}).status();
  EXPECT_EQ(open.code(), absl::StatusCode::kFailedPrecondition) << open;
  EXPECT_EQ(SignalWork::Watch(*wq_, 9999, [] {}).status().code(),
            absl::StatusCode::kInvalidArgument);

  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
  Semaphore ran;
  {
    auto work = SignalWork::Watch(*wq_, SIGUSR1, [&] { ran.Post(); });
    ASSERT_TRUE(work.ok()) << work.status();
    EXPECT_EQ(SignalWork::Watch(*wq_, SIGUSR1, [] {}).status().code(),
              absl::StatusCode::kAlreadyExists);
    kill(getpid(), SIGUSR1);
    ran.Wait();
    kill(getpid(), SIGUSR1);
    ran.Wait();
    Drain drain(*wq_);  // Q7: kept until the drain has ended
    kill(getpid(), SIGUSR1);
    AwaitLoop(*wq_);
    drain.End();
    ran.Wait();
  }
  // The handler may destroy its own line.
  std::unique_ptr<SignalWork> own;
  base::Mutex mutex;
  {
    base::MutexLock lock(&mutex);
    own = *SignalWork::Watch(*wq_, SIGUSR1, [&] {
      base::MutexLock inner(&mutex);
      own.reset();
      ran.Post();
    });
    kill(getpid(), SIGUSR1);
  }
  ran.Wait();
  wq_->Flush();
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

}  // namespace
}  // namespace uwq
