// SPDX-License-Identifier: BSD-3-Clause
// Tests of system renewability messages: both formats, both byte orders, and
// every way in which a blob can lie about its length.
#include "drivers/hdmi_example/hdcp/srm.h"

#include <gtest/gtest.h>

#include "drivers/hdmi_example/hdcp/hdcp14_authority.h"

namespace uwq::hdmi {
namespace {

absl::Status AcceptAll(absl::Span<const uint8_t>, absl::Span<const uint8_t>) {
  return absl::OkStatus();
}

TEST(Srm1, RevokesExactlyTheListedKsvs) {
  // F26: an SRM that revokes the sink in use.
  const uint64_t revoked = hdcp14_authority_ksv(HDCP14_SIM_SEED, 4);
  const SrmId ids[] = {SrmIdOfKsv(hdcp14_authority_ksv(HDCP14_SIM_SEED, 9)), SrmIdOfKsv(revoked)};
  auto srm = Srm::Parse(BuildSimSrm(7, ids), SimSrmVerifier());
  ASSERT_TRUE(srm.ok()) << srm.status();
  EXPECT_EQ(srm->hdcp_version(), 1);
  EXPECT_EQ(srm->version(), 7);
  EXPECT_EQ(srm->ids().size(), 2u);
  EXPECT_TRUE(srm->RevokedKsv(revoked));
  EXPECT_FALSE(srm->RevokedKsv(hdcp14_authority_ksv(HDCP14_SIM_SEED, 5)));
}

TEST(Srm1, ByteOrderTrap) {
  // Section 2.6: the same receiver listed in both byte orders.
  const uint64_t ksv = 0x511ef21acd;
  const SrmId reversed = {0x51, 0x1e, 0xf2, 0x1a, 0xcd};
  auto ours = Srm::Parse(BuildSimSrm(1, {{SrmIdOfKsv(ksv)}}), SimSrmVerifier());
  auto theirs = Srm::Parse(BuildSimSrm(1, {{reversed}}), SimSrmVerifier());
  ASSERT_TRUE(ours.ok() && theirs.ok());
  EXPECT_TRUE(ours->RevokedKsv(ksv));
  EXPECT_FALSE(ours->RevokedKsv(ksv, SrmIdOrder::kReversed));
  EXPECT_FALSE(theirs->RevokedKsv(ksv));
  EXPECT_TRUE(theirs->RevokedKsv(ksv, SrmIdOrder::kReversed));
}

TEST(Srm1, EmptyListIsTheSmallestMessage) {
  const auto blob = BuildSimSrm(1, {});
  EXPECT_EQ(blob.size(), 48u);
  EXPECT_TRUE(Srm::Parse(blob, SimSrmVerifier()).ok());
}

TEST(Srm1, MoreThan127IdsUseSeveralLists) {
  std::vector<SrmId> ids;
  for (uint64_t i = 0; i < 300; ++i) ids.push_back(SrmIdOfKsv(hdcp14_authority_ksv(3, i)));
  auto srm = Srm::Parse(BuildSimSrm(2, ids), SimSrmVerifier());
  ASSERT_TRUE(srm.ok()) << srm.status();
  EXPECT_EQ(srm->ids(), ids);
}

TEST(Srm1, EveryFlippedBitIsNoticed) {
  const SrmId ids[] = {SrmIdOfKsv(0x511ef21acd)};
  const auto good = BuildSimSrm(1, ids);
  for (size_t i = 0; i < good.size() * 8; ++i) {
    auto bad = good;
    bad[i / 8] ^= static_cast<uint8_t>(1u << (i % 8));
    EXPECT_FALSE(Srm::Parse(bad, SimSrmVerifier()).ok()) << "bit " << i;
  }
}

TEST(Srm1, EveryTruncationIsNoticed) {
  const SrmId ids[] = {SrmIdOfKsv(0x511ef21acd)};
  const auto good = BuildSimSrm(1, ids);
  for (size_t n = 0; n < good.size(); ++n) {
    EXPECT_FALSE(Srm::Parse(absl::MakeConstSpan(good).subspan(0, n), AcceptAll).ok()) << n;
  }
}

TEST(Srm1, ListThatRunsIntoTheSignatureIsNamed) {
  const SrmId ids[] = {SrmIdOfKsv(0x511ef21acd)};
  auto blob = BuildSimSrm(1, ids);
  blob[8] = 9;
  auto srm = Srm::Parse(blob, AcceptAll);
  EXPECT_EQ(srm.status().message(),
            "SRM byte 8: a list of 9 IDs runs into the signature at byte 14");
}

TEST(Srm, WithoutVerifierNothingIsTrusted) {
  EXPECT_EQ(Srm::Parse(BuildSimSrm(1, {}), nullptr).status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST(Srm2, CountSpansTwoBytes) {
  std::vector<SrmId> ids;
  for (uint64_t i = 0; i < 700; ++i) ids.push_back(SrmIdOfKsv(hdcp14_authority_ksv(3, i)));
  auto blob = BuildSrm2Body(5, ids);
  const size_t body = blob.size();
  blob.resize(body + 384);
  auto srm = Srm::Parse(blob,
                        [&](absl::Span<const uint8_t> signed_part,
                            absl::Span<const uint8_t> signature) -> absl::Status {
                          EXPECT_EQ(signed_part.size(), body);
                          EXPECT_EQ(signature.size(), 384u);
                          return absl::OkStatus();
                        });
  ASSERT_TRUE(srm.ok()) << srm.status();
  EXPECT_EQ(srm->hdcp_version(), 2);
  EXPECT_EQ(srm->ids(), ids);
}

}  // namespace
}  // namespace uwq::hdmi
