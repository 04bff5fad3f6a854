// SPDX-License-Identifier: BSD-3-Clause
//
// timerfd.cc -- no peer but the limit: one thread that sleeps until the next deadline of a
// sorted list, by an absolute timerfd.  How late a timer is on this machine at least.
#include <sys/timerfd.h>

#include <algorithm>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct RawTimerfd : PeerDefaults {
  static constexpr size_t kTimersMax = 100000;  // a limit of the lateness only
  explicit RawTimerfd(int) : fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) {}
  void PrepareTimers(size_t) { deadlines.clear(); }
  void Arm(size_t i, int64_t ns) { deadlines.emplace_back(Now() + ns, i); }
  void RunTimers(size_t) {
    std::sort(deadlines.begin(), deadlines.end());
    for (const auto& [at, i] : deadlines) {
      if (at > Now()) {
        itimerspec when{};
        when.it_value.tv_sec = at / 1000000000;
        when.it_value.tv_nsec = at % 1000000000;
        uint64_t expirations;
        if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, nullptr) != 0 ||
            read(fd, &expirations, sizeof(expirations)) < 0) {
          abort();
        }
      }
      TimerFired(i);
    }
  }

  const int fd;
  std::vector<std::pair<int64_t, size_t>> deadlines;  // when, which
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::RawTimerfd>("raw-timerfd"))
