// SPDX-License-Identifier: BSD-3-Clause
//
// real_test.cc -- faults on real threads, for the sanitizers: several ports at once in
// one process, each with its own device, driver and Runtime.
//
// Times are not looked at; the outcome is waited for (up to a minute).
#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "drivers/hdmi_example/demo/fault_outcome.h"
#include "tests/hdmi/stage.h"

namespace uwq::hdmi {
namespace {

constexpr double kSpeed = 4;

StageOptions RealOptions() {
  StageOptions options;
  options.speed = kSpeed;
  // A machine under a sanitizer stands still now and then.
  options.tune = [](DriverOptions& driver) {
    driver.heartbeat_limit = absl::Seconds(10);
    driver.ddc_timeout = absl::Seconds(1);
  };
  return options;
}

// Gathers what the library reports while it lives; `expected` is none's mistake.
class Reports {
 public:
  explicit Reports(core::ReportKind expected = core::ReportKind::kCount) {
    core::ResetReports();
    core::SetReportHandler([this, expected](const core::Report& report) {
      if (report.kind == expected) return;
      std::lock_guard<std::mutex> lock(mutex_);
      texts_.push_back(report.text);
    });
  }
  ~Reports() {
    core::SetReportHandler(nullptr);
    for (const std::string& text : texts_) ADD_FAILURE() << text;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

void PlayFault(const Fault& fault) {
  StageOptions options = RealOptions();
  options.hdcp22 = fault.needs_hdcp22;
  Stage stage(options);
  stage.Play(FaultScript(fault), fault.run_ns);
  const Outcome outcome = OutcomeOf(fault.id);
  if (outcome != Outcome::kRemoved) {
    for (int i = 0; i < 600 && !CheckOutcome(outcome, stage.state()).empty(); ++i) {
      stage.RunFor(static_cast<int64_t>(kSpeed * 100) * kMs);
    }
    EXPECT_EQ(CheckOutcome(outcome, stage.state()), "") << fault.id << "\n" << stage.LogText();
  }
  stage.Finish();
}

// All of them; so many at once as a machine of two CPUs can carry under a sanitizer.
constexpr size_t kParts = 3;
class RealFaults : public testing::TestWithParam<size_t> {};

TEST_P(RealFaults, SideBySide) {
  Reports reports(core::ReportKind::kArmedTimerAtDestroy);  // F30's strangers
  std::vector<std::thread> players;
  for (size_t i = GetParam(); i < AllFaults().size(); i += kParts) {
    players.emplace_back([&fault = AllFaults()[i]] { PlayFault(fault); });
  }
  for (std::thread& player : players) player.join();
}

INSTANTIATE_TEST_SUITE_P(All, RealFaults, testing::Range(size_t{0}, kParts));

// Plugging, resetting, suspending and asking from several threads, then Remove().
TEST(Real, ClientsFromAllSides) {
  Reports reports;
  Stage stage(RealOptions());
  stage.Plug(kSlotTv);
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&stage, client] {
      for (int i = 0; i < 50; ++i) {
        switch ((client + i) % 5) {
          case 0:
            EXPECT_TRUE(stage.driver().SetProtection(i % 2 == 0).ok());
            break;
          case 1:
            (void)stage.driver().Reset();  // refused while suspended
            break;
          case 2:
            EXPECT_TRUE(stage.driver().Suspend().ok());
            EXPECT_TRUE(stage.driver().Resume().ok());
            break;
          case 3:
            (void)stage.driver().CecRequest({0x40, 0x8f}, 0x90, absl::Milliseconds(50),
                                            [](absl::StatusOr<CecBytes>) {});
            break;
          default:
            stage.Inject(HDMI_OP_HPD_PULSE, 20 * kMs);
            (void)stage.state();
        }
        stage.RunFor(40 * kMs);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  // Pulses that met each other may have left the line low.
  stage.RunFor(40 * kMs);
  stage.Inject(HDMI_OP_HPD, 1);
  EXPECT_TRUE(stage.driver().Resume().ok());
  EXPECT_TRUE(stage.driver().SetProtection(true).ok());
  for (int i = 0; i < 600 && stage.state().protection != Protection::kEnabled; ++i) {
    stage.RunFor(400 * kMs);
  }
  EXPECT_EQ(stage.state().protection, Protection::kEnabled) << stage.LogText();
  stage.Finish();
}

// 300 plugs and unplugs, some of them too short to be seen.
TEST(Real, ManyPlugs) {
  Reports reports;
  StageOptions options = RealOptions();
  options.speed = 50;
  Stage stage(options);
  for (int i = 0; i < 300; ++i) {
    stage.Plug(i % HDMI_DEV_SLOTS);
    stage.RunFor((i * 37 % 1000) * kMs);
    stage.Unplug();
    stage.RunFor((i * 11 % 150) * kMs);
  }
  stage.Plug(kSlotTv);
  for (int i = 0; i < 600 && stage.state().protection != Protection::kEnabled; ++i) {
    stage.RunFor(5 * kSecond);
  }
  EXPECT_EQ(stage.state().protection, Protection::kEnabled) << stage.LogText();
  stage.Finish();
}

}  // namespace
}  // namespace uwq::hdmi
