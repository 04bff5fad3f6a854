/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kupdev_port.h -- how the device core gets memory that a user can map, and a
 * name under which users find it; and what it offers to the port in return.
 *
 * Userspace: sim_device.cc.  Kernel: kernel/.
 *
 * Invariant: the port never looks into channel memory; the core never knows how
 * a user reached it.
 */
#ifndef UWQ_KUP_BRIDGE_KUPDEV_PORT_H_
#define UWQ_KUP_BRIDGE_KUPDEV_PORT_H_

#include "kup_bridge/kup_port.h"
#include "kup_bridge/kupdev.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The memory of one generation of one channel. */
struct kup_mem {
  struct kup_dev_page *dev;
  struct kup_user_page *user;
  struct kup_counters *groups;
  uint64_t *params;
  uint8_t *d2u; /* mapped twice */
  uint8_t *u2d; /* mapped twice */
  uint8_t *frames_d2u;
  uint8_t *frames_u2d;
  uint32_t generation;
  uint32_t refs; /* the channel, the port, messages held from before; under rx_lock */
  void *impl;    /* of the port */
};

/* Byte sizes of the regions; the data areas come last and start at *_data. */
struct kup_layout {
  uint64_t dev_data, dev_len;
  uint64_t user_data, user_len;
  uint64_t frames_d2u_len, frames_u2d_len;
};
void kup_layout_of(const struct kupdev_opts *opts, struct kup_layout *layout);

/* Zeroed memory for the geometry in `opts`, which is complete and checked.  NULL: none. */
struct kup_mem *kup_mem_alloc(const struct kupdev_opts *opts);
void kup_mem_free(struct kup_mem *mem);
/* Wakes the user of this memory.  Any context. */
void kup_mem_signal(struct kup_mem *mem);
/*
 * The device has looked away: what is still written goes nowhere.  Afterwards the
 * user has none of these pages any more where the port can take them.  May sleep.
 */
void kup_mem_revoke(struct kup_mem *mem);

/* A wait of the device; users of all generations of the channel wake it. */
int kup_dev_wait_init(struct kup_wait *wait); /* 0 or -errno */
void kup_dev_wait_fini(struct kup_wait *wait);

/* Makes the device reachable under its name, and unreachable. */
int kup_port_register(struct kupdev_softc *sc, const char *name, void **port);
/* Afterwards the port makes no more calls into the core. */
void kup_port_unregister(void *port);
/* A channel became free. */
void kup_port_offer(void *port);

/* ---- what the core offers to the port ------------------------------------------------- */

/*
 * A user asks for `channel` (or KUP_CHAN_ANY).  Returns the channel, with a
 * reference to its memory in `*mem`; -ECHRNG, -EBUSY, -ESHUTDOWN or -ENOMEM: it is free
 * again, the port may offer it to those who were refused meanwhile.
 */
int kup_core_attach(struct kupdev_softc *sc, uint32_t channel, struct kup_mem **mem);
/* The memory of a channel for an observer, with a reference. */
int kup_core_observe(struct kupdev_softc *sc, uint32_t channel, struct kup_mem **mem);
void kup_core_put_mem(struct kupdev_softc *sc, uint32_t channel, struct kup_mem *mem);
/*
 * The user of `generation` closed or died: the channel is free, the port may
 * offer it.  Late calls are ignored.
 */
void kup_core_detach(struct kupdev_softc *sc, uint32_t channel, uint32_t generation);
const struct kupdev_opts *kup_core_opts(const struct kupdev_softc *sc);
/* The wait of a channel, for its descriptor. */
struct kup_wait *kup_core_wait(struct kupdev_softc *sc, uint32_t channel);

#ifdef __cplusplus
}
#endif

#endif /* UWQ_KUP_BRIDGE_KUPDEV_PORT_H_ */
