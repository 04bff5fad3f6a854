// SPDX-License-Identifier: BSD-3-Clause
// info_frame.h: builds and checks the InfoFrames of CTA-861 and HDMI.
//
// Invariant: a frame is header (type, version, length), checksum, payload; the
// sum of all its bytes is 0 mod 256.
//
// Threads: pure functions; any thread.  Blocks: never.
// Read on: mode_choice.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_VIDEO_INFO_FRAME_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_VIDEO_INFO_FRAME_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "drivers/hdmi_example/edid/edid.h"
#include "drivers/hdmi_example/video/mode_choice.h"

namespace uwq::hdmi {

enum class InfoFrameType : uint8_t {
  kVendor = 0x81,
  kAvi = 0x82,
  kSpd = 0x83,
  kAudio = 0x84,
  kDrm = 0x87,  // dynamic range and mastering
};
const char* InfoFrameTypeName(InfoFrameType type);

using InfoFrame = std::vector<uint8_t>;

// The checksum byte of a frame (its byte 3 counts as 0).
uint8_t InfoFrameChecksum(absl::Span<const uint8_t> frame);

// Length and sum.  Errors: InvalidArgument, naming both values.
absl::Status CheckInfoFrame(absl::Span<const uint8_t> frame);

// DRM's property "content type".
enum class ContentType { kNoData, kGraphics, kPhoto, kCinema, kGame };

// Auxiliary video information for this mode (version 2, 3 where the VIC needs
// it).  A content type is sent with ITC set.
InfoFrame AviInfoFrame(const LinkMode& mode, ContentType content_type = ContentType::kNoData);

// LPCM with this many channels (2..8) in the usual speaker places.
InfoFrame AudioInfoFrame(int channels);

// Source product description.  Longer names are cut.
InfoFrame SpdInfoFrame(absl::string_view vendor, absl::string_view product);

// HDMI's own (OUI 00-0C-03): the HDMI VIC, or 0 for "no extra format".
InfoFrame HdmiVendorInfoFrame(int hdmi_vic);

// The HDMI Forum's (OUI C4-5D-D8): auto low latency mode.
InfoFrame ForumVendorInfoFrame(bool allm);

// Static HDR metadata.
struct HdrMetadata {
  int eotf = 2;  // 0 SDR, 1 traditional HDR, 2 PQ, 3 HLG
  // CIE 1931 coordinates times 50000: green, blue, red, white.
  uint16_t x[4] = {8500, 6550, 35400, 15635};
  uint16_t y[4] = {39850, 2300, 14600, 16450};
  uint16_t max_luminance = 1000;  // cd/m2
  uint16_t min_luminance = 50;    // 0.0001 cd/m2
  uint16_t max_content = 1000;    // cd/m2
  uint16_t max_frame_average = 400;
};
InfoFrame DrmInfoFrame(const HdrMetadata& hdr);

// What a client says of its picture.
struct Content {
  ContentType type = ContentType::kNoData;
  std::optional<HdrMetadata> hdr_output_metadata = std::nullopt;
};

// Everything that this sink wants for this mode, in the order of sending: none
// for a DVI sink; else AVI, audio if the sink has any, SPD, and HDMI's own when
// the mode has an HDMI VIC.  Of the content, what the sink says that it knows.
std::vector<InfoFrame> InfoFramesFor(const LinkMode& mode, const Edid& edid,
                                     const Content& content = {});

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_VIDEO_INFO_FRAME_H_
