/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * atomics.h -- kup_atomics.h for a BPF program, so that the very lines of ring.h
 * are compiled for the kernel's BPF machine.
 *
 * BPF has no acquire and no release, but its exchange is fully ordered on every
 * architecture: a store with an order is an exchange, a fence an exchange with a
 * word of the stack.  Producer only: the consumer's half is never called.
 */
#ifndef UWQ_KUP_BRIDGE_BPF_ATOMICS_H_
#define UWQ_KUP_BRIDGE_BPF_ATOMICS_H_

#include "kup_bridge/kup_abi.h"

#define KUP_ATOMICS_DEFINED 1

typedef uint64_t kup_word_t;
typedef uint32_t kup_half_t;
typedef uint8_t kup_data_t;

#define kup_load(p) (*(volatile __typeof__(*(p)) *)(p))
#define kup_store(p, v) (*(volatile __typeof__(*(p)) *)(p) = (v))
#define kup_fence(site)                              \
  do {                                               \
    uint64_t kup_word = 0;                           \
    (void)__sync_lock_test_and_set(&kup_word, 1ull); \
  } while (0)
#define kup_load_acquire(p, site)         \
  ({                                      \
    __typeof__(*(p)) kup_v = kup_load(p); \
    kup_fence(site);                      \
    kup_v;                                \
  })
#define kup_store_release(p, v, site) (void)__sync_lock_test_and_set((p), (v))
#define kup_store_fence(p, v, site, fence_site) kup_store_release(p, v, site)
#define kup_read_fence() kup_fence(0)
#define kup_write_fence() kup_fence(0)
#define kup_prefetch(p) ((void)(p))
#define kup_prefetch_write(p) ((void)(p))
#define kup_likely(x) __builtin_expect(!!(x), 1)
#define kup_unlikely(x) __builtin_expect(!!(x), 0)

static inline void kup_header_put(kup_data_t *at, const struct kup_rec *rec) {
  uint64_t *shared = (uint64_t *)(void *)at;

  kup_store(&shared[0],
            (uint64_t)rec->len | (uint64_t)rec->type << 32 | (uint64_t)rec->flags << 48);
  kup_store(&shared[1], (uint64_t)rec->seq | (uint64_t)rec->id << 32);
}

static inline void kup_header_get(kup_data_t *at, struct kup_rec *rec) {
  __builtin_memcpy(rec, at, sizeof(*rec));
}

#endif /* UWQ_KUP_BRIDGE_BPF_ATOMICS_H_ */
