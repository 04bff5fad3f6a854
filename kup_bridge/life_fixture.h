// SPDX-License-Identifier: BSD-3-Clause
//
// life_fixture.h -- a device and its user in one process (fake:NAME), and short ways
// to move a message between them.
#ifndef UWQ_KUP_BRIDGE_LIFE_FIXTURE_H_
#define UWQ_KUP_BRIDGE_LIFE_FIXTURE_H_

#include <cerrno>
#include <cstring>
#include <string>

#include "gtest/gtest.h"
#include "kup_bridge/channel.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

namespace uwq::kup {

inline std::string UniqueName() {
  static int n = 0;
  return "fake:kup_test" + std::to_string(++n);
}

// A device, and a user of its channel 0.
class KupDevice : public ::testing::Test {
 protected:
  void Start(const kupdev_opts& opts = {}) {
    name_ = UniqueName();
    ASSERT_EQ(kupdev_open(name_.c_str(), &opts, &sc_), 0);
    ASSERT_EQ(kup_open(name_.c_str(), &dev_), 0) << kup_error_text();
    ASSERT_EQ(kup_attach(dev_, 0, 0, &ch_), 0) << kup_error_text();
  }
  void TearDown() override {
    kup_close(dev_);
    if (sc_ != nullptr) kupdev_unload(sc_);
  }
  // Waits until the device has seen it of channel 0's user; returns the event's reason.
  uint32_t AwaitEvent(uint32_t kind) {
    kupdev_event event;
    do {
      const int rc = kupdev_wait_event(sc_, &event, -1);
      EXPECT_EQ(rc, 0);
      if (rc != 0) return 0;
    } while (event.kind != kind);
    return event.bad;
  }

  std::string name_;
  kupdev_softc* sc_ = nullptr;
  kup_dev* dev_ = nullptr;
  kup_chan* ch_ = nullptr;
};

class KupLife : public KupDevice {
 protected:
  void Reattach() {
    kup_detach(ch_);
    AwaitEvent(KUPDEV_DETACHED);
    ASSERT_EQ(kup_attach(dev_, 0, 0, &ch_), 0) << kup_error_text();
  }
  std::string Receive(uint16_t* flags = nullptr, int timeout_ms = 0) {
    kup_msg msg;
    if (const int rc = kup_receive(ch_, &msg, timeout_ms); rc != 0) return strerrorname_np(-rc);
    std::string text(static_cast<const char*>(msg.data), msg.len);
    if (flags != nullptr) *flags = msg.flags;
    EXPECT_EQ(kup_release(ch_, &msg, 1), 0);
    return text;
  }
  std::string Take(int timeout_ms = 0) {
    kup_msg msg;
    if (const int rc = kupdev_take(sc_, 0, &msg, timeout_ms); rc != 0) return strerrorname_np(-rc);
    std::string text(static_cast<const char*>(msg.data), msg.len);
    EXPECT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
    return text;
  }
  int Post(const std::string& t) {
    return kupdev_post(sc_, 0, 1, t.data(), static_cast<uint32_t>(t.size()));
  }
  int Send(const std::string& t) {
    return kup_send(ch_, 1, t.data(), static_cast<uint32_t>(t.size()), 0);
  }
};

// Two buffers each way.
inline kupdev_opts FrameOpts() {
  kupdev_opts opts = {};
  opts.n_frames_d2u = 2;
  opts.n_frames_u2d = 2;
  opts.frame_size = 64 * 1024;
  return opts;
}

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_LIFE_FIXTURE_H_
