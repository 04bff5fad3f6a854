/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/irqreturn.h>: what an interrupt handler returns. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_IRQRETURN_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_IRQRETURN_H_

enum irqreturn { IRQ_NONE = 0, IRQ_HANDLED = 1, IRQ_WAKE_THREAD = 2 };
typedef enum irqreturn irqreturn_t;
#define IRQ_RETVAL(handled) ((handled) ? IRQ_HANDLED : IRQ_NONE)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_IRQRETURN_H_ */
