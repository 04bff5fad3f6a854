/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/version.h>: the reference version. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_VERSION_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_VERSION_H_

/* The kernel whose behaviour uwq has; the system's own header tells of another. */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#define LINUX_VERSION_MAJOR 7
#define LINUX_VERSION_PATCHLEVEL 3
#define LINUX_VERSION_SUBLEVEL 0
#define LINUX_VERSION_CODE KERNEL_VERSION(7, 3, 0)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_VERSION_H_ */
