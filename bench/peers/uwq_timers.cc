// SPDX-License-Identifier: BSD-3-Clause
//
// uwq_timers.cc -- ourselves: delayed work on an unbound queue.  Any thread may arm;
// the lateness includes the way from the timer's thread to a worker.
#include "bench/harness/main.h"
#include "delayed/delayed_work.h"

namespace uwq::bench {
namespace {

struct Timer : DelayedWorkItem {
  Timer() : DelayedWorkItem(&Fire) {}
  static void Fire(uwq_work* work);
};
std::unique_ptr<Timer[]> timers;
void Timer::Fire(uwq_work* work) {
  TimerFired(
      static_cast<size_t>(static_cast<Timer*>(DelayedWorkItem::FromRaw(work)) - timers.get()));
}

struct UwqTimers : PeerDefaults {
  static constexpr bool kOwnThread = true;
  explicit UwqTimers(int)
      : runtime(*Runtime::Create({})),
        wq(*Workqueue::Create("bench", {.runtime = runtime.get()})) {}
  void PrepareTimers(size_t n) { timers = std::make_unique<Timer[]>(n); }
  void Arm(size_t i, int64_t ns) { timers[i].Queue(*wq, absl::Nanoseconds(ns)); }
  void Disarm(size_t i) { timers[i].Cancel(); }
  void Rearm(size_t i, int64_t ns) { timers[i].Mod(*wq, absl::Nanoseconds(ns)); }
  void RunTimers(size_t n) {
    while (nr_fired.load(std::memory_order_acquire) < n) SleepFor(5000000);
  }

  std::unique_ptr<Runtime> runtime;
  std::unique_ptr<Workqueue> wq;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::UwqTimers>("uwq"))
