/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/wait.h>: waiting for a condition. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_WAIT_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_WAIT_H_

#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <sys/wait.h> /* instead of the system's <linux/wait.h>, which it does not go with */

/* A counter of wake-ups: a waiter notes it, looks at its condition, and sleeps only
 * while it stands.  So a wake-up between look and sleep is not lost. */
struct wait_queue_head {
  spinlock_t lock;
  atomic_t uwq_wakeups;
  atomic_t uwq_waiters;
};
typedef struct wait_queue_head wait_queue_head_t;

#define __WAIT_QUEUE_HEAD_INITIALIZER(name) \
  { __SPIN_LOCK_UNLOCKED(name), ATOMIC_INIT(0), ATOMIC_INIT(0) }
#define DECLARE_WAIT_QUEUE_HEAD(name) \
  struct wait_queue_head name = __WAIT_QUEUE_HEAD_INITIALIZER(name)
#define DECLARE_WAIT_QUEUE_HEAD_ONSTACK(name) DECLARE_WAIT_QUEUE_HEAD(name)
static inline void init_waitqueue_head(struct wait_queue_head *wq) {
  spin_lock_init(&wq->lock);
  atomic_set(&wq->uwq_wakeups, 0);
  atomic_set(&wq->uwq_waiters, 0);
}
static inline int waitqueue_active(struct wait_queue_head *wq) {
  return atomic_read(&wq->uwq_waiters) != 0;
}
#define wq_has_sleeper(wq) (atomic_fetch_add(0, &(wq)->uwq_waiters) != 0)

/* Every waiter looks at its condition again: none is exclusive. */
static inline void wake_up_all(struct wait_queue_head *wq) {
  atomic_inc_return(&wq->uwq_wakeups);
  uwq_wake(&wq->uwq_wakeups, INT_MAX);
}
#define wake_up(wq) wake_up_all(wq)
#define wake_up_nr(wq, nr) wake_up_all(wq)
#define wake_up_locked(wq) wake_up_all(wq)
#define wake_up_interruptible(wq) wake_up_all(wq)
#define wake_up_interruptible_all(wq) wake_up_all(wq)
#define wake_up_interruptible_sync(wq) wake_up_all(wq)
#define wake_up_interruptible_poll(wq, mask) wake_up_all(wq)

/* One step of a wait: the snapshot is from before the look at the condition. */
static inline u32 uwq_wait_snapshot(struct wait_queue_head *wq) {
  return (u32)__atomic_load_n(&wq->uwq_wakeups.counter, __ATOMIC_SEQ_CST);
}
static inline bool uwq_wait_step(struct wait_queue_head *wq, u32 snapshot, int64_t deadline_ns) {
  bool woken;
  atomic_inc_return(&wq->uwq_waiters);
  woken = uwq_block_on(&wq->uwq_wakeups, snapshot, deadline_ns, "wait_event");
  atomic_dec(&wq->uwq_waiters);
  return woken;
}
/* Left jiffies, at least 1 if the condition holds; 0 if time is up and it does not. */
#define UWQ_WAIT_EVENT_(wq, condition, ticks, before, after)                 \
  ({                                                                         \
    struct wait_queue_head *uwq_head_ = &(wq);                               \
    unsigned long uwq_ticks_ = (unsigned long)(ticks);                       \
    int64_t uwq_deadline_ = uwq_ticks_to_deadline(uwq_ticks_);               \
    bool uwq_met_ = false, uwq_on_time_ = true;                              \
    for (;;) {                                                               \
      u32 uwq_snapshot_ = uwq_wait_snapshot(uwq_head_);                      \
      uwq_met_ = !!(condition);                                              \
      if (uwq_met_ || !uwq_on_time_) break;                                  \
      before;                                                                \
      uwq_on_time_ = uwq_wait_step(uwq_head_, uwq_snapshot_, uwq_deadline_); \
      after;                                                                 \
    }                                                                        \
    uwq_met_ ? uwq_ticks_left(uwq_deadline_, uwq_ticks_, 1) : 0L;            \
  })
#define UWQ_WAIT_FOREVER_(wq, condition) UWQ_WAIT_EVENT_(wq, condition, LONG_MAX, (void)0, (void)0)
#define wait_event(wq, condition) ((void)UWQ_WAIT_FOREVER_(wq, condition))
#define wait_event_timeout(wq, condition, ticks) \
  UWQ_WAIT_EVENT_(wq, condition, ticks, (void)0, (void)0)
/* No signal reaches a driver: never -ERESTARTSYS. */
#define wait_event_interruptible(wq, condition) ((void)UWQ_WAIT_FOREVER_(wq, condition), 0)
#define wait_event_killable(wq, condition) wait_event_interruptible(wq, condition)
#define wait_event_freezable(wq, condition) wait_event_interruptible(wq, condition)
#define wait_event_idle(wq, condition) wait_event(wq, condition)
#define wait_event_interruptible_exclusive(wq, condition) wait_event_interruptible(wq, condition)
#define wait_event_interruptible_timeout(wq, condition, ticks) \
  wait_event_timeout(wq, condition, ticks)
#define wait_event_killable_timeout(wq, condition, ticks) wait_event_timeout(wq, condition, ticks)
#define wait_event_idle_timeout(wq, condition, ticks) wait_event_timeout(wq, condition, ticks)
/* `lock` is held, and dropped while waiting. */
#define wait_event_lock_irq(wq, condition, lock) \
  ((void)UWQ_WAIT_EVENT_(wq, condition, LONG_MAX, spin_unlock(&(lock)), spin_lock(&(lock))))
#define wait_event_interruptible_lock_irq(wq, condition, lock) \
  (wait_event_lock_irq(wq, condition, lock), 0)

struct wait_queue_entry;
void prepare_to_wait(struct wait_queue_head *, struct wait_queue_entry *, int)
    UWQ_UNSUPPORTED("prepare_to_wait() is an open-coded wait; use wait_event()");
void finish_wait(struct wait_queue_head *, struct wait_queue_entry *)
    UWQ_UNSUPPORTED("finish_wait() is an open-coded wait; use wait_event()");
void add_wait_queue(struct wait_queue_head *, struct wait_queue_entry *)
    UWQ_UNSUPPORTED("add_wait_queue() is an open-coded wait; use wait_event()");

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_WAIT_H_ */
