// SPDX-License-Identifier: BSD-3-Clause
//
// counter.h -- the class that the programs of this folder use rightly or wrongly.
#ifndef UWQ_TESTS_COMPILE_FAIL_COUNTER_H_
#define UWQ_TESTS_COMPILE_FAIL_COUNTER_H_

#include "absl/base/thread_annotations.h"
#include "workqueue/base/sync.h"

namespace uwq::compile_fail {

class Counter {
 public:
  int Read();
  int ReadLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(first_) { return value_; }

 private:
  base::Mutex first_ ABSL_ACQUIRED_BEFORE(second_);
  base::Mutex second_;
  int value_ ABSL_GUARDED_BY(first_) = 0;
};

}  // namespace uwq::compile_fail

#endif  // UWQ_TESTS_COMPILE_FAIL_COUNTER_H_
