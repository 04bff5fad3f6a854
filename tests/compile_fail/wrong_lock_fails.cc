// SPDX-License-Identifier: BSD-3-Clause
//
// wrong_lock_fails.cc -- a guarded field is read under another lock.
// expect-error: reading variable 'value_' requires holding mutex 'first_'
#include "tests/compile_fail/counter.h"

namespace uwq::compile_fail {

int Counter::Read() {
  base::MutexLock lock(&second_);
  return value_;
}

}  // namespace uwq::compile_fail
