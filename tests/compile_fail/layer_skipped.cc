// SPDX-License-Identifier: BSD-3-Clause
//
// layer_skipped.cc -- includes a header two layers down.  As :layer_named, which
// names both layers in its deps, it builds; as :layer_skipped it must not.
#include "tests/compile_fail/layer_low.h"
#include "tests/compile_fail/layer_middle.h"

int LayerTop() { return LayerLow() + LayerMiddle(); }
