// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: what the device does not lose though no handler sees a message (B2 of bridge.h): the
// buffer of a frame comes back, a request is refused.  Method: each way of not being seen,
// with a pool of two buffers, and with a kupdev_call that waits for ever.
#include <cerrno>

#include "kup_bridge/bridge_fixture.h"

namespace uwq::kup {
namespace {

class BridgeDiscard : public BridgeTest {
 protected:
  static constexpr uint32_t kFrames = 2;

  void SetUp() override {
    BridgeTest::SetUp();
    kupdev_unload(sc_);
    kupdev_opts opts{};
    opts.n_frames_d2u = kFrames;
    opts.frame_size = 4096;
    ASSERT_EQ(kupdev_open(name_.c_str(), &opts, &sc_), 0);
    Open();
  }
  void SendFrame(uint16_t type) {
    kup_frame frame;
    ASSERT_EQ(kupdev_frame_get(sc_, 0, &frame, 10000), 0) << "the pool is empty";
    ASSERT_EQ(kupdev_frame_send(sc_, 0, &frame, type, 1, 0), 0);
  }
  int Call(uint16_t type) { return kupdev_call(sc_, 0, type, "?", 1, nullptr, 0, 10000); }
  // With a handler that gives back what is to be given back.
  void Subscribe(const MessageOptions& options) {
    ASSERT_TRUE(bridge_
                    ->OnMessage(kCec, *wq_, options,
                                [&](Message& m) {
                                  gate_.Pass();
                                  kup_frame frame;
                                  if (kup_frame_open(m.channel(), &m.raw(), &frame) == 0) {
                                    EXPECT_EQ(kup_frame_return(m.channel(), &frame), 0);
                                  }
                                  if (m.is_request()) {
                                    EXPECT_TRUE(m.Reply({}, EIO).ok());
                                  }
                                })
                    .ok());
  }
  // One message is in its handler, and another waits, which fills the backlog.
  void Fill() {
    Post(kCec, "in the handler");
    gate_.AwaitArrivals(1);
    Post(kCec, "waits");
    AwaitServed(2);
  }
  void TearDown() override {
    gate_.Open();
    BridgeTest::TearDown();
  }

  Gate gate_;
};

TEST_F(BridgeDiscard, OfUnknownType) {
  const auto running = Start();
  for (uint32_t i = 0; i < 3 * kFrames; ++i) SendFrame(kUnknown);
  EXPECT_EQ(Call(kUnknown), -EREMOTEIO);
}

TEST_F(BridgeDiscard, MergedIntoAnEvent) {
  ASSERT_TRUE(bridge_->OnEvent(kHpd, *wq_, [](const Event&) {}).ok());
  const auto running = Start();
  for (uint32_t i = 0; i < 3 * kFrames; ++i) SendFrame(kHpd);
  EXPECT_EQ(Call(kHpd), -EREMOTEIO);
}

TEST_F(BridgeDiscard, NewestIsDropped) {
  Subscribe({.backlog = 1, .overflow = Overflow::kDropNewest});
  ASSERT_TRUE(bridge_->Start().ok());
  Fill();
  for (uint32_t i = 0; i < 3 * kFrames; ++i) SendFrame(kCec);
  EXPECT_EQ(Call(kCec), -EREMOTEIO);
}

TEST_F(BridgeDiscard, OldestIsDropped) {
  Subscribe({.backlog = 1, .overflow = Overflow::kDropOldest});
  ASSERT_TRUE(bridge_->Start().ok());
  Fill();
  for (uint32_t i = 0; i < 3 * kFrames; ++i) SendFrame(kCec);
  int result = 0;
  std::thread caller([&] { result = Call(kCec); });
  AwaitServed(static_cast<int>(2 + 3 * kFrames + 1));
  Post(kCec, "drops the request");
  caller.join();
  EXPECT_EQ(result, -EREMOTEIO);
}

TEST_F(BridgeDiscard, DroppedByQuiesce) {
  Gate direct;
  Subscribe({.backlog = 20});
  ASSERT_TRUE(bridge_->OnDirect(kVsync, [&](Message&) { direct.Pass(); }).ok());
  const auto running = Start();
  // An item handles 16 in a run; what follows them waits for another.
  for (int i = 0; i < 16; ++i) Post(kCec, "x");
  gate_.AwaitArrivals(1);
  for (uint32_t i = 0; i < kFrames; ++i) SendFrame(kCec);
  int result = 0;
  std::thread caller([&] { result = Call(kCec); });
  AwaitServed(16 + kFrames + 1);
  Post(kVsync, "the loop stands still");
  direct.AwaitArrivals(1);
  std::thread quiescer([&] { bridge_->Quiesce(); });
  EXPECT_FALSE(bridge_->Drain().ok());  // ends when Quiesce has begun
  direct.Open();
  gate_.Open();
  quiescer.join();
  caller.join();
  EXPECT_EQ(result, -EREMOTEIO);
  for (uint32_t i = 0; i < kFrames; ++i) {
    kup_frame frame;
    EXPECT_EQ(kupdev_frame_get(sc_, 0, &frame, 10000), 0);
  }
}

}  // namespace
}  // namespace uwq::kup
