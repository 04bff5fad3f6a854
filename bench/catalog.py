# SPDX-License-Identifier: BSD-3-Clause
"""The questions of the benchmark, in the order of the table, and the bars.

One entry per workload of harness/main.h: what it asks, which metric answers, which
other metrics stand beside it.  docs/performance.md says the same in full sentences.
"""

import dataclasses

OURS = ("uwq", "uwq-max2", "uwq-percpu", "uwq-spin")
LIMITS = ("raw-futex", "raw-timerfd", "kernel-wq")  # no peers: what the machine and its kernel do
# Peers with one thread by design: no contention between consumers, no parallel items.
ONE_THREAD = ("libevent", "libev", "libuv-async", "urcu-wfcqueue")


@dataclasses.dataclass(frozen=True)
class Question:
    text: str
    metric: str = "wall_ns"
    unit: str = "ns/item"
    beside: tuple = ("cpu_ns", "switches", "wakeups", "allocs")
    metrics: tuple = ()  # several answers in one run: one row each


QUESTIONS = {
    "w1": Question("1 producer, pool of 2, empty items: first post to last completion"),
    "w2": Question("4 producers, pool of 2, empty items"),
    "producers2": Question("2 producers, pool of 2, empty items"),
    "producers8": Question("8 producers, pool of 2, empty items"),
    "w3_apart": Question("post to start, idle pool, poster on CPU 0, workers on CPU 1", "p50_ns",
                         "ns", ("p99_ns", "post_p50_ns", "cpu_ns", "switches")),
    "w3_spin": Question("post to start, idle pool, poster spins, nobody pinned", "p50_ns", "ns",
                        ("p99_ns", "post_p50_ns", "cpu_ns", "switches")),
    "w3_sleep": Question("post to start, idle pool, poster sleeps, nobody pinned", "p50_ns", "ns",
                         ("p99_ns", "post_p50_ns", "cpu_ns", "switches")),
    "w3_same": Question("post to start, idle pool, everybody on CPU 0", "p50_ns", "ns",
                        ("p99_ns", "post_p50_ns", "cpu_ns", "switches")),
    "loaded": Question("post to start while the pool is half busy with 10 us items", "p50_ns", "ns",
                       ("p99_ns", "cpu_ns", "switches", "wakeups")),
    "w4": Question("serial queue, 1 producer, empty items"),
    "w4_4": Question("serial queue, 4 producers, empty items"),
    "queues1000": Question("1000 serial queues on one pool, posted to in turn"),
    "w5": Question("post one item and wait until it has run", "p50_ns", "ns",
                   ("p99_ns", "cpu_ns", "switches", "allocs")),
    "w5_apart": Question("the same, waiter on CPU 0, workers on CPU 1", "p50_ns", "ns",
                         ("p99_ns", "cpu_ns", "switches")),
    "w5_inline": Question("the same where the library may run it in place (RunSync)", "wall_ns",
                          "ns", ("p50_ns", "cpu_ns", "allocs")),
    "w6": Question("10^6 timers, random 1..1000 s", "arm_cpu_ns", "CPU ns/timer", (),
                   ("arm_cpu_ns", "cancel_in_order_cpu_ns", "cancel_cpu_ns", "rearm_cpu_ns",
                    "turn_cpu_ns", "timer_bytes")),
    "w6_100k": Question("10^5 timers, random 1..1000 s", "arm_cpu_ns", "CPU ns/timer", (),
                        ("arm_cpu_ns", "cancel_cpu_ns")),
    "w6_late": Question("1000 timers in 10..500 ms: callback minus deadline", "p99_ns", "ns",
                        ("p50_ns", "early", "max_ns", "cpu_ns")),
    "w6_early": Question("10^5 timers in 10..500 ms: callback minus deadline", "p99_ns", "ns",
                         ("p50_ns", "early", "max_ns", "cpu_ns")),
    "w7": Question("one item that posts itself again", "wall_ns", "ns/hop",
                   ("cpu_ns", "switches", "allocs")),
    "w8": Question("workers blocked: taking back 10^5 pending items one by one", "cpu_ns",
                   "CPU ns/item", ("wall_ns", "post_ns", "allocs")),
    "burst1000": Question("1000 items into a pool that sleeps", "p50_ns", "ns/burst",
                          ("post_p50_ns", "wakeups", "p99_ns")),
    "burst64": Question("64 items, the poster yields until all have run", "p50_ns", "ns/item",
                        ("post_p50_ns", "p99_ns")),
    "memory": Question("resident memory", "item_bytes", "bytes", (),
                       ("item_bytes", "item_sizeof", "queue_bytes", "worker_bytes", "idle_bytes")),
    "life": Question("start a pool and run one item; stop it", "start_p50_ns", "ns", (),
                     ("start_p50_ns", "stop_p50_ns")),
    "idle": Question("an idle pool, per second", "wakeups_per_s", "per s", ("cpu_us_per_s",)),
    "idle_armed": Question("a timer armed for 1000 s and nothing else, per second", "wakeups_per_s",
                           "per s", ("cpu_us_per_s",)),
}


@dataclasses.dataclass(frozen=True)
class Bar:
    """ours(workload, metric) <= factor * best of `peers`, or <= an absolute `limit`.

    `peers` None: all packaged peers of that workload.  `floor`: what the machine itself
    charges for the least that the job needs, a row (workload, peer, metric) or one of
    the costs; a bar below it is one that the machine does not allow.
    """

    issue: int  # 0: nobody asked for it
    name: str
    workload: str
    metric: str
    ours: str = "uwq"
    factor: float = 0.0
    peers: tuple = None
    limit: float = None
    floor: tuple = ()


_POOL_OF_TWO = ("w1", "w2", "producers2", "producers8")


def no_rivals(workload):
    """Who does another job in that workload."""
    return OURS + LIMITS + (ONE_THREAD if workload in _POOL_OF_TWO else ())


def candidates(bar, peers):
    """The peers of `peers` that `bar` compares with."""
    if bar.peers is not None:
        return [p for p in peers if p in bar.peers]
    return [p for p in peers if p != "naive" and p not in no_rivals(bar.workload)]


_FUTEX = ("raw-futex",)
_KERNEL = ("kernel-wq",)
_ASIO = ("asio",)
_POOLS = ("asio", "tbb", "libuv", "glib", "naive")  # moodycamel is a queue, with neither order nor waits
_LIBEVENT = ("libevent",)
_ONE_EACH = ("libevent", "libev", "glib", "naive")  # these give the queue one thread
_HANDOVER = ("costs", "item_handover_rmw")
_UNLINK = ("costs", "unlink_random_of_1e6_locked")
_RELINK = ("costs", "relink_random_of_1e5_locked")
_TIMERFD = ("w6_late", "raw-timerfd", "p99_ns")
_MICRO = "micro"

BARS = (
    Bar(7, "W1: 2x the best packaged pool of 2", "w1", "wall_ns", factor=0.5, floor=_HANDOVER),
    Bar(0, "W1: the same, of libraries that are pools", "w1", "wall_ns", factor=0.5, peers=_POOLS,
        floor=_HANDOVER),
    Bar(7, "W1: wall per item", "w1", "wall_ns", limit=45, floor=_HANDOVER),
    Bar(7, "W2: 1.2x the best pool of 2", "w2", "wall_ns", factor=1 / 1.2, floor=_HANDOVER),
    Bar(0, "W2: the same, of libraries that are pools", "w2", "wall_ns", factor=1 / 1.2,
        peers=_POOLS, floor=_HANDOVER),
    Bar(7, "W3 p50: 1.1x the raw futex wake", "w3_apart", "p50_ns", factor=1.1, peers=_FUTEX),
    Bar(7, "W3 p99: 1.1x the raw futex wake", "w3_apart", "p99_ns", factor=1.1, peers=_FUTEX),
    Bar(7, "W3 p50, unpinned: the same", "w3_sleep", "p50_ns", factor=1.1, peers=_FUTEX),
    Bar(7, "W3 p99, unpinned: the same", "w3_sleep", "p99_ns", factor=1.1, peers=_FUTEX),
    Bar(7, "W3 p50 with the spin option", "w3_apart", "p50_ns", ours="uwq-spin", limit=1000,
        floor=("costs", "line_round_trip")),
    Bar(7, "W4, 1 producer: 3x asio strand", "w4", "wall_ns", factor=1 / 3, peers=_ASIO,
        floor=_HANDOVER),
    Bar(7, "W4, 4 producers: 3x asio strand", "w4_4", "wall_ns", factor=1 / 3, peers=_ASIO,
        floor=_HANDOVER),
    Bar(7, "W4, 1 producer: best with one thread", "w4", "wall_ns", factor=1, peers=_ONE_EACH,
        floor=_HANDOVER),
    Bar(7, "W4, 4 producers: best with one thread", "w4_4", "wall_ns", factor=1, peers=_ONE_EACH,
        floor=_HANDOVER),
    Bar(7, "W5 p50: the best packaged peer", "w5", "p50_ns", factor=1,
        floor=("costs", "line_round_trip")),
    Bar(7, "W5 RunSync on an idle queue", _MICRO, "BM_RunSyncIdle", limit=60),
    Bar(7, "W6 arm: 0.8x libevent with locks", "w6", "arm_cpu_ns", factor=0.8, peers=_LIBEVENT),
    Bar(7, "W6 cancel, random: 0.25x", "w6", "cancel_cpu_ns", factor=0.25, peers=_LIBEVENT,
        floor=_UNLINK),
    Bar(7, "W6 re-arm, 10^5 live: 0.4x", "w6", "rearm_cpu_ns", factor=0.4, peers=_LIBEVENT,
        floor=_RELINK),
    Bar(7, "W6 early, of 1000", "w6_late", "early", limit=0),
    Bar(7, "W6 p99 lateness: libevent, precise", "w6_late", "p99_ns", factor=1,
        peers=("libevent-precise",), floor=_TIMERFD),
    Bar(7, "W7 self-requeue hop", "w7", "wall_ns", limit=40, floor=("costs", "hop_rmw")),
    Bar(7, "W8 cancel of a pending item", "w8", "cpu_ns", ours="uwq-max2", limit=30),
    Bar(7, "allocations per queue", "w1", "allocs", limit=0),
    Bar(7, "allocations per flush", "w5", "allocs", limit=0),
    Bar(7, "allocations per cancel", "w8", "allocs", ours="uwq-max2", limit=0),
    Bar(7, "allocations per arm", "w6", "arm_allocs", limit=0),
    Bar(7, "allocations per re-arm", "w6", "rearm_allocs", limit=0),
    Bar(7, "allocations per cancel of a timer", "w6", "cancel_allocs", limit=0),
    Bar(7, "queue_work of a pending item", _MICRO, "BM_QueueAlreadyPending", limit=10),
    Bar(7, "burst of 1000, idle pool: wake-ups", "burst1000", "wakeups", limit=4),
    Bar(7, "kernel's own: per item, bursts of 64", "burst64", "p50_ns", ours="uwq-percpu",
        factor=0.5, peers=_KERNEL),
    Bar(7, "kernel's own: self-requeue hop", "w7", "wall_ns", ours="uwq-percpu", factor=0.5,
        peers=_KERNEL),
    Bar(7, "kernel's own: to start, same CPU, p50", "w3_same", "p50_ns", ours="uwq-percpu",
        factor=1.3, peers=_KERNEL, floor=("w3_same", "raw-futex", "p50_ns")),
    Bar(2, "queue and run, one producer", "w1", "wall_ns", limit=150, floor=_HANDOVER),
    Bar(2, "queue and flush: naive post and wait", "w5", "p50_ns", factor=1, peers=("naive",)),
    Bar(2, "size of a work item", "memory", "item_sizeof", ours="uwq-max2", limit=32),
    Bar(2, "bytes per live item, of 10^6", "memory", "item_bytes", ours="uwq-max2", limit=40),
    Bar(2, "idle wake-ups per second", "idle", "wakeups_per_s", limit=0),
    Bar(3, "arm", "w6", "arm_cpu_ns", limit=40),
    Bar(3, "cancel, random order", "w6", "cancel_cpu_ns", limit=60, floor=_UNLINK),
    Bar(3, "re-arm, 10^5 live", "w6", "rearm_cpu_ns", limit=60, floor=_RELINK),
    Bar(3, "early, of 10^5", "w6_early", "early", limit=0),
    Bar(3, "bytes per armed delayed item", "w6", "timer_bytes", limit=88),
    Bar(3, "wake-ups per second, far timer", "idle_armed", "wakeups_per_s", limit=0),
)
