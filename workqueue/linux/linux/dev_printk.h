/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/dev_printk.h>: see <linux/device.h>. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_DEV_PRINTK_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_DEV_PRINTK_H_

#include <linux/device.h>

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_DEV_PRINTK_H_ */
