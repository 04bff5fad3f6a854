// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/base/fault.h"

#include <atomic>

namespace uwq::base {
namespace {
// Deliberately not a base::Atomic: a fault point is no scheduling point.
std::atomic<FaultHook> fault_hook{nullptr};
}  // namespace

void SetFaultHook(FaultHook hook) { fault_hook.store(hook, std::memory_order_release); }

bool FaultInjected(const char* point) {
  const FaultHook hook = fault_hook.load(std::memory_order_acquire);
  return hook != nullptr && hook(point);
}

}  // namespace uwq::base
