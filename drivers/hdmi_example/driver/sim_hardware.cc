// SPDX-License-Identifier: BSD-3-Clause
//
// sim_hardware.cc -- see sim_hardware.h.
// Invariant: told_reachable_ is what the handler was told last.
#include "drivers/hdmi_example/driver/sim_hardware.h"

#include <cmath>
#include <optional>
#include <utility>

namespace uwq::hdmi {

absl::StatusOr<std::unique_ptr<SimDeviceHost>> SimDeviceHost::Create(
    const SimDevice::Options& options, double speed) {
  std::unique_ptr<SimDeviceHost> host(new SimDeviceHost(options, speed));
  base::Thread::Options thread_options;
  thread_options.name = "hdmi-device";
  SimDeviceHost* const raw = host.get();
  absl::StatusOr<base::Thread> thread = base::Thread::Start(thread_options, [raw] { raw->Main(); });
  if (!thread.ok()) return thread.status();
  host->thread_ = *std::move(thread);
  return host;
}

SimDeviceHost::SimDeviceHost(const SimDevice::Options& options, double speed)
    : speed_(speed), epoch_ns_(base::Now()), device_(std::make_unique<SimDevice>(options)) {}

SimDeviceHost::~SimDeviceHost() {
  {
    base::MutexLock lock(&mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.Join();
}

int64_t SimDeviceHost::now_ns() const {
  return static_cast<int64_t>(static_cast<double>(base::Now() - epoch_ns_) * speed_);
}

void SimDeviceHost::With(const std::function<void(SimDevice&)>& fn) {
  base::MutexLock lock(&mutex_);
  device_->Step(now_ns());
  fn(*device_);
  changed_.NotifyAll();
}

void SimDeviceHost::SetReachable(bool reachable) {
  base::MutexLock lock(&mutex_);
  reachable_ = reachable;
  changed_.NotifyAll();
}

void SimDeviceHost::Replace(const SimDevice::Options& options) {
  base::MutexLock lock(&mutex_);
  SimDevice::Options fresh = options;
  fresh.start_ns = now_ns();
  device_ = std::make_unique<SimDevice>(fresh);
  changed_.NotifyAll();
}

void SimDeviceHost::Pause(int64_t ns) {
  base::MutexLock lock(&mutex_);
  paused_until_ns_ = base::Now() + static_cast<base::Nanos>(static_cast<double>(ns) / speed_);
}

void SimDeviceHost::Attach(Hardware::Handler* handler) {
  base::MutexLock lock(&mutex_);
  handler_ = handler;
  told_reachable_ = false;
  changed_.NotifyAll();
}

void SimDeviceHost::Detach() {
  base::MutexLock lock(&mutex_);
  handler_ = nullptr;
  while (calling_) changed_.Wait(&mutex_);
}

absl::Status SimDeviceHost::Send(const HdmiCommand& command) {
  base::MutexLock lock(&mutex_);
  if (!reachable_) return absl::UnavailableError("the device is gone");
  const absl::Status s = device_->Command(now_ns(), command);
  changed_.NotifyAll();
  return s;
}

void SimDeviceHost::Main() {
  base::MutexLock lock(&mutex_);
  while (!stop_) {
    device_->Step(now_ns());
    if (base::Now() < paused_until_ns_) {
      (void)changed_.WaitUntil(&mutex_, paused_until_ns_);
      continue;
    }
    Hardware::Handler* const handler = handler_;
    std::optional<HdmiEvent> event;
    const bool tell_link = handler != nullptr && told_reachable_ != reachable_;
    // Nobody listens, or nobody can be reached: what is said is lost.
    if (!tell_link) event = device_->Pop();
    if (tell_link || event.has_value()) {
      const bool deliver = handler != nullptr && (tell_link || reachable_);
      const bool reachable = reachable_;
      told_reachable_ = tell_link ? reachable : told_reachable_;
      if (!deliver) continue;
      calling_ = true;
      mutex_.Unlock();
      if (tell_link) {
        handler->OnLink(reachable);
      } else {
        handler->OnEvent(*event);
      }
      mutex_.Lock();
      calling_ = false;
      changed_.NotifyAll();
      continue;
    }
    const int64_t deadline = device_->Deadline();
    if (deadline == HDMI_DEV_NEVER) {
      changed_.Wait(&mutex_);
      continue;
    }
    const base::Nanos wait =
        epoch_ns_ + static_cast<base::Nanos>(std::ceil(static_cast<double>(deadline) / speed_));
    (void)changed_.WaitUntil(&mutex_, wait);
  }
}

}  // namespace uwq::hdmi
