/* SPDX-License-Identifier: BSD-3-Clause
 *
 * uwq_linux.h -- what the <linux/...> headers call: the C ABI of the support library.
 *
 * Every exported symbol starts with uwq_; the kernel's names exist only as macros
 * and static inlines of workqueue/linux/linux/.  Drivers do not call these
 * directly, except for the section "Outside the kernel's vocabulary".
 * Conventions: workqueue/c/uwq.h.  Read on: docs/porting_from_linux.md.
 */
#ifndef UWQ_WORKQUEUE_LINUX_UWQ_LINUX_H_
#define UWQ_WORKQUEUE_LINUX_UWQ_LINUX_H_

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "delayed/uwq_delayed.h"
#include "workqueue/c/uwq.h"
#include "workqueue/rcu/uwq_rcu.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Outside the kernel's vocabulary ---------------------------------------------- */

/* Runs the program's module_init() functions in the order of their registration, then
 * its module_exit() functions in reverse.  Arguments of the form name=value set
 * module_param()s; --stay keeps the modules loaded until SIGINT or SIGTERM; --list
 * names modules and parameters.  Returns 0, or 1 if an init failed (those that had
 * succeeded are then exited), or 2 for an argument that it does not know.  Sleeps. */
int uwq_module_main(int argc, char** argv);

/* The number under which request_irq() and its family know file descriptor `fd`: it
 * fires whenever the descriptor is readable (an eventfd is read for you; the handler
 * must read any other).  The caller keeps `fd`.  Negative errno on failure. */
int uwq_irq_from_fd(int fd);
/* A made-up interrupt line and its pulse, for tests and for channels without an fd.
 * uwq_irq_raise() may be called from any context and never blocks. */
int uwq_irq_create(void);
int uwq_irq_raise(int irq);
/* Gives the number back; -EBUSY while a handler is registered. */
int uwq_irq_dispose(int irq);

/* Where printk() goes: NULL is the default, standard error.  `level` is 0..7. */
typedef void (*uwq_printk_fn)(int level, const char* text, void* arg);
void uwq_set_printk_handler(uwq_printk_fn handler, void* arg);

/* --- Words to wait on --------------------------------------------------------------- */

#define UWQ_FOREVER INT64_C(-1)
/* Returns true at once unless *word == value, else when a uwq_wake() of that address
 * comes: look again.  False once `deadline_ns` has passed (UWQ_FOREVER: never). */
bool uwq_wait_on(const void* word, uint32_t value, int64_t deadline_ns);
/* The same for a caller that the kernel would put to sleep: lets another worker of
 * the CPU start, and reports a caller that must not sleep. */
bool uwq_block_on(const void* word, uint32_t value, int64_t deadline_ns, const char* what);
/* Wakes up to `count` waiters; reads nothing through `word`, which may be gone. */
void uwq_wake(const void* word, int count);

/* --- Time ------------------------------------------------------------------------------ */
int64_t uwq_now_ns(void); /* CLOCK_MONOTONIC */
unsigned long uwq_jiffies(void);
void uwq_sleep_ns(int64_t ns, const char* what); /* sleeps at least so long */
void uwq_busy_wait_ns(int64_t ns);

/* --- The calling thread -------------------------------------------------------------- */
enum {
  UWQ_CTX_HARDIRQ = 1 << 0,
  UWQ_CTX_SOFTIRQ = 1 << 1, /* a timer's function or a BH item */
  UWQ_CTX_ATOMIC = 1 << 2,  /* holds a spinlock or has preemption disabled */
};
unsigned uwq_context(void);
/* Marks this thread for the duration of a handler; returns the mark before. */
unsigned uwq_context_set(unsigned context);
void uwq_atomic_enter(void);
void uwq_atomic_exit(void);
/* Reports a caller that may not sleep: BH, timer, interrupt, spinlock held. */
void uwq_linux_might_sleep(const char* what);

/* --- Threads and CPUs ------------------------------------------------------------------ */
struct uwq_thread;
/* Starts it; 0 or -EAGAIN.  Each must be joined, by another. */
int uwq_thread_start(struct uwq_thread** out, const char* name, void (*body)(void*), void* arg);
void uwq_thread_join(struct uwq_thread* thread);
/* The calling thread, from now on; best effort. */
void uwq_thread_bind_self(int cpu);
int uwq_thread_self_id(void);
void* uwq_thread_self(void); /* the task of this thread, or NULL */
void uwq_thread_set_self(void* task);
int uwq_this_cpu(void); /* of the default Runtime's CPUs */
int uwq_nr_cpus(void);
int uwq_nr_nodes(void);
int uwq_cpu_to_node(int cpu);

/* --- Timers: struct timer_list and struct hrtimer ----------------------------------- */
/* Bits of `flags` that tell the two from each other and from a delayed item's timer;
 * written at set-up only. */
#define UWQ_KTIMER_JIFFIES 0x40000000u
#define UWQ_KTIMER_HR 0x20000000u
/* Same layout as the tail of struct delayed_work, so that `dw->timer` is one. */
struct uwq_ktimer {
  struct uwq_timer node;
  void (*function)(struct uwq_ktimer* timer);
  int32_t cpu; /* a delayed item's */
  uint32_t flags;
  unsigned long expires; /* jiffies, or ns */
};
enum uwq_ktimer_mode { UWQ_KTIMER_MOD, UWQ_KTIMER_MOD_PENDING, UWQ_KTIMER_REDUCE };
/* True if it was pending.  A timer without a function stays down. */
bool uwq_ktimer_arm(struct uwq_ktimer* timer, unsigned long expires, enum uwq_ktimer_mode mode);
/* Of a delayed item's timer, too. */
bool uwq_ktimer_pending(const struct uwq_ktimer* timer);
bool uwq_ktimer_cancel(struct uwq_ktimer* timer, bool shutdown);
/* Also waits until its function has returned; from that function: reported, no wait. */
bool uwq_ktimer_cancel_sync(struct uwq_ktimer* timer, bool shutdown);
/* 1 was pending, 0 was not, -1 its function runs. */
int uwq_ktimer_try_cancel(struct uwq_ktimer* timer);
bool uwq_ktimer_running(const struct uwq_ktimer* timer);

/* --- Workqueue calls that are more than one of workqueue/c/uwq.h ----------------------- */
#define UWQ_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#ifdef __has_attribute
#if __has_attribute(warning)
#define UWQ_WARN_ABOUT(text) __attribute__((warning(text)))
#endif
#endif
#ifndef UWQ_WARN_ABOUT
#define UWQ_WARN_ABOUT(text)
#endif
struct uwq_workqueue* uwq_linux_alloc_workqueue(const char* fmt, unsigned flags, int max_active,
                                                ...) UWQ_PRINTF(1, 4);
struct uwq_workqueue* uwq_linux_alloc_ordered_workqueue(const char* fmt, unsigned flags, ...)
    UWQ_PRINTF(1, 3);
void uwq_linux_set_worker_desc(const char* fmt, ...) UWQ_PRINTF(1, 2);
void uwq_watchdog_touch(int cpu);
/* uwq_flush_workqueue(); a caller whose source names a system queue is warned by the
 * compiler as well. */
void uwq_flush_system_workqueue(struct uwq_workqueue* wq) /* sleeps */
    UWQ_WARN_ABOUT("flushing a system-wide workqueue waits for everybody's items; flush your own");
int uwq_schedule_on_each_cpu(uwq_work_func_t func);          /* sleeps */
long uwq_work_on_cpu(int cpu, long (*fn)(void*), void* arg); /* sleeps */

/* --- Interrupt lines --------------------------------------------------------------------- */
typedef int (*uwq_irq_handler_fn)(int irq, void* data);
int uwq_linux_request_irq(unsigned irq, uwq_irq_handler_fn handler, uwq_irq_handler_fn thread_fn,
                          bool start_disabled, const char* name, void* data); /* sleeps */
void uwq_free_irq(unsigned irq, void* data);                                  /* sleeps */
void uwq_disable_irq(unsigned irq, bool wait);
void uwq_enable_irq(unsigned irq);
void uwq_synchronize_irq(unsigned irq); /* sleeps */

/* --- Telling ---------------------------------------------------------------------------- */
int uwq_printk(const char* fmt, ...) UWQ_PRINTF(1, 2);
int uwq_vprintk(const char* fmt, va_list args) UWQ_PRINTF(1, 0);
int uwq_dev_printk(int level, const char* driver, const char* device, const char* fmt, ...)
    UWQ_PRINTF(4, 5);
/* WARN(): a report with a stack, once for each file and line if `once`. */
void uwq_warn(const char* file, int line, bool once, const char* fmt, ...) UWQ_PRINTF(4, 5);
void uwq_bug(const char* file, int line) __attribute__((noreturn));
void uwq_dump_stack(void);
/* A few lines in a while; false: this one is dropped. */
bool uwq_ratelimit(const void* site);

/* --- Modules ----------------------------------------------------------------------------- */
enum uwq_param_type {
  UWQ_PARAM_byte,
  UWQ_PARAM_short,
  UWQ_PARAM_ushort,
  UWQ_PARAM_int,
  UWQ_PARAM_uint,
  UWQ_PARAM_long,
  UWQ_PARAM_ulong,
  UWQ_PARAM_bool,
  UWQ_PARAM_charp,
};
/* Both are linked in place by constructors of the program, and never leave. */
struct uwq_module {
  const char* name;
  int (*init)(void);
  void (*exit)(void);
  struct uwq_module* next;
};
struct uwq_param {
  const char* name;
  enum uwq_param_type type;
  void* value;
  struct uwq_param* next;
};
void uwq_module_register(struct uwq_module* module);
void uwq_param_register(struct uwq_param* param);

#ifdef __cplusplus
} /* extern "C" */
static_assert(sizeof(void*) != 8 || sizeof(uwq_ktimer) == 56, "frozen: 56 bytes on LP64");
#endif

#endif /* UWQ_WORKQUEUE_LINUX_UWQ_LINUX_H_ */
