// SPDX-License-Identifier: BSD-3-Clause
// timing.cc: arithmetic on video modes.
// Invariant: integer only; an empty row yields 0, never a division by it.
// Read on: timing.h.
#include "drivers/hdmi_example/video/timing.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace uwq::hdmi {

uint32_t Timing::vtotal() const {
  const uint32_t blank = static_cast<uint32_t>(vfront) + vsync + vback;
  if (!interlaced()) return vactive + blank;
  return vactive + 2 * blank + ((flags & kEvenTotal) ? 0 : 1);
}

uint32_t Timing::RefreshMilliHz() const {
  const uint64_t pixels = static_cast<uint64_t>(htotal()) * vtotal();
  if (pixels == 0) return 0;
  // kHz * 1000 pixels per second, times 1000 for milli; two fields per frame.
  const uint64_t rate = static_cast<uint64_t>(clock_khz) * 1000000 * (interlaced() ? 2 : 1);
  return static_cast<uint32_t>((rate + pixels / 2) / pixels);
}

int64_t Timing::FramePeriodNs() const {
  if (clock_khz == 0) return 0;
  const uint64_t pixels = static_cast<uint64_t>(htotal()) * vtotal();
  return static_cast<int64_t>(pixels * 1000000 / clock_khz / (interlaced() ? 2 : 1));
}

std::string TimingToString(const Timing& timing) {
  const uint32_t mhz = timing.RefreshMilliHz();
  return absl::StrFormat("%dx%d%s %d.%03d Hz %d.%03d MHz", timing.hactive, timing.vactive,
                         timing.interlaced() ? "i" : "", mhz / 1000, mhz % 1000,
                         timing.clock_khz / 1000, timing.clock_khz % 1000);
}

bool SameTiming(const Timing& a, const Timing& b) {
  const uint32_t low = std::min(a.clock_khz, b.clock_khz);
  const uint32_t high = std::max(a.clock_khz, b.clock_khz);
  return a.hactive == b.hactive && a.hfront == b.hfront && a.hsync == b.hsync &&
         a.hback == b.hback && a.vactive == b.vactive && a.vfront == b.vfront &&
         a.vsync == b.vsync && a.vback == b.vback &&
         ((a.flags ^ b.flags) & (kHPos | kVPos | kInterlaced)) == 0 &&
         static_cast<uint64_t>(high - low) * 1000 <= static_cast<uint64_t>(high) * 3;
}

}  // namespace uwq::hdmi
