// SPDX-License-Identifier: BSD-3-Clause
//
// plugs_test.cc -- the cable in and out ten thousand times at speed 50, on real threads
// and without a leak: of memory, of threads, of descriptors.
//
// Several ports share the plugs, each with its own device, driver and Runtime, for a port
// mostly waits.  How long it takes is not looked at.
// (On virtual time: movie_night_test.cc, where a single port does them all.)
#include <dirent.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/hdmi/stage.h"

namespace uwq::hdmi {
namespace {

constexpr int kPorts = 8;
constexpr int kPlugs = 10000;
// What allocators and thread caches keep differs from run to run; an object of 88 bytes
// left behind at each plug would be 880 kB.
constexpr int64_t kSlackBytes = 256 * 1024;

int64_t Entries(const char* folder) {
  int64_t n = 0;
  DIR* const dir = opendir(folder);
  while (dir != nullptr && readdir(dir) != nullptr) ++n;
  if (dir != nullptr) closedir(dir);
  return n;
}

int64_t HeapBytes() { return static_cast<int64_t>(mallinfo2().uordblks); }

// Until the driver has seen so many plugs: some are too short.
void PlugAndUnplug(uint64_t seed, int plugs) {
  StageOptions options;
  options.speed = 50;
  options.seed = seed;
  options.tune = [](DriverOptions& driver) {
    // A machine that is busy stands still now and then.
    driver.heartbeat_limit = absl::Seconds(100);
    driver.ddc_timeout = absl::Seconds(10);
    driver.on_log = nullptr;
    driver.on_work = nullptr;
    driver.on_protection = nullptr;
  };
  Stage stage(options);
  uint64_t random = seed;
  while (stage.stats().plugs < plugs) {
    random = hdcp14_mix64(random);
    stage.Plug(static_cast<int>(random % HDMI_DEV_SLOTS));
    stage.RunFor(static_cast<int64_t>(random >> 8 & 1023) * kMs);  // from never seen to ENABLED
    stage.Unplug();
    stage.RunFor(100 * kMs);
  }
  stage.Plug(kSlotTv);
  for (int i = 0; i < 600 && stage.state().protection != Protection::kEnabled; ++i) {
    stage.RunFor(5 * kSecond);
  }
  EXPECT_EQ(stage.state().protection, Protection::kEnabled);
  stage.Unplug();
  for (int i = 0; i < 600 && stage.state().plugged; ++i) stage.RunFor(5 * kSecond);
  EXPECT_EQ(stage.driver().BusyWorks(), std::vector<std::string>{"heartbeat_dwork"});
  stage.Finish();
  EXPECT_EQ(stage.stats().plugs, stage.stats().unplugs);
}

void Round(uint64_t seed, int plugs) {
  std::vector<std::thread> ports;
  for (int i = 0; i < kPorts; ++i) {
    ports.emplace_back([=] { PlugAndUnplug(seed + static_cast<uint64_t>(i), plugs / kPorts); });
  }
  for (std::thread& port : ports) port.join();
}

TEST(Plugs, TenThousandWithoutALeak) {
  Round(1, 10 * kPorts);  // what is made once, and the caches of so many threads
  const int64_t bytes = HeapBytes();
  const int64_t threads = Entries("/proc/self/task");
  const int64_t fds = Entries("/proc/self/fd");
  Round(100, kPlugs);
  EXPECT_LT(HeapBytes() - bytes, kSlackBytes);
  EXPECT_LE(Entries("/proc/self/task"), threads);
  EXPECT_LE(Entries("/proc/self/fd"), fds);
}

}  // namespace
}  // namespace uwq::hdmi
