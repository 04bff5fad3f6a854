// SPDX-License-Identifier: BSD-3-Clause
// srm.h: system renewability messages, the lists of revoked receivers, in the
// 1.x and the 2.x format.
//
// Invariant: a message is accepted only if its lists exactly fill the length
// that it states and its last part checks out.  A bad SRM is ignored by a
// driver, never fatal: keep the one you have.
//
// Byte order: an ID in the list stands in the very order in which the receiver
// shows it on the DDC (Bksv least significant byte first; a 2.x receiver ID in
// certificate order).  Published blobs are known in both orders, therefore
// Revoked() takes the order as an argument.
//
// The end of our own 1.x blobs is a mark and a digest, not a signature: the
// simulation authority signs nothing with DSA.  Our 2.x blobs are signed with
// the simulation's own RSA key (hdcp22_crypto.h).
//
// Threads: a parsed Srm is immutable; any thread.  Blocks: never.
// Read on: hdcp14.h, hdcp22_crypto.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_SRM_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_SRM_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace uwq::hdmi {

using SrmId = std::array<uint8_t, 5>;

enum class SrmIdOrder { kAsOnDdc, kReversed };

// Decides whether the last part of the blob vouches for the part before it.
using SrmVerifier =
    std::function<absl::Status(absl::Span<const uint8_t> body, absl::Span<const uint8_t> tail)>;

class Srm {
 public:
  // Parses either format, told apart by the first byte.  Errors:
  // InvalidArgument naming the byte offset of what is wrong; Unauthenticated
  // when `verifier` refuses.  An empty verifier refuses everything.
  static absl::StatusOr<Srm> Parse(absl::Span<const uint8_t> blob, const SrmVerifier& verifier);

  int hdcp_version() const { return hdcp_version_; }  // 1 or 2
  uint16_t version() const { return version_; }
  int generation() const { return generation_; }
  const std::vector<SrmId>& ids() const { return ids_; }

  // Whether this ID, five bytes in DDC order, is on a list.
  bool Revoked(const SrmId& id, SrmIdOrder order = SrmIdOrder::kAsOnDdc) const;
  bool RevokedKsv(uint64_t ksv, SrmIdOrder order = SrmIdOrder::kAsOnDdc) const;

 private:
  int hdcp_version_ = 0;
  uint16_t version_ = 0;
  int generation_ = 0;
  std::vector<SrmId> ids_;
};

// The five bytes of a KSV in DDC order.
SrmId SrmIdOfKsv(uint64_t ksv);

// Accepts the mark and digest of BuildSimSrm().  Refuses anything else, real
// messages included: this project holds no key of a real authority.
SrmVerifier SimSrmVerifier();

// A 1.x message of the simulation authority that revokes `ids`.
std::vector<uint8_t> BuildSimSrm(uint16_t version, absl::Span<const SrmId> ids);

// The part of a 2.x message before its signature.
std::vector<uint8_t> BuildSrm2Body(uint16_t version, absl::Span<const SrmId> ids);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_SRM_H_
