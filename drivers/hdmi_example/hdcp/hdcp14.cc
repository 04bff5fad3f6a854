// SPDX-License-Identifier: BSD-3-Clause
// hdcp14.cc: the arithmetic of an HDCP 1.4 transmitter.
// Invariant: a value from the bus is checked for length before it is read.
// Read on: hdcp14.h.
#include "drivers/hdmi_example/hdcp/hdcp14.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace uwq::hdmi {

std::string KsvToString(uint64_t ksv) { return absl::StrFormat("%010x", ksv); }

absl::StatusOr<uint64_t> KsvFromWire(absl::Span<const uint8_t> wire) {
  if (wire.size() != HDCP14_KSV_BYTES) {
    return absl::InvalidArgumentError(
        absl::StrCat("a KSV has 5 bytes on the DDC, not ", wire.size()));
  }
  const uint64_t ksv = hdcp14_get_le(wire.data(), HDCP14_KSV_BYTES);
  if (!hdcp14_ksv_valid(ksv)) {
    return absl::InvalidArgumentError(
        absl::StrCat("KSV ", KsvToString(ksv), " has ", std::popcount(ksv), " ones, a KSV has 20"));
  }
  return ksv;
}

std::vector<uint8_t> ToWire(uint64_t value, int nr_bytes) {
  std::vector<uint8_t> bytes(static_cast<size_t>(nr_bytes));
  for (int i = 0; i < nr_bytes; ++i) {
    bytes[static_cast<size_t>(i)] = i < 8 ? static_cast<uint8_t>(value >> (8 * i)) : 0;
  }
  return bytes;
}

Bcaps ParseBcaps(uint8_t byte) {
  Bcaps caps;
  caps.hdmi = byte & HDCP14_BCAPS_HDMI;
  caps.repeater = byte & HDCP14_BCAPS_REPEATER;
  caps.ready = byte & HDCP14_BCAPS_READY;
  caps.fast = byte & HDCP14_BCAPS_FAST;
  caps.features_1_1 = byte & HDCP14_BCAPS_1_1_FEATURES;
  caps.fast_reauth = byte & HDCP14_BCAPS_FAST_REAUTH;
  return caps;
}

Bstatus ParseBstatus(uint16_t word) {
  Bstatus status;
  status.device_count = word & HDCP14_BSTATUS_COUNT_MASK;
  status.depth = (word & HDCP14_BSTATUS_DEPTH_MASK) >> HDCP14_BSTATUS_DEPTH_SHIFT;
  status.max_devs_exceeded = word & HDCP14_BSTATUS_MAX_DEVS;
  status.max_cascade_exceeded = word & HDCP14_BSTATUS_MAX_CASCADE;
  status.hdmi_mode = word & HDCP14_BSTATUS_HDMI_MODE;
  return status;
}

absl::Status CheckTopology(uint16_t bstatus) {
  const Bstatus status = ParseBstatus(bstatus);
  if (status.max_devs_exceeded) {
    return absl::FailedPreconditionError(
        absl::StrFormat("Bstatus %04x: more than 127 devices downstream", bstatus));
  }
  if (status.max_cascade_exceeded) {
    return absl::FailedPreconditionError(
        absl::StrFormat("Bstatus %04x: more than 7 levels downstream", bstatus));
  }
  if (status.device_count == 0) {
    return absl::FailedPreconditionError(
        absl::StrFormat("Bstatus %04x: a repeater with no device downstream", bstatus));
  }
  return absl::OkStatus();
}

V14 ComputeV(absl::Span<const uint8_t> fifo, uint16_t bstatus, uint64_t m0) {
  std::vector<uint8_t> message(fifo.begin(), fifo.end());
  for (uint8_t byte : ToWire(bstatus, 2)) message.push_back(byte);
  for (uint8_t byte : ToWire(m0, 8)) message.push_back(byte);
  V14 v;
  SHA1(message.data(), message.size(), v.data());
  return v;
}

V14 SwapVWords(const V14& v) {
  V14 out = v;
  for (size_t word = 0; word < out.size(); word += 4) {
    std::reverse(out.begin() + word, out.begin() + word + 4);
  }
  return out;
}

absl::Status Hdcp14Session::Start(const hdcp14_device_keys& tx, uint64_t an, uint64_t bksv,
                                  bool repeater) {
  if (!hdcp14_ksv_valid(bksv)) {
    return absl::InvalidArgumentError(absl::StrCat("Bksv ", KsvToString(bksv), " has ",
                                                   std::popcount(bksv), " ones, a KSV has 20"));
  }
  if (bksv == tx.ksv) {
    return absl::InvalidArgumentError(absl::StrCat("Bksv ", KsvToString(bksv), " is our own Aksv"));
  }
  bksv_ = bksv;
  hdcp14_link_start(&link_, hdcp14_km(tx.keys, bksv), repeater, an);
  return absl::OkStatus();
}

uint16_t Hdcp14Session::RiAt(uint64_t frame) {
  hdcp14_link_advance(&link_, frame);
  return link_.ri;
}

absl::Status Hdcp14Session::CheckV(absl::Span<const uint8_t> fifo, uint16_t bstatus,
                                   absl::Span<const uint8_t> v_registers) const {
  const size_t expected =
      static_cast<size_t>(ParseBstatus(bstatus).device_count) * HDCP14_KSV_BYTES;
  if (fifo.size() != expected) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "KSV FIFO of %d bytes, Bstatus %04x announces %d", fifo.size(), bstatus, expected));
  }
  if (v_registers.size() != V14().size()) {
    return absl::InvalidArgumentError(absl::StrCat("V' has 20 bytes, not ", v_registers.size()));
  }
  const V14 v = SwapVWords(ComputeV(fifo, bstatus, link_.m0));
  if (CRYPTO_memcmp(v.data(), v_registers.data(), v.size()) != 0) {
    return absl::UnauthenticatedError(absl::StrFormat(
        "V' does not match V over %d KSVs and Bstatus %04x", fifo.size() / 5, bstatus));
  }
  return absl::OkStatus();
}

}  // namespace uwq::hdmi
