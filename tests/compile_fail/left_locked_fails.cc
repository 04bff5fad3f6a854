// SPDX-License-Identifier: BSD-3-Clause
//
// left_locked_fails.cc -- a function returns with a lock held.
// expect-error: mutex 'first_' is still held at the end of function
#include "tests/compile_fail/counter.h"

namespace uwq::compile_fail {

int Counter::Read() {
  first_.Lock();
  return value_;
}

}  // namespace uwq::compile_fail
