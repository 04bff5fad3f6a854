// SPDX-License-Identifier: BSD-3-Clause
//
// consumer_linux.cc -- a C++ program over the installed <linux/...> headers.
#include <linux/workqueue.h>

#include <cstdio>
#include <vector>

static int runs;
static DECLARE_WORK(item, [](work_struct*) { ++runs; });

int main() {
  std::vector<workqueue_struct*> queues{system_percpu_wq, system_dfl_wq};
  for (workqueue_struct* wq : queues) {
    queue_work(wq, &item);
    flush_work(&item);
  }
  std::printf("ran %d times\n", runs);
  return runs == 2 ? 0 : 1;
}
