// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: what bridge.h promises of driver reset (quiesce, drain, resume) and of devices
// that go, die and come back.
#include "kup_bridge/bridge_fixture.h"
#include "kup_bridge/channel.h"
#include "kup_bridge/test_peer.h"

namespace uwq::kup {
namespace {

// [UWQ-BRIDGE-1]: after Quiesce no handler runs and none is queued; Resume goes on
// with what the device sent meanwhile.
TEST_F(BridgeTest, QuiesceAndResume) {
  Open();
  Gate gate;
  Log log;
  std::atomic<bool> quiet{false};
  ASSERT_TRUE(bridge_
                  ->OnMessage(kCec, *wq_, {},
                              [&](Message& m) {
                                EXPECT_FALSE(quiet);
                                gate.Pass();
                                log.Add(Text(m));
                              })
                  .ok());
  const auto running = Start();
  Post(kCec, "running");
  gate.AwaitArrivals(1);
  Post(kCec, "waiting");
  AwaitServed(2);
  std::thread opener([&] { gate.Open(); });
  bridge_->Quiesce();
  quiet = true;
  opener.join();
  const size_t before = log.size();
  Post(kCec, "meanwhile");
  wq_->Flush();
  EXPECT_EQ(log.size(), before);
  quiet = false;
  bridge_->Resume();
  const std::vector<std::string> all = log.Await(before + 1);
  EXPECT_EQ(all.front(), "running");
  EXPECT_EQ(all.back(), "meanwhile");
  EXPECT_EQ(bridge_->stats().dropped + all.size(), 3u);
}

// [UWQ-BRIDGE-2]: after Drain all that was sent before has been handled, what comes
// through a direct call, an event and a queue alike, and more than one batch of it.
TEST_F(BridgeTest, DrainHandlesWhatWasSentBefore) {
  Open();
  std::atomic<int> direct{0}, events{0}, queued{0};
  ASSERT_TRUE(bridge_->OnDirect(kVsync, [&](Message&) { ++direct; }).ok());
  ASSERT_TRUE(
      bridge_->OnEvent(kHpd, *wq_, [&](const Event& e) { events += static_cast<int>(e.count); })
          .ok());
  ASSERT_TRUE(bridge_->OnMessage(kCec, *wq_, {.backlog = 5}, [&](Message&) { ++queued; }).ok());
  EXPECT_EQ(bridge_->Drain().code(), absl::StatusCode::kFailedPrecondition);
  const auto running = Start();
  for (int round = 1; round <= 20; ++round) {
    for (int i = 0; i < 100; ++i) {
      for (uint16_t type : {kVsync, kHpd, kCec}) Post(type, "x");
    }
    ASSERT_TRUE(bridge_->Drain().ok());
    EXPECT_EQ(direct, round * 100);
    EXPECT_EQ(events, round * 100);
    EXPECT_EQ(queued, round * 100);
  }
  bridge_->Quiesce();
  EXPECT_EQ(bridge_->Drain().code(), absl::StatusCode::kFailedPrecondition);
  bridge_->Resume();
  EXPECT_TRUE(bridge_->Drain().ok());
}

// A Drain that the device does not survive says so and returns.
TEST_F(BridgeTest, DrainEndsWithTheDevice) {
  Open();
  Gate gate;
  ASSERT_TRUE(bridge_->OnMessage(kCec, *wq_, {.backlog = 1}, [&](Message&) { gate.Pass(); }).ok());
  const auto running = Start();
  for (int i = 0; i < 3; ++i) Post(kCec, "x");
  gate.AwaitArrivals(1);
  std::thread drainer([&] { (void)bridge_->Drain(); });  // OK if it was quicker
  kupdev_unload(sc_);
  sc_ = nullptr;
  gate.Open();
  drainer.join();
  while (bridge_->state() == DeviceState::kReady) std::this_thread::yield();
  EXPECT_EQ(bridge_->Drain().code(), absl::StatusCode::kUnavailable);
}

// [UWQ-BRIDGE-2]: nothing later is waited for.  Method: a device that has always sent more
// before its last message is given back, so that the ring is never empty.
TEST_F(BridgeTest, DrainEndsUnderAFlood) {
  Open();
  std::atomic<bool> stop{false};
  std::atomic<int> handled{0};
  const auto more = [&](uint16_t type) {
    if (!stop) (void)kupdev_post(sc_, 0, type, "more", 4);
  };
  ASSERT_TRUE(bridge_->OnDirect(kVsync, [&](Message&) { more(kVsync); }).ok());
  ASSERT_TRUE(bridge_
                  ->OnMessage(kCec, *wq_, {.backlog = 2},
                              [&](Message& m) {
                                if (Text(m) == "counted") ++handled;
                                if (Text(m) == "more") more(kCec);
                              })
                  .ok());
  const auto running = Start();
  Post(kVsync, "more");
  Post(kCec, "more");
  std::atomic<bool> drained{false};
  std::thread drainer([&] {
    for (int round = 1; round <= 20; ++round) {
      for (int i = 0; i < 10; ++i) Post(kCec, "counted");
      EXPECT_TRUE(bridge_->Drain().ok());
      EXPECT_EQ(handled, round * 10);
    }
    drained = true;
  });
  EXPECT_TRUE(AwaitUntil([&] { return drained.load(); })) << "it waits for the flood's end";
  stop = true;
  drainer.join();
}

// What a call of another thread has set aside is not handled yet.
TEST_F(BridgeTest, DrainWaitsForWhatACallSetAside) {
  Open();
  Gate gate, aside;
  std::atomic<kup_chan*> channel{nullptr};
  std::atomic<int> handled{0};
  ASSERT_TRUE(bridge_
                  ->OnDirect(kVsync,
                             [&](Message& m) {
                               channel = m.channel();
                               gate.Pass();
                             })
                  .ok());
  ASSERT_TRUE(bridge_
                  ->OnDirect(kCec,
                             [&](Message&) {
                               aside.Pass();
                               ++handled;
                             })
                  .ok());
  const auto running = Start();
  Post(kVsync, "the loop stands still");
  gate.AwaitArrivals(1);
  std::thread caller([&] { EXPECT_TRUE(bridge_->Call(kAsk, {}, absl::InfiniteDuration()).ok()); });
  kup_msg request;
  ASSERT_EQ(kupdev_take(sc_, 0, &request, -1), 0);
  constexpr int kAside = 100;  // more than one batch
  for (int i = 0; i < kAside; ++i) Post(kCec, "aside");
  EXPECT_TRUE(AwaitUntil([&] {
    kup_stats stats;
    kup_get_stats(channel, &stats);
    return stats.received == kAside + 1;
  }));
  std::atomic<bool> drained{false};
  std::thread drainer([&] {
    EXPECT_TRUE(bridge_->Drain().ok());
    drained = true;
    EXPECT_EQ(handled, kAside);
  });
  gate.Open();
  aside.AwaitArrivals(1);
  for (int i = 0; i < 10000 && !drained; ++i) std::this_thread::yield();  // a chance to be wrong
  EXPECT_FALSE(drained);
  aside.Open();
  drainer.join();
  EXPECT_EQ(kupdev_reply(sc_, 0, &request, 0, nullptr, 0), 0);
  EXPECT_EQ(kupdev_give_back(sc_, 0, &request, 1), 0);
  caller.join();
}

// [UWQ-BRIDGE-2]: a Drain whose messages Quiesce drops says so, and does not wait for the
// handlers that Quiesce waits for.  Method: an item handles 16 in a run, so that some still
// wait when it is disabled; and a direct handler, so that Quiesce has begun, not ended.
TEST_F(BridgeTest, DrainTellsThatQuiesceCameBetween) {
  Open();
  Gate direct, first, second;
  ASSERT_TRUE(bridge_->OnMessage(kHpd, *wq_, {}, [&](Message&) { first.Pass(); }).ok());
  std::unique_ptr<Workqueue> other = *Workqueue::CreateOrdered("other");
  ASSERT_TRUE(bridge_->OnMessage(kCec, *other, {}, [&](Message&) { second.Pass(); }).ok());
  ASSERT_TRUE(bridge_->OnDirect(kVsync, [&](Message&) { direct.Pass(); }).ok());
  const auto running = Start();
  Post(kHpd, "x");
  Post(kCec, "x");
  first.AwaitArrivals(1);
  second.AwaitArrivals(1);
  for (int i = 0; i < 20; ++i) Post(kHpd, "x");
  AwaitServed(22);
  const uint64_t before = bridge_->stats().wakeups;
  std::atomic<bool> told{false};
  std::thread drainer([&] {
    EXPECT_FALSE(bridge_->Drain().ok());
    told = true;
  });
  // Until it waits for the items; sooner, and the loop would stop it.
  (void)AwaitUntil([&] { return bridge_->stats().wakeups > before; });
  Post(kVsync, "x");
  direct.AwaitArrivals(1);
  std::thread quiescer([&] { bridge_->Quiesce(); });
  EXPECT_FALSE(bridge_->Drain().ok());  // ends when Quiesce has begun
  direct.Open();
  first.Open();
  EXPECT_TRUE(AwaitUntil([&] { return told.load(); }));
  second.Open();
  drainer.join();
  quiescer.join();
}

// [UWQ-BRIDGE-1]: what the device sends while Quiesce waits for a direct handler stays in
// the ring.
TEST_F(BridgeTest, QuiesceDuringADirectHandlerTakesNoMore) {
  Open();
  Gate gate;
  Log log;
  ASSERT_TRUE(bridge_
                  ->OnDirect(kVsync,
                             [&](Message& m) {
                               gate.Pass();
                               log.Add(Text(m));
                             })
                  .ok());
  const auto running = Start();
  Post(kVsync, "0");
  gate.AwaitArrivals(1);
  std::thread quiescer([&] { bridge_->Quiesce(); });
  EXPECT_FALSE(bridge_->Drain().ok());  // ends when Quiesce has begun
  for (const char* text : {"1", "2", "3"}) Post(kVsync, text);
  gate.Open();
  quiescer.join();
  EXPECT_EQ(log.size(), 1u);
  EXPECT_EQ(bridge_->stats().received, 1u);
  bridge_->Resume();
  EXPECT_EQ(log.Await(4), (std::vector<std::string>{"0", "1", "2", "3"}));
  EXPECT_EQ(bridge_->stats().dropped, 0u);
}

// Revoked, and attached again: both are events.
TEST_F(BridgeTest, RevocationIsAnEvent) {
  Open({.reconnect = absl::Milliseconds(1)});
  Log states;
  ASSERT_TRUE(bridge_->OnState(*wq_, [&](DeviceState s) { states.Add(DeviceStateName(s)); }).ok());
  const auto running = Start();
  ASSERT_EQ(kupdev_revoke(sc_, 0), 0);
  while (bridge_->stats().connects < 2) std::this_thread::yield();
  states.Await(1);
  while (bridge_->state() != DeviceState::kReady) std::this_thread::yield();
}

// The device goes and comes back: told, reconnected, and messages flow again.
TEST_F(BridgeTest, ShutdownAndRestart) {
  Open({.reconnect = absl::Milliseconds(1)});
  Log states, log;
  ASSERT_TRUE(bridge_->OnState(*wq_, [&](DeviceState s) { states.Add(DeviceStateName(s)); }).ok());
  ASSERT_TRUE(bridge_->OnMessage(kCec, *wq_, {}, [&](Message& m) { log.Add(Text(m)); }).ok());
  const auto running = Start();
  Post(kCec, "before");
  log.Await(1);
  kupdev_unload(sc_);
  sc_ = nullptr;
  EXPECT_EQ(states.Await(1).front(), "shut down");
  const uint8_t byte = 0;
  EXPECT_EQ(bridge_->Send(kHpd, {&byte, 1}).code(), absl::StatusCode::kUnavailable);
  StartDevice();
  Post(kCec, "after");
  EXPECT_EQ(log.Await(2), (std::vector<std::string>{"before", "after"}));
  EXPECT_EQ(states.Await(2).back(), "ready");
  EXPECT_EQ(bridge_->stats().connects, 2u);
}

// Goal: the end of a device is told though the channel stands still, and what it had
// sent is handled all the same.
class BridgeStandsStill : public BridgeTest {
 protected:
  // The first message is in its handler, the second waits, the third stays in the ring.
  void Block() {
    Open();
    ASSERT_TRUE(
        bridge_->OnState(*states_wq_, [&](DeviceState s) { states_.Add(DeviceStateName(s)); })
            .ok());
    ASSERT_TRUE(bridge_
                    ->OnMessage(kCec, *wq_, {.backlog = 1},
                                [&](Message& m) {
                                  gate_.Pass();
                                  log_.Add(Text(m));
                                })
                    .ok());
    ASSERT_TRUE(bridge_->Start().ok());
    Post(kCec, "0");
    gate_.AwaitArrivals(1);
    for (const char* text : {"1", "2", "3"}) Post(kCec, text);
    while (bridge_->stats().blocked == 0) std::this_thread::yield();
  }
  void Unload() {
    kupdev_unload(sc_);
    sc_ = nullptr;
  }
  void TearDown() override {
    gate_.Open();
    BridgeTest::TearDown();
  }

  std::unique_ptr<Workqueue> states_wq_ = *Workqueue::CreateOrdered("states");
  Gate gate_;
  Log states_, log_;
};

TEST_F(BridgeStandsStill, ShutdownIsToldWhileBlocked) {
  Block();
  Unload();
  EXPECT_EQ(states_.Await(1), (std::vector<std::string>{"shut down"}));
  EXPECT_EQ(log_.size(), 0u);
  gate_.Open();
  EXPECT_EQ(log_.Await(4), (std::vector<std::string>{"0", "1", "2", "3"}));
  while (bridge_->Send(kHpd, {}).ok()) std::this_thread::yield();
  EXPECT_EQ(states_.size(), 1u) << "once";
}

TEST_F(BridgeStandsStill, RevocationIsToldWhileBlocked) {
  Block();
  ASSERT_EQ(kupdev_revoke(sc_, 0), 0);
  EXPECT_EQ(states_.Await(1), (std::vector<std::string>{"revoked"}));
}

TEST_F(BridgeStandsStill, ShutdownIsToldWhileQuiesced) {
  Open();
  ASSERT_TRUE(
      bridge_->OnState(*states_wq_, [&](DeviceState s) { states_.Add(DeviceStateName(s)); }).ok());
  ASSERT_TRUE(bridge_->OnMessage(kCec, *wq_, {}, [&](Message& m) { log_.Add(Text(m)); }).ok());
  ASSERT_TRUE(bridge_->Start().ok());
  bridge_->Quiesce();
  Post(kCec, "meanwhile");
  Unload();
  EXPECT_EQ(states_.Await(1), (std::vector<std::string>{"shut down"}));
  bridge_->Resume();
  EXPECT_EQ(log_.Await(1), (std::vector<std::string>{"meanwhile"}));
}

// What one device did not take goes to the next, first and in order; what that one
// cannot take is counted.
TEST_F(BridgeTest, WhatWasNotTakenIsSentAgainOrCounted) {
  Open({.reconnect = absl::Milliseconds(1)});
  const auto running = Start();
  const uint8_t bytes[100] = {};
  ASSERT_TRUE(bridge_->Send(1, {bytes, 4}).ok());
  ASSERT_TRUE(bridge_->Send(2, {bytes, 100}).ok());
  ASSERT_TRUE(bridge_->Send(3, {bytes, 4}).ok());
  kupdev_unload(sc_);
  kupdev_opts opts{};
  opts.max_record = 64;
  ASSERT_EQ(kupdev_open(name_.c_str(), &opts, &sc_), 0);
  while (bridge_->stats().connects < 2) std::this_thread::yield();
  for (uint16_t type : {1, 3}) {
    kup_msg msg;
    ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
    EXPECT_EQ(msg.type, type);
    EXPECT_NE(msg.flags & KUP_REC_REDELIVERED, 0);
    EXPECT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
  }
  EXPECT_EQ(bridge_->stats().resent, 2u);
  EXPECT_EQ(bridge_->stats().unsent, 1u);
}

// Destroying a bridge while messages pour in is safe.
TEST_F(BridgeTest, DestroyUnderLoad) {
  for (int round = 0; round < 20; ++round) {
    Open();
    std::atomic<bool> stop{false};
    Log log;
    ASSERT_TRUE(bridge_->OnMessage(kCec, *wq_, {}, [&](Message& m) { log.Add(Text(m)); }).ok());
    ASSERT_TRUE(bridge_->OnEvent(kHpd, *wq_, [](const Event&) {}).ok());
    const auto running = Start();
    std::thread device([&] {
      while (!stop) {
        (void)kupdev_post(sc_, 0, kCec, "c", 1);
        (void)kupdev_post(sc_, 0, kHpd, "h", 1);
      }
    });
    log.Await(10);
    bridge_.reset();
    stop = true;
    device.join();
  }
}

// The device finds that we broke a rule: the bridge says so and does not come back.
TEST_F(BridgeTest, PoisonIsAnEvent) {
  Open({.reconnect = absl::Milliseconds(1)});
  Log states;
  ASSERT_TRUE(bridge_->OnState(*wq_, [&](DeviceState s) { states.Add(DeviceStateName(s)); }).ok());
  ASSERT_TRUE(
      bridge_->OnDirect(kCec, [](Message& m) { kup_store(&m.channel()->user_page->u2d_head, 7u); })
          .ok());
  const auto running = Start();
  Post(kCec, "x");
  ASSERT_TRUE(bridge_->Drain().ok());
  kup_msg msg;
  EXPECT_EQ(kupdev_take(sc_, 0, &msg, 0), -EBADMSG);
  EXPECT_EQ(states.Await(1).front(), "poisoned");
  EXPECT_EQ(bridge_->stats().connects, 1u);
}

// Goal: the death of the device's process is an event, and so is its restart; what it
// sends afterwards arrives.  Method: a real process, kill -9, another one.
TEST(BridgeProcess, DeathAndRestartAreEvents) {
  const std::string name = UniqueSimName("bridge-death");
  const auto start = [&name] {
    const pid_t pid = SpawnPeer("device", {name});
    kup_dev* dev;
    int rc;
    while ((rc = kup_open(name.c_str(), &dev)) == -ENOENT) std::this_thread::yield();
    EXPECT_EQ(rc, 0);
    kup_close(dev);
    return pid;
  };
  pid_t pid = start();
  auto wq = *Workqueue::CreateOrdered("bridge_death");
  auto bridge = *Bridge::Open(name, 0, {.reconnect = absl::Milliseconds(1)});
  Log states, log;
  ASSERT_TRUE(bridge->OnState(*wq, [&](DeviceState s) { states.Add(DeviceStateName(s)); }).ok());
  ASSERT_TRUE(bridge->OnMessage(kCec, *wq, {}, [&](Message& m) { log.Add(Text(m)); }).ok());
  ASSERT_TRUE(bridge->Start().ok());
  for (size_t round = 0; round < 3; ++round) {
    log.Await(round + 1);
    ASSERT_EQ(kill(pid, SIGKILL), 0);
    ASSERT_EQ(WaitPeer(pid), -SIGKILL);
    EXPECT_EQ(states.Await(2 * round + 1).back(), "died");
    pid = start();
    EXPECT_EQ(states.Await(2 * round + 2).back(), "ready");
  }
  log.Await(4);
  bridge.reset();
  (void)kill(pid, SIGKILL);
  (void)WaitPeer(pid);
}

}  // namespace

// A device that says something to each user, and lives until it is killed.
int PeerMain(const std::string&, const std::vector<std::string>& args) {
  kupdev_softc* sc;
  if (kupdev_open(args[0].c_str(), nullptr, &sc) != 0) return 1;
  for (;;) {
    kupdev_event event;
    if (kupdev_wait_event(sc, &event, -1) != 0) return 2;
    if (event.kind == KUPDEV_ATTACHED && kupdev_post(sc, 0, kCec, "hello", 5) != 0) return 3;
  }
}

}  // namespace uwq::kup
