/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * concurrency.c: how many items of one CPU run at once when nothing limits them but the CPU itself.
 *
 * Invariant under test: P1, a per-cpu pool starts another item only while none of its workers is
 * running. Covers T113 to T121. Everything is decided by the order of events. Where an unlucky host
 * could make a short burn look like a CPU hog (P4), a scenario gets some attempts: what is never
 * seen fails. Read on: conf.h, max_active.c.
 */
#include "conf.h"

#define ATTEMPTS 12

/* ---- T113: items that use the CPU run one by one */

static bool serial_once(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item item[4];
  bool fifo = true;
  int i;

  conf_log_init(&log);
  for (i = 0; i < 4; i++) {
    conf_item_init(&item[i], i);
    item[i].p.log = &log;
    item[i].p.burn_us = 3000;
    EXPECT(queue_work_on(0, wq, &item[i].work));
  }
  flush_workqueue(wq);
  EXPECT_EQ(log.n, 4);
  for (i = 0; i < 4; i++) fifo = fifo && log.id[i] == i;
  return fifo && atomic_read(&log.max_entries) == 1;
}

static void t113_cpu_bound_serial(struct workqueue_struct *wq) {
  int attempt, good = 0;

  for (attempt = 0; attempt < ATTEMPTS; attempt++) good += serial_once(wq);
  EXPECT(good >= ATTEMPTS / 2);
}

/* ---- T114: items that sleep run together */

static void t114_sleepers_parallel(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item item[4];
  int i;

  conf_log_init(&log);
  for (i = 0; i < 4; i++) {
    conf_gate_init(&item[i], i);
    item[i].p.log = &log;
    EXPECT(queue_work_on(0, wq, &item[i].work));
  }
  CONF_UNTIL(atomic_read(&log.current_entries) == 4);
  for (i = 0; i < 4; i++) {
    EXPECT_EQ(log.id[i], i);
    conf_release(&item[i].p);
  }
  flush_workqueue(wq);
}

/* ---- T115: the example of the kernel's documentation, by order of events */

static struct {
  struct work_struct w[3];
  atomic_t clock; /* counts events */
  int start[3], end[3], slept[3];
} example;

static void example_fn(struct work_struct *work) {
  int i = (int)(work - example.w);

  example.start[i] = atomic_inc_return(&example.clock);
  conf_burn_us(1000);
  msleep(60);
  example.slept[i] = atomic_inc_return(&example.clock);
  if (i == 0) conf_burn_us(1000);
  example.end[i] = atomic_inc_return(&example.clock);
}

static void run_example(struct workqueue_struct *wq) {
  int i;

  memset(&example, 0, sizeof(example));
  for (i = 0; i < 3; i++) INIT_WORK(&example.w[i], example_fn);
  for (i = 0; i < 3; i++) EXPECT(queue_work_on(0, wq, &example.w[i]));
  flush_workqueue(wq);
}

static void t115_three_at_once(struct workqueue_struct *wq) {
  run_example(wq);
  /* w1 starts when w0 sleeps, w2 when w1 sleeps, all before w0 wakes up. */
  EXPECT_EQ(example.start[0], 1);
  EXPECT_EQ(example.start[1], 2);
  EXPECT_EQ(example.start[2], 3);
  EXPECT(example.slept[0] > example.start[2]);
}

static void t115_two_at_once(struct workqueue_struct *wq) {
  run_example(wq);
  EXPECT_EQ(example.start[0], 1);
  EXPECT_EQ(example.start[1], 2);
  /* w2 has to wait for the first of the two to end. */
  EXPECT(example.start[2] > example.end[0] || example.start[2] > example.end[1]);
}

/* ---- T116: items that wait for items behind them */

static void t116_interdependent(struct workqueue_struct *wq) {
  static struct conf_log log;
  static struct conf_item item[33];
  int i;

  /* 32 items wait for what only the last one brings. */
  conf_log_init(&log);
  for (i = 0; i < 33; i++) {
    conf_gate_init(&item[i], i);
    item[i].p.log = &log;
  }
  item[32].p.gated = false;
  for (i = 0; i < 33; i++) EXPECT(conf_queue(wq, &item[i].work));
  CONF_WAIT(&item[32].p.entered);
  CONF_UNTIL(atomic_read(&log.current_entries) == 32);
  for (i = 0; i < 32; i++) conf_release(&item[i].p);
  flush_workqueue(wq);
  for (i = 0; i < 33; i++) EXPECT_EQ(conf_runs(&item[i]), 1);
}

/* ---- T117: a CPU hog stops holding the others back */

static void t117_hog_detection(struct workqueue_struct *wq) {
  static struct conf_item hog, other;
  int attempt, overlaps = 0;

  for (attempt = 0; attempt < ATTEMPTS && overlaps == 0; attempt++) {
    conf_item_init(&hog, 1);
    conf_item_init(&other, 2);
    hog.p.burn_us = 200000;
    EXPECT(queue_work_on(0, wq, &hog.work));
    EXPECT(queue_work_on(0, wq, &other.work));
    CONF_WAIT(&other.p.entered);
    overlaps += conf_runs(&hog) == 0;
    flush_workqueue(wq);
  }
  EXPECT(overlaps > 0);
}

/* ---- T119: WQ_CPU_INTENSIVE items do not hold the others back at all */

static void t119_cpu_intensive(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = alloc_workqueue("conf_hard", WQ_PERCPU | WQ_CPU_INTENSIVE, 0);
  static struct conf_log log;
  static struct conf_item item[3];
  int i, attempt, overlaps = 0;

  for (attempt = 0; attempt < ATTEMPTS && overlaps == 0; attempt++) {
    conf_log_init(&log);
    for (i = 0; i < 3; i++) {
      conf_item_init(&item[i], i);
      item[i].p.log = &log;
      item[i].p.burn_us = 9000; /* below what would make it a hog */
      EXPECT(queue_work_on(0, wq, &item[i].work));
    }
    flush_workqueue(wq);
    overlaps += atomic_read(&log.max_entries) > 1;
  }
  EXPECT(overlaps > 0);
  destroy_workqueue(wq);
}

/* ---- T120: the high-priority pool is not held back by the normal one */

static struct {
  struct work_struct hog;
  struct conf_item urgent;
  struct workqueue_struct *high;
  bool started_meanwhile;
} prio;

static void prio_hog_fn(struct work_struct *work) {
  queue_work_on(0, prio.high, &prio.urgent.work);
  conf_burn_us(9000); /* less than what would make it a hog and let anything start beside it */
  prio.started_meanwhile = atomic_read(&prio.urgent.p.started) == 1;
}

static void t120_highpri(struct workqueue_struct *wq) {
  int attempt, overlaps = 0;

  prio.high = alloc_workqueue("conf_high", WQ_PERCPU | WQ_HIGHPRI, 0);
  for (attempt = 0; attempt < ATTEMPTS && overlaps == 0; attempt++) {
    INIT_WORK(&prio.hog, prio_hog_fn);
    conf_item_init(&prio.urgent, 1);
    EXPECT(queue_work_on(0, wq, &prio.hog));
    flush_workqueue(wq);
    flush_workqueue(prio.high);
    EXPECT_EQ(conf_runs(&prio.urgent), 1);
    overlaps += prio.started_meanwhile;
  }
  EXPECT(overlaps > 0);
  destroy_workqueue(prio.high);
}

/* ---- T121: one pool is one FIFO, whatever the queues */

static void t121_fifo_across_queues(struct workqueue_struct *a) {
  struct workqueue_struct *b = alloc_workqueue("conf_b", WQ_PERCPU, 0);
  static struct conf_log log;
  static struct conf_item item[6];
  int i;

  conf_log_init(&log);
  for (i = 0; i < 6; i++) {
    conf_item_init(&item[i], i);
    item[i].p.log = &log;
    EXPECT(queue_work_on(0, i & 1 ? b : a, &item[i].work));
  }
  flush_workqueue(a);
  flush_workqueue(b);
  EXPECT_EQ(log.n, 6);
  for (i = 0; i < 6; i++) EXPECT_EQ(log.id[i], i);
  destroy_workqueue(b);
}

static const struct conf_test tests[] = {
    {"T113", "CPU-bound items are serial", t113_cpu_bound_serial, CONF_P, 0},
    {"T114", "sleepers are parallel", t114_sleepers_parallel, CONF_P, 0},
    {"T115.three", "documentation example, limit 3", t115_three_at_once, CONF_P, 3},
    {"T115.two", "documentation example, limit 2", t115_two_at_once, CONF_P, 2},
    {"T116", "interdependent items", t116_interdependent, CONF_P | CONF_U, 0},
    {"T117", "hog detection", t117_hog_detection, CONF_P, 0},
    {"T119", "WQ_CPU_INTENSIVE", t119_cpu_intensive, 0, 0},
    {"T120", "WQ_HIGHPRI", t120_highpri, CONF_P, 0},
    {"T121", "FIFO across queues", t121_fifo_across_queues, CONF_P, 0},
};

CONF_MODULE("concurrency", tests);
