// SPDX-License-Identifier: BSD-3-Clause
//
// fault_cable_test.cc -- F1..F14, F37..F39: cable, EDID, DDC, InfoFrames, CEC, SCDC,
// with exact times of the virtual clock.
//
// The cable goes in at 1.0 s.  Where nothing is wrong: hpd_dwork at 1.25 (debounce),
// EDID from 1.35, picture at 1.404, HDCP from 1.604, ENABLED at 1.7082.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/hdmi/fault_run.h"

namespace uwq::hdmi {
namespace {

// F1: mod_delayed_work from the event thread.  Edges that come faster than the
// debounce push one decision ahead of them; the last level counts.
TEST(FaultCable, F1_BouncesAreOneRun) {
  RunFault("F1", [](Stage& stage) {
    // One for the level at the start, one for all 20 edges (and the plug's).
    EXPECT_EQ(stage.runs("hpd_dwork"), 2);
    EXPECT_GE(stage.counts("hpd_dwork").coalesced, 19);
    EXPECT_EQ(stage.stats().plugs, 0);  // the last edge fell
    EXPECT_EQ(stage.runs("edid_dwork"), 0);
  });
}

// F1 with an odd number of edges: the same, and the level that wins is high.
TEST(FaultCable, F1_LastLevelWins) {
  OnStage(8, [] {
    Stage stage;
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.Inject(HDMI_OP_HPD_BOUNCE, 20, 300 * kMs);
    stage.RunUntil(4 * kSecond);
    EXPECT_EQ(stage.stats().plugs, 1);
    // 250 ms after the last edge, which is at 1.3 s.
    EXPECT_EQ(Ms(stage.LogTime("HPD high")), 1550);
    EXPECT_EQ(stage.state().protection, Protection::kEnabled);
  });
}

// F2: cancel_delayed_work, queue_delayed_work.  120 ms low is a loss of the link even
// though the EDID is the same afterwards; only the mode set is spared.
TEST(FaultCable, F2_PulseIsLinkLoss) {
  RunFault("F2", [](Stage& stage) {
    EXPECT_EQ(Ms(stage.LogTime("link closed")), 10060);             // 60 ms debounce
    EXPECT_EQ(Ms(stage.LogTime("HPD high", 10 * kSecond)), 10370);  // 120 + 250 ms
    EXPECT_EQ(stage.stats().mode_sets, 1);
    EXPECT_EQ(stage.stats().mode_sets_skipped, 1);
    EXPECT_EQ(stage.stats().auth_ok, 2);
    EXPECT_EQ(Told(stage), "ENABLED DESIRED ENABLED");
    uint64_t scrambling = 0;
    stage.host().With([&](SimDevice& device) { scrambling = device.model().scdc[0x20]; });
    EXPECT_EQ(scrambling, 3u) << "scrambling was not set again";
  });
}

// F3: mod_delayed_work re-arms.  20 ms low never gets as far as a decision.
TEST(FaultCable, F3_GlitchIsIgnored) {
  RunFault("F3", [](Stage& stage) {
    EXPECT_EQ(stage.stats().unplugs, 0);
    EXPECT_EQ(Told(stage), "ENABLED");
    // The rise at 10.02 decided, 250 ms later, that nothing had changed.
    const auto runs = stage.started("hpd_dwork");
    ASSERT_FALSE(runs.empty());
    EXPECT_EQ(Ms(runs.back().start_ns), 10270);
  });
}

// F4: cancel_work_sync of a work that may be running.  The transfer fails, what was
// read is not published, the retry that is armed never comes.
TEST(FaultCable, F4_UnplugWhileReadingEdid) {
  RunFault("F4", [](Stage& stage) {
    EXPECT_EQ(stage.stats().edid_reads, 0);
    EXPECT_EQ(stage.state().sink, "");
    EXPECT_EQ(stage.state().physical_address, 0xffff);
    EXPECT_EQ(stage.runs("modeset_dwork"), 0);
    EXPECT_EQ(stage.counts("edid_dwork").cancelled, 1);
  });
}

// F5: cancel_delayed_work_sync of a pending timer: the 100 ms before R0'.
TEST(FaultCable, F5_UnplugDuringAke) {
  RunFault("F5", [](Stage& stage) {
    const int64_t closed = stage.LogTime("link closed");
    ASSERT_GT(closed, 0);
    for (const auto& run : stage.started("hdcp_step_dwork")) EXPECT_LE(run.start_ns, closed);
    EXPECT_EQ(stage.stats().auth_ok, 0);
    EXPECT_EQ(Told(stage), "");
    EXPECT_FALSE(stage.encrypting());
  });
}

// F6: disable_delayed_work_sync of two works that know each other.
TEST(FaultCable, F6_UnplugWhileWaitingForReady) {
  RunFault("F6", [](Stage& stage) {
    // 5 s after R0' the watchdog would have been due; the script runs past that.
    EXPECT_EQ(stage.runs("hdcp_watchdog_dwork"), 0);
    EXPECT_EQ(stage.counts("hdcp_watchdog_dwork").cancelled, 1);
    const int64_t closed = stage.LogTime("link closed");
    for (const auto& run : stage.started("hdcp_step_dwork")) EXPECT_LE(run.start_ns, closed);
    EXPECT_EQ(stage.stats().auth_failed, 0);
  });
}

// F7: cancel_delayed_work_sync against a work that re-arms itself.
TEST(FaultCable, F7_UnplugWhileLinkCheckRuns) {
  RunFault("F7", [](Stage& stage) {
    const int64_t closed = stage.LogTime("link closed");
    ASSERT_GT(closed, 0);
    for (const auto& run : stage.started("link_check_dwork")) EXPECT_LE(run.start_ns, closed);
    EXPECT_EQ(Told(stage), "ENABLED DESIRED");
  });
}

// F8: a reference for each successful queueing, and no sync cancel: the client's
// callback holds the unplug path up for no time at all.
TEST(FaultCable, F8_UnplugDuringCallback) {
  RunFault("F8", [](Stage& stage) {
    const int64_t closed = stage.LogTime("link closed");
    EXPECT_EQ(Ms(closed), 2268);  // 60 ms after HPD fell, 1.44 s before the callback returns
    EXPECT_LT(stage.stats().unplug_ns_max, kMs);
    // The one that was due meanwhile came when the first had returned.
    const auto told = stage.told();
    ASSERT_EQ(told.size(), 2u);
    EXPECT_EQ(Ms(told[1].at_ns), 3708);
  });
}

// F9: queue_delayed_work as a retry, and its cap.
TEST(FaultCable, F9_EdidChecksumOnce) {
  RunFault("F9.once", [](Stage& stage) {
    EXPECT_EQ(stage.CountLog("unreadable"), 1);
    EXPECT_EQ(Ms(stage.LogTime("EDID: UWQ")), 1373 + 112);  // 100 ms and 12 ms on the wire
  });
}

TEST(FaultCable, F9_EdidChecksumAlways) {
  RunFault("F9.always", [](Stage& stage) {
    EXPECT_EQ(stage.CountLog("unreadable"), 4);  // and the fifth gives up
    EXPECT_EQ(stage.CountLog("640x480 59.940"), 1);
    EXPECT_EQ(stage.stats().edid_bad, 1);
  });
}

// F9 after a good one: the last good EDID stays.
TEST(FaultCable, F9_LastGoodEdidStays) {
  OnStage(4, [] {
    Stage stage;
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(5 * kSecond);
    stage.Inject(HDMI_OP_EDID_CORRUPT, 0 << 8 | 40, -1);
    stage.Inject(HDMI_OP_HPD_PULSE, 300 * kMs);
    stage.RunUntil(10 * kSecond);
    EXPECT_EQ(stage.CountLog("using the last good one"), 1);
    EXPECT_EQ(stage.state().sink, "UWQ SIM UHD");
    EXPECT_EQ(stage.state().protection, Protection::kEnabled);
  });
}

// F10: what can be read is used.
TEST(FaultCable, F10_PartialEdid) {
  RunFault("F10", [](Stage& stage) {
    EXPECT_EQ(stage.CountLog("block 2 given up after 5 attempts"), 1);
    EXPECT_EQ(stage.CountLog("video: 1920x1080"), 1);
  });
}

// F11: a work that re-arms itself, each 500 ms; nothing is counted as failed.
TEST(FaultCable, F11_ReceiverNotReady) {
  RunFault("F11", [](Stage& stage) {
    EXPECT_EQ(stage.CountLog("does not answer yet"), 3);
    EXPECT_EQ(Ms(stage.LogTime("ENABLED")), 1708 + 1501);  // three pauses, three short reads
    EXPECT_EQ(stage.stats().auth_failed, 0);
    EXPECT_EQ(stage.stats().auth_attempts, 1);
  });
}

// F12: the time-out is a work; the queue it runs on was never blocked.
TEST(FaultCable, F12_DdcHangs) {
  RunFault("F12", [](Stage& stage) {
    EXPECT_EQ(stage.stats().ddc.timed_out, 1);
    EXPECT_EQ(stage.runs("ddc_timeout_dwork"), 1);
    EXPECT_EQ(Ms(stage.LogTime("unreadable")), 1550);  // 200 ms after 1.35
    EXPECT_EQ(stage.stats().ddc.stale, 1);             // the abort's own completion
  });
}

// F12: while it hangs, works of every queue run at once.
TEST(FaultCable, F12_OtherQueuesKeepRunning) {
  OnStage(8, [] {
    StageOptions options;
    options.tune = [](DriverOptions& driver) { driver.ddc_timeout = absl::Seconds(10); };
    Stage stage(options);
    stage.Plug(kSlotTv);
    stage.RunUntil(3 * kSecond);
    stage.Inject(HDMI_OP_DDC_HANG, 1);
    stage.RunUntil(6 * kSecond);  // scdc_dwork or link_check_dwork has run into it
    const std::vector<std::string> busy = stage.driver().BusyWorks();
    ASSERT_EQ(std::count(busy.begin(), busy.end(), "ddc_timeout_dwork"), 1);
    DriverWork on_port("on-port", stage.driver().port_queue(), 1, nullptr, [] {});
    DriverWork on_misc("on-misc", stage.driver().misc_queue(), 1, nullptr, [] {});
    on_port.Queue();
    on_misc.Queue();
    int replies = 0;
    EXPECT_TRUE(stage.driver()
                    .CecRequest({0x40, 0x8f}, 0x90, absl::Seconds(1),
                                [&](const absl::StatusOr<CecBytes>& r) { replies += r.ok(); })
                    .ok());
    stage.RunFor(kMs);
    EXPECT_EQ(on_port.runs(), 1);
    EXPECT_EQ(on_misc.runs(), 1);
    stage.RunFor(kSecond);
    EXPECT_EQ(replies, 1);
    const int64_t unplugged = stage.now_ns();
    stage.Unplug();
    stage.RunFor(kSecond);
    EXPECT_EQ(Ms(stage.LogTime("link closed") - unplugged), 60);
    EXPECT_EQ(stage.stats().ddc.timed_out, 0) << "it hung all the time";
    stage.Finish();
  });
}

// A transfer that is given up takes its time-out with it: no run for nothing later.
TEST(FaultCable, F12_HungTransferIsGivenUp) {
  OnStage(8, [] {
    StageOptions options;
    options.desired = false;
    Stage stage(options);
    const auto armed = [&] {
      const std::vector<std::string> busy = stage.driver().BusyWorks();
      return std::count(busy.begin(), busy.end(), "ddc_timeout_dwork") != 0;
    };
    stage.Plug(kSlotDvi);  // no SCDC: the bus is quiet
    stage.RunUntil(3 * kSecond);
    stage.Inject(HDMI_OP_DDC_HANG, 1);
    EXPECT_TRUE(stage.driver().SetProtection(true).ok());
    stage.RunFor(50 * kMs);
    EXPECT_TRUE(armed());
    EXPECT_TRUE(stage.driver().SetProtection(false).ok());
    stage.RunFor(kMs);
    EXPECT_EQ(stage.stats().ddc.aborted, 1);
    EXPECT_FALSE(armed());
    stage.RunFor(kSecond);
    EXPECT_EQ(stage.runs("ddc_timeout_dwork"), 0);
    EXPECT_EQ(stage.stats().ddc.timed_out, 0);
  });
}

// F13: a completion of long ago is known by its id.
TEST(FaultCable, F13_LateCompletion) {
  RunFault("F13", [](Stage& stage) {
    EXPECT_EQ(stage.stats().ddc.timed_out, 1);
    EXPECT_EQ(stage.stats().ddc.stale, 1);
    EXPECT_EQ(Told(stage), "ENABLED");
  });
}

// F14: one re-read at once, then the attempt fails and the next one is good.
TEST(FaultCable, F14_BksvWrongOnce) {
  RunFault("F14", [](Stage& stage) {
    EXPECT_EQ(stage.stats().auth_attempts, 1);
    EXPECT_EQ(stage.stats().auth_failed, 0);
  });
}

TEST(FaultCable, F14_BksvWrongTwice) {
  OnStage(4, [] {
    Stage stage;
    stage.Inject(HDMI_OP_BKSV_BAD, 2);
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(5 * kSecond);
    EXPECT_EQ(stage.stats().auth_attempts, 2);
    EXPECT_EQ(stage.stats().auth_failed, 1);
    EXPECT_EQ(stage.state().protection, Protection::kEnabled);
  });
}

// F37: retries of its own delayed work, then the picture comes all the same.
TEST(FaultCable, F37_InfoFramesNotAcknowledged) {
  RunFault("F37", [](Stage& stage) {
    EXPECT_EQ(stage.stats().infoframe_retries, 3);
    EXPECT_EQ(Ms(stage.LogTime("not acknowledged; picture on")), 1404 + 400);
    EXPECT_FALSE(stage.state().muted);
  });
}

// F38: who may complete is decided by cancel_delayed_work()'s result.
TEST(FaultCable, F38_CecReplyNever) {
  RunFault("F38.never", [](Stage& stage) {
    const auto cec = stage.cec();
    ASSERT_EQ(cec.size(), 1u);
    EXPECT_EQ(cec[0].completions, 1);
    EXPECT_EQ(cec[0].status.code(), absl::StatusCode::kDeadlineExceeded);
    // 1 s after the request had gone out: 2 bytes of 24 ms and a start bit of 4.5 ms.
    EXPECT_EQ(cec[0].at_ns, 10 * kSecond + 52'500'000 + kSecond);
  });
}

TEST(FaultCable, F38_CecReplyAtTheLimit) {
  // More schedules: the reply and the time-out are due in the same nanosecond.
  OnStage(64, [] {
    Stage stage;
    const Fault& fault = *FindFault("F38.edge");
    stage.Play(FaultScript(fault), fault.run_ns);
    const auto cec = stage.cec();
    ASSERT_EQ(cec.size(), 1u);
    EXPECT_EQ(cec[0].completions, 1);
    EXPECT_EQ(stage.stats().cec.double_completions, 0);
    EXPECT_EQ(cec[0].at_ns, 10 * kSecond + 52'500'000 + kSecond);
  });
}

// F39: the periodic work repairs it, and the event does not let it wait for its turn.
TEST(FaultCable, F39_ScramblingLost) {
  RunFault("F39", [](Stage& stage) {
    EXPECT_EQ(stage.stats().scdc_repairs, 1);
    const int64_t seen = stage.LogTime("set again");
    EXPECT_GE(seen, 10 * kSecond);
    EXPECT_LT(seen, 11 * kSecond);
    uint64_t status = 0;
    stage.host().With([&](SimDevice& device) { status = device.model().scdc[0x21]; });
    EXPECT_EQ(status & 1, 1u);
    EXPECT_EQ(Told(stage), "ENABLED");
  });
}

}  // namespace
}  // namespace uwq::hdmi
