// SPDX-License-Identifier: BSD-3-Clause
// Tests of the InfoFrames, byte by byte.
#include "drivers/hdmi_example/video/info_frame.h"

#include <gtest/gtest.h>

#include "drivers/hdmi_example/edid/edid_testdata.h"

namespace uwq::hdmi {
namespace {

Edid Parsed(const char* name) {
  auto edid = ParseEdid(TestEdid(name));
  EXPECT_TRUE(edid.ok()) << edid.status();
  return edid.ok() ? *edid : Edid();
}

TEST(AviInfoFrame, Of1080p60) {
  const LinkMode mode = ChooseMode(Parsed("uwq-tv-1080p"), SourceLimits());
  const InfoFrame f = AviInfoFrame(mode);
  EXPECT_EQ(
      f, (InfoFrame{0x82, 0x02, 0x0d, 0x23, 0x10, 0x28, 0x04, 0x10, 0x00, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(CheckInfoFrame(f).ok());
}

TEST(AviInfoFrame, ContentTypeRepetitionAndEncoding) {
  LinkMode mode;
  mode.timing = FindVic(6)->timing;
  mode.vic = 6;
  mode.encoding = PixelEncoding::kYcbcr444;
  const InfoFrame f = AviInfoFrame(mode, ContentType::kGame);
  EXPECT_EQ(f[4], 0x50);         // 4:4:4, active format valid
  EXPECT_EQ(f[5], 0x58);         // BT.601, 4:3, same shape
  EXPECT_EQ(f[6] & 0x80, 0x80);  // IT content
  EXPECT_EQ(f[7], 6);
  EXPECT_EQ(f[8], 0x31);  // game, each pixel twice
}

TEST(AviInfoFrame, Version3ForHighVics) {
  LinkMode mode;
  mode.timing = FindVic(193)->timing;
  mode.vic = 193;
  EXPECT_EQ(AviInfoFrame(mode)[1], 3);
}

TEST(AudioInfoFrame, ChannelCounts) {
  EXPECT_EQ(AudioInfoFrame(2), (InfoFrame{0x84, 1, 10, 0x70, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(AudioInfoFrame(8)[4], 7);
  EXPECT_EQ(AudioInfoFrame(8)[7], 0x13);
  EXPECT_EQ(AudioInfoFrame(99)[4], 7);
}

TEST(VendorInfoFrame, HdmiVicAndForum) {
  EXPECT_EQ(HdmiVendorInfoFrame(1), (InfoFrame{0x81, 1, 5, 0x49, 0x03, 0x0c, 0x00, 0x20, 0x01}));
  EXPECT_EQ(HdmiVendorInfoFrame(0).size(), 8u);
  const InfoFrame f = ForumVendorInfoFrame(true);
  EXPECT_EQ(f[4], 0xd8);
  EXPECT_EQ(f[5], 0x5d);
  EXPECT_EQ(f[6], 0xc4);
  EXPECT_EQ(f[8], 2);
}

TEST(DrmInfoFrame, FieldsAreLittleEndian) {
  const InfoFrame f = DrmInfoFrame(HdrMetadata());
  ASSERT_EQ(f.size(), 30u);
  EXPECT_EQ(f[4], 2);
  EXPECT_EQ(f[6] | f[7] << 8, 8500);
  EXPECT_EQ(f[22] | f[23] << 8, 1000);
  EXPECT_EQ(f[28] | f[29] << 8, 400);
}

TEST(SpdInfoFrame, NamesAreCut) {
  const InfoFrame f = SpdInfoFrame("a vendor too long", "a product name that is too long");
  EXPECT_EQ(f.size(), 29u);
  EXPECT_EQ(std::string(f.begin() + 4, f.begin() + 12), "a vendor");
  EXPECT_EQ(std::string(f.begin() + 12, f.begin() + 28), "a product name t");
}

TEST(CheckInfoFrame, EveryFlippedBitIsNoticed) {
  const InfoFrame good = HdmiVendorInfoFrame(2);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    InfoFrame bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(CheckInfoFrame(bad).ok()) << bit;
  }
  EXPECT_FALSE(CheckInfoFrame(absl::MakeConstSpan(good).subspan(0, 3)).ok());
}

TEST(InfoFramesFor, DviSinkGetsNone) {
  const Edid edid = Parsed("uwq-dvi-xga");
  EXPECT_TRUE(InfoFramesFor(ChooseMode(edid, SourceLimits()), edid).empty());
}

TEST(InfoFramesFor, TvGetsAviAudioSpdAndHdrIfAsked) {
  const Edid edid = Parsed("uwq-tv-4k60");
  const LinkMode mode = ChooseMode(edid, SourceLimits());
  const auto types = [](const std::vector<InfoFrame>& frames) {
    std::vector<uint8_t> t;
    for (const InfoFrame& f : frames) {
      EXPECT_TRUE(CheckInfoFrame(f).ok());
      t.push_back(f[0]);
    }
    return t;
  };
  EXPECT_EQ(types(InfoFramesFor(mode, edid)), (std::vector<uint8_t>{0x82, 0x84, 0x83}));
  EXPECT_EQ(types(InfoFramesFor(mode, edid, {.hdr_output_metadata = HdrMetadata()})),
            (std::vector<uint8_t>{0x82, 0x84, 0x83, 0x87}));
  HdrMetadata hlg;
  hlg.eotf = 3;  // this sink does not list HLG
  EXPECT_EQ(InfoFramesFor(mode, edid, {.hdr_output_metadata = hlg}).size(), 3u);
}

// A content type goes to a sink that knows it, in ITC and CN1..0.
TEST(InfoFramesFor, ContentTypeIfKnown) {
  Edid edid = Parsed("uwq-tv-4k60");
  const LinkMode mode = ChooseMode(edid, SourceLimits());
  const auto sent = [&](ContentType type) {
    const InfoFrame avi = InfoFramesFor(mode, edid, {.type = type})[0];
    EXPECT_TRUE(CheckInfoFrame(avi).ok());
    return (avi[6] & 0x80) == 0 ? -1 : avi[8] >> 4 & 3;
  };
  EXPECT_EQ(sent(ContentType::kGame), -1) << "this sink knows none";
  edid.cta->hdmi->content_graphics = edid.cta->hdmi->content_game = true;
  EXPECT_EQ(sent(ContentType::kGraphics), 0);
  EXPECT_EQ(sent(ContentType::kCinema), -1);
  EXPECT_EQ(sent(ContentType::kGame), 3);
  EXPECT_EQ(sent(ContentType::kNoData), -1);
}

}  // namespace
}  // namespace uwq::hdmi
