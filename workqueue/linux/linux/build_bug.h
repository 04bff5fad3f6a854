/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/build_bug.h>: see <linux/bug.h>. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_BUILD_BUG_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_BUILD_BUG_H_

#include <linux/bug.h>

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_BUILD_BUG_H_ */
