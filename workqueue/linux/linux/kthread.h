/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/kthread.h>: threads, and items on a thread of their own. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_KTHREAD_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_KTHREAD_H_

#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/types.h>

#include "workqueue/kthread/uwq_kthread.h"

/* --- Threads -------------------------------------------------------------------------- */
#ifdef __cplusplus
extern "C" {
#endif
/* ERR_PTR on failure.  It starts when it is woken first; cpu < 0: anywhere. */
struct task_struct *uwq_kthread_create(int cpu, int (*fn)(void *data), void *data, const char *fmt,
                                       ...) UWQ_PRINTF(4, 5);
struct task_struct *uwq_kthread_woken(struct task_struct *task);
int uwq_kthread_stop(struct task_struct *task);
bool uwq_kthread_should_stop(void);
bool uwq_kthread_should_park(void);
void uwq_kthread_parkme(void);
int uwq_kthread_park(struct task_struct *task);
void uwq_kthread_unpark(struct task_struct *task);
#ifdef __cplusplus
}
#endif
#define kthread_create(fn, data, ...) uwq_kthread_create(-1, fn, data, __VA_ARGS__)
#define kthread_create_on_node(fn, data, node, ...) uwq_kthread_create(-1, fn, data, __VA_ARGS__)
#define kthread_create_on_cpu(fn, data, cpu, ...) \
  uwq_kthread_create((int)(cpu), fn, data, __VA_ARGS__)
#define kthread_run(fn, data, ...) uwq_kthread_woken(kthread_create(fn, data, __VA_ARGS__))
#define kthread_run_on_cpu(fn, data, cpu, ...) \
  uwq_kthread_woken(kthread_create_on_cpu(fn, data, cpu, __VA_ARGS__))
#define kthread_bind(task, cpu) ((void)((task)->uwq_cpu = (int)(cpu))) /* before it starts */
#define kthread_stop(task) uwq_kthread_stop(task)
#define kthread_should_stop() uwq_kthread_should_stop()
#define kthread_park(task) uwq_kthread_park(task)
#define kthread_unpark(task) uwq_kthread_unpark(task)
#define kthread_parkme() uwq_kthread_parkme()
#define kthread_should_park() uwq_kthread_should_park()
#define kthread_freezable_should_stop(was_frozen) uwq_kthread_should_stop()

/* --- kthread_worker (1.17) ------------------------------------------------------------- */
struct kthread_work;
typedef void (*kthread_work_func_t)(struct kthread_work *work);

enum { KTW_FREEZABLE = 1 << 0 };

struct kthread_worker {
  uint64_t uwq_worker[9]; /* workqueue/kthread/kworker.h */
  struct task_struct *task;
  unsigned int flags; /* without effect */
};
struct kthread_work {
  struct list_head node; /* "pending" is: on the list, or armed */
  kthread_work_func_t func;
  struct kthread_worker *worker;
  int canceling;
  int uwq_armed;
};
struct kthread_delayed_work {
  struct kthread_work work;
  struct timer_list timer; /* kept by the worker's own thread: only to be looked at */
};

#ifdef __cplusplus
extern "C" {
#endif
void uwq_schedule_until(int64_t deadline_ns);
void uwq_kthread_init_worker(struct kthread_worker *worker);
struct kthread_worker *uwq_kthread_create_worker(int cpu, unsigned int flags, const char *fmt, ...)
    UWQ_PRINTF(3, 4);
struct kthread_worker *uwq_kthread_run_worker(int cpu, unsigned int flags, const char *fmt, ...)
    UWQ_PRINTF(3, 4);
int uwq_kthread_worker_fn(void *worker);
void uwq_kthread_destroy_worker(struct kthread_worker *worker);
#ifdef __cplusplus
}
#endif

#define KTHREAD_WORK_INIT(work, fn) \
  { LIST_HEAD_INIT((work).node), (fn), NULL, 0, 0 }
#define KTHREAD_DELAYED_WORK_INIT(dwork, fn) \
  { KTHREAD_WORK_INIT((dwork).work, (fn)), TIMER_INITIALIZER(NULL) }
#define DEFINE_KTHREAD_WORK(work, fn) struct kthread_work work = KTHREAD_WORK_INIT(work, fn)
#define DEFINE_KTHREAD_DELAYED_WORK(dwork, fn) \
  struct kthread_delayed_work dwork = KTHREAD_DELAYED_WORK_INIT(dwork, fn)

static inline void kthread_init_work(struct kthread_work *work, kthread_work_func_t fn) {
  INIT_LIST_HEAD(&work->node);
  work->func = fn;
  work->worker = NULL;
  work->canceling = 0;
  work->uwq_armed = 0;
}
static inline void kthread_init_delayed_work(struct kthread_delayed_work *dwork,
                                             kthread_work_func_t fn) {
  kthread_init_work(&dwork->work, fn);
  timer_setup(&dwork->timer, NULL, TIMER_IRQSAFE);
}
#define kthread_init_worker(worker) uwq_kthread_init_worker(worker)
#define kthread_create_worker(flags, ...) uwq_kthread_create_worker(-1, flags, __VA_ARGS__)
#define kthread_create_worker_on_node(flags, node, ...) \
  uwq_kthread_create_worker(-1, flags, __VA_ARGS__)
#define kthread_create_worker_on_cpu(cpu, flags, ...) \
  uwq_kthread_create_worker(cpu, flags, __VA_ARGS__)
#define kthread_run_worker(flags, ...) uwq_kthread_run_worker(-1, flags, __VA_ARGS__)
#define kthread_run_worker_on_cpu(cpu, flags, ...) uwq_kthread_run_worker(cpu, flags, __VA_ARGS__)
#define kthread_worker_fn uwq_kthread_worker_fn

/* The same memory under the names of the C ABI. */
#define uwq_kworker(worker) ((struct uwq_kthread_worker *)(worker))
#define uwq_kwork(work) ((struct uwq_kthread_work *)(work))
#define uwq_kdwork(dwork) ((struct uwq_kthread_delayed_work *)(dwork))

static inline bool kthread_queue_work(struct kthread_worker *worker, struct kthread_work *work) {
  return uwq_kthread_work_queue(uwq_kworker(worker), uwq_kwork(work));
}
static inline bool kthread_queue_delayed_work(struct kthread_worker *worker,
                                              struct kthread_delayed_work *dwork,
                                              unsigned long delay) {
  return uwq_kthread_delayed_work_queue(uwq_kworker(worker), uwq_kdwork(dwork),
                                        uwq_ticks_to_ns(delay));
}
static inline bool kthread_mod_delayed_work(struct kthread_worker *worker,
                                            struct kthread_delayed_work *dwork,
                                            unsigned long delay) {
  return uwq_kthread_delayed_work_mod(uwq_kworker(worker), uwq_kdwork(dwork),
                                      uwq_ticks_to_ns(delay));
}
static inline void kthread_flush_work(struct kthread_work *work) {
  uwq_linux_might_sleep("kthread_flush_work");
  uwq_kthread_work_flush(uwq_kwork(work));
}
static inline void kthread_flush_worker(struct kthread_worker *worker) {
  uwq_linux_might_sleep("kthread_flush_worker");
  uwq_kthread_worker_flush(uwq_kworker(worker));
}
static inline bool kthread_cancel_work_sync(struct kthread_work *work) {
  uwq_linux_might_sleep("kthread_cancel_work_sync");
  return uwq_kthread_work_cancel_sync(uwq_kwork(work));
}
static inline bool kthread_cancel_delayed_work_sync(struct kthread_delayed_work *dwork) {
  return kthread_cancel_work_sync(&dwork->work);
}
static inline void kthread_destroy_worker(struct kthread_worker *worker) {
  uwq_kthread_destroy_worker(worker);
}

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_KTHREAD_H_ */
