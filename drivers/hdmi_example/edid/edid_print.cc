// SPDX-License-Identifier: BSD-3-Clause
// edid_print.cc: an Edid for people.
// Invariant: prints only what edid.h holds; no byte of the input is read here.
// Read on: edid.h.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "drivers/hdmi_example/edid/edid.h"

namespace uwq::hdmi {
namespace {

std::string AudioFormatName(const AudioDescriptor& a) {
  static constexpr const char* kNames[] = {"reserved", "LPCM",   "AC-3", "MPEG-1", "MP3",
                                           "MPEG-2",   "AAC-LC", "DTS",  "ATRAC",  "One Bit",
                                           "E-AC-3",   "DTS-HD", "MAT",  "DST",    "WMA Pro"};
  if (a.format == 15) return absl::StrCat("extended ", a.extended);
  return kNames[a.format];
}

std::string AudioRates(uint8_t rates) {
  static constexpr const char* kRates[] = {"32", "44.1", "48", "88.2", "96", "176.4", "192"};
  std::vector<std::string> names;
  for (int i = 0; i < 7; ++i) {
    if ((rates >> i) & 1) names.push_back(kRates[i]);
  }
  return names.empty() ? "no rate" : absl::StrCat(absl::StrJoin(names, "/"), " kHz");
}

// The names of the flags that are set, or "none".
std::string Flags(std::initializer_list<std::pair<bool, const char*>> flags) {
  std::vector<std::string> names;
  for (const auto& [set, name] : flags) {
    if (set) names.push_back(name);
  }
  return names.empty() ? "none" : absl::StrJoin(names, ", ");
}

void PrintCta(const CtaInfo& cta, std::string& out) {
  absl::StrAppendFormat(&out, "CTA-861 revision %d: %s\n", cta.revision,
                        Flags({{cta.underscan, "underscan"},
                               {cta.basic_audio, "basic audio"},
                               {cta.ycbcr444, "YCbCr 4:4:4"},
                               {cta.ycbcr422, "YCbCr 4:2:2"}}));
  for (const AudioDescriptor& a : cta.audio) {
    absl::StrAppendFormat(&out, "  audio: %s, %d channels, %s\n", AudioFormatName(a), a.channels,
                          AudioRates(a.rates));
  }
  if (cta.speakers != 0) absl::StrAppendFormat(&out, "  speakers: 0x%06x\n", cta.speakers);
  if (cta.hdmi) {
    const HdmiVsdb& v = *cta.hdmi;
    absl::StrAppendFormat(
        &out, "  HDMI: physical address %s, max TMDS %s, %s\n",
        PhysicalAddressToString(v.physical_address),
        v.max_tmds_khz ? absl::StrCat(v.max_tmds_khz / 1000, " MHz") : "not stated",
        Flags({{v.supports_ai, "AI"},
               {v.deep_30, "30 bit"},
               {v.deep_36, "36 bit"},
               {v.deep_48, "48 bit"},
               {v.deep_y444, "deep 4:4:4"},
               {v.dvi_dual, "dual DVI"},
               {v.has_3d, "3D"}}));
    if (v.video_latency_ms >= 0 || v.audio_latency_ms >= 0) {
      absl::StrAppendFormat(&out, "    latency: video %d ms, audio %d ms\n", v.video_latency_ms,
                            v.audio_latency_ms);
    }
  } else {
    out += "  no HDMI block: a DVI sink (no InfoFrames, no audio, no CEC)\n";
  }
  if (cta.forum) {
    const HfVsdb& f = *cta.forum;
    absl::StrAppendFormat(&out, "  HDMI Forum: max TMDS %d MHz, %s\n", f.max_tmds_khz / 1000,
                          Flags({{f.scdc, "SCDC"},
                                 {f.read_request, "read request"},
                                 {f.scramble_below_340, "scrambling below 340 MHz"},
                                 {f.deep_420_30, "4:2:0 30 bit"},
                                 {f.deep_420_36, "4:2:0 36 bit"},
                                 {f.deep_420_48, "4:2:0 48 bit"},
                                 {f.allm, "ALLM"},
                                 {f.max_frl_rate > 0, "FRL"}}));
  }
  if (cta.hdr) {
    absl::StrAppendFormat(&out, "  HDR: %s\n",
                          Flags({{cta.hdr->sdr, "SDR"},
                                 {cta.hdr->traditional, "traditional HDR"},
                                 {cta.hdr->pq, "PQ"},
                                 {cta.hdr->hlg, "HLG"}}));
  }
  if (cta.colorimetry) {
    const Colorimetry& c = *cta.colorimetry;
    absl::StrAppendFormat(&out, "  colorimetry: %s\n",
                          Flags({{c.xvycc601, "xvYCC601"},
                                 {c.xvycc709, "xvYCC709"},
                                 {c.sycc601, "sYCC601"},
                                 {c.opycc601, "opYCC601"},
                                 {c.oprgb, "opRGB"},
                                 {c.bt2020_cycc, "BT2020cYCC"},
                                 {c.bt2020_ycc, "BT2020YCC"},
                                 {c.bt2020_rgb, "BT2020RGB"},
                                 {c.dci_p3, "DCI-P3"}}));
  }
  if (cta.vcdb) {
    absl::StrAppendFormat(
        &out, "  quantization selectable: %s\n",
        Flags({{cta.vcdb->quantization_rgb, "RGB"}, {cta.vcdb->quantization_ycc, "YCC"}}));
  }
}

}  // namespace

const char* ModeSourceName(ModeSource source) {
  switch (source) {
    case ModeSource::kDetailed:
      return "detailed";
    case ModeSource::kCtaDetailed:
      return "CTA detailed";
    case ModeSource::kVideoBlock:
      return "video block";
    case ModeSource::kY420Block:
      return "4:2:0 block";
    case ModeSource::kHdmiVic:
      return "HDMI VIC";
    case ModeSource::kEstablished:
      return "established";
    case ModeSource::kStandard:
      return "standard";
    case ModeSource::kEstablished3:
      return "established III";
  }
  return "?";
}

std::string PhysicalAddressToString(uint16_t a) {
  return absl::StrFormat("%x.%x.%x.%x", a >> 12, (a >> 8) & 15, (a >> 4) & 15, a & 15);
}

std::string EdidReport(const Edid& edid, absl::Span<const EdidIssue> issues) {
  std::string out = absl::StrFormat("%s %04x \"%s\"", edid.manufacturer, edid.product, edid.name);
  if (!edid.serial_text.empty()) absl::StrAppendFormat(&out, " serial \"%s\"", edid.serial_text);
  absl::StrAppendFormat(&out, ", EDID %d.%d, %d, %s, %d of %d blocks\n", edid.version,
                        edid.revision, edid.year, edid.digital ? "digital" : "analogue",
                        edid.block_tags.size(), edid.announced_extensions + 1);
  if (edid.range) {
    absl::StrAppendFormat(&out, "range: %d..%d Hz, %d..%d kHz, %d MHz\n", edid.range->min_v_hz,
                          edid.range->max_v_hz, edid.range->min_h_khz, edid.range->max_h_khz,
                          edid.range->max_clock_mhz);
  }
  if (edid.cta) {
    PrintCta(*edid.cta, out);
  } else {
    out += "no CTA-861 block: a DVI sink (no InfoFrames, no audio, no CEC)\n";
  }
  absl::StrAppendFormat(&out, "link: up to %d MHz%s\n", edid.max_tmds_khz() / 1000,
                        edid.has_scdc() ? ", SCDC" : "");
  for (const EdidMode& mode : edid.modes) {
    absl::StrAppendFormat(&out, "  mode %-44s VIC %3d  %s%s%s%s\n", TimingToString(mode.timing),
                          mode.vic, ModeSourceName(mode.source),
                          mode.preferred ? ", preferred" : "", mode.native ? ", native" : "",
                          mode.y420_only ? ", 4:2:0 only" : (mode.y420 ? ", 4:2:0 too" : ""));
  }
  if (issues.empty()) {
    out += "no complaints\n";
  } else {
    for (const EdidIssue& issue : issues) absl::StrAppend(&out, issue.ToString(), "\n");
  }
  return out;
}

}  // namespace uwq::hdmi
