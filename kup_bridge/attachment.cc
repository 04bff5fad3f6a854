// SPDX-License-Identifier: BSD-3-Clause
#include "kup_bridge/attachment.h"

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace uwq::kup {

absl::Status FromErrno(int error, absl::string_view what) {
  const std::string text = absl::StrCat(what, ": ", kup_error_text());
  switch (-error) {
    case EINVAL:
    case EMSGSIZE:
      return absl::InvalidArgumentError(text);
    case ENOENT:
    case ECHRNG:
      return absl::NotFoundError(text);
    case EACCES:
      return absl::PermissionDeniedError(text);
    case EPROTO:
      return absl::FailedPreconditionError(text);
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
      return absl::ResourceExhaustedError(text);
    case ETIMEDOUT:
      return absl::DeadlineExceededError(text);
    case EREMOTEIO:
      return absl::AbortedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

DeviceState StateOf(int error) {
  switch (-error) {
    case ESHUTDOWN:
      return DeviceState::kShutdown;
    case ENODEV:
      return DeviceState::kRevoked;
    case EBADMSG:
      return DeviceState::kPoisoned;
    default:
      return DeviceState::kDied;
  }
}

const char* DeviceStateName(DeviceState state) {
  static const char* const kNames[] = {"ready", "shut down", "died", "revoked", "poisoned"};
  return kNames[static_cast<int>(state)];
}

bool Message::is_request() const { return (msg_.flags & KUP_REC_REQUEST) != 0; }

absl::Status Message::Reply(absl::Span<const uint8_t> data, int error) {
  if (!is_request()) {
    return absl::FailedPreconditionError(
        absl::StrCat("message of type ", type(), " is no request"));
  }
  const int result =
      kup_reply(chan_, &msg_, error, data.data(), static_cast<uint32_t>(data.size()));
  return result < 0 ? FromErrno(result, "reply") : absl::OkStatus();
}

int EndOf(const Attachment& at) {
  kup_wait_drain(&at.chan->end.wait);  // before the look: what comes later signals again
  int alive = 1;
  switch (kup_state(at.chan, &alive)) {
    case KUP_STATE_READY:
      return alive != 0 ? 0 : -EPIPE;
    case KUP_STATE_SHUTDOWN:
      return -ESHUTDOWN;
    case KUP_STATE_REVOKED:
      return -ENODEV;
    default:
      return -EBADMSG;
  }
}

uint64_t SentUpTo(const Attachment& at) {
  kup_end* const end = &at.chan->end;
  const unsigned long flags = kup_lock_take(&end->rx_lock);
  const uint64_t head = kup_load_acquire(end->rx.head, KUP_SITE_READ_HEAD);
  const uint64_t tail = end->rx.tail_pub, size = end->rx.size;
  kup_lock_drop(&end->rx_lock, flags);
  // What is brought into the ring from elsewhere has no position yet: a look that finds
  // nothing comes after it.
  if (end->ops->pull != nullptr) return tail + (uint64_t{1} << 62);
  return head - tail <= size ? head : tail + size;  // that one poisons at the next look
}

bool TakenUpTo(const Attachment& at, uint64_t head, bool looked) {
  kup_end* const end = &at.chan->end;
  const kup_rx& rx = end->rx;
  const unsigned long flags = kup_lock_take(&end->rx_lock);
  uint64_t next = rx.next;
  if (looked && static_cast<int64_t>(head - rx.head_seen) > 0) head = rx.head_seen;
  // The oldest message that was set aside, and where its record begins.
  for (uint32_t i = end->stash_first; i != end->stash_last; ++i) {
    const kup_msg& msg = end->stash[i & (KUP_WINDOW - 1)];
    if (msg.type == KUP_TYPE_TURN) continue;  // not ours
    const uint32_t token = static_cast<uint32_t>(msg.token);
    next = token == rx.first ? rx.tail_now : rx.held[(token - 1) & (KUP_WINDOW - 1)].end;
    break;
  }
  kup_lock_drop(&end->rx_lock, flags);
  return static_cast<int64_t>(next - head) >= 0;
}

Resent Resend(const Attachment& old, const Attachment& fresh, absl::Duration timeout) {
  return Resend(old.chan, fresh.chan, Milliseconds(timeout));
}

int Milliseconds(absl::Duration d) {
  if (d == absl::InfiniteDuration()) return -1;
  return static_cast<int>(
      std::clamp<int64_t>(absl::ToInt64Milliseconds(d + absl::Microseconds(999)), 0, 1 << 30));
}

absl::StatusOr<std::shared_ptr<Attachment>> Attach(const std::string& device, uint32_t channel,
                                                   absl::Duration timeout) {
  auto at = std::make_shared<Attachment>();
  int error = kup_open(device.c_str(), &at->dev);
  if (error < 0) return FromErrno(error, device);
  error = kup_attach(at->dev, channel, Milliseconds(timeout), &at->chan);
  if (error < 0) return FromErrno(error, absl::StrCat(device, " channel ", channel));
  return at;
}

}  // namespace uwq::kup
