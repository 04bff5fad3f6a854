/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/math64.h>: 64-bit division by its kernel names. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_MATH64_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_MATH64_H_

#include <linux/math.h>

static inline u64 div_u64(u64 n, u32 d) { return n / d; }
static inline s64 div_s64(s64 n, s32 d) { return n / d; }
static inline u64 div64_u64(u64 n, u64 d) { return n / d; }
static inline s64 div64_s64(s64 n, s64 d) { return n / d; }
static inline u64 div_u64_rem(u64 n, u32 d, u32 *rest) {
  *rest = (u32)(n % d);
  return n / d;
}
static inline u64 mul_u32_u32(u32 a, u32 b) { return (u64)a * b; }

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_MATH64_H_ */
