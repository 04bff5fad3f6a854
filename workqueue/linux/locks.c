/* SPDX-License-Identifier: BSD-3-Clause
 *
 * locks.c -- spinlocks, mutexes, semaphores, completions of the Linux headers.
 *
 * All of them are one 32-bit word that is changed by read-modify-writes and waited on
 * with uwq_wait_on(); none is ever allocated or destroyed, so zeroed or copied memory
 * is as good as in the kernel.
 */
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

/* Free, held, held with somebody asleep. */
enum { FREE = 0, HELD = 1, WAITED_FOR = 2 };
/* About as long as a short critical section on another CPU takes. */
enum { SPINS = 100 };

static bool take(atomic_t *state) {
  int old = FREE;

  return atomic_try_cmpxchg_acquire(state, &old, HELD);
}

static bool take_spinning(atomic_t *state) {
  int i;

  for (i = 0; i < SPINS; i++) {
    if (atomic_read(state) == FREE && take(state)) return true;
    cpu_relax();
  }
  return false;
}

static void give(atomic_t *state) {
  if (atomic_xchg(state, FREE) == WAITED_FOR) uwq_wake(state, 1);
}

/* ---- spinlocks */

void uwq_spin_lock(spinlock_t *lock) {
  if (!take(&lock->uwq_state) && !take_spinning(&lock->uwq_state)) {
    while (atomic_xchg(&lock->uwq_state, WAITED_FOR) != FREE)
      uwq_wait_on(&lock->uwq_state, WAITED_FOR, UWQ_FOREVER);
  }
  uwq_atomic_enter();
}

bool uwq_spin_trylock(spinlock_t *lock) {
  if (!take(&lock->uwq_state)) return false;
  uwq_atomic_enter();
  return true;
}

void uwq_spin_unlock(spinlock_t *lock) {
  uwq_atomic_exit();
  give(&lock->uwq_state);
}

/* ---- many readers (their number) or one writer (-1) */

static bool try_read(atomic_t *state) { return atomic_inc_unless_negative(state); }

static bool try_write(atomic_t *state) {
  int old = 0;

  return atomic_try_cmpxchg_acquire(state, &old, -1);
}

static void wait_for_change(atomic_t *state, int seen, const char *what) {
  if (what)
    uwq_block_on(state, (u32)seen, UWQ_FOREVER, what);
  else
    uwq_wait_on(state, (u32)seen, UWQ_FOREVER);
}

static void lock_read(atomic_t *state, const char *what) {
  while (!try_read(state)) wait_for_change(state, -1, what);
}

static void lock_write(atomic_t *state, const char *what) {
  while (!try_write(state)) {
    int seen = atomic_read(state);

    if (seen != 0) wait_for_change(state, seen, what);
  }
}

/* Whoever waits looks again: readers and writers wait on the same word. */
static void unlock_read(atomic_t *state) {
  atomic_dec_return(state);
  uwq_wake(state, INT_MAX);
}

static void unlock_write(atomic_t *state) {
  atomic_xchg(state, 0);
  uwq_wake(state, INT_MAX);
}

void uwq_read_lock(rwlock_t *lock) {
  lock_read(&lock->uwq_state, NULL);
  uwq_atomic_enter();
}
void uwq_read_unlock(rwlock_t *lock) {
  uwq_atomic_exit();
  unlock_read(&lock->uwq_state);
}
void uwq_write_lock(rwlock_t *lock) {
  lock_write(&lock->uwq_state, NULL);
  uwq_atomic_enter();
}
void uwq_write_unlock(rwlock_t *lock) {
  uwq_atomic_exit();
  unlock_write(&lock->uwq_state);
}

void uwq_down_read(struct rw_semaphore *sem) {
  uwq_linux_might_sleep("down_read");
  lock_read(&sem->uwq_state, "down_read");
}
void uwq_down_write(struct rw_semaphore *sem) {
  uwq_linux_might_sleep("down_write");
  lock_write(&sem->uwq_state, "down_write");
}
bool uwq_down_read_trylock(struct rw_semaphore *sem) { return try_read(&sem->uwq_state); }
bool uwq_down_write_trylock(struct rw_semaphore *sem) { return try_write(&sem->uwq_state); }
void uwq_up_read(struct rw_semaphore *sem) { unlock_read(&sem->uwq_state); }
void uwq_up_write(struct rw_semaphore *sem) { unlock_write(&sem->uwq_state); }

/* ---- mutexes */

void uwq_mutex_init(struct mutex *lock, const char *name) {
  atomic_set(&lock->uwq_state, FREE);
  WRITE_ONCE(lock->uwq_owner, 0);
  uwq_tracked_lock_init(&lock->dep_map, name);
}

static void mutex_taken(struct mutex *lock) {
  WRITE_ONCE(lock->uwq_owner, uwq_thread_self_id());
  /* A static or a merely zeroed one gets its identity from its first owner. */
  if (lock->dep_map.id == 0) {
    const char *name = lock->dep_map.name;

    uwq_tracked_lock_init(&lock->dep_map, name ? name : "mutex");
  }
  uwq_tracked_lock_acquired(&lock->dep_map);
}

void uwq_mutex_lock(struct mutex *lock) {
  uwq_linux_might_sleep("mutex_lock");
  if (!take(&lock->uwq_state)) {
    WARN_ONCE(READ_ONCE(lock->uwq_owner) == uwq_thread_self_id(),
              "mutex_lock(%s): the caller has it already, this never returns",
              lock->dep_map.name ? lock->dep_map.name : "mutex");
    if (!take_spinning(&lock->uwq_state)) {
      while (atomic_xchg(&lock->uwq_state, WAITED_FOR) != FREE)
        uwq_block_on(&lock->uwq_state, WAITED_FOR, UWQ_FOREVER, "mutex_lock");
    }
  }
  mutex_taken(lock);
}

bool uwq_mutex_trylock(struct mutex *lock) {
  if (!take(&lock->uwq_state)) return false;
  mutex_taken(lock);
  return true;
}

void uwq_mutex_unlock(struct mutex *lock) {
  WARN_ONCE(READ_ONCE(lock->uwq_owner) != uwq_thread_self_id(),
            "mutex_unlock(%s): the caller does not have it",
            lock->dep_map.name ? lock->dep_map.name : "mutex");
  uwq_tracked_lock_released(&lock->dep_map);
  WRITE_ONCE(lock->uwq_owner, 0);
  give(&lock->uwq_state);
}

/* ---- completions: a count of those who may pass, -1 (UINT_MAX): everybody */

bool uwq_try_wait_for_completion(struct completion *x) {
  int old = atomic_read_acquire(&x->done);

  while (old != 0) {
    if (old == -1) return true;
    if (atomic_try_cmpxchg(&x->done, &old, old - 1)) return true;
  }
  return false;
}

unsigned long uwq_wait_for_completion(struct completion *x, unsigned long ticks) {
  int64_t deadline;

  uwq_linux_might_sleep("wait_for_completion");
  if (uwq_try_wait_for_completion(x)) return ticks > 0 ? ticks : 1;
  deadline = uwq_ticks_to_deadline(ticks);
  for (;;) {
    bool in_time = uwq_block_on(&x->done, 0, deadline, "wait_for_completion");

    if (uwq_try_wait_for_completion(x)) return (unsigned long)uwq_ticks_left(deadline, ticks, 1);
    if (!in_time) return 0;
  }
}

void uwq_complete(struct completion *x) {
  int old = atomic_read(&x->done);

  /* A real read-modify-write even at "everybody": what was stored before is seen. */
  while (!atomic_try_cmpxchg(&x->done, &old, old == -1 ? -1 : old + 1)) {
  }
  uwq_wake(&x->done, 1);
}

void uwq_complete_all(struct completion *x) {
  atomic_xchg(&x->done, -1);
  uwq_wake(&x->done, INT_MAX);
}
