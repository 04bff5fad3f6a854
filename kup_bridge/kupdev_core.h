/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kupdev_core.h -- the device side's own structures.  Not for users.
 *
 * Locks, in this order: end.rx_lock, end.tx_lock, sc->lock.  A channel's memory
 * changes only under both of the first two, so either one pins `mem`.
 */
#ifndef UWQ_KUP_BRIDGE_KUPDEV_CORE_H_
#define UWQ_KUP_BRIDGE_KUPDEV_CORE_H_

#include "kup_bridge/endpoint.h"
#include "kup_bridge/kupdev_port.h"

#define KUP_EVENTS 8u              /* per channel, a power of two */
#define KUP_CALLS_ENDING (1 << 30) /* in kupdev_softc.calls: unload waits for the rest */

struct kup_retired { /* memory of an earlier generation that callers still point into */
  struct kup_retired *next;
  struct kup_mem *mem;
  uint32_t generation;
  uint32_t first;                   /* the token that bit 0 stands for */
  uint64_t tokens[KUP_WINDOW / 64]; /* messages that were taken and not given back */
  uint64_t frames;                  /* buffers that are being filled */
};
KUP_ASSERT(KUP_FRAMES_MAX <= 64, "a bit for each frame");

struct kup_channel {
  struct kup_end end; /* first: the endpoint's callbacks cast back */
  struct kupdev_softc *sc;
  uint32_t index;
  struct kup_mem *mem;         /* under both locks */
  struct kup_retired *retired; /* under rx_lock */
  uint64_t redelivered;
  int kup_error; /* of KUP's own calls */
  /* under sc->lock */
  int claimed;                            /* a user has it, or is getting it */
  uint32_t user;                          /* the generation of who has it; 0: nobody yet */
  struct kupdev_event events[KUP_EVENTS]; /* [event_first, event_last); full: the oldest goes */
  uint32_t event_first, event_last;
};

struct kupdev_softc {
  struct kupdev_opts opts;
  struct kup_lock lock;
  struct kup_wait wait; /* for events and for the end of calls */
  uint32_t shutdown;    /* set once */
  kup_count_t calls;    /* that may sleep: entered and not left; | KUP_CALLS_ENDING */
  uint32_t next_event;  /* round robin over channels, under lock */
  void *port;
  struct kup_channel *channels;
};

/* NULL if there is no such channel. */
struct kup_channel *kup_channel_of(struct kupdev_softc *sc, int chan_id);
/*
 * Gives the channel fresh memory: for the user who claimed it, with a reference in
 * `*mem`; or for nobody (NULL).  `revoke`: what the old user sent and we did not take is
 * dropped, and it is told, and has the channel no more.  0 or -ENOMEM.
 */
int kup_begin_generation(struct kup_channel *ch, struct kup_mem **mem, int revoke);
/* Under both locks of the channel, so that news of it comes in the order in which it happens. */
void kup_user_came(struct kup_channel *ch);
int kup_user_left(struct kup_channel *ch, uint32_t generation); /* 0: it had gone before */
/* Ends the calls whose reply can no longer come.  rx_lock. */
void kup_fail_calls(struct kup_end *end, int error);
/* rx_lock. */
void kup_put_mem_locked(struct kup_mem *mem);
/* Around each call that may sleep: kupdev_unload waits until they have left. */
void kup_enter(struct kupdev_softc *sc);
void kup_leave(struct kupdev_softc *sc);

#endif /* UWQ_KUP_BRIDGE_KUPDEV_CORE_H_ */
