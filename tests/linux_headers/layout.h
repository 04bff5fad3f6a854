/* SPDX-License-Identifier: BSD-3-Clause
 *
 * layout.h -- the layouts that cross from the Linux headers to the C ABI, as assertions.
 *
 * Compiled as C and as C++ by layout_test.sh; a build that fails is the finding.
 */
#ifndef UWQ_TESTS_LINUX_HEADERS_LAYOUT_H_
#define UWQ_TESTS_LINUX_HEADERS_LAYOUT_H_

#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#ifdef __cplusplus
#define LAYOUT(condition) static_assert(condition, #condition)
#else
#define LAYOUT(condition) _Static_assert(condition, #condition)
#endif
#define SAME_PLACE(a, a_member, b, b_member) \
  LAYOUT(offsetof(struct a, a_member) == offsetof(struct b, b_member))

/* The kernel's sizes without lockdep (1.1). */
LAYOUT(sizeof(struct work_struct) == 32);
LAYOUT(sizeof(struct delayed_work) <= 88);
LAYOUT(sizeof(struct rcu_work) == 56);
LAYOUT(sizeof(struct execute_work) == 32);
LAYOUT(sizeof(struct kthread_work) == 40);
LAYOUT(sizeof(struct list_head) == 16);
LAYOUT(sizeof(struct rcu_head) == 16);
LAYOUT(sizeof(atomic_t) == 4 && sizeof(atomic_long_t) == sizeof(long) && sizeof(atomic64_t) == 8);
LAYOUT(sizeof(spinlock_t) == 4);

/* work_struct is uwq_work. */
LAYOUT(sizeof(struct work_struct) == sizeof(struct uwq_work));
LAYOUT(__alignof__(struct work_struct) == __alignof__(struct uwq_work));
SAME_PLACE(work_struct, data, uwq_work, data);
SAME_PLACE(work_struct, entry, uwq_work, entry);
SAME_PLACE(work_struct, func, uwq_work, func);
SAME_PLACE(list_head, next, uwq_list_head, next);
SAME_PLACE(list_head, prev, uwq_list_head, prev);

/* delayed_work begins with uwq_delayed_work and adds the jiffies of its deadline. */
LAYOUT(sizeof(struct delayed_work) >= sizeof(struct uwq_delayed_work));
LAYOUT(__alignof__(struct delayed_work) == __alignof__(struct uwq_delayed_work));
SAME_PLACE(delayed_work, work, uwq_delayed_work, work);
SAME_PLACE(delayed_work, timer, uwq_delayed_work, timer);
SAME_PLACE(delayed_work, timer.uwq_node, uwq_delayed_work, timer);
SAME_PLACE(delayed_work, wq, uwq_delayed_work, wq);
SAME_PLACE(delayed_work, cpu, uwq_delayed_work, cpu);
SAME_PLACE(delayed_work, uwq_flags, uwq_delayed_work, flags);
LAYOUT(offsetof(struct delayed_work, timer.expires) == sizeof(struct uwq_delayed_work));

/* Both kinds of timers are uwq_ktimer. */
LAYOUT(sizeof(struct timer_list) == sizeof(struct uwq_ktimer));
SAME_PLACE(timer_list, uwq_node, uwq_ktimer, node);
SAME_PLACE(timer_list, function, uwq_ktimer, function);
SAME_PLACE(timer_list, uwq_cpu, uwq_ktimer, cpu);
SAME_PLACE(timer_list, flags, uwq_ktimer, flags);
SAME_PLACE(timer_list, expires, uwq_ktimer, expires);
LAYOUT(sizeof(struct hrtimer) == sizeof(struct uwq_ktimer));
SAME_PLACE(hrtimer, uwq_node, uwq_ktimer, node);
SAME_PLACE(hrtimer, function, uwq_ktimer, function);
SAME_PLACE(hrtimer, uwq_flags, uwq_ktimer, flags);
SAME_PLACE(hrtimer, uwq_expires, uwq_ktimer, expires);

/* rcu_head is uwq_rcu_head; rcu_work is what rcu.cc takes it for. */
LAYOUT(sizeof(struct rcu_head) == sizeof(struct uwq_rcu_head));
SAME_PLACE(rcu_head, func, uwq_rcu_head, func);
LAYOUT(offsetof(struct rcu_work, rcu) == 32 && offsetof(struct rcu_work, wq) == 48);

/* Constants that pass through unchanged. */
LAYOUT((int)WQ_BH == UWQ_BH && (int)WQ_PERCPU == UWQ_PERCPU && WQ_BH == 1 && WQ_PERCPU == 256);
LAYOUT(WQ_UNBOUND == 2 && WQ_FREEZABLE == 4 && WQ_MEM_RECLAIM == 8 && WQ_HIGHPRI == 16);
LAYOUT(WQ_CPU_INTENSIVE == 32 && WQ_SYSFS == 64 && WQ_POWER_EFFICIENT == 128);
LAYOUT(WQ_MAX_ACTIVE == 2048 && WQ_DFL_ACTIVE == 1024 && HZ == 1000);
LAYOUT((int)WQ_AFFN_SYSTEM == (int)UWQ_AFFN_SYSTEM && (int)WQ_AFFN_CACHE == (int)UWQ_AFFN_CACHE);

#endif /* UWQ_TESTS_LINUX_HEADERS_LAYOUT_H_ */
