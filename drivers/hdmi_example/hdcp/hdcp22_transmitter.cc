// SPDX-License-Identifier: BSD-3-Clause
// hdcp22_transmitter.cc: the transmitter's end; see hdcp22.h.
// Invariant: state_ only moves forward between two AkeInit(); nothing but a
// checked message moves it.
// Read on: hdcp22_receiver.cc, hdcp22_test.cc.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hdmi_example/hdcp/hdcp22.h"

namespace uwq::hdmi {
namespace {

constexpr Bytes3 kTxCaps = {2, 0, 0};

template <size_t kBytes>
void Append(Hdcp22Message& message, const std::array<uint8_t, kBytes>& bytes) {
  message.insert(message.end(), bytes.begin(), bytes.end());
}

template <size_t kBytes>
void Take(absl::Span<const uint8_t> message, size_t at, std::array<uint8_t, kBytes>& out) {
  std::copy_n(message.begin() + static_cast<ptrdiff_t>(at), kBytes, out.begin());
}

}  // namespace

absl::Status Hdcp22Transmitter::Expect(absl::Span<const uint8_t> message, Hdcp22Id id,
                                       size_t length, State state) const {
  if (message.empty() || message[0] != id) {
    return absl::InvalidArgumentError(absl::StrFormat("HDCP 2.2 message %d where %d should come",
                                                      message.empty() ? 0 : message[0],
                                                      static_cast<int>(id)));
  }
  if (message.size() != length) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "HDCP 2.2 message %d has %d bytes, not %d", static_cast<int>(id), length, message.size()));
  }
  if (state_ != state) {
    return absl::FailedPreconditionError(
        absl::StrFormat("HDCP 2.2 message %d out of order", static_cast<int>(id)));
  }
  return absl::OkStatus();
}

Hdcp22Message Hdcp22Transmitter::AkeInit() {
  random_(absl::MakeSpan(rtx_));
  state_ = State::kCert;
  paired_ = list_seen_ = stream_sent_ = false;
  seq_num_v_ = seq_num_m_ = 0;
  ids_.clear();
  Hdcp22Message message = {kAkeInit};
  Append(message, rtx_);
  Append(message, kTxCaps);
  return message;
}

absl::StatusOr<Hdcp22Message> Hdcp22Transmitter::OnCert(absl::Span<const uint8_t> message) {
  if (absl::Status s = Expect(message, kAkeSendCert, 534, State::kCert); !s.ok()) return s;
  const auto cert = CheckCertificate(message.subspan(1, kCertBytes), authority_);
  if (!cert.ok()) return cert.status();
  Take(message, 1 + kCertBytes, rrx_);
  Take(message, 1 + kCertBytes + 8, rx_caps_);
  id_ = cert->id;
  repeater_ = rx_caps_[2] & 1;
  Hdcp22Message reply;
  const auto known = pairings_ != nullptr ? pairings_->find(id_) : PairingTable::iterator();
  if (pairings_ != nullptr && known != pairings_->end()) {
    paired_ = true;
    km_ = known->second.km;
    reply.push_back(kAkeStoredKm);
    Append(reply, known->second.ekh);
    Append(reply, known->second.m);
  } else {
    random_(absl::MakeSpan(km_));
    const auto key = RsaKey::FromPublic(cert->modulus, cert->exponent);
    if (!key.ok()) return key.status();
    const auto wrapped = key->EncryptOaep(km_);
    if (!wrapped.ok()) return wrapped.status();
    reply.push_back(kAkeNoStoredKm);
    reply.insert(reply.end(), wrapped->begin(), wrapped->end());
  }
  kd_ = DeriveKd(km_, rtx_, rrx_);
  state_ = State::kHPrime;
  return reply;
}

absl::Status Hdcp22Transmitter::OnHPrime(absl::Span<const uint8_t> message) {
  if (absl::Status s = Expect(message, kAkeSendHPrime, 33, State::kHPrime); !s.ok()) return s;
  if (!EqualSecret(message.subspan(1), ComputeHPrime(kd_, rtx_, rx_caps_, kTxCaps))) {
    // A receiver that was replaced, or lost its pairing, must be met anew.
    if (paired_ && pairings_ != nullptr) pairings_->erase(id_);
    return absl::UnauthenticatedError("H' does not match");
  }
  state_ = paired_ ? State::kLocality : State::kPairing;
  return absl::OkStatus();
}

absl::Status Hdcp22Transmitter::OnPairingInfo(absl::Span<const uint8_t> message) {
  if (absl::Status s = Expect(message, kAkeSendPairingInfo, 17, State::kPairing); !s.ok()) return s;
  if (pairings_ != nullptr) {
    Pairing pairing;
    pairing.km = km_;
    Take(message, 1, pairing.ekh);
    std::copy(rtx_.begin(), rtx_.end(), pairing.m.begin());
    std::copy(rrx_.begin(), rrx_.end(), pairing.m.begin() + 8);
    (*pairings_)[id_] = pairing;
  }
  state_ = State::kLocality;
  return absl::OkStatus();
}

absl::StatusOr<Hdcp22Message> Hdcp22Transmitter::LcInit() {
  // A further round after a late or wrong L' begins here, too.
  if (state_ != State::kLocality && state_ != State::kLPrime) {
    return absl::FailedPreconditionError("locality check before H' and pairing");
  }
  random_(absl::MakeSpan(rn_));
  state_ = State::kLPrime;
  Hdcp22Message message = {kLcInit};
  Append(message, rn_);
  return message;
}

absl::Status Hdcp22Transmitter::OnLPrime(absl::Span<const uint8_t> message) {
  if (absl::Status s = Expect(message, kLcSendLPrime, 33, State::kLPrime); !s.ok()) return s;
  if (!EqualSecret(message.subspan(1), ComputeLPrime(kd_, rrx_, rn_))) {
    return absl::UnauthenticatedError("L' does not match");
  }
  state_ = State::kKeyExchange;
  return absl::OkStatus();
}

absl::StatusOr<Hdcp22Message> Hdcp22Transmitter::SkeSendEks() {
  if (state_ != State::kKeyExchange) {
    return absl::FailedPreconditionError("session key before the locality check");
  }
  // The session key is drawn, sent, and forgotten: nothing here encrypts.
  Bytes16 ks;
  Bytes8 riv;
  random_(absl::MakeSpan(ks));
  random_(absl::MakeSpan(riv));
  Hdcp22Message message = {kSkeSendEks};
  Append(message, WrapSessionKey(ks, DeriveKey(km_, rtx_, rrx_, rn_, 2), rrx_));
  Append(message, riv);
  state_ = State::kDone;
  return message;
}

absl::StatusOr<Hdcp22Message> Hdcp22Transmitter::OnReceiverIdList(
    absl::Span<const uint8_t> message) {
  constexpr size_t kFixed = 22;
  if (message.size() < kFixed) {
    return absl::InvalidArgumentError(
        absl::StrCat("receiver-ID list of ", message.size(), " bytes, needs 22"));
  }
  const uint16_t rx_info = static_cast<uint16_t>(message[1] << 8 | message[2]);
  const size_t count = (rx_info >> 4) & 31;
  const int depth = (rx_info >> 9) & 7;
  if (absl::Status s = Expect(message, kReceiverIdList, kFixed + 5 * count, State::kDone);
      !s.ok()) {
    return s;
  }
  if (rx_info & 0x0c) {
    return absl::FailedPreconditionError(
        absl::StrFormat("RxInfo %04x: too many devices or levels downstream", rx_info));
  }
  if (depth > kDepthMax22) {
    return absl::FailedPreconditionError(
        absl::StrFormat("RxInfo %04x: depth %d, the limit is 4", rx_info, depth));
  }
  const uint32_t seq =
      static_cast<uint32_t>(message[3]) << 16 | static_cast<uint32_t>(message[4]) << 8 | message[5];
  if (!list_seen_ ? seq != 0 : seq <= seq_num_v_) {
    return absl::UnauthenticatedError(absl::StrFormat(
        "seq_num_V %d after %d", seq, list_seen_ ? static_cast<int>(seq_num_v_) : -1));
  }
  const Bytes32 v = ComputeV22(kd_, message.subspan(kFixed), rx_info, seq);
  if (!EqualSecret(message.subspan(6, 16), absl::MakeConstSpan(v).subspan(0, 16))) {
    return absl::UnauthenticatedError("V' does not match");
  }
  list_seen_ = true;
  seq_num_v_ = seq;
  downstream_has_1x_ = rx_info & 1;
  ids_.resize(count);
  for (size_t i = 0; i < count; ++i) Take(message, kFixed + 5 * i, ids_[i]);
  Hdcp22Message ack = {kReceiverIdAck};
  ack.insert(ack.end(), v.begin() + 16, v.end());
  return ack;
}

absl::StatusOr<Hdcp22Message> Hdcp22Transmitter::StreamManage(uint8_t content_type) {
  if (state_ != State::kDone) {
    return absl::FailedPreconditionError("stream management before the key exchange");
  }
  if (stream_sent_) ++seq_num_m_;
  stream_sent_ = true;
  stream_ = {0, content_type};
  Hdcp22Message message = {kStreamManage,
                           static_cast<uint8_t>(seq_num_m_ >> 16),
                           static_cast<uint8_t>(seq_num_m_ >> 8),
                           static_cast<uint8_t>(seq_num_m_),
                           0,
                           1};
  message.insert(message.end(), stream_.begin(), stream_.end());
  return message;
}

absl::Status Hdcp22Transmitter::OnStreamReady(absl::Span<const uint8_t> message) {
  if (absl::Status s = Expect(message, kStreamReady, 33, State::kDone); !s.ok()) return s;
  if (!stream_sent_) return absl::FailedPreconditionError("M' without a request");
  if (!EqualSecret(message.subspan(1), ComputeMPrime(kd_, stream_, seq_num_m_))) {
    return absl::UnauthenticatedError("M' does not match");
  }
  return absl::OkStatus();
}

}  // namespace uwq::hdmi
