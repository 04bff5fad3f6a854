// SPDX-License-Identifier: BSD-3-Clause
//
// asio_timers.cc -- Boost.Asio: steady_timer.  A cancelled wait completes with an
// error that the loop has to run; that belongs to the cost of the cancel.

// Asio 1.74 uses std::exchange without its header, so the order matters.
// clang-format off
#include <utility>
#include <boost/asio.hpp>
// clang-format on

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

namespace asio = boost::asio;

struct AsioTimers : PeerDefaults {
  explicit AsioTimers(int) {}
  void PrepareTimers(size_t n) {
    timers.clear();
    timers.reserve(n);
    for (size_t i = 0; i < n; ++i) timers.emplace_back(loop);
  }
  void Arm(size_t i, int64_t ns) {
    timers[i].expires_after(std::chrono::nanoseconds(ns));
    timers[i].async_wait([i](const boost::system::error_code& error) {
      if (!error) TimerFired(i);
    });
  }
  void Disarm(size_t i) {
    timers[i].cancel();
    SettleNowAndThen();
  }
  void Rearm(size_t i, int64_t ns) {
    Arm(i, ns);
    SettleNowAndThen();
  }
  void SettleNowAndThen() {
    if (++unsettled >= 1000) SettleTimers();
  }
  void SettleTimers() {
    unsettled = 0;
    TurnLoop();
  }
  void TurnLoop() {
    loop.restart();
    loop.poll();
  }
  void RunTimers(size_t) {
    loop.restart();
    loop.run();
  }

  asio::io_context loop;
  std::vector<asio::steady_timer> timers;
  size_t unsettled = 0;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::AsioTimers>("asio"))
