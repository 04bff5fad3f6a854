// SPDX-License-Identifier: BSD-3-Clause
// ddc_message.h: one message of an I2C transfer, as I2C_RDWR knows it.
//
// Invariant: the messages of one transfer go out with repeated starts and one
// stop at the end; that is what keeps the E-DDC segment pointer alive between
// the write of the segment and the read.
//
// Threads: a value.  Read on: eddc.h, ../device/hdmi_abi.h (the wire form).
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_EDID_DDC_MESSAGE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_EDID_DDC_MESSAGE_H_

#include <cstdint>
#include <utility>
#include <vector>

namespace uwq::hdmi {

struct DdcMessage {
  uint8_t address = 0;  // 7 bits
  bool read = false;
  bool ignore_nak = false;    // a NAK of this message does not end the transfer
  uint16_t length = 0;        // bytes to read; for a write, data.size() counts
  std::vector<uint8_t> data;  // bytes to write; filled by a read

  static DdcMessage Write(uint8_t address, std::vector<uint8_t> bytes) {
    DdcMessage m;
    m.address = address;
    m.data = std::move(bytes);
    m.length = static_cast<uint16_t>(m.data.size());
    return m;
  }
  static DdcMessage Read(uint8_t address, uint16_t length) {
    DdcMessage m;
    m.address = address;
    m.read = true;
    m.length = length;
    return m;
  }
};

// Write `offset`, repeated start, read `length`: how every register of a sink is
// read.
inline std::vector<DdcMessage> DdcReadRegister(uint8_t address, uint8_t offset, uint16_t length) {
  return {DdcMessage::Write(address, {offset}), DdcMessage::Read(address, length)};
}

inline std::vector<DdcMessage> DdcWriteRegister(uint8_t address, uint8_t offset,
                                                const std::vector<uint8_t>& bytes) {
  std::vector<uint8_t> data = {offset};
  data.insert(data.end(), bytes.begin(), bytes.end());
  return {DdcMessage::Write(address, std::move(data))};
}

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_EDID_DDC_MESSAGE_H_
