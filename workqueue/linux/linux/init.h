/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/init.h>: section marks, which mean nothing here. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_INIT_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_INIT_H_

#include <linux/compiler.h>
#include <stdlib.h> /* has a member of that name, so it goes first */

/* libstdc++ has parameters of that name.  <regex>, too: include it before this one. */
#ifdef __cplusplus
extern "C++" {
#include <memory>
#include <numeric>
}
#endif

#define __init
#define __exit
#define __initdata
#define __exitdata
#define __initconst
#define __devinit
#define __devexit

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_INIT_H_ */
