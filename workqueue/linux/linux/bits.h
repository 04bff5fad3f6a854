/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/bits.h>: masks of bits. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_BITS_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_BITS_H_

#include <linux/types.h>

#define BITS_PER_BYTE 8
#ifndef BITS_PER_LONG
#define BITS_PER_LONG (8 * (int)sizeof(long))
#endif
#define BITS_PER_LONG_LONG 64
#ifndef BIT
#define BIT(n) (1UL << (n))
#endif
#define BIT_ULL(n) (1ULL << (n))
#define BIT_MASK(n) (1UL << ((n) % BITS_PER_LONG))
#define BIT_WORD(n) ((n) / BITS_PER_LONG)
#define GENMASK(high, low) ((~0UL << (low)) & (~0UL >> (BITS_PER_LONG - 1 - (high))))
#define GENMASK_ULL(high, low) ((~0ULL << (low)) & (~0ULL >> (63 - (high))))

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_BITS_H_ */
