// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * kup_pages.c -- the memory of one generation of a channel: allocated, mapped into
 * the kernel, mapped by a user, taken away from it.
 *
 * Invariants
 *   G1  A user never gets a writable mapping of a page that only the device
 *       writes, neither by mmap nor later by mprotect.
 *   G2  After kup_mem_revoke returned, no page table of a user refers to a page
 *       of the region, and none will.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include "kup_bridge/kernel/kup_kernel.h"

#if PAGE_SIZE != 4096 || BITS_PER_LONG != 64
#error "KUP's layout is made of pages of 4 KiB and 64-bit words that are stored in one piece"
#endif

static struct workqueue_struct *free_queue;

/* ---- allocation ------------------------------------------------------------------ */

static void area_free(struct kup_area *area) {
  unsigned long i;

  if (area->va) vunmap(area->va);
  for (i = 0; area->pages && i < area->n && area->pages[i]; i++) put_page(area->pages[i]);
  kvfree(area->pages);
}

/* `len` bytes, of which those from `twice` on are mapped a second time behind the end. */
static int area_alloc(struct kup_area *area, uint64_t len, uint64_t twice) {
  unsigned long i, n = len >> PAGE_SHIFT, again = (len - twice) >> PAGE_SHIFT;

  if (!n) return 0;
  area->n = n;
  area->pages = kvcalloc(n + again, sizeof(*area->pages), GFP_KERNEL_ACCOUNT);
  if (!area->pages) return -ENOMEM;
  for (i = 0; i < n; i++) {
    area->pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
    if (!area->pages[i]) return -ENOMEM;
    if (!(i & 255)) cond_resched();
  }
  for (i = 0; i < again; i++) area->pages[n + i] = area->pages[(twice >> PAGE_SHIFT) + i];
  area->va = vmap(area->pages, n + again, VM_MAP, PAGE_KERNEL);
  return area->va ? 0 : -ENOMEM;
}

static void pages_free(struct kup_pages *pages) {
  int i;

  for (i = 0; i < KUP_AREAS; i++) area_free(&pages->area[i]);
  if (pages->gone_dev) put_page(pages->gone_dev);
  if (pages->gone_ro) put_page(pages->gone_ro);
  if (pages->gone_rw) put_page(pages->gone_rw);
  kvfree(pages);
}

static void free_work(struct work_struct *work) {
  pages_free(container_of(work, struct kup_pages, free));
}

/* The last reference may go under a spinlock, where nothing can be unmapped. */
static void last_put(struct kref *refs) {
  queue_work(free_queue, &container_of(refs, struct kup_pages, refs)->free);
}

void kup_pages_put(struct kup_pages *pages) { kref_put(&pages->refs, last_put); }

/* The pages that a revoked user gets instead; made beforehand, since revoking must not fail. */
static int gone_alloc(struct kup_pages *pages) {
  pages->gone_dev = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
  pages->gone_ro = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
  pages->gone_rw = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
  return pages->gone_dev && pages->gone_ro && pages->gone_rw ? 0 : -ENOMEM;
}

struct kup_mem *kup_mem_alloc(const struct kupdev_opts *opts) {
  struct kup_pages *pages = kvzalloc(sizeof(*pages), GFP_KERNEL_ACCOUNT);
  struct kup_layout l;
  struct kup_mem *mem;

  if (!pages) return NULL;
  kup_layout_of(opts, &l);
  if (area_alloc(&pages->area[KUP_AREA_DEV], l.dev_len, l.dev_data) ||
      area_alloc(&pages->area[KUP_AREA_USER], l.user_len, l.user_data) ||
      area_alloc(&pages->area[KUP_AREA_D2U], l.frames_d2u_len, l.frames_d2u_len) ||
      area_alloc(&pages->area[KUP_AREA_U2D], l.frames_u2d_len, l.frames_u2d_len) ||
      gone_alloc(pages)) {
    pages_free(pages);
    return NULL;
  }
  kref_init(&pages->refs);
  INIT_WORK(&pages->free, free_work);
  address_space_init_once(&pages->mapping);
  init_rwsem(&pages->gate);
  init_waitqueue_head(&pages->pollers);
  spin_lock_init(&pages->efd_lock);

  mem = &pages->mem;
  mem->dev = pages->area[KUP_AREA_DEV].va;
  mem->groups = pages->area[KUP_AREA_DEV].va + KUP_PAGE_SIZE;
  mem->d2u = pages->area[KUP_AREA_DEV].va + l.dev_data;
  mem->user = pages->area[KUP_AREA_USER].va;
  mem->params = pages->area[KUP_AREA_USER].va + KUP_PAGE_SIZE;
  mem->u2d = pages->area[KUP_AREA_USER].va + l.user_data;
  mem->frames_d2u = pages->area[KUP_AREA_D2U].va;
  mem->frames_u2d = pages->area[KUP_AREA_U2D].va;
  return mem;
}

void kup_mem_free(struct kup_mem *mem) { kup_pages_put(kup_pages_of(mem)); }

/* ---- waking and revoking ------------------------------------------------------------- */

void kup_mem_signal(struct kup_mem *mem) {
  struct kup_pages *pages = kup_pages_of(mem);
  __poll_t news = EPOLLIN | EPOLLOUT;
  unsigned long flags;

  /* Who polls for the end only is not woken by each message. */
  if (READ_ONCE(mem->dev->state) != KUP_STATE_READY) news |= EPOLLHUP | EPOLLERR;
  /* Has a full barrier: the caller has just published. */
  if (wq_has_sleeper(&pages->pollers)) wake_up_poll(&pages->pollers, news);
  spin_lock_irqsave(&pages->efd_lock, flags);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
  if (pages->efd) eventfd_signal(pages->efd);
#else
  if (pages->efd) eventfd_signal(pages->efd, 1);
#endif
  spin_unlock_irqrestore(&pages->efd_lock, flags);
}

void kup_mem_revoke(struct kup_mem *mem) {
  struct kup_pages *pages = kup_pages_of(mem);

  memcpy(page_address(pages->gone_dev), mem->dev, PAGE_SIZE);
  down_write(&pages->gate);
  pages->revoked = true;
  up_write(&pages->gate);
  /* Faults that come now install `gone` pages; what was there before goes (G2). */
  unmap_mapping_range(&pages->mapping, 0, 0, 1);
  kup_mem_signal(mem);
}

/* ---- the user's mapping ------------------------------------------------------------------ */

static const uint64_t area_offset[KUP_AREAS] = {KUP_MMAP_DEV, KUP_MMAP_USER, KUP_MMAP_FRAMES_D2U,
                                                KUP_MMAP_FRAMES_U2D};

static bool user_writes(int index) { return index == KUP_AREA_USER || index == KUP_AREA_U2D; }

/* The area that holds page offset `at`, and the page within it; or -1. */
static int area_of(const struct kup_pages *pages, pgoff_t at, pgoff_t *within) {
  int i;

  for (i = 0; i < KUP_AREAS; i++) {
    pgoff_t first = area_offset[i] >> PAGE_SHIFT;

    if (at < first || at - first >= pages->area[i].n) continue;
    *within = at - first;
    return i;
  }
  return -1;
}

static vm_fault_t pages_fault(struct vm_fault *vmf) {
  struct kup_pages *pages = vmf->vma->vm_private_data;
  struct page *page;
  vm_fault_t rc;
  pgoff_t within;
  int i = area_of(pages, vmf->pgoff, &within);

  if (i < 0) return VM_FAULT_SIGBUS; /* kup_pages_mmap refuses such a range */
  down_read(&pages->gate);
  page = pages->area[i].pages[within];
  if (unlikely(pages->revoked)) {
    if (user_writes(i))
      page = pages->gone_rw;
    else
      page = i == KUP_AREA_DEV && within == 0 ? pages->gone_dev : pages->gone_ro;
  }
  /* Under the gate: a page that was chosen before a revocation is not installed after it. */
  rc = vmf_insert_page(vmf->vma, vmf->address, page);
  up_read(&pages->gate);
  return rc;
}

/* The descriptor whose mapping this is keeps the pages; each mapping keeps the descriptor. */
static const struct vm_operations_struct pages_vm_ops = {.fault = pages_fault};

static void change_flags(struct vm_area_struct *vma, unsigned long set, unsigned long clear) {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
  vm_flags_mod(vma, set, clear);
#else
  vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

int kup_pages_mmap(struct kup_pages *pages, bool writer, struct vm_area_struct *vma) {
  unsigned long forbidden = VM_MAYEXEC;
  pgoff_t first, last;
  int i = area_of(pages, vma->vm_pgoff, &first);

  if (i < 0 || area_of(pages, vma->vm_pgoff + vma_pages(vma) - 1, &last) != i) return -EINVAL;
  /*
   * A private copy would be no channel; and it would survive a revocation.  (VM_SHARED
   * is gone already where the descriptor is read-only.)
   */
  if (!(vma->vm_flags & VM_MAYSHARE)) return -EINVAL;
  if (vma->vm_flags & VM_EXEC) return -EACCES;
  if (!writer && i != KUP_AREA_DEV) return -EACCES;
  if (!user_writes(i)) {
    if (vma->vm_flags & VM_WRITE) return -EACCES;
    forbidden |= VM_MAYWRITE; /* G1: or mprotect would give what mmap refused */
  }
  change_flags(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP | VM_MIXEDMAP, forbidden);
  vma->vm_ops = &pages_vm_ops;
  vma->vm_private_data = pages;
  return 0;
}

int kup_pages_init(void) {
  free_queue = alloc_workqueue("kup-free", WQ_UNBOUND, 0);
  return free_queue ? 0 : -ENOMEM;
}

void kup_pages_exit(void) { destroy_workqueue(free_queue); }
