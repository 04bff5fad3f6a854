// SPDX-License-Identifier: BSD-3-Clause
// mode_choice.h: which of the sink's modes to send, and how.
//
// Invariant: what ChooseMode returns can be carried: its TMDS clock is within
// the limits of source and sink, and above 340 MHz both ends have SCDC.  There
// is always an answer; without a usable EDID it is 640x480 in DVI.
//
// Threads: pure functions; any thread.  Blocks: never.
// Read on: timing.h, info_frame.h, ../edid/edid.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_VIDEO_MODE_CHOICE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_VIDEO_MODE_CHOICE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "drivers/hdmi_example/edid/edid.h"
#include "drivers/hdmi_example/video/timing.h"

namespace uwq::hdmi {

// Above this rate the link runs at 1/40 and must be scrambled.
inline constexpr int kScrambleAboveKhz = 340000;
// A single DVI link.
inline constexpr int kDviMaxKhz = 165000;

enum class PixelEncoding { kRgb, kYcbcr422, kYcbcr444, kYcbcr420 };
const char* PixelEncodingName(PixelEncoding encoding);

// What the transmitter can do.
struct SourceLimits {
  int max_tmds_khz = 600000;
  int max_bits_per_component = 8;
  bool scdc = true;
  bool interlaced = true;
  bool ycbcr = true;
};

// What the client asked for; 0 is "any".
struct ModeRequest {
  int width = 0, height = 0;
  int hz = 0;
};

struct LinkMode {
  Timing timing = {};
  int vic = 0;       // for the AVI InfoFrame; 0 when hdmi_vic carries it
  int hdmi_vic = 0;  // for HDMI's own InfoFrame
  Aspect aspect = {4, 3};
  PixelEncoding encoding = PixelEncoding::kRgb;
  int bits_per_component = 8;
  int tmds_khz = 0;
  bool hdmi = false;        // InfoFrames, audio, CEC
  bool scrambling = false;  // SCDC: scrambling and ratio 1/40
  bool limited_range = false;
  bool range_selectable = false;  // the sink takes the AVI Q bits
  std::string why;                // for the log, e.g. "preferred"
};

// The character rate of a timing in an encoding.
int TmdsClockKhz(const Timing& timing, PixelEncoding encoding, int bits_per_component);

// What every sink must show.
LinkMode FailSafeMode(std::string why);

// The mode to send.  A preferred mode that does not fit is tried in 4:2:0 if
// the sink takes it so, then gives way to the largest and fastest that fits.
// A request that no mode meets is ignored, which `why` says.
LinkMode ChooseMode(const Edid& edid, const SourceLimits& limits, const ModeRequest& request = {});

// Whether and how one mode can be carried.  Errors: FailedPrecondition saying
// which limit stands against it.
absl::StatusOr<LinkMode> FitMode(const EdidMode& mode, const Edid& edid,
                                 const SourceLimits& limits);

std::string LinkModeToString(const LinkMode& mode);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_VIDEO_MODE_CHOICE_H_
