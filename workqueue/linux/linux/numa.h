/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/numa.h>: memory nodes of the default Runtime. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_NUMA_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_NUMA_H_

#include "workqueue/linux/uwq_linux.h"

#define NUMA_NO_NODE (-1)
#define cpu_to_node(cpu) uwq_cpu_to_node(cpu)
#define numa_node_id() uwq_cpu_to_node(uwq_this_cpu())
#define num_online_nodes() uwq_nr_nodes()

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_NUMA_H_ */
