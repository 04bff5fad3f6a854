// SPDX-License-Identifier: BSD-3-Clause
//
// driver_work.h -- a delayed work item that knows its name and its queue, and counts
// what became of it; and a group of them behind one gate.
//
// Invariant: after WorkGroup::CloseSync() none of its works is armed, queued or
// running, and none can be queued again, by nobody, until Open().
//
// Read on: hdmi_driver.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_DRIVER_WORK_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_DRIVER_WORK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "delayed/delayed_work.h"
#include "workqueue/base/sync.h"
#include "workqueue/workqueue.h"

namespace uwq::hdmi {

// What became of a work item so far.
struct WorkCounts {
  const char* name = "";
  std::string queue;
  int64_t runs = 0;
  int64_t queued = 0;     // calls that made it pending
  int64_t coalesced = 0;  // calls that found it pending: Queue() false, Mod() true
  int64_t refused = 0;    // calls that found its gate closed
  int64_t cancelled = 0;  // times it was pending when it was cancelled or disabled
};

// How a run began; handed to the observer when it has ended.
struct WorkRun {
  const char* name = "";
  absl::string_view queue;
  base::Nanos start_ns = 0;
  base::Nanos end_ns = 0;
  base::Nanos latency_ns = 0;  // from the moment at which it was due
};

class DriverWork : public DelayedWork {
 public:
  using Observer = std::function<void(const WorkRun&)>;

  // `speed` divides every delay: the demo's clock may run faster than the world's.
  DriverWork(const char* name, Workqueue& wq, double speed, const Observer* observer,
             std::function<void()> fn)
      : DelayedWork([this] { Run(); }),
        name_(name),
        wq_(wq),
        queue_(wq.name()),
        speed_(speed),
        observer_(observer),
        fn_(std::move(fn)) {}

  // Arms it, unless it is pending already: as schedule_delayed_work().
  bool Queue(absl::Duration delay = absl::ZeroDuration()) {
    const absl::Duration scaled = Scaled(delay);
    const base::Nanos due = base::Now() + absl::ToInt64Nanoseconds(scaled);
    // Before it is armed, for it may start at once; taken back if it was pending.
    base::Nanos before = due_ns_.exchange(due, std::memory_order_relaxed);
    if (DelayedWork::Queue(wq_, scaled)) {
      queued_.fetch_add(1, std::memory_order_relaxed);
      return true;
    }
    base::Nanos mine = due;
    (void)due_ns_.compare_exchange_strong(mine, before, std::memory_order_relaxed);
    // Pending already, or its gate is closed; only the gate leaves it idle.
    (pending() ? coalesced_ : refused_).fetch_add(1, std::memory_order_relaxed);
    return false;
  }

  // Arms it whatever its state: as mod_delayed_work().  Refused by a closed gate, it
  // counts as queued: the call's result does not tell the two apart.
  bool Mod(absl::Duration delay) {
    const absl::Duration scaled = Scaled(delay);
    due_ns_.store(base::Now() + absl::ToInt64Nanoseconds(scaled), std::memory_order_relaxed);
    const bool was_pending = DelayedWork::Mod(wq_, scaled);
    (was_pending ? coalesced_ : queued_).fetch_add(1, std::memory_order_relaxed);
    return was_pending;
  }

  bool Cancel() { return Note(DelayedWork::Cancel()); }
  bool CancelSync() { return Note(DelayedWork::CancelSync()); }
  bool Disable() { return Note(DelayedWork::Disable()); }
  bool DisableSync() { return Note(DelayedWork::DisableSync()); }

  // A delay of the world as one of this machine's clock.
  absl::Duration Scaled(absl::Duration delay) const { return delay / speed_; }

  const char* name() const { return name_; }
  absl::string_view queue() const { return queue_; }
  int64_t runs() const { return runs_.load(std::memory_order_relaxed); }
  // While it runs: how late it began.
  base::Nanos latency_ns() const { return latency_ns_.load(std::memory_order_relaxed); }

  WorkCounts counts() const {
    WorkCounts c;
    c.name = name_;
    c.queue = queue_;
    c.runs = runs();
    c.queued = queued_.load(std::memory_order_relaxed);
    c.coalesced = coalesced_.load(std::memory_order_relaxed);
    c.refused = refused_.load(std::memory_order_relaxed);
    c.cancelled = cancelled_.load(std::memory_order_relaxed);
    return c;
  }

 private:
  bool Note(bool was_pending) {
    if (was_pending) cancelled_.fetch_add(1, std::memory_order_relaxed);
    return was_pending;
  }

  void Run() {
    WorkRun run;
    run.name = name_;
    run.queue = wq_.name();  // lives longer than this work may
    run.start_ns = base::Now();
    run.latency_ns = run.start_ns - due_ns_.load(std::memory_order_relaxed);
    // Armed anew between its start and here: that deadline is not this run's.
    if (run.latency_ns < 0) run.latency_ns = 0;
    latency_ns_.store(run.latency_ns, std::memory_order_relaxed);
    runs_.fetch_add(1, std::memory_order_relaxed);
    const Observer* const observer = observer_;
    fn_();  // may drop the last reference to the object that holds this: touch it no more
    if (observer != nullptr && *observer) {
      run.end_ns = base::Now();
      (*observer)(run);
    }
  }

  const char* const name_;
  Workqueue& wq_;
  const std::string queue_;  // its name; counts are read when the queue is gone
  const double speed_;
  const Observer* const observer_;
  const std::function<void()> fn_;
  base::Atomic<base::Nanos> due_ns_{0};
  base::Atomic<base::Nanos> latency_ns_{0};
  base::Atomic<int64_t> runs_{0}, queued_{0}, coalesced_{0}, refused_{0}, cancelled_{0};
};

// Works with one gate.  The gate is the works' own disable count, not a flag that
// each function would have to look at: it also holds against timers, and against
// works that queue each other (cancelling those one after the other misses some).
// Not thread-safe: whoever opens and closes is one at a time; nests.
class WorkGroup {
 public:
  explicit WorkGroup(std::vector<DriverWork*> works) : works_(std::move(works)) {}

  // Sleeps until the one that runs has returned.  Not from one of them.
  void CloseSync() {
    // All gates first, then wait: else a work that still runs could queue one that
    // was waited for already.
    for (DriverWork* work : works_) (void)work->Disable();
    for (DriverWork* work : works_) (void)work->CancelSync();
  }
  void Open() {
    for (DriverWork* work : works_) (void)work->Enable();
  }

  const std::vector<DriverWork*>& works() const { return works_; }

 private:
  const std::vector<DriverWork*> works_;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_DRIVER_WORK_H_
