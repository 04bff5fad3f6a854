// SPDX-License-Identifier: BSD-3-Clause
//
// port_state.h -- what a client may know of the port: plain values.
// Invariant: none; a copy of some moment.
// Read on: hdmi_driver.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_PORT_STATE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_PORT_STATE_H_

#include <cstdint>
#include <string>

namespace uwq::hdmi {

enum class Protection { kUndesired, kDesired, kEnabled };
inline const char* ProtectionName(Protection p) {
  constexpr const char* kNames[] = {"UNDESIRED", "DESIRED", "ENABLED"};
  return kNames[static_cast<int>(p)];
}

struct PortState {
  bool device_up = false;  // the transmitter can be reached
  bool plugged = false;
  bool video = false;
  bool suspended = false;
  bool storm = false;  // HPD interrupts are masked
  bool muted = false;
  bool encrypted = false;
  Protection protection = Protection::kUndesired;
  std::string sink;  // its name
  std::string mode;
  std::string hdcp;        // the state of its machine
  bool hdcp_idle = false;  // gave up until HPD, SRM or the client changes something
  uint16_t physical_address = 0xffff;
  int attempts = 0;
  uint32_t generation = 0;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_PORT_STATE_H_
