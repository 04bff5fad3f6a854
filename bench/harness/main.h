// SPDX-License-Identifier: BSD-3-Clause
//
// main.h -- the program of an adapter: which workloads its peers can run, and main().
//
//   peer_x --list                          one line "peer workload" for each
//   peer_x PEER WORKLOAD [--scale=0.1] [--count-allocs]
//
// Include last, and only in an adapter.  run.py starts these programs.
#ifndef UWQ_BENCH_HARNESS_MAIN_H_
#define UWQ_BENCH_HARNESS_MAIN_H_

#include <stdio.h>
#include <string.h>

#include <functional>

#include "bench/harness/life_workloads.h"
#include "bench/harness/timer_workloads.h"
#include "bench/harness/workloads.h"

namespace uwq::bench {

struct Workload {
  const char* name;
  std::function<void(Run&)> body;
};

// Never destroyed: the process ends right after the workload, whatever still runs.
template <typename P, typename Body>
std::function<void(Run&)> With(Body body) {
  return [body](Run& run) { body(*new P(P::kWorkers), run); };
}

// The catalogue.  Names are those of docs/performance.md.
template <typename P>
std::vector<Workload> WorkloadsOf() {
  std::vector<Workload> all;
  const auto add = [&all](const char* name, auto body) { all.push_back({name, With<P>(body)}); };
  if constexpr (PostsMany<P>) {
    add("w1", [](P& p, Run& r) { PoolThroughput(p, r, 2000000, 1); });
    if constexpr (P::kManyProducers) {
      add("w2", [](P& p, Run& r) { PoolThroughput(p, r, 2000000, 4); });
      add("producers2", [](P& p, Run& r) { PoolThroughput(p, r, 500000, 2); });
      add("producers8", [](P& p, Run& r) { PoolThroughput(p, r, 500000, 8); });
    }
    add("w7", [](P& p, Run& r) { Chain(p, r); });
    add("burst1000", [](P& p, Run& r) { Burst(p, r); });
    add("burst64", [](P& p, Run& r) { Burst64(p, r); });
    add("loaded", [](P& p, Run& r) { LoadedLatency(p, r); });
    add("idle", [](P& p, Run& r) { IdleWakeups(p, r); });
    all.push_back({"memory", [](Run& r) { Memory<P>(r); }});
  }
  if constexpr (PostsMany<P> && requires { requires P::kStops; }) {
    all.push_back({"life", [](Run& r) { StartAndStop<P>(r); }});
  }
  if constexpr (PostsItems<P>) {
    add("w3_apart", [](P& p, Run& r) { WakeLatency(p, r, Pause::kSpin, Placement::kApart); });
    add("w3_spin", [](P& p, Run& r) { WakeLatency(p, r, Pause::kSpin, Placement::kFree); });
    add("w3_sleep", [](P& p, Run& r) { WakeLatency(p, r, Pause::kSleep, Placement::kFree); });
    add("w3_same", [](P& p, Run& r) { WakeLatency(p, r, Pause::kSleep, Placement::kTogether); });
  }
  if constexpr (PostsSerially<P>) {
    add("w4", [](P& p, Run& r) { SerialThroughput(p, r, 1); });
    if constexpr (P::kManyProducers) {
      add("w4_4", [](P& p, Run& r) { SerialThroughput(p, r, 4); });
    }
  }
  if constexpr (HasQueues<P>) add("queues1000", [](P& p, Run& r) { ManyQueues(p, r); });
  if constexpr (PostsItems<P>) {
    add("w5", [](P& p, Run& r) { PoolRoundTrips(p, r, Placement::kFree); });
    add("w5_apart", [](P& p, Run& r) { PoolRoundTrips(p, r, Placement::kApart); });
  }
  if constexpr (requires(P p) { p.RoundTripInline(); }) {
    add("w5_inline",
        [](P& p, Run& r) { RoundTrips(r, Placement::kFree, [&p] { p.RoundTripInline(); }); });
  }
  if constexpr (HasTimers<P>) {
    add("w6", [](P& p, Run& r) { TimerCosts(p, r, 1000000); });
    add("w6_100k", [](P& p, Run& r) { TimerCosts(p, r, 100000); });
  }
  if constexpr (requires(P p) { p.RunTimers(1); }) {
    add("w6_late", [](P& p, Run& r) { TimerLateness(p, r, 1000); });
    if constexpr (P::kTimersMax >= 1000000) {
      add("w6_early", [](P& p, Run& r) { TimerLateness(p, r, r.Scaled(100000)); });
    }
  }
  if constexpr (HasTimers<P> && requires { requires P::kOwnThread; }) {
    add("idle_armed", [](P& p, Run& r) { IdleArmed(p, r); });
  }
  if constexpr (Cancels<P>) add("w8", [](P& p, Run& r) { CancelPending(p, r); });
  return all;
}

struct PeerEntry {
  const char* name;
  std::vector<Workload> workloads;
};
template <typename P>
PeerEntry Peer(const char* name) {
  return {name, WorkloadsOf<P>()};
}

inline int PeerMain(int argc, char** argv, const std::vector<PeerEntry>& peers) {
  const char *peer_name = nullptr, *workload_name = nullptr;
  bool list = false;
  Run run;
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--list") == 0) {
      list = true;
    } else if (strcmp(argv[i], "--count-allocs") == 0) {
      CountAllocations();
    } else if (strncmp(argv[i], "--scale=", 8) == 0) {
      run.scale = atof(argv[i] + 8);
      if (!(run.scale > 0 && run.scale <= 1)) {
        fprintf(stderr, "%s: --scale is above 0 and at most 1, not %s\n", argv[0], argv[i] + 8);
        return 2;
      }
    } else if (argv[i][0] != '-' && workload_name == nullptr) {
      (peer_name == nullptr ? peer_name : workload_name) = argv[i];
    } else {
      fprintf(stderr, "%s: unknown argument %s; --list, or PEER WORKLOAD\n", argv[0], argv[i]);
      return 2;
    }
  }
  for (const PeerEntry& peer : peers) {
    for (const Workload& workload : peer.workloads) {
      if (list) printf("%s %s\n", peer.name, workload.name);
      if (peer_name == nullptr || workload_name == nullptr || strcmp(peer.name, peer_name) != 0 ||
          strcmp(workload.name, workload_name) != 0) {
        continue;
      }
      workload.body(run);
      run.result.Print(peer.name, workload.name);
      _exit(0);  // peers' threads may run still, and need not end
    }
  }
  if (list) return 0;
  fprintf(stderr, "%s: no peer %s with workload %s; see --list\n", argv[0],
          peer_name == nullptr ? "(none)" : peer_name,
          workload_name == nullptr ? "(none)" : workload_name);
  return 2;
}

}  // namespace uwq::bench

#define UWQ_BENCH_PEERS(...)                                \
  int main(int argc, char** argv) {                         \
    using uwq::bench::Peer;                                 \
    return uwq::bench::PeerMain(argc, argv, {__VA_ARGS__}); \
  }

#endif  // UWQ_BENCH_HARNESS_MAIN_H_
