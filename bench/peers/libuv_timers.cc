// SPDX-License-Identifier: BSD-3-Clause
//
// libuv_timers.cc -- libuv's timers: a heap, whole milliseconds, the loop's thread only.
#include <uv.h>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct LibuvTimers : PeerDefaults {
  explicit LibuvTimers(int) {}
  void PrepareTimers(size_t n) {
    timers.resize(n);
    for (size_t i = 0; i < n; ++i) {
      uv_timer_init(loop, &timers[i]);
      timers[i].data = reinterpret_cast<void*>(i);
    }
    uv_update_time(loop);
  }
  static void Fire(uv_timer_t* timer) { TimerFired(reinterpret_cast<size_t>(timer->data)); }
  void Arm(size_t i, int64_t ns) {
    uv_timer_start(&timers[i], &Fire, static_cast<uint64_t>(ns) / 1000000, 0);
  }
  void Disarm(size_t i) { uv_timer_stop(&timers[i]); }
  void Rearm(size_t i, int64_t ns) { Arm(i, ns); }
  void TurnLoop() { uv_run(loop, UV_RUN_NOWAIT); }
  void RunTimers(size_t) { uv_run(loop, UV_RUN_DEFAULT); }

  uv_loop_t* const loop = uv_default_loop();
  std::vector<uv_timer_t> timers;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::LibuvTimers>("libuv"))
