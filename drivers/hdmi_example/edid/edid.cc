// SPDX-License-Identifier: BSD-3-Clause
// edid.cc: blocks, sums, the order of parsing, and files.
// Invariant: see edid.h.
// Read on: edid_base.cc, edid_cta.cc, edid_print.cc.
#include "drivers/hdmi_example/edid/edid.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hdmi_example/edid/edid_parser.h"

namespace uwq::hdmi {
namespace {

using edid_internal::Block;
using edid_internal::Parser;

constexpr uint8_t kMagic[8] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
constexpr uint8_t kTagCta = 0x02;
constexpr int kFileBytesMax = 1 << 20;

std::string Place(int block, int offset) {
  return absl::StrFormat("block %d, byte %d (file offset 0x%x)", block, offset,
                         block * kEdidBlockBytes + offset);
}

const char* TagName(uint8_t tag) {
  switch (tag) {
    case 0x02:
      return "CTA-861";
    case 0x10:
      return "VTB";
    case 0x40:
      return "DI";
    case 0x50:
      return "LS";
    case 0x60:
      return "DPVL";
    case 0x70:
      return "DisplayID";
    case 0xf0:
      return "block map";
    case 0xff:
      return "manufacturer";
    default:
      return "unknown";
  }
}

int MagicBytesRight(absl::Span<const uint8_t> block) {
  int right = 0;
  for (size_t i = 0; i < sizeof(kMagic); ++i) right += block[i] == kMagic[i];
  return right;
}

std::string ChecksumText(absl::Span<const uint8_t> block) {
  return absl::StrFormat("checksum is 0x%02x, should be 0x%02x", block[127], EdidChecksum(block));
}

}  // namespace

std::string EdidIssue::ToString() const {
  static constexpr const char* kNames[] = {"note", "warning", "error"};
  return absl::StrCat(kNames[static_cast<int>(severity)], ": ", Place(block, offset), ": ", what);
}

uint8_t EdidChecksum(absl::Span<const uint8_t> block) {
  uint8_t sum = 0;
  for (size_t i = 0; i + 1 < block.size() && i < 127; ++i)
    sum = static_cast<uint8_t>(sum + block[i]);
  return static_cast<uint8_t>(-sum);
}

absl::Status CheckEdidBlock(int block, absl::Span<const uint8_t> bytes) {
  if (bytes.size() != kEdidBlockBytes) {
    return absl::DataLossError(
        absl::StrFormat("EDID block %d has %d bytes, should have 128", block, bytes.size()));
  }
  if (block == 0 && MagicBytesRight(bytes) < 6) {
    return absl::DataLossError(
        absl::StrFormat("EDID %s: starts with %02x %02x %02x, not with 00 ff ff", Place(0, 0),
                        bytes[0], bytes[1], bytes[2]));
  }
  if (bytes[127] != EdidChecksum(bytes)) {
    return absl::DataLossError(absl::StrCat("EDID ", Place(block, 127), ": ", ChecksumText(bytes)));
  }
  return absl::OkStatus();
}

int EdidExtensionCount(absl::Span<const uint8_t> blocks) {
  if (blocks.size() < kEdidBlockBytes) return 0;
  const int announced = blocks[126];
  if (blocks.size() < 2 * kEdidBlockBytes || announced == 0) return announced;
  // An HF-EEODB must be the first data block of the CTA block right after the
  // base block, so it stands at a fixed place.
  const absl::Span<const uint8_t> cta = blocks.subspan(kEdidBlockBytes, kEdidBlockBytes);
  if (cta[0] == kTagCta && cta[1] >= 3 && cta[2] >= 7 && cta[4] == (7 << 5 | 2) && cta[5] == 120 &&
      cta[6] > announced) {
    return cta[6];
  }
  return announced;
}

uint64_t EdidHash(absl::Span<const uint8_t> bytes) {
  // FNV-1a: only ever compared with another EDID of the same port.
  uint64_t hash = 0xcbf29ce484222325;
  for (uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

int Edid::max_tmds_khz() const {
  if (cta.has_value()) {
    if (cta->forum && cta->forum->max_tmds_khz > 0 && cta->forum->scdc) {
      return cta->forum->max_tmds_khz;
    }
    if (cta->hdmi && cta->hdmi->max_tmds_khz > 0) return cta->hdmi->max_tmds_khz;
  }
  if (range && range->max_clock_mhz > 0) return std::min(range->max_clock_mhz * 1000, 165000);
  return 165000;
}

namespace {

// Looks at everything that makes the base block unusable.
absl::Status CheckBase(absl::Span<const uint8_t> bytes, Parser& parser) {
  const Block whole(bytes.subspan(0, std::min<size_t>(bytes.size(), kEdidBlockBytes)), 0, 0);
  const auto fail = [&](int offset, std::string what) {
    parser.Report(EdidSeverity::kError, whole, offset, what);
    return absl::InvalidArgumentError(absl::StrCat("EDID ", Place(0, offset), ": ", what));
  };
  if (bytes.empty()) return fail(0, "the EDID is empty");
  if (bytes.size() < kEdidBlockBytes) {
    return fail(static_cast<int>(bytes.size()),
                absl::StrFormat("the base block ends after %d of 128 bytes", bytes.size()));
  }
  const int right = MagicBytesRight(bytes);
  if (right < 6) {
    return fail(0, absl::StrFormat("starts with %02x %02x %02x %02x %02x %02x %02x %02x, an EDID "
                                   "starts with 00 ff ff ff ff ff ff 00",
                                   bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5],
                                   bytes[6], bytes[7]));
  }
  if (right < 8) {
    parser.Report(EdidSeverity::kWarning, whole, 0,
                  absl::StrFormat("%d of the 8 magic bytes are wrong, repaired", 8 - right));
  }
  // Linux repairs the magic before it sums up.
  std::vector<uint8_t> repaired(bytes.begin(), bytes.begin() + kEdidBlockBytes);
  std::copy(std::begin(kMagic), std::end(kMagic), repaired.begin());
  if (repaired[127] != EdidChecksum(repaired)) return fail(127, ChecksumText(repaired));
  if (bytes[18] != 1) {
    return fail(18,
                absl::StrFormat("EDID version %d.%d, this parser knows 1.x", bytes[18], bytes[19]));
  }
  return absl::OkStatus();
}

void ParseExtension(const Block& block, absl::Span<const uint8_t> raw, const EdidOptions& options,
                    Parser& parser) {
  const uint8_t tag = block.at(0);
  parser.edid.block_tags.push_back(tag);
  if (raw[127] != EdidChecksum(raw)) {
    if (tag != kTagCta || !options.accept_cta_bad_checksum) {
      parser.Report(EdidSeverity::kError, block, 127, ChecksumText(raw) + ", block left out");
      return;
    }
    parser.Report(options.strict ? EdidSeverity::kError : EdidSeverity::kWarning, block, 127,
                  ChecksumText(raw) + ", CTA block used nevertheless");
  }
  if (tag == kTagCta) {
    parser.ParseCta(block);
  } else if (tag != 0xf0) {
    parser.Report(EdidSeverity::kNote, block, 0,
                  absl::StrFormat("extension 0x%02x (%s) is not decoded", tag, TagName(tag)));
  }
}

}  // namespace

absl::StatusOr<Edid> ParseEdid(absl::Span<const uint8_t> bytes, const EdidOptions& options,
                               std::vector<EdidIssue>* issues) {
  std::vector<EdidIssue> own;
  std::vector<EdidIssue>& list = issues != nullptr ? *issues : own;
  const size_t first_new = list.size();
  Parser parser(list);
  if (absl::Status s = CheckBase(bytes, parser); !s.ok()) return s;

  const Block base(bytes.subspan(0, kEdidBlockBytes), 0, 0);
  parser.edid.block_tags.push_back(0);
  parser.edid.hash = EdidHash(bytes);
  parser.ParseBase(base);

  const int there =
      static_cast<int>(std::min<size_t>(bytes.size() / kEdidBlockBytes, kEdidBlocksMax));
  const int announced = 1 + EdidExtensionCount(bytes);
  if (there < announced) {
    parser.Report(
        EdidSeverity::kError, base, 126,
        absl::StrFormat("announces %d extension blocks, %d are there", announced - 1, there - 1));
  }
  if (bytes.size() % kEdidBlockBytes != 0) {
    const Block last(bytes.subspan(bytes.size() - bytes.size() % kEdidBlockBytes), there, 0);
    parser.Report(EdidSeverity::kError, last, last.size(),
                  absl::StrFormat("block %d ends after %d of 128 bytes", there, last.size()));
  }
  if (there > announced) {
    parser.Report(EdidSeverity::kWarning, base, 126,
                  absl::StrFormat("announces %d extension blocks, %d are there; the rest is not "
                                  "read",
                                  announced - 1, there - 1));
  }
  for (int i = 1; i < std::min(there, announced); ++i) {
    const absl::Span<const uint8_t> raw =
        bytes.subspan(static_cast<size_t>(i) * kEdidBlockBytes, kEdidBlockBytes);
    ParseExtension(Block(raw, i, 0), raw, options, parser);
  }
  parser.Finish();
  if (options.strict) {
    for (size_t i = first_new; i < list.size(); ++i) {
      if (list[i].severity == EdidSeverity::kError) {
        return absl::InvalidArgumentError(
            absl::StrCat("EDID ", Place(list[i].block, list[i].offset), ": ", list[i].what));
      }
    }
  }
  return std::move(parser.edid);
}

namespace {

// -1 for a character that is no hex digit.
int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> EdidFromFileContents(absl::string_view contents) {
  if (contents.empty()) {
    return absl::InvalidArgumentError("the file is empty (a disconnected port?)");
  }
  // Binary as soon as one byte is no text: the magic alone has eight such.
  const bool text = std::all_of(contents.begin(), contents.end(), [](char c) {
    const unsigned char u = static_cast<unsigned char>(c);
    return absl::ascii_isspace(u) || absl::ascii_isprint(u);
  });
  if (!text) return std::vector<uint8_t>(contents.begin(), contents.end());

  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < contents.size();) {
    const char c = contents[i];
    if (absl::ascii_isspace(static_cast<unsigned char>(c)) || c == ',') {
      ++i;
      continue;
    }
    if (c == '0' && i + 1 < contents.size() && (contents[i + 1] == 'x' || contents[i + 1] == 'X')) {
      i += 2;
      continue;
    }
    const int high = HexValue(c);
    const int low = i + 1 < contents.size() ? HexValue(contents[i + 1]) : -1;
    if (high < 0 || low < 0) {
      return absl::InvalidArgumentError(
          absl::StrFormat("offset %d: neither a binary EDID nor hex digits (found \"%s\")", i,
                          absl::CEscape(contents.substr(i, 8))));
    }
    bytes.push_back(static_cast<uint8_t>(high << 4 | low));
    i += 2;
  }
  return bytes;
}

absl::StatusOr<std::vector<uint8_t>> ReadEdidFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat(path, ": ", strerror(errno)));
  std::string contents;
  char buffer[4096];
  while (in.read(buffer, sizeof(buffer)) || in.gcount() > 0) {
    contents.append(buffer, static_cast<size_t>(in.gcount()));
    if (contents.size() > kFileBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": more than 1 MiB, an EDID has at most 32 KiB"));
    }
  }
  if (in.bad()) return absl::UnavailableError(absl::StrCat(path, ": ", strerror(errno)));
  absl::StatusOr<std::vector<uint8_t>> bytes = EdidFromFileContents(contents);
  if (!bytes.ok()) {
    return absl::Status(bytes.status().code(), absl::StrCat(path, ": ", bytes.status().message()));
  }
  return bytes;
}

}  // namespace uwq::hdmi
