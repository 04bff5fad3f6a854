// SPDX-License-Identifier: BSD-3-Clause
// Tests of the block reader: segments, retries, and what a bus can do to it.
#include "drivers/hdmi_example/edid/eddc.h"

#include <gtest/gtest.h>

#include "drivers/hdmi_example/edid/edid_testdata.h"

namespace uwq::hdmi {
namespace {

std::vector<uint8_t> BlockOf(const std::vector<uint8_t>& edid, int block) {
  return {edid.begin() + block * 128, edid.begin() + (block + 1) * 128};
}

TEST(EddcTransfer, SegmentPointerFromBlock2On) {
  auto messages = EddcBlockTransfer(1);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].address, 0x50);
  EXPECT_EQ(messages[0].data, std::vector<uint8_t>{0x80});
  EXPECT_TRUE(messages[1].read);
  EXPECT_EQ(messages[1].length, 128);
  messages = EddcBlockTransfer(255);
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0].address, 0x30);
  EXPECT_EQ(messages[0].data, std::vector<uint8_t>{127});
  EXPECT_EQ(messages[1].data, std::vector<uint8_t>{0x80});
}

TEST(EdidReader, ReadsAllBlocksInOrder) {
  const auto edid = TestEdid("uwq-4block");
  EdidReader reader;
  EXPECT_FALSE(reader.result().ok());
  for (int block = 0; block < 4; ++block) {
    const auto step = reader.Next();
    ASSERT_EQ(step.action, EdidReader::Action::kTransfer);
    ASSERT_EQ(step.block, block);
    reader.Done(BlockOf(edid, block));
  }
  EXPECT_EQ(reader.Next().action, EdidReader::Action::kFinished);
  ASSERT_TRUE(reader.result().ok());
  EXPECT_EQ(*reader.result(), edid);
  EXPECT_EQ(reader.retries(), 0);
}

TEST(EdidReader, ChecksumOnce_RetriesAfter100ms) {
  // F9, once.
  const auto edid = TestEdid("uwq-dvi-xga");
  auto bad = edid;
  bad[60] ^= 4;
  EdidReader reader;
  reader.Done(bad);
  const auto step = reader.Next();
  EXPECT_EQ(step.action, EdidReader::Action::kRetryLater);
  EXPECT_EQ(step.delay_ms, 100);
  EXPECT_EQ(step.block, 0);
  reader.Done(edid);
  ASSERT_TRUE(reader.result().ok());
  EXPECT_EQ(reader.retries(), 1);
}

TEST(EdidReader, ChecksumAlways_GivesUpAfterFive) {
  // F9, always.
  auto bad = TestEdid("uwq-dvi-xga");
  bad[60] ^= 4;
  EdidReader reader;
  int transfers = 0;
  while (!reader.finished()) {
    reader.Done(bad);
    ++transfers;
  }
  EXPECT_EQ(transfers, 5);
  EXPECT_EQ(reader.result().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(reader.result().status().message().find("block 0, byte 127"), std::string::npos);
}

TEST(EdidReader, NakOnBlock2_KeepsWhatIsThere) {
  // F10.
  const auto edid = TestEdid("uwq-4block");
  EdidReader reader(3);
  reader.Done(BlockOf(edid, 0));
  reader.Done(BlockOf(edid, 1));
  for (int i = 0; i < 3; ++i) reader.Done(absl::UnavailableError("NAK"));
  ASSERT_TRUE(reader.finished());
  ASSERT_TRUE(reader.result().ok());
  EXPECT_EQ(reader.result()->size(), 256u);
  ASSERT_EQ(reader.warnings().size(), 1u);
  EXPECT_EQ(reader.warnings()[0], "EDID block 2 given up after 3 attempts: NAK");
}

TEST(EdidReader, ShortAndLongBlocksAreRefused) {
  EdidReader reader(2);
  reader.Done(std::vector<uint8_t>(127));
  reader.Done(std::vector<uint8_t>(129));
  EXPECT_EQ(reader.result().status().message(), "EDID block 0 has 129 bytes, should have 128");
}

TEST(EdidReader, AnnouncesAllExtensions_EndsAt256Blocks) {
  // A base block that announces 255 extensions, each of which reads well.
  auto base = BlockOf(TestEdid("uwq-4block"), 0);
  base[126] = 255;
  FixChecksums(base);
  EdidReader reader;
  reader.Done(base);
  int blocks = 1;
  while (!reader.finished()) {
    std::vector<uint8_t> block(128);
    block[0] = 0x70;
    FixChecksums(block);
    reader.Done(block);
    ++blocks;
  }
  EXPECT_EQ(blocks, 256);
  EXPECT_EQ(reader.result()->size(), 256u * 128);
}

TEST(EdidReader, DoneAfterTheEnd_IsIgnored) {
  const auto edid = TestEdid("uwq-dvi-xga");
  EdidReader reader;
  reader.Done(edid);
  reader.Done(edid);
  EXPECT_EQ(reader.result()->size(), 128u);
}

}  // namespace
}  // namespace uwq::hdmi
