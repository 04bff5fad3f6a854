// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * kup_main.c -- the module kup: gives other modules the calls of kupdev.h.
 *
 * It holds no device of its own.  A module that has one calls kupdev_open in its
 * init function and kupdev_unload in its exit function, users or no users; kup
 * itself stays loaded as long as a user has a descriptor or a mapping.
 *
 * Read on in kup_pages.c (memory), kup_chardev.c (the way in), kupdev_core.c.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>

#include "kup_bridge/kernel/kup_kernel.h"

/* ---- waiting ------------------------------------------------------------------------ */

static bool moved_on(struct kup_wait *w, uint64_t epoch) { return kup_wait_epoch(w) != epoch; }

int kup_wait_sleep(struct kup_wait *w, uint64_t epoch, int64_t deadline) {
  int64_t left;
  int rc;

  /* A peer that signals without a pause makes no condition below sleep. */
  cond_resched();
  if (signal_pending(current)) return -EINTR;
  if (deadline == KUP_FOREVER)
    return wait_event_interruptible(w->queue, moved_on(w, epoch)) ? -EINTR : 0;
  left = deadline - kup_now();
  if (left <= 0) return -ETIMEDOUT;
  rc = wait_event_interruptible_hrtimeout(w->queue, moved_on(w, epoch), ns_to_ktime(left));
  if (rc == -ETIME) return -ETIMEDOUT;
  return rc ? -EINTR : 0;
}

void kup_wait_idle(struct kup_wait *w, uint64_t epoch) { wait_event(w->queue, moved_on(w, epoch)); }

void kup_wait_kick(struct kup_wait *w) {
  void (*notify)(void *arg);

  rcu_read_lock(); /* kupdev_set_notify waits for us */
  notify = smp_load_acquire(&w->notify);
  atomic64_inc(&w->epoch);
  if (wq_has_sleeper(&w->queue)) wake_up_all(&w->queue);
  if (notify) notify(w->arg);
  rcu_read_unlock();
}

int kup_dev_wait_init(struct kup_wait *w) {
  init_waitqueue_head(&w->queue);
  return 0;
}

void kup_dev_wait_fini(struct kup_wait *w) {}

int kupdev_set_notify(struct kupdev_softc *sc, int chan_id, void (*fn)(void *arg), void *arg) {
  struct kup_wait *w;

  if (chan_id < 0 || (uint32_t)chan_id >= kup_core_opts(sc)->n_channels) return -ECHRNG;
  w = kup_core_wait(sc, (uint32_t)chan_id);
  if (!fn) {
    WRITE_ONCE(w->notify, NULL);
    synchronize_rcu();
    return 0;
  }
  if (READ_ONCE(w->notify)) return -EBUSY;
  w->arg = arg;
  smp_store_release(&w->notify, fn); /* arg before fn */
  return 0;
}
EXPORT_SYMBOL(kupdev_set_notify);

/* ---- what other modules get -------------------------------------------------------------- */

EXPORT_SYMBOL(kupdev_open);
EXPORT_SYMBOL(kupdev_unload);
EXPORT_SYMBOL(kupdev_create);
EXPORT_SYMBOL(kupdev_wait_channel);
EXPORT_SYMBOL(kupdev_notify);
EXPORT_SYMBOL(kupdev_send);
EXPORT_SYMBOL(kupdev_receive);
EXPORT_SYMBOL(kupdev_receive_len);
EXPORT_SYMBOL(kupdev_unlock_channel);
EXPORT_SYMBOL(kupdev_pass);
EXPORT_SYMBOL(kupdev_error);
EXPORT_SYMBOL(kupdev_wait_event);
EXPORT_SYMBOL(kupdev_revoke);
EXPORT_SYMBOL(kupdev_post);
EXPORT_SYMBOL(kupdev_post_ex);
EXPORT_SYMBOL(kupdev_post_batch);
EXPORT_SYMBOL(kupdev_post_wait);
EXPORT_SYMBOL(kupdev_take);
EXPORT_SYMBOL(kupdev_take_batch);
EXPORT_SYMBOL(kupdev_poll);
EXPORT_SYMBOL(kupdev_give_back);
EXPORT_SYMBOL(kupdev_call);
EXPORT_SYMBOL(kupdev_reply);
EXPORT_SYMBOL(kupdev_param);
EXPORT_SYMBOL(kupdev_counters_set);
EXPORT_SYMBOL(kupdev_frame_get);
EXPORT_SYMBOL(kupdev_frame_send);
EXPORT_SYMBOL(kupdev_frame_drop);
EXPORT_SYMBOL(kupdev_frame_open);
EXPORT_SYMBOL(kupdev_frame_return);
EXPORT_SYMBOL(kupdev_get_stats);

static int __init kup_init(void) { return kup_pages_init(); }
static void __exit kup_exit(void) { kup_pages_exit(); }

module_init(kup_init);
module_exit(kup_exit);
MODULE_DESCRIPTION("KUP: messages to and from user space through shared memory");
MODULE_VERSION("1.0");
MODULE_LICENSE("Dual BSD/GPL");
