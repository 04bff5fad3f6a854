/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kupdev.h -- the device's side of KUP: create a device, talk to its users.
 *
 * One interface for two worlds: in a Linux kernel module the device appears as
 * /dev/kup-NAME; in a process that plays the device it is reached as sim:NAME
 * (an abstract unix socket; a NAME with a slash is a socket in the file system;
 * "fake:NAME" is reachable from the same process only).
 *
 * Invariant: nothing that a user writes can do more than poison that user's
 * channel.  Read on in docs/kup_protocol.md; the user's side is kup.h.
 *
 * A channel outlives its users.  What was posted and not released by one user
 * goes to the next one (flag KUP_REC_REDELIVERED), what a user sent before it
 * died is still taken; each attach begins a new generation in new memory.
 *
 * Results: 0 or more is success, else -errno:
 *   -EINVAL name, size or argument   -ECHRNG  no such channel
 *   -EMSGSIZE longer than max_record -EAGAIN  full, or empty
 *   -ETIMEDOUT                       -EPIPE   the user is gone, all it sent was taken
 *   -EBADMSG channel poisoned        -ESHUTDOWN the device is being unloaded
 *   -ENOMEM, -EEXIST (name taken), -ENOBUFS (too many messages held), -ESTALE
 *   (belongs to an earlier user), -EINTR (kernel only: a signal, or kthread_stop)
 * Threads: every call may come from any thread, several at once; a channel has
 * any number of posting and taking threads.  Calls with a time-out may sleep;
 * the others never do and may come from interrupt context in the kernel.
 * Time-outs are milliseconds: 0 does not wait, negative waits for ever.
 */
#ifndef UWQ_KUP_BRIDGE_KUPDEV_H_
#define UWQ_KUP_BRIDGE_KUPDEV_H_

#include "kup_bridge/kup_types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kupdev_softc;

/* Zero means the default in brackets. */
struct kupdev_opts {
  uint32_t n_channels;   /* [1] */
  uint32_t d2u_size;     /* bytes, a power of two, in the kernel at most 4 MiB [256 KiB] */
  uint32_t u2d_size;     /* likewise [256 KiB] */
  uint32_t max_record;   /* payload bytes [half of the smaller ring] */
  uint32_t n_params;     /* 64-bit parameters, user to device [64] */
  uint32_t n_groups;     /* groups of counters, device to user [4] */
  uint32_t n_frames_d2u; /* buffers per pool [none] */
  uint32_t n_frames_u2d;
  uint32_t frame_size; /* bytes, a multiple of 4096 */
  uint32_t mode;       /* permission bits of the device node or socket [0600] */
};

/* Creates the device and offers its channels.  `name` has at most 63 characters. */
int kupdev_open(const char *name, const struct kupdev_opts *opts, struct kupdev_softc **out);

/*
 * Ends it: users see KUP_STATE_SHUTDOWN and may drain what is there; every call
 * that waits returns -ESHUTDOWN.  Frees `sc` after the last waiting call on it
 * returned; no call may begin during or after it, and calls that do not wait must
 * have returned.  Unlike KUP's, it does not refuse while users are attached.
 * Returns 0.
 */
int kupdev_unload(struct kupdev_softc *sc);

/* ---- KUP's own calls: one message at a time, in turns --------------------------- */

/* `size`: pages per direction, the longest message; `chan_cnt`: channels.  NULL on error. */
struct kupdev_softc *kupdev_create(const char *name, size_t size, size_t chan_cnt);
/* Waits for a user to attach; returns the channel.  Each attach is reported once. */
int kupdev_wait_channel(struct kupdev_softc *sc);
/* Offers free channels to users that wait.  They are offered anyway. */
void kupdev_notify(struct kupdev_softc *sc);
/*
 * Waits for the turn, sends, passes the turn.  -EPIPE: no user is attached.  -ESTALE: the
 * message that is held came from an earlier user, and the one who is there now did not
 * ask; unlock or receive first.
 */
int kupdev_send(struct kupdev_softc *sc, void *data, size_t len, int chan_id);
/*
 * Waits for the turn and returns the message (NULL: see kupdev_error).  It stays
 * valid until kupdev_unlock_channel; no lock is held meanwhile.  Right after an
 * attach it is the device's turn with nothing received: that is NULL, -ENOMSG.
 */
void *kupdev_receive(struct kupdev_softc *sc, int chan_id);
size_t kupdev_receive_len(struct kupdev_softc *sc, int chan_id);
void kupdev_unlock_channel(struct kupdev_softc *sc, int chan_id);
/* Passes the turn: an empty string of one byte, as KUP does. */
void kupdev_pass(struct kupdev_softc *sc, int chan_id);
/* Why the last KUP call on the channel failed: -errno, or 0. */
int kupdev_error(struct kupdev_softc *sc, int chan_id);

/* ---- users come and go ------------------------------------------------------------ */

enum kupdev_event_kind {
  KUPDEV_ATTACHED = 1, /* a user began `generation` */
  KUPDEV_DETACHED = 2, /* it closed or died */
  KUPDEV_POISONED = 3  /* it broke the protocol: `bad` says how */
};
struct kupdev_event {
  uint32_t kind;
  uint32_t channel;
  uint32_t generation;
  uint32_t bad; /* enum kup_bad */
};
/* Waits for the next event of any channel. */
int kupdev_wait_event(struct kupdev_softc *sc, struct kupdev_event *event, int timeout_ms);

/* Takes the memory away from the user: it reads KUP_STATE_REVOKED, later writes go nowhere. */
int kupdev_revoke(struct kupdev_softc *sc, int chan_id);

/* ---- messages, both ways at once ---------------------------------------------------- */

/*
 * Posts a copy.  Also while no user is attached: the next one gets it.  Full: -EAGAIN, counted, and
 * the user gets KUP_TYPE_LOST ahead of the next record that fits.
 */
int kupdev_post(struct kupdev_softc *sc, int chan_id, uint16_t type, const void *data,
                uint32_t len);
int kupdev_post_ex(struct kupdev_softc *sc, int chan_id, const struct kup_vec *msg);
/* Posts up to `n` with one publish; how many fitted, or -errno.  Nothing counts as dropped. */
int kupdev_post_batch(struct kupdev_softc *sc, int chan_id, const struct kup_vec *msgs, int n);
/* As kupdev_post_ex, but waits for room. */
int kupdev_post_wait(struct kupdev_softc *sc, int chan_id, const struct kup_vec *msg,
                     int timeout_ms);

/*
 * Takes the next message without a copy; -EPIPE when the user is gone and all it
 * sent was taken.  Give each one back, in any order.  A request that is taken when
 * another user has come is a plain message: KUP_REC_REQUEST is gone from its flags.
 */
int kupdev_take(struct kupdev_softc *sc, int chan_id, struct kup_msg *msg, int timeout_ms);
/* Takes up to `n`, waits for the first only; returns how many, or -errno. */
int kupdev_take_batch(struct kupdev_softc *sc, int chan_id, struct kup_msg *msgs, int n,
                      int timeout_ms);
/* For a loop that polls: no system call, never arms a wake-up.  0: nothing there. */
int kupdev_poll(struct kupdev_softc *sc, int chan_id, struct kup_msg *msgs, int n);
int kupdev_give_back(struct kupdev_softc *sc, int chan_id, const struct kup_msg *msgs, int n);

/*
 * Asks the user and waits for its reply, of which at most `cap` bytes are copied
 * to `reply`.  Returns the reply's whole length; -EREMOTEIO if the user refused.
 * Messages that come meanwhile are set aside for kupdev_take, at most 256; -ENOBUFS: there
 * are more before the reply, and for a second nobody gave one back.
 */
int kupdev_call(struct kupdev_softc *sc, int chan_id, uint16_t type, const void *data, uint32_t len,
                void *reply, uint32_t cap, int timeout_ms);
/*
 * Answers a message that carries KUP_REC_REQUEST, before it is given back.  `error`: refuse.
 * -EAGAIN: the ring is full; -EMSGSIZE; -EPIPE: who asked is gone, -ESTALE: and another
 * one is there.
 */
int kupdev_reply(struct kupdev_softc *sc, int chan_id, const struct kup_msg *request, int error,
                 const void *data, uint32_t len);

/* ---- control page and frames ------------------------------------------------------------ */

/* The parameter as it stands now (0 if out of range). */
uint64_t kupdev_param(struct kupdev_softc *sc, int chan_id, uint32_t index);
/* Updates up to 15 counters of a group at once; readers never see half of it. */
int kupdev_counters_set(struct kupdev_softc *sc, int chan_id, uint32_t group,
                        const uint64_t *values, uint32_t n);

/*
 * A free buffer of the d2u pool, to be filled and sent, or given up.  It may be written
 * until then, also when its user has gone; send and drop say -ESTALE in that case.
 */
int kupdev_frame_get(struct kupdev_softc *sc, int chan_id, struct kup_frame *frame, int timeout_ms);
int kupdev_frame_send(struct kupdev_softc *sc, int chan_id, const struct kup_frame *frame,
                      uint16_t type, uint64_t len, uint64_t cookie);
int kupdev_frame_drop(struct kupdev_softc *sc, int chan_id, const struct kup_frame *frame);
/* The buffer that a message with KUP_REC_FRAME names; give the frame back, then the message. */
int kupdev_frame_open(struct kupdev_softc *sc, int chan_id, const struct kup_msg *msg,
                      struct kup_frame *frame);
int kupdev_frame_return(struct kupdev_softc *sc, int chan_id, const struct kup_frame *frame);

/* ---- looking at it ------------------------------------------------------------------------ */

struct kupdev_stats {
  uint32_t generation;
  uint32_t state; /* enum kup_state */
  uint32_t bad;   /* enum kup_bad */
  uint32_t attached;
  uint64_t posted;
  uint64_t taken;
  uint64_t dropped_records;
  uint64_t dropped_bytes;
  uint64_t redelivered;
  uint64_t lost_in; /* gaps in the user's sequence numbers */
  uint64_t late_replies;
  uint64_t signals; /* notifications sent to the user */
  uint64_t sleeps;  /* times a call of this side slept */
  uint64_t pending; /* bytes posted and not released */
  uint32_t waiting; /* calls on the device that may sleep, now */
  uint32_t reserved;
};
int kupdev_get_stats(struct kupdev_softc *sc, int chan_id, struct kupdev_stats *stats);

#ifndef __KERNEL__
/*
 * For an event loop of the device process: readable when there may be messages,
 * room or news of the user, also when another thread waits in a call and sets them aside.
 * Take until -EAGAIN before waiting for it again.  One loop per channel.  -errno: out of
 * descriptors.  Owned by the device.
 */
int kupdev_fd(struct kupdev_softc *sc, int chan_id);
#else
/*
 * For a module that serves a channel from a work item: calls `fn` whenever there
 * may be messages, room or news of the user, in any context and under locks of
 * ours, so it queues work and calls nothing of KUP.  Take until -EAGAIN before
 * relying on it again.  -EBUSY: the channel has one.  NULL takes it away; may sleep, and
 * afterwards it is not called.  Do so before the last cancel_work_sync and kupdev_unload:
 * users, and unloading itself, call it until then, and no work item of yours may call
 * KUP once kupdev_unload has begun.
 */
int kupdev_set_notify(struct kupdev_softc *sc, int chan_id, void (*fn)(void *arg), void *arg);
#endif

#ifdef __cplusplus
}
#endif

#endif /* UWQ_KUP_BRIDGE_KUPDEV_H_ */
