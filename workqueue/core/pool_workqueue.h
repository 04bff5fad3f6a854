// SPDX-License-Identifier: BSD-3-Clause
//
// pool_workqueue.h -- the pairing of one workqueue with one pool: all accounting.
//
// Invariant A1: an item counts in nr_in_flight[colour] from queueing until its
// function has returned or it was cancelled; in nr_active from activation on.
// Invariant A2: an item waits on `inactive` only while a limit forbids it to run.
// Every field marked L is protected by pool->lock of the pool that `pool` names.
#ifndef UWQ_WORKQUEUE_CORE_POOL_WORKQUEUE_H_
#define UWQ_WORKQUEUE_CORE_POOL_WORKQUEUE_H_

#include <cstdint>

#include "workqueue/base/list.h"
#include "workqueue/core/worker_pool.h"

namespace uwq::core {

// The kernel monitor's counters (T3).
enum class PwqStat : int {
  kStarted,
  kCompleted,
  kCpuTimeNs,
  kCpuIntensive,
  kCmWakeup,
  kRepatriated,
  kMayday,
  kRescued,
  kCount
};

// The limit of an unbound queue, shared by its pool_workqueues of one NUMA node
// (A4); the last one of a queue's array serves those that span nodes.
class NodeActive {
 public:
  // Takes a slot; false when the node is full.
  bool TryGet() {
    int seen = nr_.load(std::memory_order_seq_cst);
    for (;;) {
      if (seen >= max_.load(std::memory_order_seq_cst)) return false;
      if (nr_.compare_exchange_strong(seen, seen + 1, std::memory_order_seq_cst)) return true;
    }
  }
  // A slot may be passed on to the only one in line without giving it back: the limit has
  // not sunk meanwhile.  Who gets in line right now is served by the next one to leave.
  bool MayPassOn() const {
    return nr_pending_.load(std::memory_order_relaxed) == 1 &&
           nr_.load(std::memory_order_relaxed) <= max_.load(std::memory_order_seq_cst);
  }
  // Gives a slot back; true if somebody may be waiting for one.
  // A9: seq_cst here and in TryGet/AddWaiterLocked.  Either the releaser sees the
  // waiter in the list or the waiter sees the lower count.
  bool Put() {
    const int left = nr_.fetch_sub(1, std::memory_order_seq_cst) - 1;
    return left < max_.load(std::memory_order_seq_cst) &&
           nr_pending_.load(std::memory_order_seq_cst) != 0;
  }
  // Slots that are taken already, whatever the limit says.
  void Add(int count) { nr_.fetch_add(count, std::memory_order_seq_cst); }
  void SetMax(int max) { max_.store(max, std::memory_order_seq_cst); }
  int nr() const { return nr_.load(std::memory_order_relaxed); }

  // Activates as many waiting items as the limit allows, round-robin over the
  // waiting pool_workqueues (A8, O4).  No lock held.
  void ActivatePending();

  // Puts `pwq` into the waiting list unless it is there.  pool->lock held.
  void AddWaiter(PoolWorkqueue* pwq);
  void RemoveWaiter(PoolWorkqueue* pwq);
  // The waiting pwq whose turn it is lives in `pool`; null otherwise.
  PoolWorkqueue* FirstWaiterIn(WorkerPool* pool);
  void Rotate(PoolWorkqueue* pwq);

 private:
  base::Atomic<int> nr_{0};
  base::Atomic<int> max_{0};
  base::Atomic<int> nr_pending_{0};  // length of pending_
  base::Mutex lock_;                 // inside pool->lock
  base::ListNode pending_ ABSL_GUARDED_BY(lock_) = {&pending_, &pending_};
};

// Aligned so that its address leaves the low bits of the state word free (S2).
// Type-stable: recycled only as another PoolWorkqueue, so that a canceler that
// read a stale pointer from a state word may still lock `pool` and look again.
struct alignas(1 << kPwqShift) PoolWorkqueue {
  base::Atomic<WorkerPool*> pool{nullptr};
  base::Atomic<Workqueue*> wq{nullptr};
  NodeActive* node = nullptr;     // L: null for per-CPU and BH queues, and for a queue's only pwq
  bool percpu_intensive = false;  // I: WQ_CPU_INTENSIVE on a per-CPU pool
  bool is_default = false;        // M (wq->mutex)

  int work_color = 0;                // L: colour of new items
  int flush_color = -1;              // L: colour a flusher waits for, or -1
  int nr_active = 0;                 // L
  bool live = false;                 // L: false once replaced; released when idle
  bool plugged = false;              // L: ordered queue: waits for its predecessors (O1)
  int nr_in_flight[kNrColors] = {};  // L
  base::ListNode inactive = {&inactive, &inactive};  // L: WorkItem::entry, FIFO (O3)
  base::ListNode pending_node;                       // NodeActive::lock_
  bool waiting = false;                              // L: in the node's line
  base::ListNode mayday_node;                        // wq->mayday_lock
  base::Atomic<bool> mayday_sent{false};  // written under wq->mayday_lock, read by the dump
  base::ListNode wq_node;                 // M: wq->pwqs, newest first
  PoolWorkqueue* next_release = nullptr;  // service thread's list, slab's free list
  int64_t stats[static_cast<int>(PwqStat::kCount)] = {};  // L

  void Count(PwqStat stat, int64_t by = 1) { stats[static_cast<int>(stat)] += by; }
  bool IdleLocked() const {
    for (int n : nr_in_flight) {
      if (n != 0) return false;
    }
    return true;
  }
};

inline WorkItem* WorkOf(base::ListNode* node) {
  return base::EntryOf<WorkItem, &WorkItem::entry>(node);
}

// --- Accounting; pool == pwq->pool, its lock held ----------------------------

// Puts an item that is claimed or at the door on the pool's list or on `inactive`; the
// caller kicks.  `req_cpu` is for the trace only.
void PlaceLocked(WorkerPool* pool, PoolWorkqueue* pwq, WorkItem* work, int req_cpu)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool->lock);
// Takes one slot for `pwq` if its limits allow.  `fill`: it is its turn among waiters.
bool TryGetActiveLocked(WorkerPool* pool, PoolWorkqueue* pwq, bool fill)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool->lock);
// Moves the first inactive item to the pool's list if a slot can be had.
bool ActivateFirstLocked(WorkerPool* pool, PoolWorkqueue* pwq, bool fill)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool->lock);
// An item leaves: executed or cancelled.  `word` is its word while on the list.
void LeaveAwaitedLocked(WorkerPool* pool, PoolWorkqueue* pwq, Word word, AfterUnlock* after)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool->lock);
inline void LeaveLocked(WorkerPool* pool, PoolWorkqueue* pwq, Word word, AfterUnlock* after)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool->lock) {
  const int color = ColorOf(word);
  UWQ_CHECK(pwq->nr_in_flight[color] > 0);
  if (__builtin_expect((word & kInactive) != 0 || pwq->node != nullptr || !pwq->live ||
                           pwq->flush_color == color || !base::ListEmpty(&pwq->inactive),
                       0)) {
    LeaveAwaitedLocked(pool, pwq, word, after);
    return;
  }
  // Nobody waits for its slot or for the last of its colour.
  --pwq->nr_in_flight[color];
  --pwq->nr_active;
  pool->UnblockHallLocked();
}
// `pwq`, so far alone with its limit, counts in `node` from now on.
void JoinNodeLocked(WorkerPool* pool, PoolWorkqueue* pwq, NodeActive* node)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool->lock);
// Moves `work` and the barriers linked behind it to the back of `to`.
void MoveLinked(WorkItem* work, base::ListNode* to, base::ListNode** next_cursor);

// Links `work` in front of `before` with its word set; also barriers (flush.cc).
// Refuses an item whose node is linked already (Q10).
bool LinkLocked(WorkerPool* pool, PoolWorkqueue* pwq, WorkItem* work, base::ListNode* before,
                int color, Word flags) ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool->lock);

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_POOL_WORKQUEUE_H_
