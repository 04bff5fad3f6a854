// SPDX-License-Identifier: BSD-3-Clause
// info_frame.cc: see info_frame.h.
// Invariant: every frame leaves through Finish(), which writes length and sum.
// Read on: info_frame_test.cc.
#include "drivers/hdmi_example/video/info_frame.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace uwq::hdmi {
namespace {

constexpr size_t kHeader = 4;  // type, version, length, checksum

InfoFrame Begin(InfoFrameType type, uint8_t version, size_t payload) {
  InfoFrame frame(kHeader + payload);
  frame[0] = static_cast<uint8_t>(type);
  frame[1] = version;
  return frame;
}

InfoFrame Finish(InfoFrame frame) {
  frame[2] = static_cast<uint8_t>(frame.size() - kHeader);
  frame[3] = InfoFrameChecksum(frame);
  return frame;
}

uint8_t EncodingBits(PixelEncoding encoding) {
  switch (encoding) {
    case PixelEncoding::kRgb:
      return 0;
    case PixelEncoding::kYcbcr422:
      return 1;
    case PixelEncoding::kYcbcr444:
      return 2;
    case PixelEncoding::kYcbcr420:
      return 3;
  }
  return 0;
}

void PutLe16(InfoFrame& frame, size_t at, uint16_t value) {
  frame[at] = static_cast<uint8_t>(value);
  frame[at + 1] = static_cast<uint8_t>(value >> 8);
}

bool Knows(const Edid& edid, ContentType type) {
  if (!edid.cta->hdmi.has_value()) return false;
  const HdmiVsdb& hdmi = *edid.cta->hdmi;
  switch (type) {
    case ContentType::kNoData:
      return false;
    case ContentType::kGraphics:
      return hdmi.content_graphics;
    case ContentType::kPhoto:
      return hdmi.content_photo;
    case ContentType::kCinema:
      return hdmi.content_cinema;
    case ContentType::kGame:
      return hdmi.content_game;
  }
  return false;
}

bool Knows(const Edid& edid, const HdrMetadata& metadata) {
  if (!edid.cta->hdr.has_value()) return false;
  const HdrStatic& hdr = *edid.cta->hdr;
  const bool eotfs[] = {hdr.sdr, hdr.traditional, hdr.pq, hdr.hlg};
  return metadata.eotf >= 0 && metadata.eotf < 4 && eotfs[metadata.eotf];
}

void PutOui(InfoFrame& frame, uint32_t oui) {
  for (int i = 0; i < 3; ++i) frame[kHeader + i] = static_cast<uint8_t>(oui >> (8 * i));
}

}  // namespace

const char* InfoFrameTypeName(InfoFrameType type) {
  switch (type) {
    case InfoFrameType::kVendor:
      return "vendor";
    case InfoFrameType::kAvi:
      return "AVI";
    case InfoFrameType::kSpd:
      return "SPD";
    case InfoFrameType::kAudio:
      return "audio";
    case InfoFrameType::kDrm:
      return "DRM";
  }
  return "?";
}

uint8_t InfoFrameChecksum(absl::Span<const uint8_t> frame) {
  uint8_t sum = 0;
  for (size_t i = 0; i < frame.size(); ++i) {
    if (i != 3) sum = static_cast<uint8_t>(sum + frame[i]);
  }
  return static_cast<uint8_t>(-sum);
}

absl::Status CheckInfoFrame(absl::Span<const uint8_t> frame) {
  if (frame.size() < kHeader) {
    return absl::InvalidArgumentError(
        absl::StrCat("InfoFrame of ", frame.size(), " bytes is shorter than its header"));
  }
  if (frame[2] != frame.size() - kHeader) {
    return absl::InvalidArgumentError(
        absl::StrFormat("InfoFrame 0x%02x announces %d payload bytes, has %d", frame[0], frame[2],
                        frame.size() - kHeader));
  }
  if (frame[3] != InfoFrameChecksum(frame)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("InfoFrame 0x%02x: checksum 0x%02x, should "
                        "be 0x%02x",
                        frame[0], frame[3], InfoFrameChecksum(frame)));
  }
  return absl::OkStatus();
}

InfoFrame AviInfoFrame(const LinkMode& mode, ContentType content_type) {
  InfoFrame f = Begin(InfoFrameType::kAvi, mode.vic >= 128 ? 3 : 2, 13);
  uint8_t* pb = f.data() + kHeader - 1;  // pb[1] is the first payload byte
  pb[1] = static_cast<uint8_t>(EncodingBits(mode.encoding) << 5 | 1 << 4);
  uint8_t aspect = 0;
  if (mode.aspect.width == 4) aspect = 1;
  if (mode.aspect.width == 16) aspect = 2;
  uint8_t colorimetry = 0;
  if (mode.encoding != PixelEncoding::kRgb) {
    colorimetry = mode.timing.vactive >= 720 ? 2 : 1;  // BT.709, BT.601
  }
  pb[2] = static_cast<uint8_t>(colorimetry << 6 | aspect << 4 | 8);
  uint8_t quantization = 0;  // the default of the format
  if (mode.encoding == PixelEncoding::kRgb && mode.range_selectable) {
    quantization = mode.limited_range ? 1 : 2;
  }
  const bool itc = content_type != ContentType::kNoData;
  const int cn =
      itc ? static_cast<int>(content_type) - static_cast<int>(ContentType::kGraphics) : 0;
  pb[3] = static_cast<uint8_t>((itc ? 0x80 : 0) | quantization << 2);
  pb[4] = static_cast<uint8_t>(mode.vic);
  const int repeat = std::clamp<int>(mode.timing.pixel_repeat, 1, 10) - 1;
  pb[5] = static_cast<uint8_t>(cn << 4 | repeat);
  return Finish(std::move(f));
}

InfoFrame AudioInfoFrame(int channels) {
  // Speaker places for 2..8 channels: front; +LFE; +front centre; +rear; ...
  static constexpr uint8_t kAllocation[] = {0x00, 0x01, 0x03, 0x0a, 0x0b, 0x0f, 0x13};
  const int n = std::clamp(channels, 2, 8);
  InfoFrame f = Begin(InfoFrameType::kAudio, 1, 10);
  f[kHeader] = static_cast<uint8_t>(n - 1);
  f[kHeader + 3] = kAllocation[n - 2];
  return Finish(std::move(f));
}

InfoFrame SpdInfoFrame(absl::string_view vendor, absl::string_view product) {
  InfoFrame f = Begin(InfoFrameType::kSpd, 1, 25);
  for (size_t i = 0; i < std::min<size_t>(vendor.size(), 8); ++i) {
    f[kHeader + i] = static_cast<uint8_t>(vendor[i]) & 0x7f;
  }
  for (size_t i = 0; i < std::min<size_t>(product.size(), 16); ++i) {
    f[kHeader + 8 + i] = static_cast<uint8_t>(product[i]) & 0x7f;
  }
  f[kHeader + 24] = 9;  // PC general
  return Finish(std::move(f));
}

InfoFrame HdmiVendorInfoFrame(int hdmi_vic) {
  InfoFrame f = Begin(InfoFrameType::kVendor, 1, hdmi_vic != 0 ? 5 : 4);
  PutOui(f, 0x000c03);
  if (hdmi_vic != 0) {
    f[kHeader + 3] = 1 << 5;
    f[kHeader + 4] = static_cast<uint8_t>(hdmi_vic);
  }
  return Finish(std::move(f));
}

InfoFrame ForumVendorInfoFrame(bool allm) {
  InfoFrame f = Begin(InfoFrameType::kVendor, 1, 5);
  PutOui(f, 0xc45dd8);
  f[kHeader + 3] = 1;
  f[kHeader + 4] = allm ? 2 : 0;
  return Finish(std::move(f));
}

InfoFrame DrmInfoFrame(const HdrMetadata& hdr) {
  InfoFrame f = Begin(InfoFrameType::kDrm, 1, 26);
  f[kHeader] = static_cast<uint8_t>(hdr.eotf & 7);
  size_t at = kHeader + 2;
  for (int i = 0; i < 4; ++i) {
    PutLe16(f, at, hdr.x[i]);
    PutLe16(f, at + 2, hdr.y[i]);
    at += 4;
  }
  for (uint16_t value :
       {hdr.max_luminance, hdr.min_luminance, hdr.max_content, hdr.max_frame_average}) {
    PutLe16(f, at, value);
    at += 2;
  }
  return Finish(std::move(f));
}

std::vector<InfoFrame> InfoFramesFor(const LinkMode& mode, const Edid& edid,
                                     const Content& content) {
  std::vector<InfoFrame> frames;
  if (!mode.hdmi || !edid.is_hdmi()) return frames;
  frames.push_back(
      AviInfoFrame(mode, Knows(edid, content.type) ? content.type : ContentType::kNoData));
  int channels = edid.cta->basic_audio ? 2 : 0;
  for (const AudioDescriptor& a : edid.cta->audio) {
    if (a.format == 1) channels = std::max(channels, a.channels);
  }
  if (channels > 0) frames.push_back(AudioInfoFrame(channels));
  frames.push_back(SpdInfoFrame("uwq", "HDMI example"));
  if (mode.hdmi_vic != 0) frames.push_back(HdmiVendorInfoFrame(mode.hdmi_vic));
  const std::optional<HdrMetadata>& hdr = content.hdr_output_metadata;
  if (hdr.has_value() && Knows(edid, *hdr)) frames.push_back(DrmInfoFrame(*hdr));
  return frames;
}

}  // namespace uwq::hdmi
