// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: timers and grace periods in the child of a fork: what is inherited is refused and
// leaves the parent alone, what is new works.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "delayed/delayed_work.h"
#include "tests/delayed/fixture.h"
#include "tests/runtime/in_child.h"
#include "workqueue/base/fault.h"
#include "workqueue/event/event_loop.h"
#include "workqueue/fd_work.h"
#include "workqueue/rcu_work.h"

namespace uwq {
namespace {

// The first time, in seconds from now, at which a timerfd of this process is due.
int64_t FirstTimerfd() {
  int64_t first = INT64_MAX;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream info(entry.path());
    for (std::string line; std::getline(info, line);) {
      if (line.rfind("it_value: (", 0) != 0) continue;
      const int64_t seconds = atoll(line.c_str() + 11);
      if (seconds > 0) first = std::min(first, seconds);
    }
  }
  return first;
}

class ForkTest : public QueueTest {};

// D4, Q7: the parent's timer is not the child's to move.
TEST_F(ForkTest, ArmedItem) {
  DelayedWork work([] {});
  ASSERT_TRUE(work.Queue(*wq_, absl::Seconds(5000)));
  InChild([&] {
    const bool was_pending = work.Mod(*wq_, absl::Seconds(50));
    const bool idle = !work.pending();
    const bool queued = work.Queue(*wq_, absl::Seconds(50));
    return was_pending && idle && queued && !work.pending() &&
           Reports(ReportKind::kForkedRuntime) == 1;
  });
  EXPECT_GT(FirstTimerfd(), 4000);
  EXPECT_TRUE(work.Cancel());
}

// Work for a grace period on a Runtime of the child's own.
bool RcuWorks() {
  std::unique_ptr<Runtime> runtime = *Runtime::Create({});
  std::unique_ptr<Workqueue> wq = *Workqueue::Create("child", {.runtime = runtime.get()});
  int runs = 0;
  RcuWork work([&runs] { ++runs; });
  const bool queued = work.Queue(*wq);
  const bool flushed = work.Flush();
  SynchronizeRcu();
  uwq_rcu_barrier();
  return queued && flushed && runs == 1;
}

// A thread of the parent's that is inside a read section until Leave().
class ReaderElsewhere {
 public:
  ReaderElsewhere()
      : thread_([this] {
          const RcuReader section;
          inside_.Set();
          leave_.Wait();
        }) {
    inside_.Wait();
  }
  void Leave() {
    leave_.Set();
    thread_.join();
  }

 private:
  base::Completion inside_, leave_;
  std::thread thread_;
};

// T136: neither readers of the parent's, nor its grace period, nor its callback thread
// hold the child, which is itself inside a read section.
TEST_F(ForkTest, GracePeriods) {
  ReaderElsewhere reader;
  std::atomic<base::ThreadId> updater_id{0};
  std::thread updater([&] {
    updater_id = base::SelfId();
    SynchronizeRcu();
  });
  std::atomic<int> waited{0};
  RcuWork waiting([&] { ++waited; });
  EXPECT_TRUE(waiting.Queue(*wq_));
  while (updater_id == 0 || !base::ProbeThread(updater_id).sleeping) std::this_thread::yield();
  {
    auto section = std::make_unique<RcuReader>();
    InChild([&] {
      const bool held = uwq_rcu_read_lock_held();
      section.reset();
      return held && !uwq_rcu_read_lock_held() && RcuWorks();
    });
  }
  InChild(&RcuWorks);
  reader.Leave();
  updater.join();
  (void)waiting.Flush();
  EXPECT_EQ(waited, 1);
  InChild(&RcuWorks);
}

// An item that waited for the parent's grace period is idle in the child, whether its
// period had begun or not: it can be destroyed, flushed, and queued anew.
TEST_F(ForkTest, ItemsInTheirGracePeriod) {
  ReaderElsewhere reader;
  std::atomic<int> runs{0};
  auto begun = std::make_unique<RcuWork>([&] { ++runs; });
  EXPECT_TRUE(begun->Queue(*wq_));
  // Time for its period to begin; without, this is one more that waits for its period.
  base::Completion never;
  (void)never.WaitUntil(base::Now() + 20 * base::kMillisecond);
  auto waiting = std::make_unique<RcuWork>([&] { ++runs; });
  EXPECT_TRUE(waiting->Queue(*wq_));
  InChild([&] {
    const bool idle = !begun->pending() && !begun->Flush() && !waiting->Flush();
    std::unique_ptr<Runtime> runtime = *Runtime::Create({});
    std::unique_ptr<Workqueue> wq = *Workqueue::Create("child", {.runtime = runtime.get()});
    const bool again = waiting->Queue(*wq) && waiting->Flush();
    begun.reset();
    waiting.reset();
    wq_.reset();
    return idle && again && runs == 1 && Reports(ReportKind::kFreedWhileBusy) == 0;
  });
  reader.Leave();
  (void)begun->Flush();
  (void)waiting->Flush();
  EXPECT_EQ(runs, 2);
}

// The system refuses the callback thread, which a child has not yet: nothing is lost.
TEST_F(ForkTest, CallbackThreadRefused) {
  InChild([&] {
    static int called;
    called = 0;
    base::SetFaultHook([](const char* point) { return strcmp(point, "thread_create") == 0; });
    uwq_rcu_head heads[2];
    uwq_call_rcu(&heads[0], [](uwq_rcu_head*) { ++called; });
    const bool reported = Reports(ReportKind::kOther) == 1;
    uwq_rcu_barrier();
    const bool by_barrier = called == 1;
    base::SetFaultHook(nullptr);
    uwq_call_rcu(&heads[1], [](uwq_rcu_head*) { ++called; });
    uwq_rcu_barrier();
    return reported && by_barrier && called == 2;
  });
}

// Lines and signals: the parent's epoll set, timers and posts are as they were, whatever
// the child does with its copies; a Runtime of its own has lines of its own.
TEST_F(ForkTest, Lines) {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  std::atomic<int> runs{0}, signals{0};
  base::Completion ran, signalled;
  auto line = *FdWork::Watch(*wq_, fd, {}, [&](uint32_t) {
    ++runs;
    uint64_t value;
    EXPECT_EQ(read(fd, &value, sizeof(value)), 8);
    ran.Set();
  });
  auto signal = *SignalWork::Watch(*wq_, SIGUSR1, [&] {
    ++signals;
    signalled.Set();
  });
  InChild([&] {
    const int other = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    const auto refused = FdWork::Watch(*wq_, other, {}, [](uint32_t) {}).status().code();
    line->Mask();
    line->Unmask();
    line.reset();
    signal.reset();
    wq_.reset();
    std::unique_ptr<Runtime> runtime = *Runtime::Create({});
    std::unique_ptr<Workqueue> wq = *Workqueue::Create("child", {.runtime = runtime.get()});
    base::Completion both[2];
    auto own = FdWork::Watch(*wq, other, {.masked = false}, [&](uint32_t) {
      uint64_t value;
      if (read(other, &value, sizeof(value)) == 8) both[0].Set();
    });
    auto own_signal = SignalWork::Watch(*wq, SIGUSR1, [&] { both[1].Set(); });
    if (!own.ok() || !own_signal.ok()) return false;
    kill(getpid(), SIGUSR1);
    for (base::Completion& one : both) one.Wait();
    return refused == absl::StatusCode::kFailedPrecondition;
  });
  const uint64_t one = 1;
  EXPECT_EQ(write(fd, &one, sizeof(one)), 8);
  ran.Wait();
  kill(getpid(), SIGUSR1);
  signalled.Wait();
  EXPECT_EQ(signals, 1);
  EXPECT_EQ(runs, 1);
  line.reset();
  signal.reset();
  close(fd);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

// The same for a loop that is used directly.
TEST_F(ForkTest, Loop) {
  std::unique_ptr<event::EventLoop> loop = *event::EventLoop::StartThread("uwq-test");
  auto timer = *loop->NewTimer([] {});
  timer->ArmAt(base::Now() + 5000 * base::kSecond);
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  base::Completion ran;
  auto watch = *loop->WatchFd(fd, {}, [&](uint32_t) { ran.Set(); });
  InChild([&] {
    timer->ArmAt(base::Now() + 50 * base::kSecond);
    const bool inert = !loop->Post([] {}) && !watch.Rearm().ok();
    watch.Unwatch();
    loop.reset();
    timer.reset();
    return inert;
  });
  EXPECT_GT(FirstTimerfd(), 4000);
  const uint64_t one = 1;
  EXPECT_EQ(write(fd, &one, sizeof(one)), 8);
  ran.Wait();
  watch.Unwatch();
  close(fd);
}

}  // namespace
}  // namespace uwq
