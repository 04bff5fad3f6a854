/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * delayed.c: delayed work: never early, one deadline, and who owns the item while the timer is
 * armed.
 *
 * Invariant under test: an armed timer is a pending item (D3), and the item runs no earlier than
 * asked (D2). Covers T031 to T049. Read on: conf.h, cancel.c.
 */
#include <linux/timer.h>

#include "conf.h"

#define LONG_DELAY (20 * HZ) /* never expires within a scenario */

/* ---- T031: delay 0 arms no timer */

static void t031_delay_zero(struct workqueue_struct *wq) {
  static struct conf_item gate;
  static struct conf_ditem d;

  conf_gate_init(&gate, 0);
  conf_ditem_init(&d, 1);
  conf_hold(wq, &gate);
  EXPECT(queue_delayed_work(wq, &d.dw, 0));
  EXPECT(!timer_pending(&d.dw.timer));
  EXPECT(delayed_work_pending(&d.dw));
  conf_release(&gate.p);
  flush_workqueue(wq); /* would not wait for a timer */
  EXPECT_EQ(conf_druns(&d), 1);
}

/* ---- T032: never early, and not much later */

static void t032_never_early(struct workqueue_struct *wq) {
  static const int delay[] = {1, 2, 3, 10, 50, 100};
  enum { KINDS = ARRAY_SIZE(delay), EACH = 4 };
  static struct conf_ditem d[KINDS * EACH];
  static unsigned long armed[KINDS * EACH];
  int i;

  for (i = 0; i < KINDS * EACH; i++) {
    conf_ditem_init(&d[i], i);
    armed[i] = jiffies;
    EXPECT(queue_delayed_work(wq, &d[i].dw, delay[i / EACH]));
    if (i % 3 == 0) usleep_range(300, 900); /* not all from one tick */
  }
  for (i = 0; i < KINDS * EACH; i++) {
    long ticks;

    CONF_WAIT(&d[i].p.entered);
    ticks = (long)(d[i].p.entered_jiffies - armed[i]);
    if (ticks < delay[i / EACH]) conf_fail(__LINE__, "ticks", ticks, delay[i / EACH]);
    EXPECT(ticks <= delay[i / EACH] + delay[i / EACH] / 8 + 2 + 10 * HZ);
  }
  flush_workqueue(wq);
  for (i = 0; i < KINDS * EACH; i++) EXPECT_EQ(conf_druns(&d[i]), 1);
}

/* ---- T034: the inner item of an armed delayed work cannot be queued */

static void t034_queue_inner(struct workqueue_struct *wq) {
  static struct conf_ditem d;

  conf_ditem_init(&d, 1);
  EXPECT(queue_delayed_work(wq, &d.dw, LONG_DELAY));
  EXPECT(!queue_work(wq, &d.dw.work));
  EXPECT(!queue_delayed_work(wq, &d.dw, 0));
  EXPECT(delayed_work_pending(&d.dw));
  EXPECT(cancel_delayed_work_sync(&d.dw));
  EXPECT_EQ(conf_druns(&d), 0);
}

/* ---- T035: what mod_delayed_work() returns in each state */

static void t035_mod_return_values(struct workqueue_struct *wq) {
  static struct conf_item gate;
  static struct conf_ditem d;

  conf_gate_init(&gate, 0);
  conf_ditem_init(&d, 1);
  d.p.gated = true;
  EXPECT(!mod_delayed_work(wq, &d.dw, LONG_DELAY)); /* idle */
  EXPECT(delayed_work_pending(&d.dw));
  EXPECT(mod_delayed_work(wq, &d.dw, LONG_DELAY)); /* timer armed */
  EXPECT(delayed_work_pending(&d.dw));

  conf_hold(wq, &gate);
  EXPECT(mod_delayed_work(wq, &d.dw, 0));
  EXPECT(mod_delayed_work(wq, &d.dw, LONG_DELAY)); /* on the list */
  EXPECT(delayed_work_pending(&d.dw));
  EXPECT(timer_pending(&d.dw.timer));
  conf_release(&gate.p);
  flush_workqueue(wq);
  EXPECT_EQ(atomic_read(&d.p.started), 0);

  EXPECT(mod_delayed_work(wq, &d.dw, 0));
  CONF_WAIT(&d.p.entered);
  EXPECT(!mod_delayed_work(wq, &d.dw, LONG_DELAY)); /* running only */
  EXPECT(delayed_work_pending(&d.dw));
  EXPECT(mod_delayed_work(wq, &d.dw, LONG_DELAY)); /* running, timer armed */
  EXPECT(delayed_work_pending(&d.dw));
  EXPECT(cancel_delayed_work(&d.dw));
  conf_release_all(&d.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_druns(&d), 1);

  EXPECT(!disable_delayed_work(&d.dw));
  EXPECT(!mod_delayed_work(wq, &d.dw, 0)); /* disabled */
  EXPECT(!queue_delayed_work(wq, &d.dw, 0));
  EXPECT(!delayed_work_pending(&d.dw));
  EXPECT(enable_delayed_work(&d.dw));
  flush_workqueue(wq);
  EXPECT_EQ(conf_druns(&d), 1);
}

/* ---- T036: shorten and extend */

static void t036_shorten_extend(struct workqueue_struct *wq) {
  static struct conf_ditem d;
  unsigned long start;

  conf_ditem_init(&d, 1);
  EXPECT(queue_delayed_work(wq, &d.dw, LONG_DELAY));
  start = jiffies;
  EXPECT(mod_delayed_work(wq, &d.dw, 5));
  CONF_WAIT(&d.p.entered);
  EXPECT(d.p.entered_jiffies - start >= 5);
  EXPECT(d.p.entered_jiffies - start < LONG_DELAY);
  flush_workqueue(wq);
  EXPECT_EQ(conf_druns(&d), 1);

  conf_ditem_init(&d, 1);
  EXPECT(queue_delayed_work(wq, &d.dw, HZ / 2));
  start = jiffies;
  EXPECT(mod_delayed_work(wq, &d.dw, HZ));
  CONF_WAIT(&d.p.entered);
  EXPECT(d.p.entered_jiffies - start >= HZ);
  flush_workqueue(wq);
  EXPECT_EQ(conf_druns(&d), 1);
}

/* ---- T038: flushes do not wait for an armed timer */

static void t038_flush_and_armed_timer(struct workqueue_struct *wq) {
  static struct conf_ditem d;
  unsigned long start = jiffies;

  conf_ditem_init(&d, 1);
  EXPECT(queue_delayed_work(wq, &d.dw, HZ));
  EXPECT(!flush_work(&d.dw.work));
  flush_workqueue(wq);
  EXPECT(delayed_work_pending(&d.dw));
  EXPECT_EQ(conf_druns(&d), 0);
  CONF_WAIT(&d.p.entered);
  EXPECT(d.p.entered_jiffies - start >= HZ);
  flush_workqueue(wq);
  EXPECT_EQ(conf_druns(&d), 1);
}

/* ---- T039: flush_delayed_work() turns "armed" into "now" */

static void t039_flush_delayed_work(struct workqueue_struct *wq) {
  static struct conf_ditem d;
  unsigned long start = jiffies;

  conf_ditem_init(&d, 1);
  d.p.sleep_ms = 50; /* long enough for the flush to find it running */
  EXPECT(queue_delayed_work(wq, &d.dw, LONG_DELAY));
  EXPECT(flush_delayed_work(&d.dw));
  EXPECT_EQ(conf_druns(&d), 1);
  EXPECT(jiffies - start < LONG_DELAY);
  EXPECT(!delayed_work_pending(&d.dw));
  EXPECT(!timer_pending(&d.dw.timer));
  EXPECT(!flush_delayed_work(&d.dw));
}

/* ---- T041, T046: stopping an item that arms itself again */

static struct {
  struct delayed_work dw;
  struct workqueue_struct *wq;
  unsigned long again; /* delay of its re-arm */
  int sleep_ms;
  bool last_rearm;
  atomic_t runs;
} poller;

static void poller_fn(struct work_struct *work) {
  atomic_inc(&poller.runs);
  if (poller.sleep_ms) msleep(poller.sleep_ms);
  poller.last_rearm = queue_delayed_work(poller.wq, &poller.dw, poller.again);
}

static void poller_init(struct workqueue_struct *wq, unsigned long again, int sleep_ms) {
  memset(&poller, 0, sizeof(poller));
  INIT_DELAYED_WORK(&poller.dw, poller_fn);
  poller.wq = wq;
  poller.again = again;
  poller.sleep_ms = sleep_ms;
}

static void t041_stop_a_poller(struct workqueue_struct *wq) {
  int round;

  for (round = 0; round < 8; round++) {
    int before, after;
    bool was_pending;

    poller_init(wq, 1, 10);
    EXPECT(queue_delayed_work(wq, &poller.dw, 0));
    CONF_UNTIL(atomic_read(&poller.runs) >= 2);
    usleep_range(round * 1000, round * 1000 + 500); /* mid-run, mid-delay, whatever comes */
    was_pending = cancel_delayed_work_sync(&poller.dw);
    before = atomic_read(&poller.runs);
    /* Cancelled while it ran: its own re-arm was refused. Cancelled between runs: it was pending.
     */
    EXPECT(was_pending || !poller.last_rearm);
    EXPECT(!delayed_work_pending(&poller.dw));
    conf_linger();
    after = atomic_read(&poller.runs);
    EXPECT_EQ(after, before);
  }
}

static void t046_tight_rearm_loop(struct workqueue_struct *wq) {
  static struct conf_item other;
  int before;

  poller_init(wq, 0, 0);
  EXPECT(queue_delayed_work_on(0, wq, &poller.dw, 0));
  CONF_UNTIL(atomic_read(&poller.runs) > 10);
  conf_item_init(&other, 1);
  EXPECT(queue_work_on(0, wq, &other.work));
  CONF_WAIT(&other.p.entered); /* not starved */
  msleep(50);
  cancel_delayed_work_sync(&poller.dw);
  before = atomic_read(&poller.runs);
  conf_linger();
  EXPECT_EQ(atomic_read(&poller.runs), before);
}

/* ---- T042: cancel against expiry; the item is freed right after */

struct brief {
  struct delayed_work dw;
};
static atomic_t brief_runs;
static void brief_fn(struct work_struct *work) { atomic_inc(&brief_runs); }

static void t042_cancel_sync_and_expiry(struct workqueue_struct *wq) {
  int round, queued = 0, cancelled = 0;

  atomic_set(&brief_runs, 0);
  for (round = 0; round < 1000; round++) {
    struct brief *b = kzalloc(sizeof(*b), GFP_KERNEL);
    int spin = (round * 37) % 300;

    EXPECT(b != NULL);
    if (!b) return;
    INIT_DELAYED_WORK(&b->dw, brief_fn);
    queued += queue_delayed_work(wq, &b->dw, round % 3);
    while (spin-- > 0) udelay(10);
    cancelled += cancel_delayed_work_sync(&b->dw);
    kfree(b);
  }
  EXPECT_EQ(queued, 1000);
  EXPECT_EQ(atomic_read(&brief_runs) + cancelled, queued);
  flush_workqueue(wq);
  EXPECT_EQ(atomic_read(&brief_runs) + cancelled, queued);
}

/* ---- T043: cancelling the armed second run of a running item */

static void t043_running_and_armed(struct workqueue_struct *wq) {
  static struct conf_ditem d;

  conf_ditem_init(&d, 1);
  d.p.gated = true;
  EXPECT(queue_delayed_work(wq, &d.dw, 0));
  CONF_WAIT(&d.p.entered);
  EXPECT(queue_delayed_work(wq, &d.dw, LONG_DELAY));
  EXPECT(cancel_delayed_work(&d.dw));
  EXPECT(!cancel_delayed_work(&d.dw)); /* running only is not pending */
  conf_release_all(&d.p);
  flush_workqueue(wq);
  EXPECT_EQ(conf_druns(&d), 1);
  EXPECT(!delayed_work_pending(&d.dw));
}

/* ---- T045: destroying a queue does not wait for armed timers */

static void t045_destroy_with_armed_timer(struct workqueue_struct *unused) {
  struct workqueue_struct *wq = alloc_workqueue("conf_gone", WQ_UNBOUND, 0);
  static struct conf_ditem d;
  unsigned long start = jiffies;

  conf_ditem_init(&d, 1);
  EXPECT(queue_delayed_work(wq, &d.dw, LONG_DELAY));
  destroy_workqueue(wq);
  EXPECT(jiffies - start < LONG_DELAY);
  EXPECT_EQ(conf_druns(&d), 0);
  /* Disarmed before it could reach the dead queue. */
  EXPECT(cancel_delayed_work_sync(&d.dw));
}

/* ---- T047: a deadline beyond any life */

static void t047_very_long_delay(struct workqueue_struct *wq) {
  static struct conf_ditem d;

  conf_ditem_init(&d, 1);
  EXPECT(queue_delayed_work(wq, &d.dw, MAX_JIFFY_OFFSET));
  conf_linger();
  EXPECT(cancel_delayed_work(&d.dw));
  EXPECT_EQ(conf_druns(&d), 0);
}

/* ---- T048: cancel_work() on the inner item of an armed delayed work is misuse with a stated
 * outcome */

static void t048_cancel_work_on_delayed(struct workqueue_struct *wq) {
  static struct conf_ditem d;
  bool cancelled;

  conf_ditem_init(&d, 1);
  EXPECT(queue_delayed_work(wq, &d.dw, HZ / 10));
  cancelled = cancel_work(&d.dw.work);
  flush_workqueue(wq);
  msleep(150); /* beyond the deadline */
  flush_workqueue(wq);
  EXPECT_EQ(conf_druns(&d) + cancelled, 1); /* taken away, or run: never both, never neither */
  EXPECT(!delayed_work_pending(&d.dw));
}

/* ---- T049: the target CPU of a delayed item */

static void t049_target_cpu(struct workqueue_struct *wq) {
  static struct conf_ditem d;
  int cpu;

  for (cpu = 0; cpu < 2; cpu++) {
    conf_ditem_init(&d, 1);
    EXPECT(queue_delayed_work_on(cpu, wq, &d.dw, 2));
    CONF_WAIT(&d.p.entered);
    flush_workqueue(wq);
    EXPECT_EQ(d.p.cpu[0], cpu);
  }
}

static const struct conf_test tests[] = {
    {"T031", "delay 0", t031_delay_zero, CONF_O, 0},
    {"T032", "never early", t032_never_early, CONF_PUO, 0},
    {"T034", "queue the inner item", t034_queue_inner, CONF_PUO, 0},
    {"T035", "mod return values", t035_mod_return_values, CONF_O, 0},
    {"T036", "mod shorten and extend", t036_shorten_extend, CONF_P | CONF_U, 0},
    {"T038", "flush and an armed timer", t038_flush_and_armed_timer, CONF_P | CONF_U, 0},
    {"T039", "flush_delayed_work", t039_flush_delayed_work, CONF_PUO, 0},
    {"T041", "stop a poller", t041_stop_a_poller, CONF_PUO, 0},
    {"T042", "cancel_sync and expiry", t042_cancel_sync_and_expiry, CONF_P | CONF_U, 0},
    {"T043", "running and armed, cancel", t043_running_and_armed, CONF_PUO, 0},
    {"T045", "destroy with an armed timer", t045_destroy_with_armed_timer, 0, 0},
    {"T046", "tight re-arm loop", t046_tight_rearm_loop, CONF_P | CONF_U, 0},
    {"T047", "very long delay", t047_very_long_delay, CONF_PUO, 0},
    {"T048", "cancel_work on a delayed item", t048_cancel_work_on_delayed, CONF_P | CONF_U, 0},
    {"T049", "target CPU", t049_target_cpu, CONF_P, 0},
};

CONF_MODULE("delayed", tests);
