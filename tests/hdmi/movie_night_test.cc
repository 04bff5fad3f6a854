// SPDX-License-Identifier: BSD-3-Clause
//
// movie_night_test.cc -- the demo's evening on virtual time, with exact times; and the
// same cable in and out ten thousand times.
#include <gtest/gtest.h>

#include "tests/hdmi/fault_run.h"

namespace uwq::hdmi {
namespace {

TEST(MovieNight, EverythingAtItsTime) {
  OnStage(8, [] {
    StageOptions options;
    options.desired = false;  // the script says when
    Stage stage(options);
    std::vector<ScriptStep> steps = MovieNight().steps;
    ASSERT_EQ(steps.back().client, ClientOp::kShutdown);
    steps.pop_back();
    stage.Play(steps, 70 * kSecond);

    // Seven edges, one decision: 250 ms after the last of them.
    EXPECT_EQ(Ms(stage.LogTime("HPD high after 7 events")), 1430);
    EXPECT_EQ(Ms(stage.LogTime("EDID: UWQ \"UWQ SIM UHD\"")), 1553);
    EXPECT_EQ(Ms(stage.LogTime("DESIRED -> ENABLED")), 1888);
    EXPECT_EQ(Ms(stage.LogTime("Ri' ok: ")), 4021);
    EXPECT_EQ(stage.CountLog("Ri' ok at reading 2"), 1);
    const int64_t lost = stage.LogTime("ENABLED -> DESIRED; picture muted");
    EXPECT_GT(lost, 14 * kSecond);
    EXPECT_LT(lost, 16 * kSecond);
    EXPECT_EQ(Ms(stage.LogTime("DESIRED -> ENABLED", lost) - lost), 103);
    EXPECT_EQ(Ms(stage.LogTime("link closed (HPD low)")), 20060);
    EXPECT_EQ(Ms(stage.LogTime("HPD high", 20 * kSecond)), 20650);
    // READY after 2.4 s, looked for every 100 ms.
    const int64_t avr = stage.LogTime("DESIRED -> ENABLED", 20 * kSecond);
    EXPECT_GT(avr, 23 * kSecond);
    EXPECT_LT(avr, 24 * kSecond);
    EXPECT_EQ(Ms(stage.LogTime("in reset")), 30000);
    EXPECT_EQ(stage.LogTime("crashed"), 40 * kSecond);
    EXPECT_EQ(stage.LogTime("transmitter up", 40 * kSecond), 40 * kSecond + 200 * kMs);
    EXPECT_NEAR(Ms(stage.LogTime("HPD storm: more than 50")), 50101, 2);  // 2 ms for each edge
    EXPECT_EQ(stage.LogTime("the new SRM revokes"), 60 * kSecond);
    EXPECT_EQ(Told(stage),
              "ENABLED DESIRED ENABLED DESIRED ENABLED DESIRED ENABLED DESIRED ENABLED DESIRED");

    const PortState state = stage.state();
    EXPECT_TRUE(state.hdcp_idle && state.muted && !state.encrypted);
    const DriverStats stats = stage.stats();
    EXPECT_EQ(stats.storms, 1);
    EXPECT_EQ(stats.resets, 1);
    EXPECT_LE(stats.reset_ns_max, 20 * kMs);
    EXPECT_LE(stats.unplug_ns_max, 50 * kMs);
    // 1507 edges in all; the storm gate lets some sixty of them through.
    EXPECT_LT(stats.hpd_events, 70);
    stage.Finish();
  });
}

TEST(MovieNight, TenThousandPlugs) {
  OnStage(1, [] {
    StageOptions options;
    options.tune = [](DriverOptions& driver) { driver.on_log = nullptr, driver.on_work = nullptr; };
    Stage stage(options);
    uint64_t random = 1;
    // Some are too short to be seen.
    for (int i = 0; stage.stats().plugs < 10000; ++i) {
      random = hdcp14_mix64(random);
      stage.Plug(static_cast<int>(random % HDMI_DEV_SLOTS));
      stage.RunFor(static_cast<int64_t>(random >> 8 & 1023) * kMs);  // from never seen to ENABLED
      stage.Unplug();
      stage.RunFor(100 * kMs);
      if (i % 100 == 0) {
        ASSERT_TRUE(stage.driver().BusyWorks() == std::vector<std::string>{"heartbeat_dwork"})
            << "after " << i;
      }
    }
    EXPECT_EQ(stage.stats().plugs, stage.stats().unplugs);
    EXPECT_EQ(stage.stats().unplug_ns_max, 0) << "somebody waited";
    stage.Plug(kSlotTv);
    stage.RunFor(3 * kSecond);
    EXPECT_EQ(stage.state().protection, Protection::kEnabled);
    stage.Finish();
  });
}

}  // namespace
}  // namespace uwq::hdmi
