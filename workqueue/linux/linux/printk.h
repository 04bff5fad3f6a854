/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/printk.h>: the kernel's log, on standard error. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_PRINTK_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_PRINTK_H_

#include <linux/compiler.h>
#include <linux/types.h>
#include <stdio.h>

#include "workqueue/linux/uwq_linux.h"

#define KERN_SOH "\001"
#define KERN_EMERG KERN_SOH "0"
#define KERN_ALERT KERN_SOH "1"
#define KERN_CRIT KERN_SOH "2"
#define KERN_ERR KERN_SOH "3"
#define KERN_WARNING KERN_SOH "4"
#define KERN_NOTICE KERN_SOH "5"
#define KERN_INFO KERN_SOH "6"
#define KERN_DEBUG KERN_SOH "7"
#define KERN_CONT KERN_SOH "c"
#define KERN_DEFAULT ""

#ifndef pr_fmt
#define pr_fmt(fmt) fmt
#endif

/* One write() for each call, so that lines of several threads do not mix. */
#define printk(...) uwq_printk(__VA_ARGS__)
#define _printk(...) uwq_printk(__VA_ARGS__)
#define vprintk(fmt, args) uwq_vprintk(fmt, args)
/* Checked by the compiler, never called. */
#define no_printk(...)              \
  ({                                \
    if (0) uwq_printk(__VA_ARGS__); \
    0;                              \
  })

#define pr_emerg(fmt, ...) printk(KERN_EMERG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_alert(fmt, ...) printk(KERN_ALERT pr_fmt(fmt), ##__VA_ARGS__)
#define pr_crit(fmt, ...) printk(KERN_CRIT pr_fmt(fmt), ##__VA_ARGS__)
#define pr_err(fmt, ...) printk(KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn(fmt, ...) printk(KERN_WARNING pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warning pr_warn
#define pr_notice(fmt, ...) printk(KERN_NOTICE pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info(fmt, ...) printk(KERN_INFO pr_fmt(fmt), ##__VA_ARGS__)
#define pr_cont(fmt, ...) printk(KERN_CONT fmt, ##__VA_ARGS__)
#ifdef DEBUG
#define pr_debug(fmt, ...) printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_devel(fmt, ...) printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#else
#define pr_debug(fmt, ...) no_printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_devel(fmt, ...) no_printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__)
#endif

#define UWQ_ONCE_()                                           \
  ({                                                          \
    static bool uwq_done_;                                    \
    !__atomic_exchange_n(&uwq_done_, true, __ATOMIC_RELAXED); \
  })
#define UWQ_SELDOM_()                \
  ({                                 \
    static const char uwq_site_ = 0; \
    uwq_ratelimit(&uwq_site_);       \
  })
#define UWQ_IF_(when, call) \
  do {                      \
    if (when) call;         \
  } while (0)
#define printk_once(...) UWQ_IF_(UWQ_ONCE_(), printk(__VA_ARGS__))
#define printk_ratelimited(...) UWQ_IF_(UWQ_SELDOM_(), printk(__VA_ARGS__))
#define printk_ratelimit() UWQ_SELDOM_()
#define pr_err_once(...) UWQ_IF_(UWQ_ONCE_(), pr_err(__VA_ARGS__))
#define pr_warn_once(...) UWQ_IF_(UWQ_ONCE_(), pr_warn(__VA_ARGS__))
#define pr_notice_once(...) UWQ_IF_(UWQ_ONCE_(), pr_notice(__VA_ARGS__))
#define pr_info_once(...) UWQ_IF_(UWQ_ONCE_(), pr_info(__VA_ARGS__))
#define pr_debug_once(...) UWQ_IF_(UWQ_ONCE_(), pr_debug(__VA_ARGS__))
#define pr_err_ratelimited(...) UWQ_IF_(UWQ_SELDOM_(), pr_err(__VA_ARGS__))
#define pr_warn_ratelimited(...) UWQ_IF_(UWQ_SELDOM_(), pr_warn(__VA_ARGS__))
#define pr_notice_ratelimited(...) UWQ_IF_(UWQ_SELDOM_(), pr_notice(__VA_ARGS__))
#define pr_info_ratelimited(...) UWQ_IF_(UWQ_SELDOM_(), pr_info(__VA_ARGS__))
#define pr_debug_ratelimited(...) UWQ_IF_(UWQ_SELDOM_(), pr_debug(__VA_ARGS__))

#define dump_stack() uwq_dump_stack()

/* As snprintf(), but returns what really stands in the buffer. */
static inline int __printf(3, 0)
    vscnprintf(char *buffer, size_t size, const char *fmt, va_list args) {
  int length = vsnprintf(buffer, size, fmt, args);
  if (length < 0 || size == 0) return 0;
  return (size_t)length < size ? length : (int)size - 1;
}
static inline int __printf(3, 4) scnprintf(char *buffer, size_t size, const char *fmt, ...) {
  va_list args;
  int length;
  va_start(args, fmt);
  length = vscnprintf(buffer, size, fmt, args);
  va_end(args);
  return length;
}

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_PRINTK_H_ */
