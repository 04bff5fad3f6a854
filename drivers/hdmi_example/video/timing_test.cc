// SPDX-License-Identifier: BSD-3-Clause
// Tests of the timing tables: each row recomputes its own refresh rate.
#include "drivers/hdmi_example/video/timing.h"

#include <gtest/gtest.h>

#include <set>

namespace uwq::hdmi {
namespace {

TEST(VicTable, EveryRefreshRateIsOneThatCta861Uses) {
  const std::set<uint32_t> whole = {24, 25, 30, 48, 50, 60, 100, 120, 200, 240};
  for (const VicFormat& f : AllVics()) {
    const uint32_t hz = (f.timing.RefreshMilliHz() + 500) / 1000;
    // The 240- and 288-line formats have odd totals near 60 and 50 Hz.
    EXPECT_TRUE(whole.count(hz)) << f.vic << " " << TimingToString(f.timing);
    EXPECT_GT(f.timing.hsync, 0) << f.vic;
    EXPECT_GT(f.timing.vsync, 0) << f.vic;
  }
}

TEST(VicTable, SortedUniqueAndFound) {
  int last = 0;
  for (const VicFormat& f : AllVics()) {
    EXPECT_GT(f.vic, last);
    last = f.vic;
    EXPECT_EQ(FindVic(f.vic), &f);
  }
  EXPECT_EQ(AllVics().size(), 154u);
  EXPECT_EQ(FindVic(0), nullptr);
  EXPECT_EQ(FindVic(128), nullptr);
  EXPECT_EQ(FindVic(220), nullptr);
}

TEST(VicTable, WellKnownRows) {
  EXPECT_EQ(TimingToString(FindVic(16)->timing), "1920x1080 60.000 Hz 148.500 MHz");
  EXPECT_EQ(FindVic(16)->timing.htotal(), 2200u);
  EXPECT_EQ(FindVic(16)->timing.vtotal(), 1125u);
  EXPECT_EQ(FindVic(5)->timing.vtotal(), 1125u);   // interlaced, odd total
  EXPECT_EQ(FindVic(39)->timing.vtotal(), 1250u);  // interlaced, even total
  EXPECT_EQ(FindVic(97)->timing.clock_khz, 594000u);
  EXPECT_EQ(FindVic(6)->timing.pixel_repeat, 2);
  EXPECT_EQ(FindVic(1)->timing.RefreshMilliHz(), 59940u);
}

TEST(VicTable, FramePeriod) {
  EXPECT_EQ(FindVic(16)->timing.FramePeriodNs(), 16666666);
  EXPECT_EQ(FindVic(32)->timing.FramePeriodNs(), 41666666);
  EXPECT_EQ(FindVic(5)->timing.FramePeriodNs(), 16666666);  // a field
  EXPECT_EQ(Timing{}.FramePeriodNs(), 0);
  EXPECT_EQ(Timing{}.RefreshMilliHz(), 0u);
}

TEST(VicTable, HdmiVicsAreTheFour4kFormats) {
  EXPECT_EQ(FindHdmiVic(1)->vic, 95);
  EXPECT_EQ(FindHdmiVic(4)->vic, 98);
  EXPECT_EQ(FindHdmiVic(0), nullptr);
  EXPECT_EQ(FindHdmiVic(5), nullptr);
  EXPECT_EQ(HdmiVicOf(94), 2);
  EXPECT_EQ(HdmiVicOf(97), 0);
}

TEST(MatchVic, FindsItselfOrAnEqual) {
  for (const VicFormat& f : AllVics()) {
    const VicFormat* found = MatchVic(f.timing, f.aspect.width != 4);
    ASSERT_NE(found, nullptr) << f.vic;
    EXPECT_TRUE(SameTiming(found->timing, f.timing)) << f.vic;
  }
  // 480p in both shapes.
  EXPECT_EQ(MatchVic(FindVic(2)->timing, false)->vic, 2);
  EXPECT_EQ(MatchVic(FindVic(2)->timing, true)->vic, 3);
}

TEST(MatchVic, FractionalClockIsTheSameFormat) {
  Timing t = FindVic(16)->timing;
  t.clock_khz = 148352;
  EXPECT_EQ(MatchVic(t, true)->vic, 16);
  t.clock_khz = 140000;
  EXPECT_EQ(MatchVic(t, true), nullptr);
}

TEST(DmtTable, StandardAndEstablishedTimings) {
  EXPECT_EQ(AllDmts().size(), 88u);
  EXPECT_EQ(FindStandardTiming(0xd1, 0xc0)->id, 0x52);
  EXPECT_EQ(FindStandardTiming(0, 0), nullptr);
  EXPECT_EQ(FindDmtBySize(1920, 1080, 60)->id, 0x52);
  // Full blanking is taken before reduced blanking.
  EXPECT_FALSE(FindDmtBySize(1680, 1050, 60)->reduced_blanking);
  EXPECT_EQ(FindDmtBySize(123, 456, 60), nullptr);
  for (int i = 0; i < 17; ++i) ASSERT_NE(EstablishedTiming(i), nullptr) << i;
  EXPECT_EQ(EstablishedTiming(17), nullptr);
  EXPECT_EQ(EstablishedTiming(-1), nullptr);
  EXPECT_EQ(EstablishedTiming(2)->hactive, 640);
  EXPECT_EQ(EstablishedTiming(0)->hactive, 720);
  EXPECT_EQ(EstablishedTiming(16)->vactive, 870);
  for (int i = 0; i < 44; ++i) ASSERT_NE(EstablishedTiming3(i), nullptr) << i;
  EXPECT_EQ(EstablishedTiming3(44), nullptr);
}

TEST(DmtTable, VgaIsVic1) { EXPECT_TRUE(SameTiming(FindDmt(4)->timing, FindVic(1)->timing)); }

}  // namespace
}  // namespace uwq::hdmi
