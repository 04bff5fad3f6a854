// SPDX-License-Identifier: BSD-3-Clause
//
// device_host.h -- the process that plays the transmitter: the device model behind a
// KUP channel.
//
// Invariant: the model's time is the monotonic clock times the speed, from the start
// of the host (but see machine_clock); every event is posted as soon as it has happened.
// Read on: ../device/hdmi_device.h, kup_bridge/kupdev.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_DEVICE_HOST_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_DEVICE_HOST_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace uwq::hdmi {

struct DeviceHostOptions {
  std::string name;  // as kupdev_open() takes it, without "sim:"
  uint64_t seed = 1;
  double speed = 1;
  bool hdcp22 = false;  // sinks may have HDCP 2.2 receivers; costs a second at the start
  // An event's time is CLOCK_MONOTONIC's when it is written, not the model's when it happens.
  bool machine_clock = false;
  // Called when the channel exists; then the driver can attach.
  std::function<void()> ready;
  // Asked now and then; true ends the host in order.
  std::function<bool()> stop;
};

// Runs until stop() says so.  Errors: AlreadyExists (the name is taken),
// InvalidArgument, ResourceExhausted.  Blocks.
absl::Status RunDeviceHost(const DeviceHostOptions& options);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_DEVICE_HOST_H_
