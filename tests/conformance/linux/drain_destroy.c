/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * drain_destroy.c: emptying a queue for a while and for good.
 *
 * Invariant under test: X2, while a queue drains only its own items may queue on it; Q7, everybody
 * else is told "true" and the item is dropped. Covers T093 to T104 (T101 needs a forged reference,
 * T102 hangs a kernel), X5, X9. Read on: conf.h, flush.c.
 *
 * Kernels up to 6.12 leave PENDING set on a dropped item for ever, later ones clear it; the
 * programs follow the kernel version they are built for, and always start again with INIT_WORK.
 */
#include "conf.h"

#define DROPPED_STAYS_PENDING (LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0))

/* ---- T093: from outside during a drain */

static void t093_outside_queue(struct workqueue_struct *wq) {
  static struct conf_item gate, x;
  struct conf_thread drain;

  if (conf.kind == CONF_P) conf_expect_report(); /* once per boot, and this is the first */
  conf_gate_init(&gate, 0);
  conf_item_init(&x, 1);
  conf_hold(wq, &gate);
  conf_thread_block(&drain, conf_do_drain, wq);
  EXPECT(!conf_thread_returned(&drain));
  EXPECT(conf_queue(wq, &x.work)); /* says true, and drops it */
  EXPECT_EQ(work_pending(&x.work), DROPPED_STAYS_PENDING);
  conf_release(&gate.p);
  conf_thread_join(&drain);
  EXPECT_EQ(conf_runs(&x), 0);
  INIT_WORK(&x.work, conf_item_fn);
  EXPECT(conf_queue(wq, &x.work)); /* usable again */
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 1);
}

/* ---- T094: chains complete */

static struct {
  struct work_struct link[6];
  struct workqueue_struct *wq;
  int trues, runs;
} chain;

static void link_fn(struct work_struct *work) {
  int next = (int)(work - chain.link) + 1;

  chain.runs++;
  msleep(10); /* the drain is waiting by now */
  if (next < (int)ARRAY_SIZE(chain.link)) chain.trues += queue_work(chain.wq, &chain.link[next]);
}

static void t094_chain(struct workqueue_struct *wq) {
  int i;

  memset(&chain, 0, sizeof(chain));
  chain.wq = wq;
  for (i = 0; i < (int)ARRAY_SIZE(chain.link); i++) INIT_WORK(&chain.link[i], link_fn);
  EXPECT(conf_queue(wq, &chain.link[0]));
  drain_workqueue(wq);
  EXPECT_EQ(chain.runs, 6);
  EXPECT_EQ(chain.trues, 5);
}

/* ---- T095: two drainers */

static void t095_two_drainers(struct workqueue_struct *wq) {
  static struct conf_item gate, x;
  struct conf_thread a, b;

  conf_gate_init(&gate, 0);
  conf_item_init(&x, 1);
  conf_hold(wq, &gate);
  conf_thread_block(&a, conf_do_drain, wq);
  conf_thread_block(&b, conf_do_drain, wq);
  EXPECT(!conf_thread_returned(&a));
  EXPECT(!conf_thread_returned(&b));
  EXPECT(conf_queue(wq, &x.work));
  conf_release(&gate.p);
  conf_thread_join(&a);
  conf_thread_join(&b);
  EXPECT_EQ(conf_runs(&x), 0);
  INIT_WORK(&x.work, conf_item_fn);
  EXPECT(conf_queue(wq, &x.work));
  flush_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 1);
}

/* ---- T097: a timer that expires during the drain comes from outside, too */

static void t097_expiry_during_drain(struct workqueue_struct *wq) {
  static struct conf_item gate;
  static struct conf_ditem d;
  struct conf_thread drain;

  conf_gate_init(&gate, 0);
  conf_ditem_init(&d, 1);
  conf_hold(wq, &gate);
  conf_thread_block(&drain, conf_do_drain, wq);
  EXPECT(queue_delayed_work(wq, &d.dw, 2));
  msleep(100);
  EXPECT(!conf_thread_returned(&drain));
  conf_release(&gate.p);
  conf_thread_join(&drain);
  flush_workqueue(wq);
  EXPECT_EQ(conf_druns(&d), 0);
  EXPECT_EQ(delayed_work_pending(&d.dw), DROPPED_STAYS_PENDING);
}

/* ---- X5: a chained delayed item outlives the drain */

static struct {
  struct work_struct work;
  struct workqueue_struct *wq;
  struct conf_ditem later;
  bool queued;
} arm;

static void arm_fn(struct work_struct *work) {
  msleep(30);
  arm.queued = queue_delayed_work(arm.wq, &arm.later.dw, HZ / 2);
}

static void x5_chained_delayed(struct workqueue_struct *wq) {
  INIT_WORK(&arm.work, arm_fn);
  conf_ditem_init(&arm.later, 1);
  arm.wq = wq;
  arm.queued = false;
  EXPECT(conf_queue(wq, &arm.work));
  drain_workqueue(wq);
  EXPECT(arm.queued);
  EXPECT_EQ(conf_druns(&arm.later), 0); /* not waited for */
  CONF_WAIT(&arm.later.p.entered);
  flush_workqueue(wq);
  EXPECT_EQ(conf_druns(&arm.later), 1);
}

/* ---- T098: destroy finishes what is queued, inactive items included */

static void destroy_completes(struct workqueue_struct *wq, bool percpu) {
  static struct conf_item gate, item[50];
  struct conf_thread t;
  int i, ran = 0;

  EXPECT(wq != NULL);
  if (!wq) return;
  conf.kind = percpu ? CONF_P : CONF_U;
  conf_gate_init(&gate, 0);
  conf_hold(wq, &gate);
  for (i = 0; i < 50; i++) {
    conf_item_init(&item[i], i);
    EXPECT(conf_queue(wq, &item[i].work));
  }
  conf_thread_block(&t, conf_do_destroy, wq);
  EXPECT(!conf_thread_returned(&t));
  conf_release(&gate.p);
  conf_thread_join(&t);
  for (i = 0; i < 50; i++) ran += conf_runs(&item[i]);
  EXPECT_EQ(ran, 50);
  EXPECT_EQ(conf_runs(&gate), 1);
}

static void t098_percpu(struct workqueue_struct *unused) {
  destroy_completes(alloc_workqueue("conf_p1", WQ_PERCPU, 1), true);
}
static void t098_unbound(struct workqueue_struct *unused) {
  destroy_completes(alloc_workqueue("conf_u1", WQ_UNBOUND, 1), false);
}
static void t098_ordered(struct workqueue_struct *unused) {
  destroy_completes(alloc_ordered_workqueue("conf_o", WQ_MEM_RECLAIM), false);
}

/* ---- T099: queueing on a queue that is being destroyed */

static void t099_queue_on_destroying(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = alloc_workqueue("conf_dying", WQ_UNBOUND, 0);
  static struct conf_item gate, x;
  struct conf_thread t;

  conf_gate_init(&gate, 0);
  conf_item_init(&x, 1);
  EXPECT(queue_work(wq, &gate.work));
  CONF_WAIT(&gate.p.entered);
  conf_thread_block(&t, conf_do_destroy, wq);
  EXPECT(!conf_thread_returned(&t));
  EXPECT(queue_work(wq, &x.work));
  conf_release(&gate.p);
  conf_thread_join(&t);
  EXPECT_EQ(conf_runs(&x), 0);
  EXPECT_EQ(work_pending(&x.work), DROPPED_STAYS_PENDING);
}

/* ---- T100: a drain that takes long says so */

static void t100_slow_drain(struct workqueue_struct *wq) {
  static struct conf_item x;

  conf_expect_report();
  conf_item_init(&x, 1);
  x.p.requeues = 30;
  x.p.requeue_wq = wq;
  x.p.sleep_ms = 5;
  EXPECT(conf_queue(wq, &x.work));
  drain_workqueue(wq);
  EXPECT_EQ(conf_runs(&x), 31);
  EXPECT_EQ(atomic_read(&x.p.requeue_true), 30);
}

/* ---- T103: creation and destruction in storms */

static atomic_t storm_runs;
static void storm_fn(struct work_struct *work) { atomic_inc(&storm_runs); }

static long storm_thread(void *arg) {
  int kind = *(int *)arg, i, k;
  struct work_struct item[3];

  for (k = 0; k < 3; k++) INIT_WORK_ONSTACK(&item[k], storm_fn);
  for (i = 0; i < 40; i++) {
    struct workqueue_struct *wq = kind == 0   ? alloc_workqueue("conf_s%d", WQ_PERCPU, 0, i)
                                  : kind == 1 ? alloc_workqueue("conf_s%d", WQ_UNBOUND, 0, i)
                                              : alloc_ordered_workqueue("conf_s%d", 0, i);
    if (!wq) return -1;
    for (k = 0; k < 3; k++) {
      if (!queue_work(wq, &item[k])) return -2;
    }
    destroy_workqueue(wq);
  }
  for (k = 0; k < 3; k++) destroy_work_on_stack(&item[k]);
  return 0;
}

static void t103_create_destroy_storm(struct workqueue_struct *unused) {
  static int kind[3] = {0, 1, 2};
  struct conf_thread t[3];
  int i;

  atomic_set(&storm_runs, 0);
  for (i = 0; i < 3; i++) conf_thread_start(&t[i], storm_thread, &kind[i]);
  for (i = 0; i < 3; i++) EXPECT_EQ(conf_thread_join(&t[i]), 0);
  EXPECT_EQ(atomic_read(&storm_runs), 3 * 40 * 3);
}

/* ---- T104: a BH item is never chained (X9), so a drain ends one that requeues itself for ever */

static struct {
  struct work_struct work;
  struct workqueue_struct *wq;
  struct completion entered;
  atomic_t runs, falses;
} endless;

static void endless_fn(struct work_struct *work) {
  if (atomic_inc_return(&endless.runs) == 1) complete(&endless.entered);
  udelay(100);
  if (!queue_work(endless.wq, work)) atomic_inc(&endless.falses);
}

static void t104_bh_requeue_in_drain(struct workqueue_struct *unused) {
  struct conf_thread drain;
  int runs;

  memset(&endless, 0, sizeof(endless));
  init_completion(&endless.entered);
  endless.wq = alloc_workqueue("conf_bh", CONF_BH, 0);
  EXPECT(endless.wq != NULL);
  if (!endless.wq) return;
  INIT_WORK(&endless.work, endless_fn);
  EXPECT(queue_work_on(1, endless.wq, &endless.work));
  CONF_WAIT(&endless.entered);
  conf_thread_start(&drain, conf_do_drain, endless.wq);
  conf_thread_join(&drain);
  runs = atomic_read(&endless.runs);
  conf_linger();
  EXPECT_EQ(atomic_read(&endless.runs), runs); /* the last requeue was dropped ... */
  EXPECT_EQ(atomic_read(&endless.falses), 0);  /* ... and told "true" all the same */
  EXPECT_EQ(work_pending(&endless.work), DROPPED_STAYS_PENDING);
  destroy_workqueue(endless.wq);
}

static const struct conf_test tests[] = {
    {"T093", "outside queue during drain", t093_outside_queue, CONF_PUO, 0},
    {"T094", "chain", t094_chain, CONF_PUO, 0},
    {"T095", "two drainers", t095_two_drainers, CONF_PUO, 0},
    {"T097", "expiry during drain", t097_expiry_during_drain, CONF_PUO, 0},
    {"X5", "chained delayed item", x5_chained_delayed, CONF_PUO, 0},
    {"T098.percpu", "destroy completes all", t098_percpu, 0, 0},
    {"T098.unbound", "destroy completes all", t098_unbound, 0, 0},
    {"T098.ordered", "destroy completes all", t098_ordered, 0, 0},
    {"T099", "queue on destroying", t099_queue_on_destroying, 0, 0},
    {"T100", "slow drain message", t100_slow_drain, CONF_PUO, 0},
    {"T103", "create and destroy storm", t103_create_destroy_storm, 0, 0},
    {"T104", "BH requeue during drain", t104_bh_requeue_in_drain, 0, 0},
};

CONF_MODULE("drain_destroy", tests);
