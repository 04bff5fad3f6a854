// SPDX-License-Identifier: BSD-3-Clause
// hdcp22_sink.h: gives the sinks of the device model an HDCP 2.2 receiver.
//
// Invariant: a receiver's authority follows from a seed, so that a driver in
// another process checks certificates with AuthorityKey(seed) and nothing secret
// travels.
//
// Threads: one at a time, the device's.  Blocks: Create and AuthorityKey make RSA
// keys, up to a second of CPU.
// Read on: hdmi_device.h (hdmi_device_ops), ../hdcp/hdcp22.h.
//
//   auto receivers = Hdcp22Sinks::Standard(HDCP14_SIM_SEED);
//   SimDevice device({.ops = (*receivers)->Ops()});
//   sink.flags |= HDMI_SINK_HDCP22;
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDCP22_SINK_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDCP22_SINK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/hdmi_example/device/hdmi_device.h"
#include "drivers/hdmi_example/hdcp/hdcp22.h"

namespace uwq::hdmi {

class Hdcp22Sinks {
 public:
  static absl::StatusOr<RsaKey> AuthorityKey(uint64_t seed);
  static absl::StatusOr<std::unique_ptr<Hdcp22Sinks>> Create(uint64_t authority_seed);
  // With receivers for the stage's television and AVR (script.h).
  static absl::StatusOr<std::unique_ptr<Hdcp22Sinks>> Standard(uint64_t authority_seed);
  // A copy has the same keys and its own sessions.
  Hdcp22Sinks(const Hdcp22Sinks&) = default;
  Hdcp22Sinks& operator=(const Hdcp22Sinks&) = delete;

  // The receiver of the sink in `slot`.  Errors: InvalidArgument for more than 31
  // devices or 4 levels behind it.
  absl::Status Add(int slot, const Bytes5& id, bool repeater, int downstream, int depth);

  // Function pointers that refer to this object, which must outlive the device.
  hdmi_device_ops Ops();

  // The ID of the n-th device behind a repeater in `slot`.
  static Bytes5 DownstreamId(int slot, int n);
  // The ID of the receiver in `slot` that Standard() makes.
  static Bytes5 StandardId(int slot);

 private:
  explicit Hdcp22Sinks(RsaKey authority) : authority_(std::move(authority)) {}
  static int HandleThunk(void* ctx, int slot, const uint8_t* msg, size_t len, hdmi_hdcp22_out* out,
                         int max);
  static int InjectThunk(void* ctx, int slot, uint32_t op, int64_t a, int64_t b,
                         hdmi_hdcp22_out* out, int max);
  static int Write(const std::vector<Hdcp22Message>& messages, hdmi_hdcp22_out* out, int max);

  RsaKey authority_;
  std::map<int, Hdcp22Receiver> receivers_;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDCP22_SINK_H_
