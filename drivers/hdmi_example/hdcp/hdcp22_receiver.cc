// SPDX-License-Identifier: BSD-3-Clause
// hdcp22_receiver.cc: the receiver's end, for the simulated sink; see hdcp22.h.
// Invariant: a malformed or untimely message changes nothing.
// Read on: ../device/hdcp22_sink.h (how it gets onto the DDC).
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hdmi_example/hdcp/hdcp14_authority.h"
#include "drivers/hdmi_example/hdcp/hdcp22.h"

namespace uwq::hdmi {
namespace {

constexpr int64_t kMsNs = 1'000'000;

template <size_t kBytes>
void Take(absl::Span<const uint8_t> message, size_t at, std::array<uint8_t, kBytes>& out) {
  std::copy_n(message.begin() + static_cast<ptrdiff_t>(at), kBytes, out.begin());
}

template <typename T>
Hdcp22Message Message(Hdcp22Id id, const T& bytes) {
  Hdcp22Message message = {id};
  message.insert(message.end(), bytes.begin(), bytes.end());
  return message;
}

// Length that a message to a receiver must have; 0: it is none, 1: it varies.
size_t LengthOf(uint8_t id) {
  switch (id) {
    case kAkeInit:
      return 12;
    case kAkeNoStoredKm:
      return 129;
    case kAkeStoredKm:
      return 33;
    case kLcInit:
      return 9;
    case kSkeSendEks:
      return 25;
    case kReceiverIdAck:
      return 17;
    case kStreamManage:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

absl::StatusOr<Hdcp22Receiver> Hdcp22Receiver::Create(const RsaKey& authority, const Bytes5& id,
                                                      uint64_t seed, bool repeater,
                                                      std::vector<Bytes5> downstream, int depth) {
  if (downstream.size() > kReceiversMax22 || depth > kDepthMax22) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%d devices in %d levels, HDCP 2.2 has at most 31 in 4", downstream.size(), depth));
  }
  auto key = RsaKey::FromSeed(1024, hdcp14_mix64(seed));
  if (!key.ok()) return key.status();
  const auto kh = key->PairingKey();
  if (!kh.ok()) return kh.status();
  auto cert = MakeCertificate(id, *key, authority);
  if (!cert.ok()) return cert.status();
  Hdcp22Receiver receiver(*std::move(key), *kh);
  receiver.cert_ = *std::move(cert);
  receiver.random_ = hdcp14_mix64(seed + 1);
  receiver.repeater_ = repeater;
  receiver.downstream_ = std::move(downstream);
  receiver.depth_ = depth;
  return receiver;
}

int64_t Hdcp22Receiver::DelayNs(uint8_t id) {
  switch (id) {
    case kAkeSendCert:
      return 20 * kMsNs;
    case kAkeSendHPrime:
      return 120 * kMsNs;
    case kAkeSendPairingInfo:
      return 20 * kMsNs;
    case kLcSendLPrime:
      return 4 * kMsNs;
    case kReceiverIdList:
      return 300 * kMsNs;
    default:
      return 10 * kMsNs;
  }
}

void Hdcp22Receiver::NextRandom(absl::Span<uint8_t> out) {
  for (uint8_t& byte : out) {
    random_ = hdcp14_mix64(random_);
    byte = static_cast<uint8_t>(random_);
  }
}

void Hdcp22Receiver::Reset() { started_ = keyed_ = authenticated_ = false; }

Hdcp22Message Hdcp22Receiver::List() {
  const uint16_t rx_info = static_cast<uint16_t>(depth_ << 9 | downstream_.size() << 4);
  std::vector<uint8_t> ids;
  for (const Bytes5& id : downstream_) ids.insert(ids.end(), id.begin(), id.end());
  v_ = ComputeV22(kd_, ids, rx_info, seq_num_v_);
  Hdcp22Message list = {kReceiverIdList,
                        static_cast<uint8_t>(rx_info >> 8),
                        static_cast<uint8_t>(rx_info),
                        static_cast<uint8_t>(seq_num_v_ >> 16),
                        static_cast<uint8_t>(seq_num_v_ >> 8),
                        static_cast<uint8_t>(seq_num_v_)};
  list.insert(list.end(), v_.begin(), v_.begin() + 16);
  list.insert(list.end(), ids.begin(), ids.end());
  return list;
}

std::vector<Hdcp22Message> Hdcp22Receiver::ChangeTopology(std::vector<Bytes5> downstream,
                                                          int depth) {
  if (downstream.size() > kReceiversMax22) downstream.resize(kReceiversMax22);
  downstream_ = std::move(downstream);
  depth_ = std::clamp(depth, 0, kDepthMax22);
  if (!repeater_ || !authenticated_) return {};
  if (!repeat_sequence_) ++seq_num_v_;
  repeat_sequence_ = false;
  return {List()};
}

absl::StatusOr<std::vector<Hdcp22Message>> Hdcp22Receiver::Handle(
    absl::Span<const uint8_t> message) {
  const uint8_t id = message.empty() ? uint8_t{0} : message[0];
  const size_t length = LengthOf(id);
  if (length == 0) {
    return absl::InvalidArgumentError(absl::StrCat("no message to a receiver: ", int{id}));
  }
  if (length > 1 && message.size() != length) {
    return absl::InvalidArgumentError(
        absl::StrFormat("message %d of %d bytes, should be %d", id, message.size(), length));
  }
  switch (id) {
    case kAkeInit: {
      Take(message, 1, rtx_);
      Take(message, 9, tx_caps_);
      NextRandom(absl::MakeSpan(rrx_));
      rx_caps_ = {2, 0, static_cast<uint8_t>(repeater_ ? 1 : 0)};
      started_ = true;
      keyed_ = authenticated_ = false;
      Hdcp22Message reply = Message(kAkeSendCert, cert_);
      reply.insert(reply.end(), rrx_.begin(), rrx_.end());
      reply.insert(reply.end(), rx_caps_.begin(), rx_caps_.end());
      return std::vector<Hdcp22Message>{reply};
    }
    case kAkeNoStoredKm:
    case kAkeStoredKm: {
      if (!started_) return absl::FailedPreconditionError("km before AKE_Init");
      if (id == kAkeNoStoredKm) {
        const auto km = key_.DecryptOaep(message.subspan(1));
        if (!km.ok() || km->size() != km_.size()) {
          return absl::UnauthenticatedError("Ekpub(km) cannot be decrypted");
        }
        std::copy(km->begin(), km->end(), km_.begin());
      } else {
        Bytes16 ekh, m;
        Take(message, 1, ekh);
        Take(message, 17, m);
        km_ = UnwrapMasterKey(ekh, kh_, m);
      }
      kd_ = DeriveKd(km_, rtx_, rrx_);
      keyed_ = true;
      std::vector<Hdcp22Message> replies = {
          Message(kAkeSendHPrime, ComputeHPrime(kd_, rtx_, rx_caps_, tx_caps_))};
      if (id == kAkeNoStoredKm) {
        replies.push_back(Message(kAkeSendPairingInfo, WrapMasterKey(km_, kh_, rtx_, rrx_)));
      }
      return replies;
    }
    case kLcInit:
      if (!keyed_) return absl::FailedPreconditionError("locality check before km");
      Take(message, 1, rn_);
      return std::vector<Hdcp22Message>{Message(kLcSendLPrime, ComputeLPrime(kd_, rrx_, rn_))};
    case kSkeSendEks:
      if (!keyed_) return absl::FailedPreconditionError("session key before km");
      authenticated_ = true;
      seq_num_v_ = 0;
      if (!repeater_) return std::vector<Hdcp22Message>{};
      return std::vector<Hdcp22Message>{List()};
    case kReceiverIdAck:
      if (!authenticated_) return absl::FailedPreconditionError("Ack before the list");
      if (!EqualSecret(message.subspan(1), absl::MakeConstSpan(v_).subspan(16))) {
        return absl::UnauthenticatedError("V of the Ack does not match");
      }
      return std::vector<Hdcp22Message>{};
    default: {
      if (!authenticated_) return absl::FailedPreconditionError("stream before the key exchange");
      const size_t k = message.size() >= 6 ? static_cast<size_t>(message[4] << 8 | message[5]) : 0;
      if (message.size() < 6 || message.size() != 6 + 2 * k) {
        return absl::InvalidArgumentError(
            absl::StrFormat("stream message of %d bytes for %d streams", message.size(), k));
      }
      const uint32_t seq = static_cast<uint32_t>(message[1]) << 16 |
                           static_cast<uint32_t>(message[2]) << 8 | message[3];
      return std::vector<Hdcp22Message>{
          Message(kStreamReady, ComputeMPrime(kd_, message.subspan(6), seq))};
    }
  }
}

}  // namespace uwq::hdmi
