// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/core/runtime.h"

#include <stdlib.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "workqueue/base/fault.h"
#include "workqueue/base/fork.h"
#include "workqueue/core/concurrency.h"
#include "workqueue/core/item.h"
#include "workqueue/core/report.h"
#include "workqueue/core/rescuer.h"
#include "workqueue/core/service.h"

namespace uwq::core {

using base::MutexLock;

namespace {

// Pool ids: a slot of this table and a generation, so that the id in the word of
// an idle item stays harmless after its Runtime has gone.  Slot 0 is not used: a
// zeroed item is thereby known as uninitialised.
constexpr int kPoolSlotBits = 12;
constexpr int kPoolSlots = 1 << kPoolSlotBits;
constexpr int kGenerations = (1 << (kPoolBits - kPoolSlotBits)) - 1;  // keeps kPoolNone free
base::Atomic<WorkerPool*> pool_table[kPoolSlots] = {};

struct Globals {
  base::Mutex mutex;  // outside every other lock; held over fork()
  base::List<Runtime, &Runtime::all_node> runtimes ABSL_GUARDED_BY(mutex);
  base::Mutex table_mutex;  // a leaf
  int generation ABSL_GUARDED_BY(table_mutex) = 0;
  int next_slot ABSL_GUARDED_BY(table_mutex) = 1;
  base::Atomic<Runtime*> default_runtime{nullptr};
  base::Atomic<uint64_t> next_serial{1};
};

Globals& TheGlobals() {
  static Globals* const globals = new Globals;  // outlives static destructors
  return *globals;
}

base::Atomic<ExtensionFactory> extension_factory{nullptr};

}  // namespace

void SetExtensionFactory(ExtensionFactory factory) {
  extension_factory.store(factory, std::memory_order_release);
}

// The rule for fork() is in runtime.h.
struct ForkHandlers {
  static void Prepare() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    TheGlobals().mutex.Lock();
    for (Runtime* runtime : TheGlobals().runtimes) runtime->mutex.Lock();
    LockReports();
  }
  static void Release() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    UnlockReports();
    for (Runtime* runtime : TheGlobals().runtimes) runtime->mutex.Unlock();
    TheGlobals().mutex.Unlock();
  }
  static void Child() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (Runtime* runtime : TheGlobals().runtimes) {
      runtime->forked_.store(true, std::memory_order_relaxed);
      for (Workqueue* wq : runtime->workqueues) {
        wq->flags.fetch_or(kWqDestroying, std::memory_order_relaxed);
      }
    }
    TheGlobals().default_runtime.store(nullptr, std::memory_order_relaxed);
    // The child's only thread may be a copy of a worker: it is none any more.
    for (int slot = 0; slot < static_cast<int>(base::Slot::kCount); ++slot) {
      base::ThreadSlot(static_cast<base::Slot>(slot)) = nullptr;
    }
    ResetClaimWaiters();
    // Items that last ran on an inherited pool have no pool here.
    for (auto& slot : pool_table) slot.store(nullptr, std::memory_order_relaxed);
    Release();
  }
  static void Install() {
    static const bool once = [] {
      base::AtFork(&Prepare, &Release, &Child);
      return true;
    }();
    (void)once;
  }
};

absl::StatusOr<std::unique_ptr<Runtime>> Runtime::Create(RuntimeOptions options) {
  absl::Status status = options.topology.Validate();
  if (!status.ok()) return status;
  if (options.sample_interval_ns <= 0 || options.mayday_interval_ns <= 0 ||
      options.create_cooldown_ns <= 0 || options.idle_worker_timeout_ns < 0 ||
      options.idle_spin_ns < 0) {
    return absl::InvalidArgumentError("Runtime: intervals and time-outs must be positive");
  }
  if (options.manual && options.event_base != nullptr) {
    return absl::InvalidArgumentError(
        "Runtime: manual and event_base exclude each other: with manual the caller runs the "
        "items, with event_base workers do");
  }
  if ((options.unbound_cpus & ~options.topology.all()).any()) {
    return absl::InvalidArgumentError(absl::StrCat("Runtime: unbound_cpus ",
                                                   FormatCpuMask(options.unbound_cpus),
                                                   " names CPUs that do not exist"));
  }
  ForkHandlers::Install();
  std::unique_ptr<Runtime> runtime(new Runtime(std::move(options)));
  if (!runtime->options_.manual) status = runtime->service_->Start();
  if (!status.ok()) return status;
  MutexLock lock(&TheGlobals().mutex);
  TheGlobals().runtimes.push_back(runtime.get());
  return runtime;
}

Runtime* Runtime::Default() {
  Globals& globals = TheGlobals();
  Runtime* runtime = globals.default_runtime.load(std::memory_order_acquire);
  if (runtime != nullptr) return runtime;
  absl::StatusOr<std::unique_ptr<Runtime>> made = Create(RuntimeOptions());
  if (!made.ok()) return nullptr;
  if (globals.default_runtime.compare_exchange_strong(runtime, made->get(),
                                                      std::memory_order_acq_rel)) {
    return made->release();
  }
  return runtime;  // another thread was first
}

Runtime::Runtime(RuntimeOptions options) : options_(std::move(options)) {
  base::ListInit(&all_node);
  unbound_mask_ = options_.unbound_cpus.any() ? options_.unbound_cpus : options_.topology.all();
  for (auto& by_priority : cpu_pools_) {
    for (auto& pools : by_priority) pools.assign(options_.topology.nr_cpus(), nullptr);
  }
  service_ = std::make_unique<Service>(this);
}

Runtime::~Runtime() {
  if (const Worker* const self = CurrentWorker();
      self != nullptr && self->current_work != nullptr && self->pool->runtime == this) {
    // It would wait for the queue of that item for ever, and may not return either: the
    // memory of `this` goes.
    ReportAlways(ReportKind::kSelfFlush,
                 absl::StrCat("a Runtime is destroyed by an item of its own, ",
                              FuncName(self->current_func)));
    abort();
  }
  {
    MutexLock lock(&TheGlobals().mutex);
    if (base::Linked(&all_node)) TheGlobals().runtimes.remove(this);
  }
  if (forked()) {
    // Locks may be held by threads that do not exist here, and nothing can be joined.
    MutexLock lock(&mutex);
    for (auto& pool : pools_) (void)pool.release();
    for (auto& wq : wq_slab_) (void)wq.release();
    for (auto& pwq : pwq_slab_) (void)pwq.release();
    (void)service_.release();
    return;
  }
  for (;;) {
    Workqueue* wq;
    {
      MutexLock lock(&mutex);
      wq = workqueues.front();
    }
    if (wq == nullptr) break;
    if (!wq->HasFlag(kWqSystem)) {
      ReportOnce(ReportKind::kOther, wq,
                 absl::StrCat("workqueue ", wq->name, " is destroyed with its Runtime"));
    }
    {
      MutexLock lock(&mutex);
      wq->users = 0;
    }
    DestroyWorkqueue(wq);
  }
  delete extension_.exchange(nullptr, std::memory_order_acq_rel);
  service_->Stop();
  MutexLock lock(&mutex);
  for (auto& pool : pools_) {
    pool->Stop();
    pool_table[pool->id % kPoolSlots].store(nullptr, std::memory_order_release);
  }
}

// --- CPUs ---------------------------------------------------------------------------------

int Runtime::LocalCpu() const {
  const int machine = base::CurrentCpu();
  const int cpu = options_.topology.FromMachineCpu(machine);
  return cpu >= 0 ? cpu : std::max(machine, 0) % options_.topology.nr_cpus();
}

int Runtime::UnboundCpu() {
  if (!options_.debug_force_rr_cpu) {
    const int local = LocalCpu();
    if (unbound_mask_.test(local)) return local;
  }
  const int nr_cpus = options_.topology.nr_cpus();
  for (;;) {
    const int cpu =
        static_cast<int>(round_robin_.fetch_add(1, std::memory_order_relaxed) % nr_cpus);
    if (unbound_mask_.test(cpu)) return cpu;
  }
}

// --- Pools --------------------------------------------------------------------------------

WorkerPool* Runtime::PoolById(int id) {
  WorkerPool* const pool = pool_table[id % kPoolSlots].load(std::memory_order_acquire);
  return pool != nullptr && pool->id == id ? pool : nullptr;
}

absl::StatusOr<WorkerPool*> Runtime::NewPoolLocked(int cpu, bool highpri, bool bh,
                                                   const PoolAttrs& attrs) {
  Globals& globals = TheGlobals();
  int id = 0;
  {
    MutexLock lock(&globals.table_mutex);
    for (int tries = 0; tries < kPoolSlots && id == 0; ++tries) {
      const int slot = globals.next_slot;
      if (++globals.next_slot == kPoolSlots) {
        globals.next_slot = 1;
        globals.generation = (globals.generation + 1) % kGenerations;
      }
      if (pool_table[slot].load(std::memory_order_relaxed) == nullptr) {
        id = globals.generation * kPoolSlots + slot;
      }
    }
    if (id == 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("all ", kPoolSlots - 1, " worker pools of the process are in use"));
    }
    pools_.push_back(std::make_unique<WorkerPool>(this, id, cpu, highpri, bh));
    pool_table[id % kPoolSlots].store(pools_.back().get(), std::memory_order_release);
  }
  pools_.back()->Reattribute(attrs);
  return pools_.back().get();
}

absl::StatusOr<WorkerPool*> Runtime::CpuPool(int cpu, bool highpri, bool bh) {
  WorkerPool* pool;
  {
    MutexLock lock(&mutex);
    WorkerPool*& slot = cpu_pools_[bh][highpri][cpu];
    if (slot == nullptr) {
      absl::StatusOr<WorkerPool*> made = NewPoolLocked(cpu, highpri, bh, PoolAttrs());
      if (!made.ok()) return made.status();
      slot = *made;
    }
    pool = slot;
  }
  MutexLock starting(&start_mutex_);
  absl::Status status = pool->Start();
  if (!status.ok()) return status;
  return pool;
}

absl::StatusOr<WorkerPool*> Runtime::GetUnboundPool(const PoolAttrs& attrs) {
  MutexLock starting(&start_mutex_);
  WorkerPool* pool = nullptr;
  {
    MutexLock lock(&mutex);
    for (WorkerPool* p : unbound_pools_) {
      if (p->attrs == attrs) pool = p;
    }
    if (pool == nullptr) {
      if (!retired_pools_.empty()) {
        pool = retired_pools_.back();
        retired_pools_.pop_back();
        pool->Reattribute(attrs);
      } else {
        absl::StatusOr<WorkerPool*> made = NewPoolLocked(-1, false, false, attrs);
        if (!made.ok()) return made.status();
        pool = *made;
      }
      unbound_pools_.push_back(pool);
    }
    ++pool->refs;
  }
  absl::Status status = pool->Start();
  if (status.ok()) return pool;
  MutexLock lock(&mutex);
  if (--pool->refs == 0) {
    unbound_pools_.erase(std::find(unbound_pools_.begin(), unbound_pools_.end(), pool));
    retired_pools_.push_back(pool);
  }
  return status;
}

void Runtime::PutUnboundPool(WorkerPool* pool) {
  MutexLock starting(&start_mutex_);
  {
    MutexLock lock(&mutex);
    if (--pool->refs > 0) return;
    unbound_pools_.erase(std::find(unbound_pools_.begin(), unbound_pools_.end(), pool));
  }
  pool->Stop();
  MutexLock lock(&mutex);
  retired_pools_.push_back(pool);
}

void Runtime::ForEachPool(const std::function<void(WorkerPool*)>& visit) {
  for (size_t i = 0;; ++i) {
    WorkerPool* pool;
    {
      MutexLock lock(&mutex);
      if (i >= pools_.size()) return;
      pool = pools_[i].get();  // pools live as long as the Runtime
    }
    visit(pool);
  }
}

void Runtime::ForEachLive(const std::function<void(Runtime*)>& visit) {
  MutexLock lock(&TheGlobals().mutex);
  for (Runtime* runtime : TheGlobals().runtimes) {
    if (!runtime->forked()) visit(runtime);
  }
}

// --- Type-stable memory -----------------------------------------------------------------------

PoolWorkqueue* Runtime::AllocPwq() {
  MutexLock lock(&slab_mutex_);
  if (free_pwqs_ != nullptr) return std::exchange(free_pwqs_, free_pwqs_->next_release);
  if (base::FaultInjected("alloc_pwq")) return nullptr;
  pwq_slab_.push_back(std::make_unique<PoolWorkqueue>());
  return pwq_slab_.back().get();
}

void Runtime::FreePwq(PoolWorkqueue* pwq) {
  MutexLock lock(&slab_mutex_);
  pwq->next_release = free_pwqs_;
  free_pwqs_ = pwq;
}

bool Runtime::IsQueued(const WorkItem* work, const PoolWorkqueue* pwq) {
  bool found = false;
  MutexLock lock(&TheGlobals().mutex);
  for (Runtime* runtime : TheGlobals().runtimes) {
    if (runtime->forked()) continue;
    MutexLock slab(&runtime->slab_mutex_);
    for (const auto& owned : runtime->pwq_slab_) {
      if (owned.get() != pwq) continue;  // garbage in the word hardly ever gets further
      WorkerPool* const pool = owned->pool.load(std::memory_order_acquire);
      if (pool == nullptr) return false;
      MutexLock pool_lock(&pool->lock);
      if (owned->pool.load(std::memory_order_relaxed) != pool) return false;
      for (base::ListNode* list : {&pool->worklist, &owned->inactive}) {
        for (base::ListNode* n = list->next; n != list && !found; n = n->next) {
          found = WorkOf(n) == work;
        }
      }
      for (Worker* bucket : pool->busy) {  // handed to the worker that executes it (N6)
        for (Worker* w = bucket; w != nullptr; w = w->busy_next) {
          for (base::ListNode* n = w->scheduled.next; n != &w->scheduled && !found; n = n->next) {
            found = WorkOf(n) == work;
          }
        }
      }
      return found;
    }
  }
  return false;
}

Workqueue* Runtime::AllocWq() {
  MutexLock lock(&slab_mutex_);
  Workqueue* wq = nullptr;
  // Oldest first: a pointer to a destroyed queue stays recognisable for a while.
  if (free_wqs_.size() > kWqsKept) {
    wq = free_wqs_.front();
    free_wqs_.erase(free_wqs_.begin());
  } else {
    wq_slab_.push_back(std::make_unique<Workqueue>());
    wq = wq_slab_.back().get();
    const int nr_cpus = options_.topology.nr_cpus();
    wq->cpu_pwq = std::make_unique<base::Atomic<PoolWorkqueue*>[]>(nr_cpus);
    wq->node_active = std::make_unique<NodeActive[]>(options_.topology.nr_nodes() + 1);
    base::ListInit(&wq->all_node);
  }
  wq->runtime = this;
  wq->serial = TheGlobals().next_serial.fetch_add(1, std::memory_order_relaxed);
  return wq;
}

void Runtime::FreeWq(Workqueue* wq) {
  MutexLock lock(&slab_mutex_);
  free_wqs_.push_back(wq);
}

// --- Service ------------------------------------------------------------------------------------

void Runtime::PokeService() {
  if (!options_.manual) {
    service_->Poke();
  } else if (RuntimeExtension* const own = extension()) {
    own->Poke();
  }
}
void Runtime::ReleaseLater(PoolWorkqueue* pwq) { service_->ReleaseLater(pwq); }
void Runtime::WaitReleased() {
  if (options_.manual) service_->ReleaseAll();
  service_->WaitReleased();
}

int Runtime::RunPending() {
  UWQ_CHECK(options_.manual);
  int ran = 0;
  ForEachPool([&ran](WorkerPool* pool) { ran += pool->RunPending(kManualBatch); });
  service_->ReleaseAll();
  return ran;
}

void Runtime::WaitFor(base::Completion* done) {
  if (options_.manual) {
    while (!done->IsSet() && RunPending() > 0) {
    }
  }
  BlockingScope blocking;
  done->Wait();
}

absl::Status Runtime::EnsureExtension() {
  if (extension() != nullptr) return absl::OkStatus();
  const ExtensionFactory factory = extension_factory.load(std::memory_order_acquire);
  if (factory == nullptr) return absl::OkStatus();
  MutexLock starting(&start_mutex_);
  if (extension() != nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<RuntimeExtension>> made = factory(this);
  if (!made.ok()) return made.status();
  extension_.store(made->release(), std::memory_order_release);
  return absl::OkStatus();
}

// --- System queues (1.12) --------------------------------------------------------------------

Workqueue* Runtime::System(SystemWq which) {
  struct Row {
    const char* name;
    unsigned flags;
    int max_active;
  };
  static const Row kRows[] = {
      {"events", kWqPercpu, 0},
      {"events", kWqPercpu | kWqDeprecated, 0},
      {"events_highpri", kWqHighpri | kWqPercpu, 0},
      {"events_long", kWqPercpu, 0},
      {"events_unbound", kWqUnbound, kWqMaxActive},
      {"events_unbound", kWqUnbound | kWqDeprecated, kWqMaxActive},
      {"events_dfl_long", kWqUnbound, kWqMaxActive},
      {"events_freezable", kWqFreezable | kWqPercpu, 0},
      {"events_power_efficient", kWqPowerEfficient | kWqPercpu, 0},
      {"events_freezable_pwr_efficient", kWqFreezable | kWqPowerEfficient | kWqPercpu, 0},
      {"events_bh", kWqBh | kWqPercpu, 0},
      {"events_bh_highpri", kWqBh | kWqHighpri | kWqPercpu, 0},
  };
  static_assert(sizeof(kRows) / sizeof(kRows[0]) == static_cast<size_t>(SystemWq::kCount));
  const int i = static_cast<int>(which);
  Workqueue* wq = system_[i].load(std::memory_order_acquire);
  if (wq != nullptr) return wq;
  DeferReports defer;  // the handler may ask for a system queue, too
  MutexLock lock(&system_mutex_);
  wq = system_[i].load(std::memory_order_relaxed);
  if (wq != nullptr) return wq;
  WorkqueueOptions options;
  options.name = kRows[i].name;
  options.flags = kRows[i].flags | kWqSystem;
  options.max_active = kRows[i].max_active;
  absl::StatusOr<Workqueue*> made = AllocSystemWorkqueue(this, options);
  if (!made.ok()) {
    ReportOnce(ReportKind::kOther, this, std::string(made.status().message()));
    return nullptr;
  }
  system_[i].store(*made, std::memory_order_release);
  return *made;
}

// --- Freezer (Z*) -----------------------------------------------------------------------------

void Runtime::FreezeBegin() {
  MutexLock lock(&mutex);
  if (freezing_.exchange(true, std::memory_order_relaxed)) return;
  for (Workqueue* wq : workqueues) {
    MutexLock wq_lock(&wq->mutex);
    AdjustMaxActiveLocked(wq);
  }
}

bool Runtime::FreezeBusy() {
  MutexLock lock(&mutex);
  for (Workqueue* wq : workqueues) {
    if (!wq->HasFlag(kWqFreezable)) continue;
    MutexLock wq_lock(&wq->mutex);
    for (PoolWorkqueue* pwq : wq->pwqs) {
      PoolLock pool_lock(pwq->pool.load(std::memory_order_relaxed));
      if (pwq->nr_active > 0) return true;
    }
  }
  return false;
}

void Runtime::Thaw() {
  MutexLock lock(&mutex);
  if (!freezing_.exchange(false, std::memory_order_relaxed)) return;
  for (Workqueue* wq : workqueues) {
    MutexLock wq_lock(&wq->mutex);
    AdjustMaxActiveLocked(wq);
  }
}

}  // namespace uwq::core
