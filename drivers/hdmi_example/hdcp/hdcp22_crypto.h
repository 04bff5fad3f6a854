// SPDX-License-Identifier: BSD-3-Clause
// hdcp22_crypto.h: the computations of HDCP 2.2 authentication, on OpenSSL.
//
// Invariant: authentication only.  There is no content encryption and no global
// constant here, so nothing built on this file can decrypt a stream.  The
// published vectors of hdcp22_crypto_test.cc tie it to the specification.
//
// Values are byte arrays in the order of the wire.
// Threads: pure functions; any thread.  Blocks: never (RSA takes up to some
// milliseconds of CPU).  Errors: Internal when OpenSSL refuses.
// Read on: hdcp22_messages.h, hdcp22_receiver.h, hdcp22_transmitter.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP22_CRYPTO_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP22_CRYPTO_H_

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace uwq::hdmi {

using Bytes3 = std::array<uint8_t, 3>;
using Bytes5 = std::array<uint8_t, 5>;
using Bytes8 = std::array<uint8_t, 8>;
using Bytes16 = std::array<uint8_t, 16>;
using Bytes32 = std::array<uint8_t, 32>;

Bytes16 Aes128Ecb(const Bytes16& key, const Bytes16& block);
Bytes32 HmacSha256(absl::Span<const uint8_t> key, absl::Span<const uint8_t> message);
Bytes32 Sha256(absl::Span<const uint8_t> message);
bool EqualSecret(absl::Span<const uint8_t> a, absl::Span<const uint8_t> b);

// dkey_i = AES(km xor rn, (rtx || rrx) xor i); rn is 0 for i = 0 and 1.
Bytes16 DeriveKey(const Bytes16& km, const Bytes8& rtx, const Bytes8& rrx, const Bytes8& rn,
                  uint8_t i);
// kd = dkey_0 || dkey_1.
Bytes32 DeriveKd(const Bytes16& km, const Bytes8& rtx, const Bytes8& rrx);
Bytes32 ComputeHPrime(const Bytes32& kd, const Bytes8& rtx, const Bytes3& rx_caps,
                      const Bytes3& tx_caps);
Bytes32 ComputeLPrime(const Bytes32& kd, const Bytes8& rrx, const Bytes8& rn);
// Edkey(ks), and back: xor is its own inverse.
Bytes16 WrapSessionKey(const Bytes16& ks, const Bytes16& dkey2, const Bytes8& rrx);
// Ekh(km), with m = rtx || rrx.
Bytes16 WrapMasterKey(const Bytes16& km, const Bytes16& kh, const Bytes8& rtx, const Bytes8& rrx);
Bytes16 UnwrapMasterKey(const Bytes16& ekh, const Bytes16& kh, const Bytes16& m);
// V: the receiver sends the first half, the transmitter acknowledges with the
// second.
Bytes32 ComputeV22(const Bytes32& kd, absl::Span<const uint8_t> receiver_ids, uint16_t rx_info,
                   uint32_t seq_num_v);
// `id_types` are the (StreamID, Type) pairs.
Bytes32 ComputeMPrime(const Bytes32& kd, absl::Span<const uint8_t> id_types, uint32_t seq_num_m);

inline constexpr size_t kCertBytes = 522;
inline constexpr size_t kCertSignedBytes = 138;
inline constexpr size_t kRxModulusBytes = 128;
inline constexpr size_t kAuthorityModulusBytes = 384;

// An RSA key, public or whole.
class RsaKey {
 public:
  // `modulus` big endian, `exponent` small.
  static absl::StatusOr<RsaKey> FromPublic(absl::Span<const uint8_t> modulus, uint32_t exponent);
  // A fresh pair with exponent 3.  Takes about 10 ms (1024 bits) or 0.3..1 s
  // (3072 bits).
  static absl::StatusOr<RsaKey> Generate(int bits);

  // The pair that follows from a seed: what lets a driver and a device that are
  // given the same seed agree on the simulation's authority.  No such key may
  // ever protect anything.  Takes 0.2..1 s for 3072 bits.
  static absl::StatusOr<RsaKey> FromSeed(int bits, uint64_t seed);

  absl::StatusOr<std::vector<uint8_t>> Modulus() const;

  // RSAES-OAEP with SHA-256, as Ekpub(km).
  absl::StatusOr<std::vector<uint8_t>> EncryptOaep(absl::Span<const uint8_t> plain) const;
  absl::StatusOr<std::vector<uint8_t>> DecryptOaep(absl::Span<const uint8_t> cipher) const;

  // RSASSA-PKCS1-v1_5 with SHA-256.  Verify: Unauthenticated when it is wrong.
  absl::StatusOr<std::vector<uint8_t>> Sign(absl::Span<const uint8_t> message) const;
  absl::Status Verify(absl::Span<const uint8_t> message, absl::Span<const uint8_t> signature) const;

  // kh: the low 16 bytes of SHA-256 over p | q | dp | dq | qinv.  1024 bits only.
  absl::StatusOr<Bytes16> PairingKey() const;

 private:
  struct Impl;
  explicit RsaKey(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

// cert_rx of a receiver: its ID, public key, and the authority's signature.
absl::StatusOr<std::vector<uint8_t>> MakeCertificate(const Bytes5& id, const RsaKey& receiver,
                                                     const RsaKey& authority);

struct Certificate {
  Bytes5 id;
  std::vector<uint8_t> modulus;
  uint32_t exponent = 0;
};
// Errors: InvalidArgument for another length; Unauthenticated when the
// authority did not sign it.
absl::StatusOr<Certificate> CheckCertificate(absl::Span<const uint8_t> cert,
                                             const RsaKey& authority);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP22_CRYPTO_H_
