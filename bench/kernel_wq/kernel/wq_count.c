// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * wq_count.c: the hot paths of bench/micro/hot_paths.cc on the kernel's own workqueues.
 *
 * Prints "count kernel PATH N" for each: clock per operation, which is instructions in a guest
 * whose clock counts them (tools/kernel-test bench). Each path runs with two counts and the
 * difference is divided, as on our side.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#define FEW 2000
#define MANY 12000
#define BATCH 1000

static struct work_struct *items;
static struct completion all_done, gate;
static atomic_t left;
static struct workqueue_struct *hop_queue;

static void count_item(struct work_struct *work) {
  if (atomic_dec_and_test(&left)) complete(&all_done);
}

static void hop(struct work_struct *work) {
  if (atomic_dec_and_test(&left))
    complete(&all_done);
  else
    queue_work(hop_queue, work);
}

static void nothing(struct work_struct *work) {}

static void block(struct work_struct *work) { wait_for_completion(&gate); }

static void queue_run(struct workqueue_struct *wq, int n) {
  int done, i;

  for (i = 0; i < BATCH; i++) INIT_WORK(&items[i], count_item);
  for (done = 0; done < n; done += BATCH) {
    reinit_completion(&all_done);
    atomic_set(&left, BATCH);
    for (i = 0; i < BATCH; i++) queue_work(wq, &items[i]);
    wait_for_completion(&all_done);
  }
  flush_workqueue(wq);
}

static void self_requeue(struct workqueue_struct *wq, int n) {
  struct work_struct work;

  INIT_WORK_ONSTACK(&work, hop);
  hop_queue = wq;
  reinit_completion(&all_done);
  atomic_set(&left, n);
  queue_work(wq, &work);
  wait_for_completion(&all_done);
  flush_work(&work);
  destroy_work_on_stack(&work);
}

static void queue_flush(struct workqueue_struct *wq, int n) {
  struct work_struct work;

  INIT_WORK_ONSTACK(&work, nothing);
  while (n--) {
    queue_work(wq, &work);
    flush_work(&work);
  }
  destroy_work_on_stack(&work);
}

/* The queue's only slot is taken, so that items stay pending. */
enum blocked { PENDING, CANCEL, CANCEL_SYNC };
static void while_blocked(struct workqueue_struct *one, enum blocked what, int n) {
  struct work_struct blocker, work;

  INIT_WORK_ONSTACK(&blocker, block);
  INIT_WORK_ONSTACK(&work, nothing);
  reinit_completion(&gate);
  queue_work(one, &blocker);
  if (what == PENDING) queue_work(one, &work);
  while (n--) {
    queue_work(one, &work);
    if (what == CANCEL)
      cancel_work(&work);
    else if (what == CANCEL_SYNC)
      cancel_work_sync(&work);
  }
  cancel_work_sync(&work);
  complete_all(&gate);
  flush_work(&blocker);
  destroy_work_on_stack(&blocker);
  destroy_work_on_stack(&work);
}

static void delayed(struct workqueue_struct *wq, bool mod, int n) {
  struct delayed_work work;

  INIT_DELAYED_WORK_ONSTACK(&work, nothing);
  while (n--) {
    if (mod) {
      mod_delayed_work(wq, &work, 100 * HZ);
    } else {
      queue_delayed_work(wq, &work, 100 * HZ);
      cancel_delayed_work(&work);
    }
  }
  cancel_delayed_work_sync(&work);
  destroy_delayed_work_on_stack(&work);
}

// The least of three, as whatever else the guest does only adds; then the console gets time to
// print.
#define COUNT(path, call)                              \
  do {                                                 \
    u64 begin, few, many, least = ~0ull;               \
    int round, n;                                      \
    for (round = 0; round < 3; round++) {              \
      n = FEW;                                         \
      call; /* warm */                                 \
      begin = ktime_get_ns();                          \
      call;                                            \
      few = ktime_get_ns() - begin;                    \
      n = MANY;                                        \
      begin = ktime_get_ns();                          \
      call;                                            \
      many = ktime_get_ns() - begin;                   \
      least = min(least, (many - few) / (MANY - FEW)); \
    }                                                  \
    pr_info("count kernel " path " %llu\n", least);    \
    msleep(100);                                       \
  } while (0)

static int __init wq_count_init(void) {
  struct workqueue_struct *unbound = alloc_workqueue("wq_count", WQ_UNBOUND, 0);
  struct workqueue_struct *two = alloc_workqueue("wq_count_two", WQ_UNBOUND, 2);
  struct workqueue_struct *one = alloc_workqueue("wq_count_one", WQ_UNBOUND, 1);
  struct workqueue_struct *ordered = alloc_ordered_workqueue("wq_count_ord", 0);

  items = vzalloc(BATCH * sizeof(*items));
  if (!unbound || !two || !one || !ordered || !items) return -ENOMEM;
  init_completion(&all_done);
  init_completion(&gate);
  COUNT("queue_run_unbound", queue_run(unbound, n));
  COUNT("queue_run_unbound_max2", queue_run(two, n));
  COUNT("queue_run_percpu", queue_run(system_wq, n));
  COUNT("queue_run_ordered", queue_run(ordered, n));
  COUNT("self_requeue_unbound", self_requeue(unbound, n));
  COUNT("self_requeue_percpu", self_requeue(system_wq, n));
  COUNT("queue_flush", queue_flush(unbound, n));
  COUNT("queue_pending", while_blocked(one, PENDING, n));
  COUNT("queue_cancel", while_blocked(one, CANCEL, n));
  COUNT("queue_cancel_sync", while_blocked(one, CANCEL_SYNC, n));
  COUNT("arm_cancel", delayed(unbound, false, n));
  COUNT("mod_armed", delayed(unbound, true, n));
  destroy_workqueue(unbound);
  destroy_workqueue(two);
  destroy_workqueue(one);
  destroy_workqueue(ordered);
  vfree(items);
  return 0;
}

static void __exit wq_count_exit(void) {}

module_init(wq_count_init);
module_exit(wq_count_exit);
MODULE_DESCRIPTION("instructions of the kernel's own workqueues");
MODULE_LICENSE("Dual BSD/GPL");
