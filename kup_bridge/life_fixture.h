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

class KupLife : public ::testing::Test {
 protected:
  void Start(const kupdev_opts& opts = {}) {
    static int n = 0;
    name_ = "fake:kup_life" + std::to_string(++n);
    ASSERT_EQ(kupdev_open(name_.c_str(), &opts, &sc_), 0);
    ASSERT_EQ(kup_open(name_.c_str(), &dev_), 0) << kup_error_text();
    ASSERT_EQ(kup_attach(dev_, 0, 0, &ch_), 0) << kup_error_text();
  }
  void TearDown() override {
    kup_close(dev_);
    if (sc_ != nullptr) kupdev_unload(sc_);
  }
  uint32_t AwaitEvent(uint32_t kind) {
    kupdev_event event;
    do {
      EXPECT_EQ(kupdev_wait_event(sc_, &event, -1), 0);
    } while (event.kind != kind);
    return event.bad;
  }
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

  std::string name_;
  kupdev_softc* sc_ = nullptr;
  kup_dev* dev_ = nullptr;
  kup_chan* ch_ = nullptr;
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
