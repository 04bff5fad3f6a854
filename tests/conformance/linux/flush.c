/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * flush.c: what a flush waits for, and above all what it does not wait for.
 *
 * Invariant under test: F1, a flush waits for everything queued before the call and for nothing
 * queued later. Covers T078 to T092. The deadlocks T087 and T088 hang a kernel and are left to the
 * checker's tests; T089 is in freeze.c. Read on: conf.h, drain_destroy.c.
 */
#include "conf.h"

/* ---- T078: queued later is not waited for */

static void t078_before_and_after(struct workqueue_struct *wq) {
  static struct conf_item x1, x2;
  struct conf_thread flusher;

  conf_gate_init(&x1, 1);
  conf_gate_init(&x2, 2);
  conf_hold(wq, &x1);
  conf_thread_block(&flusher, conf_do_flush_workqueue, wq);
  EXPECT(!conf_thread_returned(&flusher));
  EXPECT(conf_queue(wq, &x2.work));
  conf_linger();
  EXPECT(!conf_thread_returned(&flusher));
  conf_release(&x1.p);
  conf_thread_join(&flusher);
  EXPECT_EQ(conf_runs(&x1), 1);
  EXPECT_EQ(conf_runs(&x2), 0);
  conf_release(&x2.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x2), 1);
}

/* ---- T079: endless producers cannot hold a flush up */

static struct {
  struct work_struct endless;
  struct work_struct stream[4];
  struct workqueue_struct *wq;
  atomic_t stop;
  atomic_t runs;
} flood;

static void endless_fn(struct work_struct *work) {
  atomic_inc(&flood.runs);
  usleep_range(200, 400);
  if (!atomic_read(&flood.stop)) queue_work(flood.wq, work);
}
static void stream_fn(struct work_struct *work) { atomic_inc(&flood.runs); }

static long stream_thread(void *arg) {
  int i;

  for (i = 0; !atomic_read(&flood.stop); i++) {
    queue_work(flood.wq, &flood.stream[i & 3]);
    usleep_range(50, 150);
  }
  return 0;
}

static void t079_endless_producers(struct workqueue_struct *wq) {
  struct conf_thread source, flusher;
  int i;

  memset(&flood, 0, sizeof(flood));
  flood.wq = wq;
  INIT_WORK(&flood.endless, endless_fn);
  for (i = 0; i < 4; i++) INIT_WORK(&flood.stream[i], stream_fn);
  EXPECT(queue_work(wq, &flood.endless));
  conf_thread_start(&source, stream_thread, NULL);
  CONF_UNTIL(atomic_read(&flood.runs) > 10);
  for (i = 0; i < 5; i++) {
    conf_thread_start(&flusher, conf_do_flush_workqueue, wq);
    conf_thread_join(&flusher);
    conf_thread_start(&flusher, conf_do_flush_work, &flood.endless);
    conf_thread_join(&flusher);
  }
  EXPECT(!atomic_read(&flood.stop)); /* the flushes ended although the flood did not */
  atomic_set(&flood.stop, 1);
  conf_thread_join(&source);
  drain_workqueue(wq);
}

/* ---- F2: a self-requeueing item is waited for once */

static void f2_waited_for_once(struct workqueue_struct *wq) {
  static struct conf_item x;
  struct conf_thread flusher;

  conf_gate_init(&x, 1);
  x.p.requeues = 1;
  x.p.requeue_wq = wq;
  conf_hold(wq, &x);
  conf_thread_block(&flusher, conf_do_flush_workqueue, wq);
  EXPECT(!conf_thread_returned(&flusher));
  conf_release(&x.p);
  CONF_WAIT(&x.p.entered); /* second run, held at the gate */
  conf_thread_join(&flusher);
  EXPECT_EQ(atomic_read(&x.p.finished), 1);
  conf_release(&x.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 2);
}

/* ---- T080: more flushers than flush colours */

#define FLUSHERS 40

struct flusher {
  struct conf_thread thread;
  struct conf_item item;
  struct workqueue_struct *wq;
};

static long flusher_thread(void *arg) {
  struct flusher *f = arg;

  queue_work(f->wq, &f->item.work);
  flush_workqueue(f->wq);
  return conf_runs(&f->item); /* its own item was queued before its flush */
}

static void t080_many_flushers(struct workqueue_struct *wq) {
  static struct conf_item gate;
  struct flusher *f = kcalloc(FLUSHERS, sizeof(*f), GFP_KERNEL);
  int i, round, early = 0;

  EXPECT(f != NULL);
  if (!f) return;
  for (round = 0; round < 4; round++) {
    conf_gate_init(&gate, 0);
    conf_hold(wq, &gate);
    for (i = 0; i < FLUSHERS; i++) {
      conf_item_init(&f[i].item, i);
      f[i].wq = wq;
      conf_thread_start(&f[i].thread, flusher_thread, &f[i]);
    }
    for (i = 0; i < FLUSHERS; i++) CONF_WAIT(&f[i].thread.calling);
    conf_linger();
    for (i = 0; i < FLUSHERS; i++) early += conf_thread_returned(&f[i].thread);
    EXPECT_EQ(early, 0); /* the gate was queued before all of them */
    conf_release(&gate.p);
    for (i = 0; i < FLUSHERS; i++) EXPECT_EQ(conf_thread_join(&f[i].thread), 1);
  }
  kfree(f);
}

/* ---- T082: two waiters on one item */

static void t082_two_waiters(struct workqueue_struct *wq) {
  static struct conf_item x;
  struct conf_thread a, b;

  conf_gate_init(&x, 1);
  conf_hold(wq, &x);
  conf_thread_block(&a, conf_do_flush_work, &x.work);
  conf_thread_block(&b, conf_do_flush_work, &x.work);
  EXPECT(!conf_thread_returned(&a));
  EXPECT(!conf_thread_returned(&b));
  conf_release(&x.p);
  EXPECT_EQ(conf_thread_join(&a), 1);
  EXPECT_EQ(conf_thread_join(&b), 1);
}

/* ---- T083: a flush is not throttled by max_active and takes no slot of it */

static void t083_barrier_not_throttled(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item a, b;
  struct conf_thread t[3];
  int i;

  conf_log_init(&log);
  conf_gate_init(&a, 1);
  conf_item_init(&b, 2);
  a.p.log = b.p.log = &log;
  conf_hold(wq, &a);
  EXPECT(conf_queue(wq, &b.work));
  for (i = 0; i < 3; i++) conf_thread_block(&t[i], conf_do_flush_work, &b.work);
  for (i = 0; i < 3; i++) EXPECT(!conf_thread_returned(&t[i]));
  conf_release(&a.p);
  for (i = 0; i < 3; i++) EXPECT_EQ(conf_thread_join(&t[i]), 1);
  EXPECT_EQ(conf_runs(&b), 1);
  EXPECT_EQ(atomic_read(&log.max_entries), 1);
}

/* ---- F5: running and queued: the queued instance is the one waited for */

static void f5_running_and_queued(struct workqueue_struct *wq) {
  static struct conf_item x;
  struct conf_thread t;

  conf_gate_init(&x, 1);
  conf_hold(wq, &x);
  EXPECT(conf_queue(wq, &x.work));
  conf_thread_block(&t, conf_do_flush_work, &x.work);
  conf_release(&x.p);
  CONF_WAIT(&x.p.entered); /* the second run */
  conf_linger();
  EXPECT(!conf_thread_returned(&t));
  conf_release(&x.p);
  EXPECT_EQ(conf_thread_join(&t), 1);
  EXPECT_EQ(conf_runs(&x), 2);
}

/* ---- F7: a flusher of an inactive item that is cancelled gets away at the pool's next activity */

static void f7_cancel_under_flusher(struct workqueue_struct *wq) {
  static struct conf_item a, b;
  struct conf_thread t;

  conf_gate_init(&a, 1);
  conf_item_init(&b, 2);
  conf_hold(wq, &a);
  EXPECT(conf_queue(wq, &b.work));
  conf_thread_block(&t, conf_do_flush_work, &b.work);
  EXPECT(cancel_work(&b.work));
  conf_release(&a.p);
  EXPECT_EQ(conf_thread_join(&t), 1);
  EXPECT_EQ(conf_runs(&b), 0);
}

/* ---- T084: nothing to wait for */

static void t084_idle(struct workqueue_struct *wq) {
  static struct conf_item x;

  conf_item_init(&x, 1);
  flush_workqueue(wq);
  EXPECT(!flush_work(&x.work));
  EXPECT(conf_queue(wq, &x.work));
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 1);
  EXPECT(!flush_work(&x.work));
}

/* ---- T086: an item flushes an item of another queue, in the same pool as well */

static struct {
  struct work_struct outer;
  struct conf_item inner;
  struct workqueue_struct *inner_wq;
  bool waited;
  int inner_runs;
} nested;

static void outer_fn(struct work_struct *work) {
  queue_work_on(0, nested.inner_wq, &nested.inner.work);
  nested.waited = flush_work(&nested.inner.work);
  nested.inner_runs = conf_runs(&nested.inner);
}

static void t086_flush_from_item(struct workqueue_struct *wq) {
  struct workqueue_struct *kinds[2];
  int i;

  kinds[0] = alloc_workqueue("conf_inner", WQ_PERCPU, 0);
  kinds[1] = alloc_workqueue("conf_inner_u", WQ_UNBOUND, 0);
  for (i = 0; i < 2; i++) {
    INIT_WORK(&nested.outer, outer_fn);
    conf_item_init(&nested.inner, 1);
    nested.inner.p.sleep_ms = 20;
    nested.inner_wq = kinds[i];
    EXPECT(conf_queue(wq, &nested.outer));
    flush_workqueue(wq);
    EXPECT(nested.waited);
    EXPECT_EQ(nested.inner_runs, 1);
    destroy_workqueue(kinds[i]);
  }
}

/* ---- T090: flushing a system queue works, however unwelcome */

static void t090_system_queue(struct workqueue_struct *unused) {
  struct workqueue_struct *volatile system =
      system_percpu_wq; /* hides it from the compile-time check */
  static struct conf_item x;

  conf_item_init(&x, 1);
  x.p.sleep_ms = 10;
  EXPECT(queue_work(system, &x.work));
  flush_workqueue(system);
  EXPECT_EQ(conf_runs(&x), 1);
}

/* ---- T091: a reclaim queue must not wait for one that may need memory */

static void t091_reclaim_dependency(struct workqueue_struct *unused) {
  struct workqueue_struct *reclaim = alloc_workqueue("conf_reclaim", WQ_PERCPU | WQ_MEM_RECLAIM, 0);
  struct workqueue_struct *plain = alloc_workqueue("conf_plain", WQ_PERCPU, 0);

  conf_expect_report();
  INIT_WORK(&nested.outer, outer_fn);
  conf_item_init(&nested.inner, 1);
  nested.inner.p.sleep_ms = 20;
  nested.inner_wq = plain;
  EXPECT(queue_work(reclaim, &nested.outer));
  flush_workqueue(reclaim);
  EXPECT(nested.waited);
  EXPECT_EQ(nested.inner_runs, 1);
  destroy_workqueue(reclaim);
  destroy_workqueue(plain);
}

/* ---- T092: whatever flush_delayed_work() returns in a race, the item has run */

static void t092_flush_delayed_race(struct workqueue_struct *wq) {
  static struct conf_ditem d;
  int round;

  conf_ditem_init(&d, 1);
  for (round = 1; round <= 300; round++) {
    int spin = round % 60;

    EXPECT(queue_delayed_work(wq, &d.dw, round % 3));
    while (spin-- > 0) udelay(10);
    flush_delayed_work(&d.dw);
    EXPECT_EQ(conf_druns(&d), round);
  }
}

static const struct conf_test tests[] = {
    {"T078", "before and after", t078_before_and_after, CONF_PUO, 0},
    {"T079", "endless producers", t079_endless_producers, CONF_PUO, 0},
    {"F2", "waited for once", f2_waited_for_once, CONF_PUO, 0},
    {"T080", "more flushers than colours", t080_many_flushers, CONF_PUO, 0},
    {"T082", "two waiters", t082_two_waiters, CONF_PUO, 0},
    {"T083", "barrier not throttled", t083_barrier_not_throttled, CONF_PUO, 1},
    {"F5", "running and queued", f5_running_and_queued, CONF_PUO, 0},
    {"F7", "cancel under a flusher", f7_cancel_under_flusher, CONF_PUO, 1},
    {"T084", "idle", t084_idle, CONF_PUO, 0},
    {"T086", "flush from another queue's item", t086_flush_from_item, CONF_PUO, 0},
    {"T090", "flush of a system queue", t090_system_queue, 0, 0},
    {"T091", "reclaim dependency", t091_reclaim_dependency, 0, 0},
    {"T092", "flush_delayed_work in a race", t092_flush_delayed_race, CONF_PUO, 0},
};

CONF_MODULE("flush", tests);
