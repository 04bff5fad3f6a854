/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * ordered.c: one item in flight, started in queueing order, and what only looks ordered.
 *
 * Invariant under test: O1, an ordered queue starts its items strictly in the order of queueing,
 * one at a time. Covers T021 to T030; T026 needs apply_workqueue_attrs(), which modules may not
 * call. Read on: conf.h, max_active.c.
 */
#include "conf.h"

/* ---- T021, T022: FIFO with one and with several producers */

struct numbered {
  struct work_struct work;
  int producer;
  int number;
};

static struct {
  struct workqueue_struct *wq;
  int next[3]; /* written by the items only: the queue is what keeps them apart */
  int out_of_order;
  int runs;
  atomic_t in_flight;
  atomic_t most_in_flight;
} fifo;

static void numbered_fn(struct work_struct *work) {
  struct numbered *n = container_of(work, struct numbered, work);

  conf_raise(&fifo.most_in_flight, atomic_inc_return(&fifo.in_flight));
  if (fifo.next[n->producer] != n->number) fifo.out_of_order++;
  fifo.next[n->producer] = n->number + 1;
  fifo.runs++;
  atomic_dec(&fifo.in_flight);
}

#define PER_PRODUCER 1200

struct producer {
  struct numbered *items;
  int trues;
};

static long producer_thread(void *arg) {
  struct producer *p = arg;
  int i;

  for (i = 0; i < PER_PRODUCER; i++) p->trues += queue_work_on(i & 1, fifo.wq, &p->items[i].work);
  return 0;
}

static void run_producers(struct workqueue_struct *wq, int producers) {
  static struct producer producer[3];
  static struct conf_thread thread[3];
  int i, k;

  memset(&fifo, 0, sizeof(fifo));
  fifo.wq = wq;
  for (k = 0; k < producers; k++) {
    producer[k].trues = 0;
    producer[k].items = kcalloc(PER_PRODUCER, sizeof(struct numbered), GFP_KERNEL);
    EXPECT(producer[k].items != NULL);
    if (!producer[k].items) return;
    for (i = 0; i < PER_PRODUCER; i++) {
      INIT_WORK(&producer[k].items[i].work, numbered_fn);
      producer[k].items[i].producer = k;
      producer[k].items[i].number = i;
    }
  }
  for (k = 0; k < producers; k++) conf_thread_start(&thread[k], producer_thread, &producer[k]);
  for (k = 0; k < producers; k++) conf_thread_join(&thread[k]);
  flush_workqueue(wq);
  EXPECT_EQ(fifo.runs, producers * PER_PRODUCER);
  EXPECT_EQ(fifo.out_of_order, 0);
  EXPECT_EQ(atomic_read(&fifo.most_in_flight), 1);
  for (k = 0; k < producers; k++) {
    EXPECT_EQ(producer[k].trues, PER_PRODUCER);
    kfree(producer[k].items);
  }
}

static void t021_fifo_one_producer(struct workqueue_struct *wq) { run_producers(wq, 1); }
static void t022_fifo_many_producers(struct workqueue_struct *wq) { run_producers(wq, 3); }

/* ---- T023: a sleeping item holds up the next one */

static void t023_sleeper_blocks(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item a, b;

  conf_log_init(&log);
  conf_item_init(&a, 1);
  conf_item_init(&b, 2);
  a.p.log = b.p.log = &log;
  a.p.sleep_ms = 50;
  EXPECT(queue_work(wq, &a.work));
  EXPECT(queue_work(wq, &b.work));
  CONF_WAIT(&b.p.entered);
  EXPECT_EQ(conf_runs(&a), 1);
  flush_workqueue(wq);
  EXPECT_EQ(atomic_read(&log.max_entries), 1);
}

/* ---- T024: WQ_UNBOUND with max_active 1 limits, and promises no more than that */

static void t024_unbound_one(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = alloc_workqueue("conf_u1", WQ_UNBOUND, 1);
  static struct conf_log log;
  static struct conf_item item[32];
  int i;

  conf_log_init(&log);
  for (i = 0; i < 32; i++) {
    conf_item_init(&item[i], i);
    item[i].p.log = &log;
    item[i].p.sleep_ms = 1;
    EXPECT(queue_work(wq, &item[i].work));
  }
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 32);
  EXPECT_EQ(atomic_read(&log.max_entries), 1); /* one node; each node has its own limit (A6) */
  destroy_workqueue(wq);
}

/* ---- T025: the limit of an ordered queue is not negotiable */

static void t025_set_max_active(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item item[4];
  int i;

  conf_expect_report();
  workqueue_set_max_active(wq, 4);
  conf_log_init(&log);
  for (i = 0; i < 4; i++) {
    conf_item_init(&item[i], i);
    item[i].p.log = &log;
    item[i].p.sleep_ms = 5;
    EXPECT(queue_work(wq, &item[i].work));
  }
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 4);
  EXPECT_EQ(atomic_read(&log.max_entries), 1);
}

/* ---- T028: mod_delayed_work(0) on a queued item moves it to the tail */

static void t028_mod_moves_to_tail(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item gate, two;
  static struct conf_ditem d;

  conf_log_init(&log);
  conf_gate_init(&gate, 0);
  conf_ditem_init(&d, 1);
  conf_item_init(&two, 2);
  d.p.log = two.p.log = &log;
  conf_hold(wq, &gate);
  EXPECT(queue_delayed_work(wq, &d.dw, 0));
  EXPECT(queue_work(wq, &two.work));
  EXPECT(mod_delayed_work(wq, &d.dw, 0));
  conf_release(&gate.p);
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 2);
  EXPECT_EQ(log.id[0], 2);
  EXPECT_EQ(log.id[1], 1);
}

/* ---- O2: cancel and queue again moves an item to the tail, and so does its own requeue */

static void o2_requeue_goes_to_tail(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item gate, x, y;

  conf_log_init(&log);
  conf_gate_init(&gate, 0);
  conf_item_init(&x, 1);
  conf_item_init(&y, 2);
  x.p.log = y.p.log = &log;
  conf_hold(wq, &gate);
  EXPECT(queue_work(wq, &x.work));
  EXPECT(queue_work(wq, &y.work));
  EXPECT(cancel_work(&x.work));
  EXPECT(queue_work(wq, &x.work));
  y.p.requeues = 1;
  y.p.requeue_wq = wq;
  conf_release(&gate.p);
  drain_workqueue(wq);
  EXPECT_EQ(log.n, 3);
  EXPECT_EQ(log.id[0], 2);
  EXPECT_EQ(log.id[1], 1);
  EXPECT_EQ(log.id[2], 2);
}

/* ---- T029: flushing the later item waits for the earlier one as well */

static void t029_flush_later(struct workqueue_struct *wq) {
  static struct conf_item a, b;
  unsigned long start; /* the clock that msleep() goes by: a guest's ticks may come in bursts */

  conf_item_init(&a, 1);
  conf_item_init(&b, 2);
  a.p.sleep_ms = 30;
  start = jiffies;
  EXPECT(queue_work(wq, &a.work));
  EXPECT(queue_work(wq, &b.work));
  EXPECT(flush_work(&b.work));
  EXPECT(jiffies - start >= msecs_to_jiffies(30));
  EXPECT_EQ(conf_runs(&a), 1);
  EXPECT_EQ(conf_runs(&b), 1);
}

/* ---- T030: the creators of old */

static void t030_singlethread(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = create_singlethread_workqueue("conf_single");
  static struct conf_log log;
  static struct conf_item item[20];
  int i;

  EXPECT(wq != NULL);
  if (!wq) return;
  conf_log_init(&log);
  for (i = 0; i < 20; i++) {
    conf_item_init(&item[i], i);
    item[i].p.log = &log;
    item[i].p.sleep_ms = i % 4 ? 0 : 2;
    EXPECT(queue_work_on(i & 1, wq, &item[i].work));
  }
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 20);
  for (i = 0; i < 20; i++) EXPECT_EQ(log.id[i], i);
  EXPECT_EQ(atomic_read(&log.max_entries), 1);
  destroy_workqueue(wq);
}

static void t030_create_workqueue(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = create_workqueue("conf_create");
  static struct conf_log log;
  static struct conf_item item[4];
  int i;

  EXPECT(wq != NULL);
  if (!wq) return;
  conf_log_init(&log);
  for (i = 0; i < 4; i++) {
    conf_gate_init(&item[i], i);
    item[i].p.log = &log;
    EXPECT(queue_work_on(i & 1, wq, &item[i].work));
  }
  CONF_WAIT(&item[0].p.entered); /* CPU 0 */
  CONF_WAIT(&item[1].p.entered); /* CPU 1, at the same time: not ordered */
  conf_linger();
  EXPECT_EQ(log.n, 2);
  for (i = 0; i < 4; i++) conf_release_all(&item[i].p);
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 4);
  EXPECT_EQ(atomic_read(&log.max_entries), 2);
  destroy_workqueue(wq);
}

static void t030_create_freezable(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = create_freezable_workqueue("conf_freezable");
  static struct conf_log log;
  static struct conf_item item[6];
  int i;

  EXPECT(wq != NULL);
  if (!wq) return;
  conf_log_init(&log);
  for (i = 0; i < 6; i++) {
    conf_item_init(&item[i], i);
    item[i].p.log = &log;
    item[i].p.sleep_ms = 2;
    EXPECT(queue_work(wq, &item[i].work));
  }
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 6);
  EXPECT_EQ(atomic_read(&log.max_entries), 1);
  destroy_workqueue(wq);
}

static const struct conf_test tests[] = {
    {"T021", "FIFO, one producer", t021_fifo_one_producer, CONF_O, 0},
    {"T022", "FIFO, several producers", t022_fifo_many_producers, CONF_O, 0},
    {"T023", "sleeping item blocks", t023_sleeper_blocks, CONF_O, 0},
    {"T024", "unbound with limit 1", t024_unbound_one, 0, 0},
    {"T025", "set_max_active refused", t025_set_max_active, CONF_O, 0},
    {"T028", "mod(0) on a queued item", t028_mod_moves_to_tail, CONF_O, 0},
    {"O2", "requeue goes to the tail", o2_requeue_goes_to_tail, CONF_O, 0},
    {"T029", "flush later waits earlier", t029_flush_later, CONF_O, 0},
    {"T030.singlethread", "create_singlethread_workqueue", t030_singlethread, 0, 0},
    {"T030.create", "create_workqueue", t030_create_workqueue, 0, 0},
    {"T030.freezable", "create_freezable_workqueue", t030_create_freezable, 0, 0},
};

CONF_MODULE("ordered", tests);
