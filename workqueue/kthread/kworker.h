// SPDX-License-Identifier: BSD-3-Clause
//
// kworker.h -- what a kthread_worker is, whoever brings its thread: the C and C++ API
// (ThreadWorker) and <linux/kthread.h> (a task_struct).
//
// Invariant W1: an item is pending exactly while its node is on work_list_, or while it
// is `armed`: its timer's entry is then on timers_, in order of the deadlines.
// Invariant W2: while a canceler waits, `canceling` refuses every queueing (K2).
// Invariant W3: the item is not touched once its function has been entered.
//
// The worker's own thread keeps its timers: it sleeps until the first deadline.  So no
// timer's callback can race with anybody, and a real-time worker is on time by itself.
#ifndef UWQ_WORKQUEUE_KTHREAD_KWORKER_H_
#define UWQ_WORKQUEUE_KTHREAD_KWORKER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "workqueue/base/sync.h"
#include "workqueue/kthread/uwq_kthread.h"

struct uwq_kthread_worker {
 public:
  using Nanos = uwq::base::Nanos;
  using Work = uwq_kthread_work;
  using DelayedWork = uwq_kthread_delayed_work;

  uwq_kthread_worker();
  virtual ~uwq_kthread_worker() = default;
  uwq_kthread_worker(const uwq_kthread_worker&) = delete;
  uwq_kthread_worker& operator=(const uwq_kthread_worker&) = delete;

  // The body of the thread: until ShouldStop() and nothing is queued.
  void Run();

  bool Queue(Work* work);
  bool QueueDelayed(DelayedWork* dwork, Nanos delay_ns);
  bool ModDelayed(DelayedWork* dwork, Nanos delay_ns);
  void FlushAll();
  void Flush(Work* work);
  bool CancelSync(Work* work);
  // The same for a C++ item that is destroyed, which its own function may do.
  void EndOfLife(Work* work);
  // K4: takes down what is armed; returns how many.  Each goes to `released`, with its
  // deadline still in it.
  int ReleaseTimers(void (*released)(DelayedWork*) = nullptr);
  // From now on every queueing is refused, and reported.
  void Close();
  bool OnOwnThread();

 protected:
  // Wake() and PrepareToSleep() are called under the lock.  A Wake() since
  // PrepareToSleep() ends a Sleep().
  virtual void Wake() = 0;
  virtual void PrepareToSleep() = 0;
  virtual void Sleep(Nanos deadline_ns) = 0;
  virtual bool ShouldStop() = 0;
  // The calling thread begins, or ends, to run the worker.  Under the lock.
  virtual void Attach(bool begins) { (void)begins; }

 private:
  struct Marker;
  bool MayQueueLocked(Work* work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void InsertLocked(Work* work, uwq_list_head* before) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ArmLocked(DelayedWork* dwork, Nanos delay_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Cancel(Work* work, bool* from_itself);
  bool GrabLocked(Work* work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Nanos ExpireLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  uwq_list_head work_list_ ABSL_GUARDED_BY(mutex_);
  uwq_list_head timers_ ABSL_GUARDED_BY(mutex_);
  Work* current_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uwq::base::Mutex mutex_;
  uwq::base::ThreadId runner_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

namespace uwq::kthread {

// A worker with a thread of base/sync.h.
class ThreadWorker : public uwq_kthread_worker, public std::enable_shared_from_this<ThreadWorker> {
 public:
  static absl::StatusOr<std::shared_ptr<ThreadWorker>> Create(const std::string& name,
                                                              const uwq_kthread_options& options);
  // K4.  Sleeps.  On the worker's own thread: false, reported, nothing is done.
  [[nodiscard]] bool Stop();
  // For C, whose handle is a plain pointer: it owns itself until LetGo().
  ThreadWorker* Keep() {
    self_ = shared_from_this();
    return this;
  }
  void LetGo() { const std::shared_ptr<ThreadWorker> last = std::move(self_); }
  bool realtime() const { return realtime_; }
  const std::string& name() const { return name_; }

 private:
  explicit ThreadWorker(std::string name) : name_(std::move(name)) {}
  void Wake() override { (void)parker_.Unpark(); }
  void PrepareToSleep() override {}
  void Sleep(Nanos deadline_ns) override { (void)parker_.ParkUntil(deadline_ns); }
  bool ShouldStop() override { return stop_.load(std::memory_order_acquire); }

  const std::string name_;
  base::Parker parker_;
  base::Atomic<bool> stop_{false};
  bool realtime_ = false;  // written before Create returns
  base::Thread thread_;
  std::shared_ptr<ThreadWorker> self_;
};

}  // namespace uwq::kthread

#endif  // UWQ_WORKQUEUE_KTHREAD_KWORKER_H_
