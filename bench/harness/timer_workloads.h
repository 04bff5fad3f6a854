// SPDX-License-Identifier: BSD-3-Clause
//
// timer_workloads.h -- W6: what timers cost, and how late they are.
//
// Deadlines are random 1..1000 s, so that none comes while the costs are measured.
// Figures are CPU time as well as wall time; one thread works, so the two differ
// only by what the rest of the machine does.
#ifndef UWQ_BENCH_HARNESS_TIMER_WORKLOADS_H_
#define UWQ_BENCH_HARNESS_TIMER_WORKLOADS_H_

#include <numeric>
#include <random>

#include "bench/harness/life_workloads.h"
#include "bench/harness/workloads.h"

namespace uwq::bench {

template <typename P>
void SettleTimers(P& peer) {
  if constexpr (requires { peer.SettleTimers(); }) peer.SettleTimers();
}

inline std::vector<int64_t> RandomDelays(size_t n, int64_t from_ms, int64_t to_ms) {
  std::mt19937_64 random(1);
  std::uniform_int_distribution<int64_t> delay(from_ms, to_ms);
  std::vector<int64_t> delays(n);
  for (int64_t& d : delays) d = delay(random) * 1000000;
  return delays;
}

inline void AddPerTimer(Run& run, const char* name, const Usage& from, const Usage& to, size_t n) {
  const std::string prefix(name);
  const double ops = static_cast<double>(n);
  run.result.Add(prefix + "_cpu_ns", static_cast<double>(to.cpu_ns - from.cpu_ns) / ops);
  run.result.Add(prefix + "_wall_ns", static_cast<double>(to.wall_ns - from.wall_ns) / ops);
  if (CountingAllocations()) {
    run.result.Add(prefix + "_allocs",
                   static_cast<double>(to.allocations - from.allocations) / ops);
  }
}

template <typename P>
void TimerCosts(P& peer, Run& run, size_t timers) {
  const size_t n = std::min(P::kTimersMax, run.Scaled(timers));
  const size_t live = std::max<size_t>(1, n / 10);
  const std::vector<int64_t> delays = RandomDelays(n, 1000, 999999);
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(2));

  const double before = Resident();
  peer.PrepareTimers(n);
  for (const bool in_order : {true, false}) {
    const Usage from = Usage::Take();
    for (size_t i = 0; i < n; ++i) peer.Arm(i, delays[i]);
    const Usage armed = Usage::Take();
    if (!in_order) {
      run.result.Add("timer_bytes", (Resident() - before) / static_cast<double>(n));
    }
    const Usage full = Usage::Take();  // reading the memory's size allocates
    for (size_t i = 0; i < n; ++i) peer.Disarm(in_order ? i : order[i]);
    SettleTimers(peer);
    const Usage to = Usage::Take();
    // The first round touches the memory; the second is the figure.
    AddPerTimer(run, in_order ? "arm_cold" : "arm", from, armed, n);
    AddPerTimer(run, in_order ? "cancel_in_order" : "cancel", full, to, n);
  }
  for (size_t i = 0; i < live; ++i) peer.Arm(i, delays[i]);
  SettleTimers(peer);
  {
    const Usage from = Usage::Take();
    for (size_t k = 0; k < n; ++k) peer.Rearm(order[k] % live, delays[k]);
    SettleTimers(peer);
    AddPerTimer(run, "rearm", from, Usage::Take(), n);
  }
  if constexpr (requires { peer.TurnLoop(); }) {
    peer.TurnLoop();
    const Usage from = Usage::Take();
    for (int i = 0; i < 100; ++i) peer.TurnLoop();
    AddPerTimer(run, "turn", from, Usage::Take(), 100);
  }
  for (size_t i = 0; i < live; ++i) peer.Disarm(i);
  SettleTimers(peer);
}

// Timers at random 10..500 ms: the start of the callback minus the deadline.
template <typename P>
void TimerLateness(P& peer, Run& run, size_t n) {
  fired_at = std::vector<std::atomic<int64_t>>(n);
  nr_fired = 0;
  const std::vector<int64_t> delays = RandomDelays(n, 10, 500);
  std::vector<int64_t> deadlines(n), late;
  peer.PrepareTimers(n);
  const Usage from = Usage::Take();
  for (size_t i = 0; i < n; ++i) {
    deadlines[i] = Now() + delays[i];
    peer.Arm(i, delays[i]);
  }
  peer.RunTimers(n);
  const Usage to = Usage::Take();
  size_t early = 0;
  for (size_t i = 0; i < n; ++i) {
    late.push_back(fired_at[i].load() - deadlines[i]);
    if (late.back() < 0) ++early;
  }
  run.result.AddPercentiles("", std::move(late));
  run.result.Add("early", static_cast<double>(early));
  run.result.AddUse(from, to, static_cast<double>(n));
}

// One timer that is far away, in a process that does nothing else.
template <typename P>
void IdleArmed(P& peer, Run& run) {
  peer.PrepareTimers(1);
  peer.Arm(0, int64_t{1000} * 1000000000);
  CountWhileIdle(run);
}

}  // namespace uwq::bench

#endif  // UWQ_BENCH_HARNESS_TIMER_WORKLOADS_H_
