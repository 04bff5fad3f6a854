/* SPDX-License-Identifier: BSD-3-Clause
 *
 * workqueue_test.c -- calls of <linux/workqueue.h> that are more than one C ABI call.
 *
 * The semantics of the others are tested by tests/conformance/linux over the same headers.
 */
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/devm-helpers.h>
#include <linux/interrupt.h>
#include <linux/numa.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/workqueue.h>
#include <unistd.h>

#include "tests/linux_headers/check.h"

static atomic_t runs;
static int seen_cpus[64];
static void count_fn(struct work_struct *work) {
  (void)work;
  atomic_inc_return(&runs);
}
static void cpu_fn(struct work_struct *work) {
  (void)work;
  __atomic_fetch_add(&seen_cpus[raw_smp_processor_id()], 1, __ATOMIC_RELAXED);
}

static void each_cpu_once(void) {
  int cpu;

  CHECK_EQ(schedule_on_each_cpu(cpu_fn), 0);
  for_each_online_cpu(cpu) {
    if (cpu < 64) CHECK_EQ(seen_cpus[cpu], 1);
  }
}

static long where_fn(void *arg) { return raw_smp_processor_id() + (long)arg; }
static void a_call_on_a_cpu(void) {
  int cpu;

  for_each_online_cpu(cpu) CHECK_EQ(work_on_cpu(cpu, where_fn, (void *)1000), 1000 + cpu);
}

/* In process context it is a call; in a timer or a BH item it is queued. */
static struct execute_work execute;
static int execute_result;
static struct completion executed;
static void execute_fn(struct work_struct *work) {
  CHECK(work == &execute.work && in_task());
  complete(&executed);
}
static void from_bh_fn(struct work_struct *work) {
  (void)work;
  CHECK(in_softirq());
  execute_result = execute_in_process_context(execute_fn, &execute);
}
static void process_context_is_found(void) {
  DECLARE_WORK(from_bh, from_bh_fn);

  init_completion(&executed);
  CHECK_EQ(execute_in_process_context(execute_fn, &execute), 0);
  CHECK(try_wait_for_completion(&executed));
  queue_work(system_bh_wq, &from_bh);
  flush_work(&from_bh);
  CHECK_EQ(execute_result, 1);
  wait_for_completion(&executed);
  flush_work(&execute.work);
}

struct container {
  struct work_struct work;
  struct delayed_work dw;
  struct rcu_work rw;
  int value;
};
static void from_work_fn(struct work_struct *work) {
  struct container *c = from_work(c, work, work);

  c->value++;
}
static void containers_are_found(void) {
  struct container c = {.value = 0};

  INIT_WORK_ONSTACK(&c.work, from_work_fn);
  INIT_DELAYED_WORK_ONSTACK(&c.dw, count_fn);
  INIT_RCU_WORK_ONSTACK(&c.rw, count_fn);
  CHECK(to_delayed_work(&c.dw.work) == &c.dw);
  CHECK(to_rcu_work(&c.rw.work) == &c.rw);
  CHECK(c.work.func == from_work_fn && c.dw.work.func == count_fn);
  CHECK_EQ(atomic_long_read(&c.work.data), (long)UWQ_WORK_DATA_INIT);
  CHECK(work_data_bits(&c.work) == (unsigned long *)&c.work.data);
  schedule_work(&c.work);
  flush_work(&c.work);
  CHECK_EQ(c.value, 1);
  destroy_work_on_stack(&c.work);
  destroy_delayed_work_on_stack(&c.dw);
  destroy_work_on_stack(&c.rw.work);
}

/* Drivers read dw->timer.expires and ask whether the timer is armed. */
static void deadlines_can_be_read(void) {
  DECLARE_DELAYED_WORK(dw, count_fn);
  DECLARE_DEFERRABLE_WORK(lazy, count_fn);
  unsigned long before = jiffies, first;

  CHECK(!timer_pending(&dw.timer));
  CHECK(schedule_delayed_work(&dw, 100 * HZ));
  CHECK(timer_pending(&dw.timer) && delayed_work_pending(&dw));
  first = dw.timer.expires;
  CHECK(first - before >= 100 * HZ && time_before_eq(first, jiffies + 100 * HZ));
  CHECK(!schedule_delayed_work(&dw, 500 * HZ)); /* Q3: the old deadline stays */
  CHECK_EQ(dw.timer.expires, first);
  CHECK(mod_delayed_work(system_percpu_wq, &dw, 200 * HZ));
  CHECK(dw.timer.expires - first >= 99 * HZ);
  CHECK(dw.wq == system_percpu_wq);
  CHECK(cancel_delayed_work_sync(&dw) && !timer_pending(&dw.timer));
  CHECK(schedule_delayed_work(&lazy, 100 * HZ) && timer_pending(&lazy.timer));
  CHECK(cancel_delayed_work_sync(&lazy));
  atomic_set(&runs, 0);
  CHECK(schedule_delayed_work_on(0, &dw, 2));
  CHECK_UNTIL(atomic_read(&runs) == 1);
  CHECK(!mod_delayed_work_on(0, system_percpu_wq, &dw, 0) && flush_delayed_work(&dw) + 1);
  CHECK_EQ(atomic_read(&runs), 2);
}

static void names_flags_and_attributes(void) {
  struct workqueue_struct *wq = alloc_workqueue("q%d-%s", WQ_UNBOUND | WQ_HIGHPRI, 3, 7, "x");
  struct workqueue_attrs *attrs = alloc_workqueue_attrs();

  CHECK(wq != NULL && attrs != NULL);
  CHECK(strcmp(uwq_workqueue_name(uwq_q(wq)), "q7-x") == 0);
  CHECK((uwq_workqueue_flags(uwq_q(wq)) & (WQ_UNBOUND | WQ_HIGHPRI)) == (WQ_UNBOUND | WQ_HIGHPRI));
  CHECK_EQ(cpumask_weight(attrs->cpumask), num_online_cpus());
  CHECK(attrs->affn_scope == WQ_AFFN_DFL && !attrs->ordered && attrs->nice == 0);
  attrs->affn_scope = WQ_AFFN_SYSTEM;
  cpumask_clear(attrs->cpumask);
  cpumask_set_cpu(0, attrs->cpumask);
  attrs->affn_strict = true;
  CHECK_EQ(apply_workqueue_attrs(wq, attrs), 0);
  {
    DECLARE_WORK(w, cpu_fn);

    memset(seen_cpus, 0, sizeof(seen_cpus));
    queue_work(wq, &w);
    flush_work(&w);
    CHECK_EQ(seen_cpus[0], 1);
  }
  attrs->affn_scope = (enum wq_affn_scope)99;
  CHECK_EQ(apply_workqueue_attrs(wq, attrs), -EINVAL);
  free_workqueue_attrs(attrs);
  free_workqueue_attrs(NULL);
  workqueue_set_max_active(wq, 5);
  workqueue_set_min_active(wq, 2);
  CHECK(!workqueue_congested(WORK_CPU_UNBOUND, wq));
  destroy_workqueue(wq);
  wq = create_singlethread_workqueue("single");
  CHECK(uwq_workqueue_flags(uwq_q(wq)) & __WQ_ORDERED);
  CHECK(uwq_workqueue_flags(uwq_q(wq)) & WQ_MEM_RECLAIM);
  destroy_workqueue(wq);
  wq = create_freezable_workqueue("freezable");
  CHECK((uwq_workqueue_flags(uwq_q(wq)) & (WQ_FREEZABLE | __WQ_LEGACY)) ==
        (WQ_FREEZABLE | __WQ_LEGACY));
  CHECK(!(uwq_workqueue_flags(uwq_q(wq)) & __WQ_ORDERED));
  destroy_workqueue(wq);
  CHECK(current_work() == NULL && !current_is_workqueue_rescuer());
  CHECK(cpu_to_node(0) == 0 && num_online_nodes() >= 1);
}

/* ---- devm, devices */

static char order[16];
static void note_a(void *data) { strcat(order, (const char *)data); }

static void a_device_releases_in_reverse(void) {
  struct device *dev = root_device_register("unit");
  struct workqueue_struct *wq, *ordered;
  struct delayed_work *dw;
  struct work_struct *work;
  char *text;

  CHECK(!IS_ERR(dev) && strcmp(dev_name(dev), "unit") == 0);
  wq = devm_alloc_workqueue(dev, "unit-%d", WQ_UNBOUND, 0, 1);
  ordered = devm_alloc_ordered_workqueue(dev, "unit-%s", 0, "o");
  CHECK(wq && ordered);
  dw = devm_kzalloc(dev, sizeof(*dw), GFP_KERNEL);
  work = devm_kcalloc(dev, 2, sizeof(*work), GFP_KERNEL);
  CHECK(dw && work && dw->cpu == 0);
  CHECK_EQ(devm_work_autocancel(dev, work, count_fn), 0);
  CHECK_EQ(devm_delayed_work_autocancel(dev, dw, count_fn), 0);
  atomic_set(&runs, 0);
  CHECK(queue_delayed_work(wq, dw, 3600 * HZ));
  CHECK(queue_work(ordered, work));
  order[0] = '\0';
  CHECK_EQ(devm_add_action(dev, note_a, "1"), 0);
  CHECK_EQ(devm_add_action_or_reset(dev, note_a, "2"), 0);
  CHECK_EQ(devm_add_action(dev, note_a, "3"), 0);
  devm_release_action(dev, note_a, (void *)"2");
  devm_remove_action(dev, note_a, (void *)"1");
  CHECK(strcmp(order, "2") == 0);
  text = devm_kasprintf(dev, GFP_KERNEL, "%s-%d", "text", 5);
  CHECK(text && strcmp(text, "text-5") == 0);
  text = devm_kstrdup(dev, "copy", GFP_KERNEL);
  devm_kfree(dev, text);
  CHECK(devm_kmalloc_array(dev, SIZE_MAX, 2, GFP_KERNEL) == NULL);
  CHECK(((unsigned long)devm_kmalloc(dev, 3, GFP_KERNEL) & 15) == 0);
  dev_set_drvdata(dev, work);
  CHECK(dev_get_drvdata(dev) == work);
  get_device(dev);
  root_device_unregister(dev); /* cancels, destroys, frees */
  CHECK(strcmp(order, "23") == 0);
  CHECK_NOT_REPORTED();
  put_device(dev);
}

/* ---- interrupts */

static struct {
  int irq;
  atomic_t hard, threaded;
  struct completion done;
  bool wake;
} line;

static irqreturn_t hard_half(int irq, void *data) {
  CHECK(irq == line.irq && data == &line && in_hardirq() && !in_task());
  atomic_inc_return(&line.hard);
  if (line.wake) return IRQ_WAKE_THREAD;
  complete(&line.done);
  return IRQ_HANDLED;
}
static irqreturn_t threaded_half(int irq, void *data) {
  (void)data;
  CHECK(irq == line.irq && in_task());
  usleep_range(10, 20); /* may sleep */
  atomic_inc_return(&line.threaded);
  complete(&line.done);
  return IRQ_HANDLED;
}

static void interrupts_reach_both_halves(void) {
  init_completion(&line.done);
  line.irq = uwq_irq_create();
  CHECK(line.irq > 0);
  CHECK_EQ(request_irq(5, hard_half, 0, "none", &line), -EINVAL);
  CHECK_EQ(request_threaded_irq(line.irq, hard_half, threaded_half, IRQF_ONESHOT, "t", &line), 0);
  CHECK_EQ(request_irq(line.irq, hard_half, 0, "again", &line), -EBUSY);
  CHECK_EQ(uwq_irq_dispose(line.irq), -EBUSY);
  line.wake = true;
  CHECK_EQ(uwq_irq_raise(line.irq), 0);
  wait_for_completion(&line.done);
  line.wake = false;
  uwq_irq_raise(line.irq);
  wait_for_completion(&line.done);
  synchronize_irq(line.irq);
  CHECK_EQ(atomic_read(&line.hard), 2);
  CHECK_EQ(atomic_read(&line.threaded), 1);

  disable_irq(line.irq);
  uwq_irq_raise(line.irq); /* kept for later */
  msleep(10);
  CHECK_EQ(atomic_read(&line.hard), 2);
  enable_irq(line.irq);
  wait_for_completion(&line.done);
  CHECK_EQ(atomic_read(&line.hard), 3);
  CHECK_NOT_REPORTED();
  enable_irq(line.irq);
  CHECK_REPORTED("enabled already");
  free_irq(line.irq, &line);
  CHECK_EQ(uwq_irq_dispose(line.irq), 0);
  CHECK_EQ(uwq_irq_raise(line.irq), -EINVAL);
  CHECK_EQ(uwq_irq_from_fd(-1), -EBADF);
}

static void a_device_frees_its_interrupt(void) {
  struct device *dev = root_device_register("irq");
  int fds[2];

  CHECK_EQ(pipe(fds), 0);
  line.irq = uwq_irq_from_fd(fds[0]);
  line.wake = true;
  CHECK_EQ(devm_request_threaded_irq(dev, line.irq, NULL, threaded_half, 0, NULL, &line), 0);
  CHECK_EQ(write(fds[1], "x", 1), 1);
  wait_for_completion(&line.done); /* readable until somebody reads: it comes again */
  wait_for_completion(&line.done);
  root_device_unregister(dev);
  CHECK_EQ(uwq_irq_dispose(line.irq), 0);
  close(fds[0]);
  close(fds[1]);
}

/* ---- tasklets */

static struct tasklet_struct tasklet;
static void tasklet_fn(struct tasklet_struct *t) {
  CHECK(t == &tasklet && in_softirq());
  atomic_inc_return(&runs);
}
static void tasklets_are_bh_items(void) {
  atomic_set(&runs, 0);
  tasklet_setup(&tasklet, tasklet_fn);
  tasklet_schedule(&tasklet);
  tasklet_kill(&tasklet);
  CHECK_EQ(atomic_read(&runs), 1);
}

RUN_TESTS(each_cpu_once, a_call_on_a_cpu, process_context_is_found, containers_are_found,
          deadlines_can_be_read, names_flags_and_attributes, a_device_releases_in_reverse,
          interrupts_reach_both_halves, a_device_frees_its_interrupt, tasklets_are_bh_items)
