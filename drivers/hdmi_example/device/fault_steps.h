// SPDX-License-Identifier: BSD-3-Clause
// fault_steps.h: short spellings for the steps of the fault catalogue.
// Invariant: each makes exactly one step of one actor.
// Read on: faults.cc, faults_lifecycle.cc.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_FAULT_STEPS_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_FAULT_STEPS_H_

#include <vector>

#include "drivers/hdmi_example/device/script.h"

namespace uwq::hdmi::fault_internal {

// When the stage has settled: authenticated, encrypting, quiet.
inline constexpr int64_t kSettled = 10 * kSecond;

inline ScriptStep At(int64_t at_ns, hdmi_inject_op op, int64_t a = 0, int64_t b = 0) {
  ScriptStep step;
  step.at_ns = at_ns;
  step.inject.op = op;
  step.inject.a = a;
  step.inject.b = b;
  return step;
}

// `delay_ns` after the next such moment, waiting from the start of the run.
inline ScriptStep On(hdmi_when when, int64_t delay_ns, hdmi_inject_op op, int64_t a = 0,
                     int64_t b = 0, int arg = 0) {
  ScriptStep step;
  step.inject.op = op;
  step.inject.a = a;
  step.inject.b = b;
  step.inject.when = when;
  step.inject.arg = arg;
  step.inject.delay_ns = delay_ns;
  return step;
}

inline ScriptStep Client(int64_t at_ns, ClientOp op, int64_t a = 0, int64_t b = 0) {
  ScriptStep step;
  step.at_ns = at_ns;
  step.actor = Actor::kClient;
  step.client = op;
  step.a = a;
  step.b = b;
  return step;
}

inline ScriptStep Process(int64_t at_ns, ProcessOp op, int64_t a = 0) {
  ScriptStep step;
  step.at_ns = at_ns;
  step.actor = Actor::kProcess;
  step.process = op;
  step.a = a;
  return step;
}

// F27..F44.
void AddLifecycle(std::vector<Fault>& faults);

}  // namespace uwq::hdmi::fault_internal

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_FAULT_STEPS_H_
