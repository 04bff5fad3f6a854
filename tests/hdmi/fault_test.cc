// SPDX-License-Identifier: BSD-3-Clause
//
// fault_test.cc -- every fault of the catalogue, on virtual time: where the driver
// stands at the end.  What it did on the way, with exact times, is in
// fault_cable_test.cc, fault_hdcp_test.cc, fault_hdcp22_test.cc and fault_life_test.cc.
//
// Goal of each: the outcome of fault_outcome.h, under several schedules, and what
// Stage::Finish() demands (nothing pending, no reference, no double completion).
#include <gtest/gtest.h>

#include "drivers/hdmi_example/demo/fault_outcome.h"
#include "tests/hdmi/stage.h"

namespace uwq::hdmi {
namespace {

class FaultTest : public testing::TestWithParam<const Fault*> {};

TEST_P(FaultTest, EndsAsItMust) {
  const Fault& fault = *GetParam();
  OnStage(4, [&] {
    StageOptions options;
    options.hdcp22 = fault.needs_hdcp22;
    Stage stage(options);
    // What armed for an hour, and 20 of them, is still there at the end (F30).
    if (fault.number == 30) stage.ExpectReports(core::ReportKind::kArmedTimerAtDestroy);
    stage.Play(FaultScript(fault), fault.run_ns);
    const Outcome outcome = OutcomeOf(fault.id);
    if (outcome != Outcome::kRemoved) {
      EXPECT_EQ(CheckOutcome(outcome, stage.state()), "")
          << fault.id << " must end as " << OutcomeName(outcome) << "\n"
          << stage.LogText();
    }
    stage.Finish();
  });
}

std::vector<const Fault*> Faults() {
  std::vector<const Fault*> faults;
  for (const Fault& fault : AllFaults()) faults.push_back(&fault);
  return faults;
}

std::string Name(const testing::TestParamInfo<const Fault*>& info) {
  std::string name = info.param->id;
  for (char& c : name) c = c == '.' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, FaultTest, testing::ValuesIn(Faults()), Name);

}  // namespace
}  // namespace uwq::hdmi
