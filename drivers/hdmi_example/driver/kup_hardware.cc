// SPDX-License-Identifier: BSD-3-Clause
//
// kup_hardware.cc -- see kup_hardware.h.
// Invariant: a record is copied out of the shared memory before anything is decided on it.
#include "drivers/hdmi_example/driver/kup_hardware.h"

#include <string.h>

#include <utility>
#include <vector>

namespace uwq::hdmi {

absl::StatusOr<std::unique_ptr<KupHardware>> KupHardware::Open(absl::string_view device,
                                                               const Options& options) {
  auto link_wq = Workqueue::CreateOrdered("hdmi-link", options.runtime);
  if (!link_wq.ok()) return link_wq.status();
  kup::BridgeOptions bridge_options;
  bridge_options.runtime = options.runtime;
  bridge_options.spin = options.spin;
  bridge_options.reconnect = options.reconnect;
  auto bridge = kup::Bridge::Open(device, 0, bridge_options);
  if (!bridge.ok()) return bridge.status();
  return std::unique_ptr<KupHardware>(new KupHardware(*std::move(link_wq), *std::move(bridge)));
}

absl::Status KupHardware::Start(Handler* handler) {
  {
    base::MutexLock lock(&mutex_);
    handler_ = handler;
  }
  absl::Status s = bridge_->OnDirect(kKupEvent, [this](kup::Message& m) { OnMessage(m.data()); });
  if (s.ok()) s = bridge_->OnState(*link_wq_, [this](kup::DeviceState d) { OnState(d); });
  if (s.ok()) s = bridge_->Start();
  if (!s.ok()) return s;
  started_ = true;
  // Read under the lock: else a death in between could be told first, and then "up".
  base::MutexLock lock(&mutex_);
  handler->OnLink(bridge_->state() == kup::DeviceState::kReady);
  return absl::OkStatus();
}

void KupHardware::Stop() {
  if (!started_ || stopped_) return;
  stopped_ = true;
  {
    base::MutexLock lock(&mutex_);
    handler_ = nullptr;  // OnState() may still come
  }
  bridge_->Quiesce();
}

absl::Status KupHardware::Send(const HdmiCommand& command) {
  if (command.bulk.empty()) {
    return bridge_->Send(
        kKupCommand, {reinterpret_cast<const uint8_t*>(&command.record), sizeof(command.record)});
  }
  std::vector<uint8_t> message(sizeof(command.record) + command.bulk.size());
  memcpy(message.data(), &command.record, sizeof(command.record));
  memcpy(message.data() + sizeof(command.record), command.bulk.data(), command.bulk.size());
  return bridge_->Send(kKupCommand, message);
}

void KupHardware::OnMessage(absl::Span<const uint8_t> data) {
  HdmiEvent event;  // of type NONE, which the driver counts as bad, if it is too short
  if (data.size() >= sizeof(event.record)) {
    memcpy(&event.record, data.data(), sizeof(event.record));
    data.remove_prefix(sizeof(event.record));
    event.bulk.assign(data.begin(), data.end());
  }
  base::MutexLock lock(&mutex_);
  if (handler_ != nullptr) handler_->OnEvent(event);
}

void KupHardware::OnState(kup::DeviceState state) {
  base::MutexLock lock(&mutex_);
  if (handler_ != nullptr) handler_->OnLink(state == kup::DeviceState::kReady);
}

}  // namespace uwq::hdmi
