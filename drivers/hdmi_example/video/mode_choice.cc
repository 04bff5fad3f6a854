// SPDX-License-Identifier: BSD-3-Clause
// mode_choice.cc: see mode_choice.h.
// Invariant: every LinkMode but the fail-safe one comes out of TryEncoding().
// Read on: mode_choice_test.cc.
#include "drivers/hdmi_example/video/mode_choice.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace uwq::hdmi {
namespace {

constexpr Timing kVga = {640, 16, 96, 48, 480, 10, 2, 33, 25175, 0, 1};

bool SinkTakesDepth(const Edid& edid, PixelEncoding encoding, int bits) {
  if (bits == 8) return true;
  if (!edid.is_hdmi()) return false;
  const HdmiVsdb& v = *edid.cta->hdmi;
  if (encoding == PixelEncoding::kYcbcr422) return bits <= 12;
  if (encoding == PixelEncoding::kYcbcr420) {
    if (!edid.cta->forum) return false;
    return bits == 10   ? edid.cta->forum->deep_420_30
           : bits == 12 ? edid.cta->forum->deep_420_36
                        : edid.cta->forum->deep_420_48;
  }
  if (encoding == PixelEncoding::kYcbcr444 && !v.deep_y444) return false;
  return bits == 10 ? v.deep_30 : bits == 12 ? v.deep_36 : bits == 16 && v.deep_48;
}

// The whole check of one way to send one mode.
absl::Status TryEncoding(const EdidMode& mode, const Edid& edid, const SourceLimits& limits,
                         PixelEncoding encoding, int bits) {
  if (!SinkTakesDepth(edid, encoding, bits)) {
    return absl::FailedPreconditionError(
        absl::StrFormat("the sink takes no %d bits in %s", bits, PixelEncodingName(encoding)));
  }
  const int tmds = TmdsClockKhz(mode.timing, encoding, bits);
  if (tmds > limits.max_tmds_khz) {
    return absl::FailedPreconditionError(absl::StrFormat("%d MHz is above the source's %d MHz",
                                                         tmds / 1000, limits.max_tmds_khz / 1000));
  }
  const int sink_max =
      edid.is_hdmi() ? edid.max_tmds_khz() : std::min(edid.max_tmds_khz(), kDviMaxKhz);
  if (tmds > sink_max) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%d MHz is above the sink's %d MHz", tmds / 1000, sink_max / 1000));
  }
  if (tmds > kScrambleAboveKhz && !(edid.has_scdc() && limits.scdc)) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%d MHz needs SCDC, the %s has none", tmds / 1000, edid.has_scdc() ? "source" : "sink"));
  }
  return absl::OkStatus();
}

LinkMode MakeLinkMode(const EdidMode& mode, const Edid& edid, PixelEncoding encoding, int bits) {
  LinkMode link;
  link.timing = mode.timing;
  link.vic = mode.vic;
  link.encoding = encoding;
  link.bits_per_component = bits;
  link.tmds_khz = TmdsClockKhz(mode.timing, encoding, bits);
  link.hdmi = edid.is_hdmi();
  link.scrambling = link.tmds_khz > kScrambleAboveKhz;
  if (const VicFormat* format = FindVic(mode.vic); format != nullptr) {
    link.aspect = format->aspect;
  } else if (mode.timing.hactive * 3 > mode.timing.vactive * 4) {
    link.aspect = {16, 9};
  }
  if (link.hdmi) {
    const auto& vics = edid.cta->hdmi->hdmi_vics;
    const int hdmi_vic = HdmiVicOf(mode.vic);
    if (hdmi_vic != 0 && std::find(vics.begin(), vics.end(), hdmi_vic) != vics.end()) {
      link.hdmi_vic = hdmi_vic;
      link.vic = 0;
    }
    // A CTA format other than VGA is sent in limited range by default.
    link.limited_range = mode.vic > 1 || encoding != PixelEncoding::kRgb;
    link.range_selectable = edid.cta->vcdb.has_value() && edid.cta->vcdb->quantization_rgb;
  } else {
    link.vic = 0;
  }
  return link;
}

bool Meets(const EdidMode& mode, const ModeRequest& request) {
  const int hz = static_cast<int>((mode.timing.RefreshMilliHz() + 500) / 1000);
  // Repeated pixels are not the client's pixels.
  const int width = mode.timing.hactive / std::max<int>(mode.timing.pixel_repeat, 1);
  return (request.width == 0 || request.width == width) &&
         (request.height == 0 || request.height == mode.timing.vactive) &&
         (request.hz == 0 || request.hz == hz);
}

}  // namespace

const char* PixelEncodingName(PixelEncoding encoding) {
  switch (encoding) {
    case PixelEncoding::kRgb:
      return "RGB";
    case PixelEncoding::kYcbcr422:
      return "YCbCr 4:2:2";
    case PixelEncoding::kYcbcr444:
      return "YCbCr 4:4:4";
    case PixelEncoding::kYcbcr420:
      return "YCbCr 4:2:0";
  }
  return "?";
}

int TmdsClockKhz(const Timing& timing, PixelEncoding encoding, int bits) {
  const int64_t clock = timing.clock_khz;
  switch (encoding) {
    case PixelEncoding::kYcbcr422:
      return static_cast<int>(clock);  // up to 12 bits travel in the room of 8
    case PixelEncoding::kYcbcr420:
      return static_cast<int>(clock * bits / 16);
    default:
      return static_cast<int>(clock * bits / 8);
  }
}

LinkMode FailSafeMode(std::string why) {
  LinkMode link;
  link.timing = kVga;
  link.tmds_khz = static_cast<int>(kVga.clock_khz);
  link.why = std::move(why);
  return link;
}

absl::StatusOr<LinkMode> FitMode(const EdidMode& mode, const Edid& edid,
                                 const SourceLimits& limits) {
  if (mode.timing.interlaced() && !limits.interlaced) {
    return absl::FailedPreconditionError("the source sends no interlaced modes");
  }
  if (mode.timing.pixel_repeat > 1 && !edid.is_hdmi()) {
    return absl::FailedPreconditionError("repeated pixels need an HDMI sink");
  }
  absl::Status why_not;
  const auto attempt = [&](PixelEncoding encoding) -> int {
    // The deepest colour that fits, 8 bits in the end.
    for (int bits : {16, 12, 10, 8}) {
      if (bits > limits.max_bits_per_component && bits != 8) continue;
      why_not = TryEncoding(mode, edid, limits, encoding, bits);
      if (why_not.ok()) return bits;
    }
    return 0;
  };
  if (!mode.y420_only) {
    if (int bits = attempt(PixelEncoding::kRgb); bits != 0) {
      return MakeLinkMode(mode, edid, PixelEncoding::kRgb, bits);
    }
  }
  if (mode.y420 && limits.ycbcr && edid.is_hdmi()) {
    if (int bits = attempt(PixelEncoding::kYcbcr420); bits != 0) {
      return MakeLinkMode(mode, edid, PixelEncoding::kYcbcr420, bits);
    }
  }
  if (why_not.ok()) why_not = absl::FailedPreconditionError("the source sends no 4:2:0");
  return why_not;
}

LinkMode ChooseMode(const Edid& edid, const SourceLimits& limits, const ModeRequest& request) {
  const bool asked = request.width != 0 || request.height != 0 || request.hz != 0;
  std::string refused;
  // Twice: first what the client asked for, then anything.
  for (const bool honour : {true, false}) {
    if (honour && !asked) continue;
    const EdidMode* best = nullptr;
    LinkMode best_link;
    for (const EdidMode& mode : edid.modes) {
      if (honour && !Meets(mode, request)) continue;
      absl::StatusOr<LinkMode> link = FitMode(mode, edid, limits);
      if (!link.ok()) {
        if (mode.preferred) {
          refused = absl::StrCat(", preferred ", TimingToString(mode.timing),
                                 " does not fit: ", link.status().message());
        }
        continue;
      }
      const auto rank = [](const EdidMode& m) {
        return std::make_tuple(m.preferred, m.native, !m.timing.interlaced(),
                               static_cast<uint32_t>(m.timing.hactive) * m.timing.vactive,
                               m.timing.RefreshMilliHz());
      };
      if (best == nullptr || rank(mode) > rank(*best)) {
        best = &mode;
        best_link = *std::move(link);
      }
    }
    if (best == nullptr) continue;
    best_link.why = honour            ? "requested"
                    : best->preferred ? "preferred"
                    : best->native    ? "native"
                                      : "largest that fits";
    best_link.why += refused;
    if (asked && !honour) absl::StrAppend(&best_link.why, ", the request fits no mode");
    return best_link;
  }
  return FailSafeMode(absl::StrCat("no mode of the sink fits", refused));
}

std::string LinkModeToString(const LinkMode& mode) {
  return absl::StrFormat("%s, %s %d bit, TMDS %d.%03d MHz%s%s (%s)", TimingToString(mode.timing),
                         PixelEncodingName(mode.encoding), mode.bits_per_component,
                         mode.tmds_khz / 1000, mode.tmds_khz % 1000,
                         mode.scrambling ? ", scrambled" : "", mode.hdmi ? "" : ", DVI", mode.why);
}

}  // namespace uwq::hdmi
