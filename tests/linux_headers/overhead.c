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
PAIR(bool, queue_node, (int n, struct workqueue_struct *q, struct work_struct *w),
     queue_work_node(n, q, w), uwq_queue_work_node(n, Q, W))
PAIR(bool, schedule_on, (int c, struct work_struct *w), schedule_work_on(c, w),
     uwq_queue_work_on(c, uwq_system_wq(NULL, UWQ_SYSTEM_PERCPU), W))
PAIR(bool, enable_and_queue, (struct workqueue_struct * q, struct work_struct *w),
     enable_and_queue_work(q, w), uwq_enable_and_queue_work(Q, W))
PAIR(bool, disable_sync, (struct work_struct * w), disable_work_sync(w), uwq_disable_work_sync(W))
PAIR(void, init, (struct work_struct * w, work_func_t f), INIT_WORK(w, f),
     uwq_init_work(W, (uwq_work_func_t)(void (*)(void))f))
PAIR(bool, queue_rcu, (struct workqueue_struct * q, struct rcu_work *r), queue_rcu_work(q, r),
     uwq_queue_rcu_work(Q, (struct uwq_rcu_work *)r))
PAIR(bool, flush_rcu, (struct rcu_work * r), flush_rcu_work(r),
     uwq_flush_rcu_work((struct uwq_rcu_work *)r))

/* Delays: a constant is converted by the compiler; a variable one in place, like any unit. */
PAIR(bool, queue_delayed, (struct workqueue_struct * q, struct delayed_work *d),
     queue_delayed_work(q, d, HZ / 10), uwq_queue_delayed_work(Q, D, 100000000))
PAIR(bool, queue_delayed_0, (struct workqueue_struct * q, struct delayed_work *d),
     queue_delayed_work(q, d, 0), uwq_queue_delayed_work(Q, D, 0))
PAIR(bool, queue_delayed_n,
     (struct workqueue_struct * q, struct delayed_work *d, unsigned long ticks),
     queue_delayed_work(q, d, ticks), uwq_queue_delayed_work(Q, D, uwq_ticks_to_ns(ticks)))
PAIR(bool, queue_delayed_on, (int c, struct workqueue_struct *q, struct delayed_work *d),
     queue_delayed_work_on(c, q, d, 5), uwq_queue_delayed_work_on(c, Q, D, 5000000))
PAIR(bool, schedule_delayed, (struct delayed_work * d),
     schedule_delayed_work(d, msecs_to_jiffies(20)),
     uwq_queue_delayed_work(uwq_system_wq(NULL, UWQ_SYSTEM_PERCPU), D, 20000000))
PAIR(bool, mod_delayed, (struct workqueue_struct * q, struct delayed_work *d),
     mod_delayed_work(q, d, HZ), uwq_mod_delayed_work(Q, D, 1000000000))
PAIR(bool, mod_delayed_on, (int c, struct workqueue_struct *q, struct delayed_work *d),
     mod_delayed_work_on(c, q, d, HZ), uwq_mod_delayed_work_on(c, Q, D, 1000000000))
PAIR(bool, cancel_delayed, (struct delayed_work * d), cancel_delayed_work(d),
     uwq_cancel_delayed_work(D))
PAIR(bool, cancel_delayed_sync, (struct delayed_work * d), cancel_delayed_work_sync(d),
     uwq_cancel_delayed_work_sync(D))
PAIR(bool, flush_delayed, (struct delayed_work * d), flush_delayed_work(d),
     uwq_flush_delayed_work(D))
PAIR(bool, disable_delayed, (struct delayed_work * d), disable_delayed_work(d),
     uwq_disable_delayed_work(D))
PAIR(bool, disable_delayed_sync, (struct delayed_work * d), disable_delayed_work_sync(d),
     uwq_disable_delayed_work_sync(D))
PAIR(bool, enable_delayed, (struct delayed_work * d), enable_delayed_work(d),
     uwq_enable_delayed_work(D))
PAIR(void, init_delayed, (struct delayed_work * d, work_func_t f), INIT_DELAYED_WORK(d, f),
     uwq_init_delayed_work(D, (uwq_work_func_t)(void (*)(void))f, UWQ_DELAYED_EXPIRES))

/* Queues, and looking at things. */
PAIR(struct workqueue_struct *, alloc, (int n), alloc_workqueue("q%d", WQ_UNBOUND, 3, n),
     (struct workqueue_struct *)uwq_linux_alloc_workqueue("q%d", UWQ_UNBOUND, 3, n))
PAIR(struct workqueue_struct *, alloc_ordered, (int n), alloc_ordered_workqueue("q%d", 0, n),
     (struct workqueue_struct *)uwq_linux_alloc_ordered_workqueue("q%d", 0, n))
PAIR(void, destroy, (struct workqueue_struct * q), destroy_workqueue(q), uwq_destroy_workqueue(Q))
PAIR(void, flush_queue, (struct workqueue_struct * q), flush_workqueue(q), uwq_flush_workqueue(Q))
PAIR(void, drain, (struct workqueue_struct * q), drain_workqueue(q), uwq_drain_workqueue(Q))
PAIR(void, set_max_active, (struct workqueue_struct * q, int n), workqueue_set_max_active(q, n),
     uwq_workqueue_set_max_active(Q, n))
PAIR(bool, congested, (int c, struct workqueue_struct *q), workqueue_congested(c, q),
     uwq_workqueue_congested(c, Q))
PAIR(bool, pending, (struct work_struct * w), work_pending(w),
     (__atomic_load_n(&(W)->data, __ATOMIC_RELAXED) & 1) != 0)
PAIR(struct work_struct *, current, (void), current_work(),
     (struct work_struct *)uwq_current_work())
PAIR(struct delayed_work *, outer, (struct work_struct * w), to_delayed_work(w),
     (struct delayed_work *)w)

#ifdef WITH_OVERHEAD /* the control: a wrapper that does more is found */
PAIR(bool, control, (struct work_struct * w), work_pending(w) && flush_work(w), uwq_flush_work(W))
#endif
