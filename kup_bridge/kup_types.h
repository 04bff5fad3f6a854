/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kup_types.h -- what both ends of a channel pass around: messages and frames.
 *
 * Invariant: a pointer in here leads into memory that the peer may write at any
 * time.  Copy what you decide on.  Used by kup.h (user) and kupdev.h (device).
 */
#ifndef UWQ_KUP_BRIDGE_KUP_TYPES_H_
#define UWQ_KUP_BRIDGE_KUP_TYPES_H_

#include "kup_bridge/kup_abi.h"

/* A message received without a copy; valid until it is released. */
struct kup_msg {
  const void *data;
  uint32_t len;
  uint16_t type;
  uint16_t flags; /* KUP_REC_* */
  uint32_t seq;
  uint32_t id;
  uint64_t token; /* gives it back */
};

/* A message to be sent. */
struct kup_vec {
  const void *data;
  uint32_t len;
  uint16_t type;
  uint16_t flags; /* KUP_REC_* or 0 */
  uint32_t id;
};

/* A large buffer of a frame pool. */
struct kup_frame {
  void *data;
  uint32_t size; /* of the buffer */
  uint32_t index;
  uint32_t generation;
  uint32_t use;    /* received frames only */
  uint64_t len;    /* received frames only: bytes filled */
  uint64_t cookie; /* received frames only */
};

/* Ids with this bit belong to the blocking calls; replies to them are never handed out. */
#define KUP_ID_CALL 0x80000000u

#endif /* UWQ_KUP_BRIDGE_KUP_TYPES_H_ */
