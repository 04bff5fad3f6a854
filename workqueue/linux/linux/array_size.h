/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/array_size.h>: elements of an array. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_ARRAY_SIZE_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_ARRAY_SIZE_H_

#include <linux/compiler.h>

#ifdef __cplusplus
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#else
/* A pointer instead of an array gives an array of negative size. */
#define ARRAY_SIZE(array)               \
  (sizeof(array) / sizeof((array)[0]) + \
   0 * sizeof(char[1 - 2 * !!__same_type((array), &(array)[0])]))
#endif

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_ARRAY_SIZE_H_ */
