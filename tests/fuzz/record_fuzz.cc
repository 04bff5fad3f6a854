// SPDX-License-Identifier: BSD-3-Clause
//
// record_fuzz.cc -- libFuzzer target for the record parser and for the geometry of
// a channel as a hostile device may announce it.
//
// Input: byte 0 bit 0 chooses.  Parser: byte 1 gives max_record, two bytes the
// head, the rest is the data area.  Oracle: a second parser, written differently
// (whole headers copied out first, signed arithmetic, no ring), must agree record
// by record and on the reason for a refusal.  Geometry: what is accepted fits
// into the memory, recomputed here.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kup_bridge/channel.h"
#include "kup_bridge/ring.h"
#include "kup_bridge/ring_fixture.h"

namespace {

#define FUZZ_CHECK(cond)  \
  do {                    \
    if (!(cond)) abort(); \
  } while (0)

struct Parsed {
  std::vector<kup_rec> records;
  uint32_t bad = KUP_BAD_NONE;
};

Parsed Reference(const uint8_t* area, int64_t size, int64_t head, int64_t max_record) {
  Parsed out;
  if (head % 16 != 0) {
    out.bad = KUP_BAD_HEAD_ALIGN;
    return out;
  }
  if (head > size) {
    out.bad = KUP_BAD_HEAD_RANGE;
    return out;
  }
  for (int64_t at = 0; at < head;) {
    kup_rec rec;
    memcpy(&rec, area + at, sizeof rec);
    const bool discard = (rec.flags & KUP_REC_DISCARD) != 0;
    if (int64_t{rec.len} > (discard ? size - 1 : max_record) && int64_t{rec.len} > max_record) {
      out.bad = KUP_BAD_LEN;
      return out;
    }
    const int64_t end = at + 16 + (int64_t{rec.len} + 15) / 16 * 16;
    if (end > head) {
      out.bad = KUP_BAD_SPAN;
      return out;
    }
    if (!discard) out.records.push_back(rec);
    at = end;
  }
  return out;
}

void Parse(const uint8_t* data, size_t size) {
  static auto* const ring = new uwq::kup::RingFixture();
  if (size < 4) return;
  const uint32_t max_record = data[1] * 16u;
  uint16_t head;
  memcpy(&head, data + 2, sizeof head);
  data += 4;
  size = std::min<size_t>(size - 4, KUP_RING_MIN);
  memset(ring->map.data(), 0, KUP_RING_MIN);
  memcpy(ring->map.data(), data, size);
  ring->words = {};
  ring->words.head = head;
  kup_rx* rx = ring->rx.get();
  kup_rx_init(rx, ring->map.data(), KUP_RING_MIN, max_record, 0, 0);
  const Parsed expected = Reference(ring->map.data(), KUP_RING_MIN, head, max_record);
  size_t i = 0;
  kup_view view;
  int rc;
  while ((rc = kup_rx_next(rx, &view)) == KUP_RING_OK) {
    FUZZ_CHECK(i < expected.records.size());
    FUZZ_CHECK(memcmp(&view.rec, &expected.records[i], sizeof view.rec) == 0);
    FUZZ_CHECK(kup_rx_release(rx, view.token) == KUP_RING_OK);
    ++i;
  }
  FUZZ_CHECK(i == expected.records.size());
  FUZZ_CHECK(rx->bad == expected.bad);
  FUZZ_CHECK((rc == KUP_RING_POISONED) == (expected.bad != KUP_BAD_NONE));
}

void Geometry(const uint8_t* data, size_t size) {
  kup_dev_page page;
  memset(&page, 0, sizeof page);
  uwq::kup::Link link;
  link.dev = {0, 0, 1 << 20};
  link.user = {0, 0, 1 << 20};
  link.frames_d2u = {0, 0, 1 << 22};
  link.frames_u2d = {0, 0, 1 << 22};
  link.generation = 1;
  // From something acceptable, or the magic alone would stop nearly everything.
  page.magic = KUP_MAGIC;
  page.abi_major = KUP_ABI_MAJOR;
  page.header_len = sizeof(kup_rec);
  page.generation = 1;
  page.d2u_size = page.u2d_size = 65536;
  page.d2u_off = page.u2d_off = 8192;
  page.n_groups = page.n_params = 4;
  for (; size >= 5; data += 5, size -= 5) {
    uint32_t value;
    memcpy(&value, data + 1, sizeof value);
    memcpy(reinterpret_cast<uint8_t*>(&page) + data[0] % 64 / 4 * 4, &value, sizeof value);
  }
  kup_geometry g;
  uint32_t d2u, u2d;
  if (!uwq::kup::ReadGeometry(&page, link, &g, &d2u, &u2d).ok()) return;
  FUZZ_CHECK(d2u >= 4096 && d2u % 4096 == 0 && uint64_t{d2u} + g.d2u_size <= link.dev.len);
  FUZZ_CHECK(u2d >= 4096 && u2d % 4096 == 0 && uint64_t{u2d} + g.u2d_size <= link.user.len);
  FUZZ_CHECK(4096 + uint64_t{g.n_groups} * 128 <= d2u);
  FUZZ_CHECK(4096 + uint64_t{g.n_params} * 8 <= u2d);
  FUZZ_CHECK(uint64_t{g.max_record} + 16 <= std::min(g.d2u_size, g.u2d_size));
  FUZZ_CHECK(g.d2u_size >= 4096 && (g.d2u_size & (g.d2u_size - 1)) == 0);
  FUZZ_CHECK(g.n_frames_d2u <= 64 && g.n_frames_u2d <= 64);
  FUZZ_CHECK(uint64_t{g.n_frames_d2u} * g.frame_size <= link.frames_d2u.len);
  FUZZ_CHECK(uint64_t{g.n_frames_u2d} * g.frame_size <= link.frames_u2d.len);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  if ((data[0] & 1) == 0) {
    Parse(data, size);
  } else {
    Geometry(data + 1, size - 1);
  }
  return 0;
}
