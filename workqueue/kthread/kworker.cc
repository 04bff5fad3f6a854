// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/kthread/kworker.h"

#include <errno.h>
#include <sched.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "workqueue/base/check.h"
#include "workqueue/base/list.h"
#include "workqueue/core/concurrency.h"
#include "workqueue/core/report.h"

namespace base = uwq::base;
namespace core = uwq::core;
using base::kForever;
using base::MutexLock;
using core::ReportKind;

namespace {

uwq_kthread_work* WorkOf(uwq_list_head* node) {
  return base::EntryOf<uwq_kthread_work, &uwq_kthread_work::node>(node);
}
uwq_kthread_delayed_work* DelayedOf(uwq_list_head* entry) {
  return reinterpret_cast<uwq_kthread_delayed_work*>(reinterpret_cast<uintptr_t>(entry) -
                                                     offsetof(uwq_kthread_delayed_work, timer));
}
bool Pending(const uwq_kthread_work* work) { return base::Linked(&work->node) || work->armed != 0; }
// An unarmed node is all null, as in the wheel.
void Disarm(uwq_kthread_delayed_work* dwork) {
  base::Unlink(&dwork->timer.entry);
  dwork->timer.entry = {nullptr, nullptr};
  dwork->work.armed = 0;
}
std::string Name(const uwq_kthread_work* work) {
  return core::FuncName(reinterpret_cast<core::WorkFunc>(reinterpret_cast<void (*)()>(work->func)));
}
void Report(ReportKind kind, const uwq_kthread_work* work, const std::string& text) {
  core::ReportOnce(kind, reinterpret_cast<void*>(work->func), text);
}
// Read without the lock that it names.
uwq_kthread_worker* WorkerOf(uwq_kthread_work* work) {
  return base::AtomicRef<uwq_kthread_worker*>(work->worker).load(std::memory_order_acquire);
}

}  // namespace

// On the list, completed when the thread comes to it.
struct uwq_kthread_worker::Marker {
  Work work;
  base::Completion done;

  Marker() { uwq_kthread_work_init(&work, &Reached); }
  static void Reached(Work* work) { reinterpret_cast<Marker*>(work)->done.Set(); }
  void Wait() {
    const core::BlockingScope scope;
    done.Wait();
  }
};

uwq_kthread_worker::uwq_kthread_worker() {
  base::ListInit(&work_list_);
  base::ListInit(&timers_);
}

void uwq_kthread_worker::InsertLocked(Work* work, uwq_list_head* before) {
  base::AtomicRef<uwq_kthread_worker*>(work->worker).store(this, std::memory_order_release);
  base::InsertBefore(&work->node, before);
  // Under the lock: who sees the item's end may destroy the worker at once.
  if (current_ == nullptr) Wake();
}

// Moves what is due to the tail of the work list; returns the first deadline left.
base::Nanos uwq_kthread_worker::ExpireLocked() {
  if (base::ListEmpty(&timers_)) return kForever;
  const Nanos now = base::Now();
  while (!base::ListEmpty(&timers_)) {
    DelayedWork* const first = DelayedOf(timers_.next);
    if (first->timer.deadline_ns > now) return first->timer.deadline_ns;
    Disarm(first);
    InsertLocked(&first->work, &work_list_);
  }
  return kForever;
}

void uwq_kthread_worker::Run() {
  mutex_.Lock();
  runner_ = base::SelfId();
  Attach(true);
  for (;;) {
    const Nanos next = ExpireLocked();
    if (!base::ListEmpty(&work_list_)) {
      Work* const work = WorkOf(work_list_.next);
      base::Unlink(&work->node);
      current_ = work;
      const auto func = work->func;
      mutex_.Unlock();
      func(work);  // may free it
      mutex_.Lock();
      current_ = nullptr;
      continue;
    }
    if (ShouldStop()) break;
    PrepareToSleep();
    mutex_.Unlock();
    Sleep(next);
    mutex_.Lock();
  }
  runner_ = 0;
  Attach(false);
  mutex_.Unlock();
}

bool uwq_kthread_worker::OnOwnThread() {
  MutexLock lock(&mutex_);
  return runner_ == base::SelfId();
}

// K2, and idle.  What is due already comes before what is queued now (K1).
bool uwq_kthread_worker::MayQueueLocked(Work* work) {
  (void)ExpireLocked();
  return !Pending(work) && work->canceling == 0;
}

namespace {

// K5.  True: the item is on another worker's list, which this one must not touch.
bool RefuseForeign(uwq_kthread_worker* self, uwq_kthread_work* work, bool closed) {
  uwq_kthread_worker* const other = WorkerOf(work);
  if (closed) {
    Report(ReportKind::kQueueOnDraining, work,
           absl::StrCat("cannot queue ", Name(work), ": its kthread worker has ended"));
    return true;
  }
  if (other == nullptr || other == self) return false;
  Report(ReportKind::kSecondQueue, work,
         absl::StrCat("kthread item ", Name(work), " belongs to another worker; initialise it anew",
                      " before it changes"));
  return true;
}

}  // namespace

bool uwq_kthread_worker::Queue(Work* work) {
  bool closed;
  {
    MutexLock lock(&mutex_);
    closed = closed_;
    Work* const item = work;
    if (!closed && (WorkerOf(item) == nullptr || WorkerOf(item) == this)) {
      if (!MayQueueLocked(item)) return false;
      InsertLocked(item, &work_list_);
      return true;
    }
  }
  (void)RefuseForeign(this, work, closed);
  return false;
}

void uwq_kthread_worker::ArmLocked(DelayedWork* dwork, Nanos delay_ns) {
  Work* const work = &dwork->work;
  if (delay_ns <= 0) {
    InsertLocked(work, &work_list_);
    return;
  }
  const Nanos now = base::Now();
  const Nanos deadline = delay_ns >= kForever - now ? kForever : now + delay_ns;
  uwq_list_head* at = timers_.prev;  // from the back: most are armed for last
  while (at != &timers_ && DelayedOf(at)->timer.deadline_ns > deadline) at = at->prev;
  dwork->timer.deadline_ns = deadline;
  base::AtomicRef<uwq_kthread_worker*>(work->worker).store(this, std::memory_order_release);
  base::InsertAfter(&dwork->timer.entry, at);
  work->armed = 1;
  if (timers_.next == &dwork->timer.entry && current_ == nullptr) Wake();  // sooner than it sleeps
}

bool uwq_kthread_worker::QueueDelayed(DelayedWork* dwork, Nanos delay_ns) {
  Work* const work = &dwork->work;
  bool closed;
  {
    MutexLock lock(&mutex_);
    closed = closed_;
    if (!closed && (WorkerOf(work) == nullptr || WorkerOf(work) == this)) {
      if (!MayQueueLocked(work)) return false;
      ArmLocked(dwork, delay_ns);
      return true;
    }
  }
  (void)RefuseForeign(this, work, closed);
  return false;
}

bool uwq_kthread_worker::GrabLocked(Work* work) {
  if (!Pending(work)) return false;
  if (work->armed != 0) {
    Disarm(reinterpret_cast<DelayedWork*>(work));
  } else {
    base::Unlink(&work->node);
  }
  return true;
}

bool uwq_kthread_worker::ModDelayed(DelayedWork* dwork, Nanos delay_ns) {
  Work* const work = &dwork->work;
  bool closed;
  {
    MutexLock lock(&mutex_);
    closed = closed_;
    if (!closed && (WorkerOf(work) == nullptr || WorkerOf(work) == this)) {
      (void)ExpireLocked();
      if (work->canceling > 0) return true;  // the kernel's answer; nothing is queued
      const bool was_pending = GrabLocked(work);
      ArmLocked(dwork, delay_ns);
      return was_pending;
    }
  }
  (void)RefuseForeign(this, work, closed);
  return false;
}

void uwq_kthread_worker::FlushAll() {
  core::MightSleep("kthread_flush_worker");
  if (OnOwnThread()) {
    core::ReportOnce(ReportKind::kOwnQueueFlush, this,
                     "kthread_flush_worker() from an item of the worker would never return");
    return;
  }
  Marker marker;
  {
    MutexLock lock(&mutex_);
    if (closed_) return;  // everything has run
    (void)ExpireLocked();
    InsertLocked(&marker.work, &work_list_);
  }
  marker.Wait();
}

void uwq_kthread_worker::Flush(Work* work) {
  core::MightSleep("kthread_flush_work");
  Marker marker;
  enum { kIdle, kWait, kArmed, kSelf } what = kWait;
  {
    MutexLock lock(&mutex_);
    (void)ExpireLocked();
    const bool own = runner_ == base::SelfId();
    if (work->armed != 0) {
      what = kArmed;  // T143: behind an armed item the kernel's marker is never reached
    } else if (!base::Linked(&work->node) && current_ != work) {
      what = kIdle;
    } else if (own) {
      what = kSelf;
    } else if (base::Linked(&work->node)) {
      InsertLocked(&marker.work, work->node.next);
    } else {
      InsertLocked(&marker.work, work_list_.next);
    }
  }
  if (what == kWait) marker.Wait();
  if (what == kArmed) {
    Report(ReportKind::kSelfFlush, work,
           absl::StrCat("kthread_flush_work(", Name(work),
                        ") of an item whose timer is armed would", " never return"));
  }
  if (what == kSelf) {
    Report(ReportKind::kSelfFlush, work,
           absl::StrCat("kthread_flush_work(", Name(work), ") on its own worker's thread",
                        " would never return"));
  }
}

bool uwq_kthread_worker::Cancel(Work* work, bool* from_itself) {
  Marker marker;
  bool was_pending;
  {
    MutexLock lock(&mutex_);
    was_pending = GrabLocked(work);
    if (current_ != work) return was_pending;
    *from_itself = runner_ == base::SelfId();
    if (*from_itself) return was_pending;
    ++work->canceling;
    InsertLocked(&marker.work, work_list_.next);
  }
  marker.Wait();
  MutexLock lock(&mutex_);
  --work->canceling;
  return was_pending;
}

bool uwq_kthread_worker::CancelSync(Work* work) {
  core::MightSleep("kthread_cancel_work_sync");
  bool from_itself = false;
  const bool was_pending = Cancel(work, &from_itself);
  if (from_itself) {
    Report(ReportKind::kSelfFlush, work,
           absl::StrCat("kthread_cancel_work_sync(", Name(work), ") from inside itself would",
                        " never return"));
  }
  return was_pending;
}

void uwq_kthread_worker::EndOfLife(Work* work) {
  bool from_itself = false;
  (void)Cancel(work, &from_itself);
}

int uwq_kthread_worker::ReleaseTimers(void (*released)(DelayedWork*)) {
  for (int armed = 0;; ++armed) {
    DelayedWork* dwork;
    {
      MutexLock lock(&mutex_);
      if (base::ListEmpty(&timers_)) return armed;
      dwork = DelayedOf(timers_.next);
      Disarm(dwork);
      base::AtomicRef<uwq_kthread_worker*>(dwork->work.worker)
          .store(nullptr, std::memory_order_release);
    }
    if (released != nullptr) released(dwork);
  }
}

void uwq_kthread_worker::Close() {
  MutexLock lock(&mutex_);
  closed_ = true;
}

namespace uwq::kthread {

absl::StatusOr<std::shared_ptr<ThreadWorker>> ThreadWorker::Create(
    const std::string& name, const uwq_kthread_options& options) {
  if (options.rt_priority < 0 || options.rt_priority > 99) {
    return absl::InvalidArgumentError(absl::StrCat("kthread worker ", name, ": real-time priority ",
                                                   options.rt_priority, " is not 0..99"));
  }
  if (options.nice < -20 || options.nice > 19) {
    return absl::InvalidArgumentError(
        absl::StrCat("kthread worker ", name, ": nice ", options.nice, " is not -20..19"));
  }
  std::shared_ptr<ThreadWorker> worker(new ThreadWorker(name));
  base::Completion started;
  bool realtime = false;
  base::Thread::Options thread_options;
  thread_options.name = name;
  thread_options.cpu = options.cpu;
  thread_options.nice = options.nice;
  thread_options.rt_priority = options.rt_priority;
  absl::StatusOr<base::Thread> thread =
      base::Thread::Start(thread_options, [self = worker.get(), &started, &realtime] {
        realtime = sched_getscheduler(0) == SCHED_FIFO;
        started.Set();
        self->Run();
      });
  if (!thread.ok()) return thread.status();
  worker->thread_ = *std::move(thread);
  started.Wait();
  worker->realtime_ = realtime;
  if (options.rt_priority > 0 && !realtime) {
    // Always, here and in Stop(): each is once for a worker, whose memory another may have had.
    core::ReportAlways(ReportKind::kOther,
                       absl::StrCat("kthread worker ", name, ": real-time priority ",
                                    options.rt_priority, " is not permitted (CAP_SYS_NICE, or",
                                    " RLIMIT_RTPRIO); it runs with ordinary priority"));
  }
  return worker;
}

bool ThreadWorker::Stop() {
  if (OnOwnThread()) {
    core::ReportOnce(ReportKind::kOwnQueueFlush, this,
                     absl::StrCat("kthread worker ", name_, " is destroyed by an item of its own,",
                                  " which would never return; it is kept"));
    return false;
  }
  FlushAll();
  Close();
  stop_.store(true, std::memory_order_release);
  Wake();
  thread_.Join();
  const int armed = ReleaseTimers();
  if (armed > 0) {
    core::ReportAlways(ReportKind::kArmedTimerAtDestroy,
                       absl::StrCat("kthread worker ", name_, " ends with ", armed,
                                    " delayed items armed; they were taken down"));
  }
  return true;
}

}  // namespace uwq::kthread

extern "C" {

struct uwq_kthread_worker* uwq_kthread_worker_create(const char* name,
                                                     const uwq_kthread_options* options) {
  const uwq_kthread_options none = {-1, 0, 0};
  auto worker = uwq::kthread::ThreadWorker::Create(name, options == nullptr ? none : *options);
  if (!worker.ok()) {
    errno = absl::IsInvalidArgument(worker.status()) ? EINVAL : EAGAIN;
    return nullptr;
  }
  return (*worker)->Keep();
}

void uwq_kthread_worker_destroy(uwq_kthread_worker* worker) {
  auto* const own = static_cast<uwq::kthread::ThreadWorker*>(worker);
  if (own->Stop()) own->LetGo();
}

void uwq_kthread_worker_flush(uwq_kthread_worker* worker) { worker->FlushAll(); }

void uwq_kthread_work_init(uwq_kthread_work* work, uwq_kthread_work_func_t func) {
  base::ListInit(&work->node);
  work->func = func;
  work->worker = nullptr;
  work->canceling = 0;
  work->armed = 0;
}

void uwq_kthread_delayed_work_init(uwq_kthread_delayed_work* dwork, uwq_kthread_work_func_t func) {
  uwq_kthread_work_init(&dwork->work, func);
  dwork->timer = {};
}

bool uwq_kthread_work_queue(uwq_kthread_worker* worker, uwq_kthread_work* work) {
  return worker->Queue(work);
}
bool uwq_kthread_delayed_work_queue(uwq_kthread_worker* worker, uwq_kthread_delayed_work* dwork,
                                    int64_t delay_ns) {
  return worker->QueueDelayed(dwork, delay_ns);
}
bool uwq_kthread_delayed_work_mod(uwq_kthread_worker* worker, uwq_kthread_delayed_work* dwork,
                                  int64_t delay_ns) {
  return worker->ModDelayed(dwork, delay_ns);
}
void uwq_kthread_work_flush(uwq_kthread_work* work) {
  if (uwq_kthread_worker* const worker = WorkerOf(work)) worker->Flush(work);
}
bool uwq_kthread_work_cancel_sync(uwq_kthread_work* work) {
  uwq_kthread_worker* const worker = WorkerOf(work);
  return worker != nullptr && worker->CancelSync(work);
}

}  // extern "C"
