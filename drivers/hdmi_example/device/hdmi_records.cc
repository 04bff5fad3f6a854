// SPDX-License-Identifier: BSD-3-Clause
// hdmi_records.cc: see hdmi_records.h.
// Invariant: no function here looks at a union member before the type is known.
// Read on: sim_device_test.cc.
#include "drivers/hdmi_example/device/hdmi_records.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hdmi_example/edid/edid.h"

namespace uwq::hdmi {
namespace {

// Payload bytes of each event type, in the order of enum hdmi_event_type.
constexpr uint16_t kEventBytes[] = {0, 4, 4, 12, 17, 8, 8, 8, 4, 4, 8, 8, 8, 16};
static_assert(std::size(kEventBytes) == HDMI_EV_NR);

constexpr const char* kEventNames[] = {
    "NONE",     "HPD",         "RXSENSE",  "DDC_DONE", "CEC_RX",    "CEC_TX_DONE", "IF_ACK",
    "VSYNC128", "HDCP_STATUS", "LINK_ERR", "FW_RESET", "HEARTBEAT", "MODE_DONE",   "REG"};
static_assert(std::size(kEventNames) == HDMI_EV_NR);

constexpr const char* kCommandNames[] = {"NONE",       "DDC_XFER",  "DDC_ABORT", "SET_MODE",
                                         "PHY",        "AVMUTE",    "INFOFRAME", "HDCP_CTRL",
                                         "HDCP_START", "CEC_TX",    "IRQ_MASK",  "RESET",
                                         "REG_READ",   "SINK_LOAD", "INJECT"};
static_assert(std::size(kCommandNames) == HDMI_CMD_NR);

constexpr const char* kOpNames[] = {
    "none",         "plug",          "unplug",       "hpd",         "hpd-pulse",   "hpd-bounce",
    "hpd-flood",    "ddc-nak",       "ddc-nak-for",  "ddc-hang",    "ddc-stretch", "ddc-arb",
    "ddc-late",     "ddc-lie",       "edid-corrupt", "edid-nak",    "bksv-bad",    "counterfeit",
    "r0-delay",     "ri-bad",        "ready-delay",  "bstatus",     "v-bad",       "downstream",
    "topology",     "scdc-lose",     "char-errors",  "if-drop",     "cec-reply",   "cec-send",
    "cec-nak",      "fw-reset",      "dead",         "event-flood", "bad-record",  "mode-delay",
    "hdcp22-delay", "hdcp22-reauth", "hdcp22-bad",   "hdcp22-seq"};
static_assert(std::size(kOpNames) == HDMI_OP_NR);

constexpr const char* kWhenNames[] = {"now",  "edid", "aksv",    "ri",       "bcaps",
                                      "fifo", "mode", "encrypt", "vsync128", "cec-tx"};
static_assert(std::size(kWhenNames) == HDMI_WHEN_NR);

const char* Name(absl::Span<const char* const> names, int i) {
  return i >= 0 && static_cast<size_t>(i) < names.size() ? names[static_cast<size_t>(i)] : "?";
}

HdmiCommand Begin(hdmi_cmd_type type, uint32_t id, uint32_t generation, size_t payload) {
  HdmiCommand command;
  command.record.type = static_cast<uint16_t>(type);
  command.record.len = static_cast<uint16_t>(payload);
  command.record.id = id;
  command.record.generation = generation;
  return command;
}

}  // namespace

HdmiCommand ValueCommand(hdmi_cmd_type type, uint32_t generation, uint64_t value, uint32_t id) {
  HdmiCommand command = Begin(type, id, generation, 8);
  command.record.u.value = value;
  return command;
}

absl::StatusOr<HdmiCommand> DdcCommand(uint32_t id, uint32_t generation,
                                       absl::Span<const DdcMessage> messages) {
  if (messages.empty() || messages.size() > HDMI_DDC_MSGS_MAX) {
    return absl::InvalidArgumentError(absl::StrFormat("a DDC transfer has 1..%d messages, not %d",
                                                      HDMI_DDC_MSGS_MAX, messages.size()));
  }
  HdmiCommand command = Begin(HDMI_CMD_DDC_XFER, id, generation, sizeof(command.record.u.ddc));
  command.record.u.ddc.nr = static_cast<uint32_t>(messages.size());
  size_t reads = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    const DdcMessage& m = messages[i];
    if (m.address > 127) {
      return absl::InvalidArgumentError(
          absl::StrFormat("DDC address 0x%02x has more than 7 bits", m.address));
    }
    hdmi_ddc_msg& out = command.record.u.ddc.msg[i];
    out.addr = m.address;
    out.flags =
        static_cast<uint8_t>((m.read ? HDMI_DDC_RD : 0) | (m.ignore_nak ? HDMI_DDC_IGNORE_NAK : 0));
    if (m.read) {
      out.len = m.length;
      reads += m.length;
    } else {
      out.len = static_cast<uint16_t>(std::min<size_t>(m.data.size(), 0xffff));
      command.bulk.insert(command.bulk.end(), m.data.begin(), m.data.end());
    }
  }
  if (reads > HDMI_BULK_MAX || command.bulk.size() > 1024) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a DDC transfer of %d read and %d written bytes, the limits are %d and "
                        "1024",
                        reads, command.bulk.size(), HDMI_BULK_MAX));
  }
  return command;
}

HdmiCommand SetModeCommand(uint32_t id, uint32_t generation, const LinkMode& mode) {
  HdmiCommand command = Begin(HDMI_CMD_SET_MODE, id, generation, sizeof(hdmi_mode_req));
  hdmi_mode_req& req = command.record.u.mode;
  req.clock_khz = mode.timing.clock_khz;
  req.tmds_khz = static_cast<uint32_t>(mode.tmds_khz);
  req.frame_ns = static_cast<uint64_t>(mode.timing.FramePeriodNs());
  req.flags = (mode.scrambling ? HDMI_MODE_SCRAMBLE : 0) | (mode.hdmi ? HDMI_MODE_HDMI : 0);
  req.vic = static_cast<uint32_t>(mode.vic);
  return command;
}

absl::StatusOr<HdmiCommand> InfoFrameCommand(uint32_t generation, const InfoFrame& frame) {
  if (absl::Status s = CheckInfoFrame(frame); !s.ok()) return s;
  HdmiCommand command =
      Begin(HDMI_CMD_INFOFRAME, frame[0], generation, sizeof(command.record.u.infoframe));
  auto& out = command.record.u.infoframe;
  if (frame.size() > sizeof(out.bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("InfoFrame of ", frame.size(), " bytes, a command holds 32"));
  }
  out.type = frame[0];
  out.len = static_cast<uint8_t>(frame.size());
  std::copy(frame.begin(), frame.end(), out.bytes);
  return command;
}

HdmiCommand InfoFrameOffCommand(uint32_t generation, uint8_t type) {
  HdmiCommand command =
      Begin(HDMI_CMD_INFOFRAME, type, generation, sizeof(command.record.u.infoframe));
  command.record.u.infoframe.type = type;
  return command;
}

absl::StatusOr<HdmiCommand> CecCommand(uint32_t id, uint32_t generation,
                                       absl::Span<const uint8_t> bytes) {
  HdmiCommand command = Begin(HDMI_CMD_CEC_TX, id, generation, sizeof(command.record.u.cec));
  if (bytes.empty() || bytes.size() > sizeof(command.record.u.cec.bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a CEC message has 1..16 bytes, not ", bytes.size()));
  }
  command.record.u.cec.len = static_cast<uint8_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), command.record.u.cec.bytes);
  return command;
}

HdmiCommand HdcpStartCommand(uint32_t id, uint32_t generation, uint64_t an, uint64_t bksv,
                             bool repeater) {
  HdmiCommand command =
      Begin(HDMI_CMD_HDCP_START, id, generation, sizeof(command.record.u.hdcp_start));
  command.record.u.hdcp_start.an = an;
  command.record.u.hdcp_start.bksv = bksv;
  command.record.u.hdcp_start.repeater = repeater ? 1 : 0;
  return command;
}

HdmiCommand InjectCommand(const InjectStep& step) {
  HdmiCommand command = Begin(HDMI_CMD_INJECT, 0, 0, sizeof(command.record.u.inject));
  auto& out = command.record.u.inject;
  out.op = static_cast<uint32_t>(step.op);
  out.when = static_cast<uint16_t>(step.when);
  out.arg = static_cast<uint16_t>(step.arg);
  out.delay_ns = step.delay_ns;
  out.a = step.a;
  out.b = step.b;
  return command;
}

SinkSpec SinkForEdid(std::vector<uint8_t> edid, uint32_t device) {
  SinkSpec sink;
  sink.device = device;
  const absl::StatusOr<Edid> parsed = ParseEdid(edid);
  if (parsed.ok()) {
    if (parsed->has_scdc()) sink.flags |= HDMI_SINK_SCDC;
    if (parsed->is_hdmi()) sink.flags |= HDMI_SINK_CEC;
  }
  sink.edid = std::move(edid);
  return sink;
}

absl::StatusOr<HdmiCommand> SinkLoadCommand(int slot, const SinkSpec& sink) {
  if (sink.edid.size() > HDMI_BULK_MAX) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "an EDID of %d bytes, the simulated sink holds %d", sink.edid.size(), HDMI_BULK_MAX));
  }
  HdmiCommand command = Begin(HDMI_CMD_SINK_LOAD, 0, 0, sizeof(hdmi_sink_req));
  hdmi_sink_req& req = command.record.u.sink;
  req.slot = static_cast<uint32_t>(slot);
  req.flags = sink.flags;
  req.device = sink.device;
  req.downstream = sink.downstream;
  req.depth = sink.depth;
  req.authority = sink.authority;
  command.bulk = sink.edid;
  return command;
}

absl::Status CheckEvent(const hdmi_event& event, size_t bulk_len) {
  if (event.type == HDMI_EV_NONE || event.type >= HDMI_EV_NR) {
    return absl::DataLossError(absl::StrCat("event of unknown type ", event.type));
  }
  if (event.len != kEventBytes[event.type]) {
    return absl::DataLossError(absl::StrFormat("%s event with %d payload bytes, should be %d",
                                               kEventNames[event.type], event.len,
                                               kEventBytes[event.type]));
  }
  if (event.type == HDMI_EV_DDC_DONE) {
    if (event.u.ddc_done.len != bulk_len) {
      return absl::DataLossError(absl::StrFormat("DDC_DONE %d announces %d bytes, %d came",
                                                 event.u.ddc_done.id, event.u.ddc_done.len,
                                                 bulk_len));
    }
  } else if (bulk_len != 0) {
    return absl::DataLossError(absl::StrFormat("%s event with %d bulk bytes, should have none",
                                               kEventNames[event.type], bulk_len));
  }
  if (event.type == HDMI_EV_CEC_RX &&
      (event.u.cec.len == 0 || event.u.cec.len > sizeof(event.u.cec.bytes))) {
    return absl::DataLossError(
        absl::StrFormat("CEC_RX event of %d bytes, should be 1..16", event.u.cec.len));
  }
  return absl::OkStatus();
}

absl::Status DdcStatus(int status) {
  switch (status) {
    case 0:
      return absl::OkStatus();
    case HDMI_DDC_NAK:
      return absl::UnavailableError("DDC: address not acknowledged (ENXIO)");
    case HDMI_DDC_NAK_DATA:
      return absl::UnavailableError("DDC: data not acknowledged (EREMOTEIO)");
    case HDMI_DDC_ARBITRATION:
      return absl::AbortedError("DDC: arbitration lost (EAGAIN)");
    case HDMI_DDC_BUSY:
      return absl::ResourceExhaustedError("DDC: a transfer is under way (EBUSY)");
    case HDMI_DDC_TIMEOUT:
      return absl::DeadlineExceededError("DDC: the clock was held too long (ETIMEDOUT)");
    case HDMI_DDC_CANCELED:
      return absl::CancelledError("DDC: transfer aborted (ECANCELED)");
    case HDMI_DDC_STALE:
      return absl::FailedPreconditionError("DDC: the transmitter was reset meanwhile (ESTALE)");
    case HDMI_DDC_INVALID:
      return absl::InvalidArgumentError("DDC: the transfer is malformed (EINVAL)");
    default:
      return absl::UnknownError(absl::StrCat("DDC: status ", status));
  }
}

absl::Status ParseDdcReply(const HdmiEvent& event, std::vector<DdcMessage>& messages) {
  if (event.record.type != HDMI_EV_DDC_DONE) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a DDC_DONE event but ", EventTypeName(event.record.type)));
  }
  if (absl::Status s = DdcStatus(event.record.u.ddc_done.status); !s.ok()) return s;
  size_t wanted = 0;
  for (const DdcMessage& m : messages) wanted += m.read ? m.length : 0;
  if (event.bulk.size() != wanted || event.record.u.ddc_done.len != wanted) {
    return absl::DataLossError(absl::StrFormat("DDC: asked for %d bytes, %d announced, %d came",
                                               wanted, event.record.u.ddc_done.len,
                                               event.bulk.size()));
  }
  size_t at = 0;
  for (DdcMessage& m : messages) {
    if (!m.read) continue;
    m.data.assign(event.bulk.begin() + static_cast<ptrdiff_t>(at),
                  event.bulk.begin() + static_cast<ptrdiff_t>(at + m.length));
    at += m.length;
  }
  return absl::OkStatus();
}

const char* EventTypeName(int type) { return Name(kEventNames, type); }
const char* CommandTypeName(int type) { return Name(kCommandNames, type); }
const char* InjectOpName(int op) { return Name(kOpNames, op); }
const char* WhenName(int when) { return Name(kWhenNames, when); }

std::string EventToString(const HdmiEvent& event) {
  const hdmi_event& e = event.record;
  std::string out =
      absl::StrFormat("%d.%06d %s seq %d gen %d", e.time_ns / 1000000000,
                      e.time_ns / 1000 % 1000000, EventTypeName(e.type), e.seq, e.generation);
  switch (e.type) {
    case HDMI_EV_HPD:
    case HDMI_EV_RXSENSE:
      absl::StrAppend(&out, " level ", e.u.level);
      break;
    case HDMI_EV_DDC_DONE:
      absl::StrAppendFormat(&out, " id %d status %d, %d bytes", e.u.ddc_done.id,
                            e.u.ddc_done.status, event.bulk.size());
      break;
    case HDMI_EV_CEC_RX:
      absl::StrAppend(&out, " ",
                      absl::BytesToHexString(
                          absl::string_view(reinterpret_cast<const char*>(e.u.cec.bytes),
                                            std::min<size_t>(e.u.cec.len, sizeof(e.u.cec.bytes)))));
      break;
    case HDMI_EV_CEC_TX_DONE:
    case HDMI_EV_INFOFRAME_ACK:
    case HDMI_EV_MODE_DONE:
      absl::StrAppendFormat(&out, " id %d status %d", e.u.done.id, e.u.done.status);
      break;
    case HDMI_EV_VSYNC128:
      absl::StrAppend(&out, " frame ", e.u.frame);
      break;
    case HDMI_EV_HDCP_STATUS:
    case HDMI_EV_LINK_ERR:
      absl::StrAppendFormat(&out, " bits 0x%x", e.u.bits);
      break;
    case HDMI_EV_FW_RESET:
      absl::StrAppend(&out, e.u.reset.by_driver ? " by the driver" : " on its own");
      break;
    default:
      break;
  }
  return out;
}

}  // namespace uwq::hdmi
