/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/rcupdate.h>: read-copy-update. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_RCUPDATE_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_RCUPDATE_H_

#include <linux/atomic.h>
#include <linux/lockdep.h>
#include <linux/slab.h>
#include <linux/types.h>

#include "workqueue/linux/uwq_linux.h"

#define rcu_read_lock() uwq_rcu_read_lock()
#define rcu_read_unlock() uwq_rcu_read_unlock()
#define rcu_read_lock_bh() uwq_rcu_read_lock()
#define rcu_read_unlock_bh() uwq_rcu_read_unlock()
#define rcu_read_lock_sched() uwq_rcu_read_lock()
#define rcu_read_unlock_sched() uwq_rcu_read_unlock()
#define rcu_read_lock_held() uwq_rcu_read_lock_held()
#define synchronize_rcu() (uwq_linux_might_sleep("synchronize_rcu"), uwq_synchronize_rcu())
#define synchronize_rcu_expedited() synchronize_rcu()
#define synchronize_net() synchronize_rcu()
#define rcu_barrier() (uwq_linux_might_sleep("rcu_barrier"), uwq_rcu_barrier())
/* `func` runs on the library's own thread and must not sleep. */
static inline void call_rcu(struct rcu_head *head, rcu_callback_t func) {
  uwq_call_rcu((struct uwq_rcu_head *)head, (void (*)(struct uwq_rcu_head *))(void (*)(void))func);
}
#define call_rcu_hurry(head, func) call_rcu(head, func)

/* Consume is acquire here, as in every compiler. */
#define rcu_dereference(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define rcu_dereference_check(p, condition) rcu_dereference(p)
#define rcu_dereference_protected(p, condition) ((void)(condition), READ_ONCE(p))
#define rcu_dereference_raw(p) rcu_dereference(p)
#define rcu_dereference_bh(p) rcu_dereference(p)
#define rcu_access_pointer(p) READ_ONCE(p)
#define rcu_assign_pointer(p, value) __atomic_store_n(&(p), (value), __ATOMIC_RELEASE)
#define rcu_replace_pointer(p, value, condition) \
  ((void)(condition), __atomic_exchange_n(&(p), (value), __ATOMIC_ACQ_REL))
#define RCU_INIT_POINTER(p, value) WRITE_ONCE(p, value)
#define RCU_POINTER_INITIALIZER(p, value) .p = (value)
#define rcu_pointer_handoff(p) (p)

/* The head carries, as in the kernel, its own offset instead of a function. */
#define kfree_rcu(ptr, member)                                \
  do {                                                        \
    __typeof__(ptr) uwq_ptr_ = (ptr);                         \
    if (uwq_ptr_)                                             \
      uwq_kfree_rcu((struct uwq_rcu_head *)&uwq_ptr_->member, \
                    offsetof(__typeof__(*uwq_ptr_), member)); \
  } while (0)
#define kvfree_rcu(ptr, member) kfree_rcu(ptr, member)

#ifndef __cplusplus
#include <linux/cleanup.h>
typedef struct {
  char uwq_unused;
} class_rcu_t;
static inline class_rcu_t class_rcu_constructor(void) {
  class_rcu_t none = {0};
  uwq_rcu_read_lock();
  return none;
}
static inline void class_rcu_destructor(class_rcu_t *at) {
  (void)at;
  uwq_rcu_read_unlock();
}
#endif

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_RCUPDATE_H_ */
