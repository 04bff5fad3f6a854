/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/suspend.h>: what a program cannot do to the machine. Read on: docs/porting_from_linux.md.
 */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_SUSPEND_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_SUSPEND_H_

#include <linux/compiler.h>

int pm_suspend(int state) UWQ_UNSUPPORTED(
    "pm_suspend() puts a machine to sleep; freeze_workqueues_begin() freezes queues");

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_SUSPEND_H_ */
