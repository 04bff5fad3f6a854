// SPDX-License-Identifier: BSD-3-Clause
//
// lock_order_fails.cc -- two locks are taken against their declared order.
// expect-error: mutex 'first_' must be acquired before 'second_'
#include "tests/compile_fail/counter.h"

namespace uwq::compile_fail {

int Counter::Read() {
  base::MutexLock outer(&second_);
  base::MutexLock inner(&first_);
  return value_;
}

}  // namespace uwq::compile_fail
