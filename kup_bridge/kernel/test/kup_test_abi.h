/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kup_test_abi.h -- what the test program asks of the module kup_test: requests on
 * channel 0 of /dev/kup-ktest, answered by kup_test_answer.
 *
 * Invariant: a job runs on one of the channels 1.., one at a time per channel; the
 * control channel stays free meanwhile.
 */
#ifndef UWQ_KUP_BRIDGE_KERNEL_TEST_KUP_TEST_ABI_H_
#define UWQ_KUP_BRIDGE_KERNEL_TEST_KUP_TEST_ABI_H_

#include "kup_bridge/kup_abi.h"

#define KUP_TEST_CHANNELS 8u
#define KUP_TEST_CONTROL 0u
#define KUP_TEST_REQUEST 1u  /* type of a control message */
#define KUP_TEST_MESSAGE 2u  /* type of what jobs send */
#define KUP_TEST_QUESTION 3u /* type of KUP_TEST_ASK */
#define KUP_TEST_FRAME_SIZE 65536u
#define KUP_TEST_PRODUCERS 6u /* of KUP_TEST_MIX: two of each context */

enum kup_test_op {
  /* Jobs: `chan`, `count`, `len`; begin at once, end by KUP_TEST_WAIT. */
  KUP_TEST_FLOOD = 1,  /* post `count` numbered messages, waiting for room */
  KUP_TEST_SINK = 2,   /* take `count` messages and check their numbers */
  KUP_TEST_ECHO = 3,   /* post back `count` messages */
  KUP_TEST_TICK = 4,   /* post `count` time stamps from a hard-irq timer, every `period_ns` */
  KUP_TEST_MIX = 5,    /* six producers in three contexts, `count` messages each */
  KUP_TEST_ASK = 6,    /* `count` kupdev_call()s, which the user answers with number + 1 */
  KUP_TEST_TURNS = 7,  /* KUP's own calls: send a number, receive number + 1 */
  KUP_TEST_FRAMES = 8, /* `count` frames, each filled with its number */
  KUP_TEST_STOP = 19,  /* ends a job that would go on */
  KUP_TEST_WAIT = 20,  /* until the job has ended: rc, value = {messages, ns, dropped} */
  /* At once. */
  KUP_TEST_REVOKE = 30,
  KUP_TEST_STATS = 31,    /* value = {attached, bad, dropped, posted, taken, state} */
  KUP_TEST_COUNTERS = 32, /* sets all 15 of group 1 to `count` */
  KUP_TEST_PARAM = 33,    /* value = {parameter `len`} */
  KUP_TEST_OPEN = 34,     /* a second device, /dev/kup-ktest2, of two channels */
  KUP_TEST_UNLOAD = 35,   /* the second device away */
  KUP_TEST_POST2 = 36     /* `count` messages to channel `chan` of the second device */
};

struct kup_test_ask {
  uint32_t op;
  uint32_t chan;
  uint64_t count;
  uint64_t period_ns;
  uint32_t len;
  uint32_t batch; /* messages per publish; 0: one, waiting for room */
};

struct kup_test_answer {
  int64_t rc; /* 0 or -errno */
  uint64_t value[8];
};

/* The payload of a job's message begins with it. */
struct kup_test_stamp {
  uint64_t number;
  uint64_t ns;
  uint32_t producer;
  uint32_t context; /* 0 process, 1 softirq, 2 hard-irq */
};

#endif /* UWQ_KUP_BRIDGE_KERNEL_TEST_KUP_TEST_ABI_H_ */
