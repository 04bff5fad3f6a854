// SPDX-License-Identifier: BSD-3-Clause
//
// asio.cc -- Boost.Asio: thread_pool and strand.

// Asio 1.74 uses std::exchange without its header, so the order matters.
// clang-format off
#include <utility>
#include <boost/asio.hpp>
// clang-format on

#include <future>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

namespace asio = boost::asio;
using Strand = asio::strand<asio::thread_pool::executor_type>;

struct Asio : PeerDefaults {
  static constexpr bool kStops = true;
  explicit Asio(int workers) : pool(static_cast<size_t>(workers)) {}
  ~Asio() { pool.join(); }
  void Prepare(size_t, Callback f) { fn = f; }
  void Post(size_t) { asio::post(pool, fn); }
  void PrepareSerial(size_t n, Callback f) { PrepareQueues(1, n, f); }
  void PostSerial(size_t) { asio::post(strands[0], fn); }
  void PrepareQueues(size_t queues, size_t, Callback f) {
    fn = f;
    while (strands.size() < queues) strands.push_back(asio::make_strand(pool.get_executor()));
  }
  void PostTo(size_t queue, size_t) { asio::post(strands[queue], fn); }
  void RoundTrip() {
    std::promise<void> done;
    asio::post(pool, [&done] { done.set_value(); });
    done.get_future().wait();
  }

  asio::thread_pool pool;
  std::vector<Strand> strands;
  Callback fn = nullptr;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Asio>("asio"))
