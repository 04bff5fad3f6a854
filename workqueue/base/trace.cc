// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/base/trace.h"

namespace uwq::base {
std::atomic<const TraceSink*> trace_sink{nullptr};
}  // namespace uwq::base
