// SPDX-License-Identifier: BSD-3-Clause
//
// uwq.cc -- ourselves: an unbound queue with the default limit, the same with two
// items at a time, a per-CPU queue, the first with the spin option; ordered queues.
// Timers: uwq_timers.cc.
#include "bench/harness/main.h"
#include "workqueue/workqueue.h"

namespace uwq::bench {
namespace {

Callback callback;
struct Item : WorkItem {
  Item() : WorkItem([](uwq_work*) { callback(); }) {}
};
template <WorkqueueKind kKind, int kMaxActive, int64_t kSpinNs = 0>
struct Uwq : PeerDefaults {
  static constexpr bool kStops = true;
  static constexpr size_t kItemBytes = sizeof(uwq_work);
  // Without a limit nothing waits: the pool makes a worker for every blocked one.
  static constexpr bool kBlocks = kMaxActive > 0;
  static constexpr bool kOneItem = kSpinNs > 0;  // latency is what it is for
  explicit Uwq(int) : runtime(MakeRuntime()), wq(Make(kKind)) {}
  static std::unique_ptr<Runtime> MakeRuntime() {
    RuntimeOptions options;
    if (kSpinNs > 0) options.idle_spin_ns = kSpinNs;
    return *Runtime::Create(options);
  }
  std::unique_ptr<Workqueue> Make(WorkqueueKind kind) {
    const int max_active = kind == kKind ? kMaxActive : 0;
    return *Workqueue::Create("bench",
                              {.kind = kind, .max_active = max_active, .runtime = runtime.get()});
  }
  void Prepare(size_t n, Callback fn) {
    callback = fn;
    if (n > size) items = std::make_unique<Item[]>(size = n);
  }
  void Post(size_t i) { wq->Queue(items[i]); }
  void PrepareSerial(size_t n, Callback fn) { PrepareQueues(1, n, fn); }
  void PostSerial(size_t i) { queues[0]->Queue(items[i]); }
  void PrepareQueues(size_t count, size_t n, Callback fn) {
    Prepare(n, fn);
    while (queues.size() < count) queues.push_back(Make(WorkqueueKind::kOrdered));
  }
  void PostTo(size_t queue, size_t i) { queues[queue]->Queue(items[i]); }
  void RoundTrip() {
    wq->Queue(items[0]);
    items[0].Flush();
  }
  void RoundTripInline() {
    if (queues.empty()) PrepareQueues(1, 1, [] {});
    (void)queues[0]->RunSync([] {});
  }
  bool Cancel(size_t i) { return items[i].Cancel(); }

  std::unique_ptr<Runtime> runtime;  // outlives the queues, which outlive the items
  size_t size = 0;
  std::unique_ptr<Item[]> items;
  std::unique_ptr<Workqueue> wq;
  std::vector<std::unique_ptr<Workqueue>> queues;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Uwq<uwq::WorkqueueKind::kUnbound, 0>>("uwq"),
                Peer<uwq::bench::Uwq<uwq::WorkqueueKind::kUnbound, 2>>("uwq-max2"),
                Peer<uwq::bench::Uwq<uwq::WorkqueueKind::kPerCpu, 0>>("uwq-percpu"),
                Peer<uwq::bench::Uwq<uwq::WorkqueueKind::kUnbound, 0, 200000>>("uwq-spin"))
