// SPDX-License-Identifier: BSD-3-Clause
//
// measure.h -- clocks, resource use, percentiles, and the one JSON line of a run.
//
// Invariant: a run measures one workload of one peer in a process of its own, so
// that process-wide figures (CPU time, switches, allocations) belong to it alone.
// Read on: workloads.h.
#ifndef UWQ_BENCH_HARNESS_MEASURE_H_
#define UWQ_BENCH_HARNESS_MEASURE_H_

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace uwq::bench {

inline int64_t ReadClock(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * int64_t{1000000000} + t.tv_nsec;
}
inline int64_t Now() { return ReadClock(CLOCK_MONOTONIC); }

inline void SleepFor(int64_t ns) {
  const timespec t = {ns / 1000000000, ns % 1000000000};
  nanosleep(&t, nullptr);
}

// Calls of the malloc family so far; counted only with --count-allocs, since the
// counter is shared between threads and would itself cost what it measures.
uint64_t AllocationsSoFar();
bool CountingAllocations();
void CountAllocations();

// What the process has used up to now.
struct Usage {
  int64_t wall_ns;
  int64_t cpu_ns;      // user + system, all threads
  long sleeps;         // voluntary switches, all threads
  long caller_sleeps;  // those of the calling thread
  long preemptions;    // involuntary switches, all threads
  uint64_t allocations;

  static Usage Take() {
    rusage all, caller;
    getrusage(RUSAGE_SELF, &all);
    getrusage(RUSAGE_THREAD, &caller);
    return {Now(),         ReadClock(CLOCK_PROCESS_CPUTIME_ID),
            all.ru_nvcsw,  caller.ru_nvcsw,
            all.ru_nivcsw, AllocationsSoFar()};
  }
};

// The figures of this run, printed as one line at its end.
class Result {
 public:
  void Add(std::string name, double value) { metrics_.emplace_back(std::move(name), value); }

  // Per operation.  `wakeups`: each sleep of a thread other than the caller, which
  // only waits, ends with one wake-up that somebody paid for.
  void AddUse(const Usage& from, const Usage& to, double ops) {
    Add("wall_ns", static_cast<double>(to.wall_ns - from.wall_ns) / ops);
    Add("cpu_ns", static_cast<double>(to.cpu_ns - from.cpu_ns) / ops);
    Add("switches", static_cast<double>(to.sleeps - from.sleeps) / ops);
    const long wakeups = to.sleeps - from.sleeps - (to.caller_sleeps - from.caller_sleeps);
    Add("wakeups", static_cast<double>(wakeups) / ops);
    Add("preemptions", static_cast<double>(to.preemptions - from.preemptions) / ops);
    if (CountingAllocations()) {
      Add("allocs", static_cast<double>(to.allocations - from.allocations) / ops);
    }
  }

  // Nearest-rank percentiles of `samples`, in ns, each named `prefix`pNN_ns.
  void AddPercentiles(const std::string& prefix, std::vector<int64_t> samples) {
    if (samples.empty()) return;
    std::sort(samples.begin(), samples.end());
    const auto at = [&samples](double share) {
      const auto rank = static_cast<size_t>(share * static_cast<double>(samples.size()));
      return static_cast<double>(samples[std::min(rank, samples.size() - 1)]);
    };
    Add(prefix + "p50_ns", at(.5));
    Add(prefix + "p99_ns", at(.99));
    Add(prefix + "p999_ns", at(.999));
    Add(prefix + "min_ns", at(0));
    Add(prefix + "max_ns", at(1));
  }

  bool empty() const { return metrics_.empty(); }
  void Print(const std::string& peer, const std::string& workload) const;

 private:
  std::vector<std::pair<std::string, double>> metrics_;
};

}  // namespace uwq::bench

#endif  // UWQ_BENCH_HARNESS_MEASURE_H_
