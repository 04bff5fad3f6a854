/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/hrtimer.h>: timers that count in nanoseconds. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_HRTIMER_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_HRTIMER_H_

#include <linux/ktime.h>
#include <linux/timer.h>

enum hrtimer_restart { HRTIMER_NORESTART, HRTIMER_RESTART };
enum hrtimer_mode {
  HRTIMER_MODE_ABS = 0x00,
  HRTIMER_MODE_REL = 0x01,
  HRTIMER_MODE_PINNED = 0x02,
  HRTIMER_MODE_SOFT = 0x04,
  HRTIMER_MODE_HARD = 0x08,
  HRTIMER_MODE_ABS_PINNED = HRTIMER_MODE_ABS | HRTIMER_MODE_PINNED,
  HRTIMER_MODE_REL_PINNED = HRTIMER_MODE_REL | HRTIMER_MODE_PINNED,
  HRTIMER_MODE_ABS_SOFT = HRTIMER_MODE_ABS | HRTIMER_MODE_SOFT,
  HRTIMER_MODE_REL_SOFT = HRTIMER_MODE_REL | HRTIMER_MODE_SOFT,
};

/* Layout: struct uwq_ktimer.  Functions run on the timers' thread. */
struct hrtimer {
  struct uwq_timer uwq_node;
  enum hrtimer_restart (*function)(struct hrtimer *timer);
  int uwq_clock;
  u32 uwq_flags;
  s64 uwq_expires;
};

static inline struct uwq_ktimer *uwq_ktimer_of_hr(const struct hrtimer *timer) {
  return (struct uwq_ktimer *)(unsigned long)timer;
}
/* Only CLOCK_MONOTONIC and CLOCK_BOOTTIME, which are the same clock here. */
static inline void hrtimer_setup(struct hrtimer *timer,
                                 enum hrtimer_restart (*function)(struct hrtimer *), int clock_id,
                                 enum hrtimer_mode mode) {
  (void)mode;
  timer->uwq_node.entry.next = 0;
  timer->uwq_node.entry.prev = 0;
  timer->uwq_node.deadline_ns = 0;
  timer->uwq_node.order = 0;
  timer->function = function;
  timer->uwq_clock = clock_id;
  timer->uwq_flags = UWQ_KTIMER_HR;
  timer->uwq_expires = 0;
}
/* The spelling before 6.15: the driver sets ->function itself. */
static inline void hrtimer_init(struct hrtimer *timer, int clock_id, enum hrtimer_mode mode) {
  hrtimer_setup(timer, 0, clock_id, mode);
}
static inline void hrtimer_start(struct hrtimer *timer, ktime_t time,
                                 const enum hrtimer_mode mode) {
  ktime_t expires = time;
  if (mode & HRTIMER_MODE_REL) {
    ktime_t now = ktime_get();
    expires = time > KTIME_MAX - now ? KTIME_MAX : now + time;
  }
  uwq_ktimer_arm(uwq_ktimer_of_hr(timer), (unsigned long)expires, UWQ_KTIMER_MOD);
}
static inline void hrtimer_start_range_ns(struct hrtimer *timer, ktime_t time, u64 slack,
                                          const enum hrtimer_mode mode) {
  (void)slack;
  hrtimer_start(timer, time, mode);
}
static inline int hrtimer_cancel(struct hrtimer *timer) {
  return uwq_ktimer_cancel_sync(uwq_ktimer_of_hr(timer), false);
}
static inline int hrtimer_try_to_cancel(struct hrtimer *timer) {
  return uwq_ktimer_try_cancel(uwq_ktimer_of_hr(timer));
}
static inline bool hrtimer_is_queued(struct hrtimer *timer) {
  return uwq_ktimer_pending(uwq_ktimer_of_hr(timer));
}
static inline bool hrtimer_callback_running(struct hrtimer *timer) {
  return uwq_ktimer_running(uwq_ktimer_of_hr(timer));
}
static inline bool hrtimer_active(const struct hrtimer *timer) {
  return uwq_ktimer_pending(uwq_ktimer_of_hr(timer)) || uwq_ktimer_running(uwq_ktimer_of_hr(timer));
}
static inline ktime_t hrtimer_get_expires(const struct hrtimer *timer) {
  return READ_ONCE(timer->uwq_expires);
}
static inline void hrtimer_set_expires(struct hrtimer *timer, ktime_t time) {
  WRITE_ONCE(timer->uwq_expires, time);
}
static inline ktime_t hrtimer_get_remaining(const struct hrtimer *timer) {
  return hrtimer_get_expires(timer) - ktime_get();
}
#define hrtimer_cb_get_time(timer) ktime_get()
/* From the timer's own function: moves it past `now` in whole intervals. */
static inline u64 hrtimer_forward(struct hrtimer *timer, ktime_t now, ktime_t interval) {
  s64 late = now - timer->uwq_expires;
  u64 overruns;
  if (late < 0 || interval <= 0) return 0;
  overruns = (u64)(late / interval) + 1;
  timer->uwq_expires += (s64)overruns * interval;
  return overruns;
}
static inline u64 hrtimer_forward_now(struct hrtimer *timer, ktime_t interval) {
  return hrtimer_forward(timer, ktime_get(), interval);
}

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_HRTIMER_H_ */
