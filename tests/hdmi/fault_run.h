// SPDX-License-Identifier: BSD-3-Clause
//
// fault_run.h -- plays one fault of the catalogue and looks at what it did.
// Invariant: `check` runs at the end of the script, before the driver is removed.
// Read on: stage.h.
#ifndef UWQ_TESTS_HDMI_FAULT_RUN_H_
#define UWQ_TESTS_HDMI_FAULT_RUN_H_

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "drivers/hdmi_example/demo/fault_outcome.h"
#include "tests/hdmi/stage.h"

namespace uwq::hdmi {

inline void RunFault(const char* id, const std::function<void(Stage&)>& check, int schedules = 8) {
  const Fault* const fault = FindFault(id);
  ASSERT_NE(fault, nullptr) << id;
  OnStage(schedules, [&] {
    StageOptions options;
    options.hdcp22 = fault->needs_hdcp22;
    Stage stage(options);
    stage.Play(FaultScript(*fault), fault->run_ns);
    if (OutcomeOf(id) != Outcome::kRemoved) {
      EXPECT_EQ(CheckOutcome(OutcomeOf(id), stage.state()), "") << stage.LogText();
    }
    check(stage);
    stage.Finish();
  });
}

// Whole milliseconds of a time; -1 stays -1.
inline int64_t Ms(int64_t ns) { return ns < 0 ? -1 : ns / kMs; }

// What clients were told, in order.
inline std::string Told(Stage& stage) {
  std::string text;
  for (const Stage::Note& note : stage.told()) {
    text += (text.empty() ? "" : " ") + note.what;
  }
  return text;
}

}  // namespace uwq::hdmi

#endif  // UWQ_TESTS_HDMI_FAULT_RUN_H_
