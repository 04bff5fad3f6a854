/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/timer.h>: timers that count in jiffies. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_TIMER_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_TIMER_H_

#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/jiffies.h>
#include <linux/types.h>
#include <time.h> /* before timer_delete(), which POSIX has for something else */

#include "workqueue/linux/uwq_linux.h"

/* Functions run on one thread of the library, one after the other, and must not
 * sleep.  Layout: struct uwq_ktimer, which is also what stands in a delayed_work. */
struct timer_list {
  struct uwq_timer uwq_node;
  void (*function)(struct timer_list *timer);
  int uwq_cpu;
  u32 flags;
  unsigned long expires;
};

#define TIMER_DEFERRABLE 0x00080000
#define TIMER_PINNED 0x00100000
#define TIMER_IRQSAFE 0x00200000

#define __TIMER_INITIALIZER(fn, tflags) \
  { {{0, 0}, 0, 0}, (fn), 0, (tflags) | UWQ_KTIMER_JIFFIES, 0 }
#define TIMER_INITIALIZER(fn) __TIMER_INITIALIZER(fn, 0)
#define DEFINE_TIMER(name, fn) struct timer_list name = TIMER_INITIALIZER(fn)

static inline void uwq_timer_setup(struct timer_list *timer, void (*fn)(struct timer_list *),
                                   unsigned int flags) {
  timer->uwq_node.entry.next = 0;
  timer->uwq_node.entry.prev = 0;
  timer->uwq_node.deadline_ns = 0;
  timer->uwq_node.order = 0;
  timer->function = fn;
  timer->uwq_cpu = 0;
  timer->flags = flags | UWQ_KTIMER_JIFFIES;
  timer->expires = 0;
}
#define timer_setup(timer, fn, flags) uwq_timer_setup(timer, fn, flags)
#define timer_setup_on_stack(timer, fn, flags) uwq_timer_setup(timer, fn, flags)
#define destroy_timer_on_stack(timer) timer_destroy_on_stack(timer)
static inline struct uwq_ktimer *uwq_ktimer_of(const struct timer_list *timer) {
  return (struct uwq_ktimer *)(unsigned long)timer;
}
static inline void timer_destroy_on_stack(struct timer_list *timer) { (void)timer; }
#define timer_container_of(var, timer, field) container_of(timer, __typeof__(*(var)), field)
#define from_timer(var, timer, field) timer_container_of(var, timer, field)

/* Armed.  Works for `dw->timer` of a delayed_work as well; advisory, as in the kernel. */
static inline int timer_pending(const struct timer_list *timer) {
  return uwq_ktimer_pending(uwq_ktimer_of(timer));
}

/* 1 if it was pending. */
static inline int mod_timer(struct timer_list *timer, unsigned long expires) {
  return uwq_ktimer_arm(uwq_ktimer_of(timer), expires, UWQ_KTIMER_MOD);
}
static inline int mod_timer_pending(struct timer_list *timer, unsigned long expires) {
  return uwq_ktimer_arm(uwq_ktimer_of(timer), expires, UWQ_KTIMER_MOD_PENDING);
}
static inline int timer_reduce(struct timer_list *timer, unsigned long expires) {
  return uwq_ktimer_arm(uwq_ktimer_of(timer), expires, UWQ_KTIMER_REDUCE);
}
static inline void add_timer(struct timer_list *timer) {
  uwq_ktimer_arm(uwq_ktimer_of(timer), timer->expires, UWQ_KTIMER_MOD);
}
static inline void add_timer_on(struct timer_list *timer, int cpu) {
  (void)cpu; /* all timers are on one CPU */
  add_timer(timer);
}
static inline int uwq_timer_delete(struct timer_list *timer) {
  return uwq_ktimer_cancel(uwq_ktimer_of(timer), false);
}
static inline int timer_delete_sync(struct timer_list *timer) {
  return uwq_ktimer_cancel_sync(uwq_ktimer_of(timer), false);
}
static inline int timer_delete_sync_try(struct timer_list *timer) {
  return uwq_ktimer_try_cancel(uwq_ktimer_of(timer));
}
static inline int timer_shutdown(struct timer_list *timer) {
  return uwq_ktimer_cancel(uwq_ktimer_of(timer), true);
}
static inline int timer_shutdown_sync(struct timer_list *timer) {
  return uwq_ktimer_cancel_sync(uwq_ktimer_of(timer), true);
}
#define timer_delete(timer) uwq_timer_delete(timer)
/* Spellings before 6.15. */
#define del_timer(timer) timer_delete(timer)
#define del_timer_sync(timer) timer_delete_sync(timer)
#define del_singleshot_timer_sync(timer) timer_delete_sync(timer)
#define try_to_del_timer_sync(timer) timer_delete_sync_try(timer)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_TIMER_H_ */
