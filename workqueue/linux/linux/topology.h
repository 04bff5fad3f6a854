/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/topology.h>: see <linux/numa.h>. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_TOPOLOGY_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_TOPOLOGY_H_

#include <linux/cpumask.h>
#include <linux/numa.h>

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_TOPOLOGY_H_ */
