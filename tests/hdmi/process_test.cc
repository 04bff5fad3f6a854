// SPDX-License-Identifier: BSD-3-Clause
//
// process_test.cc -- the driver and the device in two processes, and what kill -9 does
// to each of them (F32, F33).
//
// UWQ_HDMI_KILLS=n: so many kills of the device instead of 200.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "drivers/hdmi_example/demo/device_child.h"
#include "drivers/hdmi_example/device/script.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"
#include "drivers/hdmi_example/driver/kup_hardware.h"
#include "drivers/hdmi_example/edid/edid_testdata.h"

extern char** environ;

namespace uwq::hdmi {
namespace {

constexpr double kSpeed = 10;
constexpr const char* kDeviceProgram = "drivers/hdmi_example/hdmi_device_process";
constexpr const char* kDemoProgram = "drivers/hdmi_example/hdmi_demo";

int Kills() {
  const char* const text = getenv("UWQ_HDMI_KILLS");
  return text == nullptr ? 200 : atoi(text);
}

// Waits for an event that comes; how long it takes is not what is tested.
bool Await(const std::function<bool()>& condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() {
    DeviceChild::Options options;
    options.program = kDeviceProgram;
    options.name = UniqueDeviceName("process-test");
    options.speed = kSpeed;
    device_name_ = absl::StrCat("sim:", options.name);
    device_ = std::make_unique<DeviceChild>(options);
  }

  void StartDriver() {
    auto hardware = KupHardware::Open(device_name_, {});
    ASSERT_TRUE(hardware.ok()) << hardware.status();
    kup_ = hardware->get();
    DriverOptions options;
    options.speed = kSpeed;
    options.heartbeat_limit = absl::Seconds(20);  // 2 s of this machine
    options.ddc_timeout = absl::Seconds(2);
    options.live_connectors = &connectors_;
    auto driver = HdmiDriver::Create(*std::move(hardware), std::move(options));
    ASSERT_TRUE(driver.ok()) << driver.status();
    driver_ = *std::move(driver);
    ASSERT_TRUE(driver_->SetProtection(true).ok());
  }

  void PlugTelevision() {
    auto load = SinkLoadCommand(kSlotTv, StandardSink(kSlotTv, TestEdid("uwq-tv-4k60")));
    ASSERT_TRUE(load.ok());
    // The device may have died again in between: then it is tried once more.
    (void)driver_->hardware().Send(*load);
    (void)driver_->hardware().Send(InjectCommand({.op = HDMI_OP_PLUG, .a = kSlotTv}));
  }

  bool AwaitEnabled() {
    return Await([&] { return driver_->state().protection == Protection::kEnabled; });
  }

  void StopDriver() {
    const absl::Status removed = driver_->Remove();
    EXPECT_TRUE(removed.ok()) << removed;
    driver_.reset();
    EXPECT_EQ(connectors_.load(), 0);
  }

  std::string device_name_;
  std::unique_ptr<DeviceChild> device_;
  base::Atomic<int> connectors_{0};
  std::unique_ptr<HdmiDriver> driver_;
  KupHardware* kup_ = nullptr;
};

TEST_F(ProcessTest, NoDevice_SaysSo) {
  const auto hardware = KupHardware::Open("sim:no-such-hdmi", {});
  ASSERT_FALSE(hardware.ok());
  EXPECT_NE(hardware.status().message().find("no-such-hdmi"), std::string::npos)
      << hardware.status();
}

TEST_F(ProcessTest, NoProgram_SaysSo) {
  DeviceChild::Options options;
  options.program = "/no/such/program";
  DeviceChild child(options);
  const absl::Status s = child.Start();
  EXPECT_EQ(s.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(s.message().find("/no/such/program"), std::string::npos) << s;
}

TEST_F(ProcessTest, PlugAndProtect) {
  ASSERT_TRUE(device_->Start().ok());
  StartDriver();
  PlugTelevision();
  EXPECT_TRUE(AwaitEnabled());
  EXPECT_EQ(driver_->state().sink, "UWQ SIM UHD");
  StopDriver();
}

// A flood that the ring cannot hold: what is lost is counted, the level is read again.
TEST_F(ProcessTest, FloodThenUnplug) {
  ASSERT_TRUE(device_->Start().ok());
  StartDriver();
  PlugTelevision();
  ASSERT_TRUE(AwaitEnabled());
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(driver_->hardware()
                    .Send(InjectCommand({.op = HDMI_OP_EVENT_FLOOD, .a = 20000, .b = kSecond}))
                    .ok());
  }
  ASSERT_TRUE(
      driver_->hardware().Send(InjectCommand({.op = HDMI_OP_UNPLUG, .delay_ns = 500 * kMs})).ok());
  EXPECT_TRUE(Await([&] { return !driver_->state().plugged; }));
  EXPECT_GT(driver_->stats().events, 1000);
  StopDriver();
}

// F32, at random moments: of the plug, of authentication, of nothing in particular.
TEST_F(ProcessTest, F32_DeviceKilled) {
  std::minstd_rand random(7);
  ASSERT_TRUE(device_->Start().ok());
  StartDriver();
  for (int i = 0; i < Kills(); ++i) {
    PlugTelevision();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 250000));
    device_->Kill();
    ASSERT_TRUE(device_->Start().ok());
    ASSERT_TRUE(Await([&] {
      return kup_->stats().connects >= static_cast<uint64_t>(i) + 2 && driver_->state().device_up;
    })) << "kill "
        << i << ": not connected again";
  }
  ASSERT_TRUE(Await([&] {
    PlugTelevision();
    return Await([&] { return driver_->state().protection == Protection::kEnabled; });
  }));
  EXPECT_GE(driver_->stats().losses, 1);
  StopDriver();
}

// The device is gone, and the driver is removed: it does not wait for anybody.
TEST_F(ProcessTest, RemoveWithoutDevice) {
  ASSERT_TRUE(device_->Start().ok());
  StartDriver();
  PlugTelevision();
  ASSERT_TRUE(AwaitEnabled());
  device_->Kill();
  StopDriver();
}

// F33: a driver is killed at random moments; the next one finds the device as good as new.
TEST_F(ProcessTest, F33_DriverKilled) {
  std::minstd_rand random(11);
  ASSERT_TRUE(device_->Start().ok());
  const std::string device = absl::StrCat("--device=", device_name_);
  const std::string speed = absl::StrCat("--speed=", kSpeed);
  for (int i = 0; i < std::max(3, Kills() / 20); ++i) {
    const char* const argv[] = {kDemoProgram, device.c_str(), speed.c_str(), "--color=never",
                                nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 1 /* O_WRONLY */, 0);
    pid_t pid = -1;
    ASSERT_EQ(
        posix_spawn(&pid, argv[0], &actions, nullptr, const_cast<char* const*>(argv), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    std::this_thread::sleep_for(std::chrono::milliseconds(100 + random() % 900));
    kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the demo ended by itself: " << status;
  }
  StartDriver();
  PlugTelevision();
  EXPECT_TRUE(AwaitEnabled());
  StopDriver();
}

}  // namespace
}  // namespace uwq::hdmi
