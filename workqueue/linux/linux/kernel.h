/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/kernel.h>: the odds and ends that every driver includes. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_KERNEL_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_KERNEL_H_

#if __has_include_next(<linux/kernel.h>)
#include_next <linux/kernel.h>
#endif

#include <limits.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/stringify.h>
#include <linux/types.h>
#include <stdlib.h>

#define U8_MAX ((u8)~0U)
#define U16_MAX ((u16)~0U)
#define U32_MAX ((u32)~0U)
#define U64_MAX ((u64)~0ULL)
#define S8_MAX ((s8)(U8_MAX >> 1))
#define S16_MAX ((s16)(U16_MAX >> 1))
#define S32_MAX ((s32)(U32_MAX >> 1))
#define S64_MAX ((s64)(U64_MAX >> 1))
#define S32_MIN ((s32)(-S32_MAX - 1))
#define S64_MIN ((s64)(-S64_MAX - 1))

#define upper_32_bits(n) ((u32)(((n) >> 16) >> 16))
#define lower_32_bits(n) ((u32)((n)&0xffffffff))

#define might_sleep() uwq_linux_might_sleep(__func__)
#define might_sleep_if(condition) \
  do {                            \
    if (condition) might_sleep(); \
  } while (0)
#define cond_resched() ((void)0)

/* A CONFIG_ symbol that is not defined is 0; one defined as 1 is 1. */
#define UWQ_ARG_1_ 0,
#define UWQ_SECOND_(ignored, value, ...) value
#define UWQ_IS_ONE_2_(arg_or_junk) UWQ_SECOND_(arg_or_junk 1, 0, 0)
#define UWQ_IS_ONE_1_(value) UWQ_IS_ONE_2_(UWQ_ARG_##value##_)
#define UWQ_IS_ONE_(value) UWQ_IS_ONE_1_(value)
#define IS_ENABLED(option) UWQ_IS_ONE_(option)
#define IS_BUILTIN(option) UWQ_IS_ONE_(option)
#define IS_REACHABLE(option) UWQ_IS_ONE_(option)
#define IS_MODULE(option) 0

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_KERNEL_H_ */
