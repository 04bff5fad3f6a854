/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/errno.h>: errno values, with those that never reach user space. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_ERRNO_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_ERRNO_H_

#if __has_include_next(<linux/errno.h>)
#include_next <linux/errno.h>
#endif

/* Errors that stay inside the kernel; the C library comes here, so only macros. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ENOIOCTLCMD 515
#define ERESTART_RESTARTBLOCK 516
#define EPROBE_DEFER 517
#define ENOTSUPP 524

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_ERRNO_H_ */
