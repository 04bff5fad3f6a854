/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
 *
 * kernel_wq.bpf.c -- queues items on the running kernel's own per-CPU workqueue.
 *
 * A BPF program of type SYSCALL may start a bpf_wq, which is queue_work() on
 * system_wq; no module is needed.  User space starts the programs, and reads the
 * control block and the latencies through shared maps.
 */
#include "bench/kernel_wq/kernel_wq.h"

#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <linux/types.h>

char license_text[] SEC("license") = "Dual BSD/GPL";

/* The verifier finds it by its name in the type information of a map's value. */
struct bpf_wq {
  __u64 opaque[2];
} __attribute__((aligned(8)));

extern int bpf_wq_init(struct bpf_wq* wq, void* map, unsigned int flags) __ksym;
extern int bpf_wq_start(struct bpf_wq* wq, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq* wq, int(callback)(void*, int*, void*),
                                    unsigned int flags, void* aux) __ksym;

struct item {
  struct bpf_wq work;
  __u64 queued_at;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, KERNEL_WQ_ITEMS);
  __type(key, __u32);
  __type(value, struct item);
} items SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct item);
} hops SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct kernel_wq_control);
} control SEC(".maps");

static struct kernel_wq_control* Control(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&control, &zero);
}

static int OnItem(void* map, int* key, void* value) {
  const __u64 now = bpf_ktime_get_ns();
  struct kernel_wq_control* c = Control();
  if (!c) return 0;
  c->latency = now - ((struct item*)value)->queued_at;
  c->ended_at = now;
  __sync_fetch_and_add(&c->done, 1);
  return 0;
}

static int InitOne(__u32 i, void* context) {
  __u32 key = i;
  struct kernel_wq_control* c = Control();
  struct item* item = bpf_map_lookup_elem(&items, &key);
  if (!c || !item) return 1;
  if (i < c->ready) return 0;
  if (bpf_wq_init(&item->work, &items, 0) != 0) return 1; /* no memory just now: again */
  bpf_wq_set_callback_impl(&item->work, OnItem, 0, 0);
  c->ready = i + 1;
  return 0;
}

SEC("syscall") int init_items(void* context) {
  bpf_loop(KERNEL_WQ_ITEMS, InitOne, 0, 0);
  return 0;
}

static int QueueOne(__u32 i, void* context) {
  __u32 key = i;
  struct item* item = bpf_map_lookup_elem(&items, &key);
  if (!item) return 1;
  item->queued_at = bpf_ktime_get_ns();
  bpf_wq_start(&item->work, 0);
  return 0;
}

SEC("syscall") int queue_burst(void* context) {
  struct kernel_wq_control* c = Control();
  if (!c) return 1;
  c->started_at = bpf_ktime_get_ns();
  bpf_loop(c->count, QueueOne, 0, 0);
  c->posted_at = bpf_ktime_get_ns();
  return 0;
}

static int OnHop(void* map, int* key, void* value) {
  struct kernel_wq_control* c = Control();
  if (!c) return 0;
  if (--c->count) {
    bpf_wq_start(&((struct item*)value)->work, 0);
    return 0;
  }
  c->ended_at = bpf_ktime_get_ns();
  c->done = 1;
  return 0;
}

SEC("syscall") int init_hop(void* context) {
  __u32 zero = 0;
  struct item* item = bpf_map_lookup_elem(&hops, &zero);
  if (!item || bpf_wq_init(&item->work, &hops, 0) != 0) return 1;
  bpf_wq_set_callback_impl(&item->work, OnHop, 0, 0);
  return 0;
}

SEC("syscall") int start_hops(void* context) {
  __u32 zero = 0;
  struct kernel_wq_control* c = Control();
  struct item* item = bpf_map_lookup_elem(&hops, &zero);
  if (!c || !item) return 1;
  c->started_at = bpf_ktime_get_ns();
  bpf_wq_start(&item->work, 0);
  return 0;
}
