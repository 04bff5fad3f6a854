// SPDX-License-Identifier: BSD-3-Clause
//
// consumer.cc -- a C++ program over the installed C++ API and C ABI.
#include <cstdio>

#include "absl/time/time.h"
#include "delayed/delayed_work.h"
#include "kup_bridge/bridge.h"
#include "workqueue/c/uwq.h"
#include "workqueue/workqueue.h"

int main() {
  auto wq = uwq::Workqueue::CreateOrdered("consumer");
  if (!wq.ok()) {
    std::printf("%s\n", wq.status().ToString().c_str());
    return 1;
  }
  int runs = 0;
  uwq::Work work([&] { ++runs; });
  (*wq)->Queue(work);
  (*wq)->Flush();
  uwq::DelayedWork later([&] { runs += 10; });
  later.Queue(**wq, absl::Milliseconds(1));
  later.Flush();
  if (uwq::kup::Bridge::Open("sim:no-such-device", 0).ok()) return 3;
  std::printf("ran %d, %d CPUs\n", runs, uwq_runtime_nr_cpus(nullptr));
  return runs == 11 ? 0 : 2;
}
