/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/refcount.h>: counters that do not wrap. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_REFCOUNT_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_REFCOUNT_H_

#include <limits.h>
#include <linux/atomic.h>
#include <linux/bug.h>

/* Saturates instead of wrapping, and reports what a counter must never do. */
typedef struct refcount_struct {
  atomic_t refs;
} refcount_t;
#define REFCOUNT_INIT(n) \
  { .refs = ATOMIC_INIT(n) }
#define REFCOUNT_MAX INT_MAX
#define REFCOUNT_SATURATED (INT_MIN / 2)

static inline void refcount_set(refcount_t *r, int n) { atomic_set(&r->refs, n); }
static inline unsigned int refcount_read(const refcount_t *r) {
  return (unsigned int)atomic_read(&r->refs);
}
static inline bool __must_check refcount_add_not_zero(int i, refcount_t *r) {
  int old = atomic_read(&r->refs);
  while (old != 0) {
    if (atomic_try_cmpxchg_relaxed(&r->refs, &old, old + i)) break;
  }
  if (unlikely(old < 0 || old + i < 0)) {
    atomic_set(&r->refs, REFCOUNT_SATURATED);
    WARN_ONCE(true, "refcount_t: saturated; leaking memory");
  }
  return old != 0;
}
static inline bool __must_check refcount_inc_not_zero(refcount_t *r) {
  return refcount_add_not_zero(1, r);
}
static inline void refcount_add(int i, refcount_t *r) {
  int old = atomic_fetch_add_relaxed(i, &r->refs);
  if (likely(old > 0 && old + i > 0)) return;
  atomic_set(&r->refs, REFCOUNT_SATURATED);
  WARN_ONCE(true, "refcount_t: %s",
            old == 0 ? "addition on 0; use-after-free" : "saturated; leaking memory");
}
static inline void refcount_inc(refcount_t *r) { refcount_add(1, r); }
static inline bool __must_check refcount_sub_and_test(int i, refcount_t *r) {
  int old = atomic_fetch_sub(i, &r->refs);
  if (old == i) return true;
  if (unlikely(old < i)) {
    atomic_set(&r->refs, REFCOUNT_SATURATED);
    WARN_ONCE(true, "refcount_t: underflow; use-after-free");
  }
  return false;
}
static inline bool __must_check refcount_dec_and_test(refcount_t *r) {
  return refcount_sub_and_test(1, r);
}
static inline void refcount_dec(refcount_t *r) {
  int old = atomic_fetch_sub_release(1, &r->refs);
  if (likely(old > 1)) return;
  if (old <= 0) atomic_set(&r->refs, REFCOUNT_SATURATED);
  WARN_ONCE(true, "refcount_t: decrement hit 0; leaking memory");
}

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_REFCOUNT_H_ */
