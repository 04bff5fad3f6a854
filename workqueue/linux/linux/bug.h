/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/bug.h>: WARN(), BUG() and their build-time relatives. Read on: docs/porting_from_linux.md.
 */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_BUG_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_BUG_H_

#include <linux/compiler.h>

#include "workqueue/linux/uwq_linux.h"

/* A report with a stack, and the program goes on. */
#define UWQ_WARN_(once, condition, ...)                                         \
  ({                                                                            \
    bool uwq_warned_ = !!(condition);                                           \
    if (unlikely(uwq_warned_)) uwq_warn(__FILE__, __LINE__, once, __VA_ARGS__); \
    uwq_warned_;                                                                \
  })
#define WARN_ON(condition) UWQ_WARN_(false, condition, "%s", #condition)
#define WARN_ON_ONCE(condition) UWQ_WARN_(true, condition, "%s", #condition)
#define WARN(condition, ...) UWQ_WARN_(false, condition, __VA_ARGS__)
#define WARN_ONCE(condition, ...) UWQ_WARN_(true, condition, __VA_ARGS__)
#define BUG() uwq_bug(__FILE__, __LINE__)
#define BUG_ON(condition)           \
  do {                              \
    if (unlikely(condition)) BUG(); \
  } while (0)

#ifdef __cplusplus
#define BUILD_BUG_ON_MSG(condition, message) static_assert(!(condition), message)
#else
#define BUILD_BUG_ON_MSG(condition, message) _Static_assert(!(condition), message)
#ifndef static_assert
#define static_assert(condition, ...) _Static_assert(condition, "" __VA_ARGS__)
#endif
#endif
#define BUILD_BUG_ON(condition) BUILD_BUG_ON_MSG(condition, "BUILD_BUG_ON: " #condition)
#define BUILD_BUG_ON_NOT_POWER_OF_2(n) BUILD_BUG_ON((n) == 0 || (((n) & ((n)-1)) != 0))

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_BUG_H_ */
