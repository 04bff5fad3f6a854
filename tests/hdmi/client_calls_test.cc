// SPDX-License-Identifier: BSD-3-Clause
//
// client_calls_test.cc -- clients' calls that meet each other, and the driver's end:
// on virtual time (client_calls_test) and on real threads (client_calls_real_test).
//
// Oracle: a call does what it says or is refused; whatever it uses is there until it
// returns (ASan; the explorer); Stage::Finish().
#include <gtest/gtest.h>

#include <vector>

#include "tests/hdmi/stage.h"

namespace uwq::hdmi {
namespace {

constexpr double kSpeed = kVirtualTime ? 1 : 10;
constexpr int kCalls = 7;

absl::Status CallDriver(HdmiDriver& driver, int which) {
  switch (which % kCalls) {
    case 0:
      return driver.SetProtection(true);
    case 1:
      return driver.SetSrm(BuildSimSrm(2, {}));
    case 2:
      return driver.Reset();
    case 3:
      return driver.Suspend();
    case 4:
      return driver.Resume();
    case 5:
      return driver.SetContent({.hdr_output_metadata = HdrMetadata()});
    default:
      return driver.CecRequest({0x40, 0x8f}, -1, absl::Seconds(1), nullptr);
  }
}

// Nothing is waited for that a call might need, and nothing is freed under one.
TEST(ClientCalls, RemoveWithACallbackInTheDriver) {
  OnStage(16, [] {
    Stage* stage = nullptr;
    base::Completion called;
    int refused = 0;
    StageOptions options;
    options.speed = kSpeed;
    options.tune = [&](DriverOptions& driver) {
      driver.on_protection = [&](Protection) {
        if (refused != 0) return;
        called.Set();
        for (int i = 0; i < 10 * kCalls; ++i) (void)CallDriver(stage->driver(), i);
        // Remove() has begun, and waits for this callback now or soon.
        while (stage->driver().SetProtection(true).ok()) BlockFor(kMs);
        for (int i = 0; i < 100 * kCalls; ++i) {
          refused += CallDriver(stage->driver(), i).ok() ? 0 : 1;
        }
      };
    };
    Stage the_stage(options);
    stage = &the_stage;
    stage->Plug(kSlotTv);
    called.Wait();
    stage->Finish();
    EXPECT_EQ(refused, 100 * kCalls) << "calls after Remove() began";
  });
}

TEST(ClientCalls, RemoveWhileOthersCall) {
  OnStage(32, [] {
    StageOptions options;
    options.speed = kSpeed;
    Stage stage(options);
    stage.Plug(kSlotTv);
    stage.RunFor(2 * kSecond);
    std::vector<base::Thread> clients;
    for (int client = 0; client < 4; ++client) {
      clients.push_back(*base::Thread::Start({.name = "client"}, [&stage, client] {
        for (int i = 0; i < 6 * kCalls; ++i) (void)CallDriver(stage.driver(), client + i);
      }));
    }
    EXPECT_TRUE(stage.driver().Remove().ok());
    for (base::Thread& client : clients) client.Join();
    stage.Finish();
  });
}

}  // namespace
}  // namespace uwq::hdmi
