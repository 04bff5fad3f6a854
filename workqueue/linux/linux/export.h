/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/export.h>: symbols between modules. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_EXPORT_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_EXPORT_H_

/* There is one namespace, the program's. */
#define EXPORT_SYMBOL(symbol) extern int uwq_module_info_
#define EXPORT_SYMBOL_GPL(symbol) extern int uwq_module_info_
#define EXPORT_SYMBOL_NS(symbol, ns) extern int uwq_module_info_
#define EXPORT_SYMBOL_NS_GPL(symbol, ns) extern int uwq_module_info_

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_EXPORT_H_ */
