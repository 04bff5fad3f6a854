/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * ring.h -- one direction of a KUP channel: a byte ring with one producer and
 * one consumer that do not trust each other.
 *
 * C, so that the kernel module, the user library, the fuzzer and the model
 * checker compile the same lines; the atomics come from kup_atomics.h or from
 * whoever replaces it.
 *
 * Invariants
 *   R1  Each side keeps its own position and the last good position of its peer
 *       in private memory; shared memory is only ever a proposal.
 *   R2  tail <= head <= tail + size, in both sides' private view.  A proposal
 *       that breaks it poisons the ring (kup_bad) and is never used.
 *   R3  A record that was handed out lies wholly below the accepted head; its
 *       header is read once.
 *   R4  The producer never writes at or above the accepted tail + size, so what
 *       the consumer holds does not change under it (if the producer is honest).
 *   R5  No lost wake-up: publish, fence, read wake_at pairs with store wake_at,
 *       fence, re-read head (sites *_PUB and *_ARM; same for space_at and tail,
 *       and for the words by which frame buffers come back).
 *       Either the producer sees that it must notify, or the consumer sees the
 *       record.
 *
 * Event index: `wake_at` is the position whose crossing wakes the consumer:
 * notify iff old <= wake_at < new.  A consumer at work leaves it behind, so it
 * is not notified; a consumer that goes to sleep sets it to its position.
 *
 * Threads: one thread at a time per end (callers lock).  Nothing here blocks.
 * Errors: negative errno as literal numbers would differ by world, so they are
 * enum kup_ring_result.
 */
#ifndef UWQ_KUP_RING_H_
#define UWQ_KUP_RING_H_

#include "kup_bridge/kup_abi.h"
#include "kup_bridge/kup_atomics.h"

enum kup_ring_result {
  KUP_RING_OK = 1,
  KUP_RING_NONE = 0,    /* empty, or no room */
  KUP_RING_TOOBIG = -1, /* longer than max_record: will never fit */
  KUP_RING_WINDOW = -2, /* too many records held unreleased */
  KUP_RING_TOKEN = -3,  /* not a record that is held */
  KUP_RING_POISONED = -4
};

#define KUP_WINDOW 256u     /* records a consumer may hold; a power of two */
#define KUP_PREFETCH 512u   /* bytes ahead; never dereferenced */
#define KUP_SKIPS_MAX 1024u /* discards that one kup_rx_next steps over */

static inline uint64_t kup_rec_span(uint32_t len) {
  return ((uint64_t)sizeof(struct kup_rec) + len + (KUP_ALIGN - 1)) & ~(uint64_t)(KUP_ALIGN - 1);
}

/* The longest payload that a data area of `size` bytes can carry. */
static inline uint32_t kup_ring_max_record(uint32_t size) {
  return size - (uint32_t)sizeof(struct kup_rec);
}

/* Does a step from `from` to `to` cross event index `at`? */
static inline int kup_crosses(uint64_t at, uint64_t from, uint64_t to) {
  return at - from < to - from;
}

/* ---- producer ----------------------------------------------------------------- */

struct kup_tx {
  /* shared */
  kup_word_t *head;     /* ours */
  kup_word_t *tail;     /* the peer's */
  kup_word_t *wake_at;  /* the peer's */
  kup_word_t *space_at; /* ours */
  kup_word_t *floor;    /* ours, for observers; may be NULL */
  kup_data_t *data;
  /* private */
  uint32_t size;
  uint32_t max_record;
  uint64_t next;      /* where the next record goes; >= published */
  uint64_t published; /* the last head we stored */
  uint64_t tail_seen; /* the last tail that passed the checks */
  uint64_t bad_pos;   /* the position that broke the rules */
  uint32_t seq;       /* of the next record */
  uint32_t bad;       /* enum kup_bad */
};

static inline void kup_tx_init(struct kup_tx *tx, kup_data_t *data, uint32_t size,
                               uint32_t max_record, uint64_t start, uint64_t tail, uint32_t seq) {
  tx->data = data;
  tx->size = size;
  tx->max_record = max_record;
  tx->next = start;
  tx->published = start;
  tx->tail_seen = tail;
  tx->seq = seq;
  tx->bad = KUP_BAD_NONE;
  tx->bad_pos = 0;
}

static inline int kup_tx_poison(struct kup_tx *tx, uint32_t bad, uint64_t pos) {
  if (tx->bad == KUP_BAD_NONE) {
    tx->bad = bad;
    tx->bad_pos = pos;
  }
  return KUP_RING_POISONED;
}

/* Takes the consumer's proposal for the tail. */
static inline int kup_tx_refresh(struct kup_tx *tx) {
  /* Acquire: the consumer's last read of the freed bytes is before it. */
  uint64_t tail = kup_load_acquire(tx->tail, KUP_SITE_READ_TAIL);

  if (kup_unlikely(tx->bad)) return KUP_RING_POISONED;
  if (kup_unlikely(tail & (KUP_ALIGN - 1))) return kup_tx_poison(tx, KUP_BAD_TAIL_ALIGN, tail);
  /* Unsigned, so that one comparison refuses both backwards and too far. */
  if (kup_unlikely(tail - tx->tail_seen > tx->published - tx->tail_seen))
    return kup_tx_poison(tx, KUP_BAD_TAIL_RANGE, tail);
  tx->tail_seen = tail;
  if (tx->floor) {
    /* An observer that still reads below must learn of it before we overwrite. */
    kup_store(tx->floor, tail);
    kup_write_fence();
  }
  return KUP_RING_OK;
}

/*
 * Makes room for a record of `len` payload bytes and returns where its payload
 * goes in `*payload`.  Nothing is visible before commit and publish; a second
 * reserve without commit takes the same place.
 */
static inline int kup_tx_reserve(struct kup_tx *tx, uint32_t len, kup_data_t **payload) {
  uint64_t need;

  if (kup_unlikely(tx->bad)) return KUP_RING_POISONED;
  if (kup_unlikely(len > tx->max_record)) return KUP_RING_TOOBIG;
  need = kup_rec_span(len);
  if (tx->next - tx->tail_seen + need > tx->size) {
    int rc = kup_tx_refresh(tx);

    if (kup_unlikely(rc < 0)) return rc;
    if (tx->next - tx->tail_seen + need > tx->size) return KUP_RING_NONE;
  }
  *payload = tx->data + (tx->next & (tx->size - 1)) + sizeof(struct kup_rec);
  /* Publish may order it by an exchange, which would ask for the line only at its turn. */
  kup_prefetch_write(tx->head);
  kup_prefetch_write(*payload + KUP_PREFETCH); /* the consumer's CPU has these lines */
  return KUP_RING_OK;
}

/* Completes the reserved record; `len` may be less than was reserved. */
static inline void kup_tx_commit(struct kup_tx *tx, uint32_t len, uint16_t type, uint16_t flags,
                                 uint32_t id) {
  struct kup_rec rec;

  rec.len = len;
  rec.type = type;
  rec.flags = flags;
  rec.seq = tx->seq++;
  rec.id = id;
  kup_header_put(tx->data + (tx->next & (tx->size - 1)), &rec);
  tx->next += kup_rec_span(len);
}

/* Lets the consumer see all committed records.  Returns 1 if it must be notified. */
static inline int kup_tx_publish(struct kup_tx *tx) {
  uint64_t old = tx->published;

  if (old == tx->next) return 0;
  /* Release: headers and payloads are visible before the head is.  Fence: R5. */
  kup_store_fence(tx->head, tx->next, KUP_SITE_PUBLISH, KUP_SITE_WAKE_PUB);
  tx->published = tx->next;
  return kup_crosses(kup_load(tx->wake_at), old, tx->next);
}

/*
 * Asks to be notified as soon as `len` bytes fit, and looks once more.
 * Returns OK if they fit now, NONE if the caller may sleep.
 */
static inline int kup_tx_arm(struct kup_tx *tx, uint32_t len) {
  uint64_t want = tx->next + kup_rec_span(len) - tx->size; /* the tail that suffices */
  int rc;

  /* Crossed when the tail goes from below `want` to `want` or above. */
  kup_store(tx->space_at, want - 1);
  kup_fence(KUP_SITE_SPACE_ARM); /* R5 */
  rc = kup_tx_refresh(tx);
  if (kup_unlikely(rc < 0)) return rc;
  return tx->next - tx->tail_seen + kup_rec_span(len) <= tx->size ? KUP_RING_OK : KUP_RING_NONE;
}

/* Bytes that the consumer has not yet released, as far as the producer has looked. */
static inline uint64_t kup_tx_pending(const struct kup_tx *tx) { return tx->next - tx->tail_seen; }

/* ---- consumer ------------------------------------------------------------------- */

struct kup_view { /* a record handed out */
  struct kup_rec rec;
  kup_data_t *payload;
  uint64_t pos;   /* of its header */
  uint32_t token; /* gives it back */
};

struct kup_held {
  uint64_t end; /* position behind the record */
  uint32_t released;
};

struct kup_rx {
  /* shared */
  kup_word_t *head;     /* the peer's */
  kup_word_t *tail;     /* ours */
  kup_word_t *wake_at;  /* ours */
  kup_word_t *space_at; /* the peer's */
  kup_data_t *data;
  /* private */
  uint32_t size;
  uint32_t max_record;
  uint64_t next;      /* the next record to hand out */
  uint64_t head_seen; /* the last head that passed the checks */
  uint64_t tail_now;  /* everything below is released */
  uint64_t tail_pub;  /* the last tail we stored */
  uint64_t lost;      /* records missing by sequence number */
  uint64_t bad_pos;
  uint32_t bad;       /* enum kup_bad */
  uint32_t seq;       /* expected next */
  uint32_t seq_known; /* 0: the first record tells */
  uint32_t first;     /* window of held records: tokens first..last-1 */
  uint32_t last;
  struct kup_held held[KUP_WINDOW];
};

static inline void kup_rx_init(struct kup_rx *rx, kup_data_t *data, uint32_t size,
                               uint32_t max_record, uint64_t start, uint32_t seq) {
  rx->data = data;
  rx->size = size;
  rx->max_record = max_record;
  rx->next = start;
  rx->head_seen = start;
  rx->tail_now = start;
  rx->tail_pub = start;
  rx->seq = seq;
  rx->seq_known = 1;
  rx->lost = 0;
  rx->first = 0;
  rx->last = 0;
  rx->bad = KUP_BAD_NONE;
  rx->bad_pos = 0;
}

static inline int kup_rx_poison(struct kup_rx *rx, uint32_t bad, uint64_t pos) {
  if (rx->bad == KUP_BAD_NONE) {
    rx->bad = bad;
    rx->bad_pos = pos;
  }
  return KUP_RING_POISONED;
}

/* Takes the producer's proposal for the head. */
static inline int kup_rx_refresh(struct kup_rx *rx) {
  /* Acquire: headers and payloads below it are visible after it. */
  uint64_t head = kup_load_acquire(rx->head, KUP_SITE_READ_HEAD);

  if (kup_unlikely(rx->bad)) return KUP_RING_POISONED;
  if (kup_unlikely(head & (KUP_ALIGN - 1))) return kup_rx_poison(rx, KUP_BAD_HEAD_ALIGN, head);
  if (kup_unlikely(head - rx->tail_pub > rx->size))
    return kup_rx_poison(rx, KUP_BAD_HEAD_RANGE, head);
  if (kup_unlikely(head - rx->tail_pub < rx->head_seen - rx->tail_pub))
    return kup_rx_poison(rx, KUP_BAD_HEAD_BACK, head);
  rx->head_seen = head;
  return KUP_RING_OK;
}

/* Steps over a record without handing it out. */
static inline void kup_rx_skip(struct kup_rx *rx, uint64_t span) {
  rx->next += span;
  if (rx->first == rx->last)
    rx->tail_now = rx->next;
  else /* goes back together with the record before it */
    rx->held[(rx->last - 1) & (KUP_WINDOW - 1)].end = rx->next;
}

/*
 * Hands out the next record without a copy.  It stays valid until its token is
 * released.  Returns OK, NONE, WINDOW or POISONED.
 */
static inline int kup_rx_next(struct kup_rx *rx, struct kup_view *view) {
  uint32_t skips;

  /* Bounded, or a peer that publishes nothing but discards keeps us here. */
  for (skips = 0; skips < KUP_SKIPS_MAX; skips++) {
    kup_data_t *at;
    uint64_t span;

    if (rx->next == rx->head_seen) {
      int rc = kup_rx_refresh(rx);

      if (kup_unlikely(rc < 0)) return rc;
      if (rx->next == rx->head_seen) return KUP_RING_NONE;
    }
    if (kup_unlikely(rx->bad)) return KUP_RING_POISONED;
    if (kup_unlikely(rx->last - rx->first >= KUP_WINDOW)) return KUP_RING_WINDOW;
    at = rx->data + (rx->next & (rx->size - 1));
    kup_header_get(at, &view->rec);
    if (kup_unlikely(view->rec.len > rx->max_record) &&
        !(view->rec.flags & KUP_REC_DISCARD && view->rec.len < rx->size))
      return kup_rx_poison(rx, KUP_BAD_LEN, rx->next);
    span = kup_rec_span(view->rec.len);
    if (kup_unlikely(span > rx->head_seen - rx->next))
      return kup_rx_poison(rx, KUP_BAD_SPAN, rx->next);
    if (kup_likely(rx->seq_known)) rx->lost += (uint32_t)(view->rec.seq - rx->seq);
    rx->seq = view->rec.seq + 1;
    rx->seq_known = 1;
    if (kup_unlikely(view->rec.flags & KUP_REC_DISCARD)) {
      kup_rx_skip(rx, span);
      continue;
    }
    /*
     * Where the next record stands is known only when this header has come
     * over from the other CPU, so misses would queue up; guess.  Not beyond
     * the head, or we take lines from a producer that is about to write them.
     */
    if (rx->head_seen - rx->next > 2 * KUP_PREFETCH) kup_prefetch(at + KUP_PREFETCH);
    view->pos = rx->next;
    view->payload = at + sizeof(struct kup_rec);
    view->token = rx->last;
    rx->next += span;
    rx->held[rx->last & (KUP_WINDOW - 1)].end = rx->next;
    rx->held[rx->last & (KUP_WINDOW - 1)].released = 0;
    rx->last++;
    return KUP_RING_OK;
  }
  return KUP_RING_NONE; /* kup_rx_arm will say that there is more */
}

/*
 * Gives one record back, in any order.  The tail moves over the released prefix
 * only; the producer learns of it at the next kup_rx_flush.
 */
static inline int kup_rx_release(struct kup_rx *rx, uint32_t token) {
  struct kup_held *held = &rx->held[token & (KUP_WINDOW - 1)];

  if (kup_unlikely(token - rx->first >= rx->last - rx->first || held->released))
    return KUP_RING_TOKEN;
  held->released = 1;
  while (rx->first != rx->last && rx->held[rx->first & (KUP_WINDOW - 1)].released) {
    rx->tail_now = rx->held[rx->first & (KUP_WINDOW - 1)].end;
    rx->first++;
  }
  return KUP_RING_OK;
}

/* Tells the producer what was released.  Returns 1 if it must be notified. */
static inline int kup_rx_flush(struct kup_rx *rx) {
  uint64_t old = rx->tail_pub;

  if (old == rx->tail_now || rx->bad) return 0;
  /* Release: our reads of the freed bytes are before it.  Fence: R5. */
  kup_store_fence(rx->tail, rx->tail_now, KUP_SITE_RELEASE, KUP_SITE_SPACE_PUB);
  rx->tail_pub = rx->tail_now;
  return kup_crosses(kup_load(rx->space_at), old, rx->tail_now);
}

/*
 * Asks to be notified when a record comes (or when `batch` more bytes have
 * come), and looks once more.  Returns OK if there is something to do now, NONE
 * if the caller may sleep, POISONED.
 */
static inline int kup_rx_arm(struct kup_rx *rx, uint64_t batch) {
  uint64_t seen = rx->head_seen;
  int rc;

  kup_store(rx->wake_at, seen + batch);
  kup_fence(KUP_SITE_WAKE_ARM); /* R5 */
  rc = kup_rx_refresh(rx);
  if (kup_unlikely(rc < 0)) return rc;
  /* Beyond the batch: the producer may have looked before we armed. */
  if (rx->head_seen - seen > batch || rx->next != seen) return KUP_RING_OK;
  return KUP_RING_NONE;
}

/* ---- frame buffers: they come back without a record -------------------------------- */

/* Its owner: is it back from use number `use`? */
static inline int kup_frame_is_back(const kup_half_t *done, uint32_t use) {
  /* Acquire: the peer's reads of the buffer are before its hand-back. */
  return kup_load_acquire(done, KUP_SITE_FRAME_TAKE) == use;
}

/* Its owner: I want one.  Look once more before sleeping. */
static inline void kup_frame_want(kup_half_t *wanted) {
  kup_store(wanted, 1u);
  kup_fence(KUP_SITE_FRAME_ARM); /* as R5 */
}

/* The peer: gives it back.  Returns 1 if its owner must be notified. */
static inline int kup_frame_give(kup_half_t *done, const kup_half_t *wanted, uint32_t use) {
  /* Release: our reads of the buffer are before it. */
  kup_store_release(done, use, KUP_SITE_FRAME_GIVE);
  kup_fence(KUP_SITE_FRAME_PUB); /* as R5 */
  return kup_load(wanted) != 0;
}

#endif /* UWQ_KUP_RING_H_ */
