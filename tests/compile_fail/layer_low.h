// SPDX-License-Identifier: BSD-3-Clause
//
// layer_low.h -- the lowest of three layers, for tools/check.
#ifndef UWQ_TESTS_COMPILE_FAIL_LAYER_LOW_H_
#define UWQ_TESTS_COMPILE_FAIL_LAYER_LOW_H_

inline int LayerLow() { return 1; }

#endif  // UWQ_TESTS_COMPILE_FAIL_LAYER_LOW_H_
