// SPDX-License-Identifier: BSD-3-Clause
//
// The real back end of base/sync.h.  Races are given many chances, under TSan
// above all; nothing here waits for time to make a test pass, and of time only
// lower bounds are asserted.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "workqueue/base/fault.h"
#include "workqueue/base/sync.h"

namespace uwq::base {
namespace {

Thread StartOrDie(const std::string& name, std::function<void()> body) {
  Thread::Options options;
  options.name = name;
  return std::move(Thread::Start(options, std::move(body))).value();
}

// ---- Mutex, CondVar ----

TEST(Mutex, ExcludesUnderContention) {
  Mutex mu;
  int64_t sum = 0;  // protected by mu
  std::vector<Thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.push_back(StartOrDie("adder", [&] {
      for (int k = 0; k < 20000; ++k) {
        MutexLock lock(&mu);
        ++sum;
      }
    }));
  }
  for (Thread& t : threads) t.Join();
  EXPECT_EQ(sum, 80000);
}

TEST(Mutex, TryLockFailsWhileHeld) {
  Mutex mu;
  bool taken = false;
  auto try_it = [&] {
    if (!mu.TryLock()) return;
    taken = true;
    mu.Unlock();
  };
  {
    MutexLock lock(&mu);
    Thread t = StartOrDie("other", try_it);
    t.Join();
  }
  EXPECT_FALSE(taken);
  try_it();
  EXPECT_TRUE(taken);
}

TEST(MutexLock, ReleaseEndsItEarly) {
  Mutex mu;
  bool taken = false;
  MutexLock lock(&mu);
  lock.Release();
  Thread t = StartOrDie("other", [&] {
    MutexLock other(&mu);  // hangs if it is still held
    taken = true;
  });
  t.Join();
  EXPECT_TRUE(taken);
}

// Method: two threads hand a number to each other; a lost wake-up hangs.
TEST(CondVar, HandsOverWithoutLosingAWakeUp) {
  constexpr int kTurns = 5000;
  Mutex mu;
  CondVar cv;
  int turn = 0;  // protected by mu
  auto play = [&](int parity) {
    for (int i = 0; i < kTurns; ++i) {
      MutexLock lock(&mu);
      while (turn % 2 != parity) cv.Wait(&mu);
      ++turn;
      cv.NotifyOne();
    }
  };
  Thread t = StartOrDie("odd", [&] { play(1); });
  play(0);
  t.Join();
  EXPECT_EQ(turn, 2 * kTurns);
}

TEST(CondVar, WaitUntil_NeverReturnsFalseEarly) {
  Mutex mu;
  CondVar cv;
  for (int i = 0; i < 20; ++i) {
    const Nanos deadline_ns = Now() + 100 * kMicrosecond + i;
    MutexLock lock(&mu);
    while (cv.WaitUntil(&mu, deadline_ns)) {
    }
    EXPECT_GE(Now(), deadline_ns);
    mu.AssertHeld();
  }
}

TEST(CondVar, WaitUntilForever_IsWait) {
  Mutex mu;
  CondVar cv;
  bool go = false;
  Thread t = StartOrDie("notifier", [&] {
    MutexLock lock(&mu);
    go = true;
    cv.NotifyAll();
  });
  {
    MutexLock lock(&mu);
    while (!go) EXPECT_TRUE(cv.WaitUntil(&mu, kForever));
  }
  t.Join();
}

// ---- Completion ----

// Goal: Set touches the object only up to the store that lets Wait return (the
// waiter's frame is gone at once).  Method: the memory is freed and overwritten
// right away; TSan and ASan see a late access.
TEST(Completion, SetAndDestroyAtOnce) {
  Parker start;
  Atomic<Completion*> next{nullptr};
  Atomic<bool> stop{false};
  Thread setter = StartOrDie("setter", [&] {
    for (;;) {
      start.Park();
      Completion* c = next.exchange(nullptr);
      if (c != nullptr) c->Set();
      if (stop.load()) return;
    }
  });
  for (int i = 0; i < 20000; ++i) {
    auto done = std::make_unique<Completion>();
    next.store(done.get());
    start.Unpark();
    done->Wait();
    EXPECT_TRUE(done->IsSet());
  }
  stop.store(true);
  start.Unpark();
  setter.Join();
}

TEST(Completion, WaitUntil_TimesOutNotEarlyAndCanBeSetLater) {
  Completion done;
  for (int i = 0; i < 20; ++i) {
    const Nanos deadline_ns = Now() + 100 * kMicrosecond + i;
    EXPECT_FALSE(done.WaitUntil(deadline_ns));
    EXPECT_GE(Now(), deadline_ns);
  }
  EXPECT_FALSE(done.WaitUntil(0));
  done.Set();  // the state is "somebody slept", though nobody does
  EXPECT_TRUE(done.WaitUntil(0));
  done.Wait();
  done.Reset();
  EXPECT_FALSE(done.IsSet());
  EXPECT_FALSE(done.WaitUntil(0));
}

// ---- Parker ----

TEST(Parker, TokenIsKeptOnce) {
  Parker parker;
  EXPECT_FALSE(parker.Unpark());
  EXPECT_FALSE(parker.Unpark());
  EXPECT_TRUE(parker.ParkUntil(0));
  EXPECT_FALSE(parker.ParkUntil(0));
}

TEST(Parker, SpinForSeesTheTokenAndLeavesIt) {
  Parker parker;
  EXPECT_FALSE(parker.SpinFor(kMicrosecond));
  EXPECT_FALSE(parker.Unpark()) << "nobody sleeps";
  EXPECT_EQ(parker.SpinFor(kSecond), SpinBudget() > 0);
  EXPECT_TRUE(parker.ParkUntil(0));
}

TEST(Parker, ParkUntil_NeverReturnsFalseEarly) {
  Parker parker;
  for (int i = 0; i < 20; ++i) {
    const Nanos deadline_ns = Now() + 100 * kMicrosecond + i;
    EXPECT_FALSE(parker.ParkUntil(deadline_ns));
    EXPECT_GE(Now(), deadline_ns);
  }
}

// Method: ping-pong with and without deadlines; a lost token hangs.
TEST(Parker, NoTokenIsLostBetweenUnparkAndTimeout) {
  constexpr int kTurns = 10000;
  Parker here, there;
  Atomic<int> turns{0};
  Thread t = StartOrDie("echo", [&] {
    for (int i = 0; i < kTurns; ++i) {
      while (!there.ParkUntil(Now() + i % 50 * kMicrosecond)) {
      }
      turns.fetch_add(1);
      here.Unpark();
    }
  });
  for (int i = 0; i < kTurns; ++i) {
    there.Unpark();
    here.Park();
    EXPECT_EQ(turns.load(), i + 1);
  }
  t.Join();
}

// ---- Thread ----

// Goal: signals go to the driver's own threads only.
TEST(Thread, HasAllSignalsBlocked_TheCallerKeepsItsMask) {
  sigset_t before, after, inside;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  Thread t = StartOrDie("masked", [&] { pthread_sigmask(SIG_SETMASK, nullptr, &inside); });
  t.Join();
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGPIPE}) {
    EXPECT_EQ(sigismember(&inside, signal), 1) << signal;
    EXPECT_EQ(sigismember(&after, signal), sigismember(&before, signal)) << signal;
  }
}

TEST(Thread, NameIsCutTo15Characters) {
  char name[16] = "";
  Thread t = StartOrDie("kworker/u8:2-events",
                        [&] { pthread_getname_np(pthread_self(), name, sizeof(name)); });
  t.Join();
  EXPECT_STREQ(name, "kworker/u8:2-ev");
}

TEST(Thread, BindsToItsCpu_IgnoresOneThatDoesNotExist) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &allowed)) ++cpu;
  int seen = -1;
  Thread::Options options;
  options.name = "bound";
  options.cpu = cpu;
  Thread bound = Thread::Start(options, [&] { seen = CurrentCpu(); }).value();
  bound.Join();
  EXPECT_EQ(seen, cpu);

  options.cpu = CPU_SETSIZE - 1;
  cpu_set_t inherited;
  Thread free =
      Thread::Start(options, [&] { sched_getaffinity(0, sizeof(inherited), &inherited); }).value();
  free.Join();
  EXPECT_TRUE(CPU_EQUAL(&inherited, &allowed));
}

TEST(Thread, IdIsKnownWhenStartReturns) {
  ThreadId inside = 0;
  Thread t = StartOrDie("self", [&] { inside = SelfId(); });
  const ThreadId id = t.id();
  t.Join();
  EXPECT_EQ(inside, id);
  EXPECT_NE(id, SelfId());
  EXPECT_FALSE(t.joinable());
  EXPECT_EQ(t.id(), 0);
}

TEST(Thread, SlotsAreItsOwn) {
  int mine = 0;
  ThreadSlot(Slot::kWorker) = &mine;
  void* inside = &mine;
  Thread t = StartOrDie("slots", [&] { inside = ThreadSlot(Slot::kWorker); });
  t.Join();
  EXPECT_EQ(inside, nullptr);
  EXPECT_EQ(ThreadSlot(Slot::kWorker), &mine);
  ThreadSlot(Slot::kWorker) = nullptr;
}

TEST(Thread, StartFailsAtItsFaultPoint) {
  SetFaultHook([](const char* point) { return std::string(point) == "thread_create"; });
  const absl::StatusOr<Thread> t = Thread::Start(Thread::Options(), [] { FAIL(); });
  SetFaultHook(nullptr);
  EXPECT_EQ(t.status().code(), absl::StatusCode::kResourceExhausted);
}

// ---- ProbeThread ----

// Method: the thread is held in user space until the probe has seen it run, then
// parks until the probe has seen it sleep: a wrong probe hangs, a slow machine does not.
TEST(ProbeThread, TellsRunningFromSleepingAndCountsCpuTime) {
  Atomic<bool> seen_running{false};
  Parker parker;
  Thread t = StartOrDie("probed) R (x", [&] {  // a name made to confuse parsers
    while (!seen_running.load()) CpuRelax();
    parker.Park();
  });
  ASSERT_TRUE(ProbeThread(t.id()).valid);
  for (;;) {
    const ThreadProbe probe = ProbeThread(t.id());
    if (!probe.sleeping && probe.cpu_time_ns > 0) break;
  }
  seen_running.store(true);
  while (!ProbeThread(t.id()).sleeping) {
  }
  const ThreadId id = t.id();
  parker.Unpark();
  t.Join();
  EXPECT_FALSE(ProbeThread(0).valid);
  EXPECT_FALSE(ProbeThread(-1).valid);
  // The kernel may take a moment to remove a joined thread.
  while (ProbeThread(id).valid) {
  }
}

TEST(Clock, NeverGoesBackAndIsMonotonicTime) {
  timespec ts;
  Nanos last = Now();
  for (int i = 0; i < 1000; ++i) {
    clock_gettime(CLOCK_MONOTONIC, &ts);
    const Nanos reference = ts.tv_sec * kSecond + ts.tv_nsec;
    EXPECT_GE(reference, last);
    last = Now();
    EXPECT_GE(last, reference);
  }
}

// On every CPU: the promise must hold for a thread that is moved between two readings.
TEST(Clock, StaleNow_NeverAheadNeverTooOldNeverBack) {
  Nanos last = 0;
  for (int i = 0; i < 100000; ++i) {
    if (i % 100 == 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(i / 100 % OnlineCpus(), &one);
      (void)sched_setaffinity(0, sizeof(one), &one);
    }
    const Nanos before = Now();
    const Nanos stale = StaleNow();
    EXPECT_LE(stale, Now());
    EXPECT_GT(stale, before - kStaleness);
    EXPECT_GE(stale, last);
    last = stale;
  }
}

TEST(Cpus, AtLeastOne_SpinningOnlyIfSeveral) {
  EXPECT_GE(OnlineCpus(), 1);
  EXPECT_EQ(SpinBudget() > 0, OnlineCpus() > 1);
}

}  // namespace
}  // namespace uwq::base
