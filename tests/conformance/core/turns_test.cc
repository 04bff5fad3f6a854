// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: whose turn it is where several could go next: places in a node's line (O4),
// barriers against what is queued behind (O7), and the place of each CPU (U2, U5).
#include <atomic>
#include <csignal>
#include <memory>
#include <vector>

#include "tests/conformance/core/env.h"
#include "workqueue/core/pool_workqueue.h"

namespace uwq::conformance {
namespace {

using core::FlushWork;
using core::FlushWorkqueue;
using core::QueueWorkOn;
using core::Workqueue;

void ScopePerCpu(core::RuntimeOptions* o) { o->default_affn_scope = core::AffnScope::kCpu; }

}  // namespace

// O4: two places wait for one slot; they are served in turn, not in queueing order.
UWQ_BODY(Turns, O4_RoundRobin, .schedules = 3000, .repeat = 20, .tune = ScopePerCpu) {
  Workqueue* const wq = env.Alloc("one", core::kWqUnbound, 1);
  Gate gate;
  Log log;
  Item blocker([&] { gate.Pass(); });
  EXPECT_TRUE(QueueWorkOn(0, wq, blocker));
  gate.AwaitArrivals();
  std::vector<std::unique_ptr<Item>> items;
  for (const int id : {0, 1, 10, 11}) {
    items.push_back(std::make_unique<Item>([&log, id] { log.Add(id); }));
    EXPECT_TRUE(QueueWorkOn(id / 10, wq, *items.back()));
  }
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(log.ids(), (std::vector<int>{0, 10, 1, 11}));
}

// O7: the flusher of Y returns while Z, queued behind Y, has not run: Z waits for it.
UWQ_BODY(Turns, O7_BarrierGoesFirst, .schedules = 3000, .repeat = 20) {
  Workqueue* const wq = env.Make(Kind::kOrdered);
  Gate hold, flushed;
  std::atomic<bool> z_done{false};
  Item x([&] { hold.Pass(); }), y, z([&] {
    flushed.Pass();
    z_done = true;
  });
  EXPECT_TRUE(env.Queue(wq, x));
  EXPECT_TRUE(env.Queue(wq, y));
  EXPECT_TRUE(env.Queue(wq, z));
  env.Spawn([&] {
    EXPECT_TRUE(FlushWork(y));
    EXPECT_FALSE(z_done);
    flushed.Open();
  });
  // The barrier is behind Y once Y's word says so.
  AwaitTrue([&] { return (core::LoadWord(y) & core::kLinked) != 0; });
  hold.Open();
  env.Join();
  FlushWorkqueue(wq);
  EXPECT_TRUE(z_done);
}

// U2: every CPU has its place, and in the scope of one CPU each its own pool.
// U5: high priority starts from nice -20.
UWQ_BODY(Turns, U2_U5_PlacesOfAnUnboundQueue, .schedules = 20, .repeat = 1, .tune = ScopePerCpu) {
  Workqueue* const plain = env.Alloc("plain", core::kWqUnbound);
  Workqueue* const high = env.Alloc("high", core::kWqUnbound | core::kWqHighpri);
  const auto pool_of = [](Workqueue* wq, int cpu) { return wq->cpu_pwq[cpu].load()->pool.load(); };
  EXPECT_NE(pool_of(plain, 0), pool_of(plain, 1));
  for (int cpu = 0; cpu < 2; ++cpu) {
    EXPECT_EQ(pool_of(plain, cpu)->attrs.nice, 0);
    EXPECT_EQ(pool_of(high, cpu)->attrs.nice, -20);
  }
}

#if !defined(UWQ_SIM)
void StallForEver() {
  core::RuntimeOptions options;
  options.watchdog_thresh_ns = 20 * kMillisecond;
  options.cpu_intensive_thresh_ns = 0;
  options.panic_on_stall = 1;
  Env env(options);
  Workqueue* const wq = env.Alloc("stalled", core::kWqPercpu);
  Item hog([] { AwaitTrue([] { return false; }); });
  Item behind;
  (void)env.Queue(wq, hog);
  (void)env.Queue(wq, behind);
  FlushWorkqueue(wq);
}

// W5: with panic_on_stall the process ends at that stall report.
TEST(Turns, W5_PanicOnStall) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(StallForEver(), testing::KilledBySignal(SIGABRT), "");
}
#endif

}  // namespace uwq::conformance
