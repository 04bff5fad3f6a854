// SPDX-License-Identifier: BSD-3-Clause
// sim_device.cc: see sim_device.h.
// Invariant: no state beside the C model's.
// Read on: hdmi_device.c.
#include "drivers/hdmi_example/device/sim_device.h"

#include <openssl/sha.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace uwq::hdmi {
namespace {

void Sha1(const uint8_t* data, size_t len, uint8_t digest[20]) { SHA1(data, len, digest); }

absl::Status FromErrno(int result, std::string what) {
  switch (result) {
    case 0:
      return absl::OkStatus();
    case -ESTALE:
      return absl::FailedPreconditionError(
          absl::StrCat(what, ": of an earlier generation of the transmitter"));
    case -ENOSPC:
      return absl::ResourceExhaustedError(absl::StrCat(what, ": the device's script is full"));
    default:
      return absl::InvalidArgumentError(absl::StrCat(what, ": refused by the device"));
  }
}

}  // namespace

hdmi_device_ops DefaultDeviceOps() {
  hdmi_device_ops ops = {};
  ops.sha1 = Sha1;
  return ops;
}

SimDevice::SimDevice(const Options& options) : device_(std::make_unique<hdmi_device>()) {
  hdmi_device_init(device_.get(), &options.ops, options.seed, options.authority, options.start_ns);
}

absl::Status SimDevice::LoadSink(int slot, const SinkSpec& sink) {
  absl::StatusOr<HdmiCommand> command = SinkLoadCommand(slot, sink);
  if (!command.ok()) return command.status();
  return FromErrno(hdmi_device_command(device_.get(), device_->now_ns, &command->record,
                                       command->bulk.data(), command->bulk.size()),
                   absl::StrFormat("sink in slot %d", slot));
}

absl::Status SimDevice::Inject(const InjectStep& step) {
  const HdmiCommand command = InjectCommand(step);
  return FromErrno(hdmi_device_command(device_.get(), device_->now_ns, &command.record, nullptr, 0),
                   absl::StrFormat("%s(%d, %d) when %s", InjectOpName(step.op), step.a, step.b,
                                   WhenName(step.when)));
}

absl::Status SimDevice::Command(int64_t now_ns, const HdmiCommand& command) {
  return FromErrno(hdmi_device_command(device_.get(), now_ns, &command.record, command.bulk.data(),
                                       command.bulk.size()),
                   CommandTypeName(command.record.type));
}

std::optional<HdmiEvent> SimDevice::Pop() {
  HdmiEvent event;
  event.bulk.resize(HDMI_BULK_MAX);
  size_t nr = 0;
  if (!hdmi_device_pop(device_.get(), &event.record, event.bulk.data(), event.bulk.size(), &nr)) {
    return std::nullopt;
  }
  event.bulk.resize(nr);
  return event;
}

}  // namespace uwq::hdmi
