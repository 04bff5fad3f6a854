// SPDX-License-Identifier: BSD-3-Clause
//
// probe.h -- the driver on a real machine's DDC: what is plugged there?
// Invariant: nothing is written to the bus but where to read.
// Read on: ../driver/i2c_hardware.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_PROBE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_PROBE_H_

#include <string>

#include "absl/status/statusor.h"

namespace uwq::hdmi {

// Attaches the driver for up to 5 s and shows what it finds.  0: a screen, 1: none.
// Errors: those of OpenLinuxI2c.  Sleeps.
absl::StatusOr<int> ProbeI2c(const std::string& path, bool color);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_PROBE_H_
