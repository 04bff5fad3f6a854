// SPDX-License-Identifier: BSD-3-Clause
//
// glib_timers.cc -- GLib: timeout sources.  A turn of its loop looks at every source.
#include <glib.h>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

struct GlibTimers : PeerDefaults {
  static constexpr size_t kTimersMax = 100000;
  explicit GlibTimers(int) {}
  static gboolean Fire(gpointer i) {
    TimerFired(reinterpret_cast<size_t>(i));
    return G_SOURCE_REMOVE;
  }
  void PrepareTimers(size_t n) { timers.assign(n, nullptr); }
  void Arm(size_t i, int64_t ns) {
    timers[i] = g_timeout_source_new(static_cast<guint>(ns / 1000000));
    g_source_set_callback(timers[i], &Fire, reinterpret_cast<gpointer>(i), nullptr);
    g_source_attach(timers[i], context);
  }
  void Disarm(size_t i) {
    g_source_destroy(timers[i]);
    g_source_unref(timers[i]);
  }
  void Rearm(size_t i, int64_t ns) {
    g_source_set_ready_time(timers[i], g_get_monotonic_time() + ns / 1000);
  }
  void RunTimers(size_t n) {
    while (nr_fired.load() < n) g_main_context_iteration(context, TRUE);
  }

  GMainContext* const context = g_main_context_new();
  std::vector<GSource*> timers;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::GlibTimers>("glib"))
