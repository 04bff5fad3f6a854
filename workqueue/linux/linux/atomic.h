/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/atomic.h>: atomic_t and its relatives, barriers, exchanges. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_ATOMIC_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_ATOMIC_H_

#include <linux/compiler.h>
#include <linux/types.h>

#define ATOMIC_INIT(i) \
  { (i) }
#define ATOMIC_LONG_INIT(i) \
  { (i) }
#define ATOMIC64_INIT(i) \
  { (i) }

/* Orders: what returns a value is fully ordered, what does not is relaxed, and the
 * suffixes say so.  Plain reads acquire, which the kernel does not promise: it is free
 * on x86, and lets the thread sanitizer follow a flag that somebody raised. */
#define UWQ_ATOMIC_VARIANTS_(p, t, ct, op, suffix, order) \
  static inline ct p##_fetch_##op##suffix(ct i, t *v) {   \
    return __atomic_fetch_##op(&v->counter, i, order);    \
  }
#define UWQ_ATOMIC_BITWISE_(p, t, ct, op)                        \
  static inline void p##_##op(ct i, t *v) {                      \
    __atomic_fetch_##op(&v->counter, i, __ATOMIC_RELAXED);       \
  }                                                              \
  UWQ_ATOMIC_VARIANTS_(p, t, ct, op, , __ATOMIC_SEQ_CST)         \
  UWQ_ATOMIC_VARIANTS_(p, t, ct, op, _relaxed, __ATOMIC_RELAXED) \
  UWQ_ATOMIC_VARIANTS_(p, t, ct, op, _acquire, __ATOMIC_ACQUIRE) \
  UWQ_ATOMIC_VARIANTS_(p, t, ct, op, _release, __ATOMIC_RELEASE)
#define UWQ_ATOMIC_RETURN_(p, t, ct, op, suffix, order)    \
  static inline ct p##_##op##_return##suffix(ct i, t *v) { \
    return __atomic_##op##_fetch(&v->counter, i, order);   \
  }
#define UWQ_ATOMIC_ARITHMETIC_(p, t, ct, op)                   \
  UWQ_ATOMIC_BITWISE_(p, t, ct, op)                            \
  UWQ_ATOMIC_RETURN_(p, t, ct, op, , __ATOMIC_SEQ_CST)         \
  UWQ_ATOMIC_RETURN_(p, t, ct, op, _relaxed, __ATOMIC_RELAXED) \
  UWQ_ATOMIC_RETURN_(p, t, ct, op, _acquire, __ATOMIC_ACQUIRE) \
  UWQ_ATOMIC_RETURN_(p, t, ct, op, _release, __ATOMIC_RELEASE)
#define UWQ_ATOMIC_EXCHANGE_(p, t, ct, suffix, order, failure)                      \
  static inline ct p##_xchg##suffix(t *v, ct i) {                                   \
    return __atomic_exchange_n(&v->counter, i, order);                              \
  }                                                                                 \
  static inline bool p##_try_cmpxchg##suffix(t *v, ct *old, ct i) {                 \
    return __atomic_compare_exchange_n(&v->counter, old, i, false, order, failure); \
  }                                                                                 \
  static inline ct p##_cmpxchg##suffix(t *v, ct old, ct i) {                        \
    (void)__atomic_compare_exchange_n(&v->counter, &old, i, false, order, failure); \
    return old;                                                                     \
  }
#define UWQ_ATOMIC_DERIVED_(p, t, ct)                                                   \
  UWQ_ATOMIC_EXCHANGE_(p, t, ct, , __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)                  \
  UWQ_ATOMIC_EXCHANGE_(p, t, ct, _relaxed, __ATOMIC_RELAXED, __ATOMIC_RELAXED)          \
  UWQ_ATOMIC_EXCHANGE_(p, t, ct, _acquire, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)          \
  UWQ_ATOMIC_EXCHANGE_(p, t, ct, _release, __ATOMIC_RELEASE, __ATOMIC_RELAXED)          \
  static inline void p##_andnot(ct i, t *v) { p##_and(~i, v); }                         \
  static inline ct p##_fetch_andnot(ct i, t *v) { return p##_fetch_and(~i, v); }        \
  static inline void p##_inc(t *v) { p##_add(1, v); }                                   \
  static inline void p##_dec(t *v) { p##_sub(1, v); }                                   \
  static inline ct p##_inc_return(t *v) { return p##_add_return(1, v); }                \
  static inline ct p##_dec_return(t *v) { return p##_sub_return(1, v); }                \
  static inline ct p##_fetch_inc(t *v) { return p##_fetch_add(1, v); }                  \
  static inline ct p##_fetch_dec(t *v) { return p##_fetch_sub(1, v); }                  \
  static inline bool p##_inc_and_test(t *v) { return p##_add_return(1, v) == 0; }       \
  static inline bool p##_dec_and_test(t *v) { return p##_sub_return(1, v) == 0; }       \
  static inline bool p##_sub_and_test(ct i, t *v) { return p##_sub_return(i, v) == 0; } \
  static inline bool p##_add_negative(ct i, t *v) { return p##_add_return(i, v) < 0; }  \
  static inline ct p##_fetch_add_unless(t *v, ct a, ct u) {                             \
    ct old = p##_read(v);                                                               \
    while (old != u && !p##_try_cmpxchg(v, &old, old + a)) {                            \
    }                                                                                   \
    return old;                                                                         \
  }                                                                                     \
  static inline bool p##_add_unless(t *v, ct a, ct u) {                                 \
    return p##_fetch_add_unless(v, a, u) != u;                                          \
  }                                                                                     \
  static inline bool p##_inc_not_zero(t *v) { return p##_add_unless(v, 1, 0); }         \
  static inline bool p##_inc_unless_negative(t *v) {                                    \
    ct old = p##_read(v);                                                               \
    while (old >= 0) {                                                                  \
      if (p##_try_cmpxchg(v, &old, old + 1)) return true;                               \
    }                                                                                   \
    return false;                                                                       \
  }                                                                                     \
  static inline ct p##_dec_if_positive(t *v) {                                          \
    ct old = p##_read(v);                                                               \
    while (old > 0) {                                                                   \
      if (p##_try_cmpxchg(v, &old, old - 1)) break;                                     \
    }                                                                                   \
    return old - 1;                                                                     \
  }

/* atomic_t */
static inline int atomic_read(const atomic_t *v) {
  return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE);
}
static inline int atomic_read_acquire(const atomic_t *v) {
  return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE);
}
static inline void atomic_set(atomic_t *v, int i) {
  __atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);
}
static inline void atomic_set_release(atomic_t *v, int i) {
  __atomic_store_n(&v->counter, i, __ATOMIC_RELEASE);
}
UWQ_ATOMIC_ARITHMETIC_(atomic, atomic_t, int, add)
UWQ_ATOMIC_ARITHMETIC_(atomic, atomic_t, int, sub)
UWQ_ATOMIC_BITWISE_(atomic, atomic_t, int, and)
UWQ_ATOMIC_BITWISE_(atomic, atomic_t, int, or)
UWQ_ATOMIC_BITWISE_(atomic, atomic_t, int, xor)
UWQ_ATOMIC_DERIVED_(atomic, atomic_t, int)

/* atomic_long_t */
static inline long atomic_long_read(const atomic_long_t *v) {
  return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE);
}
static inline long atomic_long_read_acquire(const atomic_long_t *v) {
  return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE);
}
static inline void atomic_long_set(atomic_long_t *v, long i) {
  __atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);
}
static inline void atomic_long_set_release(atomic_long_t *v, long i) {
  __atomic_store_n(&v->counter, i, __ATOMIC_RELEASE);
}
UWQ_ATOMIC_ARITHMETIC_(atomic_long, atomic_long_t, long, add)
UWQ_ATOMIC_ARITHMETIC_(atomic_long, atomic_long_t, long, sub)
UWQ_ATOMIC_BITWISE_(atomic_long, atomic_long_t, long, and)
UWQ_ATOMIC_BITWISE_(atomic_long, atomic_long_t, long, or)
UWQ_ATOMIC_BITWISE_(atomic_long, atomic_long_t, long, xor)
UWQ_ATOMIC_DERIVED_(atomic_long, atomic_long_t, long)

/* atomic64_t */
static inline s64 atomic64_read(const atomic64_t *v) {
  return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE);
}
static inline s64 atomic64_read_acquire(const atomic64_t *v) {
  return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE);
}
static inline void atomic64_set(atomic64_t *v, s64 i) {
  __atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);
}
static inline void atomic64_set_release(atomic64_t *v, s64 i) {
  __atomic_store_n(&v->counter, i, __ATOMIC_RELEASE);
}
UWQ_ATOMIC_ARITHMETIC_(atomic64, atomic64_t, s64, add)
UWQ_ATOMIC_ARITHMETIC_(atomic64, atomic64_t, s64, sub)
UWQ_ATOMIC_BITWISE_(atomic64, atomic64_t, s64, and)
UWQ_ATOMIC_BITWISE_(atomic64, atomic64_t, s64, or)
UWQ_ATOMIC_BITWISE_(atomic64, atomic64_t, s64, xor)
UWQ_ATOMIC_DERIVED_(atomic64, atomic64_t, s64)

/* On plain words. */
#define xchg(ptr, value) __atomic_exchange_n((ptr), (value), __ATOMIC_SEQ_CST)
#define cmpxchg(ptr, old, value)                                                          \
  ({                                                                                      \
    __typeof__(*(ptr)) uwq_old_ = (old);                                                  \
    (void)__atomic_compare_exchange_n((ptr), &uwq_old_, (value), false, __ATOMIC_SEQ_CST, \
                                      __ATOMIC_RELAXED);                                  \
    uwq_old_;                                                                             \
  })
#define try_cmpxchg(ptr, old, value) \
  __atomic_compare_exchange_n((ptr), (old), (value), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

#define smp_load_acquire(ptr) __atomic_load_n((ptr), __ATOMIC_ACQUIRE)
#define smp_store_release(ptr, value) __atomic_store_n((ptr), (value), __ATOMIC_RELEASE)
#define smp_store_mb(var, value) __atomic_store_n(&(var), (value), __ATOMIC_SEQ_CST)
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define mb() smp_mb()
#define rmb() smp_rmb()
#define wmb() smp_wmb()
#define smp_mb__before_atomic() smp_mb()
#define smp_mb__after_atomic() smp_mb()
#define smp_mb__after_spinlock() smp_mb()
#if defined(__x86_64__)
#define cpu_relax() __builtin_ia32_pause()
#else
#define cpu_relax() barrier()
#endif

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_ATOMIC_H_ */
