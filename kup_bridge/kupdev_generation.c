/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kupdev_generation.c -- hands a channel from one user to the next.  Built for the
 * kernel and for userspace.
 *
 * Invariant: memory is shared with at most one generation of user.  What one user
 * left behind is copied, record by checked record, into fresh memory for the next,
 * so an old mapping cannot reach a new user's channel.
 */
#include "kup_bridge/kupdev_core.h"

/* Marks what must not reach another user: turns and frames belong to one generation. */
static uint16_t carried_flags(const struct kup_rec *rec) {
  if (rec->type == KUP_TYPE_TURN || (rec->flags & (KUP_REC_FRAME | KUP_REC_REPLY)))
    return rec->flags | KUP_REC_DISCARD;
  return rec->flags | KUP_REC_REDELIVERED;
}

/*
 * Copies what we posted and no user released.  Our own memory, so only the old
 * user's tail is in doubt: it counts if a record of ours starts there.  Returns
 * the tail of the new ring.
 */
static uint64_t carry_d2u(struct kup_channel *ch, struct kup_mem *to) {
  struct kup_tx *tx = &ch->end.tx;
  uint64_t pos, unit;

  if (!tx->bad) (void)kup_tx_refresh(tx); /* refused: the last good tail stands */
  pos = tx->tail_seen;
  unit = (pos & (tx->size - 1)) / KUP_ALIGN;
  if (pos == tx->next || !(ch->end.starts[unit / 64] >> (unit & 63) & 1)) return tx->next;
  while (pos != tx->next) {
    uint64_t at = pos & (tx->size - 1);
    struct kup_rec rec;
    uint64_t span;

    kup_header_get(tx->data + at, &rec);
    span = kup_rec_span(rec.len);
    if (span > tx->next - pos) return tx->next; /* somebody scribbled over our own memory */
    memcpy(to->d2u + at, tx->data + at, span);
    rec.flags = carried_flags(&rec);
    if (!(rec.flags & KUP_REC_DISCARD)) ch->redelivered++;
    kup_header_put(to->d2u + at, &rec);
    pos += span;
  }
  return tx->tail_seen;
}

/*
 * Copies what the old user sent and we did not take.  All of it is in doubt:
 * each record is checked as if it were received, and the first bad one ends it.
 * Returns the head of the new ring.
 */
static uint64_t carry_u2d(struct kup_channel *ch, struct kup_mem *to, uint32_t *seq) {
  struct kup_rx *rx = &ch->end.rx;
  uint64_t pos = rx->next;

  *seq = rx->seq;
  if (rx->bad || kup_load(&ch->end.bad) || kup_rx_refresh(rx) != KUP_RING_OK) return pos;
  while (pos != rx->head_seen) {
    uint64_t at = pos & (rx->size - 1);
    struct kup_rec rec;
    uint64_t span;

    kup_header_get(rx->data + at, &rec);
    span = kup_rec_span(rec.len);
    if (rec.len > rx->max_record || span > rx->head_seen - pos) break;
    rec.flags |= carried_flags(&rec) & KUP_REC_DISCARD;
    rec.flags &= ~KUP_REC_REQUEST; /* who asked is gone, and its successor may use the same id */
    memcpy(to->u2d + at + sizeof(rec), rx->data + at + sizeof(rec), rec.len);
    kup_header_put(to->u2d + at, &rec);
    *seq = rec.seq + 1;
    pos += span;
  }
  return pos;
}

static void fill_pages(struct kup_channel *ch, struct kup_mem *mem, uint64_t d2u_tail,
                       uint64_t u2d_head, uint32_t u2d_seq) {
  const struct kupdev_opts *o = &ch->sc->opts;
  struct kup_dev_page *d = mem->dev;
  struct kup_layout layout;

  kup_layout_of(o, &layout);
  d->magic = KUP_MAGIC;
  d->abi_major = KUP_ABI_MAJOR;
  d->abi_minor = KUP_ABI_MINOR;
  d->header_len = sizeof(struct kup_rec);
  d->generation = ch->end.generation;
  d->channel = ch->index;
  d->d2u_size = o->d2u_size;
  d->u2d_size = o->u2d_size;
  d->d2u_off = (uint32_t)layout.dev_data;
  d->u2d_off = (uint32_t)layout.user_data;
  d->max_record = o->max_record;
  d->n_params = o->n_params;
  d->n_groups = o->n_groups;
  d->n_frames_d2u = o->n_frames_d2u;
  d->n_frames_u2d = o->n_frames_u2d;
  d->frame_size = o->frame_size;
  d->d2u_start = d2u_tail;
  d->u2d_start = u2d_head;
  d->u2d_seq = u2d_seq;
  d->d2u_head = ch->end.tx.next;
  d->d2u_records = ch->end.posted;
  d->d2u_dropped_records = ch->end.dropped_records;
  d->d2u_dropped_bytes = ch->end.dropped_bytes;
  d->d2u_floor = d2u_tail;
  d->u2d_tail = ch->end.rx.next;
  /* Index positions that nothing crosses: nobody sleeps yet. */
  d->u2d_wake_at = ch->end.rx.next - 1;
  d->d2u_space_at = d2u_tail - 1;
  mem->user->generation = ch->end.generation;
  mem->user->state = KUP_STATE_READY;
  mem->user->d2u_tail = d2u_tail;
  mem->user->d2u_wake_at = d2u_tail - 1;
  mem->user->u2d_head = u2d_head;
  mem->user->u2d_space_at = ch->end.rx.next - 1;
  kup_store_release(&d->state, (uint32_t)KUP_STATE_READY, KUP_SITE_STATE);
}

static void wire_end(struct kup_channel *ch, struct kup_mem *mem, uint64_t d2u_tail) {
  const struct kupdev_opts *o = &ch->sc->opts;
  struct kup_end *end = &ch->end;
  uint64_t lost = end->rx.lost;

  end->tx.head = &mem->dev->d2u_head;
  end->tx.tail = &mem->user->d2u_tail;
  end->tx.wake_at = &mem->user->d2u_wake_at;
  end->tx.space_at = &mem->dev->d2u_space_at;
  kup_tx_init(&end->tx, mem->d2u, o->d2u_size, o->max_record, end->tx.next, d2u_tail, end->tx.seq);
  end->tx.floor = &mem->dev->d2u_floor;
  end->rx.head = &mem->user->u2d_head;
  end->rx.tail = &mem->dev->u2d_tail;
  end->rx.wake_at = &mem->dev->u2d_wake_at;
  end->rx.space_at = &mem->user->u2d_space_at;
  kup_rx_init(&end->rx, mem->u2d, o->u2d_size, o->max_record, end->rx.next, end->rx.seq);
  end->rx.lost = lost;
  end->records = &mem->dev->d2u_records;
  end->dropped = &mem->dev->d2u_dropped_records;

  memset(&end->frames_out, 0, sizeof(end->frames_out));
  end->frames_out.base = mem->frames_d2u;
  end->frames_out.done = mem->user->frame_done;
  end->frames_out.wait_word = &mem->dev->frame_wait;
  end->frames_out.count = o->n_frames_d2u;
  end->frames_out.size = o->frame_size;
  end->frames_in.base = mem->frames_u2d;
  end->frames_in.done = mem->dev->frame_done;
  end->frames_in.peer_wait = &mem->user->frame_wait;
  end->frames_in.count = o->n_frames_u2d;
  end->frames_in.size = o->frame_size;
}

/* Fails the calls whose reply can no longer come.  rx_lock. */
void kup_fail_calls(struct kup_end *end, int error) {
  struct kup_end_call *call;

  for (call = end->calls; call; call = call->next) {
    if (call->done) continue;
    call->done = 1;
    call->result = error;
  }
}

/* Notes in `retired` what callers still hold of the memory; 0: nothing.  Both locks. */
static int note_holds(const struct kup_end *end, struct kup_retired *retired) {
  uint32_t i, n = end->rx.last - end->rx.first;
  int held = 0;

  retired->first = end->rx.first;
  for (i = 0; i < n; i++) {
    if (end->rx.held[(end->rx.first + i) & (KUP_WINDOW - 1)].released) continue;
    retired->tokens[i / 64] |= 1ull << (i % 64);
    held = 1;
  }
  for (i = 0; i < end->frames_out.count; i++) {
    if (end->frames_out.state[i] != KUP_FRAME_MINE) continue;
    retired->frames |= 1ull << i;
    held = 1;
  }
  return held;
}

/*
 * What observers still look at: the device goes on elsewhere.  Whose memory it was has
 * gone, or is being revoked.  Both locks.
 */
static void leave_memory(struct kup_channel *ch, struct kup_mem *to) {
  struct kup_mem *old = ch->mem;

  memcpy(to->groups, old->groups, ch->sc->opts.n_groups * sizeof(*to->groups));
  if (kup_load(&old->dev->state) != KUP_STATE_SHUTDOWN)
    kup_store_release(&old->dev->state, (uint32_t)KUP_STATE_REVOKED, KUP_SITE_STATE);
  kup_mem_signal(old);
}

/*
 * Begins a new generation in `mem`.  `retired` is spare for memory that is still
 * held; returns it if it was not needed.  Both locks.
 */
static struct kup_retired *switch_memory(struct kup_channel *ch, struct kup_mem *mem,
                                         struct kup_retired *retired, int carry_sent) {
  struct kup_end *end = &ch->end;
  struct kup_mem *old = ch->mem;
  uint64_t d2u_tail = end->tx.next, u2d_head = end->rx.next;
  uint32_t seq = end->rx.seq;
  int held = 0;

  if (old) {
    leave_memory(ch, mem);
    d2u_tail = carry_d2u(ch, mem);
    if (carry_sent) u2d_head = carry_u2d(ch, mem, &seq);
    held = note_holds(end, retired);
    if (held) {
      retired->mem = old; /* takes over the channel's reference */
      retired->generation = end->generation;
      retired->next = ch->retired;
      ch->retired = retired;
      retired = NULL;
    }
  }
  end->generation = end->generation == 0xffffffffu ? 1 : end->generation + 1;
  mem->generation = end->generation;
  mem->refs = 1;
  fill_pages(ch, mem, d2u_tail, u2d_head, seq);
  wire_end(ch, mem, d2u_tail);
  ch->mem = mem;
  if (old && !held) kup_put_mem_locked(old);
  kup_store(&end->bad, (uint32_t)KUP_BAD_NONE);
  (void)kup_count_swap(&end->poisoned, 1, 0); /* if it was */
  kup_store(&end->fatal, 0);
  kup_store(&end->rx_error, 0);
  kup_store(&end->tx_error, 0);
  end->my_turn = 1; /* KUP: after an attach it is the kernel's turn */
  kup_fail_calls(end, -EPIPE);
  return retired;
}

int kup_begin_generation(struct kup_channel *ch, struct kup_mem **mem, int revoke) {
  struct kup_mem *fresh = kup_mem_alloc(&ch->sc->opts);
  struct kup_retired *spare = kup_zalloc(sizeof(*spare));
  struct kup_mem *revoked = NULL;
  unsigned long rx_flags, tx_flags;

  if (!fresh || !spare) {
    if (fresh) kup_mem_free(fresh);
    kup_free(spare);
    return -ENOMEM;
  }
  rx_flags = kup_lock_take(&ch->end.rx_lock);
  tx_flags = kup_lock_take(&ch->end.tx_lock);
  if (revoke && ch->mem) {
    revoked = ch->mem;
    revoked->refs++;
    (void)kup_user_left(ch, ch->end.generation); /* who is getting it keeps its claim */
  }
  spare = switch_memory(ch, fresh, spare, !revoke);
  if (kup_load(&ch->sc->shutdown)) {
    kup_store(&fresh->dev->state, (uint32_t)KUP_STATE_SHUTDOWN);
    kup_store(&ch->end.fatal, 1);
    kup_store(&ch->end.rx_error, -ESHUTDOWN);
    kup_store(&ch->end.tx_error, -ESHUTDOWN);
  } else if (!mem) {
    kup_store(&ch->end.rx_error, -EPIPE);
  }
  if (mem) {
    fresh->refs++;
    *mem = fresh;
    kup_user_came(ch);
  }
  kup_lock_drop(&ch->end.tx_lock, tx_flags);
  kup_lock_drop(&ch->end.rx_lock, rx_flags);
  kup_free(spare);
  if (revoked) {
    kup_mem_revoke(revoked); /* sleeps, so not under the locks; nobody here looks at it any more */
    kup_core_put_mem(ch->sc, ch->index, revoked);
  }
  kup_wait_kick(&ch->end.wait);
  return 0;
}
