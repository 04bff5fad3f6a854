/* SPDX-License-Identifier: BSD-3-Clause
 *
 * uwq_kthread.h -- items on a thread of their own, the C ABI (the kernel's
 * kthread_worker, K1-K6).  Conventions: workqueue/c/uwq.h.  C++: workqueue/kthread_worker.h.
 *
 * For what must run on one known thread: real-time priority, thread-bound hardware.
 * Items run first in, first out, one at a time.  Arming is O(armed items) at worst, and
 * O(1) for the latest deadline: for tens of timers; for thousands use delayed work.
 */
#ifndef UWQ_WORKQUEUE_KTHREAD_UWQ_KTHREAD_H_
#define UWQ_WORKQUEUE_KTHREAD_UWQ_KTHREAD_H_

#include <stdbool.h>
#include <stdint.h>

#include "delayed/timer_node.h"
#include "workqueue/base/abi_types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uwq_kthread_worker; /* a thread and its list */

struct uwq_kthread_work {
  struct uwq_list_head node; /* pending is: on the list, or armed */
  void (*func)(struct uwq_kthread_work* work);
  struct uwq_kthread_worker* worker; /* since its first queueing; stays the same (K5) */
  int canceling;                     /* how many cancel_sync wait for it: closed (K2) */
  int armed;                         /* the timer of a delayed item */
};
typedef void (*uwq_kthread_work_func_t)(struct uwq_kthread_work* work);

struct uwq_kthread_delayed_work {
  struct uwq_kthread_work work; /* first */
  struct uwq_timer timer;
};

#define UWQ_KTHREAD_WORK_INITIALIZER(name, function) \
  { {&(name).node, &(name).node}, (function), 0, 0, 0 }
#define UWQ_KTHREAD_DELAYED_WORK_INITIALIZER(name, function)              \
  {                                                                       \
    UWQ_KTHREAD_WORK_INITIALIZER((name).work, function), { {0, 0}, 0, 0 } \
  }

struct uwq_kthread_options {
  int cpu;         /* -1: any */
  int nice;        /* -20..19; best effort */
  int rt_priority; /* 1..99: SCHED_FIFO; where that is not permitted, reported, and
                      the thread runs as any other; 0: none */
};

/* `options` NULL: any CPU, no priority.  NULL with errno set: EINVAL, EAGAIN.  Sleeps. */
struct uwq_kthread_worker* uwq_kthread_worker_create(const char* name,
                                                     const struct uwq_kthread_options* options);
/* Runs what is queued, then ends the thread.  Timers that are still armed are reported
 * and taken down (K4).  Not from an item of the worker (reported, nothing done).  Sleeps. */
void uwq_kthread_worker_destroy(struct uwq_kthread_worker* worker);
/* Until everything queued before has run.  Sleeps. */
void uwq_kthread_worker_flush(struct uwq_kthread_worker* worker);

void uwq_kthread_work_init(struct uwq_kthread_work* work, uwq_kthread_work_func_t func);
void uwq_kthread_delayed_work_init(struct uwq_kthread_delayed_work* dwork,
                                   uwq_kthread_work_func_t func);

/* True if this call made it pending.  False: pending already, or a cancel_sync is under
 * way (K2).  An item that runs may be queued again: to the tail (K1). */
bool uwq_kthread_work_queue(struct uwq_kthread_worker* worker, struct uwq_kthread_work* work);
/* Delay in ns; 0 or less: at once, without a timer.  Never early. */
bool uwq_kthread_delayed_work_queue(struct uwq_kthread_worker* worker,
                                    struct uwq_kthread_delayed_work* dwork, int64_t delay_ns);
/* Sets the delay whatever the state.  False: it was idle or only running.  True: it was
 * pending; or a cancel_sync is under way, and nothing was queued. */
bool uwq_kthread_delayed_work_mod(struct uwq_kthread_worker* worker,
                                  struct uwq_kthread_delayed_work* dwork, int64_t delay_ns);
/* Until the last queued instance has run.  Of an item whose timer is armed: reported,
 * returns at once (in a kernel it never returns, K6).  Sleeps. */
void uwq_kthread_work_flush(struct uwq_kthread_work* work);
/* On return neither pending nor running; true if it was pending (K3).  Sleeps.  From the
 * item's own function: taken off the list, reported, no wait. */
bool uwq_kthread_work_cancel_sync(struct uwq_kthread_work* work);
static inline bool uwq_kthread_delayed_work_cancel_sync(struct uwq_kthread_delayed_work* dwork) {
  return uwq_kthread_work_cancel_sync(&dwork->work);
}

#ifdef __cplusplus
} /* extern "C" */

static_assert(sizeof(void*) != 8 || sizeof(uwq_kthread_work) == 40, "frozen: 40 bytes on LP64");
#endif

#endif /* UWQ_WORKQUEUE_KTHREAD_UWQ_KTHREAD_H_ */
