// SPDX-License-Identifier: BSD-3-Clause
//
// dump.h -- the library seen from outside: a snapshot, and the kernel's dump text.
#ifndef UWQ_WORKQUEUE_CORE_DUMP_H_
#define UWQ_WORKQUEUE_CORE_DUMP_H_

#include <string>
#include <vector>

#include "workqueue/core/runtime.h"

namespace uwq::core {

struct WorkerSnapshot {
  int id = 0;
  base::ThreadId tid = 0;
  bool idle = false;
  bool rescuer = false;  // of a WQ_MEM_RECLAIM queue, not counted in nr_workers
  std::string func;      // what it executes; empty: nothing
  std::string desc;      // set_worker_desc(), or the queue's name
};

struct PoolSnapshot {
  int id = 0;
  int cpu = -1;
  int nice = 0;
  bool bh = false;
  std::string cpus;
  int nr_workers = 0, nr_idle = 0, nr_running = 0, nr_waiting = 0;
  base::ThreadId manager = 0;  // the worker that makes more of them
  base::Nanos hung_ns = 0;     // the list stands still, as far as the watchdog has seen
  std::vector<WorkerSnapshot> workers;
};

// The kernel monitor's counters (T3), summed over the queue's pool_workqueues.
struct WorkqueueSnapshot {
  std::string name;
  unsigned flags = 0;
  int max_active = 0;
  int nr_active = 0, nr_inactive = 0, nr_in_flight = 0;
  int64_t stats[static_cast<int>(PwqStat::kCount)] = {};
  bool sysfs = false;  // WQ_SYSFS: listed by name for tools to adjust
};

struct Snapshot {
  std::vector<WorkqueueSnapshot> workqueues;
  std::vector<PoolSnapshot> pools;
};

// Any thread.  Takes each lock in turn, so the parts are of slightly different moments.
Snapshot TakeSnapshot(Runtime* runtime);

// show_all_workqueues(): the lines of W6.  Idle queues and pools only if `all`.
std::string DumpText(Runtime* runtime, bool all);
// show_one_workqueue(): its lines only, none while it is idle.
std::string DumpWorkqueue(Workqueue* wq);
// show_freezable_workqueues(): those that keep FreezeBusy() true.
std::string DumpFreezable(Runtime* runtime);

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_DUMP_H_
