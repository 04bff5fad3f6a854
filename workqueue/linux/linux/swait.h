/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/swait.h>: see <linux/wait.h>. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_SWAIT_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_SWAIT_H_

#include <linux/wait.h>

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_SWAIT_H_ */
