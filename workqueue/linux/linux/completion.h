/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/completion.h>: waiting for an event. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_COMPLETION_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_COMPLETION_H_

#include <linux/jiffies.h>
#include <linux/types.h>

struct completion {
  atomic_t done; /* so many waiters may pass; UINT_MAX: all of them, for good */
};

#ifdef __cplusplus
extern "C" {
#endif
/* Left jiffies, at least 1; 0: timed out.  `ticks` MAX_SCHEDULE_TIMEOUT: never. */
unsigned long uwq_wait_for_completion(struct completion *x, unsigned long ticks);
void uwq_complete(struct completion *x);
void uwq_complete_all(struct completion *x);
bool uwq_try_wait_for_completion(struct completion *x);
#ifdef __cplusplus
}
#endif

#define COMPLETION_INITIALIZER(name) \
  { ATOMIC_INIT(0) }
#define COMPLETION_INITIALIZER_ONSTACK(name) COMPLETION_INITIALIZER(name)
#define DECLARE_COMPLETION(name) struct completion name = COMPLETION_INITIALIZER(name)
#define DECLARE_COMPLETION_ONSTACK(name) DECLARE_COMPLETION(name)
static inline void init_completion(struct completion *x) {
  __atomic_store_n(&x->done.counter, 0, __ATOMIC_RELAXED);
}
static inline void reinit_completion(struct completion *x) { init_completion(x); }
/* The waiter may free it as soon as it has returned. */
static inline void complete(struct completion *x) { uwq_complete(x); }
static inline void complete_all(struct completion *x) { uwq_complete_all(x); }
static inline bool completion_done(struct completion *x) {
  return __atomic_load_n(&x->done.counter, __ATOMIC_ACQUIRE) != 0;
}
static inline bool try_wait_for_completion(struct completion *x) {
  return uwq_try_wait_for_completion(x);
}
static inline void wait_for_completion(struct completion *x) {
  uwq_wait_for_completion(x, LONG_MAX);
}
#define wait_for_completion_io(x) wait_for_completion(x)
static inline unsigned long wait_for_completion_timeout(struct completion *x, unsigned long ticks) {
  return uwq_wait_for_completion(x, ticks);
}
/* No signal reaches a driver: these return 0, and what is left. */
static inline int wait_for_completion_interruptible(struct completion *x) {
  wait_for_completion(x);
  return 0;
}
static inline int wait_for_completion_killable(struct completion *x) {
  wait_for_completion(x);
  return 0;
}
static inline long wait_for_completion_interruptible_timeout(struct completion *x,
                                                             unsigned long ticks) {
  return (long)uwq_wait_for_completion(x, ticks);
}
static inline long wait_for_completion_killable_timeout(struct completion *x, unsigned long ticks) {
  return (long)uwq_wait_for_completion(x, ticks);
}

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_COMPLETION_H_ */
