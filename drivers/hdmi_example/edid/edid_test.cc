// SPDX-License-Identifier: BSD-3-Clause
// Tests of the EDID parser: what it reads from the project's EDIDs (reference
// hdmi.md, appendix B), what it says about broken ones, and where.
#include "drivers/hdmi_example/edid/edid.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "drivers/hdmi_example/edid/edid_testdata.h"

namespace uwq::hdmi {
namespace {

const EdidMode* FindMode(const Edid& edid, int vic) {
  for (const EdidMode& mode : edid.modes) {
    if (mode.vic == vic) return &mode;
  }
  return nullptr;
}

// The first issue of that severity as text, or "".
std::string First(const std::vector<EdidIssue>& issues, EdidSeverity severity) {
  for (const EdidIssue& issue : issues) {
    if (issue.severity == severity) return issue.ToString();
  }
  return "";
}

TEST(EdidFiles, AreTheOnesOfAppendixB) {
  const std::pair<const char*, const char*> digests[] = {
      {"uwq-tv-1080p", "ce18f290149f86e5"},     {"uwq-tv-4k60", "abd1914421dfda62"},
      {"uwq-avr-repeater", "612c6c243f32b8a1"}, {"uwq-dvi-xga", "62efabcb041e4126"},
      {"uwq-4block", "c2dc1ab39a87a662"},
  };
  for (const auto& [name, digest] : digests) {
    const auto bytes = TestEdid(name);
    uint8_t sha[32];
    SHA256(bytes.data(), bytes.size(), sha);
    EXPECT_EQ(absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(sha), 8)),
              digest)
        << name;
  }
}

TEST(EdidParse, OurEdidsHaveNoComplaints) {
  for (const char* name : kTestEdids) {
    std::vector<EdidIssue> issues;
    const auto edid = ParseEdid(TestEdid(name), EdidOptions{.strict = true}, &issues);
    ASSERT_TRUE(edid.ok()) << name << edid.status();
    EXPECT_TRUE(issues.empty()) << name << ": " << issues[0].ToString();
  }
}

TEST(EdidParse, Tv1080p) {
  const auto edid = ParseEdid(TestEdid("uwq-tv-1080p"));
  ASSERT_TRUE(edid.ok());
  EXPECT_EQ(edid->manufacturer, "UWQ");
  EXPECT_EQ(edid->product, 0x1002);
  EXPECT_EQ(edid->name, "UWQ SIM TV");
  EXPECT_TRUE(edid->digital);
  EXPECT_TRUE(edid->is_hdmi());
  EXPECT_FALSE(edid->has_scdc());
  EXPECT_EQ(edid->physical_address(), 0x1000);
  EXPECT_EQ(edid->max_tmds_khz(), 165000);
  ASSERT_EQ(edid->cta->audio.size(), 1u);
  EXPECT_EQ(edid->cta->audio[0].format, 1);
  EXPECT_EQ(edid->cta->audio[0].channels, 2);
  ASSERT_FALSE(edid->modes.empty());
  EXPECT_TRUE(edid->modes[0].preferred);
  EXPECT_EQ(edid->modes[0].vic, 16);
  EXPECT_EQ(edid->modes[0].timing.clock_khz, 148500u);
  EXPECT_NE(FindMode(*edid, 32), nullptr);
  ASSERT_TRUE(edid->range.has_value());
  EXPECT_EQ(edid->range->max_clock_mhz, 170);
}

TEST(EdidParse, Tv4k60HasForumBlockScdcAndHdr) {
  const auto edid = ParseEdid(TestEdid("uwq-tv-4k60"));
  ASSERT_TRUE(edid.ok());
  EXPECT_TRUE(edid->has_scdc());
  ASSERT_TRUE(edid->cta->forum.has_value());
  EXPECT_EQ(edid->cta->forum->max_tmds_khz, 600000);
  EXPECT_EQ(edid->cta->hdmi->max_tmds_khz, 300000);
  EXPECT_EQ(edid->max_tmds_khz(), 600000);
  EXPECT_TRUE(edid->cta->forum->scramble_below_340);
  EXPECT_TRUE(edid->cta->forum->deep_420_30);
  EXPECT_FALSE(edid->cta->forum->deep_420_48);
  EXPECT_TRUE(edid->cta->hdmi->deep_36);
  ASSERT_TRUE(edid->cta->hdr.has_value());
  EXPECT_TRUE(edid->cta->hdr->pq);
  EXPECT_FALSE(edid->cta->hdr->hlg);
  ASSERT_TRUE(edid->cta->colorimetry.has_value());
  EXPECT_TRUE(edid->cta->colorimetry->bt2020_rgb);
  EXPECT_EQ(edid->modes[0].vic, 97);
  EXPECT_EQ(edid->modes[0].timing.clock_khz, 594000u);
  ASSERT_EQ(edid->cta->audio.size(), 2u);
  EXPECT_EQ(edid->cta->audio[0].channels, 8);
  EXPECT_EQ(edid->cta->audio[1].format, 2);
}

TEST(EdidParse, AvrHasItsOwnPhysicalAddress) {
  const auto edid = ParseEdid(TestEdid("uwq-avr-repeater"));
  ASSERT_TRUE(edid.ok());
  EXPECT_EQ(PhysicalAddressToString(edid->physical_address()), "2.3.0.0");
  EXPECT_EQ(edid->max_tmds_khz(), 225000);
}

TEST(EdidParse, DviSinkHasNeitherCtaNorAddress) {
  const auto edid = ParseEdid(TestEdid("uwq-dvi-xga"));
  ASSERT_TRUE(edid.ok());
  EXPECT_FALSE(edid->is_hdmi());
  EXPECT_EQ(edid->physical_address(), 0xffff);
  EXPECT_EQ(edid->max_tmds_khz(), 80000);
  EXPECT_EQ(edid->modes[0].timing.hactive, 1024);
}

TEST(EdidParse, FourBlocksMergeTwoCtaBlocks) {
  const auto edid = ParseEdid(TestEdid("uwq-4block"));
  ASSERT_TRUE(edid.ok());
  EXPECT_EQ(edid->block_tags, (std::vector<uint8_t>{0x00, 0xf0, 0x02, 0x02}));
  EXPECT_TRUE(edid->is_hdmi());
  // VIC 19 stands in block 3 only (segment 1).
  const EdidMode* mode = FindMode(*edid, 19);
  ASSERT_NE(mode, nullptr);
  EXPECT_EQ(mode->block, 3);
}

TEST(EdidParse, EstablishedAndVideoBlockModeIsListedOnce) {
  const auto edid = ParseEdid(TestEdid("uwq-tv-1080p"));
  ASSERT_TRUE(edid.ok());
  int vga = 0;
  for (const EdidMode& mode : edid->modes) vga += mode.timing.hactive == 640;
  EXPECT_EQ(vga, 1);
  EXPECT_NE(FindMode(*edid, 1), nullptr);
}

// Bad variants, derived from the good ones.

TEST(EdidBroken, BaseChecksumIsNamedWithItsPlace) {
  // F9.
  auto bytes = TestEdid("uwq-tv-1080p");
  bytes[127] ^= 1;
  std::vector<EdidIssue> issues;
  const auto edid = ParseEdid(bytes, {}, &issues);
  EXPECT_EQ(edid.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(edid.status().message(),
            "EDID block 0, byte 127 (file offset 0x7f): checksum is 0x4e, should be 0x4f");
  EXPECT_EQ(First(issues, EdidSeverity::kError),
            "error: block 0, byte 127 (file offset 0x7f): checksum is 0x4e, should be 0x4f");
}

TEST(EdidBroken, CtaChecksumIsToleratedUnlessStrict) {
  auto bytes = TestEdid("uwq-tv-1080p");
  bytes[255] ^= 1;
  std::vector<EdidIssue> issues;
  auto edid = ParseEdid(bytes, {}, &issues);
  ASSERT_TRUE(edid.ok());
  EXPECT_TRUE(edid->is_hdmi());
  EXPECT_NE(First(issues, EdidSeverity::kWarning).find("block 1, byte 127 (file offset 0xff)"),
            std::string::npos);
  edid = ParseEdid(bytes, EdidOptions{.strict = true});
  EXPECT_FALSE(edid.ok());
  edid = ParseEdid(bytes, EdidOptions{.accept_cta_bad_checksum = false});
  ASSERT_TRUE(edid.ok());
  EXPECT_FALSE(edid->is_hdmi());
}

TEST(EdidBroken, EveryTruncationIsReported) {
  const auto good = TestEdid("uwq-4block");
  for (size_t n = 0; n < good.size(); ++n) {
    std::vector<EdidIssue> issues;
    const auto edid = ParseEdid(absl::MakeConstSpan(good).subspan(0, n), {}, &issues);
    EXPECT_EQ(edid.ok(), n >= 128) << n;
    EXPECT_NE(First(issues, EdidSeverity::kError), "") << n;
  }
}

TEST(EdidBroken, MissingExtensionsAreCounted) {
  // F10: the base block announces three extensions, two are there.
  auto bytes = TestEdid("uwq-4block");
  bytes.resize(3 * 128);
  std::vector<EdidIssue> issues;
  const auto edid = ParseEdid(bytes, {}, &issues);
  ASSERT_TRUE(edid.ok());
  EXPECT_TRUE(edid->is_hdmi());
  EXPECT_EQ(First(issues, EdidSeverity::kError),
            "error: block 0, byte 126 (file offset 0x7e): announces 3 extension blocks, 2 are "
            "there");
}

TEST(EdidBroken, WrongExtensionCountIsReported) {
  auto bytes = TestEdid("uwq-tv-1080p");
  bytes[126] = 0;
  FixChecksums(bytes);
  std::vector<EdidIssue> issues;
  const auto edid = ParseEdid(bytes, {}, &issues);
  ASSERT_TRUE(edid.ok());
  EXPECT_FALSE(edid->is_hdmi());
  EXPECT_NE(First(issues, EdidSeverity::kWarning), "");
}

TEST(EdidBroken, MagicIsRepairedUpToTwoBytes) {
  auto bytes = TestEdid("uwq-dvi-xga");
  bytes[0] = 0x12;
  bytes[7] = 0x34;
  EXPECT_TRUE(ParseEdid(bytes).ok());
  bytes[3] = 0;
  const auto edid = ParseEdid(bytes);
  EXPECT_NE(edid.status().message().find("starts with 12 ff ff 00"), std::string::npos);
}

TEST(EdidBroken, DataBlockLongerThanTheCollectionStopsThere) {
  // A video block that announces 31 bytes where 2 are left.
  const auto bytes = EdidWithDataBlocks({0x41, 0x10, 0x5f, 0x04, 0x13});
  std::vector<EdidIssue> issues;
  const auto edid = ParseEdid(bytes, {}, &issues);
  ASSERT_TRUE(edid.ok());
  EXPECT_EQ(First(issues, EdidSeverity::kError),
            "error: block 1, byte 6 (file offset 0x86): data block of tag 2 announces 31 bytes, "
            "only 2 are left before the timings");
  EXPECT_NE(FindMode(*edid, 16), nullptr);
}

TEST(EdidBroken, DetailedTimingsBeforeByte4) {
  auto bytes = EdidWithDataBlocks({});
  bytes[130] = 3;
  FixChecksums(bytes);
  std::vector<EdidIssue> issues;
  ASSERT_TRUE(ParseEdid(bytes, {}, &issues).ok());
  EXPECT_NE(First(issues, EdidSeverity::kError).find("block 1, byte 2"), std::string::npos);
}

TEST(EdidBroken, SyncPulseOutsideTheBlanking) {
  auto bytes = TestEdid("uwq-dvi-xga");
  bytes[54 + 3] = 10;  // horizontal blanking, low byte
  bytes[54 + 4] &= 0xf0;
  FixChecksums(bytes);
  std::vector<EdidIssue> issues;
  const auto edid = ParseEdid(bytes, {}, &issues);
  ASSERT_TRUE(edid.ok());
  EXPECT_NE(First(issues, EdidSeverity::kError).find("sync pulse ends after the blanking"),
            std::string::npos);
  for (const EdidMode& mode : edid->modes) EXPECT_FALSE(mode.preferred);
}

// Data blocks one by one.

TEST(CtaBlocks, HdmiBlockWithLatenciesAndVics) {
  const auto edid = ParseEdid(EdidWithDataBlocks({0x6f, 0x03, 0x0c, 0x00, 0x21, 0x43, 0xb8, 0x3c,
                                                  0xe5, 0x0b, 0x15, 0x0d, 0x17, 0x80, 0x60, 0x01}));
  ASSERT_TRUE(edid.ok());
  ASSERT_TRUE(edid->is_hdmi());
  const HdmiVsdb& v = *edid->cta->hdmi;
  EXPECT_EQ(PhysicalAddressToString(v.physical_address), "2.1.4.3");
  EXPECT_TRUE(v.supports_ai && v.deep_36 && v.deep_30 && v.deep_y444);
  EXPECT_EQ(v.max_tmds_khz, 300000);
  EXPECT_TRUE(v.content_graphics && v.content_cinema);
  EXPECT_EQ(v.video_latency_ms, 20);
  EXPECT_EQ(v.audio_latency_ms, 40);
  EXPECT_EQ(v.i_video_latency_ms, 24);
  EXPECT_EQ(v.i_audio_latency_ms, 44);
  EXPECT_TRUE(v.has_3d);
  // Three VICs are announced, one is there: it counts, the rest is reported.
  EXPECT_EQ(v.hdmi_vics, std::vector<int>{1});
  EXPECT_NE(FindMode(*edid, 95), nullptr);
}

TEST(CtaBlocks, MapOf420AppliesToShortDescriptorsInOrder) {
  // SVDs 16, 97, 96; the map has bits 1 and 2.
  const auto edid = ParseEdid(EdidWithDataBlocks({0x43, 0x10, 0x61, 0x60, 0xe2, 0x0f, 0x06}));
  ASSERT_TRUE(edid.ok());
  EXPECT_FALSE(FindMode(*edid, 16)->y420);
  EXPECT_TRUE(FindMode(*edid, 97)->y420);
  EXPECT_FALSE(FindMode(*edid, 97)->y420_only);
  EXPECT_TRUE(FindMode(*edid, 96)->y420);
}

TEST(CtaBlocks, EmptyMapOf420MeansAll) {
  const auto edid = ParseEdid(EdidWithDataBlocks({0x42, 0x10, 0x61, 0xe1, 0x0f}));
  ASSERT_TRUE(edid.ok());
  EXPECT_TRUE(FindMode(*edid, 16)->y420);
  EXPECT_TRUE(FindMode(*edid, 97)->y420);
}

TEST(CtaBlocks, Block420OnlyIsMarked) {
  const auto edid = ParseEdid(EdidWithDataBlocks({0xe2, 0x0e, 0x61}));
  ASSERT_TRUE(edid.ok());
  EXPECT_TRUE(FindMode(*edid, 97)->y420_only);
}

TEST(CtaBlocks, NativeBitOnlyForSmallVics) {
  const auto edid = ParseEdid(EdidWithDataBlocks({0x42, 0x90, 0xc1}));
  ASSERT_TRUE(edid.ok());
  EXPECT_TRUE(FindMode(*edid, 16)->native);
  ASSERT_NE(FindMode(*edid, 193), nullptr);
  EXPECT_FALSE(FindMode(*edid, 193)->native);
}

TEST(CtaBlocks, ForumBlockInAnScdbIsTheSame) {
  const auto edid = ParseEdid(EdidWithDataBlocks({0xe7, 0x79, 0x00, 0x00, 0x01, 0x78, 0x88, 0x03}));
  ASSERT_TRUE(edid.ok());
  ASSERT_TRUE(edid->cta->forum.has_value());
  EXPECT_EQ(edid->cta->forum->max_tmds_khz, 600000);
  EXPECT_TRUE(edid->cta->forum->scdc);
  EXPECT_TRUE(edid->cta->forum->deep_420_36);
}

TEST(CtaBlocks, ExtensionCountOverride) {
  // HF-EEODB as the first data block of block 1 says 3.
  const auto bytes = EdidWithDataBlocks({0xe2, 0x78, 0x03});
  EXPECT_EQ(EdidExtensionCount(absl::MakeConstSpan(bytes).subspan(0, 128)), 1);
  EXPECT_EQ(EdidExtensionCount(bytes), 3);
}

TEST(EdidModes, EveryModeOfEveryVicHasItsName) {
  for (const char* name : kTestEdids) {
    const auto edid = ParseEdid(TestEdid(name));
    ASSERT_TRUE(edid.ok());
    for (const EdidMode& mode : edid->modes) {
      if (mode.vic == 0) continue;
      EXPECT_TRUE(SameTiming(FindVic(mode.vic)->timing, mode.timing))
          << TimingToString(mode.timing);
    }
  }
}

TEST(EdidReportText, NamesModesAndComplaints) {
  auto bytes = TestEdid("uwq-tv-4k60");
  bytes[255] ^= 0x40;
  std::vector<EdidIssue> issues;
  const auto edid = ParseEdid(bytes, {}, &issues);
  ASSERT_TRUE(edid.ok());
  const std::string report = EdidReport(*edid, issues);
  for (const char* part : {"\"UWQ SIM UHD\"", "physical address 1.0.0.0", "SCDC",
                           "3840x2160 60.000 Hz 594.000 MHz", "VIC  97", "preferred",
                           "warning: block 1, byte 127 (file offset 0xff): checksum is 0x40"}) {
    EXPECT_NE(report.find(part), std::string::npos) << part << "\n" << report;
  }
}

TEST(EdidFile, HexTextIsAccepted) {
  const auto binary = TestEdid("uwq-dvi-xga");
  std::string text;
  for (size_t i = 0; i < binary.size(); ++i) {
    absl::StrAppend(&text, i % 2 ? "0x" : "", absl::Hex(binary[i], absl::kZeroPad2),
                    i % 16 == 15 ? "\n" : ", ");
  }
  const auto bytes = EdidFromFileContents(text);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(*bytes, binary);
}

TEST(EdidFile, WrongFilesAreExplained) {
  EXPECT_EQ(EdidFromFileContents("").status().message(),
            "the file is empty (a disconnected port?)");
  EXPECT_EQ(EdidFromFileContents("00 ff hello").status().message(),
            "offset 6: neither a binary EDID nor hex digits (found \"hello\")");
  EXPECT_EQ(ReadEdidFile("no/such.edid").status().message(),
            "no/such.edid: No such file or directory");
  EXPECT_FALSE(ReadEdidFile("drivers").ok());
}

}  // namespace
}  // namespace uwq::hdmi
