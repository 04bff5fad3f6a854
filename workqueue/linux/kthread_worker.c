/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kthread_worker.c -- items on a thread of their own, first in, first out (1.17).
 *
 * Invariants: K1, the thread runs the items of work_list in order, one at a time; an
 * item is pending exactly while its node is on a list or its timer is armed.  K2, while
 * a canceler waits, `canceling` refuses every queueing.  All fields under worker->lock;
 * the item is not touched once its function has been entered.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/printk.h>
#include <linux/slab.h>

/* A marker on the list: completed when the thread comes to it. */
struct marker {
  struct kthread_work work;
  struct completion done;
};

static void marker_fn(struct kthread_work *work) {
  complete(&container_of(work, struct marker, work)->done);
}

static void marker_init(struct marker *marker) {
  kthread_init_work(&marker->work, marker_fn);
  init_completion(&marker->done);
}

/* Callers hold worker->lock from here on where the name ends in _locked. */

static bool blocked_locked(struct kthread_work *work) {
  return !list_empty(&work->node) || work->canceling;
}

static void insert_locked(struct kthread_worker *worker, struct kthread_work *work,
                          struct list_head *before) {
  WARN_ONCE(work->worker && work->worker != worker,
            "kthread_queue_work(): the item belongs to another worker");
  work->worker = worker;
  list_add_tail(&work->node, before);
  /* The word is what an idle worker sleeps on; a change of state also starts a thread
   * that was only created. */
  if (worker->task && !worker->current_work) uwq_wake_up_process(worker->task);
}

void uwq_kthread_init_worker(struct kthread_worker *worker) {
  memset(worker, 0, sizeof(*worker));
  raw_spin_lock_init(&worker->lock);
  INIT_LIST_HEAD(&worker->work_list);
  INIT_LIST_HEAD(&worker->delayed_work_list);
}

int uwq_kthread_worker_fn(void *data) {
  struct kthread_worker *worker = data;

  raw_spin_lock_irq(&worker->lock);
  worker->task = get_current();
  for (;;) {
    struct kthread_work *work;
    kthread_work_func_t func;

    worker->current_work = NULL;
    work = list_first_entry_or_null(&worker->work_list, struct kthread_work, node);
    if (work) {
      list_del_init(&work->node);
      worker->current_work = work;
      func = work->func;
      raw_spin_unlock_irq(&worker->lock);
      func(work); /* may free it */
      raw_spin_lock_irq(&worker->lock);
      continue;
    }
    if (kthread_should_stop()) break;
    /* Before the lock is dropped, so that a queueing after it finds a sleeper to wake. */
    set_current_state(TASK_INTERRUPTIBLE);
    raw_spin_unlock_irq(&worker->lock);
    /* A stop whose wake-up came before the state was set would be slept through. */
    if (kthread_should_stop()) __set_current_state(TASK_RUNNING);
    schedule();
    raw_spin_lock_irq(&worker->lock);
  }
  worker->task = NULL;
  raw_spin_unlock_irq(&worker->lock);
  return 0;
}

static struct kthread_worker *create(int cpu, unsigned int flags, const char *fmt, va_list args) {
  struct kthread_worker *worker;
  struct task_struct *task;
  char name[TASK_COMM_LEN];

  worker = kzalloc(sizeof(*worker), GFP_KERNEL);
  if (!worker) return ERR_PTR(-ENOMEM);
  uwq_kthread_init_worker(worker);
  worker->flags = flags;
  vsnprintf(name, sizeof(name), fmt, args);
  task = uwq_kthread_create(cpu, uwq_kthread_worker_fn, worker, "%s", name);
  if (IS_ERR(task)) {
    kfree(worker);
    return ERR_CAST(task);
  }
  worker->task = task;
  return worker;
}

struct kthread_worker *uwq_kthread_create_worker(int cpu, unsigned int flags, const char *fmt,
                                                 ...) {
  struct kthread_worker *worker;
  va_list args;

  va_start(args, fmt);
  worker = create(cpu, flags, fmt, args);
  va_end(args);
  return worker;
}

struct kthread_worker *uwq_kthread_run_worker(int cpu, unsigned int flags, const char *fmt, ...) {
  struct kthread_worker *worker;
  va_list args;

  va_start(args, fmt);
  worker = create(cpu, flags, fmt, args);
  va_end(args);
  if (!IS_ERR(worker)) wake_up_process(worker->task);
  return worker;
}

/* ---- queueing */

bool uwq_kthread_queue_work(struct kthread_worker *worker, struct kthread_work *work) {
  unsigned long flags;
  bool queued = false;

  raw_spin_lock_irqsave(&worker->lock, flags);
  if (!blocked_locked(work)) {
    insert_locked(worker, work, &worker->work_list);
    queued = true;
  }
  raw_spin_unlock_irqrestore(&worker->lock, flags);
  return queued;
}

void uwq_kthread_delayed_timer(struct timer_list *timer) {
  struct kthread_delayed_work *dwork = container_of(timer, struct kthread_delayed_work, timer);
  struct kthread_work *work = &dwork->work;
  struct kthread_worker *worker = READ_ONCE(work->worker);
  unsigned long flags;

  if (WARN_ON_ONCE(!worker)) return;
  raw_spin_lock_irqsave(&worker->lock, flags);
  /* A canceler or a modification is waiting for this function to be over: it takes
   * the item off the list itself. */
  if (!work->canceling) {
    list_del_init(&work->node);
    insert_locked(worker, work, &worker->work_list);
  }
  raw_spin_unlock_irqrestore(&worker->lock, flags);
}

static void queue_delayed_locked(struct kthread_worker *worker, struct kthread_delayed_work *dwork,
                                 unsigned long delay) {
  struct kthread_work *work = &dwork->work;

  if (delay == 0) {
    insert_locked(worker, work, &worker->work_list);
    return;
  }
  WARN_ONCE(work->worker && work->worker != worker,
            "kthread_queue_delayed_work(): the item belongs to another worker");
  work->worker = worker;
  list_add(&work->node, &worker->delayed_work_list);
  mod_timer(&dwork->timer, jiffies + delay);
}

bool uwq_kthread_queue_delayed_work(struct kthread_worker *worker,
                                    struct kthread_delayed_work *dwork, unsigned long delay) {
  unsigned long flags;
  bool queued = false;

  raw_spin_lock_irqsave(&worker->lock, flags);
  if (!blocked_locked(&dwork->work)) {
    queue_delayed_locked(worker, dwork, delay);
    queued = true;
  }
  raw_spin_unlock_irqrestore(&worker->lock, flags);
  return queued;
}

/* Drops the lock to wait for the timer's function, with the item closed meanwhile. */
static void stop_timer_locked(struct kthread_worker *worker, struct kthread_work *work,
                              struct timer_list *timer) {
  work->canceling++;
  raw_spin_unlock_irq(&worker->lock);
  timer_delete_sync(timer);
  raw_spin_lock_irq(&worker->lock);
  work->canceling--;
}

static bool grab_locked(struct kthread_work *work) {
  if (list_empty(&work->node)) return false;
  list_del_init(&work->node);
  return true;
}

bool uwq_kthread_mod_delayed_work(struct kthread_worker *worker, struct kthread_delayed_work *dwork,
                                  unsigned long delay) {
  struct kthread_work *work = &dwork->work;
  bool was_pending;

  raw_spin_lock_irq(&worker->lock);
  if (work->worker) stop_timer_locked(worker, work, &dwork->timer);
  if (work->canceling) {
    was_pending = true; /* the kernel's answer; nothing is queued */
  } else {
    was_pending = work->worker && grab_locked(work);
    queue_delayed_locked(worker, dwork, delay);
  }
  raw_spin_unlock_irq(&worker->lock);
  return was_pending;
}

/* ---- waiting */

static bool on_delayed_list_locked(struct kthread_worker *worker, struct kthread_work *work) {
  struct kthread_work *pos;

  list_for_each_entry(pos, &worker->delayed_work_list, node) {
    if (pos == work) return true;
  }
  return false;
}

void uwq_kthread_flush_work(struct kthread_work *work) {
  struct kthread_worker *worker = READ_ONCE(work->worker);
  struct marker marker;
  bool wait = true, armed = false;

  uwq_linux_might_sleep("kthread_flush_work");
  if (!worker) return;
  marker_init(&marker);
  raw_spin_lock_irq(&worker->lock);
  if (!list_empty(&work->node)) {
    /* T143: behind an armed item the kernel's marker is never reached. */
    armed = on_delayed_list_locked(worker, work);
    if (armed)
      wait = false;
    else
      insert_locked(worker, &marker.work, work->node.next);
  } else if (worker->current_work == work) {
    insert_locked(worker, &marker.work, worker->work_list.next);
  } else {
    wait = false;
  }
  raw_spin_unlock_irq(&worker->lock);
  WARN_ONCE(armed, "kthread_flush_work() of an item whose timer is armed would never return");
  if (wait) wait_for_completion(&marker.done);
}

void uwq_kthread_flush_worker(struct kthread_worker *worker) {
  struct marker marker;

  uwq_linux_might_sleep("kthread_flush_worker");
  marker_init(&marker);
  uwq_kthread_queue_work(worker, &marker.work);
  wait_for_completion(&marker.done);
}

static bool cancel_sync(struct kthread_work *work, struct timer_list *timer) {
  struct kthread_worker *worker = READ_ONCE(work->worker);
  struct marker marker;
  bool was_pending, running;

  uwq_linux_might_sleep("kthread_cancel_work_sync");
  if (!worker) return false;
  marker_init(&marker);
  raw_spin_lock_irq(&worker->lock);
  if (timer) stop_timer_locked(worker, work, timer);
  was_pending = grab_locked(work);
  running = worker->current_work == work;
  if (running) {
    work->canceling++;
    insert_locked(worker, &marker.work, worker->work_list.next);
    raw_spin_unlock_irq(&worker->lock);
    wait_for_completion(&marker.done);
    raw_spin_lock_irq(&worker->lock);
    work->canceling--;
  }
  raw_spin_unlock_irq(&worker->lock);
  return was_pending;
}

bool uwq_kthread_cancel_work_sync(struct kthread_work *work) { return cancel_sync(work, NULL); }

bool uwq_kthread_cancel_delayed_work_sync(struct kthread_delayed_work *dwork) {
  return cancel_sync(&dwork->work, &dwork->timer);
}

void uwq_kthread_destroy_worker(struct kthread_worker *worker) {
  struct task_struct *task = worker->task;
  char name[TASK_COMM_LEN];
  bool armed;

  if (WARN_ON(!task)) return;
  strscpy(name, task->comm);
  uwq_kthread_flush_worker(worker);
  kthread_stop(task);
  WARN_ON(!list_empty(&worker->work_list));
  /* K4: a timer that is still armed would queue on freed memory, and in a kernel does.
   * Here its item is let go, so that it finds nobody. */
  raw_spin_lock_irq(&worker->lock);
  armed = !list_empty(&worker->delayed_work_list);
  while (!list_empty(&worker->delayed_work_list)) {
    struct kthread_work *work =
        list_first_entry(&worker->delayed_work_list, struct kthread_work, node);

    list_del_init(&work->node);
    WRITE_ONCE(work->worker, NULL);
  }
  raw_spin_unlock_irq(&worker->lock);
  WARN(armed, "kthread_destroy_worker(%s): a delayed item is still armed", name);
  kfree(worker);
}
