// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: a queue at namespace scope, made before main() and in a program of static
// libraries before the initialisers of ours, has timers as any other.
#include <memory>

#include "delayed/delayed_work.h"
#include "gtest/gtest.h"
#include "workqueue/workqueue.h"

namespace uwq {
namespace {

const unsigned long ticks_early = uwq_ticks_at(base::Now());
const std::unique_ptr<Workqueue> early = *Workqueue::Create("early");

TEST(EarlyQueue, HasTimers) {
  base::Completion ran;
  DelayedWork work([&] { ran.Set(); });
  EXPECT_TRUE(work.Queue(*early, absl::Milliseconds(1)));
  ran.Wait();
  early->Flush();
}

// Ticks count from one start for everybody.
TEST(EarlyQueue, TicksGoOn) { EXPECT_LT(uwq_ticks_at(base::Now()) - ticks_early, 300'000u); }

}  // namespace
}  // namespace uwq
