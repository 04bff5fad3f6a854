// SPDX-License-Identifier: BSD-3-Clause
// edid_cta.cc: CTA-861 extension blocks and their data blocks.
// Invariant: a data block whose length leaves the collection ends the parsing of
// that collection; nothing after it can be trusted to start where it says.
// Read on: edid_parser.h.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hdmi_example/edid/edid_parser.h"

namespace uwq::hdmi::edid_internal {
namespace {

constexpr int kDataStart = 4;
constexpr int kDescriptorBytes = 18;
constexpr uint32_t kOuiHdmi = 0x000c03;
constexpr uint32_t kOuiForum = 0xc45dd8;

// A latency byte: 0 and 255 say nothing, else (value - 1) * 2 ms.
int LatencyMs(uint8_t byte) { return byte == 0 || byte == 255 ? -1 : (byte - 1) * 2; }

}  // namespace

void Parser::ParseCta(const Block& b) {
  if (!edid.cta.has_value()) {
    edid.cta.emplace();
    edid.cta->revision = b.at(1);
  }
  CtaInfo& cta = *edid.cta;
  cta.revision = std::max<int>(cta.revision, b.at(1));
  const int dtds = b.at(2);
  if (b.at(1) == 0) {
    Report(EdidSeverity::kWarning, b, 1, "CTA revision 0");
  }
  if (b.at(1) >= 2) {
    const uint8_t flags = b.at(3);
    cta.underscan |= (flags & 0x80) != 0;
    cta.basic_audio |= (flags & 0x40) != 0;
    cta.ycbcr444 |= (flags & 0x20) != 0;
    cta.ycbcr422 |= (flags & 0x10) != 0;
    cta.native_dtds = std::max(cta.native_dtds, flags & 0x0f);
  }
  if (dtds == 0) return;  // neither data blocks nor descriptors
  if (dtds < kDataStart || dtds > 127) {
    Report(EdidSeverity::kError, b, 2,
           absl::StrFormat("detailed timings start at byte %d, should be 0 or 4..127", dtds));
    return;
  }
  if (b.at(1) >= 3) ParseDataBlocks(b.Sub(kDataStart, dtds - kDataStart));
  int nth = 0;
  int at = dtds;
  for (; at + kDescriptorBytes <= 127; at += kDescriptorBytes, ++nth) {
    if (b.at(at) == 0 && b.at(at + 1) == 0) break;
    // A broken one is reported and skipped; its neighbours stand by themselves.
    (void)ParseDetailed(b.Sub(at, kDescriptorBytes), ModeSource::kCtaDetailed, false,
                        nth < cta.native_dtds);
  }
  for (; at < 127; ++at) {
    if (b.at(at) != 0) {
      Report(EdidSeverity::kNote, b, at, "padding after the last timing is not 0");
      break;
    }
  }
}

void Parser::ParseDataBlocks(const Block& c) {
  int at = 0;
  while (at < c.size()) {
    const int tag = c.at(at) >> 5;
    const int length = c.at(at) & 0x1f;
    if (at + 1 + length > c.size()) {
      Report(EdidSeverity::kError, c, at,
             absl::StrFormat("data block of tag %d announces %d bytes, only %d are left before "
                             "the timings",
                             tag, length, c.size() - at - 1));
      return;
    }
    const Block payload = c.Sub(at + 1, length);
    switch (tag) {
      case 0:
        if (c.at(at) != 0) Report(EdidSeverity::kWarning, c, at, "data block of reserved tag 0");
        break;
      case 1:
        ParseAudio(payload);
        break;
      case 2:
        ParseVideo(payload, ModeSource::kVideoBlock);
        break;
      case 3:
        ParseVendor(payload);
        break;
      case 4:
        if (length < 3) {
          Report(EdidSeverity::kError, payload, 0,
                 absl::StrCat("speaker allocation of ", length, " bytes, needs 3"));
        } else {
          edid.cta->speakers = static_cast<uint32_t>(payload.at(0)) |
                               static_cast<uint32_t>(payload.at(1)) << 8 |
                               static_cast<uint32_t>(payload.at(2)) << 16;
        }
        break;
      case 7:
        ParseExtended(payload);
        break;
      default:
        Report(EdidSeverity::kNote, c, at, absl::StrFormat("data block %d is not decoded", tag));
    }
    at += 1 + length;
  }
}

void Parser::ParseAudio(const Block& p) {
  if (p.size() % 3 != 0) {
    Report(EdidSeverity::kError, p, 0,
           absl::StrCat("audio block of ", p.size(), " bytes is no multiple of 3"));
  }
  for (int i = 0; i + 3 <= p.size(); i += 3) {
    AudioDescriptor a;
    a.format = (p.at(i) >> 3) & 0x0f;
    a.channels = (p.at(i) & 7) + 1;
    a.rates = p.at(i + 1) & 0x7f;
    a.detail = p.at(i + 2);
    if (a.format == 0) {
      Report(EdidSeverity::kWarning, p, i, "audio format 0 is reserved");
      continue;
    }
    if (a.format == 15) a.extended = a.detail >> 3;
    edid.cta->audio.push_back(a);
  }
}

void Parser::ParseVideo(const Block& p, ModeSource source) {
  for (int i = 0; i < p.size(); ++i) {
    const uint8_t svd = p.at(i);
    const bool small = (svd & 0x7f) >= 1 && (svd & 0x7f) <= 64;
    const int vic = small ? svd & 0x7f : svd;
    // The map counts short descriptors, known and unknown alike.
    if (source == ModeSource::kVideoBlock) svd_vics_.push_back(vic);
    if (vic == 0 || vic == 128 || vic >= 254) {
      Report(EdidSeverity::kWarning, p, i, absl::StrFormat("VIC %d is reserved", vic));
      continue;
    }
    AddVic(vic, p, i, source, small && (svd & 0x80));
  }
}

void Parser::ParseVendor(const Block& p) {
  if (p.size() < 3) {
    Report(EdidSeverity::kError, p, 0,
           absl::StrCat("vendor block of ", p.size(), " bytes has no room for an OUI"));
    return;
  }
  const uint32_t oui =
      static_cast<uint32_t>(p.at(2)) << 16 | static_cast<uint32_t>(p.at(1)) << 8 | p.at(0);
  if (oui == kOuiHdmi) {
    ParseHdmiVsdb(p);
  } else if (oui == kOuiForum) {
    ParseForum(p.Sub(3, p.size()));
  } else {
    Report(EdidSeverity::kNote, p, 0,
           absl::StrFormat("vendor block of OUI %06x is not decoded", oui));
  }
}

void Parser::ParseHdmiVsdb(const Block& p) {
  if (p.size() < 5) {
    Report(EdidSeverity::kError, p, 0,
           absl::StrCat("HDMI block of ", p.size(), " bytes has no physical address, needs 5"));
    return;
  }
  if (edid.cta->hdmi.has_value()) {
    Report(EdidSeverity::kWarning, p, 0, "a second HDMI block, the first one counts");
    return;
  }
  HdmiVsdb v;
  v.physical_address = static_cast<uint16_t>(p.at(3) << 8 | p.at(4));
  const uint8_t flags = p.at(5);
  v.supports_ai = flags & 0x80;
  v.deep_48 = flags & 0x40;
  v.deep_36 = flags & 0x20;
  v.deep_30 = flags & 0x10;
  v.deep_y444 = flags & 0x08;
  v.dvi_dual = flags & 0x01;
  v.max_tmds_khz = p.at(6) * 5000;
  const uint8_t more = p.at(7);
  v.content_graphics = more & 1;
  v.content_photo = more & 2;
  v.content_cinema = more & 4;
  v.content_game = more & 8;
  int at = 8;
  if (more & 0x80) {
    v.video_latency_ms = LatencyMs(p.at(at));
    v.audio_latency_ms = LatencyMs(p.at(at + 1));
    at += 2;
  }
  if (more & 0x40) {
    if (!(more & 0x80)) {
      Report(EdidSeverity::kWarning, p, 7, "interlaced latency without progressive latency");
    }
    v.i_video_latency_ms = LatencyMs(p.at(at));
    v.i_audio_latency_ms = LatencyMs(p.at(at + 1));
    at += 2;
  }
  if (more & 0x20) {
    v.has_3d = p.at(at) & 0x80;
    const int nr_vics = p.at(at + 1) >> 5;
    at += 2;
    for (int i = 0; i < nr_vics; ++i) {
      if (at + i >= p.size()) {
        Report(EdidSeverity::kError, p, at - 1,
               absl::StrFormat("HDMI block announces %d VICs, has room for %d", nr_vics, i));
        break;
      }
      const int hdmi_vic = p.at(at + i);
      const VicFormat* format = FindHdmiVic(hdmi_vic);
      if (format == nullptr) {
        Report(EdidSeverity::kWarning, p, at + i,
               absl::StrFormat("HDMI VIC %d is unknown", hdmi_vic));
        continue;
      }
      v.hdmi_vics.push_back(hdmi_vic);
      AddVic(format->vic, p, at + i, ModeSource::kHdmiVic, false);
    }
  } else if (at > 8 && at > p.size()) {
    Report(EdidSeverity::kWarning, p, 7, "the latencies lie outside of the HDMI block");
  }
  edid.cta->hdmi = v;
}

void Parser::ParseForum(const Block& p) {
  if (p.size() < 4) {
    Report(EdidSeverity::kError, p, 0,
           absl::StrCat("HDMI Forum block has ", p.size(), " bytes after its OUI, needs 4"));
    return;
  }
  HfVsdb f;
  f.version = p.at(0);
  f.max_tmds_khz = p.at(1) * 5000;
  f.scdc = p.at(2) & 0x80;
  f.read_request = p.at(2) & 0x40;
  f.scramble_below_340 = p.at(2) & 0x08;
  f.deep_420_48 = p.at(3) & 4;
  f.deep_420_36 = p.at(3) & 2;
  f.deep_420_30 = p.at(3) & 1;
  f.max_frl_rate = p.at(3) >> 4;
  f.allm = p.at(4) & 2;
  f.vrr_min_hz = p.at(5) & 0x3f;
  f.vrr_max_hz = (p.at(5) & 0xc0) << 2 | p.at(6);
  if (f.version != 1) {
    Report(EdidSeverity::kWarning, p, 0,
           absl::StrFormat("HDMI Forum block of version %d, read as 1", f.version));
  }
  if (f.max_tmds_khz > 340000 && !f.scdc) {
    Report(EdidSeverity::kWarning, p, 2,
           absl::StrFormat("%d MHz without SCDC: rates above 340 MHz cannot be used",
                           f.max_tmds_khz / 1000));
  }
  edid.cta->forum = f;
}

void Parser::ParseExtended(const Block& p) {
  if (p.size() < 1) {
    Report(EdidSeverity::kError, p, 0, "extended data block without its tag");
    return;
  }
  CtaInfo& cta = *edid.cta;
  const Block body = p.Sub(1, p.size());
  const auto too_short = [&](int needs) {
    if (body.size() >= needs) return false;
    Report(EdidSeverity::kError, p, 0,
           absl::StrFormat("extended data block %d has %d bytes, needs %d", p.at(0), body.size(),
                           needs));
    return true;
  };
  switch (p.at(0)) {
    case 0:
      if (too_short(1)) return;
      cta.vcdb = Vcdb{.quantization_ycc = (body.at(0) & 0x80) != 0,
                      .quantization_rgb = (body.at(0) & 0x40) != 0,
                      .pt = body.at(0) >> 4 & 3,
                      .it = body.at(0) >> 2 & 3,
                      .ce = body.at(0) & 3};
      return;
    case 5: {
      if (too_short(2)) return;
      Colorimetry c;
      const uint8_t b = body.at(0);
      c.xvycc601 = b & 0x01;
      c.xvycc709 = b & 0x02;
      c.sycc601 = b & 0x04;
      c.opycc601 = b & 0x08;
      c.oprgb = b & 0x10;
      c.bt2020_cycc = b & 0x20;
      c.bt2020_ycc = b & 0x40;
      c.bt2020_rgb = b & 0x80;
      c.dci_p3 = body.at(1) & 0x80;
      cta.colorimetry = c;
      return;
    }
    case 6: {
      if (too_short(2)) return;
      HdrStatic h;
      h.sdr = body.at(0) & 1;
      h.traditional = body.at(0) & 2;
      h.pq = body.at(0) & 4;
      h.hlg = body.at(0) & 8;
      h.type1 = body.at(1) & 1;
      h.max_luminance = body.at(2);
      h.max_frame_average = body.at(3);
      h.min_luminance = body.at(4);
      cta.hdr = h;
      return;
    }
    case 14:
      ParseVideo(body, ModeSource::kY420Block);
      return;
    case 15:
      if (body.size() == 0) map420_all_ = true;
      for (int i = 0; i < body.size(); ++i) map420_.push_back(body.at(i));
      return;
    case 120:
      return;  // HF-EEODB; used when the blocks are counted
    case 121:
      if (too_short(6)) return;
      ParseForum(body.Sub(2, body.size()));
      return;
    default:
      Report(EdidSeverity::kNote, p, 0,
             absl::StrFormat("extended data block %d is not decoded", p.at(0)));
  }
}

void Parser::AddVic(int vic, const Block& at, int offset, ModeSource source, bool native) {
  const VicFormat* format = FindVic(vic);
  if (format == nullptr) {
    Report(EdidSeverity::kNote, at, offset, absl::StrFormat("VIC %d is unknown", vic));
    return;
  }
  EdidMode mode;
  mode.timing = format->timing;
  mode.vic = vic;
  mode.source = source;
  mode.native = native;
  mode.y420 = mode.y420_only = source == ModeSource::kY420Block;
  mode.block = at.number();
  mode.offset = at.base() + offset;
  AddMode(mode);
}

void Parser::AddMode(const EdidMode& mode) {
  for (EdidMode& known : edid.modes) {
    if (!SameTiming(known.timing, mode.timing)) continue;
    const bool same_vic = known.vic == mode.vic && mode.vic != 0;
    // The same timing under a code and without one is one mode, if the clocks
    // agree exactly; two codes for one timing differ in the picture's shape.
    const bool same_clock =
        (known.vic == 0 || mode.vic == 0) && known.timing.clock_khz == mode.timing.clock_khz;
    if (!same_vic && !same_clock) continue;
    known.vic = std::max(known.vic, mode.vic);
    known.timing.pixel_repeat = std::max(known.timing.pixel_repeat, mode.timing.pixel_repeat);
    // Listed in full somewhere: then it is not a 4:2:0-only mode.
    known.y420_only = known.y420_only && mode.y420_only;
    known.y420 = known.y420 || mode.y420;
    known.native = known.native || mode.native;
    return;
  }
  edid.modes.push_back(mode);
}

void Parser::Finish() {
  for (size_t i = 0; i < svd_vics_.size(); ++i) {
    const bool listed =
        map420_all_ || (i / 8 < map420_.size() && ((map420_[i / 8] >> (i % 8)) & 1));
    if (!listed) continue;
    for (EdidMode& mode : edid.modes) {
      if (mode.vic == svd_vics_[i]) mode.y420 = true;
    }
  }
}

}  // namespace uwq::hdmi::edid_internal
