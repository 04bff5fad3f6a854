/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * misc.c: BH workqueues, what alloc_workqueue() refuses or corrects, RCU work, small calls.
 *
 * Invariant under test: B1, BH items run in queueing order, one at a time, and never as a worker's
 * item. Covers T129 to T131, T134 to T136, B1. T125, T126, T132 and T133 need fault injection or
 * calls that modules may not make. Read on: conf.h, freeze.c.
 */
#include <linux/rcupdate.h>

#include "conf.h"

/* ---- T129, B1: BH context; items here must not sleep, so they have their own type */

struct bh_item {
  struct delayed_work dw;
  int id;
  struct conf_log *log;
  int burn_us;
  struct work_struct *current_inside;
  struct completion entered;
  atomic_t runs;
};

static void bh_fn(struct work_struct *work) {
  struct bh_item *b = container_of(to_delayed_work(work), struct bh_item, dw);

  b->current_inside = current_work();
  complete(&b->entered);
  if (b->log) conf_log_enter(b->log, b->id);
  if (b->burn_us) conf_burn_us(b->burn_us);
  if (b->log) atomic_dec(&b->log->current_entries);
  atomic_inc(&b->runs);
}

static void bh_init(struct bh_item *b, int id, struct conf_log *log) {
  memset(b, 0, sizeof(*b));
  INIT_DELAYED_WORK(&b->dw, bh_fn);
  init_completion(&b->entered);
  b->id = id;
  b->log = log;
}

static void bh_basics(struct workqueue_struct *wq) {
  static struct bh_item b;

  bh_init(&b, 1, NULL);
  b.current_inside = &b.dw.work;
  EXPECT(queue_work(wq, &b.dw.work));
  flush_work(&b.dw.work);
  EXPECT_EQ(atomic_read(&b.runs), 1);
  EXPECT(b.current_inside == NULL); /* not a worker's item */

  EXPECT(queue_delayed_work(wq, &b.dw, 3));
  EXPECT(!queue_delayed_work(wq, &b.dw, 0));
  EXPECT(flush_delayed_work(&b.dw) || atomic_read(&b.runs) == 2);
  EXPECT_EQ(atomic_read(&b.runs), 2);

  EXPECT(queue_delayed_work(wq, &b.dw, 20 * HZ));
  EXPECT(cancel_delayed_work_sync(&b.dw));
  EXPECT(!cancel_work_sync(&b.dw.work));
  EXPECT(!disable_work_sync(&b.dw.work));
  EXPECT(!queue_work(wq, &b.dw.work));
  EXPECT(enable_work(&b.dw.work));
  EXPECT(queue_work(wq, &b.dw.work));
  flush_workqueue(wq);
  EXPECT_EQ(atomic_read(&b.runs), 3);
}

static void t129_bh_context(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = alloc_workqueue("conf_bh", CONF_BH, 0);

  EXPECT(wq != NULL);
  if (!wq) return;
  bh_basics(wq);
  destroy_workqueue(wq);
}

static void t129_bh_highpri(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = alloc_workqueue("conf_bhhi", CONF_BH | WQ_HIGHPRI, 0);

  EXPECT(wq != NULL);
  if (!wq) return;
  bh_basics(wq);
  destroy_workqueue(wq);
}

static void b1_bh_order(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = alloc_workqueue("conf_bh", CONF_BH, 0);
  static struct conf_log log;
  static struct bh_item item[12];
  int i;

  conf_log_init(&log);
  for (i = 0; i < 12; i++) {
    bh_init(&item[i], i, &log);
    item[i].burn_us = 200;
  }
  for (i = 0; i < 12; i++) EXPECT(queue_work_on(1, wq, &item[i].dw.work));
  for (i = 0; i < 12; i++) flush_work(&item[i].dw.work);
  EXPECT_EQ(log.n, 12);
  for (i = 0; i < 12; i++) EXPECT_EQ(log.id[i], i);
  EXPECT_EQ(atomic_read(&log.max_entries), 1);
  destroy_workqueue(wq);
}

/* ---- T130: BH queues have no limit and no other flags */

static void t130_bh_with_limit(struct workqueue_struct *unused) {
  conf_expect_report();
  EXPECT(alloc_workqueue("conf_bad", CONF_BH, 1) == NULL);
}

static void t130_bh_unbound(struct workqueue_struct *unused) {
  conf_expect_report();
  EXPECT(alloc_workqueue("conf_bad", CONF_BH | WQ_UNBOUND, 0) == NULL);
}

/* ---- T131: a BH item may cancel a BH item of another CPU and wait for it */

static struct {
  struct work_struct canceller;
  struct bh_item victim;
  bool result;
  int runs_after;
  struct completion done;
} bh_pair;

static void bh_canceller_fn(struct work_struct *work) {
  bh_pair.result = cancel_work_sync(&bh_pair.victim.dw.work);
  bh_pair.runs_after = atomic_read(&bh_pair.victim.runs);
  complete(&bh_pair.done);
}

static void t131_bh_cancels_bh(struct workqueue_struct *unused) {
  int round;

  for (round = 0; round < 10; round++) {
    INIT_WORK(&bh_pair.canceller, bh_canceller_fn);
    bh_init(&bh_pair.victim, 1, NULL);
    bh_pair.victim.burn_us = 4000;
    init_completion(&bh_pair.done);
    EXPECT(queue_work_on(1, system_bh_wq, &bh_pair.victim.dw.work));
    CONF_WAIT(&bh_pair.victim.entered);
    EXPECT(queue_work_on(0, system_bh_wq, &bh_pair.canceller));
    CONF_WAIT(&bh_pair.done);
    EXPECT(!bh_pair.result);
    EXPECT_EQ(bh_pair.runs_after, 1); /* it was waited for */
    flush_work(&bh_pair.canceller);
  }
}

/* ---- T134: a queue says whether it is per-cpu or unbound; later kernels insist */

static void t134_run_one(unsigned int flags) {
  struct workqueue_struct *wq = alloc_workqueue("conf_flags", flags, 0);
  static struct conf_item x;

  EXPECT(wq != NULL);
  if (!wq) return;
  conf_item_init(&x, 1);
  EXPECT(queue_work_on(1, wq, &x.work));
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 1);
  if (!(flags & WQ_UNBOUND)) EXPECT_EQ(x.p.cpu[0], 1); /* neither: per-cpu */
  destroy_workqueue(wq);
}

static void t134_neither(struct workqueue_struct *unused) {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
  conf_expect_report();
#endif
  t134_run_one(0);
}

static void t134_both(struct workqueue_struct *unused) {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
  conf_expect_report();
#endif
  t134_run_one(WQ_PERCPU | WQ_UNBOUND);
}

/* ---- T135: long names are cut, and said to be */

static void t135_name_truncation(struct workqueue_struct *unused) {
  struct workqueue_struct *wq;
  static struct conf_item x;

  conf_expect_report();
  wq = alloc_workqueue("conf_%s_%d", WQ_UNBOUND, 0, "a_name_that_is_longer_than_any_kernel", 12345);
  EXPECT(wq != NULL);
  if (!wq) return;
  conf_item_init(&x, 1);
  EXPECT(queue_work(wq, &x.work));
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 1);
  destroy_workqueue(wq);
}

/* ---- T136: RCU work runs when the readers have left */

static struct {
  struct rcu_work rw;
  struct workqueue_struct *wq;
  struct completion reading;
  atomic_t leave;
  atomic_t runs;
} rcu;

static void rcu_work_fn(struct work_struct *work) {
  if (to_rcu_work(work) == &rcu.rw) atomic_inc(&rcu.runs);
}

static long rcu_reader(void *arg) {
  rcu_read_lock();
  complete(&rcu.reading);
  while (!atomic_read(&rcu.leave)) udelay(20);
  rcu_read_unlock();
  return 0;
}

static void t136_rcu_work(struct workqueue_struct *wq) {
  struct conf_thread reader;

  INIT_RCU_WORK(&rcu.rw, rcu_work_fn);
  init_completion(&rcu.reading);
  atomic_set(&rcu.leave, 0);
  atomic_set(&rcu.runs, 0);
  conf_thread_start(&reader, rcu_reader, NULL);
  CONF_WAIT(&rcu.reading);
  EXPECT(queue_rcu_work(wq, &rcu.rw));
  EXPECT(!queue_rcu_work(wq, &rcu.rw));
  EXPECT(work_pending(&rcu.rw.work));
  conf_linger();
  EXPECT_EQ(atomic_read(&rcu.runs), 0);
  atomic_set(&rcu.leave, 1);
  conf_thread_join(&reader);
  flush_rcu_work(&rcu.rw);
  EXPECT_EQ(atomic_read(&rcu.runs), 1);
  EXPECT(!flush_rcu_work(&rcu.rw));
  EXPECT(queue_rcu_work(wq, &rcu.rw));
  EXPECT(flush_rcu_work(&rcu.rw)); /* pending: waits for the grace period and the run */
  EXPECT_EQ(atomic_read(&rcu.runs), 2);
}

/* ---- 1.12: the system queues run what they are given */

static void system_queues(struct workqueue_struct *unused) {
  struct workqueue_struct *const all[] = {
      system_percpu_wq,
      system_highpri_wq,
      system_long_wq,
      system_dfl_wq,
      system_freezable_wq,
      system_power_efficient_wq,
      system_freezable_power_efficient_wq,
  };
  static struct conf_item x;
  int i;

  for (i = 0; i < (int)ARRAY_SIZE(all); i++) {
    conf_item_init(&x, 1);
    EXPECT(all[i] != NULL);
    EXPECT(queue_work(all[i], &x.work));
    flush_work(&x.work);
    EXPECT_EQ(conf_runs(&x), 1);
  }
}

/* ---- 1.6: work items on the stack, queue_work_node(), set_worker_desc() */

struct stack_item {
  struct work_struct work;
  int runs;
};

static void stack_fn(struct work_struct *work) {
  set_worker_desc("conf %d", 7);
  container_of(work, struct stack_item, work)->runs++;
}

static void on_stack(struct workqueue_struct *unused) {
  struct stack_item x = {.runs = 0};

  INIT_WORK_ONSTACK(&x.work, stack_fn);
  EXPECT(schedule_work_on(1, &x.work));
  flush_work(&x.work);
  EXPECT(queue_work_node(0, system_dfl_wq, &x.work));
  flush_work(&x.work);
  destroy_work_on_stack(&x.work);
  EXPECT_EQ(x.runs, 2);
}

static const struct conf_test tests[] = {
    {"T129", "BH context", t129_bh_context, 0, 0},
    {"T129.highpri", "BH context, high priority", t129_bh_highpri, 0, 0},
    {"B1", "BH order", b1_bh_order, 0, 0},
    {"T130.limit", "BH with a limit", t130_bh_with_limit, 0, 0},
    {"T130.unbound", "BH and unbound", t130_bh_unbound, 0, 0},
    {"T131", "BH cancels BH", t131_bh_cancels_bh, 0, 0},
    {"T134.neither", "neither per-cpu nor unbound", t134_neither, 0, 0},
    {"T134.both", "per-cpu and unbound", t134_both, 0, 0},
    {"T135", "name truncation", t135_name_truncation, 0, 0},
    {"T136", "rcu_work", t136_rcu_work, CONF_PUO, 0},
    {"SYSTEM", "system queues", system_queues, 0, 0},
    {"ONSTACK", "item on the stack", on_stack, 0, 0},
};

CONF_MODULE("misc", tests);
