/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * conf.h: what the conformance programs share: TAP output, probe items, threads.
 *
 * A program is one C file over kernel headers only. It builds unchanged as a module of a real
 * kernel and, over this project's <linux/...> headers, as a userspace program. Loading it runs its
 * table of scenarios; each prints exactly one line, "ok ID" or "not ok ID reason". IDs are those of
 * section 5 (and section 2) of the workqueue reference; ".percpu", ".unbound" and ".ordered" name
 * the kind of workqueue that a scenario was repeated on.
 *
 * Invariant: lower time bounds are exact, upper bounds are generous (emulated machines are slow),
 * and nothing passes because time went by: a positive wait ends by an event, and a sleep only gives
 * a forbidden event the chance to happen.
 *
 * Read on: README.md (which kernel calls are used), queueing.c (the plainest program).
 */
#ifndef UWQ_TESTS_CONFORMANCE_LINUX_CONF_H_
#define UWQ_TESTS_CONFORMANCE_LINUX_CONF_H_

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/version.h>
#include <linux/workqueue.h>

/* A wait that takes longer than this is a lost wake-up, however slow the machine. */
#define CONF_PATIENCE_MS 30000

/* ---- results ------------------------------------------------------------------------------- */

/* Kinds of workqueue on which a scenario is repeated; none of them: the scenario makes its own. */
#define CONF_P 1u /* per-cpu; conf_queue() puts everything on CPU 0 */
#define CONF_U 2u /* unbound */
#define CONF_O 4u /* ordered */
#define CONF_PUO (CONF_P | CONF_U | CONF_O)

/* Per-cpu must be said since 7.0, and may not be said for BH queues before. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#define CONF_BH (WQ_BH | WQ_PERCPU)
#else
#define CONF_BH WQ_BH
#endif

struct conf_test {
  const char *id;
  const char *name;
  void (*run)(struct workqueue_struct *wq); /* wq is NULL when kinds is 0 */
  unsigned int kinds;
  int max_active; /* of the queue handed to run(); 0 is the default limit */
};

static struct {
  unsigned int kind; /* the kind that the running scenario is repeated on */
  bool failed;
  char id[32];
  char reason[200];
  int passed_total;
  int failed_total;
} conf;

static inline void conf_fail(int line, const char *what, long long got, long long want) {
  if (conf.failed) return; /* the first finding explains the rest */
  conf.failed = true;
  snprintf(conf.reason, sizeof(conf.reason), "line %d: %s: got %lld, want %lld", line, what, got,
           want);
}

/* Both record a failure and let the scenario go on, so that it still tidies up what it queued. */
#define EXPECT(cond)                               \
  do {                                             \
    if (!(cond)) conf_fail(__LINE__, #cond, 0, 1); \
  } while (0)
#define EXPECT_EQ(got, want)                                                   \
  do {                                                                         \
    long long conf_got = (long long)(got), conf_want = (long long)(want);      \
    if (conf_got != conf_want) conf_fail(__LINE__, #got, conf_got, conf_want); \
  } while (0)

/* Tells the reader of the log that the running scenario must also have made the kernel complain. */
#define conf_expect_report() pr_info("# %s expects a report\n", conf.id)

static inline void conf_run_one(const struct conf_test *t, unsigned int kind) {
  struct workqueue_struct *wq = NULL;
  const char *suffix = "";

  conf.kind = kind;
  conf.failed = false;
  switch (kind) {
    case CONF_P:
      suffix = ".percpu";
      wq = alloc_workqueue("conf_percpu", WQ_PERCPU, t->max_active);
      break;
    case CONF_U:
      suffix = ".unbound";
      wq = alloc_workqueue("conf_unbound", WQ_UNBOUND, t->max_active);
      break;
    case CONF_O:
      suffix = ".ordered";
      wq = alloc_ordered_workqueue("conf_ordered", 0);
      break;
  }
  snprintf(conf.id, sizeof(conf.id), "%s%s", t->id, suffix);
  pr_info("# %s %s\n", conf.id, t->name);
  if (kind != 0 && wq == NULL)
    conf_fail(__LINE__, "alloc_workqueue", 0, 1);
  else
    t->run(wq);
  if (wq) destroy_workqueue(wq);
  if (conf.failed) {
    conf.failed_total++;
    pr_info("not ok %s %s\n", conf.id, conf.reason);
  } else {
    conf.passed_total++;
    pr_info("ok %s\n", conf.id);
  }
}

static inline void conf_run_all(const char *suite, const struct conf_test *tests, int n) {
  int i;
  unsigned int kind;

  pr_info("# suite %s\n", suite);
  for (i = 0; i < n; i++) {
    if (tests[i].kinds == 0) conf_run_one(&tests[i], 0);
    for (kind = CONF_P; kind <= CONF_O; kind <<= 1) {
      if (tests[i].kinds & kind) conf_run_one(&tests[i], kind);
    }
  }
  pr_info("1..%d\n", conf.passed_total + conf.failed_total);
  pr_info("# end %s: %d passed, %d failed\n", suite, conf.passed_total, conf.failed_total);
}

#define CONF_MODULE(suite, tests)                       \
  static int __init conf_init(void) {                   \
    conf_run_all(suite, tests, (int)ARRAY_SIZE(tests)); \
    return 0;                                           \
  }                                                     \
  static void __exit conf_exit(void) {}                 \
  module_init(conf_init);                               \
  module_exit(conf_exit);                               \
  MODULE_DESCRIPTION("workqueue conformance: " suite);  \
  MODULE_LICENSE("Dual BSD/GPL")

/* ---- time ---------------------------------------------------------------------------------- */

static inline s64 conf_us(void) { return ktime_to_us(ktime_get()); }

/* Keeps the CPU busy: never gives it up, so concurrency management must not start anything else. */
static inline void conf_burn_us(int us) {
  s64 end = conf_us() + us;

  while (conf_us() < end) udelay(20);
}

/* Waits until `cond` holds; a condition that never comes true is the failure. */
#define CONF_UNTIL(cond)                                             \
  do {                                                               \
    s64 conf_end = conf_us() + CONF_PATIENCE_MS * 1000LL;            \
    while (!(cond) && conf_us() < conf_end) usleep_range(500, 1500); \
    EXPECT(cond);                                                    \
  } while (0)

#define CONF_WAIT(completion) \
  EXPECT(wait_for_completion_timeout(completion, msecs_to_jiffies(CONF_PATIENCE_MS)) != 0)

/* Time in which something forbidden would have happened. */
static inline void conf_linger(void) { msleep(40); }

/* ---- probe items --------------------------------------------------------------------------- */

#define CONF_LOG_MAX 128

/* Order of entries and the number of functions in flight, shared by any number of items. */
struct conf_log {
  spinlock_t lock;
  int n;
  int id[CONF_LOG_MAX];
  atomic_t current_entries;
  atomic_t max_entries;
};

static inline void conf_log_init(struct conf_log *log) {
  memset(log, 0, sizeof(*log));
  spin_lock_init(&log->lock);
}

static inline void conf_raise(atomic_t *max, int value) {
  int old = atomic_read(max);

  while (old < value) {
    int seen = atomic_cmpxchg(max, old, value);

    if (seen == old) break;
    old = seen;
  }
}

static inline void conf_log_enter(struct conf_log *log, int id) {
  unsigned long flags;

  spin_lock_irqsave(&log->lock, flags);
  if (log->n < CONF_LOG_MAX) log->id[log->n] = id;
  log->n++;
  spin_unlock_irqrestore(&log->lock, flags);
  conf_raise(&log->max_entries, atomic_inc_return(&log->current_entries));
}

static inline int conf_log_position(struct conf_log *log, int id) {
  int i;

  for (i = 0; i < log->n && i < CONF_LOG_MAX; i++) {
    if (log->id[i] == id) return i;
  }
  return -1;
}

/* What a probe item does and what it saw. Plain fields are set before queueing. */
struct conf_probe {
  int id;
  struct conf_log *log;
  bool gated;   /* wait for one conf_release() per run */
  int sleep_ms; /* then sleep */
  int burn_us;  /* then keep the CPU busy */
  int requeues; /* then queue itself again, so many times in all */
  struct workqueue_struct *requeue_wq;

  struct completion entered;
  struct completion release;
  atomic_t started;
  atomic_t finished;
  atomic_t current_entries;
  atomic_t max_entries;
  atomic_t requeue_true;
  int cpu[2]; /* CPU of the first two runs */
  unsigned long entered_jiffies;
};

struct conf_item {
  struct work_struct work;
  struct conf_probe p;
};

struct conf_ditem {
  struct delayed_work dw;
  struct conf_probe p;
};

static inline void conf_probe_init(struct conf_probe *p, int id) {
  memset(p, 0, sizeof(*p));
  p->id = id;
  init_completion(&p->entered);
  init_completion(&p->release);
}

static inline void conf_probe_body(struct conf_probe *p, struct work_struct *work) {
  int run = atomic_inc_return(&p->started) - 1;

  if (run < 2) p->cpu[run] = raw_smp_processor_id();
  p->entered_jiffies = jiffies;
  conf_raise(&p->max_entries, atomic_inc_return(&p->current_entries));
  if (p->log) conf_log_enter(p->log, p->id);
  complete(&p->entered);
  if (p->gated) wait_for_completion(&p->release);
  if (p->sleep_ms) msleep(p->sleep_ms);
  if (p->burn_us) conf_burn_us(p->burn_us);
  if (p->log) atomic_dec(&p->log->current_entries);
  atomic_dec(&p->current_entries);
  if (run < p->requeues && queue_work(p->requeue_wq, work)) atomic_inc(&p->requeue_true);
  atomic_inc(&p->finished);
}

static inline void conf_item_fn(struct work_struct *work) {
  conf_probe_body(&container_of(work, struct conf_item, work)->p, work);
}

static inline void conf_ditem_fn(struct work_struct *work) {
  conf_probe_body(&container_of(to_delayed_work(work), struct conf_ditem, dw)->p, work);
}

static inline void conf_item_init(struct conf_item *x, int id) {
  INIT_WORK(&x->work, conf_item_fn);
  conf_probe_init(&x->p, id);
}

static inline void conf_ditem_init(struct conf_ditem *x, int id) {
  INIT_DELAYED_WORK(&x->dw, conf_ditem_fn);
  conf_probe_init(&x->p, id);
}

static inline void conf_gate_init(struct conf_item *x, int id) {
  conf_item_init(x, id);
  x->p.gated = true;
}

static inline int conf_runs(struct conf_item *x) { return atomic_read(&x->p.finished); }
static inline int conf_druns(struct conf_ditem *x) { return atomic_read(&x->p.finished); }

static inline void conf_release(struct conf_probe *p) { complete(&p->release); }

/* Opens a gate for good, for all runs to come. */
static inline void conf_release_all(struct conf_probe *p) { complete_all(&p->release); }

/* Queues on the CPU that makes per-cpu limits and orders visible; elsewhere simply queues. */
static inline bool conf_queue(struct workqueue_struct *wq, struct work_struct *work) {
  return conf.kind == CONF_P ? queue_work_on(0, wq, work) : queue_work(wq, work);
}

/* Queues a gate and returns once it blocks its worker. */
static inline void conf_hold(struct workqueue_struct *wq, struct conf_item *gate) {
  EXPECT(conf_queue(wq, &gate->work));
  CONF_WAIT(&gate->p.entered);
}

/* ---- threads ------------------------------------------------------------------------------- */

/* One call made from another thread. `calling` is completed right before the call is made. */
struct conf_thread {
  struct task_struct *task;
  struct completion calling;
  struct completion done;
  long (*fn)(void *arg);
  void *arg;
  long result;
};

static inline int conf_thread_main(void *data) {
  struct conf_thread *t = data;

  complete(&t->calling);
  t->result = t->fn(t->arg);
  complete_all(&t->done);
  /* Only kthread_stop() ends a thread, so that a module can never be unloaded under one. */
  while (!kthread_should_stop()) usleep_range(500, 1500);
  return 0;
}

static inline void conf_thread_start(struct conf_thread *t, long (*fn)(void *), void *arg) {
  memset(t, 0, sizeof(*t));
  init_completion(&t->calling);
  init_completion(&t->done);
  t->fn = fn;
  t->arg = arg;
  t->task = kthread_run(conf_thread_main, t, "conf");
  EXPECT(!IS_ERR(t->task));
}

/* As conf_thread_start(), and returns when the call has had ample time to begin to block. */
static inline void conf_thread_block(struct conf_thread *t, long (*fn)(void *), void *arg) {
  conf_thread_start(t, fn, arg);
  if (IS_ERR(t->task)) return;
  CONF_WAIT(&t->calling);
  msleep(80);
}

static inline bool conf_thread_returned(struct conf_thread *t) { return completion_done(&t->done); }

/* Waits for the call and returns its result; a call that never returns is a failure. */
static inline long conf_thread_join(struct conf_thread *t) {
  if (IS_ERR(t->task)) return -1;
  if (!wait_for_completion_timeout(&t->done, msecs_to_jiffies(CONF_PATIENCE_MS))) {
    EXPECT(!"the call returned");
    return -1; /* the thread is abandoned: stopping it would hang as well */
  }
  kthread_stop(t->task);
  return t->result;
}

/* The calls that scenarios make from threads. */
static inline long conf_do_flush_work(void *w) { return flush_work(w); }
static inline long conf_do_cancel_sync(void *w) { return cancel_work_sync(w); }
static inline long conf_do_cancel_delayed_sync(void *dw) { return cancel_delayed_work_sync(dw); }
static inline long conf_do_disable_sync(void *w) { return disable_work_sync(w); }
static inline long conf_do_flush_workqueue(void *wq) {
  flush_workqueue((struct workqueue_struct *)wq);
  return 0;
}
static inline long conf_do_drain(void *wq) {
  drain_workqueue(wq);
  return 0;
}
static inline long conf_do_destroy(void *wq) {
  destroy_workqueue(wq);
  return 0;
}

#endif /* UWQ_TESTS_CONFORMANCE_LINUX_CONF_H_ */
