// SPDX-License-Identifier: BSD-3-Clause
//
// process_test.cc -- the library as a guest of its process: signals, idleness, fork().
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/runtime/in_child.h"
#include "workqueue/core/item.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/workqueue.h"

namespace uwq::core {
namespace {

std::unique_ptr<Runtime> MakeRuntime(RuntimeOptions options = {}) {
  options.topology = Topology::Emulated(1, 2);
  return *Runtime::Create(std::move(options));
}

std::vector<std::string> OtherThreads() {
  std::vector<std::string> tids;
  DIR* const dir = opendir("/proc/self/task");
  while (dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.' && entry->d_name != std::to_string(gettid())) {
      tids.push_back(entry->d_name);
    }
  }
  closedir(dir);
  return tids;
}

// The value behind "`field`:" in a thread's status file.
std::string StatusOf(const std::string& tid, const std::string& field) {
  std::ifstream file("/proc/self/task/" + tid + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(field + ":", 0) == 0) return line.substr(field.size() + 2);
  }
  return "";
}

// Queues of all kinds, each with some work done, so that all kinds of threads exist.
struct Busy {
  explicit Busy(Runtime* runtime) {
    for (const unsigned flags : {+kWqPercpu, kWqPercpu | kWqHighpri, +kWqUnbound,
                                 kWqUnbound | kWqOrdered, kWqUnbound | kWqMemReclaim, +kWqBh}) {
      queues.push_back(*AllocWorkqueue(runtime, {"busy", flags, 0}));
    }
    for (Workqueue* wq : queues) {
      for (int cpu = 0; cpu < 2; ++cpu) {
        WorkItem item;
        InitWord(&item, [](WorkItem*) {});
        QueueWorkOn(cpu, wq, &item);
        (void)CancelWorkSync(&item);
        QueueWorkOn(cpu, wq, &item);
        FlushWorkqueue(wq);
      }
    }
  }
  ~Busy() {
    for (Workqueue* wq : queues) DestroyWorkqueue(wq);
  }
  std::vector<Workqueue*> queues;
};

// All signals are blocked in every thread of ours, so handlers run in the program's own.
TEST(Process, SignalsAreBlockedInWorkers) {
  auto runtime = MakeRuntime();
  Busy busy(runtime.get());
  const std::vector<std::string> tids = OtherThreads();
  EXPECT_GE(tids.size(), 7u);
  for (const std::string& tid : tids) {
    const uint64_t blocked = std::stoull(StatusOf(tid, "SigBlk"), nullptr, 16);
    for (int signal = 1; signal <= 64; ++signal) {
      // glibc keeps two for itself, and two cannot be blocked.
      if (signal == SIGKILL || signal == SIGSTOP || signal == 32 || signal == 33) continue;
      EXPECT_TRUE((blocked >> (signal - 1) & 1) != 0) << StatusOf(tid, "Name") << " " << signal;
    }
  }
  static std::atomic<pid_t> handled_by;
  handled_by = 0;
  struct sigaction action = {}, old;
  action.sa_handler = [](int) { handled_by = gettid(); };
  sigaction(SIGUSR1, &action, &old);
  kill(getpid(), SIGUSR1);
  while (handled_by == 0) std::this_thread::yield();
  EXPECT_EQ(handled_by, gettid());
  sigaction(SIGUSR1, &old, nullptr);
  // Making a thread has not changed the mask of who made it.
  sigset_t mine;
  pthread_sigmask(SIG_SETMASK, nullptr, &mine);
  EXPECT_EQ(sigismember(&mine, SIGUSR1), 0);
}

// Wake-ups of all our threads so far.
int64_t Switches() {
  int64_t sum = 0;
  for (const std::string& tid : OtherThreads()) {
    for (const char* field : {"voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"}) {
      sum += atoll(StatusOf(tid, field).c_str());
    }
  }
  return sum;
}

void Pause(long ms) {
  timespec left{ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0) {
  }
}

// With nothing to do nothing wakes up: no tick, no poll.  The service thread looks a few
// more times after the last waiting item, which may come late on a busy machine: one of
// the first windows of two seconds must be without a wake-up.
void ExpectIdle(base::Nanos idle_spin_ns) {
  RuntimeOptions options;
  options.idle_spin_ns = idle_spin_ns;
  auto runtime = MakeRuntime(std::move(options));
  Busy busy(runtime.get());
  int64_t woken = 0;
  for (int window = 0; window < 8; ++window) {
    const int64_t before = Switches();
    Pause(2000);
    woken = Switches() - before;
    if (woken == 0) return;
  }
  FAIL() << woken << " wake-ups in two idle seconds";
}
TEST(Process, IdleWithoutWakeUps) { ExpectIdle(0); }
// Workers that stay awake for a while after their work do so once.
TEST(Process, IdleAfterSpinning) { ExpectIdle(RuntimeOptions().idle_spin_ns); }

// --- fork -----------------------------------------------------------------------------------

bool RunsItems(Runtime* runtime) {
  auto wq = AllocWorkqueue(runtime, {"child", kWqUnbound, 0});
  if (!wq.ok()) return false;
  static std::atomic<int> runs;
  runs = 0;
  WorkItem item;
  InitWord(&item, [](WorkItem*) { ++runs; });
  if (!QueueWork(*wq, &item)) return false;
  FlushWorkqueue(*wq);
  DestroyWorkqueue(*wq);
  return runs == 1;
}

class Fork : public testing::Test {
 protected:
  void SetUp() override {
    ResetReports();
    SetReportHandler([](const Report&) {});
  }
  void TearDown() override { SetReportHandler(nullptr); }
};

// The rule: an inherited Runtime is dead in the child.  Queueing on it is refused and
// reported, it may be destroyed; new ones work, the default one as well.
TEST_F(Fork, RuleInTheChild) {
  auto runtime = MakeRuntime();
  Runtime* const parents_default = Runtime::Default();
  Workqueue* const wq = *AllocWorkqueue(runtime.get(), {"inherited", kWqPercpu, 0});
  static std::atomic<int> runs;
  runs = 0;
  WorkItem item;
  InitWord(&item, [](WorkItem*) { ++runs; });
  ASSERT_TRUE(RunsItems(runtime.get()));
  InChild([&] {
    (void)QueueWork(wq, &item);
    const bool refused = !WorkPending(&item) && ReportCount(ReportKind::kForkedRuntime) == 1;
    const bool new_one = RunsItems(MakeRuntime().get());
    Runtime* const mine = Runtime::Default();
    const bool new_default = mine != nullptr && mine != parents_default && RunsItems(mine);
    runtime.reset();  // its memory stays, nothing hangs
    if (!refused || !new_one || !new_default) {
      fprintf(stderr, "refused %d, new one %d, new default %d\n", refused, new_one, new_default);
    }
    return refused && new_one && new_default;
  });
  EXPECT_TRUE(QueueWork(wq, &item));
  FlushWorkqueue(wq);
  EXPECT_EQ(runs, 1);
}

// The same from inside an item: the child's only thread was a worker of the parent's.
TEST_F(Fork, FromInsideAnItem) {
  auto runtime = MakeRuntime();
  static Workqueue* wq;
  static std::atomic<int> outcome;
  wq = *AllocWorkqueue(runtime.get(), {"forking", kWqUnbound, 0});
  outcome = -1;
  WorkItem item;
  InitWord(&item, [](WorkItem* work) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(10);
      (void)QueueWork(wq, work);
      const bool refused = !WorkPending(work) && ReportCount(ReportKind::kForkedRuntime) == 1;
      const bool new_one = RunsItems(MakeRuntime().get());
      _exit(refused && new_one ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    outcome = status;
  });
  EXPECT_TRUE(QueueWork(wq, &item));
  FlushWorkqueue(wq);
  EXPECT_EQ(outcome, 0);
}

// Items that were running or pending in the parent count as idle in the child.
TEST_F(Fork, PendingItems) {
  auto runtime = MakeRuntime();
  Workqueue* const wq = *AllocWorkqueue(runtime.get(), {"inherited", kWqPercpu, 1});
  Workqueue* const unlimited = *AllocWorkqueue(runtime.get(), {"unlimited", kWqPercpu, 0});
  static std::atomic<bool> go;
  static std::atomic<int> runs;
  go = false;
  runs = 0;
  WorkItem running, inactive, waiting;
  InitWord(&running, [](WorkItem*) {
    ++runs;
    while (!go) base::CpuRelax();
  });
  InitWord(&inactive, [](WorkItem*) { ++runs; });
  InitWord(&waiting, [](WorkItem*) { ++runs; });
  EXPECT_TRUE(QueueWorkOn(0, wq, &running));
  while (runs == 0) base::CpuRelax();
  EXPECT_TRUE(QueueWorkOn(0, wq, &inactive));
  EXPECT_TRUE(QueueWorkOn(0, unlimited, &waiting));
  InChild([&] {
    for (WorkItem* item : {&running, &inactive, &waiting}) {
      if (WorkBusy(item) != 0 || FlushWork(item)) return false;
      if (CancelWorkSync(item) != (item != &running) || WorkPending(item)) return false;
    }
    auto mine = MakeRuntime();
    Workqueue* const other = *AllocWorkqueue(mine.get(), {"other", kWqPercpu, 0});
    const int before = runs;
    if (!QueueWork(other, &inactive) || !QueueWork(other, &waiting)) return false;
    FlushWorkqueue(other);
    InitWork(&waiting, waiting.func, /*on_stack=*/false);
    EndOfLife(&running, /*timer=*/false);
    DestroyWorkqueue(other);
    return runs == before + 2 && ReportCount(ReportKind::kFreedWhileBusy) == 0;
  });
  go = true;
  FlushWorkqueue(wq);
  FlushWorkqueue(unlimited);
  EXPECT_EQ(runs, 3);
}

// X6: queues with items that run, wait and are armed may go, before their Runtime.
TEST_F(Fork, QueuesAreDestroyed) {
  auto runtime = MakeRuntime();
  static std::atomic<bool> go;
  static std::atomic<int> runs;
  go = false;
  runs = 0;
  std::vector<Workqueue*> queues;
  std::vector<WorkItem> items(6);
  for (const unsigned flags :
       {kWqPercpu | kWqMemReclaim, +kWqUnbound, kWqUnbound | kWqOrdered | kWqMemReclaim}) {
    queues.push_back(*AllocWorkqueue(runtime.get(), {"inherited", flags, 1}));
    for (size_t i = 2 * queues.size() - 2; i < 2 * queues.size(); ++i) {
      InitWord(&items[i], [](WorkItem*) {
        ++runs;
        while (!go) std::this_thread::yield();
      });
      EXPECT_TRUE(QueueWorkOn(0, queues.back(), &items[i]));
    }
    while (runs < static_cast<int>(queues.size())) std::this_thread::yield();
  }
  InChild([&] {
    for (Workqueue* wq : queues) {
      FlushWorkqueue(wq);
      DrainWorkqueue(wq);
      DestroyWorkqueue(wq);
    }
    runtime.reset();
    return RunsItems(MakeRuntime().get());
  });
  go = true;
  for (Workqueue* wq : queues) DestroyWorkqueue(wq);
  EXPECT_EQ(runs, 6);
}

// While other threads make, use and destroy queues and Runtimes.
TEST_F(Fork, AtAnyMoment) {
  auto runtime = MakeRuntime();
  Workqueue* const wq = *AllocWorkqueue(runtime.get(), {"inherited", kWqUnbound, 0});
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (int i = 0; !stop; ++i) {
      WorkqueueAttrs attrs;
      attrs.nice = i % 19;
      EXPECT_TRUE(ApplyWorkqueueAttrs(wq, attrs).ok());
    }
  });
  threads.emplace_back([&] {
    while (!stop) EXPECT_TRUE(RunsItems(runtime.get()));
  });
  threads.emplace_back([&] {
    while (!stop) MakeRuntime().reset();
  });
  threads.emplace_back([&] {
    WorkItem own;
    InitWord(&own, [](WorkItem*) {});
    while (!stop) {  // takes every lock that a canceler or a reporter takes
      (void)QueueWork(wq, &own);
      (void)CancelWorkSync(&own);
      ReportAlways(ReportKind::kOther, "for the lock");
    }
  });
  WorkItem frozen;
  InitWord(&frozen, [](WorkItem*) {});
  Workqueue* const freezable = *AllocWorkqueue(runtime.get(), {"f", kWqUnbound | kWqFreezable, 0});
  runtime->FreezeBegin();
  EXPECT_TRUE(QueueWork(freezable, &frozen));
  for (int i = 0; i < 150; ++i) {
    InChild([&] {
      WorkItem item;
      InitWord(&item, [](WorkItem*) {});
      (void)QueueWork(wq, &item);
      return !WorkPending(&item) && CancelWorkSync(&frozen) && RunsItems(MakeRuntime().get());
    });
  }
  stop = true;
  for (std::thread& t : threads) t.join();
  runtime->Thaw();
  FlushWorkqueue(freezable);
}

}  // namespace
}  // namespace uwq::core
