// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/fd_work.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "delayed/delayed_work.h"
#include "delayed/runtime_loop.h"
#include "workqueue/core/item.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/worker_pool.h"

namespace uwq {

// What a callback of the loop queues.  A caller that a draining queue refuses knows what
// it does; a masked line would never come again, and a signal is gone.  So what is
// refused is kept, and asked for again until the drain has ended.
class EventItem {
 public:
  EventItem(Workqueue& wq, absl::AnyInvocable<void()> fn)
      : wq_(wq.raw()),
        system_(wq_->runtime->System(core::SystemWq::kDfl)),
        work_(std::move(fn)),
        again_([this] { Queue(); }) {}

  absl::Status status() const {
    if (system_ != nullptr) return absl::OkStatus();
    return absl::ResourceExhaustedError("the system workqueue cannot be had");
  }
  void Queue() {
    if (core::OfferWork(wq_, work_.raw())) return;
    (void)uwq_queue_delayed_work(reinterpret_cast<uwq_workqueue*>(system_), again_.raw(),
                                 kAskAgainNs);
  }
  // Afterwards the function does not run; from inside itself: not again.
  void End() {
    const core::Worker* const self = core::CurrentWorker();
    const bool inside = self != nullptr && self->current_work == work_.raw();
    if (inside && self->pool->bh) {
      // Must not sleep (B4), nor need it: what may still run has just queued us.
      (void)again_.Disable();
      while ((core::WorkBusy(&again_.raw()->work) & core::kBusyRunning) != 0) base::CpuRelax();
    } else {
      (void)again_.DisableSync();
    }
    if (inside) {
      (void)work_.Disable();
    } else {
      (void)work_.DisableSync();
    }
  }
  const char* queue_name() const { return wq_->name; }

 private:
  static constexpr int64_t kAskAgainNs = 10 * base::kMillisecond;  // nobody tells of the end
  core::Workqueue* const wq_;
  core::Workqueue* const system_;
  Work work_;
  DelayedWork again_;
};

// Shared by the handle and a handler that runs while the handle is destroyed.
struct FdWork::Line {
  Line(Workqueue& wq, Handler fn) : handler(std::move(fn)), item(wq, [this] { Run(); }) {}

  void Ready(uint32_t ready) {
    events.fetch_or(ready, std::memory_order_acq_rel);
    item.Queue();
  }

  void Run() {
    // The handler may destroy the handle; this keeps the line for the rest of the run.
    const std::shared_ptr<Line> keep = self.lock();
    if (keep == nullptr) return;
    {
      base::MutexLock lock(&mutex);
      held = masked > 0;
      if (held) return;
    }
    handler(events.exchange(0, std::memory_order_acq_rel));
    absl::Status status;
    {
      base::MutexLock lock(&mutex);
      ran = true;
      status = RearmLocked();
    }
    Tell(status);
  }

  absl::Status RearmLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (closed || masked > 0 || !ran) return absl::OkStatus();
    ran = false;
    return watch.Rearm();
  }

  // The descriptor was closed under the line: nothing more will come.
  void Tell(const absl::Status& status) {
    if (status.ok()) return;
    core::ReportOnce(core::ReportKind::kOther, this,
                     absl::StrCat("FdWork on workqueue ", item.queue_name(), ": ", status.message(),
                                  "; destroy the FdWork before closing its descriptor"));
  }

  const Handler handler;
  base::Atomic<uint32_t> events{0};
  base::Mutex mutex;
  event::FdWatch watch ABSL_GUARDED_BY(mutex);
  int masked ABSL_GUARDED_BY(mutex) = 0;
  bool held ABSL_GUARDED_BY(mutex) = false;  // a run that waits for Unmask()
  bool ran ABSL_GUARDED_BY(mutex) = false;   // the watch is masked and may be rearmed
  bool closed ABSL_GUARDED_BY(mutex) = false;
  std::weak_ptr<Line> self;
  EventItem item;
};

namespace {

absl::StatusOr<event::EventLoop*> LoopFor(Workqueue& wq) {
  core::Runtime* const runtime = wq.raw()->runtime;
  if (!runtime->forked()) return delayed::LoopOf(runtime);
  return absl::FailedPreconditionError(
      absl::StrCat("workqueue ", wq.raw()->name, " belongs to the parent of this fork"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<FdWork>> FdWork::Watch(Workqueue& wq, int fd,
                                                      const event::FdOptions& options,
                                                      Handler handler) {
  absl::StatusOr<event::EventLoop*> loop = LoopFor(wq);
  if (!loop.ok()) return loop.status();
  auto line = std::make_shared<Line>(wq, std::move(handler));
  if (!line->item.status().ok()) return line->item.status();
  line->self = line;
  base::MutexLock lock(&line->mutex);  // the first event may come before WatchFd returns
  if (options.masked) {
    line->masked = 1;
    line->ran = true;
  }
  absl::StatusOr<event::FdWatch> watch =
      (*loop)->WatchFd(fd, options, [weak = line->self](uint32_t events) {
        if (const std::shared_ptr<Line> alive = weak.lock()) alive->Ready(events);
      });
  if (!watch.ok()) return watch.status();
  line->watch = *std::move(watch);
  return std::unique_ptr<FdWork>(new FdWork(line));
}

FdWork::~FdWork() {
  event::FdWatch watch;
  {
    base::MutexLock lock(&line_->mutex);
    line_->closed = true;
    watch = std::move(line_->watch);
  }
  watch.Unwatch();  // waits for a callback of the loop, which takes no lock of ours
  line_->item.End();
}

void FdWork::Mask() {
  base::MutexLock lock(&line_->mutex);
  ++line_->masked;
}

void FdWork::Unmask() {
  absl::Status status;
  bool balanced, run = false;
  {
    base::MutexLock lock(&line_->mutex);
    balanced = line_->masked > 0;
    if (balanced) --line_->masked;
    if (line_->masked == 0) run = std::exchange(line_->held, false);
    status = line_->RearmLocked();
  }
  if (run) line_->item.Queue();
  if (!balanced) {
    core::ReportOnce(core::ReportKind::kEnableUnderflow, line_.get(),
                     absl::StrCat("FdWork on workqueue ", line_->item.queue_name(),
                                  ": Unmask() without Mask(); nothing was done"));
  }
  line_->Tell(status);
}

SignalWork::SignalWork(Workqueue& wq, std::function<void()> handler)
    : item_(std::make_unique<EventItem>(
          wq, [fn = std::make_shared<const std::function<void()>>(std::move(handler))] {
            // The handler may destroy this object, and `fn` with it.
            const auto keep = fn;  // NOLINT(performance-unnecessary-copy-initialization)
            (*keep)();
          })) {}

absl::StatusOr<std::unique_ptr<SignalWork>> SignalWork::Watch(Workqueue& wq, int signo,
                                                              std::function<void()> handler) {
  absl::StatusOr<event::EventLoop*> loop = LoopFor(wq);
  if (!loop.ok()) return loop.status();
  std::unique_ptr<SignalWork> made(new SignalWork(wq, std::move(handler)));
  if (!made->item_->status().ok()) return made->item_->status();
  absl::StatusOr<event::SignalWatch> watch = (*loop)->WatchSignal(
      signo, [item = made->item_.get()](const signalfd_siginfo&) { item->Queue(); });
  if (!watch.ok()) return watch.status();
  made->watch_ = std::make_unique<event::SignalWatch>(*std::move(watch));
  return made;
}

SignalWork::~SignalWork() {
  watch_.reset();
  item_->End();
}

}  // namespace uwq
