/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kthread_worker.c: items on a thread of their own.
 *
 * Invariant under test: K1, one thread runs the items strictly in the order of queueing. Covers
 * T137 to T144 (T143 hangs a kernel and is left to the checker's tests). Read on: conf.h,
 * queueing.c.
 */
#include <linux/timer.h>

#include "conf.h"

#define LONG_DELAY (20 * HZ)

/* Since 6.14 creating and starting are two steps, and the old name only creates. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
#define run_worker(name) kthread_run_worker(0, name)
#else
#define run_worker(name) kthread_create_worker(0, name)
#endif

struct kitem {
  struct kthread_delayed_work kdw;
  struct conf_probe p;
};

static struct kthread_worker *worker; /* of the running scenario */

static void kitem_fn(struct kthread_work *work) {
  struct kitem *k = container_of(work, struct kitem, kdw.work);
  int run = atomic_inc_return(&k->p.started) - 1;

  k->p.entered_jiffies = jiffies;
  if (k->p.log) conf_log_enter(k->p.log, k->p.id);
  complete(&k->p.entered);
  if (k->p.gated) wait_for_completion(&k->p.release);
  if (k->p.log) atomic_dec(&k->p.log->current_entries);
  if (run < k->p.requeues && kthread_queue_work(worker, work)) atomic_inc(&k->p.requeue_true);
  atomic_inc(&k->p.finished);
}

static void kitem_init(struct kitem *k, int id) {
  kthread_init_delayed_work(&k->kdw, kitem_fn);
  conf_probe_init(&k->p, id);
}

static int kruns(struct kitem *k) { return atomic_read(&k->p.finished); }

static bool start(void) {
  worker = run_worker("conf_worker");
  EXPECT(!IS_ERR(worker));
  return !IS_ERR(worker);
}

static long do_kcancel_sync(void *work) { return kthread_cancel_work_sync(work); }
static long do_kcancel_delayed_sync(void *kdw) { return kthread_cancel_delayed_work_sync(kdw); }
static long do_kflush_work(void *work) {
  kthread_flush_work(work);
  return 0;
}

/* ---- T137: FIFO, requeue to the tail */

#define MANY 1500

struct fifo_item {
  struct kthread_work work;
  int number;
  int runs;
};

static struct {
  struct fifo_item *items;
  int next, out_of_order, second_runs, last_second;
} fifo;

static void fifo_fn(struct kthread_work *work) {
  struct fifo_item *f = container_of(work, struct fifo_item, work);

  if (f->runs++ == 0) {
    if (f->number != fifo.next++) fifo.out_of_order++;
    if (f->number % 7 == 0) kthread_queue_work(worker, work);
  } else {
    if (f->number <= fifo.last_second) fifo.out_of_order++;
    fifo.last_second = f->number;
    fifo.second_runs++;
  }
}

static void t137_fifo(struct workqueue_struct *unused) {
  int i, trues = 0;

  if (!start()) return;
  memset(&fifo, 0, sizeof(fifo));
  fifo.last_second = -1;
  fifo.items = kcalloc(MANY, sizeof(struct fifo_item), GFP_KERNEL);
  EXPECT(fifo.items != NULL);
  if (fifo.items) {
    for (i = 0; i < MANY; i++) {
      kthread_init_work(&fifo.items[i].work, fifo_fn);
      fifo.items[i].number = i;
    }
    for (i = 0; i < MANY; i++) trues += kthread_queue_work(worker, &fifo.items[i].work);
    kthread_flush_worker(worker);
    kthread_flush_worker(worker);
    EXPECT_EQ(trues, MANY);
    EXPECT_EQ(fifo.next, MANY);
    EXPECT_EQ(fifo.second_runs, (MANY + 6) / 7);
    EXPECT_EQ(fifo.out_of_order, 0);
  }
  kthread_destroy_worker(worker);
  kfree(fifo.items);
}

/* ---- T138: creating is enough; queueing starts the thread */

static void t138_create_without_wake(struct workqueue_struct *unused) {
  static struct kitem k;

  worker = kthread_create_worker(0, "conf_%s", "created");
  EXPECT(!IS_ERR(worker));
  if (IS_ERR(worker)) return;
  kitem_init(&k, 1);
  EXPECT(kthread_queue_work(worker, &k.kdw.work));
  CONF_WAIT(&k.p.entered);
  kthread_flush_work(&k.kdw.work);
  EXPECT_EQ(kruns(&k), 1);
  kthread_destroy_worker(worker);
}

/* ---- T139: queueing is refused while a cancel waits */

static void t139_cancel_gate(struct workqueue_struct *unused) {
  static struct kitem k;
  struct conf_thread t;

  if (!start()) return;
  kitem_init(&k, 1);
  k.p.gated = true;
  k.p.requeues = 1;
  EXPECT(kthread_queue_work(worker, &k.kdw.work));
  CONF_WAIT(&k.p.entered);
  conf_thread_block(&t, do_kcancel_sync, &k.kdw.work);
  EXPECT(!conf_thread_returned(&t));
  EXPECT(!kthread_queue_work(worker, &k.kdw.work));
  conf_release_all(&k.p);
  EXPECT_EQ(conf_thread_join(&t), 0); /* it was only running */
  EXPECT_EQ(atomic_read(&k.p.requeue_true), 0);
  EXPECT_EQ(kruns(&k), 1);
  EXPECT(kthread_queue_work(worker, &k.kdw.work));
  kthread_flush_work(&k.kdw.work);
  EXPECT_EQ(kruns(&k), 2);
  kthread_destroy_worker(worker);
}

/* ---- T140: what cancelling returns */

static void t140_cancel_result(struct workqueue_struct *unused) {
  static struct kitem gate, k;
  struct conf_thread t;

  if (!start()) return;
  kitem_init(&gate, 0);
  kitem_init(&k, 1);
  gate.p.gated = k.p.gated = true;
  EXPECT(!kthread_cancel_work_sync(&k.kdw.work)); /* never queued */

  EXPECT(kthread_queue_work(worker, &gate.kdw.work));
  CONF_WAIT(&gate.p.entered);
  EXPECT(kthread_queue_work(worker, &k.kdw.work));
  EXPECT(!kthread_queue_work(worker, &k.kdw.work));
  EXPECT(kthread_cancel_work_sync(&k.kdw.work)); /* pending */
  conf_release_all(&gate.p);
  kthread_flush_worker(worker);
  EXPECT_EQ(atomic_read(&k.p.started), 0);

  EXPECT(kthread_queue_work(worker, &k.kdw.work));
  CONF_WAIT(&k.p.entered);
  EXPECT(kthread_queue_work(worker, &k.kdw.work)); /* running, and queued again */
  conf_thread_block(&t, do_kcancel_sync, &k.kdw.work);
  EXPECT(!conf_thread_returned(&t));
  conf_release_all(&k.p);
  EXPECT_EQ(conf_thread_join(&t), 1);
  EXPECT_EQ(kruns(&k), 1);

  EXPECT(kthread_queue_delayed_work(worker, &k.kdw, LONG_DELAY));
  EXPECT(kthread_cancel_delayed_work_sync(&k.kdw)); /* armed */
  EXPECT(!kthread_cancel_delayed_work_sync(&k.kdw));
  EXPECT_EQ(kruns(&k), 1);
  kthread_destroy_worker(worker);
}

/* ---- T141: what modifying the delay returns */

static void t141_mod(struct workqueue_struct *unused) {
  static struct kitem k;
  struct conf_thread t;
  unsigned long begin;

  if (!start()) return;
  kitem_init(&k, 1);
  k.p.gated = true;
  EXPECT(!kthread_mod_delayed_work(worker, &k.kdw, LONG_DELAY)); /* idle: armed now */
  begin = jiffies;
  EXPECT(kthread_mod_delayed_work(worker, &k.kdw, 5)); /* armed */
  CONF_WAIT(&k.p.entered);
  EXPECT(k.p.entered_jiffies - begin >= 5);
  conf_thread_block(&t, do_kcancel_delayed_sync, &k.kdw);
  EXPECT(!conf_thread_returned(&t));
  EXPECT(kthread_mod_delayed_work(worker, &k.kdw, 0)); /* true, and not queued */
  conf_release_all(&k.p);
  conf_thread_join(&t);
  kthread_flush_worker(worker);
  EXPECT_EQ(kruns(&k), 1);
  kthread_destroy_worker(worker);
}

/* ---- K1: flushing: pending, running, idle */

static void k_flush(struct workqueue_struct *unused) {
  static struct kitem k, later;
  struct conf_thread t;

  if (!start()) return;
  kitem_init(&k, 1);
  kitem_init(&later, 2);
  k.p.gated = later.p.gated = true;
  kthread_flush_work(&k.kdw.work); /* never queued: returns */
  EXPECT(kthread_queue_work(worker, &k.kdw.work));
  EXPECT(kthread_queue_work(worker, &later.kdw.work));
  CONF_WAIT(&k.p.entered);
  conf_thread_block(&t, do_kflush_work, &k.kdw.work);
  EXPECT(!conf_thread_returned(&t));
  conf_release_all(&k.p);
  conf_thread_join(&t);
  EXPECT_EQ(kruns(&k), 1);
  EXPECT_EQ(kruns(&later), 0); /* queued behind: not waited for */
  conf_release_all(&later.p);
  kthread_flush_worker(worker);
  EXPECT_EQ(kruns(&later), 1);
  kthread_destroy_worker(worker);
}

/* ---- D2 for kthread workers: never early */

static void k_delayed(struct workqueue_struct *unused) {
  static struct kitem k[6];
  static unsigned long armed[6];
  int i;

  if (!start()) return;
  for (i = 0; i < 6; i++) {
    kitem_init(&k[i], i);
    armed[i] = jiffies;
    EXPECT(kthread_queue_delayed_work(worker, &k[i].kdw, i * 6));
    if (i > 0) EXPECT(!kthread_queue_delayed_work(worker, &k[i].kdw, 0));
  }
  for (i = 0; i < 6; i++) {
    CONF_WAIT(&k[i].p.entered);
    EXPECT(k[i].p.entered_jiffies - armed[i] >= (unsigned long)(i * 6));
  }
  kthread_flush_worker(worker);
  for (i = 0; i < 6; i++) EXPECT_EQ(kruns(&k[i]), 1);
  kthread_destroy_worker(worker);
}

/* ---- T144: destroying runs what is pending and does not see to armed timers */

static void t144_destroy(struct workqueue_struct *unused) {
  static struct kitem k[8], armed;
  int i;

  conf_expect_report();
  if (!start()) return;
  kitem_init(&armed, 99);
  EXPECT(kthread_queue_delayed_work(worker, &armed.kdw, LONG_DELAY));
  for (i = 0; i < 8; i++) {
    kitem_init(&k[i], i);
    EXPECT(kthread_queue_work(worker, &k[i].kdw.work));
  }
  kthread_destroy_worker(worker);
  for (i = 0; i < 8; i++) EXPECT_EQ(kruns(&k[i]), 1);
  EXPECT_EQ(kruns(&armed), 0);
  /* The caller's job, done late on purpose: the timer must not reach the dead worker. */
  EXPECT(timer_delete_sync(&armed.kdw.timer));
}

/* ---- K4: destroying ends an item that queues itself for ever; its last try is lost */

static struct completion k_going;
static atomic_t k_rounds;

static void queue_again(struct kthread_work *work) {
  if (atomic_inc_return(&k_rounds) == 3) complete(&k_going);
  kthread_queue_work(worker, work);
}

static void k_destroy_requeues(struct workqueue_struct *unused) {
  static struct kthread_work again; /* the kernel leaves it on the dead worker's list */

  conf_expect_report();
  if (!start()) return;
  init_completion(&k_going);
  atomic_set(&k_rounds, 0);
  kthread_init_work(&again, queue_again);
  EXPECT(kthread_queue_work(worker, &again));
  CONF_WAIT(&k_going);
  kthread_destroy_worker(worker);
  EXPECT(atomic_read(&k_rounds) >= 3);
}

static const struct conf_test tests[] = {
    {"T137", "FIFO and requeue", t137_fifo, 0, 0},
    {"T138", "create without wake", t138_create_without_wake, 0, 0},
    {"T139", "cancel gate", t139_cancel_gate, 0, 0},
    {"T140", "cancel result", t140_cancel_result, 0, 0},
    {"T141", "mod", t141_mod, 0, 0},
    {"K1.flush", "flush_work and flush_worker", k_flush, 0, 0},
    {"K1.delayed", "delayed items are never early", k_delayed, 0, 0},
    {"T144", "destroy", t144_destroy, 0, 0},
    {"K4", "destroy with an item that queues itself", k_destroy_requeues, 0, 0},
};

CONF_MODULE("kthread_worker", tests);
