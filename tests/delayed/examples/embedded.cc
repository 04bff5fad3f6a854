// SPDX-License-Identifier: BSD-3-Clause
#include <event2/event.h>
#include <event2/thread.h>

#include <cstdio>

#include "absl/time/time.h"
#include "delayed/delayed_work.h"
#include "workqueue/workqueue.h"

int main() {
  evthread_use_pthreads();              // so that a worker may end the loop, below
  event_base* base = event_base_new();  // the driver's own
  {
    uwq::RuntimeOptions options;
    options.event_base = base;  // timers and descriptors wake here; items run on workers
    auto runtime = uwq::Runtime::Create(options).value();
    auto wq = uwq::Workqueue::Create("camera", {.runtime = runtime.get()}).value();
    uwq::DelayedWork stop([base] {
      std::puts("timer of the embedded loop");
      event_base_loopbreak(base);
    });
    stop.Queue(*wq, absl::Milliseconds(5));
    event_base_dispatch(base);
    wq->Flush();
  }
  event_base_free(base);
  return 0;
}
