/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * source.h -- what the BPF program and the process that loads it share.
 *
 * Invariant: `device` and `user` are a channel as in kup_abi.h, one region each;
 * `state` is the producer's private memory, which the user of the channel cannot map.
 */
#ifndef UWQ_KUP_BRIDGE_BPF_SOURCE_H_
#define UWQ_KUP_BRIDGE_BPF_SOURCE_H_

#include "kup_bridge/kup_abi.h"
#include "kup_bridge/kup_bpf.h"

#ifdef __bpf__
#include <linux/types.h> /* which libbpf's headers take for granted */
#endif

#define KUP_BPF_RING (1u << 20) /* bytes of records, for the verifier a constant */

struct kup_bpf_device {
  struct kup_dev_page page;
  uint8_t data[KUP_BPF_RING];
  uint8_t beyond[KUP_PAGE_SIZE]; /* the verifier does not know that no record gets here */
};

struct kup_bpf_user {
  struct kup_user_page page;
  uint8_t data[KUP_RING_MIN]; /* nothing is sent this way */
};

struct kup_bpf_state {
  uint64_t lock;      /* CPU + 1 of the program that writes; 0: nobody */
  uint64_t contended; /* events that found it taken and gave up */
  uint64_t next;      /* as in struct kup_tx */
  uint64_t published;
  uint64_t tail_seen;
  uint64_t records;
  uint64_t dropped;
  struct kup_lost lost; /* dropped and not yet told */
  uint32_t seq;
  uint32_t bad;
  /* set by the loader */
  uint32_t ringbuf;
  uint32_t batch;
  uint64_t period_ns;
  uint64_t count; /* of a run */
};

#endif /* UWQ_KUP_BRIDGE_BPF_SOURCE_H_ */
