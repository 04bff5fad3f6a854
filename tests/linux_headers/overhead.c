/* SPDX-License-Identifier: BSD-3-Clause
 *
 * overhead.c -- pairs of functions for overhead_test.sh: linux_X makes a kernel call,
 * direct_X the call of the C ABI behind it.  Their instructions must be the same.
 */
#include <linux/workqueue.h>

#define W (struct uwq_work *)w
#define D (struct uwq_delayed_work *)d
#define Q (struct uwq_workqueue *)q
#define PAIR(type, name, parameters, kernel, direct) \
  type linux_##name parameters;                      \
  type direct_##name parameters;                     \
  type linux_##name parameters { return kernel; }    \
  type direct_##name parameters { return direct; }

PAIR(bool, queue, (struct workqueue_struct * q, struct work_struct *w), queue_work(q, w),
     uwq_queue_work(Q, W))
PAIR(bool, queue_on, (int c, struct workqueue_struct *q, struct work_struct *w),
     queue_work_on(c, q, w), uwq_queue_work_on(c, Q, W))
PAIR(bool, queue_anywhere, (struct workqueue_struct * q, struct work_struct *w),
     queue_work_on(WORK_CPU_UNBOUND, q, w), uwq_queue_work_on(-1, Q, W))
PAIR(bool, schedule, (struct work_struct * w), schedule_work(w),
     uwq_queue_work(uwq_system_wq(NULL, UWQ_SYSTEM_PERCPU), W))
PAIR(bool, queue_system, (struct work_struct * w), queue_work(system_highpri_wq, w),
     uwq_queue_work(uwq_system_wq(NULL, UWQ_SYSTEM_HIGHPRI), W))
PAIR(bool, cancel, (struct work_struct * w), cancel_work(w), uwq_cancel_work(W))
PAIR(bool, cancel_sync, (struct work_struct * w), cancel_work_sync(w), uwq_cancel_work_sync(W))
PAIR(bool, flush, (struct work_struct * w), flush_work(w), uwq_flush_work(W))
PAIR(bool, disable, (struct work_struct * w), disable_work(w), uwq_disable_work(W))
PAIR(bool, enable, (struct work_struct * w), enable_work(w), uwq_enable_work(W))
PAIR(unsigned int, busy, (struct work_struct * w), work_busy(w), uwq_work_busy(W))
PAIR(bool, cancel_delayed, (struct delayed_work * d), cancel_delayed_work_sync(d),
     uwq_cancel_delayed_work_sync(D))
PAIR(bool, flush_delayed, (struct delayed_work * d), flush_delayed_work(d),
     uwq_flush_delayed_work(D))
PAIR(bool, queue_delayed_0, (struct workqueue_struct * q, struct delayed_work *d),
     mod_delayed_work(q, d, 0), uwq_mod_delayed_work(Q, D, 0))
PAIR(bool, pending, (struct work_struct * w), work_pending(w),
     (__atomic_load_n(&(W)->data, __ATOMIC_RELAXED) & 1) != 0)
PAIR(struct work_struct *, current, (void), current_work(),
     (struct work_struct *)uwq_current_work())
PAIR(struct delayed_work *, outer, (struct work_struct * w), to_delayed_work(w),
     (struct delayed_work *)w)

#ifdef WITH_OVERHEAD /* the control: a wrapper that does more is found */
PAIR(bool, control, (struct work_struct * w), work_pending(w) && flush_work(w), uwq_flush_work(W))
#endif
