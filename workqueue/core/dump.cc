// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/core/dump.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "workqueue/core/item.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/report.h"
#include "workqueue/core/rescuer.h"

namespace uwq::core {

using base::ListNode;
using base::MutexLock;

namespace {

WorkqueueSnapshot SnapshotOf(Workqueue* wq) {
  WorkqueueSnapshot s;
  s.name = wq->name;
  s.flags = wq->flags.load(std::memory_order_relaxed);
  s.max_active = wq->max_active.load(std::memory_order_relaxed);
  s.sysfs = wq->HasFlag(kWqSysfs);
  MutexLock lock(&wq->mutex);
  for (PoolWorkqueue* pwq : wq->pwqs) {
    PoolLock pool_lock(pwq->pool.load(std::memory_order_relaxed));
    s.nr_active += pwq->nr_active;
    for (int n : pwq->nr_in_flight) s.nr_in_flight += n;
    for (ListNode* n = pwq->inactive.next; n != &pwq->inactive; n = n->next) ++s.nr_inactive;
    for (int i = 0; i < static_cast<int>(PwqStat::kCount); ++i) s.stats[i] += pwq->stats[i];
  }
  return s;
}

PoolSnapshot SnapshotOf(WorkerPool* pool) {
  PoolSnapshot s;
  s.id = pool->id;
  s.cpu = pool->cpu;
  s.bh = pool->bh;
  PoolLock lock(pool);
  s.cpus = pool->Describe();
  s.nice = pool->unbound() ? pool->attrs.nice : (pool->highpri ? -20 : 0);
  s.nr_workers = pool->nr_workers;
  s.nr_idle = pool->nr_idle;
  s.nr_running = pool->nr_running;
  if (pool->manager != nullptr) s.manager = pool->manager->tid.load(std::memory_order_relaxed);
  s.hung_ns = pool->HungForLocked(base::Now());
  for (ListNode* n = pool->worklist.next; n != &pool->worklist; n = n->next) ++s.nr_waiting;
  const auto add = [&s](const Worker* w) {
    WorkerSnapshot ws;
    ws.id = w->id;
    ws.tid = w->tid.load(std::memory_order_relaxed);
    ws.idle = (w->flags & Worker::kIdle) != 0;
    ws.rescuer = w->rescue_wq != nullptr;
    if (w->current_work != nullptr) {
      ws.func = FuncName(w->current_func);
      ws.desc =
          w->desc[0] != '\0' ? w->desc : w->current_pwq->wq.load(std::memory_order_relaxed)->name;
    }
    s.workers.push_back(std::move(ws));
  };
  for (const Worker* w : pool->workers) add(w);
  // A rescuer belongs to its queue; it is seen in the pool that it helps.
  for (const Worker* bucket : pool->busy) {
    for (const Worker* w = bucket; w != nullptr; w = w->busy_next) {
      if (w->rescue_wq != nullptr) add(w);
    }
  }
  return s;
}

std::string BarrierName(base::ThreadId waiter) { return absl::StrCat("BAR(", waiter, ")"); }

// "fn", "3*fn" for a run of equal ones, "BAR(7)" for the flush that thread 7 waits for.
class FuncRun {
 public:
  explicit FuncRun(std::vector<std::string>* out) : out_(out) {}
  ~FuncRun() { Flush(); }
  void Add(const WorkItem* work) {
    const base::ThreadId waiter = BarrierWaiter(work);
    if (count_ > 0 && (waiter != 0 || work->func != func_)) Flush();
    if (waiter != 0) {
      out_->push_back(BarrierName(waiter));
      return;
    }
    func_ = work->func;
    ++count_;
  }

 private:
  void Flush() {
    if (count_ == 1) out_->push_back(FuncName(func_));
    if (count_ > 1) out_->push_back(absl::StrCat(count_, "*", FuncName(func_)));
    count_ = 0;
  }
  std::vector<std::string>* const out_;
  WorkFunc func_ = nullptr;
  int count_ = 0;
};

std::string DumpPwq(PoolWorkqueue* pwq, bool all) {
  WorkerPool* const pool = pwq->pool.load(std::memory_order_relaxed);
  std::vector<std::string> in_flight, pending, inactive;
  int nr_active, refcnt, nr_in_flight = 0;
  {
    PoolLock lock(pool);
    nr_active = pwq->nr_active;
    for (int n : pwq->nr_in_flight) nr_in_flight += n;
    // As the kernel counts: one for being in use, one for each item in flight.
    refcnt = nr_in_flight + (pwq->live ? 1 : 0);
    for (Worker* bucket : pool->busy) {
      for (Worker* w = bucket; w != nullptr; w = w->busy_next) {
        if (w->current_pwq != pwq) continue;
        in_flight.push_back(absl::StrCat(w->tid.load(std::memory_order_relaxed),
                                         w->rescue_wq != nullptr ? "(RESCUER)" : "", ":",
                                         FuncName(w->current_func)));
        for (ListNode* n = w->scheduled.next; n != &w->scheduled; n = n->next) {
          const base::ThreadId waiter = BarrierWaiter(WorkOf(n));
          if (waiter != 0) absl::StrAppend(&in_flight.back(), " ", BarrierName(waiter));
        }
      }
    }
    FuncRun waiting(&pending), throttled(&inactive);
    for (ListNode* n = pool->worklist.next; n != &pool->worklist; n = n->next) {
      if (PwqOf(LoadWord(WorkOf(n))) == pwq) waiting.Add(WorkOf(n));
    }
    for (ListNode* n = pwq->inactive.next; n != &pwq->inactive; n = n->next) {
      throttled.Add(WorkOf(n));
    }
  }
  if (!all && nr_in_flight == 0) return "";
  const bool mayday = pwq->mayday_sent.load(std::memory_order_relaxed);
  std::string out = absl::StrCat("  pwq ", pool->id, ": ", pool->Describe(), " active=", nr_active,
                                 " refcnt=", refcnt, mayday ? " MAYDAY" : "", "\n");
  const auto line = [&out](const char* what, const std::vector<std::string>& items) {
    if (!items.empty()) absl::StrAppend(&out, "    ", what, ": ", absl::StrJoin(items, ", "), "\n");
  };
  line("in-flight", in_flight);
  line("pending", pending);
  line("inactive", inactive);
  return out;
}

std::string DumpQueue(Workqueue* wq, bool all) {
  std::string body;
  MutexLock lock(&wq->mutex);
  for (PoolWorkqueue* pwq : wq->pwqs) body += DumpPwq(pwq, all);
  if (!all && body.empty()) return "";
  return absl::StrFormat("workqueue %s: flags=0x%x\n%s", wq->name,
                         wq->flags.load(std::memory_order_relaxed) & ~+kWqSystem, body);
}

}  // namespace

Snapshot TakeSnapshot(Runtime* runtime) {
  Snapshot snapshot;
  {
    MutexLock lock(&runtime->mutex);
    for (Workqueue* wq : runtime->workqueues) snapshot.workqueues.push_back(SnapshotOf(wq));
  }
  runtime->ForEachPool([&](WorkerPool* pool) { snapshot.pools.push_back(SnapshotOf(pool)); });
  return snapshot;
}

std::string DumpText(Runtime* runtime, bool all) {
  std::string out = "Showing busy workqueues and worker pools:\n";
  {
    MutexLock lock(&runtime->mutex);
    for (Workqueue* wq : runtime->workqueues) out += DumpQueue(wq, all);
  }
  runtime->ForEachPool([&](WorkerPool* pool) {
    const PoolSnapshot s = SnapshotOf(pool);
    if (!all && s.nr_idle == s.nr_workers && s.nr_waiting == 0) return;
    absl::StrAppend(&out, "pool ", s.id, ": ", s.cpus, " hung=", s.hung_ns / base::kSecond,
                    "s workers=", s.nr_workers);
    if (s.manager != 0) absl::StrAppend(&out, " manager: ", s.manager);
    const char* before = " idle: ";
    for (const WorkerSnapshot& w : s.workers) {
      if (!w.idle) continue;
      absl::StrAppend(&out, before, w.tid);
      before = " ";
    }
    out += "\n";
  });
  return out;
}

std::string DumpWorkqueue(Workqueue* wq) { return DumpQueue(wq, /*all=*/false); }

std::string DumpFreezable(Runtime* runtime) {
  std::string out = "Showing freezable workqueues that are still busy:\n";
  MutexLock lock(&runtime->mutex);
  for (Workqueue* wq : runtime->workqueues) {
    if (wq->HasFlag(kWqFreezable)) out += DumpQueue(wq, /*all=*/false);
  }
  return out;
}

}  // namespace uwq::core
