// SPDX-License-Identifier: BSD-3-Clause
//
// fault_life_test.cc -- F28..F36, F40, F41, F44: resets, the end, lost devices, floods,
// suspend, slow clients, with exact times of the virtual clock.
#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/hdmi/fault_run.h"
#include "tests/hdmi/realtime.h"

namespace uwq::hdmi {
namespace {

// F28: queue_work returns false for the second of two that come together, and both
// wait for the same reset with flush_work.
TEST(FaultLife, F28_TwoResets) {
  int64_t coalesced = 0;
  RunFault(
      "F28",
      [&](Stage& stage) {
        const DriverStats stats = stage.stats();
        // One, or two if the first was through before the second came.
        EXPECT_EQ(stats.resets + stats.resets_coalesced, 2);
        EXPECT_GE(stats.resets, 1);
        EXPECT_EQ(stats.pending_after_reset, 0);
        coalesced += stats.resets_coalesced;
      },
      64);
  EXPECT_GT(coalesced, 0) << "no schedule had both at once";
}

// The bar of a reset, from every moment of a plug: at most 20 ms, nothing pending.
TEST(FaultLife, ResetFromAnyState) {
  for (int64_t at_ms = 0; at_ms <= 3000; at_ms += 37) {
    OnStage(1, [&] {
      Stage stage;
      stage.RunUntil(kPlugNs);
      stage.Plug(kSlotAvr);
      stage.RunUntil(kPlugNs + at_ms * kMs);
      const int64_t before = stage.now_ns();
      EXPECT_TRUE(stage.driver().Reset().ok());
      EXPECT_LE(stage.now_ns() - before, 20 * kMs);
      EXPECT_EQ(stage.stats().pending_after_reset, 0);
      stage.RunFor(5 * kSecond);
      EXPECT_EQ(stage.state().protection, Protection::kEnabled) << stage.LogText();
    });
  }
}

// F29: a reset asked for by a work of the queue that the reset flushes.
TEST(FaultLife, F29_ResetFromPortWork) {
  RunFault("F29", [](Stage& stage) {
    EXPECT_EQ(stage.stats().resets_deferred, 1);
    EXPECT_EQ(stage.stats().resets, 1);
  });
}

// And what the library says to a work that flushes its own queue all the same.
TEST(FaultLife, F29_OwnQueueFlushIsReported) {
  OnStage(4, [] {
    Stage stage;
    stage.ExpectReports(core::ReportKind::kOwnQueueFlush);
    DriverWork bad("bad", stage.driver().port_queue(), 1, nullptr,
                   [&] { stage.driver().port_queue().Flush(); });
    bad.Queue();
    stage.RunFor(kSecond);
    EXPECT_EQ(bad.runs(), 1) << "it hangs";
    EXPECT_EQ(stage.reports(), 1u);
    stage.Finish();
  });
}

// F30: drain and destroy with 200 works pending and 20 armed for an hour.
TEST(FaultLife, F30_RemoveWhileBusy) {
  OnStage(4, [] {
    Stage stage;
    stage.ExpectReports(core::ReportKind::kArmedTimerAtDestroy);
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(3 * kSecond);
    ScriptStep step;
    step.actor = Actor::kClient;
    step.client = ClientOp::kQueueWorks;
    step.at_ns = stage.now_ns();
    step.a = 200;
    step.b = 20;
    stage.Play({step}, stage.now_ns());
    const int64_t before = stage.now_ns();
    EXPECT_TRUE(stage.driver().Remove().ok());
    EXPECT_EQ(stage.now_ns(), before) << "it waited for a timer";
    std::vector<int64_t> runs;
    for (const auto& work : stage.extra()) runs.push_back(work->runs());
    ASSERT_EQ(runs.size(), 220u);
    for (size_t i = 0; i < runs.size(); ++i) EXPECT_LE(runs[i], i < 200 ? 1 : 0) << i;
    stage.RunFor(2 * 3600 * kSecond);  // past what the 20 were armed for
    for (size_t i = 0; i < runs.size(); ++i) EXPECT_EQ(stage.extra()[i]->runs(), runs[i]) << i;
    stage.Finish();
    EXPECT_GT(stage.reports(), 0u) << "20 works of a stranger were armed";
  });
}

// Remove() at every moment of a plug.  Nothing is pending afterwards (H4; Finish).
TEST(FaultLife, RemoveFromAnyState) {
  for (int64_t at_ms = 0; at_ms <= 4200; at_ms += 31) {
    OnStage(1, [&] {
      Stage stage;
      stage.RunUntil(kPlugNs);
      stage.Plug(kSlotAvr);
      stage.RunUntil(kPlugNs + at_ms * kMs);
      stage.Finish();
    });
  }
}

// F31: what comes after Remove() began, and before the source is closed, is counted.
class SpeaksWhenStopped : public Hardware {
 public:
  explicit SpeaksWhenStopped(std::unique_ptr<Hardware> below) : below_(std::move(below)) {}
  absl::Status Start(Handler* handler) override {
    handler_ = handler;
    return below_->Start(handler);
  }
  void Stop() override {
    below_->Stop();
    handler_->OnEvent(HdmiEvent());
    handler_->OnLink(false);
  }
  absl::Status Send(const HdmiCommand& command) override { return below_->Send(command); }

 private:
  const std::unique_ptr<Hardware> below_;
  Handler* handler_ = nullptr;
};

TEST(FaultLife, F31_LateEventsAreCounted) {
  OnStage(4, [] {
    StageOptions options;
    options.wrap = [](std::unique_ptr<Hardware> below) {
      return std::make_unique<SpeaksWhenStopped>(std::move(below));
    };
    Stage stage(options);
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(3 * kSecond);
    EXPECT_EQ(stage.stats().events_late, 0);
    stage.Finish();
    EXPECT_EQ(stage.stats().events_late, 2);
    EXPECT_EQ(stage.stats().events_bad, 0);
  });
}

// F31: what comes after Remove() is turned away.
TEST(FaultLife, F31_LateEvents) {
  RunFault("F31", [](Stage& stage) {
    const int64_t runs = stage.runs("hpd_dwork") + stage.runs("cec_rx_work");
    stage.Inject(HDMI_OP_HPD, 0);
    stage.Inject(HDMI_OP_CEC_SEND, 0x840f, 2);
    stage.RunFor(kSecond);
    EXPECT_EQ(stage.runs("hpd_dwork") + stage.runs("cec_rx_work"), runs);
    EXPECT_FALSE(stage.driver().SetProtection(true).ok());
    EXPECT_FALSE(stage.driver().Reset().ok());
    EXPECT_FALSE(stage.driver().Suspend().ok());
  });
}

// F32: the channel says that the process is gone; then another one, whose numbers
// begin anew.
TEST(FaultLife, F32_DeviceKilled) {
  RunFault("F32", [](Stage& stage) {
    EXPECT_EQ(stage.stats().losses, 1);
    EXPECT_EQ(Told(stage), "ENABLED DESIRED ENABLED");
    EXPECT_EQ(stage.stats().mode_sets, 2) << "the new transmitter has no mode";
  });
}

// F32 without a word: only the heartbeat is missing.
TEST(FaultLife, F32_DeviceHangs) {
  OnStage(4, [] {
    Stage stage;
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(5 * kSecond + kMs);  // a heartbeat was at 5.0
    stage.Inject(HDMI_OP_DEAD, 1);
    stage.RunUntil(8 * kSecond);
    EXPECT_EQ(stage.LogTime("no heartbeat"), 5 * kSecond + 500 * kMs);
    EXPECT_FALSE(stage.state().device_up);
    EXPECT_EQ(stage.state().protection, Protection::kDesired);
    stage.Inject(HDMI_OP_DEAD, 0);
    stage.RunUntil(12 * kSecond);
    EXPECT_EQ(stage.state().protection, Protection::kEnabled) << stage.LogText();
  });
}

// F33 as far as one process can show it; process_test.cc kills for real.
TEST(FaultLife, F33_NextDriver) {
  RunFault("F33", [](Stage& stage) {
    // Of the removal itself clients may hear (DESIRED), or the connector is gone before.
    const std::string told = Told(stage);
    EXPECT_TRUE(told == "ENABLED ENABLED" || told == "ENABLED DESIRED ENABLED") << told;
  });
}

// F34: completions of the old core are dropped; the mode is set once more.
TEST(FaultLife, F34_FirmwareResetDuringModeset) {
  RunFault("F34", [](Stage& stage) {
    EXPECT_EQ(stage.stats().mode_sets, 2);
    const int64_t crash = stage.LogTime("crashed");
    EXPECT_EQ(Ms(crash), 1384);
    EXPECT_EQ(stage.LogTime("transmitter up", crash) - crash, 200 * kMs);
    EXPECT_EQ(stage.state().generation, 2u);
  });
}

// A core that keeps crashing is given more and more time.
TEST(FaultLife, CrashLoopBacksOff) {
  OnStage(2, [] {
    Stage stage;
    stage.RunUntil(kSecond);
    int64_t pause = 200 * kMs;
    for (int i = 0; i < 4; ++i, pause *= 2) {
      const int64_t crash = stage.now_ns();
      stage.Inject(HDMI_OP_FW_RESET);
      stage.RunFor(5 * kSecond);
      EXPECT_EQ(stage.LogTime("transmitter up", crash + 1) - crash, pause);
    }
  });
}

// F35: 100,000 records in a second: works coalesce, nothing grows, HPD stays in reach.
TEST(FaultLife, F35_EventFlood) {
  RunFault(
      "F35",
      [](Stage& stage) {
        const DriverStats stats = stage.stats();
        // Once HPD is masked, a third of the records is not raised at all.
        EXPECT_GE(stats.events + stats.events_lost, 60000);
        EXPECT_EQ(stats.storms, 1);
        EXPECT_LE(stage.runs("hpd_dwork"), 5);
        // The bar is 50 ms for 99 of 100; here time passes for waiting only, and none waits.
        for (const char* work : {"hpd_dwork", "storm_dwork"}) {
          EXPECT_FALSE(stage.started(work).empty()) << work;
          for (const auto& run : stage.started(work)) EXPECT_EQ(run.latency_ns, 0) << work;
        }
        // CEC: the backlog is bounded, what does not fit is counted.
        EXPECT_GE(stats.cec.received, 30000);
        EXPECT_EQ(stage.LogTime("storm is over") > 0, true);
        EXPECT_EQ(Told(stage), "ENABLED");
      },
      2);
}

// F36: dropped, counted, and the level is read again where one may be missing.
TEST(FaultLife, F36_BadRecords) {
  RunFault("F36", [](Stage& stage) {
    const DriverStats stats = stage.stats();
    EXPECT_GE(stats.events_bad, 3);
    EXPECT_GE(stats.events_bad + stats.events_stale, 5);
    EXPECT_GE(stage.runs("resync_work"), 1);
    EXPECT_EQ(Told(stage), "ENABLED");
  });
}

// Names of the driver's works that ran in that time, but for the client's callback.
std::string RunsBetween(Stage& stage, int64_t from_ns, int64_t to_ns) {
  std::string names;
  for (const WorkCounts& work : stage.stats().works) {
    const auto runs = stage.started(work.name);
    if (absl::string_view(work.name) != "prop_work" &&
        std::any_of(runs.begin(), runs.end(), [&](const Stage::Started& run) {
          return run.start_ns > from_ns && run.start_ns < to_ns;
        })) {
      names += std::string(work.name) + " ";
    }
  }
  return names;
}

// F40: disable_work, enable_work: between the two nothing runs.
TEST(FaultLife, F40_Suspend) {
  RunFault("F40", [](Stage& stage) {
    EXPECT_EQ(stage.stats().mode_sets_skipped, 1);
    EXPECT_EQ(RunsBetween(stage, 1700 * kMs, 2700 * kMs), "");
  });
}

// Whatever happens meanwhile: a storm, lost records, a screen that speaks by CEC (which
// alone goes on), clients.
TEST(FaultLife, F40_TrafficWhileSuspended) {
  OnStage(4, [] {
    Stage stage;
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(3 * kSecond);
    EXPECT_TRUE(stage.driver().Suspend().ok());
    const int64_t from = stage.now_ns();
    stage.RunFor(100 * kMs);
    stage.Inject(HDMI_OP_EVENT_FLOOD, 1000, kSecond);
    stage.Inject(HDMI_OP_BAD_RECORD, 2);
    stage.Inject(HDMI_OP_CEC_SEND, 0x840f, 2);
    stage.Inject(HDMI_OP_SCDC_LOSE);
    EXPECT_FALSE(stage.driver().Reset().ok());
    EXPECT_TRUE(stage.driver().SetProtection(false).ok());
    EXPECT_TRUE(stage.driver().SetProtection(true).ok());
    stage.RunFor(2 * kSecond);
    EXPECT_EQ(RunsBetween(stage, from, stage.now_ns()), "cec_rx_work ");
    EXPECT_EQ(stage.stats().storms, 1);
    stage.Inject(HDMI_OP_HPD, 1);
    EXPECT_TRUE(stage.driver().Resume().ok());
    stage.RunFor(5 * kSecond);
    EXPECT_EQ(stage.state().protection, Protection::kEnabled) << stage.LogText();
    stage.Finish();
  });
}

// An unplug while suspended is seen at the resume.
TEST(FaultLife, F40_UnplugWhileSuspended) {
  OnStage(8, [] {
    Stage stage;
    stage.RunUntil(kPlugNs);
    stage.Plug(kSlotTv);
    stage.RunUntil(3 * kSecond);
    EXPECT_TRUE(stage.driver().Suspend().ok());
    EXPECT_TRUE(stage.driver().Suspend().ok());  // does not nest
    EXPECT_FALSE(stage.driver().Reset().ok());
    stage.Unplug();
    stage.RunFor(kSecond);
    EXPECT_TRUE(stage.driver().Resume().ok());
    stage.RunFor(2 * kSecond);
    EXPECT_FALSE(stage.state().plugged);
    stage.Plug(kSlotAvr);
    stage.RunFor(4 * kSecond);
    EXPECT_EQ(stage.state().protection, Protection::kEnabled);
  });
}

// A reset stands behind a suspend on hdmi-hpd, which is held up by another reset that
// waits for a stranger's work on hdmi-port: the suspend takes the reset off the queue.
void SuspendOvertakesReset(bool resume) {
  OnStage(16, [resume] {
    StageOptions options;
    options.tune = [](DriverOptions& driver) { driver.on_work = nullptr; };  // see Finish()
    Stage stage(options);
    stage.Plug(kSlotTv);
    stage.RunFor(2 * kSecond);
    DriverWork slow("slow", stage.driver().port_queue(), 1, nullptr, [] { BlockFor(kSecond); });
    slow.Queue();
    stage.RunFor(100 * kMs);
    base::Thread first =
        *base::Thread::Start({.name = "first"}, [&] { EXPECT_TRUE(stage.driver().Reset().ok()); });
    stage.RunFor(100 * kMs);
    base::Thread suspender = *base::Thread::Start({.name = "suspender"}, [&] {
      EXPECT_TRUE(stage.driver().Suspend().ok());
      if (resume) {
        EXPECT_TRUE(stage.driver().Resume().ok());
      }
    });
    stage.RunFor(100 * kMs);
    EXPECT_EQ(stage.driver().Reset().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(stage.stats().resets, 1);
    EXPECT_EQ(stage.stats().resets_coalesced, 0);
    first.Join();
    suspender.Join();
    EXPECT_EQ(stage.driver().Reset().ok(), resume);
    stage.Finish();
  });
}

TEST(FaultLife, SuspendOvertakesReset) { SuspendOvertakesReset(false); }
TEST(FaultLife, SuspendAndResumeOvertakeReset) { SuspendOvertakesReset(true); }

// F41: a callback that takes 10 s holds up other callbacks and nothing else.
TEST(FaultLife, F41_SlowCallback) {
  RunFault("F41", [](Stage& stage) {
    EXPECT_EQ(Ms(stage.LogTime("ENABLED")), 1708);
    EXPECT_EQ(Ms(stage.LogTime("link closed")), 10060);
    EXPECT_EQ(Ms(stage.LogTime("DESIRED -> ENABLED", 10 * kSecond)), 11078);
    // Told at 1.708; the next at 11.708, when the property is ENABLED again: no news.
    EXPECT_EQ(Told(stage), "ENABLED");
  });
}

// F44: everything here is CLOCK_MONOTONIC: nobody as much as reads the one that jumps.
TEST(FaultLife, F44_ClockJumps) {
  OnStage(1, [] {
    const Fault& fault = *FindFault("F44.clock");
    Stage stage;
    const time_t before = time(nullptr);
    const int64_t reads = RealtimeReads();
    stage.Play(FaultScript(fault), fault.run_ns);
    EXPECT_EQ(RealtimeReads(), reads) << "by the driver or what it stands on";
    EXPECT_GE(time(nullptr) - before, 3600) << "the clock did not jump";
    EXPECT_EQ(CheckOutcome(OutcomeOf(fault.id), stage.state()), "") << stage.LogText();
    EXPECT_EQ(Told(stage), "ENABLED");
    EXPECT_EQ(stage.stats().losses, 0);
    stage.Finish();
  });
}

// F44: after a standstill works that are overdue run once, however often they would have
// been due, nothing is taken for lost, and the link is looked at.
TEST(FaultLife, F44_Standstill) {
  RunFault("F44.stop", [](Stage& stage) {
    const int64_t back = 13 * kSecond;
    EXPECT_EQ(RunsBetween(stage, 10 * kSecond, back), "");
    const auto runs_until = [&](const char* work, int64_t last) {
      const auto runs = stage.started(work);
      return std::count_if(runs.begin(), runs.end(), [&](const Stage::Started& run) {
        return run.start_ns >= back && run.start_ns <= last;
      });
    };
    // None at once if one had begun when the clock stood still: that one armed anew after it.
    EXPECT_LE(runs_until("scdc_dwork", back), 1) << "of three periods";
    EXPECT_GE(runs_until("scdc_dwork", back + kSecond), 1);
    EXPECT_LE(runs_until("heartbeat_dwork", back), 1);
    // Not every reading is news, so not by the log.
    EXPECT_GE(runs_until("link_check_dwork", back + 100 * kMs), 1);
    EXPECT_EQ(stage.stats().losses, 0);
    EXPECT_EQ(Told(stage), "ENABLED");
  });
}

}  // namespace
}  // namespace uwq::hdmi
