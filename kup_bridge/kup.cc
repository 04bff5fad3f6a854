// SPDX-License-Identifier: BSD-3-Clause
//
// kup.cc -- the calls of kup.h on an attached channel, and KUP's own calls.
#include "kup_bridge/kup.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "kup_bridge/channel.h"

using uwq::kup::Fail;

namespace {

int64_t DeadlineOf(int timeout_ms) { return timeout_ms == 0 ? 0 : kup_deadline(timeout_ms); }

// Words for what the endpoint reports as a number.
int Explain(const kup_chan* ch, int rc) {
  switch (rc) {
    case -EBADMSG:
      return Fail(rc, absl::StrCat("kup: channel ", ch->geometry.channel,
                                   " is poisoned: ", kup_bad_name(kup_load(&ch->end.bad)), " at ",
                                   kup_load(&ch->end.bad_pos)));
    case -EMSGSIZE:
      return Fail(rc, absl::StrCat("kup: message longer than ", ch->geometry.max_record));
    case -EPIPE:
      return Fail(rc, absl::StrCat("kup: the device ", ch->dev->name, " died"));
    case -ESHUTDOWN:
      return Fail(rc, absl::StrCat("kup: the device ", ch->dev->name, " was unloaded"));
    case -EOPNOTSUPP:
      return Fail(rc, absl::StrCat("kup: ", ch->dev->name, " takes no messages"));
    case -ENODEV:
      return Fail(rc, absl::StrCat("kup: channel ", ch->geometry.channel, " was revoked"));
    default:
      return rc;
  }
}

}  // namespace

uwq::kup::Resent uwq::kup::Resend(kup_chan* old, kup_chan* fresh, int timeout_ms) {
  Resent result;
  kup_tx* tx = &old->end.tx;
  // Who still sends on `old` comes before this or is refused; then its ring stands still.
  const unsigned long flags = kup_lock_take(&old->end.tx_lock);
  if (kup_load(&old->end.tx_error) == 0) kup_store(&old->end.tx_error, -EPIPE);
  if (tx->bad == KUP_BAD_NONE) (void)kup_tx_refresh(tx);
  kup_lock_drop(&old->end.tx_lock, flags);
  // What was sent to a device that revoked the channel was dropped with it; and
  // /dev/kup-NAME has put other pages in the place of our ring.
  if (kup_load(&old->dev_page->state) == KUP_STATE_REVOKED) return result;
  for (uint64_t pos = tx->tail_seen; pos != tx->next;) {
    uint8_t* at = tx->data + (pos & (tx->size - 1));
    kup_rec rec;
    kup_header_get(at, &rec);
    const uint64_t span = kup_rec_span(rec.len);
    // The tail was the dead device's to choose, and its mapping of the ring may have been
    // writable: neither is trusted to show a record.
    if (rec.len > tx->max_record || span > tx->next - pos) {
      ++result.left;
      result.error =
          Fail(-EBADMSG, absl::StrCat("kup: the dead device left no valid position: ", pos));
      return result;
    }
    pos += span;
    if (rec.type == KUP_TYPE_TURN || (rec.flags & (KUP_REC_FRAME | KUP_REC_REPLY)) != 0 ||
        (rec.id & KUP_ID_CALL) != 0) {
      continue;
    }
    if (result.error == 0 || result.error == -EMSGSIZE) {
      const kup_vec msg = {at + sizeof rec, rec.len, rec.type,
                           static_cast<uint16_t>(rec.flags | KUP_REC_REDELIVERED), rec.id};
      const int rc = kup_send_batch(fresh, &msg, 1, timeout_ms);
      if (rc > 0) {
        ++result.sent;
        continue;
      }
      result.error = rc;
    }
    ++result.left;
  }
  return result;
}

extern "C" {

const char* kup_bad_name(uint32_t bad) {
  static const char* const kNames[] = {"nothing",
                                       "unaligned producer position",
                                       "producer position out of range",
                                       "producer position went backwards",
                                       "unaligned consumer position",
                                       "consumer position out of range",
                                       "record too long",
                                       "record beyond the producer position",
                                       "generation changed",
                                       "peer state",
                                       "geometry",
                                       "frame descriptor",
                                       "message out of turn"};
  static_assert(sizeof kNames / sizeof kNames[0] == KUP_BAD_COUNT);
  return bad < KUP_BAD_COUNT ? kNames[bad] : "unknown reason";
}

const char* kup_state_name(uint32_t state) {
  static const char* const kNames[] = {"none", "ready", "shutdown", "revoked", "poisoned"};
  return state <= KUP_STATE_POISONED ? kNames[state] : "unknown state";
}

/* ---- devices ------------------------------------------------------------------- */

int kup_open(const char* name, struct kup_dev** out) {
  *out = nullptr;
  absl::StatusOr<std::unique_ptr<uwq::kup::Transport>> transport =
      uwq::kup::OpenTransport(name != nullptr ? name : "");
  if (!transport.ok()) return Fail(transport.status());
  auto* dev = new kup_dev;
  dev->name = name;
  dev->transport = *std::move(transport);
  *out = dev;
  return 0;
}

void kup_close(struct kup_dev* dev) {
  if (dev == nullptr) return;
  for (;;) {
    kup_chan* ch = nullptr;
    {
      uwq::base::MutexLock lock(&dev->mu);
      if (!dev->channels.empty()) ch = dev->channels.back();
    }
    if (ch == nullptr) break;
    kup_detach(ch);
  }
  delete dev;
}

int kup_channels(const struct kup_dev* dev) {
  return static_cast<int>(dev->transport->n_channels());
}

void kup_geometry_of(const struct kup_chan* ch, struct kup_geometry* geometry) {
  *geometry = ch->geometry;
}

/* ---- messages --------------------------------------------------------------------- */

int kup_send(struct kup_chan* ch, uint16_t type, const void* data, uint32_t len, int timeout_ms) {
  const kup_vec msg = {data, len, type, 0, 0};
  int rc = kup_end_post(&ch->end, &msg, 1);
  if (rc == -EAGAIN && timeout_ms != 0) {
    rc = kup_end_post_wait(&ch->end, KUP_ANY_GENERATION, &msg, 1, DeadlineOf(timeout_ms));
  }
  return rc == 1 ? 0 : Explain(ch, rc);
}

int kup_send_batch(struct kup_chan* ch, const struct kup_vec* msgs, int n, int timeout_ms) {
  if (n <= 0) return -EINVAL;
  const int rc = timeout_ms == 0 ? kup_end_post(&ch->end, msgs, n)
                                 : kup_end_post_wait(&ch->end, KUP_ANY_GENERATION, msgs, n,
                                                     DeadlineOf(timeout_ms));
  return rc > 0 ? rc : Explain(ch, rc);
}

int kup_reserve(struct kup_chan* ch, uint32_t len, void** payload) {
  unsigned long flags;
  const int rc = kup_end_reserve(&ch->end, len, payload, &flags);
  if (rc != 0) return Explain(ch, rc);
  ch->reserve_flags = flags;
  return 0;
}

int kup_commit(struct kup_chan* ch, uint32_t len, uint16_t type, uint32_t id) {
  const int rc = kup_end_commit(&ch->end, len, type, 0, id, ch->reserve_flags);
  return rc == 0 ? 0 : Fail(rc, absl::StrCat("kup: ", len, " bytes were not reserved"));
}

void kup_abort(struct kup_chan* ch) {
  (void)kup_end_commit(&ch->end, -1, 0, 0, 0, ch->reserve_flags);  // giving up cannot fail
}

int kup_receive_batch(struct kup_chan* ch, struct kup_msg* msgs, int n, int timeout_ms) {
  if (n <= 0) return -EINVAL;
  const int rc = timeout_ms == 0
                     ? kup_end_try(&ch->end, msgs, n, KUP_KIND_MESSAGE)
                     : kup_end_take(&ch->end, msgs, n, KUP_KIND_MESSAGE, kup_deadline(timeout_ms));
  return rc > 0 ? rc : Explain(ch, rc);
}

int kup_receive(struct kup_chan* ch, struct kup_msg* msg, int timeout_ms) {
  const int rc = kup_receive_batch(ch, msg, 1, timeout_ms);
  return rc == 1 ? 0 : rc;
}

int kup_poll(struct kup_chan* ch, struct kup_msg* msgs, int n) {
  const int rc = kup_end_poll(&ch->end, msgs, n, KUP_KIND_MESSAGE);
  return rc >= 0 ? rc : Explain(ch, rc);
}

int kup_release(struct kup_chan* ch, const struct kup_msg* msgs, int n) {
  return kup_end_release(&ch->end, msgs, n);
}

int kup_fd(const struct kup_chan* ch) { return ch->poll_fd; }

void kup_set_spin(struct kup_chan* ch, int64_t max_ns) {
  kup_store(&ch->end.spin_max_ns, max_ns);
  kup_store(&ch->end.spin_ns, int64_t{0});
}

/* ---- requests ------------------------------------------------------------------------ */

int kup_call(struct kup_chan* ch, uint16_t type, const void* data, uint32_t len, void* reply,
             uint32_t cap, int timeout_ms) {
  const kup_vec request = {data, len, type, 0, 0};
  return Explain(ch, kup_end_call(&ch->end, &request, reply, cap, kup_deadline(timeout_ms)));
}

int kup_request(struct kup_chan* ch, uint16_t type, uint32_t id, const void* data, uint32_t len) {
  if ((id & KUP_ID_CALL) != 0) return Fail(-EINVAL, absl::StrCat("kup: request id ", id));
  const kup_vec msg = {data, len, type, KUP_REC_REQUEST, id};
  const int rc = kup_end_post(&ch->end, &msg, 1);
  return rc == 1 ? 0 : Explain(ch, rc);
}

int kup_reply(struct kup_chan* ch, const struct kup_msg* request, int error, const void* data,
              uint32_t len) {
  return Explain(ch, kup_end_reply(&ch->end, request, error, data, len));
}

/* ---- control page, frames --------------------------------------------------------------- */

int kup_param_set(struct kup_chan* ch, uint32_t index, uint64_t value) {
  if (index >= ch->geometry.n_params) return -EINVAL;
  kup_store(&ch->params[index], value);
  return 0;
}

uint64_t kup_param_get(const struct kup_chan* ch, uint32_t index) {
  return index < ch->geometry.n_params ? kup_load(&ch->params[index]) : 0;
}

int kup_counters_get(const struct kup_chan* ch, uint32_t group, uint64_t* values, uint32_t n) {
  if (group >= ch->geometry.n_groups || n > KUP_COUNTERS_PER_GROUP) return -EINVAL;
  return uwq::kup::ReadCounters(&ch->groups[group], values, n);
}

int kup_frame_open(struct kup_chan* ch, const struct kup_msg* msg, struct kup_frame* frame) {
  return Explain(ch, kup_end_frame_open(&ch->end, msg, frame));
}

int kup_frame_return(struct kup_chan* ch, const struct kup_frame* frame) {
  return kup_end_frame_return(&ch->end, frame);
}

int kup_frame_get(struct kup_chan* ch, struct kup_frame* frame, int timeout_ms) {
  return Explain(ch, kup_end_frame_get(&ch->end, frame, DeadlineOf(timeout_ms)));
}

int kup_frame_send(struct kup_chan* ch, const struct kup_frame* frame, uint16_t type, uint64_t len,
                   uint64_t cookie) {
  return Explain(ch, kup_end_frame_send(&ch->end, frame, type, len, cookie));
}

int kup_frame_drop(struct kup_chan* ch, const struct kup_frame* frame) {
  return kup_end_frame_drop(&ch->end, frame);
}

/* ---- looking at it, and after it ------------------------------------------------------------ */

uint32_t kup_state(struct kup_chan* ch, int* alive) {
  ch->sleeper.CheckHangup();
  if (alive != nullptr) *alive = !ch->sleeper.HungUp();
  if (kup_load(&ch->end.bad) != KUP_BAD_NONE) return KUP_STATE_POISONED;
  return kup_load(&ch->dev_page->state);
}

void kup_get_stats(struct kup_chan* ch, struct kup_stats* stats) {
  memset(stats, 0, sizeof *stats);
  int alive;
  stats->state = kup_state(ch, &alive);
  stats->alive = static_cast<uint32_t>(alive);
  const unsigned long rx_flags = kup_lock_take(&ch->end.rx_lock);
  const unsigned long tx_flags = kup_lock_take(&ch->end.tx_lock);
  if (ch->end.tx.bad == KUP_BAD_NONE) (void)kup_tx_refresh(&ch->end.tx);
  stats->generation = ch->geometry.generation;
  stats->bad = kup_load(&ch->end.bad);
  stats->bad_pos = kup_load(&ch->end.bad_pos);
  stats->sent = ch->end.posted;
  stats->received = ch->end.taken;
  stats->lost = ch->end.rx.lost;
  stats->late_replies = ch->end.late_replies;
  stats->signals = ch->end.signals;
  stats->sleeps = ch->end.sleeps;
  stats->pending = kup_tx_pending(&ch->end.tx);
  stats->dev_records = kup_load(&ch->dev_page->d2u_records);
  stats->dev_dropped_records = kup_load(&ch->dev_page->d2u_dropped_records);
  stats->dev_dropped_bytes = kup_load(&ch->dev_page->d2u_dropped_bytes);
  kup_lock_drop(&ch->end.tx_lock, tx_flags);
  kup_lock_drop(&ch->end.rx_lock, rx_flags);
}

int kup_resend(struct kup_chan* old, struct kup_chan* fresh, int timeout_ms) {
  const uwq::kup::Resent result = uwq::kup::Resend(old, fresh, timeout_ms);
  return result.error != 0 ? result.error : result.sent;
}

}  // extern "C"
