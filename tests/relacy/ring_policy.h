// SPDX-License-Identifier: BSD-3-Clause
//
// ring_policy.h -- kup_bridge/kup_atomics.h on relacy's types, so that the very
// lines of ring.h run under a weak-memory model checker.
//
// Invariant: record headers are plain (rl::var), so that a missing order is found
// as a data race; with a mutant, the named site loses its order or its fence.
#ifndef UWQ_TESTS_RELACY_RING_POLICY_H_
#define UWQ_TESTS_RELACY_RING_POLICY_H_

// The package's headers are older than these warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#include <relacy/relacy.hpp>
#pragma GCC diagnostic pop

#include <cstdint>
#include <cstring>

#include "kup_bridge/kup_abi.h"

#define KUP_ATOMICS_DEFINED 1

enum KupSite {
  KUP_SITE_NONE,
  KUP_SITE_PUBLISH,
  KUP_SITE_READ_HEAD,
  KUP_SITE_RELEASE,
  KUP_SITE_READ_TAIL,
  KUP_SITE_WAKE_PUB,
  KUP_SITE_WAKE_ARM,
  KUP_SITE_SPACE_PUB,
  KUP_SITE_SPACE_ARM,
  KUP_SITE_FRAME_TAKE,
  KUP_SITE_FRAME_GIVE,
  KUP_SITE_FRAME_PUB,
  KUP_SITE_FRAME_ARM,
};
inline KupSite mutant = KUP_SITE_NONE;

using kup_word_t = rl::atomic<uint64_t>;
using kup_half_t = rl::atomic<uint32_t>;

// A data area: a record header per KUP_ALIGN cells, the rest is never touched.
struct kup_data_t {
  rl::var<uint64_t> word0, word1;
};

#define kup_load(p) (p)->load(rl::mo_relaxed, $)
#define kup_store(p, v) (p)->store((v), rl::mo_relaxed, $)
#define kup_load_acquire(p, site) (p)->load((site) == mutant ? rl::mo_relaxed : rl::mo_acquire, $)
#define kup_store_release(p, v, site) \
  (p)->store((v), (site) == mutant ? rl::mo_relaxed : rl::mo_release, $)
#define kup_fence(site)                                               \
  do {                                                                \
    if ((site) != mutant) rl::atomic_thread_fence(rl::mo_seq_cst, $); \
  } while (0)
#define kup_read_fence() rl::atomic_thread_fence(rl::mo_acquire, $)
#define kup_write_fence() rl::atomic_thread_fence(rl::mo_release, $)
#define kup_prefetch(p) ((void)(p))
#define kup_prefetch_write(p) ((void)(p))
#define kup_likely(x) (x)
#define kup_unlikely(x) (x)

inline void kup_header_get(kup_data_t* at, kup_rec* rec) {
  const uint64_t words[2] = {at->word0($), at->word1($)};
  memcpy(rec, words, sizeof *rec);
}

inline void kup_header_put(kup_data_t* at, const kup_rec* rec) {
  uint64_t words[2];
  memcpy(words, rec, sizeof *rec);
  at->word0($) = words[0];
  at->word1($) = words[1];
}

// With the policy in place: the ring itself.
#include "kup_bridge/ring.h"

#endif  // UWQ_TESTS_RELACY_RING_POLICY_H_
