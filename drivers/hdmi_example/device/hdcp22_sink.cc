// SPDX-License-Identifier: BSD-3-Clause
// hdcp22_sink.cc: see hdcp22_sink.h.
// Invariant: no exception and no reference leaves through the C functions.
// Read on: hdmi_rx14.c (the mailbox).
#include "drivers/hdmi_example/device/hdcp22_sink.h"

#include <algorithm>

#include "drivers/hdmi_example/device/script.h"
#include "drivers/hdmi_example/device/sim_device.h"

namespace uwq::hdmi {
namespace {

std::vector<Bytes5> Downstream(int slot, int64_t count) {
  std::vector<Bytes5> ids;
  for (int i = 0; i < count; ++i) ids.push_back(Hdcp22Sinks::DownstreamId(slot, i));
  return ids;
}

}  // namespace

absl::StatusOr<RsaKey> Hdcp22Sinks::AuthorityKey(uint64_t seed) {
  return RsaKey::FromSeed(3072, seed);
}

absl::StatusOr<std::unique_ptr<Hdcp22Sinks>> Hdcp22Sinks::Create(uint64_t authority_seed) {
  auto key = AuthorityKey(authority_seed);
  if (!key.ok()) return key.status();
  return std::unique_ptr<Hdcp22Sinks>(new Hdcp22Sinks(*std::move(key)));
}

absl::StatusOr<std::unique_ptr<Hdcp22Sinks>> Hdcp22Sinks::Standard(uint64_t authority_seed) {
  auto sinks = Create(authority_seed);
  if (!sinks.ok()) return sinks;
  absl::Status s = (*sinks)->Add(kSlotTv, StandardId(kSlotTv), false, 0, 0);
  if (s.ok()) s = (*sinks)->Add(kSlotAvr, StandardId(kSlotAvr), true, 3, 2);
  if (!s.ok()) return s;
  return sinks;
}

Bytes5 Hdcp22Sinks::StandardId(int slot) {
  return {0x22, static_cast<uint8_t>(slot + 1), 0x5a, 0xa5, 0x36};
}

Bytes5 Hdcp22Sinks::DownstreamId(int slot, int n) {
  return {0xd0, static_cast<uint8_t>(slot), 0, static_cast<uint8_t>(n), 0x2d};
}

absl::Status Hdcp22Sinks::Add(int slot, const Bytes5& id, bool repeater, int downstream,
                              int depth) {
  auto receiver = Hdcp22Receiver::Create(authority_, id, static_cast<uint64_t>(slot) + 1, repeater,
                                         Downstream(slot, downstream), depth);
  if (!receiver.ok()) return receiver.status();
  receivers_.erase(slot);
  receivers_.emplace(slot, *std::move(receiver));
  return absl::OkStatus();
}

hdmi_device_ops Hdcp22Sinks::Ops() {
  hdmi_device_ops ops = DefaultDeviceOps();
  ops.hdcp22_handle = HandleThunk;
  ops.hdcp22_inject = InjectThunk;
  ops.hdcp22_ctx = this;
  return ops;
}

int Hdcp22Sinks::Write(const std::vector<Hdcp22Message>& messages, hdmi_hdcp22_out* out, int max) {
  int nr = 0;
  for (const Hdcp22Message& message : messages) {
    if (nr == max || message.size() > HDMI_DEV_HDCP22_MSG_MAX) break;
    out[nr].delay_ns = Hdcp22Receiver::DelayNs(message[0]);
    out[nr].len = static_cast<uint32_t>(message.size());
    std::copy(message.begin(), message.end(), out[nr].bytes);
    ++nr;
  }
  return nr;
}

int Hdcp22Sinks::HandleThunk(void* ctx, int slot, const uint8_t* msg, size_t len,
                             hdmi_hdcp22_out* out, int max) {
  auto* self = static_cast<Hdcp22Sinks*>(ctx);
  const auto found = self->receivers_.find(slot);
  if (found == self->receivers_.end()) return 0;
  if (len == 0) {
    found->second.Reset();
    return 0;
  }
  const auto replies = found->second.Handle(absl::MakeConstSpan(msg, len));
  return replies.ok() ? Write(*replies, out, max) : -1;
}

int Hdcp22Sinks::InjectThunk(void* ctx, int slot, uint32_t op, int64_t a, int64_t b,
                             hdmi_hdcp22_out* out, int max) {
  auto* self = static_cast<Hdcp22Sinks*>(ctx);
  const auto found = self->receivers_.find(slot);
  if (found == self->receivers_.end()) return 0;
  if (op == HDMI_OP_HDCP22_SEQ) {
    if (a != 0) found->second.RepeatSequence();
    return 0;
  }
  return Write(found->second.ChangeTopology(Downstream(slot, a), static_cast<int>(b)), out, max);
}

}  // namespace uwq::hdmi
