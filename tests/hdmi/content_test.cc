// SPDX-License-Identifier: BSD-3-Clause
//
// content_test.cc -- a client says what the picture is (HdmiDriver::SetContent), and
// InfoFrames of a running picture follow; with exact times of the virtual clock.
//
// Oracle: what the transmitter sends (its model), when it was told, and that the
// picture is never muted for it.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "tests/hdmi/fault_run.h"

namespace uwq::hdmi {
namespace {

constexpr uint8_t kDrm = static_cast<uint8_t>(InfoFrameType::kDrm);
const Content kHdr = {.hdr_output_metadata = HdrMetadata()};

// Bytes of the DRM InfoFrame that the transmitter sends; 0: none.
int DrmSent(Stage& stage) {
  int bytes = 0;
  stage.host().With([&](SimDevice& device) { bytes = device.model().infoframe[kDrm]; });
  return bytes;
}

// Counts commands on their way down.
class Tap : public Hardware {
 public:
  Tap(std::unique_ptr<Hardware> below, std::vector<uint32_t>* frames, int* mutes)
      : below_(std::move(below)), frames_(frames), mutes_(mutes) {}
  absl::Status Start(Handler* handler) override { return below_->Start(handler); }
  void Stop() override { below_->Stop(); }
  absl::Status Send(const HdmiCommand& command) override {
    if (command.record.type == HDMI_CMD_INFOFRAME) {
      frames_->push_back(command.record.u.infoframe.type);
    }
    if (command.record.type == HDMI_CMD_AVMUTE) ++*mutes_;
    return below_->Send(command);
  }

 private:
  const std::unique_ptr<Hardware> below_;
  std::vector<uint32_t>* const frames_;
  int* const mutes_;
};

// Only what differs is sent, at once, and what is no more is switched off.
TEST(Content, RunningPicture) {
  OnStage(8, [] {
    std::vector<uint32_t> frames;
    int mutes = 0;
    StageOptions options;
    options.wrap = [&](std::unique_ptr<Hardware> below) {
      return std::make_unique<Tap>(std::move(below), &frames, &mutes);
    };
    Stage stage(options);
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(5 * kSecond);
    EXPECT_EQ(DrmSent(stage), 0);
    frames.clear();
    mutes = 0;

    EXPECT_TRUE(stage.driver().SetContent(kHdr).ok());
    stage.RunFor(kMs);
    EXPECT_EQ(DrmSent(stage), 30);
    stage.RunFor(kSecond);
    EXPECT_EQ(stage.CountLog("1 InfoFrames acknowledged"), 1);
    EXPECT_TRUE(stage.driver().SetContent(kHdr).ok());  // no news
    stage.RunFor(kSecond);
    EXPECT_EQ(frames, std::vector<uint32_t>{kDrm});

    EXPECT_TRUE(stage.driver().SetContent({}).ok());
    stage.RunFor(kSecond);
    EXPECT_EQ(DrmSent(stage), 0);
    EXPECT_EQ(frames, (std::vector<uint32_t>{kDrm, kDrm}));
    EXPECT_EQ(mutes, 0);
    EXPECT_EQ(stage.stats().infoframe_retries, 0);
    EXPECT_EQ(stage.stats().mode_sets, 1);
    EXPECT_EQ(Told(stage), "ENABLED");
    stage.Finish();
  });
}

// Before the plug, and for a sink that does not know HDR: what was said stays.
TEST(Content, SaidBeforeThePlug) {
  OnStage(4, [] {
    Stage stage;
    EXPECT_TRUE(stage.driver().SetContent(kHdr).ok());
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotAvr);
    stage.RunFor(3 * kSecond);
    EXPECT_TRUE(stage.state().video);
    EXPECT_EQ(DrmSent(stage), 0);
    stage.Unplug();
    stage.RunFor(kSecond);
    stage.Plug(kSlotTv);
    stage.RunFor(3 * kSecond);
    EXPECT_EQ(stage.CountLog("4 InfoFrames acknowledged; picture on"), 1);
    EXPECT_EQ(DrmSent(stage), 30);
    stage.Finish();
  });
}

// The retries of a mode set, 100 ms apart, but with the picture on.
TEST(Content, NotAcknowledged) {
  for (const int lost : {1, -1}) {
    OnStage(4, [lost] {
      Stage stage;
      stage.RunUntil(kPlugNs);
      stage.Plug(kSlotTv);
      stage.RunUntil(5 * kSecond);
      stage.Inject(HDMI_OP_IF_DROP, lost);
      EXPECT_TRUE(stage.driver().SetContent(kHdr).ok());
      stage.RunFor(50 * kMs);
      EXPECT_FALSE(stage.state().muted);
      stage.RunFor(kSecond);
      EXPECT_EQ(stage.stats().infoframe_retries, lost == 1 ? 1 : 3);
      if (lost == 1) {
        EXPECT_GE(stage.LogTime("1 InfoFrames acknowledged"), 5 * kSecond + 100 * kMs);
      } else {
        EXPECT_EQ(Ms(stage.LogTime("InfoFrames are not acknowledged")), 5400);
      }
      EXPECT_FALSE(stage.state().muted);
      stage.Finish();
    });
  }
}

// The cable goes while the frame waits to be acknowledged: no retry comes after that,
// and the next picture has it.
TEST(Content, UnplugMeanwhile) {
  OnStage(16, [] {
    Stage stage;
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(5 * kSecond);
    stage.Inject(HDMI_OP_IF_DROP, -1);
    stage.Unplug();
    stage.RunFor(50 * kMs);  // the debounce has 10 ms to go
    EXPECT_TRUE(stage.driver().SetContent(kHdr).ok());
    stage.RunFor(kSecond);
    const int64_t closed = stage.LogTime("link closed");
    EXPECT_EQ(Ms(closed), 5060);
    EXPECT_EQ(stage.started("content_work").size(), 1u);
    for (const auto& run : stage.started("infoframe_dwork")) EXPECT_LE(run.start_ns, closed);
    stage.Inject(HDMI_OP_IF_DROP, 0);
    stage.Plug(kSlotTv);
    stage.RunFor(3 * kSecond);
    EXPECT_EQ(DrmSent(stage), 30);
    stage.Finish();
  });
}

// While suspended it is remembered, and nothing runs.
TEST(Content, Suspended) {
  OnStage(8, [] {
    Stage stage;
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(5 * kSecond);
    EXPECT_TRUE(stage.driver().Suspend().ok());
    const int64_t runs = stage.runs("infoframe_dwork");
    EXPECT_TRUE(stage.driver().SetContent(kHdr).ok());
    stage.RunFor(kSecond);
    EXPECT_EQ(stage.runs("content_work"), 0);
    EXPECT_EQ(stage.runs("infoframe_dwork"), runs);
    EXPECT_EQ(DrmSent(stage), 0);
    EXPECT_TRUE(stage.driver().Resume().ok());
    stage.RunFor(3 * kSecond);
    EXPECT_EQ(DrmSent(stage), 30);
    stage.Finish();
  });
}

TEST(Content, Refused) {
  OnStage(1, [] {
    Stage stage;
    HdrMetadata hdr;
    hdr.eotf = 4;
    EXPECT_EQ(stage.driver().SetContent({.hdr_output_metadata = hdr}).code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(stage.driver().Remove().ok());
    EXPECT_EQ(stage.driver().SetContent(kHdr).code(), absl::StatusCode::kFailedPrecondition);
    stage.Finish();
  });
}

}  // namespace
}  // namespace uwq::hdmi
