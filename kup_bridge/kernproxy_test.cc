// SPDX-License-Identifier: BSD-3-Clause
//
// kernproxy_test.cc -- KUP's own calls on both sides, in the order in which KUP's
// test pairs use them, and each of the weaknesses that reading KUP found
// (W1 to W14 below) as a test of what happens here.
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

namespace {

class KernProxy : public ::testing::Test {
 protected:
  void Create(size_t pages, size_t channels) {
    static int n = 0;
    name_ = "fake:kernproxy" + std::to_string(++n);
    sc_ = kupdev_create(name_.c_str(), pages, channels);
    ASSERT_NE(sc_, nullptr);
    kupdev_notify(sc_);
    handle_ = kernproxy_open(name_.c_str());
    ASSERT_NE(handle_, nullptr);
  }
  void TearDown() override {
    if (handle_ != nullptr) kernproxy_close(handle_);
    if (sc_ != nullptr) {
      EXPECT_EQ(kupdev_unload(sc_), 0);
    }
  }
  std::string name_;
  kupdev_softc* sc_ = nullptr;
  void* handle_ = nullptr;
};

TEST_F(KernProxy, OneMessageFromTheDevice) {
  Create(1, 1);
  std::thread device([&] {
    const int chan = kupdev_wait_channel(sc_);
    ASSERT_EQ(chan, 0);
    char token[] = "token";
    ASSERT_EQ(kupdev_send(sc_, token, sizeof token, chan), 0);
  });
  void* channel = kernproxy_channel(handle_, 0, 1);
  ASSERT_NE(channel, nullptr);
  void* data = kernproxy_receive(channel, 0);
  ASSERT_NE(data, nullptr);
  EXPECT_STREQ(static_cast<char*>(data), "token");
  EXPECT_EQ(kernproxy_receive_len(channel), sizeof "token") << "W1: the length is on the wire";
  EXPECT_EQ(kernproxy_receive(channel, 0), data) << "our turn still: the same message";
  device.join();
}

TEST_F(KernProxy, PingPong) {
  Create(1, 1);
  std::thread device([&] {
    const int chan = kupdev_wait_channel(sc_);
    for (int i = 0; i < 1000; ++i) {
      ASSERT_EQ(kupdev_send(sc_, &i, sizeof i, chan), 0);
      void* answer = kupdev_receive(sc_, chan);
      ASSERT_NE(answer, nullptr);
      int value;
      memcpy(&value, answer, sizeof value);
      ASSERT_EQ(value, i + 1);
      ASSERT_EQ(kupdev_receive_len(sc_, chan), sizeof value);
      kupdev_unlock_channel(sc_, chan);
    }
  });
  void* channel = kernproxy_channel(handle_, 0, 1);
  ASSERT_NE(channel, nullptr);
  for (int i = 0; i < 1000; ++i) {
    void* data = kernproxy_receive(channel, 0);
    ASSERT_NE(data, nullptr);
    int value;
    memcpy(&value, data, sizeof value);
    ASSERT_EQ(value, i);
    ++value;
    ASSERT_EQ(kernproxy_send(channel, &value, sizeof value, 0), 0);
  }
  device.join();
}

TEST_F(KernProxy, NonBlockingNeedsTheTurn) {
  Create(1, 1);
  void* channel = kernproxy_channel(handle_, 0, 1);
  ASSERT_NE(channel, nullptr);
  EXPECT_EQ(kernproxy_receive(channel, KP_NB), nullptr);
  EXPECT_EQ(kernproxy_error(handle_), EKU_NOTREADY);
  EXPECT_EQ(kernproxy_errno, EKU_NOTREADY);
  char text[] = "x";
  EXPECT_EQ(kernproxy_send(channel, text, 1, KP_NB), -1) << "after an attach: the device's turn";
  EXPECT_EQ(kernproxy_error(handle_), EKU_NOTREADY);
  kupdev_pass(sc_, 0);
  EXPECT_EQ(kupdev_error(sc_, 0), 0);
  EXPECT_EQ(kernproxy_send(channel, text, 1, KP_NB), 0);
  EXPECT_EQ(kernproxy_send(channel, text, 1, KP_NB), -1) << "the turn is gone again";
  kupdev_pass(sc_, 0);
  void* data = kernproxy_receive(channel, 0);
  ASSERT_NE(data, nullptr);
  EXPECT_EQ(kernproxy_receive_len(channel), 1u) << "a pass is one byte";
  EXPECT_EQ(*static_cast<char*>(data), '\0');
}

// The mode that KUP left open: its own calls in an event loop (W13).
TEST_F(KernProxy, TurnsInAnEventLoop) {
  Create(1, 1);
  void* channel = kernproxy_channel(handle_, 0, 1);
  ASSERT_NE(channel, nullptr);
  const auto readable = [&](int timeout_ms) {
    pollfd fd = {kernproxy_fd(channel), POLLIN, 0};
    return poll(&fd, 1, timeout_ms) == 1;
  };
  ASSERT_EQ(kupdev_wait_channel(sc_), 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(kernproxy_receive(channel, KP_NB), nullptr);
    EXPECT_EQ(kernproxy_errno, EKU_NOTREADY);
    EXPECT_FALSE(readable(0)) << "quiet, and armed";
    ASSERT_EQ(kupdev_send(sc_, &i, sizeof i, 0), 0);
    EXPECT_TRUE(readable(10000));
    void* data = kernproxy_receive(channel, KP_NB);
    ASSERT_NE(data, nullptr);
    ASSERT_EQ(memcmp(data, &i, sizeof i), 0);
    ASSERT_EQ(kernproxy_send(channel, &i, sizeof i, KP_NB), 0);
    ASSERT_NE(kupdev_receive(sc_, 0), nullptr);
    kupdev_unlock_channel(sc_, 0);
  }
  EXPECT_EQ(kernproxy_receive(channel, KP_NB), nullptr);
  ASSERT_EQ(kupdev_unload(sc_), 0);
  sc_ = nullptr;
  EXPECT_TRUE(readable(10000)) << "the end of the device";
  EXPECT_EQ(kernproxy_receive(channel, KP_NB), nullptr);
  EXPECT_EQ(kernproxy_errno, EKU_SHUTDOWN);
}

// Full is another answer than "not our turn".
TEST_F(KernProxy, FullRingHasItsOwnError) {
  Create(1, 1);
  void* ch = kernproxy_channel(handle_, 0, 0);
  ASSERT_NE(ch, nullptr);
  ASSERT_EQ(kupdev_wait_channel(sc_), 0);
  kupdev_pass(sc_, 0);
  ASSERT_NE(kernproxy_receive(ch, KP_EMPTY), nullptr);
  char text[1024] = "x";
  while (kup_send(static_cast<kup_chan*>(ch), 1, text, sizeof text, 0) == 0) continue;
  EXPECT_EQ(kernproxy_send(ch, text, sizeof text, KP_NB), -1);
  EXPECT_EQ(kernproxy_error(handle_), EKU_FULL);
  // The turn is still ours, and goes through once there is room.
  kup_msg msgs[64];
  int n;
  while ((n = kupdev_take_batch(sc_, 0, msgs, 64, 0)) > 0) kupdev_give_back(sc_, 0, msgs, n);
  EXPECT_EQ(kernproxy_send(ch, text, 1, KP_NB), 0);
}

TEST_F(KernProxy, SendingToNobodyFails) {
  Create(1, 1);
  char text[] = "x";
  EXPECT_EQ(kupdev_send(sc_, text, 1, 0), -EPIPE);
  EXPECT_EQ(kupdev_error(sc_, 0), -EPIPE);
}

TEST_F(KernProxy, DeviceReceiveBeforeAnythingWasSent) {
  Create(1, 1);
  void* channel = kernproxy_channel(handle_, 0, 1);
  ASSERT_NE(channel, nullptr);
  EXPECT_EQ(kupdev_receive(sc_, 0), nullptr);
  EXPECT_EQ(kupdev_error(sc_, 0), -ENOMSG);
}

TEST_F(KernProxy, LengthsAreBounded) {  // W1, W7
  Create(2, 1);
  std::vector<char> big(2 * 4096 + 1);
  EXPECT_EQ(kupdev_send(sc_, big.data(), big.size(), 0), -EMSGSIZE);
  void* channel = kernproxy_channel(handle_, 0, 2);
  ASSERT_NE(channel, nullptr);
  ASSERT_EQ(kupdev_send(sc_, big.data(), 2 * 4096, 0), 0);
  ASSERT_NE(kernproxy_receive(channel, 0), nullptr);
  EXPECT_EQ(kernproxy_receive_len(channel), 2u * 4096);
  EXPECT_EQ(kernproxy_send(channel, big.data(), big.size(), 0), -1);
  EXPECT_EQ(kernproxy_error(handle_), EKU_SIZE);
  EXPECT_EQ(kernproxy_send(channel, big.data(), 2 * 4096, 0), 0);
}

TEST_F(KernProxy, SizeAndChannelNumberAreChecked) {  // W7, W8
  Create(1, 2);
  EXPECT_EQ(kernproxy_channel(handle_, 0, 2), nullptr);
  EXPECT_EQ(kernproxy_error(handle_), EKU_SIZE);
  EXPECT_EQ(kernproxy_channel(handle_, 2, 1), nullptr);
  EXPECT_EQ(kernproxy_error(handle_), EKU_CHANNEL);
}

TEST_F(KernProxy, ChannelNumbersAgree) {  // W8
  Create(1, 3);
  void* second = kernproxy_channel(handle_, 1, 1);
  ASSERT_NE(second, nullptr);
  kupdev_event event;
  // The refused sizes of other tests aside, the first attach is ours.
  ASSERT_EQ(kupdev_wait_event(sc_, &event, -1), 0);
  EXPECT_EQ(event.kind, uint32_t{KUPDEV_ATTACHED});
  EXPECT_EQ(event.channel, 1u);
  char text[] = "for channel 1";
  ASSERT_EQ(kupdev_send(sc_, text, sizeof text, 1), 0);
  EXPECT_STREQ(static_cast<char*>(kernproxy_receive(second, 0)), "for channel 1");
}

// KUP's own programs ask for channel 0 again and again and get one after another.
TEST_F(KernProxy, AskingAgainForTheSameChannelGivesTheNextFree) {
  constexpr int kChannels = 16;
  Create(1, kChannels);
  std::thread device([&] {
    for (int i = 0; i < kChannels; ++i) {
      const int chan = kupdev_wait_channel(sc_);
      ASSERT_GE(chan, 0);
      std::string token = "token " + std::to_string(chan);
      ASSERT_EQ(kupdev_send(sc_, token.data(), token.size() + 1, chan), 0);
    }
  });
  for (int i = 0; i < kChannels; ++i) {
    void* channel = kernproxy_channel(handle_, 0, 1);
    ASSERT_NE(channel, nullptr);
    void* data = kernproxy_receive(channel, 0);
    ASSERT_NE(data, nullptr);
    EXPECT_EQ(std::string(static_cast<char*>(data)), "token " + std::to_string(i));
  }
  device.join();
}

TEST_F(KernProxy, UnloadEndsABlockedReceive) {  // W4, W11
  Create(1, 1);
  void* channel = kernproxy_channel(handle_, 0, 1);
  ASSERT_NE(channel, nullptr);
  std::thread device([&] {
    EXPECT_EQ(kupdev_wait_channel(sc_), 0);
    EXPECT_EQ(kupdev_unload(sc_), 0) << "with a user attached";
  });
  EXPECT_EQ(kernproxy_receive(channel, 0), nullptr);
  EXPECT_EQ(kernproxy_error(handle_), EKU_SHUTDOWN);
  device.join();
  sc_ = nullptr;
  char text[] = "x";
  EXPECT_EQ(kernproxy_send(channel, text, 1, 0), -1);
  EXPECT_EQ(kernproxy_error(handle_), EKU_SHUTDOWN);
  EXPECT_EQ(kernproxy_channel(handle_, 0, 1), nullptr);
  EXPECT_EQ(kernproxy_error(handle_), EKU_SHUTDOWN);
}

TEST_F(KernProxy, ForgottenUnlockDoesNotWedge) {  // W5
  Create(1, 1);
  std::thread device([&] {
    char text[] = "x";
    ASSERT_EQ(kupdev_wait_channel(sc_), 0);
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(kupdev_send(sc_, text, 1, 0), 0);
      ASSERT_NE(kupdev_receive(sc_, 0), nullptr);
    }
  });
  void* channel = kernproxy_channel(handle_, 0, 1);
  ASSERT_NE(channel, nullptr);
  for (int i = 0; i < 3; ++i) {
    ASSERT_NE(kernproxy_receive(channel, 0), nullptr);
    ASSERT_EQ(kernproxy_send(channel, const_cast<char*>("y"), 1, 0), 0);
  }
  device.join();
}

TEST_F(KernProxy, ANewUserBeginsWithTheDevicesTurn) {  // W10: no stale turn
  Create(1, 1);
  void* channel = kernproxy_channel(handle_, 0, 1);
  ASSERT_NE(channel, nullptr);
  char text[] = "stale";
  ASSERT_EQ(kupdev_send(sc_, text, sizeof text, 0), 0);
  kernproxy_close(handle_);
  kupdev_event event;
  do {
    ASSERT_EQ(kupdev_wait_event(sc_, &event, -1), 0);
  } while (event.kind != KUPDEV_DETACHED);
  handle_ = kernproxy_open(name_.c_str());
  channel = kernproxy_channel(handle_, 0, 1);
  ASSERT_NE(channel, nullptr);
  EXPECT_EQ(kernproxy_receive(channel, KP_NB), nullptr);
  EXPECT_EQ(kernproxy_error(handle_), EKU_NOTREADY);
  char fresh[] = "fresh";
  ASSERT_EQ(kupdev_send(sc_, fresh, sizeof fresh, 0), 0);
  EXPECT_STREQ(static_cast<char*>(kernproxy_receive(channel, 0)), "fresh");
}

TEST_F(KernProxy, TurnsAndMessagesShareAChannel) {
  Create(1, 1);
  void* channel = kernproxy_channel(handle_, 0, 1);
  ASSERT_NE(channel, nullptr);
  auto* ch = static_cast<kup_chan*>(channel);
  ASSERT_EQ(kupdev_post(sc_, 0, 5, "event", 5), 0);
  char text[] = "turn";
  ASSERT_EQ(kupdev_send(sc_, text, sizeof text, 0), 0);
  EXPECT_STREQ(static_cast<char*>(kernproxy_receive(channel, 0)), "turn");
  kup_msg msg;
  ASSERT_EQ(kup_receive(ch, &msg, 0), 0);
  EXPECT_EQ(msg.type, 5);
  EXPECT_EQ(kup_release(ch, &msg, 1), 0);
}

TEST(KernProxyErrors, OpenTellsWhy) {
  EXPECT_EQ(kernproxy_open("sim:nobody-here"), nullptr);
  EXPECT_EQ(kernproxy_errno, EKU_NAME);
  EXPECT_EQ(kernproxy_open("/dev/null"), nullptr);
  EXPECT_EQ(kernproxy_errno, EKU_NAME);
  EXPECT_EQ(kupdev_create("fake:x", 0, 1), nullptr);
  EXPECT_EQ(kupdev_create("fake:x", 1, 0), nullptr);
  EXPECT_EQ(EKU_SHUTDOWN, 0) << "KUP's values";
  EXPECT_EQ(EKU_NOTREADY, 1);
}

}  // namespace
