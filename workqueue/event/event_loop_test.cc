// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: posts, timers, the three ways to run a loop, and tear-down.  Method: real
// threads; every wait is for an event, no upper bound of time is asserted; the
// bounds that are asserted (never early, nothing woke up) hold on any machine.
// Descriptors and signals: event_fd_test.cc.
#include "workqueue/event/event_loop.h"

#include <dirent.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "workqueue/base/fault.h"
#include "workqueue/base/sync.h"

namespace uwq::event {
namespace {

using base::kForever;
using base::kMillisecond;
using base::kSecond;
using base::Nanos;

std::unique_ptr<EventLoop> Threaded() { return *EventLoop::StartThread("uwq-test"); }
std::unique_ptr<EventLoop> Manual() { return *EventLoop::Create(); }

int CountEntries(const char* path) {
  DIR* dir = opendir(path);
  int count = 0;
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

// Waits until the loop has run everything posted before.
void Sync(EventLoop& loop) {
  base::Completion done;
  ASSERT_TRUE(loop.Post([&] { done.Set(); }));
  done.Wait();
}

struct CountingNode : PostNode {
  explicit CountingNode(int id, std::vector<int>* log) : id(id), log(log) {
    run = [](PostNode* node) {
      auto* self = static_cast<CountingNode*>(node);
      self->log->push_back(self->id);
    };
  }
  int id;
  std::vector<int>* log;
};

TEST(EventLoopPost, Many_RunInOrderOnTheLoopThread) {
  std::unique_ptr<EventLoop> loop = Threaded();
  std::vector<int> log;
  std::vector<std::unique_ptr<CountingNode>> nodes;
  base::ThreadId ran_on = 0;
  ASSERT_TRUE(loop->Post([&] { ran_on = base::SelfId(); }));
  for (int i = 0; i < 1000; ++i) {
    nodes.push_back(std::make_unique<CountingNode>(i, &log));
    ASSERT_TRUE(loop->Post(nodes.back().get()));
  }
  Sync(*loop);
  EXPECT_NE(ran_on, base::SelfId());
  ASSERT_EQ(log.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(log.begin(), log.end()));
}

TEST(EventLoopPost, Many_ShareOneWakeUp) {
  std::unique_ptr<EventLoop> loop = Manual();
  int ran = 0;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(loop->Post([&] { ++ran; }));
  // One callback of the port: the wake-up.
  EXPECT_EQ(*loop->RunOnce(), 1);
  EXPECT_EQ(ran, 1000);
  EXPECT_EQ(loop->wakeups(), 1u);
  EXPECT_EQ(*loop->RunUntilIdle(), 0);
}

TEST(EventLoopPost, FromATask_RunsAfterIt) {
  std::unique_ptr<EventLoop> loop = Manual();
  std::vector<int> log;
  ASSERT_TRUE(loop->Post([&] {
    EXPECT_TRUE(loop->InLoop());
    EXPECT_TRUE(loop->Post([&] { log.push_back(3); }));
    log.push_back(1);
  }));
  ASSERT_TRUE(loop->Post([&] { log.push_back(2); }));
  ASSERT_TRUE(loop->RunUntilIdle().ok());
  EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(loop->InLoop());
}

// A task that posts itself for ever leaves room for the timer.
TEST(EventLoopPost, EndlessChain_DoesNotStarveTimers) {
  std::unique_ptr<EventLoop> loop = Threaded();
  base::Atomic<bool> fired{false};
  auto timer = *loop->NewTimer([&] { fired = true; });
  struct Chain : PostNode {
    EventLoop* loop;
    base::Atomic<bool>* stop;
    base::Completion done;
  } chain;
  chain.loop = loop.get();
  chain.stop = &fired;
  chain.run = [](PostNode* node) {
    auto* self = static_cast<Chain*>(node);
    if (*self->stop || !self->loop->Post(self)) self->done.Set();
  };
  ASSERT_TRUE(loop->Post(&chain));
  timer->ArmAt(base::Now());
  chain.done.Wait();
  EXPECT_TRUE(fired);
}

// T14: with four posters nothing is lost, doubled or reordered within a poster.
TEST(EventLoopPost, FourPosters_EachTaskOnceInItsOrder) {
  constexpr int kPosters = 4, kEach = 20000;
  std::unique_ptr<EventLoop> loop = Threaded();
  std::vector<int> next(kPosters, 0);
  bool in_order = true;
  struct Node : PostNode {
    int poster, number;
    std::vector<int>* next;
    bool* in_order;
  };
  std::vector<std::vector<Node>> nodes(kPosters, std::vector<Node>(kEach));
  std::vector<base::Thread> threads;
  for (int p = 0; p < kPosters; ++p) {
    threads.push_back(*base::Thread::Start({.name = "poster"}, [&, p] {
      for (int i = 0; i < kEach; ++i) {
        Node& node = nodes[p][i];
        node.poster = p;
        node.number = i;
        node.next = &next;
        node.in_order = &in_order;
        node.run = [](PostNode* posted) {
          auto* self = static_cast<Node*>(posted);
          if ((*self->next)[self->poster]++ != self->number) *self->in_order = false;
        };
        EXPECT_TRUE(loop->Post(&node));
      }
    }));
  }
  for (base::Thread& thread : threads) thread.Join();
  Sync(*loop);
  EXPECT_TRUE(in_order);
  EXPECT_EQ(next, std::vector<int>(kPosters, kEach));
}

// E2: accepted means run, whenever the loop stops.
TEST(EventLoopPost, RacingWithStop_AcceptedTasksAllRun) {
  for (int round = 0; round < 200; ++round) {
    std::unique_ptr<EventLoop> loop = Threaded();
    base::Atomic<int> accepted{0}, ran{0};
    base::Atomic<bool> stopped{false};
    base::Thread poster = *base::Thread::Start({.name = "poster"}, [&] {
      while (loop->Post([&] { ran.fetch_add(1); })) {
        // Not faster than the loop, or the lists grow without end.
        for (accepted.fetch_add(1); accepted - ran > 50 && !stopped;) base::CpuRelax();
      }
    });
    while (accepted.load() < 3) base::CpuRelax();
    loop->Stop();
    loop->Stop();
    stopped = true;
    poster.Join();
    loop.reset();
    EXPECT_EQ(accepted, ran);
  }
}

// D2 on the real clock: the lower bound is exact.
TEST(LoopTimerTest, Fires_NeverBeforeItsDeadline) {
  std::unique_ptr<EventLoop> loop = Threaded();
  std::mt19937_64 random(5);
  struct Shot {
    Nanos deadline;
    Nanos fired = 0;
    std::unique_ptr<LoopTimer> timer;
    base::Completion done;
  };
  std::vector<std::unique_ptr<Shot>> shots;
  for (int i = 0; i < 200; ++i) {
    auto shot = std::make_unique<Shot>();
    shot->timer = *loop->NewTimer([raw = shot.get()] {
      raw->fired = base::Now();
      raw->done.Set();
    });
    shot->deadline = base::Now() + static_cast<Nanos>(random() % (20 * kMillisecond));
    shot->timer->ArmAt(shot->deadline);
    shots.push_back(std::move(shot));
  }
  for (auto& shot : shots) {
    shot->done.Wait();
    EXPECT_GE(shot->fired, shot->deadline);
    EXPECT_EQ(shot->timer->deadline(), kForever);
  }
}

TEST(LoopTimerTest, ArmAt_Earlier_MovesLater_DoesNot) {
  std::unique_ptr<EventLoop> loop = Manual();
  int fired = 0;
  auto timer = *loop->NewTimer([&] { ++fired; });
  const Nanos now = base::Now();
  timer->ArmAt(now + 3600 * kSecond);
  timer->ArmAt(now + kMillisecond);
  timer->ArmAt(now + 7200 * kSecond);
  EXPECT_EQ(timer->deadline(), now + kMillisecond);
  EXPECT_EQ(*loop->RunOnce(), 1);
  EXPECT_GE(base::Now(), now + kMillisecond);
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(timer->deadline(), kForever) << "one shot";
}

TEST(LoopTimerTest, SetAt_LaterThenDisarm_DoesNotFireAtTheOldTime) {
  std::unique_ptr<EventLoop> loop = Manual();
  int fired = 0;
  auto timer = *loop->NewTimer([&] { ++fired; });
  timer->SetAt(base::Now() - kSecond);  // due, not yet delivered
  timer->SetAt(base::Now() + 3600 * kSecond);
  EXPECT_EQ(*loop->RunOnce(base::Now() + 5 * kMillisecond), 0);
  timer->SetAt(base::Now() - 1);
  timer->SetAt(kForever);
  EXPECT_EQ(*loop->RunOnce(base::Now() + 5 * kMillisecond), 0);
  EXPECT_EQ(fired, 0);
  timer->SetAt(0);
  EXPECT_EQ(*loop->RunOnce(), 1);
  EXPECT_EQ(fired, 1);
}

TEST(LoopTimerTest, ArmAt_FromItsCallback_Repeats) {
  std::unique_ptr<EventLoop> loop = Manual();
  int fired = 0;
  std::unique_ptr<LoopTimer> timer;
  timer = *loop->NewTimer([&] {
    if (++fired < 5) timer->ArmAt(base::Now() + 100 * base::kMicrosecond);
  });
  timer->ArmAt(base::Now());
  while (fired < 5) ASSERT_TRUE(loop->RunOnce().ok());
  EXPECT_EQ(*loop->RunUntilIdle(), 0);
}

// Concurrent callers need no order among themselves: the earliest wins.
TEST(LoopTimerTest, ArmAt_FromManyThreads_TheEarliestIsKept) {
  std::unique_ptr<EventLoop> loop = Threaded();
  for (int round = 0; round < 50; ++round) {
    base::Completion fired;
    auto timer = *loop->NewTimer([&] { fired.Set(); });
    const Nanos now = base::Now();
    std::vector<base::Thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.push_back(*base::Thread::Start({.name = "arm"}, [&, t] {
        for (int i = 0; i < 20; ++i) timer->ArmAt(now + (t + i) * 3600 * kSecond + kMillisecond);
      }));
    }
    for (base::Thread& thread : threads) thread.Join();
    fired.Wait();
    EXPECT_GE(base::Now(), now + kMillisecond);
  }
}

// E3, and "an armed but far timer causes no periodic wake-up".
TEST(EventLoopIdle, FarTimerArmed_NoWakeUps) {
  std::unique_ptr<EventLoop> loop = Threaded();
  auto far = *loop->NewTimer([] {});
  far->ArmAt(base::Now() + 3600 * kSecond);
  base::Completion done;
  auto near = *loop->NewTimer([&] { done.Set(); });
  Sync(*loop);
  const uint64_t before = loop->wakeups();
  near->ArmAt(base::Now() + 50 * kMillisecond);  // time to be woken needlessly
  done.Wait();
  Sync(*loop);
  // One for the near timer, one for Sync, and one at most if the counter was read
  // before the turn that ran the first Sync had ended.
  EXPECT_LE(loop->wakeups() - before, 3u);
}

TEST(EventLoopIdle, FarTimerMovedByAnotherThread_DoesNotWakeTheLoop) {
  std::unique_ptr<EventLoop> loop = Threaded();
  auto far = *loop->NewTimer([] {});
  Sync(*loop);
  const uint64_t before = loop->wakeups();
  for (int i = 0; i < 1000; ++i) far->ArmAt(base::Now() + (2000 - i) * kSecond);
  Sync(*loop);
  EXPECT_LE(loop->wakeups() - before, 2u);
}

TEST(EventLoopManual, RunOnce_Deadline_ReturnsZeroNotBefore) {
  std::unique_ptr<EventLoop> loop = Manual();
  const Nanos deadline = base::Now() + 3 * kMillisecond;
  EXPECT_EQ(*loop->RunOnce(deadline), 0);
  EXPECT_GE(base::Now(), deadline);
  EXPECT_EQ(*loop->RunOnce(0), 0);
}

TEST(EventLoopManual, RunOnce_WhereItMayNot_IsRefused) {
  std::unique_ptr<EventLoop> manual = Manual();
  absl::StatusCode nested = absl::StatusCode::kOk;
  ASSERT_TRUE(manual->Post([&] { nested = manual->RunOnce().status().code(); }));
  ASSERT_TRUE(manual->RunUntilIdle().ok());
  EXPECT_EQ(nested, absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Threaded()->RunOnce().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(EventLoopManual, Stop_RunOnceReturnsAndPostsAreRefused) {
  std::unique_ptr<EventLoop> loop = Manual();
  bool ran = false;
  ASSERT_TRUE(loop->Post([&] { ran = true; }));
  loop->Stop();
  EXPECT_EQ(*loop->RunOnce(), 0);
  EXPECT_TRUE(ran);
  EXPECT_FALSE(loop->Post([] {}));
}

TEST(EventLoopEmbedded, RunsAmongTheDriversOwnEvents) {
  event_base* base = event_base_new();
  auto loop = *EventLoop::Embed(base);
  std::vector<std::string> log;
  auto timer = *loop->NewTimer([&] {
    log.push_back("timer");
    event_base_loopbreak(base);
  });
  struct event* own = event_new(
      base, -1, 0,
      [](int, short, void* arg) { static_cast<decltype(log)*>(arg)->push_back("own"); }, &log);
  event_active(own, EV_TIMEOUT, 0);
  ASSERT_TRUE(loop->Post([&] { log.push_back("post"); }));
  const Nanos deadline = base::Now() + 2 * kMillisecond;
  timer->ArmAt(deadline);
  // A base without the precise flag: our timer is exact all the same.
  event_base_dispatch(base);
  EXPECT_GE(base::Now(), deadline);
  std::sort(log.begin(), log.end());
  EXPECT_EQ(log, (std::vector<std::string>{"own", "post", "timer"}));
  event_free(own);
  loop.reset();
  // Nothing of ours is left in the base: it has no events.
  EXPECT_EQ(event_base_dispatch(base), 1);
  event_base_free(base);
}

TEST(EventLoopEmbedded, DestroyedByAnotherThread_WhileTheBaseRuns) {
  ASSERT_EQ(evthread_use_pthreads(), 0);
  event_base* base = event_base_new();
  base::Atomic<bool> stop{false};
  base::Thread runner = *base::Thread::Start({.name = "driver"}, [&] {
    while (!stop) {
      event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);
    }
  });
  for (int round = 0; round < 200; ++round) {
    auto loop = *EventLoop::Embed(base);
    base::Atomic<int> accepted{0}, ran{0};
    auto timer = *loop->NewTimer([&] { ran.fetch_add(1); });
    for (int i = 0; i < 5; ++i) {
      if (loop->Post([&] { ran.fetch_add(1); })) accepted.fetch_add(1);
    }
    if (round % 2 == 0) loop->Stop();
    loop.reset();
    EXPECT_EQ(accepted, ran);
  }
  stop = true;
  runner.Join();
  event_base_free(base);
}

// The base sees the end of the loop while its destructor is anywhere on its way.
TEST(EventLoopEmbedded, DestroyedByAnotherThread_WhileTheBaseNoticesTheStop) {
  ASSERT_EQ(evthread_use_pthreads(), 0);
  event_base* base = event_base_new();
  base::Thread runner = *base::Thread::Start(
      {.name = "driver"}, [&] { event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY); });
  for (int round = 0; round < 1000; ++round) {
    auto loop = *EventLoop::Embed(base);
    base::Atomic<int> at{0};
    // The base's thread leaves its last callback when the destructor has begun.
    ASSERT_TRUE(loop->Post([&at, round] {
      at = 1;
      while (at != 2) base::CpuRelax();
      for (int spin = round % 250; spin > 0; --spin) base::CpuRelax();
    }));
    while (at != 1) base::CpuRelax();
    at = 2;
    loop.reset();
  }
  event_base_loopexit(base, nullptr);
  runner.Join();
  event_base_free(base);
}

TEST(EventLoopEmbedded, NullBase_IsAnError) {
  EXPECT_EQ(EventLoop::Embed(nullptr).status().code(), absl::StatusCode::kInvalidArgument);
}

// Tear-down from a task, with another task behind it: both run, nothing hangs.
TEST(EventLoopTearDown, FromItsOwnCallback_EveryKind) {
  {
    std::unique_ptr<EventLoop> loop = Threaded();
    base::Completion done;
    ASSERT_TRUE(loop->Post([&] {
      EXPECT_TRUE(loop->Post([&] { done.Set(); }));
      loop.reset();
    }));
    done.Wait();
  }
  {
    EventLoop* loop = Manual().release();
    int ran = 0;
    auto timer = *loop->NewTimer([&] { ++ran; });
    timer->ArmAt(0);
    ASSERT_TRUE(loop->Post([&] {
      EXPECT_TRUE(loop->Post([&] { ++ran; }));
      delete loop;
    }));
    ASSERT_TRUE(loop->RunUntilIdle().ok());
    EXPECT_GE(ran, 1);
    timer->ArmAt(0);  // inert
  }
  {
    event_base* base = event_base_new();
    EventLoop* loop = EventLoop::Embed(base)->release();
    int ran = 0;
    ASSERT_TRUE(loop->Post([&] {
      EXPECT_TRUE(loop->Post([&] { ++ran; }));
      delete loop;
    }));
    EXPECT_EQ(event_base_dispatch(base), 1);  // ends: the base is empty
    EXPECT_EQ(ran, 1);
    event_base_free(base);
  }
}

TEST(EventLoopTearDown, TimerDestroyedInItsOwnCallback) {
  std::unique_ptr<EventLoop> loop = Manual();
  std::unique_ptr<LoopTimer> timer;
  timer = *loop->NewTimer([&] { timer.reset(); });
  timer->ArmAt(0);
  EXPECT_EQ(*loop->RunOnce(), 1);
  EXPECT_EQ(timer, nullptr);
}

TEST(EventLoopTearDown, HandlesOutliveTheLoop) {
  std::unique_ptr<EventLoop> loop = Threaded();
  auto timer = *loop->NewTimer([] { ADD_FAILURE() << "the loop is gone"; });
  timer->ArmAt(base::Now() + 3600 * kSecond);
  loop.reset();
  timer->ArmAt(0);
}

// Destroying the timer waits for its callback: the captured object may go right after.
TEST(EventLoopTearDown, TimerAgainstItsCallback_NeverRunsAfterwards) {
  std::unique_ptr<EventLoop> loop = Threaded();
  for (int i = 0; i < 3000; ++i) {
    auto alive = std::make_unique<int>(1);
    auto timer = *loop->NewTimer([p = alive.get()] { EXPECT_EQ(*p, 1); });
    timer->ArmAt(0);
    for (int spin = (i * 37) % 500; spin > 0; --spin) base::CpuRelax();
    timer.reset();
    *alive = 0;
  }
}

TEST(EventLoopTearDown, ThousandCycles_LeakNoDescriptorAndNoThread) {
  { std::unique_ptr<EventLoop> warm_up = Threaded(); }
  const int fds = CountEntries("/proc/self/fd");
  const int threads = CountEntries("/proc/self/task");
  for (int i = 0; i < 1000; ++i) {
    EventLoop* loop = Threaded().release();
    auto timer = *loop->NewTimer([] {});
    timer->ArmAt(i % 3 == 0 ? 0 : base::Now() + 3600 * kSecond);
    if (i % 2 == 0) {
      delete loop;
    } else {
      base::Completion done;
      ASSERT_TRUE(loop->Post([&] {
        delete loop;
        done.Set();
      }));
      done.Wait();
    }
  }
  // Those that buried themselves are collected once their threads have ended.
  while (CountEntries("/proc/self/task") > threads || CountEntries("/proc/self/fd") > fds) {
    (void)Threaded();
  }
  EXPECT_EQ(CountEntries("/proc/self/fd"), fds);
  EXPECT_EQ(CountEntries("/proc/self/task"), threads);
}

TEST(EventLoopErrors, NoThread_IsAStatusAndLeaksNothing) {
  const int fds = CountEntries("/proc/self/fd");
  base::SetFaultHook([](const char* point) { return std::string(point) == "thread_create"; });
  absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::StartThread("uwq-test");
  base::SetFaultHook(nullptr);
  EXPECT_EQ(loop.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CountEntries("/proc/self/fd"), fds);
}

}  // namespace
}  // namespace uwq::event
