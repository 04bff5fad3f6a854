/* SPDX-License-Identifier: BSD-3-Clause
 *
 * uwq_delayed.h -- delayed work items, the C ABI.  Conventions: workqueue/c/uwq.h.
 *
 * Delays are nanoseconds from now.  A timer never fires early (D2).  Arming,
 * cancelling and re-arming are O(1) and allocate nothing.  A negative delay is
 * reported and counts as 0; one that reaches past the end of time never comes.
 */
#ifndef UWQ_DELAYED_UWQ_DELAYED_H_
#define UWQ_DELAYED_UWQ_DELAYED_H_

#include <stdbool.h>
#include <stdint.h>

#include "delayed/timer_node.h"
#include "workqueue/base/abi_types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uwq_workqueue;

struct uwq_delayed_work {
  struct uwq_work work; /* first: the item that is queued */
  struct uwq_timer timer;
  struct uwq_workqueue* wq; /* written only when a timer is armed */
  int cpu;                  /* likewise */
  uint32_t flags;           /* UWQ_DELAYED_*; set by the initialiser */
};

enum {
  /* Does not wake an idle process: fires with the next other timer, at most
   * 12.5 % of its delay late (D11). */
  UWQ_DELAYED_DEFERRABLE = 1 << 0,
  /* An unsigned long follows the item; whoever arms it writes the deadline there, in
   * ticks: `timer.expires` of <linux/workqueue.h>. */
  UWQ_DELAYED_EXPIRES = 1 << 1,
};

#define UWQ_DELAYED_WORK_INITIALIZER(name, function, delayed_flags)                            \
  {                                                                                            \
    {((unsigned long)0x7fffffff << 21), {&(name).work.entry, &(name).work.entry}, (function)}, \
        {{0, 0}, 0, 0}, 0, 0, (delayed_flags)                                                  \
  }

void uwq_init_delayed_work(struct uwq_delayed_work* dw, uwq_work_func_t func, uint32_t flags);
void uwq_init_delayed_work_onstack(struct uwq_delayed_work* dw, uwq_work_func_t func,
                                   uint32_t flags);
void uwq_destroy_delayed_work_on_stack(struct uwq_delayed_work* dw);

/* True if this call made it pending; false if it was pending already, when its
 * deadline and queue stay as they were (Q3), or is disabled.  Delay 0 queues at
 * once, without a timer (D1). */
bool uwq_queue_delayed_work(struct uwq_workqueue* wq, struct uwq_delayed_work* dw,
                            int64_t delay_ns);
bool uwq_queue_delayed_work_on(int cpu, struct uwq_workqueue* wq, struct uwq_delayed_work* dw,
                               int64_t delay_ns);
/* Sets the delay whatever the state.  True if it was pending; false if it was
 * idle, running only, or is disabled, when nothing is armed (D4). */
bool uwq_mod_delayed_work(struct uwq_workqueue* wq, struct uwq_delayed_work* dw, int64_t delay_ns);
bool uwq_mod_delayed_work_on(int cpu, struct uwq_workqueue* wq, struct uwq_delayed_work* dw,
                             int64_t delay_ns);
/* Like mod, but an armed deadline that is earlier stays, with its queue (the kernel's
 * timer_reduce() for work items).  An item already on a list stays there, and one that is
 * due gets there.  What is armed keeps its CPU unless the call names one. */
bool uwq_reduce_delayed_work(struct uwq_workqueue* wq, struct uwq_delayed_work* dw,
                             int64_t delay_ns);
bool uwq_reduce_delayed_work_on(int cpu, struct uwq_workqueue* wq, struct uwq_delayed_work* dw,
                                int64_t delay_ns);

bool uwq_cancel_delayed_work(struct uwq_delayed_work* dw);
bool uwq_cancel_delayed_work_sync(struct uwq_delayed_work* dw); /* sleeps */
bool uwq_disable_delayed_work(struct uwq_delayed_work* dw);
bool uwq_disable_delayed_work_sync(struct uwq_delayed_work* dw); /* sleeps */
bool uwq_enable_delayed_work(struct uwq_delayed_work* dw);
/* An armed timer is turned into "queued now"; then as uwq_flush_work (D6). */
bool uwq_flush_delayed_work(struct uwq_delayed_work* dw); /* sleeps */
bool uwq_delayed_work_pending(const struct uwq_delayed_work* dw);
/* The absolute CLOCK_MONOTONIC deadline in ns, or 0 if no timer is armed.  Advisory. */
int64_t uwq_delayed_work_deadline(struct uwq_delayed_work* dw);
/* `jiffies` of <linux/jiffies.h> at the CLOCK_MONOTONIC time `ns`: milliseconds since
 * the process started, counted from five minutes before a 32-bit wrap. */
unsigned long uwq_ticks_at(int64_t ns);

#ifdef __cplusplus
} /* extern "C" */

static_assert(sizeof(void*) != 8 || sizeof(uwq_delayed_work) == 80, "frozen: 80 bytes on LP64");
#endif

#endif /* UWQ_DELAYED_UWQ_DELAYED_H_ */
