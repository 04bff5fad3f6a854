/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/spinlock_types.h>: see <linux/spinlock.h>. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_SPINLOCK_TYPES_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_SPINLOCK_TYPES_H_

#include <linux/spinlock.h>

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_SPINLOCK_TYPES_H_ */
