/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/mutex.h>: sleeping locks, known to the checker. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_MUTEX_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_MUTEX_H_

#include <linux/atomic.h>
#include <linux/lockdep.h>

#include "workqueue/linux/uwq_linux.h"

/* A worker that waits for one lets another of its CPU start.  The checker knows who
 * holds it: flushing an item that takes it, and leaving it locked at the end of an
 * item, is reported. */
struct mutex {
  atomic_t uwq_state; /* 0 free, 1 held, 2 held and waited for */
  int uwq_owner;      /* thread id */
  struct uwq_tracked_lock dep_map;
};

#ifdef __cplusplus
extern "C" {
#endif
void uwq_mutex_init(struct mutex *lock, const char *name);
void uwq_mutex_lock(struct mutex *lock);
bool uwq_mutex_trylock(struct mutex *lock);
void uwq_mutex_unlock(struct mutex *lock);
#ifdef __cplusplus
}
#endif

#define __MUTEX_INITIALIZER(name)      \
  {                                    \
    ATOMIC_INIT(0), 0, { #name, 0, 0 } \
  }
#define DEFINE_MUTEX(name) struct mutex name = __MUTEX_INITIALIZER(name)
#define mutex_init(lock) uwq_mutex_init((lock), #lock)
static inline void mutex_lock(struct mutex *lock) { uwq_mutex_lock(lock); }
static inline int mutex_trylock(struct mutex *lock) { return uwq_mutex_trylock(lock); }
static inline void mutex_unlock(struct mutex *lock) { uwq_mutex_unlock(lock); }
static inline bool mutex_is_locked(struct mutex *lock) {
  return atomic_read(&lock->uwq_state) != 0;
}
/* No signal reaches a driver. */
static inline int __must_check mutex_lock_interruptible(struct mutex *lock) {
  uwq_mutex_lock(lock);
  return 0;
}
static inline int __must_check mutex_lock_killable(struct mutex *lock) {
  uwq_mutex_lock(lock);
  return 0;
}
#define mutex_lock_nested(lock, subclass) mutex_lock(lock)
#define mutex_lock_interruptible_nested(lock, subclass) mutex_lock_interruptible(lock)
static inline void mutex_destroy(struct mutex *lock) { WARN_ON_ONCE(mutex_is_locked(lock)); }

#ifndef __cplusplus
#include <linux/cleanup.h>
DEFINE_GUARD(mutex, struct mutex *, mutex_lock(_T), mutex_unlock(_T))
#endif

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_MUTEX_H_ */
