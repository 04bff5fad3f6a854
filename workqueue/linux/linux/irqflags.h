/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/irqflags.h>: disabling interrupts, which means nothing here. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_IRQFLAGS_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_IRQFLAGS_H_

/* There is no interrupt to be kept off: a lock protects against handlers too, since
 * they run on threads. */
#define local_irq_disable() ((void)0)
#define local_irq_enable() ((void)0)
#define local_irq_save(flags) ((flags) = 0)
#define local_irq_restore(flags) ((void)(flags))
#define irqs_disabled() 0
#define local_bh_disable() ((void)0)
#define local_bh_enable() ((void)0)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_IRQFLAGS_H_ */
