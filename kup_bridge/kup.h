/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kup.h -- the user's side of KUP: messages to and from a device through shared
 * memory, without a system call while both sides are busy.
 *
 * A device is named NAME (the kernel's /dev/kup-NAME), "sim:NAME" (a process
 * that plays the device; with a slash in it, a socket in the file system),
 * "bpf:SOURCE" (events of the running kernel without a module: kup_bpf.h) or
 * "fake:NAME" (a device of this very process, for tests).  The device's side is
 * kupdev.h.
 *
 * Invariant: nothing that the device or another process writes into the shared
 * memory makes these calls crash, hang beyond their time-out, or touch memory
 * outside of the channel; a broken rule poisons that channel and no other.
 *
 *   struct kup_dev *dev;  struct kup_chan *ch;  struct kup_msg msg;
 *   kup_open("sim:hdmi0", &dev);  kup_attach(dev, 0, -1, &ch);
 *   while (kup_receive(ch, &msg, -1) == 0) {
 *     use(msg.type, msg.data, msg.len);
 *     kup_release(ch, &msg, 1);
 *   }
 *
 * Results: 0 or more is success, else -errno; kup_error_text() says more.
 *   -EINVAL name, size or argument   -ENOENT  no such device
 *   -EACCES permission               -EPROTO  ABI version
 *   -ECHRNG no such channel          -EBUSY   channel taken
 *   -EMSGSIZE longer than max_record -EAGAIN  full, or empty
 *   -ENOBUFS 256 messages are held   -ETIMEDOUT
 *   -EPIPE the device died           -ESHUTDOWN the device was unloaded
 *   -ENODEV the channel was revoked  -EBADMSG the channel is poisoned
 *   -EREMOTEIO a request was refused -ENOMEM
 * What was received before -EPIPE or -ESHUTDOWN is handed out first.
 *
 * Threads: any call from any thread, several at once, except kup_detach and
 * kup_close, which must be the last.  Time-outs are milliseconds: 0 never
 * sleeps, negative waits for ever; kup_open, kup_observe and kup_attach do wait for the
 * device's answer, at most 10 s.  fork(): the memory is not inherited.
 */
#ifndef UWQ_KUP_BRIDGE_KUP_H_
#define UWQ_KUP_BRIDGE_KUP_H_

#include <stddef.h>
#include <stdint.h>

#include "kup_bridge/kup_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- KUP's own calls ------------------------------------------------------------ */

enum { KP_EMPTY = 0, KP_NB = 1 };

/* KUP's two codes have KUP's values; the rest is ours. */
enum {
  EKU_SHUTDOWN = 0,  /* the device goes away */
  EKU_NOTREADY = 1,  /* not our turn, or no channel */
  EKU_NAME = 2,      /* no such device, or not a device's name */
  EKU_ACCESS = 3,    /* not permitted */
  EKU_VERSION = 4,   /* another ABI version */
  EKU_CHANNEL = 5,   /* no such channel number */
  EKU_SIZE = 6,      /* `size` is not the device's, or a message is longer */
  EKU_FULL = 7,      /* no room */
  EKU_CLOSED = 8,    /* the device died */
  EKU_REVOKED = 9,   /* the device took the memory back */
  EKU_POISONED = 10, /* the device broke the protocol */
  EKU_SYSTEM = 11,   /* out of memory or descriptors */
  EKU_NONE = -1      /* nothing failed yet */
};

/* The calling thread's last error; kernproxy_error is the handle's. */
int *kernproxy_errno_location(void);
#define kernproxy_errno (*kernproxy_errno_location())

/* Opens a device.  NULL: kernproxy_errno says why. */
void *kernproxy_open(char const *name);
/*
 * Waits until channel `chan_id` is free and takes it.  `size` is the longest
 * message in pages and must be the device's (0: do not care).  If this handle
 * has that channel already, the first free one is taken, as KUP would.
 */
void *kernproxy_channel(void *handle, size_t chan_id, size_t size);
/*
 * Waits for our turn (KP_NB: does not) and returns the message, which stays valid
 * until the next send or receive.  Repeated calls return the same message until
 * the turn is passed.
 */
void *kernproxy_receive(void *channel, int flags);
/* Bytes in the message that kernproxy_receive returned. */
size_t kernproxy_receive_len(void *channel);
/* Waits for our turn (KP_NB: does not), sends, passes the turn.  0 or -1. */
int kernproxy_send(void *channel, void *data, size_t len, int flags);
/*
 * The asynchronous mode: a descriptor for event loops, readable when it may be our turn or
 * the device has ended.  Then receive or send with KP_NB; EKU_NOTREADY says to wait for it.
 * It is kup_fd's, since a channel is a struct kup_chan: all calls below may be used on it,
 * beside the turns.
 */
int kernproxy_fd(void *channel);
/* Closes the device and all its channels. */
void kernproxy_close(void *handle);
/* The last error on this handle: EKU_*. */
int kernproxy_error(void *handle);

/* ---- devices and channels ---------------------------------------------------------- */

struct kup_dev;
struct kup_chan;

int kup_open(const char *name, struct kup_dev **out);
/* Detaches what is still attached. */
void kup_close(struct kup_dev *dev);
int kup_channels(const struct kup_dev *dev);

/* Becomes the user of `channel` (KUP_CHAN_ANY: the first free); waits until it is free. */
int kup_attach(struct kup_dev *dev, uint32_t channel, int timeout_ms, struct kup_chan **out);
/* Ends it.  Messages that are still held become invalid. */
void kup_detach(struct kup_chan *ch);

struct kup_geometry {
  uint32_t channel;
  uint32_t generation;
  uint32_t max_record;
  uint32_t d2u_size;
  uint32_t u2d_size;
  uint32_t n_params;
  uint32_t n_groups;
  uint32_t n_frames_d2u;
  uint32_t n_frames_u2d;
  uint32_t frame_size;
};
void kup_geometry_of(const struct kup_chan *ch, struct kup_geometry *geometry);

/* The details behind the calling thread's last failed call. */
const char *kup_error_text(void);
/* Names of an enum kup_bad and of an enum kup_state. */
const char *kup_bad_name(uint32_t bad);
const char *kup_state_name(uint32_t state);

/* ---- messages, both ways at once ----------------------------------------------------- */

/* Sends a copy; waits for room up to `timeout_ms`. */
int kup_send(struct kup_chan *ch, uint16_t type, const void *data, uint32_t len, int timeout_ms);
/* Sends several with one publish; returns how many went. */
int kup_send_batch(struct kup_chan *ch, const struct kup_vec *msgs, int n, int timeout_ms);

/*
 * Sends without a copy: room for `len` bytes in place, to be filled and committed
 * by the same thread.  Between the two no other thread can send.  Commit may say less
 * than was reserved; more is -EINVAL, and nothing is sent.
 */
int kup_reserve(struct kup_chan *ch, uint32_t len, void **payload);
int kup_commit(struct kup_chan *ch, uint32_t len, uint16_t type, uint32_t id);
void kup_abort(struct kup_chan *ch);

/* Receives without a copy.  Release each message, in any order, from any thread. */
int kup_receive(struct kup_chan *ch, struct kup_msg *msg, int timeout_ms);
/* Up to `n`; waits for the first only.  How many, or -errno. */
int kup_receive_batch(struct kup_chan *ch, struct kup_msg *msgs, int n, int timeout_ms);
/*
 * For a loop that polls: never asks for a wake-up; no system call, but one each millisecond
 * in which nothing comes, to see that the device lives.  0: nothing there.
 */
int kup_poll(struct kup_chan *ch, struct kup_msg *msgs, int n);
/* Up to here messages are acknowledged: a released message is never seen again. */
int kup_release(struct kup_chan *ch, const struct kup_msg *msgs, int n);

/*
 * For event loops: readable when there may be messages, room for senders, or the
 * end of the device.  Then receive (time-out 0) until -EAGAIN, which leaves it
 * quiet and armed.  Other threads may wait in calls meanwhile; what they set aside makes
 * it readable, too.  One loop per channel.  Owned by the channel.
 */
int kup_fd(const struct kup_chan *ch);
/*
 * The longest that a receiver spins before it sleeps [50 us; nothing on one CPU].
 * Within that it follows the gaps between messages, so an idle channel costs
 * nothing; 0 never spins, for devices on battery.
 */
void kup_set_spin(struct kup_chan *ch, int64_t max_ns);

/* ---- requests --------------------------------------------------------------------------- */

/*
 * Asks the device and waits for its reply, of which at most `cap` bytes are
 * copied.  Returns the reply's whole length; -EREMOTEIO, -ETIMEDOUT, …  A reply
 * that comes later is dropped and counted.  Messages that come meanwhile are set
 * aside for kup_receive, at most 256; -ENOBUFS: there are more before the reply, and
 * for a second nobody released one.
 */
int kup_call(struct kup_chan *ch, uint16_t type, const void *data, uint32_t len, void *reply,
             uint32_t cap, int timeout_ms);
/*
 * Asks without waiting: the reply comes through kup_receive with KUP_REC_REPLY and
 * this `id` (< 2^31, the caller's choice).
 */
int kup_request(struct kup_chan *ch, uint16_t type, uint32_t id, const void *data, uint32_t len);
/*
 * Answers a message that carries KUP_REC_REQUEST, before it is released.  `error`: refuse.
 * -EAGAIN: the ring is full; -EMSGSIZE; -EPIPE, -ESHUTDOWN, ...: who asked is gone.
 */
int kup_reply(struct kup_chan *ch, const struct kup_msg *request, int error, const void *data,
              uint32_t len);

/* ---- control page, frames ------------------------------------------------------------------ */

/* A parameter that the device reads whenever it likes: one store. */
int kup_param_set(struct kup_chan *ch, uint32_t index, uint64_t value);
uint64_t kup_param_get(const struct kup_chan *ch, uint32_t index);
/* A consistent copy of the first `n` counters of a group; -EAGAIN if it never stands still. */
int kup_counters_get(const struct kup_chan *ch, uint32_t group, uint64_t *values, uint32_t n);

/* The buffer that a message with KUP_REC_FRAME names; return it when it has been read. */
int kup_frame_open(struct kup_chan *ch, const struct kup_msg *msg, struct kup_frame *frame);
int kup_frame_return(struct kup_chan *ch, const struct kup_frame *frame);
/* A free buffer to fill (waits for one), to be sent or dropped. */
int kup_frame_get(struct kup_chan *ch, struct kup_frame *frame, int timeout_ms);
int kup_frame_send(struct kup_chan *ch, const struct kup_frame *frame, uint16_t type, uint64_t len,
                   uint64_t cookie);
int kup_frame_drop(struct kup_chan *ch, const struct kup_frame *frame);

/* ---- the end of a device, and the next one ----------------------------------------------------
 */

/* READY, SHUTDOWN, REVOKED, POISONED; READY with `*alive` 0: the device died. */
uint32_t kup_state(struct kup_chan *ch, int *alive);
/*
 * Sends again, on `fresh`, what the dead device of `old` had not acknowledged; nothing
 * more can be sent on `old`.  Returns how many records, or why some did not go: -EMSGSIZE
 * (those that do fit went), or what kup_send says.  Requests of kup_call are not repeated.
 */
int kup_resend(struct kup_chan *old, struct kup_chan *fresh, int timeout_ms);

struct kup_stats {
  uint32_t generation;
  uint32_t state;
  uint32_t bad; /* enum kup_bad */
  uint32_t alive;
  uint64_t bad_pos;
  uint64_t sent;
  uint64_t received;
  uint64_t lost; /* gaps in the device's sequence numbers */
  uint64_t late_replies;
  uint64_t signals;     /* notifications sent to the device */
  uint64_t sleeps;      /* times a call of ours slept */
  uint64_t pending;     /* bytes sent and not acknowledged */
  uint64_t dev_records; /* what the device says: */
  uint64_t dev_dropped_records;
  uint64_t dev_dropped_bytes;
};
void kup_get_stats(struct kup_chan *ch, struct kup_stats *stats);

/* ---- observers: read-only, any number, disturb nobody --------------------------------------- */

struct kup_observer;
int kup_observe(const char *name, uint32_t channel, struct kup_observer **out);
void kup_unobserve(struct kup_observer *observer);
int kup_observer_counters(const struct kup_observer *observer, uint32_t group, uint64_t *values,
                          uint32_t n);
/* Fills state, generation, dev_* and pending. */
void kup_observer_stats(const struct kup_observer *observer, struct kup_stats *stats);
/*
 * Copies the next record from device to user that is still intact; `rec` and at
 * most `cap` bytes of payload.  1; 0 if there is none; -EBADMSG if the ring makes
 * no sense or the channel was poisoned.  Records that were overwritten meanwhile are
 * skipped.  -ESHUTDOWN: none will come.  -ENODEV: the channel goes on in other memory,
 * for another user or after a revocation: observe it again; what the user before did
 * not release is there once more.
 */
int kup_observer_next(struct kup_observer *observer, struct kup_rec *rec, void *payload,
                      uint32_t cap);

#ifdef __cplusplus
}
#endif

#endif /* UWQ_KUP_BRIDGE_KUP_H_ */
