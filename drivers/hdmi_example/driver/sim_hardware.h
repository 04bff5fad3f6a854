// SPDX-License-Identifier: BSD-3-Clause
//
// sim_hardware.h -- the simulated device in this very process: for tests (on virtual
// time under the explorer) and for programs without a second process.
//
// Invariant: the device model is touched under one lock; the handler is called by
// one thread, without that lock.
// Read on: hardware.h, ../device/sim_device.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_SIM_HARDWARE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_SIM_HARDWARE_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "drivers/hdmi_example/device/sim_device.h"
#include "drivers/hdmi_example/driver/hardware.h"
#include "workqueue/base/sync.h"

namespace uwq::hdmi {

// The device and its thread.  Outlives drivers: one may go and another attach.
class SimDeviceHost {
 public:
  // `speed`: the device's seconds in one second of this machine.  Errors:
  // ResourceExhausted (no thread).
  static absl::StatusOr<std::unique_ptr<SimDeviceHost>> Create(const SimDevice::Options& options,
                                                               double speed = 1);
  ~SimDeviceHost();

  // Under the device's lock; then the device looks at its deadlines anew.
  void With(const std::function<void(SimDevice&)>& fn) ABSL_LOCKS_EXCLUDED(mutex_);
  // As if its process died, or came back: the driver sees OnLink().
  void SetReachable(bool reachable) ABSL_LOCKS_EXCLUDED(mutex_);
  // As if it was killed and another one started, with nothing plugged.
  void Replace(const SimDevice::Options& options) ABSL_LOCKS_EXCLUDED(mutex_);
  // The driver's process stands still: for `ns` of the device's time nothing is
  // delivered, then everything at once.
  void Pause(int64_t ns) ABSL_LOCKS_EXCLUDED(mutex_);
  // The device's time.
  int64_t now_ns() const;

 private:
  friend class SimHardware;
  SimDeviceHost(const SimDevice::Options& options, double speed);
  void Main() ABSL_LOCKS_EXCLUDED(mutex_);
  void Attach(Hardware::Handler* handler) ABSL_LOCKS_EXCLUDED(mutex_);
  void Detach() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Send(const HdmiCommand& command) ABSL_LOCKS_EXCLUDED(mutex_);

  const double speed_;
  const base::Nanos epoch_ns_;
  base::Mutex mutex_;
  base::CondVar changed_;  // with mutex_
  std::unique_ptr<SimDevice> device_ ABSL_GUARDED_BY(mutex_);
  Hardware::Handler* handler_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool reachable_ ABSL_GUARDED_BY(mutex_) = true;
  bool told_reachable_ ABSL_GUARDED_BY(mutex_) = false;
  bool calling_ ABSL_GUARDED_BY(mutex_) = false;  // the handler, without the lock
  base::Nanos paused_until_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  base::Thread thread_;
};

// A driver's end of it.
class SimHardware : public Hardware {
 public:
  explicit SimHardware(SimDeviceHost& host) : host_(host) {}
  ~SimHardware() override { host_.Detach(); }
  absl::Status Start(Handler* handler) override {
    host_.Attach(handler);
    return absl::OkStatus();
  }
  void Stop() override { host_.Detach(); }
  absl::Status Send(const HdmiCommand& command) override { return host_.Send(command); }

 private:
  SimDeviceHost& host_;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_SIM_HARDWARE_H_
