// SPDX-License-Identifier: BSD-3-Clause
//
// i2c_hardware.h -- a real machine's DDC behind the driver: /dev/i2c-N.
//
// The kernel's own driver has the transmitter: this one looks on.  Plugging is found
// by asking for the EDID's address once a second; mode, InfoFrames and mute are
// acknowledged and left to the kernel.  Read-only unless told otherwise: what gets to
// the bus is the reading of the EDID, of SCDC's registers, and of who the HDCP receiver
// is (Bksv, Bcaps, Bstatus, version).  To write An or Aksv would break the picture that
// somebody is looking at.
//
// A transfer blocks its thread for as long as the sink holds the clock, so it has a
// thread of its own: no work item waits for a bus.
// Invariant I1: nothing but what ReadOnlyAllows() accepts is transferred, unless
// Options::allow_writes.
//
// Read on: hardware.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_I2C_HARDWARE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_I2C_HARDWARE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "drivers/hdmi_example/driver/hardware.h"
#include "drivers/hdmi_example/edid/ddc_message.h"
#include "workqueue/base/sync.h"

namespace uwq::hdmi {

// One bus, with I2C_RDWR's semantics.
class I2cBus {
 public:
  virtual ~I2cBus() = default;
  // Performs the messages as one transfer and fills what was read.  Returns 0 or what
  // the kernel says, negative (HDMI_DDC_*).  One caller at a time.  Blocks.
  virtual int Transfer(std::vector<DdcMessage>& messages) = 0;
};

// Errors: NotFound, PermissionDenied (with the path), InvalidArgument (no I2C bus, or
// one that can neither combine messages nor read single bytes).
absl::StatusOr<std::unique_ptr<I2cBus>> OpenLinuxI2c(const std::string& path);

// Whether a transfer only looks.
bool ReadOnlyAllows(const std::vector<DdcMessage>& messages);

class I2cHardware : public Hardware {
 public:
  struct Options {
    bool allow_writes = false;
    absl::Duration presence = absl::Seconds(1);          // how often a plug is looked for
    absl::Duration heartbeat = absl::Milliseconds(250);  // to the driver, which expects one
  };
  // Commands that wait for the bus.
  static constexpr size_t kCommandsMax = 64;

  I2cHardware(std::unique_ptr<I2cBus> bus, const Options& options)
      : bus_(std::move(bus)), options_(options) {}
  ~I2cHardware() override { Stop(); }

  absl::Status Start(Handler* handler) override;
  void Stop() override ABSL_LOCKS_EXCLUDED(mutex_);
  // Errors also: PermissionDenied, for what a looker-on must not do.
  absl::Status Send(const HdmiCommand& command) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Main() ABSL_LOCKS_EXCLUDED(mutex_);
  void Execute(const HdmiCommand& command);
  void LookForSink();
  void Raise(hdmi_event_type type, uint16_t len, HdmiEvent event);

  const std::unique_ptr<I2cBus> bus_;
  const Options options_;
  Handler* handler_ = nullptr;  // the thread's, once it runs
  base::Mutex mutex_;
  base::CondVar changed_;  // with mutex_
  std::deque<HdmiCommand> commands_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  base::Thread thread_;

  // The thread's own.
  uint32_t generation_ = 1, seq_ = 0;
  uint32_t heartbeats_ = 0;
  bool present_ = false;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_I2C_HARDWARE_H_
