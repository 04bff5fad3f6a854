/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/sprintf.h>: see <linux/printk.h>. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_SPRINTF_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_SPRINTF_H_

#include <linux/printk.h>

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_SPRINTF_H_ */
