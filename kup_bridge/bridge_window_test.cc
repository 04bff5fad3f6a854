// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: what bridge.h promises when a message is given back between the loop's look at
// the ring and what it makes of it.  Method: the linker puts this file between the bridge
// and kup_receive_batch (--wrap), so that the moment can be chosen.
#include <cerrno>
#include <functional>

#include "kup_bridge/bridge_fixture.h"

namespace uwq::kup {
namespace {

std::function<void(int)> after_receive;  // on the loop's thread; set before Start

// More than the ring lets anybody hold: one slow message and all that come after it.
constexpr int kWindow = 256;

// The last one who holds up the window gives back after the loop was refused and before
// it says that it waits: nobody else is left who could wake it.
TEST_F(BridgeTest, WindowFreedBeforeTheLoopWaits) {
  Open();
  Gate gate;
  Log slow;
  std::atomic<int> fast{0};
  ASSERT_TRUE(bridge_
                  ->OnMessage(kCec, *wq_, {},
                              [&](Message& m) {
                                gate.Pass();
                                slow.Add(Text(m));
                              })
                  .ok());
  ASSERT_TRUE(bridge_->OnDirect(kVsync, [&](Message&) { ++fast; }).ok());
  std::atomic<int> refused{0};
  after_receive = [&](int rc) {
    if (rc != -ENOBUFS) return;
    ++refused;
    gate.Open();
    wq_->Flush();
  };
  const auto running = Start();
  Post(kCec, "slow");
  gate.AwaitArrivals(1);
  for (int i = 0; i < kWindow; ++i) Post(kVsync, "v");
  EXPECT_TRUE(AwaitUntil([&] { return fast == kWindow; })) << fast << " handled, then stuck";
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(slow.size(), 1u);
  bridge_.reset();
  after_receive = nullptr;
}

}  // namespace
}  // namespace uwq::kup

extern "C" {

int __real_kup_receive_batch(kup_chan* ch, kup_msg* msgs, int n, int timeout_ms);

int __wrap_kup_receive_batch(kup_chan* ch, kup_msg* msgs, int n, int timeout_ms) {
  const int rc = __real_kup_receive_batch(ch, msgs, n, timeout_ms);
  if (uwq::kup::after_receive != nullptr) uwq::kup::after_receive(rc);
  return rc;
}

}  // extern "C"
