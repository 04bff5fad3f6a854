// SPDX-License-Identifier: BSD-3-Clause
//
// worker_pool.cc -- making, waking, idling and ending workers.
#include "workqueue/core/worker_pool.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "workqueue/base/fault.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/runtime.h"

namespace uwq::core {

using base::MutexLock;

namespace {
constexpr int kHighpriNice = -20;
}

void AfterUnlock::RunSome() {
  if (wake != nullptr) std::exchange(wake, nullptr)->parker.Unpark();
  if (activate != nullptr) std::exchange(activate, nullptr)->ActivatePending();
  if (poke_service != nullptr) std::exchange(poke_service, nullptr)->PokeService();
}

WorkerPool::WorkerPool(Runtime* runtime, int id, int cpu, bool highpri, bool bh)
    : runtime(runtime),
      id(id),
      cpu(cpu),
      highpri(highpri),
      bh(bh),
      idle_word((static_cast<Word>(id) << kPoolShift) | off_flags()),
      door_word((static_cast<Word>(id) << kPoolShift) | kDoor | kPending) {
  base::ListInit(&worklist);
}

WorkerPool::~WorkerPool() = default;

absl::Status WorkerPool::Start() {
  {
    MutexLock held(&lock);
    stopping = false;
    if (nr_workers > 0 || runtime->options().manual) return absl::OkStatus();
  }
  return CreateWorker();
}

void WorkerPool::Stop() {
  std::vector<Worker*> victims;
  {
    MutexLock held(&lock);
    stopping = true;
    manager_cv_.NotifyAll();
    while (manager != nullptr) manager_cv_.Wait(&lock);
    for (Worker* w : workers) {
      w->flags |= Worker::kDie;
      victims.push_back(w);
    }
  }
  for (Worker* w : victims) w->parker.Unpark();
  for (Worker* w : victims) w->thread.Join();
  MutexLock held(&lock);
  for (Worker* w : victims) {
    if ((w->flags & Worker::kIdle) != 0) idle_list.remove(w);
    workers.remove(w);
    spare_.push_back(w);
  }
  nr_workers = nr_idle = nr_running = 0;
  mayday_at_ns = reap_at_ns = 0;
  watched = false;
  standby = nullptr;
  UpdateAttendedLocked();
}

void WorkerPool::Reattribute(const PoolAttrs& next) {
  MutexLock held(&lock);  // a snapshot may be reading them
  attrs = next;
}

// --- Creation ---------------------------------------------------------------------------

base::Thread::Options WorkerPool::ThreadOptions(const Worker& worker, cpu_set_t* cpus) const {
  base::Thread::Options options;
  const Topology& topology = runtime->topology();
  if (!unbound()) {
    options.name = absl::StrCat("kworker/", cpu, ":", worker.id, highpri ? "H" : "");
    if (bh) options.name = absl::StrCat("ksoftirq/", cpu, highpri ? "H" : "");
    if (runtime->options().pin_workers) options.cpu = topology.MachineCpu(cpu);
    if (highpri) options.nice = kHighpriNice;
    return options;
  }
  options.name = absl::StrCat("kworker/u", id & 0xfff, ":", worker.id, attrs.nice < 0 ? "H" : "");
  options.nice = attrs.nice;
  const CpuMask& mask = attrs.affn_strict ? attrs.pod_mask : attrs.cpumask;
  if (mask.any() && mask != topology.all()) {
    CPU_ZERO(cpus);
    for (int i = 0; i < topology.nr_cpus(); ++i) {
      if (mask.test(i) && topology.MachineCpu(i) >= 0) CPU_SET(topology.MachineCpu(i), cpus);
    }
    if (CPU_COUNT(cpus) > 0) options.cpus = cpus;
  }
  return options;
}

absl::Status WorkerPool::CreateWorker() {
  Worker* worker = nullptr;
  {
    MutexLock held(&lock);
    if (!spare_.empty()) {
      worker = spare_.back();
      spare_.pop_back();
    } else if (!base::FaultInjected("alloc_worker")) {
      owned_.push_back(std::make_unique<Worker>());
      worker = owned_.back().get();
    }
    if (worker == nullptr) {
      return absl::ResourceExhaustedError(absl::StrCat("no memory for a worker of ", Describe()));
    }
    worker->pool = this;
    worker->flags = Worker::kPrep;
    worker->id = next_worker_id_++;
    base::ListInit(&worker->scheduled);
    base::ListInit(&worker->idle_node);
    base::ListInit(&worker->all_node);
  }
  cpu_set_t cpus;
  absl::StatusOr<base::Thread> thread =
      base::Thread::Start(ThreadOptions(*worker, &cpus), [this, worker] { WorkerMain(worker); });
  AfterUnlock after;
  MutexLock held(&lock);
  if (!thread.ok()) {
    spare_.push_back(worker);
    return thread.status();
  }
  // It sleeps on its parker and is woken like any other idle worker.
  worker->thread = *std::move(thread);
  worker->tid.store(worker->thread.id(), std::memory_order_relaxed);
  ++nr_workers;
  workers.push_back(worker);
  EnterIdleLocked(worker, &after);
  return absl::OkStatus();
}

bool WorkerPool::NeedToCreate() {
  MutexLock held(&lock);
  return !stopping && NeedToCreateWorker(ViewLocked());
}

// P9.  Returns true if the lock was dropped: the caller looks at everything again.
bool WorkerPool::ManageLocked(Worker* worker) {
  if (manager != nullptr) return false;
  manager = worker;
  do {
    // R2: if no worker can be made for that long, rescuers take over.
    mayday_at_ns = base::Now() + runtime->options().mayday_initial_ns;
    lock.Unlock();
    runtime->PokeService();
    while (!CreateWorker().ok() && NeedToCreate()) {
      AfterUnlock after;
      MutexLock held(&lock);
      WatchLocked(&after);  // W1: nobody else may look at this pool for as long as that
      const base::Nanos retry_at = base::Now() + runtime->options().create_cooldown_ns;
      while (!stopping && NeedToCreateWorker(ViewLocked()) &&
             manager_cv_.WaitUntil(&lock, retry_at)) {
      }
      if (stopping || !NeedToCreateWorker(ViewLocked())) break;
    }
    lock.Lock();
    mayday_at_ns = 0;
  } while (!stopping && NeedToCreateWorker(ViewLocked()));
  manager = nullptr;
  manager_cv_.NotifyAll();
  return true;
}

// --- Idle, wake, flags --------------------------------------------------------------------

void WorkerPool::EnterIdleLocked(Worker* worker, AfterUnlock* after) {
  UWQ_CHECK((worker->flags & Worker::kIdle) == 0 && worker->current_work == nullptr);
  worker->flags |= Worker::kIdle;
  ++nr_idle;
  worker->idle_since_ns = base::Now();
  idle_list.push_front(worker);  // P10: LIFO, the most recently used stack is still in cache
  if (reap_at_ns == 0 && TooManyWorkers(ViewLocked())) {
    reap_at_ns = worker->idle_since_ns + runtime->options().idle_worker_timeout_ns;
    after->poke_service = runtime;
  }
}

void WorkerPool::LeaveIdleLocked(Worker* worker) {
  UWQ_CHECK((worker->flags & Worker::kIdle) != 0);
  worker->flags &= ~(Worker::kIdle | Worker::kKicked);
  --nr_idle;
  idle_list.remove(worker);
}

bool WorkerPool::KickUnattendedLocked(AfterUnlock* after) {
  const bool more = NeedMoreWorker(ViewLocked());
  // It will see whether the running one gets there.
  if (!more && standby != nullptr) return false;
  Worker* const worker = more || unbound() ? idle_list.front() : nullptr;
  if (worker == nullptr) {
    WatchLocked(after);
    return false;
  }
  if ((worker->flags & Worker::kKicked) != 0) return true;
  UWQ_CHECK(after->wake == nullptr);
  after->wake = worker;
  if (more) {
    // Kicked: on its way, so that it is woken once, and not reaped meanwhile.
    worker->flags |= Worker::kKicked;
  } else {
    // The standby from now on, not only once it has got a CPU: it is certain to look.
    SetStandbyLocked(worker, progress - kStandbyMovesMin);
  }
  return true;
}

// Work waits and nobody is woken for it: the sampler looks whether the running
// ones really run, and the watchdog whether the list moves.
void WorkerPool::WatchLocked(AfterUnlock* after) {
  if (runtime->options().manual) {
    after->poke_service = runtime;  // somebody may sleep until there is something to do
    return;
  }
  if (watched) return;
  watched = true;
  UpdateAttendedLocked();
  after->poke_service = runtime;
}

void WorkerPool::SetFlagsLocked(Worker* worker, unsigned flags) {
  if ((flags & Worker::kNotRunning) != 0 && (worker->flags & Worker::kNotRunning) == 0) {
    --nr_running;
  }
  worker->flags |= flags;
  if (nr_running == 0) UpdateAttendedLocked();
}

void WorkerPool::ClearFlagsLocked(Worker* worker, unsigned flags) {
  const unsigned old = worker->flags;
  worker->flags &= ~flags;
  if ((old & Worker::kNotRunning) != 0 && (worker->flags & Worker::kNotRunning) == 0) {
    if (++nr_running == 1) UpdateAttendedLocked();
  }
}

std::string WorkerPool::Describe() const {
  const bool anywhere = unbound() && attrs.cpumask.none();
  const int node =
      unbound() ? runtime->topology().NodeAround(attrs.pod_mask) : runtime->topology().NodeOf(cpu);
  return absl::StrCat("cpus=",
                      unbound()
                          ? FormatCpuMask(anywhere ? runtime->topology().all() : attrs.cpumask)
                          : absl::StrCat(cpu),
                      node >= 0 ? absl::StrCat(" node=", node) : "", " flags=0x", bh ? 1 : 0,
                      " nice=", unbound() ? attrs.nice : (highpri ? kHighpriNice : 0));
}

}  // namespace uwq::core
