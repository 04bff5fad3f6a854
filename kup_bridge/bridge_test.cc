// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: what bridge.h promises, with a device of this process (fake:NAME).
#include "kup_bridge/bridge.h"

#include <atomic>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "delayed/delayed_work.h"
#include "gtest/gtest.h"
#include "kup_bridge/kupdev.h"

namespace uwq::kup {
namespace {

enum : uint16_t { kHpd = 1, kCec = 2, kVsync = 3, kAsk = 4, kUnknown = 99 };

// Threads of the test meet here.
class Gate {
 public:
  void Pass() {
    base::MutexLock lock(&mutex_);
    ++arrivals_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(&mutex_);
  }
  void Open() {
    base::MutexLock lock(&mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void AwaitArrivals(int n) {
    base::MutexLock lock(&mutex_);
    while (arrivals_ < n) changed_.Wait(&mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  int arrivals_ ABSL_GUARDED_BY(mutex_) = 0;
};

class Log {
 public:
  void Add(std::string text) {
    base::MutexLock lock(&mutex_);
    lines_.push_back(std::move(text));
    changed_.NotifyAll();
  }
  std::vector<std::string> Await(size_t n) {
    base::MutexLock lock(&mutex_);
    while (lines_.size() < n) changed_.Wait(&mutex_);
    return lines_;
  }
  size_t size() {
    base::MutexLock lock(&mutex_);
    return lines_.size();
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

std::string Text(Message& m) {
  return std::string(reinterpret_cast<const char*>(m.data().data()), m.data().size());
}

class BridgeTest : public testing::Test {
 protected:
  void SetUp() override {
    static int n = 0;
    name_ = "fake:bridge_test" + std::to_string(++n);
    StartDevice();
    wq_ = *Workqueue::CreateOrdered("bridge_test");
  }
  void TearDown() override {
    bridge_.reset();
    wq_.reset();
    if (sc_ != nullptr) kupdev_unload(sc_);
  }
  void StartDevice() {
    kupdev_opts opts{};
    ASSERT_EQ(kupdev_open(name_.c_str(), &opts, &sc_), 0);
  }
  void Open(const BridgeOptions& options = {}) {
    absl::StatusOr<std::unique_ptr<Bridge>> bridge = Bridge::Open(name_, 0, options);
    ASSERT_TRUE(bridge.ok()) << bridge.status();
    bridge_ = *std::move(bridge);
  }
  void Post(uint16_t type, const std::string& text) {
    ASSERT_EQ(kupdev_post(sc_, 0, type, text.data(), static_cast<uint32_t>(text.size())), 0);
  }
  // A message on the loop's thread that is handled after all before it.
  void AwaitServed(int messages) {
    while (bridge_->stats().received < static_cast<uint64_t>(messages)) std::this_thread::yield();
  }

  std::string name_;
  kupdev_softc* sc_ = nullptr;
  std::unique_ptr<Workqueue> wq_;
  std::unique_ptr<Bridge> bridge_;
};

// B1: queued messages arrive in the order of the channel, each once.
TEST_F(BridgeTest, MessagesInOrder) {
  Open();
  Log log;
  ASSERT_TRUE(bridge_->OnMessage(kCec, *wq_, {}, [&](Message& m) { log.Add(Text(m)); }).ok());
  ASSERT_TRUE(bridge_->Start().ok());
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
  ASSERT_TRUE(bridge_->Start().ok());
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
  ASSERT_TRUE(bridge_->Start().ok());
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
  ASSERT_TRUE(bridge_->Start().ok());
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
  ASSERT_TRUE(bridge_->Start().ok());
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
  ASSERT_TRUE(bridge_->Start().ok());
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

// The device goes and comes back: told, reconnected, and messages flow again.
TEST_F(BridgeTest, ShutdownAndRestart) {
  Open({.reconnect = absl::Milliseconds(1)});
  Log states, log;
  ASSERT_TRUE(bridge_->OnState(*wq_, [&](DeviceState s) { states.Add(DeviceStateName(s)); }).ok());
  ASSERT_TRUE(bridge_->OnMessage(kCec, *wq_, {}, [&](Message& m) { log.Add(Text(m)); }).ok());
  ASSERT_TRUE(bridge_->Start().ok());
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

TEST_F(BridgeTest, SendAndCall) {
  Open();
  ASSERT_TRUE(bridge_->Start().ok());
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
  ASSERT_TRUE(bridge_->Start().ok());
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
  ASSERT_TRUE(bridge_->Start().ok());
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
    ASSERT_TRUE(bridge_->Start().ok());
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

// Destroying a bridge while messages pour in is safe.
TEST_F(BridgeTest, DestroyUnderLoad) {
  for (int round = 0; round < 20; ++round) {
    Open();
    std::atomic<bool> stop{false};
    Log log;
    ASSERT_TRUE(bridge_->OnMessage(kCec, *wq_, {}, [&](Message& m) { log.Add(Text(m)); }).ok());
    ASSERT_TRUE(bridge_->OnEvent(kHpd, *wq_, [](const Event&) {}).ok());
    ASSERT_TRUE(bridge_->Start().ok());
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
