/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/jiffies.h>: the tick counter and what converts to it. Read on: docs/porting_from_linux.md.
 */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_JIFFIES_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_JIFFIES_H_

#include <limits.h>
#include <linux/compiler.h>
#include <linux/math.h>
#include <linux/types.h>

#include "workqueue/linux/uwq_linux.h"

#undef HZ /* <sys/param.h> has another */
#define HZ 1000
#define USER_HZ 100
#define TICK_NSEC 1000000L

/* Counts milliseconds of CLOCK_MONOTONIC; starts five minutes before a 32-bit wrap. */
#define INITIAL_JIFFIES ((unsigned long)(unsigned int)(-300 * HZ))
#define jiffies uwq_jiffies()
#define get_jiffies_64() ((u64)uwq_jiffies())
#define MAX_JIFFY_OFFSET ((LONG_MAX >> 1) - 1)

#define time_after(a, b) \
  (typecheck(unsigned long, a) && typecheck(unsigned long, b) && ((long)((b) - (a)) < 0))
#define time_before(a, b) time_after(b, a)
#define time_after_eq(a, b) \
  (typecheck(unsigned long, a) && typecheck(unsigned long, b) && ((long)((a) - (b)) >= 0))
#define time_before_eq(a, b) time_after_eq(b, a)
#define time_in_range(a, b, c) (time_after_eq(a, b) && time_before_eq(a, c))
#define time_in_range_open(a, b, c) (time_after_eq(a, b) && time_before(a, c))
#define time_after64(a, b) ((s64)((u64)(b) - (u64)(a)) < 0)
#define time_before64(a, b) time_after64(b, a)
#define time_is_before_jiffies(a) time_after(jiffies, a)
#define time_is_after_jiffies(a) time_before(jiffies, a)
#define time_is_before_eq_jiffies(a) time_after_eq(jiffies, a)
#define time_is_after_eq_jiffies(a) time_before_eq(jiffies, a)

/* To jiffies: never fewer than asked for. */
static inline unsigned long msecs_to_jiffies(const unsigned int m) {
  return (int)m < 0 ? (unsigned long)MAX_JIFFY_OFFSET : m;
}
static inline unsigned long secs_to_jiffies(const unsigned long s) { return s * HZ; }
static inline unsigned long usecs_to_jiffies(const unsigned int u) {
  return DIV_ROUND_UP((unsigned long)u, 1000UL);
}
static inline unsigned long nsecs_to_jiffies(u64 n) { return (unsigned long)(n / TICK_NSEC); }
static inline unsigned int jiffies_to_msecs(const unsigned long j) { return (unsigned int)j; }
static inline unsigned int jiffies_to_usecs(const unsigned long j) {
  return (unsigned int)(j * 1000);
}
static inline u64 jiffies_to_nsecs(const unsigned long j) { return (u64)j * TICK_NSEC; }
static inline unsigned long jiffies_to_clock_t(unsigned long j) { return j / (HZ / USER_HZ); }

/* Whole seconds, so that timers that do not mind fire together. */
static inline unsigned long round_jiffies_up(unsigned long j) { return roundup(j, HZ); }
static inline unsigned long round_jiffies(unsigned long j) {
  unsigned long down = j - j % HZ;
  unsigned long rounded = j % HZ < HZ / 4 ? down : down + HZ;
  return time_is_after_jiffies(rounded) ? rounded : j;
}
static inline unsigned long round_jiffies_relative(unsigned long delay) {
  unsigned long now = jiffies;
  return round_jiffies(now + delay) - now;
}
static inline unsigned long round_jiffies_up_relative(unsigned long delay) {
  unsigned long now = jiffies;
  return round_jiffies_up(now + delay) - now;
}

/* A delay for the C ABI: whole ticks from now are never early; what does not fit into
 * an int64_t lies beyond any life. */
static inline int64_t uwq_ticks_to_ns(unsigned long ticks) {
  return ticks > (unsigned long)(INT64_MAX / TICK_NSEC) ? INT64_MAX : (int64_t)ticks * TICK_NSEC;
}
/* The deadline of a wait for so many jiffies, for uwq_wait_on(). */
static inline int64_t uwq_ticks_to_deadline(unsigned long ticks) {
  int64_t now, delay;
  if (ticks >= (unsigned long)MAX_JIFFY_OFFSET) return UWQ_FOREVER;
  now = uwq_now_ns();
  delay = uwq_ticks_to_ns(ticks);
  return delay > INT64_MAX - now ? UWQ_FOREVER : now + delay;
}
/* What is left of such a wait, in jiffies; at least `least`. */
static inline long uwq_ticks_left(int64_t deadline_ns, unsigned long ticks, long least) {
  int64_t left;
  if (deadline_ns == UWQ_FOREVER) return (long)ticks;
  left = (deadline_ns - uwq_now_ns()) / TICK_NSEC;
  return left > least ? (long)left : least;
}

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_JIFFIES_H_ */
