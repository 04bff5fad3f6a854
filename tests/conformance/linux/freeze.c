/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * freeze.c: freezable queues while the system goes to sleep and changes its mind.
 *
 * Invariant under test: Z1, a frozen queue accepts items and starts none until it thaws. Covers
 * T089, T128, Z1, Z3.
 *
 * Modules may not call the freezer itself. In a kernel the test therefore begins a real
 * suspend-to-idle: freezing waits for a freezable item that is still running (the gate), and in
 * that state everything is observed; then a wake-up event makes the suspend give up before the
 * machine sleeps, and thaws. In userspace the library's freezer is called directly. Read on:
 * conf.h.
 */
#ifdef __KERNEL__
#include <linux/suspend.h>
#endif

#include "conf.h"

static struct {
  struct workqueue_struct *wq;
  struct conf_item gate;
  void (*body)(void);
} cold;

#ifdef __KERNEL__
static long frozen_thread(void *arg) {
  static struct conf_item probe;
  int i;

  /* Frozen as soon as an item that could run does not. */
  for (i = 0; i < 200; i++) {
    conf_item_init(&probe, 99);
    EXPECT(queue_work(cold.wq, &probe.work));
    msleep(100);
    if (atomic_read(&probe.p.started) == 0) break;
    flush_work(&probe.work);
  }
  EXPECT(i < 200);
  EXPECT(cancel_work(&probe.work));
  cold.body();
  pm_system_wakeup();
  conf_release(&cold.gate.p);
  return 0;
}
#endif

/* Calls `body` while the queue `wq` is frozen, and returns when it has thawed. */
static void while_frozen(struct workqueue_struct *wq, void (*body)(void)) {
  cold.wq = wq;
  cold.body = body;
  conf_gate_init(&cold.gate, 98);
  EXPECT(queue_work(wq, &cold.gate.work));
  CONF_WAIT(&cold.gate.p.entered);
  {
#ifdef __KERNEL__
    struct conf_thread t;

    conf_thread_start(&t, frozen_thread, NULL);
    EXPECT(pm_suspend(PM_SUSPEND_TO_IDLE) < 0); /* given up, as planned */
    conf_thread_join(&t);
#else
    freeze_workqueues_begin();
    body();
    conf_release(&cold.gate.p);
    thaw_workqueues();
#endif
  }
}

static struct workqueue_struct *freezable(int max_active) {
  return alloc_workqueue("conf_frz", WQ_FREEZABLE | WQ_UNBOUND, max_active);
}

/* ---- Z1: accepted, not started, started at the thaw; the running one finishes */

static struct conf_item z[4];
static struct conf_log z_log;

static void z1_body(void) {
  int i;

  for (i = 0; i < 4; i++) EXPECT(queue_work(cold.wq, &z[i].work));
  EXPECT(!queue_work(cold.wq, &z[0].work));
  conf_linger();
  EXPECT_EQ(z_log.n, 0);
  EXPECT(work_pending(&z[3].work));
}

static void z1_frozen_queue(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = freezable(0);
  int i;

  conf_log_init(&z_log);
  for (i = 0; i < 4; i++) {
    conf_item_init(&z[i], i);
    z[i].p.log = &z_log;
  }
  while_frozen(wq, z1_body);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&cold.gate), 1);
  EXPECT_EQ(z_log.n, 4);
  for (i = 0; i < 4; i++) EXPECT_EQ(conf_runs(&z[i]), 1);
  destroy_workqueue(wq);
}

/* ---- Z3: cancel works on frozen items */

static void z3_body(void) {
  EXPECT(queue_work(cold.wq, &z[0].work));
  EXPECT(queue_work(cold.wq, &z[1].work));
  EXPECT(cancel_work(&z[0].work));
  EXPECT(cancel_work_sync(&z[1].work));
  EXPECT(queue_work(cold.wq, &z[1].work));
}

static void z3_cancel_frozen(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = freezable(0);

  conf_item_init(&z[0], 0);
  conf_item_init(&z[1], 1);
  while_frozen(wq, z3_body);
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&z[0]), 0);
  EXPECT_EQ(conf_runs(&z[1]), 1);
  destroy_workqueue(wq);
}

/* ---- T089: a flush of a frozen queue waits for the thaw */

static struct conf_thread z_flusher;

static void t089_body(void) {
  EXPECT(queue_work(cold.wq, &z[0].work));
  conf_thread_block(&z_flusher, conf_do_flush_work, &z[0].work);
  EXPECT(!conf_thread_returned(&z_flusher));
}

static void t089_frozen_flush(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = freezable(0);

  conf_item_init(&z[0], 0);
  while_frozen(wq, t089_body);
  EXPECT_EQ(conf_thread_join(&z_flusher), 1);
  EXPECT_EQ(conf_runs(&z[0]), 1);
  destroy_workqueue(wq);
}

/* ---- T128: a limit that is set while frozen takes effect at the thaw */

static void t128_body(void) {
  int i;

  for (i = 0; i < 4; i++) EXPECT(queue_work(cold.wq, &z[i].work));
  workqueue_set_max_active(cold.wq, 3);
  conf_linger();
  EXPECT_EQ(z_log.n, 0); /* not yet */
}

static void t128_limit_while_frozen(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = freezable(2);
  int i;

  conf_log_init(&z_log);
  for (i = 0; i < 4; i++) {
    conf_gate_init(&z[i], i);
    z[i].p.log = &z_log;
  }
  while_frozen(wq, t128_body);
  CONF_UNTIL(atomic_read(&z_log.current_entries) == 3);
  conf_linger();
  EXPECT_EQ(z_log.n, 3);
  for (i = 0; i < 4; i++) conf_release_all(&z[i].p);
  flush_workqueue(wq);
  EXPECT_EQ(z_log.n, 4);
  destroy_workqueue(wq);
}

static const struct conf_test tests[] = {
    {"Z1", "a frozen queue starts nothing", z1_frozen_queue, 0, 0},
    {"Z3", "cancel on a frozen queue", z3_cancel_frozen, 0, 0},
    {"T089", "flush on a frozen queue", t089_frozen_flush, 0, 0},
    {"T128", "limit set while frozen", t128_limit_while_frozen, 0, 0},
};

CONF_MODULE("freeze", tests);
