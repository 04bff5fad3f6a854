/* SPDX-License-Identifier: BSD-3-Clause
 *
 * timer_node.h -- the part of a delayed item that the timer wheel links.
 *
 * C, like base/abi_types.h, so that the C ABI embeds it by value.  All zero is
 * the unarmed state: static initialisers need no call.  Only who keeps the timer reads
 * or writes the fields: delayed/timer_wheel.h, workqueue/kthread/kworker.h.
 */
#ifndef UWQ_DELAYED_TIMER_NODE_H_
#define UWQ_DELAYED_TIMER_NODE_H_

#include <stdint.h>

#include "workqueue/base/abi_types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uwq_timer {
  /* Armed: links of a slot, prev is never null.  Handed over by Expire: next
   * leads through the caller's list, prev is null.  Unarmed: both are null. */
  struct uwq_list_head entry;
  int64_t deadline_ns;
  /* [ 58 bits: arming order | 6 bits: log2 of the slack, 0 none, 63 for ever ] */
  uint64_t order;
};

#ifdef __cplusplus
} /* extern "C" */

static_assert(sizeof(void*) != 8 || sizeof(uwq_timer) == 32, "frozen: 32 bytes on LP64");
#endif

#endif /* UWQ_DELAYED_TIMER_NODE_H_ */
