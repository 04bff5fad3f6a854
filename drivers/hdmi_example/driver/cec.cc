// SPDX-License-Identifier: BSD-3-Clause
//
// cec.cc -- see cec.h.
// Invariant: clients' functions run with no lock held, on hdmi-misc.
#include "drivers/hdmi_example/driver/cec.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace uwq::hdmi {
namespace {

// The longest a transmission may take: five attempts of 400 ms, and the reply of the
// hardware.
constexpr absl::Duration kTransmitLimit = absl::Milliseconds(2100);
constexpr uint8_t kPlayback1 = 4;  // our logical address
constexpr uint8_t kBroadcast = 15;
constexpr uint8_t kReportPhysicalAddress = 0x84;

}  // namespace

Cec::Cec(Hardware& hardware, Workqueue& misc, double speed, const DriverWork::Observer* observer,
         std::function<void(CecBytes)> on_message)
    : hardware_(hardware),
      on_message_(std::move(on_message)),
      tx_work_("cec_tx_work", misc, speed, observer, [this] { TxWork(); }),
      rx_work_("cec_rx_work", misc, speed, observer, [this] { RxWork(); }) {
  base::MutexLock lock(&mutex_);
  for (Slot& slot : slots_) {
    slot.timeout_work = std::make_unique<DriverWork>("cec_reply_dwork", misc, speed, observer,
                                                     [this, &slot] { Timeout(slot); });
  }
}

std::vector<DriverWork*> Cec::works() {
  base::MutexLock lock(&mutex_);
  std::vector<DriverWork*> works = {&tx_work_, &rx_work_};
  for (Slot& slot : slots_) works.push_back(slot.timeout_work.get());
  return works;
}

absl::Status Cec::Request(CecBytes message, int reply_opcode, absl::Duration timeout,
                          CecDone done) {
  if (message.empty() || message.size() > 16) {
    return absl::InvalidArgumentError(
        absl::StrCat("a CEC message has 1..16 bytes, not ", message.size()));
  }
  {
    base::MutexLock lock(&mutex_);
    if (!up_) return absl::FailedPreconditionError("no sink with CEC is plugged");
    Slot* const slot = std::find_if(std::begin(slots_), std::end(slots_),
                                    [](const Slot& s) { return s.state == Slot::State::kFree; });
    if (slot == std::end(slots_)) {
      return absl::ResourceExhaustedError(absl::StrCat(kSlots, " CEC messages are under way"));
    }
    slot->state = Slot::State::kToSend;
    slot->cancelled = false;
    slot->id = next_id_++;
    slot->message = std::move(message);
    slot->reply_opcode = reply_opcode;
    slot->timeout = timeout;
    slot->done = std::move(done);
    (void)slot->timeout_work->Queue(kTransmitLimit * kSlots);  // others may be sent before
  }
  (void)tx_work_.Queue();
  return absl::OkStatus();
}

// --- Sending --------------------------------------------------------------------------------

void Cec::TxWork() {
  for (;;) {
    Sent sent;
    {
      base::MutexLock lock(&mutex_);
      if (sent_.empty()) break;
      sent = sent_.front();
      sent_.pop_front();
    }
    Acknowledged(sent);
  }
  base::MutexLock lock(&mutex_);
  if (!up_) return;
  Slot* next = nullptr;
  for (Slot& slot : slots_) {
    if (slot.state == Slot::State::kSending) return;  // the line is ours until TX_DONE
    if (slot.state == Slot::State::kToSend && (next == nullptr || slot.id < next->id)) {
      next = &slot;
    }
  }
  // If the time-out has run already, it completes.
  if (next == nullptr || !next->timeout_work->Cancel()) return;
  next->state = Slot::State::kSending;
  (void)next->timeout_work->Queue(kTransmitLimit);
  ++counts_.sent;
  absl::StatusOr<HdmiCommand> command = CecCommand(next->id, generation_, next->message);
  // A refused command is like one that gets no answer: the time-out completes it.
  if (command.ok()) (void)hardware_.Send(*command);
}

void Cec::OnSent(const HdmiEvent& event) {
  {
    base::MutexLock lock(&mutex_);
    const auto match = [&](const Slot& s) {
      return s.state == Slot::State::kSending && s.id == event.record.u.done.id;
    };
    if (std::none_of(std::begin(slots_), std::end(slots_), match) || sent_.size() >= kSlots) {
      ++counts_.dropped;
      return;
    }
    sent_.push_back({event.record.u.done.id, event.record.u.done.status});
  }
  (void)tx_work_.Queue();
}

void Cec::Acknowledged(const Sent& sent) {
  Slot* mine = nullptr;
  absl::StatusOr<CecBytes> result = CecBytes();
  {
    base::MutexLock lock(&mutex_);
    for (Slot& slot : slots_) {
      if (slot.state == Slot::State::kSending && slot.id == sent.id) mine = &slot;
    }
    if (mine == nullptr || !mine->timeout_work->Cancel()) return;  // E1
    if (sent.status != 0) {
      result = absl::UnavailableError(absl::StrCat("CEC: not acknowledged (", sent.status, ")"));
    } else if (mine->reply_opcode >= 0) {
      mine->state = Slot::State::kWaiting;
      (void)mine->timeout_work->Queue(mine->timeout);
      return;
    }
  }
  Complete(*mine, std::move(result));
}

// --- Receiving ------------------------------------------------------------------------------

void Cec::OnReceived(const HdmiEvent& event) {
  {
    base::MutexLock lock(&mutex_);
    ++counts_.received;
    if (rx_.size() == kRxMax) {
      rx_.pop_front();
      ++counts_.dropped;
    }
    const auto& cec = event.record.u.cec;
    rx_.emplace_back(cec.bytes, cec.bytes + std::min<size_t>(cec.len, sizeof(cec.bytes)));
  }
  (void)rx_work_.Queue();
}

void Cec::RxWork() {
  for (;;) {
    CecBytes message;
    {
      base::MutexLock lock(&mutex_);
      if (rx_.empty()) return;
      message = std::move(rx_.front());
      rx_.pop_front();
    }
    Match(message);
    if (on_message_) on_message_(std::move(message));
  }
}

void Cec::Match(const CecBytes& message) {
  if (message.size() < 2) return;
  Slot* mine = nullptr;
  {
    base::MutexLock lock(&mutex_);
    for (Slot& slot : slots_) {
      // The reply may overtake the acknowledgement of its request.
      if (slot.state != Slot::State::kSending && slot.state != Slot::State::kWaiting) continue;
      const uint8_t to = slot.message[0] & 15;
      if (slot.reply_opcode != message[1]) continue;
      if (to != kBroadcast && to != message[0] >> 4) continue;
      if (!slot.timeout_work->Cancel()) continue;  // E1: it has timed out just now
      ++counts_.replies;
      mine = &slot;
      break;
    }
  }
  if (mine != nullptr) Complete(*mine, message);
}

// --- Completing -----------------------------------------------------------------------------

void Cec::Timeout(Slot& slot) {
  absl::Status status;
  {
    base::MutexLock lock(&mutex_);
    if (slot.cancelled) {
      ++counts_.cancelled;
      status = absl::CancelledError("CEC: the sink is gone");
    } else {
      ++counts_.timeouts;
      status = absl::DeadlineExceededError("CEC: no reply");
    }
  }
  Complete(slot, status);
}

void Cec::Complete(Slot& slot, absl::StatusOr<CecBytes> result) {
  CecDone done;
  {
    base::MutexLock lock(&mutex_);
    if (slot.state == Slot::State::kFree || slot.state == Slot::State::kCompleting) {
      ++counts_.double_completions;
      return;
    }
    slot.state = Slot::State::kCompleting;
    done = std::move(slot.done);
    slot.done = nullptr;
  }
  if (done) done(std::move(result));
  {
    base::MutexLock lock(&mutex_);
    slot.state = Slot::State::kFree;
  }
  (void)tx_work_.Queue();
}

// --- The cable ------------------------------------------------------------------------------

void Cec::Up(uint16_t physical_address, uint32_t generation) {
  {
    base::MutexLock lock(&mutex_);
    up_ = true;
    physical_address_ = physical_address;
    generation_ = generation;
  }
  if (physical_address == 0xffff) return;
  (void)Request({uint8_t{kPlayback1 << 4 | kBroadcast}, kReportPhysicalAddress,
                 static_cast<uint8_t>(physical_address >> 8),
                 static_cast<uint8_t>(physical_address), kPlayback1},
                -1, absl::ZeroDuration(), nullptr);
}

void Cec::Down() {
  base::MutexLock lock(&mutex_);
  up_ = false;
  physical_address_ = 0xffff;
  for (Slot& slot : slots_) {
    // Who takes it off the timer may complete it; the client's function belongs on
    // hdmi-misc, so it is due now instead.
    if (slot.timeout_work->Cancel()) {
      slot.cancelled = true;
      (void)slot.timeout_work->Queue();
    }
  }
}

uint16_t Cec::physical_address() {
  base::MutexLock lock(&mutex_);
  return physical_address_;
}

Cec::Counts Cec::counts() {
  base::MutexLock lock(&mutex_);
  return counts_;
}

}  // namespace uwq::hdmi
