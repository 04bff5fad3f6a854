/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/preempt.h>: the context of the caller: item, timer function, interrupt handler. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_PREEMPT_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_PREEMPT_H_

#include "workqueue/linux/uwq_linux.h"

#define in_hardirq() ((uwq_context() & UWQ_CTX_HARDIRQ) != 0)
#define in_irq() in_hardirq()
#define in_softirq() ((uwq_context() & UWQ_CTX_SOFTIRQ) != 0)
#define in_serving_softirq() in_softirq()
#define in_interrupt() ((uwq_context() & (UWQ_CTX_HARDIRQ | UWQ_CTX_SOFTIRQ)) != 0)
#define in_nmi() 0
#define in_task() (!in_interrupt())
#define in_atomic() (uwq_context() != 0)
#define preemptible() (uwq_context() == 0)
/* Nothing stops the scheduler of the machine; sleeping inside is reported. */
#define preempt_disable() uwq_atomic_enter()
#define preempt_enable() uwq_atomic_exit()
#define migrate_disable() ((void)0)
#define migrate_enable() ((void)0)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_PREEMPT_H_ */
