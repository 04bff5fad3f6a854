/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * cancel.c: what cancelling returns, what it waits for, and what it keeps out meanwhile.
 *
 * Invariant under test: C1, "true" means "it was pending and this call took it away"; C2, after
 * cancel_work_sync() the item neither waits nor runs. Covers T052 to T066 (T058 hangs a kernel and
 * is left to the checker's tests), C5. Read on: conf.h, disable.c.
 */
#include "conf.h"

/* ---- T052: running only: wait, and say false */

static void t052_running_only(struct workqueue_struct *wq) {
  static struct conf_item x;
  struct conf_thread t;

  conf_gate_init(&x, 1);
  conf_hold(wq, &x);
  EXPECT(!cancel_work(&x.work));
  conf_thread_block(&t, conf_do_cancel_sync, &x.work);
  EXPECT(!conf_thread_returned(&t));
  conf_release_all(&x.p);
  EXPECT_EQ(conf_thread_join(&t), 0);
  EXPECT_EQ(conf_runs(&x), 1);
  EXPECT_EQ(work_busy(&x.work), 0);
}

/* ---- T053: pending: taken away */

static void t053_pending(struct workqueue_struct *wq) {
  static struct conf_item gate, x;

  conf_gate_init(&gate, 0);
  conf_item_init(&x, 1);
  conf_hold(wq, &gate);
  EXPECT(conf_queue(wq, &x.work));
  EXPECT(cancel_work(&x.work));
  EXPECT(!cancel_work(&x.work));
  EXPECT_EQ(work_busy(&x.work), 0);
  EXPECT(conf_queue(wq, &x.work));
  EXPECT(cancel_work_sync(&x.work));
  conf_release(&gate.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 0);
}

/* ---- T055: nobody gets in while cancel_work_sync() waits, not even the function itself */

static void t055_gate_closed(struct workqueue_struct *wq) {
  static struct conf_item x;
  struct conf_thread t;

  conf_gate_init(&x, 1);
  x.p.requeues = 1;
  x.p.requeue_wq = wq;
  conf_hold(wq, &x);
  conf_thread_start(&t, conf_do_cancel_sync, &x.work);
  /* Queueing is refused from the moment at which the canceller is inside. */
  CONF_UNTIL(!(conf_queue(wq, &x.work) && (cancel_work(&x.work), true)));
  EXPECT(!conf_queue(wq, &x.work));
  conf_release_all(&x.p);
  conf_thread_join(&t);
  EXPECT_EQ(atomic_read(&x.p.requeue_true), 0);
  conf_linger();
  EXPECT_EQ(conf_runs(&x), 1);
  EXPECT(conf_queue(wq, &x.work));
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 2);
}

/* ---- T056: two cancellers: one took it, both waited */

static void t056_two_cancellers(struct workqueue_struct *wq) {
  static struct conf_item x;
  struct conf_thread a, b;

  conf_gate_init(&x, 1);
  conf_hold(wq, &x);
  EXPECT(conf_queue(wq, &x.work));
  conf_thread_start(&a, conf_do_cancel_sync, &x.work);
  conf_thread_block(&b, conf_do_cancel_sync, &x.work);
  EXPECT(!conf_thread_returned(&a));
  EXPECT(!conf_thread_returned(&b));
  conf_release_all(&x.p);
  EXPECT_EQ(conf_thread_join(&a) + conf_thread_join(&b), 1);
  EXPECT_EQ(conf_runs(&x), 1);
}

/* ---- T059: cancelling gives back the slot of max_active, and never two of them */

static void t059_slot_release(struct workqueue_struct *wq) {
  static struct conf_item a, b, c;
  int round;

  for (round = 0; round < 400; round++) {
    conf_gate_init(&a, 1);
    conf_item_init(&b, 2);
    conf_item_init(&c, 3);
    conf_hold(wq, &a);
    EXPECT(conf_queue(wq, &b.work));
    EXPECT(conf_queue(wq, &c.work));
    EXPECT(round & 1 ? cancel_work_sync(&b.work) : cancel_work(&b.work));
    EXPECT_EQ(atomic_read(&c.p.started), 0);
    conf_release(&a.p);
    flush_workqueue(wq);
    EXPECT_EQ(conf_runs(&b), 0);
    EXPECT_EQ(conf_runs(&c), 1);
    if (conf.failed) break;
  }
}

/* ---- T061: a user's disable depth survives cancel_work_sync() */

static void t061_depth_preserved(struct workqueue_struct *wq) {
  static struct conf_item x;

  conf_item_init(&x, 1);
  EXPECT(!disable_work(&x.work));
  EXPECT(!cancel_work_sync(&x.work));
  EXPECT(!conf_queue(wq, &x.work));
  EXPECT(enable_work(&x.work));
  EXPECT(conf_queue(wq, &x.work));
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 1);
}

/* ---- T062: cancel looks at the last pool only, once N1 was broken by a second queue (C8) */

static void t062_migrated_item(struct workqueue_struct *unused) {
  struct workqueue_struct *a = alloc_workqueue("conf_a", WQ_PERCPU, 0);
  struct workqueue_struct *b = alloc_workqueue("conf_b", WQ_PERCPU, 1);
  static struct conf_item x, gate;
  struct conf_thread t;

  conf_gate_init(&x, 1);
  conf_gate_init(&gate, 2);
  EXPECT(queue_work_on(0, a, &x.work));
  CONF_WAIT(&x.p.entered);
  EXPECT(queue_work_on(1, b, &gate.work));
  CONF_WAIT(&gate.p.entered);
  EXPECT(queue_work_on(1, b, &x.work));
  conf_thread_start(&t, conf_do_cancel_sync, &x.work);
  CONF_WAIT(&t.done);
  EXPECT_EQ(conf_runs(&x), 0); /* the first instance still runs */
  EXPECT_EQ(atomic_read(&x.p.current_entries), 1);
  conf_release_all(&x.p);
  conf_release_all(&gate.p);
  EXPECT_EQ(conf_thread_join(&t), 1);
  flush_workqueue(a);
  flush_workqueue(b);
  EXPECT_EQ(conf_runs(&x), 1);
  destroy_workqueue(a);
  destroy_workqueue(b);
}

/* ---- T064: A queues B: cancel A first, then B */

static struct {
  struct work_struct a, b;
  struct workqueue_struct *wq;
  atomic_t a_runs, b_runs;
} pair;

static void pair_a_fn(struct work_struct *work) {
  atomic_inc(&pair.a_runs);
  queue_work(pair.wq, &pair.b);
}
static void pair_b_fn(struct work_struct *work) { atomic_inc(&pair.b_runs); }

static void t064_producer_consumer(struct workqueue_struct *wq) {
  int round;

  memset(&pair, 0, sizeof(pair));
  INIT_WORK(&pair.a, pair_a_fn);
  INIT_WORK(&pair.b, pair_b_fn);
  pair.wq = wq;
  for (round = 0; round < 600; round++) {
    int spin = round % 40;

    EXPECT(conf_queue(wq, &pair.a));
    while (spin-- > 0) udelay(5);
    cancel_work_sync(&pair.a);
    cancel_work_sync(&pair.b);
    EXPECT_EQ(work_busy(&pair.a) | work_busy(&pair.b), 0);
    EXPECT(atomic_read(&pair.b_runs) <= atomic_read(&pair.a_runs));
  }
}

/* ---- T065: never queued */

static void t065_never_queued(struct workqueue_struct *unused) {
  static struct conf_item x;
  static struct conf_ditem d;

  conf_item_init(&x, 1);
  conf_ditem_init(&d, 2);
  EXPECT(!cancel_work(&x.work));
  EXPECT(!cancel_work_sync(&x.work));
  EXPECT(!flush_work(&x.work));
  EXPECT(!cancel_delayed_work(&d.dw));
  EXPECT(!cancel_delayed_work_sync(&d.dw));
  EXPECT(!flush_delayed_work(&d.dw));
}

/* ---- T066: free right after cancel_work_sync() */

struct brief {
  struct work_struct work;
};
static atomic_t brief_runs;
static void brief_fn(struct work_struct *work) { atomic_inc(&brief_runs); }

static void t066_free_after_cancel(struct workqueue_struct *wq) {
  int round, cancelled = 0;

  atomic_set(&brief_runs, 0);
  for (round = 0; round < 3000; round++) {
    struct brief *b = kzalloc(sizeof(*b), GFP_KERNEL);
    int spin = round % 16;

    EXPECT(b != NULL);
    if (!b) return;
    INIT_WORK(&b->work, brief_fn);
    EXPECT(queue_work_on(round & 1, wq, &b->work));
    while (spin-- > 0) udelay(2);
    cancelled += cancel_work_sync(&b->work);
    kfree(b);
  }
  EXPECT_EQ(atomic_read(&brief_runs) + cancelled, 3000);
}

/* ---- C5: an item may cancel itself without waiting */

static struct {
  struct work_struct work;
  struct workqueue_struct *wq;
  bool not_queued, queued, after;
  int runs;
} self;

static void self_fn(struct work_struct *work) {
  self.runs++;
  self.not_queued = cancel_work(work);
  self.queued = queue_work(self.wq, work);
  self.after = cancel_work(work);
}

static void c5_cancel_self(struct workqueue_struct *wq) {
  memset(&self, 0, sizeof(self));
  INIT_WORK(&self.work, self_fn);
  self.wq = wq;
  EXPECT(conf_queue(wq, &self.work));
  flush_workqueue(wq);
  conf_linger();
  EXPECT(!self.not_queued);
  EXPECT(self.queued);
  EXPECT(self.after);
  EXPECT_EQ(self.runs, 1);
}

static const struct conf_test tests[] = {
    {"T052", "running only", t052_running_only, CONF_PUO, 0},
    {"T053", "pending", t053_pending, CONF_P | CONF_O, 1},
    {"T055", "closed during cancel_sync", t055_gate_closed, CONF_PUO, 0},
    {"T056", "two cancel_sync", t056_two_cancellers, CONF_PUO, 0},
    {"T059", "slot release", t059_slot_release, CONF_PUO, 1},
    {"T061", "depth preserved", t061_depth_preserved, CONF_PUO, 0},
    {"T062", "migrated item", t062_migrated_item, 0, 0},
    {"T064", "producer and consumer", t064_producer_consumer, CONF_PUO, 0},
    {"T065", "never queued", t065_never_queued, 0, 0},
    {"T066", "free after cancel_sync", t066_free_after_cancel, CONF_PUO, 0},
    {"C5", "cancel self", c5_cancel_self, CONF_PUO, 0},
};

CONF_MODULE("cancel", tests);
