// SPDX-License-Identifier: BSD-3-Clause
//
// kernproxy.cc -- KUP's own user calls, in turns, over kup.h.
//
// Invariant: a handle is a kup_dev, a channel is a kup_chan; the turn starts with
// the device and passes with each message, as in KUP.
#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "kup_bridge/channel.h"
#include "kup_bridge/kup.h"

namespace {

thread_local int last_error = EKU_NONE;

int CodeOf(int rc) {
  switch (rc) {
    case -ESHUTDOWN:
      return EKU_SHUTDOWN;
    case -EAGAIN:
    case -EBUSY:
    case -ETIMEDOUT:
    case -ENOMSG:
      return EKU_NOTREADY;
    case -ENOENT:
    case -ENXIO:
    case -EINVAL:
      return EKU_NAME;
    case -EACCES:
    case -EPERM:
      return EKU_ACCESS;
    case -EPROTO:
      return EKU_VERSION;
    case -ECHRNG:
      return EKU_CHANNEL;
    case -EMSGSIZE:
      return EKU_SIZE;
    case -ENOBUFS:
      return EKU_FULL;
    case -EPIPE:
      return EKU_CLOSED;
    case -ENODEV:
      return EKU_REVOKED;
    case -EBADMSG:
      return EKU_POISONED;
    default:
      return EKU_SYSTEM;
  }
}

void SetError(kup_dev* dev, int code) {
  last_error = code;
  if (dev != nullptr) dev->kup_error.store(code, std::memory_order_relaxed);
}

bool HoldsChannel(kup_dev* dev, uint32_t channel) {
  uwq::base::MutexLock lock(&dev->mu);
  return std::any_of(dev->channels.begin(), dev->channels.end(),
                     [channel](const kup_chan* ch) { return ch->geometry.channel == channel; });
}

int64_t DeadlineOf(int flags) { return (flags & KP_NB) != 0 ? 0 : KUP_FOREVER; }

}  // namespace

extern "C" {

int* kernproxy_errno_location(void) { return &last_error; }

void* kernproxy_open(char const* name) {
  kup_dev* dev;
  if (const int rc = kup_open(name, &dev); rc != 0) {
    SetError(nullptr, CodeOf(rc));
    return nullptr;
  }
  return dev;
}

void* kernproxy_channel(void* handle, size_t chan_id, size_t size) {
  auto* dev = static_cast<kup_dev*>(handle);
  if (dev == nullptr) return nullptr;
  uint32_t channel = static_cast<uint32_t>(chan_id);
  if (chan_id >= static_cast<size_t>(kup_channels(dev))) {
    SetError(dev, EKU_CHANNEL);
    uwq::kup::Fail(-ECHRNG, absl::StrCat("kup: no channel ", chan_id, " in ", dev->name));
    return nullptr;
  }
  // Waiting for a channel that we hold would be waiting for ourselves.
  if (HoldsChannel(dev, channel)) channel = KUP_CHAN_ANY;
  kup_chan* ch;
  if (const int rc = kup_attach(dev, channel, -1, &ch); rc != 0) {
    // A device that went away while we asked looks like a hang-up or like nobody.
    SetError(dev, rc == -EPIPE || rc == -ENOENT ? EKU_SHUTDOWN : CodeOf(rc));
    return nullptr;
  }
  if (size != 0 && size * KUP_PAGE_SIZE != ch->geometry.max_record) {
    SetError(dev, EKU_SIZE);
    uwq::kup::Fail(-EINVAL, absl::StrCat("kup: messages of ", dev->name, " have at most ",
                                         ch->geometry.max_record, " bytes, not ", size, " pages"));
    kup_detach(ch);
    return nullptr;
  }
  return ch;
}

void* kernproxy_receive(void* channel, int flags) {
  auto* ch = static_cast<kup_chan*>(channel);
  if (ch == nullptr) return nullptr;
  kup_msg msg;
  if (const int rc = kup_end_turn_receive(&ch->end, &msg, DeadlineOf(flags)); rc != 0) {
    SetError(ch->dev, CodeOf(rc));
    return nullptr;
  }
  return const_cast<void*>(msg.data);
}

size_t kernproxy_receive_len(void* channel) {
  auto* ch = static_cast<kup_chan*>(channel);
  const unsigned long flags = kup_lock_take(&ch->end.rx_lock);
  const size_t len = ch->end.turn_held ? ch->end.turn_msg.len : 0;
  kup_lock_drop(&ch->end.rx_lock, flags);
  return len;
}

int kernproxy_send(void* channel, void* data, size_t len, int flags) {
  auto* ch = static_cast<kup_chan*>(channel);
  if (ch == nullptr) return -1;
  int rc = -EMSGSIZE;
  if (len <= ch->geometry.max_record) {
    rc = kup_end_turn_send(&ch->end, data, static_cast<uint32_t>(len), DeadlineOf(flags));
  }
  if (rc == 0) return 0;
  SetError(ch->dev, CodeOf(rc));
  return -1;
}

int kernproxy_fd(void* channel) { return kup_fd(static_cast<kup_chan*>(channel)); }

void kernproxy_close(void* handle) { kup_close(static_cast<kup_dev*>(handle)); }

int kernproxy_error(void* handle) {
  return handle != nullptr
             ? static_cast<kup_dev*>(handle)->kup_error.load(std::memory_order_relaxed)
             : last_error;
}

}  // extern "C"
