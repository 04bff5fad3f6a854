/* SPDX-License-Identifier: BSD-3-Clause
 *
 * uwq.h -- the C ABI of the work items and queues.
 *
 * Conventions, the kernel's: a call returns bool with the kernel's meaning, NULL
 * or a negative errno value on failure; nothing throws across this boundary.
 * Every call is thread-safe.  "Sleeps" marks a call that may block; the others
 * never do for longer than a short critical section and never allocate.
 * An item is owned by the caller; the library never frees it and does not touch
 * it once its function has been entered.  Layouts in this file are frozen.  [UWQ-C-1]
 * Promises have ids in brackets; each is cited by a test.
 *
 * Delayed work: delayed/uwq_delayed.h.  Kernel source as it is: workqueue/linux/.
 */
#ifndef UWQ_WORKQUEUE_C_UWQ_H_
#define UWQ_WORKQUEUE_C_UWQ_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workqueue/base/abi_types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uwq_runtime;   /* pools and the service thread */
struct uwq_workqueue; /* a queue */

/* --- Flags: the kernel's, with the kernel's values ------------------------- */
enum {
  UWQ_BH = 1 << 0,
  UWQ_UNBOUND = 1 << 1,
  UWQ_FREEZABLE = 1 << 2,
  UWQ_MEM_RECLAIM = 1 << 3,
  UWQ_HIGHPRI = 1 << 4,
  UWQ_CPU_INTENSIVE = 1 << 5,
  UWQ_SYSFS = 1 << 6,
  UWQ_POWER_EFFICIENT = 1 << 7,
  UWQ_PERCPU = 1 << 8,
  UWQ_ORDERED_INTERNAL = 1 << 17, /* use uwq_alloc_ordered_workqueue() */
  UWQ_LEGACY_INTERNAL = 1 << 18,  /* set by the create_*workqueue() family */

  UWQ_MAX_ACTIVE = 2048,
  UWQ_UNBOUND_MAX_ACTIVE = UWQ_MAX_ACTIVE,
  UWQ_DFL_ACTIVE = UWQ_MAX_ACTIVE / 2,

  UWQ_CPU_UNBOUND = -1, /* no particular CPU */

  UWQ_BUSY_PENDING = 1 << 0,
  UWQ_BUSY_RUNNING = 1 << 1,
};

/* --- Items -------------------------------------------------------------------- */

/* The state word of an idle item that was never queued: no pool, enabled.  An item
 * with this initialiser needs no other call before it is queued.  [UWQ-C-2] */
#define UWQ_WORK_DATA_INIT ((unsigned long)0x7fffffff << 21)
#define UWQ_WORK_INITIALIZER(name, function) \
  { UWQ_WORK_DATA_INIT, {&(name).entry, &(name).entry}, (function) }

/* INIT_WORK.  Resets the disable depth.  An item that is queued is reported and
 * taken off its queue first; one that is running loses its non-reentrance (N3). */
void uwq_init_work(struct uwq_work* work, uwq_work_func_t func);
void uwq_init_work_onstack(struct uwq_work* work, uwq_work_func_t func);
/* Ends an item on the stack; reports and cancels one that is still queued. */
void uwq_destroy_work_on_stack(struct uwq_work* work);

/* Queue: true if this call made the item pending; false if it was pending
 * already (that execution will see the caller's stores) or is disabled.  On a
 * draining or destroyed queue: reported, dropped, and true (Q7).  [UWQ-C-3] */
bool uwq_queue_work(struct uwq_workqueue* wq, struct uwq_work* work);
bool uwq_queue_work_on(int cpu, struct uwq_workqueue* wq, struct uwq_work* work);
bool uwq_queue_work_node(int node, struct uwq_workqueue* wq, struct uwq_work* work);

/* Cancel: true if the item was pending.  The sync forms sleep until it is not
 * running either; they must not be called from the item's own function, nor under
 * a lock that the function takes (both are reported).  [UWQ-C-4]
 * Disabling cancels, and refuses queueing until it was enabled as often.  [UWQ-C-5] */
bool uwq_cancel_work(struct uwq_work* work);
bool uwq_cancel_work_sync(struct uwq_work* work); /* sleeps */
bool uwq_disable_work(struct uwq_work* work);
bool uwq_disable_work_sync(struct uwq_work* work); /* sleeps */
/* True if the item is enabled now (depth 0). */
bool uwq_enable_work(struct uwq_work* work);
bool uwq_enable_and_queue_work(struct uwq_workqueue* wq, struct uwq_work* work);
/* Waits for the last queued instance; true if there was something to wait for.  [UWQ-C-6] */
bool uwq_flush_work(struct uwq_work* work); /* sleeps */

bool uwq_work_pending(const struct uwq_work* work);
/* UWQ_BUSY_* bits; advisory. */
unsigned uwq_work_busy(struct uwq_work* work);

/* --- Queues ----------------------------------------------------------------------- */

/* NULL with errno set (EINVAL, ENOMEM, EAGAIN) and the reason in
 * uwq_last_error(); max_active 0 is the default.  `rt` NULL is the process's own
 * Runtime.  Sleeps.  [UWQ-C-7] */
struct uwq_workqueue* uwq_alloc_workqueue(struct uwq_runtime* rt, const char* name, unsigned flags,
                                          int max_active);
struct uwq_workqueue* uwq_alloc_ordered_workqueue(struct uwq_runtime* rt, const char* name,
                                                  unsigned flags);
/* Drains and frees; a second call, or NULL, is reported and does nothing.  Not from an item of
 * the queue (reported, nothing done).  [UWQ-C-8] */
void uwq_destroy_workqueue(struct uwq_workqueue* wq); /* sleeps */
void uwq_flush_workqueue(struct uwq_workqueue* wq);   /* sleeps */
void uwq_drain_workqueue(struct uwq_workqueue* wq);   /* sleeps */

void uwq_workqueue_set_max_active(struct uwq_workqueue* wq, int max_active); /* sleeps */
void uwq_workqueue_set_min_active(struct uwq_workqueue* wq, int min_active); /* sleeps */
bool uwq_workqueue_congested(int cpu, struct uwq_workqueue* wq);
const char* uwq_workqueue_name(const struct uwq_workqueue* wq);
unsigned uwq_workqueue_flags(const struct uwq_workqueue* wq);

enum uwq_affn_scope {
  UWQ_AFFN_DFL,
  UWQ_AFFN_CPU,
  UWQ_AFFN_SMT,
  UWQ_AFFN_CACHE,
  UWQ_AFFN_CACHE_SHARD,
  UWQ_AFFN_NUMA,
  UWQ_AFFN_SYSTEM,
};
struct uwq_workqueue_attrs {
  int nice;             /* -20..19; raising priority needs CAP_SYS_NICE, else ignored */
  int affn_scope;       /* enum uwq_affn_scope */
  bool affn_strict;     /* bind workers to their pod */
  bool ordered;         /* must be true for an ordered queue */
  uint64_t cpumask[16]; /* bit per CPU; all zero: every CPU */
};
/* 0, -EINVAL (per-CPU queue, bad value), -ENOMEM.  Sleeps.  [UWQ-C-9] */
int uwq_apply_workqueue_attrs(struct uwq_workqueue* wq, const struct uwq_workqueue_attrs* attrs);

enum uwq_system_wq {
  UWQ_SYSTEM_PERCPU,
  UWQ_SYSTEM_WQ, /* deprecated name of PERCPU */
  UWQ_SYSTEM_HIGHPRI,
  UWQ_SYSTEM_LONG,
  UWQ_SYSTEM_DFL,
  UWQ_SYSTEM_UNBOUND, /* deprecated name of DFL */
  UWQ_SYSTEM_DFL_LONG,
  UWQ_SYSTEM_FREEZABLE,
  UWQ_SYSTEM_POWER_EFFICIENT,
  UWQ_SYSTEM_FREEZABLE_POWER_EFFICIENT,
  UWQ_SYSTEM_BH,
  UWQ_SYSTEM_BH_HIGHPRI,
  UWQ_SYSTEM_NR
};
/* `which` is an enum uwq_system_wq; NULL if it is none.  The first call for a queue
 * creates it and may sleep; later ones are one load. */
struct uwq_workqueue* uwq_system_wq(struct uwq_runtime* rt, int which);

/* --- The calling thread ----------------------------------------------------------- */
struct uwq_work* uwq_current_work(void); /* NULL outside items and in BH items */
bool uwq_current_is_workqueue_rescuer(void);
bool uwq_current_is_workqueue_mem_reclaim(void);
void uwq_set_worker_desc(const char* desc); /* cut to 31 characters */
/* Around code that may block inside an item of a per-CPU queue, so that another
 * worker of that CPU starts at once; free elsewhere.  Calls nest. */
void uwq_blocking_enter(void);
void uwq_blocking_exit(void);
/* Reports a caller in a BH item. */
void uwq_might_sleep(const char* what);

/* A lock known to the checker: flushing under a lock that an item takes, and
 * returning from an item with one held, is reported. */
struct uwq_tracked_lock {
  const char* name;
  uint64_t id;
  struct uwq_tracked_lock* next_held;
};
void uwq_tracked_lock_init(struct uwq_tracked_lock* lock, const char* name);
void uwq_tracked_lock_acquired(struct uwq_tracked_lock* lock);
void uwq_tracked_lock_released(struct uwq_tracked_lock* lock);

/* --- Runtime ------------------------------------------------------------------------ */
struct uwq_runtime* uwq_runtime_default(void);
/* An emulated machine of `nodes` x `cpus_per_node` CPUs; 0 x 0: this machine. */
struct uwq_runtime* uwq_runtime_create(int nodes, int cpus_per_node); /* sleeps */
void uwq_runtime_destroy(struct uwq_runtime* rt);                     /* sleeps */
int uwq_runtime_nr_cpus(struct uwq_runtime* rt);

void uwq_freeze_workqueues_begin(struct uwq_runtime* rt); /* sleeps */
bool uwq_freeze_workqueues_busy(struct uwq_runtime* rt);  /* sleeps */
void uwq_thaw_workqueues(struct uwq_runtime* rt);         /* sleeps */

/* The kernel's dumps, to a file descriptor.  0 or -errno.  Any thread; idle queues and
 * pools are left out. */
int uwq_show_all_workqueues(struct uwq_runtime* rt, int fd);
int uwq_show_freezable_workqueues(struct uwq_runtime* rt, int fd);
int uwq_show_one_workqueue(struct uwq_workqueue* wq, int fd);

/* --- Reports -------------------------------------------------------------------------- */
/* `kind` names the rule, `text` the queue and the function.  NULL: stderr. */
typedef void (*uwq_report_fn)(const char* kind, const char* text, void* arg);
void uwq_set_report_handler(uwq_report_fn handler, void* arg);
void uwq_reset_reports(void);
/* The kernel's debugobjects: on-stack rules are checked at uwq_init_work(). */
void uwq_set_debug_objects(bool on);
/* Why the last failing call on this thread failed; never NULL. */
const char* uwq_last_error(void);

#ifdef __cplusplus
} /* extern "C" */
static_assert(sizeof(uwq_tracked_lock) == 24, "frozen");
#endif

#endif /* UWQ_WORKQUEUE_C_UWQ_H_ */
