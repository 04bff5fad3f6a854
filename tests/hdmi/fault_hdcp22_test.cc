// SPDX-License-Identifier: BSD-3-Clause
//
// fault_hdcp22_test.cc -- F42, F43 and what else HDCP 2.2 asks of the driver, with exact
// times of the virtual clock: every limit is kept to the nanosecond, by a watchdog that
// is a delayed work.
//
// The television speaks 2.2 here: AKE_Init at 1.604, H' at 1.826, encryption at 2.058.
#include <gtest/gtest.h>

#include "tests/hdmi/fault_run.h"

namespace uwq::hdmi {
namespace {

// The first "... did not come" counts from the end of the write that asked: its bytes at
// 90 us and two starts before, from the log of the driver.
struct Limit {
  const char* fault;
  const char* missed;
  int64_t limit_ms;
  int attempts22;
};

// F42: mod_delayed_work arms the watchdog, cancel_delayed_work takes it back.
TEST(FaultHdcp22, F42_RejectedAtTheLimit) {
  for (const Limit& limit : {Limit{"F42.cert", "certificate did not come within 100 ms", 100, 2},
                             Limit{"F42.hprime", "H' did not come within 1000 ms", 1000, 2},
                             Limit{"F42.list", "list did not come within 3000 ms", 3000, 2}}) {
    RunFault(
        limit.fault,
        [&](Stage& stage) {
          EXPECT_EQ(stage.CountLog(limit.missed), limit.attempts22) << stage.LogText();
          EXPECT_EQ(stage.runs("hdcp_watchdog_dwork"), limit.attempts22);
          // Each run of the watchdog is exactly as late as the limit says after the write
          // that asked was complete, which is a run of the step work.
          const auto steps = stage.started("hdcp_step_dwork");
          for (const auto& fired : stage.started("hdcp_watchdog_dwork")) {
            const bool exact = std::any_of(steps.begin(), steps.end(), [&](const auto& step) {
              return fired.start_ns - step.start_ns == limit.limit_ms * kMs;
            });
            EXPECT_TRUE(exact) << limit.fault << " at " << fired.start_ns;
          }
          // Content of type 0 goes over 1.4 then.
          EXPECT_EQ(stage.CountLog("HDCP 1.4: R0' = R0"), 1);
          EXPECT_EQ(Told(stage), "ENABLED");
        },
        4);
  }
}

// And just before the limit all of them are good.
TEST(FaultHdcp22, F42_AcceptedBeforeTheLimit) {
  struct Late {
    int message;
    int64_t delay_ns;
    int slot;
  };
  for (const Late& late :
       {Late{kAkeSendCert, 99 * kMs, kSlotTv}, Late{kAkeSendHPrime, 999 * kMs, kSlotTv},
        Late{kAkeSendPairingInfo, 199 * kMs, kSlotTv}, Late{kLcSendLPrime, 19 * kMs, kSlotTv},
        Late{kReceiverIdList, 2999 * kMs, kSlotAvr}, Late{kStreamReady, 99 * kMs, kSlotAvr}}) {
    OnStage(2, [&] {
      StageOptions options;
      options.hdcp22 = true;
      Stage stage(options);
      stage.Inject(HDMI_OP_HDCP22_DELAY, late.message, late.delay_ns);
      stage.RunUntil(kPlugNs);
      stage.Plug(late.slot);
      stage.RunUntil(9 * kSecond);
      EXPECT_EQ(stage.CountLog("HDCP 2.2: authenticated"), 1) << late.message << stage.LogText();
      EXPECT_EQ(stage.CountLog("did not come"), 0) << late.message;
    });
  }
}

// F42: the locality check is 20 ms: 19 is good in the first round, 21 never, and each
// round that is missed ends exactly at its limit.
TEST(FaultHdcp22, F42_LocalityCheck) {
  RunFault("F42.lprime19", [](Stage& stage) {
    EXPECT_EQ(stage.stats().locality_checks, 1);
    EXPECT_EQ(stage.stats().locality_late, 0);
    EXPECT_GE(stage.stats().locality_ns_max, 19 * kMs);
    EXPECT_LT(stage.stats().locality_ns_max, 20 * kMs);
    EXPECT_EQ(stage.CountLog("L' ok in round 1"), 1);
    EXPECT_EQ(stage.runs("hdcp_watchdog_dwork"), 0);
  });
  RunFault("F42.lprime21", [](Stage& stage) {
    EXPECT_EQ(stage.stats().locality_checks, 20);  // ten rounds, twice; then 1.4
    EXPECT_EQ(stage.stats().locality_late, 20);
    EXPECT_EQ(stage.CountLog("20 ms, 10 rounds"), 2);
    // A round: LC_Init is on the wire for 1.015 ms, then 20 ms of waiting.
    const auto fired = stage.started("hdcp_watchdog_dwork");
    ASSERT_EQ(fired.size(), 20u);
    for (size_t i = 1; i < 10; ++i) {
      EXPECT_EQ(fired[i].start_ns - fired[i - 1].start_ns, 20 * kMs + 1'030'000) << i;
    }
  });
}

// A wrong L' is another round, too, and the rounds are counted together.
TEST(FaultHdcp22, WrongLPrimeIsAnotherRound) {
  OnStage(2, [] {
    StageOptions options;
    options.hdcp22 = true;
    Stage stage(options);
    stage.Inject(HDMI_OP_HDCP22_BAD, kLcSendLPrime, 3);
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(4 * kSecond);
    EXPECT_EQ(stage.CountLog("L' ok in round 4"), 1) << stage.LogText();
    EXPECT_EQ(stage.state().protection, Protection::kEnabled);
  });
}

// Encryption does not begin before 200 ms after the session key was sent.
TEST(FaultHdcp22, EncryptionWaits) {
  for (const int slot : {kSlotTv, kSlotAvr}) {
    OnStage(2, [&] {
      StageOptions options;
      options.hdcp22 = true;
      Stage stage(options);
      stage.RunUntil(kPlugNs);
      stage.Plug(slot);
      int64_t sent = -1;
      while (stage.now_ns() < 4 * kSecond && !stage.encrypting()) {
        stage.RunFor(kMs);
        if (sent < 0) sent = stage.LogTime("session key sent");
      }
      ASSERT_GT(sent, 0);
      EXPECT_GT(stage.now_ns() - sent, 200 * kMs);
      EXPECT_EQ(stage.state().protection, Protection::kEnabled);
    });
  }
}

// F43: each request of the receiver is heard by the link check, every 500 ms.
TEST(FaultHdcp22, F43_Reauthentication) {
  RunFault("F43.reauth", [](Stage& stage) {
    EXPECT_EQ(stage.stats().link_failures, 1);
    EXPECT_LE(stage.LogTime("REAUTH_REQ"), 10 * kSecond + 510 * kMs);
    EXPECT_EQ(stage.CountLog("certificate ok, paired"), 1) << "it is known by now";
    EXPECT_EQ(Told(stage), "ENABLED DESIRED ENABLED");
    const auto checks = stage.started("link_check_dwork");
    ASSERT_GT(checks.size(), 20u);
    for (size_t i = 1; i < checks.size(); ++i) {
      EXPECT_LE(checks[i].start_ns - checks[i - 1].start_ns, kSecond) << "at least every second";
    }
  });
}

TEST(FaultHdcp22, F43_SequenceNumberRepeated) {
  RunFault("F43.seq", [](Stage& stage) {
    EXPECT_EQ(stage.CountLog("seq_num_V 0 after 0"), 1);
    EXPECT_EQ(stage.CountLog("list: 5 devices"), 1) << "after the new authentication";
    EXPECT_EQ(Told(stage), "ENABLED DESIRED ENABLED");
  });
}

// F25 in 2.2: the new list is taken while the link stays protected.
TEST(FaultHdcp22, F25_TopologyChangeKeepsTheLink) {
  OnStage(4, [] {
    StageOptions options;
    options.hdcp22 = true;
    Stage stage(options);
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotAvr);
    stage.RunUntil(10 * kSecond);
    stage.Inject(HDMI_OP_TOPOLOGY, 5, 3);
    stage.RunUntil(14 * kSecond);
    EXPECT_EQ(stage.CountLog("the new tree is acknowledged: 5 devices"), 1) << stage.LogText();
    EXPECT_EQ(Told(stage), "ENABLED");
    EXPECT_EQ(stage.stats().link_failures, 0);
  });
}

// F43: content of type 1 never goes over 1.4.
TEST(FaultHdcp22, F43_Type1NeedsHdcp22) {
  RunFault("F43.type1", [](Stage& stage) {
    EXPECT_EQ(stage.CountLog("content of type 1 needs HDCP 2.2"), 1);
    EXPECT_EQ(stage.CountLog("Aksv"), 0);
    EXPECT_EQ(Told(stage), "");
    // The client is content with less.
    EXPECT_TRUE(stage.driver().SetProtection(true, 0).ok());
    stage.RunFor(2 * kSecond);
    EXPECT_EQ(stage.state().protection, Protection::kEnabled);
    // And then it is not.
    EXPECT_TRUE(stage.driver().SetProtection(true, 1).ok());
    stage.RunFor(2 * kSecond);
    EXPECT_EQ(stage.state().protection, Protection::kDesired);
    EXPECT_FALSE(stage.encrypting());
    EXPECT_TRUE(stage.state().hdcp_idle);
  });
}

TEST(FaultHdcp22, Type1OverARepeater) {
  OnStage(2, [] {
    StageOptions options;
    options.hdcp22 = true;
    options.content_type = 1;
    Stage stage(options);
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotAvr);
    stage.RunUntil(4 * kSecond);
    EXPECT_EQ(stage.CountLog("authenticated, content of type 1"), 1) << stage.LogText();
    EXPECT_FALSE(stage.driver().SetProtection(true, 2).ok());
  });
}

// An SRM of the 2.x format, signed by the authority, of the receiver and of one behind it.
TEST(FaultHdcp22, SrmRevokes) {
  for (const bool behind : {false, true}) {
    OnStage(2, [&] {
      StageOptions options;
      options.hdcp22 = true;
      Stage stage(options);
      stage.RunUntil(kPlugNs);
      stage.Plug(kSlotAvr);
      stage.RunUntil(5 * kSecond);
      const Bytes5 id =
          behind ? Hdcp22Sinks::DownstreamId(kSlotAvr, 1) : Hdcp22Sinks::StandardId(kSlotAvr);
      std::vector<uint8_t> blob = BuildSrm2Body(2, {id});
      const auto signature = SimAuthority().Sign(blob);
      ASSERT_TRUE(signature.ok());
      blob.insert(blob.end(), signature->begin(), signature->end());
      std::vector<uint8_t> forged = blob;
      forged.back() ^= 1;
      EXPECT_FALSE(stage.driver().SetSrm(forged).ok());
      EXPECT_EQ(stage.state().protection, Protection::kEnabled);
      EXPECT_TRUE(stage.driver().SetSrm(blob).ok());
      stage.RunFor(kSecond);
      EXPECT_EQ(stage.state().protection, Protection::kDesired) << stage.LogText();
      EXPECT_TRUE(stage.state().hdcp_idle);
      EXPECT_EQ(stage.stats().auth_attempts, 1);
      // The same after a replug: the receiver is refused when it shows its certificate.
      stage.Unplug();
      stage.RunFor(kSecond);
      stage.Plug(kSlotAvr);
      stage.RunFor(4 * kSecond);
      EXPECT_EQ(stage.state().protection, Protection::kDesired);
      EXPECT_TRUE(stage.state().hdcp_idle);
    });
  }
}

// The cable goes at every moment of an authentication; nothing goes on.
TEST(FaultHdcp22, UnplugAtAnyMoment) {
  for (int64_t at_ms = 590; at_ms <= 1300; at_ms += 13) {
    OnStage(1, [&] {
      StageOptions options;
      options.hdcp22 = true;
      Stage stage(options);
      stage.RunUntil(kPlugNs);
      stage.Plug(kSlotAvr);
      stage.RunUntil(kPlugNs + at_ms * kMs);
      stage.Unplug();
      stage.RunFor(5 * kSecond);
      EXPECT_FALSE(stage.encrypting());
      const int64_t runs = stage.runs("hdcp_step_dwork") + stage.runs("hdcp_watchdog_dwork");
      stage.RunFor(5 * kSecond);
      EXPECT_EQ(stage.runs("hdcp_step_dwork") + stage.runs("hdcp_watchdog_dwork"), runs);
      stage.Plug(kSlotAvr);
      stage.RunFor(5 * kSecond);
      EXPECT_EQ(stage.state().protection, Protection::kEnabled) << stage.LogText();
    });
  }
}

}  // namespace
}  // namespace uwq::hdmi
