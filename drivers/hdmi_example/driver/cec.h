// SPDX-License-Identifier: BSD-3-Clause
//
// cec.h -- messages to and from the CEC line: one transmission at a time, requests
// that wait for a reply, and each request's own time-out.
//
// Invariant E1: each request that was accepted is completed exactly once.  Who may
// complete it is decided by its time-out work alone: the one for whom Cancel() says
// true has taken it away from the timer and completes it; if Cancel() says false, the
// time-out runs, or has run, and completes it.
//
// Everything here runs on hdmi-misc, several works at a time, beside the port: a slow
// client's callback holds up nothing else.
// Read on: hdmi_driver.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_CEC_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_CEC_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "drivers/hdmi_example/driver/driver_work.h"
#include "drivers/hdmi_example/driver/hardware.h"
#include "workqueue/base/sync.h"

namespace uwq::hdmi {

using CecBytes = std::vector<uint8_t>;
using CecDone = std::function<void(absl::StatusOr<CecBytes>)>;

class Cec {
 public:
  static constexpr int kSlots = 8;      // requests under way
  static constexpr size_t kRxMax = 32;  // messages that wait for their work

  struct Counts {
    int64_t sent = 0, received = 0, dropped = 0, replies = 0, timeouts = 0, cancelled = 0;
    int64_t double_completions = 0;  // E1: stays 0
  };

  Cec(Hardware& hardware, Workqueue& misc, double speed, const DriverWork::Observer* observer,
      std::function<void(CecBytes)> on_message);

  // Sends `message`; if `reply_opcode` >= 0 it is done when a message with that opcode
  // comes from whom it was sent to, within `timeout`, else when it was acknowledged.
  // `done` runs once, on hdmi-misc.  Errors: FailedPrecondition (no sink),
  // ResourceExhausted (kSlots are under way), InvalidArgument (1..16 bytes).
  absl::Status Request(CecBytes message, int reply_opcode, absl::Duration timeout, CecDone done);

  // From the event thread.
  void OnReceived(const HdmiEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnSent(const HdmiEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);

  // With a sink, or without: then what is under way is completed as Cancelled.
  // From one thread at a time; not from hdmi-misc.  Does not wait for clients.
  // Up() also announces the physical address on the line, unless it is f.f.f.f.
  void Up(uint16_t physical_address, uint32_t generation) ABSL_LOCKS_EXCLUDED(mutex_);
  void Down() ABSL_LOCKS_EXCLUDED(mutex_);

  uint16_t physical_address() ABSL_LOCKS_EXCLUDED(mutex_);
  Counts counts() ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<DriverWork*> works();

 private:
  struct Slot {
    // kCompleting: until the client's function has returned.
    enum class State { kFree, kToSend, kSending, kWaiting, kCompleting };
    State state = State::kFree;
    bool cancelled = false;
    uint32_t id = 0;
    CecBytes message;
    int reply_opcode = -1;
    absl::Duration timeout;
    CecDone done;
    std::unique_ptr<DriverWork> timeout_work;
  };

  // A TX_DONE.
  struct Sent {
    uint32_t id;
    int status;
  };

  void TxWork() ABSL_LOCKS_EXCLUDED(mutex_);
  void RxWork() ABSL_LOCKS_EXCLUDED(mutex_);
  void Timeout(Slot& slot) ABSL_LOCKS_EXCLUDED(mutex_);
  void Acknowledged(const Sent& sent) ABSL_LOCKS_EXCLUDED(mutex_);
  // The caller owns the completion (E1).
  void Complete(Slot& slot, absl::StatusOr<CecBytes> result) ABSL_LOCKS_EXCLUDED(mutex_);
  void Match(const CecBytes& message) ABSL_LOCKS_EXCLUDED(mutex_);

  Hardware& hardware_;
  const std::function<void(CecBytes)> on_message_;

  base::Mutex mutex_;
  bool up_ ABSL_GUARDED_BY(mutex_) = false;
  uint16_t physical_address_ ABSL_GUARDED_BY(mutex_) = 0xffff;
  uint32_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::deque<CecBytes> rx_ ABSL_GUARDED_BY(mutex_);
  std::deque<Sent> sent_ ABSL_GUARDED_BY(mutex_);  // at most kSlots
  Slot slots_[kSlots] ABSL_GUARDED_BY(mutex_);     // timeout_work: set at construction
  Counts counts_ ABSL_GUARDED_BY(mutex_);

  DriverWork tx_work_;
  DriverWork rx_work_;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_CEC_H_
