// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/base/sim/scheduler.h"

#include <stdio.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "workqueue/base/check.h"
#include "workqueue/base/sim/sim.h"

namespace uwq::sim {
namespace {

// So many steps of spin loops without anybody falling asleep, waking up, starting
// or ending mean that all wait for a deadline.
constexpr int kSpinsPerDeadline = 100;

constexpr int kOutsideId = 1;
constexpr int kRootId = 2;

using internal::Outside;

// All of one execution.  Fibers and the vectors are reused by the next one.
struct Scheduler {
  RunOptions options;
  Strategy* strategy = nullptr;
  RunResult result;
  bool stopping = false;    // a failure is noted; stop at the next point
  uint64_t executions = 0;  // started so far
  uint64_t decisions = 0;
  Nanos now_ns = kStartNs;
  int nr_spins = 0;  // since the list of runnable fibers changed
  int nr_burning = 0;
  int nr_deadlines = 0;  // fibers with a deadline, burning ones included
  bool root_done = false;

  std::vector<std::unique_ptr<Fiber>> fibers;  // the first nr_fibers are in use
  size_t nr_fibers = 0;
  std::vector<Fiber*> runnable;
  WaitQueue idle_waiters;
  std::map<const void*, int> object_numbers;  // tracing only: names without addresses
};

Scheduler& Sched() {
  static auto* scheduler = new Scheduler;
  return *scheduler;
}

// Fibers of failed executions.  Kept reachable: their stacks own memory.
std::vector<std::unique_ptr<Fiber>>& Graveyard() {
  static auto* graveyard = new std::vector<std::unique_ptr<Fiber>>;
  return *graveyard;
}

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

void AddRunnable(Fiber* fiber) {
  Scheduler& s = Sched();
  fiber->state = Fiber::State::kRunnable;
  fiber->run_index = s.runnable.size();
  s.runnable.push_back(fiber);
  s.nr_spins = 0;
  internal::nr_runnable = static_cast<int>(s.runnable.size());
}

void RemoveRunnable(Fiber* fiber, Fiber::State state) {
  Scheduler& s = Sched();
  fiber->state = state;
  Fiber* last = s.runnable.back();
  s.runnable[fiber->run_index] = last;
  last->run_index = fiber->run_index;
  s.runnable.pop_back();
  s.nr_spins = 0;
  internal::nr_runnable = static_cast<int>(s.runnable.size());
}

void SetDeadline(Fiber* fiber, Nanos deadline_ns) {
  Scheduler& s = Sched();
  s.nr_deadlines += (deadline_ns != kForever) - (fiber->deadline_ns != kForever);
  fiber->deadline_ns = deadline_ns;
}

std::string Describe(const Fiber& fiber) {
  std::string text = absl::StrCat(fiber.name, " (id ", fiber.id, ")");
  switch (fiber.state) {
    case Fiber::State::kRunnable:
      absl::StrAppend(&text, ": runnable, at ", fiber.op);
      break;
    case Fiber::State::kBlocked:
      absl::StrAppend(&text, ": blocked in ", fiber.op);
      if (fiber.holder != nullptr && *fiber.holder != nullptr) {
        absl::StrAppend(&text, ", which depends on ", (*fiber.holder)->name);
      }
      break;
    case Fiber::State::kBurning:
      absl::StrAppend(&text, ": computing");
      break;
    case Fiber::State::kDone:
      absl::StrAppend(&text, ": finished");
      break;
  }
  if (fiber.deadline_ns != kForever) {
    absl::StrAppend(&text, ", until +", fiber.deadline_ns - kStartNs, " ns");
  }
  return text;
}

std::string DescribeAll() {
  const Scheduler& s = Sched();
  std::string text =
      absl::StrCat(" (step ", s.result.steps, ", time +", s.now_ns - kStartNs, " ns). Threads:");
  for (size_t i = 0; i < s.nr_fibers; ++i) {
    if (s.fibers[i]->state != Fiber::State::kDone) {
      absl::StrAppend(&text, "\n    ", Describe(*s.fibers[i]));
    }
  }
  return text;
}

void SwitchTo(Fiber* next) {
  Fiber* previous = Self();
  internal::self = next;
  previous->context.SwitchTo(&next->context);
}

// Ends the execution from within a fiber; nothing of it runs again.
[[noreturn]] void Stop() {
  internal::active = false;
  internal::release_points = false;
  SwitchTo(Outside());
  __builtin_unreachable();
}

[[noreturn]] void StopWith(const std::string& what) {
  Scheduler& s = Sched();
  if (!s.stopping) {
    s.result.ok = false;
    s.result.failure = absl::StrCat(what, DescribeAll());
  }
  Stop();
}

void OnCheckFailed(const char* message) {
  if (internal::active && internal::self != Outside()) StopWith(message);
}

void WakeAtDeadline(Fiber* fiber) {
  Scheduler& s = Sched();
  SetDeadline(fiber, kForever);
  if (fiber->state == Fiber::State::kBurning) {
    --s.nr_burning;
    fiber->cpu_time_ns += s.now_ns - fiber->burn_start_ns;
  } else {
    fiber->timed_out = true;
    if (fiber->queue != nullptr) fiber->queue->Remove(fiber);
  }
  AddRunnable(fiber);
}

// Wakes the fibers whose deadlines have passed by then, in order of their ids.
void AdvanceClockTo(Nanos now_ns) {
  Scheduler& s = Sched();
  s.now_ns = now_ns;
  s.result.hash = Mix(s.result.hash, static_cast<uint64_t>(now_ns));
  if (s.options.trace) fprintf(stderr, "sim:   clock  +%ld ns\n", long(s.now_ns - kStartNs));
  for (size_t i = 0; i < s.nr_fibers; ++i) {
    Fiber* fiber = s.fibers[i].get();
    if (fiber->deadline_ns <= s.now_ns) WakeAtDeadline(fiber);
  }
}

// Jumps to the earliest deadline.
void AdvanceClock() {
  Scheduler& s = Sched();
  Nanos earliest = kForever;
  for (size_t i = 0; i < s.nr_fibers; ++i) {
    earliest = std::min(earliest, s.fibers[i]->deadline_ns);
  }
  UWQ_CHECK(earliest != kForever && earliest >= s.now_ns);
  AdvanceClockTo(earliest);
}

bool AnyAlive() {
  const Scheduler& s = Sched();
  for (size_t i = 0; i < s.nr_fibers; ++i) {
    if (s.fibers[i]->state != Fiber::State::kDone) return true;
  }
  return false;
}

// Nobody can run now.  Makes somebody runnable, or returns false: all are done.
bool MakeProgress() {
  Scheduler& s = Sched();
  if (!s.idle_waiters.empty()) {
    Fiber* fiber = s.idle_waiters.head;
    s.idle_waiters.Remove(fiber);
    Wake(fiber);
    return true;
  }
  if (s.root_done && s.nr_burning == 0) {
    if (!AnyAlive()) return false;
    StopWith("the body returned while threads it started still live");
  }
  if (s.nr_deadlines == 0) {
    StopWith("deadlock: every thread is blocked and no deadline is left");
  }
  AdvanceClock();
  return true;
}

void Trace(const Fiber* fiber) {
  Scheduler& s = Sched();
  int number = 0;
  if (fiber->object != nullptr) {
    number = s.object_numbers.emplace(fiber->object, s.object_numbers.size() + 1).first->second;
  }
  fprintf(stderr, "sim: %6ld  of %zu  %-15s  %s", long(s.result.steps), s.runnable.size(),
          fiber->name.c_str(), fiber->op);
  if (number != 0) fprintf(stderr, " #%d", number);
  fprintf(stderr, "\n");
}

// Null when the execution has come to its end.
Fiber* PickNext(Fiber* current, bool yielding) {
  Scheduler& s = Sched();
  for (;;) {
    if (s.runnable.empty()) {
      if (!MakeProgress()) return nullptr;
      continue;
    }
    const bool can_advance = s.options.time_races && s.nr_deadlines > 0;
    Fiber* next = s.runnable.front();
    if (s.runnable.size() > 1 || can_advance) {
      next = s.strategy->Pick({current, yielding, can_advance, s.runnable});
      if (s.stopping) Stop();
      if (next == nullptr) {
        AdvanceClock();
        continue;
      }
      s.result.hash = Mix(s.result.hash, static_cast<uint64_t>(next->id));
    }
    next->last_run = ++s.decisions;
    if (s.options.trace) Trace(next);
    return next;
  }
}

void CountStep() {
  Scheduler& s = Sched();
  if (s.stopping) Stop();
  if (++s.result.steps > s.options.max_steps) {
    StopWith(absl::StrCat("livelock? more than ", s.options.max_steps, " steps"));
  }
}

void RunBody(void* argument) {
  auto* fiber = static_cast<Fiber*>(argument);
  Scheduler& s = Sched();
  fiber->body();
  fiber->body = nullptr;  // what it captured may use sync objects, so while alive
  if (s.stopping) Stop();
  fiber->op = "end";
  RemoveRunnable(fiber, Fiber::State::kDone);
  if (fiber->id == kRootId) s.root_done = true;
  while (!fiber->joiners.empty()) {
    Fiber* joiner = fiber->joiners.head;
    fiber->joiners.Remove(joiner);
    Wake(joiner);
  }
  Fiber* next = PickNext(nullptr, false);
  if (next == nullptr) {
    internal::active = false;
    internal::release_points = false;
    next = Outside();
  }
  internal::self = next;
  fiber->context.SwitchAndFinish(&next->context);
}

// Makes the scheduler's own state that of a new execution.
void Reset(const RunOptions& options, Strategy* strategy) {
  Scheduler& s = Sched();
  s.options = options;
  s.strategy = strategy;
  s.result = RunResult();
  s.stopping = false;
  ++s.executions;
  s.decisions = 0;
  s.now_ns = kStartNs;
  s.nr_spins = 0;
  s.nr_burning = 0;
  s.nr_deadlines = 0;
  s.root_done = false;
  s.nr_fibers = 0;
  s.runnable.clear();
  s.idle_waiters = WaitQueue();
  s.object_numbers.clear();
  internal::nr_runnable = 0;
}

void Bury() {
  Scheduler& s = Sched();
  for (size_t i = 0; i < s.nr_fibers; ++i) {
    if (!s.fibers[i]->context.has_stack()) continue;  // it ended
    Graveyard().push_back(std::move(s.fibers[i]));
    s.fibers[i] = std::make_unique<Fiber>();
  }
}

}  // namespace

namespace internal {
Fiber* self = nullptr;
bool active = false;
int nr_runnable = 0;
bool release_points = false;

Fiber* Outside() {
  static Fiber* const outside = [] {
    auto* fiber = new Fiber;
    fiber->id = kOutsideId;
    fiber->name = "outside";
    fiber->state = Fiber::State::kRunnable;
    return fiber;
  }();
  return outside;
}

void PointSlow(const char* op, const void* object) {
  CountStep();
  Scheduler& s = Sched();
  if (nr_runnable == 1 && !s.options.time_races) {
    if (s.options.trace) {
      self->op = op;
      self->object = object;
      Trace(self);
    }
    return;
  }
  self->op = op;
  self->object = object;
  Fiber* next = PickNext(self, false);
  if (next != self) SwitchTo(next);
}

void AfterReleaseSlow() { PointSlow("after a release", nullptr); }

}  // namespace internal

void WaitQueue::PushBack(Fiber* fiber) {
  UWQ_CHECK(fiber->queue == nullptr);
  fiber->queue = this;
  fiber->queue_prev = tail;
  fiber->queue_next = nullptr;
  (tail != nullptr ? tail->queue_next : head) = fiber;
  tail = fiber;
}

void WaitQueue::Remove(Fiber* fiber) {
  UWQ_CHECK(fiber->queue == this);
  (fiber->queue_prev != nullptr ? fiber->queue_prev->queue_next : head) = fiber->queue_next;
  (fiber->queue_next != nullptr ? fiber->queue_next->queue_prev : tail) = fiber->queue_prev;
  fiber->queue = nullptr;
}

RunResult Run(const RunOptions& options, Strategy* strategy, const std::function<void()>& body) {
  UWQ_CHECK(!internal::active);
  base::SetCheckHook(&OnCheckFailed);
  Scheduler& s = Sched();
  Reset(options, strategy);
  Fiber* root = StartFiber("root", 0, body);
  internal::active = true;
  internal::release_points = options.release_points;
  root->last_run = ++s.decisions;
  SwitchTo(root);
  // Back here the fiber that ended the execution has set self and active.
  Bury();
  s.result.hash = Mix(s.result.hash, static_cast<uint64_t>(s.result.steps));
  s.nr_fibers = 0;
  s.runnable.clear();
  internal::nr_runnable = 0;
  return std::move(s.result);
}

bool Block(const char* op, const void* object, WaitQueue* queue, Nanos deadline_ns,
           Fiber* const* holder) {
  Fiber* self = Self();
  if (!Active()) {
    base::CheckFailed(__FILE__, __LINE__,
                      absl::StrCat(op, " would block outside of an execution").c_str());
  }
  CountStep();
  self->op = op;
  self->object = object;
  self->holder = holder;
  self->timed_out = false;
  if (queue != nullptr && self->queue == nullptr) queue->PushBack(self);
  SetDeadline(self, deadline_ns);
  RemoveRunnable(self, Fiber::State::kBlocked);
  Fiber* next = PickNext(nullptr, false);
  if (next != self) SwitchTo(next);
  self->holder = nullptr;
  return !self->timed_out;
}

void Wake(Fiber* fiber) {
  if (fiber->state != Fiber::State::kBlocked) return;
  SetDeadline(fiber, kForever);
  AddRunnable(fiber);
}

void Suspend(Fiber* fiber) {
  if (fiber->state == Fiber::State::kRunnable) RemoveRunnable(fiber, Fiber::State::kBlocked);
}

void Yield() {
  if (!Active()) return;
  CountStep();
  Scheduler& s = Sched();
  internal::self->op = "CpuRelax";
  internal::self->object = nullptr;
  if (s.runnable.size() == 1 && !s.idle_waiters.empty()) {
    (void)MakeProgress();
  } else if (s.nr_deadlines > 0 && (s.runnable.size() == 1 || ++s.nr_spins >= kSpinsPerDeadline)) {
    AdvanceClock();  // spinning takes time, and nobody else does anything
  }
  if (s.runnable.size() == 1) return;
  Fiber* next = PickNext(internal::self, true);
  if (next != internal::self) SwitchTo(next);
}

Fiber* StartFiber(const std::string& name, int cpu, std::function<void()> body) {
  Scheduler& s = Sched();
  if (s.nr_fibers == s.fibers.size()) s.fibers.push_back(std::make_unique<Fiber>());
  Fiber* fiber = s.fibers[s.nr_fibers].get();
  fiber->id = kRootId + static_cast<int>(s.nr_fibers);
  ++s.nr_fibers;
  if (name.empty()) {
    fiber->name = absl::StrCat("thread-", fiber->id);
  } else {
    fiber->name = name;
  }
  std::fill(std::begin(fiber->slots), std::end(fiber->slots), nullptr);
  fiber->cpu = cpu;
  fiber->cpu_time_ns = 0;
  fiber->op = "start";
  fiber->object = nullptr;
  fiber->holder = nullptr;
  fiber->deadline_ns = kForever;
  fiber->timed_out = false;
  fiber->reacquire = nullptr;
  fiber->queue = nullptr;
  fiber->last_run = 0;
  fiber->joiners = WaitQueue();
  fiber->join_target = nullptr;
  fiber->body = std::move(body);
  fiber->context.Prepare(&RunBody, fiber);
  AddRunnable(fiber);
  s.strategy->FiberStarted(fiber);
  return fiber;
}

Fiber* FindFiber(int id) {
  Scheduler& s = Sched();
  if (id == kOutsideId) return Outside();
  const size_t index = static_cast<size_t>(id - kRootId);
  return id >= kRootId && index < s.nr_fibers ? s.fibers[index].get() : nullptr;
}

Nanos CpuTimeOf(const Fiber* fiber) {
  Nanos total = fiber->cpu_time_ns;
  if (fiber->state == Fiber::State::kBurning) total += Sched().now_ns - fiber->burn_start_ns;
  return total;
}

Nanos VirtualNow() { return Sched().now_ns; }
uint64_t ExecutionNumber() { return Sched().executions; }
int Cpus() { return Sched().options.cpus; }

void NoteFailure(const std::string& message) {
  Scheduler& s = Sched();
  if (!internal::active || s.stopping) return;
  s.result.ok = false;
  s.result.failure = absl::StrCat(message, DescribeAll());
  s.stopping = true;
}

// ---- sim.h ----

void BurnCpu(Nanos duration_ns) {
  UWQ_CHECK(Active() && duration_ns >= 0);
  Point("BurnCpu", nullptr);
  if (duration_ns == 0) return;
  Scheduler& s = Sched();
  Fiber* self = Self();
  self->burn_start_ns = s.now_ns;
  SetDeadline(self, s.now_ns + duration_ns);
  RemoveRunnable(self, Fiber::State::kBurning);
  ++s.nr_burning;
  Fiber* next = PickNext(nullptr, false);
  if (next != self) SwitchTo(next);
}

void SleepFor(Nanos duration_ns) {
  UWQ_CHECK(Active() && duration_ns >= 0);
  if (duration_ns == 0) {
    Point("SleepFor", nullptr);
    return;
  }
  (void)Block("SleepFor", nullptr, nullptr, Sched().now_ns + duration_ns, nullptr);
}

void StandStill(Nanos duration_ns) {
  UWQ_CHECK(Active() && duration_ns >= 0);
  Point("StandStill", nullptr);
  AdvanceClockTo(Sched().now_ns + duration_ns);
}

void RunUntilIdle() {
  UWQ_CHECK(Active());
  (void)Block("RunUntilIdle", nullptr, &Sched().idle_waiters, kForever, nullptr);
}

void SetCurrentCpu(int cpu) { Self()->cpu = cpu; }

int Choose(int count) {
  UWQ_CHECK(Active() && count >= 1);
  if (count == 1) return 0;
  Scheduler& s = Sched();
  const int choice = s.strategy->Choose(count);
  if (s.stopping) Stop();
  s.result.hash = Mix(s.result.hash, static_cast<uint64_t>(choice) + 1000003);
  if (s.options.trace) fprintf(stderr, "sim:   choice  %d of %d\n", choice, count);
  return choice;
}

void Fail(const std::string& message) {
  UWQ_CHECK(Active());
  StopWith(message);
}

}  // namespace uwq::sim
