// SPDX-License-Identifier: BSD-3-Clause
//
// runtime.h (core) -- owns the pools, the queues, the service thread, the options.
//
// One default Runtime serves a process; tests and embedders make others.  Lock
// order: Runtime::mutex -> Workqueue::mutex -> WorkerPool::lock -> NodeActive::lock_.
#ifndef UWQ_WORKQUEUE_CORE_RUNTIME_H_
#define UWQ_WORKQUEUE_CORE_RUNTIME_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/topology.h"
#include "workqueue/core/workqueue.h"

struct event_base;

namespace uwq::core {

// Defaults are the kernel's (1.3, 1.14).
struct RuntimeOptions {
  Topology topology = Topology::FromMachine();
  bool pin_workers = true;  // per-CPU workers stay on their CPU where it exists
  base::Nanos idle_worker_timeout_ns = 300 * base::kSecond;
  base::Nanos mayday_initial_ns = 10 * base::kMillisecond;
  base::Nanos mayday_interval_ns = 100 * base::kMillisecond;
  base::Nanos create_cooldown_ns = base::kSecond;
  base::Nanos sample_interval_ns = 5 * base::kMillisecond;
  base::Nanos cpu_intensive_thresh_ns = 10 * base::kMillisecond;  // 0: no hog detection
  int cpu_intensive_warning_thresh = 4;                           // 0: silent
  base::Nanos watchdog_thresh_ns = 30 * base::kSecond;            // 0: off
  int panic_on_stall = 0;                  // abort at the N-th stall report; 0: never
  base::Nanos panic_on_stall_time_ns = 0;  // abort if one stall lasts that long; 0: never
  bool power_efficient = false;
  // How long a worker that has run out of work stays awake for more, where pauses have been
  // that short; the default is about what sleeping and being woken costs.  More, where the
  // first item after a longer pause must start within a microsecond.  0: not at all, which
  // is kind to batteries.  Never on a machine with one CPU.
  base::Nanos idle_spin_ns = 50 * base::kMicrosecond;
  bool debug_force_rr_cpu = false;  // unbound items go round-robin: a test mode
  AffnScope default_affn_scope = AffnScope::kCacheShard;
  int cache_shard_size = 8;
  CpuMask unbound_cpus;  // empty: all
  // No thread at all: items run in RunPending() and inside waits, on the caller's
  // thread.  For single-threaded programs and tests; no sampler, watchdog, rescuer.
  // Not with `event_base`: whoever runs that would have to run the items, too.
  bool manual = false;
  // Timers and descriptors wake in this libevent base, which the driver runs, instead
  // of in a thread of the Runtime's.  It has locks (evthread_use_pthreads()) or only
  // the thread that runs it makes the Runtime's first queue and destroys the Runtime.
  ::event_base* event_base = nullptr;
};

enum class SystemWq : int {
  kPercpu,
  kWq,  // deprecated name of kPercpu
  kHighpri,
  kLong,
  kDfl,
  kUnbound,  // deprecated name of kDfl
  kDflLong,
  kFreezable,
  kPowerEfficient,
  kFreezablePowerEfficient,
  kBh,
  kBhHighpri,
  kCount
};

class Service;

// A part of a higher layer that lives with a Runtime: its timers and event loop.
// It is made with the Runtime's first queue, so that arming a timer later neither
// allocates nor starts a thread.
class RuntimeExtension {
 public:
  virtual ~RuntimeExtension() = default;  // all queues are gone
  // Manual Runtimes: an item was queued.  No lock of a pool is held.
  virtual void Poke() = 0;
};
using ExtensionFactory = absl::StatusOr<std::unique_ptr<RuntimeExtension>> (*)(Runtime*);
// Installed once, at start, by the layer that provides it.
void SetExtensionFactory(ExtensionFactory factory);

// Destroy it when every call on an item that is or was on its queues has returned; such an
// item is idle then and may be queued on another Runtime.
//
// In the child of a fork() every inherited Runtime is dead, as no thread is inherited:
// queueing on it is refused and reported, it and its queues may be destroyed (their memory
// stays), flushed and drained at once, Default() and Create() make new ones.  An item that was
// pending or running counts as idle there: it may be destroyed, flushed and cancelled, and once
// cancelled be queued on a new Runtime. Not so one that another thread was just queueing or
// cancelling.
class Runtime {
 public:
  static absl::StatusOr<std::unique_ptr<Runtime>> Create(RuntimeOptions options);
  // The process's own, created at the first call; never destroyed.  In the child
  // of a fork: a new one.
  static Runtime* Default();
  // Destroys the queues that are left (reported), stops and joins every thread.  From an
  // item of its own it could neither wait nor return: reported, and the process aborts.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const RuntimeOptions& options() const { return options_; }
  const Topology& topology() const { return options_.topology; }
  int LocalCpu() const;
  // The CPU for an unbound item: the local one if the unbound mask allows it, else
  // the next one in turn.
  int UnboundCpu();
  const CpuMask& unbound_mask() const { return unbound_mask_; }

  // Created at the first call; null only if threads or memory cannot be had.
  Workqueue* System(SystemWq which);

  // Pools.  The caller holds no lock.
  absl::StatusOr<WorkerPool*> CpuPool(int cpu, bool highpri, bool bh);
  absl::StatusOr<WorkerPool*> GetUnboundPool(const PoolAttrs& attrs);
  void PutUnboundPool(WorkerPool* pool);
  // The pool with that id in any live Runtime, or null.
  static WorkerPool* PoolById(int id);

  // Calls visit for every Runtime of this process, not those of a fork's parent; each lives
  // until it returns.  The caller holds no lock.
  static void ForEachLive(const std::function<void(Runtime*)>& visit);

  // Type-stable memory (pool_workqueue.h).
  PoolWorkqueue* AllocPwq();
  void FreePwq(PoolWorkqueue* pwq);
  // Whether `pwq`, which may be garbage, is one of ours and has `work` on a list.  Slow.
  static bool IsQueued(const WorkItem* work, const PoolWorkqueue* pwq);
  Workqueue* AllocWq();
  void FreeWq(Workqueue* wq);

  // Manual mode: runs items that are due on the calling thread, at most
  // kManualBatch of each pool; returns how many ran.  From an item, too.
  int RunPending();
  // Sleeps until `done` is set; in manual mode runs items meanwhile.
  void WaitFor(base::Completion* done);

  // The service thread; of a manual Runtime whoever sleeps in its loop.
  void PokeService();
  void ReleaseLater(PoolWorkqueue* pwq);  // S22; any lock may be held
  void WaitReleased();                    // until the service has no release under way

  // Makes the extension if there is a factory and none yet.
  absl::Status EnsureExtension();
  RuntimeExtension* extension() const { return extension_.load(std::memory_order_acquire); }

  // Freezer.
  void FreezeBegin();
  bool FreezeBusy();
  void Thaw();
  bool frozen() const { return freezing_.load(std::memory_order_relaxed); }

  // Hog and stall reports (housekeeping.cc).
  void CountHog(WorkFunc func);
  void ReportStall(WorkerPool* pool, base::Nanos stalled_for_ns);

  // wq_watchdog_touch(): a delay of `cpu`'s pools is legitimate, count anew; any
  // negative CPU: of all pools.
  void WatchdogTouch(int cpu);

  void ForEachPool(const std::function<void(WorkerPool*)>& visit);
  bool forked() const { return forked_.load(std::memory_order_relaxed); }

  base::ListNode all_node;  // the process's list of Runtimes

  base::Mutex mutex;
  base::Mutex forward_mutex;   // WorkerPool::ForwardStrays(); outside pool locks
  base::CondVar readers_left;  // with mutex: a registry call on some queue has ended
  base::List<Workqueue, &Workqueue::all_node> workqueues ABSL_GUARDED_BY(mutex);

 private:
  friend class Service;
  friend struct ForkHandlers;
  explicit Runtime(RuntimeOptions options);
  absl::StatusOr<WorkerPool*> NewPoolLocked(int cpu, bool highpri, bool bh, const PoolAttrs& attrs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  static constexpr int kManualBatch = 1024;
  // Destroyed queues that are kept before their memory is used again.
  static constexpr size_t kWqsKept = 16;

  RuntimeOptions options_;
  CpuMask unbound_mask_;
  base::Mutex start_mutex_;  // one starts or stops pools at a time; outside `mutex`
  base::Atomic<unsigned> round_robin_{0};
  base::Atomic<bool> freezing_{false};
  base::Atomic<bool> forked_{false};

  std::vector<std::unique_ptr<WorkerPool>> pools_ ABSL_GUARDED_BY(mutex);
  std::vector<WorkerPool*> cpu_pools_[2][2] ABSL_GUARDED_BY(mutex);  // [bh][highpri][cpu]
  std::vector<WorkerPool*> unbound_pools_ ABSL_GUARDED_BY(mutex);
  std::vector<WorkerPool*> retired_pools_ ABSL_GUARDED_BY(mutex);

  base::Mutex slab_mutex_;
  std::vector<std::unique_ptr<PoolWorkqueue>> pwq_slab_ ABSL_GUARDED_BY(slab_mutex_);
  PoolWorkqueue* free_pwqs_ ABSL_GUARDED_BY(slab_mutex_) = nullptr;
  std::vector<std::unique_ptr<Workqueue>> wq_slab_ ABSL_GUARDED_BY(slab_mutex_);
  std::vector<Workqueue*> free_wqs_ ABSL_GUARDED_BY(slab_mutex_);

  base::Mutex hog_mutex_;
  std::vector<std::pair<WorkFunc, int>> hogs_ ABSL_GUARDED_BY(hog_mutex_);
  base::Atomic<int> stall_reports_{0};

  base::Atomic<RuntimeExtension*> extension_{nullptr};  // owned; set under start_mutex_

  base::Mutex system_mutex_;
  base::Atomic<Workqueue*> system_[static_cast<int>(SystemWq::kCount)] = {};

  std::unique_ptr<Service> service_;
};

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_RUNTIME_H_
