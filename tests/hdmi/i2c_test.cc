// SPDX-License-Identifier: BSD-3-Clause
//
// i2c_test.cc -- the driver on a bus of a real machine, as far as that goes without one:
// an I2cBus that is a sink's memory, and files that are no bus.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <functional>
#include <thread>

#include "drivers/hdmi_example/device/hdmi_abi.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"
#include "drivers/hdmi_example/driver/i2c_hardware.h"
#include "drivers/hdmi_example/edid/edid_testdata.h"

namespace uwq::hdmi {
namespace {

// A sink that is there or not; remembers what was written to it.
class FakeBus : public I2cBus {
 public:
  struct Shared {
    base::Mutex mutex;
    std::vector<uint8_t> edid ABSL_GUARDED_BY(mutex);  // empty: nobody answers
    int transfers ABSL_GUARDED_BY(mutex) = 0;
    int writes ABSL_GUARDED_BY(mutex) = 0;  // of more than an offset
  };
  explicit FakeBus(Shared* shared) : shared_(shared) {}

  int Transfer(std::vector<DdcMessage>& messages) override {
    base::MutexLock lock(&shared_->mutex);
    ++shared_->transfers;
    if (shared_->edid.empty()) return HDMI_DDC_NAK;
    size_t segment = 0, offset = 0;
    for (DdcMessage& m : messages) {
      if (!m.read) {
        if (m.data.size() > 1) ++shared_->writes;
        (m.address == 0x30 ? segment : offset) = m.data[0];
        continue;
      }
      m.data.assign(m.length, 0);
      if (m.address != 0x50) continue;
      for (size_t i = 0; i < m.length; ++i) {
        const size_t at = segment * 256 + offset + i;
        m.data[i] = at < shared_->edid.size() ? shared_->edid[at] : uint8_t{0};
      }
    }
    return 0;
  }

 private:
  Shared* const shared_;
};

bool Await(const std::function<bool()>& condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

void SetEdid(FakeBus::Shared& shared, std::vector<uint8_t> edid) {
  base::MutexLock lock(&shared.mutex);
  shared.edid = std::move(edid);
}

std::unique_ptr<HdmiDriver> Attach(FakeBus::Shared* shared, bool allow_writes) {
  I2cHardware::Options options;
  options.presence = absl::Milliseconds(20);
  options.allow_writes = allow_writes;
  DriverOptions driver;
  driver.heartbeat_limit = absl::Seconds(30);
  driver.ddc_timeout = absl::Seconds(10);
  auto made = HdmiDriver::Create(
      std::make_unique<I2cHardware>(std::make_unique<FakeBus>(shared), options), std::move(driver));
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

TEST(I2c, ReadsTheEdidAndWritesNothing) {
  FakeBus::Shared shared;
  auto driver = Attach(&shared, false);
  EXPECT_TRUE(Await([&] { return driver->state().device_up; }));
  EXPECT_FALSE(driver->state().plugged);
  SetEdid(shared, TestEdid("uwq-4block"));
  EXPECT_TRUE(Await([&] { return driver->state().video; }));
  EXPECT_EQ(driver->state().sink, "UWQ 4BLOCK");
  // To authenticate one has to write: that is refused, and the port stays DESIRED.
  EXPECT_TRUE(driver->SetProtection(true).ok());
  EXPECT_TRUE(Await([&] { return driver->stats().auth_failed > 0; }));
  EXPECT_EQ(driver->state().protection, Protection::kDesired);
  EXPECT_FALSE(driver->CecRequest({0x40, 0x8f}, 0x90, absl::Milliseconds(10), nullptr).ok() &&
               driver->stats().cec.replies > 0);
  SetEdid(shared, {});
  EXPECT_TRUE(Await([&] { return !driver->state().plugged; }));
  EXPECT_TRUE(driver->Remove().ok());
  base::MutexLock lock(&shared.mutex);
  EXPECT_EQ(shared.writes, 0);
  EXPECT_GT(shared.transfers, 5);
}

// Scrambling is written only by who said that writing is wanted.
TEST(I2c, WritesWhenAllowed) {
  FakeBus::Shared shared;
  SetEdid(shared, TestEdid("uwq-tv-4k60"));
  for (const bool allowed : {false, true}) {
    auto driver = Attach(&shared, allowed);
    EXPECT_TRUE(Await([&] { return driver->state().video; }));
    EXPECT_EQ(driver->state().mode.find("3840x2160 60.000 Hz") == 0, allowed)
        << driver->state().mode;
    EXPECT_TRUE(driver->Remove().ok());
    base::MutexLock lock(&shared.mutex);
    EXPECT_EQ(shared.writes > 0, allowed);
  }
}

TEST(I2c, ResetComesBack) {
  FakeBus::Shared shared;
  SetEdid(shared, TestEdid("uwq-tv-1080p"));
  auto driver = Attach(&shared, false);
  EXPECT_TRUE(Await([&] { return driver->state().video; }));
  EXPECT_TRUE(driver->Reset().ok());
  EXPECT_TRUE(Await([&] { return driver->state().video && driver->stats().plugs == 2; }));
  EXPECT_EQ(driver->state().generation, 2u);
  EXPECT_TRUE(driver->Remove().ok());
}

TEST(I2c, WhatOnlyLooks) {
  const auto write = [](uint8_t address, std::vector<uint8_t> bytes) {
    return DdcMessage::Write(address, std::move(bytes));
  };
  EXPECT_TRUE(ReadOnlyAllows(DdcReadRegister(0x50, 0x80, 128)));
  EXPECT_TRUE(ReadOnlyAllows({write(0x30, {1}), write(0x50, {0}), DdcMessage::Read(0x50, 128)}));
  EXPECT_TRUE(ReadOnlyAllows(DdcReadRegister(0x54, 0x20, 2)));
  EXPECT_TRUE(ReadOnlyAllows(DdcReadRegister(0x3a, 0x00, 5)));
  EXPECT_TRUE(ReadOnlyAllows(DdcReadRegister(0x3a, 0x40, 1)));
  EXPECT_FALSE(ReadOnlyAllows(DdcWriteRegister(0x3a, 0x10, {1, 2, 3, 4, 5})));  // Aksv
  EXPECT_FALSE(ReadOnlyAllows(DdcWriteRegister(0x54, 0x20, {3})));
  EXPECT_FALSE(ReadOnlyAllows(DdcReadRegister(0x3a, 0x43, 5)));  // moves the list's pointer
  EXPECT_FALSE(ReadOnlyAllows(DdcReadRegister(0x3a, 0x80, 5)));  // takes a 2.2 message away
  EXPECT_FALSE(ReadOnlyAllows(DdcReadRegister(0x60, 0, 1)));
  EXPECT_FALSE(ReadOnlyAllows({write(0x50, {0})}));
  EXPECT_FALSE(ReadOnlyAllows({write(0x50, {0}), DdcMessage::Read(0x3a, 5)}));
  EXPECT_FALSE(ReadOnlyAllows({DdcMessage::Read(0x50, 1)}));
  EXPECT_FALSE(ReadOnlyAllows({}));
}

TEST(I2c, NoBusSaysSo) {
  const auto missing = OpenLinuxI2c("/dev/i2c-no-such-bus");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.status().message().find("/dev/i2c-no-such-bus"), absl::string_view::npos);
  const auto other = OpenLinuxI2c("/dev/null");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(other.status().message(), "\"/dev/null\" is no I2C bus");
}

}  // namespace
}  // namespace uwq::hdmi
