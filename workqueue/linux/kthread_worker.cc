// SPDX-License-Identifier: BSD-3-Clause
//
// kthread_worker.cc -- struct kthread_worker: the worker of workqueue/kthread/kworker.h on
// a thread of <linux/kthread.h>, which the driver may start, stop and park itself.
#include <linux/kthread.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <stdio.h>
#include <string.h>

#include <new>

#include "workqueue/kthread/kworker.h"

namespace {

class TaskWorker final : public uwq_kthread_worker {
 public:
  explicit TaskWorker(kthread_worker* outer) : outer_(outer) {}

  static TaskWorker* Of(kthread_worker* worker) {
    return std::launder(reinterpret_cast<TaskWorker*>(worker->uwq_worker));
  }

 private:
  // A change of state also starts a thread that was only created.
  void Wake() override {
    if (outer_->task != nullptr) uwq_wake_up_process(outer_->task);
  }
  void PrepareToSleep() override { set_current_state(TASK_INTERRUPTIBLE); }
  void Sleep(Nanos deadline_ns) override {
    // A stop whose wake-up came before the state was set would be slept through.
    if (uwq_kthread_should_stop()) __set_current_state(TASK_RUNNING);
    uwq_schedule_until(deadline_ns == uwq::base::kForever ? UWQ_FOREVER : deadline_ns);
  }
  bool ShouldStop() override { return uwq_kthread_should_stop(); }
  void Attach(bool begins) override { outer_->task = begins ? get_current() : nullptr; }

  kthread_worker* const outer_;
};
static_assert(sizeof(TaskWorker) <= sizeof(kthread_worker::uwq_worker));
static_assert(alignof(TaskWorker) <= alignof(kthread_worker));
static_assert(offsetof(kthread_worker, uwq_worker) == 0);  // kthread_work::worker

// kthread_work is uwq_kthread_work, and so on.
static_assert(sizeof(kthread_work) == sizeof(uwq_kthread_work));
static_assert(offsetof(kthread_work, func) == offsetof(uwq_kthread_work, func));
static_assert(offsetof(kthread_work, worker) == offsetof(uwq_kthread_work, worker));
static_assert(offsetof(kthread_work, canceling) == offsetof(uwq_kthread_work, canceling));
static_assert(offsetof(kthread_work, uwq_armed) == offsetof(uwq_kthread_work, armed));
static_assert(offsetof(kthread_delayed_work, timer) == offsetof(uwq_kthread_delayed_work, timer));

// As in the kernel the timer of a released item stays armed, for the driver to delete;
// unlike there, it finds nobody.
void Nobody(timer_list*) {}
void Orphan(uwq_kthread_delayed_work* dwork) {
  auto* const own = reinterpret_cast<kthread_delayed_work*>(dwork);
  own->timer.function = &Nobody;
  mod_timer(&own->timer, uwq_ticks_at(dwork->timer.deadline_ns) + 1);
}

kthread_worker* Create(int cpu, unsigned flags, const char* fmt, va_list args) {
  auto* const worker = static_cast<kthread_worker*>(kzalloc(sizeof(kthread_worker), GFP_KERNEL));
  if (worker == nullptr) return static_cast<kthread_worker*>(ERR_PTR(-ENOMEM));
  uwq_kthread_init_worker(worker);
  worker->flags = flags;
  char name[TASK_COMM_LEN];
  vsnprintf(name, sizeof(name), fmt, args);
  task_struct* const task = uwq_kthread_create(cpu, uwq_kthread_worker_fn, worker, "%s", name);
  if (IS_ERR(task)) {
    kfree(worker);
    return static_cast<kthread_worker*>(ERR_CAST(task));
  }
  worker->task = task;
  return worker;
}

}  // namespace

extern "C" {

void uwq_kthread_init_worker(kthread_worker* worker) {
  memset(worker, 0, sizeof(*worker));
  new (worker->uwq_worker) TaskWorker(worker);
}

int uwq_kthread_worker_fn(void* worker) {
  TaskWorker::Of(static_cast<kthread_worker*>(worker))->Run();
  return 0;
}

kthread_worker* uwq_kthread_create_worker(int cpu, unsigned int flags, const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  kthread_worker* const worker = Create(cpu, flags, fmt, args);
  va_end(args);
  return worker;
}

kthread_worker* uwq_kthread_run_worker(int cpu, unsigned int flags, const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  kthread_worker* const worker = Create(cpu, flags, fmt, args);
  va_end(args);
  if (!IS_ERR(worker)) uwq_wake_up_process(worker->task);
  return worker;
}

void uwq_kthread_destroy_worker(kthread_worker* worker) {
  TaskWorker* const own = TaskWorker::Of(worker);
  task_struct* const task = worker->task;
  if (WARN_ON(task == nullptr)) return;
  char name[TASK_COMM_LEN];
  snprintf(name, sizeof(name), "%s", task->comm);
  own->FlushAll();
  own->Close();  // an item that queues itself again would keep the thread from its end
  uwq_kthread_stop(task);
  // K4: a timer that is still armed would queue on freed memory, and in a kernel does.
  const int armed = own->ReleaseTimers(&Orphan);
  WARN(armed > 0, "kthread_destroy_worker(%s): a delayed item is still armed", name);
  own->~TaskWorker();
  kfree(worker);
}

}  // extern "C"
