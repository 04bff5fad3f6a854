// SPDX-License-Identifier: BSD-3-Clause
// eddc.cc: see eddc.h.
// Invariant: bytes_ holds whole blocks only, and block_ * 128 is its size unless
// the reader has finished.
// Read on: edid.cc.
#include "drivers/hdmi_example/edid/eddc.h"

#include "absl/strings/str_cat.h"

namespace uwq::hdmi {
namespace {

constexpr uint8_t kSegmentAddress = 0x30;
constexpr uint8_t kEdidAddress = 0x50;
constexpr int kBlocksPerSegment = 2;

}  // namespace

std::vector<DdcMessage> EddcBlockTransfer(int block) {
  std::vector<DdcMessage> messages;
  const int segment = block / kBlocksPerSegment;
  if (segment != 0) {
    messages.push_back(DdcMessage::Write(kSegmentAddress, {static_cast<uint8_t>(segment)}));
  }
  const uint8_t offset = static_cast<uint8_t>((block % kBlocksPerSegment) * kEdidBlockBytes);
  for (DdcMessage& m : DdcReadRegister(kEdidAddress, offset, kEdidBlockBytes)) {
    messages.push_back(std::move(m));
  }
  return messages;
}

EdidReader::Step EdidReader::Next() const {
  Step step;
  step.block = block_;
  if (finished_) return step;
  step.action = tries_ == 0 ? Action::kTransfer : Action::kRetryLater;
  step.delay_ms = tries_ == 0 ? 0 : retry_ms_;
  step.messages = EddcBlockTransfer(block_);
  return step;
}

void EdidReader::Done(const absl::StatusOr<std::vector<uint8_t>>& bytes) {
  if (finished_) return;
  const absl::Status status = bytes.ok() ? CheckEdidBlock(block_, *bytes) : bytes.status();
  if (status.ok()) {
    bytes_.insert(bytes_.end(), bytes->begin(), bytes->end());
    Advance();
    return;
  }
  if (++tries_ < attempts_) {
    ++retries_;
    return;
  }
  if (block_ == 0) {
    failure_ = status;
  } else {
    // What is there is worth more than nothing: the parser reports the gap.
    warnings_.push_back(absl::StrCat("EDID block ", block_, " given up after ", attempts_,
                                     " attempts: ", status.message()));
  }
  finished_ = true;
}

void EdidReader::Advance() {
  ++block_;
  tries_ = 0;
  finished_ = block_ > EdidExtensionCount(bytes_) || block_ >= kEdidBlocksMax;
}

absl::StatusOr<std::vector<uint8_t>> EdidReader::result() const {
  if (!finished_) return absl::FailedPreconditionError("the EDID is still being read");
  if (!failure_.ok()) return failure_;
  return bytes_;
}

}  // namespace uwq::hdmi
