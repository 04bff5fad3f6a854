// SPDX-License-Identifier: BSD-3-Clause
// edid.h: what a display says about itself, parsed from the bytes of its EDID.
//
// Invariant: a byte is read only after its offset has been compared with the
// length of its block, whatever the block claims about itself.  Any input, of
// any length, yields a Status or an Edid, never a fault.
//
// Two manners.  Tolerant (the default) does what drivers do in the field: the
// base block must be right, an extension that is broken is left out, and every
// oddity is listed as an issue with block and byte.  Strict turns the first
// issue of severity kError into the returned Status.
//
// Threads: the functions keep no state, an Edid is a value; any thread.
// Blocks: only ReadEdidFile (file I/O).  Deadlocks: none.
// Read on: eddc.h (how the blocks are fetched), ../video/mode_choice.h.
//
//   std::vector<EdidIssue> issues;
//   absl::StatusOr<Edid> edid = ParseEdid(bytes, {}, &issues);
//   if (!edid.ok()) return edid.status();
//   puts(EdidReport(*edid, issues).c_str());
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "drivers/hdmi_example/video/timing.h"

namespace uwq::hdmi {

inline constexpr int kEdidBlockBytes = 128;
inline constexpr int kEdidBlocksMax = 256;

enum class EdidSeverity {
  kNote,     // unusual or not decoded, of no consequence
  kWarning,  // against the standard, used as it is
  kError,    // this part was left out
};

struct EdidIssue {
  EdidSeverity severity;
  int block;   // 0 is the base block
  int offset;  // byte inside the block
  std::string what;
  // "error: block 1, byte 127 (file offset 0xff): checksum is ..."
  std::string ToString() const;
};

struct EdidOptions {
  bool strict = false;
  // As Linux does: a CTA block whose sum is wrong is still better than none.
  bool accept_cta_bad_checksum = true;
};

enum class ModeSource {
  kDetailed,     // 18-byte descriptor of the base block
  kCtaDetailed,  // 18-byte descriptor of a CTA block
  kVideoBlock,   // short video descriptor (VIC)
  kY420Block,    // short video descriptor that is valid in 4:2:0 only
  kHdmiVic,      // HDMI 1.4 block
  kEstablished,
  kStandard,
  kEstablished3,
};

struct EdidMode {
  Timing timing = {};
  int vic = 0;  // 0: not a CTA format
  ModeSource source = ModeSource::kDetailed;
  bool preferred = false;  // the first descriptor of the base block
  bool native = false;
  bool y420 = false;       // may be sent as 4:2:0
  bool y420_only = false;  // may be sent as nothing else
  int block = 0;           // where it was found
  int offset = 0;
};

struct RangeLimits {
  int min_v_hz = 0, max_v_hz = 0;
  int min_h_khz = 0, max_h_khz = 0;
  int max_clock_mhz = 0;
};

struct AudioDescriptor {
  int format = 0;    // 1 LPCM, 2 AC-3, 7 DTS, 10 E-AC-3, 11 DTS-HD, 12 MAT, 15 extended
  int extended = 0;  // when format is 15
  int channels = 0;
  uint8_t rates = 0;   // bit 0: 32 kHz, 44.1, 48, 88.2, 96, 176.4, bit 6: 192 kHz
  uint8_t detail = 0;  // LPCM: bit 0 16, bit 1 20, bit 2 24 bits; else see CTA-861
};

// HDMI's own block (00-0C-03).  Without it the sink is a DVI sink.
struct HdmiVsdb {
  uint16_t physical_address = 0xffff;  // 0x1000 is 1.0.0.0
  bool supports_ai = false;
  bool deep_48 = false, deep_36 = false, deep_30 = false, deep_y444 = false;
  bool dvi_dual = false;
  int max_tmds_khz = 0;  // 0: not stated
  bool content_graphics = false, content_photo = false, content_cinema = false,
       content_game = false;
  int video_latency_ms = -1, audio_latency_ms = -1;  // -1: not stated
  int i_video_latency_ms = -1, i_audio_latency_ms = -1;
  bool has_3d = false;
  std::vector<int> hdmi_vics;
};

// The HDMI Forum's block (C4-5D-D8), or the same content in an HF-SCDB.
struct HfVsdb {
  int version = 0;
  int max_tmds_khz = 0;  // 0: not above 340 MHz
  bool scdc = false;
  bool read_request = false;
  bool scramble_below_340 = false;
  bool deep_420_48 = false, deep_420_36 = false, deep_420_30 = false;
  int max_frl_rate = 0;
  bool allm = false;
  int vrr_min_hz = 0, vrr_max_hz = 0;
};

struct HdrStatic {
  bool sdr = false, traditional = false, pq = false, hlg = false;
  bool type1 = false;
  int max_luminance = 0, max_frame_average = 0, min_luminance = 0;  // coded values
};

struct Vcdb {
  bool quantization_ycc = false, quantization_rgb = false;
  int pt = 0, it = 0, ce = 0;
};

struct Colorimetry {
  bool xvycc601 = false, xvycc709 = false, sycc601 = false, opycc601 = false, oprgb = false;
  bool bt2020_cycc = false, bt2020_ycc = false, bt2020_rgb = false, dci_p3 = false;
};

struct CtaInfo {
  int revision = 0;
  bool underscan = false, basic_audio = false, ycbcr444 = false, ycbcr422 = false;
  int native_dtds = 0;
  std::vector<AudioDescriptor> audio;
  uint32_t speakers = 0;  // three bytes of the speaker allocation, first byte low
  std::optional<HdmiVsdb> hdmi;
  std::optional<HfVsdb> forum;
  std::optional<HdrStatic> hdr;
  std::optional<Vcdb> vcdb;
  std::optional<Colorimetry> colorimetry;
};

struct Edid {
  std::string manufacturer;  // three letters
  uint16_t product = 0;
  uint32_t serial = 0;
  int week = 0, year = 0;
  int version = 0, revision = 0;
  bool digital = false;
  int bits_per_component = 0;  // 0: not stated
  int width_cm = 0, height_cm = 0;
  std::string name, serial_text, text;
  std::optional<RangeLimits> range;
  int announced_extensions = 0;
  std::vector<uint8_t> block_tags;  // of the blocks that are there
  std::optional<CtaInfo> cta;       // all CTA blocks together
  std::vector<EdidMode> modes;      // in order of appearance, each timing once
  uint64_t hash = 0;                // of all bytes: skip the re-init when equal

  // A sink without HDMI's block gets no InfoFrames, no audio, no CEC.
  bool is_hdmi() const { return cta.has_value() && cta->hdmi.has_value(); }
  bool has_scdc() const { return cta.has_value() && cta->forum && cta->forum->scdc; }
  // f.f.f.f (0xffff) where the sink states none.
  uint16_t physical_address() const {
    return is_hdmi() ? cta->hdmi->physical_address : uint16_t{0xffff};
  }
  // The highest character rate that the sink takes: what the blocks state, or
  // the range descriptor, or 165 MHz.
  int max_tmds_khz() const;
};

// Parses `bytes`.  Appends what is odd to `issues` if that is not null, also
// when the result is an error.
// Errors: InvalidArgument, with block and byte offset, when the base block
// cannot be used (and in strict manner for the first issue of kError).
absl::StatusOr<Edid> ParseEdid(absl::Span<const uint8_t> bytes, const EdidOptions& options = {},
                               std::vector<EdidIssue>* issues = nullptr);

// Whether one block can be used as read from the bus: the sum of all, and for
// block 0 the magic.  Errors: DataLoss, saying what is wrong and where.
absl::Status CheckEdidBlock(int block, absl::Span<const uint8_t> bytes);

// The byte that makes the sum of the 128 bytes a multiple of 256.
uint8_t EdidChecksum(absl::Span<const uint8_t> block);

// How many extension blocks to read after this base block, and, once block 1 is
// known, what an HF-EEODB in it overrides that with.
int EdidExtensionCount(absl::Span<const uint8_t> blocks_so_far);

uint64_t EdidHash(absl::Span<const uint8_t> bytes);

// The bytes of an EDID file: a binary image, or hex digits as text (white space,
// "0x" and commas may stand between the bytes).  Errors: InvalidArgument saying
// what the contents look like instead.
absl::StatusOr<std::vector<uint8_t>> EdidFromFileContents(absl::string_view contents);

// The same from a path.  Errors also: NotFound and others from the file system,
// with the path.  Blocks: reads the file.
absl::StatusOr<std::vector<uint8_t>> ReadEdidFile(const std::string& path);

// For people: everything that was decoded, then the issues.
std::string EdidReport(const Edid& edid, absl::Span<const EdidIssue> issues);
const char* ModeSourceName(ModeSource source);
// "1.0.0.0".
std::string PhysicalAddressToString(uint16_t address);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_H_
