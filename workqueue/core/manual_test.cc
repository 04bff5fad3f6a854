// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: with RuntimeOptions::manual everything runs on the caller's thread.
#include <gtest/gtest.h>

#include <vector>

#include "workqueue/core/item.h"
#include "workqueue/core/runtime.h"

namespace uwq::core {
namespace {

std::vector<const WorkItem*>* order;
base::ThreadId ran_on;
Workqueue* requeue_on;
WorkItem* inner;

void Record(WorkItem* work) {
  order->push_back(work);
  ran_on = base::SelfId();
}
void FlushInner(WorkItem* work) {
  EXPECT_TRUE(QueueWork(requeue_on, inner));
  EXPECT_TRUE(FlushWork(inner));  // runs it inside
  EXPECT_EQ(CurrentWork(), work);
  Record(work);
}
void Requeue(WorkItem* work) {
  Record(work);
  if (order->size() < 5000) QueueWork(requeue_on, work);
}

class ManualTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RuntimeOptions options;
    options.manual = true;
    runtime_ = *Runtime::Create(options);
    order = &order_;
  }
  Workqueue* Alloc(unsigned flags) { return *AllocWorkqueue(runtime_.get(), {"manual", flags, 0}); }
  std::unique_ptr<Runtime> runtime_;
  std::vector<const WorkItem*> order_;
};

TEST_F(ManualTest, RunsOnlyWhenAsked) {
  Workqueue* wq = Alloc(kWqUnbound | kWqOrdered | kWqMemReclaim);
  WorkItem a, b;
  InitWord(&a, Record);
  InitWord(&b, Record);
  EXPECT_TRUE(QueueWork(wq, &a));
  EXPECT_TRUE(QueueWork(wq, &b));
  EXPECT_TRUE(order_.empty());
  EXPECT_EQ(runtime_->RunPending(), 2);
  EXPECT_EQ(order_, (std::vector<const WorkItem*>{&a, &b}));
  EXPECT_EQ(ran_on, base::SelfId());
  EXPECT_EQ(runtime_->RunPending(), 0);
  DestroyWorkqueue(wq);
}

TEST_F(ManualTest, WaitsRunItems) {
  Workqueue* wq = Alloc(kWqPercpu);
  WorkItem a;
  InitWord(&a, Record);
  QueueWork(wq, &a);
  EXPECT_TRUE(FlushWork(&a));
  EXPECT_EQ(order_.size(), 1u);
  QueueWork(wq, &a);
  FlushWorkqueue(wq);
  EXPECT_EQ(order_.size(), 2u);
  QueueWork(wq, &a);
  EXPECT_TRUE(CancelWorkSync(&a));
  EXPECT_EQ(order_.size(), 2u);
  QueueWork(wq, &a);
  DestroyWorkqueue(wq);  // drains
  EXPECT_EQ(order_.size(), 3u);
}

TEST_F(ManualTest, AnItemMayWaitForAnother) {
  Workqueue* wq = Alloc(kWqUnbound);
  requeue_on = wq;
  WorkItem outer, other;
  InitWord(&outer, FlushInner);
  InitWord(&other, Record);
  inner = &other;
  QueueWork(wq, &outer);
  runtime_->RunPending();
  EXPECT_EQ(order_, (std::vector<const WorkItem*>{&other, &outer}));
  DestroyWorkqueue(wq);
}

TEST_F(ManualTest, ASelfRequeueDoesNotHoldTheCallerForEver) {
  Workqueue* wq = Alloc(kWqUnbound);
  requeue_on = wq;
  WorkItem a;
  InitWord(&a, Requeue);
  QueueWork(wq, &a);
  EXPECT_LT(runtime_->RunPending(), 5000);
  EXPECT_TRUE(WorkPending(&a));
  EXPECT_TRUE(CancelWorkSync(&a));
  DestroyWorkqueue(wq);
}

}  // namespace
}  // namespace uwq::core
