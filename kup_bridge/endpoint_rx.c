/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * endpoint_rx.c -- receiving half of endpoint.h: take, release, calls, KUP's
 * turns.  Built for the kernel and for userspace.
 */
#include "kup_bridge/endpoint.h"

/* rx_lock */
static int rx_result(struct kup_end *end, int rc) {
  switch (rc) {
    case KUP_RING_OK:
      return 1;
    case KUP_RING_NONE:
      return 0;
    case KUP_RING_WINDOW:
      return -ENOBUFS;
    case KUP_RING_TOKEN:
      return -EINVAL;
    default:
      kup_end_poison(end, end->rx.bad, end->rx.bad_pos);
      return -EBADMSG;
  }
}

static void flush(struct kup_end *end) {
  if (kup_rx_flush(&end->rx)) end->ops->signal(end);
}

static int kind_of(const struct kup_msg *msg) {
  return msg->type == KUP_TYPE_TURN ? KUP_KIND_TURN : KUP_KIND_MESSAGE;
}

/* Takes matching messages out of the stash, oldest first.  rx_lock. */
static int take_stash(struct kup_end *end, struct kup_msg *msgs, int n, int kind) {
  uint32_t from, to = end->stash_first;
  int got = 0;

  for (from = end->stash_first; from != end->stash_last; from++) {
    struct kup_msg *msg = &end->stash[from & (KUP_WINDOW - 1)];

    if (got < n && kind_of(msg) == kind)
      msgs[got++] = *msg;
    else
      end->stash[to++ & (KUP_WINDOW - 1)] = *msg;
  }
  end->stash_last = to;
  return got;
}

/* Gives the reply to the call that waits for it.  rx_lock. */
static int deliver_reply(struct kup_end *end, const struct kup_view *view) {
  struct kup_end_call *call;

  for (call = end->calls; call; call = call->next) {
    uint32_t len = view->rec.len;

    if (call->id != view->rec.id || call->done) continue;
    if (len > call->cap) len = call->cap;
    if (len) memcpy(call->reply, view->payload, len);
    call->result = view->rec.flags & KUP_REC_ERROR ? -EREMOTEIO : (int)view->rec.len;
    call->done = 1;
    return 1;
  }
  end->late_replies++;
  return 0;
}

/*
 * Does a turn of this user wait to be taken already?  Then it has none to pass.  Those of
 * earlier users, which nobody will answer, go.  rx_lock.
 */
static int has_turn(struct kup_end *end) {
  uint32_t from, to = end->stash_first;
  int found = 0;

  for (from = end->stash_first; from != end->stash_last; from++) {
    struct kup_msg *msg = &end->stash[from & (KUP_WINDOW - 1)];

    if (kind_of(msg) == KUP_KIND_TURN) {
      if (kup_msg_generation(msg) != end->generation) {
        (void)end->ops->release_stale(end, kup_msg_generation(msg), (uint32_t)msg->token);
        continue;
      }
      found = 1;
    }
    end->stash[to++ & (KUP_WINDOW - 1)] = *msg;
  }
  end->stash_last = to;
  return found;
}

/*
 * Hands out up to `n` messages of `kind`, sets others aside and delivers
 * replies.  Returns how many, or -errno if none.  `*kick`: somebody else has
 * something to look at.  rx_lock.
 */
static int take_locked(struct kup_end *end, struct kup_msg *msgs, int n, int kind, int *kick) {
  uint32_t delivered = 0;
  int got = 0, rc = 1;

  if (kup_unlikely(kup_load(&end->fatal))) return kup_load(&end->rx_error);
  if (kup_unlikely(end->stash_first != end->stash_last)) got = take_stash(end, msgs, n, kind);
  if (got && end->call_stalled) {
    end->call_stalled = 0;
    *kick = 1;
  }
  while (got < n || kind == KUP_KIND_NONE) {
    struct kup_view view;
    struct kup_msg msg;

    if (kup_unlikely(end->stash_last - end->stash_first == KUP_WINDOW)) {
      rc = -ENOBUFS;
      break;
    }
    rc = rx_result(end, kup_rx_next(&end->rx, &view));
    if (rc == 0 && end->ops->pull && end->ops->pull(end) > 0) continue;
    if (rc <= 0) break;
    if (kup_unlikely((view.rec.flags & KUP_REC_REPLY) && (view.rec.id & KUP_ID_CALL))) {
      int awaited = deliver_reply(end, &view);

      *kick |= awaited;
      (void)kup_rx_release(&end->rx, view.token); /* held by us alone: succeeds */
      delivered = 1;
      if (awaited && kind == KUP_KIND_NONE) break; /* it may be ours */
      continue;
    }
    msg.data = view.payload;
    msg.len = view.rec.len;
    msg.type = view.rec.type;
    msg.flags = view.rec.flags;
    msg.seq = view.rec.seq;
    msg.id = view.rec.id;
    msg.token = (uint64_t)end->generation << 32 | view.token;
    end->taken++;
    if (kup_likely(kind_of(&msg) == kind)) {
      msgs[got++] = msg;
    } else if (kup_unlikely(kind_of(&msg) == KUP_KIND_TURN && has_turn(end))) {
      kup_end_poison(end, KUP_BAD_TURN, view.pos);
      rc = -EBADMSG;
      break;
    } else {
      end->stash[end->stash_last++ & (KUP_WINDOW - 1)] = msg;
      *kick = 1;
    }
  }
  if (rc == -ENOBUFS && kind == KUP_KIND_NONE) end->call_stalled = 1;
  /* Skipped and delivered records go back without anybody releasing them. */
  if (delivered || (rc == 0 && end->rx.tail_pub != end->rx.tail_now)) flush(end);
  return got ? got : rc;
}

int kup_end_collect(struct kup_end *end) {
  int kick = 0;

  /* Each pass that finds something ends one call, so there are not many. */
  while (end->calls && take_locked(end, NULL, 0, KUP_KIND_NONE, &kick) > 0) continue;
  return kick;
}

static void spin_until(int64_t deadline) {
  do {
    kup_relax();
  } while (kup_now() < deadline);
}

/*
 * After a poll for `n` that found `found`: how long to leave the head alone before it
 * returns.  Under flood a poll that found something is followed by a pause, too, but
 * that one comes at the start of the next, when these have been handled.  rx_lock.
 */
static uint32_t next_pause(struct kup_end *end, int found, int n) {
  uint32_t pause = end->pause_ns, paused = end->paused;

  end->paused = 0;
  if (found <= 0) {
    if (paused || found < 0) pause = end->pause_ns = 0; /* the flood is over */
    end->paused = pause != 0;
    return pause;
  }
  if (pause == 0) {
    pause = KUP_PAUSE_MIN_NS;
  } else if (paused && found == 1) {
    pause = pause / 2 > KUP_PAUSE_MIN_NS ? pause / 2 : KUP_PAUSE_MIN_NS;
  } else if (paused && end->rx.head_seen - end->rx.tail_pub < end->rx.size / 4) {
    /* Beyond a quarter of the ring the producer would soon stand still instead. */
    pause = 2 * pause < KUP_PAUSE_MAX_NS ? 2 * pause : KUP_PAUSE_MAX_NS;
  }
  end->pause_ns = pause;
  if (found < n && pause > KUP_PAUSE_MIN_NS) {
    end->paused = 1;
    kup_store(&end->hold_until, kup_now() + pause);
  }
  return 0;
}

int kup_end_poll(struct kup_end *end, struct kup_msg *msgs, int n, int kind) {
  int64_t hold = kup_load(&end->hold_until);
  unsigned long flags;
  uint32_t pause;
  int kick = 0, rc;

  if (kup_unlikely(hold)) {
    kup_store(&end->hold_until, 0);
    spin_until(hold);
  }
  flags = kup_lock_take(&end->rx_lock);
  rc = take_locked(end, msgs, n, kind, &kick);
  pause = next_pause(end, rc, n);
  if (kup_unlikely(rc == 0)) {
    end->ops->probe(end);
    /* What came before the error goes first. */
    if (kup_unlikely(kup_load(&end->rx_error))) {
      rc = take_locked(end, msgs, n, kind, &kick);
      rc = rc ? rc : kup_load(&end->rx_error);
    }
  }
  kup_lock_drop(&end->rx_lock, flags);
  if (kup_unlikely(kick)) kup_wait_kick(&end->wait);
  if (pause) spin_until(kup_now() + pause);
  return rc;
}

/*
 * As kup_end_poll, but arms the ring when it is empty: -EAGAIN means "sleep now".
 *
 * Two passes, because something may come between the look and the arming.  No more: a
 * pass ends with at most one ring of bytes, but a peer that publishes nothing but what
 * is never handed out (discards, replies that nobody waits for) fills it again as fast
 * as we step over it.  Then, too, the caller is sent away with -EAGAIN, so that others
 * get the lock and it looks at its deadline; but it is called back at once.
 */
static int take_or_arm(struct kup_end *end, struct kup_msg *msgs, int n, int kind, int will_sleep) {
  unsigned long flags = kup_lock_take(&end->rx_lock);
  int kick = 0, pass, rc = 0;

  for (pass = 0; rc == 0 && pass < 2; pass++) {
    rc = take_locked(end, msgs, n, kind, &kick);
    if (rc) break;
    rc = rx_result(end, kup_rx_arm(&end->rx, 0));
    if (rc < 0) break;
    if (rc > 0) {
      rc = 0; /* there is more */
      continue;
    }
    end->ops->probe(end);
    if (kup_load(&end->rx_error)) {
      /* What came before the error goes first. */
      rc = take_locked(end, msgs, n, kind, &kick);
      rc = rc ? rc : kup_load(&end->rx_error);
    } else {
      rc = -EAGAIN;
      end->sleeps += (uint64_t)will_sleep;
    }
  }
  kup_lock_drop(&end->rx_lock, flags);
  if (kup_unlikely(rc == 0)) {
    rc = -EAGAIN;
    kup_wait_renotify(&end->wait);
    kick = 1;
  }
  if (kup_unlikely(kick)) kup_wait_kick(&end->wait);
  return rc;
}

int kup_end_try(struct kup_end *end, struct kup_msg *msgs, int n, int kind) {
  kup_wait_drain(&end->wait);
  return take_or_arm(end, msgs, n, kind, 0);
}

/*
 * How long to spin next time.  Spinning pays only if it outlasts the gap between
 * messages, so it grows while sleeps turn out short and ends when one was long
 * (docs/kup_protocol.md, "Adaptive polling").
 */
static void adapt_spin(struct kup_end *end, int64_t slept_ns) {
  int64_t max = kup_load(&end->spin_max_ns), spin = kup_load(&end->spin_ns);

  if (slept_ns > 2 * max)
    spin = 0;
  else
    spin = spin ? 2 * spin : max / 8;
  kup_store(&end->spin_ns, spin < max ? spin : max);
}

int kup_end_take(struct kup_end *end, struct kup_msg *msgs, int n, int kind, int64_t deadline) {
  for (;;) {
    int64_t spin_ns = kup_load(&end->spin_ns), start = 0;
    uint64_t epoch;
    int rc;

    if (spin_ns > 0) {
      start = kup_now();
      do {
        rc = kup_end_poll(end, msgs, n, kind);
        if (rc) return rc;
        spin_until(0);
      } while (kup_now() < start + spin_ns);
    }
    epoch = kup_wait_epoch(&end->wait);
    rc = take_or_arm(end, msgs, n, kind, 1);
    if (rc != -EAGAIN) return rc;
    if (!start) start = kup_now();
    rc = kup_wait_sleep(&end->wait, epoch, deadline);
    if (rc) return rc;
    adapt_spin(end, kup_now() - start);
  }
}

int kup_end_release(struct kup_end *end, const struct kup_msg *msgs, int n) {
  unsigned long flags = kup_lock_take(&end->rx_lock);
  int i, rc = 0, kick = end->call_stalled;

  end->call_stalled = 0;
  for (i = 0; i < n; i++) {
    uint32_t generation = kup_msg_generation(&msgs[i]), token = (uint32_t)msgs[i].token;
    int one;

    if (kup_unlikely(generation != end->generation))
      one = end->ops->release_stale ? end->ops->release_stale(end, generation, token) : -ESTALE;
    else
      one = rx_result(end, kup_rx_release(&end->rx, token));
    if (one < 0) rc = one;
  }
  flush(end);
  kup_lock_drop(&end->rx_lock, flags);
  if (kup_unlikely(kick)) kup_wait_kick(&end->wait);
  return rc;
}

/* ---- requests -------------------------------------------------------------------- */

/*
 * The reply stands behind more messages than can be held.  Others take and release them,
 * and that wakes us; or nobody does, and nobody will.
 */
static int await_release(struct kup_end *end, uint64_t epoch, int64_t deadline) {
  int64_t limit = kup_now() + KUP_CALL_STALL_NS;
  int rc = kup_wait_sleep(&end->wait, epoch, limit < deadline ? limit : deadline);

  return rc == -ETIMEDOUT && limit < deadline ? -ENOBUFS : rc;
}

int kup_end_call(struct kup_end *end, const struct kup_vec *request, void *reply, uint32_t cap,
                 int64_t deadline) {
  struct kup_vec msg = *request;
  struct kup_end_call call, **link;
  unsigned long flags;
  uint32_t generation;
  int rc, renotify;

  memset(&call, 0, sizeof(call));
  call.reply = reply;
  call.cap = cap;
  flags = kup_lock_take(&end->rx_lock);
  call.id = KUP_ID_CALL | end->next_id++;
  call.next = end->calls;
  end->calls = &call;
  generation = end->generation;
  kup_lock_drop(&end->rx_lock, flags);

  msg.flags |= KUP_REC_REQUEST;
  msg.id = call.id;
  rc = kup_end_post_wait(end, generation, &msg, 1, deadline);
  while (rc >= 0 || rc == -EAGAIN) {
    uint64_t epoch = kup_wait_epoch(&end->wait);
    int done;

    flags = kup_lock_take(&end->rx_lock);
    done = call.done;
    kup_lock_drop(&end->rx_lock, flags);
    if (done) break;
    /* A success means that a reply was delivered, perhaps ours. */
    rc = take_or_arm(end, NULL, 0, KUP_KIND_NONE, 1);
    if (rc > 0 && kup_now() >= deadline) rc = -ETIMEDOUT;
    if (rc == -EAGAIN) rc = kup_wait_sleep(&end->wait, epoch, deadline);
    if (rc == -ENOBUFS) rc = await_release(end, epoch, deadline);
  }
  flags = kup_lock_take(&end->rx_lock);
  for (link = &end->calls; *link != &call; link = &(*link)->next)
    ;
  *link = call.next;
  if (call.done) rc = call.result;
  renotify = end->stash_first != end->stash_last;
  kup_lock_drop(&end->rx_lock, flags);
  if (renotify) {
    kup_wait_renotify(&end->wait);
    kup_wait_kick(&end->wait);
  }
  return rc;
}

/* ---- KUP's turns -------------------------------------------------------------------- */

void kup_end_turn_release(struct kup_end *end) {
  unsigned long flags = kup_lock_take(&end->rx_lock);
  struct kup_msg msg = end->turn_msg;
  int held = end->turn_held;

  end->turn_held = 0;
  kup_lock_drop(&end->rx_lock, flags);
  if (held) (void)kup_end_release(end, &msg, 1); /* a stale one is none of ours to report */
}

/* A message is held that an earlier user sent: it is answered to nobody.  rx_lock. */
static int turn_is_stale(const struct kup_end *end) {
  return end->turn_held && kup_msg_generation(&end->turn_msg) != end->generation;
}

int kup_end_turn_receive(struct kup_end *end, struct kup_msg *msg, int64_t deadline) {
  for (;;) {
    unsigned long flags = kup_lock_take(&end->rx_lock);
    int mine = end->my_turn, fresh = end->turn_held && !turn_is_stale(end), rc;
    struct kup_msg got = {0}; /* for the analyser: a positive count has filled it */

    *msg = end->turn_msg;
    kup_lock_drop(&end->rx_lock, flags);
    if (mine && !kup_load(&end->fatal)) {
      if (fresh) return 0;
      kup_end_turn_release(end);
      return -ENOMSG;
    }
    rc = deadline == 0 ? kup_end_try(end, &got, 1, KUP_KIND_TURN)
                       : kup_end_take(end, &got, 1, KUP_KIND_TURN, deadline);
    if (rc < 0) return rc;
    kup_end_turn_release(end);
    flags = kup_lock_take(&end->rx_lock);
    fresh = kup_msg_generation(&got) == end->generation;
    if (fresh) {
      end->my_turn = 1;
      end->turn_held = 1;
      end->turn_msg = got;
    }
    kup_lock_drop(&end->rx_lock, flags);
    *msg = got;
    if (fresh) return 0;
    (void)kup_end_release(end, &got, 1); /* set aside, and its user left: the turn with it */
  }
}

int kup_end_turn_send(struct kup_end *end, const void *data, uint32_t len, int64_t deadline) {
  struct kup_vec vec = {data, len, KUP_TYPE_TURN, 0, 0};
  struct kup_msg msg;
  uint32_t generation;
  unsigned long flags = kup_lock_take(&end->rx_lock);
  int rc = turn_is_stale(end) ? -ESTALE : 0;

  kup_lock_drop(&end->rx_lock, flags);
  if (!rc) rc = kup_end_turn_receive(end, &msg, deadline);
  if (rc < 0 && rc != -ENOMSG) return rc;
  /* The turn passes before the peer can answer. */
  flags = kup_lock_take(&end->rx_lock);
  generation = end->generation;
  rc = turn_is_stale(end) ? -ESTALE : end->my_turn ? 0 : -EAGAIN;
  if (!rc) end->my_turn = 0;
  kup_lock_drop(&end->rx_lock, flags);
  if (rc) return rc;
  rc = kup_end_post_wait(end, generation, &vec, 1, deadline);
  if (rc < 0) {
    flags = kup_lock_take(&end->rx_lock);
    end->my_turn = 1; /* as it was; of a new user it is ours anyway */
    kup_lock_drop(&end->rx_lock, flags);
    return rc == -EAGAIN ? -ENOBUFS : rc; /* full is another answer than not our turn */
  }
  kup_end_turn_release(end);
  return 0;
}

/* ---- frames ------------------------------------------------------------------------------ */

int kup_end_frame_open(struct kup_end *end, const struct kup_msg *msg, struct kup_frame *frame) {
  struct kup_frames_in *pool = &end->frames_in;
  struct kup_frame_desc desc;
  unsigned long flags;
  int rc = 0;

  if (!(msg->flags & KUP_REC_FRAME)) return -EINVAL;
  flags = kup_lock_take(&end->rx_lock);
  if (kup_msg_generation(msg) != end->generation) {
    rc = -ESTALE;
  } else if (msg->len != sizeof(desc)) {
    kup_end_poison(end, KUP_BAD_FRAME, msg->seq);
    rc = -EBADMSG;
  } else {
    memcpy(&desc, msg->data, sizeof(desc)); /* once: what is checked is what is used */
    if (desc.index >= pool->count || desc.len > pool->size || desc.use == 0) {
      kup_end_poison(end, KUP_BAD_FRAME, msg->seq);
      rc = -EBADMSG;
    }
  }
  if (!rc) {
    frame->data = pool->base + (size_t)desc.index * pool->size;
    frame->size = pool->size;
    frame->index = desc.index;
    frame->generation = end->generation;
    frame->use = desc.use;
    frame->len = desc.len;
    frame->cookie = desc.cookie;
  }
  kup_lock_drop(&end->rx_lock, flags);
  return rc;
}

int kup_end_frame_return(struct kup_end *end, const struct kup_frame *frame) {
  unsigned long flags = kup_lock_take(&end->rx_lock);
  struct kup_frames_in *pool = &end->frames_in;
  int rc = 0;

  if (frame->generation != end->generation) {
    rc = -ESTALE;
  } else if (frame->index >= pool->count || frame->use == 0) {
    rc = -EINVAL;
  } else if (kup_frame_give(&pool->done[frame->index], pool->peer_wait, frame->use)) {
    end->ops->signal(end);
  }
  kup_lock_drop(&end->rx_lock, flags);
  return rc;
}
