// SPDX-License-Identifier: BSD-3-Clause
//
// random_test.cc -- mixes of faults, resets, suspends and clients, each with a seed.
//
// Oracle: whatever happened, Remove() leaves nothing pending and no reference; the
// library reports no mistake; and when the world calms down and a good screen is
// plugged, it is protected within 40 s.
//   UWQ_HDMI_SEED=n  runs only that mix; with UWQ_HDMI_LOG=1 it prints the driver's log
//   UWQ_HDMI_MIXES=n other number of mixes than a thousand
#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/hdmi/stage.h"

namespace uwq::hdmi {
namespace {

constexpr int64_t kMixNs = 12 * kSecond;

// Everything as it was, and a screen that is new.
void CalmDown(Stage& stage) {
  stage.Inject(HDMI_OP_DDC_NAK, -1, 0);
  stage.Inject(HDMI_OP_DDC_NAK_FOR, -1, 0);
  stage.Inject(HDMI_OP_DDC_HANG, 0);
  stage.Inject(HDMI_OP_DDC_STRETCH, 0, 0);
  stage.Inject(HDMI_OP_DDC_ARB, 0);
  stage.Inject(HDMI_OP_DDC_LATE, 0);
  stage.Inject(HDMI_OP_DDC_LIE, 0, 0);
  stage.Inject(HDMI_OP_EDID_CORRUPT, 0, 0);
  stage.Inject(HDMI_OP_EDID_NAK, -1);
  stage.Inject(HDMI_OP_BKSV_BAD, 0);
  stage.Inject(HDMI_OP_R0_DELAY, 60 * kMs);
  stage.Inject(HDMI_OP_RI_BAD, 0, 0);
  stage.Inject(HDMI_OP_READY_DELAY, kSecond);
  stage.Inject(HDMI_OP_V_BAD, 0);
  stage.Inject(HDMI_OP_IF_DROP, 0);
  stage.Inject(HDMI_OP_MODE_DELAY, 30 * kMs);
  stage.host().With([](SimDevice& device) {
    for (hdmi_trigger& trigger : device.model().trigger) trigger.when = HDMI_WHEN_NOW;
  });
  stage.RunFor(4 * kSecond);  // until the last flood is over
  stage.Unplug();
  stage.RunFor(2 * kSecond);
  stage.Plug(kSlotTv);
}

void RunMix(uint64_t seed) {
  StageOptions options;
  options.seed = seed;
  options.hdcp22 = seed % 4 == 0;
  Stage stage(options);
  std::vector<ScriptStep> steps = RandomScript(seed, 12, kMixNs);
  uint64_t state = hdcp14_mix64(seed ^ 0x5eed);
  const auto below = [&state](uint64_t n) { return (state = hdcp14_mix64(state)) % n; };
  for (int i = 0; i < 4; ++i) {
    ScriptStep step;
    step.actor = Actor::kClient;
    step.at_ns = kPlugNs + static_cast<int64_t>(below(kMixNs - kPlugNs));
    constexpr ClientOp kOps[] = {ClientOp::kProtection,   ClientOp::kToggle,     ClientOp::kReset,
                                 ClientOp::kSuspend,      ClientOp::kCecRequest, ClientOp::kSrm,
                                 ClientOp::kResetFromPort};
    step.client = kOps[below(std::size(kOps))];
    step.a = step.client == ClientOp::kReset    ? 1 + static_cast<int64_t>(below(3))
             : step.client == ClientOp::kToggle ? static_cast<int64_t>(below(20))
             : step.client == ClientOp::kSrm    ? 0
                                                : static_cast<int64_t>(below(2));
    steps.push_back(step);
    if (step.client == ClientOp::kSuspend) {
      step.client = ClientOp::kResume;
      step.at_ns += static_cast<int64_t>(below(kSecond));
      steps.push_back(step);
    }
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const ScriptStep& x, const ScriptStep& y) { return x.at_ns < y.at_ns; });
  stage.TolerateRefusals();  // no sink for CEC, suspended: clients are told
  stage.Play(steps, kMixNs);
  EXPECT_TRUE(stage.driver().Resume().ok());
  CalmDown(stage);
  EXPECT_TRUE(stage.driver().SetProtection(true).ok());
  for (int i = 0; i < 40 && stage.state().protection != Protection::kEnabled; ++i) {
    stage.RunFor(kSecond);
  }
  EXPECT_EQ(stage.state().protection, Protection::kEnabled) << "UWQ_HDMI_SEED=" << seed << "\n"
                                                            << stage.LogText();
  stage.Finish();
}

// In parts, for Bazel to share them out among shards.
constexpr int kParts = 20;
class RandomMixes : public testing::TestWithParam<int> {};

TEST_P(RandomMixes, EndProtected) {
  if (const char* seed = getenv("UWQ_HDMI_SEED"); seed != nullptr) {
    if (GetParam() == 0) OnStage(1, [&] { RunMix(strtoull(seed, nullptr, 0)); });
    return;
  }
  const char* const mixes = getenv("UWQ_HDMI_MIXES");
  const int n = mixes != nullptr ? atoi(mixes) : 1000;
  for (int i = GetParam(); i < n && !testing::Test::HasFailure(); i += kParts) {
    const uint64_t seed = static_cast<uint64_t>(i) + 1;
    OnStage(1, [&] { RunMix(seed); });
  }
}
INSTANTIATE_TEST_SUITE_P(Random, RandomMixes, testing::Range(0, kParts));

}  // namespace
}  // namespace uwq::hdmi
