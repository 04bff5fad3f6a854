// SPDX-License-Identifier: BSD-3-Clause
// srm.cc: parsing and building system renewability messages.
// Invariant: every offset is compared with the length before it is used.
// Read on: srm.h.
#include "drivers/hdmi_example/hdcp/srm.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "drivers/hdmi_example/hdcp/hdcp14_cipher.h"

namespace uwq::hdmi {
namespace {

constexpr size_t kHeaderBytes = 5;  // before the 24-bit length
constexpr size_t kListStart = 8;
constexpr size_t kTail1 = 40;
constexpr size_t kTail2 = 384;
constexpr uint8_t kFormat1 = 0x80;
constexpr uint8_t kFormat2 = 0x91;
constexpr char kSimMark[] = "SIM SRM, NOT SIGNED";  // 20 bytes with its end
static_assert(sizeof(kSimMark) + SHA_DIGEST_LENGTH == kTail1);

uint32_t Be24(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) << 16 | static_cast<uint32_t>(p[1]) << 8 | p[2];
}

void AppendIds(std::vector<uint8_t>& out, absl::Span<const SrmId> ids) {
  for (const SrmId& id : ids) out.insert(out.end(), id.begin(), id.end());
}

void PutHeader(std::vector<uint8_t>& blob, uint8_t format, uint16_t version, size_t length) {
  blob[0] = format;
  blob[1] = 0;
  blob[2] = static_cast<uint8_t>(version >> 8);
  blob[3] = static_cast<uint8_t>(version);
  blob[4] = 1;
  blob[5] = static_cast<uint8_t>(length >> 16);
  blob[6] = static_cast<uint8_t>(length >> 8);
  blob[7] = static_cast<uint8_t>(length);
}

std::array<uint8_t, kTail1> SimTail(absl::Span<const uint8_t> body) {
  std::array<uint8_t, kTail1> tail;
  memcpy(tail.data(), kSimMark, sizeof(kSimMark));
  SHA1(body.data(), body.size(), tail.data() + sizeof(kSimMark));
  return tail;
}

}  // namespace

absl::StatusOr<Srm> Srm::Parse(absl::Span<const uint8_t> blob, const SrmVerifier& verifier) {
  if (blob.size() < kListStart) {
    return absl::InvalidArgumentError(
        absl::StrCat("SRM of ", blob.size(), " bytes is shorter than its 8 byte header"));
  }
  if (blob[0] != kFormat1 && blob[0] != kFormat2) {
    return absl::InvalidArgumentError(
        absl::StrFormat("SRM byte 0 is 0x%02x, should be 0x80 (1.x) or 0x91 (2.x)", blob[0]));
  }
  if (blob[1] != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("SRM byte 1 is 0x%02x, should be 0", blob[1]));
  }
  Srm srm;
  srm.hdcp_version_ = blob[0] == kFormat1 ? 1 : 2;
  srm.version_ = static_cast<uint16_t>(blob[2] << 8 | blob[3]);
  srm.generation_ = blob[4];
  const size_t tail_bytes = srm.hdcp_version_ == 1 ? kTail1 : kTail2;
  // The length counts itself, the lists and the tail.
  const size_t total = kHeaderBytes + Be24(&blob[5]);
  if (total != blob.size()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "SRM bytes 5..7 announce %d bytes in all, the message has %d", total, blob.size()));
  }
  if (total < kListStart + tail_bytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "SRM of %d bytes has no room for its %d byte signature", total, tail_bytes));
  }
  const size_t lists_end = total - tail_bytes;
  size_t at = kListStart;
  while (at < lists_end) {
    size_t count;
    size_t list = at;
    if (srm.hdcp_version_ == 1) {
      count = blob[at] & 0x7f;
      list += 1;
    } else {
      if (lists_end - at < 4) {
        return absl::InvalidArgumentError(
            absl::StrCat("SRM byte ", at, ": a 2.x list header of 4 bytes does not fit"));
      }
      count = static_cast<size_t>(blob[at]) << 2 | blob[at + 1] >> 6;
      list += 4;
    }
    if (count * 5 > lists_end - list) {
      return absl::InvalidArgumentError(
          absl::StrFormat("SRM byte %d: a list of %d IDs runs into the signature at byte %d", at,
                          count, lists_end));
    }
    for (size_t i = 0; i < count; ++i, list += 5) {
      SrmId id;
      std::copy_n(blob.begin() + static_cast<ptrdiff_t>(list), 5, id.begin());
      srm.ids_.push_back(id);
    }
    at = list;
  }
  if (!verifier) return absl::UnauthenticatedError("SRM: nobody to check its signature");
  if (absl::Status s = verifier(blob.subspan(0, lists_end), blob.subspan(lists_end)); !s.ok()) {
    return s;
  }
  return srm;
}

bool Srm::Revoked(const SrmId& id, SrmIdOrder order) const {
  SrmId wanted = id;
  if (order == SrmIdOrder::kReversed) std::reverse(wanted.begin(), wanted.end());
  return std::find(ids_.begin(), ids_.end(), wanted) != ids_.end();
}

bool Srm::RevokedKsv(uint64_t ksv, SrmIdOrder order) const {
  return Revoked(SrmIdOfKsv(ksv), order);
}

SrmId SrmIdOfKsv(uint64_t ksv) {
  SrmId id;
  hdcp14_put_le(ksv, id.data(), HDCP14_KSV_BYTES);
  return id;
}

SrmVerifier SimSrmVerifier() {
  return [](absl::Span<const uint8_t> body, absl::Span<const uint8_t> tail) -> absl::Status {
    const auto expected = SimTail(body);
    if (tail.size() != expected.size() || memcmp(tail.data(), kSimMark, sizeof(kSimMark)) != 0) {
      return absl::UnauthenticatedError(
          "SRM: not a message of the simulation authority (mark \"SIM\" missing)");
    }
    if (memcmp(tail.data(), expected.data(), expected.size()) != 0) {
      return absl::UnauthenticatedError("SRM: its digest does not match its lists");
    }
    return absl::OkStatus();
  };
}

std::vector<uint8_t> BuildSimSrm(uint16_t version, absl::Span<const SrmId> ids) {
  std::vector<uint8_t> blob(kListStart);
  // A list holds at most 127 IDs; further ones go into further lists.
  for (size_t done = 0; done < ids.size();) {
    const size_t count = std::min<size_t>(ids.size() - done, 127);
    blob.push_back(static_cast<uint8_t>(count));
    AppendIds(blob, ids.subspan(done, count));
    done += count;
  }
  PutHeader(blob, kFormat1, version, blob.size() + kTail1 - kHeaderBytes);
  const auto tail = SimTail(blob);
  blob.insert(blob.end(), tail.begin(), tail.end());
  return blob;
}

std::vector<uint8_t> BuildSrm2Body(uint16_t version, absl::Span<const SrmId> ids) {
  std::vector<uint8_t> blob(kListStart);
  for (size_t done = 0; done < ids.size();) {
    const size_t count = std::min<size_t>(ids.size() - done, 1023);
    blob.push_back(static_cast<uint8_t>(count >> 2));
    blob.push_back(static_cast<uint8_t>(count << 6));
    blob.push_back(0);
    blob.push_back(0);
    AppendIds(blob, ids.subspan(done, count));
    done += count;
  }
  PutHeader(blob, kFormat2, version, blob.size() + kTail2 - kHeaderBytes);
  return blob;
}

}  // namespace uwq::hdmi
