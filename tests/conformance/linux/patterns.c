/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * patterns.c: the shapes in which drivers use workqueues, as found in display drivers.
 *
 * Invariant under test: what drivers rely on when they poll, count references, tear down and look
 * at themselves. Covers T152 to T158 and the managed helpers. Read on: conf.h, hdmi_port.c (all of
 * it at work).
 */
#include <linux/container_of.h>
#include <linux/devm-helpers.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/timer.h>

#include "conf.h"

/* ---- T152: a link check that re-arms itself, an interrupt, and a stop path */

static struct {
  struct delayed_work check_work;
  struct mutex lock; /* taken by the check and by the stop path */
  bool enabled;
  unsigned long period;
  atomic_t checks;
} hdcp_link;

static void link_check_fn(struct work_struct *work) {
  bool again;

  mutex_lock(&hdcp_link.lock);
  again = hdcp_link.enabled;
  atomic_inc(&hdcp_link.checks);
  usleep_range(500, 1000);
  mutex_unlock(&hdcp_link.lock);
  if (again) queue_delayed_work(system_percpu_wq, &hdcp_link.check_work, hdcp_link.period);
}

static void link_start(unsigned long period) {
  INIT_DELAYED_WORK(&hdcp_link.check_work, link_check_fn);
  mutex_init(&hdcp_link.lock);
  hdcp_link.enabled = true;
  hdcp_link.period = period;
  atomic_set(&hdcp_link.checks, 0);
}

/* The lock is dropped before the wait: the check may be waiting for it. */
static void link_stop(void) {
  mutex_lock(&hdcp_link.lock);
  hdcp_link.enabled = false;
  mutex_unlock(&hdcp_link.lock);
  cancel_delayed_work_sync(&hdcp_link.check_work);
}

static void t152_poll_and_interrupt(struct workqueue_struct *unused) {
  link_start(20 * HZ);
  EXPECT(schedule_delayed_work(&hdcp_link.check_work, 20 * HZ));
  /* What an interrupt handler might try: it does not bring the check forward. */
  EXPECT(!queue_delayed_work(system_percpu_wq, &hdcp_link.check_work, 0));
  conf_linger();
  EXPECT_EQ(atomic_read(&hdcp_link.checks), 0);
  /* What does. */
  EXPECT(mod_delayed_work(system_percpu_wq, &hdcp_link.check_work, 0));
  CONF_UNTIL(atomic_read(&hdcp_link.checks) == 1);
  link_stop();
  EXPECT_EQ(atomic_read(&hdcp_link.checks), 1);
  EXPECT(!delayed_work_pending(&hdcp_link.check_work));
}

static void t152_stop_under_load(struct workqueue_struct *unused) {
  int round;

  for (round = 0; round < 40; round++) {
    int checks;

    link_start(1);
    EXPECT(schedule_delayed_work(&hdcp_link.check_work, 0));
    CONF_UNTIL(atomic_read(&hdcp_link.checks) >= 2);
    link_stop();
    checks = atomic_read(&hdcp_link.checks);
    usleep_range(2000, 4000);
    EXPECT_EQ(atomic_read(&hdcp_link.checks), checks);
    EXPECT_EQ(work_busy(&hdcp_link.check_work.work), 0);
  }
}

/* ---- T154: one reference per queued instance */

static struct {
  struct work_struct work;
  struct workqueue_struct *wq;
  refcount_t refs;
} counted;

static void counted_fn(struct work_struct *work) { refcount_dec(&counted.refs); }

static long counted_thread(void *arg) {
  int i;

  for (i = 0; i < 1500; i++) {
    refcount_inc(&counted.refs);
    if (!queue_work(counted.wq, &counted.work)) refcount_dec(&counted.refs);
    if (i % 64 == 0) usleep_range(50, 150);
  }
  return 0;
}

static void t154_reference_counting(struct workqueue_struct *wq) {
  struct conf_thread t[4];
  int i;

  INIT_WORK(&counted.work, counted_fn);
  refcount_set(&counted.refs, 1);
  counted.wq = wq;
  for (i = 0; i < 4; i++) conf_thread_start(&t[i], counted_thread, NULL);
  for (i = 0; i < 4; i++) conf_thread_join(&t[i]);
  if (cancel_work_sync(&counted.work)) refcount_dec(&counted.refs);
  EXPECT_EQ(refcount_read(&counted.refs), 1);
}

/* ---- T155: remove() stops the source, closes the item, frees */

struct port {
  struct work_struct work;
  struct timer_list source; /* stands for an interrupt */
  bool removing;
  u32 canary;
};
#define PORT_ALIVE 0x600dcafeu

static atomic_t port_runs, port_dead_runs;

static void port_fn(struct work_struct *work) {
  struct port *p = container_of(work, struct port, work);

  if (READ_ONCE(p->canary) != PORT_ALIVE) atomic_inc(&port_dead_runs);
  usleep_range(20, 60);
  if (READ_ONCE(p->canary) != PORT_ALIVE) atomic_inc(&port_dead_runs);
  atomic_inc(&port_runs);
}

static void port_source(struct timer_list *timer) {
  struct port *p = container_of(timer, struct port, source);

  schedule_work(&p->work);
  if (!READ_ONCE(p->removing)) mod_timer(&p->source, jiffies + 1);
}

static void t155_remove_ordering(struct workqueue_struct *unused) {
  int round;

  atomic_set(&port_runs, 0);
  atomic_set(&port_dead_runs, 0);
  for (round = 0; round < 120; round++) {
    struct port *p = kzalloc(sizeof(*p), GFP_KERNEL);

    EXPECT(p != NULL);
    if (!p) return;
    p->canary = PORT_ALIVE;
    INIT_WORK(&p->work, port_fn);
    timer_setup(&p->source, port_source, 0);
    mod_timer(&p->source, jiffies + 1);
    usleep_range(round * 100, round * 100 + 200);

    WRITE_ONCE(p->removing, true);
    timer_delete_sync(&p->source);
    disable_work_sync(&p->work);
    EXPECT(!schedule_work(&p->work));
    WRITE_ONCE(p->canary, 0);
    kfree(p);
  }
  EXPECT_EQ(atomic_read(&port_dead_runs), 0);
  EXPECT(atomic_read(&port_runs) > 0);
}

/* ---- T158: a helper that is also called from the item asks who it is before it waits */

static struct {
  struct delayed_work poll;
  struct workqueue_struct *wq;
  bool inside, waited;
  atomic_t runs;
} selfish;

static void selfish_fn(struct work_struct *work);

static void selfish_poll_disable(void) {
  struct work_struct *current_item = current_work();

  if (current_item && current_item->func == selfish_fn) {
    selfish.inside = true; /* waiting for itself would never end */
    cancel_delayed_work(&selfish.poll);
  } else {
    cancel_delayed_work_sync(&selfish.poll);
    selfish.waited = true;
  }
}

static void selfish_fn(struct work_struct *work) {
  queue_delayed_work(selfish.wq, &selfish.poll, 1);
  if (atomic_inc_return(&selfish.runs) == 3) selfish_poll_disable();
}

static void t158_self_inspection(struct workqueue_struct *wq) {
  INIT_DELAYED_WORK(&selfish.poll, selfish_fn);
  atomic_set(&selfish.runs, 0);
  selfish.inside = selfish.waited = false;
  selfish.wq = wq;
  EXPECT(queue_delayed_work(wq, &selfish.poll, 0));
  CONF_UNTIL(atomic_read(&selfish.runs) == 3);
  conf_linger();
  flush_workqueue(wq);
  EXPECT(selfish.inside);
  EXPECT_EQ(atomic_read(&selfish.runs), 3);
  EXPECT(!delayed_work_pending(&selfish.poll));
  selfish_poll_disable();
  EXPECT(selfish.waited);
}

/* ---- 1.16: managed items end with their device */

static struct {
  struct work_struct work;
  struct delayed_work poll;
  atomic_t runs, polls;
} managed;

static void managed_fn(struct work_struct *work) {
  msleep(30);
  atomic_inc(&managed.runs);
}
static void managed_poll_fn(struct work_struct *work) {
  atomic_inc(&managed.polls);
  schedule_delayed_work(&managed.poll, 1);
}

static void devm_autocancel(struct workqueue_struct *unused) {
  struct device *dev = root_device_register("conf_managed");
  int polls;

  EXPECT(!IS_ERR(dev));
  if (IS_ERR(dev)) return;
  atomic_set(&managed.runs, 0);
  atomic_set(&managed.polls, 0);
  EXPECT_EQ(devm_work_autocancel(dev, &managed.work, managed_fn), 0);
  EXPECT_EQ(devm_delayed_work_autocancel(dev, &managed.poll, managed_poll_fn), 0);
  EXPECT(schedule_delayed_work(&managed.poll, 0));
  CONF_UNTIL(atomic_read(&managed.polls) >= 2);
  EXPECT(schedule_work(&managed.work));
  CONF_UNTIL(work_busy(&managed.work) == WORK_BUSY_RUNNING);
  root_device_unregister(dev);
  EXPECT_EQ(atomic_read(&managed.runs), 1); /* waited for */
  EXPECT(!delayed_work_pending(&managed.poll));
  polls = atomic_read(&managed.polls);
  conf_linger();
  EXPECT_EQ(atomic_read(&managed.polls), polls);
}

static const struct conf_test tests[] = {
    {"T152.irq", "poll and interrupt", t152_poll_and_interrupt, 0, 0},
    {"T152.stop", "stop path", t152_stop_under_load, 0, 0},
    {"T154", "reference counting", t154_reference_counting, CONF_PUO, 0},
    {"T155", "remove() ordering", t155_remove_ordering, 0, 0},
    {"T158", "self-inspection", t158_self_inspection, CONF_PUO, 0},
    {"DEVM", "managed items", devm_autocancel, 0, 0},
};

CONF_MODULE("patterns", tests);
