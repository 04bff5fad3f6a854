/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * endpoint.h -- one end of a channel: a ring to send, a ring to receive, and
 * what both the user library and the device side put on top of them (blocking,
 * requests and replies, KUP's turns, frames).
 *
 * The two ends are mirror images, so they share this code; kup.cc and
 * kupdev_core.c add how an end comes to its memory and how it learns that the
 * other one is gone.
 *
 * Invariant E1: a message is in exactly one place: in the ring, in the stash, or
 * with a caller; each token is released once.
 * Locks: rx_lock, then tx_lock.  Neither is held over a sleep.  The owner of the
 * endpoint replaces rings and memory only under both.
 * Results: as in kupdev.h.
 */
#ifndef UWQ_KUP_BRIDGE_ENDPOINT_H_
#define UWQ_KUP_BRIDGE_ENDPOINT_H_

#include "kup_bridge/kup_port.h"
#include "kup_bridge/kup_types.h"
#include "kup_bridge/ring.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which messages a receiver wants.  The others are set aside for those who do. */
enum kup_kind {
  KUP_KIND_MESSAGE = 1,
  KUP_KIND_TURN = 2, /* KUP's own calls */
  KUP_KIND_NONE = 4  /* a call that looks for its reply only */
};

/*
 * A receiver that polls and has caught up leaves the head alone for a while: each look
 * takes the line away from a producer that is about to write it, and the fence of the
 * next publish waits until it is back.  The pause grows while each look after one finds
 * several messages, shrinks when it finds one, and ends with the first that finds none:
 * it bounds the latency under flood and costs nothing otherwise
 * (docs/kup_protocol.md, "What it costs").
 */
#define KUP_PAUSE_MIN_NS 150
#define KUP_PAUSE_MAX_NS 4800

/* So long a call waits for one of the messages before its reply to be released. */
#define KUP_CALL_STALL_NS 1000000000

struct kup_end;

struct kup_end_ops {
  /* Slow path (empty, full): sets end->rx_error, end->tx_error from shared state. */
  void (*probe)(struct kup_end *end);
  /* Wakes the peer.  Called under rx_lock or tx_lock. */
  void (*signal)(struct kup_end *end);
  /* The peer broke the protocol: tell it and the owner.  Under rx_lock or tx_lock. */
  void (*poisoned)(struct kup_end *end, uint32_t bad, uint64_t pos);
  /*
   * A message or a frame buffer of an earlier generation came back.  Under rx_lock.
   * NULL: there are none.
   */
  int (*release_stale)(struct kup_end *end, uint32_t generation, uint32_t token);
  void (*frame_stale)(struct kup_end *end, uint32_t generation, uint32_t index);
  /*
   * The ring is empty: brings more into it from elsewhere; how many.  Under rx_lock.
   * NULL: nothing to bring.
   */
  int (*pull)(struct kup_end *end);
};

struct kup_end_call { /* on the stack of kup_end_call */
  struct kup_end_call *next;
  uint32_t id;
  void *reply;
  uint32_t cap;
  int done;
  int result;
};

struct kup_end_sender { /* on the stack of who waits for room */
  struct kup_end_sender *next;
  uint32_t len; /* of the record that does not fit */
};

enum kup_frame_state { KUP_FRAME_FREE = 0, KUP_FRAME_MINE = 1, KUP_FRAME_SENT = 2 };

struct kup_frames_out { /* buffers that this end fills; under tx_lock */
  uint8_t *base;
  uint32_t *done;      /* the peer's words */
  uint32_t *wait_word; /* ours: we wait for one */
  uint32_t count;
  uint32_t size;
  uint32_t use[KUP_FRAMES_MAX];
  uint8_t state[KUP_FRAMES_MAX];
};

struct kup_frames_in { /* buffers that the peer fills */
  uint8_t *base;
  uint32_t *done;      /* our words */
  uint32_t *peer_wait; /* the peer's word */
  uint32_t count;
  uint32_t size;
};

struct kup_end {
  const struct kup_end_ops *ops;
  struct kup_wait wait; /* owned by whoever set the endpoint up */
  uint32_t generation;
  /* Sticky results, negative errno.  rx_error counts once the ring is empty, unless fatal. */
  int rx_error;
  int tx_error;
  int fatal;            /* poisoned or revoked: do not even drain */
  kup_count_t poisoned; /* 1: somebody has said so; either direction may find a reason */
  uint32_t bad;
  uint64_t bad_pos;
  const uint32_t *peer_state; /* shared; NULL: none to look at */
  int64_t spin_max_ns;        /* a receiver spins at most so long before it sleeps; 0: never */
  int64_t spin_ns;            /* and this long now: follows the gaps between messages */

  struct kup_lock tx_lock;
  struct kup_tx tx;
  uint64_t *records;    /* shared statistics word beside the head */
  uint64_t *dropped;    /* shared: records, bytes dropped; may be NULL */
  uint64_t *starts;     /* a bit per KUP_ALIGN bytes of the ring: a record of ours starts here */
  struct kup_lost lost; /* dropped and not yet told */
  uint64_t posted, dropped_records, dropped_bytes, signals;
  uint32_t reserved; /* bytes between kup_end_reserve and its commit */
  uint32_t next_id;
  struct kup_end_sender *senders;
  struct kup_frames_out frames_out;
  uint32_t frame_waiters; /* threads that wait for a frame, whatever the generation */
  int frame_wanted;       /* an event loop was refused one, and got none since */

  struct kup_lock rx_lock;
  struct kup_rx rx;
  uint64_t taken, late_replies, sleeps;
  uint32_t pause_ns;  /* of a receiver that polls and has caught up; 0: no flood */
  uint32_t paused;    /* the next look comes after a pause */
  int64_t hold_until; /* when to look next, though the last look found something; 0: at once */
  struct kup_end_call *calls;
  int call_stalled;                 /* one of them waits until something is released */
  struct kup_msg stash[KUP_WINDOW]; /* positions [stash_first, stash_last) */
  uint32_t stash_first, stash_last;
  struct kup_frames_in frames_in;

  /* KUP's turns; under rx_lock */
  int my_turn;
  int turn_held;
  struct kup_msg turn_msg;
};

/* The generation in which a message was taken. */
static inline uint32_t kup_msg_generation(const struct kup_msg *msg) {
  return (uint32_t)(msg->token >> 32);
}

/* Sets up locks and nothing else; `end` is zeroed by the caller. */
int kup_end_init(struct kup_end *end, const struct kup_end_ops *ops);
void kup_end_fini(struct kup_end *end);

int64_t kup_deadline(int timeout_ms);

/* Posts up to `n` messages with one publish; how many fitted, or -errno if none did. */
int kup_end_post(struct kup_end *end, const struct kup_vec *msgs, int n);
/* Posts all of one message or counts it as dropped. */
int kup_end_post_or_drop(struct kup_end *end, const struct kup_vec *msg);
/*
 * Posts all `n`, waiting for room.  Returns how many went before an error, or -errno if
 * none.  `generation`: the user for whom alone they are (-ESTALE: there is another one;
 * -EPIPE: it is gone); or for whoever there is, or comes.
 */
#define KUP_ANY_GENERATION 0u
int kup_end_post_wait(struct kup_end *end, uint32_t generation, const struct kup_vec *msgs, int n,
                      int64_t deadline);
/*
 * Reserves `len` bytes in place: returns with tx_lock held and the flags in
 * `*flags`, unless it fails.  End with commit (`len` < 0 gives up).  -EINVAL: more than
 * was reserved, so nothing went.
 */
int kup_end_reserve(struct kup_end *end, uint32_t len, void **payload, unsigned long *flags);
int kup_end_commit(struct kup_end *end, int64_t len, uint16_t type, uint16_t rec_flags, uint32_t id,
                   unsigned long flags);

/* Pure polling: no system call, no arming.  How many (0: none), or -errno. */
int kup_end_poll(struct kup_end *end, struct kup_msg *msgs, int n, int kind);
/* One attempt that, when it finds nothing, leaves the ring armed: -EAGAIN. */
int kup_end_try(struct kup_end *end, struct kup_msg *msgs, int n, int kind);
/* Waits for the first message. */
int kup_end_take(struct kup_end *end, struct kup_msg *msgs, int n, int kind, int64_t deadline);
int kup_end_release(struct kup_end *end, const struct kup_msg *msgs, int n);

int kup_end_call(struct kup_end *end, const struct kup_vec *request, void *reply, uint32_t cap,
                 int64_t deadline);
int kup_end_reply(struct kup_end *end, const struct kup_msg *request, int error, const void *data,
                  uint32_t len);

int kup_end_turn_receive(struct kup_end *end, struct kup_msg *msg, int64_t deadline);
int kup_end_turn_send(struct kup_end *end, const void *data, uint32_t len, int64_t deadline);
void kup_end_turn_release(struct kup_end *end);

int kup_end_frame_get(struct kup_end *end, struct kup_frame *frame, int64_t deadline);
int kup_end_frame_send(struct kup_end *end, const struct kup_frame *frame, uint16_t type,
                       uint64_t len, uint64_t cookie);
int kup_end_frame_drop(struct kup_end *end, const struct kup_frame *frame);
int kup_end_frame_open(struct kup_end *end, const struct kup_msg *msg, struct kup_frame *frame);
int kup_end_frame_return(struct kup_end *end, const struct kup_frame *frame);

/*
 * The peer has gone: gives the calls the replies that it left in the ring.  True: somebody
 * has something to look at.  rx_lock.
 */
int kup_end_collect(struct kup_end *end);

/* For the owner, under the lock of that direction. */
void kup_end_poison(struct kup_end *end, uint32_t bad, uint64_t pos);

#ifdef __cplusplus
}
#endif

#endif /* UWQ_KUP_BRIDGE_ENDPOINT_H_ */
