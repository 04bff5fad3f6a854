// SPDX-License-Identifier: BSD-3-Clause
//
// ring_fixture.h -- a ring in memory of this process, for tests and fuzzers.
//
// Invariant: the data area is mapped twice between two guard pages, as in a real
// channel, so a read or write beyond it ends the test.
#ifndef UWQ_KUP_BRIDGE_RING_FIXTURE_H_
#define UWQ_KUP_BRIDGE_RING_FIXTURE_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "kup_bridge/ring.h"
#include "kup_bridge/ring_map.h"

namespace uwq::kup {

struct RingFixture {
  struct Words {  // one writer per line, as in the ABI
    alignas(64) uint64_t head = 0;
    alignas(64) uint64_t tail = 0;
    alignas(64) uint64_t wake_at = 0;
    alignas(64) uint64_t space_at = 0;
  };

  // `start`: where both positions begin, to test them near 2^64 too.
  explicit RingFixture(uint32_t size = KUP_RING_MIN, uint32_t max_record = 0, uint64_t start = 0)
      : rx(new kup_rx()) {
    absl::StatusOr<Fd> fd = CreateSealedMemory("ring", size);
    map = *Mapping::Twice(fd->get(), 0, size, true);
    if (max_record == 0) max_record = kup_ring_max_record(size);
    words.head = words.tail = start;
    words.wake_at = words.space_at = start - 1;
    tx.head = &words.head;
    tx.tail = &words.tail;
    tx.wake_at = &words.wake_at;
    tx.space_at = &words.space_at;
    kup_tx_init(&tx, map.data(), size, max_record, start, start, 0);
    rx->head = &words.head;
    rx->tail = &words.tail;
    rx->wake_at = &words.wake_at;
    rx->space_at = &words.space_at;
    kup_rx_init(rx.get(), map.data(), size, max_record, start, 0);
  }

  // Reserves, fills and commits; does not publish.
  int Put(const std::string& text, uint16_t type = 1, uint16_t flags = 0, uint32_t id = 0) {
    kup_data_t* to;
    const int rc = kup_tx_reserve(&tx, static_cast<uint32_t>(text.size()), &to);
    if (rc != KUP_RING_OK) return rc;
    memcpy(to, text.data(), text.size());
    kup_tx_commit(&tx, static_cast<uint32_t>(text.size()), type, flags, id);
    return rc;
  }

  int Next(kup_view* view) { return kup_rx_next(rx.get(), view); }
  static std::string Text(const kup_view& view) {
    return std::string(reinterpret_cast<const char*>(view.payload), view.rec.len);
  }

  Words words;
  Mapping map;
  kup_tx tx = {};
  std::unique_ptr<kup_rx> rx;
};

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_RING_FIXTURE_H_
