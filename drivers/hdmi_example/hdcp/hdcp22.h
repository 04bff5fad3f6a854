// SPDX-License-Identifier: BSD-3-Clause
// hdcp22.h: both ends of HDCP 2.2 authentication as message arithmetic, apart
// from any timing, bus or thread.
//
// Invariant: a message from the other end is checked for its id and its exact
// length before a byte of it is used, and in the order of the protocol: a message
// that comes too early is refused.  Deadlines are the driver's business; their
// values stand here.
//
// The transmitter, one step after the other (times run from the request):
//   Write(AkeInit())                      -> cert within kCertLimitMs
//   Write(OnCert(msg))                    -> H' within kHPrimeLimitMs or, when
//                                            paired(), kHPrimePairedLimitMs
//   OnHPrime(msg)                         -> unless paired(): pairing info within
//                                            kPairingLimitMs; OnPairingInfo(msg)
//   Write(LcInit())                       -> L' within kLPrimeLimitMs; OnLPrime;
//                                            up to some 10 rounds
//   Write(SkeSendEks())                   -> encrypt kEncryptAfterMs later
//   repeater(): list within kListLimitMs  -> Write(OnReceiverIdList(msg))
//   Write(StreamManage(type))             -> kStreamReadyLimitMs; OnStreamReady
//
// Threads: one at a time per object.  Blocks: never (RSA: up to a few ms).
// Read on: hdcp22_crypto.h, hdcp_regs.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP22_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP22_H_

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "drivers/hdmi_example/hdcp/hdcp22_crypto.h"

namespace uwq::hdmi {

enum Hdcp22Id : uint8_t {
  kAkeInit = 2,
  kAkeSendCert = 3,
  kAkeNoStoredKm = 4,
  kAkeStoredKm = 5,
  kAkeSendHPrime = 7,
  kAkeSendPairingInfo = 8,
  kLcInit = 9,
  kLcSendLPrime = 10,
  kSkeSendEks = 11,
  kReceiverIdList = 12,
  kReceiverIdAck = 15,
  kStreamManage = 16,
  kStreamReady = 17,
};

inline constexpr int kCertLimitMs = 100;
inline constexpr int kHPrimeLimitMs = 1000;
inline constexpr int kHPrimePairedLimitMs = 200;
inline constexpr int kPairingLimitMs = 200;
inline constexpr int kLPrimeLimitMs = 20;
inline constexpr int kEncryptAfterMs = 200;
inline constexpr int kListLimitMs = 3000;
inline constexpr int kStreamReadyLimitMs = 100;
inline constexpr int kReceiversMax22 = 31;
inline constexpr int kDepthMax22 = 4;

using Hdcp22Message = std::vector<uint8_t>;
using RandomSource = std::function<void(absl::Span<uint8_t>)>;

// What a transmitter remembers of a receiver that it has met.
struct Pairing {
  Bytes16 km, ekh, m;
};
using PairingTable = std::map<Bytes5, Pairing>;

class Hdcp22Transmitter {
 public:
  // `authority` is the key that certificates are checked with; `random` fills
  // rtx, km, rn, ks and riv; `pairings` (may be null) outlives this object.
  Hdcp22Transmitter(RsaKey authority, RandomSource random, PairingTable* pairings)
      : authority_(std::move(authority)), random_(std::move(random)), pairings_(pairings) {}

  Hdcp22Message AkeInit();
  // Errors of the On... functions: InvalidArgument (length, id),
  // FailedPrecondition (order), Unauthenticated (the value is wrong).
  absl::StatusOr<Hdcp22Message> OnCert(absl::Span<const uint8_t> message);
  absl::Status OnHPrime(absl::Span<const uint8_t> message);
  absl::Status OnPairingInfo(absl::Span<const uint8_t> message);
  absl::StatusOr<Hdcp22Message> LcInit();
  absl::Status OnLPrime(absl::Span<const uint8_t> message);
  absl::StatusOr<Hdcp22Message> SkeSendEks();
  // Returns the acknowledgement.  Also refuses MAX_DEVS/MAX_CASCADE_EXCEEDED,
  // more than 31 devices or 4 levels, a first seq_num_V other than 0, and one
  // that does not grow; ids() then holds the list, for the SRM.
  absl::StatusOr<Hdcp22Message> OnReceiverIdList(absl::Span<const uint8_t> message);
  absl::StatusOr<Hdcp22Message> StreamManage(uint8_t content_type);
  absl::Status OnStreamReady(absl::Span<const uint8_t> message);

  const Bytes5& receiver_id() const { return id_; }
  bool repeater() const { return repeater_; }
  bool paired() const { return paired_; }
  const std::vector<Bytes5>& ids() const { return ids_; }
  bool downstream_has_1x() const { return downstream_has_1x_; }

 private:
  enum class State { kIdle, kCert, kHPrime, kPairing, kLocality, kLPrime, kKeyExchange, kDone };
  absl::Status Expect(absl::Span<const uint8_t> message, Hdcp22Id id, size_t length,
                      State state) const;

  RsaKey authority_;
  RandomSource random_;
  PairingTable* pairings_;
  State state_ = State::kIdle;
  Bytes8 rtx_ = {}, rrx_ = {}, rn_ = {};
  Bytes3 rx_caps_ = {};
  Bytes5 id_ = {};
  Bytes16 km_ = {};
  Bytes32 kd_ = {};
  bool repeater_ = false, paired_ = false, downstream_has_1x_ = false;
  bool list_seen_ = false, stream_sent_ = false;
  uint32_t seq_num_v_ = 0, seq_num_m_ = 0;
  std::vector<uint8_t> stream_;
  std::vector<Bytes5> ids_;
};

class Hdcp22Receiver {
 public:
  // Makes a receiver (a repeater if `downstream` is not empty) with a
  // certificate of `authority`, keys from `seed`.
  static absl::StatusOr<Hdcp22Receiver> Create(const RsaKey& authority, const Bytes5& id,
                                               uint64_t seed, bool repeater,
                                               std::vector<Bytes5> downstream, int depth);

  // Takes a whole message; returns what is to be read, in order.
  // Errors: InvalidArgument, FailedPrecondition, Unauthenticated: the receiver
  // then asks for re-authentication.
  absl::StatusOr<std::vector<Hdcp22Message>> Handle(absl::Span<const uint8_t> message);

  // HPD was low: forgets the session, keeps what pairing needs.
  void Reset();

  // Downstream has changed.  Returns the new list, or nothing if no session runs
  // or this is no repeater.
  std::vector<Hdcp22Message> ChangeTopology(std::vector<Bytes5> downstream, int depth);
  // The next list repeats its number (F43).
  void RepeatSequence() { repeat_sequence_ = true; }

  // How long after the request a message of this id can be read, by default.
  static int64_t DelayNs(uint8_t id);

 private:
  Hdcp22Receiver(RsaKey key, Bytes16 kh) : key_(std::move(key)), kh_(kh) {}
  Hdcp22Message List();
  void NextRandom(absl::Span<uint8_t> out);

  RsaKey key_;
  Bytes16 kh_;
  std::vector<uint8_t> cert_;
  uint64_t random_ = 0;
  bool repeater_ = false, repeat_sequence_ = false;
  std::vector<Bytes5> downstream_;
  int depth_ = 0;
  bool started_ = false, keyed_ = false, authenticated_ = false;
  Bytes8 rtx_ = {}, rrx_ = {}, rn_ = {};
  Bytes3 rx_caps_ = {}, tx_caps_ = {};
  Bytes16 km_ = {};
  Bytes32 kd_ = {};
  Bytes32 v_ = {};
  uint32_t seq_num_v_ = 0;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP22_H_
