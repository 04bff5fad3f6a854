/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/workqueue.h>: work items, delayed items and queues, with the kernel's names and meanings.
 * Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_WORKQUEUE_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_WORKQUEUE_H_

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/container_of.h>
#include <linux/cpumask.h>
#include <linux/lockdep.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/timer.h>
#include <linux/types.h>

#include "delayed/uwq_delayed.h"
#include "workqueue/c/uwq.h"
#include "workqueue/linux/uwq_linux.h"

/* --- Types.  Layouts are those of struct uwq_work and struct uwq_delayed_work ------ */

struct workqueue_struct; /* is a struct uwq_workqueue */
struct work_struct;
typedef void (*work_func_t)(struct work_struct *work);

struct work_struct {
  atomic_long_t data; /* docs/state_word.md; only the library writes it */
  struct list_head entry;
  work_func_t func;
};

struct delayed_work {
  struct work_struct work;
  union {
    /* For timer_pending(&dw->timer) and dw->timer.expires; its own calls are refused. */
    struct timer_list timer;
    struct {
      struct uwq_timer uwq_node;
      struct workqueue_struct *wq; /* these two are written when a timer is armed */
      int cpu;
      u32 uwq_flags;
    };
  };
};

struct rcu_work {
  struct work_struct work;
  struct rcu_head rcu;
  struct workqueue_struct *wq;
};

struct execute_work {
  struct work_struct work;
};

/* --- Constants (1.3, 1.4) ------------------------------------------------------------ */

enum wq_flags {
  WQ_BH = UWQ_BH,
  WQ_UNBOUND = UWQ_UNBOUND,
  WQ_FREEZABLE = UWQ_FREEZABLE,
  WQ_MEM_RECLAIM = UWQ_MEM_RECLAIM,
  WQ_HIGHPRI = UWQ_HIGHPRI,
  WQ_CPU_INTENSIVE = UWQ_CPU_INTENSIVE,
  WQ_SYSFS = UWQ_SYSFS,
  WQ_POWER_EFFICIENT = UWQ_POWER_EFFICIENT,
  WQ_PERCPU = UWQ_PERCPU,
  __WQ_ORDERED = UWQ_ORDERED_INTERNAL,
  __WQ_LEGACY = UWQ_LEGACY_INTERNAL,
  __WQ_BH_ALLOWS = UWQ_BH | UWQ_HIGHPRI | UWQ_PERCPU,
};

enum wq_consts {
  WQ_MAX_ACTIVE = UWQ_MAX_ACTIVE,
  WQ_UNBOUND_MAX_ACTIVE = UWQ_UNBOUND_MAX_ACTIVE,
  WQ_DFL_ACTIVE = UWQ_DFL_ACTIVE,
  WQ_DFL_MIN_ACTIVE = 8,
};

enum wq_misc_consts {
  WORK_NR_COLORS = 16,
  WORK_CPU_UNBOUND = UWQ_CPU_UNBOUND, /* -1; the kernel has NR_CPUS */
  WORK_BUSY_PENDING = UWQ_BUSY_PENDING,
  WORK_BUSY_RUNNING = UWQ_BUSY_RUNNING,
  WORKER_DESC_LEN = 32,
};

enum work_bits {
  WORK_STRUCT_PENDING_BIT = 0,
  WORK_STRUCT_INACTIVE_BIT = 1,
  WORK_STRUCT_PWQ_BIT = 2,
  WORK_STRUCT_LINKED_BIT = 3,
};

enum wq_affn_scope {
  WQ_AFFN_DFL,
  WQ_AFFN_CPU,
  WQ_AFFN_SMT,
  WQ_AFFN_CACHE,
  WQ_AFFN_CACHE_SHARD,
  WQ_AFFN_NUMA,
  WQ_AFFN_SYSTEM,
  WQ_AFFN_NR_TYPES,
};

struct workqueue_attrs {
  int nice;
  cpumask_var_t cpumask;
  cpumask_var_t __pod_cpumask;
  bool affn_strict;
  enum wq_affn_scope affn_scope;
  bool ordered;
};

/* --- From the kernel's types to the C ABI's ------------------------------------------- */

static inline struct uwq_work *uwq_w(const struct work_struct *work) {
  return (struct uwq_work *)(unsigned long)work;
}
static inline struct uwq_delayed_work *uwq_dw(const struct delayed_work *dw) {
  return (struct uwq_delayed_work *)(unsigned long)dw;
}
static inline struct uwq_workqueue *uwq_q(const struct workqueue_struct *wq) {
  return (struct uwq_workqueue *)(unsigned long)wq;
}
static inline struct workqueue_struct *uwq_kernel_q(struct uwq_workqueue *wq) {
  return (struct workqueue_struct *)wq;
}
/* Both take one pointer and return nothing; the detour keeps compilers quiet. */
static inline uwq_work_func_t uwq_f(work_func_t func) {
  return (uwq_work_func_t)(void (*)(void))func;
}

/* --- Initialisers and predicates (1.5) -------------------------------------------------- */

#define WORK_DATA_INIT() ATOMIC_LONG_INIT((long)UWQ_WORK_DATA_INIT)
#define WORK_DATA_STATIC_INIT() WORK_DATA_INIT()
#define __WORK_INITIALIZER(n, f) \
  { WORK_DATA_INIT(), {&(n).entry, &(n).entry}, (f) }
#define UWQ_TIMER_FLAGS(tflags) \
  (UWQ_DELAYED_EXPIRES | ((tflags)&TIMER_DEFERRABLE ? UWQ_DELAYED_DEFERRABLE : 0))
#define __DELAYED_WORK_INITIALIZER(n, f, tflags)           \
  {                                                        \
    __WORK_INITIALIZER((n).work, (f)), {                   \
      { {{0, 0}, 0, 0}, 0, 0, UWQ_TIMER_FLAGS(tflags), 0 } \
    }                                                      \
  }
#define DECLARE_WORK(n, f) struct work_struct n = __WORK_INITIALIZER(n, f)
#define DECLARE_DELAYED_WORK(n, f) struct delayed_work n = __DELAYED_WORK_INITIALIZER(n, f, 0)
#define DECLARE_DEFERRABLE_WORK(n, f) \
  struct delayed_work n = __DELAYED_WORK_INITIALIZER(n, f, TIMER_DEFERRABLE)

static inline void INIT_WORK(struct work_struct *work, work_func_t func) {
  uwq_init_work(uwq_w(work), uwq_f(func));
}
static inline void INIT_WORK_ONSTACK(struct work_struct *work, work_func_t func) {
  uwq_init_work_onstack(uwq_w(work), uwq_f(func));
}
static inline void uwq_linux_init_delayed(struct delayed_work *dw, work_func_t func,
                                          unsigned int tflags) {
  uwq_init_delayed_work(uwq_dw(dw), uwq_f(func), UWQ_TIMER_FLAGS(tflags));
}
static inline void uwq_linux_init_delayed_onstack(struct delayed_work *dw, work_func_t func,
                                                  unsigned int tflags) {
  uwq_init_delayed_work_onstack(uwq_dw(dw), uwq_f(func), UWQ_TIMER_FLAGS(tflags));
}
/* Macros, since drivers pass a function of `struct delayed_work *`'s container through
 * expressions that only a macro's argument allows. */
#define __INIT_WORK(work, func, onstack) \
  ((onstack) ? INIT_WORK_ONSTACK(work, func) : INIT_WORK(work, func))
#define __INIT_WORK_KEY(work, func, onstack, key) ((void)(key), __INIT_WORK(work, func, onstack))
#define INIT_WORK_ONSTACK_KEY(work, func, key) ((void)(key), INIT_WORK_ONSTACK(work, func))
#define __INIT_DELAYED_WORK(dw, func, tflags) uwq_linux_init_delayed(dw, func, tflags)
#define __INIT_DELAYED_WORK_ONSTACK(dw, func, tflags) \
  uwq_linux_init_delayed_onstack(dw, func, tflags)
#define INIT_DELAYED_WORK(dw, func) __INIT_DELAYED_WORK(dw, func, 0)
#define INIT_DELAYED_WORK_ONSTACK(dw, func) __INIT_DELAYED_WORK_ONSTACK(dw, func, 0)
#define INIT_DEFERRABLE_WORK(dw, func) __INIT_DELAYED_WORK(dw, func, TIMER_DEFERRABLE)
#define INIT_DEFERRABLE_WORK_ONSTACK(dw, func) \
  __INIT_DELAYED_WORK_ONSTACK(dw, func, TIMER_DEFERRABLE)
#define INIT_RCU_WORK(rwork, func) INIT_WORK(&(rwork)->work, (func))
#define INIT_RCU_WORK_ONSTACK(rwork, func) INIT_WORK_ONSTACK(&(rwork)->work, (func))

static inline void destroy_work_on_stack(struct work_struct *work) {
  uwq_destroy_work_on_stack(uwq_w(work));
}
static inline void destroy_delayed_work_on_stack(struct delayed_work *dw) {
  uwq_destroy_delayed_work_on_stack(uwq_dw(dw));
}

static inline unsigned long *work_data_bits(struct work_struct *work) {
  return (unsigned long *)&work->data;
}
static inline bool work_pending(const struct work_struct *work) {
  return (atomic_long_read(&work->data) & BIT(WORK_STRUCT_PENDING_BIT)) != 0;
}
static inline bool delayed_work_pending(const struct delayed_work *dw) {
  return work_pending(&dw->work);
}
static inline struct delayed_work *to_delayed_work(struct work_struct *work) {
  return container_of(work, struct delayed_work, work);
}
static inline struct rcu_work *to_rcu_work(struct work_struct *work) {
  return container_of(work, struct rcu_work, work);
}
#define from_work(var, work, field) container_of(work, __typeof__(*(var)), field)

/* --- Queueing (1.6) ----------------------------------------------------------------------- */

static inline bool queue_work(struct workqueue_struct *wq, struct work_struct *work) {
  return uwq_queue_work(uwq_q(wq), uwq_w(work));
}
static inline bool queue_work_on(int cpu, struct workqueue_struct *wq, struct work_struct *work) {
  return uwq_queue_work_on(cpu, uwq_q(wq), uwq_w(work));
}
static inline bool queue_work_node(int node, struct workqueue_struct *wq,
                                   struct work_struct *work) {
  return uwq_queue_work_node(node, uwq_q(wq), uwq_w(work));
}

#define UWQ_SYSTEM_(which) uwq_kernel_q(uwq_system_wq(NULL, which))
#define system_percpu_wq UWQ_SYSTEM_(UWQ_SYSTEM_PERCPU)
#define system_wq UWQ_SYSTEM_(UWQ_SYSTEM_WQ)
#define system_highpri_wq UWQ_SYSTEM_(UWQ_SYSTEM_HIGHPRI)
#define system_long_wq UWQ_SYSTEM_(UWQ_SYSTEM_LONG)
#define system_dfl_wq UWQ_SYSTEM_(UWQ_SYSTEM_DFL)
#define system_unbound_wq UWQ_SYSTEM_(UWQ_SYSTEM_UNBOUND)
#define system_dfl_long_wq UWQ_SYSTEM_(UWQ_SYSTEM_DFL_LONG)
#define system_freezable_wq UWQ_SYSTEM_(UWQ_SYSTEM_FREEZABLE)
#define system_power_efficient_wq UWQ_SYSTEM_(UWQ_SYSTEM_POWER_EFFICIENT)
#define system_freezable_power_efficient_wq UWQ_SYSTEM_(UWQ_SYSTEM_FREEZABLE_POWER_EFFICIENT)
#define system_bh_wq UWQ_SYSTEM_(UWQ_SYSTEM_BH)
#define system_bh_highpri_wq UWQ_SYSTEM_(UWQ_SYSTEM_BH_HIGHPRI)

static inline bool schedule_work(struct work_struct *work) {
  return uwq_queue_work(uwq_system_wq(NULL, UWQ_SYSTEM_PERCPU), uwq_w(work));
}
static inline bool schedule_work_on(int cpu, struct work_struct *work) {
  return uwq_queue_work_on(cpu, uwq_system_wq(NULL, UWQ_SYSTEM_PERCPU), uwq_w(work));
}
static inline bool enable_and_queue_work(struct workqueue_struct *wq, struct work_struct *work) {
  return uwq_enable_and_queue_work(uwq_q(wq), uwq_w(work));
}
/* 0: called directly; 1: queued, because the caller is a handler, timer or BH item. */
static inline int execute_in_process_context(work_func_t fn, struct execute_work *ew) {
  if (!in_interrupt()) {
    fn(&ew->work);
    return 0;
  }
  INIT_WORK(&ew->work, fn);
  schedule_work(&ew->work);
  return 1;
}
static inline int schedule_on_each_cpu(work_func_t func) {
  return uwq_schedule_on_each_cpu(uwq_f(func));
}
static inline long work_on_cpu(int cpu, long (*fn)(void *), void *arg) {
  return uwq_work_on_cpu(cpu, fn, arg);
}
#define work_on_cpu_key(cpu, fn, arg, key) ((void)(key), work_on_cpu(cpu, fn, arg))
#define work_on_cpu_safe(cpu, fn, arg) work_on_cpu(cpu, fn, arg)

/* --- Delayed work (1.7) -------------------------------------------------------------------- */

static inline bool queue_delayed_work_on(int cpu, struct workqueue_struct *wq,
                                         struct delayed_work *dw, unsigned long delay) {
  return uwq_queue_delayed_work_on(cpu, uwq_q(wq), uwq_dw(dw), uwq_ticks_to_ns(delay));
}
static inline bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *dw,
                                      unsigned long delay) {
  return uwq_queue_delayed_work(uwq_q(wq), uwq_dw(dw), uwq_ticks_to_ns(delay));
}
static inline bool mod_delayed_work_on(int cpu, struct workqueue_struct *wq,
                                       struct delayed_work *dw, unsigned long delay) {
  return uwq_mod_delayed_work_on(cpu, uwq_q(wq), uwq_dw(dw), uwq_ticks_to_ns(delay));
}
static inline bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dw,
                                    unsigned long delay) {
  return uwq_mod_delayed_work(uwq_q(wq), uwq_dw(dw), uwq_ticks_to_ns(delay));
}
static inline bool schedule_delayed_work(struct delayed_work *dw, unsigned long delay) {
  return queue_delayed_work(system_percpu_wq, dw, delay);
}
static inline bool schedule_delayed_work_on(int cpu, struct delayed_work *dw, unsigned long delay) {
  return queue_delayed_work_on(cpu, system_percpu_wq, dw, delay);
}

/* --- RCU work (1.8) -------------------------------------------------------------------------- */

static inline bool queue_rcu_work(struct workqueue_struct *wq, struct rcu_work *rwork) {
  return uwq_queue_rcu_work(uwq_q(wq), (struct uwq_rcu_work *)rwork);
}
static inline bool flush_rcu_work(struct rcu_work *rwork) {
  return uwq_flush_rcu_work((struct uwq_rcu_work *)rwork);
}

/* --- Cancel, disable, flush (1.9) ----------------------------------------------------------- */

static inline bool cancel_work(struct work_struct *work) { return uwq_cancel_work(uwq_w(work)); }
static inline bool cancel_work_sync(struct work_struct *work) {
  return uwq_cancel_work_sync(uwq_w(work));
}
static inline bool cancel_delayed_work(struct delayed_work *dw) {
  return uwq_cancel_delayed_work(uwq_dw(dw));
}
static inline bool cancel_delayed_work_sync(struct delayed_work *dw) {
  return uwq_cancel_delayed_work_sync(uwq_dw(dw));
}
static inline bool disable_work(struct work_struct *work) { return uwq_disable_work(uwq_w(work)); }
static inline bool disable_work_sync(struct work_struct *work) {
  return uwq_disable_work_sync(uwq_w(work));
}
static inline bool enable_work(struct work_struct *work) { return uwq_enable_work(uwq_w(work)); }
static inline bool disable_delayed_work(struct delayed_work *dw) {
  return uwq_disable_delayed_work(uwq_dw(dw));
}
static inline bool disable_delayed_work_sync(struct delayed_work *dw) {
  return uwq_disable_delayed_work_sync(uwq_dw(dw));
}
static inline bool enable_delayed_work(struct delayed_work *dw) {
  return uwq_enable_delayed_work(uwq_dw(dw));
}
static inline bool flush_work(struct work_struct *work) { return uwq_flush_work(uwq_w(work)); }
static inline bool flush_delayed_work(struct delayed_work *dw) {
  return uwq_flush_delayed_work(uwq_dw(dw));
}

/* --- Life of a queue (1.10) ------------------------------------------------------------------- */

#define alloc_workqueue(...) uwq_kernel_q(uwq_linux_alloc_workqueue(__VA_ARGS__))
#define alloc_workqueue_noprof(...) alloc_workqueue(__VA_ARGS__)
#define alloc_ordered_workqueue(...) uwq_kernel_q(uwq_linux_alloc_ordered_workqueue(__VA_ARGS__))
#define alloc_workqueue_lockdep_map(fmt, flags, max_active, map, ...) \
  ((void)(map), alloc_workqueue(fmt, flags, max_active, ##__VA_ARGS__))
#define alloc_ordered_workqueue_lockdep_map(fmt, flags, map, ...) \
  ((void)(map), alloc_ordered_workqueue(fmt, flags, ##__VA_ARGS__))
#define create_workqueue(name) \
  alloc_workqueue("%s", __WQ_LEGACY | WQ_MEM_RECLAIM | WQ_PERCPU, 1, (name))
#define create_freezable_workqueue(name) \
  alloc_workqueue("%s", __WQ_LEGACY | WQ_FREEZABLE | WQ_UNBOUND | WQ_MEM_RECLAIM, 1, (name))
#define create_singlethread_workqueue(name) \
  alloc_ordered_workqueue("%s", __WQ_LEGACY | WQ_MEM_RECLAIM, (name))

static inline void destroy_workqueue(struct workqueue_struct *wq) {
  uwq_destroy_workqueue(uwq_q(wq));
}
static inline void __flush_workqueue(struct workqueue_struct *wq) {
  uwq_flush_workqueue(uwq_q(wq));
}
/* A macro, as in the kernel: it sees whether the source names a system queue. */
#define flush_workqueue(wq)                                                          \
  (__builtin_strncmp(#wq, "system_", 7) == 0 ? uwq_flush_system_workqueue(uwq_q(wq)) \
                                             : __flush_workqueue(wq))
static inline void drain_workqueue(struct workqueue_struct *wq) { uwq_drain_workqueue(uwq_q(wq)); }
static inline void __attribute__((deprecated("flush the items, not the system's queue")))
flush_scheduled_work(void) {
  uwq_flush_workqueue(uwq_system_wq(NULL, UWQ_SYSTEM_PERCPU));
}

/* --- Adjusting and looking (1.11) --------------------------------------------------------------
 */

static inline void workqueue_set_max_active(struct workqueue_struct *wq, int max_active) {
  uwq_workqueue_set_max_active(uwq_q(wq), max_active);
}
static inline void workqueue_set_min_active(struct workqueue_struct *wq, int min_active) {
  uwq_workqueue_set_min_active(uwq_q(wq), min_active);
}
static inline struct work_struct *current_work(void) {
  return (struct work_struct *)uwq_current_work();
}
static inline bool current_is_workqueue_rescuer(void) { return uwq_current_is_workqueue_rescuer(); }
static inline bool current_is_workqueue_mem_reclaim(void) {
  return uwq_current_is_workqueue_mem_reclaim();
}
static inline bool workqueue_congested(int cpu, struct workqueue_struct *wq) {
  return uwq_workqueue_congested(cpu, uwq_q(wq));
}
static inline unsigned int work_busy(struct work_struct *work) {
  return uwq_work_busy(uwq_w(work));
}
#define set_worker_desc(...) uwq_linux_set_worker_desc(__VA_ARGS__)
/* To standard error. */
static inline void show_all_workqueues(void) { uwq_show_all_workqueues(NULL, 2); }
static inline void show_freezable_workqueues(void) { uwq_show_freezable_workqueues(NULL, 2); }
static inline void show_one_workqueue(struct workqueue_struct *wq) {
  uwq_show_one_workqueue(uwq_q(wq), 2);
}
/* What has kept this CPU busy is no stall. */
static inline void wq_watchdog_touch(int cpu) { uwq_watchdog_touch(cpu); }

/* --- Attributes (1.13) ---------------------------------------------------------------------------
 */

static inline void free_workqueue_attrs(struct workqueue_attrs *attrs) {
  if (!attrs) return;
  free_cpumask_var(attrs->cpumask);
  free_cpumask_var(attrs->__pod_cpumask);
  free(attrs);
}
static inline struct workqueue_attrs *alloc_workqueue_attrs(void) {
  struct workqueue_attrs *attrs = (struct workqueue_attrs *)calloc(1, sizeof(*attrs));
  if (!attrs) return NULL;
  if (!zalloc_cpumask_var(&attrs->cpumask, GFP_KERNEL) ||
      !zalloc_cpumask_var(&attrs->__pod_cpumask, GFP_KERNEL)) {
    free_workqueue_attrs(attrs);
    return NULL;
  }
  cpumask_setall(attrs->cpumask);
  attrs->affn_scope = WQ_AFFN_DFL;
  return attrs;
}
static inline int apply_workqueue_attrs(struct workqueue_struct *wq,
                                        const struct workqueue_attrs *attrs) {
  struct uwq_workqueue_attrs plain;
  plain.nice = attrs->nice;
  plain.affn_scope = (int)attrs->affn_scope;
  plain.affn_strict = attrs->affn_strict;
  plain.ordered = attrs->ordered;
  memcpy(plain.cpumask, attrs->cpumask->bits, sizeof(plain.cpumask));
  return uwq_apply_workqueue_attrs(uwq_q(wq), &plain);
}

/* --- Freezer (1.15)
 * --------------------------------------------------------------------------------- */

static inline void freeze_workqueues_begin(void) { uwq_freeze_workqueues_begin(NULL); }
static inline bool freeze_workqueues_busy(void) { return uwq_freeze_workqueues_busy(NULL); }
static inline void thaw_workqueues(void) { uwq_thaw_workqueues(NULL); }

/* --- What only a kernel can offer
 * ------------------------------------------------------------------- */

struct task_struct;
int workqueue_sysfs_register(struct workqueue_struct *wq)
    UWQ_UNSUPPORTED("workqueue_sysfs_register(): there is no sysfs; use show_all_workqueues()");
int workqueue_unbound_housekeeping_update(const struct cpumask *hk)
    UWQ_UNSUPPORTED("workqueue_unbound_housekeeping_update() is CPU isolation inside the kernel");
void print_worker_info(const char *log_lvl, struct task_struct *task)
    UWQ_UNSUPPORTED("print_worker_info(): use show_all_workqueues()");
void wq_worker_comm(char *buf, size_t size, struct task_struct *task)
    UWQ_UNSUPPORTED("wq_worker_comm() is for /proc");
int workqueue_prepare_cpu(unsigned int cpu)
    UWQ_UNSUPPORTED("workqueue_prepare_cpu() is a hotplug callback");
int workqueue_online_cpu(unsigned int cpu)
    UWQ_UNSUPPORTED("workqueue_online_cpu() is a hotplug callback");
int workqueue_offline_cpu(unsigned int cpu)
    UWQ_UNSUPPORTED("workqueue_offline_cpu() is a hotplug callback");
void workqueue_softirq_action(bool highpri)
    UWQ_UNSUPPORTED("workqueue_softirq_action() runs BH items inside the kernel");
void workqueue_softirq_dead(unsigned int cpu)
    UWQ_UNSUPPORTED("workqueue_softirq_dead() is a hotplug callback");
void wq_worker_running(struct task_struct *task)
    UWQ_UNSUPPORTED("wq_worker_running() is a scheduler hook; see uwq_blocking_exit()");
void wq_worker_sleeping(struct task_struct *task)
    UWQ_UNSUPPORTED("wq_worker_sleeping() is a scheduler hook; see uwq_blocking_enter()");
void wq_worker_tick(struct task_struct *task)
    UWQ_UNSUPPORTED("wq_worker_tick() is a scheduler hook");
void workqueue_init_early(void) UWQ_UNSUPPORTED("workqueue_init_early() is boot code");
void workqueue_init(void) UWQ_UNSUPPORTED("workqueue_init() is boot code");
void workqueue_init_topology(void) UWQ_UNSUPPORTED("workqueue_init_topology() is boot code");
struct drm_device;
struct workqueue_struct *drmm_alloc_ordered_workqueue(struct drm_device *drm, const char *fmt,
                                                      unsigned int flags, ...)
    UWQ_UNSUPPORTED("drmm_alloc_ordered_workqueue() needs DRM; use devm_alloc_ordered_workqueue()");

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_WORKQUEUE_H_ */
