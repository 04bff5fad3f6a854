// SPDX-License-Identifier: BSD-3-Clause
//
// item.h -- every call on one work item, with the kernel's returns (1.6, 1.9).
#ifndef UWQ_WORKQUEUE_CORE_ITEM_H_
#define UWQ_WORKQUEUE_CORE_ITEM_H_

#include <string>

#include "workqueue/base/sync.h"
#include "workqueue/core/work_state.h"
#include "workqueue/core/worker_pool.h"

namespace uwq::core {

inline constexpr int kWorkCpuUnbound = -1;
inline constexpr unsigned kBusyPending = 1u << 0;
inline constexpr unsigned kBusyRunning = 1u << 1;

// --- Queueing (queue.cc) ---
bool QueueWorkOn(int cpu, Workqueue* wq, WorkItem* work);
inline bool QueueWork(Workqueue* wq, WorkItem* work) {
  return QueueWorkOn(kWorkCpuUnbound, wq, work);
}
// QueueWork for a source that keeps what it has and can ask again.  False: the queue is
// draining; nothing was queued and nothing is reported.
bool OfferWork(Workqueue* wq, WorkItem* work);
bool QueueWorkNode(int node, Workqueue* wq, WorkItem* work);
// Puts an item that the caller has claimed (PENDING is its own) onto `wq`:
// for timers and grace periods.
void QueueClaimed(int cpu, Workqueue* wq, WorkItem* work);
// Claims `work` for the caller.  False: pending already, or disabled.
bool ClaimForQueueing(WorkItem* work);

// --- Cancel, disable, flush (cancel.cc, flush.cc) ---
bool CancelWork(WorkItem* work);
bool CancelWorkSync(WorkItem* work);
bool DisableWork(WorkItem* work);
bool DisableWorkSync(WorkItem* work);
bool EnableWork(WorkItem* work, bool timer = false);
bool EnableAndQueueWork(Workqueue* wq, WorkItem* work);
bool FlushWork(WorkItem* work);

// What the layers above (delayed work) are built from.
// Makes the caller the owner of PENDING, wherever the item is; returns whether it
// was pending.  `timer`: the item belongs to a delayed work, taking down its
// timer is no misuse (D8).
bool GrabPending(WorkItem* work, bool timer);
// Gives a claim back with another disable depth and wakes whoever sleeps on it.
void ReleaseClaimed(WorkItem* work, int disable_depth);
bool CancelFlags(WorkItem* work, bool timer, bool disable);
bool CancelSyncFlags(WorkItem* work, bool timer, bool disable);
bool FlushWorkFrom(WorkItem* work, bool from_cancel);

// Returns once nobody is between "claimed" and "placed" with `work`.
void WaitPlaced(WorkItem* work);

// The delayed layer takes an item off its armed timer: true if the caller now
// owns PENDING, false if the timer has just expired.  Installed once, at start.
using TimerStealFn = bool (*)(WorkItem* work);
void SetTimerSteal(TimerStealFn steal);

// --- Looking ---
inline bool WorkPending(WorkItem* work) { return (LoadWord(work) & kPending) != 0; }
unsigned WorkBusy(WorkItem* work);
// The thread that waits for it if it is a flush barrier, else 0.  Under its pool's lock.
base::ThreadId BarrierWaiter(const WorkItem* work);
WorkItem* CurrentWork();
bool CurrentIsRescuer();
bool CurrentIsMemReclaim();
void SetWorkerDesc(const char* desc);

// --- Object life ---
// INIT_WORK: reports and mends the re-initialisation of a queued item (T149), and
// with debug_objects the on-stack rules (T148).
void InitWork(WorkItem* work, WorkFunc func, bool on_stack);
// Of the layers above, whose items are pending on no list, too: `func` is what an item of
// `was` is initialised for; `state`: what it was.
void ReportReinit(WorkFunc func, const std::string& was, const char* state);
// `timer`: of a delayed item.
void DestroyWorkOnStack(WorkItem* work, bool timer = false);
// A C++ item is destroyed: one that is pending, or running on another thread, is
// reported by name, cancelled and waited for.  `timer`: of a delayed item.
void EndOfLife(WorkItem* work, bool timer);
void SetDebugObjects(bool on);

// Wakes cancelers that sleep on `work`'s claim (cancel.cc).
void WakeClaimWaiters(const WorkItem* work);
// In the child of a fork: whoever slept or was about to is not there any more.
void ResetClaimWaiters();

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_ITEM_H_
