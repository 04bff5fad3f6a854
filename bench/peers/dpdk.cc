// SPDX-License-Identifier: BSD-3-Clause
//
// dpdk.cc -- DPDK's rte_timer: a skip list per core, polled.  Timers only.
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_timer.h>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct Dpdk : PeerDefaults {
  static constexpr size_t kTimersMax = 100000;  // a skip list: microseconds each
  explicit Dpdk(int) {
    const char* const args[] = {"dpdk",        "--no-huge",   "--no-pci",   "-m",
                                "256",         "-l",          "0",          "--no-telemetry",
                                "--log-level", "lib.*:error", "--no-shconf"};
    if (rte_eal_init(std::size(args), const_cast<char**>(args)) < 0) {
      fprintf(stderr, "dpdk: rte_eal_init failed\n");
      _exit(3);
    }
    rte_timer_subsystem_init();
    per_ns = static_cast<double>(rte_get_timer_hz()) / 1e9;
    core = rte_lcore_id();
    // The library pins its main thread; the others of this run are not pinned.
    cpu_set_t all;
    CPU_ZERO(&all);
    for (int i = 0; i < static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)); ++i) CPU_SET(i, &all);
    (void)sched_setaffinity(0, sizeof(all), &all);
  }
  void PrepareTimers(size_t n) {
    timers = std::make_unique<rte_timer[]>(n);
    for (size_t i = 0; i < n; ++i) rte_timer_init(&timers[i]);
  }
  static void Fire(rte_timer*, void* i) { TimerFired(reinterpret_cast<size_t>(i)); }
  void Arm(size_t i, int64_t ns) {
    const auto ticks = static_cast<uint64_t>(static_cast<double>(ns) * per_ns);
    rte_timer_reset(&timers[i], ticks, SINGLE, core, &Fire, reinterpret_cast<void*>(i));
  }
  void Disarm(size_t i) { rte_timer_stop(&timers[i]); }
  void Rearm(size_t i, int64_t ns) { Arm(i, ns); }
  void TurnLoop() { rte_timer_manage(); }
  void RunTimers(size_t n) {
    while (nr_fired.load() < n) rte_timer_manage();
  }

  double per_ns;
  unsigned core;
  std::unique_ptr<rte_timer[]> timers;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Dpdk>("dpdk"))
