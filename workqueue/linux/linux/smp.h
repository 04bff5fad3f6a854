/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/smp.h>: the CPU of the caller. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_SMP_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_SMP_H_

#include "workqueue/linux/uwq_linux.h"

/* The CPUs are those of the default Runtime. */
#define raw_smp_processor_id() uwq_this_cpu()
#define smp_processor_id() uwq_this_cpu()
#define get_cpu() uwq_this_cpu()
#define put_cpu() ((void)0)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_SMP_H_ */
