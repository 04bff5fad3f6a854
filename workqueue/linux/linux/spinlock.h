/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/spinlock.h>: spinlocks and reader-writer spinlocks. Read on: docs/porting_from_linux.md.
 */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_SPINLOCK_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_SPINLOCK_H_

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/preempt.h>
#include <linux/types.h>

/* A word that is spun on for a moment and then slept on, since the owner may have lost
 * its CPU.  It is no sleep in the kernel's sense: no other worker starts.  Sleeping
 * calls by the owner are reported. */
typedef struct spinlock {
  atomic_t uwq_state;
} spinlock_t;
typedef spinlock_t raw_spinlock_t;
/* Many readers or one writer. */
typedef struct {
  atomic_t uwq_state;
} rwlock_t;

#ifdef __cplusplus
extern "C" {
#endif
void uwq_spin_lock(spinlock_t *lock);
bool uwq_spin_trylock(spinlock_t *lock);
void uwq_spin_unlock(spinlock_t *lock);
void uwq_read_lock(rwlock_t *lock);
void uwq_read_unlock(rwlock_t *lock);
void uwq_write_lock(rwlock_t *lock);
void uwq_write_unlock(rwlock_t *lock);
#ifdef __cplusplus
}
#endif

#define __SPIN_LOCK_UNLOCKED(name) \
  { ATOMIC_INIT(0) }
#define DEFINE_SPINLOCK(name) spinlock_t name = __SPIN_LOCK_UNLOCKED(name)
#define DEFINE_RAW_SPINLOCK(name) raw_spinlock_t name = __SPIN_LOCK_UNLOCKED(name)
#define DEFINE_RWLOCK(name) rwlock_t name = __SPIN_LOCK_UNLOCKED(name)
static inline void spin_lock_init(spinlock_t *lock) { atomic_set(&lock->uwq_state, 0); }
static inline void spin_lock(spinlock_t *lock) { uwq_spin_lock(lock); }
static inline int spin_trylock(spinlock_t *lock) { return uwq_spin_trylock(lock); }
static inline void spin_unlock(spinlock_t *lock) { uwq_spin_unlock(lock); }
static inline int spin_is_locked(spinlock_t *lock) { return atomic_read(&lock->uwq_state) != 0; }
#define spin_is_contended(lock) (atomic_read(&(lock)->uwq_state) > 1)
#define assert_spin_locked(lock) lockdep_assert(spin_is_locked(lock))

#define UWQ_NO_FLAGS_(flags) ((void)typecheck(unsigned long, flags), (flags) = 0)
#define spin_lock_irq(lock) spin_lock(lock)
#define spin_unlock_irq(lock) spin_unlock(lock)
#define spin_lock_bh(lock) spin_lock(lock)
#define spin_unlock_bh(lock) spin_unlock(lock)
#define spin_trylock_irq(lock) spin_trylock(lock)
#define spin_trylock_bh(lock) spin_trylock(lock)
#define spin_lock_nested(lock, subclass) spin_lock(lock)
#define spin_lock_irqsave(lock, flags) (spin_lock(lock), (void)UWQ_NO_FLAGS_(flags))
#define spin_lock_irqsave_nested(lock, flags, subclass) spin_lock_irqsave(lock, flags)
#define spin_unlock_irqrestore(lock, flags) ((void)(flags), spin_unlock(lock))
#define spin_trylock_irqsave(lock, flags) ((void)UWQ_NO_FLAGS_(flags), spin_trylock(lock))

#define raw_spin_lock_init(lock) spin_lock_init(lock)
#define raw_spin_lock(lock) spin_lock(lock)
#define raw_spin_unlock(lock) spin_unlock(lock)
#define raw_spin_trylock(lock) spin_trylock(lock)
#define raw_spin_lock_irq(lock) spin_lock(lock)
#define raw_spin_unlock_irq(lock) spin_unlock(lock)
#define raw_spin_lock_irqsave(lock, flags) spin_lock_irqsave(lock, flags)
#define raw_spin_unlock_irqrestore(lock, flags) spin_unlock_irqrestore(lock, flags)

static inline void rwlock_init(rwlock_t *lock) { atomic_set(&lock->uwq_state, 0); }
#define read_lock(lock) uwq_read_lock(lock)
#define read_unlock(lock) uwq_read_unlock(lock)
#define write_lock(lock) uwq_write_lock(lock)
#define write_unlock(lock) uwq_write_unlock(lock)
#define read_lock_irq(lock) uwq_read_lock(lock)
#define read_unlock_irq(lock) uwq_read_unlock(lock)
#define write_lock_irq(lock) uwq_write_lock(lock)
#define write_unlock_irq(lock) uwq_write_unlock(lock)
#define read_lock_bh(lock) uwq_read_lock(lock)
#define read_unlock_bh(lock) uwq_read_unlock(lock)
#define write_lock_bh(lock) uwq_write_lock(lock)
#define write_unlock_bh(lock) uwq_write_unlock(lock)
#define read_lock_irqsave(lock, flags) ((void)UWQ_NO_FLAGS_(flags), uwq_read_lock(lock))
#define read_unlock_irqrestore(lock, flags) ((void)(flags), uwq_read_unlock(lock))
#define write_lock_irqsave(lock, flags) ((void)UWQ_NO_FLAGS_(flags), uwq_write_lock(lock))
#define write_unlock_irqrestore(lock, flags) ((void)(flags), uwq_write_unlock(lock))

#ifndef __cplusplus
#include <linux/cleanup.h>
DEFINE_GUARD(spinlock, spinlock_t *, spin_lock(_T), spin_unlock(_T))
DEFINE_GUARD(spinlock_irq, spinlock_t *, spin_lock(_T), spin_unlock(_T))
DEFINE_GUARD(spinlock_irqsave, spinlock_t *, spin_lock(_T), spin_unlock(_T))
DEFINE_GUARD(spinlock_bh, spinlock_t *, spin_lock(_T), spin_unlock(_T))
DEFINE_GUARD(raw_spinlock, raw_spinlock_t *, spin_lock(_T), spin_unlock(_T))
DEFINE_GUARD(raw_spinlock_irqsave, raw_spinlock_t *, spin_lock(_T), spin_unlock(_T))
#endif

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_SPINLOCK_H_ */
