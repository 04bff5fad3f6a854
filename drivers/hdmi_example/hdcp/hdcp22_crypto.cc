// SPDX-License-Identifier: BSD-3-Clause
// hdcp22_crypto.cc: see hdcp22_crypto.h.
// Invariant: every OpenSSL object is owned by a unique_ptr; an error leaves
// nothing behind but a Status.
// Read on: hdcp22_crypto_test.cc.
#include "drivers/hdmi_example/hdcp/hdcp22_crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace uwq::hdmi {
namespace {

template <typename T, void (*kFree)(T*)>
struct Deleter {
  void operator()(T* p) const { kFree(p); }
};
using PkeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY, EVP_PKEY_free>>;
using PkeyCtxPtr = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
using BnPtr = std::unique_ptr<BIGNUM, Deleter<BIGNUM, BN_free>>;
using MdCtxPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX, EVP_MD_CTX_free>>;
using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, Deleter<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>>;
using BuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, Deleter<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>>;
using BnCtxPtr = std::unique_ptr<BN_CTX, Deleter<BN_CTX, BN_CTX_free>>;
using ParamPtr = std::unique_ptr<OSSL_PARAM, Deleter<OSSL_PARAM, OSSL_PARAM_free>>;

absl::Status OpensslError(const char* what) {
  char text[160] = "no reason given";
  if (const unsigned long code = ERR_get_error(); code != 0) {
    ERR_error_string_n(code, text, sizeof(text));
  }
  ERR_clear_error();
  return absl::InternalError(absl::StrCat(what, ": ", text));
}

// The lowest eight bytes of a longer value are its last ones.
template <size_t kBytes>
void XorTail(std::array<uint8_t, kBytes>& value, const Bytes8& with) {
  for (size_t i = 0; i < 8; ++i) value[kBytes - 8 + i] ^= with[i];
}

Bytes16 Concat(const Bytes8& a, const Bytes8& b) {
  Bytes16 out;
  std::copy(a.begin(), a.end(), out.begin());
  std::copy(b.begin(), b.end(), out.begin() + 8);
  return out;
}

}  // namespace

Bytes16 Aes128Ecb(const Bytes16& key, const Bytes16& block) {
  Bytes16 out = {};
  int n = 0;
  CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  // These cannot fail for a key and a block of fixed size, short of memory.
  if (ctx != nullptr &&
      EVP_EncryptInit_ex(ctx.get(), EVP_aes_128_ecb(), nullptr, key.data(), nullptr) == 1) {
    EVP_CIPHER_CTX_set_padding(ctx.get(), 0);
    EVP_EncryptUpdate(ctx.get(), out.data(), &n, block.data(), 16);
  }
  return out;
}

Bytes32 HmacSha256(absl::Span<const uint8_t> key, absl::Span<const uint8_t> message) {
  Bytes32 out = {};
  unsigned int n = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(),
       out.data(), &n);
  return out;
}

Bytes32 Sha256(absl::Span<const uint8_t> message) {
  Bytes32 out;
  SHA256(message.data(), message.size(), out.data());
  return out;
}

bool EqualSecret(absl::Span<const uint8_t> a, absl::Span<const uint8_t> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Bytes16 DeriveKey(const Bytes16& km, const Bytes8& rtx, const Bytes8& rrx, const Bytes8& rn,
                  uint8_t i) {
  Bytes16 key = km;
  XorTail(key, rn);
  Bytes16 counter = Concat(rtx, rrx);
  counter[15] ^= i;
  return Aes128Ecb(key, counter);
}

Bytes32 DeriveKd(const Bytes16& km, const Bytes8& rtx, const Bytes8& rrx) {
  Bytes32 kd;
  const Bytes16 low = DeriveKey(km, rtx, rrx, Bytes8{}, 0);
  const Bytes16 high = DeriveKey(km, rtx, rrx, Bytes8{}, 1);
  std::copy(low.begin(), low.end(), kd.begin());
  std::copy(high.begin(), high.end(), kd.begin() + 16);
  return kd;
}

Bytes32 ComputeHPrime(const Bytes32& kd, const Bytes8& rtx, const Bytes3& rx_caps,
                      const Bytes3& tx_caps) {
  std::vector<uint8_t> message(rtx.begin(), rtx.end());
  message.insert(message.end(), rx_caps.begin(), rx_caps.end());
  message.insert(message.end(), tx_caps.begin(), tx_caps.end());
  return HmacSha256(kd, message);
}

Bytes32 ComputeLPrime(const Bytes32& kd, const Bytes8& rrx, const Bytes8& rn) {
  Bytes32 key = kd;
  XorTail(key, rrx);
  return HmacSha256(key, rn);
}

Bytes16 WrapSessionKey(const Bytes16& ks, const Bytes16& dkey2, const Bytes8& rrx) {
  Bytes16 pad = dkey2;
  XorTail(pad, rrx);
  for (size_t i = 0; i < pad.size(); ++i) pad[i] ^= ks[i];
  return pad;
}

Bytes16 WrapMasterKey(const Bytes16& km, const Bytes16& kh, const Bytes8& rtx, const Bytes8& rrx) {
  return UnwrapMasterKey(km, kh, Concat(rtx, rrx));
}

Bytes16 UnwrapMasterKey(const Bytes16& ekh, const Bytes16& kh, const Bytes16& m) {
  Bytes16 out = Aes128Ecb(kh, m);
  for (size_t i = 0; i < out.size(); ++i) out[i] ^= ekh[i];
  return out;
}

Bytes32 ComputeV22(const Bytes32& kd, absl::Span<const uint8_t> receiver_ids, uint16_t rx_info,
                   uint32_t seq_num_v) {
  std::vector<uint8_t> message(receiver_ids.begin(), receiver_ids.end());
  message.push_back(static_cast<uint8_t>(rx_info >> 8));
  message.push_back(static_cast<uint8_t>(rx_info));
  for (int shift : {16, 8, 0}) message.push_back(static_cast<uint8_t>(seq_num_v >> shift));
  return HmacSha256(kd, message);
}

Bytes32 ComputeMPrime(const Bytes32& kd, absl::Span<const uint8_t> id_types, uint32_t seq_num_m) {
  std::vector<uint8_t> message(id_types.begin(), id_types.end());
  for (int shift : {16, 8, 0}) message.push_back(static_cast<uint8_t>(seq_num_m >> shift));
  return HmacSha256(Sha256(kd), message);
}

struct RsaKey::Impl {
  PkeyPtr key;
};

absl::StatusOr<RsaKey> RsaKey::FromPublic(absl::Span<const uint8_t> modulus, uint32_t exponent) {
  BnPtr n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
  BnPtr e(BN_new());
  BuilderPtr builder(OSSL_PARAM_BLD_new());
  PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  if (!n || !e || !builder || !ctx || BN_set_word(e.get(), exponent) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return OpensslError("RSA public key");
  }
  ParamPtr params(OSSL_PARAM_BLD_to_param(builder.get()));
  EVP_PKEY* key = nullptr;
  if (!params || EVP_PKEY_fromdata_init(ctx.get()) != 1 ||
      EVP_PKEY_fromdata(ctx.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return OpensslError("RSA public key");
  }
  auto impl = std::make_shared<Impl>();
  impl->key.reset(key);
  return RsaKey(std::move(impl));
}

absl::StatusOr<RsaKey> RsaKey::Generate(int bits) {
  PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  BnPtr e(BN_new());
  EVP_PKEY* key = nullptr;
  if (!ctx || !e || BN_set_word(e.get(), 3) != 1 || EVP_PKEY_keygen_init(ctx.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_keygen_bits(ctx.get(), bits) != 1 ||
      EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx.get(), e.get()) != 1 ||
      EVP_PKEY_keygen(ctx.get(), &key) != 1) {
    return OpensslError("RSA key generation");
  }
  auto impl = std::make_shared<Impl>();
  impl->key.reset(key);
  return RsaKey(std::move(impl));
}

namespace {

// The first prime p with p mod 3 = 2 (the exponent is 3) that a counter over the
// seed leads to; its two top bits are set, so that a product of two is full.
BnPtr PrimeFromSeed(int bits, uint64_t seed, uint64_t which, BN_CTX* ctx) {
  std::vector<uint8_t> bytes;
  for (uint8_t counter = 0; static_cast<int>(bytes.size()) * 8 < bits; ++counter) {
    std::vector<uint8_t> in = {counter};
    for (int i = 0; i < 8; ++i) in.push_back(static_cast<uint8_t>(seed >> (8 * i)));
    for (int i = 0; i < 8; ++i) in.push_back(static_cast<uint8_t>(which >> (8 * i)));
    const Bytes32 part = Sha256(in);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  BnPtr p(BN_bin2bn(bytes.data(), bits / 8, nullptr));
  if (!p) return p;
  BN_set_bit(p.get(), bits - 1);
  BN_set_bit(p.get(), bits - 2);
  // To 5 mod 6: odd, and 2 mod 3; then from one such number to the next.
  const BN_ULONG rest = BN_mod_word(p.get(), 6);
  if (BN_add_word(p.get(), rest == 5 ? 0 : 5 - rest) != 1) return nullptr;
  while (BN_check_prime(p.get(), ctx, nullptr) != 1) {
    if (BN_add_word(p.get(), 6) != 1) return nullptr;
  }
  return p;
}

bool PushBn(OSSL_PARAM_BLD* builder, const char* name, const BIGNUM* value) {
  return OSSL_PARAM_BLD_push_BN(builder, name, value) == 1;
}

}  // namespace

absl::StatusOr<RsaKey> RsaKey::FromSeed(int bits, uint64_t seed) {
  if (bits < 512 || bits > 4096 || bits % 16 != 0) {
    return absl::InvalidArgumentError(absl::StrCat("RSA key of ", bits, " bits"));
  }
  BnCtxPtr ctx(BN_CTX_new());
  if (!ctx) return OpensslError("RSA key from a seed");
  BnPtr p = PrimeFromSeed(bits / 2, seed, 0, ctx.get());
  BnPtr q = PrimeFromSeed(bits / 2, seed, 1, ctx.get());
  BnPtr n(BN_new()), e(BN_new()), d, p1(BN_new()), q1(BN_new()), phi(BN_new()), dp(BN_new()),
      dq(BN_new()), qinv;
  if (!p || !q || !n || !e || !p1 || !q1 || !phi || !dp || !dq) {
    return OpensslError("RSA key from a seed");
  }
  if (BN_cmp(p.get(), q.get()) < 0) std::swap(p, q);
  bool ok = BN_set_word(e.get(), 3) == 1 && BN_mul(n.get(), p.get(), q.get(), ctx.get()) == 1 &&
            BN_sub(p1.get(), p.get(), BN_value_one()) == 1 &&
            BN_sub(q1.get(), q.get(), BN_value_one()) == 1 &&
            BN_mul(phi.get(), p1.get(), q1.get(), ctx.get()) == 1;
  d.reset(BN_mod_inverse(nullptr, e.get(), phi.get(), ctx.get()));
  qinv.reset(BN_mod_inverse(nullptr, q.get(), p.get(), ctx.get()));
  ok = ok && d && qinv && BN_mod(dp.get(), d.get(), p1.get(), ctx.get()) == 1 &&
       BN_mod(dq.get(), d.get(), q1.get(), ctx.get()) == 1;
  BuilderPtr builder(OSSL_PARAM_BLD_new());
  PkeyCtxPtr key_ctx(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  if (!ok || !builder || !key_ctx || !PushBn(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) ||
      !PushBn(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) ||
      !PushBn(builder.get(), OSSL_PKEY_PARAM_RSA_D, d.get()) ||
      !PushBn(builder.get(), OSSL_PKEY_PARAM_RSA_FACTOR1, p.get()) ||
      !PushBn(builder.get(), OSSL_PKEY_PARAM_RSA_FACTOR2, q.get()) ||
      !PushBn(builder.get(), OSSL_PKEY_PARAM_RSA_EXPONENT1, dp.get()) ||
      !PushBn(builder.get(), OSSL_PKEY_PARAM_RSA_EXPONENT2, dq.get()) ||
      !PushBn(builder.get(), OSSL_PKEY_PARAM_RSA_COEFFICIENT1, qinv.get())) {
    return OpensslError("RSA key from a seed");
  }
  ParamPtr params(OSSL_PARAM_BLD_to_param(builder.get()));
  EVP_PKEY* key = nullptr;
  if (!params || EVP_PKEY_fromdata_init(key_ctx.get()) != 1 ||
      EVP_PKEY_fromdata(key_ctx.get(), &key, EVP_PKEY_KEYPAIR, params.get()) != 1) {
    return OpensslError("RSA key from a seed");
  }
  auto impl = std::make_shared<Impl>();
  impl->key.reset(key);
  return RsaKey(std::move(impl));
}

namespace {

absl::StatusOr<std::vector<uint8_t>> BigParam(EVP_PKEY* key, const char* name, int bytes) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return OpensslError(name);
  BnPtr value(raw);
  std::vector<uint8_t> out(static_cast<size_t>(bytes));
  if (BN_bn2binpad(value.get(), out.data(), bytes) != bytes) return OpensslError(name);
  return out;
}

absl::StatusOr<PkeyCtxPtr> OaepCtx(EVP_PKEY* key, bool encrypt) {
  PkeyCtxPtr ctx(EVP_PKEY_CTX_new(key, nullptr));
  if (!ctx ||
      (encrypt ? EVP_PKEY_encrypt_init(ctx.get()) : EVP_PKEY_decrypt_init(ctx.get())) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(ctx.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md(ctx.get(), EVP_sha256()) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(ctx.get(), EVP_sha256()) != 1) {
    return OpensslError("OAEP");
  }
  return ctx;
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> RsaKey::Modulus() const {
  return BigParam(impl_->key.get(), OSSL_PKEY_PARAM_RSA_N, EVP_PKEY_get_size(impl_->key.get()));
}

absl::StatusOr<std::vector<uint8_t>> RsaKey::EncryptOaep(absl::Span<const uint8_t> plain) const {
  auto ctx = OaepCtx(impl_->key.get(), true);
  if (!ctx.ok()) return ctx.status();
  size_t n = static_cast<size_t>(EVP_PKEY_get_size(impl_->key.get()));
  std::vector<uint8_t> out(n);
  if (EVP_PKEY_encrypt(ctx->get(), out.data(), &n, plain.data(), plain.size()) != 1) {
    return OpensslError("OAEP encryption");
  }
  out.resize(n);
  return out;
}

absl::StatusOr<std::vector<uint8_t>> RsaKey::DecryptOaep(absl::Span<const uint8_t> cipher) const {
  auto ctx = OaepCtx(impl_->key.get(), false);
  if (!ctx.ok()) return ctx.status();
  size_t n = static_cast<size_t>(EVP_PKEY_get_size(impl_->key.get()));
  std::vector<uint8_t> out(n);
  if (EVP_PKEY_decrypt(ctx->get(), out.data(), &n, cipher.data(), cipher.size()) != 1) {
    return OpensslError("OAEP decryption");
  }
  out.resize(n);
  return out;
}

absl::StatusOr<std::vector<uint8_t>> RsaKey::Sign(absl::Span<const uint8_t> message) const {
  MdCtxPtr ctx(EVP_MD_CTX_new());
  size_t n = static_cast<size_t>(EVP_PKEY_get_size(impl_->key.get()));
  std::vector<uint8_t> out(n);
  if (!ctx ||
      EVP_DigestSignInit(ctx.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) != 1 ||
      EVP_DigestSign(ctx.get(), out.data(), &n, message.data(), message.size()) != 1) {
    return OpensslError("RSA signature");
  }
  out.resize(n);
  return out;
}

absl::Status RsaKey::Verify(absl::Span<const uint8_t> message,
                            absl::Span<const uint8_t> signature) const {
  MdCtxPtr ctx(EVP_MD_CTX_new());
  if (!ctx ||
      EVP_DigestVerifyInit(ctx.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) != 1) {
    return OpensslError("RSA verification");
  }
  const int good = EVP_DigestVerify(ctx.get(), signature.data(), signature.size(), message.data(),
                                    message.size());
  ERR_clear_error();
  if (good != 1) return absl::UnauthenticatedError("the authority did not sign this");
  return absl::OkStatus();
}

absl::StatusOr<Bytes16> RsaKey::PairingKey() const {
  std::vector<uint8_t> all;
  for (const char* name :
       {OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1}) {
    auto part = BigParam(impl_->key.get(), name, 64);
    if (!part.ok()) return part.status();
    all.insert(all.end(), part->begin(), part->end());
  }
  const Bytes32 digest = Sha256(all);
  Bytes16 kh;
  std::copy(digest.begin() + 16, digest.end(), kh.begin());
  return kh;
}

absl::StatusOr<std::vector<uint8_t>> MakeCertificate(const Bytes5& id, const RsaKey& receiver,
                                                     const RsaKey& authority) {
  const auto modulus = receiver.Modulus();
  if (!modulus.ok()) return modulus.status();
  if (modulus->size() != kRxModulusBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a receiver's key has 1024 bits, not ", modulus->size() * 8));
  }
  std::vector<uint8_t> cert(id.begin(), id.end());
  cert.insert(cert.end(), modulus->begin(), modulus->end());
  for (uint8_t byte : {0, 0, 3, 0, 0}) cert.push_back(byte);  // exponent, reserved
  const auto signature = authority.Sign(cert);
  if (!signature.ok()) return signature.status();
  cert.insert(cert.end(), signature->begin(), signature->end());
  return cert;
}

absl::StatusOr<Certificate> CheckCertificate(absl::Span<const uint8_t> cert,
                                             const RsaKey& authority) {
  if (cert.size() != kCertBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a certificate has 522 bytes, not ", cert.size()));
  }
  if (absl::Status s =
          authority.Verify(cert.subspan(0, kCertSignedBytes), cert.subspan(kCertSignedBytes));
      !s.ok()) {
    return s;
  }
  Certificate out;
  std::copy_n(cert.begin(), 5, out.id.begin());
  out.modulus.assign(cert.begin() + 5, cert.begin() + 5 + kRxModulusBytes);
  out.exponent =
      static_cast<uint32_t>(cert[133]) << 16 | static_cast<uint32_t>(cert[134]) << 8 | cert[135];
  return out;
}

}  // namespace uwq::hdmi
