/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/container_of.h>: from a member to the structure around it. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_CONTAINER_OF_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_CONTAINER_OF_H_

#include <linux/compiler.h>

#ifdef __cplusplus
#define container_of(ptr, type, member) \
  (reinterpret_cast<type *>((unsigned long)(ptr)-offsetof(type, member)))
#else
/* A pointer of another type is refused, as in the kernel. */
#define container_of(ptr, type, member)                                                      \
  ({                                                                                         \
    void *uwq_member_ = (void *)(ptr);                                                       \
    _Static_assert(                                                                          \
        __builtin_types_compatible_p(__typeof__(*(ptr)), __typeof__(((type *)0)->member)) || \
            __builtin_types_compatible_p(__typeof__(*(ptr)), void),                          \
        "container_of(): pointer type and member differ");                                   \
    (type *)((char *)uwq_member_ - offsetof(type, member));                                  \
  })
#endif
#define container_of_const(ptr, type, member) container_of(ptr, type, member)
#define typeof_member(type, member) __typeof__(((type *)0)->member)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_CONTAINER_OF_H_ */
