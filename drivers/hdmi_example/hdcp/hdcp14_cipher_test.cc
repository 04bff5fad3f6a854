// SPDX-License-Identifier: BSD-3-Clause
// Tests of the HDCP 1.4 cipher against every row of reference hdmi.md section
// 2.5, and of the key arithmetic that feeds it.
#include "drivers/hdmi_example/hdcp/hdcp14_cipher.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <string>

#include "drivers/hdmi_example/hdcp/hdcp14_authority.h"
#include "drivers/hdmi_example/hdcp/hdcp14_vectors.h"

namespace uwq::hdmi {
namespace {

class Hdcp14VectorTest : public testing::TestWithParam<Hdcp14Vector> {};

TEST_P(Hdcp14VectorTest, KmFromBothSides) {
  const Hdcp14Vector& v = GetParam();
  const FacsimileDevice& tx = kFacsimileDevices[v.tx];
  const FacsimileDevice& rx = kFacsimileDevices[v.rx];
  EXPECT_EQ(hdcp14_km(tx.keys, rx.ksv), v.km);
  EXPECT_EQ(hdcp14_km(rx.keys, tx.ksv), v.km);
}

TEST_P(Hdcp14VectorTest, AuthenticationYieldsKsM0R0) {
  const Hdcp14Vector& v = GetParam();
  hdcp14_block out;
  hdcp14_block_cipher(v.km, v.repeater, v.an, &out);
  EXPECT_EQ(out.key, v.ks);
  EXPECT_EQ(out.m, v.m0);
  EXPECT_EQ(out.r, v.r0);
}

TEST_P(Hdcp14VectorTest, FirstFrameYieldsK1M1) {
  const Hdcp14Vector& v = GetParam();
  hdcp14_block out;
  hdcp14_block_cipher(v.ks, v.repeater, v.m0, &out);
  EXPECT_EQ(out.key, v.k1);
  EXPECT_EQ(out.m, v.m1);
}

TEST_P(Hdcp14VectorTest, RiAtEvery128thFrame) {
  const Hdcp14Vector& v = GetParam();
  hdcp14_link link;
  hdcp14_link_start(&link, v.km, v.repeater, v.an);
  EXPECT_EQ(link.ks, v.ks);
  EXPECT_EQ(link.m0, v.m0);
  EXPECT_EQ(link.ri, v.r0);
  for (uint64_t i = 0; i < 8; ++i) {
    // One frame before the boundary the old value still stands.
    hdcp14_link_advance(&link, 128 * (i + 1) - 1);
    EXPECT_EQ(link.ri, i == 0 ? v.r0 : v.ri[i - 1]) << "frame " << link.frame;
    hdcp14_link_advance(&link, 128 * (i + 1));
    EXPECT_EQ(link.ri, v.ri[i]) << "frame " << link.frame;
  }
  EXPECT_EQ(link.frame, 1024u);
}

INSTANTIATE_TEST_SUITE_P(AllRowsOfSection2_5, Hdcp14VectorTest, testing::ValuesIn(kHdcp14Vectors),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           for (char& c : name) {
                             if (!isalnum(static_cast<unsigned char>(c))) c = '_';
                           }
                           return name;
                         });

TEST(Hdcp14Cipher, ExtraCipherOnlyVector) {
  hdcp14_block out;
  hdcp14_block_cipher(0x0123456789abcd, false, 0xfedcba9876543210, &out);
  EXPECT_EQ(out.key, 0x2d97fb86cafacau);
  EXPECT_EQ(out.m, 0xee54b83a96c22d2au);
  EXPECT_EQ(out.r, 0x343f);
  hdcp14_block_cipher(out.key, false, out.m, &out);
  EXPECT_EQ(out.key, 0x1c19f9ab68f2e5u);
  EXPECT_EQ(out.m, 0x7914c4956c9cd405u);
}

TEST(Hdcp14Cipher, BitsAbove56OfTheKeyDoNotMatter) {
  hdcp14_block plain, high;
  hdcp14_block_cipher(0x5309c7d22fcecc, false, 1, &plain);
  hdcp14_block_cipher(0xff5309c7d22fcecc, false, 1, &high);
  EXPECT_EQ(plain.m, high.m);
  EXPECT_EQ(plain.r, high.r);
}

TEST(Hdcp14Link, AdvanceToThePastChangesNothing) {
  hdcp14_link link;
  hdcp14_link_start(&link, kHdcp14Vectors[0].km, false, kHdcp14Vectors[0].an);
  hdcp14_link_advance(&link, 300);
  const hdcp14_link before = link;
  hdcp14_link_advance(&link, 128);
  EXPECT_EQ(link.m, before.m);
  EXPECT_EQ(link.frame, 300u);
  EXPECT_EQ(link.ri, kHdcp14Vectors[0].ri[1]);
}

TEST(Hdcp14Link, PjFollowsEvery16thFrameAndThePixel) {
  hdcp14_link link;
  hdcp14_link_start(&link, kHdcp14Vectors[0].km, false, kHdcp14Vectors[0].an);
  hdcp14_link_advance(&link, 15);
  EXPECT_EQ(link.rj, link.r0);
  hdcp14_link_advance(&link, 16);
  const uint16_t at16 = link.rj;
  EXPECT_NE(at16, link.r0);
  EXPECT_EQ(hdcp14_link_pj(&link, 0), at16 & 0xff);
  EXPECT_EQ(hdcp14_link_pj(&link, 0xff), (at16 & 0xff) ^ 0xff);
  hdcp14_link_advance(&link, 128);
  // At a common multiple both are the same R.
  EXPECT_EQ(link.rj, link.ri);
}

TEST(Hdcp14Ksv, FacsimileKsvsAreValid) {
  for (const FacsimileDevice& device : kFacsimileDevices) {
    EXPECT_TRUE(hdcp14_ksv_valid(device.ksv)) << device.name;
  }
}

TEST(Hdcp14Ksv, WrongCountsAreRefused) {
  // Two KSVs of the V' example have 21 ones (section 2.5).
  EXPECT_FALSE(hdcp14_ksv_valid(0x35796a172e));
  EXPECT_FALSE(hdcp14_ksv_valid(0x74e85397a6));
  EXPECT_FALSE(hdcp14_ksv_valid(0));
  EXPECT_FALSE(hdcp14_ksv_valid(0xfffff | 1ull << 39));
  EXPECT_TRUE(hdcp14_ksv_valid(0xfffff));
  // 20 ones, but one of them above the 40 bits.
  EXPECT_FALSE(hdcp14_ksv_valid(0x7ffff | 1ull << 40));
}

TEST(Hdcp14Authority, EveryPairAgreesOnKm) {
  hdcp14_device_keys device[12];
  for (uint64_t i = 0; i < 12; ++i) hdcp14_authority_device(77, i, &device[i]);
  for (int a = 0; a < 12; ++a) {
    EXPECT_TRUE(hdcp14_ksv_valid(device[a].ksv));
    for (int b = 0; b < a; ++b) {
      EXPECT_NE(device[a].ksv, device[b].ksv);
      EXPECT_EQ(hdcp14_km(device[a].keys, device[b].ksv), hdcp14_km(device[b].keys, device[a].ksv));
    }
  }
}

TEST(Hdcp14Authority, AnotherSeedIsACounterfeit) {
  // F15: the sink's keys come from another authority.
  hdcp14_device_keys tx, fake;
  hdcp14_authority_device(1, 0, &tx);
  hdcp14_authority_device(2, 1, &fake);
  EXPECT_NE(hdcp14_km(tx.keys, fake.ksv), hdcp14_km(fake.keys, tx.ksv));
}

TEST(Hdcp14Authority, AThousandDevicesHaveDistinctValidKsvs) {
  std::set<uint64_t> seen;
  for (uint64_t i = 0; i < 1000; ++i) {
    const uint64_t ksv = hdcp14_authority_ksv(HDCP14_SIM_SEED, i);
    EXPECT_TRUE(hdcp14_ksv_valid(ksv)) << i;
    EXPECT_TRUE(seen.insert(ksv).second) << i;
  }
}

TEST(Hdcp14Authority, SameSeedSameDevice) {
  hdcp14_device_keys a, b;
  hdcp14_authority_device(5, 3, &a);
  hdcp14_authority_device(5, 3, &b);
  EXPECT_EQ(a.ksv, b.ksv);
  for (int i = 0; i < HDCP14_NR_KEYS; ++i) {
    EXPECT_EQ(a.keys[i], b.keys[i]);
    EXPECT_LE(a.keys[i], HDCP14_MASK56);
  }
}

}  // namespace
}  // namespace uwq::hdmi
