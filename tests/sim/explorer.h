// SPDX-License-Identifier: BSD-3-Clause
//
// explorer.h -- runs one test body under many schedules.
//
// Invariant: the same seed, or the same path, gives the same execution, on every
// machine and in every process.  A failure prints what to set to see it again:
//
//   UWQ_SIM_SEED=n        random explorations run only this execution
//   UWQ_SIM_PATH=text     exhaustive explorations run only this execution
//   UWQ_SIM_TRACE=1       with one of these: print every scheduling decision
//   UWQ_SIM_EXECUTIONS=n  run n executions per random exploration (and at least n
//                         in exhaustive ones before giving up); "x10": 10 times more
//   UWQ_SIM_SALT=n        other seeds than those of every day, for soaks
//
// Replay one test at a time (--gtest_filter): the variables hold for the whole
// process.  Each binary prints "sim schedules: N" at its end.
//
//   sim::ExploreOrFail({.exhaustive = true}, [] {
//     base::Atomic<int> x{0};
//     auto add = [&] { x.fetch_add(1); };
//     base::Thread t = *base::Thread::Start({.name = "adder"}, add);
//     add();
//     t.Join();
//     EXPECT_EQ(x.load(), 2);
//   });
//
// In a body: threads only through base/sync.h, all of them joined; nothing that
// outlives it and depends on earlier executions; no exception may be in flight at
// a scheduling point; no SCOPED_TRACE around one.  sim/sim.h has what else it may use.
#ifndef UWQ_TESTS_SIM_EXPLORER_H_
#define UWQ_TESTS_SIM_EXPLORER_H_

#include <cstdint>
#include <functional>
#include <string>

namespace uwq::sim {

struct Options {
  // Exhaustive: all schedules with at most this many preemptions (switches away
  // from a thread that could go on).
  int preemption_bound = 2;
  // 0: 2000 random executions, or 2 million exhaustive ones.
  int64_t max_executions = 0;
  uint64_t seed = 1;
  bool exhaustive = false;
  int cpus = 2;
  // More steps than this in one execution are a livelock.
  int64_t max_steps = 100000;
  // Scheduling points also after releases (RunOptions).  Random explorations do
  // so in a quarter of their executions anyway.
  bool release_points = false;
  // Deadlines may pass while others can still run; each time counts as a
  // preemption.  Off, the clock moves only when everybody waits, so that
  // timelines are exact.
  bool time_races = false;
};

struct Result {
  bool ok = true;
  int64_t executions = 0;
  bool complete = false;  // exhaustive: nothing within the bound was left out
  std::string failure;
  std::string replay;  // what to put into the environment
};

// Runs `body` as the root thread of one execution after another, until the first
// failure.  Fails on: UWQ_CHECK, deadlock, too many steps, sim::Fail(), a failed
// GoogleTest assertion, threads left over, and a body that is not deterministic
// (the first execution is run twice and compared).  After a failure the objects
// of that execution are abandoned as they are.
Result Explore(const Options& options, const std::function<void()>& body);

// The same; a failure fails the current test.
Result ExploreOrFail(const Options& options, const std::function<void()>& body);

// Executions of this process so far.
int64_t SchedulesRun();

}  // namespace uwq::sim

#endif  // UWQ_TESTS_SIM_EXPLORER_H_
