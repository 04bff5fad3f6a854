// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: delayed items in great numbers, on real threads: a million armed at once,
// and cancel_sync against expiry with the item freed right after (T042, C2).
// UWQ_STRESS_ROUNDS sets the rounds of the second.
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <vector>

#include "absl/time/time.h"
#include "delayed/delayed_work.h"
#include "gtest/gtest.h"

namespace uwq {
namespace {

int Rounds(int standard) {
  const char* text = getenv("UWQ_STRESS_ROUNDS");
  return text != nullptr ? atoi(text) : standard;
}

std::atomic<int64_t> runs{0};
void Count(uwq_work*) { runs.fetch_add(1, std::memory_order_relaxed); }

TEST(DelayedStress, AMillionArmed) {
  runs = 0;
  std::unique_ptr<Workqueue> wq = *Workqueue::Create("million");
  std::vector<uwq_delayed_work> items(1'000'000);
  std::mt19937_64 rng(7);
  std::uniform_int_distribution<int64_t> far(base::kSecond * 3600, base::kSecond * 86400 * 30);
  auto* const raw = reinterpret_cast<uwq_workqueue*>(wq->raw());
  for (uwq_delayed_work& item : items) {
    uwq_init_delayed_work(&item, Count, 0);
    ASSERT_TRUE(uwq_queue_delayed_work(raw, &item, far(rng)));
  }
  // A tenth of them now, the others cancelled, in random order.
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), rng);
  int64_t expected = 0, cancelled = 0;
  for (size_t n = 0; n < order.size(); ++n) {
    if (n % 10 == 0) {
      EXPECT_TRUE(uwq_mod_delayed_work(raw, &items[order[n]], 1 + n % 1000));
      ++expected;
    } else {
      cancelled += uwq_cancel_delayed_work(&items[order[n]]);
    }
  }
  EXPECT_EQ(cancelled + expected, 1'000'000);
  for (uwq_delayed_work& item : items) (void)uwq_flush_delayed_work(&item);
  EXPECT_EQ(runs, expected);
}

TEST(DelayedStress, CancelSyncAgainstExpiryThenFree) {
  runs = 0;
  std::unique_ptr<Workqueue> wq = *Workqueue::Create("race");
  auto* const raw = reinterpret_cast<uwq_workqueue*>(wq->raw());
  std::mt19937_64 rng(11);
  int64_t accepted = 0, cancelled = 0;
  for (int i = Rounds(100'000); i > 0; --i) {
    auto item = std::make_unique<uwq_delayed_work>();
    uwq_init_delayed_work(item.get(), Count, 0);
    accepted += uwq_queue_delayed_work(raw, item.get(), static_cast<int64_t>(rng() % 30000));
    for (uint64_t spin = rng() % 200; spin > 0; --spin) base::CpuRelax();
    cancelled += uwq_cancel_delayed_work_sync(item.get());
    item.reset();
  }
  wq->Flush();
  EXPECT_EQ(accepted, runs + cancelled);
}

}  // namespace
}  // namespace uwq
