// SPDX-License-Identifier: BSD-3-Clause
// hdmi_records.h: builds commands and checks events of hdmi_abi.h, for C++.
//
// Invariant: CheckEvent() and ParseDdcReply() are what stands between a record
// from another process and the driver's state; after them lengths and indices
// can be believed.
//
// Threads: pure functions; any thread.  Blocks: never.
// Read on: hdmi_abi.h, sim_device.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_RECORDS_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_RECORDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "drivers/hdmi_example/device/hdmi_abi.h"
#include "drivers/hdmi_example/device/hdmi_inject.h"
#include "drivers/hdmi_example/edid/ddc_message.h"
#include "drivers/hdmi_example/video/info_frame.h"
#include "drivers/hdmi_example/video/mode_choice.h"

namespace uwq::hdmi {

struct HdmiCommand {
  hdmi_cmd record = {};
  std::vector<uint8_t> bulk;
};

struct HdmiEvent {
  hdmi_event record = {};
  std::vector<uint8_t> bulk;
};

// `generation` is the one that the driver believes in; 0 is any.
HdmiCommand ValueCommand(hdmi_cmd_type type, uint32_t generation, uint64_t value, uint32_t id = 0);

// Errors: InvalidArgument for more than 8 messages, or more bytes than a bulk
// message holds.
absl::StatusOr<HdmiCommand> DdcCommand(uint32_t id, uint32_t generation,
                                       absl::Span<const DdcMessage> messages);

HdmiCommand SetModeCommand(uint32_t id, uint32_t generation, const LinkMode& mode);

// Errors: InvalidArgument for a frame that CheckInfoFrame() refuses or that has
// more than 32 bytes.
absl::StatusOr<HdmiCommand> InfoFrameCommand(uint32_t generation, const InfoFrame& frame);
// No more frames of this type; nothing is acknowledged.
HdmiCommand InfoFrameOffCommand(uint32_t generation, uint8_t type);

// Errors: InvalidArgument for an empty message or one of more than 16 bytes.
absl::StatusOr<HdmiCommand> CecCommand(uint32_t id, uint32_t generation,
                                       absl::Span<const uint8_t> bytes);

HdmiCommand HdcpStartCommand(uint32_t id, uint32_t generation, uint64_t an, uint64_t bksv,
                             bool repeater);

struct InjectStep {
  hdmi_inject_op op = HDMI_OP_NONE;
  int64_t a = 0, b = 0;
  int64_t delay_ns = 0;
  hdmi_when when = HDMI_WHEN_NOW;
  int arg = 0;
};
HdmiCommand InjectCommand(const InjectStep& step);

// What a sink slot is loaded with.
struct SinkSpec {
  std::vector<uint8_t> edid;
  uint32_t flags = HDMI_SINK_HDCP14;
  uint32_t device = 1;      // index under the authority; 0 is the transmitter
  uint32_t downstream = 0;  // behind a repeater
  uint32_t depth = 0;
  uint64_t authority = 0;  // 0: the device's own
};
// A plain sink for this EDID: HDCP 1.4; SCDC and CEC as the EDID says.  An EDID
// that cannot be parsed makes a sink that shows these very bytes.
SinkSpec SinkForEdid(std::vector<uint8_t> edid, uint32_t device = 1);
absl::StatusOr<HdmiCommand> SinkLoadCommand(int slot, const SinkSpec& sink);

// Whether a record from the device can be used: known type, payload length,
// announced bulk length, port.  Errors: DataLoss naming the field and its value.
absl::Status CheckEvent(const hdmi_event& event, size_t bulk_len);

// Splits the bytes of a completed transfer over its reads (data of each read).
// Errors: those of DdcStatus(); DataLoss if there are more or fewer bytes than
// asked for.
absl::Status ParseDdcReply(const HdmiEvent& event, std::vector<DdcMessage>& messages);

// The status of a transfer: Unavailable (NAK), Aborted (arbitration),
// DeadlineExceeded, Cancelled, ...
absl::Status DdcStatus(int status);

const char* EventTypeName(int type);
const char* CommandTypeName(int type);
const char* InjectOpName(int op);
const char* WhenName(int when);
std::string EventToString(const HdmiEvent& event);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_RECORDS_H_
