/* SPDX-License-Identifier: BSD-3-Clause
 *
 * locks_test.c -- mutexes, spinlocks, semaphores, completions, wait queues, threads, RCU.
 *
 * Method: several threads change plain memory under the lock; the sum, and the thread
 * sanitizer, tell whether it excluded them.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/semaphore.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "tests/linux_headers/check.h"

#define THREADS 4
#define ROUNDS 3000

static long total;
static atomic_t adders_done;
static DEFINE_MUTEX(the_mutex);
static DEFINE_SPINLOCK(the_spinlock);
static DEFINE_RWLOCK(the_rwlock);
static DECLARE_RWSEM(the_rwsem);
static DEFINE_SEMAPHORE(the_semaphore, 1);

static void add_mutex(void) {
  guard(mutex)(&the_mutex);
  total++;
}
static void add_spin(void) {
  unsigned long flags;

  spin_lock_irqsave(&the_spinlock, flags);
  total++;
  spin_unlock_irqrestore(&the_spinlock, flags);
}
static void add_rwlock(void) {
  write_lock(&the_rwlock);
  total++;
  write_unlock(&the_rwlock);
  read_lock(&the_rwlock);
  CHECK(total > 0);
  read_unlock(&the_rwlock);
}
static void add_rwsem(void) {
  down_write(&the_rwsem);
  total++;
  up_write(&the_rwsem);
  down_read(&the_rwsem);
  CHECK(total > 0);
  up_read(&the_rwsem);
}
static void add_semaphore(void) {
  down(&the_semaphore);
  total++;
  up(&the_semaphore);
}
static void add_scoped(void) { scoped_guard(spinlock, &the_spinlock) total++; }

static int add_thread(void *data) {
  void (*add)(void) = (void (*)(void))data;
  int i;

  for (i = 0; i < ROUNDS; i++) add();
  atomic_inc_return(&adders_done);
  while (!kthread_should_stop()) usleep_range(100, 200);
  return 17;
}

static void exclusion(void (*add)(void)) {
  struct task_struct *task[THREADS];
  int i;

  total = 0;
  atomic_set(&adders_done, 0);
  for (i = 0; i < THREADS; i++) task[i] = kthread_run(add_thread, (void *)add, "add%d", i);
  /* A stop that comes before the thread has begun means that it never will. */
  CHECK_UNTIL(atomic_read(&adders_done) == THREADS);
  for (i = 0; i < THREADS; i++) CHECK_EQ(kthread_stop(task[i]), 17);
  CHECK_EQ(total, (long)THREADS * ROUNDS);
}
static void mutex_excludes(void) { exclusion(add_mutex); }
static void spinlock_excludes(void) { exclusion(add_spin); }
static void rwlock_excludes(void) { exclusion(add_rwlock); }
static void rwsem_excludes(void) { exclusion(add_rwsem); }
static void semaphore_excludes(void) { exclusion(add_semaphore); }
static void scoped_guard_excludes(void) { exclusion(add_scoped); }

static void trylocks_and_states(void) {
  struct mutex lock;
  spinlock_t spin;

  mutex_init(&lock);
  CHECK(mutex_trylock(&lock) && !mutex_trylock(&lock) && mutex_is_locked(&lock));
  mutex_unlock(&lock);
  CHECK(!mutex_is_locked(&lock));
  CHECK_EQ(mutex_lock_interruptible(&lock), 0);
  mutex_unlock(&lock);
  spin_lock_init(&spin);
  CHECK(spin_trylock(&spin) && !spin_trylock(&spin) && spin_is_locked(&spin));
  CHECK(in_atomic());
  spin_unlock(&spin);
  CHECK(!in_atomic());
  CHECK(down_write_trylock(&the_rwsem) && !down_read_trylock(&the_rwsem));
  up_write(&the_rwsem);
  CHECK_EQ(down_trylock(&the_semaphore), 0);
  CHECK_EQ(down_trylock(&the_semaphore), 1);
  up(&the_semaphore);
}

static void sleeping_under_a_spinlock_is_reported(void) {
  spin_lock(&the_spinlock);
  usleep_range(1, 2);
  spin_unlock(&the_spinlock);
  CHECK_REPORTED("usleep_range may sleep, called from under a spinlock");
}

/* L2, L3: a flush under a lock that the item takes is reported, even of an idle item. */
static void lock_user_fn(struct work_struct *work) {
  (void)work;
  mutex_lock(&the_mutex);
  mutex_unlock(&the_mutex);
}
static DECLARE_WORK(lock_user, lock_user_fn);
static void flush_under_its_lock_is_reported(void) {
  schedule_work(&lock_user);
  CHECK(flush_work(&lock_user) || !work_busy(&lock_user));
  CHECK_NOT_REPORTED();
  mutex_lock(&the_mutex);
  flush_work(&lock_user);
  mutex_unlock(&the_mutex);
  CHECK_REPORTED("the_mutex");
}

/* P13: an item that returns with a mutex held. */
static struct mutex left_locked;
static void leaver_fn(struct work_struct *work) {
  (void)work;
  mutex_lock(&left_locked);
}
static void leaving_a_mutex_locked_is_reported(void) {
  DECLARE_WORK(leaver, leaver_fn);

  mutex_init(&left_locked);
  schedule_work(&leaver);
  flush_work(&leaver);
  CHECK_REPORTED("left_locked");
}

static struct completion ping, pong;
static int ping_thread(void *data) {
  long i;

  for (i = 0; i < (long)data; i++) {
    wait_for_completion(&ping);
    complete(&pong);
  }
  return 0;
}
static void completions_count_and_time_out(void) {
  struct task_struct *task;
  long i;

  init_completion(&ping);
  init_completion(&pong);
  task = kthread_run(ping_thread, (void *)500, "ping");
  get_task_struct(task);
  for (i = 0; i < 500; i++) {
    complete(&ping);
    wait_for_completion(&pong);
  }
  CHECK_EQ(kthread_stop(task), 0);
  put_task_struct(task);
  CHECK(!completion_done(&ping) && !try_wait_for_completion(&ping));
  complete(&ping);
  complete(&ping);
  CHECK(try_wait_for_completion(&ping) && try_wait_for_completion(&ping));
  CHECK(!try_wait_for_completion(&ping));
  i = (long)jiffies;
  CHECK_EQ(wait_for_completion_timeout(&ping, 5), 0);
  CHECK((long)jiffies - i >= 5);
  complete_all(&ping);
  CHECK_EQ(wait_for_completion_timeout(&ping, 5), 5);
  wait_for_completion(&ping);
  CHECK(completion_done(&ping));
  reinit_completion(&ping);
  CHECK(!completion_done(&ping));
}

static DECLARE_WAIT_QUEUE_HEAD(queue);
static atomic_t value;
static int raiser_thread(void *data) {
  (void)data;
  while (!kthread_should_stop()) {
    atomic_inc_return(&value);
    wake_up(&queue);
    usleep_range(50, 100);
  }
  return 0;
}
static void wait_event_sees_every_change(void) {
  struct task_struct *task;
  unsigned long start = jiffies;
  int i;

  CHECK_EQ(wait_event_timeout(queue, atomic_read(&value) > 0, 4), 0);
  CHECK(jiffies - start >= 4);
  CHECK(!waitqueue_active(&queue));
  task = kthread_run(raiser_thread, NULL, "raiser");
  for (i = 1; i < 100; i++) wait_event(queue, atomic_read(&value) >= i);
  CHECK_EQ(wait_event_interruptible(queue, atomic_read(&value) >= 150), 0);
  CHECK(wait_event_timeout(queue, atomic_read(&value) >= 200, 3600 * HZ) > 1000 * HZ);
  spin_lock(&queue.lock);
  wait_event_lock_irq(queue, atomic_read(&value) >= 250, queue.lock);
  CHECK(spin_is_locked(&queue.lock));
  spin_unlock(&queue.lock);
  kthread_stop(task);
  CHECK_NOT_REPORTED();
}

static int state_thread(void *data) {
  atomic_t *rounds = data;

  while (!kthread_should_stop()) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (kthread_should_stop()) break;
    if (atomic_read(rounds) > 0) {
      __set_current_state(TASK_RUNNING);
      atomic_dec_return(rounds);
    }
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  CHECK(strcmp(current->comm, "states") == 0 && current->pid != 0);
  return atomic_read(rounds);
}
static int never_thread(void *data) {
  (void)data;
  CHECK(!"a thread that was stopped before it was woken");
  return 0;
}
static void states_and_stops(void) {
  atomic_t rounds = ATOMIC_INIT(0);
  struct task_struct *task = kthread_create(state_thread, &rounds, "states");
  int i;

  CHECK(!IS_ERR(task));
  wake_up_process(task);
  for (i = 0; i < 200; i++) {
    atomic_inc_return(&rounds);
    wake_up_process(task);
  }
  CHECK_UNTIL((wake_up_process(task), atomic_read(&rounds) == 0));
  CHECK_EQ(kthread_stop(task), 0);
  CHECK_EQ(kthread_stop(kthread_create(never_thread, NULL, "never")), -EINTR);
  i = (int)jiffies;
  CHECK_EQ(schedule_timeout_uninterruptible(3), 0);
  CHECK((int)jiffies - i >= 3);
}

static int bound_thread(void *data) {
  (void)data;
  return raw_smp_processor_id();
}
static void threads_can_be_bound(void) {
  int last = (int)num_online_cpus() - 1, i;

  for (i = 0; i < 5; i++) {
    struct task_struct *task = kthread_create(bound_thread, NULL, "bound");

    get_task_struct(task);
    kthread_bind(task, last);
    wake_up_process(task);
    CHECK_UNTIL(atomic_read(&task->usage) == 1); /* it has ended */
    CHECK_EQ(kthread_stop(task), last);
    put_task_struct(task);
  }
}

/* T143, K6: the marker behind an armed item is never reached. */
static void kwork_fn(struct kthread_work *work) { (void)work; }
static void flushing_an_armed_kthread_item_is_reported(void) {
  struct kthread_worker *worker = kthread_run_worker(0, "armed");
  DEFINE_KTHREAD_DELAYED_WORK(item, kwork_fn);

  CHECK(kthread_queue_delayed_work(worker, &item, 3600 * HZ));
  CHECK(timer_pending(&item.timer));
  kthread_flush_work(&item.work);
  CHECK_REPORTED("armed would never return");
  CHECK(kthread_cancel_delayed_work_sync(&item));
  kthread_destroy_worker(worker);
  CHECK_NOT_REPORTED();
}

static int park_thread(void *data) {
  atomic_t *runs = data;

  while (!kthread_should_stop()) {
    if (kthread_should_park()) kthread_parkme();
    atomic_inc_return(runs);
    usleep_range(50, 60);
  }
  return 0;
}
static void parked_threads_stand_still(void) {
  atomic_t runs = ATOMIC_INIT(0);
  struct task_struct *task = kthread_run(park_thread, &runs, "park");
  int seen;

  CHECK_UNTIL(atomic_read(&runs) > 3);
  CHECK_EQ(kthread_park(task), 0);
  seen = atomic_read(&runs);
  msleep(10);
  CHECK_EQ(atomic_read(&runs), seen);
  kthread_unpark(task);
  CHECK_UNTIL(atomic_read(&runs) > seen);
  CHECK_EQ(kthread_stop(task), 0);
}

/* Readers must never see a node that was freed; the sanitizers see it for us. */
struct node {
  int value;
  struct rcu_head rcu;
};
static struct node __rcu *published;
static atomic_t reads;
static int rcu_reader(void *data) {
  (void)data;
  while (!kthread_should_stop()) {
    struct node *n;

    rcu_read_lock();
    CHECK(rcu_read_lock_held());
    n = rcu_dereference(published);
    if (n && n->value < 0) CHECK(!"a node that was freed");
    rcu_read_unlock();
    atomic_inc_return(&reads);
  }
  return 0;
}
static void node_free(struct rcu_head *head) {
  struct node *n = container_of(head, struct node, rcu);

  n->value = -1;
  kfree(n);
}
static void grace_periods_protect_readers(void) {
  struct task_struct *task[2];
  int i;

  for (i = 0; i < 2; i++) task[i] = kthread_run(rcu_reader, NULL, "reader%d", i);
  for (i = 0; i < 300; i++) {
    struct node *n = kzalloc(sizeof(*n), GFP_KERNEL), *old = published;

    n->value = i;
    rcu_assign_pointer(published, n);
    if (!old) continue;
    if (i % 3 == 0) {
      synchronize_rcu();
      old->value = -1;
      kfree(old);
    } else if (i % 3 == 1) {
      call_rcu(&old->rcu, node_free);
    } else {
      kfree_rcu(old, rcu);
    }
  }
  CHECK_UNTIL(atomic_read(&reads) > 100);
  for (i = 0; i < 2; i++) kthread_stop(task[i]);
  rcu_barrier();
  kfree(published);
  {
    guard(rcu)();
    CHECK(rcu_read_lock_held());
  }
  CHECK(!rcu_read_lock_held());
  rcu_read_lock();
  synchronize_rcu(); /* a kernel hangs */
  rcu_read_unlock();
  CHECK_REPORTED("synchronize_rcu");
}

RUN_TESTS(mutex_excludes, spinlock_excludes, rwlock_excludes, rwsem_excludes, semaphore_excludes,
          scoped_guard_excludes, trylocks_and_states, sleeping_under_a_spinlock_is_reported,
          flush_under_its_lock_is_reported, leaving_a_mutex_locked_is_reported,
          completions_count_and_time_out, wait_event_sees_every_change, states_and_stops,
          parked_threads_stand_still, threads_can_be_bound,
          flushing_an_armed_kthread_item_is_reported, grace_periods_protect_readers)
