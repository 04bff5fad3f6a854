/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kup_port_kernel.h -- kup_port.h for a Linux kernel module: spinlocks with
 * interrupts off, wait queues, ktime, kvmalloc.
 *
 * The locks are spinlock_t and not raw: wait queues and eventfds are woken under
 * them.  With PREEMPT_RT, "interrupt context" is therefore a threaded handler.
 *
 * Invariant: kup_lock_take, kup_lock_drop, kup_wait_kick and kup_wait_renotify may
 * be called from process, softirq and hardirq context; the others sleep.
 */
#ifndef UWQ_KUP_BRIDGE_KERNEL_KUP_PORT_KERNEL_H_
#define UWQ_KUP_BRIDGE_KERNEL_KUP_PORT_KERNEL_H_

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/wait.h>

#define KUP_FOREVER S64_MAX
#define KUP_SPIN_MAX_NS 50000
/* A ring is copied with interrupts off when its user changes, at worst record by tiny record. */
#define KUP_PORT_RING_MAX (4u << 20)

struct kup_lock {
  spinlock_t lock;
};
/* A macro, so that lockdep knows rx_lock from tx_lock: a class for each caller. */
#define kup_lock_init(l)        \
  ({                            \
    spin_lock_init(&(l)->lock); \
    0;                          \
  })
static inline void kup_lock_fini(struct kup_lock *l) {}

static inline unsigned long kup_lock_take(struct kup_lock *l) {
  unsigned long flags;

  spin_lock_irqsave(&l->lock, flags);
  return flags;
}

static inline void kup_lock_drop(struct kup_lock *l, unsigned long flags) {
  spin_unlock_irqrestore(&l->lock, flags);
}

struct kup_wait {
  wait_queue_head_t queue;
  atomic64_t epoch;
  void (*notify)(void *arg); /* kupdev_set_notify; NULL: none */
  void *arg;
};

static inline uint64_t kup_wait_epoch(struct kup_wait *w) {
  return (uint64_t)atomic64_read_acquire(&w->epoch);
}

int kup_wait_sleep(struct kup_wait *w, uint64_t epoch, int64_t deadline);
void kup_wait_idle(struct kup_wait *w, uint64_t epoch);
void kup_wait_kick(struct kup_wait *w);
static inline void kup_wait_drain(struct kup_wait *w) {}
static inline void kup_wait_renotify(struct kup_wait *w) { kup_wait_kick(w); }

static inline int64_t kup_now(void) { return (int64_t)ktime_get_ns(); }
static inline void kup_relax(void) { cpu_relax(); }
static inline int64_t kup_spin_max(void) { return num_online_cpus() > 1 ? KUP_SPIN_MAX_NS : 0; }
static inline void *kup_zalloc(size_t size) { return kvzalloc(size, GFP_KERNEL); }
static inline void kup_free(void *p) { kvfree(p); }

#endif /* UWQ_KUP_BRIDGE_KERNEL_KUP_PORT_KERNEL_H_ */
