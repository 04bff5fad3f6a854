/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/sched.h>: threads and their states. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_SCHED_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_SCHED_H_

#if __has_include_next(<linux/sched.h>)
#include_next <linux/sched.h>
#endif
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/preempt.h>
#include <linux/types.h>

#define TASK_RUNNING 0
#define TASK_INTERRUPTIBLE 1
#define TASK_UNINTERRUPTIBLE 2
#define TASK_IDLE 3
#define TASK_KILLABLE 4
#define TASK_NORMAL (TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE)
#define MAX_SCHEDULE_TIMEOUT LONG_MAX
#define TASK_COMM_LEN 16

/* A thread: one of <linux/kthread.h>, or any other that asked for `current`. */
struct task_struct {
  atomic_t uwq_state; /* TASK_*, the word that schedule() sleeps on */
  atomic_t uwq_flags;
  atomic_t usage;
  int pid;
  char comm[TASK_COMM_LEN];
  int uwq_cpu;
  int (*uwq_function)(void *data);
  void *uwq_data;
  int uwq_result;
  atomic_t uwq_exited;
  atomic_t uwq_parked;
  struct uwq_thread *uwq_thread;
  struct task_struct *uwq_next;
};

#ifdef __cplusplus
extern "C" {
#endif
struct task_struct *uwq_current(void);
void uwq_schedule(void);
long uwq_schedule_timeout(long ticks);
bool uwq_wake_up_process(struct task_struct *task);
void uwq_put_task(struct task_struct *task);
#ifdef __cplusplus
}
#endif

#define get_current() uwq_current()
/* C++ libraries have functions of this name; there it is get_current(). */
#ifndef __cplusplus
#define current get_current()
#endif
#define set_current_state(state) ((void)atomic_xchg(&get_current()->uwq_state, (state)))
#define __set_current_state(state) atomic_set(&get_current()->uwq_state, (state))
#define get_current_state() atomic_read(&get_current()->uwq_state)
#define schedule() uwq_schedule()
/* What is left, 0 if the time is up. */
#define schedule_timeout(ticks) uwq_schedule_timeout(ticks)
#define schedule_timeout_interruptible(ticks) \
  (__set_current_state(TASK_INTERRUPTIBLE), schedule_timeout(ticks))
#define schedule_timeout_uninterruptible(ticks) \
  (__set_current_state(TASK_UNINTERRUPTIBLE), schedule_timeout(ticks))
#define schedule_timeout_idle(ticks) (__set_current_state(TASK_IDLE), schedule_timeout(ticks))
static inline int wake_up_process(struct task_struct *task) { return uwq_wake_up_process(task); }
static inline struct task_struct *get_task_struct(struct task_struct *task) {
  atomic_inc(&task->usage);
  return task;
}
static inline void put_task_struct(struct task_struct *task) { uwq_put_task(task); }
static inline int task_pid_nr(struct task_struct *task) { return task->pid; }
/* No signal reaches a driver. */
#define signal_pending(task) ((void)(task), 0)
#define fatal_signal_pending(task) ((void)(task), 0)
#define need_resched() 0

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_SCHED_H_ */
