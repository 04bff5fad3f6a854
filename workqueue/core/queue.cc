// SPDX-License-Identifier: BSD-3-Clause
//
// queue.cc -- from "queue this item" to its place on a list (1.6, Q*, N*).
#include "absl/strings/str_cat.h"
#include "workqueue/base/trace.h"
#include "workqueue/core/gate.h"
#include "workqueue/core/item.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/workqueue.h"

namespace uwq::core {

using base::MutexLock;

namespace {

std::string ItemOn(WorkItem* work, const Workqueue* wq) {
  return absl::StrCat(FuncName(work->func), " on workqueue ", wq->name);
}

// Flags that make a queueing call look twice.
constexpr unsigned kOddFlags = kWqDestroying | kWqDraining | kWqDeprecated;

// Q7, X2: takes nothing from the caller, who is not one of its own items.
bool ClosedToCaller(const Workqueue* wq, unsigned flags) {
  return (flags & (kWqDestroying | kWqDraining)) != 0 && !IsChained(wq);
}

// What can be known to be wrong before the item is placed.  True: drop it.
bool RefuseMisuse(Workqueue* wq, WorkItem* work, unsigned flags) {
  if ((flags & kWqDeprecated) != 0) {
    ReportOnce(ReportKind::kDeprecatedQueue, wq,
               absl::StrCat(ItemOn(work, wq), ": system_wq and system_unbound_wq are deprecated, ",
                            "use system_percpu_wq or system_dfl_wq"));
  }
  if (ClosedToCaller(wq, flags)) {
    const bool forked = wq->runtime != nullptr && wq->runtime->forked();
    ReportOnce(forked ? ReportKind::kForkedRuntime : ReportKind::kQueueOnDraining,
               reinterpret_cast<void*>(work->func),
               absl::StrCat("cannot queue ", ItemOn(work, wq),
                            forked ? ": its Runtime belongs to the parent of a fork"
                                   : ": it is draining or destroyed; the item is dropped"));
    return true;
  }
  // Q10: the node belongs to the owner of PENDING, so it may be read without a lock.
  if (base::Linked(&work->entry)) {
    ReportOnce(ReportKind::kListCorruption, reinterpret_cast<void*>(work->func),
               absl::StrCat("not queued: the list node of ", ItemOn(work, wq),
                            " is on a list already (freed or overwritten while queued?)"));
    return true;
  }
  return false;
}

int ChooseCpu(int cpu, Workqueue* wq, WorkItem* work, unsigned flags) {
  Runtime* const runtime = wq->runtime;
  if (cpu != kWorkCpuUnbound) {
    if (cpu >= 0 && cpu < runtime->topology().nr_cpus()) return cpu;
    ReportOnce(ReportKind::kBadCpu, reinterpret_cast<void*>(work->func),
               absl::StrCat("CPU ", cpu, " for ", ItemOn(work, wq), " does not exist (0..",
                            runtime->topology().nr_cpus() - 1, "); the local CPU is used"));
  }
  return (flags & kWqUnbound) != 0 ? runtime->UnboundCpu() : runtime->LocalCpu();
}

// N2: while its last pool still executes the item for this queue, the new
// instance goes there.  True: placed.
//
// Only one pool lock at a time is needed: PENDING is the caller's, so between the
// look and the placing nobody else can queue the item anywhere, and an item that
// is not queued cannot start to execute in the pool just looked at.
bool PlaceWhereItRuns(WorkerPool* last, Workqueue* wq, WorkItem* work, int cpu) {
  const Workqueue* other = nullptr;
  {
    AfterUnlock after;
    MutexLock lock(&last->lock);
    Worker* const worker = last->FindBusyLocked(work, work->func);
    if (worker == nullptr) return false;
    PoolWorkqueue* const pwq = worker->current_pwq;
    other = pwq->wq.load(std::memory_order_relaxed);
    if (other == wq) {
      // Not into the hall: where the queue has left this pool, `pwq` is no place of its any more.
      last->SpliceLocked();
      PlaceLocked(last, pwq, work, cpu);
      last->KickLocked(&after);
      return true;
    }
  }
  ReportOnce(ReportKind::kSecondQueue, reinterpret_cast<void*>(work->func),
             absl::StrCat(ItemOn(work, wq), " is queued while it still runs on another queue",
                          ": the two executions may overlap (N3)"));
  return false;
}

// After the placing: a drainer that has walked past this pwq sees the count move
// and walks again (X1).
void CountChained(Workqueue* wq, unsigned flags) {
  if (__builtin_expect((flags & (kWqDraining | kWqDestroying)) != 0, 0)) {
    wq->nr_chained.fetch_add(1, std::memory_order_acq_rel);
  }
}

bool PlaceClaimed(int req_cpu, Workqueue* wq, WorkItem* work, bool offered);

// The way in that takes no lock (docs/door.md).  False: nothing was done.
// The CPU chosen is left in `*cpu`.
// Not inlined: a refused call is shorter without its registers.
[[gnu::noinline]] bool QueueAtDoor(int* cpu, Workqueue* wq, WorkItem* work) {
  const Word word = LoadWord(work);
  // Even, and the same at the end: the slot that was read in between still holds.
  const uint64_t seq = wq->place_seq.load(std::memory_order_acquire);
  const unsigned flags = wq->flags.load(std::memory_order_acquire);
  if ((seq & 1) != 0 || (flags & kOddFlags) != 0) return false;
  WorkerPool* pool = wq->sole_pool.load(std::memory_order_acquire);
  if (pool == nullptr || *cpu != kWorkCpuUnbound) {
    if (base::ActiveTraceSink() != nullptr) return false;  // asks for the CPU as requested
    if (*cpu == kWorkCpuUnbound) {
      *cpu = (flags & kWqUnbound) != 0 ? wq->runtime->UnboundCpu() : wq->runtime->LocalCpu();
    } else if (*cpu < 0 || *cpu >= wq->runtime->topology().nr_cpus()) {
      return false;
    }
    pool = wq->cpu_pwq[*cpu].load(std::memory_order_acquire)->pool.load(std::memory_order_acquire);
  }
  if (!pool->door.attended.load(std::memory_order_acquire)) return false;
  // N2: what may still run in another pool has to look there first.
  if ((word != pool->idle_word && word != kInitialWord) || work->func == nullptr ||
      base::ActiveTraceSink() != nullptr) {
    return false;
  }
  if (!ClaimForDoor(work, word, pool->door_word)) return false;
  if (__builtin_expect(base::Linked(&work->entry), 0)) {
    if (LeaveDoor(work)) WakeClaimWaiters(work);
    QueueClaimed(*cpu, wq, work);  // Q10: reports it
    return true;
  }
  base::ListNode* const node = &work->entry;
  node->prev = reinterpret_cast<base::ListNode*>(wq);
  base::ListNode* newest = pool->door.newest.load(std::memory_order_relaxed);
  do {
    node->next = newest;
  } while (!pool->door.newest.compare_exchange_weak(newest, node, std::memory_order_seq_cst,
                                                    std::memory_order_relaxed));
  // From here on the item is not ours; see UpdateAttendedLocked() for this load.
  if (__builtin_expect(!pool->door.attended.load(std::memory_order_seq_cst), 0)) pool->LetIn();
  // The queue moved while we came in: the mover did not see this item, so it is for us
  // to see that it gets to where the queue is now.
  if (__builtin_expect(wq->place_seq.load(std::memory_order_seq_cst) != seq, 0)) {
    pool->ForwardStrays();
  }
  return true;
}

}  // namespace

bool ClaimForQueueing(WorkItem* work) {
  const Word old = Claim(work);
  if ((old & kPending) != 0) return false;
  if (__builtin_expect(old == 0 || work->func == nullptr, 0)) {
    // A zeroed item: pool id 0 is never given out, an initialised idle item has one.
    ReleaseClaimed(work, DisableDepthOf(old));
    ReportOnce(ReportKind::kUninitialised, work,
               absl::StrCat("not queued: the item was never initialised (func ",
                            FuncName(work->func), ")"));
    return false;
  }
  if (__builtin_expect((old & kDisableMask) != 0, 0)) {
    ReleaseClaimed(work, DisableDepthOf(old));
    return false;
  }
  return true;
}

bool QueueWorkOn(int cpu, Workqueue* wq, WorkItem* work) {
  if ((LoadWord(work) & kPending) == 0 && QueueAtDoor(&cpu, wq, work)) return true;
  if (!ClaimForQueueing(work)) return false;
  QueueClaimed(cpu, wq, work);
  return true;
}

void QueueClaimed(int cpu, Workqueue* wq, WorkItem* work) {
  (void)PlaceClaimed(cpu, wq, work, /*offered=*/false);
}

bool OfferWork(Workqueue* wq, WorkItem* work) {
  return !ClaimForQueueing(work) || PlaceClaimed(kWorkCpuUnbound, wq, work, /*offered=*/true);
}

namespace {

bool PlaceClaimed(int req_cpu, Workqueue* wq, WorkItem* work, bool offered) {
  const int last_id = PoolIdOf(OwnedWord(work));
  for (;;) {
    const unsigned flags = wq->flags.load(std::memory_order_acquire);
    if (__builtin_expect((flags & kOddFlags) != 0 || base::Linked(&work->entry), 0)) {
      const bool later = offered && (flags & kWqDestroying) == 0 && ClosedToCaller(wq, flags);
      if (later || RefuseMisuse(wq, work, flags)) {
        ReleaseClaimed(work, DisableDepthOf(OwnedWord(work)));
        return !later;  // Q7: dropped, yet "true"
      }
    }
    // Where all slots are alike the CPU need not be known.  O1: an ordered queue has one
    // place, hence one slot: all change places at once.
    const bool any =
        req_cpu == kWorkCpuUnbound && wq->sole_pool.load(std::memory_order_acquire) != nullptr;
    const int cpu = any ? 0 : ChooseCpu(req_cpu, wq, work, flags);
    const int slot = (flags & kWqOrdered) != 0 ? 0 : cpu;
    PoolWorkqueue* const pwq = wq->cpu_pwq[slot].load(std::memory_order_acquire);
    WorkerPool* const pool = pwq->pool.load(std::memory_order_acquire);
    // N7: an ordered queue has one place only.
    if (last_id != pool->id && last_id != static_cast<int>(kPoolNone) &&
        (flags & kWqOrdered) == 0) {
      WorkerPool* const last = Runtime::PoolById(last_id);
      if (last != nullptr && PlaceWhereItRuns(last, wq, work, req_cpu)) {
        CountChained(wq, flags);
        return true;
      }
    }
    AfterUnlock after;
    MutexLock lock(&pool->lock);
    // The attributes may have changed since the slot was read: look again.  The slot,
    // too: `pwq` may be the memory of the next place, which is not the current one yet.
    if (__builtin_expect(pwq->live && pwq->wq.load(std::memory_order_relaxed) == wq &&
                             pwq->pool.load(std::memory_order_relaxed) == pool &&
                             wq->cpu_pwq[slot].load(std::memory_order_relaxed) == pwq,
                         1)) {
      if (__builtin_expect(pool->AnyOutsideLocked(), 0)) {
        pool->JoinOthersLocked(pwq, work, req_cpu);
      } else {
        PlaceLocked(pool, pwq, work, req_cpu);
      }
      pool->KickLocked(&after);
      CountChained(wq, flags);
      return true;
    }
  }
}

}  // namespace

bool QueueWorkNode(int node, Workqueue* wq, WorkItem* work) {
  if (!wq->unbound()) {
    ReportOnce(ReportKind::kUnboundOnly, wq,
               absl::StrCat("queue_work_node on per-CPU workqueue ", wq->name));
  }
  const Topology& topology = wq->runtime->topology();
  int cpu = kWorkCpuUnbound;
  if (node >= 0 && node < topology.nr_nodes()) {
    const int local = wq->runtime->LocalCpu();
    if (topology.NodeOf(local) == node) {
      cpu = local;
    } else {
      const CpuMask& mask = topology.NodeMask(node);
      for (int i = 0; i < topology.nr_cpus() && cpu == kWorkCpuUnbound; ++i) {
        if (mask.test(i)) cpu = i;
      }
    }
  }
  return QueueWorkOn(cpu, wq, work);
}

bool IsChained(const Workqueue* wq) {
  if (HoldsGate(wq)) return true;
  const Worker* const worker = CurrentWorker();
  // X9: never true in BH context.
  return worker != nullptr && worker->current_pwq != nullptr && !wq->HasFlag(kWqBh) &&
         worker->current_pwq->wq.load(std::memory_order_relaxed) == wq;
}

}  // namespace uwq::core
