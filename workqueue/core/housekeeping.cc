// SPDX-License-Identifier: BSD-3-Clause
//
// housekeeping.cc -- what the service thread does for a pool: reap idle workers,
// call rescuers, sample who blocks or hogs, watch for stalls.
//
// It sleeps for ever while nothing waits: an idle process has no wake-ups.
#include <stdlib.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "workqueue/core/dump.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/report.h"
#include "workqueue/core/rescuer.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/worker_pool.h"

namespace uwq::core {

using base::kForever;
using base::MutexLock;
using base::Nanos;

namespace {
constexpr int kSampleMax = 64;     // workers looked at in one tick
constexpr int kQuietTicksMax = 8;  // ticks without waiting work before the sampler sleeps
constexpr Nanos kUnboundTickNs = base::kSecond;  // nothing to sample there, only stalls
}  // namespace

Nanos WorkerPool::Tick(Nanos now_ns) {
  return std::min({ReapIdle(now_ns), SendMaydays(now_ns), Sample(now_ns)});
}

// P10: the longest-idle ones, once they have been idle for the time-out.
Nanos WorkerPool::ReapIdle(Nanos now_ns) {
  Nanos next = kForever;
  std::vector<Worker*> victims;
  {
    MutexLock held(&lock);
    if (reap_at_ns == 0) return kForever;
    if (now_ns < reap_at_ns) return reap_at_ns;
    reap_at_ns = 0;
    if (stopping) return kForever;  // Stop() joins them
    while (TooManyWorkers(ViewLocked())) {
      Worker* const oldest = idle_list.back();
      const Nanos due = oldest->idle_since_ns + runtime->options().idle_worker_timeout_ns;
      if (due > now_ns || (oldest->flags & Worker::kKicked) != 0 || oldest == standby) {
        next = reap_at_ns = std::max(due, now_ns + base::kMillisecond);
        break;
      }
      oldest->flags |= Worker::kDie;
      oldest->flags &= ~Worker::kIdle;
      idle_list.remove(oldest);
      workers.remove(oldest);
      --nr_idle;
      --nr_workers;
      victims.push_back(oldest);
    }
  }
  for (Worker* w : victims) {
    w->parker.Unpark();
    w->thread.Join();
  }
  MutexLock held(&lock);
  spare_.insert(spare_.end(), victims.begin(), victims.end());
  return next;
}

Nanos WorkerPool::SendMaydays(Nanos now_ns) {
  AfterUnlock after;
  MutexLock held(&lock);
  if (mayday_at_ns == 0) return kForever;
  if (now_ns < mayday_at_ns) return mayday_at_ns;
  LetInLocked();
  KickLocked(&after);
  if (NeedToCreateWorker(ViewLocked())) {
    PlaceHallLocked();  // maydays ask whose the items are
    for (base::ListNode* n = worklist.next; n != &worklist; n = n->next) {
      PoolWorkqueue* const pwq = PwqOf(LoadWord(WorkOf(n)));
      Rescuer* const rescuer = pwq->wq.load(std::memory_order_relaxed)->rescuer.get();
      if (rescuer != nullptr) rescuer->SendMayday(pwq);
    }
  }
  mayday_at_ns = now_ns + runtime->options().mayday_interval_ns;
  return mayday_at_ns;
}

bool WorkerPool::StalledLocked(Nanos now_ns) {
  const Nanos thresh = runtime->options().watchdog_thresh_ns;
  if (thresh == 0 || !HasWorkLocked()) {
    stall_since_ns_ = 0;
    return false;
  }
  if (stall_since_ns_ == 0 || stall_progress_ != progress) {
    stall_progress_ = progress;
    stall_since_ns_ = stall_reported_ns_ = now_ns;
    return false;
  }
  // W1: one report each threshold period while it lasts.
  if (now_ns - stall_reported_ns_ < thresh) return false;
  stall_reported_ns_ = now_ns;
  return true;
}

Nanos WorkerPool::Sample(Nanos now_ns) {
  struct Candidate {
    Worker* worker;
    uint64_t execution;
    base::ThreadId tid;
    base::ThreadProbe probe;
  };
  Candidate candidates[kSampleMax];
  int nr = 0;
  bool quiet, stalled = false;
  Nanos stalled_for_ns = 0;
  const RuntimeOptions& options = runtime->options();
  {
    AfterUnlock after;
    MutexLock held(&lock);
    if (!watched) return kForever;
    LetInLocked();
    quiet = !HasWorkLocked();
    quiet_ticks_ = quiet ? quiet_ticks_ + 1 : 0;
    if (quiet_ticks_ >= kQuietTicksMax) {
      watched = false;
      quiet_ticks_ = 0;
      stall_since_ns_ = 0;
      UpdateAttendedLocked();
      KickLocked(&after);  // watches again if something came meanwhile
      return watched ? now_ns + options.sample_interval_ns : kForever;
    }
    stalled = StalledLocked(now_ns);
    stalled_for_ns = now_ns - stall_since_ns_;
    for (Worker* w : workers) {
      if (w->current_work == nullptr) continue;
      if (nr == kSampleMax) break;
      candidates[nr++] = {w, w->nr_executed, w->tid.load(std::memory_order_relaxed), {}};
    }
  }
  // System calls, so without the lock; each finding is checked again under it.
  for (int i = 0; i < nr; ++i) candidates[i].probe = base::ProbeThread(candidates[i].tid);

  WorkFunc hogs[kSampleMax];
  int nr_hogs = 0;
  {
    AfterUnlock after;
    MutexLock held(&lock);
    for (int i = 0; i < nr; ++i) {
      const Candidate& c = candidates[i];
      Worker* const w = c.worker;
      if (!c.probe.valid || w->current_work == nullptr || w->nr_executed != c.execution) continue;
      if (w->sampled_execution != c.execution) {
        w->sampled_execution = c.execution;
        w->sampled_cpu_ns = w->counted_cpu_ns = c.probe.cpu_time_ns;
      }
      w->current_pwq->Count(PwqStat::kCpuTimeNs, c.probe.cpu_time_ns - w->counted_cpu_ns);
      w->counted_cpu_ns = c.probe.cpu_time_ns;
      // Concurrency is managed among those that count as running, and those that the
      // sampler itself took out.
      const unsigned out = w->flags & Worker::kNotRunning;
      if (unbound() || bh || (out & ~Worker::kSampledSleep) != 0) continue;
      if (c.probe.sleeping) {
        if ((w->flags & Worker::kNotRunning) == 0) {
          SetFlagsLocked(w, Worker::kSampledSleep);
          if (nr_running == 0) w->current_pwq->Count(PwqStat::kCmWakeup);
        }
        w->sampled_cpu_ns = c.probe.cpu_time_ns;  // P4: the count starts anew when it has slept
        continue;
      }
      ClearFlagsLocked(w, Worker::kSampledSleep);
      const Nanos burnt = c.probe.cpu_time_ns - w->sampled_cpu_ns;
      if (options.cpu_intensive_thresh_ns == 0 || burnt < options.cpu_intensive_thresh_ns) continue;
      SetFlagsLocked(w, Worker::kCpuIntensive);
      w->current_pwq->Count(PwqStat::kCpuIntensive);
      hogs[nr_hogs++] = w->current_func;
    }
    KickLocked(&after);
  }
  for (int i = 0; i < nr_hogs; ++i) runtime->CountHog(hogs[i]);
  if (stalled) runtime->ReportStall(this, stalled_for_ns);
  // Where nothing waits any more the ticks end soon, also those of an unbound pool.
  return now_ns + (unbound() && !quiet
                       ? std::min(kUnboundTickNs, options.watchdog_thresh_ns / 4 + 1)
                       : options.sample_interval_ns);
}

// P5: from the warning threshold on, at 4, 5, 7, 11, 19 ...
void Runtime::CountHog(WorkFunc func) {
  constexpr size_t kHogsMax = 128;
  const int thresh = options_.cpu_intensive_warning_thresh;
  int count = 0;
  {
    MutexLock lock(&hog_mutex_);
    auto it = std::find_if(hogs_.begin(), hogs_.end(), [&](auto& h) { return h.first == func; });
    if (it == hogs_.end()) {
      if (hogs_.size() >= kHogsMax) return;
      it = hogs_.insert(hogs_.end(), {func, 0});
    }
    count = ++it->second;
  }
  const int beyond = count + 1 - thresh;
  if (thresh == 0 || beyond < 1 || (beyond & (beyond - 1)) != 0) return;
  ReportAlways(ReportKind::kCpuHog,
               absl::StrCat(FuncName(func), " hogged CPU for >",
                            options_.cpu_intensive_thresh_ns / base::kMicrosecond, "us ", count,
                            " times, consider switching to WQ_UNBOUND"));
}

void Runtime::WatchdogTouch(int cpu) {
  ForEachPool([cpu](WorkerPool* pool) {
    if (cpu >= 0 && pool->cpu >= 0 && pool->cpu != cpu) return;
    MutexLock held(&pool->lock);
    ++pool->progress;
  });
}

void Runtime::ReportStall(WorkerPool* pool, Nanos stalled_for_ns) {
  ReportAlways(ReportKind::kStall,
               absl::StrCat("BUG: workqueue lockup - pool ", pool->Describe(), " stuck for ",
                            stalled_for_ns / base::kSecond, "s!\n", DumpText(this, false)));
  const int reports = stall_reports_.fetch_add(1, std::memory_order_relaxed) + 1;
  if ((options_.panic_on_stall > 0 && reports >= options_.panic_on_stall) ||
      (options_.panic_on_stall_time_ns > 0 && stalled_for_ns >= options_.panic_on_stall_time_ns)) {
    abort();
  }
}

}  // namespace uwq::core
