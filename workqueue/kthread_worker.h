// SPDX-License-Identifier: BSD-3-Clause
//
// kthread_worker.h -- uwq::KthreadWorker: items on a thread of their own (K1-K6).
//
//   auto worker = uwq::KthreadWorker::Create("vblank", {.rt_priority = 50}).value();
//   uwq::KthreadWork frame(*worker, [] { FlipFrame(); });
//   uwq::KthreadDelayedWork late(*worker, [] { DropFrame(); });
//   frame.Queue();                         // on that thread, first in, first out
//   late.Queue(absl::Milliseconds(16));    // never early; the thread keeps its own timers
//
// For what must run on one known thread: real-time priority, thread-bound hardware.
// Everything else is better off on a Workqueue, whose threads are shared.
#ifndef UWQ_WORKQUEUE_KTHREAD_WORKER_H_
#define UWQ_WORKQUEUE_KTHREAD_WORKER_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "workqueue/kthread/kworker.h"

namespace uwq {

class KthreadWorker {
 public:
  struct Options {
    int cpu = -1;         // -1: any
    int nice = 0;         // best effort
    int rt_priority = 0;  // 1..99: SCHED_FIFO, or a report and ordinary priority
  };
  // Errors: INVALID_ARGUMENT naming the value, RESOURCE_EXHAUSTED.  Sleeps.
  // [UWQ-KTHREAD-1]
  static absl::StatusOr<std::unique_ptr<KthreadWorker>> Create(const std::string& name,
                                                               const Options& options);
  static absl::StatusOr<std::unique_ptr<KthreadWorker>> Create(const std::string& name) {
    return Create(name, Options());
  }
  // Runs what is queued, then ends the thread; armed timers are reported and taken down
  // (K4).  Items may outlive it: queueing them is then refused and reported.  Sleeps.
  // From an item of its own: reported, the thread and its items are kept.
  // [UWQ-KTHREAD-2]
  ~KthreadWorker();
  KthreadWorker(const KthreadWorker&) = delete;
  KthreadWorker& operator=(const KthreadWorker&) = delete;

  // Until everything queued before has run.  Sleeps.  [UWQ-KTHREAD-3]
  void Flush() { worker_->FlushAll(); }
  // The real-time priority that was asked for is in force.  [UWQ-KTHREAD-4]
  bool realtime() const { return worker_->realtime(); }

 private:
  friend class KthreadWork;
  explicit KthreadWorker(std::shared_ptr<kthread::ThreadWorker> worker)
      : worker_(std::move(worker)) {}
  const std::shared_ptr<kthread::ThreadWorker> worker_;
};

// An item of one worker (K5 by construction).
class KthreadWork {
 public:
  KthreadWork(KthreadWorker& worker, absl::AnyInvocable<void()> fn);
  // Cancels and waits, as CancelSync.  From its own function it does not wait: the
  // item must then stay untouched by the rest of it.  [UWQ-KTHREAD-5]
  ~KthreadWork();
  KthreadWork(const KthreadWork&) = delete;
  KthreadWork& operator=(const KthreadWork&) = delete;

  // True if this call made it pending; an item that runs goes to the tail (K1).  False
  // also while a CancelSync is under way (K2).  [UWQ-KTHREAD-6]
  bool Queue() { return worker_->Queue(&item_.dwork.work); }
  // Until the last queued instance has run (K6).  Sleeps.  [UWQ-KTHREAD-7]
  void Flush() { worker_->Flush(&item_.dwork.work); }
  // On return neither pending nor running; true if it was pending (K3).  Sleeps.
  // [UWQ-KTHREAD-8]
  bool CancelSync() { return worker_->CancelSync(&item_.dwork.work); }

 private:
  friend class KthreadDelayedWork;
  static void Run(uwq_kthread_work* work);
  const std::shared_ptr<kthread::ThreadWorker> worker_;
  struct Item {
    uwq_kthread_delayed_work dwork;  // first: Run; a plain item never uses the timer
    KthreadWork* self;
  };
  Item item_;
  absl::AnyInvocable<void()> fn_;
};

class KthreadDelayedWork : public KthreadWork {
 public:
  using KthreadWork::KthreadWork;
  // As KthreadWork::Queue, after `delay`.  Never early.  Negative delays are reported and
  // count as zero, which is at once; infinite ones are reported and never come.
  // [UWQ-KTHREAD-9]
  bool Queue(absl::Duration delay);
  // Sets the delay whatever the state.  False: it was idle or only running.  True: it was
  // pending; or a CancelSync is under way, and nothing was queued.  [UWQ-KTHREAD-10]
  bool Mod(absl::Duration delay);
};

}  // namespace uwq

#endif  // UWQ_WORKQUEUE_KTHREAD_WORKER_H_
