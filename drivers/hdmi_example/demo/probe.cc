// SPDX-License-Identifier: BSD-3-Clause
// probe.cc: see probe.h.
#include "drivers/hdmi_example/demo/probe.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/hdmi_example/demo/timeline.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"
#include "drivers/hdmi_example/driver/i2c_hardware.h"
#include "workqueue/base/sync.h"

namespace uwq::hdmi {

absl::StatusOr<int> ProbeI2c(const std::string& path, bool color) {
  auto bus = OpenLinuxI2c(path);
  if (!bus.ok()) return bus.status();
  Timeline timeline(1, color);
  timeline.Header();
  base::Completion mode_chosen;
  DriverOptions options;
  options.heartbeat_limit = absl::Seconds(10);  // a sink may hold the bus for seconds
  options.ddc_timeout = absl::Seconds(3);
  options.on_log = [&](const LogLine& line) {
    timeline.OnLog(line);
    // It is the last thing that can be found without writing.
    if (line.text.find("video: ") == 0) mode_chosen.Set();
  };
  auto driver = HdmiDriver::Create(
      std::make_unique<I2cHardware>(*std::move(bus), I2cHardware::Options()), std::move(options));
  if (!driver.ok()) return driver.status();
  const bool found = mode_chosen.WaitUntil(base::Now() + 5 * base::kSecond);
  if (absl::Status s = (*driver)->Remove(); !s.ok()) return s;
  if (!found) timeline.Say(Timeline::Who::kDemo, absl::StrCat("no screen answers on ", path));
  return found ? 0 : 1;
}

}  // namespace uwq::hdmi
