/* SPDX-License-Identifier: BSD-3-Clause
 *
 * abi_types.h -- the two structures that users embed by value.
 *
 * They are C, so that the C ABI, the Linux headers and the C++ core share one
 * definition and one layout.  Everything else in uwq is opaque to users.
 */
#ifndef UWQ_WORKQUEUE_BASE_ABI_TYPES_H_
#define UWQ_WORKQUEUE_BASE_ABI_TYPES_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A node of an intrusive, circular, doubly linked list; also its head. */
struct uwq_list_head {
  struct uwq_list_head* next;
  struct uwq_list_head* prev;
};

struct uwq_work;

/* The function of a work item.  It may free the item: the library does not
 * touch the item's memory once the function has been entered (Q5). */
typedef void (*uwq_work_func_t)(struct uwq_work* work);

/* A work item: 32 bytes on LP64, like the kernel's work_struct.  `data` is the
 * state word (docs/state_word.md); only the library writes it.  `func` may be
 * read at any time, for instance to compare it. */
struct uwq_work {
  unsigned long data;
  struct uwq_list_head entry;
  uwq_work_func_t func;
};

#ifdef __cplusplus
} /* extern "C" */

static_assert(sizeof(void*) != 8 || sizeof(uwq_work) == 32, "frozen: 32 bytes on LP64");
static_assert(offsetof(uwq_work, entry) == sizeof(unsigned long), "frozen layout");
#endif

#endif /* UWQ_WORKQUEUE_BASE_ABI_TYPES_H_ */
