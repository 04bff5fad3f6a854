/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kup_atomics.h -- how the ring touches memory that another process may write.
 *
 * The policy of ring.h.  The same ring source is compiled with the kernel's
 * primitives, with the compiler's (here), and with those of a model checker
 * (tests/relacy/ring_policy.h defines KUP_ATOMICS_DEFINED and its own).
 *
 * Invariant: every access to a shared word is one load or one store of the
 * whole word, so that a value which was checked is the value which is used.
 * `site` names the place in the protocol; it costs nothing here, and lets the
 * model checker weaken one place at a time to prove that it is needed.
 */
#ifndef UWQ_KUP_ATOMICS_H_
#define UWQ_KUP_ATOMICS_H_

#include "kup_bridge/kup_abi.h"

#ifndef KUP_ATOMICS_DEFINED
#define KUP_ATOMICS_DEFINED 1

typedef uint64_t kup_word_t; /* a shared position */
typedef uint32_t kup_half_t; /* a shared word of a frame pool */
typedef uint8_t kup_data_t;  /* a data area, mapped twice */

#ifdef __KERNEL__
#include <asm/barrier.h>
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/prefetch.h>
#define kup_load(p) READ_ONCE(*(p))
#define kup_store(p, v) WRITE_ONCE(*(p), (v))
#define kup_load_acquire(p, site) smp_load_acquire(p)
#define kup_store_release(p, v, site) smp_store_release((p), (v))
#define kup_fence(site) smp_mb()
#define kup_store_fence(p, v, site, fence_site) ((void)xchg((p), (v)))
#define kup_read_fence() smp_rmb()
#define kup_write_fence() smp_wmb()
typedef atomic_t kup_count_t;
#define kup_count_read(p) atomic_read(p)
#define kup_count_add(p, n) atomic_add_return((n), (p))
#define kup_count_swap(p, from, to) (atomic_cmpxchg((p), (from), (to)) == (from))
#define kup_prefetch(p) prefetch(p)
#define kup_prefetch_write(p) prefetchw(p)
#define kup_likely(x) likely(x)
#define kup_unlikely(x) unlikely(x)
#else
#define kup_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define kup_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define kup_load_acquire(p, site) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define kup_store_release(p, v, site) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#if defined(__SANITIZE_THREAD__)
/* gcc warns that TSan does not model fences; an exchange on a private word is one. */
static inline void kup_fence_impl(int order) {
  uint32_t word = 0;
  (void)order;
  (void)__atomic_exchange_n(&word, 1u, __ATOMIC_SEQ_CST);
}
#define kup_fence(site) kup_fence_impl(0)
#define kup_read_fence() kup_fence_impl(1)
#define kup_write_fence() kup_fence_impl(2)
#else
#define kup_fence(site) __atomic_thread_fence(__ATOMIC_SEQ_CST)
#if defined(__x86_64__)
/* A locked exchange is a full fence to the CPU; the second line, to the compiler. */
#define kup_store_fence(p, v, site, fence_site)            \
  do {                                                     \
    (void)__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST); \
    __atomic_signal_fence(__ATOMIC_SEQ_CST);               \
  } while (0)
#endif
#define kup_read_fence() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define kup_write_fence() __atomic_thread_fence(__ATOMIC_RELEASE)
#endif
typedef int kup_count_t;
#define kup_count_read(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define kup_count_add(p, n) __atomic_add_fetch((p), (n), __ATOMIC_SEQ_CST)
#define kup_count_swap(p, from, to) __sync_bool_compare_and_swap((p), (from), (to))
#define kup_prefetch(p) __builtin_prefetch((p), 0)
#if defined(__x86_64__)
/* The builtin asks for ownership only with -mprfchw; every 64-bit CPU takes the instruction. */
#define kup_prefetch_write(p) __asm__ volatile("prefetchw (%0)" : : "r"(p))
#else
#define kup_prefetch_write(p) __builtin_prefetch((p), 1)
#endif
#define kup_likely(x) __builtin_expect(!!(x), 1)
#define kup_unlikely(x) __builtin_expect(!!(x), 0)
#endif

/* A record header is two words; each is read once. */
static inline void kup_header_get(kup_data_t *at, struct kup_rec *rec) {
  uint64_t *shared = (uint64_t *)(void *)at;
  uint64_t word0 = kup_load(&shared[0]);
  uint64_t word1 = kup_load(&shared[1]);

  __builtin_memcpy(rec, &word0, 8);
  __builtin_memcpy((uint8_t *)rec + 8, &word1, 8);
}

static inline void kup_header_put(kup_data_t *at, const struct kup_rec *rec) {
  uint64_t *shared = (uint64_t *)(void *)at;
  uint64_t word0, word1;

  __builtin_memcpy(&word0, rec, 8);
  __builtin_memcpy(&word1, (const uint8_t *)rec + 8, 8);
  kup_store(&shared[0], word0);
  kup_store(&shared[1], word1);
}

#endif /* KUP_ATOMICS_DEFINED */

/* A store with release and a full fence behind it: one instruction where there is one. */
#ifndef kup_store_fence
#define kup_store_fence(p, v, site, fence_site) \
  do {                                          \
    kup_store_release((p), (v), site);          \
    kup_fence(fence_site);                      \
  } while (0)
#endif

#endif /* UWQ_KUP_ATOMICS_H_ */
