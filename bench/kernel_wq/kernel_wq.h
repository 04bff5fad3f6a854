/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
 *
 * kernel_wq.h -- what kernel_wq.bpf.c and its user side share.
 */
#ifndef UWQ_BENCH_KERNEL_WQ_KERNEL_WQ_H_
#define UWQ_BENCH_KERNEL_WQ_KERNEL_WQ_H_

#include <linux/types.h>

#define KERNEL_WQ_ITEMS 64

/* Times in ns of CLOCK_MONOTONIC. */
struct kernel_wq_control {
  __u64 count; /* items of a burst, hops left of a chain */
  __u64 ready; /* items initialised */
  __u64 done;  /* items that have run */
  __u64 started_at;
  __u64 posted_at;
  __u64 ended_at;
  __u64 latency; /* of the last item: queued to started */
};

#endif /* UWQ_BENCH_KERNEL_WQ_KERNEL_WQ_H_ */
