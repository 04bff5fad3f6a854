// SPDX-License-Identifier: BSD-3-Clause
//
// device_host.cc -- see device_host.h.
// Invariant: one thread; the model is never behind its clock while it posts.
#include "drivers/hdmi_example/demo/device_host.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/hdmi_example/device/hdcp22_sink.h"
#include "drivers/hdmi_example/device/sim_device.h"
#include "drivers/hdmi_example/driver/kup_hardware.h"
#include "kup_bridge/kupdev.h"

namespace uwq::hdmi {
namespace {

constexpr int64_t kLookNs = 50'000'000;  // at stop() and at a channel that is full

int64_t MonotonicNs() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1'000'000'000LL + ts.tv_nsec;
}

// The commands that have come, each copied before it is looked at.
void TakeCommands(kupdev_softc* channel, SimDevice& device, const std::function<int64_t()>& now) {
  kup_msg msg;
  // Also a channel without a user is looked at: what a dead one has sent still counts.
  while (kupdev_take(channel, 0, &msg, 0) == 0) {
    HdmiCommand command;
    if (msg.type == kKupCommand && msg.len >= sizeof(command.record)) {
      const uint8_t* const bytes = static_cast<const uint8_t*>(msg.data);
      memcpy(&command.record, bytes, sizeof(command.record));
      command.bulk.assign(bytes + sizeof(command.record), bytes + msg.len);
      // What it refuses it refuses; the driver learns of it by an event, or by none.
      (void)device.Command(now(), command);
    }
    (void)kupdev_give_back(channel, 0, &msg, 1);
  }
}

void PostEvents(kupdev_softc* channel, SimDevice& device, bool machine_clock) {
  std::vector<uint8_t> message;
  while (auto event = device.Pop()) {
    if (machine_clock) event->record.time_ns = static_cast<uint64_t>(MonotonicNs());
    message.resize(sizeof(event->record));
    memcpy(message.data(), &event->record, sizeof(event->record));
    message.insert(message.end(), event->bulk.begin(), event->bulk.end());
    // -EAGAIN: the driver does not fetch; its sequence numbers will tell it.
    (void)kupdev_post(channel, 0, kKupEvent, message.data(), static_cast<uint32_t>(message.size()));
  }
}

}  // namespace

absl::Status RunDeviceHost(const DeviceHostOptions& options) {
  kupdev_opts opts = {};
  opts.n_channels = 1;
  kupdev_softc* channel = nullptr;
  if (const int error = kupdev_open(options.name.c_str(), &opts, &channel); error < 0) {
    const std::string text = absl::StrCat("device \"", options.name, "\": ", strerror(-error));
    return error == -EEXIST ? absl::AlreadyExistsError(text) : absl::InvalidArgumentError(text);
  }
  const int64_t epoch = options.machine_clock ? 0 : MonotonicNs();
  const std::function<int64_t()> now = [&] {
    return static_cast<int64_t>(static_cast<double>(MonotonicNs() - epoch) * options.speed);
  };
  SimDevice::Options device_options;
  device_options.seed = options.seed;
  device_options.start_ns = now();
  std::unique_ptr<Hdcp22Sinks> receivers;
  if (options.hdcp22) {
    auto made = Hdcp22Sinks::Standard(HDCP14_SIM_SEED);
    if (!made.ok()) return made.status();
    receivers = *std::move(made);
    device_options.ops = receivers->Ops();
  }
  SimDevice device(device_options);
  if (options.ready) options.ready();

  while (!options.stop()) {
    TakeCommands(channel, device, now);
    device.Step(now());
    PostEvents(channel, device, options.machine_clock);
    const int64_t left = device.Deadline() - now();
    int64_t wait = static_cast<int64_t>(static_cast<double>(left) / options.speed);
    wait = std::clamp<int64_t>(wait, 0, kLookNs);
    if (wait == 0) continue;
    const timespec timeout{wait / 1'000'000'000, wait % 1'000'000'000};
    pollfd fd{kupdev_fd(channel, 0), POLLIN, 0};
    (void)ppoll(&fd, 1, &timeout, nullptr);
  }
  (void)kupdev_unload(channel);
  return absl::OkStatus();
}

}  // namespace uwq::hdmi
