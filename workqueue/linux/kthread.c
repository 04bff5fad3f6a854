/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kthread.c -- struct task_struct: kernel threads, their states, and `current`.
 *
 * Invariant: a task's usage holds one reference for its thread until that has ended;
 * who drops the last one frees it.  The thread itself cannot join itself: a task whose
 * last reference is its thread's waits on a list for the next creation.
 */
#include <linux/kthread.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>

enum { SHOULD_STOP = 1 << 0, SHOULD_PARK = 1 << 1, FOREIGN = 1 << 2, STARTED = 1 << 3 };

static DEFINE_SPINLOCK(ended_lock);
static struct task_struct *ended;

static void free_task(struct task_struct *task) {
  if (task->uwq_thread) uwq_thread_join(task->uwq_thread);
  kfree(task);
}

/* Before a creation, and at the end of the program. */
static __attribute__((destructor)) void reap(void) {
  struct task_struct *list;

  spin_lock(&ended_lock);
  list = ended;
  ended = NULL;
  spin_unlock(&ended_lock);
  while (list) {
    struct task_struct *task = list;

    list = task->uwq_next;
    free_task(task);
  }
}

void uwq_put_task(struct task_struct *task) {
  if (!atomic_dec_and_test(&task->usage)) return;
  if (atomic_read(&task->uwq_flags) & FOREIGN) return; /* lives as long as its thread */
  free_task(task);
}

/* A thread that uwq did not start, or a worker, gets a task when it asks for one. */
static __thread struct task_struct foreign;

struct task_struct *uwq_current(void) {
  struct task_struct *task = (struct task_struct *)uwq_thread_self();

  if (task) return task;
  task = &foreign;
  atomic_set(&task->usage, 1);
  atomic_set(&task->uwq_flags, FOREIGN | STARTED);
  task->pid = uwq_thread_self_id();
  strscpy(task->comm, "user");
  uwq_thread_set_self(task);
  return task;
}

/* ---- states */

bool uwq_wake_up_process(struct task_struct *task) {
  int old;

  if (!(atomic_fetch_or(STARTED, &task->uwq_flags) & STARTED)) {
    uwq_wake(&task->uwq_flags, 1);
    return true;
  }
  old = atomic_xchg(&task->uwq_state, TASK_RUNNING);
  if (old == TASK_RUNNING) return false;
  uwq_wake(&task->uwq_state, 1);
  return true;
}

static bool schedule_until(int64_t deadline) {
  struct task_struct *task = uwq_current();
  bool in_time = true;
  int state;

  while (in_time && (state = atomic_read_acquire(&task->uwq_state)) != TASK_RUNNING)
    in_time = uwq_block_on(&task->uwq_state, (u32)state, deadline, "schedule");
  atomic_xchg(&task->uwq_state, TASK_RUNNING);
  return in_time;
}

void uwq_schedule(void) { schedule_until(UWQ_FOREVER); }

void uwq_schedule_until(int64_t deadline) { schedule_until(deadline); }

long uwq_schedule_timeout(long ticks) {
  int64_t deadline = uwq_ticks_to_deadline(ticks < 0 ? 0 : (unsigned long)ticks);

  return schedule_until(deadline) ? uwq_ticks_left(deadline, (unsigned long)ticks, 0) : 0;
}

/* ---- threads */

static void thread_main(void *data) {
  struct task_struct *task = data;
  int flags;

  uwq_thread_set_self(task);
  task->pid = uwq_thread_self_id();
  while (!((flags = atomic_read_acquire(&task->uwq_flags)) & STARTED))
    uwq_wait_on(&task->uwq_flags, (u32)flags, UWQ_FOREVER);
  uwq_thread_bind_self(task->uwq_cpu); /* kthread_bind() may have changed it until now */
  /* Stopped before it ever ran: the function is not entered. */
  task->uwq_result = flags & SHOULD_STOP ? -EINTR : task->uwq_function(task->uwq_data);

  /* The reference first: who stops this thread has one of its own, is then the last,
   * and joins it before the memory goes. */
  if (!atomic_dec_and_test(&task->usage)) {
    atomic_xchg(&task->uwq_exited, 1);
    uwq_wake(&task->uwq_exited, INT_MAX);
    return;
  }
  spin_lock(&ended_lock);
  task->uwq_next = ended;
  ended = task;
  spin_unlock(&ended_lock);
}

static struct task_struct *create(int cpu, int (*fn)(void *data), void *data, const char *fmt,
                                  va_list args) {
  struct task_struct *task;
  int error;

  reap();
  task = kzalloc(sizeof(*task), GFP_KERNEL);
  if (!task) return ERR_PTR(-ENOMEM);
  vsnprintf(task->comm, sizeof(task->comm), fmt, args);
  task->uwq_function = fn;
  task->uwq_data = data;
  task->uwq_cpu = cpu;
  atomic_set(&task->usage, 1);
  error = uwq_thread_start(&task->uwq_thread, task->comm, thread_main, task);
  if (!error) return task;
  kfree(task);
  return ERR_PTR(error);
}

struct task_struct *uwq_kthread_create(int cpu, int (*fn)(void *data), void *data, const char *fmt,
                                       ...) {
  struct task_struct *task;
  va_list args;

  va_start(args, fmt);
  task = create(cpu, fn, data, fmt, args);
  va_end(args);
  return task;
}

struct task_struct *uwq_kthread_woken(struct task_struct *task) {
  if (!IS_ERR(task)) uwq_wake_up_process(task);
  return task;
}

static bool has_flag(int flag) {
  return (atomic_read_acquire(&uwq_current()->uwq_flags) & flag) != 0;
}

bool uwq_kthread_should_stop(void) { return has_flag(SHOULD_STOP); }
bool uwq_kthread_should_park(void) { return has_flag(SHOULD_PARK); }

int uwq_kthread_stop(struct task_struct *task) {
  int result;

  uwq_linux_might_sleep("kthread_stop");
  get_task_struct(task);
  atomic_fetch_or(SHOULD_STOP, &task->uwq_flags);
  uwq_kthread_unpark(task);
  uwq_wake_up_process(task);
  while (!atomic_read_acquire(&task->uwq_exited))
    uwq_block_on(&task->uwq_exited, 0, UWQ_FOREVER, "kthread_stop");
  result = task->uwq_result;
  put_task_struct(task);
  return result;
}

void uwq_kthread_parkme(void) {
  struct task_struct *self = uwq_current();

  atomic_xchg(&self->uwq_parked, 1);
  uwq_wake(&self->uwq_parked, INT_MAX);
  for (;;) {
    int flags = atomic_read_acquire(&self->uwq_flags);

    if (!(flags & SHOULD_PARK)) break;
    uwq_block_on(&self->uwq_flags, (u32)flags, UWQ_FOREVER, "kthread_parkme");
  }
  atomic_xchg(&self->uwq_parked, 0);
}

int uwq_kthread_park(struct task_struct *task) {
  uwq_linux_might_sleep("kthread_park");
  if (atomic_read(&task->uwq_exited)) return -ENOSYS;
  atomic_fetch_or(SHOULD_PARK, &task->uwq_flags);
  uwq_wake_up_process(task);
  while (!atomic_read_acquire(&task->uwq_parked))
    uwq_block_on(&task->uwq_parked, 0, UWQ_FOREVER, "kthread_park");
  return 0;
}

void uwq_kthread_unpark(struct task_struct *task) {
  atomic_fetch_and(~SHOULD_PARK, &task->uwq_flags);
  uwq_wake(&task->uwq_flags, INT_MAX);
}
