// SPDX-License-Identifier: BSD-3-Clause
//
// fault_hdcp_test.cc -- F15..F27: HDCP 1.4, first, second and third part, with exact
// times of the virtual clock.
#include <gtest/gtest.h>

#include "tests/hdmi/fault_run.h"

namespace uwq::hdmi {
namespace {

// F15: queue_delayed_work with growing delays, and its cap.
TEST(FaultHdcp, F15_Counterfeit) {
  RunFault("F15", [](Stage& stage) {
    EXPECT_EQ(stage.stats().auth_attempts, 5);
    EXPECT_EQ(stage.stats().auth_failed, 5);
    EXPECT_EQ(stage.CountLog("R0' is"), 15);  // three readings each
    EXPECT_EQ(Told(stage), "");
    EXPECT_FALSE(stage.encrypting());
    // The pauses between the attempts: 0.2, 1, 2, 4 s.
    std::vector<int64_t> starts;
    for (const Stage::Note& note : stage.log()) {
      if (note.what.find("An, Aksv written") != std::string::npos) starts.push_back(note.at_ns);
    }
    ASSERT_EQ(starts.size(), 5u);
    // An attempt itself takes 304.7 ms from Aksv to Aksv.
    EXPECT_EQ(Ms(starts[1] - starts[0]), 304 + 200);
    EXPECT_EQ(Ms(starts[2] - starts[1]), 304 + 1000);
    EXPECT_EQ(Ms(starts[3] - starts[2]), 304 + 2000);
    EXPECT_EQ(Ms(starts[4] - starts[3]), 304 + 4000);
  });
}

// The idle port tries again when the client says so.
TEST(FaultHdcp, F15_ClientBeginsAnew) {
  OnStage(4, [] {
    Stage stage;
    const Fault& fault = *FindFault("F15");
    stage.Play(FaultScript(fault), 20 * kSecond);
    EXPECT_TRUE(stage.state().hdcp_idle);
    stage.Inject(HDMI_OP_COUNTERFEIT, 0);
    EXPECT_TRUE(stage.driver().SetProtection(true).ok());
    stage.RunFor(kSecond);
    EXPECT_EQ(stage.state().protection, Protection::kEnabled);
  });
}

// F16: the work arms itself again for the slow receiver.
TEST(FaultHdcp, F16_R0Late) {
  RunFault("F16", [](Stage& stage) {
    EXPECT_EQ(stage.stats().auth_attempts, 1);
    // Two readings, 100 ms apart; the first not before 100 ms after Aksv.
    const int64_t aksv = stage.LogTime("Aksv written");
    EXPECT_EQ(Ms(stage.LogTime("R0' is 0000") - aksv), 100);
    EXPECT_EQ(Ms(stage.LogTime("ENABLED") - aksv), 201);
  });
}

// R0' is never read early, whatever the client does meanwhile: its wishes go through
// another work than the one whose timer the protocol owns.
TEST(FaultHdcp, R0IsNeverReadEarly) {
  OnStage(16, [] {
    Stage stage;
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(1640 * kMs);  // 33 ms after Aksv
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(stage.driver().SetProtection(true).ok());
    stage.RunUntil(3 * kSecond);
    EXPECT_EQ(Ms(stage.LogTime("R0' = R0") - stage.LogTime("Aksv written")), 100);
    EXPECT_EQ(stage.stats().auth_attempts, 1);
  });
}

// F17: one wrong reading of Ri' is nothing.
TEST(FaultHdcp, F17_RiWrongOnce) {
  RunFault("F17", [](Stage& stage) {
    EXPECT_EQ(stage.CountLog("Ri' is"), 1);
    EXPECT_EQ(stage.CountLog("Ri' ok at reading 2"), 1);
    EXPECT_EQ(Told(stage), "ENABLED");
  });
}

// F18: queue_work(prop), then mod_delayed_work(step, 0): encryption off at once, the
// picture muted, and the next attempt without a pause.
TEST(FaultHdcp, F18_RiWrong) {
  RunFault("F18", [](Stage& stage) {
    EXPECT_EQ(stage.stats().link_failures, 1);
    const int64_t failed = stage.LogTime("ENABLED -> DESIRED");
    EXPECT_EQ(Ms(failed), 10150);  // three readings, 20 ms apart
    EXPECT_EQ(Ms(stage.LogTime("DESIRED -> ENABLED", failed) - failed), 103);
    EXPECT_EQ(Told(stage), "ENABLED DESIRED ENABLED");
  });
}

// F19: no answer for 2 s is an answer (1A-07a).
TEST(FaultHdcp, F19_RiNotAcknowledged) {
  RunFault("F19", [](Stage& stage) {
    EXPECT_EQ(stage.stats().link_failures, 1);
    const int64_t first = stage.LogTime("Ri' is not acknowledged");
    const int64_t failed = stage.LogTime("cannot be read for 2 s");
    EXPECT_GE(failed - first, 2 * kSecond);
    EXPECT_LE(failed - first, 2 * kSecond + 260 * kMs);
  });
}

// F20: watchdog against step.  The limit is exact, and from the second attempt on the
// picture is not encrypted before the tree is known.
TEST(FaultHdcp, F20_ReadyNever) {
  RunFault("F20", [](Stage& stage) {
    EXPECT_EQ(stage.runs("hdcp_watchdog_dwork"), 5);
    const auto log = stage.log();
    int64_t waiting = 0;
    int failures = 0;
    for (const Stage::Note& note : log) {
      if (note.what.find("waiting for READY") != std::string::npos) waiting = note.at_ns;
      if (note.what.find("did not come") == std::string::npos) continue;
      EXPECT_EQ(note.at_ns - waiting, 5 * kSecond);
      ++failures;
    }
    EXPECT_EQ(failures, 5);
  });
}

TEST(FaultHdcp, F20_EncryptionIsPostponed) {
  OnStage(4, [] {
    Stage stage;
    stage.Inject(HDMI_OP_READY_DELAY, -1);
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotAvr);
    stage.RunUntil(3 * kSecond);  // first attempt, A8
    EXPECT_TRUE(stage.encrypting());
    stage.RunUntil(8 * kSecond);  // second attempt, A8
    EXPECT_FALSE(stage.encrypting());
  });
}

// F21: the last look is in time; that the watchdog may run at that moment is harmless.
TEST(FaultHdcp, F21_ReadyAtTheLimit) {
  RunFault(
      "F21",
      [](Stage& stage) {
        EXPECT_EQ(stage.stats().auth_attempts, 1);
        EXPECT_EQ(Told(stage), "ENABLED");
        EXPECT_EQ(stage.runs("hdcp_watchdog_dwork"), 0);
      },
      16);
}

// F22: part 2 ends before the FIFO is read.
TEST(FaultHdcp, F22_TopologyRefused) {
  for (const char* id : {"F22.devs", "F22.cascade", "F22.zero"}) {
    RunFault(
        id,
        [](Stage& stage) {
          EXPECT_EQ(stage.stats().auth_attempts, 5);
          EXPECT_EQ(stage.CountLog("Bstatus"), 5);
          EXPECT_EQ(stage.CountLog("KSV list"), 0);
          EXPECT_EQ(stage.CountLog("V'"), 0);
        },
        2);
  }
}

// F23: V' is compared up to three times.
TEST(FaultHdcp, F23_VWrong) {
  RunFault(
      "F23.once", [](Stage& stage) { EXPECT_EQ(stage.stats().auth_attempts, 1); }, 4);
  RunFault(
      "F23.always",
      [](Stage& stage) {
        EXPECT_EQ(stage.stats().auth_attempts, 5);
        EXPECT_EQ(stage.CountLog("V' differs 3 times"), 5);
      },
      2);
}

// F24: 635 bytes are one transfer of 57 ms; nobody waits for it when the cable goes.
TEST(FaultHdcp, F24_UnplugWhileReadingTheFifo) {
  RunFault("F24", [](Stage& stage) {
    EXPECT_LT(stage.stats().unplug_ns_max, 100 * kMs);
    EXPECT_EQ(stage.CountLog("V' ok"), 0);
  });
}

TEST(FaultHdcp, F24_FullFifo) {
  OnStage(2, [] {
    Stage stage;
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotAvr);
    stage.Inject(HDMI_OP_DOWNSTREAM, 127, 7);
    stage.RunUntil(6 * kSecond);
    EXPECT_EQ(stage.CountLog("127 devices, depth 7, 635 bytes, V' ok"), 1);
    EXPECT_EQ(stage.state().protection, Protection::kEnabled);
  });
}

// F25: in 1.4 a topology change is a repeater that has fallen back to the beginning.
TEST(FaultHdcp, F25_TopologyChange) {
  RunFault("F25", [](Stage& stage) {
    EXPECT_EQ(Told(stage), "ENABLED DESIRED ENABLED");
    EXPECT_EQ(stage.CountLog("KSV list: 3 devices"), 1);
    EXPECT_EQ(stage.CountLog("KSV list: 5 devices"), 1);
  });
}

// F26: queue_work from a client's thread; no attempt until the SRM changes again.
TEST(FaultHdcp, F26_SrmRevokes) {
  RunFault("F26", [](Stage& stage) {
    EXPECT_EQ(stage.LogTime("revokes"), 10 * kSecond);
    EXPECT_EQ(stage.stats().auth_attempts, 1);
    EXPECT_TRUE(stage.state().muted);
    EXPECT_TRUE(stage.driver().SetSrm(BuildSimSrm(3, {})).ok());
    stage.RunFor(kSecond);
    EXPECT_EQ(stage.state().protection, Protection::kEnabled);
    EXPECT_FALSE(stage.state().muted);
  });
}

// An SRM that is broken changes nothing.
TEST(FaultHdcp, BadSrmIsIgnored) {
  OnStage(2, [] {
    Stage stage;
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(3 * kSecond);
    std::vector<uint8_t> blob = BuildSimSrm(2, {});
    blob.back() ^= 1;
    EXPECT_FALSE(stage.driver().SetSrm(blob).ok());
    EXPECT_FALSE(stage.driver().SetSrm({}).ok());
    EXPECT_EQ(stage.state().protection, Protection::kEnabled);
  });
}

// F27: 1000 wishes are at most one work; the last one counts.
TEST(FaultHdcp, F27_Toggle) {
  RunFault("F27", [](Stage& stage) {
    EXPECT_LE(stage.runs("protection_work"), 1001);
    const DriverStats stats = stage.stats();
    EXPECT_EQ(stats.auth_failed, 0);
    EXPECT_TRUE(stage.encrypting());
  });
}

// The same with the other end: undesired wins, and nothing goes on.
TEST(FaultHdcp, F27_ToggleEndsUndesired) {
  OnStage(8, [] {
    Stage stage;
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(1650 * kMs);  // in the middle of an attempt
    for (int i = 0; i < 101; ++i) EXPECT_TRUE(stage.driver().SetProtection(i % 2 != 0).ok());
    stage.RunUntil(5 * kSecond);
    EXPECT_EQ(stage.state().protection, Protection::kUndesired);
    EXPECT_FALSE(stage.encrypting());
    EXPECT_FALSE(stage.state().muted);
    const int64_t checks = stage.runs("link_check_dwork");
    stage.RunFor(5 * kSecond);
    EXPECT_EQ(stage.runs("link_check_dwork"), checks);
  });
}

}  // namespace
}  // namespace uwq::hdmi
