/* SPDX-License-Identifier: BSD-3-Clause
 *
 * warn_test.c -- what a kernel warns about is reported here, once, with the same facts.
 *
 * Each mistake is made twice.  The facts are those of the kernel's own message: the queue,
 * the function, the numbers.  Invariant: the second time is silent, unless the kernel warns
 * each time as well.  The same mistakes inside a kernel: tests/conformance/linux, where a
 * scenario "expects a report".
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

#include "tests/linux_headers/check.h"

static void idle_fn(struct work_struct *work) { (void)work; }
static void gated_fn(struct work_struct *work);

/* An item that holds its worker until it is let go. */
static struct {
  struct work_struct work;
  struct completion entered, release;
} gate;
static void gated_fn(struct work_struct *work) {
  (void)work;
  complete(&gate.entered);
  wait_for_completion(&gate.release);
}
static void hold(struct workqueue_struct *wq) {
  init_completion(&gate.entered);
  init_completion(&gate.release);
  INIT_WORK(&gate.work, gated_fn);
  CHECK(queue_work(wq, &gate.work));
  wait_for_completion(&gate.entered);
}

/* ---- alloc_workqueue() */

static void neither_percpu_nor_unbound(void) { destroy_workqueue(alloc_workqueue("plain", 0, 0)); }
static void both_percpu_and_unbound(void) {
  destroy_workqueue(alloc_workqueue("twice", WQ_PERCPU | WQ_UNBOUND, 0));
}
static void max_active_too_large(void) {
  destroy_workqueue(alloc_workqueue("large", WQ_UNBOUND, 5000));
}
static void max_active_negative(void) {
  destroy_workqueue(alloc_workqueue("negative", WQ_UNBOUND, -3));
}
static void name_too_long(void) {
  destroy_workqueue(
      alloc_workqueue("%s", WQ_UNBOUND, 0, "a-name-of-more-than-31-characters-in-all"));
}
static void bh_with_a_limit(void) {
  CHECK(alloc_workqueue("limited_bh", WQ_BH | WQ_PERCPU, 1) == NULL);
}

/* ---- queueing */

static DECLARE_WORK(idle, idle_fn);

static struct workqueue_struct *draining;
static void drain_fn(struct work_struct *work) {
  (void)work;
  drain_workqueue(draining);
}
static void queued_while_draining(void) {
  static DECLARE_WORK(drain, drain_fn);

  if (!draining) draining = alloc_ordered_workqueue("draining_wq", 0);
  hold(draining);
  queue_work(system_dfl_wq, &drain);
  /* The drain has begun as soon as an outsider's item is dropped. */
  while (!queue_work(draining, &idle) || work_pending(&idle)) {
    cancel_work(&idle);
    usleep_range(200, 500);
  }
  CHECK(queue_work(draining, &idle)); /* says true all the same */
  complete(&gate.release);
  flush_work(&drain);
}
static void node_of_a_percpu_queue(void) { CHECK(queue_work_node(0, system_percpu_wq, &idle) + 1); }
static void deprecated_queue(void) {
  queue_work(system_wq, &idle);
  flush_work(&idle);
}
static void never_initialised(void) {
  static struct work_struct zeroed;

  CHECK(!flush_work(&zeroed));
}

/* ---- disable */

static void enabled_too_often(void) { CHECK(enable_work(&idle)); }
static void disabled_too_often(void) {
  static DECLARE_WORK(deep, idle_fn);
  static int depth;

  while (depth < 65535) {
    disable_work(&deep);
    depth++;
  }
  disable_work(&deep);
}
static void rcu_work_disabled(void) {
  static struct rcu_work rw;
  static bool initialised;

  if (!initialised) {
    INIT_RCU_WORK(&rw, idle_fn);
    disable_work(&rw.work);
    initialised = true;
  }
  CHECK(!queue_rcu_work(system_percpu_wq, &rw));
}

/* ---- limits and attributes; each on a queue that outlives both attempts */

static struct workqueue_struct *ordered, *percpu;
static void limit_of_an_ordered_queue(void) {
  if (!ordered) ordered = alloc_ordered_workqueue("ordered", 0);
  workqueue_set_max_active(ordered, 4);
}
static void min_active_of_a_percpu_queue(void) {
  if (!percpu) percpu = alloc_workqueue("percpu", WQ_PERCPU, 0);
  workqueue_set_min_active(percpu, 4);
}
static void attributes_of_a_percpu_queue(void) {
  struct workqueue_attrs *attrs = alloc_workqueue_attrs();

  if (!percpu) percpu = alloc_workqueue("percpu", WQ_PERCPU, 0);
  CHECK_EQ(apply_workqueue_attrs(percpu, attrs), -EINVAL);
  free_workqueue_attrs(attrs);
}

/* ---- waiting */

static void system_queue_flushed(void) {
  struct workqueue_struct *wq = system_long_wq; /* by that name the compiler warns already */

  flush_workqueue(wq);
}
static struct workqueue_struct *reclaim, *plain;
static void waiting_fn(struct work_struct *work) {
  (void)work;
  flush_work(&gate.work);
}
static void reclaim_waits_for_plain(void) {
  static DECLARE_WORK(waiting, waiting_fn);

  if (!reclaim) reclaim = alloc_workqueue("reclaim", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
  if (!plain) plain = alloc_workqueue("ordinary", WQ_UNBOUND, 0);
  hold(plain);
  queue_work(reclaim, &waiting);
  CHECK_UNTIL(atomic_read(&reports) > 0 || work_busy(&waiting) == WORK_BUSY_RUNNING);
  complete(&gate.release);
  flush_work(&waiting);
}

/* ---- on the stack */

static void queued_at_the_end_of_its_stack(void) {
  struct work_struct work;

  hold(ordered);
  INIT_WORK_ONSTACK(&work, idle_fn);
  queue_work(ordered, &work);
  destroy_work_on_stack(&work);
  complete(&gate.release);
  flush_work(&gate.work);
}
static void initialised_while_queued(void) {
  static DECLARE_WORK(again, idle_fn);

  hold(ordered);
  queue_work(ordered, &again);
  INIT_WORK(&again, idle_fn);
  complete(&gate.release);
  flush_work(&gate.work);
}

/* ---- kthread_worker */

static void kidle_fn(struct kthread_work *work) { (void)work; }
static void one_item_two_workers(void) {
  static struct kthread_worker *one, *two;
  static DEFINE_KTHREAD_WORK(item, kidle_fn);

  if (!one) {
    one = kthread_run_worker(0, "one");
    two = kthread_run_worker(0, "two");
    kthread_queue_work(one, &item);
    kthread_flush_work(&item);
  }
  kthread_queue_work(two, &item);
  kthread_flush_worker(two);
}

/* ---- the driver's own */

static void warn_on_once(void) {
  int lanes = 3;

  CHECK(WARN_ONCE(lanes != 4, "%d lanes of %s", lanes, "hdmi0"));
}
static void warn_on(void) {
  int lanes = 3;

  CHECK(WARN_ON(lanes != 4));
}

static const struct {
  void (*mistake)(void);
  int reports; /* of two mistakes */
  const char *facts[3];
} cases[] = {
    {neither_percpu_nor_unbound, 1, {"plain", "WQ_PERCPU", "WQ_UNBOUND"}},
    {both_percpu_and_unbound, 1, {"twice", "WQ_PERCPU", "WQ_UNBOUND"}},
    {max_active_too_large, 2, {"large", "5000", "2048"}},
    {max_active_negative, 2, {"negative", "-3", "clamping to 1"}},
    {name_too_long, 1, {"Truncating to: a-name-of-more-than-31-characte", NULL, NULL}},
    {bh_with_a_limit, 1, {"limited_bh", "max_active", NULL}},
    {queued_while_draining, 1, {"draining_wq", "idle_fn", "cannot queue"}},
    {node_of_a_percpu_queue, 1, {"queue_work_node", "events", NULL}},
    {deprecated_queue, 1, {"idle_fn", "system_percpu_wq", "events"}},
    {never_initialised, 1, {"flush_work", "never initialised", NULL}},
    {enabled_too_often, 1, {"enable", "idle_fn", NULL}},
    {disabled_too_often, 1, {"disable", "idle_fn", "65535"}},
    {rcu_work_disabled, 1, {"queue_rcu_work", "disabled", NULL}},
    {limit_of_an_ordered_queue, 1, {"max_active", "ordered", NULL}},
    {min_active_of_a_percpu_queue, 1, {"min_active", "percpu", NULL}},
    {attributes_of_a_percpu_queue, 1, {"apply_workqueue_attrs", "percpu", NULL}},
    {system_queue_flushed, 1, {"flushing system-wide", "events_long", NULL}},
    {reclaim_waits_for_plain,
     1,
     {"WQ_MEM_RECLAIM reclaim:waiting_fn", "!WQ_MEM_RECLAIM ordinary", "gated_fn"}},
    {queued_at_the_end_of_its_stack, 1, {"destroy_work_on_stack", "idle_fn", NULL}},
    {initialised_while_queued, 1, {"INIT_WORK", "idle_fn", "queued"}},
    {one_item_two_workers, 1, {"kthread", "worker", NULL}},
    {warn_on_once, 1, {"warn_test.c", "3 lanes of hdmi0", NULL}},
    {warn_on, 2, {"warn_test.c", "lanes != 4", NULL}},
};

static void each_warns_with_its_facts(void) {
  size_t i, k;

  for (i = 0; i < ARRAY_SIZE(cases); i++) {
    uwq_reset_reports();
    atomic_set(&reports, 0);
    last_report[0] = '\0';
    cases[i].mistake();
    cases[i].mistake();
    CHECK_EQ(atomic_read(&reports), cases[i].reports);
    for (k = 0; k < ARRAY_SIZE(cases[i].facts); k++) {
      if (!cases[i].facts[k]) continue;
      CHECK(strstr(last_report, cases[i].facts[k]) != NULL);
    }
    fprintf(stderr, "%zu: %s\n", i, last_report);
  }
  destroy_workqueue(draining);
  destroy_workqueue(ordered);
  destroy_workqueue(percpu);
  destroy_workqueue(reclaim);
  destroy_workqueue(plain);
}

RUN_TESTS(each_warns_with_its_facts)
