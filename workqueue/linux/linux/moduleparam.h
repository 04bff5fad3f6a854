/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/moduleparam.h>: parameters of a program made of modules. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_MODULEPARAM_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_MODULEPARAM_H_

#include <linux/compiler.h>
#include <linux/types.h>

#include "workqueue/linux/uwq_linux.h"

/* Set by NAME=VALUE on the command line of uwq_module_main(). */
#define UWQ_PARAM_(param, variable, kind, perm)                                        \
  static __attribute__((constructor, used)) void UWQ_CONCAT(uwq_param_, param)(void) { \
    static struct uwq_param uwq_param_ = {#param, kind, &(variable), 0};               \
    (void)(perm);                                                                      \
    uwq_param_register(&uwq_param_);                                                   \
  }                                                                                    \
  extern int uwq_module_info_
/* `kind` is pasted here and not further in, since bool is a macro of C. */
#define module_param_named(param, variable, kind, perm) \
  UWQ_PARAM_(param, variable, UWQ_PARAM_##kind, perm)
#define module_param(param, kind, perm) UWQ_PARAM_(param, param, UWQ_PARAM_##kind, perm)
#define MODULE_PARM_DESC(param, text) extern int uwq_module_info_
#ifdef __cplusplus
#define UWQ_NO_PARAM_(text) static_assert(false, text)
#else
#define UWQ_NO_PARAM_(text) _Static_assert(0, text)
#endif
#define module_param_array(...) \
  UWQ_NO_PARAM_("uwq does not support this call: module_param_array()")
#define module_param_string(...) \
  UWQ_NO_PARAM_("uwq does not support this call: module_param_string()")
#define module_param_cb(...) UWQ_NO_PARAM_("uwq does not support this call: module_param_cb()")

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_MODULEPARAM_H_ */
