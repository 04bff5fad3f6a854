/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/module.h>: module_init(), module_exit() and what describes a module. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_MODULE_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_MODULE_H_

#if __has_include_next(<linux/module.h>)
#include_next <linux/module.h>
#endif
#include <linux/compiler.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>

#include "workqueue/linux/uwq_linux.h"

struct module;
#define THIS_MODULE ((struct module *)0)
#ifndef KBUILD_MODNAME
#define KBUILD_MODNAME __BASE_FILE__
#endif
#define try_module_get(module) ((void)(module), true)
#define module_put(module) ((void)(module))
#define __module_get(module) ((void)(module))

/* One of each in a source file.  They run when uwq_module_main() is called; a program
 * without a main() of its own links libuwq-module.a, whose main() calls it. */
static struct uwq_module uwq_this_module __attribute__((unused)) = {KBUILD_MODNAME, 0, 0, 0};
#define module_init(function)                                             \
  static __attribute__((constructor, used)) void uwq_module_init_(void) { \
    uwq_this_module.init = (function);                                    \
    uwq_module_register(&uwq_this_module);                                \
  }                                                                       \
  extern int uwq_module_info_
#define module_exit(function)                                             \
  static __attribute__((constructor, used)) void uwq_module_exit_(void) { \
    uwq_this_module.exit = (function);                                    \
  }                                                                       \
  extern int uwq_module_info_
#define late_initcall(function) module_init(function)
#define device_initcall(function) module_init(function)
#define subsys_initcall(function) module_init(function)

#define MODULE_INFO(tag, text) extern int uwq_module_info_
#define MODULE_LICENSE(text) extern int uwq_module_info_
#define MODULE_AUTHOR(text) extern int uwq_module_info_
#define MODULE_DESCRIPTION(text) extern int uwq_module_info_
#define MODULE_VERSION(text) extern int uwq_module_info_
#define MODULE_ALIAS(text) extern int uwq_module_info_
#define MODULE_FIRMWARE(text) extern int uwq_module_info_
#define MODULE_SOFTDEP(text) extern int uwq_module_info_
#define MODULE_IMPORT_NS(ns) extern int uwq_module_info_
#define MODULE_DEVICE_TABLE(type, table) extern int uwq_module_info_

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_MODULE_H_ */
