// SPDX-License-Identifier: BSD-3-Clause
// hdcp14.h: the arithmetic of an HDCP 1.4 transmitter, apart from any timing,
// bus or thread.
//
// Invariant: everything here is a pure function of its arguments, or of the
// object it is called on.  When to do what (100 ms before R0', 5 s for READY,
// three readings of Ri') is the driver's business; whether a value that was
// read is right is decided here.
//
// Threads: free functions from any thread; an object from one thread at a time.
// Blocks: never.  Deadlocks: none.
// Read on: hdcp14_cipher.h (the cipher), hdcp_regs.h (offsets), srm.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "drivers/hdmi_example/hdcp/hdcp14_authority.h"
#include "drivers/hdmi_example/hdcp/hdcp14_cipher.h"
#include "drivers/hdmi_example/hdcp/hdcp_regs.h"

namespace uwq::hdmi {

// V as SHA-1 prints it: five big-endian words H0..H4.
using V14 = std::array<uint8_t, 20>;

// A KSV as people print it: ten hex digits, most significant first.
std::string KsvToString(uint64_t ksv);

// The KSV in five register bytes.  Errors: InvalidArgument if `wire` is not
// five bytes long, or if the value does not have 20 ones (the message names the
// value and its count).
absl::StatusOr<uint64_t> KsvFromWire(absl::Span<const uint8_t> wire);

// Little-endian register bytes of a value, for An (8), Aksv (5), Bstatus (2).
std::vector<uint8_t> ToWire(uint64_t value, int nr_bytes);

// Bcaps, taken apart.
struct Bcaps {
  bool hdmi = false;
  bool repeater = false;
  bool ready = false;
  bool fast = false;
  bool features_1_1 = false;
  bool fast_reauth = false;
};
Bcaps ParseBcaps(uint8_t byte);

// Bstatus, taken apart.
struct Bstatus {
  int device_count = 0;
  int depth = 0;
  bool max_devs_exceeded = false;
  bool max_cascade_exceeded = false;
  bool hdmi_mode = false;
};
Bstatus ParseBstatus(uint16_t word);

// Whether part 2 may go on with this Bstatus.  Errors: FailedPrecondition for
// MAX_DEVS_EXCEEDED, MAX_CASCADE_EXCEEDED and a device count of 0.
absl::Status CheckTopology(uint16_t bstatus);

// V over the FIFO bytes exactly as read, the whole Bstatus word, and M0.
V14 ComputeV(absl::Span<const uint8_t> fifo, uint16_t bstatus, uint64_t m0);

// The order of V in the registers at 0x20: each word least significant byte
// first.  The function is its own inverse.
V14 SwapVWords(const V14& v);

// One authentication attempt on the transmitter's side: the software engine.
class Hdcp14Session {
 public:
  // Starts over with the transmitter's keys (40 values), this attempt's An and
  // the receiver's Bksv.  `repeater` is Bcaps.REPEATER.
  // Errors: InvalidArgument for a Bksv that is not a KSV, and for one equal to
  // our own Aksv (a reflected bus).
  absl::Status Start(const hdcp14_device_keys& tx, uint64_t an, uint64_t bksv, bool repeater);

  uint16_t r0() const { return link_.r0; }
  uint64_t m0() const { return link_.m0; }
  uint64_t bksv() const { return bksv_; }

  // What Ri' must read once frame `frame` has passed.  Frames only move
  // forward: a frame of the past answers with the newest value.  Costs about
  // 7 microseconds for each new frame, so 128 frames are about 1 ms.
  uint16_t RiAt(uint64_t frame);

  // Pj for the newest frame given to RiAt, for this first pixel.
  uint8_t Pj(uint8_t first_pixel) const { return hdcp14_link_pj(&link_, first_pixel); }

  // Compares V' (register order, 20 bytes) with the list that was read.
  // Errors: InvalidArgument when a length does not fit the device count in
  // `bstatus`; Unauthenticated when V' differs.
  absl::Status CheckV(absl::Span<const uint8_t> fifo, uint16_t bstatus,
                      absl::Span<const uint8_t> v_registers) const;

 private:
  hdcp14_link link_ = {};
  uint64_t bksv_ = 0;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_H_
