// SPDX-License-Identifier: BSD-3-Clause
//
// hardware.h -- what the driver needs of a transmitter: somewhere to send commands,
// and events that come back.  Your hardware goes behind this (../README.md).
//
// Invariant: Send() never blocks; whatever takes time ends in an event.  Therefore
// nothing in the driver ever waits, and there is no abort channel to invent.
//
// The vocabulary is hdmi_abi.h: a DDC transfer is DDC_XFER and ends in DDC_DONE, a
// mode set is SET_MODE and ends in MODE_DONE, HPD changes raise HPD, ...
// Read on: kup_hardware.h (another process), sim_hardware.h (this one), i2c_hardware.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HARDWARE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HARDWARE_H_

#include "absl/status/status.h"
#include "drivers/hdmi_example/device/hdmi_records.h"

namespace uwq::hdmi {

class Hardware {
 public:
  // The driver's side: like an interrupt handler.  Calls come one at a time, from
  // one thread or another, and return quickly.
  class Handler {
   public:
    virtual ~Handler() = default;
    // A record from the device, of which nothing has been checked.
    virtual void OnEvent(const HdmiEvent& event) = 0;
    // The device can be reached, or no longer (its process died, the channel broke).
    // `up` may be said again without a loss in between being seen.
    virtual void OnLink(bool up) = 0;
  };

  virtual ~Hardware() = default;

  // Opens the source of events; OnLink(true) follows.  Called once, last of all.
  virtual absl::Status Start(Handler* handler) = 0;
  // Closes it: on return no call of the handler runs and none will come.  Called
  // first of all at the end; Send() still works.  Sleeps.
  virtual void Stop() = 0;

  // Takes a command.  Errors: Unavailable (no device), ResourceExhausted, and what
  // the device refuses at once.  Any thread; never blocks.
  virtual absl::Status Send(const HdmiCommand& command) = 0;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HARDWARE_H_
