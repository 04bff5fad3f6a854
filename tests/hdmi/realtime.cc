// SPDX-License-Identifier: BSD-3-Clause
//
// realtime.cc -- see realtime.h.
// Invariant: the other clocks are the kernel's, unchanged.
#include "tests/hdmi/realtime.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace uwq::hdmi {
namespace {

constexpr int64_t kNs = 1'000'000'000;

// Read before any constructor has run.
constinit std::atomic<int64_t> jumped_ns{0};
constinit std::atomic<int64_t> reads{0};

timespec Realtime(clockid_t clock) {
  timespec ts{};
  (void)syscall(SYS_clock_gettime, clock, &ts);
  reads.fetch_add(1, std::memory_order_relaxed);
  const int64_t ns = ts.tv_sec * kNs + ts.tv_nsec + jumped_ns.load(std::memory_order_relaxed);
  return {ns / kNs, ns % kNs};
}

}  // namespace

void JumpRealtime(int64_t ns) { jumped_ns.fetch_add(ns, std::memory_order_relaxed); }
int64_t RealtimeReads() { return reads.load(std::memory_order_relaxed); }

}  // namespace uwq::hdmi

extern "C" {

int clock_gettime(clockid_t clock, timespec* ts) noexcept {
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) {
    return static_cast<int>(syscall(SYS_clock_gettime, clock, ts));
  }
  *ts = uwq::hdmi::Realtime(clock);
  return 0;
}

int gettimeofday(timeval* tv, void*) noexcept {
  const timespec ts = uwq::hdmi::Realtime(CLOCK_REALTIME);
  *tv = {ts.tv_sec, ts.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* t) noexcept {
  const timespec ts = uwq::hdmi::Realtime(CLOCK_REALTIME_COARSE);
  if (t != nullptr) *t = ts.tv_sec;
  return ts.tv_sec;
}

}  // extern "C"
