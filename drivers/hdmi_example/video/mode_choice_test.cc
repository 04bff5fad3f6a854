// SPDX-License-Identifier: BSD-3-Clause
// Tests of the mode policy of reference hdmi.md section 4.2 on our own EDIDs.
#include "drivers/hdmi_example/video/mode_choice.h"

#include <gtest/gtest.h>

#include "drivers/hdmi_example/edid/edid_testdata.h"

namespace uwq::hdmi {
namespace {

Edid Parsed(const std::vector<uint8_t>& bytes) {
  auto edid = ParseEdid(bytes);
  EXPECT_TRUE(edid.ok()) << edid.status();
  return edid.ok() ? *edid : Edid();
}

TEST(ChooseMode, PreferredOfEachSink) {
  const struct {
    const char* name;
    int width, tmds;
    bool hdmi, scrambling;
  } cases[] = {{"uwq-tv-1080p", 1920, 148500, true, false},
               {"uwq-tv-4k60", 3840, 594000, true, true},
               {"uwq-avr-repeater", 1920, 148500, true, false},
               {"uwq-dvi-xga", 1024, 65000, false, false},
               {"uwq-4block", 1920, 148500, true, false}};
  for (const auto& c : cases) {
    const LinkMode mode = ChooseMode(Parsed(TestEdid(c.name)), SourceLimits());
    EXPECT_EQ(mode.timing.hactive, c.width) << c.name;
    EXPECT_EQ(mode.tmds_khz, c.tmds) << c.name;
    EXPECT_EQ(mode.hdmi, c.hdmi) << c.name;
    EXPECT_EQ(mode.scrambling, c.scrambling) << c.name;
    EXPECT_EQ(mode.why, "preferred") << c.name;
  }
}

TEST(ChooseMode, SourceWithoutScdcFallsBackAndSaysWhy) {
  SourceLimits limits;
  limits.scdc = false;
  const LinkMode mode = ChooseMode(Parsed(TestEdid("uwq-tv-4k60")), limits);
  EXPECT_LE(mode.tmds_khz, kScrambleAboveKhz);
  EXPECT_FALSE(mode.scrambling);
  EXPECT_NE(mode.why.find("594 MHz needs SCDC, the source has none"), std::string::npos)
      << mode.why;
}

TEST(ChooseMode, SourceClockLimit) {
  SourceLimits limits;
  limits.max_tmds_khz = 100000;
  const LinkMode mode = ChooseMode(Parsed(TestEdid("uwq-tv-1080p")), limits);
  EXPECT_EQ(mode.timing.clock_khz, 74250u);
  EXPECT_NE(mode.why.find("148 MHz is above the source's 100 MHz"), std::string::npos);
}

TEST(ChooseMode, Request) {
  const Edid edid = Parsed(TestEdid("uwq-tv-1080p"));
  LinkMode mode = ChooseMode(edid, SourceLimits(), {1920, 1080, 24});
  EXPECT_EQ(mode.vic, 32);
  EXPECT_EQ(mode.why, "requested");
  mode = ChooseMode(edid, SourceLimits(), {3840, 2160, 60});
  EXPECT_EQ(mode.vic, 16);
  EXPECT_EQ(mode.why, "preferred, the request fits no mode");
}

TEST(ChooseMode, NothingFits_FailSafe) {
  // F9: the last resort is 640x480 in DVI.
  SourceLimits limits;
  limits.max_tmds_khz = 10000;
  const LinkMode mode = ChooseMode(Parsed(TestEdid("uwq-tv-1080p")), limits);
  EXPECT_EQ(mode.timing.hactive, 640);
  EXPECT_FALSE(mode.hdmi);
  EXPECT_NE(mode.why.find("no mode of the sink fits"), std::string::npos);
  EXPECT_TRUE(SameTiming(mode.timing, FindVic(1)->timing));
}

TEST(ChooseMode, FourTwoZeroOnlyModeHalvesTheClock) {
  // 2160p60 in 4:2:0 only, sink of 300 MHz: 297 MHz on the link, no scrambling.
  auto bytes = EdidWithDataBlocks(
      {0x67, 0x03, 0x0c, 0x00, 0x10, 0x00, 0x00, 0x3c, 0x41, 0x10, 0xe2, 0x0e, 0x61});
  const Edid edid = Parsed(bytes);
  const LinkMode mode = ChooseMode(edid, SourceLimits(), {3840, 2160, 60});
  EXPECT_EQ(mode.encoding, PixelEncoding::kYcbcr420);
  EXPECT_EQ(mode.tmds_khz, 297000);
  EXPECT_FALSE(mode.scrambling);
  SourceLimits limits;
  limits.ycbcr = false;
  EXPECT_NE(ChooseMode(edid, limits, {3840, 2160, 60}).timing.hactive, 3840);
}

TEST(ChooseMode, DeepColourOnlyWhereItFits) {
  const Edid edid = Parsed(TestEdid("uwq-tv-4k60"));
  SourceLimits limits;
  limits.max_bits_per_component = 12;
  // 594 MHz at 8 bits leaves no room for more ...
  EXPECT_EQ(ChooseMode(edid, limits).bits_per_component, 8);
  // ... 1080p does.
  const LinkMode mode = ChooseMode(edid, limits, {1920, 1080, 60});
  EXPECT_EQ(mode.bits_per_component, 12);
  EXPECT_EQ(mode.tmds_khz, 222750);
}

TEST(ChooseMode, PixelRepetitionNeedsHdmi) {
  EdidMode mode;
  mode.timing = FindVic(6)->timing;
  mode.vic = 6;
  EXPECT_FALSE(FitMode(mode, Parsed(TestEdid("uwq-dvi-xga")), SourceLimits()).ok());
  EXPECT_TRUE(FitMode(mode, Parsed(TestEdid("uwq-tv-1080p")), SourceLimits()).ok());
  SourceLimits progressive;
  progressive.interlaced = false;
  EXPECT_FALSE(FitMode(mode, Parsed(TestEdid("uwq-tv-1080p")), progressive).ok());
}

TEST(ChooseMode, HdmiVicReplacesTheVic) {
  // An HDMI 1.4 sink that lists HDMI VIC 1 (2160p30) and 300 MHz.
  auto bytes = EdidWithDataBlocks(
      {0x6b, 0x03, 0x0c, 0x00, 0x10, 0x00, 0x00, 0x3c, 0x20, 0x00, 0x20, 0x01, 0x41, 0x10});
  const LinkMode mode = ChooseMode(Parsed(bytes), SourceLimits(), {3840, 2160, 30});
  EXPECT_EQ(mode.hdmi_vic, 1);
  EXPECT_EQ(mode.vic, 0);
}

TEST(TmdsClock, ByEncodingAndDepth) {
  const Timing& t = FindVic(97)->timing;
  EXPECT_EQ(TmdsClockKhz(t, PixelEncoding::kRgb, 8), 594000);
  EXPECT_EQ(TmdsClockKhz(t, PixelEncoding::kYcbcr422, 12), 594000);
  EXPECT_EQ(TmdsClockKhz(t, PixelEncoding::kYcbcr420, 8), 297000);
  EXPECT_EQ(TmdsClockKhz(t, PixelEncoding::kYcbcr420, 10), 371250);
  EXPECT_EQ(TmdsClockKhz(FindVic(16)->timing, PixelEncoding::kYcbcr444, 10), 185625);
}

}  // namespace
}  // namespace uwq::hdmi
