/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/log2.h>: powers of two. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_LOG2_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_LOG2_H_

#include <linux/bitops.h>

#define is_power_of_2(n) ((n) != 0 && (((n) & ((n)-1)) == 0))
#define ilog2(n) (63 - __builtin_clzll((unsigned long long)(n)))
static inline unsigned long roundup_pow_of_two(unsigned long n) {
  return n <= 1 ? 1 : 1UL << fls_long(n - 1);
}
static inline unsigned long rounddown_pow_of_two(unsigned long n) {
  return 1UL << (fls_long(n) - 1);
}
static inline int order_base_2(unsigned long n) { return n <= 1 ? 0 : fls_long(n - 1); }

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_LOG2_H_ */
