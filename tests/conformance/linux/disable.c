/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * disable.c: disable and enable, a counted gate that forgets what it removed.
 *
 * Invariant under test: E1 to E8, depth counts, enabling says true only when it reaches zero, and a
 * cancelled instance is not restored. Covers T067 to T077, E4, E5. Read on: conf.h, cancel.c.
 */
#include "conf.h"

static void t067_depth(struct workqueue_struct *wq) {
  static struct conf_item x;

  conf_item_init(&x, 1);
  EXPECT(!disable_work(&x.work));
  EXPECT(!conf_queue(wq, &x.work));
  EXPECT(!disable_work_sync(&x.work));
  EXPECT(!enable_work(&x.work));
  EXPECT(!conf_queue(wq, &x.work));
  EXPECT(enable_work(&x.work));
  EXPECT(conf_queue(wq, &x.work));
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 1);
}

static void t068_not_restored(struct workqueue_struct *wq) {
  static struct conf_item gate, x;

  conf_gate_init(&gate, 0);
  conf_item_init(&x, 1);
  conf_hold(wq, &gate);
  EXPECT(conf_queue(wq, &x.work));
  EXPECT(disable_work(&x.work));
  EXPECT(enable_work(&x.work));
  EXPECT_EQ(work_busy(&x.work), 0);
  conf_release(&gate.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 0);
}

static void t069_underflow(struct workqueue_struct *unused) {
  static struct conf_item x;

  conf_expect_report();
  conf_item_init(&x, 1);
  EXPECT(enable_work(&x.work));
  EXPECT(schedule_work(&x.work));
  flush_work(&x.work);
  EXPECT_EQ(conf_runs(&x), 1);
}

static void t072_armed_timer(struct workqueue_struct *wq) {
  static struct conf_ditem d;

  conf_ditem_init(&d, 1);
  EXPECT(queue_delayed_work(wq, &d.dw, HZ / 4));
  EXPECT(disable_delayed_work(&d.dw));
  EXPECT(!delayed_work_pending(&d.dw));
  msleep(350);
  EXPECT_EQ(conf_druns(&d), 0);
  EXPECT(enable_delayed_work(&d.dw));
  EXPECT(queue_delayed_work(wq, &d.dw, 20 * HZ));
  EXPECT(disable_delayed_work_sync(&d.dw));
  EXPECT(enable_delayed_work(&d.dw));
  EXPECT(!delayed_work_pending(&d.dw));
}

static void t074_disable_sync_waits(struct workqueue_struct *wq) {
  static struct conf_item x;
  struct conf_thread t;

  conf_gate_init(&x, 1);
  x.p.requeues = 1;
  x.p.requeue_wq = wq;
  conf_hold(wq, &x);
  conf_thread_block(&t, conf_do_disable_sync, &x.work);
  EXPECT(!conf_thread_returned(&t));
  conf_release_all(&x.p);
  EXPECT_EQ(conf_thread_join(&t), 0);
  EXPECT_EQ(conf_runs(&x), 1);
  EXPECT_EQ(atomic_read(&x.p.requeue_true), 0);
  EXPECT(enable_work(&x.work));
}

static void t075_reinit_resets(struct workqueue_struct *wq) {
  static struct conf_item x;

  conf_item_init(&x, 1);
  EXPECT(!disable_work(&x.work));
  EXPECT(!disable_work(&x.work));
  INIT_WORK(&x.work, conf_item_fn);
  EXPECT(conf_queue(wq, &x.work));
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 1);
}

static void t076_overflow(struct workqueue_struct *unused) {
  static struct conf_item x;
  int i, early = 0;

  conf_expect_report();
  conf_item_init(&x, 1);
  for (i = 0; i < 65536; i++) disable_work(&x.work); /* one more than the depth can hold */
  EXPECT(!schedule_work(&x.work));
  for (i = 0; i < 65534; i++) early += enable_work(&x.work);
  EXPECT_EQ(early, 0);
  EXPECT(!schedule_work(&x.work));
  EXPECT(enable_work(&x.work));
  EXPECT(schedule_work(&x.work));
  flush_work(&x.work);
  EXPECT_EQ(conf_runs(&x), 1);
}

static struct {
  struct conf_item x;
  struct workqueue_struct *wq;
  atomic_t stop;
} storm;

static long storm_thread(void *arg) {
  long trues = 0;
  int i;

  for (i = 0; !atomic_read(&storm.stop); i++) {
    trues += queue_work_on((i / 3) & 1, storm.wq, &storm.x.work);
    if (i % 16 == 0) usleep_range(50, 150); /* lets the workers of this CPU run */
  }
  return trues;
}

static void t077_disable_and_storm(struct workqueue_struct *wq) {
  struct conf_thread t;
  int round, removed = 0;
  long trues;

  conf_item_init(&storm.x, 1);
  storm.wq = wq;
  atomic_set(&storm.stop, 0);
  conf_thread_start(&t, storm_thread, NULL);
  for (round = 0; round < 60; round++) {
    int before;

    before = conf_runs(&storm.x);
    CONF_UNTIL(conf_runs(&storm.x) > before);
    removed += disable_work_sync(&storm.x.work);
    before = atomic_read(&storm.x.p.started);
    EXPECT_EQ(work_busy(&storm.x.work) & WORK_BUSY_RUNNING, 0);
    usleep_range(500, 1500);
    EXPECT_EQ(atomic_read(&storm.x.p.started), before);
    EXPECT_EQ(conf_runs(&storm.x), before);
    EXPECT(enable_work(&storm.x.work));
  }
  atomic_set(&storm.stop, 1);
  trues = conf_thread_join(&t);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&storm.x) + removed, trues);
  EXPECT_EQ(atomic_read(&storm.x.p.max_entries), 1);
}

static void e4_enable_and_queue(struct workqueue_struct *wq) {
  static struct conf_item x;

  conf_item_init(&x, 1);
  EXPECT(!disable_work(&x.work));
  EXPECT(!disable_work(&x.work));
  EXPECT(!enable_and_queue_work(wq, &x.work));
  EXPECT(!work_pending(&x.work));
  EXPECT(enable_and_queue_work(wq, &x.work));
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 1);
}

static void e5_disable_does_not_wait(struct workqueue_struct *wq) {
  static struct conf_item x;

  conf_gate_init(&x, 1);
  x.p.requeues = 1;
  x.p.requeue_wq = wq;
  conf_hold(wq, &x);
  EXPECT(!disable_work(&x.work)); /* returns although the item runs */
  EXPECT_EQ(conf_runs(&x), 0);
  conf_release_all(&x.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 1);
  EXPECT_EQ(atomic_read(&x.p.requeue_true), 0);
  EXPECT(enable_work(&x.work));
}

static const struct conf_test tests[] = {
    {"T067", "depth", t067_depth, CONF_PUO, 0},
    {"T068", "not restored", t068_not_restored, CONF_P | CONF_O, 1},
    {"T069", "underflow", t069_underflow, 0, 0},
    {"T072", "armed timer disabled", t072_armed_timer, CONF_P | CONF_U, 0},
    {"T074", "disable_sync waits", t074_disable_sync_waits, CONF_PUO, 0},
    {"T075", "re-INIT resets", t075_reinit_resets, CONF_PUO, 0},
    {"T076", "overflow", t076_overflow, 0, 0},
    {"T077", "disable and storm", t077_disable_and_storm, CONF_PUO, 0},
    {"E4", "enable_and_queue_work", e4_enable_and_queue, CONF_PUO, 0},
    {"E5", "disable does not wait", e5_disable_does_not_wait, CONF_PUO, 0},
};

CONF_MODULE("disable", tests);
