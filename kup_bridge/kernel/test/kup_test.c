// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * kup_test.c -- the module kup_test: a device that does what the test program asks.
 * Also an example of a module that uses kupdev.h.
 *
 * Invariant: one thread answers the control channel; each job has a thread of its
 * own, which ends by itself when its channel's calls fail or when it is told to.
 */
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/version.h>

#include "kup_bridge/kernel/test/kup_test_abi.h"
#include "kup_bridge/kupdev.h"

#define MAX_LEN 4096u
#define MAX_BATCH 64

struct timer_producer { /* of KUP_TEST_TICK and KUP_TEST_MIX */
  struct hrtimer timer;
  struct job *job;
  uint64_t left, number;
  uint32_t producer, context;
};

struct job {
  struct task_struct *thread;
  struct completion finished;
  struct kup_test_ask ask;
  uint32_t chan;
  bool stop;
  int rc;
  uint64_t done, ns;
  atomic64_t dropped, running;
  struct timer_producer timers[4];
  uint8_t payload[MAX_LEN];
};

static struct kupdev_softc *device, *second;
static struct task_struct *control;
static struct job jobs[KUP_TEST_CHANNELS];

static void stamp(void *to, uint64_t number, uint32_t producer, uint32_t context) {
  struct kup_test_stamp s = {number, ktime_get_ns(), producer, context};

  memcpy(to, &s, sizeof(s));
}

/* ---- jobs ------------------------------------------------------------------------------ */

static bool goes_on(struct job *job) {
  return job->done < job->ask.count && !job->rc && !READ_ONCE(job->stop);
}

static void flood_batches(struct job *job) {
  static struct kup_vec msgs[KUP_TEST_CHANNELS][MAX_BATCH];
  struct kup_vec *m = msgs[job->chan];
  uint32_t i, n = min_t(uint32_t, job->ask.batch, MAX_BATCH);

  for (i = 0; i < n; i++) {
    m[i].data = job->payload;
    m[i].len = job->ask.len;
    m[i].type = KUP_TEST_MESSAGE;
  }
  while (goes_on(job)) {
    int rc =
        kupdev_post_batch(device, job->chan, m, min_t(uint64_t, n, job->ask.count - job->done));

    if (rc > 0)
      job->done += rc;
    else if (rc != -EAGAIN)
      job->rc = rc;
    else
      cond_resched();
  }
}

static void flood(struct job *job) {
  struct kup_vec msg = {job->payload, job->ask.len, KUP_TEST_MESSAGE, 0, 0};

  if (job->ask.batch) {
    flood_batches(job);
    return;
  }
  while (goes_on(job)) {
    stamp(job->payload, job->done, 0, 0);
    job->rc = kupdev_post_wait(device, job->chan, &msg, 100);
    if (!job->rc) job->done++;
    if (job->rc == -ETIMEDOUT) job->rc = 0; /* the user is slow, or there is none: `stop` decides */
  }
}

static void sink(struct job *job) {
  struct kup_msg msgs[16];

  while (goes_on(job)) {
    int i, n = kupdev_take_batch(device, job->chan, msgs, 16, 100);

    if (n == -ETIMEDOUT) continue;
    if (n < 0) {
      job->rc = n;
      break;
    }
    for (i = 0; i < n; i++) {
      uint64_t number;

      if (msgs[i].len < sizeof(number)) {
        job->rc = -EINVAL;
        break;
      }
      memcpy(&number, msgs[i].data, sizeof(number));
      if (number != job->done + i) job->rc = -EILSEQ;
    }
    kupdev_give_back(device, job->chan, msgs, n);
    job->done += n;
  }
}

static void echo(struct job *job) {
  struct kup_msg msg;

  while (goes_on(job)) {
    int rc = kupdev_take(device, job->chan, &msg, 100);

    if (rc == -ETIMEDOUT) continue;
    if (!rc) {
      struct kup_vec back = {msg.data, msg.len, KUP_TEST_MESSAGE, 0, msg.id};

      rc = kupdev_post_wait(device, job->chan, &back, 1000);
      kupdev_give_back(device, job->chan, &msg, 1);
    }
    job->rc = rc;
    job->done++;
  }
}

static void ask(struct job *job) {
  while (goes_on(job)) {
    uint64_t question = job->done, answer = 0;
    int rc = kupdev_call(device, job->chan, KUP_TEST_QUESTION, &question, sizeof(question), &answer,
                         sizeof(answer), 5000);

    if (rc != sizeof(answer) || answer != question + 1) job->rc = rc < 0 ? rc : -EILSEQ;
    job->done++;
  }
}

static void turns(struct job *job) {
  while (goes_on(job)) {
    uint64_t number = job->done, got = 0;
    void *data;

    job->rc = kupdev_send(device, &number, sizeof(number), job->chan);
    if (job->rc) break;
    data = kupdev_receive(device, job->chan);
    if (!data) {
      job->rc = kupdev_error(device, job->chan);
      break;
    }
    if (kupdev_receive_len(device, job->chan) == sizeof(got)) memcpy(&got, data, sizeof(got));
    kupdev_unlock_channel(device, job->chan);
    if (got != number + 1) job->rc = -EILSEQ;
    job->done++;
  }
}

static void frames(struct job *job) {
  while (goes_on(job)) {
    struct kup_frame frame;
    int rc = kupdev_frame_get(device, job->chan, &frame, 1000);

    if (!rc) {
      memset(frame.data, (int)job->done, frame.size);
      rc = kupdev_frame_send(device, job->chan, &frame, KUP_TEST_MESSAGE, frame.size, job->done);
    }
    job->rc = rc;
    job->done++;
  }
}

/* ---- producers in interrupt context ------------------------------------------------------ */

static enum hrtimer_restart timer_fires(struct hrtimer *timer) {
  struct timer_producer *p = container_of(timer, struct timer_producer, timer);
  uint8_t payload[64] = {0};
  int rc;

  if (WARN_ON_ONCE(p->context == 2 ? !in_hardirq() : !in_serving_softirq())) p->left = 1;
  stamp(payload, p->number, p->producer, p->context);
  rc = kupdev_post(device, p->job->chan, KUP_TEST_MESSAGE, payload, sizeof(payload));
  if (rc == -EAGAIN)
    atomic64_inc(&p->job->dropped);
  else if (rc)
    WRITE_ONCE(p->job->rc, rc);
  p->number++;
  if (--p->left && !READ_ONCE(p->job->rc) && !READ_ONCE(p->job->stop)) {
    hrtimer_forward_now(timer, ns_to_ktime(p->job->ask.period_ns));
    return HRTIMER_RESTART;
  }
  atomic64_dec(&p->job->running);
  return HRTIMER_NORESTART;
}

static void timer_begin(struct job *job, int i, uint32_t context) {
  struct timer_producer *p = &job->timers[i];
  enum hrtimer_mode mode = context == 2 ? HRTIMER_MODE_REL_HARD : HRTIMER_MODE_REL_SOFT;

  p->job = job;
  p->left = job->ask.count;
  p->number = 0;
  p->producer = i;
  p->context = context;
  atomic64_inc(&job->running);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
  hrtimer_setup(&p->timer, timer_fires, CLOCK_MONOTONIC, mode);
#else
  hrtimer_init(&p->timer, CLOCK_MONOTONIC, mode);
  p->timer.function = timer_fires;
#endif
  hrtimer_start(&p->timer, ns_to_ktime(job->ask.period_ns), mode);
}

static void timers_end(struct job *job, int n) {
  while (atomic64_read(&job->running)) schedule_timeout_uninterruptible(1);
  while (n--) hrtimer_cancel(&job->timers[n].timer);
}

static void tick(struct job *job) {
  timer_begin(job, 0, 2);
  timers_end(job, 1);
  job->done = job->timers[0].number;
}

static int mix_thread(void *arg) {
  struct job *job = arg;
  uint8_t payload[64] = {0};
  uint64_t i;

  for (i = 0; i < job->ask.count && !READ_ONCE(job->rc) && !READ_ONCE(job->stop); i++) {
    int rc;

    stamp(payload, i, 5, 0);
    rc = kupdev_post(device, job->chan, KUP_TEST_MESSAGE, payload, sizeof(payload));
    if (rc == -EAGAIN) atomic64_inc(&job->dropped);
    if (!(i & 15)) cond_resched();
  }
  atomic64_dec(&job->running);
  /* Until it is stopped, or its task would be gone. */
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (kthread_should_stop()) break;
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  return 0;
}

/* Two hard-irq timers, two softirq timers, two threads, all on one channel. */
static void mix(struct job *job) {
  struct task_struct *other;
  uint8_t payload[64] = {0};
  int i;

  atomic64_inc(&job->running);
  other = kthread_run(mix_thread, job, "kup-mix");
  if (IS_ERR(other)) {
    atomic64_dec(&job->running);
    job->rc = PTR_ERR(other);
    return;
  }
  for (i = 0; i < 4; i++) timer_begin(job, i, i < 2 ? 2 : 1);
  while (goes_on(job)) {
    int rc;

    stamp(payload, job->done, 4, 0);
    rc = kupdev_post(device, job->chan, KUP_TEST_MESSAGE, payload, sizeof(payload));
    if (rc == -EAGAIN) atomic64_inc(&job->dropped);
    job->done++;
    if (!(job->done & 15)) cond_resched();
  }
  timers_end(job, 4);
  kthread_stop(other);
  job->done *= KUP_TEST_PRODUCERS;
}

/* ---- control ------------------------------------------------------------------------------- */

static int job_thread(void *arg) {
  struct job *job = arg;
  uint64_t begin = ktime_get_ns();

  switch (job->ask.op) {
    case KUP_TEST_FLOOD:
      flood(job);
      break;
    case KUP_TEST_SINK:
      sink(job);
      break;
    case KUP_TEST_ECHO:
      echo(job);
      break;
    case KUP_TEST_TICK:
      tick(job);
      break;
    case KUP_TEST_MIX:
      mix(job);
      break;
    case KUP_TEST_ASK:
      ask(job);
      break;
    case KUP_TEST_TURNS:
      turns(job);
      break;
    case KUP_TEST_FRAMES:
      frames(job);
      break;
  }
  job->ns = ktime_get_ns() - begin;
  complete(&job->finished);
  while (!kthread_should_stop()) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (!kthread_should_stop()) schedule();
    __set_current_state(TASK_RUNNING);
  }
  return 0;
}

static int job_begin(struct job *job, const struct kup_test_ask *ask) {
  if (job->thread) return -EBUSY;
  if (ask->len < sizeof(struct kup_test_stamp) || ask->len > MAX_LEN) return -EINVAL;
  memset(job, 0, sizeof(*job));
  init_completion(&job->finished);
  job->ask = *ask;
  job->chan = ask->chan;
  job->thread = kthread_create(job_thread, job, "kup-job%u", job->chan);
  if (IS_ERR(job->thread)) {
    int rc = PTR_ERR(job->thread);

    job->thread = NULL;
    return rc;
  }
  /* Producer and user on different CPUs, where there are two. */
  set_cpus_allowed_ptr(job->thread, cpumask_of(cpumask_last(cpu_online_mask)));
  wake_up_process(job->thread);
  return 0;
}

static int job_wait(struct job *job, struct kup_test_answer *answer) {
  if (!job->thread) return -ESRCH;
  wait_for_completion(&job->finished); /* kthread_stop would end its sleeps with -EINTR */
  kthread_stop(job->thread);
  job->thread = NULL;
  answer->value[0] = job->done;
  answer->value[1] = job->ns;
  answer->value[2] = atomic64_read(&job->dropped);
  return job->rc;
}

static int at_once(const struct kup_test_ask *ask, struct kup_test_answer *answer) {
  struct kupdev_opts small = {.n_channels = 2, .d2u_size = 65536, .u2d_size = 65536};
  uint64_t values[KUP_COUNTERS_PER_GROUP], number;
  struct kupdev_stats stats;
  int rc, i;

  switch (ask->op) {
    case KUP_TEST_REVOKE:
      return kupdev_revoke(device, ask->chan);
    case KUP_TEST_STATS:
      rc = kupdev_get_stats(device, ask->chan, &stats);
      answer->value[0] = stats.attached;
      answer->value[1] = stats.bad;
      answer->value[2] = stats.dropped_records;
      answer->value[3] = stats.posted;
      answer->value[4] = stats.taken;
      answer->value[5] = stats.state;
      return rc;
    case KUP_TEST_COUNTERS:
      for (i = 0; i < KUP_COUNTERS_PER_GROUP; i++) values[i] = ask->count;
      return kupdev_counters_set(device, ask->chan, 1, values, KUP_COUNTERS_PER_GROUP);
    case KUP_TEST_PARAM:
      answer->value[0] = kupdev_param(device, ask->chan, ask->len);
      return 0;
    case KUP_TEST_OPEN:
      if (ask->count) small.d2u_size = ask->count;
      return second ? -EEXIST : kupdev_open("ktest2", &small, &second);
    case KUP_TEST_UNLOAD:
      rc = kupdev_unload(second);
      second = NULL;
      return rc;
    case KUP_TEST_POST2:
      for (rc = 0, number = 0; !rc && number < ask->count; number++)
        rc = kupdev_post(second, ask->chan, KUP_TEST_MESSAGE, &number, sizeof(number));
      return rc;
    default:
      return -EINVAL;
  }
}

static void handle(const struct kup_test_ask *ask, struct kup_test_answer *answer) {
  struct job *job = &jobs[ask->chan];

  if (ask->chan >= KUP_TEST_CHANNELS) {
    answer->rc = -ECHRNG;
  } else if (ask->op < KUP_TEST_STOP) {
    answer->rc = ask->chan == KUP_TEST_CONTROL ? -EINVAL : job_begin(job, ask);
  } else if (ask->op == KUP_TEST_STOP || ask->op == KUP_TEST_WAIT) {
    if (ask->op == KUP_TEST_STOP) WRITE_ONCE(job->stop, true);
    answer->rc = job_wait(job, answer);
  } else {
    answer->rc = at_once(ask, answer);
  }
}

static int control_thread(void *unused) {
  int rc;

  do {
    struct kup_test_answer answer;
    struct kup_test_ask ask;
    struct kup_msg msg;

    rc = kupdev_take(device, KUP_TEST_CONTROL, &msg, 200);
    if (rc == -EPIPE || rc == -EBADMSG) { /* nobody there: until somebody is, or we go */
      struct kupdev_event event;

      (void)kupdev_wait_event(device, &event, 200); /* whatever it is, we look again */
    }
    if (rc) continue;
    memset(&answer, 0, sizeof(answer));
    answer.rc = -EINVAL;
    if (msg.len == sizeof(ask)) {
      memcpy(&ask, msg.data, sizeof(ask));
      handle(&ask, &answer);
    }
    if (msg.flags & KUP_REC_REQUEST)
      (void)kupdev_reply(device, KUP_TEST_CONTROL, &msg, 0, &answer, sizeof(answer));
    (void)kupdev_give_back(device, KUP_TEST_CONTROL, &msg, 1);
  } while (!kthread_should_stop());
  return 0;
}

static int __init kup_test_init(void) {
  static const struct kupdev_opts opts = {.n_channels = KUP_TEST_CHANNELS,
                                          .n_frames_d2u = 4,
                                          .n_frames_u2d = 4,
                                          .frame_size = KUP_TEST_FRAME_SIZE};
  int rc = kupdev_open("ktest", &opts, &device);

  if (rc) return rc;
  control = kthread_run(control_thread, NULL, "kup-control");
  if (!IS_ERR(control)) return 0;
  kupdev_unload(device);
  return PTR_ERR(control);
}

/* Users may be attached: they see KUP_STATE_SHUTDOWN. Our own threads stop first. */
static void __exit kup_test_exit(void) {
  struct kup_test_answer unused;
  int i;

  kthread_stop(control);
  for (i = 0; i < KUP_TEST_CHANNELS; i++) {
    WRITE_ONCE(jobs[i].stop, true);
    (void)job_wait(&jobs[i], &unused);
  }
  if (second) kupdev_unload(second);
  kupdev_unload(device);
}

module_init(kup_test_init);
module_exit(kup_test_exit);
MODULE_DESCRIPTION("Device of tools/kernel-test kup");
MODULE_LICENSE("Dual BSD/GPL");
