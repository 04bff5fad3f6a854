// SPDX-License-Identifier: BSD-3-Clause
// HDCP 2.2 over the simulated DDC: the whole protocol with its mailbox, and the
// limits of F42 and F43 to the millisecond.
#include "drivers/hdmi_example/device/hdcp22_sink.h"

#include <gtest/gtest.h>

#include "drivers/hdmi_example/device/device_testing.h"

namespace uwq::hdmi {
namespace {

constexpr uint64_t kSeed = 22;

RandomSource Seeded(uint64_t seed) {
  auto state = std::make_shared<uint64_t>(seed);
  return [state](absl::Span<uint8_t> out) {
    for (uint8_t& byte : out) {
      *state = hdcp14_mix64(*state);
      byte = static_cast<uint8_t>(*state);
    }
  };
}

Hdcp22Sinks& Sinks() {
  static Hdcp22Sinks* const sinks = [] {
    auto made = Hdcp22Sinks::Create(kSeed);
    EXPECT_TRUE(made.ok()) << made.status();
    EXPECT_TRUE((*made)->Add(kSlotTv, {1, 2, 3, 4, 5}, false, 0, 0).ok());
    EXPECT_TRUE((*made)->Add(kSlotAvr, {6, 7, 8, 9, 10}, true, 3, 2).ok());
    return made->release();
  }();
  return *sinks;
}

const RsaKey& Authority() {
  static const RsaKey* const key = new RsaKey(*Hdcp22Sinks::AuthorityKey(kSeed));
  return *key;
}

class Hdcp22Link : public TestLink {
 public:
  explicit Hdcp22Link(int slot)
      : TestLink(SimDevice::Options{.ops = Sinks().Ops()}), tx22(Authority(), Seeded(3), nullptr) {
    SinkSpec sink = StandardSink(slot, TestEdid(StandardSinkName(slot)));
    sink.flags |= HDMI_SINK_HDCP22;
    EXPECT_TRUE(device.LoadSink(slot, sink).ok());
    Plug(slot);
  }

  absl::Status Send(const Hdcp22Message& message) {
    return Write(HDMI_DDC_ADDR_HDCP, HDCP22_REG_WRITE, message);
  }
  uint16_t Status() {
    const auto bytes = Read(HDMI_DDC_ADDR_HDCP, HDCP22_REG_STATUS, 2);
    return bytes.ok() ? static_cast<uint16_t>((*bytes)[0] | (*bytes)[1] << 8) : uint16_t{0};
  }
  // Looks every millisecond until `limit_ms` have passed since the request.
  absl::StatusOr<std::vector<uint8_t>> Receive(int limit_ms) {
    const int64_t end = now() + limit_ms * kMs;
    for (;;) {
      const uint16_t size = Status() & HDCP22_STATUS_SIZE_MASK;
      if (now() > end) return absl::DeadlineExceededError("too late");
      if (size != 0) return Read(HDMI_DDC_ADDR_HDCP, HDCP22_REG_READ, size);
      RunFor(kMs / 2);
    }
  }

  absl::Status Establish() {
    absl::Status s = Send(tx22.AkeInit());
    auto message = Receive(kCertLimitMs);
    if (!message.ok()) return message.status();
    auto next = tx22.OnCert(*message);
    if (!next.ok()) return next.status();
    s = Send(*next);
    message = Receive(kHPrimeLimitMs);
    if (!message.ok()) return message.status();
    if (s = tx22.OnHPrime(*message); !s.ok()) return s;
    message = Receive(kPairingLimitMs);
    if (!message.ok()) return message.status();
    if (s = tx22.OnPairingInfo(*message); !s.ok()) return s;
    for (rounds = 1;; ++rounds) {
      if (s = Send(*tx22.LcInit()); !s.ok()) return s;
      message = Receive(kLPrimeLimitMs);
      if (message.ok()) break;
      if (rounds == 3) return message.status();
      RunFor(30 * kMs);
    }
    if (s = tx22.OnLPrime(*message); !s.ok()) return s;
    return Send(*tx22.SkeSendEks());
  }

  Hdcp22Transmitter tx22;
  int rounds = 0;
};

TEST(Hdcp22Sink, PlainSink) {
  Hdcp22Link link(kSlotTv);
  EXPECT_EQ(*link.Read(HDMI_DDC_ADDR_HDCP, HDCP22_REG_VERSION, 1),
            std::vector<uint8_t>{HDCP22_VERSION_2_2});
  const absl::Status s = link.Establish();
  EXPECT_TRUE(s.ok()) << s;
  EXPECT_EQ(link.rounds, 1);
  EXPECT_EQ(link.Status(), 0);
}

TEST(Hdcp22Sink, SinkWithoutItSaysSo) {
  TestLink link;
  link.Plug(kSlotDvi);
  EXPECT_EQ(*link.Read(HDMI_DDC_ADDR_HDCP, HDCP22_REG_VERSION, 1), std::vector<uint8_t>{0});
}

TEST(Hdcp22Sink, RepeaterListRaisesReady) {
  Hdcp22Link link(kSlotAvr);
  ASSERT_TRUE(link.Establish().ok());
  link.RunFor(310 * kMs);
  EXPECT_EQ(link.Status(), HDCP22_STATUS_READY | (22 + 15));
  const auto list = link.Receive(kListLimitMs);
  ASSERT_TRUE(list.ok());
  const auto ack = link.tx22.OnReceiverIdList(*list);
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_EQ(link.tx22.ids()[2], Hdcp22Sinks::DownstreamId(kSlotAvr, 2));
  ASSERT_TRUE(link.Send(*ack).ok());
  ASSERT_TRUE(link.Send(*link.tx22.StreamManage(1)).ok());
  const auto ready = link.Receive(kStreamReadyLimitMs);
  ASSERT_TRUE(ready.ok()) << ready.status();
  EXPECT_TRUE(link.tx22.OnStreamReady(*ready).ok());
  // F25: the topology changes; F43: then its number is repeated.
  link.Inject(HDMI_OP_TOPOLOGY, 5, 3);
  EXPECT_TRUE(link.tx22.OnReceiverIdList(*link.Receive(kListLimitMs)).ok());
  EXPECT_EQ(link.tx22.ids().size(), 5u);
  link.Inject(HDMI_OP_HDCP22_SEQ, 1);
  link.Inject(HDMI_OP_TOPOLOGY, 2, 1);
  EXPECT_EQ(link.tx22.OnReceiverIdList(*link.Receive(kListLimitMs)).status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST(Hdcp22Sink, LimitsOfF42) {
  const struct {
    const char* fault;
    int slot;
    absl::StatusCode expected;
  } cases[] = {{"F42.cert", kSlotTv, absl::StatusCode::kDeadlineExceeded},
               {"F42.hprime", kSlotTv, absl::StatusCode::kDeadlineExceeded},
               {"F42.lprime21", kSlotTv, absl::StatusCode::kDeadlineExceeded}};
  for (const auto& c : cases) {
    Hdcp22Link link(c.slot);
    for (const ScriptStep& step : FindFault(c.fault)->steps) {
      ASSERT_TRUE(link.device.Inject(step.inject).ok());
    }
    EXPECT_EQ(link.Establish().code(), c.expected) << c.fault;
  }
}

TEST(Hdcp22Sink, MessageIsThereExactlyWhenToldTo) {
  // F42: 19 ms is not 20 ms; the wire's own time comes on top.
  for (int ms : {19, 21}) {
    Hdcp22Link link(kSlotTv);
    ASSERT_TRUE(link.Send(link.tx22.AkeInit()).ok());
    ASSERT_TRUE(link.Send(*link.tx22.OnCert(*link.Receive(kCertLimitMs))).ok());
    ASSERT_TRUE(link.tx22.OnHPrime(*link.Receive(kHPrimeLimitMs)).ok());
    ASSERT_TRUE(link.tx22.OnPairingInfo(*link.Receive(kPairingLimitMs)).ok());
    link.Inject(HDMI_OP_HDCP22_DELAY, kLcSendLPrime, ms * kMs);
    ASSERT_TRUE(link.Send(*link.tx22.LcInit()).ok());
    const int64_t asked = link.now();
    EXPECT_EQ(link.device.Deadline() <= asked + ms * kMs, true);
    link.RunUntil(asked + ms * kMs - 1);
    EXPECT_EQ(link.device.model().rx22.available, 0) << ms;
    link.RunUntil(asked + ms * kMs);
    EXPECT_EQ(link.device.model().rx22.available, 1) << ms;
  }
}

TEST(Hdcp22Sink, ReauthRequest) {
  // F43, and a receiver that is told nonsense.
  Hdcp22Link link(kSlotTv);
  ASSERT_TRUE(link.Establish().ok());
  link.Inject(HDMI_OP_HDCP22_REAUTH);
  EXPECT_EQ(link.Status() & HDCP22_STATUS_REAUTH, HDCP22_STATUS_REAUTH);
  ASSERT_TRUE(link.Establish().ok());
  EXPECT_EQ(link.Status() & HDCP22_STATUS_REAUTH, 0);
  ASSERT_TRUE(link.Send({kLcInit, 1, 2}).ok());
  EXPECT_EQ(link.Status() & HDCP22_STATUS_REAUTH, HDCP22_STATUS_REAUTH);
}

TEST(Hdcp22Sink, CorruptedMessageIsCaught) {
  Hdcp22Link link(kSlotTv);
  link.Inject(HDMI_OP_HDCP22_BAD, kAkeSendHPrime, 1);
  EXPECT_EQ(link.Establish().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(link.Establish().ok());
}

TEST(Hdcp22Sink, LongHpdLowEndsTheSession) {
  Hdcp22Link link(kSlotAvr);
  ASSERT_TRUE(link.Establish().ok());
  link.Inject(HDMI_OP_HPD_PULSE, 150 * kMs);
  link.RunFor(2 * kSecond);
  EXPECT_EQ(link.Status(), 0);
}

}  // namespace
}  // namespace uwq::hdmi
