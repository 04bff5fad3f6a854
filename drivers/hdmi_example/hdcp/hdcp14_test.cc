// SPDX-License-Identifier: BSD-3-Clause
// Tests of the transmitter's arithmetic: wire forms, V', topology, a session.
#include "drivers/hdmi_example/hdcp/hdcp14.h"

#include <gtest/gtest.h>

#include "drivers/hdmi_example/hdcp/hdcp14_vectors.h"

namespace uwq::hdmi {
namespace {

hdcp14_device_keys Facsimile(int index) {
  hdcp14_device_keys device;
  device.ksv = kFacsimileDevices[index].ksv;
  for (int i = 0; i < 40; ++i) device.keys[i] = kFacsimileDevices[index].keys[i];
  return device;
}

std::vector<uint8_t> Fifo(std::initializer_list<uint64_t> ksvs) {
  std::vector<uint8_t> fifo;
  for (uint64_t ksv : ksvs) {
    for (uint8_t byte : ToWire(ksv, 5)) fifo.push_back(byte);
  }
  return fifo;
}

std::array<uint32_t, 5> Words(const V14& v) {
  std::array<uint32_t, 5> words;
  for (size_t i = 0; i < 5; ++i) {
    words[i] = static_cast<uint32_t>(v[4 * i]) << 24 | v[4 * i + 1] << 16 | v[4 * i + 2] << 8 |
               v[4 * i + 3];
  }
  return words;
}

TEST(Hdcp14Wire, ExampleOfRowA1B1) {
  // Section 2.5, "Wire example A1-B1".
  EXPECT_EQ(ToWire(kHdcp14Vectors[0].an, 8),
            (std::vector<uint8_t>{0x03, 0x04, 0x07, 0x0c, 0x13, 0x1c, 0x27, 0x34}));
  EXPECT_EQ(ToWire(kFacsimileDevices[0].ksv, 5),
            (std::vector<uint8_t>{0x14, 0xf7, 0x61, 0x03, 0xb7}));
  EXPECT_EQ(ToWire(kHdcp14Vectors[0].r0, 2), (std::vector<uint8_t>{0xe0, 0x8a}));
  const uint8_t bksv[] = {0xcd, 0x1a, 0xf2, 0x1e, 0x51};
  auto ksv = KsvFromWire(bksv);
  ASSERT_TRUE(ksv.ok()) << ksv.status();
  EXPECT_EQ(*ksv, kFacsimileDevices[2].ksv);
}

TEST(Hdcp14Wire, KsvWith21OnesIsNamed) {
  // F14.
  const uint8_t bad[] = {0xff, 0xff, 0x1f, 0x00, 0x00};
  auto ksv = KsvFromWire(bad);
  EXPECT_EQ(ksv.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ksv.status().message(), "KSV 00001fffff has 21 ones, a KSV has 20");
  EXPECT_FALSE(KsvFromWire(absl::Span<const uint8_t>(bad, 4)).ok());
}

TEST(Hdcp14V, ThreeDeviceExample) {
  const V14 v =
      ComputeV(Fifo({0x35796a172e, 0x478e71e20f, 0x74e85397a6}), 0x0203, kHdcp14Vectors[4].m0);
  EXPECT_EQ(Words(v),
            (std::array<uint32_t, 5>{0x0fcbd586, 0xefc107ef, 0xccd70a1d, 0xb1186dda, 0x1fb3ff5e}));
  // H0 = 0fcbd586 reads 86 d5 cb 0f.
  const V14 regs = SwapVWords(v);
  EXPECT_EQ(regs[0], 0x86);
  EXPECT_EQ(regs[1], 0xd5);
  EXPECT_EQ(regs[2], 0xcb);
  EXPECT_EQ(regs[3], 0x0f);
  EXPECT_EQ(SwapVWords(regs), v);
}

TEST(Hdcp14V, OneDeviceExample) {
  const V14 v = ComputeV(Fifo({0x35796a172e}), 0x0201, 0x372d3dce38bbe78f);
  EXPECT_EQ(Words(v),
            (std::array<uint32_t, 5>{0xf5b0ceb8, 0x79d98004, 0xa6b8d9e8, 0xfdf89572, 0x7be18b4d}));
}

TEST(Hdcp14V, HdmiModeBitTakesPart) {
  EXPECT_NE(ComputeV(Fifo({0x35796a172e}), 0x0201, 1), ComputeV(Fifo({0x35796a172e}), 0x1201, 1));
}

TEST(Hdcp14Registers, BcapsAndBstatus) {
  const Bcaps caps = ParseBcaps(0xe3);
  EXPECT_TRUE(caps.hdmi && caps.repeater && caps.ready && caps.features_1_1 && caps.fast_reauth);
  EXPECT_FALSE(caps.fast);
  EXPECT_FALSE(ParseBcaps(0x80).repeater);
  const Bstatus status = ParseBstatus(0x1203);
  EXPECT_EQ(status.device_count, 3);
  EXPECT_EQ(status.depth, 2);
  EXPECT_TRUE(status.hdmi_mode);
  EXPECT_FALSE(status.max_devs_exceeded || status.max_cascade_exceeded);
}

TEST(Hdcp14Registers, TopologyErrors) {
  // F22: each of the three refusals, and the good case between them.
  EXPECT_TRUE(CheckTopology(0x1203).ok());
  EXPECT_TRUE(CheckTopology(0x177f).ok());
  EXPECT_FALSE(CheckTopology(0x0283).ok());
  EXPECT_FALSE(CheckTopology(0x0a03).ok());
  EXPECT_FALSE(CheckTopology(0x1000).ok());
}

TEST(Hdcp14Session, FollowsTheVectorOfEachRow) {
  for (const Hdcp14Vector& v : kHdcp14Vectors) {
    Hdcp14Session session;
    ASSERT_TRUE(session.Start(Facsimile(v.tx), v.an, kFacsimileDevices[v.rx].ksv, v.repeater).ok());
    EXPECT_EQ(session.r0(), v.r0) << v.name;
    EXPECT_EQ(session.m0(), v.m0) << v.name;
    EXPECT_EQ(session.RiAt(127), v.r0) << v.name;
    EXPECT_EQ(session.RiAt(128), v.ri[0]) << v.name;
    EXPECT_EQ(session.RiAt(1023), v.ri[6]) << v.name;
  }
}

TEST(Hdcp14Session, RefusesBadAndOwnKsv) {
  Hdcp14Session session;
  const hdcp14_device_keys tx = Facsimile(0);
  EXPECT_FALSE(session.Start(tx, 1, 0x1fffff, false).ok());
  EXPECT_FALSE(session.Start(tx, 1, tx.ksv, false).ok());
}

TEST(Hdcp14Session, CheckVAcceptsRefusesAndBounds) {
  // F23: a mismatch; and a device that lies about its length.
  Hdcp14Session session;
  ASSERT_TRUE(
      session.Start(Facsimile(0), kHdcp14Vectors[4].an, kFacsimileDevices[2].ksv, true).ok());
  const auto fifo = Fifo({0x35796a172e, 0x478e71e20f, 0x74e85397a6});
  const V14 good = SwapVWords(ComputeV(fifo, 0x0203, session.m0()));
  EXPECT_TRUE(session.CheckV(fifo, 0x0203, good).ok());
  V14 bad = good;
  bad[19] ^= 1;
  EXPECT_EQ(session.CheckV(fifo, 0x0203, bad).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(session.CheckV(fifo, 0x1203, good).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(session.CheckV(fifo, 0x0204, good).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(session.CheckV(fifo, 0x0203, absl::MakeConstSpan(good).subspan(1)).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Hdcp14V, A127DeviceListIsHashedWhole) {
  // F24: 635 bytes; every byte takes part.
  std::vector<uint8_t> fifo;
  for (uint64_t i = 0; i < 127; ++i) {
    for (uint8_t b : ToWire(hdcp14_authority_ksv(9, i), 5)) fifo.push_back(b);
  }
  ASSERT_EQ(fifo.size(), 635u);
  const V14 v = ComputeV(fifo, 0x177f, 3);
  fifo[634] ^= 0x80;
  EXPECT_NE(ComputeV(fifo, 0x177f, 3), v);
}

}  // namespace
}  // namespace uwq::hdmi
