// SPDX-License-Identifier: BSD-3-Clause
//
// i2c_hardware.cc -- see i2c_hardware.h.
// Invariant: handler_ is called by the thread alone, without mutex_.
#include "drivers/hdmi_example/driver/i2c_hardware.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/hdmi_example/device/hdmi_abi.h"
#include "drivers/hdmi_example/hdcp/hdcp_regs.h"

namespace uwq::hdmi {
namespace {

// The messages of a DDC_XFER; nothing if the command contradicts itself.
std::optional<std::vector<DdcMessage>> MessagesOf(const HdmiCommand& command) {
  const auto& ddc = command.record.u.ddc;
  if (ddc.nr == 0 || ddc.nr > HDMI_DDC_MSGS_MAX) return std::nullopt;
  std::vector<DdcMessage> messages;
  size_t at = 0;
  for (uint32_t i = 0; i < ddc.nr; ++i) {
    const hdmi_ddc_msg& m = ddc.msg[i];
    if ((m.flags & HDMI_DDC_RD) != 0) {
      messages.push_back(DdcMessage::Read(m.addr, m.len));
    } else {
      if (m.len > command.bulk.size() - at) return std::nullopt;
      const auto from = command.bulk.begin() + static_cast<ptrdiff_t>(at);
      messages.push_back(DdcMessage::Write(m.addr, std::vector<uint8_t>(from, from + m.len)));
      at += m.len;
    }
    messages.back().ignore_nak = (m.flags & HDMI_DDC_IGNORE_NAK) != 0;
  }
  return messages;
}

bool MayBeRead(uint8_t address, uint8_t offset) {
  if (address == HDMI_DDC_ADDR_EDID || address == HDMI_DDC_ADDR_SCDC) return true;
  return address == HDMI_DDC_ADDR_HDCP &&
         (offset == HDCP14_REG_BKSV || offset == HDCP14_REG_BCAPS || offset == HDCP14_REG_BSTATUS ||
          offset == HDCP22_REG_VERSION);
}

}  // namespace

bool ReadOnlyAllows(const std::vector<DdcMessage>& messages) {
  for (size_t i = 0; i < messages.size(); ++i) {
    const DdcMessage& m = messages[i];
    if (m.read) return false;  // each read that is allowed was skipped with its write
    if (m.data.size() != 1) return false;
    if (m.address == HDMI_DDC_ADDR_SEGMENT) continue;
    // One byte that says where to read, and the reading: together.
    if (i + 1 == messages.size()) return false;
    const DdcMessage& next = messages[i + 1];
    if (!next.read || next.address != m.address || !MayBeRead(m.address, m.data[0])) return false;
    ++i;
  }
  return !messages.empty();
}

absl::Status I2cHardware::Start(Handler* handler) {
  handler_ = handler;
  auto thread = base::Thread::Start({.name = "hdmi-i2c"}, [this] { Main(); });
  if (!thread.ok()) return thread.status();
  thread_ = *std::move(thread);
  return absl::OkStatus();
}

void I2cHardware::Stop() {
  {
    base::MutexLock lock(&mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.Join();
}

absl::Status I2cHardware::Send(const HdmiCommand& command) {
  switch (command.record.type) {
    case HDMI_CMD_DDC_XFER: {
      const auto messages = MessagesOf(command);
      if (!messages.has_value()) return absl::InvalidArgumentError("a transfer of odd messages");
      if (!options_.allow_writes && !ReadOnlyAllows(*messages)) {
        return absl::PermissionDeniedError(absl::StrCat(
            "read-only: transfer to address ", int{messages->front().address}, " refused"));
      }
      break;
    }
    case HDMI_CMD_HDCP_CTRL:
      if (command.record.u.value == 0) break;
      [[fallthrough]];
    case HDMI_CMD_CEC_TX:
    case HDMI_CMD_HDCP_START:
      return absl::PermissionDeniedError("the kernel's driver has the transmitter");
    case HDMI_CMD_SINK_LOAD:
    case HDMI_CMD_INJECT:
      return absl::UnimplementedError("this is no simulation");
    default:
      break;
  }
  base::MutexLock lock(&mutex_);
  if (commands_.size() == kCommandsMax) {
    return absl::ResourceExhaustedError("the bus does not keep up");
  }
  commands_.push_back(command);
  changed_.NotifyAll();
  return absl::OkStatus();
}

void I2cHardware::Main() {
  handler_->OnLink(true);
  base::Nanos look_ns = 0, beat_ns = 0;
  for (;;) {
    std::optional<HdmiCommand> command;
    {
      base::MutexLock lock(&mutex_);
      while (!stop_ && commands_.empty() && base::Now() < std::min(look_ns, beat_ns)) {
        (void)changed_.WaitUntil(&mutex_, std::min(look_ns, beat_ns));
      }
      if (stop_) return;
      if (!commands_.empty()) {
        command = std::move(commands_.front());
        commands_.pop_front();
      }
    }
    if (command.has_value()) Execute(*command);
    if (base::Now() >= look_ns) {
      LookForSink();
      look_ns = base::Now() + absl::ToInt64Nanoseconds(options_.presence);
    }
    if (base::Now() >= beat_ns) {
      HdmiEvent event;
      event.record.u.heartbeat.count = ++heartbeats_;
      Raise(HDMI_EV_HEARTBEAT, 8, std::move(event));
      beat_ns = base::Now() + absl::ToInt64Nanoseconds(options_.heartbeat);
    }
  }
}

void I2cHardware::Raise(hdmi_event_type type, uint16_t len, HdmiEvent event) {
  event.record.type = static_cast<uint16_t>(type);
  event.record.len = len;
  event.record.seq = seq_++;
  event.record.generation = generation_;
  event.record.time_ns = static_cast<uint64_t>(base::Now());
  handler_->OnEvent(event);
}

void I2cHardware::LookForSink() {
  std::vector<DdcMessage> messages = DdcReadRegister(HDMI_DDC_ADDR_EDID, 0, 1);
  const bool present = bus_->Transfer(messages) == 0;
  if (present == present_) return;
  present_ = present;
  HdmiEvent event;
  event.record.u.level = present ? 1 : 0;
  Raise(HDMI_EV_HPD, 4, std::move(event));
}

// What takes time ends in an event, as everywhere.
void I2cHardware::Execute(const HdmiCommand& command) {
  const hdmi_cmd& c = command.record;
  if (c.generation != 0 && c.generation != generation_) return;
  HdmiEvent event;
  switch (c.type) {
    case HDMI_CMD_DDC_XFER: {
      std::vector<DdcMessage> messages = *MessagesOf(command);
      const int status = bus_->Transfer(messages);
      event.record.u.ddc_done.id = c.id;
      event.record.u.ddc_done.status = status;
      for (const DdcMessage& m : messages) {
        if (status != 0 || !m.read) continue;
        event.bulk.insert(event.bulk.end(), m.data.begin(), m.data.end());
      }
      event.record.u.ddc_done.len = static_cast<uint32_t>(event.bulk.size());
      Raise(HDMI_EV_DDC_DONE, 12, std::move(event));
      break;
    }
    case HDMI_CMD_SET_MODE:
      event.record.u.done.id = c.id;
      Raise(HDMI_EV_MODE_DONE, 8, std::move(event));
      break;
    case HDMI_CMD_INFOFRAME:
      event.record.u.done.id = c.u.infoframe.type;
      Raise(HDMI_EV_INFOFRAME_ACK, 8, std::move(event));
      break;
    case HDMI_CMD_REG_READ:
      event.record.u.reg.id = c.id;
      event.record.u.reg.reg = static_cast<uint32_t>(c.u.value);
      event.record.u.reg.value = c.u.value == HDMI_REG_HPD && present_ ? 1 : 0;
      Raise(HDMI_EV_REG, 16, std::move(event));
      break;
    case HDMI_CMD_RESET:
      event.record.u.reset.generation = ++generation_;
      event.record.u.reset.by_driver = 1;
      Raise(HDMI_EV_FW_RESET, 8, std::move(event));
      break;
    default:  // the kernel's driver does as it finds best; an abort comes too late here
      break;
  }
}

}  // namespace uwq::hdmi
