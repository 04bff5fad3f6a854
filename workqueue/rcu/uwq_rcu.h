/* SPDX-License-Identifier: BSD-3-Clause
 *
 * uwq_rcu.h -- read-copy-update and RCU work, the C ABI.  Conventions: workqueue/c/uwq.h.
 * C++: workqueue/rcu_work.h.  How grace periods are found: workqueue/rcu/rcu.cc.
 *
 * One flavour, one domain for the process.  Any thread may read, without registration.
 */
#ifndef UWQ_WORKQUEUE_RCU_UWQ_RCU_H_
#define UWQ_WORKQUEUE_RCU_UWQ_RCU_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workqueue/base/abi_types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uwq_workqueue;

struct uwq_rcu_head {
  struct uwq_rcu_head* next;
  void (*func)(struct uwq_rcu_head* head);
};

/* Nest; free of locks and system calls. */
void uwq_rcu_read_lock(void);
void uwq_rcu_read_unlock(void);
bool uwq_rcu_read_lock_held(void);
/* Returns when every reader that was inside has left.  Inside a reader: reported,
 * returns at once.  Sleeps. */
void uwq_synchronize_rcu(void);
/* Calls `func` after a grace period, on the library's own thread; it must not sleep.  If
 * the system refuses that thread: reported, `func` waits for a later call that gets one,
 * or runs in uwq_rcu_barrier() and uwq_flush_rcu_work().  In the child of a fork what
 * the parent has called does not run; new calls do. */
void uwq_call_rcu(struct uwq_rcu_head* head, void (*func)(struct uwq_rcu_head* head));
/* Frees, after a grace period, what holds `head` at `offset`. */
void uwq_kfree_rcu(struct uwq_rcu_head* head, size_t offset);
/* Until every callback of earlier calls has run.  Inside a reader or from a callback:
 * reported, returns at once.  Sleeps. */
void uwq_rcu_barrier(void);

/* Work that is queued after a grace period (the kernel's struct rcu_work, 1.8). */
struct uwq_rcu_work {
  struct uwq_work work; /* first: the item that is queued */
  struct uwq_rcu_head rcu;
  struct uwq_workqueue* wq;
};
/* On an item in its grace period: reported, that is called off first. */
void uwq_init_rcu_work(struct uwq_rcu_work* rwork, uwq_work_func_t func);
/* Before the memory goes.  One in its grace period, queued or running elsewhere is
 * reported, cancelled and waited for; it does not wait for readers.  Sleeps. */
void uwq_destroy_rcu_work(struct uwq_rcu_work* rwork);
/* True if this call made it pending.  False: pending already, and the run may then come
 * before a full grace period from this call; or disabled, which is reported. */
bool uwq_queue_rcu_work(struct uwq_workqueue* wq, struct uwq_rcu_work* rwork);
/* Waits for the grace period and the run; true if there was something to wait for.  Of a
 * pending item, inside a reader or from an RCU callback: reported, false at once. */
bool uwq_flush_rcu_work(struct uwq_rcu_work* rwork); /* sleeps */

/* For a layer above that marks threads which must not sleep: `mark` runs on the callback
 * thread before (true) and after (false) each batch of callbacks.  Once, at start. */
void uwq_rcu_on_callbacks(void (*mark)(bool begins));

#ifdef __cplusplus
} /* extern "C" */

static_assert(sizeof(void*) != 8 || sizeof(uwq_rcu_work) == 56, "frozen: 56 bytes on LP64");
#endif

#endif /* UWQ_WORKQUEUE_RCU_UWQ_RCU_H_ */
