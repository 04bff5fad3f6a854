/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/semaphore.h>: counting semaphores. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_SEMAPHORE_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_SEMAPHORE_H_

#include <errno.h>
#include <linux/atomic.h>

#include "workqueue/linux/uwq_linux.h"

struct semaphore {
  atomic_t count;
};
#define __SEMAPHORE_INITIALIZER(name, n) \
  { ATOMIC_INIT(n) }
#define DEFINE_SEMAPHORE(name, n) struct semaphore name = __SEMAPHORE_INITIALIZER(name, n)
static inline void sema_init(struct semaphore *sem, int n) { atomic_set(&sem->count, n); }
/* 0 if it was taken, as in the kernel. */
static inline int __must_check down_trylock(struct semaphore *sem) {
  return atomic_dec_if_positive(&sem->count) < 0;
}
static inline void down(struct semaphore *sem) {
  while (down_trylock(sem)) uwq_block_on(&sem->count, 0, UWQ_FOREVER, "down");
}
static inline int __must_check down_interruptible(struct semaphore *sem) { return down(sem), 0; }
static inline int __must_check down_killable(struct semaphore *sem) { return down(sem), 0; }
static inline void up(struct semaphore *sem) {
  atomic_inc_return(&sem->count);
  uwq_wake(&sem->count, 1);
}

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_SEMAPHORE_H_ */
