/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/freezer.h>: freezing of threads. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_FREEZER_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_FREEZER_H_

/* Only queues freeze; a thread of the program is never asked to. */
#define try_to_freeze() 0
#define set_freezable() ((void)0)
#define freezing(task) ((void)(task), 0)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_FREEZER_H_ */
