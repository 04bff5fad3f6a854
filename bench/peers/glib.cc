// SPDX-License-Identifier: BSD-3-Clause
//
// glib.cc -- GLib: GThreadPool with two threads, and one with a single thread.
#include <glib.h>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct Glib : PeerDefaults {
  static constexpr bool kStops = true;
  static void Run(gpointer item, gpointer) { reinterpret_cast<Callback>(item)(); }
  static GThreadPool* Make(int workers) {
    return g_thread_pool_new(&Run, nullptr, workers, TRUE, nullptr);
  }
  explicit Glib(int workers) : pool(Make(workers)) {}
  ~Glib() { g_thread_pool_free(pool, FALSE, TRUE); }
  void Prepare(size_t, Callback f) { fn = f; }
  void Post(size_t) { g_thread_pool_push(pool, reinterpret_cast<gpointer>(fn), nullptr); }
  void PrepareSerial(size_t, Callback f) {
    fn = f;
    if (single == nullptr) single = Make(1);
  }
  void PostSerial(size_t) { g_thread_pool_push(single, reinterpret_cast<gpointer>(fn), nullptr); }

  GThreadPool* pool;
  GThreadPool* single = nullptr;
  Callback fn = nullptr;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Glib>("glib"))
