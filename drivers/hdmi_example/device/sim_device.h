// SPDX-License-Identifier: BSD-3-Clause
// sim_device.h: the device model of hdmi_device.h as a C++ object, for tests, for
// an in-process back end, and for the process that plays the device.
//
// Invariant: the same seed, sinks, script and commands at the same times give the
// same events, byte for byte.
//
// Threads: one at a time.  Blocks: never.  Time: nanoseconds of whatever clock
// the caller has; it must not run backwards.
// Read on: hdmi_device.h, hdmi_records.h, faults.h, scenario.h.
//
//   SimDevice device({.seed = 7});
//   device.LoadSink(0, SinkForEdid(edid));
//   device.Inject({.op = HDMI_OP_PLUG, .delay_ns = 1'000'000'000});
//   device.Step(2'000'000'000);
//   while (auto event = device.Pop()) puts(EventToString(*event).c_str());
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_SIM_DEVICE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_SIM_DEVICE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "drivers/hdmi_example/device/hdmi_device.h"
#include "drivers/hdmi_example/device/hdmi_records.h"

namespace uwq::hdmi {

// SHA-1 from OpenSSL, and no HDCP 2.2.
hdmi_device_ops DefaultDeviceOps();

class SimDevice {
 public:
  struct Options {
    uint64_t seed = 1;
    uint64_t authority = HDCP14_SIM_SEED;
    int64_t start_ns = 0;
    hdmi_device_ops ops = DefaultDeviceOps();
  };
  SimDevice() : SimDevice(Options()) {}
  explicit SimDevice(const Options& options);
  SimDevice(const SimDevice&) = delete;
  SimDevice& operator=(const SimDevice&) = delete;

  // Errors: InvalidArgument for a slot that is not 0..3, an EDID above 4 KiB, a
  // repeater with more than 127 devices or 7 levels.
  absl::Status LoadSink(int slot, const SinkSpec& sink);

  // Errors: InvalidArgument naming the operation, ResourceExhausted when the
  // script is full.
  absl::Status Inject(const InjectStep& step);

  // Carries out a command at `now_ns`.  Errors: InvalidArgument,
  // FailedPrecondition (an earlier generation), ResourceExhausted.
  absl::Status Command(int64_t now_ns, const HdmiCommand& command);

  void Step(int64_t now_ns) { hdmi_device_step(device_.get(), now_ns); }
  int64_t Deadline() const { return hdmi_device_deadline(device_.get()); }
  std::optional<HdmiEvent> Pop();
  uint64_t Reg(hdmi_reg reg) { return hdmi_device_reg(device_.get(), static_cast<uint32_t>(reg)); }
  int64_t now_ns() const { return device_->now_ns; }
  uint32_t generation() const { return device_->generation; }

  // For tests that look inside.
  hdmi_device& model() { return *device_; }

 private:
  std::unique_ptr<hdmi_device> device_;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_SIM_DEVICE_H_
