/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kup_kernel.h -- what the files of the kernel port share.
 *
 * Two things outlive the device, because a user may hold them: the pages of a
 * generation (kup_pages.c) and the node under /dev (kup_chardev.c).  Each is
 * counted by itself; neither keeps the other's device alive.
 *
 * Invariant: a page that a user may have mapped is freed by its own reference
 * count, which each page table entry holds; never before.
 */
#ifndef UWQ_KUP_BRIDGE_KERNEL_KUP_KERNEL_H_
#define UWQ_KUP_BRIDGE_KERNEL_KUP_KERNEL_H_

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/poll.h>
#include <linux/rwsem.h>
#include <linux/workqueue.h>

#include "kup_bridge/kupdev_port.h"

/* One region of one generation. */
struct kup_area {
  struct page **pages; /* `n`, then the data pages once more: they are mapped twice */
  unsigned long n;
  void *va;
};

enum kup_area_index { KUP_AREA_DEV, KUP_AREA_USER, KUP_AREA_D2U, KUP_AREA_U2D, KUP_AREAS };

struct kup_pages {
  struct kup_mem mem; /* what the core sees of it */
  struct kref refs;   /* the core, each channel descriptor */
  struct work_struct free;
  struct kup_area area[KUP_AREAS];
  struct address_space mapping; /* every mapping of these pages, to find them again */

  /* A fault installs a page under the read side; after the write side none but
   * `gone` pages are installed. */
  struct rw_semaphore gate;
  bool revoked;
  struct page *gone_dev; /* the first device page as it was, which says REVOKED */
  struct page *gone_ro;  /* instead of everything else that a user only reads */
  struct page *gone_rw;  /* instead of what a user writes: takes late writes */

  wait_queue_head_t pollers;
  spinlock_t efd_lock;
  struct eventfd_ctx *efd; /* of the user; NULL: it polls */
};

int kup_pages_init(void);
void kup_pages_exit(void); /* after it, no pages exist */
void kup_pages_put(struct kup_pages *pages);
int kup_pages_mmap(struct kup_pages *pages, bool writer, struct vm_area_struct *vma);

static inline struct kup_pages *kup_pages_of(struct kup_mem *mem) {
  return container_of(mem, struct kup_pages, mem);
}

#endif /* UWQ_KUP_BRIDGE_KERNEL_KUP_KERNEL_H_ */
