// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/base/sync_sim.h"

#include "absl/strings/str_cat.h"
#include "workqueue/base/check.h"
#include "workqueue/base/fault.h"
#include "workqueue/base/sim/sim.h"
#include "workqueue/base/sync.h"

namespace uwq::base {
namespace {

// Destructors report only what the running execution did: after a failure the
// objects of abandoned threads stay as they were.
void CheckUnused(bool unused, const char* what) {
  if (!unused && sim::Active()) CheckFailed(__FILE__, __LINE__, what);
}

}  // namespace

// ---- Mutex ----

Mutex::~Mutex() { CheckUnused(owner_ == nullptr && waiters_.empty(), "Mutex destroyed in use"); }

// Whoever announced Lock() before cannot go on now.
void Mutex::Take() {
  UWQ_CHECK(owner_ == nullptr);
  owner_ = sim::Self();
  for (sim::Fiber* f = waiters_.head; f != nullptr; f = f->queue_next) sim::Suspend(f);
}

void Mutex::Drop() {
  UWQ_CHECK(owner_ == sim::Self());
  owner_ = nullptr;
  for (sim::Fiber* f = waiters_.head; f != nullptr; f = f->queue_next) sim::Wake(f);
}

void Mutex::Lock(const char* op) {
  sim::Fiber* self = sim::Self();
  if (owner_ != nullptr) {
    (void)sim::Block(op, this, &waiters_, kForever, &owner_);
    waiters_.Remove(self);
  } else if (sim::Active() && sim::internal::nr_runnable > 1) {
    waiters_.PushBack(self);
    self->holder = &owner_;
    sim::Point(op, this);
    self->holder = nullptr;
    waiters_.Remove(self);
  } else {
    sim::Point(op, this);
    if (owner_ != nullptr) {  // time may pass even for the only one that can run
      Lock(op);
      return;
    }
  }
  Take();
}

void Mutex::Lock() { Lock("Mutex::Lock"); }

void Mutex::Unlock() {
  Drop();
  sim::AfterRelease();
}

bool Mutex::TryLock() {
  sim::Point("Mutex::TryLock", this);
  if (owner_ != nullptr) return false;
  Take();
  return true;
}

void Mutex::AssertHeld() const { UWQ_CHECK(owner_ == sim::Self()); }

// ---- CondVar ----

CondVar::~CondVar() { CheckUnused(waiters_.empty(), "CondVar destroyed with waiters"); }

void CondVar::Wait(Mutex* mu) { (void)WaitUntil(mu, kForever); }

bool CondVar::WaitUntil(Mutex* mu, Nanos deadline_ns) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  // Whoever notifies without the mutex can do so here, before we sleep.
  sim::Point("CondVar::Wait", this);
  sim::Fiber* self = sim::Self();
  mu->Drop();
  if (deadline_ns <= Now()) {
    mu->Lock("CondVar::Wait (mutex)");
    return false;
  }
  self->reacquire = mu;
  const bool notified = sim::Block("CondVar::Wait", this, &waiters_, deadline_ns, nullptr);
  self->reacquire = nullptr;
  if (!notified) {
    mu->Lock("CondVar::Wait (mutex)");
    return false;
  }
  mu->waiters_.Remove(self);  // where Notify() put us; we are here, so it is free
  mu->Take();
  return true;
}

// The waiter now waits for its mutex: it need not run in between.
void CondVar::Notify(sim::Fiber* fiber) {
  UWQ_CHECK(fiber != nullptr);
  Mutex* mu = fiber->reacquire;
  waiters_.Remove(fiber);
  mu->waiters_.PushBack(fiber);
  sim::Wake(fiber);
  fiber->op = "CondVar::Wait (mutex)";
  fiber->object = mu;
  fiber->holder = &mu->owner_;
  if (mu->owner_ != nullptr) sim::Suspend(fiber);
}

void CondVar::NotifyOne() {
  sim::Point("CondVar::NotifyOne", this);
  if (waiters_.empty()) return;
  int count = 0;
  for (sim::Fiber* f = waiters_.head; f != nullptr; f = f->queue_next) ++count;
  sim::Fiber* chosen = waiters_.head;
  for (int skip = count > 1 ? sim::Choose(count) : 0; skip > 0; --skip) {
    UWQ_CHECK(chosen != nullptr);
    chosen = chosen->queue_next;
  }
  Notify(chosen);
  sim::AfterRelease();
}

void CondVar::NotifyAll() {
  sim::Point("CondVar::NotifyAll", this);
  while (!waiters_.empty()) Notify(waiters_.head);
  sim::AfterRelease();
}

// ---- Completion ----

Completion::~Completion() { CheckUnused(waiters_.empty(), "Completion destroyed with a waiter"); }

bool Completion::WaitUntil(Nanos deadline_ns) {
  if (set_) {
    sim::Point("Completion::Wait", this);
    return set_;
  }
  if (deadline_ns <= Now()) {
    sim::Point("Completion::Wait", this);
    return set_;
  }
  UWQ_CHECK(waiters_.empty());
  (void)sim::Block("Completion::Wait", this, &waiters_, deadline_ns, nullptr);
  return set_;  // perhaps set between the deadline and now
}

void Completion::Set() {
  sim::Point("Completion::Set", this);
  set_ = true;
  sim::Fiber* waiter = waiters_.head;
  if (waiter != nullptr) {
    waiters_.Remove(waiter);
    sim::Wake(waiter);
  }
  sim::AfterRelease();  // *this may be gone
}

void Completion::Reset() {
  sim::Point("Completion::Reset", this);
  UWQ_CHECK(waiters_.empty());
  set_ = false;
}

// ---- Parker ----

Parker::~Parker() { CheckUnused(waiters_.empty(), "Parker destroyed while parked"); }

bool Parker::ParkUntil(Nanos deadline_ns) {
  if (token_ || deadline_ns <= Now()) {
    sim::Point("Parker::Park", this);
  } else {
    UWQ_CHECK(waiters_.empty());
    (void)sim::Block("Parker::Park", this, &waiters_, deadline_ns, nullptr);
  }
  return std::exchange(token_, false);
}

bool Parker::Unpark() {
  sim::Point("Parker::Unpark", this);
  token_ = true;
  sim::Fiber* owner = waiters_.head;
  if (owner != nullptr) {
    waiters_.Remove(owner);
    sim::Wake(owner);
  }
  sim::AfterRelease();  // *this may be gone
  return owner != nullptr;
}

// ---- Thread ----

ThreadId SelfId() { return sim::Self()->id; }

absl::StatusOr<Thread> Thread::Start(const Options& options, std::function<void()> body) {
  sim::Point("Thread::Start", nullptr);
  if (FaultInjected("thread_create")) {
    return absl::ResourceExhaustedError(absl::StrCat("thread ", options.name, ": injected fault"));
  }
  if (!sim::Active()) CheckFailed(__FILE__, __LINE__, "Thread::Start outside of an execution");
  int cpu = sim::Self()->cpu;
  if (options.cpu >= 0) {
    if (options.cpu < sim::Cpus()) cpu = options.cpu;
  } else if (options.cpus != nullptr) {
    for (int i = sim::Cpus() - 1; i >= 0; --i) {
      if (CPU_ISSET(i, options.cpus)) cpu = i;
    }
  }
  Thread thread;
  thread.id_ = sim::StartFiber(options.name, cpu, std::move(body))->id;
  thread.execution_ = sim::ExecutionNumber();
  return thread;
}

void Thread::Join() {
  UWQ_CHECK(joinable());
  UWQ_CHECK(execution_ == sim::ExecutionNumber() && sim::Active());
  sim::Fiber* target = sim::FindFiber(id_);
  UWQ_CHECK(target != nullptr && target != sim::Self());
  if (target->state == sim::Fiber::State::kDone) {
    sim::Point("Thread::Join", target);
  } else {
    sim::Self()->join_target = target;
    (void)sim::Block("Thread::Join", target, &target->joiners, kForever, &sim::Self()->join_target);
  }
  id_ = 0;
}

void SetThreadName(const std::string& name) { sim::Self()->name = name; }

ThreadProbe ProbeThread(ThreadId id) {
  sim::Point("ProbeThread", nullptr);
  ThreadProbe probe;
  const sim::Fiber* fiber = sim::FindFiber(id);
  if (fiber == nullptr || fiber->state == sim::Fiber::State::kDone) return probe;
  probe.valid = true;
  probe.sleeping = fiber->state == sim::Fiber::State::kBlocked;
  probe.cpu_time_ns = sim::CpuTimeOf(fiber);
  return probe;
}

Nanos Now() { return sim::VirtualNow(); }
int OnlineCpus() { return sim::Cpus(); }

}  // namespace uwq::base
