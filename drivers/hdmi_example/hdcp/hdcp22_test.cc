// SPDX-License-Identifier: BSD-3-Clause
// Tests of the two ends of HDCP 2.2 against each other: the good path, each lie,
// each untimely message, and hostile bytes.
#include "drivers/hdmi_example/hdcp/hdcp22.h"

#include <gtest/gtest.h>

#include "drivers/hdmi_example/hdcp/hdcp14_authority.h"

namespace uwq::hdmi {
namespace {

const RsaKey& Authority() {
  static const RsaKey* const key = new RsaKey(*RsaKey::FromSeed(3072, 22));
  return *key;
}

RandomSource Seeded(uint64_t seed) {
  auto state = std::make_shared<uint64_t>(seed);
  return [state](absl::Span<uint8_t> out) {
    for (uint8_t& byte : out) {
      *state = hdcp14_mix64(*state);
      byte = static_cast<uint8_t>(*state);
    }
  };
}

struct Ends {
  explicit Ends(bool repeater = false, PairingTable* pairings = nullptr)
      : tx(Authority(), Seeded(5), pairings),
        rx(*Hdcp22Receiver::Create(Authority(), {1, 2, 3, 4, 5}, 9, repeater,
                                   repeater ? std::vector<Bytes5>{{9, 9, 9, 9, 1}, {9, 9, 9, 9, 2}}
                                            : std::vector<Bytes5>{},
                                   repeater ? 1 : 0)) {}

  // One message to the receiver; its replies.
  std::vector<Hdcp22Message> Send(const Hdcp22Message& message) {
    auto replies = rx.Handle(message);
    EXPECT_TRUE(replies.ok()) << replies.status();
    return replies.ok() ? *replies : std::vector<Hdcp22Message>();
  }

  // Up to and with the session key.  Returns the replies to the last message.
  std::vector<Hdcp22Message> Establish() {
    auto cert = Send(tx.AkeInit());
    EXPECT_EQ(cert.size(), 1u);
    auto km = tx.OnCert(cert[0]);
    EXPECT_TRUE(km.ok()) << km.status();
    auto h = Send(*km);
    EXPECT_EQ(h.size(), tx.paired() ? 1u : 2u);
    EXPECT_TRUE(tx.OnHPrime(h[0]).ok());
    if (!tx.paired()) {
      EXPECT_TRUE(tx.OnPairingInfo(h[1]).ok());
    }
    EXPECT_TRUE(tx.OnLPrime(Send(*tx.LcInit())[0]).ok());
    return Send(*tx.SkeSendEks());
  }

  Hdcp22Transmitter tx;
  Hdcp22Receiver rx;
};

TEST(Hdcp22, PlainReceiver) {
  Ends ends;
  EXPECT_TRUE(ends.Establish().empty());
  EXPECT_FALSE(ends.tx.repeater());
  EXPECT_EQ(ends.tx.receiver_id(), (Bytes5{1, 2, 3, 4, 5}));
}

TEST(Hdcp22, SecondTimeIsPaired) {
  PairingTable pairings;
  Ends ends(false, &pairings);
  ends.Establish();
  EXPECT_FALSE(ends.tx.paired());
  ASSERT_EQ(pairings.size(), 1u);
  ends.Establish();
  EXPECT_TRUE(ends.tx.paired());
}

TEST(Hdcp22, PairingThatTheReceiverDoesNotKnowIsForgotten) {
  PairingTable pairings;
  Ends ends(false, &pairings);
  ends.Establish();
  pairings.begin()->second.ekh[3] ^= 1;
  const auto cert = ends.Send(ends.tx.AkeInit());
  const auto h = ends.Send(*ends.tx.OnCert(cert[0]));
  EXPECT_EQ(ends.tx.OnHPrime(h[0]).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(pairings.empty());
  ends.Establish();
}

TEST(Hdcp22, RepeaterListAckAndStream) {
  Ends ends(true);
  const auto list = ends.Establish();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_TRUE(ends.tx.repeater());
  const auto ack = ends.tx.OnReceiverIdList(list[0]);
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_EQ(ends.tx.ids().size(), 2u);
  EXPECT_TRUE(ends.Send(*ack).empty());
  for (uint8_t type : {0, 1}) {
    const auto ready = ends.Send(*ends.tx.StreamManage(type));
    ASSERT_EQ(ready.size(), 1u);
    EXPECT_TRUE(ends.tx.OnStreamReady(ready[0]).ok());
  }
}

TEST(Hdcp22, TopologyChangeNeedsALargerNumber) {
  // F25 and F43.
  Ends ends(true);
  ASSERT_TRUE(ends.tx.OnReceiverIdList(ends.Establish()[0]).ok());
  auto list = ends.rx.ChangeTopology({{7, 7, 7, 7, 7}}, 2);
  ASSERT_EQ(list.size(), 1u);
  ASSERT_TRUE(ends.tx.OnReceiverIdList(list[0]).ok());
  EXPECT_EQ(ends.tx.ids().size(), 1u);
  ends.rx.RepeatSequence();
  list = ends.rx.ChangeTopology({}, 0);
  EXPECT_EQ(ends.tx.OnReceiverIdList(list[0]).status().message(), "seq_num_V 1 after 1");
}

TEST(Hdcp22, EveryLieIsNoticed) {
  Ends ends(true);
  auto cert = ends.Send(ends.tx.AkeInit())[0];
  auto bad = cert;
  bad[200] ^= 1;
  EXPECT_EQ(ends.tx.OnCert(bad).status().code(), absl::StatusCode::kUnauthenticated);
  const auto replies = ends.Send(*ends.tx.OnCert(cert));
  bad = replies[0];
  bad[32] ^= 1;
  EXPECT_EQ(ends.tx.OnHPrime(bad).code(), absl::StatusCode::kUnauthenticated);
  ASSERT_TRUE(ends.tx.OnHPrime(replies[0]).ok());
  ASSERT_TRUE(ends.tx.OnPairingInfo(replies[1]).ok());
  auto l = ends.Send(*ends.tx.LcInit())[0];
  bad = l;
  bad[1] ^= 1;
  EXPECT_EQ(ends.tx.OnLPrime(bad).code(), absl::StatusCode::kUnauthenticated);
  // The next round has its own rn: the old answer is no answer.
  const auto again = ends.Send(*ends.tx.LcInit())[0];
  EXPECT_EQ(ends.tx.OnLPrime(l).code(), absl::StatusCode::kUnauthenticated);
  ASSERT_TRUE(ends.tx.OnLPrime(again).ok());
  const auto list = ends.Send(*ends.tx.SkeSendEks())[0];
  bad = list;
  bad[10] ^= 1;
  EXPECT_EQ(ends.tx.OnReceiverIdList(bad).status().code(), absl::StatusCode::kUnauthenticated);
  bad = list;
  bad[2] |= 0x08;
  EXPECT_EQ(ends.tx.OnReceiverIdList(bad).status().code(), absl::StatusCode::kFailedPrecondition);
  bad = list;
  bad[5] = 1;
  EXPECT_EQ(ends.tx.OnReceiverIdList(bad).status().message(), "seq_num_V 1 after -1");
  auto ack = ends.tx.OnReceiverIdList(list);
  ASSERT_TRUE(ack.ok());
  (*ack)[16] ^= 1;
  EXPECT_EQ(ends.rx.Handle(*ack).status().code(), absl::StatusCode::kUnauthenticated);
}

TEST(Hdcp22, UntimelyMessagesAreRefused) {
  Ends ends;
  EXPECT_FALSE(ends.tx.LcInit().ok());
  EXPECT_FALSE(ends.tx.SkeSendEks().ok());
  EXPECT_FALSE(ends.tx.StreamManage(0).ok());
  EXPECT_FALSE(ends.tx.OnHPrime(Hdcp22Message(33, kAkeSendHPrime)).ok());
  for (uint8_t id : {kAkeStoredKm, kLcInit, kSkeSendEks, kReceiverIdAck}) {
    for (size_t length : {9u, 17u, 25u, 33u, 129u}) {
      Hdcp22Message message(length);
      message[0] = id;
      EXPECT_FALSE(ends.rx.Handle(message).ok()) << int{id} << " " << length;
    }
  }
}

TEST(Hdcp22, AnotherAuthorityIsACounterfeit) {
  // F15 in 2.2.
  const auto other = RsaKey::FromSeed(3072, 23);
  ASSERT_TRUE(other.ok());
  auto rx = Hdcp22Receiver::Create(*other, {1, 1, 1, 1, 1}, 1, false, {}, 0);
  ASSERT_TRUE(rx.ok());
  Hdcp22Transmitter tx(Authority(), Seeded(1), nullptr);
  const auto cert = rx->Handle(tx.AkeInit());
  ASSERT_TRUE(cert.ok());
  EXPECT_EQ(tx.OnCert((*cert)[0]).status().code(), absl::StatusCode::kUnauthenticated);
}

TEST(Hdcp22, RandomBytesDoNoHarm) {
  Ends ends(true);
  ends.Establish();
  uint64_t state = 1;
  for (int i = 0; i < 5000; ++i) {
    state = hdcp14_mix64(state);
    Hdcp22Message message(state % 180);
    for (uint8_t& byte : message) byte = static_cast<uint8_t>(state = hdcp14_mix64(state));
    if (!message.empty()) message[0] %= 20;
    (void)ends.rx.Handle(message);
    (void)ends.tx.OnReceiverIdList(message);
    (void)ends.tx.OnHPrime(message);
    (void)ends.tx.OnStreamReady(message);
    (void)ends.tx.OnCert(message);
  }
  ends.Establish();
}

}  // namespace
}  // namespace uwq::hdmi
