// SPDX-License-Identifier: BSD-3-Clause
#include <cstdio>

#include "absl/time/time.h"
#include "delayed/delayed_work.h"
#include "delayed/runtime_loop.h"
#include "workqueue/workqueue.h"

int main() {
  uwq::RuntimeOptions options;
  options.manual = true;  // no threads: this one runs loop, timers and items
  auto runtime = uwq::Runtime::Create(options).value();
  auto wq = uwq::Workqueue::Create("main", {.runtime = runtime.get()}).value();
  int polls = 0;
  uwq::DelayedWork poll([&] {
    std::printf("poll %d\n", ++polls);
    if (polls < 3) poll.Queue(*wq, absl::Milliseconds(2));  // re-arms itself
  });
  poll.Queue(*wq, absl::Milliseconds(2));
  while (polls < 3) {  // sleeps until the next timer, descriptor or item
    if (!uwq::delayed::RunOnce(runtime.get(), uwq::base::kForever).ok()) return 1;
  }
  return poll.CancelSync() ? 1 : 0;
}
