/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * queueing.c: when queue_work() says true, and what follows from true and from false.
 *
 * Invariant under test: PENDING is one bit per item (Q1), cleared before the function is entered
 * (Q2). Covers T001 to T015. Read on: conf.h, nonreentrance.c.
 */
#include <linux/timer.h>

#include "conf.h"

/* ---- T001: one run, seen from inside and from outside */

static struct {
  struct work_struct work;
  struct work_struct *current_inside;
  bool pending_inside;
  unsigned int busy_inside;
  int runs;
} single;

static void single_fn(struct work_struct *work) {
  single.current_inside = current_work();
  single.pending_inside = work_pending(work);
  single.busy_inside = work_busy(work);
  single.runs++;
}

static void t001_single_run(struct workqueue_struct *wq) {
  memset(&single, 0, sizeof(single));
  INIT_WORK(&single.work, single_fn);
  EXPECT(conf_queue(wq, &single.work));
  flush_workqueue(wq);
  EXPECT_EQ(single.runs, 1);
  EXPECT(single.current_inside == &single.work);
  EXPECT(!single.pending_inside);
  EXPECT_EQ(single.busy_inside, WORK_BUSY_RUNNING);
  EXPECT(!work_pending(&single.work));
  EXPECT_EQ(work_busy(&single.work), 0);
  EXPECT(current_work() == NULL);
}

/* ---- T002: ten calls before the start are one run */

static void t002_coalescing(struct workqueue_struct *wq) {
  static struct conf_item gate, x;
  int i, trues = 0;

  conf_gate_init(&gate, 0);
  conf_item_init(&x, 1);
  conf_hold(wq, &gate);
  for (i = 0; i < 10; i++) trues += conf_queue(wq, &x.work);
  EXPECT_EQ(trues, 1);
  EXPECT(work_pending(&x.work));
  EXPECT_EQ(work_busy(&x.work), WORK_BUSY_PENDING);
  conf_release(&gate.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 1);
}

/* ---- T003: queueing a running item means exactly one further run, after this one */

static void t003_queue_while_running(struct workqueue_struct *wq) {
  static struct conf_item x;
  int i, trues = 0;
  bool first;

  conf_gate_init(&x, 1);
  conf_hold(wq, &x);
  EXPECT_EQ(work_busy(&x.work), WORK_BUSY_RUNNING);
  first = conf_queue(wq, &x.work);
  for (i = 0; i < 9; i++) trues += conf_queue(wq, &x.work);
  EXPECT(first);
  EXPECT_EQ(trues, 0);
  EXPECT_EQ(work_busy(&x.work), WORK_BUSY_PENDING | WORK_BUSY_RUNNING);
  conf_linger();
  EXPECT_EQ(atomic_read(&x.p.started), 1);
  conf_release_all(&x.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 2);
  EXPECT_EQ(atomic_read(&x.p.max_entries), 1);
}

/* ---- T005: an item pending on one queue is not taken by another */

static void t005_pending_elsewhere(struct workqueue_struct *unused) {
  struct workqueue_struct *a = alloc_ordered_workqueue("conf_a", 0);
  struct workqueue_struct *b = alloc_ordered_workqueue("conf_b", 0);
  static struct conf_item gate, x;

  conf_gate_init(&gate, 0);
  conf_item_init(&x, 1);
  conf_hold(a, &gate);
  EXPECT(queue_work(a, &x.work));
  EXPECT(!queue_work(b, &x.work));
  flush_workqueue(b);
  EXPECT_EQ(conf_runs(&x), 0); /* b never had it */
  EXPECT(work_pending(&x.work));
  conf_release(&gate.p);
  flush_workqueue(a);
  EXPECT_EQ(conf_runs(&x), 1);
  destroy_workqueue(a);
  destroy_workqueue(b);
}

/* ---- T006: a store before queue_work() is seen by a later run, also when it said false */

#define T006_PRODUCERS 2

static struct {
  struct work_struct work;
  struct workqueue_struct *wq;
  unsigned int kind;
  int value[T006_PRODUCERS]; /* written by its producer */
  int seen[T006_PRODUCERS];  /* written by the item */
} mailbox;

static void mailbox_fn(struct work_struct *work) {
  int i;

  for (i = 0; i < T006_PRODUCERS; i++) mailbox.seen[i] = READ_ONCE(mailbox.value[i]);
}

static long mailbox_producer(void *arg) {
  int *value = arg, i, trues = 0;

  for (i = 0; i < 400; i++) {
    WRITE_ONCE(*value, *value + 1);
    trues += conf_queue(mailbox.wq, &mailbox.work);
  }
  return trues;
}

static void t006_false_return_visibility(struct workqueue_struct *wq) {
  struct conf_thread thread[T006_PRODUCERS];
  int round, i;

  memset(&mailbox, 0, sizeof(mailbox));
  INIT_WORK(&mailbox.work, mailbox_fn);
  mailbox.wq = wq;
  for (round = 1; round <= 20; round++) {
    for (i = 0; i < T006_PRODUCERS; i++)
      conf_thread_start(&thread[i], mailbox_producer, &mailbox.value[i]);
    for (i = 0; i < T006_PRODUCERS; i++) conf_thread_join(&thread[i]);
    flush_work(&mailbox.work);
    for (i = 0; i < T006_PRODUCERS; i++) EXPECT_EQ(mailbox.seen[i], round * 400);
  }
}

/* ---- T007: a plain store before a queue_work() that said true is seen by that run */

static struct {
  struct work_struct work;
  int plain;
  int seen;
} letter;

static void letter_fn(struct work_struct *work) { letter.seen = letter.plain; }

static void t007_true_return_visibility(struct workqueue_struct *wq) {
  int i;

  INIT_WORK(&letter.work, letter_fn);
  for (i = 1; i <= 300; i++) {
    letter.plain = i;
    EXPECT(conf_queue(wq, &letter.work));
    flush_work(&letter.work);
    EXPECT_EQ(letter.seen, i);
  }
}

/* ---- T008: the function may free its own item; a flush still waits for its end */

struct mayfly {
  struct work_struct work;
};
static atomic_t mayfly_ended;

static void mayfly_fn(struct work_struct *work) {
  kfree(container_of(work, struct mayfly, work));
  msleep(5);
  atomic_inc(&mayfly_ended);
}

static void t008_free_inside_callback(struct workqueue_struct *wq) {
  int i;

  atomic_set(&mayfly_ended, 0);
  for (i = 0; i < 16; i++) {
    struct mayfly *m = kzalloc(sizeof(*m), GFP_KERNEL);

    EXPECT(m != NULL);
    if (!m) return;
    INIT_WORK(&m->work, mayfly_fn);
    EXPECT(conf_queue(wq, &m->work));
  }
  flush_workqueue(wq);
  EXPECT_EQ(atomic_read(&mayfly_ended), 16);
}

/* ---- T010: self-requeue */

static void t010_self_requeue(struct workqueue_struct *wq) {
  static struct conf_item x;

  conf_item_init(&x, 1);
  x.p.requeues = 3;
  x.p.requeue_wq = wq;
  EXPECT(conf_queue(wq, &x.work));
  drain_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 4);
  EXPECT_EQ(atomic_read(&x.p.requeue_true), 3);
  EXPECT_EQ(atomic_read(&x.p.max_entries), 1);
}

/* ---- T012: queueing from a timer callback and from a BH item */

static struct {
  struct timer_list timer;
  struct work_struct bh;
  struct workqueue_struct *wq;
  struct conf_item x;
  atomic_t queued_true;
  struct completion queued;
} async;

static void async_queue(void) {
  if (conf_queue(async.wq, &async.x.work)) atomic_inc(&async.queued_true);
  complete(&async.queued);
}

static void async_timer_fn(struct timer_list *timer) { async_queue(); }
static void async_bh_fn(struct work_struct *work) { async_queue(); }

static void async_init(struct workqueue_struct *wq) {
  conf_item_init(&async.x, 1);
  atomic_set(&async.queued_true, 0);
  init_completion(&async.queued);
  async.wq = wq;
}

static void async_check(void) {
  CONF_WAIT(&async.queued);
  flush_work(&async.x.work);
  EXPECT_EQ(atomic_read(&async.queued_true), 1);
  EXPECT_EQ(conf_runs(&async.x), 1);
}

static void t012_queue_from_timer(struct workqueue_struct *wq) {
  async_init(wq);
  timer_setup(&async.timer, async_timer_fn, 0);
  mod_timer(&async.timer, jiffies + 1);
  async_check();
  timer_delete_sync(&async.timer);
}

static void t012_queue_from_bh(struct workqueue_struct *wq) {
  async_init(wq);
  INIT_WORK(&async.bh, async_bh_fn);
  EXPECT(queue_work(system_bh_wq, &async.bh));
  async_check();
  flush_work(&async.bh);
}

/* ---- T013: one item, one queue after the other */

static void t013_reuse_on_another(struct workqueue_struct *a) {
  struct workqueue_struct *b = alloc_workqueue("conf_b", WQ_UNBOUND, 0);
  static struct conf_item x;

  conf_item_init(&x, 1);
  EXPECT(conf_queue(a, &x.work));
  flush_workqueue(a);
  EXPECT_EQ(conf_runs(&x), 1);
  EXPECT(queue_work(b, &x.work));
  flush_workqueue(b);
  EXPECT_EQ(conf_runs(&x), 2);
  EXPECT_EQ(atomic_read(&x.p.max_entries), 1);
  destroy_workqueue(b);
}

/* ---- T014: an item queues another, on its own and on another queue */

static struct {
  struct work_struct work;
  struct workqueue_struct *own, *other;
  struct conf_item on_own, on_other;
  bool own_true, other_true;
} sender;

static void sender_fn(struct work_struct *work) {
  sender.own_true = queue_work(sender.own, &sender.on_own.work);
  sender.other_true = queue_work(sender.other, &sender.on_other.work);
}

static void t014_queue_from_item(struct workqueue_struct *wq) {
  struct workqueue_struct *other = alloc_workqueue("conf_other", WQ_UNBOUND, 0);

  INIT_WORK(&sender.work, sender_fn);
  conf_item_init(&sender.on_own, 1);
  conf_item_init(&sender.on_other, 2);
  sender.own = wq;
  sender.other = other;
  EXPECT(conf_queue(wq, &sender.work));
  flush_work(&sender.work);
  flush_work(&sender.on_own.work);
  flush_work(&sender.on_other.work);
  EXPECT(sender.own_true);
  EXPECT(sender.other_true);
  EXPECT_EQ(conf_runs(&sender.on_own), 1);
  EXPECT_EQ(conf_runs(&sender.on_other), 1);
  destroy_workqueue(other);
}

/* ---- T015: static initialisers need no INIT */

static atomic_t static_runs;
static void static_fn(struct work_struct *work) { atomic_inc(&static_runs); }
static DECLARE_WORK(static_work, static_fn);
static DECLARE_DELAYED_WORK(static_delayed, static_fn);

static void t015_static_initialisers(struct workqueue_struct *unused) {
  atomic_set(&static_runs, 0);
  EXPECT(!work_pending(&static_work));
  EXPECT(schedule_work(&static_work));
  flush_work(&static_work);
  EXPECT_EQ(atomic_read(&static_runs), 1);
  EXPECT(schedule_delayed_work(&static_delayed, 1));
  EXPECT(flush_delayed_work(&static_delayed) || atomic_read(&static_runs) == 2);
  EXPECT_EQ(atomic_read(&static_runs), 2);
}

/* ---- Q6: the requested CPU of a per-cpu queue; work_on_cpu() */

static long where_am_i(void *arg) { return raw_smp_processor_id() + *(int *)arg; }

static void q6_placement(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = alloc_workqueue("conf_place", WQ_PERCPU, 0);
  static struct conf_item x;
  int offset = 100, cpu;

  for (cpu = 0; cpu < 2; cpu++) {
    conf_item_init(&x, 1);
    EXPECT(queue_work_on(cpu, wq, &x.work));
    flush_work(&x.work);
    EXPECT_EQ(x.p.cpu[0], cpu);
    EXPECT_EQ(work_on_cpu(cpu, where_am_i, &offset), cpu + offset);
  }
  destroy_workqueue(wq);
}

static const struct conf_test tests[] = {
    {"T001", "single run", t001_single_run, CONF_PUO, 0},
    {"T002", "coalescing", t002_coalescing, CONF_P | CONF_O, 1},
    {"T003", "queue while running", t003_queue_while_running, CONF_PUO, 0},
    {"T005", "pending on another wq", t005_pending_elsewhere, 0, 0},
    {"T006", "false-return visibility", t006_false_return_visibility, CONF_PUO, 0},
    {"T007", "true-return visibility", t007_true_return_visibility, CONF_PUO, 0},
    {"T008", "free inside callback", t008_free_inside_callback, CONF_PUO, 0},
    {"T010", "self-requeue count", t010_self_requeue, CONF_PUO, 0},
    {"T012.timer", "queue from a timer callback", t012_queue_from_timer, CONF_PUO, 0},
    {"T012.bh", "queue from a BH item", t012_queue_from_bh, CONF_PUO, 0},
    {"T013", "reuse on another wq", t013_reuse_on_another, CONF_P | CONF_O, 0},
    {"T014", "queue from another item", t014_queue_from_item, CONF_PUO, 0},
    {"T015", "static initialisers", t015_static_initialisers, 0, 0},
    {"Q6", "requested CPU", q6_placement, 0, 0},
};

CONF_MODULE("queueing", tests);
