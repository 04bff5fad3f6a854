// SPDX-License-Identifier: BSD-3-Clause
//
// kup_bench_util.h -- two processes on two CPUs for kup_bench.cc and bridge_bench.cc.
#ifndef UWQ_KUP_BRIDGE_KUP_BENCH_UTIL_H_
#define UWQ_KUP_BRIDGE_KUP_BENCH_UTIL_H_

#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

namespace uwq::kup {

inline int64_t Now() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

inline void Pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  (void)sched_setaffinity(0, sizeof set, &set);  // on one CPU the numbers say so
}

// A child must not start on the CPU on which its parent is going to spin.
inline pid_t ForkOn1() {
  fflush(stdout);
  Pin(1);
  return fork();
}

[[noreturn]] inline void Die(const char* what, int rc) {
  fprintf(stderr, "%s: %s (%s)\n", what, strerror(-rc), kup_error_text());
  exit(1);
}

inline double Median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

// As Pair, with a user that opens by name itself.
inline void PairNamed(const kupdev_opts& opts, const std::function<void(kupdev_softc*)>& device,
                      const std::function<void(const std::string&)>& user) {
  static int n = 0;
  const std::string name = "sim:bench-" + std::to_string(getpid()) + "-" + std::to_string(++n);
  int ready[2];
  if (pipe(ready) != 0) Die("pipe", -errno);
  const pid_t pid = ForkOn1();
  if (pid == 0) {
    kupdev_softc* sc;
    if (const int rc = kupdev_open(name.c_str(), &opts, &sc); rc != 0) Die("device", rc);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    if (kupdev_wait_channel(sc) < 0) _exit(1);
    device(sc);
    // Stays until the user has all of it and hangs up.
    kupdev_event event;
    while (kupdev_wait_event(sc, &event, -1) == 0 && event.kind != KUPDEV_DETACHED) {
    }
    _exit(0);
  }
  Pin(0);
  char byte;
  if (read(ready[0], &byte, 1) != 1) Die("device", -EPIPE);
  close(ready[0]);
  close(ready[1]);
  user(name);
  int status;
  waitpid(pid, &status, 0);
}

// Runs `device` in another process; `user` here.
inline void Pair(const kupdev_opts& opts, const std::function<void(kupdev_softc*)>& device,
                 const std::function<void(kup_chan*)>& user) {
  PairNamed(opts, device, [&](const std::string& name) {
    kup_dev* dev;
    kup_chan* ch;
    int rc = kup_open(name.c_str(), &dev);
    if (rc != 0 || (rc = kup_attach(dev, 0, 10000, &ch)) != 0) Die("user", rc);
    user(ch);
    kup_close(dev);
  });
}

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_KUP_BENCH_UTIL_H_
