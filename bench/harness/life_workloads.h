// SPDX-License-Identifier: BSD-3-Clause
//
// life_workloads.h -- start-up and shut-down, memory, and what an idle process does.
#ifndef UWQ_BENCH_HARNESS_LIFE_WORKLOADS_H_
#define UWQ_BENCH_HARNESS_LIFE_WORKLOADS_H_

#include <stdio.h>

#include "bench/harness/workloads.h"

namespace uwq::bench {

// Resident bytes of the process.
inline double Resident() {
  long pages = 0;
  if (FILE* const file = fopen("/proc/self/statm", "r")) {
    if (fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    fclose(file);
  }
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

inline int Threads() {
  int threads = 0;
  if (DIR* const tasks = opendir("/proc/self/task")) {
    while (const dirent* entry = readdir(tasks)) threads += entry->d_name[0] != '.' ? 1 : 0;
    closedir(tasks);
  }
  return threads;
}

// Makes a pool of two, runs one item, takes the pool down; in a process that has
// done so before.
template <typename P>
void StartAndStop(Run& run) {
  const size_t rounds = run.Scaled(100);
  std::vector<int64_t> starts, stops;
  for (size_t i = 0; i < rounds + 5; ++i) {
    const uint64_t target = ItemsDone() + 1;
    const int64_t begin = Now();
    auto peer = std::make_unique<P>(P::kWorkers);
    peer->Prepare(1, ItemDone);
    peer->Post(0);
    if constexpr (requires { peer->Settle(target); }) {
      peer->Settle(target);
    } else {
      while (ItemsDone() < target) sched_yield();
    }
    const int64_t ran = Now();
    peer.reset();
    if (i < 5) continue;
    starts.push_back(ran - begin);
    stops.push_back(Now() - ran);
  }
  run.result.AddPercentiles("start_", std::move(starts));
  run.result.AddPercentiles("stop_", std::move(stops));
}

// Resident memory per item with a million waiting in a blocked pool, the items'
// own storage included; per thread of the peer; and of the whole peer, idle.
template <typename P>
void Memory(Run& run) {
  const double before = Resident();
  const int threads_before = Threads();
  P& peer = *new P(P::kWorkers);
  peer.Prepare(1, ItemDone);
  const uint64_t one = ItemsDone() + 1;
  peer.Post(0);
  AwaitAll(peer, one);
  const double idle = Resident();
  const int threads = Threads() - threads_before;
  run.result.Add("idle_bytes", idle - before);
  run.result.Add("threads", threads);
  if (threads > 0) run.result.Add("worker_bytes", (idle - before) / threads);
  if constexpr (P::kBlocks) {
    const size_t n = std::min(P::kItemsMax, run.Scaled(1000000));
    const double empty = Resident();
    BlockWorkers(peer, n);
    for (size_t i = 0; i < n; ++i) peer.Post(i);
    if constexpr (requires { P::kItemBytes; }) run.result.Add("item_sizeof", P::kItemBytes);
    run.result.Add("item_bytes", (Resident() - empty) / static_cast<double>(n));
    gate.Set();
  }
  if constexpr (HasQueues<P>) {
    constexpr size_t kQueues = 1000;
    const double empty = Resident();
    peer.PrepareQueues(kQueues, 1, ItemDone);
    run.result.Add("queue_bytes", (Resident() - empty) / kQueues);
  }
}

// Sleeps and CPU time per second of all threads but this one.
inline void CountWhileIdle(Run& run) {
  SleepFor(100000000);
  constexpr double kSeconds = 1;
  const Usage from = Usage::Take();
  SleepFor(static_cast<int64_t>(kSeconds * 1e9));
  const Usage to = Usage::Take();
  run.result.Add("wakeups_per_s", static_cast<double>((to.sleeps - from.sleeps) -
                                                      (to.caller_sleeps - from.caller_sleeps)) /
                                      kSeconds);
  run.result.Add("cpu_us_per_s", static_cast<double>(to.cpu_ns - from.cpu_ns) / 1e3 / kSeconds);
}

// A pool that has worked and has nothing to do.
template <typename P>
void IdleWakeups(P& peer, Run& run) {
  peer.Prepare(1, ItemDone);
  const uint64_t target = ItemsDone() + 1;
  peer.Post(0);
  AwaitAll(peer, target);
  CountWhileIdle(run);
}

}  // namespace uwq::bench

#endif  // UWQ_BENCH_HARNESS_LIFE_WORKLOADS_H_
