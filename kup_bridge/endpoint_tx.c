/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * endpoint_tx.c -- sending half of endpoint.h: post, wait for room, frames.
 * Built for the kernel and for userspace.
 */
#include "kup_bridge/endpoint.h"

int kup_end_init(struct kup_end *end, const struct kup_end_ops *ops) {
  int rc;

  end->ops = ops;
  end->spin_max_ns = kup_spin_max();
  rc = kup_lock_init(&end->tx_lock);
  if (rc) return rc;
  rc = kup_lock_init(&end->rx_lock);
  if (rc) kup_lock_fini(&end->tx_lock);
  return rc;
}

void kup_end_fini(struct kup_end *end) {
  kup_lock_fini(&end->rx_lock);
  kup_lock_fini(&end->tx_lock);
}

int64_t kup_deadline(int timeout_ms) {
  if (timeout_ms < 0) return KUP_FOREVER;
  return kup_now() + (int64_t)timeout_ms * 1000000;
}

void kup_end_poison(struct kup_end *end, uint32_t bad, uint64_t pos) {
  if (!kup_count_swap(&end->poisoned, 0, 1)) return;
  kup_store(&end->bad_pos, pos);
  kup_store(&end->bad, bad);
  kup_store(&end->fatal, 1);
  kup_store(&end->rx_error, -EBADMSG);
  kup_store(&end->tx_error, -EBADMSG);
  end->ops->poisoned(end, bad, pos);
  end->ops->signal(end);
  kup_wait_kick(&end->wait);
}

/*
 * Remembers where our records start, in memory that the peer cannot write: when
 * the ring is handed to a new user, a forged tail must not make it read the
 * middle of a record as a header.
 */
static void mark_start(struct kup_end *end, uint64_t pos, uint64_t span) {
  uint32_t units = end->tx.size / KUP_ALIGN;
  uint32_t unit = (uint32_t)((pos / KUP_ALIGN) & (units - 1));
  uint32_t left = (uint32_t)(span / KUP_ALIGN);
  uint32_t first = unit;

  while (left > 0) {
    uint32_t bit = unit & 63, n = 64 - bit;

    if (n > left) n = left;
    end->starts[unit / 64] &= ~((n == 64 ? ~0ull : (1ull << n) - 1) << bit);
    left -= n;
    unit = (unit + n) & (units - 1);
  }
  end->starts[first / 64] |= 1ull << (first & 63);
}

static int tx_result(struct kup_end *end, int rc) {
  switch (rc) {
    case KUP_RING_OK:
      return 1;
    case KUP_RING_NONE:
      return -EAGAIN;
    case KUP_RING_TOOBIG:
      return -EMSGSIZE;
    default:
      kup_end_poison(end, end->tx.bad, end->tx.bad_pos);
      return -EBADMSG;
  }
}

/* May anything be sent?  0, or the reason why not.  tx_lock. */
static int tx_check(struct kup_end *end) {
  if (kup_unlikely(end->peer_state && kup_load(end->peer_state) != KUP_STATE_READY))
    end->ops->probe(end);
  return kup_load(&end->tx_error);
}

static void commit(struct kup_end *end, uint32_t len, uint16_t type, uint16_t flags, uint32_t id) {
  uint64_t pos = end->tx.next;

  kup_tx_commit(&end->tx, len, type, flags, id);
  if (end->starts) mark_start(end, pos, end->tx.next - pos);
  end->posted++;
}

/* The record that tells of dropped ones goes first, or nothing goes.  tx_lock. */
static int post_lost(struct kup_end *end) {
  kup_data_t *to;
  int rc = kup_tx_reserve(&end->tx, sizeof(end->lost), &to);

  if (rc != KUP_RING_OK) return tx_result(end, rc);
  memcpy(to, &end->lost, sizeof(end->lost));
  commit(end, sizeof(end->lost), KUP_TYPE_LOST, 0, 0);
  memset(&end->lost, 0, sizeof(end->lost));
  return 1;
}

/* Writes one record, unpublished.  1 or -errno.  tx_lock. */
static int post_one(struct kup_end *end, const struct kup_vec *msg) {
  kup_data_t *to;
  int rc;

  if (kup_unlikely(end->lost.records)) {
    rc = post_lost(end);
    if (rc < 0) return rc;
  }
  rc = kup_tx_reserve(&end->tx, msg->len, &to);
  if (kup_unlikely(rc != KUP_RING_OK)) return tx_result(end, rc);
  if (msg->len) memcpy(to, msg->data, msg->len);
  commit(end, msg->len, msg->type, msg->flags & ~KUP_REC_DISCARD, msg->id);
  return 1;
}

static void publish(struct kup_end *end) {
  if (kup_tx_publish(&end->tx)) {
    end->signals++;
    end->ops->signal(end);
  }
  kup_store(end->records, end->posted);
}

/* tx_lock */
static int post_locked(struct kup_end *end, const struct kup_vec *msgs, int n) {
  int done = 0, rc = tx_check(end);

  while (!rc && done < n) {
    int one = post_one(end, &msgs[done]);

    if (one < 0)
      rc = one;
    else
      done++;
  }
  publish(end);
  return done ? done : rc;
}

int kup_end_post(struct kup_end *end, const struct kup_vec *msgs, int n) {
  unsigned long flags = kup_lock_take(&end->tx_lock);
  int rc = post_locked(end, msgs, n);

  kup_lock_drop(&end->tx_lock, flags);
  return rc;
}

int kup_end_post_or_drop(struct kup_end *end, const struct kup_vec *msg) {
  unsigned long flags = kup_lock_take(&end->tx_lock);
  int rc = post_locked(end, msg, 1);

  if (rc == -EAGAIN) {
    if (!end->lost.records++) end->lost.first_seq = end->tx.seq;
    end->lost.last_seq = end->tx.seq++;
    end->lost.bytes += msg->len;
    end->dropped_records++;
    end->dropped_bytes += msg->len;
    if (end->dropped) {
      kup_store(&end->dropped[0], end->dropped_records);
      kup_store(&end->dropped[1], end->dropped_bytes);
    }
  }
  kup_lock_drop(&end->tx_lock, flags);
  return rc;
}

/* Why the one whom alone a post is for cannot get it; 0: it can.  tx_lock. */
static int addressee_gone(struct kup_end *end, uint32_t generation) {
  if (generation == KUP_ANY_GENERATION) return 0;
  if (generation != end->generation) return -ESTALE;
  end->ops->probe(end);
  return kup_load(&end->rx_error);
}

/*
 * Asks for the room of a record of `len` bytes.  There is one event index for all who
 * wait, so it stands for the smallest record: crossing it wakes them all, and those who
 * find no room arm again.  -EAGAIN: there is none, sleep from `*epoch` on.  tx_lock.
 */
static int arm_room(struct kup_end *end, uint32_t len, uint64_t *epoch) {
  const struct kup_end_sender *other;
  uint32_t smallest = len;
  int rc;

  for (other = end->senders; other; other = other->next)
    if (other->len < smallest) smallest = other->len;
  rc = tx_result(end, kup_tx_arm(&end->tx, smallest));
  if (rc > 0 && smallest < len) {
    /* Its owner can go on.  The epoch is that of after, or our own kick would wake us. */
    kup_wait_kick(&end->wait);
    *epoch = kup_wait_epoch(&end->wait);
    rc = tx_result(end, kup_tx_arm(&end->tx, len));
  }
  return rc;
}

/* tx_lock */
static void sender_leaves(struct kup_end *end, const struct kup_end_sender *sender) {
  struct kup_end_sender **link = &end->senders;

  while (*link != sender) link = &(*link)->next;
  *link = sender->next;
}

int kup_end_post_wait(struct kup_end *end, uint32_t generation, const struct kup_vec *msgs, int n,
                      int64_t deadline) {
  struct kup_end_sender me;
  int done = 0, waiting = 0, slept = 0;

  for (;;) {
    uint64_t epoch = kup_wait_epoch(&end->wait);
    unsigned long flags = kup_lock_take(&end->tx_lock);
    int rc = slept ? slept : addressee_gone(end, generation);

    if (waiting) sender_leaves(end, &me);
    waiting = 0;
    if (!rc) rc = post_locked(end, msgs + done, n - done);
    if (rc > 0) done += rc;
    if (done < n && (rc > 0 || rc == -EAGAIN)) {
      me.len = end->lost.records ? sizeof(end->lost) : msgs[done].len;
      rc = arm_room(end, me.len, &epoch);
      if (rc == -EAGAIN) {
        end->ops->probe(end);
        if (kup_load(&end->tx_error)) rc = kup_load(&end->tx_error);
      }
      if (rc == -EAGAIN && deadline != 0) {
        me.next = end->senders;
        end->senders = &me;
        waiting = 1;
      }
    }
    kup_lock_drop(&end->tx_lock, flags);
    if (done == n) return done;
    if (waiting)
      slept = kup_wait_sleep(&end->wait, epoch, deadline);
    else if (rc <= 0)
      return done ? done : rc;
  }
}

int kup_end_reserve(struct kup_end *end, uint32_t len, void **payload, unsigned long *flags) {
  kup_data_t *to = NULL;
  int rc;

  *flags = kup_lock_take(&end->tx_lock);
  rc = tx_check(end);
  if (!rc) rc = tx_result(end, kup_tx_reserve(&end->tx, len, &to));
  if (rc < 0) {
    kup_lock_drop(&end->tx_lock, *flags);
    return rc;
  }
  *payload = to;
  end->reserved = len;
  return 0;
}

int kup_end_commit(struct kup_end *end, int64_t len, uint16_t type, uint16_t rec_flags, uint32_t id,
                   unsigned long flags) {
  int rc = len > end->reserved ? -EINVAL : 0;

  if (len >= 0 && !rc) {
    commit(end, (uint32_t)len, type, rec_flags & ~KUP_REC_DISCARD, id);
    publish(end);
  }
  kup_lock_drop(&end->tx_lock, flags);
  return rc;
}

int kup_end_reply(struct kup_end *end, const struct kup_msg *request, int error, const void *data,
                  uint32_t len) {
  uint32_t generation = kup_msg_generation(request);
  struct kup_vec reply;
  int rc;

  if (!(request->flags & KUP_REC_REQUEST)) return -EINVAL;
  if (generation == KUP_ANY_GENERATION) return -ESTALE; /* nobody asked */
  reply.data = data;
  reply.len = len;
  reply.type = request->type;
  reply.flags = KUP_REC_REPLY | (error ? KUP_REC_ERROR : 0);
  reply.id = request->id;
  /* Who asked may be gone, and its successor did not ask. */
  rc = kup_end_post_wait(end, generation, &reply, 1, 0);
  return rc < 0 ? rc : 0;
}

/* ---- frames ------------------------------------------------------------------ */

/* The index of a buffer that nobody uses, or -1.  tx_lock. */
static int find_frame(struct kup_frames_out *pool) {
  uint32_t i;

  for (i = 0; i < pool->count; i++) {
    if (pool->state[i] == KUP_FRAME_SENT && kup_frame_is_back(&pool->done[i], pool->use[i]))
      pool->state[i] = KUP_FRAME_FREE;
    if (pool->state[i] == KUP_FRAME_FREE) return (int)i;
  }
  return -1;
}

/*
 * The peer looks at our wait word when it gives a buffer back, so the word stays set as
 * long as anybody wants one.  tx_lock.
 */
static void frame_taken(struct kup_end *end, int64_t deadline) {
  if (deadline == 0) end->frame_wanted = 0;
  if (!end->frame_waiters && !end->frame_wanted) kup_store(end->frames_out.wait_word, 0u);
}

int kup_end_frame_get(struct kup_end *end, struct kup_frame *frame, int64_t deadline) {
  struct kup_frames_out *pool = &end->frames_out;
  int waited = 0, slept = 0;

  for (;;) {
    uint64_t epoch = kup_wait_epoch(&end->wait);
    unsigned long flags = kup_lock_take(&end->tx_lock);
    int rc = pool->count ? tx_check(end) : -EINVAL;
    int i = -1;

    if (waited) end->frame_waiters--;
    waited = 0;
    if (!rc) rc = slept; /* -ETIMEDOUT, -EINTR: we have given up */

    if (!rc) {
      i = find_frame(pool);
      if (i < 0) {
        kup_frame_want(pool->wait_word);
        i = find_frame(pool);
      }
      if (i >= 0) {
        frame_taken(end, deadline);
        pool->state[i] = KUP_FRAME_MINE;
        memset(frame, 0, sizeof(*frame));
        frame->data = pool->base + (size_t)i * pool->size;
        frame->size = pool->size;
        frame->index = (uint32_t)i;
        frame->generation = end->generation;
      } else {
        end->ops->probe(end);
        rc = kup_load(&end->tx_error);
        if (!rc && deadline == 0) {
          end->frame_wanted = 1;
          rc = -EAGAIN;
        } else if (!rc) {
          end->frame_waiters++;
          waited = 1;
        }
      }
    }
    kup_lock_drop(&end->tx_lock, flags);
    if (!waited) return rc;
    slept = kup_wait_sleep(&end->wait, epoch, deadline);
  }
}

/* 0 if the caller may dispose of the frame.  tx_lock. */
static int frame_check(struct kup_end *end, const struct kup_frame *frame) {
  if (frame->generation != end->generation) return -ESTALE;
  if (frame->index >= end->frames_out.count ||
      end->frames_out.state[frame->index] != KUP_FRAME_MINE)
    return -EINVAL;
  return 0;
}

/* The buffer of an earlier generation came back: that memory may go.  Under no lock. */
static void frame_stale(struct kup_end *end, const struct kup_frame *frame) {
  unsigned long flags = kup_lock_take(&end->rx_lock);

  if (end->ops->frame_stale) end->ops->frame_stale(end, frame->generation, frame->index);
  kup_lock_drop(&end->rx_lock, flags);
}

int kup_end_frame_send(struct kup_end *end, const struct kup_frame *frame, uint16_t type,
                       uint64_t len, uint64_t cookie) {
  struct kup_frame_desc desc;
  struct kup_vec msg = {&desc, sizeof(desc), type, KUP_REC_FRAME, 0};
  unsigned long flags = kup_lock_take(&end->tx_lock);
  int rc = frame_check(end, frame);

  if (!rc && len > end->frames_out.size) rc = -EMSGSIZE;
  if (!rc) {
    uint32_t use = end->frames_out.use[frame->index] + 1;

    if (use == 0) use = 1;
    desc.index = frame->index;
    desc.use = use;
    desc.len = len;
    desc.cookie = cookie;
    end->frames_out.use[frame->index] = use;
    end->frames_out.state[frame->index] = KUP_FRAME_SENT;
    rc = post_locked(end, &msg, 1);
    if (rc < 0) /* still the caller's */
      end->frames_out.state[frame->index] = KUP_FRAME_MINE;
  }
  kup_lock_drop(&end->tx_lock, flags);
  if (rc == -ESTALE) frame_stale(end, frame);
  return rc < 0 ? rc : 0;
}

int kup_end_frame_drop(struct kup_end *end, const struct kup_frame *frame) {
  unsigned long flags = kup_lock_take(&end->tx_lock);
  int rc = frame_check(end, frame), wanted;

  if (!rc) end->frames_out.state[frame->index] = KUP_FRAME_FREE;
  wanted = end->frame_waiters || end->frame_wanted;
  kup_lock_drop(&end->tx_lock, flags);
  if (!rc && wanted) kup_wait_kick(&end->wait);
  if (rc == -ESTALE) frame_stale(end, frame);
  return rc;
}
