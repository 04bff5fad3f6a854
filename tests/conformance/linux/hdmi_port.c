/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdmi_port.c: a hot-plug and content-protection driver in kernel idiom, with hardware made of a
 * timer.
 *
 * The driver half is written as for a tree: an interrupt that only re-arms a debounce, a link check
 * that re-arms itself, a property update that holds a reference while it is queued, and teardown in
 * the one order that is safe. The other half plays the hardware, and its scenarios decide whether
 * all of it holds. Invariant: after remove() nothing of the driver runs, and every reference has
 * come back. Read on: patterns.c (the same shapes one by one), conf.h.
 */
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/timer.h>

#include "conf.h"

/* ---- hardware: registers behind a lock, edges of the hot-plug line from a timer ----------------
 */

struct hdmi_hw {
  spinlock_t lock;
  bool hpd;          /* level of the hot-plug line */
  bool irq_enabled;  /* interrupt mask */
  bool link_broken;  /* the sink lost its place in the cipher stream */
  int failing_auths; /* so many authentications to come fail */
  int edges_left;    /* of the current bounce */
  bool settles_at;   /* level after the last edge */
  struct timer_list edge_timer;
  irqreturn_t (*handler)(int irq, void *data);
  void *handler_data;
};

static void hdmi_hw_edge(struct timer_list *timer) {
  struct hdmi_hw *hw = container_of(timer, struct hdmi_hw, edge_timer);
  unsigned long flags;

  spin_lock_irqsave(&hw->lock, flags);
  hw->hpd = hw->edges_left <= 1 ? hw->settles_at : !hw->hpd;
  if (--hw->edges_left > 0) mod_timer(&hw->edge_timer, jiffies + 1);
  if (hw->irq_enabled) hw->handler(42, hw->handler_data); /* under the lock: masking is a fence */
  spin_unlock_irqrestore(&hw->lock, flags);
}

/* Moves the line to `level` through `edges` edges. */
static void hdmi_hw_plug(struct hdmi_hw *hw, bool level, int edges) {
  unsigned long flags;

  spin_lock_irqsave(&hw->lock, flags);
  hw->settles_at = level;
  hw->edges_left = edges;
  spin_unlock_irqrestore(&hw->lock, flags);
  mod_timer(&hw->edge_timer, jiffies + 1);
}

static void hdmi_hw_irq_mask(struct hdmi_hw *hw, bool enable) {
  unsigned long flags;

  spin_lock_irqsave(&hw->lock, flags);
  hw->irq_enabled = enable;
  spin_unlock_irqrestore(&hw->lock, flags);
}

static bool hdmi_hw_read(struct hdmi_hw *hw, const bool *reg) {
  unsigned long flags;
  bool value;

  spin_lock_irqsave(&hw->lock, flags);
  value = *reg;
  spin_unlock_irqrestore(&hw->lock, flags);
  return value;
}

static int hdmi_hw_authenticate(struct hdmi_hw *hw) {
  unsigned long flags;
  int ret = 0;

  usleep_range(1000, 2000); /* the key exchange on the wire */
  spin_lock_irqsave(&hw->lock, flags);
  if (hw->failing_auths > 0) {
    hw->failing_auths--;
    ret = -EAGAIN;
  } else if (!hw->hpd) {
    ret = -ENODEV;
  } else {
    hw->link_broken = false;
  }
  spin_unlock_irqrestore(&hw->lock, flags);
  return ret;
}

/* ---- the driver ------------------------------------------------------------------------------ */

#define HPD_DEBOUNCE_MS 60
#define CHECK_PERIOD_MS 12
#define AUTH_ATTEMPTS 3

enum hdcp_state { HDCP_OFF, HDCP_DESIRED, HDCP_ENABLED };

struct hdmi_port {
  struct device *dev;
  struct hdmi_hw *hw;
  struct workqueue_struct *wq; /* ordered: hot-plug and property updates in their order */

  struct mutex lock; /* protects connected and hdcp; never held while waiting for a work item */
  bool connected;
  enum hdcp_state hdcp;

  struct delayed_work hpd_work;   /* on wq: debounces the hot-plug line */
  struct delayed_work check_work; /* on a system queue, so that wq may wait for it */
  struct work_struct prop_work;   /* on wq: tells user space; holds a reference while queued */
  refcount_t refs;
};

/* What the driver did, outside of its memory: it is read after remove(). */
static struct {
  atomic_t irqs, hpd_runs, hotplugs, checks, auths, props;
  atomic_t last_prop;
  atomic_t desired_seen;
} seen;

static void hdmi_port_post_property(struct hdmi_port *port) {
  refcount_inc(&port->refs);
  if (!queue_work(port->wq, &port->prop_work))
    refcount_dec(&port->refs); /* queued already, and that run will see the new state */
}

static void hdmi_port_prop_work(struct work_struct *work) {
  struct hdmi_port *port = container_of(work, struct hdmi_port, prop_work);

  mutex_lock(&port->lock);
  atomic_set(&seen.last_prop, port->hdcp);
  if (port->hdcp == HDCP_DESIRED) atomic_inc(&seen.desired_seen);
  mutex_unlock(&port->lock);
  atomic_inc(&seen.props);
  refcount_dec(&port->refs);
}

/* Called with port->lock held. */
static void hdmi_port_authenticate(struct hdmi_port *port) {
  int i, ret = -EAGAIN;

  for (i = 0; i < AUTH_ATTEMPTS && ret == -EAGAIN; i++) {
    atomic_inc(&seen.auths);
    ret = hdmi_hw_authenticate(port->hw);
  }
  port->hdcp = ret ? HDCP_DESIRED : HDCP_ENABLED;
  hdmi_port_post_property(port);
}

static void hdmi_port_check_work(struct work_struct *work) {
  struct hdmi_port *port = container_of(to_delayed_work(work), struct hdmi_port, check_work);

  mutex_lock(&port->lock);
  if (port->hdcp == HDCP_OFF) {
    mutex_unlock(&port->lock);
    return;
  }
  atomic_inc(&seen.checks);
  if (port->hdcp == HDCP_ENABLED && hdmi_hw_read(port->hw, &port->hw->link_broken)) {
    port->hdcp = HDCP_DESIRED;
    hdmi_port_post_property(port);
  } else if (port->hdcp == HDCP_DESIRED) {
    hdmi_port_authenticate(port);
  }
  mutex_unlock(&port->lock);
  /* May race with hdmi_port_hdcp_off(), whose cancel then refuses it. */
  schedule_delayed_work(&port->check_work, msecs_to_jiffies(CHECK_PERIOD_MS));
}

static void hdmi_port_hdcp_off(struct hdmi_port *port) {
  mutex_lock(&port->lock);
  if (port->hdcp != HDCP_OFF) {
    port->hdcp = HDCP_OFF;
    hdmi_port_post_property(port);
  }
  mutex_unlock(&port->lock); /* the check takes the lock: waiting under it would never end */
  cancel_delayed_work_sync(&port->check_work);
}

static void hdmi_port_hpd_work(struct work_struct *work) {
  struct hdmi_port *port = container_of(to_delayed_work(work), struct hdmi_port, hpd_work);
  bool connected = hdmi_hw_read(port->hw, &port->hw->hpd);
  bool changed;

  atomic_inc(&seen.hpd_runs);
  mutex_lock(&port->lock);
  changed = connected != port->connected;
  port->connected = connected;
  if (changed && connected) hdmi_port_authenticate(port);
  mutex_unlock(&port->lock);
  if (!changed) return;
  atomic_inc(&seen.hotplugs);
  dev_dbg(port->dev, "sink %s\n", connected ? "connected" : "gone");
  if (connected)
    schedule_delayed_work(&port->check_work, msecs_to_jiffies(CHECK_PERIOD_MS));
  else
    hdmi_port_hdcp_off(port);
}

/* Hard interrupt context: any edge restarts the debounce. */
static irqreturn_t hdmi_port_irq(int irq, void *data) {
  struct hdmi_port *port = data;

  atomic_inc(&seen.irqs);
  mod_delayed_work(port->wq, &port->hpd_work, msecs_to_jiffies(HPD_DEBOUNCE_MS));
  return IRQ_HANDLED;
}

static void hdmi_port_destroy_wq(void *wq) { destroy_workqueue(wq); }

static int hdmi_port_probe(struct device *dev, struct hdmi_hw *hw) {
  struct hdmi_port *port;
  int ret;

  port = devm_kzalloc(dev, sizeof(*port), GFP_KERNEL);
  if (!port) return -ENOMEM;
  port->dev = dev;
  port->hw = hw;
  mutex_init(&port->lock);
  refcount_set(&port->refs, 1);
  INIT_DELAYED_WORK(&port->hpd_work, hdmi_port_hpd_work);
  INIT_DELAYED_WORK(&port->check_work, hdmi_port_check_work);
  INIT_WORK(&port->prop_work, hdmi_port_prop_work);

  port->wq = alloc_ordered_workqueue("hdmi-%s", 0, dev_name(dev));
  if (!port->wq) return -ENOMEM;
  ret = devm_add_action_or_reset(dev, hdmi_port_destroy_wq, port->wq);
  if (ret) return ret;

  dev_set_drvdata(dev, port);
  hw->handler = hdmi_port_irq;
  hw->handler_data = port;
  hdmi_hw_irq_mask(hw, true);
  /* The cable may have been in all the time. */
  queue_delayed_work(port->wq, &port->hpd_work, 0);
  return 0;
}

static void hdmi_port_remove(struct device *dev) {
  struct hdmi_port *port = dev_get_drvdata(dev);

  hdmi_hw_irq_mask(port->hw, false);          /* the source first */
  disable_delayed_work_sync(&port->hpd_work); /* then who starts the check */
  hdmi_port_hdcp_off(port);                   /* then the check, which posts properties */
  if (cancel_work_sync(&port->prop_work)) refcount_dec(&port->refs);
  WARN_ON(refcount_read(&port->refs) != 1);
  dev_set_drvdata(dev, NULL);
}

static int hdmi_port_suspend(struct device *dev) {
  struct hdmi_port *port = dev_get_drvdata(dev);

  hdmi_hw_irq_mask(port->hw, false);
  disable_delayed_work_sync(&port->hpd_work);
  hdmi_port_hdcp_off(port);
  flush_work(&port->prop_work);
  return 0;
}

static int hdmi_port_resume(struct device *dev) {
  struct hdmi_port *port = dev_get_drvdata(dev);

  mutex_lock(&port->lock);
  port->connected = false; /* the sink has forgotten its keys, whether it stayed or not */
  mutex_unlock(&port->lock);
  enable_delayed_work(&port->hpd_work);
  hdmi_hw_irq_mask(port->hw, true);
  mod_delayed_work(port->wq, &port->hpd_work, 0); /* edges may have been missed */
  return 0;
}

/* ---- scenarios ---------------------------------------------------------------------------------
 */

static struct hdmi_hw bench;
static struct device *bench_dev;

static bool bench_up(bool plugged) {
  memset(&seen, 0, sizeof(seen));
  memset(&bench, 0, sizeof(bench));
  spin_lock_init(&bench.lock);
  timer_setup(&bench.edge_timer, hdmi_hw_edge, 0);
  bench.hpd = plugged;
  bench_dev = root_device_register("hdmi_port");
  EXPECT(!IS_ERR(bench_dev));
  if (IS_ERR(bench_dev)) return false;
  EXPECT_EQ(hdmi_port_probe(bench_dev, &bench), 0);
  return true;
}

static int bench_activity(void) {
  return atomic_read(&seen.hpd_runs) + atomic_read(&seen.checks) + atomic_read(&seen.props) +
         atomic_read(&seen.auths);
}

/* Takes the driver away and makes sure that nothing of it is left running. */
static void bench_down(void) {
  struct hdmi_port *port = dev_get_drvdata(bench_dev);
  int before;

  hdmi_port_remove(bench_dev);
  EXPECT_EQ(refcount_read(&port->refs), 1);
  EXPECT_EQ(work_busy(&port->hpd_work.work), 0);
  EXPECT_EQ(work_busy(&port->check_work.work), 0);
  EXPECT_EQ(work_busy(&port->prop_work), 0);
  before = bench_activity();
  root_device_unregister(bench_dev); /* frees the port */
  conf_linger();
  EXPECT_EQ(bench_activity(), before);
  timer_delete_sync(&bench.edge_timer); /* the hardware outlives its driver */
}

#define LAST_PROP() atomic_read(&seen.last_prop)

static void hdmi_probe(struct workqueue_struct *unused) {
  if (!bench_up(true)) return;
  CONF_UNTIL(LAST_PROP() == HDCP_ENABLED);
  EXPECT_EQ(atomic_read(&seen.hotplugs), 1);
  EXPECT_EQ(atomic_read(&seen.auths), 1);
  EXPECT_EQ(atomic_read(&seen.irqs), 0); /* nobody moved the cable */
  bench_down();
}

static void hdmi_probe_empty(struct workqueue_struct *unused) {
  if (!bench_up(false)) return;
  CONF_UNTIL(atomic_read(&seen.hpd_runs) == 1);
  conf_linger();
  EXPECT_EQ(atomic_read(&seen.hotplugs), 0);
  EXPECT_EQ(atomic_read(&seen.checks), 0);
  bench_down();
}

static void hdmi_debounce(struct workqueue_struct *unused) {
  if (!bench_up(false)) return;
  CONF_UNTIL(atomic_read(&seen.hpd_runs) == 1);
  hdmi_hw_plug(&bench, true, 9);
  CONF_UNTIL(LAST_PROP() == HDCP_ENABLED);
  EXPECT_EQ(atomic_read(&seen.irqs), 9);
  EXPECT_EQ(atomic_read(&seen.hotplugs), 1);
  EXPECT(atomic_read(&seen.hpd_runs) <= 3); /* two, unless the machine paused within the bounce */
  bench_down();
}

static void hdmi_check(struct workqueue_struct *unused) {
  if (!bench_up(true)) return;
  CONF_UNTIL(atomic_read(&seen.checks) >= 5);
  EXPECT_EQ(LAST_PROP(), HDCP_ENABLED);
  EXPECT_EQ(atomic_read(&seen.auths), 1);
  bench_down();
}

static void hdmi_relock(struct workqueue_struct *unused) {
  int round;

  if (!bench_up(true)) return;
  CONF_UNTIL(LAST_PROP() == HDCP_ENABLED);
  for (round = 0; round < 3; round++) {
    int desired = atomic_read(&seen.desired_seen);
    unsigned long flags;

    spin_lock_irqsave(&bench.lock, flags);
    bench.failing_auths = 2 * round; /* the last round needs a second check, too */
    bench.link_broken = true;
    spin_unlock_irqrestore(&bench.lock, flags);
    CONF_UNTIL(atomic_read(&seen.desired_seen) > desired);
    CONF_UNTIL(LAST_PROP() == HDCP_ENABLED);
    EXPECT(!hdmi_hw_read(&bench, &bench.link_broken));
  }
  EXPECT_EQ(atomic_read(&seen.auths), 1 + 1 + 3 + 5);
  EXPECT_EQ(atomic_read(&seen.hotplugs), 1);
  bench_down();
}

static void hdmi_unplug(struct workqueue_struct *unused) {
  int checks, round;

  if (!bench_up(true)) return;
  for (round = 0; round < 3; round++) {
    CONF_UNTIL(LAST_PROP() == HDCP_ENABLED);
    checks = atomic_read(&seen.checks);
    CONF_UNTIL(atomic_read(&seen.checks) > checks);
    hdmi_hw_plug(&bench, false, 3);
    CONF_UNTIL(LAST_PROP() == HDCP_OFF);
    /* The property is told by the ordered queue, hence after the hot-plug work has stopped the
     * check. */
    checks = atomic_read(&seen.checks);
    conf_linger();
    EXPECT_EQ(atomic_read(&seen.checks), checks);
    hdmi_hw_plug(&bench, true, 1);
  }
  CONF_UNTIL(LAST_PROP() == HDCP_ENABLED);
  EXPECT_EQ(atomic_read(&seen.hotplugs), 7);
  bench_down();
}

static void hdmi_suspend(struct workqueue_struct *unused) {
  int before;

  if (!bench_up(true)) return;
  CONF_UNTIL(LAST_PROP() == HDCP_ENABLED);
  EXPECT_EQ(hdmi_port_suspend(bench_dev), 0);
  EXPECT_EQ(LAST_PROP(), HDCP_OFF);
  before = bench_activity();
  hdmi_hw_plug(&bench, true, 6); /* somebody plays with the cable of a sleeping machine */
  msleep(100);
  EXPECT_EQ(bench_activity(), before);
  EXPECT_EQ(hdmi_port_resume(bench_dev), 0);
  CONF_UNTIL(LAST_PROP() == HDCP_ENABLED);
  before = atomic_read(&seen.checks);
  CONF_UNTIL(atomic_read(&seen.checks) > before);

  EXPECT_EQ(hdmi_port_suspend(bench_dev), 0); /* and takes it away */
  hdmi_hw_plug(&bench, false, 1);
  CONF_UNTIL(!hdmi_hw_read(&bench, &bench.hpd));
  before = atomic_read(&seen.hpd_runs);
  EXPECT_EQ(hdmi_port_resume(bench_dev), 0);
  CONF_UNTIL(atomic_read(&seen.hpd_runs) > before);
  EXPECT_EQ(LAST_PROP(), HDCP_OFF);
  bench_down();
}

/* remove() at any moment: in the debounce, in an authentication, in a check, while edges rain. */
static void hdmi_remove(struct workqueue_struct *unused) {
  int round;

  for (round = 0; round < 12; round++) {
    if (!bench_up(round & 1)) return;
    hdmi_hw_plug(&bench, round & 2, 1000);
    if (round % 3 == 2) {
      CONF_UNTIL(atomic_read(&seen.irqs) > 2);
      hdmi_hw_plug(&bench, true, 1);
    }
    msleep(round * 9);
    bench_down();
  }
}

static const struct conf_test tests[] = {
    {"HDMI.probe", "probe with a sink", hdmi_probe, 0, 0},
    {"HDMI.empty", "probe without a sink", hdmi_probe_empty, 0, 0},
    {"HDMI.debounce", "a bouncing cable is one hot-plug", hdmi_debounce, 0, 0},
    {"HDMI.check", "the link check re-arms itself", hdmi_check, 0, 0},
    {"HDMI.relock", "a lost link is authenticated again", hdmi_relock, 0, 0},
    {"HDMI.unplug", "unplugging stops the check", hdmi_unplug, 0, 0},
    {"HDMI.suspend", "suspend and resume", hdmi_suspend, 0, 0},
    {"HDMI.remove", "remove at any moment", hdmi_remove, 0, 0},
};

CONF_MODULE("hdmi_port", tests);
