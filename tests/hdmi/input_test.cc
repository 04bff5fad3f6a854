// SPDX-License-Identifier: BSD-3-Clause
//
// input_test.cc -- what a device says that cannot be: forged records between the device
// and the driver, lengths that lie, EDIDs that are broken on the wire.
//
// Goal of each: the driver counts and drops it, and the port goes on as if it had not
// been said.
#include <gtest/gtest.h>

#include "tests/hdmi/fault_run.h"

namespace uwq::hdmi {
namespace {

// Stands between the device and the driver; numbers the records anew, so that what is
// forged has its place in the sequence.
class Forger : public Hardware, private Hardware::Handler {
 public:
  explicit Forger(std::unique_ptr<Hardware> below) : below_(std::move(below)) {}
  absl::Status Start(Hardware::Handler* handler) override {
    handler_ = handler;
    return below_->Start(this);
  }
  void Stop() override { below_->Stop(); }
  absl::Status Send(const HdmiCommand& command) override { return below_->Send(command); }

  void Say(uint16_t type, uint16_t len, const std::function<void(hdmi_event&)>& fill,
           size_t bulk = 0) {
    HdmiEvent event;
    event.record.type = type;
    event.record.len = len;
    event.bulk.assign(bulk, 0xee);
    if (fill) fill(event.record);
    base::MutexLock lock(&mutex_);
    event.record.generation = event.record.generation == 0 ? generation_ : event.record.generation;
    Deliver(event);
  }

 private:
  void OnEvent(const HdmiEvent& event) override {
    base::MutexLock lock(&mutex_);
    generation_ = event.record.generation;
    Deliver(event);
  }
  void OnLink(bool up) override {
    base::MutexLock lock(&mutex_);
    handler_->OnLink(up);
  }
  void Deliver(HdmiEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    event.record.seq = seq_++;
    handler_->OnEvent(event);
  }

  const std::unique_ptr<Hardware> below_;
  Hardware::Handler* handler_ = nullptr;
  base::Mutex mutex_;
  uint32_t seq_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
};

StageOptions Forged(Forger** forger) {
  StageOptions options;
  options.wrap = [forger](std::unique_ptr<Hardware> below) {
    auto made = std::make_unique<Forger>(std::move(below));
    *forger = made.get();
    return made;
  };
  return options;
}

TEST(Input, ImpossibleEventsAreDropped) {
  OnStage(4, [] {
    Forger* forger = nullptr;
    Stage stage(Forged(&forger));
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(5 * kSecond);
    ASSERT_EQ(stage.state().protection, Protection::kEnabled);
    const int64_t bad = stage.stats().events_bad;
    int64_t wrong = 0;
    const auto dropped = [&] { ++wrong; };
    // Types and lengths that are not in the vocabulary.
    forger->Say(HDMI_EV_NR, 4, nullptr), dropped();
    forger->Say(0xffff, 4, nullptr), dropped();
    forger->Say(HDMI_EV_HPD, 5, nullptr), dropped();
    forger->Say(HDMI_EV_HPD, 0xffff, nullptr), dropped();
    forger->Say(HDMI_EV_HPD, 4, nullptr, 100), dropped();  // bulk that nobody announced
    forger->Say(HDMI_EV_CEC_RX, 17, [](hdmi_event& e) { e.u.cec.len = 255; }), dropped();
    forger->Say(HDMI_EV_DDC_DONE, 12, [](hdmi_event& e) { e.u.ddc_done.len = 1u << 31; }),
        dropped();
    // Frames that time cannot have brought, or taken back.
    forger->Say(HDMI_EV_VSYNC128, 8, [](hdmi_event& e) { e.u.frame = uint64_t{1} << 62; }),
        dropped();
    forger->Say(HDMI_EV_VSYNC128, 8, [](hdmi_event& e) { e.u.frame = 0; }), dropped();
    forger->Say(HDMI_EV_INFOFRAME_ACK, 8, [](hdmi_event& e) { e.u.done.id = 0x7f; }), dropped();
    forger->Say(HDMI_EV_INFOFRAME_ACK, 8, [](hdmi_event& e) { e.u.done.id = ~0u; }), dropped();
    EXPECT_EQ(stage.stats().events_bad - bad, wrong);
    // Well-formed, and about things that never were.
    forger->Say(HDMI_EV_DDC_DONE, 12, [](hdmi_event& e) { e.u.ddc_done.id = 4711; });
    forger->Say(HDMI_EV_MODE_DONE, 8, [](hdmi_event& e) { e.u.done.id = 4711; });
    forger->Say(HDMI_EV_CEC_TX_DONE, 8, [](hdmi_event& e) { e.u.done.id = 4711; });
    forger->Say(HDMI_EV_CEC_RX, 17, [](hdmi_event& e) { e.u.cec.len = 0; });
    forger->Say(HDMI_EV_REG, 16, [](hdmi_event& e) { e.u.reg.reg = 4711; });
    forger->Say(HDMI_EV_LINK_ERR, 4, [](hdmi_event& e) { e.u.bits = ~0u; });
    forger->Say(HDMI_EV_HDCP_STATUS, 4, [](hdmi_event& e) { e.u.bits = ~0u; });
    forger->Say(HDMI_EV_FW_RESET, 8,
                [](hdmi_event& e) { e.u.reset.generation = e.generation = 1; });
    forger->Say(HDMI_EV_HPD, 4, [](hdmi_event& e) { e.generation = 99, e.u.level = 0; });
    stage.RunFor(5 * kSecond);
    EXPECT_GE(stage.stats().ddc.stale, 1);
    EXPECT_GE(stage.stats().events_stale, 2);
    EXPECT_EQ(Told(stage), "ENABLED") << stage.LogText();
    EXPECT_EQ(stage.stats().unplugs, 0);
    EXPECT_EQ(stage.stats().mode_sets, 1);
  });
}

// Any 64 bytes, as often as one likes.
TEST(Input, RandomRecordsDoNoHarm) {
  OnStage(2, [] {
    Forger* forger = nullptr;
    Stage stage(Forged(&forger));
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(5 * kSecond);
    uint64_t state = 4;
    const auto next = [&] { return state = hdcp14_mix64(state); };
    for (int i = 0; i < 20000; ++i) {
      const auto type = static_cast<uint16_t>(next() % (HDMI_EV_NR + 1));
      // HPD, levels and the loss of the transmitter mean something whoever says them.
      if (type == HDMI_EV_HPD || type == HDMI_EV_FW_RESET || type == HDMI_EV_REG) continue;
      forger->Say(
          type, static_cast<uint16_t>(next() % 20),
          [&](hdmi_event& e) {
            for (uint8_t& byte : e.u.raw) byte = static_cast<uint8_t>(next());
          },
          next() % 4 == 0 ? next() % 200 : 0);
    }
    EXPECT_GT(stage.stats().events_bad, 1000);
    stage.RunFor(10 * kSecond);
    EXPECT_EQ(stage.state().protection, Protection::kEnabled) << stage.LogText();
  });
}

// A completion that announces more bytes, or fewer, than were asked for.
TEST(Input, LyingLengthsAreRetried) {
  for (const int64_t by : {1, -1, 100, -128, 100000}) {
    OnStage(2, [&] {
      Stage stage;
      stage.Inject(HDMI_OP_DDC_LIE, by, 2);
      stage.RunUntil(kPlugNs);
      stage.Plug(kSlotTv);
      stage.RunUntil(5 * kSecond);
      EXPECT_EQ(stage.state().sink, "UWQ SIM UHD") << by << stage.LogText();
      EXPECT_EQ(stage.state().protection, Protection::kEnabled) << by;
    });
  }
}

TEST(Input, LyingForEverIsFailSafe) {
  OnStage(2, [] {
    Stage stage;
    stage.Inject(HDMI_OP_DDC_LIE, 3, -1);
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(10 * kSecond);
    EXPECT_EQ(stage.CountLog("640x480"), 2) << stage.LogText();  // chosen, and shown
    EXPECT_EQ(stage.state().protection, Protection::kDesired);
  });
}

// Every block of the EDID damaged, in every 16th byte, for ever: a picture all the same.
TEST(Input, DamagedEdidIsAPicture) {
  for (int block = 0; block < 2; ++block) {
    for (int byte = 0; byte < 128; byte += 16) {
      OnStage(1, [&] {
        Stage stage;
        stage.Inject(HDMI_OP_EDID_CORRUPT, block << 8 | byte, -1);
        stage.RunUntil(kPlugNs);
        stage.Plug(kSlotTv);
        stage.RunUntil(8 * kSecond);
        EXPECT_TRUE(stage.state().video) << stage.LogText();
        EXPECT_FALSE(stage.state().muted);
        EXPECT_EQ(stage.stats().unplugs, 0);
      });
    }
  }
}

}  // namespace
}  // namespace uwq::hdmi
