// SPDX-License-Identifier: BSD-3-Clause
//
// ddc_engine.h -- one DDC bus for several works, without anybody waiting for it.
//
// A work submits a request and returns.  When the transfer has ended, well or not,
// the work that the request names is queued; it then finds the result in the request.
//
// Invariant D1: one transfer is on the wire at a time, requests go in the order of
// Submit().  Invariant D2: each request that was submitted ends exactly once: by its
// completion, by its time-out, or by AbortAll(); what comes for it later is counted
// as stale and dropped, by its id.
//
// Read on: hdmi_driver.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_DDC_ENGINE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_DDC_ENGINE_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "drivers/hdmi_example/driver/driver_work.h"
#include "drivers/hdmi_example/driver/hardware.h"
#include "drivers/hdmi_example/edid/ddc_message.h"
#include "workqueue/base/sync.h"

namespace uwq::hdmi {

class DdcEngine;

// What one user of the bus asks for; embed it beside the work that goes on with it.
class DdcRequest {
 public:
  // `then` is queued when the result is there.  All requests are made before the
  // first is submitted.
  DdcRequest(DdcEngine& engine, DriverWork* then);
  DdcRequest(const DdcRequest&) = delete;
  DdcRequest& operator=(const DdcRequest&) = delete;

 private:
  friend class DdcEngine;
  enum class State { kIdle, kWaiting, kOnWire, kDone };
  DriverWork* const then_;
  // The rest belongs to DdcEngine::mutex_.
  State state_ = State::kIdle;
  uint32_t id_ = 0;
  std::vector<DdcMessage> messages_;
  absl::Status status_;
};

using DdcMessages = std::vector<DdcMessage>;

class DdcEngine {
 public:
  struct Counts {
    int64_t transfers = 0, failed = 0, timed_out = 0, stale = 0, aborted = 0;
  };

  // `timeout_work` must call OnTimeout().  `timeout`: of one transfer on the wire.
  DdcEngine(Hardware& hardware, DriverWork& timeout_work, absl::Duration timeout)
      : hardware_(hardware), timeout_work_(timeout_work), timeout_(timeout) {}

  // Asks for a transfer; `request` is idle.  Any work of the port.
  void Submit(DdcRequest& request, DdcMessages messages) ABSL_LOCKS_EXCLUDED(mutex_);
  // The result, once: the messages with what was read, or why not.  Nothing while
  // the transfer is under way, or if there was none.
  std::optional<absl::StatusOr<DdcMessages>> Take(DdcRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  // Submitted, and its result was not taken yet.
  bool Busy(const DdcRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);

  // Gives the request up, whatever its state: its work is not queued for it any more.
  void Forget(DdcRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);

  // DDC_DONE, from the event thread.
  void OnDone(const HdmiEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnTimeout() ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets all requests and results: with the gate of the port closed, when nobody waits for
  // them.  What is on the wire is aborted, which also recovers a hung bus.
  void AbortAll() ABSL_LOCKS_EXCLUDED(mutex_);

  // Commands of another generation are refused by the device.
  void set_generation(uint32_t generation) ABSL_LOCKS_EXCLUDED(mutex_);
  Counts counts() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class DdcRequest;
  // Starts what waits, if the bus is free.  A refused command ends its request;
  // their works are appended to `ended`.
  void StartLocked(std::vector<DriverWork*>& ended) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLocked(absl::Status status, std::vector<DriverWork*>& ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Nothing is on the wire any more, and nothing is waited for.
  void FreeBusLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Hardware& hardware_;
  DriverWork& timeout_work_;
  const absl::Duration timeout_;

  std::vector<DdcRequest*> all_;  // complete before the first Submit()

  base::Mutex mutex_;  // under it: Hardware::Send(), and calls of works that never sleep
  DdcRequest* current_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::deque<DdcRequest*> waiting_ ABSL_GUARDED_BY(mutex_);
  uint32_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  uint32_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of the transfer on the wire.  A time-out that fired for the one before it, and
  // runs only now, sees that this one is not due.
  base::Nanos deadline_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
};

inline DdcRequest::DdcRequest(DdcEngine& engine, DriverWork* then) : then_(then) {
  engine.all_.push_back(this);
}

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_DDC_ENGINE_H_
