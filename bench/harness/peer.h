// SPDX-License-Identifier: BSD-3-Clause
//
// peer.h -- what an adapter provides.  Every hook but the constructor is optional:
// a workload runs on the peers that have the hooks it needs.
//
//   struct Mine : PeerDefaults {
//     explicit Mine(int workers);               // starts that many workers
//
//     // Items.  Prepare makes items 0..n-1 ready, all idle, which call `fn`; Post
//     // hands one over.  Each prepared item is posted at most once, unless it has
//     // run.  The Serial forms: one at a time, in order.
//     void Prepare(size_t n, Callback fn);
//     void Post(size_t i);
//     void PrepareSerial(size_t n, Callback fn);
//     void PostSerial(size_t i);
//     // Items of `queues` independent serial queues that share the workers.
//     void PrepareQueues(size_t queues, size_t n, Callback fn);
//     void PostTo(size_t queue, size_t i);
//     void Settle(uint64_t target);     // instead of AwaitItems(), if a loop must turn
//     void RoundTrip();                 // posts an empty item and waits, if there is a wait
//     void RoundTripInline();           // the same where the peer may run it in place
//     void StartChain();                // ChainStep() by hops, if items cannot post items
//     bool Cancel(size_t i);            // takes a posted item back
//
//     // Timers, on the calling thread unless the peer allows any.
//     void PrepareTimers(size_t n);
//     void Arm(size_t i, int64_t ns);   // calls TimerFired(i) then
//     void Disarm(size_t i);
//     void Rearm(size_t i, int64_t ns);
//     void SettleTimers();              // what cancelled timers still cost
//     void TurnLoop();                  // one turn that does not block
//     void RunTimers(size_t n);         // until `n` have fired
//   };
//   UWQ_BENCH_PEERS(Peer<Mine>("mine"))
//
// An adapter is one file of at most 80 lines in peers/, and one line in peers/BUILD.
#ifndef UWQ_BENCH_HARNESS_PEER_H_
#define UWQ_BENCH_HARNESS_PEER_H_

#include <concepts>
#include <cstddef>

namespace uwq::bench {

struct PeerDefaults {
  // Post may be called by several threads at once.
  static constexpr bool kManyProducers = true;
  // A bare primitive that knows one item at a time: latency workloads only.
  static constexpr bool kOneItem = false;
  static constexpr int kWorkers = 2;
  // With kWorkers items blocked, further ones wait.
  static constexpr bool kBlocks = true;
  // Upper limits where a peer's cost grows so fast that the usual size takes minutes.
  static constexpr size_t kItemsMax = ~size_t{0};
  static constexpr size_t kHopsMax = ~size_t{0};
  static constexpr size_t kTimersMax = ~size_t{0};
};

template <typename P>
concept PostsItems = requires(P p, void (*fn)()) {
  p.Prepare(1, fn);
  p.Post(0);
};
template <typename P>
concept PostsMany = PostsItems<P> && !P::kOneItem;
template <typename P>
concept PostsSerially = requires(P p, void (*fn)()) {
  p.PrepareSerial(1, fn);
  p.PostSerial(0);
};
template <typename P>
concept HasQueues = requires(P p, void (*fn)()) {
  p.PrepareQueues(1, 1, fn);
  p.PostTo(0, 0);
};
template <typename P>
concept HasTimers = requires(P p) {
  p.PrepareTimers(1);
  p.Arm(0, 0);
  p.Disarm(0);
  p.Rearm(0, 0);
};
template <typename P>
concept Cancels = PostsMany<P> && P::kBlocks && requires(P p) {
  { p.Cancel(0) } -> std::same_as<bool>;
};

}  // namespace uwq::bench

#endif  // UWQ_BENCH_HARNESS_PEER_H_
