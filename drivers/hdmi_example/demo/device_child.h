// SPDX-License-Identifier: BSD-3-Clause
//
// device_child.h -- starts and ends the device process.
// Invariant: after the destructor the process does not exist.
// Read on: device_process.cc.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_DEVICE_CHILD_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_DEVICE_CHILD_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace uwq::hdmi {

class DeviceChild {
 public:
  struct Options {
    std::string program;  // path of hdmi_device_process
    std::string name;
    uint64_t seed = 1;
    double speed = 1;
    bool hdcp22 = false, machine_clock = false;  // see device_host.h
  };
  explicit DeviceChild(Options options) : options_(std::move(options)) {}
  ~DeviceChild() { Stop(); }
  DeviceChild(const DeviceChild&) = delete;
  DeviceChild& operator=(const DeviceChild&) = delete;

  // Starts it and waits until it says that it is ready.  Errors: NotFound (no such
  // program), Internal (it ended; its own words are on stderr).  Sleeps.
  absl::Status Start();
  // SIGKILL, and waits for its end.
  void Kill();
  // SIGTERM, and waits for its end.
  void Stop();
  pid_t pid() const { return pid_; }

 private:
  void End(int signo);
  const Options options_;
  pid_t pid_ = -1;
};

// A name for a device that no other has: process ids are not enough, for containers that
// share the memory of the devices count them each for itself.
std::string UniqueDeviceName(const char* prefix);

// Where hdmi_device_process lies, given argv[0] of a program built beside it.
std::string DeviceProgramBeside(const char* argv0);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_DEVICE_CHILD_H_
