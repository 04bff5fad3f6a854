// SPDX-License-Identifier: BSD-3-Clause
//
// fake_device.h -- finds a device of this very process (fake:NAME).
//
// Weak on purpose: a program that has no device side does not link one.
#ifndef UWQ_KUP_BRIDGE_FAKE_DEVICE_H_
#define UWQ_KUP_BRIDGE_FAKE_DEVICE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kup_bridge/ring_map.h"

namespace uwq::kup {

// A connected socket to the device that calls itself fake:`name`.  NOT_FOUND.
absl::StatusOr<Fd> ConnectFake(absl::string_view name) __attribute__((weak));

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_FAKE_DEVICE_H_
