// SPDX-License-Identifier: BSD-3-Clause
#include "kup_bridge/channel.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kup_bridge/eventfd.h"

namespace uwq::kup {

namespace {

thread_local std::string error_text;

kup_chan* ChanOf(kup_end* end) { return reinterpret_cast<kup_chan*>(end); }

// How stale the knowledge that the device lives may be while nobody sleeps.
constexpr base::Nanos kHangupCheck = base::kMillisecond;

void SetErrors(kup_end* end, int error, bool fatal) {
  if (fatal) kup_store(&end->fatal, 1);
  kup_store(&end->rx_error, error);
  kup_store(&end->tx_error, error);
}

void Probe(kup_end* end) {
  kup_chan* ch = ChanOf(end);
  if (kup_load(&end->rx_error) != 0) return;
  const uint32_t state = kup_load_acquire(&ch->dev_page->state, KUP_SITE_STATE);
  switch (state) {
    case KUP_STATE_READY:
      break;
    case KUP_STATE_SHUTDOWN:
      SetErrors(end, -ESHUTDOWN, false);
      return;
    case KUP_STATE_REVOKED:
      SetErrors(end, -ENODEV, true);
      return;
    default:  // POISONED: the device found that we broke a rule; or nonsense
      kup_end_poison(end, KUP_BAD_STATE, state);
      return;
  }
  if (kup_load(&ch->dev_page->generation) != end->generation) {
    kup_end_poison(end, KUP_BAD_GENERATION, 0);
    return;
  }
  const base::Nanos now = base::Now();
  if (now - ch->hangup_checked_ns.load(std::memory_order_relaxed) > kHangupCheck) {
    ch->hangup_checked_ns.store(now, std::memory_order_relaxed);
    ch->sleeper.CheckHangup();
  }
  if (ch->sleeper.HungUp()) {
    // An orderly end and a hang-up come together: the state tells which it was.
    const uint32_t last = kup_load_acquire(&ch->dev_page->state, KUP_SITE_STATE);
    SetErrors(end, last == KUP_STATE_SHUTDOWN ? -ESHUTDOWN : -EPIPE, false);
  }
}

void Signal(kup_end* end) {
  const Link& link = *ChanOf(end)->link;
  if (link.signal_fd >= 0) {
    SignalShared(link.signal_fd);
  } else if (link.doorbell_fd >= 0) {
    (void)ioctl(link.doorbell_fd, KUP_IOC_DOORBELL);  // fails only when the device is gone
  }
}

void Poisoned(kup_end* end, uint32_t bad, uint64_t pos) {
  kup_user_page* page = ChanOf(end)->user_page;
  kup_store(&page->error, bad);
  kup_store(&page->error_pos, pos);
  kup_store_release(&page->state, static_cast<uint32_t>(KUP_STATE_POISONED), KUP_SITE_STATE);
}

int Pull(kup_end* end) { return ChanOf(end)->link->pull(); }

constexpr kup_end_ops kUserOps = {Probe, Signal, Poisoned, nullptr, nullptr, nullptr};
constexpr kup_end_ops kPullOps = {Probe, Signal, Poisoned, nullptr, nullptr, Pull};

absl::Status MapInto(const Link::Region& region, uint64_t offset, size_t len, bool writable,
                     bool twice, Mapping* mapping) {
  absl::StatusOr<Mapping> made =
      twice ? Mapping::Twice(region.fd, region.offset + offset, len, writable)
            : Mapping::Once(region.fd, region.offset + offset, len, writable);
  if (!made.ok()) return made.status();
  *mapping = *std::move(made);
  return absl::OkStatus();
}

absl::Status MapChannel(kup_chan* ch) {
  const Link& link = *ch->link;
  const kup_geometry& g = ch->geometry;
  uint32_t d2u_off, u2d_off;
  // The first page tells the geometry, the rest is mapped by it.
  Mapping first;
  if (absl::Status s = MapInto(link.dev, 0, KUP_PAGE_SIZE, false, false, &first); !s.ok()) return s;
  if (absl::Status s = ReadGeometry(reinterpret_cast<kup_dev_page*>(first.data()), link,
                                    &ch->geometry, &d2u_off, &u2d_off);
      !s.ok()) {
    return s;
  }
  const uint64_t frames_d2u = uint64_t{g.n_frames_d2u} * g.frame_size;
  const uint64_t frames_u2d = uint64_t{g.n_frames_u2d} * g.frame_size;
  absl::Status s = MapInto(link.dev, 0, d2u_off, false, false, &ch->map_dev);
  s.Update(MapInto(link.dev, d2u_off, g.d2u_size, false, true, &ch->map_d2u));
  s.Update(MapInto(link.user, 0, u2d_off, true, false, &ch->map_user));
  s.Update(MapInto(link.user, u2d_off, g.u2d_size, true, true, &ch->map_u2d));
  if (frames_d2u != 0) {
    s.Update(MapInto(link.frames_d2u, 0, frames_d2u, false, false, &ch->map_frames_d2u));
  }
  if (frames_u2d != 0) {
    s.Update(MapInto(link.frames_u2d, 0, frames_u2d, true, false, &ch->map_frames_u2d));
  }
  return s;
}

void WireEnd(kup_chan* ch) {
  const kup_geometry& g = ch->geometry;
  kup_end* end = &ch->end;
  kup_dev_page* dev = reinterpret_cast<kup_dev_page*>(ch->map_dev.data());
  kup_user_page* user = reinterpret_cast<kup_user_page*>(ch->map_user.data());
  ch->dev_page = dev;
  ch->user_page = user;
  ch->groups = reinterpret_cast<const kup_counters*>(ch->map_dev.data() + KUP_PAGE_SIZE);
  ch->params = reinterpret_cast<uint64_t*>(ch->map_user.data() + KUP_PAGE_SIZE);
  end->generation = g.generation;
  end->peer_state = &dev->state;

  const uint64_t u2d_start = kup_load(&dev->u2d_start);
  const uint64_t u2d_tail = kup_load(&dev->u2d_tail);
  const uint64_t d2u_start = kup_load(&dev->d2u_start);
  end->tx.head = &user->u2d_head;
  end->tx.tail = &dev->u2d_tail;
  end->tx.wake_at = &dev->u2d_wake_at;
  end->tx.space_at = &user->u2d_space_at;
  end->tx.floor = nullptr;
  kup_tx_init(&end->tx, ch->map_u2d.data(), g.u2d_size, g.max_record, u2d_start, u2d_tail,
              kup_load(&dev->u2d_seq));
  end->records = &user->u2d_records;
  end->rx.head = &dev->d2u_head;
  end->rx.tail = &user->d2u_tail;
  end->rx.wake_at = &user->d2u_wake_at;
  end->rx.space_at = &dev->d2u_space_at;
  // The first record tells where the sequence stands; nothing is lost before it.
  kup_rx_init(&end->rx, ch->map_d2u.data(), g.d2u_size, g.max_record, d2u_start, 0);
  end->rx.seq_known = 0;

  end->frames_in = {ch->map_frames_d2u.data(), user->frame_done, &dev->frame_wait, g.n_frames_d2u,
                    g.frame_size};
  end->frames_out.base = ch->map_frames_u2d.data();
  end->frames_out.done = dev->frame_done;
  end->frames_out.wait_word = &user->frame_wait;
  end->frames_out.count = g.n_frames_u2d;
  end->frames_out.size = g.frame_size;
  if (ch->link->receive_only) end->tx_error = -EOPNOTSUPP;
  // Positions that do not fit each other poison at once.
  if (((u2d_start | u2d_tail | d2u_start) % KUP_ALIGN) != 0 || u2d_start - u2d_tail > g.u2d_size) {
    kup_end_poison(end, KUP_BAD_GEOMETRY, u2d_start);
  }
}

absl::Status MakePollFd(kup_chan* ch) {
  ch->poll_fd = ch->sleeper.PollFd();
  if (ch->poll_fd == -EPERM) {
    return ErrnoStatus(EPROTO, "kup: the device sent a descriptor that cannot be polled");
  }
  return ch->poll_fd >= 0 ? absl::OkStatus() : absl::ErrnoToStatus(-ch->poll_fd, "kup: epoll");
}

}  // namespace

int Fail(const absl::Status& status) {
  error_text = std::string(status.message());
  return ErrnoOf(status);
}

int Fail(int error, absl::string_view text) {
  error_text = std::string(text);
  return error;
}

int ReadCounters(const kup_counters* group, uint64_t* values, uint32_t n) {
  // A device that writes without a pause, or holds the sequence odd, is not
  // waited for: the caller decides whether to try again.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const uint32_t before = kup_load_acquire(&group->seq, KUP_SITE_COUNTERS);
    if ((before & 1) == 0) {
      for (uint32_t i = 0; i < n; ++i) values[i] = kup_load(&group->value[i]);
      kup_read_fence();
      if (kup_load(&group->seq) == before) return 0;
    }
    base::CpuRelax();
  }
  return -EAGAIN;
}

}  // namespace uwq::kup

using uwq::kup::ErrnoOf;
using uwq::kup::Fail;

extern "C" {

const char* kup_error_text(void) { return uwq::kup::error_text.c_str(); }

int kup_attach(struct kup_dev* dev, uint32_t channel, int timeout_ms, struct kup_chan** out) {
  *out = nullptr;
  auto ch = std::make_unique<kup_chan>();
  absl::StatusOr<std::unique_ptr<uwq::kup::Link>> link =
      dev->transport->Attach(channel, timeout_ms == 0 ? 0 : kup_deadline(timeout_ms));
  if (!link.ok()) return Fail(link.status());
  ch->dev = dev;
  ch->link = *std::move(link);
  if (absl::Status s = uwq::kup::MapChannel(ch.get()); !s.ok()) return Fail(s);
  ch->sleeper.SetFds(ch->link->wake_fd, ch->link->hangup_fd);
  if (ch->link->bell_fd >= 0) ch->sleeper.SetBell(ch->link->bell_fd, ch->link->drain_bell);
  if (absl::Status s = uwq::kup::MakePollFd(ch.get()); !s.ok()) return Fail(s);
  ch->end.wait.impl = &ch->sleeper;
  const kup_end_ops* ops = ch->link->pull ? &uwq::kup::kPullOps : &uwq::kup::kUserOps;
  if (kup_end_init(&ch->end, ops) != 0) return Fail(-ENOMEM, "kup: no memory");
  uwq::kup::WireEnd(ch.get());
  {
    uwq::base::MutexLock lock(&dev->mu);
    dev->channels.push_back(ch.get());
  }
  *out = ch.release();
  return 0;
}

void kup_detach(struct kup_chan* ch) {
  if (ch == nullptr) return;
  {
    uwq::base::MutexLock lock(&ch->dev->mu);
    auto& all = ch->dev->channels;
    all.erase(std::find(all.begin(), all.end(), ch));
  }
  kup_end_fini(&ch->end);
  delete ch;
}

}  // extern "C"
