// SPDX-License-Identifier: BSD-3-Clause
//
// layer_middle.h -- the layer above layer_low.h.
#ifndef UWQ_TESTS_COMPILE_FAIL_LAYER_MIDDLE_H_
#define UWQ_TESTS_COMPILE_FAIL_LAYER_MIDDLE_H_

#include "tests/compile_fail/layer_low.h"

inline int LayerMiddle() { return LayerLow() + 1; }

#endif  // UWQ_TESTS_COMPILE_FAIL_LAYER_MIDDLE_H_
