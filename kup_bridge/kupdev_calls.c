/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kupdev_calls.c -- the device side's calls on one channel: endpoint.h with
 * channel numbers, KUP's own calls, control page.  Built for the kernel and for
 * userspace.
 *
 * Invariant: a call that may sleep is between kup_enter and kup_leave.
 */
#include "kup_bridge/kupdev_core.h"

/* ---- messages ------------------------------------------------------------------ */

int kupdev_post_ex(struct kupdev_softc *sc, int chan_id, const struct kup_vec *msg) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  int rc = ch ? kup_end_post_or_drop(&ch->end, msg) : -ECHRNG;

  return rc < 0 ? rc : 0;
}

int kupdev_post(struct kupdev_softc *sc, int chan_id, uint16_t type, const void *data,
                uint32_t len) {
  struct kup_vec msg = {data, len, type, 0, 0};

  return kupdev_post_ex(sc, chan_id, &msg);
}

int kupdev_post_batch(struct kupdev_softc *sc, int chan_id, const struct kup_vec *msgs, int n) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);

  return ch ? kup_end_post(&ch->end, msgs, n) : -ECHRNG;
}

int kupdev_post_wait(struct kupdev_softc *sc, int chan_id, const struct kup_vec *msg,
                     int timeout_ms) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  int rc;

  if (!ch) return -ECHRNG;
  kup_enter(sc);
  rc = kup_end_post_wait(&ch->end, KUP_ANY_GENERATION, msg, 1,
                         timeout_ms ? kup_deadline(timeout_ms) : 0);
  kup_leave(sc);
  return rc < 0 ? rc : 0;
}

int kupdev_take_batch(struct kupdev_softc *sc, int chan_id, struct kup_msg *msgs, int n,
                      int timeout_ms) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  int rc;

  if (!ch) return -ECHRNG;
  if (n <= 0) return -EINVAL;
  if (timeout_ms == 0) return kup_end_try(&ch->end, msgs, n, KUP_KIND_MESSAGE);
  kup_enter(sc);
  rc = kup_end_take(&ch->end, msgs, n, KUP_KIND_MESSAGE, kup_deadline(timeout_ms));
  kup_leave(sc);
  return rc;
}

int kupdev_take(struct kupdev_softc *sc, int chan_id, struct kup_msg *msg, int timeout_ms) {
  int rc = kupdev_take_batch(sc, chan_id, msg, 1, timeout_ms);

  return rc < 0 ? rc : 0;
}

int kupdev_poll(struct kupdev_softc *sc, int chan_id, struct kup_msg *msgs, int n) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);

  return ch ? kup_end_poll(&ch->end, msgs, n, KUP_KIND_MESSAGE) : -ECHRNG;
}

int kupdev_give_back(struct kupdev_softc *sc, int chan_id, const struct kup_msg *msgs, int n) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);

  return ch ? kup_end_release(&ch->end, msgs, n) : -ECHRNG;
}

int kupdev_call(struct kupdev_softc *sc, int chan_id, uint16_t type, const void *data, uint32_t len,
                void *reply, uint32_t cap, int timeout_ms) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  struct kup_vec request = {data, len, type, 0, 0};
  int rc;

  if (!ch) return -ECHRNG;
  kup_enter(sc);
  rc = kup_end_call(&ch->end, &request, reply, cap, kup_deadline(timeout_ms));
  kup_leave(sc);
  return rc;
}

int kupdev_reply(struct kupdev_softc *sc, int chan_id, const struct kup_msg *request, int error,
                 const void *data, uint32_t len) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);

  return ch ? kup_end_reply(&ch->end, request, error, data, len) : -ECHRNG;
}

/* ---- KUP's own calls --------------------------------------------------------------- */

struct kupdev_softc *kupdev_create(const char *name, size_t size, size_t chan_cnt) {
  struct kupdev_opts opts;
  struct kupdev_softc *sc;
  uint32_t ring = KUP_RING_MIN;

  if (!size || size > KUP_PORT_RING_MAX / KUP_PAGE_SIZE / 4 || !chan_cnt ||
      chan_cnt > KUP_CHANNELS_MAX)
    return NULL;
  memset(&opts, 0, sizeof(opts));
  while (ring < 4 * size * KUP_PAGE_SIZE) ring *= 2;
  opts.n_channels = (uint32_t)chan_cnt;
  opts.d2u_size = ring;
  opts.u2d_size = ring;
  opts.max_record = (uint32_t)(size * KUP_PAGE_SIZE);
  return kupdev_open(name, &opts, &sc) ? NULL : sc;
}

int kupdev_send(struct kupdev_softc *sc, void *data, size_t len, int chan_id) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  int rc;

  if (!ch) return -ECHRNG;
  if (len > sc->opts.max_record) return ch->kup_error = -EMSGSIZE;
  /* A turn belongs to one user; with nobody there it would be lost. */
  if (kup_load(&ch->end.rx_error)) return ch->kup_error = kup_load(&ch->end.rx_error);
  kup_enter(sc);
  rc = kup_end_turn_send(&ch->end, data, (uint32_t)len, KUP_FOREVER);
  kup_leave(sc);
  return ch->kup_error = rc;
}

void *kupdev_receive(struct kupdev_softc *sc, int chan_id) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  struct kup_msg msg;

  if (!ch) return NULL;
  kup_enter(sc);
  ch->kup_error = kup_end_turn_receive(&ch->end, &msg, KUP_FOREVER);
  kup_leave(sc);
  return ch->kup_error ? NULL : (void *)(uintptr_t)msg.data;
}

size_t kupdev_receive_len(struct kupdev_softc *sc, int chan_id) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  unsigned long flags;
  size_t len;

  if (!ch) return 0;
  flags = kup_lock_take(&ch->end.rx_lock);
  len = ch->end.turn_held ? ch->end.turn_msg.len : 0;
  kup_lock_drop(&ch->end.rx_lock, flags);
  return len;
}

void kupdev_unlock_channel(struct kupdev_softc *sc, int chan_id) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);

  if (ch) kup_end_turn_release(&ch->end);
}

void kupdev_pass(struct kupdev_softc *sc, int chan_id) {
  char empty[1] = "";

  (void)kupdev_send(sc, empty, sizeof(empty), chan_id); /* kupdev_error tells */
}

int kupdev_error(struct kupdev_softc *sc, int chan_id) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);

  return ch ? ch->kup_error : -ECHRNG;
}

/* ---- control page ----------------------------------------------------------------------- */

uint64_t kupdev_param(struct kupdev_softc *sc, int chan_id, uint32_t index) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  unsigned long flags;
  uint64_t value;

  if (!ch || index >= sc->opts.n_params) return 0;
  flags = kup_lock_take(&ch->end.rx_lock); /* pins the memory */
  value = kup_load(&ch->mem->params[index]);
  kup_lock_drop(&ch->end.rx_lock, flags);
  return value;
}

int kupdev_counters_set(struct kupdev_softc *sc, int chan_id, uint32_t group,
                        const uint64_t *values, uint32_t n) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  struct kup_counters *c;
  unsigned long flags;
  uint32_t i, seq;

  if (!ch) return -ECHRNG;
  if (group >= sc->opts.n_groups || n > KUP_COUNTERS_PER_GROUP) return -EINVAL;
  flags = kup_lock_take(&ch->end.tx_lock); /* one writer at a time */
  c = &ch->mem->groups[group];
  seq = c->seq;
  kup_store(&c->seq, seq + 1);
  kup_write_fence(); /* odd before any value */
  for (i = 0; i < n; i++) kup_store(&c->value[i], values[i]);
  /* Release: values before even. */
  kup_store_release(&c->seq, seq + 2, KUP_SITE_COUNTERS);
  kup_lock_drop(&ch->end.tx_lock, flags);
  return 0;
}

/* ---- frames --------------------------------------------------------------------------------- */

int kupdev_frame_get(struct kupdev_softc *sc, int chan_id, struct kup_frame *frame,
                     int timeout_ms) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  int rc;

  if (!ch) return -ECHRNG;
  kup_enter(sc);
  rc = kup_end_frame_get(&ch->end, frame, timeout_ms ? kup_deadline(timeout_ms) : 0);
  kup_leave(sc);
  return rc;
}

int kupdev_frame_send(struct kupdev_softc *sc, int chan_id, const struct kup_frame *frame,
                      uint16_t type, uint64_t len, uint64_t cookie) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);

  return ch ? kup_end_frame_send(&ch->end, frame, type, len, cookie) : -ECHRNG;
}

int kupdev_frame_drop(struct kupdev_softc *sc, int chan_id, const struct kup_frame *frame) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);

  return ch ? kup_end_frame_drop(&ch->end, frame) : -ECHRNG;
}

int kupdev_frame_open(struct kupdev_softc *sc, int chan_id, const struct kup_msg *msg,
                      struct kup_frame *frame) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);

  return ch ? kup_end_frame_open(&ch->end, msg, frame) : -ECHRNG;
}

int kupdev_frame_return(struct kupdev_softc *sc, int chan_id, const struct kup_frame *frame) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);

  return ch ? kup_end_frame_return(&ch->end, frame) : -ECHRNG;
}

/* ---- looking at it -----------------------------------------------------------------------------
 */

int kupdev_get_stats(struct kupdev_softc *sc, int chan_id, struct kupdev_stats *stats) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  unsigned long rx_flags, tx_flags, flags;

  if (!ch) return -ECHRNG;
  rx_flags = kup_lock_take(&ch->end.rx_lock);
  tx_flags = kup_lock_take(&ch->end.tx_lock);
  memset(stats, 0, sizeof(*stats));
  if (!ch->end.tx.bad)
    (void)kup_tx_refresh(&ch->end.tx); /* a bad tail is found again by the next post */
  stats->generation = ch->end.generation;
  stats->state = kup_load(&ch->mem->dev->state);
  stats->bad = kup_load(&ch->end.bad);
  stats->posted = ch->end.posted;
  stats->taken = ch->end.taken;
  stats->dropped_records = ch->end.dropped_records;
  stats->dropped_bytes = ch->end.dropped_bytes;
  stats->redelivered = ch->redelivered;
  stats->lost_in = ch->end.rx.lost;
  stats->late_replies = ch->end.late_replies;
  stats->signals = ch->end.signals;
  stats->sleeps = ch->end.sleeps;
  stats->pending = kup_tx_pending(&ch->end.tx);
  kup_lock_drop(&ch->end.tx_lock, tx_flags);
  kup_lock_drop(&ch->end.rx_lock, rx_flags);
  stats->waiting = (uint32_t)kup_count_read(&sc->calls) & ~(uint32_t)KUP_CALLS_ENDING;
  flags = kup_lock_take(&sc->lock);
  stats->attached = (uint32_t)ch->claimed;
  kup_lock_drop(&sc->lock, flags);
  return 0;
}
