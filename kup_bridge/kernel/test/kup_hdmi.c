// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * kup_hdmi.c -- the module kup_hdmi: the HDMI transmitter of drivers/hdmi_example in
 * the kernel, behind /dev/kup-hdmi0.  A user drives it with
 *
 *   hdmi_demo --device=hdmi0
 *
 * One work item does what the process of demo/device_host.cc does in its loop: it
 * takes commands, lets the model's time pass, posts events.  It is queued by the
 * user's messages (kupdev_set_notify) and by a timer at the model's next moment.
 *
 * Invariant: the model is touched by that work item only.
 */
#include <crypto/hash.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#include "drivers/hdmi_example/device/hdmi_device.h"
#include "kup_bridge/kupdev.h"

static unsigned int speed = 1;
module_param(speed, uint, 0444);
MODULE_PARM_DESC(speed, "seconds of the device in one second (1 to 50)");
static unsigned long long seed = 1;
module_param(seed, ullong, 0444);
MODULE_PARM_DESC(seed, "of bounces and floods");

/* Types of messages, as in driver/kup_hardware.h. */
enum { KUP_HDMI_EVENT = 1, KUP_HDMI_COMMAND = 2 };

struct host {
  struct kupdev_softc *channel;
  struct workqueue_struct *queue;
  struct work_struct work;
  struct hrtimer timer;
  struct crypto_shash *sha1;
  ktime_t epoch;
  bool ending; /* the work item, which the timer queues, does nothing any more */
  struct hdmi_device model;
  struct hdmi_cmd command;
  uint8_t bulk[HDMI_BULK_MAX];
  struct {
    struct hdmi_event record;
    uint8_t bulk[HDMI_BULK_MAX];
  } __packed event;
};

static struct host *host;

static int64_t model_now(void) { return ktime_sub(ktime_get(), host->epoch) * speed; }

static void take_commands(void) {
  struct kup_msg msg;

  while (kupdev_take(host->channel, 0, &msg, 0) == 0) {
    if (msg.type == KUP_HDMI_COMMAND && msg.len >= sizeof(host->command) &&
        msg.len - sizeof(host->command) <= sizeof(host->bulk)) {
      size_t nr = msg.len - sizeof(host->command);

      /* Copied before it is looked at: the user may still write there. */
      memcpy(&host->command, msg.data, sizeof(host->command));
      memcpy(host->bulk, (const uint8_t *)msg.data + sizeof(host->command), nr);
      /* What the model refuses it refuses; the driver learns of it by an event, or by none. */
      (void)hdmi_device_command(&host->model, model_now(), &host->command, host->bulk, nr);
    }
    (void)kupdev_give_back(host->channel, 0, &msg, 1);
  }
}

static void post_events(void) {
  size_t nr = 0;

  while (hdmi_device_pop(&host->model, &host->event.record, host->event.bulk,
                         sizeof(host->event.bulk), &nr))
    /* -EAGAIN: the driver does not fetch; its sequence numbers will tell it. */
    (void)kupdev_post(host->channel, 0, KUP_HDMI_EVENT, &host->event,
                      (uint32_t)(sizeof(host->event.record) + nr));
}

static void serve(struct work_struct *work) {
  int64_t left;

  if (READ_ONCE(host->ending)) return;
  take_commands();
  hdmi_device_step(&host->model, model_now());
  post_events();
  left = hdmi_device_deadline(&host->model);
  if (left == HDMI_DEV_NEVER) return;
  left = max_t(int64_t, left - model_now(), 0) / speed;
  hrtimer_start(&host->timer, ns_to_ktime(left), HRTIMER_MODE_REL);
}

static void on_message(void *unused) { queue_work(host->queue, &host->work); }

static enum hrtimer_restart on_time(struct hrtimer *timer) {
  queue_work(host->queue, &host->work);
  return HRTIMER_NORESTART;
}

/* Of the repeater's list; called by the model, so in the work item. */
static void sha1(const uint8_t *data, size_t len, uint8_t digest[20]) {
  if (crypto_shash_tfm_digest(host->sha1, data, len, digest)) memset(digest, 0, 20);
}

static int begin(void) {
  static const struct hdmi_device_ops ops = {.sha1 = sha1};
  int rc;

  host->sha1 = crypto_alloc_shash("sha1", 0, 0);
  if (IS_ERR(host->sha1)) return PTR_ERR(host->sha1);
  host->queue = alloc_ordered_workqueue("kup-hdmi", WQ_HIGHPRI);
  rc = host->queue ? kupdev_open("hdmi0", NULL, &host->channel) : -ENOMEM;
  if (rc) {
    if (host->queue) destroy_workqueue(host->queue);
    crypto_free_shash(host->sha1);
    return rc;
  }
  INIT_WORK(&host->work, serve);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
  hrtimer_setup(&host->timer, on_time, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
  hrtimer_init(&host->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
  host->timer.function = on_time;
#endif
  host->epoch = ktime_get();
  hdmi_device_init(&host->model, &ops, seed, HDCP14_SIM_SEED, 0);
  (void)kupdev_set_notify(host->channel, 0, on_message, NULL); /* the first and only time */
  queue_work(host->queue, &host->work);
  return 0;
}

static int __init kup_hdmi_init(void) {
  int rc;

  if (speed < 1 || speed > 50) return -EINVAL;
  host = kvzalloc(sizeof(*host), GFP_KERNEL);
  if (!host) return -ENOMEM;
  rc = begin();
  if (rc) kvfree(host);
  return rc;
}

static void __exit kup_hdmi_exit(void) {
  /* No call of ours may begin once kupdev_unload has. */
  (void)kupdev_set_notify(host->channel, 0, NULL, NULL); /* taking it away cannot fail */
  WRITE_ONCE(host->ending, true);
  cancel_work_sync(&host->work);
  hrtimer_cancel(&host->timer); /* only the work item sets it */
  kupdev_unload(host->channel);
  destroy_workqueue(host->queue);
  crypto_free_shash(host->sha1);
  kvfree(host);
}

module_init(kup_hdmi_init);
module_exit(kup_hdmi_exit);
MODULE_DESCRIPTION("Simulated HDMI transmitter behind a KUP channel");
MODULE_LICENSE("Dual BSD/GPL");
