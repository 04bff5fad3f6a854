// SPDX-License-Identifier: BSD-3-Clause
// Tests of the HDCP 2.2 computations against the published vectors R1 and R2
// (reference hdmi.md, section 3.3), and of our own certificates.
#include "drivers/hdmi_example/hdcp/hdcp22_crypto.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "drivers/hdmi_example/hdcp/srm.h"

namespace uwq::hdmi {
namespace {

template <typename T>
T Hex(const char* digits) {
  const std::string bytes = absl::HexStringToBytes(digits);
  T out{};
  EXPECT_EQ(bytes.size(), out.size());
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

template <typename T>
std::string ToHex(const T& bytes) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

struct Vector {
  const char *name, *rtx, *rrx, *rx_caps, *km, *dkey0, *dkey1, *h, *kh, *ekh, *rn, *l, *ks, *dkey2,
      *edkey;
};

constexpr Vector kVectors[] = {
    {"R1", "18fae4206afb5149", "3ba0bede0c46a991", "020001", "68bcc51ba9db1bd0faf15e9ad8a5afb9",
     "4f148d11dd4918106fab166ff6fda6ed", "b5020c0df281badfe41977fad0ac6117",
     "69e0ab212fdb57e67efc43761a2c5cce76c365f19b75c3eac2d277dd5c7e4ac4",
     "8586c7b66d9fb366a0760cfbc2ab4d34", "b89ff9726a6f2c1e29b6448ddca310bd", "32753ea878a6381c",
     "bc2092335491c19ea4de8b3049c2066ad811a22ab146df74584705a8b767fbdd",
     "f3df1dd95796123f989789b421e12de1", "bfed5acb9328d456a9f52e0ef33675f3",
     "4c324712c4bec6690ac21964de91f183"},
    {"R2", "f9f130a82d5be5c3", "e17ab0fd0f544052", "020000", "ca9f839570d0d0f9cfe4eb547e09fa3b",
     "2a04d7eb0a0b4e20264584011eab0a4a", "f9dc1897e8eed8f9ec6a5d34a96202c9",
     "4ff1a2a56167c8e0ad16c895991b1a21a880c627393fc7bb83eda7e56907a5dc",
     "c6aa14ebb0354d5083f5de742a8c1ba2", "e6578ebcc7684487888a9bd7d6ae38be", "a0fe9bb8206058ca",
     "f20f136e8553c10cd3ddb2f96d3331f9cb6e978ccd5eda13ddea4144109b51b0",
     "f3df1dd95796123f989789b421e12de1", "4554977d855da8c02adef89095027d1a",
     "b68b8aa4d2cbbaff5333c1d9bbb710a9"},
};

class Hdcp22VectorTest : public testing::TestWithParam<Vector> {};

TEST_P(Hdcp22VectorTest, EveryPublishedValue) {
  const Vector& v = GetParam();
  const auto km = Hex<Bytes16>(v.km);
  const auto rtx = Hex<Bytes8>(v.rtx);
  const auto rrx = Hex<Bytes8>(v.rrx);
  const auto rn = Hex<Bytes8>(v.rn);
  const Bytes32 kd = DeriveKd(km, rtx, rrx);
  EXPECT_EQ(ToHex(kd), std::string(v.dkey0) + v.dkey1);
  EXPECT_EQ(ToHex(ComputeHPrime(kd, rtx, Hex<Bytes3>(v.rx_caps), Bytes3{2, 0, 0})), v.h);
  EXPECT_EQ(ToHex(ComputeLPrime(kd, rrx, rn)), v.l);
  const Bytes16 dkey2 = DeriveKey(km, rtx, rrx, rn, 2);
  EXPECT_EQ(ToHex(dkey2), v.dkey2);
  const auto ks = Hex<Bytes16>(v.ks);
  const Bytes16 edkey = WrapSessionKey(ks, dkey2, rrx);
  EXPECT_EQ(ToHex(edkey), v.edkey);
  EXPECT_EQ(WrapSessionKey(edkey, dkey2, rrx), ks);
  const auto kh = Hex<Bytes16>(v.kh);
  const Bytes16 ekh = WrapMasterKey(km, kh, rtx, rrx);
  EXPECT_EQ(ToHex(ekh), v.ekh);
  Bytes16 m;
  std::copy(rtx.begin(), rtx.end(), m.begin());
  std::copy(rrx.begin(), rrx.end(), m.begin() + 8);
  EXPECT_EQ(UnwrapMasterKey(ekh, kh, m), km);
}

INSTANTIATE_TEST_SUITE_P(Section3_3, Hdcp22VectorTest, testing::ValuesIn(kVectors),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Hdcp22Vectors, RepeaterListAndStream) {
  const Vector& v = kVectors[0];
  const Bytes32 kd = DeriveKd(Hex<Bytes16>(v.km), Hex<Bytes8>(v.rtx), Hex<Bytes8>(v.rrx));
  const std::string ids = absl::HexStringToBytes("478e71e20f35796a170e74e85397a2");
  const Bytes32 value = ComputeV22(
      kd, absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(ids.data()), ids.size()), 0x0231, 0);
  EXPECT_EQ(ToHex(value), "bccc7d16e6bcb90260081df74ab45c8a636dc5084d6cb10e93a528670f341f88");
  const uint8_t stream[] = {0x00, 0x01};
  EXPECT_EQ(ToHex(ComputeMPrime(kd, stream, 0)),
            "dd26e9526e0e1d69c884e4ccc809aac771e997b56189096e4d9424c21b6458c6");
}

const RsaKey& Authority() {
  static const RsaKey* const key = new RsaKey(*RsaKey::FromSeed(3072, 1));
  return *key;
}

TEST(Hdcp22Rsa, CertificateIsCheckedBitByBit) {
  const auto receiver = RsaKey::Generate(1024);
  ASSERT_TRUE(receiver.ok()) << receiver.status();
  const auto cert = MakeCertificate({1, 2, 3, 4, 5}, *receiver, Authority());
  ASSERT_TRUE(cert.ok()) << cert.status();
  ASSERT_EQ(cert->size(), kCertBytes);
  const auto checked = CheckCertificate(*cert, Authority());
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->id, (Bytes5{1, 2, 3, 4, 5}));
  EXPECT_EQ(checked->exponent, 3u);
  EXPECT_EQ(checked->modulus, *receiver->Modulus());
  for (size_t byte = 0; byte < cert->size(); byte += 37) {
    auto bad = *cert;
    bad[byte] ^= 1;
    EXPECT_EQ(CheckCertificate(bad, Authority()).status().code(),
              absl::StatusCode::kUnauthenticated)
        << byte;
  }
  EXPECT_FALSE(CheckCertificate(absl::MakeConstSpan(*cert).subspan(1), Authority()).ok());
}

TEST(Hdcp22Rsa, SameSeedSameKey) {
  const auto a = RsaKey::FromSeed(1024, 7), b = RsaKey::FromSeed(1024, 7),
             c = RsaKey::FromSeed(1024, 8);
  ASSERT_TRUE(a.ok() && b.ok() && c.ok());
  EXPECT_EQ(*a->Modulus(), *b->Modulus());
  EXPECT_NE(*a->Modulus(), *c->Modulus());
  EXPECT_EQ(*a->PairingKey(), *b->PairingKey());
  const uint8_t message[] = {1, 2, 3};
  EXPECT_TRUE(b->Verify(message, *a->Sign(message)).ok());
  EXPECT_FALSE(c->Verify(message, *a->Sign(message)).ok());
  EXPECT_FALSE(RsaKey::FromSeed(100, 1).ok());
}

TEST(Hdcp22Rsa, MasterKeyTravelsEncrypted) {
  const auto receiver = RsaKey::Generate(1024);
  ASSERT_TRUE(receiver.ok());
  const auto modulus = receiver->Modulus();
  const auto public_key = RsaKey::FromPublic(*modulus, 3);
  ASSERT_TRUE(public_key.ok()) << public_key.status();
  const auto km = Hex<Bytes16>(kVectors[0].km);
  const auto cipher = public_key->EncryptOaep(km);
  ASSERT_TRUE(cipher.ok()) << cipher.status();
  EXPECT_EQ(cipher->size(), 128u);
  const auto plain = receiver->DecryptOaep(*cipher);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_TRUE(EqualSecret(*plain, km));
  auto bad = *cipher;
  bad[5] ^= 1;
  EXPECT_FALSE(receiver->DecryptOaep(bad).ok());
  EXPECT_FALSE(public_key->PairingKey().ok());  // a public key has none
  EXPECT_TRUE(receiver->PairingKey().ok());
}

TEST(Hdcp22Rsa, Srm2SignedByOurAuthority) {
  const SrmId ids[] = {{1, 2, 3, 4, 5}};
  auto blob = BuildSrm2Body(9, ids);
  const auto signature = Authority().Sign(blob);
  ASSERT_TRUE(signature.ok());
  blob.insert(blob.end(), signature->begin(), signature->end());
  const auto verifier = [](absl::Span<const uint8_t> body, absl::Span<const uint8_t> tail) {
    return Authority().Verify(body, tail);
  };
  const auto srm = Srm::Parse(blob, verifier);
  ASSERT_TRUE(srm.ok()) << srm.status();
  EXPECT_TRUE(srm->Revoked(ids[0]));
  blob[13] ^= 1;
  EXPECT_FALSE(Srm::Parse(blob, verifier).ok());
}

}  // namespace
}  // namespace uwq::hdmi
