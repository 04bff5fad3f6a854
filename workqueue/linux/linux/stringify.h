/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/stringify.h>: from tokens to text. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_STRINGIFY_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_STRINGIFY_H_

#define __stringify_1(...) #__VA_ARGS__
#define __stringify(...) __stringify_1(__VA_ARGS__)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_STRINGIFY_H_ */
