// SPDX-License-Identifier: BSD-3-Clause
//
// unlocked_fails.cc -- a guarded field is read without its lock.
// expect-error: reading variable 'value_' requires holding mutex 'first_'
#include "tests/compile_fail/counter.h"

namespace uwq::compile_fail {

int Counter::Read() { return value_; }

}  // namespace uwq::compile_fail
