// SPDX-License-Identifier: BSD-3-Clause
//
// workloads.h -- the questions about items: W1-W5, W7, W8 and their relatives.
//
// One function per question, the same for every peer; docs/performance.md says in
// words what each measures.  Sizes are for scale 1; a warm-up precedes.  Latencies take
// 3000 samples a round, which seven rounds make the 20 000 of the definition.
// Read on: timer_workloads.h (W6), life_workloads.h (what a peer holds and costs idle).
#ifndef UWQ_BENCH_HARNESS_WORKLOADS_H_
#define UWQ_BENCH_HARNESS_WORKLOADS_H_

#include <dirent.h>
#include <stdlib.h>

#include <memory>
#include <thread>

#include "bench/harness/completion.h"
#include "bench/harness/measure.h"
#include "bench/harness/peer.h"

namespace uwq::bench {

struct Run {
  double scale = 1;
  Result result;
  size_t Scaled(size_t n) const {
    return std::max<size_t>(20, static_cast<size_t>(static_cast<double>(n) * scale));
  }
};

template <typename P>
void AwaitAll(P& peer, uint64_t target) {
  if constexpr (requires { peer.Settle(target); }) {
    peer.Settle(target);
  } else {
    AwaitItems(target);
  }
}

// Brings all workers to a halt; items 0..n-1 are prepared and idle afterwards.
template <typename P>
void BlockWorkers(P& peer, size_t n) {
  gate.Reset();
  nr_blocked = 0;
  peer.Prepare(n + P::kWorkers, BlockAtGate);
  for (size_t i = 0; i < P::kWorkers; ++i) peer.Post(n + i);
  AwaitBlocked(P::kWorkers);
  peer.Prepare(n, ItemDone);
}

// --- Throughput: W1, W2, W4, and the number of producers or queues ---------------

// `prepare(n)` and `post(i)` choose the kind of queue.
template <typename P, typename PrepareFn, typename PostFn>
void Throughput(P& peer, Run& run, size_t items, int producers, PrepareFn prepare, PostFn post) {
  const size_t full = std::min(P::kItemsMax, run.Scaled(items));
  for (const size_t n : {full / 20 + 1, full}) {
    prepare(n);
    SleepFor(20000000);
    const uint64_t target = ItemsDone() + n;
    Usage from, to;
    double post_ns = 0;
    if (producers == 1) {
      from = Usage::Take();
      for (size_t i = 0; i < n; ++i) post(i);
      post_ns = static_cast<double>(Now() - from.wall_ns) / static_cast<double>(n);
      AwaitAll(peer, target);
      to = Usage::Take();
    } else {
      Event go;
      std::atomic<int> ready{0};
      std::vector<std::thread> threads;
      for (int t = 0; t < producers; ++t) {
        threads.emplace_back([&, t] {
          ready.fetch_add(1);
          go.Wait();
          const size_t end = n * (t + 1) / producers;
          for (size_t i = n * t / producers; i < end; ++i) post(i);
        });
      }
      while (ready.load() < producers) SleepFor(100000);
      SleepFor(2000000);
      from = Usage::Take();
      go.Set();
      for (std::thread& t : threads) t.join();
      AwaitAll(peer, target);
      to = Usage::Take();
    }
    if (n != full) continue;
    run.result.AddUse(from, to, static_cast<double>(n));
    if (producers == 1) run.result.Add("post_ns", post_ns);
  }
}

template <typename P>
void PoolThroughput(P& peer, Run& run, size_t items, int producers) {
  Throughput(
      peer, run, items, producers, [&](size_t n) { peer.Prepare(n, ItemDone); },
      [&](size_t i) { peer.Post(i); });
}

template <typename P>
void SerialThroughput(P& peer, Run& run, int producers) {
  Throughput(
      peer, run, 2000000, producers, [&](size_t n) { peer.PrepareSerial(n, ItemDone); },
      [&](size_t i) { peer.PostSerial(i); });
}

template <typename P>
void ManyQueues(P& peer, Run& run) {
  constexpr size_t kQueues = 1000;
  Throughput(
      peer, run, 500000, 1, [&](size_t n) { peer.PrepareQueues(kQueues, n, ItemDone); },
      [&](size_t i) { peer.PostTo(i % kQueues, i); });
}

// A thousand items into a pool that sleeps; per burst.
template <typename P>
void Burst(P& peer, Run& run) {
  constexpr size_t kItems = 1000;
  const size_t bursts = run.Scaled(40);
  Usage from{}, to{};
  std::vector<int64_t> walls, posts;
  double wakeups = 0;
  peer.Prepare(kItems, ItemDone);
  for (size_t k = 0; k < bursts + 3; ++k) {
    const uint64_t target = ItemsDone() + kItems;
    SleepFor(5000000);
    from = Usage::Take();
    for (size_t i = 0; i < kItems; ++i) peer.Post(i);
    posts.push_back(Now() - from.wall_ns);
    AwaitAll(peer, target);
    walls.push_back(Now() - from.wall_ns);
    SleepFor(2000000);  // the workers are asleep again: each wake-up shows as a sleep
    to = Usage::Take();
    if (k < 3) continue;
    wakeups +=
        static_cast<double>((to.sleeps - from.sleeps) - (to.caller_sleeps - from.caller_sleeps));
  }
  run.result.Add("wakeups", wakeups / static_cast<double>(bursts));
  run.result.AddPercentiles("", std::move(walls));
  run.result.AddPercentiles("post_", std::move(posts));
}

// --- Latency: W3, and under load ----------------------------------------------------

enum class Placement { kFree, kApart, kTogether };

// kApart: the caller on CPU 0, all other threads on CPU 1; kTogether: all on CPU 0.
inline void Place(Placement placement) {
  if (placement == Placement::kFree) return;
  DIR* const tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return;
  const pid_t self = static_cast<pid_t>(syscall(SYS_gettid));
  while (const dirent* entry = readdir(tasks)) {
    const int tid = atoi(entry->d_name);
    if (tid <= 0) continue;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(placement == Placement::kTogether || tid == self ? 0 : 1, &cpus);
    (void)sched_setaffinity(tid, sizeof(cpus), &cpus);
  }
  closedir(tasks);
}

enum class Pause { kSpin, kSleep };

inline constexpr size_t kSamples = 3000;

// From just before Post() to the first instruction of the item, the pool idle.
template <typename P>
void WakeLatency(P& peer, Run& run, Pause pause, Placement placement) {
  constexpr size_t kWarmUp = 300;
  constexpr int64_t kGap = 50000;
  const size_t n = kWarmUp + run.Scaled(kSamples);
  std::vector<int64_t> latency, post;
  latency.reserve(n);
  post.reserve(n);
  Usage from{};
  peer.Prepare(1, StampStart);
  for (size_t i = 0; i < n; ++i) {
    if (i == kWarmUp / 2) Place(placement);
    if (i == kWarmUp) from = Usage::Take();
    const uint64_t seen = nr_started.load();
    const int64_t begin = Now();
    peer.Post(0);
    const int64_t posted = Now();
    while (nr_started.load(std::memory_order_acquire) == seen) {
      // A poster that spins on the worker's CPU would wait for its own time slice.
      if (placement == Placement::kTogether || (pause == Pause::kSleep && Now() - posted > 20000)) {
        sched_yield();
      } else {
        Relax();
      }
    }
    if constexpr (requires { peer.Settle(0); }) peer.Settle(0);
    if (i >= kWarmUp) {
      latency.push_back(started_at.load() - begin);
      post.push_back(posted - begin);
    }
    if (pause == Pause::kSleep) {
      SleepFor(kGap);
    } else {
      for (const int64_t end = Now() + kGap; Now() < end;) Relax();
    }
  }
  const Usage to = Usage::Take();
  run.result.AddPercentiles("", std::move(latency));
  run.result.AddPercentiles("post_", std::move(post));
  run.result.AddUse(from, to, static_cast<double>(n - kWarmUp));
}

// The k-th start against the k-th post, in a pool kept half busy: 16 items of 10 us,
// a pause of 100 us, again.
inline std::vector<std::atomic<int64_t>> load_started;
inline void LoadItem() {
  const size_t k = nr_started.fetch_add(1);
  const int64_t now = Now();
  if (k < load_started.size()) load_started[k].store(now, std::memory_order_relaxed);
  while (Now() - now < 10000) Relax();
  ItemDone();
}

template <typename P>
void LoadedLatency(P& peer, Run& run) {
  constexpr size_t kBatch = 16;
  const size_t batches = run.Scaled(1000);
  const size_t n = batches * kBatch;
  load_started = std::vector<std::atomic<int64_t>>(n);
  std::vector<int64_t> posted(n);
  peer.Prepare(n, LoadItem);
  nr_started = 0;
  const uint64_t target = ItemsDone() + n;
  const Usage from = Usage::Take();
  for (size_t b = 0; b < batches; ++b) {
    for (size_t i = b * kBatch; i < (b + 1) * kBatch; ++i) {
      posted[i] = Now();
      peer.Post(i);
    }
    SleepFor(100000);
  }
  AwaitAll(peer, target);
  const Usage to = Usage::Take();
  for (size_t i = 0; i < n; ++i) posted[i] = load_started[i].load() - posted[i];
  run.result.AddPercentiles("", std::move(posted));
  run.result.AddUse(from, to, static_cast<double>(n));
}

// --- Round trips: W5 ------------------------------------------------------------------

template <typename Trip>
void RoundTrips(Run& run, Placement placement, Trip trip) {
  const size_t n = run.Scaled(kSamples);
  std::vector<int64_t> times;
  times.reserve(n);
  for (int i = 0; i < 500; ++i) {
    if (i == 250) Place(placement);
    trip();
  }
  const Usage from = Usage::Take();
  for (size_t i = 0; i < n; ++i) {
    const int64_t begin = Now();
    trip();
    times.push_back(Now() - begin);
  }
  const Usage to = Usage::Take();
  run.result.AddPercentiles("", std::move(times));
  run.result.AddUse(from, to, static_cast<double>(n));
}

// The peer's own wait, or else an event on a futex that the item sets.
template <typename P>
void PoolRoundTrips(P& peer, Run& run, Placement placement) {
  if constexpr (requires { peer.RoundTrip(); }) {
    peer.Prepare(1, [] {});
    RoundTrips(run, placement, [&peer] { peer.RoundTrip(); });
  } else {
    static Event done;
    peer.Prepare(1, [] { done.Set(); });
    RoundTrips(run, placement, [&peer] {
      done.Reset();
      peer.Post(0);
      done.Wait();
    });
  }
}

// --- Chains: W7 ------------------------------------------------------------------------

template <typename P>
void Chain(P& peer, Run& run) {
  const size_t full = std::min(P::kHopsMax, run.Scaled(1000000));
  for (const size_t n : {full / 20 + 1, full}) {
    hops_left = n;
    chain_done.Reset();
    const Usage from = Usage::Take();
    if constexpr (requires { peer.StartChain(); }) {
      peer.StartChain();
    } else {
      static P* const self = &peer;
      peer.Prepare(1, [] {
        if (ChainStep()) self->Post(0);
      });
      peer.Post(0);
    }
    if constexpr (requires { peer.Settle(0); }) peer.Settle(0);
    chain_done.Wait();
    const Usage to = Usage::Take();
    if (n == full) run.result.AddUse(from, to, static_cast<double>(n));
    SleepFor(2000000);
  }
}

// --- Cancel: W8 ---------------------------------------------------------------------------

// Workers blocked, pending items taken back one by one, in posting order.
template <typename P>
void CancelPending(P& peer, Run& run) {
  const size_t n = std::min(P::kItemsMax, run.Scaled(100000));
  size_t cancelled = 0;
  BlockWorkers(peer, n);
  const Usage start = Usage::Take();
  for (size_t i = 0; i < n; ++i) peer.Post(i);
  const Usage from = Usage::Take();
  for (size_t i = 0; i < n; ++i) cancelled += peer.Cancel(i) ? 1 : 0;
  const Usage to = Usage::Take();
  gate.Set();
  run.result.AddUse(from, to, static_cast<double>(n));
  run.result.Add("post_ns",
                 static_cast<double>(from.wall_ns - start.wall_ns) / static_cast<double>(n));
  run.result.Add("cancelled", static_cast<double>(cancelled) / static_cast<double>(n));
}

// --- Beside the running kernel's own workqueue (kernel_wq/) --------------------------------

inline std::atomic<int64_t> last_stamp{0};
inline std::atomic<uint64_t> nr_stamped{0};
inline void StampEnd() {
  last_stamp.store(Now(), std::memory_order_relaxed);
  nr_stamped.fetch_add(1, std::memory_order_release);
}

// 64 items at once; from before the first post to the stamp of the last item.
template <typename P>
void Burst64(P& peer, Run& run) {
  constexpr size_t kItems = 64;
  const size_t bursts = run.Scaled(1000);
  std::vector<int64_t> total, post;
  peer.Prepare(kItems, StampEnd);
  for (size_t b = 0; b < bursts; ++b) {
    const uint64_t target = nr_stamped.load() + kItems;
    const int64_t begin = Now();
    for (size_t i = 0; i < kItems; ++i) peer.Post(i);
    post.push_back((Now() - begin) / static_cast<int64_t>(kItems));
    if constexpr (requires { peer.Settle(0); }) peer.Settle(0);
    while (nr_stamped.load(std::memory_order_acquire) < target) sched_yield();
    total.push_back((last_stamp.load() - begin) / static_cast<int64_t>(kItems));
  }
  run.result.AddPercentiles("", std::move(total));
  run.result.AddPercentiles("post_", std::move(post));
}

}  // namespace uwq::bench

#endif  // UWQ_BENCH_HARNESS_WORKLOADS_H_
