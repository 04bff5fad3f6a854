// SPDX-License-Identifier: BSD-3-Clause
// timing.h: what a video mode is, and the published tables of them.
//
// Invariant: a Timing describes what goes over the link at 8 bits per component
// and 4:4:4, repetition included: hactive of VIC 6 is 1440, not 720, and
// clock_khz is the TMDS clock of that case.
//
// Threads: everything here is constant; any thread.  Blocks: never.
// Read on: mode_choice.h (which one to take), ../edid/edid.h (who offers them).
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_VIDEO_TIMING_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_VIDEO_TIMING_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"

namespace uwq::hdmi {

enum TimingFlags : uint8_t {
  kHPos = 1,  // the sync pulse is positive
  kVPos = 2,
  kInterlaced = 4,
  kEvenTotal = 8,  // interlaced with an even number of lines (VIC 39 only)
};

struct Timing {
  // Pixels and lines; vactive counts the lines of a frame, the three vertical
  // blanking values those of a field.
  uint16_t hactive, hfront, hsync, hback;
  uint16_t vactive, vfront, vsync, vback;
  uint32_t clock_khz;
  uint8_t flags;
  uint8_t pixel_repeat;  // 1: none; 2: each pixel is sent twice

  bool interlaced() const { return flags & kInterlaced; }
  uint32_t htotal() const { return static_cast<uint32_t>(hactive) + hfront + hsync + hback; }
  // Lines of a whole frame; the half line of an interlaced field is counted.
  uint32_t vtotal() const;
  // Frames (progressive) or fields (interlaced) per 1000 s; 0 for an empty row.
  uint32_t RefreshMilliHz() const;
  // Nanoseconds between two vertical syncs; 0 for an empty row.
  int64_t FramePeriodNs() const;
};

// "1920x1080i 60.000 Hz 74.250 MHz".
std::string TimingToString(const Timing& timing);

// Same geometry and polarity, and a clock within 0.3 %, so that a mode at
// 59.94 Hz is the mode at 60 Hz.
bool SameTiming(const Timing& a, const Timing& b);

struct Aspect {
  uint16_t width, height;
};

struct VicFormat {
  int vic;
  Aspect aspect;
  Timing timing;
};

struct DmtFormat {
  int id;
  uint8_t std1, std2;
  bool reduced_blanking;
  Timing timing;
};

// Sorted by code.
absl::Span<const VicFormat> AllVics();
absl::Span<const DmtFormat> AllDmts();

// nullptr where there is none.
const VicFormat* FindVic(int vic);
const VicFormat* FindHdmiVic(int hdmi_vic);
const DmtFormat* FindDmt(int id);
const DmtFormat* FindStandardTiming(uint8_t byte1, uint8_t byte2);
const DmtFormat* FindDmtBySize(int width, int height, int hz);

// The code that HDMI's own block gives this VIC, 1..4, or 0.
int HdmiVicOf(int vic);

// The VIC with this timing; among several, one whose picture is wide or not.
const VicFormat* MatchVic(const Timing& timing, bool wide);

// The established timings of an EDID: index 0 is bit 7 of byte 0x23 (or of
// byte 6 of the third list).  nullptr past the end.
const Timing* EstablishedTiming(int index);
const Timing* EstablishedTiming3(int index);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_VIDEO_TIMING_H_
