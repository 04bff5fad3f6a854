// SPDX-License-Identifier: BSD-3-Clause
#include "tests/conformance/core/env.h"

#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <utility>

#include "workqueue/core/dump.h"
#include "workqueue/core/pool_workqueue.h"

#if defined(UWQ_SIM)
#include "tests/sim/explorer.h"
#include "workqueue/base/sim/sim.h"
#else
#include <sched.h>
#include <time.h>

#include <fstream>
#include <random>
#endif

namespace uwq::conformance {

using core::Workqueue;

// --- The two worlds ---------------------------------------------------------------------

int Scaled(int rounds) {
  static const int scale = [] {
    const char* text = getenv("UWQ_TEST_SCALE");
    return text == nullptr ? 1 : std::max(1, atoi(text));
  }();
  return rounds * scale;
}

#if defined(UWQ_SIM)

namespace {
// A failed execution is abandoned as it stands, with the locks it holds: what
// follows in its process would only fail for that reason.
class StopAtFirstFailure : public testing::Environment {
  void SetUp() override { GTEST_FLAG_SET(fail_fast, true); }
};
testing::Environment* const stop_at_first_failure =
    testing::AddGlobalTestEnvironment(new StopAtFirstFailure);

// AddressSanitizer makes an execution some twenty times as long, each fiber's stack being
// laid out anew, and looks for what is wrong in any one of them: it gets a part.
#if defined(__SANITIZE_ADDRESS__)
#define UWQ_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UWQ_ASAN 1
#endif
#endif
#if defined(UWQ_ASAN)
constexpr bool kPartOnly = true;
#else
constexpr bool kPartOnly = false;
#endif
constexpr int64_t kPart = 25, kExhaustivePart = 500;
}  // namespace

void Sleep(Nanos duration) { sim::SleepFor(duration); }
void Burn(Nanos cpu_time) { sim::BurnCpu(cpu_time); }
void Step() {
  base::Atomic<int> point{0};
  (void)point.load();
}
void Settle() { sim::RunUntilIdle(); }
void AwaitTrue(const std::function<bool()>& condition) {
  while (!condition()) base::CpuRelax();
}
int Choose(int count) { return count < 2 ? 0 : sim::Choose(count); }
void PretendCpu(int cpu) { sim::SetCurrentCpu(cpu); }
std::string ThreadName(base::ThreadId id) {
  const sim::Fiber* fiber = sim::FindFiber(id);
  return fiber == nullptr || fiber->state == sim::Fiber::State::kDone ? "" : fiber->name;
}

void RunBody(const BodyOptions& options, const std::function<void(Env&)>& body) {
  sim::Options explore;
  explore.max_steps = options.max_steps;
  explore.time_races = options.time_races;
  explore.cpus = options.nodes * options.cpus;
  const auto execution = [&] {
    core::RuntimeOptions runtime;
    runtime.topology = core::Topology::Emulated(options.nodes, options.cpus);
    if (options.tune != nullptr) options.tune(&runtime);
    Env env(std::move(runtime));
    body(env);
    env.Finish();
  };
  if (options.exhaustive) {
    sim::Options all = explore;
    all.exhaustive = true;
    all.preemption_bound = options.preemptions;
    if (kPartOnly) all.max_executions = kExhaustivePart;
    const sim::Result result = sim::ExploreOrFail(all, execution);
    // A replay runs one schedule, and one of random ones none of these.
    const bool replay = getenv("UWQ_SIM_PATH") != nullptr || getenv("UWQ_SIM_SEED") != nullptr;
    EXPECT_TRUE(result.complete || !result.ok || replay || kPartOnly)
        << "not all schedules with " << options.preemptions << " preemptions within "
        << result.executions;
    if (!result.ok) return;
  }
  explore.max_executions = options.schedules;
  if (kPartOnly) explore.max_executions = 1 + options.schedules / kPart;
  sim::ExploreOrFail(explore, execution);
}

#else

namespace {
void NanoSleep(Nanos duration) {
  timespec left{duration / kSecond, duration % kSecond};
  while (nanosleep(&left, &left) != 0) {
  }
}
}  // namespace

void Sleep(Nanos duration) { NanoSleep(duration); }
void Burn(Nanos cpu_time) {
  const auto used = [] {
    timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * kSecond + ts.tv_nsec;
  };
  for (const Nanos end = used() + cpu_time; used() < end;) {
  }
}
void Step() { sched_yield(); }
void Settle() { NanoSleep(3 * kMillisecond); }
void AwaitTrue(const std::function<bool()>& condition) {
  while (!condition()) sched_yield();
}
void PretendCpu(int) {}
int Choose(int count) {
  static std::atomic<unsigned> seed{1};
  thread_local std::minstd_rand random(++seed * 7919u);
  return count < 2 ? 0 : static_cast<int>(random() % static_cast<unsigned>(count));
}
std::string ThreadName(base::ThreadId id) {
  std::ifstream file("/proc/self/task/" + std::to_string(id) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

void RunBody(const BodyOptions& options, const std::function<void(Env&)>& body) {
  for (int i = 0; i < Scaled(options.repeat) && !testing::Test::HasFailure(); ++i) {
    core::RuntimeOptions runtime;
    runtime.topology = core::Topology::Emulated(options.nodes, options.cpus);
    if (options.tune != nullptr) options.tune(&runtime);
    Env env(std::move(runtime));
    body(env);
    env.Finish();
  }
}

#endif

void ScopedSleep(Nanos duration) {
  core::BlockingScope blocking;
  Sleep(duration);
}

Workqueue* CurrentQueue() {
  const core::Worker* const worker = core::CurrentWorker();
  if (worker == nullptr || worker->current_pwq == nullptr) return nullptr;
  return worker->current_pwq->wq.load(std::memory_order_relaxed);
}

int CurrentPoolCpu() { return core::CurrentWorker()->pool->cpu; }
int CurrentPoolId() { return core::CurrentWorker()->pool->id; }

// --- Gate, Item, Log, Crowd ---------------------------------------------------------------

void Gate::Pass() {
  {
    base::MutexLock lock(&mutex_);
    ++arrivals_;
    changed_.NotifyAll();
    if (open_) return;
  }
  core::BlockingScope blocking;  // takes the pool's lock, hence not under ours
  base::MutexLock lock(&mutex_);
  while (!open_) changed_.Wait(&mutex_);
}

void Gate::Open() {
  base::MutexLock lock(&mutex_);
  open_ = true;
  changed_.NotifyAll();
}

void Gate::AwaitArrivals(int count) {
  core::BlockingScope blocking;
  base::MutexLock lock(&mutex_);
  while (arrivals_ < count) changed_.Wait(&mutex_);
}

int Gate::arrivals() {
  base::MutexLock lock(&mutex_);
  return arrivals_;
}

namespace {
void RaiseTo(std::atomic<int>* max, int value) {
  int seen = max->load();
  while (seen < value && !max->compare_exchange_weak(seen, value)) {
  }
}
}  // namespace

Item::Item(std::function<void()> body, core::WorkFunc func) : body_(std::move(body)) {
  core::InitWord(&work_, func);
}

Item::~Item() {
  if (core::WorkBusy(&work_) == 0) return;
  ADD_FAILURE() << "an item outlives its scenario, busy " << core::WorkBusy(&work_) << " after "
                << runs() << " runs";
  (void)core::CancelWorkSync(&work_);
}

void Item::Run(core::WorkItem* work) {
  Item* const self = reinterpret_cast<Item*>(work);
  ++self->runs_;
  RaiseTo(&self->max_running_, ++self->running_);
  Step();
  if (self->body_) self->body_();
  --self->running_;
}

void Log::Add(int id) {
  std::lock_guard<std::mutex> lock(mutex_);
  ids_.push_back(id);
}
std::vector<int> Log::ids() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return ids_;
}
size_t Log::size() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return ids_.size();
}

void Crowd::Enter() { RaiseTo(&max_, ++inside_); }

std::string KindName(Kind kind) {
  switch (kind) {
    case Kind::kPerCpu:
      return "PerCpu";
    case Kind::kUnbound:
      return "Unbound";
    case Kind::kOrdered:
      return "Ordered";
  }
  return "?";
}

// --- Env ------------------------------------------------------------------------------------

Env::Env(core::RuntimeOptions options) {
  core::ResetReports();
  core::SetReportHandler([this](const core::Report& report) { OnReport(report); });
  absl::StatusOr<std::unique_ptr<core::Runtime>> runtime =
      core::Runtime::Create(std::move(options));
  if (!runtime.ok()) {
    fprintf(stderr, "env: %s\n", std::string(runtime.status().message()).c_str());
    abort();
  }
  runtime_ = *std::move(runtime);
}

Env::~Env() { Finish(); }

void Env::Finish() {
  if (runtime_ == nullptr) return;
  Join();
  while (!queues_.empty()) Destroy(queues_.back());
  runtime_.reset();
  core::SetReportHandler(nullptr);
  for (const core::Report& report : reports_) {
    if (expected_[static_cast<int>(report.kind)]) continue;
    ADD_FAILURE() << "unexpected report, " << core::ReportKindName(report.kind) << ": "
                  << report.text << "\n"
                  << report.stack;
  }
}

Workqueue* Env::Alloc(const std::string& name, unsigned flags, int max_active) {
  absl::StatusOr<Workqueue*> wq = core::AllocWorkqueue(runtime_.get(), {name, flags, max_active});
  if (!wq.ok()) {
    fprintf(stderr, "env: %s\n", std::string(wq.status().message()).c_str());
    abort();
  }
  queues_.push_back(*wq);
  return *wq;
}

Workqueue* Env::Make(Kind kind, int max_active, unsigned extra_flags) {
  switch (kind) {
    case Kind::kPerCpu:
      return Alloc("percpu", core::kWqPercpu | extra_flags, max_active);
    case Kind::kUnbound:
      return Alloc("unbound", core::kWqUnbound | extra_flags, max_active);
    case Kind::kOrdered:
      return Alloc("ordered", core::kWqUnbound | core::kWqOrdered | extra_flags);
  }
  return nullptr;
}

void Env::Destroy(Workqueue* wq) {
  queues_.erase(std::remove(queues_.begin(), queues_.end(), wq), queues_.end());
  core::DestroyWorkqueue(wq);
}

void Env::Spawn(std::function<void()> body, int cpu) {
  base::Thread::Options options;
  options.name = "t" + std::to_string(threads_.size());
  if (cpu >= 0 && cpu < base::OnlineCpus()) options.cpu = cpu;
  absl::StatusOr<base::Thread> thread = base::Thread::Start(options, std::move(body));
  if (!thread.ok()) {
    fprintf(stderr, "env: %s\n", std::string(thread.status().message()).c_str());
    abort();
  }
  threads_.push_back(*std::move(thread));
}

void Env::Join() {
  for (base::Thread& thread : threads_) thread.Join();
  threads_.clear();
}

void Env::OnReport(const core::Report& report) {
  std::lock_guard<std::mutex> lock(mutex_);
  reports_.push_back(report);
}

int64_t Env::Stat(const Workqueue* wq, core::PwqStat stat) {
  for (const core::WorkqueueSnapshot& s : core::TakeSnapshot(runtime()).workqueues) {
    if (s.name == wq->name) return s.stats[static_cast<int>(stat)];
  }
  return -1;
}

int Env::Reports(ReportKind kind) { return static_cast<int>(ReportTexts(kind).size()); }

std::vector<std::string> Env::ReportTexts(ReportKind kind) {
  std::lock_guard<std::mutex> lock(mutex_);
  expected_[static_cast<int>(kind)] = true;
  std::vector<std::string> texts;
  for (const core::Report& report : reports_) {
    if (report.kind == kind) texts.push_back(report.text);
  }
  return texts;
}

void Env::ExpectIdle(Workqueue* wq) {
  for (const core::WorkqueueSnapshot& s : core::TakeSnapshot(runtime_.get()).workqueues) {
    if (s.name != wq->name) continue;
    EXPECT_EQ(s.nr_active, 0) << s.name;
    EXPECT_EQ(s.nr_inactive, 0) << s.name;
    EXPECT_EQ(s.nr_in_flight, 0) << s.name;
  }
}

}  // namespace uwq::conformance
