// SPDX-License-Identifier: BSD-3-Clause
//
// workqueue.cc -- making and ending queues, attributes, limits (1.10, 1.11, 1.13).
#include "workqueue/core/workqueue.h"

#include <string.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "workqueue/base/fault.h"
#include "workqueue/core/dump.h"
#include "workqueue/core/report.h"
#include "workqueue/core/rescuer.h"
#include "workqueue/core/runtime.h"

namespace uwq::core {

using base::MutexLock;

namespace {

constexpr int kNoLimit = std::numeric_limits<int>::max();

base::Atomic<ArmedTimersFn> armed_timers_hook{nullptr};

// Flags as the caller wrote them -> flags in force, or what is wrong with them.
absl::StatusOr<unsigned> CheckFlags(const WorkqueueOptions& options, bool power_efficient) {
  unsigned flags = options.flags;
  if ((flags & kWqOrdered) != 0 && (flags & (kWqUnbound | kWqBh)) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("workqueue ", options.name, ": an ordered workqueue is WQ_UNBOUND"));
  }
  if ((flags & kWqBh) != 0) {
    if ((flags & ~kWqBhAllows) != 0 || options.max_active != 0) {
      const std::string text = absl::StrFormat(
          "workqueue %s: WQ_BH goes with WQ_HIGHPRI, WQ_PERCPU and max_active 0 only "
          "(flags 0x%x, max_active %d)",
          options.name, flags, options.max_active);
      // Two rules, as the kernel warns of each by itself.
      const bool by_limit = options.max_active != 0;
      ReportOnce(ReportKind::kBadFlags, reinterpret_cast<void*>(by_limit ? 3 : 4), text);
      return absl::InvalidArgumentError(text);
    }
    return flags | kWqPercpu;
  }
  if ((flags & kWqPowerEfficient) != 0 && power_efficient) {
    flags = (flags | kWqUnbound) & ~kWqPercpu;
  }
  if ((flags & (kWqPercpu | kWqUnbound)) == 0) {
    ReportOnce(ReportKind::kBadFlags, reinterpret_cast<void*>(1),
               absl::StrCat("workqueue ", options.name,
                            ": neither WQ_PERCPU nor WQ_UNBOUND; WQ_PERCPU is assumed"));
    flags |= kWqPercpu;
  } else if ((flags & kWqPercpu) != 0 && (flags & kWqUnbound) != 0) {
    ReportOnce(ReportKind::kBadFlags, reinterpret_cast<void*>(2),
               absl::StrCat("workqueue ", options.name,
                            ": both WQ_PERCPU and WQ_UNBOUND; WQ_UNBOUND is kept"));
    flags &= ~kWqPercpu;
  }
  return flags;
}

int ClampMaxActive(int max_active, const char* name) {
  const int clamped = std::clamp(max_active, 1, kWqMaxActive);
  if (clamped != max_active) {
    ReportAlways(
        ReportKind::kMaxActiveClamped,
        absl::StrCat("workqueue ", name, ": max_active ", max_active,
                     " is out of range, clamping to ", clamped, " (1..", kWqMaxActive, ")"));
  }
  return clamped;
}

// The NodeActive that an unbound pool counts in: its node's, or the spanning one.
NodeActive* NodeActiveOf(Workqueue* wq, const WorkerPool* pool) {
  if (!wq->unbound()) return nullptr;
  const Topology& topology = wq->runtime->topology();
  const int node = topology.NodeAround(pool->attrs.pod_mask);
  return &wq->node_active[node >= 0 ? node : topology.nr_nodes()];
}

// Ties `wq` to `pool`.  Fields are written under the pool's lock: a stale reader of
// the recycled memory takes that lock before it believes anything.
PoolWorkqueue* LinkPwqLocked(Workqueue* wq, WorkerPool* pool, bool plugged, bool alone)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(wq->mutex) {
  PoolWorkqueue* const pwq = wq->runtime->AllocPwq();
  if (pwq == nullptr) return nullptr;
  {
    MutexLock lock(&pool->lock);
    pwq->wq.store(wq, std::memory_order_relaxed);
    pwq->node = alone ? nullptr : NodeActiveOf(wq, pool);
    pwq->percpu_intensive = wq->HasFlag(kWqCpuIntensive) && !pool->unbound();
    pwq->work_color = wq->work_color;
    pwq->flush_color = -1;
    pwq->nr_active = 0;
    pwq->live = true;
    pwq->plugged = plugged;
    std::fill(std::begin(pwq->nr_in_flight), std::end(pwq->nr_in_flight), 0);
    std::fill(std::begin(pwq->stats), std::end(pwq->stats), 0);
    base::ListInit(&pwq->inactive);
    base::ListInit(&pwq->pending_node);
    pwq->waiting = false;
    base::ListInit(&pwq->mayday_node);
    pwq->mayday_sent.store(false, std::memory_order_relaxed);
    pwq->pool.store(pool, std::memory_order_release);
  }
  wq->pwqs.push_front(pwq);  // newest first
  return pwq;
}

// A4: a node's share of max_active, by its CPUs.
void SetNodeLimitsLocked(Workqueue* wq, int max_active, int min_active)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(wq->mutex) {
  const Topology& topology = wq->runtime->topology();
  const CpuMask mask = wq->attrs.cpumask.any() ? wq->attrs.cpumask : topology.all();
  const int total = std::max<int>(1, static_cast<int>(mask.count()));
  for (int node = 0; node < topology.nr_nodes(); ++node) {
    const int cpus = static_cast<int>((mask & topology.NodeMask(node)).count());
    const int share = (max_active * cpus + total - 1) / total;
    wq->node_active[node].SetMax(std::clamp(share, min_active, std::max(min_active, max_active)));
  }
  wq->node_active[topology.nr_nodes()].SetMax(max_active);
}

struct NewPwq {
  WorkerPool* pool;
  CpuMask cpus;
};

void PutPools(Runtime* runtime, const std::vector<NewPwq>& links) {
  for (const NewPwq& link : links) {
    if (link.pool->unbound()) runtime->PutUnboundPool(link.pool);
  }
}

// The pools that `wq` needs, each with the CPUs that it serves; all or nothing (U4).
absl::StatusOr<std::vector<NewPwq>> PreparePools(Workqueue* wq, const WorkqueueAttrs& attrs) {
  Runtime* const runtime = wq->runtime;
  const Topology& topology = runtime->topology();
  std::vector<NewPwq> links;
  if (!wq->unbound()) {
    for (int cpu = 0; cpu < topology.nr_cpus(); ++cpu) {
      absl::StatusOr<WorkerPool*> pool =
          runtime->CpuPool(cpu, wq->HasFlag(kWqHighpri), wq->HasFlag(kWqBh));
      if (!pool.ok()) return pool.status();
      links.push_back({*pool, CpuMask().set(cpu)});
    }
    return links;
  }
  // U3: an empty intersection means the whole unbound mask.
  CpuMask effective =
      attrs.cpumask.any() ? attrs.cpumask & runtime->unbound_mask() : runtime->unbound_mask();
  if (effective.none()) effective = runtime->unbound_mask();
  AffnScope scope = attrs.affn_scope;
  if (scope == AffnScope::kDefault) scope = runtime->options().default_affn_scope;
  if (wq->ordered()) scope = AffnScope::kSystem;  // one place for all
  for (int cpu = 0; cpu < topology.nr_cpus(); ++cpu) {
    PoolAttrs want;
    want.nice = attrs.nice;
    want.affn_strict = attrs.affn_strict && !wq->ordered();
    want.pod_mask = topology.PodMask(scope, cpu, runtime->options().cache_shard_size) & effective;
    if (want.pod_mask.none()) want.pod_mask = effective;
    if (!want.affn_strict) want.cpumask = effective;
    // CPUs of one pod share the pool_workqueue, too: one FIFO, fewer to flush.
    auto same = std::find_if(links.begin(), links.end(),
                             [&](const NewPwq& link) { return link.pool->attrs == want; });
    if (same != links.end()) {
      same->cpus.set(cpu);
      continue;
    }
    absl::StatusOr<WorkerPool*> pool = runtime->GetUnboundPool(want);
    if (!pool.ok()) {
      PutPools(runtime, links);
      return pool.status();
    }
    links.push_back({*pool, CpuMask().set(cpu)});
  }
  return links;
}

// Makes `links` the queue's places; what was there before drains and goes.
absl::Status InstallLocked(Workqueue* wq, const std::vector<NewPwq>& links,
                           std::vector<PoolWorkqueue*>* idle)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(wq->mutex) {
  std::vector<PoolWorkqueue*> old;
  for (PoolWorkqueue* pwq : wq->pwqs) {
    WorkerPool* const pool = pwq->pool.load(std::memory_order_relaxed);
    PoolLock lock(pool);
    if (pwq->live) old.push_back(pwq);
    // It is not alone any more: what it has active now counts in the node.
    if (wq->unbound() && pwq->node == nullptr) JoinNodeLocked(pool, pwq, NodeActiveOf(wq, pool));
  }
  // O1: on an ordered queue the new place waits until the older ones are gone.
  const bool plug = wq->ordered() && !wq->pwqs.empty();
  // The only place of an unbound queue keeps the limit by itself, under its pool's
  // lock: no counter shared with other pools, two atomic operations less per item.
  const bool alone = links.size() == 1 && wq->pwqs.empty();
  std::vector<PoolWorkqueue*> fresh;
  for (const NewPwq& link : links) {
    PoolWorkqueue* const pwq = LinkPwqLocked(wq, link.pool, plug, alone);
    if (pwq == nullptr) {
      for (PoolWorkqueue* undo : fresh) {
        wq->pwqs.remove(undo);
        wq->runtime->FreePwq(undo);
      }
      return absl::ResourceExhaustedError(absl::StrCat("workqueue ", wq->name, ": no memory"));
    }
    fresh.push_back(pwq);
    if (!plug) wq->front_pool.store(link.pool->id, std::memory_order_relaxed);
  }
  // The slots that name a place change under its pool's lock, with its door emptied: what
  // came to the door before is placed there, what comes later is its producer's to pass
  // on, who sees place_seq changed (queue.cc).
  const int nr_cpus = wq->runtime->topology().nr_cpus();
  const auto move_slots = [&](const PoolWorkqueue* from) {
    for (size_t i = 0; i < links.size(); ++i) {
      for (int cpu = 0; cpu < nr_cpus; ++cpu) {
        if (links[i].cpus.test(cpu) &&
            (from == nullptr || wq->cpu_pwq[cpu].load(std::memory_order_relaxed) == from)) {
          wq->cpu_pwq[cpu].store(fresh[i], std::memory_order_release);
        }
      }
    }
  };
  wq->place_seq.fetch_add(1, std::memory_order_seq_cst);
  wq->sole_pool.store(links.size() == 1 ? links[0].pool : nullptr, std::memory_order_release);
  if (old.empty()) move_slots(nullptr);
  for (PoolWorkqueue* pwq : old) {
    PoolLock lock(pwq->pool.load(std::memory_order_relaxed));
    move_slots(pwq);
    pwq->live = false;
    if (pwq->IdleLocked()) idle->push_back(pwq);  // else its last item releases it
  }
  wq->place_seq.fetch_add(1, std::memory_order_seq_cst);
  return absl::OkStatus();
}

void TakeDownTimers(Workqueue* wq) {
  if (ArmedTimersFn hook = armed_timers_hook.load(std::memory_order_acquire)) hook(wq);
}

void RegisterQueue(Workqueue* wq) {
  Runtime* const runtime = wq->runtime;
  MutexLock lock(&runtime->mutex);
  runtime->workqueues.push_back(wq);
  wq->alive = true;
}

}  // namespace

void SetArmedTimersHook(ArmedTimersFn hook) {
  armed_timers_hook.store(hook, std::memory_order_release);
}

absl::StatusOr<Workqueue*> AllocWorkqueue(Runtime* runtime, const WorkqueueOptions& options) {
  const unsigned unknown = options.flags & ~(kWqPublicFlags | kWqOrdered | kWqLegacy);
  if (unknown != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("workqueue %s: unknown flag bits 0x%x", options.name, unknown));
  }
  return AllocSystemWorkqueue(runtime, options);
}

absl::StatusOr<Workqueue*> AllocSystemWorkqueue(Runtime* runtime, const WorkqueueOptions& options) {
  if (options.name.empty()) return absl::InvalidArgumentError("workqueue: empty name");
  absl::StatusOr<unsigned> flags = CheckFlags(options, runtime->options().power_efficient);
  if (!flags.ok()) return flags.status();
  absl::Status extended = runtime->EnsureExtension();
  if (!extended.ok()) return extended;
  Workqueue* const wq = base::FaultInjected("alloc_workqueue") ? nullptr : runtime->AllocWq();
  if (wq == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat("workqueue ", options.name, ": no memory"));
  }
  absl::SNPrintF(wq->name, sizeof(wq->name), "%s", options.name);
  if (options.name.size() >= sizeof(wq->name)) {
    ReportOnce(ReportKind::kNameTruncated, nullptr,
               absl::StrCat("name exceeds WQ_NAME_LEN. Truncating to: ", wq->name));
  }
  wq->flags.store(*flags, std::memory_order_relaxed);
  int max_active = options.max_active;
  if ((*flags & kWqBh) != 0) {
    max_active = kNoLimit;
  } else if ((*flags & kWqOrdered) != 0) {
    max_active = 1;
  } else {
    max_active = max_active == 0 ? kWqDflActive : ClampMaxActive(max_active, wq->name);
  }
  WorkqueueAttrs attrs;
  attrs.nice = (*flags & kWqHighpri) != 0 ? -20 : 0;  // U5
  attrs.ordered = (*flags & kWqOrdered) != 0;

  absl::StatusOr<std::vector<NewPwq>> links = PreparePools(wq, attrs);
  absl::Status status = links.status();
  if (status.ok()) {
    std::vector<PoolWorkqueue*> idle;
    MutexLock lock(&wq->mutex);
    wq->attrs = attrs;
    wq->saved_max_active = max_active;
    wq->saved_min_active = std::min(max_active, kWqDflMinActive);
    status = InstallLocked(wq, *links, &idle);
  }
  if (links.ok() && !status.ok()) PutPools(runtime, *links);
  if (status.ok() && (*flags & (kWqMemReclaim | kWqBh)) == kWqMemReclaim &&
      !runtime->options().manual) {
    absl::StatusOr<std::unique_ptr<Rescuer>> rescuer = Rescuer::Start(wq);
    status = rescuer.status();
    if (status.ok()) wq->rescuer = *std::move(rescuer);  // R1
  }
  if (!status.ok()) {
    wq->flags.fetch_or(kWqDestroying, std::memory_order_relaxed);
    std::vector<PoolWorkqueue*> idle;
    {
      MutexLock lock(&wq->mutex);
      for (PoolWorkqueue* pwq : wq->pwqs) {
        MutexLock pool_lock(&pwq->pool.load(std::memory_order_relaxed)->lock);
        pwq->live = false;
        idle.push_back(pwq);
      }
    }
    for (PoolWorkqueue* pwq : idle) ReleasePwq(pwq);
    runtime->FreeWq(wq);
    return absl::Status(status.code(),
                        absl::StrCat("workqueue ", options.name, ": ", status.message()));
  }
  RegisterQueue(wq);
  MutexLock lock(&wq->mutex);
  AdjustMaxActiveLocked(wq);  // after registration: the freezer may have begun meanwhile
  return wq;
}

void DestroyWorkqueue(Workqueue* wq) {
  if (wq == nullptr) {  // X8: the kernel crashes
    ReportOnce(ReportKind::kDoubleDestroy, nullptr, "destroy_workqueue: NULL is no workqueue");
    return;
  }
  Runtime* const runtime = wq->runtime;
  if (runtime->forked()) return;  // its memory stays, as the Runtime's
  if (RefuseOwnQueue(wq, "destroy_workqueue")) return;
  {
    MutexLock lock(&runtime->mutex);
    if (!wq->alive) {
      lock.Release();
      ReportOnce(ReportKind::kDoubleDestroy, wq,
                 absl::StrCat("workqueue ", wq->name, " is destroyed a second time"));
      return;
    }
    wq->alive = false;  // from here on it is this call's to destroy
  }
  // X6, in this order.
  {
    MutexLock lock(&runtime->mutex);
    wq->flags.fetch_and(~kWqSysfs, std::memory_order_relaxed);  // no new registry calls
    while (wq->readers > 0) runtime->readers_left.Wait(&runtime->mutex);
  }
  TakeDownTimers(wq);
  wq->flags.fetch_or(kWqDestroying, std::memory_order_acq_rel);
  DrainWorkqueue(wq);
  TakeDownTimers(wq);       // D10: what items armed that ran meanwhile
  runtime->WaitReleased();  // replaced pool_workqueues still know the rescuer
  wq->rescuer.reset();
  bool busy = false, stray = false;
  std::vector<PoolWorkqueue*> idle;
  {
    MutexLock lock(&runtime->mutex);
    busy = wq->users > 0;
    wq->alive = busy;
    if (!busy) runtime->workqueues.remove(wq);
  }
  if (busy) {
    ReportOnce(ReportKind::kDestroyBusy, wq,
               absl::StrCat("destroy_workqueue: ", wq->name, " has references left and is leaked\n",
                            DumpText(runtime, true)));
    return;
  }
  {
    MutexLock lock(&wq->mutex);
    wq->place_seq.fetch_add(1, std::memory_order_seq_cst);
    for (PoolWorkqueue* pwq : wq->pwqs) {
      PoolLock pool_lock(pwq->pool.load(std::memory_order_relaxed));
      pwq->live = false;
      if (pwq->IdleLocked()) {
        idle.push_back(pwq);
      } else {
        stray = true;  // queued from outside against the rule; its last item releases it
      }
    }
    wq->place_seq.fetch_add(1, std::memory_order_seq_cst);
  }
  for (PoolWorkqueue* pwq : idle) ReleasePwq(pwq);
  if (!stray) {
    runtime->FreeWq(wq);
    return;
  }
  ReportOnce(ReportKind::kDestroyBusy, wq,
             absl::StrCat("destroy_workqueue: an item was queued on ", wq->name,
                          " meanwhile; the queue is leaked"));
}

void ReleasePwq(PoolWorkqueue* pwq) {
  Workqueue* const wq = pwq->wq.load(std::memory_order_relaxed);
  WorkerPool* const pool = pwq->pool.load(std::memory_order_relaxed);
  if (wq->rescuer != nullptr) wq->rescuer->Forget(pwq);
  {
    MutexLock lock(&wq->mutex);
    wq->pwqs.remove(pwq);
    PoolWorkqueue* const oldest = wq->pwqs.back();
    if (oldest != nullptr && wq->ordered()) {
      // O1: its predecessors are gone, the next one may start.
      WorkerPool* const next_pool = oldest->pool.load(std::memory_order_relaxed);
      AfterUnlock after;
      MutexLock pool_lock(&next_pool->lock);
      if (oldest->plugged) {
        oldest->plugged = false;
        wq->front_pool.store(next_pool->id, std::memory_order_relaxed);
        if (ActivateFirstLocked(next_pool, oldest, /*fill=*/true)) next_pool->KickLocked(&after);
      }
    }
  }
  wq->runtime->FreePwq(pwq);
  if (pool->unbound()) wq->runtime->PutUnboundPool(pool);
}

// --- Attributes and limits ---------------------------------------------------------------

absl::Status ApplyWorkqueueAttrs(Workqueue* wq, const WorkqueueAttrs& requested) {
  if (!wq->unbound()) {
    const std::string text = absl::StrCat("apply_workqueue_attrs on per-CPU workqueue ", wq->name);
    ReportOnce(ReportKind::kUnboundOnly, wq, text);
    return absl::InvalidArgumentError(text);
  }
  const int scope = static_cast<int>(requested.affn_scope);
  if (scope < 0 || scope >= kAffnScopes) {
    return absl::InvalidArgumentError(
        absl::StrCat("workqueue ", wq->name, ": affinity scope ", scope));
  }
  if (requested.nice < -20 || requested.nice > 19) {
    return absl::InvalidArgumentError(
        absl::StrCat("workqueue ", wq->name, ": nice ", requested.nice, " is not in -20..19"));
  }
  if ((requested.cpumask & ~wq->runtime->topology().all()).any()) {
    return absl::InvalidArgumentError(absl::StrCat("workqueue ", wq->name, ": cpumask ",
                                                   FormatCpuMask(requested.cpumask),
                                                   " names CPUs that do not exist"));
  }
  WorkqueueAttrs attrs = requested;
  if (wq->ordered() && !attrs.ordered) {
    ReportOnce(ReportKind::kOrderedAttrs, wq,
               absl::StrCat("attributes of ordered workqueue ", wq->name,
                            " without ordered = true; it stays ordered"));
    attrs.ordered = true;
  }
  absl::StatusOr<std::vector<NewPwq>> links = PreparePools(wq, attrs);
  if (!links.ok()) return links.status();
  std::vector<PoolWorkqueue*> idle;
  {
    MutexLock lock(&wq->mutex);
    absl::Status status = InstallLocked(wq, *links, &idle);
    if (!status.ok()) {
      lock.Release();
      PutPools(wq->runtime, *links);
      return status;
    }
    wq->attrs = attrs;
    AdjustMaxActiveLocked(wq);
  }
  for (PoolWorkqueue* pwq : idle) ReleasePwq(pwq);
  return absl::OkStatus();
}

void AdjustMaxActiveLocked(Workqueue* wq) {
  int max_active = wq->saved_max_active;
  int min_active = wq->saved_min_active;
  if (wq->HasFlag(kWqFreezable) && wq->runtime->frozen()) max_active = min_active = 0;  // Z1
  // What was queued before the call counts under the old limit.
  for (PoolWorkqueue* pwq : wq->pwqs) PoolLock lock(pwq->pool.load(std::memory_order_relaxed));
  wq->max_active.store(max_active, std::memory_order_seq_cst);
  wq->min_active.store(min_active, std::memory_order_relaxed);
  if (wq->unbound()) SetNodeLimitsLocked(wq, max_active, min_active);
  if (max_active == 0) return;
  // A7: what was waiting starts now, one of each pwq in turn (O4).
  bool activated;
  do {
    activated = false;
    for (PoolWorkqueue* pwq : wq->pwqs) {
      WorkerPool* const pool = pwq->pool.load(std::memory_order_relaxed);
      PoolLock lock(pool);
      if (!ActivateFirstLocked(pool, pwq, /*fill=*/true)) continue;
      activated = true;
      pool->KickLocked(&lock.after);
    }
  } while (activated);
}

void SetMaxActive(Workqueue* wq, int max_active) {
  if (wq->HasFlag(kWqBh | kWqOrdered)) {
    ReportOnce(ReportKind::kOrderedMaxActive, wq,
               absl::StrCat("max_active of ", wq->ordered() ? "ordered" : "BH", " workqueue ",
                            wq->name, " is fixed"));
    return;
  }
  max_active = ClampMaxActive(max_active, wq->name);
  MutexLock lock(&wq->mutex);
  wq->saved_max_active = max_active;
  if (wq->unbound()) wq->saved_min_active = std::min(wq->saved_min_active, max_active);
  AdjustMaxActiveLocked(wq);
}

void SetMinActive(Workqueue* wq, int min_active) {
  if (!wq->unbound() || wq->ordered()) {
    ReportOnce(ReportKind::kUnboundOnly, wq,
               absl::StrCat("min_active is for unbound, unordered workqueues, not ", wq->name));
    return;
  }
  MutexLock lock(&wq->mutex);
  wq->saved_min_active = std::clamp(min_active, 0, wq->saved_max_active);
  AdjustMaxActiveLocked(wq);
}

bool WorkqueueCongested(int cpu, Workqueue* wq) {
  if (cpu < 0 || cpu >= wq->runtime->topology().nr_cpus()) cpu = wq->runtime->LocalCpu();
  for (;;) {
    PoolWorkqueue* const pwq = wq->cpu_pwq[cpu].load(std::memory_order_acquire);
    WorkerPool* const pool = pwq->pool.load(std::memory_order_acquire);
    PoolLock lock(pool);
    if (pwq->pool.load(std::memory_order_relaxed) != pool) continue;  // replaced, and used again
    return !base::ListEmpty(&pwq->inactive);
  }
}

}  // namespace uwq::core
