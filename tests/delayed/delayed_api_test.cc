// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: what delayed/delayed_work.h promises in C++, on real threads.
#include <event2/event.h>
#include <event2/thread.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "delayed/delayed_work.h"
#include "delayed/runtime_loop.h"
#include "gtest/gtest.h"
#include "tests/delayed/fixture.h"
#include "workqueue/event/event_loop.h"

namespace uwq {
namespace {

class DelayedApi : public QueueTest {};

// Of a program that runs everything itself, and a queue on it.
struct Manual {
  std::unique_ptr<Runtime> runtime;
  std::unique_ptr<Workqueue> wq;
};
Manual ManualRuntime() {
  RuntimeOptions options;
  options.manual = true;
  Manual made{*Runtime::Create(options), nullptr};
  made.wq = *Workqueue::Create("manual", {.runtime = made.runtime.get()});
  return made;
}

struct Driver {
  std::atomic<int> polls{0};
  base::Completion polled;
  void Poll() {
    if (++polls == 3) polled.Set();
  }
};

// [UWQ-DELAYED-1]: one run, never early; a second Queue changes nothing.
TEST_F(DelayedApi, QueueOnceNeverEarly) {
  base::Completion ran;
  base::Nanos at = 0;
  DelayedWork d([&] {
    at = base::Now();
    ran.Set();
  });
  const base::Nanos start = base::Now();
  EXPECT_TRUE(d.Queue(*wq_, absl::Milliseconds(20)));
  EXPECT_FALSE(d.Queue(*wq_, absl::ZeroDuration()));
  EXPECT_TRUE(d.pending());
  ran.Wait();
  EXPECT_GE(at - start, 20 * base::kMillisecond);
}

// [UWQ-DELAYED-2], [UWQ-DELAYED-3]: Mod moves the deadline, Reduce only to earlier.
TEST_F(DelayedApi, ModAndReduce) {
  base::Completion ran;
  DelayedWork d([&] { ran.Set(); });
  EXPECT_FALSE(d.Mod(*wq_, absl::Hours(10)));
  const int64_t far = uwq_delayed_work_deadline(d.raw());
  EXPECT_TRUE(d.Reduce(*wq_, absl::Hours(20)));
  EXPECT_EQ(uwq_delayed_work_deadline(d.raw()), far);
  EXPECT_TRUE(d.Reduce(*wq_, absl::Milliseconds(1)));
  ran.Wait();
}

// [UWQ-DELAYED-4]: a member function that re-arms itself is ended by CancelSync.
TEST_F(DelayedApi, CancelSyncEndsAPoller) {
  Driver driver;
  std::unique_ptr<DelayedWork> poll;
  poll = std::make_unique<DelayedWork>([&] {
    driver.Poll();
    (void)poll->Queue(*wq_, absl::Microseconds(100));
  });
  EXPECT_TRUE(poll->Queue(*wq_, absl::ZeroDuration()));
  driver.polled.Wait();
  (void)poll->CancelSync();
  const int polls = driver.polls;
  EXPECT_FALSE(poll->pending());
  wq_->Flush();
  EXPECT_EQ(driver.polls, polls);

  DelayedWork member(&driver, &Driver::Poll);
  EXPECT_TRUE(member.Queue(*wq_, absl::ZeroDuration()));
  EXPECT_TRUE(member.Flush() || driver.polls == polls + 1);
}

// [UWQ-DELAYED-5]: Flush runs an armed item now.
TEST_F(DelayedApi, FlushRunsItNow) {
  std::atomic<int> runs{0};
  DelayedWork d([&] { ++runs; });
  EXPECT_TRUE(d.Queue(*wq_, absl::Hours(1)));
  (void)d.Flush();
  EXPECT_EQ(runs, 1);
  EXPECT_FALSE(d.pending());
}

// [UWQ-DELAYED-LIFE-1]: destroying an armed item is reported and mended.
TEST_F(DelayedApi, DestroyedWhileArmed) {
  std::atomic<int> runs{0};
  {
    DelayedWork d([&] { ++runs; });
    EXPECT_TRUE(d.Queue(*wq_, absl::Milliseconds(1)));
  }
  EXPECT_EQ(runs + Reports(ReportKind::kFreedWhileBusy), 1);
}

// [UWQ-DELAYED-LIFE-1]: a run that the destructor waits for still has its callable.
TEST_F(DelayedApi, CallableOutlivesItsRun) {
  struct Probe {
    std::atomic<bool>* gone;
    ~Probe() { *gone = true; }
  };
  std::atomic<bool> gone{false}, early{false};
  std::atomic<uwq_work*> raw{nullptr};
  base::Completion started;
  const auto body = [&gone, &early, &raw, &started] {
    uwq_work* const work = raw;
    started.Set();
    // Until the destructor has closed the item's gate, or has already gone past it.
    while (core::DisableDepthOf(core::LoadWord(work)) == 0 && !gone) std::this_thread::yield();
    early = gone.load();
  };
  auto d = std::make_unique<DelayedWork>([body, probe = std::unique_ptr<Probe>(new Probe{&gone})] {
    const auto run = body;  // without the fix the callable goes while it runs
    run();
  });
  raw = &d->raw()->work;
  EXPECT_TRUE(d->Queue(*wq_, absl::ZeroDuration()));
  started.Wait();
  d.reset();
  EXPECT_TRUE(gone);
  EXPECT_FALSE(early);
  EXPECT_EQ(Reports(ReportKind::kFreedWhileBusy), 1);
}

// Bad input: negative and infinite delays are reported, nothing is lost.
TEST_F(DelayedApi, OddDurations) {
  std::atomic<int> runs{0};
  DelayedWork negative([&] { ++runs; });
  EXPECT_TRUE(negative.Queue(*wq_, -absl::Seconds(1)));
  (void)negative.Flush();
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(Reports(ReportKind::kBadDelay), 1);
  core::ResetReports();
  DelayedWork never([&] { ++runs; });
  EXPECT_TRUE(never.Queue(*wq_, absl::InfiniteDuration()));
  EXPECT_EQ(Reports(ReportKind::kBadDelay), 2);
  EXPECT_TRUE(never.pending());
  EXPECT_TRUE(never.Cancel());
  EXPECT_TRUE(never.Queue(*wq_, absl::Hours(24 * 365 * 400)));  // past the end of time
  EXPECT_TRUE(never.CancelSync());
  EXPECT_EQ(runs, 1);
}

// D9: a CPU that does not exist is reported when the item is queued; it runs all the same.
TEST_F(DelayedApi, OddCpu) {
  std::atomic<int> runs{0};
  DelayedWork d([&] { ++runs; });
  EXPECT_TRUE(d.QueueOn(12345, *wq_, absl::Milliseconds(1)));
  (void)d.Flush();
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(Reports(ReportKind::kBadCpu), 1);
}

TEST_F(DelayedApi, DisableNests) {
  std::atomic<int> runs{0};
  DelayedWork d([&] { ++runs; });
  EXPECT_TRUE(d.Queue(*wq_, absl::Hours(1)));
  EXPECT_TRUE(d.Disable());
  EXPECT_FALSE(d.DisableSync());
  EXPECT_FALSE(d.Queue(*wq_, absl::ZeroDuration()));
  EXPECT_FALSE(d.Mod(*wq_, absl::ZeroDuration()));
  EXPECT_FALSE(d.Enable());
  EXPECT_TRUE(d.Enable());
  EXPECT_TRUE(d.Queue(*wq_, absl::ZeroDuration()));
  (void)d.Flush();
  EXPECT_EQ(runs, 1);
}

// The sizes of the bars: 88 bytes at most, nothing more while armed.
static_assert(sizeof(DelayedWorkItem) == 80 && sizeof(uwq_delayed_work) == 80);

// A single-threaded program: loop, timers and items on the caller's thread.
TEST_F(DelayedApi, ManualRuntimeRunsEverythingHere) {
  const Manual manual = ManualRuntime();
  base::ThreadId ran_on = -1;
  DelayedWork d([&] { ran_on = base::SelfId(); });
  const base::Nanos start = base::Now();
  EXPECT_TRUE(d.Queue(*manual.wq, absl::Milliseconds(5)));
  EXPECT_EQ(*delayed::RunUntilIdle(manual.runtime.get()), 0);
  EXPECT_EQ(*delayed::RunOnce(manual.runtime.get(), base::kForever), 1);
  EXPECT_GE(base::Now() - start, 5 * base::kMillisecond);
  EXPECT_EQ(ran_on, base::SelfId());
  EXPECT_FALSE(delayed::RunUntilIdle(Runtime::Default()).ok());
}

// Every call is thread-safe: an item that another thread queues ends the sleep.  Without
// the wake-up this test does not end.
TEST_F(DelayedApi, ManualRuntimeIsWokenByAnotherThread) {
  const Manual manual = ManualRuntime();
  std::atomic<int> runs{0};
  Work work([&] { ++runs; });
  constexpr int kRounds = 2000;
  std::thread producer([&] {
    for (int i = 0; i < kRounds; ++i) {
      EXPECT_TRUE(manual.wq->Queue(work));
      while (runs == i) std::this_thread::yield();
      for (int n = i % 64; n > 0; --n) std::this_thread::yield();  // it may go to sleep
    }
  });
  for (int ran = 0; ran < kRounds;) {
    const absl::StatusOr<int> more = delayed::RunOnce(manual.runtime.get(), base::kForever);
    ASSERT_TRUE(more.ok()) << more.status();
    ran += *more;
  }
  producer.join();
  EXPECT_EQ(runs, kRounds);
}

// The two ways to bring one's own loop exclude each other.
TEST_F(DelayedApi, ManualOnAnEventBaseIsRefused) {
  event_base* const base = event_base_new();
  RuntimeOptions options;
  options.manual = true;
  options.event_base = base;
  EXPECT_EQ(Runtime::Create(options).status().code(), absl::StatusCode::kInvalidArgument);
  event_base_free(base);
}

struct Embedded {
  Embedded() {
    evthread_use_pthreads();
    base = event_base_new();
    RuntimeOptions options;
    options.event_base = base;
    runtime = *Runtime::Create(options);
    Workqueue::Options on;
    on.runtime = runtime.get();
    wq = *Workqueue::Create("embedded", on);
  }
  ~Embedded() {
    wq.reset();
    runtime.reset();
    event_base_free(base);
  }
  event_base* base;
  std::unique_ptr<Runtime> runtime;
  std::unique_ptr<Workqueue> wq;
};

// RuntimeOptions::event_base: timers fire while the driver runs its base, and only then;
// after a loopbreak it goes on where it was.
TEST_F(DelayedApi, EventBaseRunsTheTimers) {
  Embedded on;
  std::atomic<int> runs{0};
  DelayedWork poll([&] {
    ++runs;
    event_base_loopbreak(on.base);
  });
  for (int round = 1; round <= 5; ++round) {
    const base::Nanos start = base::Now();
    EXPECT_TRUE(poll.Queue(*on.wq, absl::Milliseconds(2)));
    EXPECT_TRUE(poll.pending());
    while (runs < round) event_base_dispatch(on.base);  // a break may come early or late
    EXPECT_GE(base::Now() - start, 2 * base::kMillisecond);
    on.wq->Flush();
  }
  EXPECT_EQ(runs, 5);
  EXPECT_EQ(delayed::RunOnce(on.runtime.get(), 0).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// Nobody runs the base: what is queued at once needs nobody, and an armed timer can be
// cancelled and flushed.
TEST_F(DelayedApi, EventBaseThatNobodyRuns) {
  Embedded on;
  std::atomic<int> runs{0};
  DelayedWork d([&] { ++runs; });
  EXPECT_TRUE(d.Queue(*on.wq, absl::ZeroDuration()));
  (void)d.Flush();
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(d.Queue(*on.wq, absl::Milliseconds(1)));
  EXPECT_TRUE(d.CancelSync());
  EXPECT_TRUE(d.Queue(*on.wq, absl::Hours(1)));
  (void)d.Flush();
  EXPECT_EQ(runs, 2);
}

// A base with locks that another thread runs: arming from here wakes it.
TEST_F(DelayedApi, EventBaseOnAThreadOfTheDriver) {
  Embedded on;
  std::thread driver([&] { event_base_loop(on.base, EVLOOP_NO_EXIT_ON_EMPTY); });
  for (int i = 0; i < 50; ++i) {
    base::Completion ran;
    DelayedWork d([&] { ran.Set(); });
    EXPECT_TRUE(d.Queue(*on.wq, absl::Microseconds(100)));
    ran.Wait();
    on.wq->Flush();
  }
  event_base_loopbreak(on.base);
  driver.join();
}

// An armed but far timer costs nothing: while another fires, the loop wakes for that one
// only.  Also where the nearer one was armed last, and after a cancel.
TEST_F(DelayedApi, FarTimerCausesNoWakeUps) {
  const Manual manual = ManualRuntime();
  event::EventLoop* const loop = *delayed::LoopOf(manual.runtime.get());
  DelayedWork far([] { ADD_FAILURE(); }), lazy([] { ADD_FAILURE(); }, /*deferrable=*/true);
  DelayedWork near([] {});
  EXPECT_TRUE(far.Queue(*manual.wq, absl::Hours(10)));
  EXPECT_TRUE(lazy.Queue(*manual.wq, absl::Hours(20)));
  for (int i = 0; i < 3; ++i) {
    const uint64_t before = loop->wakeups();
    EXPECT_TRUE(near.Queue(*manual.wq, absl::Milliseconds(30)));
    EXPECT_EQ(*delayed::RunOnce(manual.runtime.get(), base::kForever), 1);
    EXPECT_LE(loop->wakeups() - before, 2u) << "one to sleep and fire, one that finds it idle";
  }
  EXPECT_TRUE(far.Cancel());
  EXPECT_TRUE(lazy.Cancel());
}

// Delays of a second and more start from a slightly old clock reading: never early.
TEST_F(DelayedApi, LongDelaysAreNeverShort) {
  std::vector<std::unique_ptr<DelayedWork>> items;
  for (int i = 0; i < 1000; ++i) {
    items.push_back(std::make_unique<DelayedWork>([] {}));
    const base::Nanos now = base::Now();
    EXPECT_TRUE(items.back()->Queue(*wq_, absl::Seconds(1 + i)));
    const base::Nanos deadline = uwq_delayed_work_deadline(items.back()->raw());
    EXPECT_GE(deadline, now + (1 + i) * base::kSecond);
    EXPECT_LE(deadline, base::Now() + (1 + i) * base::kSecond + base::kStaleness);
  }
  for (auto& item : items) EXPECT_TRUE(item->CancelSync());
}

// 10^4 cycles of a Runtime with timers leave nothing behind; here the cycle itself.
TEST_F(DelayedApi, RuntimesComeAndGo) {
  for (int i = 0; i < 50; ++i) {
    std::unique_ptr<Runtime> runtime = *Runtime::Create({});
    Workqueue::Options on;
    on.runtime = runtime.get();
    std::unique_ptr<Workqueue> wq = *Workqueue::Create("cycle", on);
    base::Completion ran;
    DelayedWork d([&] { ran.Set(); });
    EXPECT_TRUE(d.Queue(*wq, absl::Microseconds(50)));
    ran.Wait();
  }
}

}  // namespace
}  // namespace uwq
