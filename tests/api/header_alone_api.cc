// SPDX-License-Identifier: BSD-3-Clause
//
// header_alone_api.cc -- the C++ header compiles alone, and twice.
#include "workqueue/workqueue.h"

static_assert(sizeof(uwq::WorkItem) == 32);
