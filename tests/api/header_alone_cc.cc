// SPDX-License-Identifier: BSD-3-Clause
//
// header_alone_cc.cc -- the C header compiles alone, twice, as C++.
#include "workqueue/c/uwq.h"

static_assert(sizeof(uwq_work) == 32);
