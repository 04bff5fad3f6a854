// SPDX-License-Identifier: BSD-3-Clause
//
// tbb.cc -- oneTBB: task_arena::enqueue, a serial flow-graph node, task_group.
#include <tbb/flow_graph.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct Tbb : PeerDefaults {
  using Node = tbb::flow::function_node<size_t>;
  explicit Tbb(int workers)
      : limit(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(workers) + 1),
        arena(workers, 0) {
    arena.initialize();
  }
  void Prepare(size_t, Callback f) { fn = f; }
  void Post(size_t) { arena.enqueue(fn); }
  void PrepareSerial(size_t n, Callback f) { PrepareQueues(1, n, f); }
  void PostSerial(size_t i) { nodes[0]->try_put(i); }
  void PrepareQueues(size_t queues, size_t, Callback f) {
    fn = f;
    arena.execute([&] {  // a graph belongs to the arena in which it is made
      if (!graph) graph = std::make_unique<tbb::flow::graph>();
      while (nodes.size() < queues) {
        nodes.push_back(
            std::make_unique<Node>(*graph, tbb::flow::serial, [this](size_t) { fn(); }));
      }
    });
  }
  void PostTo(size_t queue, size_t i) { nodes[queue]->try_put(i); }
  void RoundTripInline() {
    arena.execute([this] {
      group.run([] {});
      group.wait();
    });
  }

  tbb::global_control limit;
  tbb::task_arena arena;
  tbb::task_group group;
  std::unique_ptr<tbb::flow::graph> graph;
  std::vector<std::unique_ptr<Node>> nodes;
  Callback fn = nullptr;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Tbb>("tbb"))
