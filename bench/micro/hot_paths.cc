// SPDX-License-Identifier: BSD-3-Clause
//
// hot_paths.cc -- one hot path N times, for counting instructions.
//
//   hot_paths PATH N        hot_paths --list        hot_paths --clock
//
// bench/instructions.py runs it under callgrind for two N and divides the difference,
// so that start-up and the first, cold round drop out.  Everything is as repeatable as
// it gets: callgrind runs one thread at a time, items wait for no time and no I/O.
// Deferred to workers are batches of 1000 items, so that a wake-up or two per batch
// weigh little.  --clock does the same by the clock for every path, which counts
// instructions in the guest of tools/kernel-test bench.
#include <stdio.h>
#include <string.h>

#include <memory>
#include <utility>
#include <vector>

#include "bench/harness/completion.h"
#include "delayed/delayed_work.h"
#include "workqueue/workqueue.h"

namespace uwq::bench {
namespace {

constexpr size_t kBatch = 1000;

std::atomic<size_t> items_left{0};
Event batch_done;

struct Item : WorkItem {
  Item()
      : WorkItem([](uwq_work*) {
          if (items_left.fetch_sub(1) == 1) batch_done.Set();
        }) {}
};

// Of one node with one cache: with more caches an unbound queue has more places, which
// share its limit, and costs more.  Figures must not depend on what /sys says of the machine.
Runtime* TheRuntime() {
  static Runtime* const runtime = [] {
    RuntimeOptions options;
    options.idle_spin_ns = 0;  // turns of a spin would be counted by chance
    options.topology = core::Topology::Emulated(/*nodes=*/1, /*cpus_per_node=*/2);
    return Runtime::Create(std::move(options))->release();
  }();
  return runtime;
}

struct Nop : WorkItem {
  Nop() : WorkItem([](uwq_work*) {}) {}
};

std::unique_ptr<Workqueue> Make(WorkqueueKind kind, int max_active = 0) {
  return *Workqueue::Create("hot",
                            {.kind = kind, .max_active = max_active, .runtime = TheRuntime()});
}

void QueueAndRun(WorkqueueKind kind, int max_active, size_t n) {
  const auto wq = Make(kind, max_active);
  const auto items = std::make_unique<Item[]>(kBatch);
  for (size_t done = 0; done < n; done += kBatch) {
    items_left = kBatch;
    batch_done.Reset();
    for (size_t i = 0; i < kBatch; ++i) wq->Queue(items[i]);
    batch_done.Wait();
  }
  wq->Flush();
}

// An item queues others to its own pool, which is attended: they come by the door.
void QueueAtTheDoor(size_t n) {
  constexpr size_t kMany = 64;
  const auto wq = Make(WorkqueueKind::kPerCpu);
  struct Feeder : WorkItem {
    explicit Feeder(Workqueue* wq)
        : WorkItem([](uwq_work* work) {
            auto* const self = static_cast<Feeder*>(FromRaw(work));
            for (WorkItem& item : self->items) self->wq->Queue(item);
            if (--self->left > 0) {
              self->wq->Queue(*self);
            } else {
              batch_done.Set();
            }
          }),
          wq(wq),
          items(kMany - 1) {}
    Workqueue* const wq;
    size_t left = 0;
    std::vector<Nop> items;
  } feeder(wq.get());
  feeder.left = n / kMany + 1;
  batch_done.Reset();
  wq->Queue(feeder);
  batch_done.Wait();
  wq->Flush();
}

struct Hop : WorkItem {
  explicit Hop(Workqueue* wq)
      : WorkItem([](uwq_work* work) {
          auto* const self = static_cast<Hop*>(FromRaw(work));
          if (ChainStep()) self->wq->Queue(*self);
        }),
        wq(wq) {}
  Workqueue* const wq;
};

void SelfRequeue(WorkqueueKind kind, size_t n) {
  const auto wq = Make(kind);
  Hop hop(wq.get());
  hops_left = n;
  chain_done.Reset();
  wq->Queue(hop);
  chain_done.Wait();
  hop.Flush();
}

// The only slot of the queue is taken, so that items stay pending.
template <typename Body>
void WhileBlocked(const Body& body) {
  const auto wq = Make(WorkqueueKind::kUnbound, 1);
  gate.Reset();
  nr_blocked = 0;
  WorkItem blocker([](uwq_work*) { BlockAtGate(); });
  wq->Queue(blocker);
  AwaitBlocked(1);
  body(*wq);
  gate.Set();
  blocker.Flush();
}

struct Path {
  const char* name;
  void (*run)(size_t n);
};

const Path kPaths[] = {
    {"queue_run_unbound", [](size_t n) { QueueAndRun(WorkqueueKind::kUnbound, 0, n); }},
    {"queue_run_unbound_max2", [](size_t n) { QueueAndRun(WorkqueueKind::kUnbound, 2, n); }},
    {"queue_run_percpu", [](size_t n) { QueueAndRun(WorkqueueKind::kPerCpu, 0, n); }},
    {"queue_run_ordered", [](size_t n) { QueueAndRun(WorkqueueKind::kOrdered, 0, n); }},
    {"queue_run_door", QueueAtTheDoor},
    {"self_requeue_unbound", [](size_t n) { SelfRequeue(WorkqueueKind::kUnbound, n); }},
    {"self_requeue_percpu", [](size_t n) { SelfRequeue(WorkqueueKind::kPerCpu, n); }},
    {"queue_flush",
     [](size_t n) {
       const auto wq = Make(WorkqueueKind::kUnbound);
       WorkItem item([](uwq_work*) {});
       for (size_t i = 0; i < n; ++i) {
         wq->Queue(item);
         item.Flush();
       }
     }},
    {"queue_pending",
     [](size_t n) {
       WhileBlocked([n](Workqueue& wq) {
         WorkItem item([](uwq_work*) {});
         wq.Queue(item);
         for (size_t i = 0; i < n; ++i) (void)wq.Queue(item);
         item.Cancel();
       });
     }},
    {"queue_cancel",
     [](size_t n) {
       WhileBlocked([n](Workqueue& wq) {
         WorkItem item([](uwq_work*) {});
         for (size_t i = 0; i < n; ++i) {
           wq.Queue(item);
           item.Cancel();
         }
       });
     }},
    {"queue_cancel_sync",
     [](size_t n) {
       WhileBlocked([n](Workqueue& wq) {
         WorkItem item([](uwq_work*) {});
         for (size_t i = 0; i < n; ++i) {
           wq.Queue(item);
           item.CancelSync();
         }
       });
     }},
    {"run_sync",
     [](size_t n) {
       const auto wq = Make(WorkqueueKind::kOrdered);
       for (size_t i = 0; i < n; ++i) (void)wq->RunSync([] {});
     }},
    {"arm_cancel",
     [](size_t n) {
       const auto wq = Make(WorkqueueKind::kUnbound);
       DelayedWorkItem item([](uwq_work*) {});
       for (size_t i = 0; i < n; ++i) {
         item.Queue(*wq, absl::Seconds(100));
         item.Cancel();
       }
     }},
    {"mod_armed",
     [](size_t n) {
       const auto wq = Make(WorkqueueKind::kUnbound);
       DelayedWorkItem item([](uwq_work*) {});
       for (size_t i = 0; i < n; ++i) item.Mod(*wq, absl::Seconds(100));
       item.Cancel();
     }},
};

void PrintClock(const Path& path) {
  constexpr size_t kFew = 2000, kMany = 12000;
  double least = 1e9;  // of three, as whatever else the machine does only adds
  for (int round = 0; round < 3; ++round) {
    path.run(kFew);  // warm
    const int64_t begin = Now();
    path.run(kFew);
    const int64_t few = Now();
    path.run(kMany);
    least = std::min(least, static_cast<double>((Now() - few) - (few - begin)) / (kMany - kFew));
  }
  printf("%s %.0f\n", path.name, least);
}

}  // namespace
}  // namespace uwq::bench

int main(int argc, char** argv) {
  const bool clock = argc == 2 && strcmp(argv[1], "--clock") == 0;
  for (const uwq::bench::Path& path : uwq::bench::kPaths) {
    if (clock) uwq::bench::PrintClock(path);
    if (argc == 2 && strcmp(argv[1], "--list") == 0) printf("%s\n", path.name);
    if (argc == 3 && strcmp(argv[1], path.name) == 0) {
      path.run(strtoull(argv[2], nullptr, 10));
      fflush(stdout);
      _exit(0);  // the Runtime lives as long as the process
    }
  }
  if (clock || (argc == 2 && strcmp(argv[1], "--list") == 0)) {
    fflush(stdout);
    _exit(0);
  }
  fprintf(stderr, "usage: %s PATH N | --list | --clock\n", argv[0]);
  return 2;
}
