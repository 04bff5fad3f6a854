// SPDX-License-Identifier: BSD-3-Clause
//
// env.h -- the words in which a scenario of docs/scenarios.md
// is written once and run twice: on real threads, and under the explorer.
//
// Invariant: a body waits for events (a Gate, a flush, AwaitTrue) and never for time
// to pass; Sleep and Burn are the workload of items.  What must not happen is given
// the chance to: Settle() is exact in the simulator and a short pause on real threads.
// Upper bounds of time are checked in the simulator only, where they are exact.
//
//   UWQ_BODY_ON_KINDS(Queueing, T002_Coalescing, .schedules = 2000) {
//     core::Workqueue* wq = env.Make(kind, 1);
//     Gate gate;
//     Item blocker([&] { gate.Pass(); }), x;
//     ...
//   }
//
// Read on: tests/sim/explorer.h (replaying a failure), tests/sim/history.h (oracle).
#ifndef UWQ_TESTS_CONFORMANCE_CORE_ENV_H_
#define UWQ_TESTS_CONFORMANCE_CORE_ENV_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/concurrency.h"
#include "workqueue/core/dump.h"
#include "workqueue/core/item.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/workqueue.h"

namespace uwq::conformance {

#if defined(UWQ_SIM)
inline constexpr bool kSim = true;
#else
inline constexpr bool kSim = false;
#endif

using base::kMillisecond;
using base::kSecond;
using base::Nanos;
using core::ReportKind;

// UWQ_TEST_SCALE multiplies the rounds of the real threads' loops, for soaks.
int Scaled(int rounds);
// `sim_rounds` under the explorer, whose executions repeat the body anyway.
inline int Rounds(int real_rounds, int sim_rounds) {
  return kSim ? sim_rounds : Scaled(real_rounds);
}

// The workload of items.  Sleep is a foreign blocking call, which only the sampler
// can see; ScopedSleep says so to the pool, as our own blocking calls do.
void Sleep(Nanos duration);
void ScopedSleep(Nanos duration);
void Burn(Nanos cpu_time);
// One scheduling point: under the explorer others may run here.
void Step();
// Gives what must not happen the chance to happen.
void Settle();
void AwaitTrue(const std::function<bool()>& condition);
// A number in [0, count) that belongs to the schedule, or a random one.
int Choose(int count);
// What CurrentCpu() says to the caller; only the simulator lets a test choose.
void PretendCpu(int cpu);
// The name that the system knows the thread by; empty: there is none with that id.
std::string ThreadName(base::ThreadId id);
// The queue whose item the calling thread executes, and the CPU of its pool.
core::Workqueue* CurrentQueue();
int CurrentPoolCpu();
int CurrentPoolId();

// Items pass it once it is open.  Waiting in it is a blocking call that the pool
// knows of, like the kernel's wait_for_completion().
class Gate {
 public:
  void Pass();
  void Open();
  // Until `count` have come to the gate, ever.
  void AwaitArrivals(int count = 1);
  int arrivals();

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  int arrivals_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A work item that counts its executions and how many ran at once.
class Item {
 public:
  explicit Item(std::function<void()> body = nullptr, core::WorkFunc func = &Item::Run);
  // Fails the test if it is still queued or running.
  ~Item();
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;

  core::WorkItem* raw() { return &work_; }
  operator core::WorkItem*() { return &work_; }
  int runs() const { return runs_.load(); }
  int running() const { return running_.load(); }
  int max_running() const { return max_running_.load(); }
  unsigned busy() { return core::WorkBusy(&work_); }
  void set_body(std::function<void()> body) { body_ = std::move(body); }

  static void Run(core::WorkItem* work);

 private:
  core::WorkItem work_;  // first: Run() finds the Item from it
  // Plain std::atomic: counting is no scheduling point.
  std::atomic<int> runs_{0}, running_{0}, max_running_{0};
  std::function<void()> body_;
};

// The order in which things happened.
class Log {
 public:
  void Add(int id);
  std::vector<int> ids() const;
  size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::vector<int> ids_;
};

// How many are inside at once, over several items.
class Crowd {
 public:
  void Enter();
  void Leave() { --inside_; }
  int inside() const { return inside_.load(); }
  int max() const { return max_.load(); }

 private:
  std::atomic<int> inside_{0}, max_{0};
};

enum class Kind { kPerCpu, kUnbound, kOrdered };
std::string KindName(Kind kind);

// One execution of a body: a Runtime, its queues and threads, and the reports.
class Env {
 public:
  explicit Env(core::RuntimeOptions options);
  ~Env();
  Env(const Env&) = delete;
  Env& operator=(const Env&) = delete;

  core::Runtime* runtime() { return runtime_.get(); }
  // Destroys the queues that are left, then the Runtime.
  void Finish();

  core::Workqueue* Alloc(const std::string& name, unsigned flags, int max_active = 0);
  // A queue of that kind; max_active 0 is the default limit (an ordered one's is 1).
  core::Workqueue* Make(Kind kind, int max_active = 0, unsigned extra_flags = 0);
  void Destroy(core::Workqueue* wq);
  // All on CPU 0, so that items of a per-CPU queue share a pool.
  bool Queue(core::Workqueue* wq, core::WorkItem* work) { return core::QueueWorkOn(0, wq, work); }

  // A thread; Join() waits for all that were started.  `cpu` is where it runs.
  void Spawn(std::function<void()> body, int cpu = -1);
  void Join();

  // Number of reports of `kind` so far; those asked for are not held against the test.
  int Reports(ReportKind kind);
  // What a snapshot says of the queue (T3).
  int64_t Stat(const core::Workqueue* wq, core::PwqStat stat);
  // The texts of those reports.
  std::vector<std::string> ReportTexts(ReportKind kind);
  // Nothing of `wq` is queued or running, and its counts say so (A3, C6).
  void ExpectIdle(core::Workqueue* wq);

 private:
  void OnReport(const core::Report& report);

  std::unique_ptr<core::Runtime> runtime_;
  std::vector<core::Workqueue*> queues_;
  std::vector<base::Thread> threads_;
  std::mutex mutex_;
  std::vector<core::Report> reports_;
  bool expected_[static_cast<int>(ReportKind::kCount)] = {};
};

struct BodyOptions {
  // Simulator: `schedules` random ones; before them, if `exhaustive`, all that have at
  // most `preemptions`, of which there are some 10^5 in a small scenario on one CPU.
  bool exhaustive = false;
  int preemptions = 1;
  int64_t schedules = 2000;
  int64_t max_steps = 200000;
  bool time_races = false;
  // Real threads: how often the body is run.
  int repeat = 3;
  int nodes = 1;
  int cpus = 2;  // per node
  void (*tune)(core::RuntimeOptions* options) = nullptr;
};

void RunBody(const BodyOptions& options, const std::function<void(Env&)>& body);

// Test fixtures whose parameter is the kind of queue.
class OnKinds : public testing::TestWithParam<Kind> {};
inline std::string KindParamName(const testing::TestParamInfo<Kind>& info) {
  return KindName(info.param);
}

}  // namespace uwq::conformance

#define UWQ_BODY(suite, name, ...)                                            \
  static void suite##_##name##_Body(::uwq::conformance::Env& env);            \
  TEST(suite, name) {                                                         \
    ::uwq::conformance::RunBody(::uwq::conformance::BodyOptions{__VA_ARGS__}, \
                                &suite##_##name##_Body);                      \
  }                                                                           \
  static void suite##_##name##_Body([[maybe_unused]] ::uwq::conformance::Env& env)

// Needs `class suite : public OnKinds {};` and UWQ_ON_ALL_KINDS(suite) in the file.
#define UWQ_BODY_ON_KINDS(suite, name, ...)                                                       \
  static void suite##_##name##_Body(::uwq::conformance::Env& env, ::uwq::conformance::Kind kind); \
  TEST_P(suite, name) {                                                                           \
    ::uwq::conformance::RunBody(                                                                  \
        ::uwq::conformance::BodyOptions{__VA_ARGS__},                                             \
        [kind = GetParam()](::uwq::conformance::Env& env) { suite##_##name##_Body(env, kind); }); \
  }                                                                                               \
  static void suite##_##name##_Body([[maybe_unused]] ::uwq::conformance::Env& env,                \
                                    [[maybe_unused]] ::uwq::conformance::Kind kind)

#define UWQ_ON_ALL_KINDS(suite)                                                              \
  class suite : public ::uwq::conformance::OnKinds {};                                       \
  INSTANTIATE_TEST_SUITE_P(                                                                  \
      All, suite,                                                                            \
      testing::Values(::uwq::conformance::Kind::kPerCpu, ::uwq::conformance::Kind::kUnbound, \
                      ::uwq::conformance::Kind::kOrdered),                                   \
      ::uwq::conformance::KindParamName)

#endif  // UWQ_TESTS_CONFORMANCE_CORE_ENV_H_
