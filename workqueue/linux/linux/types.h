/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/types.h>: the kernel's fixed-width and smallest structure types. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_TYPES_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_TYPES_H_

#if __has_include_next(<linux/types.h>)
#include_next <linux/types.h>
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The system's headers come here, too: only what a kernel type needs, no macro that
 * could meet other people's names. */
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64; /* unsigned long long, as in the kernel: %llu */
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;

typedef unsigned int gfp_t;
typedef u64 phys_addr_t;
typedef u64 resource_size_t;
typedef u64 dma_addr_t;
typedef s64 ktime_t;
typedef u64 sector_t;

typedef struct {
  int counter;
} atomic_t;
typedef struct {
  long counter;
} atomic_long_t;
typedef struct {
  s64 counter;
} atomic64_t;

struct list_head {
  struct list_head *next, *prev;
};
struct hlist_node {
  struct hlist_node *next, **pprev;
};
struct hlist_head {
  struct hlist_node *first;
};

/* Same layout as uwq_linux.h's uwq_rcu_head. */
struct callback_head {
  struct callback_head *next;
  void (*func)(struct callback_head *head);
};
#define rcu_head callback_head
typedef void (*rcu_callback_t)(struct rcu_head *head);

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_TYPES_H_ */
