// SPDX-License-Identifier: BSD-3-Clause
//
// fault_outcome.h -- where the driver must stand at the end of each fault's script.
// Invariant: every entry of AllFaults() has one.
// Read on: ../device/faults.cc, tests/hdmi/fault_test.cc (the exact times).
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_FAULT_OUTCOME_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_FAULT_OUTCOME_H_

#include <string>

#include "absl/strings/string_view.h"
#include "drivers/hdmi_example/driver/port_state.h"

namespace uwq::hdmi {

enum class Outcome {
  kEnabled,    // plugged, picture on, protected
  kIdle,       // plugged, not protected, no further attempt, the client's wish stands
  kTrying,     // as kIdle, but attempts go on
  kUnplugged,  // nothing plugged, nothing armed but the heartbeat
  kVideo,      // a picture; protection does not matter
  kRemoved,
};

Outcome OutcomeOf(absl::string_view fault_id);
const char* OutcomeName(Outcome outcome);
// Empty, or what is not as `outcome` wants it.
std::string CheckOutcome(Outcome outcome, const PortState& state);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_FAULT_OUTCOME_H_
