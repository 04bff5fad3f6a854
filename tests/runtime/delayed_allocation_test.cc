// SPDX-License-Identifier: BSD-3-Clause
//
// delayed_allocation_test.cc -- Q9 for delayed items: arming, moving, cancelling and
// flushing allocate nothing, whatever the delay, and neither does an expiry.
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "delayed/delayed_work.h"
#include "delayed/runtime_loop.h"
#include "gtest/gtest.h"
#include "tests/runtime/malloc_count.h"
#include "workqueue/event/event_loop.h"

namespace uwq {
namespace {

using test::AllocationsOfThread;

TEST(Q9, NoDelayedCallAllocates) {
  std::unique_ptr<Workqueue> queue = *Workqueue::Create("timers");
  auto* const wq = reinterpret_cast<uwq_workqueue*>(queue->raw());
  static std::atomic<int> runs;
  runs = 0;
  std::vector<uwq_delayed_work> items(64);
  for (uwq_delayed_work& item : items)
    uwq_init_delayed_work(
        &item, [](uwq_work*) { ++runs; }, 0);
  int64_t mine = 0;
  const auto counted = [&mine](auto&& call) {
    const int64_t before = AllocationsOfThread();
    const bool result = call();
    mine += AllocationsOfThread() - before;
    return result;
  };
  const auto round = [&] {
    for (size_t i = 0; i < items.size(); ++i) {  // from microseconds to years
      const int64_t delay = int64_t{1} << (10 + i % 48);
      counted([&] { return uwq_queue_delayed_work(wq, &items[i], delay); });
    }
    for (size_t i = 0; i < items.size(); ++i) {
      const int64_t delay = int64_t{1} << (57 - i % 48);
      counted([&] { return uwq_mod_delayed_work(wq, &items[i], delay); });
      counted([&] { return uwq_reduce_delayed_work(wq, &items[i], delay / 2); });
      counted([&] { return uwq_delayed_work_deadline(&items[i]) != 0; });
    }
    counted([&] { return uwq_flush_delayed_work(&items[0]); });
    counted([&] { return uwq_disable_delayed_work(&items[1]); });
    counted([&] { return uwq_enable_delayed_work(&items[1]); });
    for (size_t i = 0; i < items.size(); ++i) {
      counted([&] {
        return i % 2 == 0 ? uwq_cancel_delayed_work(&items[i])
                          : uwq_cancel_delayed_work_sync(&items[i]);
      });
    }
    queue->Flush();
  };
  round();  // once, so that lazily made things exist
  mine = 0;
  for (int i = 0; i < 200; ++i) round();
  EXPECT_EQ(mine, 0);
  EXPECT_GT(runs, 0);
}

// The loop's thread, as an expiry finds it: what it has allocated from one wake-up to
// another, many expiries later.
TEST(Q9, NoExpiryAllocates) {
  std::unique_ptr<Workqueue> queue = *Workqueue::Create("expiry");
  event::EventLoop* const loop = *delayed::LoopOf(queue->raw()->runtime);
  const auto of_loop = [loop] {
    static std::atomic<int64_t> count;
    static event::PostNode node;
    count = -1;
    node.run = [](event::PostNode*) { count = AllocationsOfThread(); };
    EXPECT_TRUE(loop->Post(&node));
    while (count < 0) std::this_thread::yield();
    return count.load();
  };
  static std::atomic<int> runs;
  runs = 0;
  std::vector<uwq_delayed_work> items(500);
  for (uwq_delayed_work& item : items)
    uwq_init_delayed_work(
        &item, [](uwq_work*) { ++runs; }, 0);
  const int64_t before = of_loop();
  int64_t delay = 0;
  for (uwq_delayed_work& item : items) {
    (void)uwq_queue_delayed_work(reinterpret_cast<uwq_workqueue*>(queue->raw()), &item,
                                 delay += 20 * base::kMicrosecond);
  }
  while (runs < static_cast<int>(items.size())) std::this_thread::yield();
  EXPECT_EQ(of_loop(), before);
  queue->Flush();
}

}  // namespace
}  // namespace uwq
