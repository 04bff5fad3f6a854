// SPDX-License-Identifier: BSD-3-Clause
//
// kup_hardware.h -- a transmitter behind a KUP channel: in another process, or in a
// kernel module.
//
// Each message is one record of hdmi_abi.h with its bulk bytes.  Events are handed
// over on the event loop itself (OnDirect): the driver only latches and queues, so a
// queue in between would add latency and nothing else.
// Invariant: the handler is called by one thread at a time.
// Read on: hardware.h, kup_bridge/bridge.h, device_host.h (the other end).
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_KUP_HARDWARE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_KUP_HARDWARE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drivers/hdmi_example/driver/hardware.h"
#include "kup_bridge/bridge.h"
#include "workqueue/base/sync.h"
#include "workqueue/workqueue.h"

namespace uwq::hdmi {

// Types of KUP messages; the record says what it is.
enum KupMessageType : uint16_t { kKupEvent = 1, kKupCommand = 2 };

class KupHardware final : public Hardware {
 public:
  struct Options {
    Runtime* runtime = nullptr;
    absl::Duration spin = absl::ZeroDuration();  // see kup::BridgeOptions
    // After the device was lost: look for it again so often.
    absl::Duration reconnect = absl::Milliseconds(50);
  };
  // Errors: those of kup::Bridge::Open, e.g. NotFound "sim:hdmi0: ...".  Sleeps.
  static absl::StatusOr<std::unique_ptr<KupHardware>> Open(absl::string_view device,
                                                           const Options& options);
  ~KupHardware() override { Stop(); }

  absl::Status Start(Handler* handler) override;
  void Stop() override;
  absl::Status Send(const HdmiCommand& command) override;

  kup::BridgeStats stats() const { return bridge_->stats(); }

 private:
  KupHardware(std::unique_ptr<Workqueue> link_wq, std::unique_ptr<kup::Bridge> bridge)
      : link_wq_(std::move(link_wq)), bridge_(std::move(bridge)) {}
  void OnMessage(absl::Span<const uint8_t> data) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnState(kup::DeviceState state) ABSL_LOCKS_EXCLUDED(mutex_);

  std::unique_ptr<Workqueue> link_wq_;  // after bridge_ is gone: its works run here
  std::unique_ptr<kup::Bridge> bridge_;
  base::Mutex mutex_;  // held over the handler: records and OnLink come from two threads
  Handler* handler_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool started_ = false, stopped_ = false;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_KUP_HARDWARE_H_
