/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kupdev_core.c -- the life of a device and of its channels: users come, die,
 * come again, break the rules, are revoked.  Built for the kernel and for
 * userspace; the calls that move messages stand in kupdev_calls.c, the change from
 * one user to the next in kupdev_generation.c.
 *
 * Invariant: a channel is claimed by at most one user (under sc->lock), and whoever
 * claims it begins a new generation; only that generation's end, by detach or
 * revocation, ends the claim, and its news stand between those of the users before and
 * after.
 */
#include "kup_bridge/kupdev_core.h"

#define KUP_DEFAULT_RING (256u * 1024u)
KUP_ASSERT(KUP_PORT_RING_MAX <= KUP_RING_MAX, "a port may only allow less");

struct kup_channel *kup_channel_of(struct kupdev_softc *sc, int chan_id) {
  if (chan_id < 0 || (uint32_t)chan_id >= sc->opts.n_channels) return NULL;
  return &sc->channels[chan_id];
}

const struct kupdev_opts *kup_core_opts(const struct kupdev_softc *sc) { return &sc->opts; }

struct kup_wait *kup_core_wait(struct kupdev_softc *sc, uint32_t channel) {
  return channel < sc->opts.n_channels ? &sc->channels[channel].end.wait : &sc->wait;
}

static uint64_t page_up(uint64_t n) {
  return (n + KUP_PAGE_SIZE - 1) & ~(uint64_t)(KUP_PAGE_SIZE - 1);
}

void kup_layout_of(const struct kupdev_opts *opts, struct kup_layout *layout) {
  layout->dev_data =
      page_up(KUP_PAGE_SIZE + (uint64_t)opts->n_groups * sizeof(struct kup_counters));
  layout->dev_len = layout->dev_data + opts->d2u_size;
  layout->user_data = page_up(KUP_PAGE_SIZE + (uint64_t)opts->n_params * sizeof(uint64_t));
  layout->user_len = layout->user_data + opts->u2d_size;
  layout->frames_d2u_len = (uint64_t)opts->n_frames_d2u * opts->frame_size;
  layout->frames_u2d_len = (uint64_t)opts->n_frames_u2d * opts->frame_size;
}

static int is_ring_size(uint32_t size) {
  return size >= KUP_RING_MIN && size <= KUP_PORT_RING_MAX && !(size & (size - 1));
}

static int complete_opts(struct kupdev_opts *o) {
  uint32_t smaller;

  if (!o->n_channels) o->n_channels = 1;
  if (!o->d2u_size) o->d2u_size = KUP_DEFAULT_RING;
  if (!o->u2d_size) o->u2d_size = KUP_DEFAULT_RING;
  if (!o->n_params) o->n_params = 64;
  if (!o->n_groups) o->n_groups = 4;
  if (!o->mode) o->mode = 0600;
  smaller = o->d2u_size < o->u2d_size ? o->d2u_size : o->u2d_size;
  if (!o->max_record) o->max_record = smaller / 2;
  if (!is_ring_size(o->d2u_size) || !is_ring_size(o->u2d_size) ||
      o->max_record > kup_ring_max_record(smaller) || o->n_channels > KUP_CHANNELS_MAX ||
      o->n_params > KUP_PARAMS_MAX || o->n_groups > KUP_GROUPS_MAX ||
      o->n_frames_d2u > KUP_FRAMES_MAX || o->n_frames_u2d > KUP_FRAMES_MAX ||
      o->frame_size > KUP_FRAME_SIZE_MAX || o->frame_size % KUP_PAGE_SIZE ||
      ((o->n_frames_d2u || o->n_frames_u2d) && !o->frame_size))
    return -EINVAL;
  return 0;
}

/* ---- callbacks of the endpoint -------------------------------------------------- */

static struct kup_channel *channel_of_end(struct kup_end *end) {
  return (struct kup_channel *)(void *)end;
}

/* sc->lock */
static void post_event_locked(struct kup_channel *ch, uint32_t kind, uint32_t generation,
                              uint32_t bad) {
  struct kupdev_event *event = &ch->events[ch->event_last++ & (KUP_EVENTS - 1)];

  if (ch->event_last - ch->event_first > KUP_EVENTS) ch->event_first++;
  event->kind = kind;
  event->channel = ch->index;
  event->generation = generation;
  event->bad = bad;
}

void kup_user_came(struct kup_channel *ch) {
  unsigned long flags = kup_lock_take(&ch->sc->lock);

  ch->user = ch->end.generation;
  post_event_locked(ch, KUPDEV_ATTACHED, ch->user, KUP_BAD_NONE);
  kup_lock_drop(&ch->sc->lock, flags);
  kup_wait_kick(&ch->sc->wait);
}

int kup_user_left(struct kup_channel *ch, uint32_t generation) {
  unsigned long flags = kup_lock_take(&ch->sc->lock);
  int mine = ch->user != 0 && ch->user == generation;

  if (mine) {
    ch->user = 0;
    ch->claimed = 0;
    post_event_locked(ch, KUPDEV_DETACHED, generation, KUP_BAD_NONE);
  }
  kup_lock_drop(&ch->sc->lock, flags);
  if (mine) kup_wait_kick(&ch->sc->wait);
  return mine;
}

static void dev_probe(struct kup_end *end) {
  struct kup_mem *mem = channel_of_end(end)->mem;
  uint32_t state = kup_load(&mem->user->state);

  if (kup_load(&end->rx_error))
    return; /* detached, shut down or poisoned: the page means nothing any more */
  if (kup_load(&mem->user->generation) != end->generation)
    kup_end_poison(end, KUP_BAD_GENERATION, 0);
  else if (state != KUP_STATE_READY)
    kup_end_poison(end, KUP_BAD_STATE, state);
}

static void dev_signal(struct kup_end *end) { kup_mem_signal(channel_of_end(end)->mem); }

static void dev_poisoned(struct kup_end *end, uint32_t bad, uint64_t pos) {
  struct kup_channel *ch = channel_of_end(end);
  struct kup_dev_page *page = ch->mem->dev;
  unsigned long flags;

  kup_store(&page->error, bad);
  kup_store(&page->error_pos, pos);
  kup_store_release(&page->state, (uint32_t)KUP_STATE_POISONED, KUP_SITE_STATE);
  flags = kup_lock_take(&ch->sc->lock);
  post_event_locked(ch, KUPDEV_POISONED, end->generation, bad);
  kup_lock_drop(&ch->sc->lock, flags);
  kup_wait_kick(&ch->sc->wait);
}

/* rx_lock */
void kup_put_mem_locked(struct kup_mem *mem) {
  if (--mem->refs == 0) kup_mem_free(mem);
}

/* Where the memory of `generation` hangs, or the end of the list. */
static struct kup_retired **retired_of(struct kup_end *end, uint32_t generation) {
  struct kup_retired **link = &channel_of_end(end)->retired;

  while (*link && (*link)->generation != generation) link = &(*link)->next;
  return link;
}

/* Takes one hold away; with the last one the memory goes.  -EINVAL: there was none. */
static int drop_hold(struct kup_retired **link, uint64_t *word, uint32_t bit) {
  struct kup_retired *old = *link;
  uint64_t all;
  uint32_t i;

  if (!(*word >> bit & 1)) return -EINVAL;
  *word &= ~(1ull << bit);
  all = old->frames;
  for (i = 0; i < KUP_WINDOW / 64; i++) all |= old->tokens[i];
  if (!all) {
    *link = old->next;
    kup_put_mem_locked(old->mem);
    kup_free(old);
  }
  return 0;
}

static int dev_release_stale(struct kup_end *end, uint32_t generation, uint32_t token) {
  struct kup_retired **link = retired_of(end, generation);
  uint32_t i = *link ? token - (*link)->first : KUP_WINDOW;

  return i < KUP_WINDOW ? drop_hold(link, &(*link)->tokens[i / 64], i % 64) : -EINVAL;
}

static void dev_frame_stale(struct kup_end *end, uint32_t generation, uint32_t index) {
  struct kup_retired **link = retired_of(end, generation);

  if (*link && index < KUP_FRAMES_MAX) (void)drop_hold(link, &(*link)->frames, index);
}

static const struct kup_end_ops dev_ops = {dev_probe,         dev_signal,      dev_poisoned,
                                           dev_release_stale, dev_frame_stale, NULL};

/* ---- for the port -------------------------------------------------------------------- */

int kup_core_attach(struct kupdev_softc *sc, uint32_t channel, struct kup_mem **mem) {
  struct kup_channel *ch = NULL;
  unsigned long flags;
  uint32_t i;
  int rc = -EBUSY;

  if (channel != KUP_CHAN_ANY && channel >= sc->opts.n_channels) return -ECHRNG;
  flags = kup_lock_take(&sc->lock);
  for (i = 0; i < sc->opts.n_channels && !ch; i++)
    if ((channel == KUP_CHAN_ANY || channel == i) && !sc->channels[i].claimed)
      ch = &sc->channels[i];
  if (ch) ch->claimed = 1;
  kup_lock_drop(&sc->lock, flags);
  if (kup_load(&sc->shutdown)) return -ESHUTDOWN;
  if (!ch) return rc;
  rc = kup_begin_generation(ch, mem, 0);
  if (rc) {
    flags = kup_lock_take(&sc->lock);
    ch->claimed = 0;
    kup_lock_drop(&sc->lock, flags);
    return rc;
  }
  return (int)ch->index;
}

int kup_core_observe(struct kupdev_softc *sc, uint32_t channel, struct kup_mem **mem) {
  struct kup_channel *ch = channel < sc->opts.n_channels ? &sc->channels[channel] : NULL;
  unsigned long flags;

  if (!ch) return -ECHRNG;
  flags = kup_lock_take(&ch->end.rx_lock);
  *mem = ch->mem;
  (*mem)->refs++;
  kup_lock_drop(&ch->end.rx_lock, flags);
  return (int)channel;
}

void kup_core_put_mem(struct kupdev_softc *sc, uint32_t channel, struct kup_mem *mem) {
  struct kup_channel *ch = &sc->channels[channel];
  unsigned long flags = kup_lock_take(&ch->end.rx_lock);

  kup_put_mem_locked(mem);
  kup_lock_drop(&ch->end.rx_lock, flags);
}

void kup_core_detach(struct kupdev_softc *sc, uint32_t channel, uint32_t generation) {
  struct kup_channel *ch = &sc->channels[channel];
  unsigned long rx_flags, tx_flags;
  int mine;

  rx_flags = kup_lock_take(&ch->end.rx_lock);
  tx_flags = kup_lock_take(&ch->end.tx_lock);
  /* Before: what is wrong with its last words is news of it, too. */
  if (generation == ch->end.generation) (void)kup_end_collect(&ch->end); /* we kick below */
  mine = kup_user_left(ch, generation);
  if (mine) {
    if (!kup_load(&ch->end.fatal))
      kup_store(&ch->end.rx_error, -EPIPE); /* after what is left in the ring */
    kup_fail_calls(&ch->end, -EPIPE);
  }
  kup_lock_drop(&ch->end.tx_lock, tx_flags);
  kup_lock_drop(&ch->end.rx_lock, rx_flags);
  if (mine) kup_wait_kick(&ch->end.wait);
}

int kupdev_revoke(struct kupdev_softc *sc, int chan_id) {
  struct kup_channel *ch = kup_channel_of(sc, chan_id);
  int rc;

  if (!ch) return -ECHRNG;
  rc = kup_begin_generation(ch, NULL, 1);
  if (rc) return rc;
  kup_port_offer(sc->port);
  return 0;
}

/* ---- create, unload, events ------------------------------------------------------------ */

static void free_device(struct kupdev_softc *sc) {
  uint32_t i;

  for (i = 0; sc->channels && i < sc->opts.n_channels; i++) {
    struct kup_channel *ch = &sc->channels[i];

    if (!ch->sc) continue;
    while (ch->retired) {
      struct kup_retired *old = ch->retired;

      ch->retired = old->next;
      kup_put_mem_locked(old->mem);
      kup_free(old);
    }
    if (ch->mem) kup_put_mem_locked(ch->mem);
    kup_free(ch->end.starts);
    kup_end_fini(&ch->end);
    kup_dev_wait_fini(&ch->end.wait);
  }
  kup_free(sc->channels);
  kup_dev_wait_fini(&sc->wait);
  kup_lock_fini(&sc->lock);
  kup_free(sc);
}

static int init_channel(struct kupdev_softc *sc, uint32_t i) {
  struct kup_channel *ch = &sc->channels[i];
  size_t bits = sc->opts.d2u_size / KUP_ALIGN;
  int rc = kup_dev_wait_init(&ch->end.wait);

  if (rc) return rc;
  rc = kup_end_init(&ch->end, &dev_ops);
  if (rc) {
    kup_dev_wait_fini(&ch->end.wait);
    return rc;
  }
  ch->sc = sc; /* from here on free_device takes it down */
  ch->index = i;
  ch->end.starts = kup_zalloc((bits + 63) / 64 * sizeof(uint64_t));
  if (!ch->end.starts) return -ENOMEM;
  return kup_begin_generation(ch, NULL, 0);
}

int kupdev_open(const char *name, const struct kupdev_opts *opts, struct kupdev_softc **out) {
  struct kupdev_softc *sc;
  uint32_t i;
  int rc;

  *out = NULL;
  sc = kup_zalloc(sizeof(*sc));
  if (!sc) return -ENOMEM;
  if (opts) sc->opts = *opts;
  rc = complete_opts(&sc->opts);
  if (rc) {
    kup_free(sc);
    return rc;
  }
  rc = kup_lock_init(&sc->lock);
  if (rc) {
    kup_free(sc);
    return rc;
  }
  rc = kup_dev_wait_init(&sc->wait);
  if (rc) {
    kup_lock_fini(&sc->lock);
    kup_free(sc);
    return rc;
  }
  sc->channels = kup_zalloc(sc->opts.n_channels * sizeof(*sc->channels));
  rc = sc->channels ? 0 : -ENOMEM;
  for (i = 0; !rc && i < sc->opts.n_channels; i++) rc = init_channel(sc, i);
  if (!rc) rc = kup_port_register(sc, name, &sc->port);
  if (rc) {
    free_device(sc);
    return rc;
  }
  *out = sc;
  return 0;
}

static int next_event(struct kupdev_softc *sc, struct kupdev_event *event, int only_attached) {
  unsigned long flags = kup_lock_take(&sc->lock);
  uint32_t i, n = sc->opts.n_channels;
  int found = 0;

  for (i = 0; i < n && !found; i++) {
    struct kup_channel *ch = &sc->channels[(sc->next_event + i) % n];

    while (!found && ch->event_first != ch->event_last) {
      *event = ch->events[ch->event_first++ & (KUP_EVENTS - 1)];
      found = !only_attached || event->kind == KUPDEV_ATTACHED;
    }
  }
  if (found) sc->next_event = event->channel + 1;
  kup_lock_drop(&sc->lock, flags);
  return found;
}

void kup_enter(struct kupdev_softc *sc) { (void)kup_count_add(&sc->calls, 1); }

void kup_leave(struct kupdev_softc *sc) {
  unsigned long flags;
  int n;

  while (!((n = kup_count_read(&sc->calls)) & KUP_CALLS_ENDING))
    if (kup_count_swap(&sc->calls, n, n - 1)) return;
  /* The lock, so that unload cannot free it under us. */
  flags = kup_lock_take(&sc->lock);
  (void)kup_count_add(&sc->calls, -1);
  kup_wait_kick(&sc->wait);
  kup_lock_drop(&sc->lock, flags);
}

static void wait_for_calls(struct kupdev_softc *sc) {
  (void)kup_count_add(&sc->calls, KUP_CALLS_ENDING);
  for (;;) {
    uint64_t epoch = kup_wait_epoch(&sc->wait);
    unsigned long flags = kup_lock_take(&sc->lock);
    int n = kup_count_read(&sc->calls);

    kup_lock_drop(&sc->lock, flags);
    if (n == KUP_CALLS_ENDING) return;
    kup_wait_idle(&sc->wait, epoch);
  }
}

static int await_event(struct kupdev_softc *sc, struct kupdev_event *event, int only_attached,
                       int64_t deadline) {
  int rc;

  kup_enter(sc);
  for (;;) {
    uint64_t epoch = kup_wait_epoch(&sc->wait);

    rc = kup_load(&sc->shutdown) ? -ESHUTDOWN : 0;
    if (rc || next_event(sc, event, only_attached)) break;
    rc = kup_wait_sleep(&sc->wait, epoch, deadline);
    if (rc) break;
  }
  kup_leave(sc);
  return rc;
}

int kupdev_wait_event(struct kupdev_softc *sc, struct kupdev_event *event, int timeout_ms) {
  return await_event(sc, event, 0, kup_deadline(timeout_ms));
}

int kupdev_wait_channel(struct kupdev_softc *sc) {
  struct kupdev_event event;
  int rc = sc ? await_event(sc, &event, 1, KUP_FOREVER) : -EINVAL;

  return rc ? rc : (int)event.channel;
}

void kupdev_notify(struct kupdev_softc *sc) {
  if (sc) kup_port_offer(sc->port);
}

int kupdev_unload(struct kupdev_softc *sc) {
  uint32_t i;

  if (!sc) return -EINVAL;
  kup_store(&sc->shutdown, 1u);
  for (i = 0; i < sc->opts.n_channels; i++) {
    struct kup_channel *ch = &sc->channels[i];
    unsigned long rx_flags = kup_lock_take(&ch->end.rx_lock);
    unsigned long tx_flags = kup_lock_take(&ch->end.tx_lock);

    if (kup_load(&ch->mem->dev->state) == KUP_STATE_READY)
      kup_store_release(&ch->mem->dev->state, (uint32_t)KUP_STATE_SHUTDOWN, KUP_SITE_STATE);
    kup_store(&ch->end.fatal, 1);
    kup_store(&ch->end.rx_error, -ESHUTDOWN);
    kup_store(&ch->end.tx_error, -ESHUTDOWN);
    kup_fail_calls(&ch->end, -ESHUTDOWN);
    kup_mem_signal(ch->mem);
    kup_lock_drop(&ch->end.tx_lock, tx_flags);
    kup_lock_drop(&ch->end.rx_lock, rx_flags);
    kup_wait_kick(&ch->end.wait);
  }
  kup_port_unregister(sc->port);
  kup_wait_kick(&sc->wait);
  wait_for_calls(sc);
  free_device(sc);
  return 0;
}
