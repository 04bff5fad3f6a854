// SPDX-License-Identifier: BSD-3-Clause
//
// locked.cc -- the control: correct use of the annotated lock compiles.
#include "tests/compile_fail/counter.h"

namespace uwq::compile_fail {

int Counter::Read() {
  base::MutexLock lock(&first_);
  return ReadLocked();
}

}  // namespace uwq::compile_fail
