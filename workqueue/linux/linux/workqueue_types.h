/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/workqueue_types.h>: see <linux/workqueue.h>. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_WORKQUEUE_TYPES_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_WORKQUEUE_TYPES_H_

#include <linux/workqueue.h>

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_WORKQUEUE_TYPES_H_ */
