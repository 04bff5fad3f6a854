// SPDX-License-Identifier: BSD-3-Clause
// fault_outcome.cc: see fault_outcome.h.
#include "drivers/hdmi_example/demo/fault_outcome.h"

#include <map>

#include "absl/strings/str_cat.h"

namespace uwq::hdmi {

Outcome OutcomeOf(absl::string_view fault_id) {
  static const auto* const outcomes = new std::map<std::string, Outcome, std::less<>>{
      {"F1", Outcome::kUnplugged},  // its 20 edges begin low and so end low
      {"F4", Outcome::kUnplugged},   {"F5", Outcome::kUnplugged},
      {"F6", Outcome::kUnplugged},   {"F7", Outcome::kUnplugged},
      {"F8", Outcome::kUnplugged},   {"F9.always", Outcome::kVideo},
      {"F15", Outcome::kIdle},       {"F20", Outcome::kIdle},
      {"F22.devs", Outcome::kIdle},  {"F22.cascade", Outcome::kIdle},
      {"F22.zero", Outcome::kIdle},  {"F23.always", Outcome::kIdle},
      {"F24", Outcome::kUnplugged},  {"F26", Outcome::kIdle},
      {"F30", Outcome::kEnabled},    {"F31", Outcome::kRemoved},
      {"F43.type1", Outcome::kIdle},
  };
  const auto found = outcomes->find(fault_id);
  return found == outcomes->end() ? Outcome::kEnabled : found->second;
}

const char* OutcomeName(Outcome outcome) {
  constexpr const char* kNames[] = {"ENABLED",   "DESIRED, idle", "DESIRED, trying",
                                    "unplugged", "a picture",     "removed"};
  return kNames[static_cast<int>(outcome)];
}

std::string CheckOutcome(Outcome outcome, const PortState& s) {
  std::string wrong;
  const auto want = [&](bool condition, absl::string_view what) {
    if (!condition) absl::StrAppend(&wrong, wrong.empty() ? "" : ", ", what);
  };
  switch (outcome) {
    case Outcome::kEnabled:
      want(s.plugged && s.video, "no picture");
      want(s.protection == Protection::kEnabled, "not ENABLED");
      want(s.encrypted, "not encrypted");
      want(!s.muted, "muted");
      break;
    case Outcome::kIdle:
      want(s.plugged && s.video, "no picture");
      want(s.protection == Protection::kDesired, "not DESIRED");
      want(s.hdcp_idle, "still trying");
      want(!s.encrypted, "encrypted");
      break;
    case Outcome::kTrying:
      want(s.plugged && s.video, "no picture");
      want(s.protection == Protection::kDesired, "not DESIRED");
      break;
    case Outcome::kUnplugged:
      want(!s.plugged && !s.video, "plugged");
      want(s.protection == Protection::kDesired, "not DESIRED");
      want(!s.encrypted, "encrypted");
      want(s.physical_address == 0xffff, "physical address is not f.f.f.f");
      break;
    case Outcome::kVideo:
      want(s.plugged && s.video && !s.muted, "no picture");
      break;
    case Outcome::kRemoved:
      break;
  }
  return wrong;
}

}  // namespace uwq::hdmi
