/* SPDX-License-Identifier: BSD-3-Clause
 *
 * time_test.c -- jiffies, ktime, timer_list, hrtimer, delays.
 *
 * Method: lower bounds are exact, there are no upper ones; whatever must come is waited for.
 */
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/timer.h>

#include "tests/linux_headers/check.h"

static void jiffies_count_milliseconds(void) {
  unsigned long before = jiffies;
  ktime_t start = ktime_get();

  /* The lower 32 bits wrap within five minutes of the start. */
  CHECK((u32)before >= (u32)(-300 * HZ) || (u32)before < 3600u * HZ);
  CHECK(sizeof(jiffies) == sizeof(long));
  msleep(12);
  CHECK(jiffies - before >= 12);
  CHECK(ktime_ms_delta(ktime_get(), start) >= 12);
  CHECK(time_after(jiffies, before));
  CHECK(time_before(before, jiffies));
  CHECK(time_after_eq(before, before) && !time_after(before, before));
  CHECK(time_after(5UL, (unsigned long)-5)); /* across the wrap */
  CHECK_EQ(msecs_to_jiffies(7), 7);
  CHECK_EQ(msecs_to_jiffies((unsigned int)-1), MAX_JIFFY_OFFSET);
  CHECK_EQ(usecs_to_jiffies(1), 1); /* never fewer than asked for */
  CHECK_EQ(usecs_to_jiffies(2000), 2);
  CHECK_EQ(jiffies_to_msecs(HZ), 1000);
  CHECK_EQ(round_jiffies_up(1), HZ);
  CHECK_EQ(uwq_ticks_to_ns(3), 3000000);
  CHECK_EQ(uwq_ticks_to_ns(MAX_JIFFY_OFFSET), INT64_MAX);
  CHECK_EQ(uwq_ticks_to_deadline(MAX_JIFFY_OFFSET), UWQ_FOREVER);
}

static void ktime_arithmetic(void) {
  CHECK_EQ(ktime_to_us(ktime_set(1, 500)), 1000000);
  CHECK_EQ(ktime_set(KTIME_MAX, 0), KTIME_MAX);
  CHECK_EQ(ktime_add_ms(ms_to_ktime(5), 2), 7000000);
  CHECK_EQ(ktime_compare(1, 2), -1);
  CHECK(ktime_after(2, 1) && ktime_before(1, 2));
}

struct probe {
  struct timer_list timer;
  struct completion fired;
  atomic_t runs;
  int rearm;
  unsigned long at;
};

static void probe_fn(struct timer_list *t) {
  struct probe *p = from_timer(p, t, timer);

  p->at = jiffies;
  if (atomic_inc_return(&p->runs) <= p->rearm) mod_timer(t, jiffies + 1);
  CHECK(in_interrupt() && in_softirq() && !in_hardirq() && !in_task());
  complete(&p->fired);
}

static void probe_init(struct probe *p) {
  memset(p, 0, sizeof(*p));
  init_completion(&p->fired);
  timer_setup(&p->timer, probe_fn, 0);
}

static void timer_is_never_early_and_returns_tell(void) {
  struct probe p;
  unsigned long armed;

  probe_init(&p);
  CHECK(!timer_pending(&p.timer));
  CHECK_EQ(timer_delete(&p.timer), 0);
  CHECK_EQ(mod_timer_pending(&p.timer, jiffies + 1), 0); /* not pending: stays down */
  armed = jiffies;
  CHECK_EQ(mod_timer(&p.timer, armed + 8), 0);
  CHECK(timer_pending(&p.timer));
  CHECK_EQ(p.timer.expires, armed + 8);
  wait_for_completion(&p.fired);
  CHECK(p.at - armed >= 8);
  timer_delete_sync(&p.timer);
  CHECK(!timer_pending(&p.timer));
  CHECK_EQ(atomic_read(&p.runs), 1);

  CHECK_EQ(mod_timer(&p.timer, jiffies + 1000 * HZ), 0);
  CHECK_EQ(timer_reduce(&p.timer, jiffies + 2000 * HZ), 1); /* later: stays */
  CHECK(time_before(p.timer.expires, jiffies + 1500 * HZ));
  CHECK_EQ(mod_timer_pending(&p.timer, jiffies + 500 * HZ), 1);
  CHECK_EQ(del_timer(&p.timer), 1);
  CHECK_EQ(del_timer_sync(&p.timer), 0);

  p.timer.expires = jiffies; /* now, and the older spelling */
  add_timer(&p.timer);
  wait_for_completion(&p.fired);
  CHECK_EQ(timer_shutdown_sync(&p.timer), 0);
  CHECK_EQ(mod_timer(&p.timer, jiffies), 0); /* for good, until it is set up again */
  CHECK(!timer_pending(&p.timer));
  CHECK_EQ(atomic_read(&p.runs), 2);
  CHECK_NOT_REPORTED();
}

static void timer_that_rearms_itself_is_stopped(void) {
  struct probe p;
  int runs;

  probe_init(&p);
  p.rearm = INT_MAX;
  mod_timer(&p.timer, jiffies);
  CHECK_UNTIL(atomic_read(&p.runs) > 3);
  timer_delete_sync(&p.timer);
  runs = atomic_read(&p.runs);
  msleep(20);
  CHECK_EQ(atomic_read(&p.runs), runs);
  CHECK(!timer_pending(&p.timer));
}

static atomic_t freed;
static void free_fn(struct timer_list *t) {
  kfree(container_of(t, struct probe, timer));
  atomic_inc_return(&freed);
}
static void timer_function_may_free_it(void) {
  int i;

  for (i = 0; i < 50; i++) {
    struct probe *p = kzalloc(sizeof(*p), GFP_KERNEL);

    timer_setup(&p->timer, free_fn, 0);
    mod_timer(&p->timer, jiffies + (unsigned long)(i % 3));
  }
  CHECK_UNTIL(atomic_read(&freed) == 50);
}

static DEFINE_TIMER(static_timer, probe_fn);
static void misuse_of_timers_is_reported(void) {
  struct timer_list none;
  struct delayed_work dw;

  memset(&none, 0, sizeof(none));
  CHECK_EQ(mod_timer(&none, jiffies), 0);
  CHECK_REPORTED("not set up");
  INIT_DELAYED_WORK(&dw, NULL);
  uwq_reset_reports();
  CHECK_EQ(mod_timer(&dw.timer, jiffies), 0);
  CHECK_REPORTED("delayed work item");
  CHECK(!timer_pending(&static_timer));
  CHECK_EQ(timer_delete(&static_timer), 0);
  CHECK_NOT_REPORTED();
}

static struct completion self_done;
static void self_stop_fn(struct timer_list *t) {
  timer_delete_sync(t); /* a kernel hangs */
  complete(&self_done);
}
static void stopping_itself_is_reported(void) {
  struct timer_list t;

  init_completion(&self_done);
  timer_setup(&t, self_stop_fn, 0);
  mod_timer(&t, jiffies);
  wait_for_completion(&self_done);
  timer_delete_sync(&t);
  CHECK_REPORTED("own function");
}

static void sleeping_fn(struct timer_list *t) {
  (void)t;
  usleep_range(1, 2);
  complete(&self_done);
}
static void sleeping_in_a_timer_is_reported(void) {
  struct timer_list t;

  init_completion(&self_done);
  timer_setup(&t, sleeping_fn, 0);
  mod_timer(&t, jiffies);
  wait_for_completion(&self_done);
  timer_delete_sync(&t);
  CHECK_REPORTED("usleep_range may sleep, called from a timer function");
}

struct hr {
  struct hrtimer timer;
  atomic_t runs;
  int more;
  ktime_t last;
  struct completion done;
};
static enum hrtimer_restart hr_fn(struct hrtimer *t) {
  struct hr *h = container_of(t, struct hr, timer);

  h->last = ktime_get();
  atomic_inc_return(&h->runs);
  if (h->more-- > 0) {
    CHECK(hrtimer_forward_now(t, ms_to_ktime(2)) >= 1);
    return HRTIMER_RESTART;
  }
  complete(&h->done);
  return HRTIMER_NORESTART;
}

static void hrtimer_fires_restarts_and_stops(void) {
  struct hr h = {.more = 3};
  ktime_t start = ktime_get();

  init_completion(&h.done);
  hrtimer_setup(&h.timer, hr_fn, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
  CHECK(!hrtimer_active(&h.timer));
  hrtimer_start(&h.timer, us_to_ktime(1500), HRTIMER_MODE_REL);
  wait_for_completion(&h.done);
  hrtimer_cancel(&h.timer);
  CHECK_EQ(atomic_read(&h.runs), 4);
  CHECK(h.last - start >= us_to_ktime(1500 + 3 * 2000));

  hrtimer_init(&h.timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS); /* the older spelling */
  h.timer.function = hr_fn;
  hrtimer_start(&h.timer, ktime_add_ms(ktime_get(), 3600000), HRTIMER_MODE_ABS);
  CHECK(hrtimer_is_queued(&h.timer) && hrtimer_active(&h.timer));
  CHECK(hrtimer_get_remaining(&h.timer) > ms_to_ktime(3000000));
  CHECK_EQ(hrtimer_try_to_cancel(&h.timer), 1);
  CHECK_EQ(hrtimer_cancel(&h.timer), 0);
  CHECK_EQ(atomic_read(&h.runs), 4);
}

static void busy_waits_last_long_enough(void) {
  ktime_t start = ktime_get();

  udelay(300);
  ndelay(500);
  CHECK(ktime_us_delta(ktime_get(), start) >= 300);
  start = ktime_get();
  mdelay(1);
  CHECK(ktime_us_delta(ktime_get(), start) >= 1000);
}

RUN_TESTS(jiffies_count_milliseconds, ktime_arithmetic, timer_is_never_early_and_returns_tell,
          timer_that_rearms_itself_is_stopped, timer_function_may_free_it,
          misuse_of_timers_is_reported, stopping_itself_is_reported,
          sleeping_in_a_timer_is_reported, hrtimer_fires_restarts_and_stops,
          busy_waits_last_long_enough)
