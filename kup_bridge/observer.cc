// SPDX-License-Identifier: BSD-3-Clause
//
// observer.cc -- looks at a channel from outside: state, counters, records.
//
// Invariant: nothing is written, so any number of observers disturb nobody.  A
// record that was copied counts only if the device's floor (the position below
// which it may overwrite) had not passed it when the copy was done.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "kup_bridge/channel.h"
#include "kup_bridge/kup.h"

using uwq::kup::Fail;

struct kup_observer {
  std::unique_ptr<uwq::kup::Link> link;
  uwq::kup::Mapping map_dev, map_d2u;
  const kup_dev_page* page = nullptr;
  const kup_counters* groups = nullptr;
  kup_geometry geometry = {};
  uint64_t pos = 0;
};

namespace {

int Moved() { return Fail(-ENODEV, "kup: the channel goes on in other memory"); }

// At `head`: 0, more may come; or why none will.
int EndOf(const kup_dev_page* page, uint64_t head) {
  switch (kup_load_acquire(&page->state, KUP_SITE_STATE)) {
    case KUP_STATE_READY:
      return 0;
    case KUP_STATE_SHUTDOWN:
      if (kup_load(&page->d2u_head) != head) return 0;  // posted before the state was set
      return Fail(-ESHUTDOWN, "kup: the device was unloaded");
    case KUP_STATE_REVOKED:
      return Moved();
    default:
      return Fail(-EBADMSG, "kup: the channel is poisoned");
  }
}

}  // namespace

extern "C" {

int kup_observe(const char* name, uint32_t channel, struct kup_observer** out) {
  using uwq::kup::Mapping;
  *out = nullptr;
  auto transport = uwq::kup::OpenTransport(name != nullptr ? name : "");
  if (!transport.ok()) return Fail(transport.status());
  auto link = (*transport)->Observe(channel);
  if (!link.ok()) return Fail(link.status());
  auto o = std::make_unique<kup_observer>();
  o->link = *std::move(link);
  const uwq::kup::Link::Region& dev = o->link->dev;
  auto first = Mapping::Once(dev.fd, dev.offset, KUP_PAGE_SIZE, false);
  if (!first.ok()) return Fail(first.status());
  uint32_t d2u_off, u2d_off;
  if (absl::Status s = uwq::kup::ReadGeometry(reinterpret_cast<const kup_dev_page*>(first->data()),
                                              *o->link, &o->geometry, &d2u_off, &u2d_off);
      !s.ok()) {
    return Fail(s);
  }
  auto map = Mapping::Once(dev.fd, dev.offset, d2u_off, false);
  if (!map.ok()) return Fail(map.status());
  o->map_dev = *std::move(map);
  map = Mapping::Twice(dev.fd, dev.offset + d2u_off, o->geometry.d2u_size, false);
  if (!map.ok()) return Fail(map.status());
  o->map_d2u = *std::move(map);
  o->page = reinterpret_cast<const kup_dev_page*>(o->map_dev.data());
  o->groups = reinterpret_cast<const kup_counters*>(o->map_dev.data() + KUP_PAGE_SIZE);
  o->pos = kup_load(&o->page->d2u_floor);
  *out = o.release();
  return 0;
}

void kup_unobserve(struct kup_observer* observer) { delete observer; }

int kup_observer_counters(const struct kup_observer* o, uint32_t group, uint64_t* values,
                          uint32_t n) {
  if (group >= o->geometry.n_groups || n > KUP_COUNTERS_PER_GROUP) return -EINVAL;
  return uwq::kup::ReadCounters(&o->groups[group], values, n);
}

void kup_observer_stats(const struct kup_observer* o, struct kup_stats* stats) {
  memset(stats, 0, sizeof *stats);
  stats->generation = kup_load(&o->page->generation);
  stats->state = kup_load(&o->page->state);
  stats->bad = kup_load(&o->page->error);
  stats->bad_pos = kup_load(&o->page->error_pos);
  stats->dev_records = kup_load(&o->page->d2u_records);
  stats->dev_dropped_records = kup_load(&o->page->d2u_dropped_records);
  stats->dev_dropped_bytes = kup_load(&o->page->d2u_dropped_bytes);
  stats->pending = kup_load(&o->page->d2u_head) - kup_load(&o->page->d2u_floor);
}

int kup_observer_next(struct kup_observer* o, struct kup_rec* rec, void* payload, uint32_t cap) {
  const uint32_t size = o->geometry.d2u_size;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const uint64_t head = kup_load_acquire(&o->page->d2u_head, KUP_SITE_READ_HEAD);
    uint64_t floor = kup_load(&o->page->d2u_floor);
    if (head % KUP_ALIGN != 0 || floor % KUP_ALIGN != 0 || head - floor > size) {
      // The two were read apart, so once is no proof.
      if (attempt < 999) continue;
      return Fail(-EBADMSG, absl::StrCat("kup: head ", head, " and floor ", floor, " disagree"));
    }
    // Overtaken, or no position of this ring: the first one was the device's word.
    if (head - o->pos > head - floor || o->pos % KUP_ALIGN != 0) o->pos = floor;
    if (o->pos == head) return EndOf(o->page, head);
    const uint8_t* at = o->map_d2u.data() + (o->pos & (size - 1));
    kup_header_get(const_cast<uint8_t*>(at), rec);
    const uint64_t span = kup_rec_span(rec->len);
    const bool sane = rec->len < size && span <= head - o->pos;
    if (sane) memcpy(payload, at + sizeof *rec, std::min(rec->len, cap));
    kup_read_fence();
    // The kernel takes the pages of a revoked channel away, so what we copied may be none of it.
    if (kup_load(&o->page->state) == KUP_STATE_REVOKED) return Moved();
    floor = kup_load(&o->page->d2u_floor);
    if (o->pos - floor > size) continue;  // overwritten meanwhile: the floor is behind it
    if (!sane) return Fail(-EBADMSG, absl::StrCat("kup: record of ", rec->len, " bytes"));
    o->pos += span;
    if ((rec->flags & KUP_REC_DISCARD) != 0) continue;
    return 1;
  }
  return -EAGAIN;
}

}  // extern "C"
