// SPDX-License-Identifier: BSD-3-Clause
//
// worker_pool.h -- runs work items with just enough threads.
//
// Invariant W1: an item that is executing in a pool is in that pool's busy table,
// under its address and its function; a second instance that meets it there goes
// to the busy worker's own list and runs right after, on that worker (N2-N6).
// Invariant W2: a pool's list is FIFO over all queues that share the pool (O5).
// Locks and their order: docs/locking.md.  When workers start and stop: pool_policy.h.
#ifndef UWQ_WORKQUEUE_CORE_WORKER_POOL_H_
#define UWQ_WORKQUEUE_CORE_WORKER_POOL_H_

#include <sched.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "workqueue/base/list.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/pool_policy.h"
#include "workqueue/core/topology.h"
#include "workqueue/core/work_state.h"

namespace uwq::core {

class Runtime;
class Workqueue;
class WorkerPool;
class NodeActive;
struct PoolWorkqueue;

inline constexpr int kWorkerDescLen = 32;
inline constexpr int kBusyBuckets = 64;

// Attributes of an unbound pool; pools are shared by equality (U1).
struct PoolAttrs {
  int nice = 0;
  bool affn_strict = false;
  CpuMask pod_mask;  // the pod; workers are bound to it when strict
  CpuMask cpumask;   // where workers may run; ignored (empty) when strict
  bool operator==(const PoolAttrs&) const = default;
};

//  I: set at construction   L: pool->lock   S: its own thread only   A: atomic
struct Worker {
  enum : unsigned {
    kDie = 1u << 0,           // leave the loop
    kIdle = 1u << 1,          // on idle_list
    kPrep = 1u << 2,          // between sleep and the first item
    kCpuIntensive = 1u << 3,  // out of concurrency management until the item ends
    kUncounted = 1u << 4,     // never in it: a rescuer, a manual Runtime's caller
    kKicked = 1u << 5,        // woken, has not run yet: nobody else is woken, nobody reaps it
    kSleeping = 1u << 6,      // blocks inside an item: BlockingScope said so
    kSampledSleep = 1u << 7,  // blocks inside an item: the sampler found it so
  };
  static constexpr unsigned kNotRunning =
      kPrep | kCpuIntensive | kUncounted | kSleeping | kSampledSleep;

  WorkerPool* pool = nullptr;   // L; a rescuer's: the pool that it serves now
  base::ListNode idle_node;     // L
  base::ListNode all_node;      // L: pool->workers_
  Worker* busy_next = nullptr;  // L: chain in the busy table
  unsigned flags = kPrep;       // L
  int id = 0;                   // I

  WorkItem* current_work = nullptr;      // L to write, S to read
  WorkFunc current_func = nullptr;       // L, S
  PoolWorkqueue* current_pwq = nullptr;  // L, S
  Word current_word = 0;                 // L: the word at the start (colour, INACTIVE)
  base::ListNode scheduled;              // L: works handed to this worker
  uint64_t nr_executed = 0;              // L: tells one execution from the next
  base::Nanos idle_since_ns = 0;         // L

  // The sampler's view of the current execution (concurrency.cc).
  uint64_t sampled_execution = 0;  // L
  base::Nanos sampled_cpu_ns = 0;  // L: its thread's CPU time when it began or last slept
  base::Nanos counted_cpu_ns = 0;  // L: and as far as it is in the statistics

  Workqueue* rescue_wq = nullptr;  // I: the queue whose rescuer this is
  char desc[kWorkerDescLen] = {};  // S: set_worker_desc(), until the item ends
  int blocking_depth = 0;          // S: nested BlockingScopes
  base::Nanos woke_ns = 0;         // S: spent on waking others, in this stretch of items
  IdleSpin idle_spin;              // S

  base::Parker parker;
  base::Thread thread;  // creator, joiner
  base::Atomic<base::ThreadId> tid{0};
};

// The worker that the calling thread is, or null.
inline Worker* CurrentWorker() {
  return static_cast<Worker*>(base::ThreadSlot(base::Slot::kWorker));
}

// What must be done once the pool's lock is dropped.  Declare it before the
// MutexLock: destructors then run in the right order.
class AfterUnlock {
 public:
  AfterUnlock() = default;
  ~AfterUnlock() { Run(); }
  AfterUnlock(const AfterUnlock&) = delete;
  AfterUnlock& operator=(const AfterUnlock&) = delete;

  // With no pool lock held; also early, and again.
  void Run() {
    if (wake != nullptr || activate != nullptr || poke_service != nullptr) RunSome();
  }

  Worker* wake = nullptr;           // S12: futex wakes happen outside the lock
  NodeActive* activate = nullptr;   // a queue of another pool waits for the freed slot
  Runtime* poke_service = nullptr;  // the sampler, the mayday timer or the reaper has work

 private:
  void RunSome();
};

// A pool's door: items that were left here without its lock (docs/door.md).  A line of
// its own: all that a producer writes.
struct alignas(64) Door {
  base::Atomic<base::ListNode*> newest{nullptr};  // WorkItem::entry; next: older, prev: its queue
  // Some worker is certain to empty the door before it rests.  Changes under the lock.
  base::Atomic<bool> attended{false};
};

class WorkerPool {
 public:
  // cpu >= 0: per-CPU pool; cpu < 0: unbound, by attrs.
  WorkerPool(Runtime* runtime, int id, int cpu, bool highpri, bool bh);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Creates the first worker.  No lock held.
  absl::Status Start();
  // Stops and joins all workers; the pool has no work.  No lock held.
  void Stop();
  // An unbound pool out of use takes on other attributes.
  void Reattribute(const PoolAttrs& attrs);

  PoolView ViewLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock) {
    return {.has_work = HasWorkLocked(),
            .nr_running = nr_running,
            .nr_workers = nr_workers,
            .nr_idle = nr_idle,
            .managing = manager != nullptr,
            .parallel = unbound() && !short_items.yes()};
  }

  // Wakes an idle worker if the policy asks for one; true if one is (or was already) on its way.
  bool KickLocked(AfterUnlock* after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock) {
    // Attended: somebody comes for what waits, and is looked after.
    if (door.attended.load(std::memory_order_relaxed)) return false;
    return (HasWorkLocked() || want_standby) && KickUnattendedLocked(after);
  }
  // The worker that executes (`work`, `func`) here, or null (N4, N5).
  Worker* FindBusyLocked(const WorkItem* work, WorkFunc func) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);

  // Worker flags and nr_running move together.
  void SetFlagsLocked(Worker* worker, unsigned flags) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  void ClearFlagsLocked(Worker* worker, unsigned flags) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);

  // Somebody waits for a worker: on the list, or behind it in the hall.
  bool HasWorkLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock) {
    return !base::ListEmpty(&worklist) || (hall_ != nullptr && !hall_blocked_);
  }
  // A place here has a slot free.
  void UnblockHallLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock) { hall_blocked_ = false; }
  // Somebody stands at the door or in the hall.
  bool AnyOutsideLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock) {
    // seq_cst: after `attended` was cleared, see UpdateAttendedLocked().
    return hall_ != nullptr || door.newest.load(std::memory_order_seq_cst) != nullptr;
  }
  // Places what stands in the hall and at the door, oldest first.  The caller kicks before
  // it unlocks (PoolLock does) or is a worker in its loop.
  void SpliceLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock) {
    if (AnyOutsideLocked()) EmptyDoorLocked();
  }
  // Places what has been taken in and not started.
  void PlaceHallLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock) {
    if (hall_ != nullptr) PlaceAllLocked(std::exchange(hall_, nullptr));
  }
  // An item of `wq` is about to enter the list: who came before it and would not have to
  // wait for it anyway enters first (O5).
  void BeforeEntryLocked(const Workqueue* wq) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock) {
    if (hall_ != nullptr && hall_sole_ != wq) PlaceHallLocked();
  }
  // Queues an item that the caller has claimed behind those who stand in the hall or at the
  // door.  The caller kicks.  `req_cpu` is for the trace only.
  void JoinOthersLocked(PoolWorkqueue* pwq, WorkItem* work, int req_cpu)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // From the door into the hall; onto the list if a canceler sleeps for one of them.  The
  // caller kicks.
  void LetInLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // For a producer who has come to the door of an unattended pool.  No lock held.
  void LetIn();
  // After a change of what `attended` depends on; empties the door when it ends.
  void UpdateAttendedLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // Passes on what stood at the door for a queue that has left this pool.  No lock held.
  void ForwardStrays();

  // Runs one item: its owner's thread, lock held on entry and exit, dropped while
  // the function runs (worker.cc).
  void ProcessOneLocked(Worker* worker, WorkItem* work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // Hands `work` and what is linked behind it to `worker`, or to the worker that
  // executes it already.  `next_cursor` (may be null) follows the list.
  bool AssignLocked(WorkItem* work, Worker* worker, base::ListNode** next_cursor)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  void ProcessScheduledLocked(Worker* worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);

  // Manual Runtime: runs up to `max` items here and now.  No lock held.
  int RunPending(int max);

  // Housekeeping by the service thread; returns when to come again.  No lock held.
  base::Nanos Tick(base::Nanos now_ns);
  // "cpus=0 flags=0x0 nice=0", as in the kernel's dumps.
  std::string Describe() const;
  // How long the list has stood still, as far as the watchdog has seen; 0: it moves.
  base::Nanos HungForLocked(base::Nanos now_ns) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock) {
    const bool still = stall_since_ns_ != 0 && stall_progress_ == progress;
    return still && HasWorkLocked() ? now_ns - stall_since_ns_ : 0;
  }
  bool unbound() const { return cpu < 0; }

  // --- I -------------------------------------------------------------------
  Runtime* const runtime;
  const int id;
  const int cpu;
  const bool highpri;
  const bool bh;
  // The words of an item that last ran here, and of one at the door.
  const Word idle_word;
  const Word door_word;
  Word off_flags() const { return bh ? kOffBh : 0; }

  Door door;

  // --- Runtime::mutex ---------------------------------------------------------
  PoolAttrs attrs;  // unbound; written under `lock`, too
  int refs = 0;     // unbound: pool_workqueues that use it

  // --- L ---------------------------------------------------------------------
  alignas(64) mutable base::Mutex lock;
  base::ListNode worklist ABSL_GUARDED_BY(lock);  // WorkItem::entry
  int nr_running ABSL_GUARDED_BY(lock) = 0;
  int nr_workers ABSL_GUARDED_BY(lock) = 0;
  int nr_idle ABSL_GUARDED_BY(lock) = 0;
  base::List<Worker, &Worker::idle_node> idle_list ABSL_GUARDED_BY(lock);  // LIFO: front is warm
  base::List<Worker, &Worker::all_node> workers ABSL_GUARDED_BY(lock);
  Worker* busy[kBusyBuckets] ABSL_GUARDED_BY(lock) = {};
  Worker* manager ABSL_GUARDED_BY(lock) = nullptr;
  bool stopping ABSL_GUARDED_BY(lock) = false;
  uint64_t progress ABSL_GUARDED_BY(lock) = 0;  // W2: moves when the head of the list does

  // Deadlines that the service thread serves; 0: not set.
  base::Nanos mayday_at_ns ABSL_GUARDED_BY(lock) = 0;
  base::Nanos reap_at_ns ABSL_GUARDED_BY(lock) = 0;
  bool watched ABSL_GUARDED_BY(lock) = false;  // work waits and nobody was woken for it

  // Unbound pools: while the items are short one worker runs them, and an idle one, the
  // standby, looks now and then whether they still move.
  ShortItems short_items ABSL_GUARDED_BY(lock);
  Worker* standby ABSL_GUARDED_BY(lock) = nullptr;
  bool want_standby ABSL_GUARDED_BY(lock) = false;  // in a long stretch of short items
  int claim_waiters ABSL_GUARDED_BY(lock) = 0;      // sleep for an item on its way to the door

 private:
  friend class Runtime;
  void WorkerMain(Worker* worker);
  void ParkIdle(Worker* worker, base::Nanos until);
  void EmptyDoorLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  void PlaceAllLocked(base::ListNode* oldest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // For a running worker: the same while attended; else who has pushed does it, and kicks.
  void TakeInLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // `oldest` to `newest`, linked as at the door, come behind who stands in the hall.
  void AppendToHallLocked(base::ListNode* oldest, base::ListNode* newest, Workqueue* sole)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // Runs the first of the hall, or places all of them.
  void RunFromHallLocked(Worker* worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // The item is off every list, and its word says so, or is about to; see ProcessOneLocked().
  template <bool kFromDoor>
  void ExecuteLocked(Worker* worker, WorkItem* work, PoolWorkqueue* pwq, Word word)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // The live place of `wq` in this pool, or null.
  PoolWorkqueue* PlaceOfLocked(Workqueue* wq) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  void RunListLocked(Worker* worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  // `worker`, idle and awake, stays idle as (or no longer as) the standby, and looks
  // again at `*until`; false: it goes to work.
  bool StandByLocked(Worker* worker, base::Nanos* until) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  void SetStandbyLocked(Worker* worker, uint64_t moved_from) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  bool ManageLocked(Worker* worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  absl::Status CreateWorker();
  void EnterIdleLocked(Worker* worker, AfterUnlock* after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  void LeaveIdleLocked(Worker* worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  bool KickUnattendedLocked(AfterUnlock* after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  void WatchLocked(AfterUnlock* after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);
  bool NeedToCreate();
  base::Thread::Options ThreadOptions(const Worker& worker, cpu_set_t* cpus) const;

  // Tick()'s parts; each returns its next deadline (housekeeping.cc).
  base::Nanos ReapIdle(base::Nanos now_ns);
  base::Nanos SendMaydays(base::Nanos now_ns);
  base::Nanos Sample(base::Nanos now_ns);
  bool StalledLocked(base::Nanos now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock);

  static int Bucket(const WorkItem* work) {
    return static_cast<int>((reinterpret_cast<uintptr_t>(work) >> 5) * 0x9E3779B97F4A7C15ull >> 58);
  }

  base::CondVar manager_cv_;  // with lock
  int next_worker_id_ ABSL_GUARDED_BY(lock) = 0;
  // Worker objects are type-stable until the pool goes: a waker may still touch
  // the parker of a worker that has just been reaped.
  std::vector<std::unique_ptr<Worker>> owned_ ABSL_GUARDED_BY(lock);
  std::vector<Worker*> spare_ ABSL_GUARDED_BY(lock);

  // The list goes on here: who was let in and is not accounted for yet.  Oldest first, linked
  // as at the door, with the words of the door.
  base::ListNode* hall_ ABSL_GUARDED_BY(lock) = nullptr;
  base::ListNode* hall_newest_ ABSL_GUARDED_BY(lock) = nullptr;
  Workqueue* hall_sole_ ABSL_GUARDED_BY(lock) = nullptr;  // all of them are for this one
  // And its limit is reached: they wait as on `inactive`, until a slot is free.
  bool hall_blocked_ ABSL_GUARDED_BY(lock) = false;
  // The place of the last one that was started from there; forgotten when it fills.
  Workqueue* hall_wq_ ABSL_GUARDED_BY(lock) = nullptr;
  PoolWorkqueue* hall_pwq_ ABSL_GUARDED_BY(lock) = nullptr;
  // From the door, but not ours any more: oldest first, linked as at the door.
  base::ListNode* strays_ ABSL_GUARDED_BY(lock) = nullptr;
  base::ListNode** strays_end_ ABSL_GUARDED_BY(lock) = &strays_;
  static constexpr uint64_t kStandbyMovesMin = 8;  // in a pause; fewer are not worth the looking
  uint64_t standby_progress_ ABSL_GUARDED_BY(lock) = 0;  // when it looked last
  int quiet_ticks_ ABSL_GUARDED_BY(lock) = 0;  // samples in a row that found nothing waiting
  // Stall watchdog: the progress last seen, since when, and when it was reported.
  uint64_t stall_progress_ ABSL_GUARDED_BY(lock) = 0;
  base::Nanos stall_since_ns_ ABSL_GUARDED_BY(lock) = 0;
  base::Nanos stall_reported_ns_ ABSL_GUARDED_BY(lock) = 0;
};

// The pool's lock as everybody but its workers takes it: who holds it sees every item
// that was queued before, also those at the door.  Wakes whom it must after unlocking.
class ABSL_SCOPED_LOCKABLE PoolLock {
 public:
  explicit PoolLock(WorkerPool* pool) ABSL_EXCLUSIVE_LOCK_FUNCTION(pool->lock) : pool_(pool) {
    pool->lock.Lock();
    if (__builtin_expect(pool->AnyOutsideLocked(), 0)) {
      pool->SpliceLocked();
      pool->KickLocked(&after);
    }
  }
  ~PoolLock() ABSL_UNLOCK_FUNCTION() { pool_->lock.Unlock(); }
  PoolLock(const PoolLock&) = delete;
  PoolLock& operator=(const PoolLock&) = delete;

  AfterUnlock after;

 private:
  WorkerPool* const pool_;
};

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_WORKER_POOL_H_
