// SPDX-License-Identifier: BSD-3-Clause
//
// attachment.h -- a bridge's hold on its device, and kup.h's errors in C++ shape.
#ifndef UWQ_KUP_BRIDGE_ATTACHMENT_H_
#define UWQ_KUP_BRIDGE_ATTACHMENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kup_bridge/bridge.h"
#include "kup_bridge/channel.h"

namespace uwq::kup {

// One attachment to the device.  Whoever holds a message holds it, so that the
// memory stays until the last message is released.
struct Attachment {
  ~Attachment() {
    if (chan != nullptr) kup_detach(chan);
    if (dev != nullptr) kup_close(dev);
  }
  kup_dev* dev = nullptr;
  kup_chan* chan = nullptr;
};

absl::StatusOr<std::shared_ptr<Attachment>> Attach(const std::string& device, uint32_t channel,
                                                   absl::Duration timeout);

// How the device ended, though nobody reads from it: 0 (it did not) or kup.h's error.
// Takes the signal off the descriptor, so that it can be watched for the end alone.
int EndOf(const Attachment& at);
// The position in the ring up to which the device has sent.
uint64_t SentUpTo(const Attachment& at);
// Whether all before `head` was handed out; what a kup_call of another thread set aside
// was not.  `looked`: a look since SentUpTo() found nothing, so that a head beyond what
// that look saw was none.
bool TakenUpTo(const Attachment& at, uint64_t head, bool looked);
// Gives `fresh` what the device of `old` did not acknowledge.
Resent Resend(const Attachment& old, const Attachment& fresh, absl::Duration timeout);

// For a negative result of kup.h's calls, with its text.
absl::Status FromErrno(int error, absl::string_view what);
DeviceState StateOf(int error);
// As kup.h wants it: rounded up, -1 for ever.
int Milliseconds(absl::Duration d);

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_ATTACHMENT_H_
