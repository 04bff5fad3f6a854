// SPDX-License-Identifier: BSD-3-Clause
//
// hdcp_machine.h -- what HDCP authentication looks like to the driver: a state
// machine that never waits.  Each call returns what is to be done next; the driver
// turns that into a DDC request, a re-armed work, a watchdog.
//
// Invariant: after each call at most one thing is outstanding: a transfer (answer
// it by Done()) or a delay (answer it by Step()).  The watchdog runs beside it.
//
// The protocol's times are here and nowhere else; threads, queues and the bus are
// not.  Read on: hdcp_machine_base.h, protection.cc (who drives it).
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP_MACHINE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP_MACHINE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "drivers/hdmi_example/edid/ddc_message.h"

namespace uwq::hdmi {

struct HdcpAction {
  enum class Verdict {
    kNone,           // under way, or nothing has changed
    kAuthenticated,  // the link is protected, from here on CheckLink()
    kFailed,         // this attempt, or the link, is over
    kRefused,        // over, and trying again is of no use before something changes
    kUnsupported,    // the sink does not speak this version
  };

  std::vector<DdcMessage> transfer;        // not empty: perform it
  std::optional<absl::Duration> again;     // else: Step() after this
  std::optional<absl::Duration> watchdog;  // arm it
  bool stop_watchdog = false;
  std::optional<bool> encrypt;  // switch encryption
  Verdict verdict = Verdict::kNone;
  std::string note;  // for the log: what was found
};

// What CheckLink() may know of the link.
struct LinkView {
  uint64_t frame = 0;  // encrypted frames, as the transmitter last said
};

class HdcpMachine {
 public:
  virtual ~HdcpMachine() = default;
  virtual const char* name() const = 0;
  // A link that is authenticated is checked at least so often.
  virtual absl::Duration link_period() const = 0;

  // A fresh attempt, from any state.  `attempt` counts from 0 since the plug.
  virtual HdcpAction Start(int attempt) = 0;
  // The delay of the last action is over.
  virtual HdcpAction Step() = 0;
  // The transfer has ended.
  virtual HdcpAction Done(const absl::StatusOr<std::vector<DdcMessage>>& result) = 0;
  virtual HdcpAction Watchdog() = 0;
  // Authenticated: begins a check of the link (kNone with a transfer), to be
  // followed by Done().
  virtual HdcpAction CheckLink(const LinkView& view) = 0;
  // The list of revoked receivers has changed: kRefused if it names one of these.
  virtual HdcpAction CheckRevocation() = 0;
  // Back to the beginning, nothing outstanding.
  virtual void Stop() = 0;

  virtual bool authenticated() const = 0;
  virtual bool idle() const = 0;
  // For the log.
  virtual std::string state() const = 0;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP_MACHINE_H_
