// SPDX-License-Identifier: BSD-3-Clause
//
// hdcp22_machine.cc -- see hdcp22_machine.h.
// Invariant: Done() is called in exactly the states that return a transfer.
#include "drivers/hdmi_example/driver/hdcp22_machine.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hdmi_example/hdcp/hdcp_regs.h"

namespace uwq::hdmi {
namespace {

// A little more than the specification's 200 ms between the session key and the first
// encrypted frame: test equipment wants strictly more.
constexpr absl::Duration kEncryptAfter = absl::Milliseconds(kEncryptAfterMs + 10);
// The last look at RxStatus is so much before the limit: it takes 0.6 ms on the wire,
// and an answer that is there in time must not be missed between two looks.
constexpr absl::Duration kLastLook = absl::Microseconds(800);
constexpr absl::Duration kReceiverPoll = absl::Milliseconds(500);
constexpr int kReadsMax = 3;
constexpr absl::Duration kReadAgain = absl::Milliseconds(20);

struct Answer {
  uint8_t id;
  const char* name;
  int limit_ms, poll_ms;
};
constexpr Answer kAnswers[] = {
    {kAkeSendCert, "certificate", kCertLimitMs, 10},
    {kAkeSendHPrime, "H'", kHPrimeLimitMs, 20},
    {kAkeSendPairingInfo, "pairing", kPairingLimitMs, 20},
    {kLcSendLPrime, "L'", kLPrimeLimitMs, 2},
    {kReceiverIdList, "receiver-ID list", kListLimitMs, 100},
    {kStreamReady, "M'", kStreamReadyLimitMs, 10},
};

const Answer& AnswerOf(uint8_t id) {
  const auto* const found = std::find_if(std::begin(kAnswers), std::end(kAnswers),
                                         [&](const Answer& a) { return a.id == id; });
  return found == std::end(kAnswers) ? kAnswers[0] : *found;
}

RandomSource BytesFrom(std::function<uint64_t()> random) {
  return [random = std::move(random)](absl::Span<uint8_t> out) {
    for (size_t i = 0; i < out.size(); i += 8) {
      const uint64_t word = random();
      for (size_t j = i; j < std::min(i + 8, out.size()); ++j) {
        out[j] = static_cast<uint8_t>(word >> (8 * (j - i)));
      }
    }
  };
}

}  // namespace

Hdcp22Machine::Hdcp22Machine(Env env)
    : HdcpMachineBase(std::move(env)), tx_(env_.authority, BytesFrom(env_.random), &pairings_) {}

std::string Hdcp22Machine::state() const {
  switch (state_) {
    case State::kIdle:
      return "idle";
    case State::kReadVersion:
      return "2.2 is it there";
    case State::kWrite:
    case State::kWait:
    case State::kPoll:
    case State::kReadMessage:
      return expecting_ == 0 ? "2.2 key exchange"
                             : absl::StrCat("2.2 wait for ", AnswerOf(expecting_).name);
    case State::kWaitEncrypt:
      return "2.2 key exchange";
    case State::kAuthenticated:
    case State::kReadStatus:
    case State::kReadList:
    case State::kWriteAck:
      return "2.2 authenticated";
  }
  return "?";
}

// --- Building actions ---------------------------------------------------------------------

HdcpAction Hdcp22Machine::Write(const Hdcp22Message& message, uint8_t expecting) {
  expecting_ = expecting;
  return Transfer(State::kWrite, DdcWriteRegister(HDMI_DDC_ADDR_HDCP, HDCP22_REG_WRITE, message));
}

HdcpAction Hdcp22Machine::Await() {
  const Answer& answer = AnswerOf(expecting_);
  // A receiver that has its key already does not need a second for it.
  const int limit_ms =
      expecting_ == kAkeSendHPrime && tx_.paired() ? kHPrimePairedLimitMs : answer.limit_ms;
  const absl::Duration limit = absl::Milliseconds(limit_ms);
  asked_ns_ = env_.now();
  deadline_ns_ = asked_ns_ + absl::ToInt64Nanoseconds(limit);
  HdcpAction action = PollAgain();
  action.watchdog = limit;
  return action;
}

HdcpAction Hdcp22Machine::PollAgain() {
  return PollUntil(State::kWait, deadline_ns_, absl::Milliseconds(AnswerOf(expecting_).poll_ms),
                   kLastLook);
}

// --- Authentication -------------------------------------------------------------------------

HdcpAction Hdcp22Machine::Start(int /*attempt*/) {
  rounds_ = reads_ = 0;
  expecting_ = 0;
  return Transfer(State::kReadVersion, DdcReadRegister(HDMI_DDC_ADDR_HDCP, HDCP22_REG_VERSION, 1));
}

HdcpAction Hdcp22Machine::Step() {
  switch (state_) {
    case State::kReadVersion:
      return Start(0);
    case State::kWait:
      return Transfer(State::kPoll, DdcReadRegister(HDMI_DDC_ADDR_HDCP, HDCP22_REG_STATUS, 2));
    case State::kWaitEncrypt:
      return Encrypted();
    default:
      return {};  // the driver's work ran for another reason
  }
}

HdcpAction Hdcp22Machine::Done(const absl::StatusOr<std::vector<DdcMessage>>& result) {
  if (!result.ok()) {
    switch (state_) {
      case State::kReadVersion:
        // A receiver that does not answer yet has not failed.
        return Again(State::kReadVersion, kReceiverPoll, "the receiver does not answer yet");
      case State::kPoll:
        return PollAgain();
      case State::kReadStatus:
        if (++reads_ < kReadsMax) return Again(State::kReadStatus, kReadAgain);
        return Fail(absl::StrCat("RxStatus: ", result.status().message()));
      default:
        return Fail(absl::StrCat(state(), ": ", result.status().message()));
    }
  }
  const std::vector<uint8_t>& bytes = result->back().data;
  switch (state_) {
    case State::kReadVersion:
      if ((bytes[0] & HDCP22_VERSION_2_2) == 0) return End(Verdict::kUnsupported, "");
      return Write(tx_.AkeInit(), kAkeSendCert);
    case State::kWrite:
      if (expecting_ == kReceiverIdAck) return ManageStream();
      if (expecting_ != 0) return Await();
      keyed_ns_ = env_.now();
      if (!tx_.repeater()) return WaitForEncryption();
      expecting_ = kReceiverIdList;
      return Await();
    case State::kPoll:
      return OnStatus(Le16(bytes));
    case State::kReadMessage:
      return OnMessage(bytes);
    case State::kReadStatus:
      return OnLinkStatus(Le16(bytes));
    case State::kReadList:
      return OnList(bytes);
    case State::kWriteAck: {
      state_ = State::kAuthenticated;
      HdcpAction action;
      action.note = absl::StrCat("the new tree is acknowledged: ", tx_.ids().size(), " devices");
      return action;
    }
    case State::kIdle:
    case State::kWait:
    case State::kWaitEncrypt:
    case State::kAuthenticated:
      break;
  }
  return {};
}

HdcpAction Hdcp22Machine::OnStatus(uint16_t status) {
  if ((status & HDCP22_STATUS_REAUTH) != 0) return Fail("REAUTH_REQ while authenticating");
  const uint16_t size = status & HDCP22_STATUS_SIZE_MASK;
  if (size == 0) return PollAgain();
  if (expecting_ == kLcSendLPrime) env_.on_locality(env_.now() - asked_ns_, /*late=*/false);
  HdcpAction action =
      Transfer(State::kReadMessage, DdcReadRegister(HDMI_DDC_ADDR_HDCP, HDCP22_REG_READ, size));
  // If it has fired already it finds another state.
  action.stop_watchdog = true;
  return action;
}

// The limit of expecting_ is over, and it does not wait to be read.
HdcpAction Hdcp22Machine::Watchdog() {
  if (state_ != State::kWait && state_ != State::kPoll) return {};
  const std::string note =
      absl::StrFormat("%s did not come within %d ms", AnswerOf(expecting_).name,
                      absl::ToInt64Milliseconds(absl::Nanoseconds(deadline_ns_ - asked_ns_)));
  if (expecting_ != kLcSendLPrime) return Fail(note);
  env_.on_locality(env_.now() - asked_ns_, /*late=*/true);
  return LocalityRound(note);
}

HdcpAction Hdcp22Machine::LocalityRound(std::string note) {
  if (rounds_ == env_.locality_rounds) return Fail(absl::StrCat(note, ", ", rounds_, " rounds"));
  ++rounds_;
  const auto init = tx_.LcInit();
  if (!init.ok()) return Fail(std::string(init.status().message()));
  HdcpAction action = Write(*init, kLcSendLPrime);
  action.note = std::move(note);
  return action;
}

HdcpAction Hdcp22Machine::OnMessage(const Hdcp22Message& message) {
  switch (expecting_) {
    case kAkeSendCert: {
      const auto reply = tx_.OnCert(message);
      if (!reply.ok()) return Fail(std::string(reply.status().message()));
      if (Revoked(tx_.receiver_id())) return Refuse("the receiver is revoked");
      HdcpAction action = Write(*reply, kAkeSendHPrime);
      action.note = absl::StrCat("certificate ok, ", tx_.paired() ? "paired" : "not paired yet",
                                 tx_.repeater() ? ", a repeater" : "");
      return action;
    }
    case kAkeSendHPrime:
      if (absl::Status s = tx_.OnHPrime(message); !s.ok()) return Fail(std::string(s.message()));
      if (tx_.paired()) return LocalityRound("");
      expecting_ = kAkeSendPairingInfo;
      return Await();
    case kAkeSendPairingInfo:
      if (absl::Status s = tx_.OnPairingInfo(message); !s.ok()) {
        return Fail(std::string(s.message()));
      }
      return LocalityRound("");
    case kLcSendLPrime: {
      if (absl::Status s = tx_.OnLPrime(message); !s.ok()) {
        return LocalityRound(std::string(s.message()));
      }
      const auto key = tx_.SkeSendEks();
      if (!key.ok()) return Fail(std::string(key.status().message()));
      HdcpAction action = Write(*key, 0);
      action.note = absl::StrFormat("H' ok, L' ok in round %d, session key sent", rounds_);
      return action;
    }
    case kReceiverIdList:
      return OnList(message);
    case kStreamReady:
      if (absl::Status s = tx_.OnStreamReady(message); !s.ok()) {
        return Fail(std::string(s.message()));
      }
      return WaitForEncryption();
    default:
      return {};  // nothing else is expected
  }
}

// --- Repeaters ------------------------------------------------------------------------------

HdcpAction Hdcp22Machine::OnList(const Hdcp22Message& message) {
  const auto ack = tx_.OnReceiverIdList(message);
  if (!ack.ok()) return Fail(absl::StrCat("receiver-ID list: ", ack.status().message()));
  for (const Bytes5& id : tx_.ids()) {
    if (Revoked(id)) return Refuse("a device behind the repeater is revoked");
  }
  if (env_.content_type() == 1 && tx_.downstream_has_1x()) {
    return Refuse("content of type 1, and an HDCP 1.x device behind the repeater");
  }
  if (authenticated()) {
    return Transfer(State::kWriteAck, DdcWriteRegister(HDMI_DDC_ADDR_HDCP, HDCP22_REG_WRITE, *ack));
  }
  HdcpAction action = Write(*ack, kReceiverIdAck);
  action.note = absl::StrCat("receiver-ID list: ", tx_.ids().size(), " devices, V' ok, SRM ok");
  return action;
}

// The acknowledgement has gone out; what is shown is announced next.
HdcpAction Hdcp22Machine::ManageStream() {
  const auto stream = tx_.StreamManage(static_cast<uint8_t>(env_.content_type()));
  if (!stream.ok()) return Fail(std::string(stream.status().message()));
  return Write(*stream, kStreamReady);
}

// --- The end of it, and the link check ----------------------------------------------------------

HdcpAction Hdcp22Machine::WaitForEncryption() {
  const absl::Duration left = kEncryptAfter - absl::Nanoseconds(env_.now() - keyed_ns_);
  if (left <= absl::ZeroDuration()) return Encrypted();
  expecting_ = 0;
  return Again(State::kWaitEncrypt, left);
}

HdcpAction Hdcp22Machine::Encrypted() {
  return Authenticated(absl::StrCat("authenticated, content of type ", env_.content_type()));
}

HdcpAction Hdcp22Machine::CheckLink(const LinkView& /*view*/) {
  // In the middle of taking a new list: that is a check, too.
  if (state_ != State::kAuthenticated && state_ != State::kReadStatus) return {};
  return Transfer(State::kReadStatus, DdcReadRegister(HDMI_DDC_ADDR_HDCP, HDCP22_REG_STATUS, 2));
}

HdcpAction Hdcp22Machine::OnLinkStatus(uint16_t status) {
  reads_ = 0;
  if ((status & HDCP22_STATUS_REAUTH) != 0) return Fail("the receiver asks for REAUTH_REQ");
  const uint16_t size = status & HDCP22_STATUS_SIZE_MASK;
  if ((status & HDCP22_STATUS_READY) != 0 && size != 0) {
    HdcpAction action =
        Transfer(State::kReadList, DdcReadRegister(HDMI_DDC_ADDR_HDCP, HDCP22_REG_READ, size));
    action.note = "READY: the tree behind the repeater has changed";
    return action;
  }
  state_ = State::kAuthenticated;
  return {};
}

HdcpAction Hdcp22Machine::CheckRevocation() {
  if (state_ == State::kIdle) return {};
  bool revoked = Revoked(tx_.receiver_id());
  for (const Bytes5& id : tx_.ids()) revoked = revoked || Revoked(id);
  return revoked ? Refuse("the new SRM revokes a device of this link") : HdcpAction();
}

}  // namespace uwq::hdmi
