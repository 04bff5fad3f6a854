// SPDX-License-Identifier: BSD-3-Clause
//
// hdcp14_machine.cc -- see hdcp14_machine.h.
// Invariant: Done() is called in exactly the states that return a transfer.
#include "drivers/hdmi_example/driver/hdcp14_machine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace uwq::hdmi {
namespace {

constexpr absl::Duration kReceiverPoll = absl::Milliseconds(500);  // A0
// The specification's 100 ms, counted from the last byte of Aksv.
constexpr absl::Duration kR0After = absl::Milliseconds(100);
// A slow receiver gets as long again, twice, before it counts as wrong.
constexpr absl::Duration kR0Again = absl::Milliseconds(100);
constexpr absl::Duration kReadyPoll = absl::Milliseconds(100);
constexpr absl::Duration kReadyLimit = absl::Seconds(5);
// The last look is so much before the limit: a transfer takes 0.4 ms, and a receiver
// that is ready in time must not fail because two looks straddle the limit.
constexpr absl::Duration kReadyLastLook = absl::Milliseconds(5);
// Between two readings of Ri' that differ: the first may have met the boundary.
constexpr absl::Duration kRiAgain = absl::Milliseconds(20);
constexpr absl::Duration kRiNakAgain = absl::Milliseconds(250);
// No answer for so long is a failure as wrong answers are (test 1A-07a).
constexpr absl::Duration kRiNakLimit = absl::Seconds(2);
constexpr int kReadsMax = 3;
// A frame number further ahead than this costs too much to follow; a link that was
// not looked at for so long is authenticated anew instead.
constexpr uint64_t kFramesMax = 128 * 256;

}  // namespace

std::string Hdcp14Machine::state() const {
  switch (state_) {
    case State::kIdle:
      return "idle";
    case State::kReadBcaps:
      return "A0 wait for receiver";
    case State::kReadBksv:
    case State::kWriteAinfo:
    case State::kWriteAn:
    case State::kWriteAksv:
      return "A1 exchange KSVs";
    case State::kReadR0:
      return "A3 validate receiver";
    case State::kWaitReady:
      return "A8 wait for ready";
    case State::kReadBstatus:
    case State::kReadFifo:
    case State::kReadV:
      return "A9 read KSV list";
    case State::kAuthenticated:
    case State::kReadRi:
      return "A4 authenticated";
  }
  return "?";
}

// --- Building actions ---------------------------------------------------------------------

HdcpAction Hdcp14Machine::Read(State state, uint8_t reg, uint16_t length) {
  return Transfer(state, DdcReadRegister(HDMI_DDC_ADDR_HDCP, reg, length));
}

HdcpAction Hdcp14Machine::Write(State state, uint8_t reg, const std::vector<uint8_t>& bytes) {
  return Transfer(state, DdcWriteRegister(HDMI_DDC_ADDR_HDCP, reg, bytes));
}

// --- First part --------------------------------------------------------------------------

HdcpAction Hdcp14Machine::Start(int attempt) {
  reads_ = 0;
  first_nak_ns_ = 0;
  frame_ = noted_frame_ = 0;
  fifo_.clear();
  // A repeater that failed after encryption had begun showed a black screen; from
  // the second attempt on, its picture stays until the whole tree is known.
  postpone_encryption_ = attempt > 0;
  return Read(State::kReadBcaps, HDCP14_REG_BCAPS, 1);
}

HdcpAction Hdcp14Machine::Step() {
  switch (state_) {
    case State::kReadBcaps:
    case State::kWaitReady:
      return Read(state_, HDCP14_REG_BCAPS, 1);
    case State::kReadR0:
    case State::kReadRi:
      return Read(state_, HDCP14_REG_RI, 2);
    default:
      return {};  // the driver's work ran for another reason
  }
}

HdcpAction Hdcp14Machine::Done(const absl::StatusOr<std::vector<DdcMessage>>& result) {
  if (!result.ok()) return OnTransferFailed(result.status());
  const std::vector<uint8_t>& bytes = result->back().data;
  switch (state_) {
    case State::kReadBcaps:
      return OnBcaps(bytes[0]);
    case State::kReadBksv:
      return OnBksv(bytes);
    case State::kWriteAinfo:
      return Write(State::kWriteAn, HDCP14_REG_AN, ToWire(an_, 8));
    case State::kWriteAn:
      return Write(State::kWriteAksv, HDCP14_REG_AKSV, ToWire(env_.keys.ksv, 5));
    case State::kWriteAksv:
      return Again(State::kReadR0, kR0After, "An, Aksv written");
    case State::kReadR0:
      return OnR0(Le16(bytes));
    case State::kWaitReady:
      return OnReady(bytes[0]);
    case State::kReadBstatus:
      return OnBstatus(Le16(bytes));
    case State::kReadFifo:
      fifo_ = bytes;
      reads_ = 0;
      return Read(State::kReadV, HDCP14_REG_V, 20);
    case State::kReadV:
      return OnV(bytes);
    case State::kReadRi:
      return OnRi(Le16(bytes));
    case State::kIdle:
    case State::kAuthenticated:
      break;
  }
  return {};
}

HdcpAction Hdcp14Machine::OnTransferFailed(const absl::Status& status) {
  switch (state_) {
    case State::kReadBcaps:
    case State::kReadBksv:
      // A0: a receiver that does not answer yet has not failed.
      return Again(State::kReadBcaps, kReceiverPoll, "the receiver does not answer yet");
    case State::kWaitReady:
      return PollReadyAgain();
    case State::kReadRi: {
      const base::Nanos now = env_.now();
      if (first_nak_ns_ == 0) first_nak_ns_ = now;
      if (absl::Nanoseconds(now - first_nak_ns_) >= kRiNakLimit) {
        return Fail("Ri' cannot be read for 2 s");
      }
      return Again(State::kReadRi, kRiNakAgain, "Ri' is not acknowledged");
    }
    default:
      return Fail(absl::StrCat(state(), ": ", status.message()));
  }
}

HdcpAction Hdcp14Machine::OnBcaps(uint8_t bcaps) {
  repeater_ = ParseBcaps(bcaps).repeater;
  reads_ = 0;
  return Read(State::kReadBksv, HDCP14_REG_BKSV, 5);
}

HdcpAction Hdcp14Machine::OnBksv(const std::vector<uint8_t>& bytes) {
  const absl::StatusOr<uint64_t> bksv = KsvFromWire(bytes);
  if (!bksv.ok()) {
    // One bit may have been lost on the wire; twice is a broken receiver.
    if (++reads_ < 2) return Read(State::kReadBksv, HDCP14_REG_BKSV, 5);
    return Fail(std::string(bksv.status().message()));
  }
  if (Revoked(SrmIdOfKsv(*bksv))) {
    return Refuse(absl::StrCat("receiver ", KsvToString(*bksv), " is revoked"));
  }
  an_ = env_.random();
  if (absl::Status s = session_.Start(env_.keys, an_, *bksv, repeater_); !s.ok()) {
    return Fail(std::string(s.message()));
  }
  return Write(State::kWriteAinfo, HDCP14_REG_AINFO, {0});
}

HdcpAction Hdcp14Machine::OnR0(uint16_t r0) {
  if (r0 != session_.r0()) {
    const std::string note = absl::StrFormat("R0' is %04x, should be %04x", r0, session_.r0());
    if (++reads_ < kReadsMax) return Again(State::kReadR0, kR0Again, note);
    return Fail(note);
  }
  if (!repeater_) return Authenticated(absl::StrFormat("R0' = R0 = %04x", r0));
  HdcpAction action = Read(State::kWaitReady, HDCP14_REG_BCAPS, 1);
  ready_deadline_ns_ = env_.now() + absl::ToInt64Nanoseconds(kReadyLimit);
  action.watchdog = kReadyLimit;
  if (!postpone_encryption_) action.encrypt = true;
  action.note = absl::StrFormat("R0' = R0 = %04x; a repeater: waiting for READY", r0);
  return action;
}

// --- Second part -------------------------------------------------------------------------

HdcpAction Hdcp14Machine::PollReadyAgain() {
  return PollUntil(State::kWaitReady, ready_deadline_ns_, kReadyPoll, kReadyLastLook);
}

HdcpAction Hdcp14Machine::OnReady(uint8_t bcaps) {
  if (!ParseBcaps(bcaps).ready) return PollReadyAgain();
  HdcpAction action = Read(State::kReadBstatus, HDCP14_REG_BSTATUS, 2);
  // If it has fired already it finds another state.
  action.stop_watchdog = true;
  return action;
}

HdcpAction Hdcp14Machine::Watchdog() {
  if (state_ != State::kWaitReady) return {};
  return Fail("READY did not come within 5 s");
}

HdcpAction Hdcp14Machine::OnBstatus(uint16_t bstatus) {
  if (absl::Status s = CheckTopology(bstatus); !s.ok()) return Fail(std::string(s.message()));
  bstatus_ = bstatus;
  // The FIFO has no address of its own for each byte: one transfer, or start over.
  return Read(State::kReadFifo, HDCP14_REG_FIFO,
              static_cast<uint16_t>(HDCP14_KSV_BYTES * ParseBstatus(bstatus).device_count));
}

HdcpAction Hdcp14Machine::OnV(const std::vector<uint8_t>& v) {
  if (absl::Status s = session_.CheckV(fifo_, bstatus_, v); !s.ok()) {
    if (++reads_ < kReadsMax) return Read(State::kReadV, HDCP14_REG_V, 20);
    return Fail(absl::StrCat("V' differs ", kReadsMax, " times"));
  }
  for (size_t i = 0; i + HDCP14_KSV_BYTES <= fifo_.size(); i += HDCP14_KSV_BYTES) {
    const uint64_t ksv = hdcp14_get_le(&fifo_[i], HDCP14_KSV_BYTES);
    if (Revoked(SrmIdOfKsv(ksv))) {
      return Refuse(absl::StrCat("downstream device ", KsvToString(ksv), " is revoked"));
    }
  }
  const Bstatus status = ParseBstatus(bstatus_);
  return Authenticated(absl::StrFormat("KSV list: %d devices, depth %d, %d bytes, V' ok, SRM ok",
                                       status.device_count, status.depth, fifo_.size()));
}

// --- Third part --------------------------------------------------------------------------

HdcpAction Hdcp14Machine::CheckLink(const LinkView& view) {
  if (!authenticated()) return {};
  if (view.frame > frame_ + kFramesMax) return Fail("the link was not checked for too long");
  frame_ = std::max(frame_, view.frame);
  return Read(State::kReadRi, HDCP14_REG_RI, 2);
}

HdcpAction Hdcp14Machine::OnRi(uint16_t ri) {
  first_nak_ns_ = 0;
  const uint16_t expected = session_.RiAt(frame_);
  if (ri == expected) {
    HdcpAction action;
    if (reads_ > 0) {
      action.note = absl::StrFormat("Ri' ok at reading %d", reads_ + 1);
    } else if (frame_ != noted_frame_) {  // the timer's checks between are not news
      action.note = absl::StrFormat("Ri' ok: %04x at frame %d", ri, frame_);
    }
    noted_frame_ = frame_;
    reads_ = 0;
    state_ = State::kAuthenticated;
    return action;
  }
  const std::string note =
      absl::StrFormat("Ri' is %04x, should be %04x at frame %d", ri, expected, frame_);
  if (++reads_ < kReadsMax) return Again(State::kReadRi, kRiAgain, note);
  return Fail(absl::StrCat(note, ", ", kReadsMax, " times"));
}

HdcpAction Hdcp14Machine::CheckRevocation() {
  if (state_ == State::kIdle) return {};
  bool revoked = Revoked(SrmIdOfKsv(session_.bksv()));
  for (size_t i = 0; i + HDCP14_KSV_BYTES <= fifo_.size(); i += HDCP14_KSV_BYTES) {
    revoked = revoked || Revoked(SrmIdOfKsv(hdcp14_get_le(&fifo_[i], HDCP14_KSV_BYTES)));
  }
  return revoked ? Refuse("the new SRM revokes a device of this link") : HdcpAction();
}

}  // namespace uwq::hdmi
