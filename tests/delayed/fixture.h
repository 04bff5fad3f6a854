// SPDX-License-Identifier: BSD-3-Clause
//
// fixture.h -- a queue of the default Runtime, and the reports that the test provokes.
#ifndef UWQ_TESTS_DELAYED_FIXTURE_H_
#define UWQ_TESTS_DELAYED_FIXTURE_H_

#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "workqueue/base/sync.h"
#include "workqueue/workqueue.h"

namespace uwq {

class QueueTest : public testing::Test {
 protected:
  void SetUp() override {
    core::ResetReports();
    SetReportHandler([this](const Report& report) {
      base::MutexLock lock(&mutex_);
      reports_.push_back(report.kind);
    });
    wq_ = *Workqueue::Create("test");
  }
  void TearDown() override {
    wq_.reset();
    SetReportHandler(nullptr);
  }
  int Reports(ReportKind kind) {
    base::MutexLock lock(&mutex_);
    int n = 0;
    for (ReportKind k : reports_) n += k == kind;
    return n;
  }
  std::unique_ptr<Workqueue> wq_;

 private:
  base::Mutex mutex_;
  std::vector<ReportKind> reports_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace uwq

#endif  // UWQ_TESTS_DELAYED_FIXTURE_H_
