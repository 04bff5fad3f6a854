/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/string_choices.h>: see <linux/string.h>. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_STRING_CHOICES_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_STRING_CHOICES_H_

#include <linux/string.h>

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_STRING_CHOICES_H_ */
