/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/ktime.h>: nanoseconds. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_KTIME_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_KTIME_H_

#include <linux/jiffies.h>
#include <linux/types.h>
#include <time.h>

#ifndef NSEC_PER_SEC
#define NSEC_PER_SEC 1000000000L
#define NSEC_PER_MSEC 1000000L
#define NSEC_PER_USEC 1000L
#define USEC_PER_SEC 1000000L
#define USEC_PER_MSEC 1000L
#define MSEC_PER_SEC 1000L
#endif
#define KTIME_MAX ((s64) ~((u64)1 << 63))
#define KTIME_MIN (-KTIME_MAX - 1)

/* CLOCK_MONOTONIC.  There is no suspend that stops it apart from the machine's. */
static inline ktime_t ktime_get(void) { return uwq_now_ns(); }
static inline u64 ktime_get_ns(void) { return (u64)uwq_now_ns(); }
static inline ktime_t ktime_get_raw(void) { return uwq_now_ns(); }
static inline u64 ktime_get_raw_ns(void) { return (u64)uwq_now_ns(); }
static inline time_t ktime_get_seconds(void) { return (time_t)(uwq_now_ns() / NSEC_PER_SEC); }
#define ktime_get_mono_fast_ns() ktime_get_ns()
#define ktime_get_coarse_ns() ktime_get_ns()
#define local_clock() ktime_get_ns()
#define sched_clock() ktime_get_ns()

static inline ktime_t ktime_set(s64 secs, unsigned long nsecs) {
  return secs >= KTIME_MAX / NSEC_PER_SEC ? KTIME_MAX : secs * NSEC_PER_SEC + (s64)nsecs;
}
#define ktime_add(a, b) ((a) + (b))
#define ktime_sub(a, b) ((a) - (b))
#define ktime_add_ns(kt, ns) ((kt) + (s64)(ns))
#define ktime_sub_ns(kt, ns) ((kt) - (s64)(ns))
#define ktime_add_us(kt, us) ((kt) + (s64)(us)*NSEC_PER_USEC)
#define ktime_sub_us(kt, us) ((kt) - (s64)(us)*NSEC_PER_USEC)
#define ktime_add_ms(kt, ms) ((kt) + (s64)(ms)*NSEC_PER_MSEC)
#define ktime_sub_ms(kt, ms) ((kt) - (s64)(ms)*NSEC_PER_MSEC)
static inline int ktime_compare(ktime_t a, ktime_t b) { return a < b ? -1 : a > b; }
static inline bool ktime_after(ktime_t a, ktime_t b) { return a > b; }
static inline bool ktime_before(ktime_t a, ktime_t b) { return a < b; }
static inline s64 ktime_to_ns(ktime_t kt) { return kt; }
static inline s64 ktime_to_us(ktime_t kt) { return kt / NSEC_PER_USEC; }
static inline s64 ktime_to_ms(ktime_t kt) { return kt / NSEC_PER_MSEC; }
static inline s64 ktime_us_delta(ktime_t later, ktime_t earlier) {
  return ktime_to_us(later - earlier);
}
static inline s64 ktime_ms_delta(ktime_t later, ktime_t earlier) {
  return ktime_to_ms(later - earlier);
}
static inline ktime_t ns_to_ktime(u64 ns) { return (ktime_t)ns; }
static inline ktime_t us_to_ktime(u64 us) { return (ktime_t)(us * NSEC_PER_USEC); }
static inline ktime_t ms_to_ktime(u64 ms) { return (ktime_t)(ms * NSEC_PER_MSEC); }
static inline s64 ktime_divns(ktime_t kt, s64 div) { return kt / div; }

ktime_t ktime_get_real(void)
    UWQ_UNSUPPORTED("the wall clock is no base for a driver; clock_gettime() reads it");
u64 ktime_get_real_ns(void) UWQ_UNSUPPORTED("as ktime_get_real()");
time_t ktime_get_real_seconds(void) UWQ_UNSUPPORTED("as ktime_get_real()");

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_KTIME_H_ */
