/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * source.bpf.c -- the device of a bpf: channel: programs that the running kernel
 * executes on timers, perf events and trace points, and that post what they see.
 *
 * Our own layout is written with ring.h itself, checks of the user's tail included.
 * A BPF program sees the data area once, so a lap ends with a KUP_REC_DISCARD record.
 * Invariant: who holds state.lock is the one producer.  It is tried, for a bounded
 * time across CPUs and once on the holder's own CPU, because a program in an
 * interrupt must not wait for the one that it interrupted; who gives up counts.
 */
#include "kup_bridge/bpf/source.h"

#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <linux/types.h>

#include "kup_bridge/bpf/atomics.h"
#include "kup_bridge/ring.h"

char license_text[] SEC("license") = "Dual BSD/GPL";

#define ARRAY(name, value_type, flags) \
  struct {                             \
    __uint(type, BPF_MAP_TYPE_ARRAY);  \
    __uint(map_flags, flags);          \
    __uint(max_entries, 1);            \
    __type(key, uint32_t);             \
    __type(value, value_type);         \
  } name SEC(".maps")

ARRAY(device, struct kup_bpf_device, BPF_F_MMAPABLE);
ARRAY(user, struct kup_bpf_user, BPF_F_MMAPABLE);
ARRAY(state, struct kup_bpf_state, 0);

struct timer_value {
  struct bpf_timer timer;
};
ARRAY(timers, struct timer_value, 0);

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, KUP_BPF_RING);
} ringbuf SEC(".maps");

/* The only thing of BPF's that a sleeping process can wait for. */
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, KUP_PAGE_SIZE);
} doorbell SEC(".maps");

static __always_inline void *only(void *map) {
  uint32_t zero = 0;

  return bpf_map_lookup_elem(map, &zero);
}

static __always_inline int lock(struct kup_bpf_state *s) {
  uint64_t self = bpf_get_smp_processor_id() + 1;
  int i;

  for (i = 0; i < 64; i++) {
    uint64_t holder = __sync_val_compare_and_swap(&s->lock, 0, self);

    if (holder == 0) return 1;
    if (holder == self) break;
  }
  __sync_fetch_and_add(&s->contended, 1);
  return 0;
}

static __always_inline void unlock(struct kup_bpf_state *s) {
  (void)__sync_lock_test_and_set(&s->lock, 0);
}

struct end { /* on the stack: BPF keeps no pointers in maps */
  struct kup_bpf_state *s;
  struct kup_bpf_device *d;
  struct kup_tx tx;
};

static __always_inline void load(struct end *e, struct kup_bpf_user *u) {
  e->tx.head = &e->d->page.d2u_head;
  e->tx.tail = &u->page.d2u_tail;
  e->tx.wake_at = &u->page.d2u_wake_at;
  e->tx.space_at = &e->d->page.d2u_space_at;
  e->tx.floor = &e->d->page.d2u_floor;
  e->tx.data = e->d->data;
  e->tx.size = KUP_BPF_RING;
  e->tx.max_record = KUP_BPF_RING - sizeof(struct kup_rec);
  e->tx.next = e->s->next;
  e->tx.published = e->s->published;
  e->tx.tail_seen = e->s->tail_seen;
  e->tx.bad_pos = 0;
  e->tx.seq = e->s->seq;
  e->tx.bad = e->s->bad;
}

static __always_inline void save(struct end *e) {
  e->s->next = e->tx.next;
  e->s->published = e->tx.published;
  e->s->tail_seen = e->tx.tail_seen;
  e->s->seq = e->tx.seq;
  e->s->bad = e->tx.bad;
}

/* Reserves a record that does not wrap.  Where its payload goes, or NULL. */
static __always_inline uint8_t *reserve(struct end *e, uint32_t len) {
  uint64_t left = KUP_BPF_RING - (e->tx.next & (KUP_BPF_RING - 1));
  kup_data_t *to;

  if (left < kup_rec_span(len)) {
    if (kup_tx_reserve(&e->tx, left - sizeof(struct kup_rec), &to) != KUP_RING_OK) return NULL;
    kup_tx_commit(&e->tx, left - sizeof(struct kup_rec), 0, KUP_REC_DISCARD, 0);
  }
  if (kup_tx_reserve(&e->tx, len, &to) != KUP_RING_OK) return NULL;
  /* Once more, for the verifier. */
  return e->d->data + (e->tx.next & (KUP_BPF_RING - 1)) + sizeof(struct kup_rec);
}

static __always_inline int put(struct end *e, uint16_t type, const void *data, uint32_t len) {
  uint8_t *to = reserve(e, len);

  if (!to) return 0;
  __builtin_memcpy(to, data, len);
  kup_tx_commit(&e->tx, len, type, 0, 0);
  e->s->records++;
  return 1;
}

/* Commits one event, or counts it as dropped. */
static __always_inline void post(struct end *e, uint16_t type, const struct kup_bpf_event *event) {
  struct kup_lost *lost = &e->s->lost;
  uint64_t missed = e->s->contended ? __sync_lock_test_and_set(&e->s->contended, 0) : 0;

  if (missed) {
    if (!lost->records) lost->first_seq = e->tx.seq;
    lost->records += missed;
    lost->bytes += missed * sizeof(*event);
    e->tx.seq += missed;
    lost->last_seq = e->tx.seq - 1;
  }
  if (lost->records) {
    struct kup_lost told = *lost;

    if (put(e, KUP_TYPE_LOST, &told, sizeof(told))) __builtin_memset(lost, 0, sizeof(*lost));
  }
  if (lost->records || !put(e, type, event, sizeof(*event))) {
    if (!lost->records++) lost->first_seq = e->tx.seq;
    lost->last_seq = e->tx.seq++;
    lost->bytes += sizeof(*event);
    missed++;
  }
  if (missed) {
    e->s->dropped += missed;
    kup_store(&e->d->page.d2u_dropped_records, e->s->dropped);
    kup_store(&e->d->page.d2u_dropped_bytes, e->s->dropped * sizeof(*event));
  }
}

static __always_inline void publish(struct end *e) {
  if (kup_tx_publish(&e->tx)) {
    uint64_t one = 1;

    bpf_ringbuf_output(&doorbell, &one, sizeof(one), BPF_RB_FORCE_WAKEUP);
  }
  kup_store(&e->d->page.d2u_records, e->s->records);
  if (e->tx.bad && kup_load(&e->d->page.state) == KUP_STATE_READY) {
    uint64_t one = 1;

    kup_store(&e->d->page.error, e->tx.bad);
    kup_store(&e->d->page.error_pos, e->tx.bad_pos);
    kup_store(&e->d->page.state, KUP_STATE_POISONED);
    bpf_ringbuf_output(&doorbell, &one, sizeof(one), BPF_RB_FORCE_WAKEUP);
  }
}

static __always_inline void fill(struct kup_bpf_event *event, uint64_t v0, uint64_t v1) {
  event->time_ns = bpf_ktime_get_ns();
  event->value[0] = v0;
  event->value[1] = v1;
  event->cpu = bpf_get_smp_processor_id();
  event->pid = bpf_get_current_pid_tgid() >> 32;
  bpf_get_current_comm(event->comm, sizeof(event->comm));
}

static __always_inline void drop_ringbuf(struct kup_bpf_device *d) {
  __sync_fetch_and_add(&d->page.d2u_dropped_records, 1);
  __sync_fetch_and_add(&d->page.d2u_dropped_bytes, sizeof(struct kup_bpf_event));
}

static __always_inline void emit(uint16_t type, uint64_t v0, uint64_t v1) {
  struct kup_bpf_user *u = only(&user);
  struct kup_bpf_event event;
  struct end e;

  e.s = only(&state);
  e.d = only(&device);
  if (!e.s || !e.d || !u) return;
  fill(&event, v0, v1);
  if (e.s->ringbuf) {
    if (bpf_ringbuf_output(&ringbuf, &event, sizeof(event), 0) < 0) drop_ringbuf(e.d);
    return;
  }
  if (!lock(e.s)) return;
  load(&e, u);
  post(&e, type, &event);
  publish(&e);
  save(&e);
  unlock(e.s);
}

/* ---- sources ------------------------------------------------------------------------- */

static int on_timer(void *map, uint32_t *key, struct timer_value *value) {
  struct kup_bpf_state *s = only(&state);

  if (!s) return 0;
  emit(KUP_BPF_TIMER, ++s->count, 0);
  bpf_timer_start(&value->timer, s->period_ns, 0);
  return 0;
}

SEC("syscall")
int start_timer(void *context) {
  struct timer_value *value = only(&timers);
  struct kup_bpf_state *s = only(&state);
  long rc;

  if (!value || !s) return 1;
  rc = bpf_timer_init(&value->timer, &timers, 1 /* CLOCK_MONOTONIC */);
  if (rc) return (int)rc;
  rc = bpf_timer_set_callback(&value->timer, on_timer);
  if (rc) return (int)rc;
  return (int)bpf_timer_start(&value->timer, s->period_ns, 0);
}

SEC("perf_event")
int on_perf(void *context) {
  struct kup_bpf_state *s = only(&state);

  if (s) emit(KUP_BPF_PERF, s->period_ns, 0);
  return 0;
}

SEC("raw_tp")
int on_trace(struct bpf_raw_tracepoint_args *context) {
  emit(KUP_BPF_TRACE, context->args[0], context->args[1]);
  return 0;
}

static int run_batch(uint32_t index, void *context) {
  struct kup_bpf_user *u = only(&user);
  struct kup_bpf_event event;
  struct end e;
  uint64_t i, n;

  e.s = only(&state);
  e.d = only(&device);
  if (!e.s || !e.d || !u) return 1;
  n = e.s->count < e.s->batch ? e.s->count : e.s->batch;
  fill(&event, 0, 0);
  if (e.s->ringbuf) {
    for (i = 0; i < 64 && i < n; i++) {
      event.value[0] = e.s->count--;
      if (bpf_ringbuf_output(&ringbuf, &event, sizeof(event), 0) < 0) drop_ringbuf(e.d);
    }
    return e.s->count == 0;
  }
  if (!lock(e.s)) return 0;
  load(&e, u);
  for (i = 0; i < 64 && i < n; i++) {
    event.value[0] = e.s->count--;
    post(&e, KUP_BPF_RUN, &event);
  }
  publish(&e);
  save(&e);
  unlock(e.s);
  return e.s->count == 0;
}

SEC("syscall")
int run(void *context) {
  struct kup_bpf_state *s = only(&state);

  if (!s || !s->batch) return 1;
  bpf_loop(s->count / s->batch + 1, run_batch, NULL, 0);
  return 0;
}
