// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: what bridge.h promises of messages, policies and priorities, with a device of
// this process.  Reset, loss and restart: bridge_reset_test.cc.
#include "kup_bridge/bridge_fixture.h"

namespace uwq::kup {
namespace {

// B1: queued messages arrive in the order of the channel, each once.
TEST_F(BridgeTest, MessagesInOrder) {
  Open();
  Log log;
  ASSERT_TRUE(bridge_->OnMessage(kCec, *wq_, {}, [&](Message& m) { log.Add(Text(m)); }).ok());
  const auto running = Start();
  std::vector<std::string> sent;
  for (int i = 0; i < 500; ++i) {
    sent.push_back(std::to_string(i));
    Post(kCec, sent.back());
  }
  EXPECT_EQ(log.Await(500), sent);
  EXPECT_EQ(bridge_->stats().dropped, 0u);
}

// Like an interrupt line: what comes while the handler is queued or runs is one run.
TEST_F(BridgeTest, EventsCoalesce) {
  Open();
  Gate gate;
  Log log;
  ASSERT_TRUE(bridge_
                  ->OnEvent(kHpd, *wq_,
                            [&](const Event& e) {
                              gate.Pass();
                              log.Add(std::to_string(e.count) + ":" +
                                      std::string(reinterpret_cast<const char*>(e.last), e.len));
                            })
                  .ok());
  const auto running = Start();
  Post(kHpd, "a");
  gate.AwaitArrivals(1);
  for (const char* text : {"b", "c", "d"}) Post(kHpd, text);
  AwaitServed(4);
  gate.Open();
  EXPECT_EQ(log.Await(2), (std::vector<std::string>{"1:a", "3:d"}));
  EXPECT_EQ(bridge_->stats().merged, 2u);
}

// Direct: on the loop's thread, and a reply by id.
TEST_F(BridgeTest, DirectAndReply) {
  Open();
  ASSERT_TRUE(
      bridge_
          ->OnDirect(
              kAsk,
              [&](Message& m) {
                EXPECT_TRUE(m.is_request());
                const std::string answer = "re: " + Text(m);
                EXPECT_TRUE(
                    m.Reply({reinterpret_cast<const uint8_t*>(answer.data()), answer.size()}).ok());
              })
          .ok());
  const auto running = Start();
  char reply[64];
  const int n = kupdev_call(sc_, 0, kAsk, "x", 1, reply, sizeof(reply), -1);
  ASSERT_GE(n, 0);
  EXPECT_EQ(std::string(reply, n), "re: x");
}

TEST_F(BridgeTest, ReplyToNoRequest) {
  Open();
  Log log;
  ASSERT_TRUE(bridge_
                  ->OnDirect(kAsk,
                             [&](Message& m) {
                               EXPECT_EQ(m.Reply({}).code(), absl::StatusCode::kFailedPrecondition);
                               log.Add("seen");
                             })
                  .ok());
  const auto running = Start();
  Post(kAsk, "no request");
  log.Await(1);
}

// The three policies of a full backlog; drops are counted, nothing else is lost.
class OverflowTest : public BridgeTest, public testing::WithParamInterface<Overflow> {};

TEST_P(OverflowTest, FullBacklog) {
  Open();
  Gate gate;
  Log log;
  ASSERT_TRUE(bridge_
                  ->OnMessage(kCec, *wq_, {.backlog = 3, .overflow = GetParam()},
                              [&](Message& m) {
                                gate.Pass();
                                log.Add(Text(m));
                              })
                  .ok());
  const auto running = Start();
  Post(kCec, "0");
  gate.AwaitArrivals(1);
  for (int i = 1; i <= 8; ++i) Post(kCec, std::to_string(i));
  if (GetParam() == Overflow::kBlockRing) {
    // The channel stands still: not all of them are taken from the ring.
    while (bridge_->stats().blocked == 0) std::this_thread::yield();
  } else {
    AwaitServed(9);
  }
  gate.Open();
  switch (GetParam()) {
    case Overflow::kBlockRing:
      EXPECT_EQ(log.Await(9).back(), "8");
      EXPECT_EQ(bridge_->stats().dropped, 0u);
      EXPECT_GE(bridge_->stats().blocked, 1u);
      break;
    case Overflow::kDropOldest:
      EXPECT_EQ(log.Await(4), (std::vector<std::string>{"0", "6", "7", "8"}));
      EXPECT_EQ(bridge_->stats().dropped, 5u);
      break;
    case Overflow::kDropNewest:
      EXPECT_EQ(log.Await(4), (std::vector<std::string>{"0", "1", "2", "3"}));
      EXPECT_EQ(bridge_->stats().dropped, 5u);
      break;
  }
}

INSTANTIATE_TEST_SUITE_P(All, OverflowTest,
                         testing::Values(Overflow::kBlockRing, Overflow::kDropOldest,
                                         Overflow::kDropNewest));

// Each type goes to a queue of its own choice: the urgent one overtakes.
TEST_F(BridgeTest, UrgentTypeOvertakes) {
  Open();
  WorkqueueOptions options;
  options.highpri = true;
  std::unique_ptr<Workqueue> urgent = *Workqueue::Create("urgent", options);
  Gate gate;
  Log log;
  ASSERT_TRUE(bridge_
                  ->OnMessage(kCec, *wq_, {},
                              [&](Message& m) {
                                gate.Pass();
                                log.Add(Text(m));
                              })
                  .ok());
  ASSERT_TRUE(bridge_->OnMessage(kVsync, *urgent, {}, [&](Message& m) { log.Add(Text(m)); }).ok());
  const auto running = Start();
  for (int i = 0; i < 10; ++i) Post(kCec, "cec");
  gate.AwaitArrivals(1);
  Post(kVsync, "vsync");
  EXPECT_EQ(log.Await(1).front(), "vsync");
  gate.Open();
  EXPECT_EQ(log.Await(11).back(), "cec");
}

// More than the ring lets anybody hold, over several subscriptions: the channel stands
// still until some are given back, and nothing is lost.
TEST_F(BridgeTest, FullWindowBlocksAndGoesOn) {
  Open();
  Gate gate;
  Log log;
  std::vector<std::unique_ptr<Workqueue>> queues;
  for (uint16_t type = 1; type <= 3; ++type) {
    queues.push_back(*Workqueue::CreateOrdered("window"));
    ASSERT_TRUE(bridge_
                    ->OnMessage(type, *queues.back(), {.backlog = 128},
                                [&](Message& m) {
                                  gate.Pass();
                                  log.Add(Text(m));
                                })
                    .ok());
  }
  const auto running = Start();
  for (int i = 0; i < 360; ++i) Post(static_cast<uint16_t>(1 + i % 3), "x");
  while (bridge_->stats().blocked == 0) std::this_thread::yield();
  EXPECT_EQ(bridge_->state(), DeviceState::kReady);
  gate.Open();
  EXPECT_EQ(log.Await(360).size(), 360u);
  EXPECT_EQ(bridge_->stats().dropped, 0u);
}

// Goal: a handler that stands still behind a policy that drops does not hold up the
// ring.  Method: more messages than anybody may hold, while it holds the first.
TEST_F(BridgeTest, DroppingPolicyNeverBlocksTheRing) {
  Open();
  Gate gate;
  Log stuck, others;
  ASSERT_TRUE(bridge_
                  ->OnMessage(kCec, *wq_, {.backlog = 2, .overflow = Overflow::kDropOldest},
                              [&](Message& m) {
                                gate.Pass();
                                stuck.Add(Text(m));
                              })
                  .ok());
  ASSERT_TRUE(bridge_->OnDirect(kVsync, [&](Message& m) { others.Add(Text(m)); }).ok());
  const auto running = Start();
  Post(kCec, "first");
  gate.AwaitArrivals(1);
  for (int i = 0; i < 1000; ++i) {
    Post(kCec, std::to_string(i));
    Post(kVsync, "v");
    if (i % 50 == 49) others.Await(static_cast<size_t>(i) + 1);
  }
  others.Await(1000);
  EXPECT_EQ(bridge_->stats().blocked, 0u);
  EXPECT_EQ(bridge_->stats().dropped, 998u);
  gate.Open();
  EXPECT_EQ(stuck.Await(3), (std::vector<std::string>{"first", "998", "999"}));
}

// One channel's flood does not starve the rest of the loop.
TEST_F(BridgeTest, FloodLeavesTheLoopToOthers) {
  Open();
  std::atomic<bool> stop{false};
  ASSERT_TRUE(bridge_
                  ->OnDirect(kCec,
                             [&](Message&) {
                               const uint8_t byte = 0;  // each is answered at once by three more
                               if (!stop) {
                                 for (int i = 0; i < 3; ++i)
                                   (void)kupdev_post(sc_, 0, kCec, &byte, 1);
                               }
                             })
                  .ok());
  const auto running = Start();
  Post(kCec, "go");
  Log log;
  kupdev_softc* other = nullptr;
  kupdev_opts opts{};
  const std::string other_name = name_ + "b";
  ASSERT_EQ(kupdev_open(other_name.c_str(), &opts, &other), 0);
  {
    std::unique_ptr<Bridge> second = *Bridge::Open(other_name, 0);
    ASSERT_TRUE(second->OnDirect(kCec, [&](Message& m) { log.Add(Text(m)); }).ok());
    ASSERT_TRUE(second->Start().ok());
    for (size_t i = 1; i <= 20; ++i) {
      ASSERT_EQ(kupdev_post(other, 0, kCec, "x", 1), 0);
      log.Await(i);
    }
    EXPECT_GT(bridge_->stats().received, 0u);
  }
  stop = true;
  kupdev_unload(other);
}

// Two channels of one device, a bridge each, on one loop.
TEST_F(BridgeTest, TwoChannelsOfOneDevice) {
  const std::string name = name_ + "c";
  kupdev_opts opts{};
  opts.n_channels = 2;
  kupdev_softc* two = nullptr;
  ASSERT_EQ(kupdev_open(name.c_str(), &opts, &two), 0);
  {
    Log logs[2];
    std::unique_ptr<Bridge> bridges[2];
    for (uint32_t c = 0; c < 2; ++c) {
      bridges[c] = *Bridge::Open(name, c);
      ASSERT_TRUE(bridges[c]
                      ->OnMessage(kCec, *wq_, {}, [&logs, c](Message& m) { logs[c].Add(Text(m)); })
                      .ok());
      ASSERT_TRUE(bridges[c]->Start().ok());
    }
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(kupdev_post(two, 0, kCec, "zero", 4), 0);
      ASSERT_EQ(kupdev_post(two, 1, kCec, "one", 3), 0);
    }
    EXPECT_EQ(logs[0].Await(50).back(), "zero");
    EXPECT_EQ(logs[1].Await(50).back(), "one");
    bridges[0]->Quiesce();  // the other goes on
    ASSERT_EQ(kupdev_post(two, 1, kCec, "on", 2), 0);
    EXPECT_EQ(logs[1].Await(51).back(), "on");
    EXPECT_EQ(logs[0].size(), 50u);
  }
  kupdev_unload(two);
}

// The other direction: a message, a request and its reply, a request that nobody answers.
TEST_F(BridgeTest, SendAndCall) {
  Open();
  const auto running = Start();
  const std::string text = "hello";
  const absl::Span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  EXPECT_TRUE(bridge_->Send(kHpd, bytes).ok());
  kup_msg msg;
  ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
  EXPECT_EQ(std::string(static_cast<const char*>(msg.data), msg.len), "hello");
  kupdev_give_back(sc_, 0, &msg, 1);
  std::thread device([&] {
    kup_msg request;
    ASSERT_EQ(kupdev_take(sc_, 0, &request, -1), 0);
    EXPECT_EQ(kupdev_reply(sc_, 0, &request, 0, "world", 5), 0);
    kupdev_give_back(sc_, 0, &request, 1);
  });
  absl::StatusOr<std::string> reply = bridge_->Call(kAsk, bytes, absl::InfiniteDuration());
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(*reply, "world");
  device.join();
  EXPECT_EQ(bridge_->Call(kAsk, bytes, absl::Milliseconds(5)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(BridgeTest, UnknownTypesAreCounted) {
  Open();
  Log log;
  ASSERT_TRUE(bridge_->OnDirect(kCec, [&](Message& m) { log.Add(Text(m)); }).ok());
  const auto running = Start();
  Post(kUnknown, "?");
  Post(kCec, "!");
  log.Await(1);
  EXPECT_EQ(bridge_->stats().unknown, 1u);
}

// While it spins it sees messages without being woken.
TEST_F(BridgeTest, Spinning) {
  Open({.spin = absl::Milliseconds(1)});
  Log log;
  ASSERT_TRUE(bridge_->OnMessage(kCec, *wq_, {}, [&](Message& m) { log.Add(Text(m)); }).ok());
  const auto running = Start();
  for (int i = 0; i < 200; ++i) Post(kCec, std::to_string(i));
  EXPECT_EQ(log.Await(200).size(), 200u);
}

// Several bridges on one loop do not disturb each other.
TEST_F(BridgeTest, TwoBridges) {
  Open();
  kupdev_softc* other = nullptr;
  kupdev_opts opts{};
  const std::string other_name = name_ + "b";
  ASSERT_EQ(kupdev_open(other_name.c_str(), &opts, &other), 0);
  Log mine, theirs;
  {
    std::unique_ptr<Bridge> second = *Bridge::Open(other_name, 0);
    ASSERT_TRUE(bridge_->OnMessage(kCec, *wq_, {}, [&](Message& m) { mine.Add(Text(m)); }).ok());
    ASSERT_TRUE(second->OnMessage(kCec, *wq_, {}, [&](Message& m) { theirs.Add(Text(m)); }).ok());
    const auto running = Start();
    ASSERT_TRUE(second->Start().ok());
    for (int i = 0; i < 50; ++i) {
      Post(kCec, "mine");
      ASSERT_EQ(kupdev_post(other, 0, kCec, "theirs", 6), 0);
    }
    mine.Await(50);
    theirs.Await(50);
  }
  kupdev_unload(other);
}

// Bad input: each its own error.
TEST_F(BridgeTest, BadInput) {
  EXPECT_EQ(
      Bridge::Open("fake:nobody", 0, {.attach_timeout = absl::ZeroDuration()}).status().code(),
      absl::StatusCode::kNotFound);
  EXPECT_EQ(Bridge::Open(name_, 77, {.attach_timeout = absl::ZeroDuration()}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_FALSE(Bridge::Open("", 0).ok());
  Open();
  const auto ignore = [](Message&) {};
  EXPECT_EQ(bridge_->OnMessage(kCec, *wq_, {.backlog = 0}, ignore).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(bridge_->OnMessage(kCec, *wq_, {.backlog = 129}, ignore).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(bridge_->OnDirect(kCec, ignore).ok());
  EXPECT_EQ(bridge_->OnEvent(kCec, *wq_, [](const Event&) {}).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(bridge_->Start().ok());
  EXPECT_EQ(bridge_->Start().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(bridge_->OnDirect(kHpd, ignore).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace uwq::kup
