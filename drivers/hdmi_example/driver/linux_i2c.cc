// SPDX-License-Identifier: BSD-3-Clause
//
// linux_i2c.cc -- I2cBus on /dev/i2c-N.
// Invariant: a bus that cannot combine messages is read byte by byte, and not at all
// where that would not do (segments of the EDID).
// Read on: i2c_hardware.h.
#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "drivers/hdmi_example/device/hdmi_abi.h"
#include "drivers/hdmi_example/driver/i2c_hardware.h"

namespace uwq::hdmi {
namespace {

class LinuxI2c : public I2cBus {
 public:
  LinuxI2c(int fd, bool combines) : fd_(fd), combines_(combines) {}
  ~LinuxI2c() override { close(fd_); }
  LinuxI2c(const LinuxI2c&) = delete;
  LinuxI2c& operator=(const LinuxI2c&) = delete;

  int Transfer(std::vector<DdcMessage>& messages) override {
    return combines_ ? Combined(messages) : ByteByByte(messages);
  }

 private:
  int Combined(std::vector<DdcMessage>& messages) {
    std::vector<i2c_msg> raw;
    for (DdcMessage& m : messages) {
      if (m.read) m.data.assign(m.length, 0);
      i2c_msg r = {};
      r.addr = m.address;
      r.flags =
          static_cast<uint16_t>((m.read ? I2C_M_RD : 0) | (m.ignore_nak ? I2C_M_IGNORE_NAK : 0));
      r.len = static_cast<uint16_t>(m.data.size());
      r.buf = m.data.data();
      raw.push_back(r);
    }
    i2c_rdwr_ioctl_data data = {raw.data(), static_cast<uint32_t>(raw.size())};
    return ioctl(fd_, I2C_RDWR, &data) < 0 ? -errno : 0;
  }

  // SMBus: one byte of a register at a time (also what the kernel's i2c-stub has).
  int ByteByByte(std::vector<DdcMessage>& messages) {
    if (messages.size() != 2 || messages[0].read || messages[0].data.size() != 1 ||
        !messages[1].read || messages[0].address != messages[1].address) {
      return HDMI_DDC_INVALID;
    }
    if (ioctl(fd_, I2C_SLAVE, static_cast<unsigned long>(messages[0].address)) < 0) return -errno;
    messages[1].data.clear();
    for (int i = 0; i < messages[1].length; ++i) {
      i2c_smbus_data byte = {};
      i2c_smbus_ioctl_data call = {};
      call.read_write = I2C_SMBUS_READ;
      call.command = static_cast<uint8_t>(messages[0].data[0] + i);
      call.size = I2C_SMBUS_BYTE_DATA;
      call.data = &byte;
      if (ioctl(fd_, I2C_SMBUS, &call) < 0) return -errno;
      messages[1].data.push_back(byte.byte);
    }
    return 0;
  }

  const int fd_;
  const bool combines_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<I2cBus>> OpenLinuxI2c(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    const std::string text = absl::StrCat("\"", path, "\": ", strerror(errno));
    if (errno == ENOENT || errno == ENXIO || errno == ENODEV) {
      return absl::NotFoundError(absl::StrCat(text, " (is the module i2c-dev loaded?)"));
    }
    return errno == EACCES || errno == EPERM ? absl::PermissionDeniedError(text)
                                             : absl::UnavailableError(text);
  }
  unsigned long functions = 0;
  if (ioctl(fd, I2C_FUNCS, &functions) < 0) {
    close(fd);
    return absl::InvalidArgumentError(absl::StrCat("\"", path, "\" is no I2C bus"));
  }
  const bool combines = (functions & I2C_FUNC_I2C) != 0;
  if (!combines && (functions & I2C_FUNC_SMBUS_READ_BYTE_DATA) == 0) {
    close(fd);
    return absl::InvalidArgumentError(
        absl::StrCat("\"", path, "\" can neither combine messages nor read bytes"));
  }
  return std::unique_ptr<I2cBus>(new LinuxI2c(fd, combines));
}

}  // namespace uwq::hdmi
