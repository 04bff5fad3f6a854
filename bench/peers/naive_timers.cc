// SPDX-License-Identifier: BSD-3-Clause
//
// naive_timers.cc -- timers as one writes them in an afternoon: a multimap by
// deadline under a mutex, and a thread that sleeps until the first.
#include <condition_variable>
#include <map>
#include <mutex>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct NaiveTimers : PeerDefaults {
  using Timers = std::multimap<int64_t, size_t>;
  explicit NaiveTimers(int) {}
  void PrepareTimers(size_t n) { where.assign(n, timers.end()); }
  void Arm(size_t i, int64_t ns) {
    const std::lock_guard lock(mutex);
    where[i] = timers.emplace(Now() + ns, i);
  }
  void Disarm(size_t i) {
    const std::lock_guard lock(mutex);
    timers.erase(where[i]);
  }
  void Rearm(size_t i, int64_t ns) {
    Disarm(i);
    Arm(i, ns);
  }
  void RunTimers(size_t) {
    std::unique_lock lock(mutex);
    while (!timers.empty()) {
      const auto first = timers.begin();
      if (const int64_t left = first->first - Now(); left > 0) {
        wake.wait_for(lock, std::chrono::nanoseconds(left));
        continue;
      }
      TimerFired(first->second);
      timers.erase(first);
    }
  }
  std::mutex mutex;
  std::condition_variable wake;
  Timers timers;
  std::vector<Timers::iterator> where;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::NaiveTimers>("naive"))
