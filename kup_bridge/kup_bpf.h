/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kup_bpf.h -- messages of the running kernel itself, without a module: addresses
 * "bpf:SOURCE" of kup.h (link //kup_bridge:bpf to have them).
 *
 *   bpf:timer/PERIOD_US        a kernel timer, every so many microseconds
 *   bpf:perf/EVENT/PERIOD      a software event of perf on every CPU; one message for
 *                              PERIOD of them.  cpu-clock (ns), page-faults,
 *                              context-switches, cpu-migrations, minor-faults
 *   bpf:trace/NAME             a trace point, e.g. sched_switch
 *   bpf:run                    nothing by itself: kup_bpf_run
 *   ...?ringbuf                through BPF's ring buffer instead of our layout
 *
 * A BPF program (bpf/source.bpf.c) writes the records into a mapped array that has
 * the layout of kup_abi.h, so that this end is an ordinary channel: poll, descriptor,
 * bridge, loss counted in band.  With ?ringbuf each record is copied once more, from
 * BPF's own ring, by the receiver.  It is receive-only, has one channel, and stops
 * with it.
 *
 * Errors beside those of kup.h: -EACCES with the reason where the machine does not
 * permit BPF (it wants root, or CAP_BPF and CAP_PERFMON), -ENOSYS in a program that
 * was linked without it, -EOPNOTSUPP for sending.
 */
#ifndef UWQ_KUP_BRIDGE_KUP_BPF_H_
#define UWQ_KUP_BRIDGE_KUP_BPF_H_

#include "kup_bridge/kup_abi.h"

/* Types of messages; the payload of each is struct kup_bpf_event. */
enum kup_bpf_type { KUP_BPF_TIMER = 1, KUP_BPF_PERF = 2, KUP_BPF_TRACE = 3, KUP_BPF_RUN = 4 };

struct kup_bpf_event {
  uint64_t time_ns;  /* CLOCK_MONOTONIC, in the kernel, when it happened */
  uint64_t value[2]; /* count (timer: up, run: down to 1); period (perf); two arguments (trace) */
  uint32_t cpu;
  uint32_t pid; /* whom it interrupted, or who caused it */
  char comm[16];
};
KUP_ASSERT(sizeof(struct kup_bpf_event) == 48, "kup_bpf_event size");

#ifndef __bpf__
#ifdef __cplusplus
extern "C" {
#endif

struct kup_chan;

/*
 * Of a channel of bpf:run: has the kernel post `records` messages, `batch` of them
 * (1..64) per publish, on the calling thread's CPU.  Returns when they are in the
 * ring; those that found it full are counted as dropped.  0 or -errno.  Any thread.
 */
int kup_bpf_run(struct kup_chan *ch, uint64_t records, uint32_t batch);

#ifdef __cplusplus
}
#endif
#endif

#endif /* UWQ_KUP_BRIDGE_KUP_BPF_H_ */
