// SPDX-License-Identifier: BSD-3-Clause
// edid_base.cc: the base block: identity, established and standard timings, the
// four descriptors.
// Invariant: see edid_parser.h; the caller has checked magic and sum.
// Read on: edid_cta.cc.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hdmi_example/edid/edid_parser.h"

namespace uwq::hdmi::edid_internal {
namespace {

constexpr int kDescriptors = 54;
constexpr int kDescriptorBytes = 18;

// The text of a descriptor ends at a line feed; what follows is padding.
std::string DescriptorText(const Block& d) {
  std::string text;
  for (int i = 5; i < d.size(); ++i) {
    const uint8_t c = d.at(i);
    if (c == 0x0a || c == 0) break;
    text.push_back(c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '.');
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

void Parser::ParseBase(const Block& b) {
  const int id = b.at(8) << 8 | b.at(9);
  for (int shift : {10, 5, 0}) {
    const int letter = (id >> shift) & 0x1f;
    if (letter < 1 || letter > 26) {
      Report(EdidSeverity::kWarning, b, 8,
             absl::StrFormat("manufacturer 0x%04x is not three letters", id));
      edid.manufacturer.push_back('?');
    } else {
      edid.manufacturer.push_back(static_cast<char>('A' + letter - 1));
    }
  }
  if (id & 0x8000) {
    Report(EdidSeverity::kWarning, b, 8, "the reserved bit of the manufacturer is set");
  }
  edid.product = static_cast<uint16_t>(b.at(10) | b.at(11) << 8);
  edid.serial = static_cast<uint32_t>(b.at(12)) | static_cast<uint32_t>(b.at(13)) << 8 |
                static_cast<uint32_t>(b.at(14)) << 16 | static_cast<uint32_t>(b.at(15)) << 24;
  edid.week = b.at(16);
  edid.year = 1990 + b.at(17);
  edid.version = b.at(18);
  edid.revision = b.at(19);
  if (edid.revision > 4) {
    Report(EdidSeverity::kNote, b, 19,
           absl::StrCat("EDID 1.", edid.revision, " is newer than 1.4, read as 1.4"));
  }
  edid.digital = b.at(20) & 0x80;
  if (edid.digital && edid.revision >= 4) {
    const int depth = (b.at(20) >> 4) & 7;
    if (depth == 7) {
      Report(EdidSeverity::kWarning, b, 20, "reserved colour depth 7");
    } else if (depth != 0) {
      edid.bits_per_component = 4 + 2 * depth;
    }
  }
  edid.width_cm = b.at(21);
  edid.height_cm = b.at(22);
  edid.announced_extensions = b.at(126);

  // Descriptors come first so that the preferred mode leads the list.
  for (int i = 0; i < 4; ++i) {
    ParseDescriptor(b.Sub(kDescriptors + i * kDescriptorBytes, kDescriptorBytes), i == 0);
  }
  for (int i = 0; i < 17; ++i) {
    if (!((b.at(35 + i / 8) >> (7 - i % 8)) & 1)) continue;
    EdidMode mode;
    mode.timing = *EstablishedTiming(i);
    mode.source = ModeSource::kEstablished;
    mode.block = b.number();
    mode.offset = b.base() + 35 + i / 8;
    AddMode(mode);
  }
  for (int i = 0; i < 8; ++i) ParseStandardTiming(b.Sub(38 + 2 * i, 2), ModeSource::kStandard);
}

void Parser::ParseStandardTiming(const Block& t, ModeSource source) {
  const uint8_t b1 = t.at(0);
  const uint8_t b2 = t.at(1);
  if (b1 == 1 && b2 == 1) return;  // the unused slot
  if (b1 == 0) {
    Report(EdidSeverity::kWarning, t, 0,
           absl::StrFormat("standard timing 0x%02x 0x%02x is reserved (unused is 01 01)", b1, b2));
    return;
  }
  const int width = (b1 + 31) * 8;
  const int hz = (b2 & 0x3f) + 60;
  int height = 0;
  switch (b2 >> 6) {
    case 0:
      // Before 1.3 this code meant a square picture.
      height = edid.revision < 3 ? width : width * 10 / 16;
      break;
    case 1:
      height = width * 3 / 4;
      break;
    case 2:
      height = width * 4 / 5;
      break;
    default:
      height = width * 9 / 16;
      break;
  }
  const DmtFormat* dmt = FindStandardTiming(b1, b2);
  if (dmt == nullptr) dmt = FindDmtBySize(width, height, hz);
  if (dmt == nullptr) {
    Report(EdidSeverity::kNote, t, 0,
           absl::StrFormat("standard timing %dx%d at %d Hz has no DMT timing, left out", width,
                           height, hz));
    return;
  }
  EdidMode mode;
  mode.timing = dmt->timing;
  mode.source = source;
  mode.block = t.number();
  mode.offset = t.base();
  AddMode(mode);
}

bool Parser::ParseDetailed(const Block& d, ModeSource source, bool preferred, bool native) {
  EdidMode mode;
  Timing& t = mode.timing;
  const int hblank = d.at(3) | (d.at(4) & 0x0f) << 8;
  const int vblank = d.at(6) | (d.at(7) & 0x0f) << 8;
  const int hfront = d.at(8) | (d.at(11) & 0xc0) << 2;
  const int hsync = d.at(9) | (d.at(11) & 0x30) << 4;
  const int vfront = d.at(10) >> 4 | (d.at(11) & 0x0c) << 2;
  const int vsync = (d.at(10) & 0x0f) | (d.at(11) & 0x03) << 4;
  const int vactive = d.at(5) | (d.at(7) & 0xf0) << 4;
  const uint8_t flags = d.at(17);

  t.hactive = static_cast<uint16_t>(d.at(2) | (d.at(4) & 0xf0) << 4);
  t.clock_khz = static_cast<uint32_t>(d.at(0) | d.at(1) << 8) * 10;
  t.pixel_repeat = 1;
  if (t.hactive < 64 || vactive < 64) {
    Report(EdidSeverity::kError, d, 2,
           absl::StrFormat("detailed timing of %dx%d is too small to be one", t.hactive, vactive));
    return false;
  }
  if (hsync == 0 || vsync == 0) {
    Report(
        EdidSeverity::kError, d, 8,
        absl::StrFormat("detailed timing %dx%d has a sync pulse of width 0", t.hactive, vactive));
    return false;
  }
  if (hfront + hsync > hblank || vfront + vsync > vblank) {
    Report(EdidSeverity::kError, d, 8,
           absl::StrFormat("detailed timing %dx%d: the sync pulse ends after the blanking "
                           "(h %d+%d of %d, v %d+%d of %d)",
                           t.hactive, vactive, hfront, hsync, hblank, vfront, vsync, vblank));
    return false;
  }
  t.hfront = static_cast<uint16_t>(hfront);
  t.hsync = static_cast<uint16_t>(hsync);
  t.hback = static_cast<uint16_t>(hblank - hfront - hsync);
  t.vactive = static_cast<uint16_t>((flags & 0x80) ? vactive * 2 : vactive);
  t.vfront = static_cast<uint16_t>(vfront);
  t.vsync = static_cast<uint16_t>(vsync);
  t.vback = static_cast<uint16_t>(vblank - vfront - vsync);
  if (flags & 0x80) t.flags |= kInterlaced;
  if ((flags & 0x18) == 0x18) {
    if (flags & 0x02) t.flags |= kHPos;
    if (flags & 0x04) t.flags |= kVPos;
  } else {
    Report(EdidSeverity::kNote, d, 17, "detailed timing without digital separate sync");
  }
  const int width_mm = d.at(12) | (d.at(14) & 0xf0) << 4;
  const int height_mm = d.at(13) | (d.at(14) & 0x0f) << 8;
  // A picture of 16:9 on a screen of unknown size is taken as wide.
  const bool wide = width_mm == 0 || height_mm == 0 || width_mm * 100 > height_mm * 150;
  if (const VicFormat* vic = MatchVic(t, wide); vic != nullptr) {
    mode.vic = vic->vic;
    t.pixel_repeat = vic->timing.pixel_repeat;
  }
  mode.source = source;
  mode.preferred = preferred;
  mode.native = native;
  mode.block = d.number();
  mode.offset = d.base();
  AddMode(mode);
  return true;
}

void Parser::ParseRange(const Block& d) {
  RangeLimits range;
  const uint8_t extra = edid.revision >= 4 ? d.at(4) : uint8_t{0};
  range.min_v_hz = d.at(5) + ((extra & 3) == 3 ? 255 : 0);
  range.max_v_hz = d.at(6) + ((extra & 2) ? 255 : 0);
  range.min_h_khz = d.at(7) + ((extra & 12) == 12 ? 255 : 0);
  range.max_h_khz = d.at(8) + ((extra & 8) ? 255 : 0);
  range.max_clock_mhz = d.at(9) * 10;
  if (range.min_v_hz > range.max_v_hz || range.min_h_khz > range.max_h_khz) {
    Report(EdidSeverity::kError, d, 5,
           absl::StrFormat("range limits run backwards (%d..%d Hz, %d..%d kHz)", range.min_v_hz,
                           range.max_v_hz, range.min_h_khz, range.max_h_khz));
    return;
  }
  edid.range = range;
}

void Parser::ParseDescriptor(const Block& d, bool first) {
  if (d.at(0) != 0 || d.at(1) != 0) {
    ParseDetailed(d, ModeSource::kDetailed, first, first);
    return;
  }
  if (first) {
    Report(EdidSeverity::kWarning, d, 0, "the first descriptor is no detailed timing");
  }
  if (d.at(2) != 0) {
    Report(EdidSeverity::kNote, d, 2, "reserved byte of a descriptor is not 0");
  }
  switch (d.at(3)) {
    case 0xfc:
      edid.name = DescriptorText(d);
      break;
    case 0xff:
      edid.serial_text = DescriptorText(d);
      break;
    case 0xfe:
      edid.text = DescriptorText(d);
      break;
    case 0xfd:
      ParseRange(d);
      break;
    case 0xfa:
      for (int i = 0; i < 6; ++i) ParseStandardTiming(d.Sub(5 + 2 * i, 2), ModeSource::kStandard);
      break;
    case 0xf7:
      for (int i = 0; i < 44; ++i) {
        if (!((d.at(6 + i / 8) >> (7 - i % 8)) & 1)) continue;
        EdidMode mode;
        mode.timing = *EstablishedTiming3(i);
        mode.source = ModeSource::kEstablished3;
        mode.block = d.number();
        mode.offset = d.base() + 6 + i / 8;
        AddMode(mode);
      }
      break;
    case 0x10:
      break;  // the dummy
    case 0xf8:
    case 0xf9:
    case 0xfb:
      Report(EdidSeverity::kNote, d, 3,
             absl::StrFormat("descriptor 0x%02x is not decoded", d.at(3)));
      break;
    default:
      if (d.at(3) > 0x0f) {
        Report(EdidSeverity::kNote, d, 3, absl::StrFormat("descriptor 0x%02x is unknown", d.at(3)));
      }
  }
}

}  // namespace uwq::hdmi::edid_internal
