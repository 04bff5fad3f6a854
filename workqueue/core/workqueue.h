// SPDX-License-Identifier: BSD-3-Clause
//
// workqueue.h (core) -- a workqueue: names, flags, limits, and its pool_workqueues.
//
// A queue owns no thread (but a rescuer's, WQ_MEM_RECLAIM) and no list: items live
// on the lists of pools that all queues share.  The calls on items are in item.h;
// the public faces are workqueue/workqueue.h (C++) and workqueue/c/uwq.h (C).
#ifndef UWQ_WORKQUEUE_CORE_WORKQUEUE_H_
#define UWQ_WORKQUEUE_CORE_WORKQUEUE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "workqueue/base/list.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/topology.h"

namespace uwq::core {

class Rescuer;

// The kernel's flags with the kernel's values (1.4).
enum WqFlags : unsigned {
  kWqBh = 1u << 0,
  kWqUnbound = 1u << 1,
  kWqFreezable = 1u << 2,
  kWqMemReclaim = 1u << 3,
  kWqHighpri = 1u << 4,
  kWqCpuIntensive = 1u << 5,
  kWqSysfs = 1u << 6,
  kWqPowerEfficient = 1u << 7,
  kWqPercpu = 1u << 8,
  kWqDestroying = 1u << 15,
  kWqDraining = 1u << 16,
  kWqOrdered = 1u << 17,
  kWqLegacy = 1u << 18,
  kWqDeprecated = 1u << 19,
  kWqSystem = 1u << 24,  // ours, not the kernel's: a queue of system_wq() and its kin
};
inline constexpr unsigned kWqPublicFlags = kWqBh | kWqUnbound | kWqFreezable | kWqMemReclaim |
                                           kWqHighpri | kWqCpuIntensive | kWqSysfs |
                                           kWqPowerEfficient | kWqPercpu;
// Only Runtime::System() sets these.
inline constexpr unsigned kWqSystemOnly = kWqDeprecated | kWqSystem;
inline constexpr unsigned kWqBhAllows = kWqBh | kWqHighpri | kWqPercpu | kWqSystemOnly;

inline constexpr int kWqMaxActive = 2048;
inline constexpr int kWqDflActive = kWqMaxActive / 2;
inline constexpr int kWqDflMinActive = 8;
inline constexpr int kWqNameLen = 32;

struct WorkqueueAttrs {
  int nice = 0;
  CpuMask cpumask;  // empty: all
  AffnScope affn_scope = AffnScope::kDefault;
  bool affn_strict = false;
  bool ordered = false;
};

// A sleeping flush_workqueue() call, on its caller's stack.
struct Flusher {
  base::ListNode node;
  int flush_color = -1;
  base::Completion done;
};

//  I: set at construction   M: mutex   A: atomic   ML: mayday_lock
class Workqueue {
 public:
  // --- Read by every queueing call; written at set-up and tear-down (S8) -----
  base::Atomic<unsigned> flags{0};                          // A
  base::Atomic<uint64_t> place_seq{0};                      // A: odd while the slots change
  base::Atomic<WorkerPool*> sole_pool{nullptr};             // A: that of all slots, if one
  Runtime* runtime = nullptr;                               // I
  std::unique_ptr<base::Atomic<PoolWorkqueue*>[]> cpu_pwq;  // A, by CPU
  base::Atomic<PoolWorkqueue*> dfl_pwq{nullptr};  // A: unbound: the fallback; ordered: the one
  base::Atomic<int> front_pool{0};  // A: ordered: the pool whose place is not plugged (C2)
  char name[kWqNameLen] = {};       // I

  base::Atomic<int> max_active{0};  // A: in force; 0 while frozen
  base::Atomic<int> min_active{0};
  std::unique_ptr<NodeActive[]> node_active;  // unbound: nr_nodes + 1

  mutable base::Mutex mutex;
  base::List<PoolWorkqueue, &PoolWorkqueue::wq_node> pwqs ABSL_GUARDED_BY(mutex);
  int saved_max_active ABSL_GUARDED_BY(mutex) = 0;
  int saved_min_active ABSL_GUARDED_BY(mutex) = 0;
  int nr_drainers ABSL_GUARDED_BY(mutex) = 0;
  WorkqueueAttrs attrs ABSL_GUARDED_BY(mutex);  // unbound

  // Flush colours (F3, flush.cc).
  int work_color ABSL_GUARDED_BY(mutex) = 0;
  int flush_color ABSL_GUARDED_BY(mutex) = 0;
  base::Atomic<int> nr_pwqs_to_flush{0};
  base::Atomic<uint64_t> nr_chained{0};           // items placed while draining or destroying
  base::Atomic<Flusher*> first_flusher{nullptr};  // M to write; read by the last pwq to drain
  base::List<Flusher, &Flusher::node> flusher_queue ABSL_GUARDED_BY(mutex);
  base::List<Flusher, &Flusher::node> flusher_overflow ABSL_GUARDED_BY(mutex);

  std::unique_ptr<Rescuer> rescuer;  // I until destroyed

  base::ListNode all_node;  // Runtime::mutex
  int armed_timers = 0;     // the timer wheel's lock (D10)
  bool alive = false;       // Runtime::mutex: not yet destroyed
  uint64_t serial = 0;      // I: tells it from an earlier one at this address
  int readers = 0;          // Runtime::mutex: registry calls under way
  int users = 0;            // Runtime::mutex: extra references (X6)

  bool HasFlag(unsigned f) const { return (flags.load(std::memory_order_relaxed) & f) != 0; }
  bool unbound() const { return HasFlag(kWqUnbound); }
  bool ordered() const { return HasFlag(kWqOrdered); }
};

// --- Life cycle (workqueue.cc) -------------------------------------------------

struct WorkqueueOptions {
  std::string name;
  unsigned flags = 0;
  int max_active = 0;  // 0: the default
};

// Status instead of NULL: INVALID_ARGUMENT names the flag or the name, and
// RESOURCE_EXHAUSTED the thread that could not be created.
absl::StatusOr<Workqueue*> AllocWorkqueue(Runtime* runtime, const WorkqueueOptions& options);
// The same for Runtime::System(), whose queues have flags of kWqSystemOnly.
absl::StatusOr<Workqueue*> AllocSystemWorkqueue(Runtime* runtime, const WorkqueueOptions& options);
// Drains, then frees.  From an item of `wq` itself: reported, nothing done (F11).
// With references left: reported with a dump, leaked (X6).
void DestroyWorkqueue(Workqueue* wq);

absl::Status ApplyWorkqueueAttrs(Workqueue* wq, const WorkqueueAttrs& attrs);
void SetMaxActive(Workqueue* wq, int max_active);
void SetMinActive(Workqueue* wq, int min_active);
bool WorkqueueCongested(int cpu, Workqueue* wq);
// max_active in force from saved_max_active and the freezer; raises take effect at once.
void AdjustMaxActiveLocked(Workqueue* wq) ABSL_EXCLUSIVE_LOCKS_REQUIRED(wq->mutex);

// Removes an idle pool_workqueue that is no longer live: from the service thread,
// or from the destroyer.  No lock held.
void ReleasePwq(PoolWorkqueue* pwq);

// The delayed layer's word on a queue about to be destroyed with timers armed
// (D10): it takes them down and reports them.  Installed once, at start.
using ArmedTimersFn = void (*)(Workqueue* wq);
void SetArmedTimersHook(ArmedTimersFn hook);

// --- Whole-queue waits (flush.cc) ------------------------------------------------

void FlushWorkqueue(Workqueue* wq);
void DrainWorkqueue(Workqueue* wq);

// True if the calling thread executes an item of `wq` or holds its gate (chained
// queueing, X2).
bool IsChained(const Workqueue* wq);
// F11: from an item of the queue itself `call` would never return: reports it, true.
bool RefuseOwnQueue(Workqueue* wq, const char* call);

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_WORKQUEUE_H_
