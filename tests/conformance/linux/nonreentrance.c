/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * nonreentrance.c: an item never runs twice at once, and the three ways to break that.
 *
 * Invariant under test: N1, an item that keeps its function, its queue and its initialisation runs
 * on at most one worker of the whole system. Covers T016 to T020, N4 and N5. Needs two CPUs. Read
 * on: conf.h, cancel.c (T062 shows what a broken N1 costs).
 */
#include "conf.h"

/* ---- T016: another CPU was asked for, but the busy one gets the item */

static void t016_same_wq_other_cpu(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = alloc_workqueue("conf_wq", WQ_PERCPU, 0);
  static struct conf_item x;

  conf_gate_init(&x, 1);
  EXPECT(queue_work_on(0, wq, &x.work));
  CONF_WAIT(&x.p.entered);
  EXPECT(queue_work_on(1, wq, &x.work));
  conf_linger();
  EXPECT_EQ(atomic_read(&x.p.started), 1);
  conf_release_all(&x.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 2);
  EXPECT_EQ(atomic_read(&x.p.max_entries), 1);
  EXPECT_EQ(x.p.cpu[0], 0);
  EXPECT_EQ(x.p.cpu[1], 0);
  destroy_workqueue(wq);
}

/* ---- T017: a second queue with another pool breaks the promise (N3) */

static void t017_other_wq_other_pool(struct workqueue_struct *unused) {
  struct workqueue_struct *a = alloc_workqueue("conf_a", WQ_PERCPU, 0);
  struct workqueue_struct *b = alloc_workqueue("conf_b", WQ_PERCPU, 0);
  static struct conf_item x;

  conf_gate_init(&x, 1);
  EXPECT(queue_work_on(0, a, &x.work));
  CONF_WAIT(&x.p.entered);
  EXPECT(queue_work_on(1, b, &x.work));
  CONF_WAIT(&x.p.entered);
  EXPECT_EQ(atomic_read(&x.p.max_entries), 2);
  conf_release_all(&x.p);
  flush_workqueue(a);
  flush_workqueue(b);
  EXPECT_EQ(conf_runs(&x), 2);
  destroy_workqueue(a);
  destroy_workqueue(b);
}

/* ---- T019: INIT_WORK on a running item forgets where it runs (N3) */

static void t019_reinit_while_running(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = alloc_workqueue("conf_wq", WQ_PERCPU, 0);
  static struct conf_item x;

  conf_gate_init(&x, 1);
  EXPECT(queue_work_on(0, wq, &x.work));
  CONF_WAIT(&x.p.entered);
  INIT_WORK(&x.work, conf_item_fn);
  EXPECT(queue_work_on(1, wq, &x.work));
  CONF_WAIT(&x.p.entered);
  EXPECT_EQ(atomic_read(&x.p.max_entries), 2);
  conf_release_all(&x.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 2);
  destroy_workqueue(wq);
}

/* ---- T020: storm from several threads, on changing CPUs */

static struct {
  struct conf_item x;
  struct workqueue_struct *wq;
} storm;

static long storm_thread(void *arg) {
  int i, trues = 0;

  for (i = 0; i < 1500; i++) {
    trues += queue_work_on((i / 3) & 1, storm.wq, &storm.x.work);
    if (i % 64 == 0) usleep_range(100, 300);
  }
  return trues;
}

static void t020_storm(struct workqueue_struct *wq) {
  struct conf_thread thread[3];
  int i, trues = 0;

  conf_item_init(&storm.x, 1);
  storm.wq = wq;
  for (i = 0; i < 3; i++) conf_thread_start(&thread[i], storm_thread, NULL);
  for (i = 0; i < 3; i++) trues += conf_thread_join(&thread[i]);
  flush_workqueue(wq);
  EXPECT(trues > 0);
  EXPECT_EQ(conf_runs(&storm.x), trues);
  EXPECT_EQ(atomic_read(&storm.x.p.max_entries), 1);
}

/* ---- N4: two queues that meet in one pool still never run the item twice at once */

static void n4_two_queues_one_pool(struct workqueue_struct *unused) {
  struct workqueue_struct *a = alloc_workqueue("conf_a", WQ_PERCPU, 0);
  struct workqueue_struct *b = alloc_workqueue("conf_b", WQ_PERCPU, 0);
  static struct conf_item x;

  conf_gate_init(&x, 1);
  EXPECT(queue_work_on(0, a, &x.work));
  CONF_WAIT(&x.p.entered);
  EXPECT(queue_work_on(0, b, &x.work));
  conf_linger();
  EXPECT_EQ(atomic_read(&x.p.started), 1);
  conf_release_all(&x.p);
  flush_workqueue(a);
  flush_workqueue(b);
  EXPECT_EQ(conf_runs(&x), 2);
  EXPECT_EQ(atomic_read(&x.p.max_entries), 1);
  destroy_workqueue(a);
  destroy_workqueue(b);
}

/* ---- N5: recycled memory waits for the old run only if the function is the same */

static struct completion second_life;
static void second_life_fn(struct work_struct *work) { complete(&second_life); }

static void n5_recycled_memory(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = alloc_workqueue("conf_wq", WQ_PERCPU, 0);
  static struct conf_item x;

  conf_gate_init(&x, 1);
  EXPECT(queue_work_on(0, wq, &x.work));
  CONF_WAIT(&x.p.entered);
  init_completion(&second_life);
  INIT_WORK(&x.work, second_life_fn); /* another function: starts beside the old one */
  EXPECT(queue_work_on(0, wq, &x.work));
  CONF_WAIT(&second_life);
  flush_work(&x.work);
  EXPECT_EQ(conf_runs(&x), 0);

  INIT_WORK(&x.work, conf_item_fn); /* the same function: waits */
  EXPECT(queue_work_on(0, wq, &x.work));
  conf_linger();
  EXPECT_EQ(atomic_read(&x.p.started), 1);
  conf_release_all(&x.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 2);
  EXPECT_EQ(atomic_read(&x.p.max_entries), 1);
  destroy_workqueue(wq);
}

static const struct conf_test tests[] = {
    {"T016", "same wq, other CPU", t016_same_wq_other_cpu, 0, 0},
    {"T017", "other wq, other pool", t017_other_wq_other_pool, 0, 0},
    {"T019", "re-INIT while running", t019_reinit_while_running, 0, 0},
    {"T020", "reentrance storm", t020_storm, CONF_PUO, 0},
    {"N4", "two queues, one pool", n4_two_queues_one_pool, 0, 0},
    {"N5", "recycled memory", n5_recycled_memory, 0, 0},
};

CONF_MODULE("nonreentrance", tests);
