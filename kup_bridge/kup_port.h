/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kup_port.h -- the little that endpoint.c and kupdev_core.c need from the world
 * they are built for: locks, a place to wait, a clock, memory.
 *
 * Userspace: port_user.cc.  Kernel: kernel/kup_port_kernel.h supplies the same
 * names (spinlocks with interrupts off, wait queues, ktime, kvzalloc).
 *
 * Invariant: those sources call nothing of either world but what stands here,
 * in kupdev_port.h, and memcpy/memset.
 */
#ifndef UWQ_KUP_BRIDGE_KUP_PORT_H_
#define UWQ_KUP_BRIDGE_KUP_PORT_H_

#ifdef __KERNEL__
#include "kup_bridge/kernel/kup_port_kernel.h"
#else
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KUP_FOREVER INT64_MAX
/* The longest spin by default: about what a wake-up of another CPU costs. */
#define KUP_SPIN_MAX_NS 50000
#define KUP_PORT_RING_MAX (1u << 30) /* bytes; as kup_abi.h */

struct kup_lock {
  void *impl;
};
int kup_lock_init(struct kup_lock *lock); /* 0 or -ENOMEM */
void kup_lock_fini(struct kup_lock *lock);
/* Returns what kup_lock_drop wants back (the kernel's interrupt flags). */
unsigned long kup_lock_take(struct kup_lock *lock);
void kup_lock_drop(struct kup_lock *lock, unsigned long flags);

/*
 * A place where threads wait for something that changes under no lock.  Take the
 * epoch, arm and look, then sleep: a kick or a signal of the peer that came after
 * the epoch was taken ends the sleep.
 */
struct kup_wait {
  void *impl;
};
uint64_t kup_wait_epoch(struct kup_wait *wait);
/*
 * 0: look again; -ETIMEDOUT; -EINTR.  `deadline` in the ns of kup_now(): once it has
 * passed it counts, whatever came since; the caller has just looked.
 */
int kup_wait_sleep(struct kup_wait *wait, uint64_t epoch, int64_t deadline);
/* As kup_wait_sleep for ever, but no signal to the process ends it. */
void kup_wait_idle(struct kup_wait *wait, uint64_t epoch);
void kup_wait_kick(struct kup_wait *wait);
/* For event loops: takes the signal off the descriptor before the ring is armed. */
void kup_wait_drain(struct kup_wait *wait);
/* For event loops: makes the descriptor readable (messages were set aside). */
void kup_wait_renotify(struct kup_wait *wait);

int64_t kup_now(void); /* monotonic ns */
void kup_relax(void);  /* one step of a spin */
/* The longest spin worth its while: 0 where nobody else can run meanwhile. */
int64_t kup_spin_max(void);
void *kup_zalloc(size_t size);
void kup_free(void *p);

#ifdef __cplusplus
}
#endif
#endif /* !__KERNEL__ */

#endif /* UWQ_KUP_BRIDGE_KUP_PORT_H_ */
