// SPDX-License-Identifier: BSD-3-Clause
//
// released_fails.cc -- a guarded field is read after MutexLock::Release.
// expect-error: reading variable 'value_' requires holding mutex 'first_'
#include "tests/compile_fail/counter.h"

namespace uwq::compile_fail {

int Counter::Read() {
  base::MutexLock lock(&first_);
  lock.Release();
  return value_;
}

}  // namespace uwq::compile_fail
