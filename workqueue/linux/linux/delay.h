/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/delay.h>: sleeping and busy waiting. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_DELAY_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_DELAY_H_

#include <linux/jiffies.h>

#include "workqueue/linux/uwq_linux.h"

/* All of them sleep for at least as long as asked; a worker that sleeps lets another
 * one of its CPU start. */
#define msleep(ms) uwq_sleep_ns((int64_t)(ms)*1000000, "msleep")
#define ssleep(s) uwq_sleep_ns((int64_t)(s)*1000000000, "ssleep")
#define fsleep(us) uwq_sleep_ns((int64_t)(us)*1000, "fsleep")
static inline void usleep_range(unsigned long least_us, unsigned long most_us) {
  (void)most_us;
  uwq_sleep_ns((int64_t)least_us * 1000, "usleep_range");
}
#define usleep_range_idle(least_us, most_us) usleep_range(least_us, most_us)
/* No signal reaches a driver: never interrupted. */
static inline unsigned long msleep_interruptible(unsigned int ms) {
  uwq_sleep_ns((int64_t)ms * 1000000, "msleep_interruptible");
  return 0;
}

/* These keep the CPU busy. */
#define udelay(us) uwq_busy_wait_ns((int64_t)(us)*1000)
#define ndelay(ns) uwq_busy_wait_ns((int64_t)(ns))
#define mdelay(ms) uwq_busy_wait_ns((int64_t)(ms)*1000000)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_DELAY_H_ */
