/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * max_active.c: how many items of one queue may be in flight, and that no activation is lost.
 *
 * Invariant under test: A3, a slot is held from activation until the function returns; A9, a freed
 * slot is always given to a waiting item. Covers T105 to T110, A7. T111 and T112 need two NUMA
 * nodes and a call that modules may not make. Read on: conf.h, concurrency.c.
 */
#include "conf.h"

static void gates_open(struct conf_item *item, int n) {
  int i;

  for (i = 0; i < n; i++) conf_release_all(&item[i].p);
}

/* ---- T105: the limit of a per-cpu queue counts per CPU */

static void t105_percpu_limit(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item item[6];
  int i;

  conf_log_init(&log);
  for (i = 0; i < 6; i++) {
    conf_item_init(&item[i], i);
    item[i].p.log = &log;
    item[i].p.sleep_ms = 15;
    EXPECT(queue_work_on(0, wq, &item[i].work));
  }
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 6);
  EXPECT_EQ(atomic_read(&log.max_entries), 2);
  for (i = 0; i < 6; i++) EXPECT_EQ(log.id[i], i);
}

static void t105_one_per_cpu(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item item[4];
  int i;

  conf_log_init(&log);
  for (i = 0; i < 4; i++) {
    conf_gate_init(&item[i], i);
    item[i].p.log = &log;
    EXPECT(queue_work_on(i & 1, wq, &item[i].work));
  }
  CONF_WAIT(&item[0].p.entered);
  CONF_WAIT(&item[1].p.entered);
  conf_linger();
  EXPECT_EQ(log.n, 2); /* one on each of two CPUs */
  gates_open(item, 4);
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 4);
  EXPECT_EQ(atomic_read(&log.max_entries), 2);
}

/* ---- T106: the limit of an unbound queue counts for the whole (one-node) system */

static void t106_system_limit(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item item[12];
  int i;

  conf_log_init(&log);
  for (i = 0; i < 12; i++) {
    conf_gate_init(&item[i], i);
    item[i].p.log = &log;
    EXPECT(queue_work_on(i & 1, wq, &item[i].work));
  }
  CONF_UNTIL(atomic_read(&log.current_entries) >= 4);
  conf_linger();
  EXPECT_EQ(log.n, 4);
  gates_open(item, 12);
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 12);
  EXPECT_EQ(atomic_read(&log.max_entries), 4);
}

/* ---- T108: limits out of range are clamped and reported */

static void t108_clamp_negative(struct workqueue_struct *unused) {
  struct workqueue_struct *wq;
  static struct conf_log log;
  static struct conf_item item[3];
  int i;

  conf_expect_report();
  wq = alloc_workqueue("conf_minus", WQ_PERCPU, -3);
  EXPECT(wq != NULL);
  if (!wq) return;
  conf_log_init(&log);
  for (i = 0; i < 3; i++) {
    conf_item_init(&item[i], i);
    item[i].p.log = &log;
    item[i].p.sleep_ms = 10;
    EXPECT(queue_work_on(0, wq, &item[i].work));
  }
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 3);
  EXPECT_EQ(atomic_read(&log.max_entries), 1);
  destroy_workqueue(wq);
}

static void t108_clamp_huge(struct workqueue_struct *unused) {
  struct workqueue_struct *wq;

  conf_expect_report();
  wq = alloc_workqueue("conf_huge", WQ_UNBOUND, 5000);
  EXPECT(wq != NULL);
  if (wq) destroy_workqueue(wq);
}

static void t108_default(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item item[40];
  int i;

  conf_log_init(&log);
  for (i = 0; i < 40; i++) {
    conf_gate_init(&item[i], i);
    item[i].p.log = &log;
    EXPECT(conf_queue(wq, &item[i].work));
  }
  CONF_UNTIL(atomic_read(&log.current_entries) == 40); /* 0 is the default limit, which is high */
  gates_open(item, 40);
  flush_workqueue(wq);
}

/* ---- T109: every "true" is one run or one successful cancel */

enum { SHARED = 16, OPS = 2500, PRODUCERS = 3 };

static struct {
  struct conf_ditem item[SHARED];
  struct workqueue_struct *wq;
  atomic_t trues, cancels;
} balance;

static long balance_thread(void *arg) {
  unsigned int seed = (unsigned int)(long)arg * 2654435761u + 1;
  int i;

  for (i = 0; i < OPS; i++) {
    struct conf_ditem *d;
    unsigned int pick;

    seed = seed * 1664525u + 1013904223u;
    pick = seed >> 16;
    d = &balance.item[pick % SHARED];
    switch ((pick / SHARED) % 16) {
      default:
        if (queue_delayed_work(balance.wq, &d->dw, 0)) atomic_inc(&balance.trues);
        break;
      case 8:
      case 9:
      case 10:
        /* false: it was idle, and is queued by this call; true: the old queueing moved */
        if (!mod_delayed_work(balance.wq, &d->dw, pick & 1)) atomic_inc(&balance.trues);
        break;
      case 11:
      case 12:
      case 13:
        if (cancel_delayed_work(&d->dw)) atomic_inc(&balance.cancels);
        break;
      case 14:
        flush_delayed_work(&d->dw);
        break;
      case 15:
        usleep_range(20, 60);
        break;
    }
    if (i % 32 == 0) usleep_range(50, 100);
  }
  return 0;
}

static void no_lost_activation(struct workqueue_struct *wq) {
  static struct conf_thread t[PRODUCERS];
  int i, runs = 0;

  atomic_set(&balance.trues, 0);
  atomic_set(&balance.cancels, 0);
  balance.wq = wq;
  for (i = 0; i < SHARED; i++) conf_ditem_init(&balance.item[i], i);
  for (i = 0; i < PRODUCERS; i++) conf_thread_start(&t[i], balance_thread, (void *)(long)(i + 1));
  for (i = 0; i < PRODUCERS; i++) conf_thread_join(&t[i]);
  for (i = 0; i < SHARED; i++) flush_delayed_work(&balance.item[i].dw);
  for (i = 0; i < SHARED; i++) {
    runs += conf_druns(&balance.item[i]);
    EXPECT(!delayed_work_pending(&balance.item[i].dw));
    EXPECT_EQ(atomic_read(&balance.item[i].p.max_entries), 1);
  }
  EXPECT(atomic_read(&balance.trues) > OPS / 4);
  EXPECT_EQ(runs + atomic_read(&balance.cancels), atomic_read(&balance.trues));
}

/* ---- T110: congested means that somebody waits */

static void t110_congested(struct workqueue_struct *wq) {
  static struct conf_item a, b;

  conf_gate_init(&a, 1);
  conf_item_init(&b, 2);
  EXPECT(!workqueue_congested(0, wq));
  conf_hold(wq, &a);
  EXPECT(!workqueue_congested(0, wq));
  EXPECT(conf_queue(wq, &b.work));
  EXPECT(workqueue_congested(0, wq));
  conf_release(&a.p);
  drain_workqueue(wq);
  EXPECT(!workqueue_congested(0, wq));
}

/* ---- A7: raising the limit starts waiting items, lowering it only affects later starts */

static void a7_raise_and_lower(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item item[6];
  int i;

  conf_log_init(&log);
  for (i = 0; i < 6; i++) {
    conf_gate_init(&item[i], i);
    item[i].p.log = &log;
    EXPECT(conf_queue(wq, &item[i].work));
  }
  CONF_WAIT(&item[0].p.entered);
  conf_linger();
  EXPECT_EQ(log.n, 1);
  workqueue_set_max_active(wq, 3);
  CONF_UNTIL(atomic_read(&log.current_entries) >= 3);
  conf_linger();
  EXPECT_EQ(log.n, 3);
  workqueue_set_max_active(wq, 1);
  conf_release(&item[0].p);
  CONF_UNTIL(conf_runs(&item[0]) == 1);
  conf_linger();
  EXPECT_EQ(log.n, 3); /* two still run, none was started */
  gates_open(item, 6);
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 6);
  EXPECT_EQ(atomic_read(&log.max_entries), 3);
}

static const struct conf_test tests[] = {
    {"T105.limit", "two per CPU", t105_percpu_limit, CONF_P, 2},
    {"T105.each", "one on each CPU", t105_one_per_cpu, CONF_P, 1},
    {"T106", "system limit", t106_system_limit, CONF_U, 4},
    {"T108.negative", "negative limit", t108_clamp_negative, 0, 0},
    {"T108.huge", "huge limit", t108_clamp_huge, 0, 0},
    {"T108.default", "default limit", t108_default, CONF_P | CONF_U, 0},
    {"T109.one", "no lost activation, limit 1", no_lost_activation, CONF_PUO, 1},
    {"T109.two", "no lost activation, limit 2", no_lost_activation, CONF_P | CONF_U, 2},
    {"T109.four", "no lost activation, limit 4", no_lost_activation, CONF_P | CONF_U, 4},
    {"T110", "congested", t110_congested, CONF_P, 1},
    {"A7", "raise and lower the limit", a7_raise_and_lower, CONF_P | CONF_U, 1},
};

CONF_MODULE("max_active", tests);
