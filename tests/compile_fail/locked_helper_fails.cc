// SPDX-License-Identifier: BSD-3-Clause
//
// locked_helper_fails.cc -- a ...Locked helper is called without the lock.
// expect-error: calling function 'ReadLocked' requires holding mutex 'first_'
#include "tests/compile_fail/counter.h"

namespace uwq::compile_fail {

int Counter::Read() { return ReadLocked(); }

}  // namespace uwq::compile_fail
