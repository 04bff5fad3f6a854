// SPDX-License-Identifier: BSD-3-Clause
//
// ring_fuzz.cc -- libFuzzer target: both ends of a ring work on memory that the
// input writes, before and between their steps.
//
// Input: byte 0 chooses max_record; then steps of one opcode byte and its operands
// until the input ends.  Oracles: a record handed out lies within the accepted
// positions and the two copies of the data area; private positions keep R2 of
// ring.h; a poisoned end stays poisoned; guard pages catch the rest.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kup_bridge/ring.h"
#include "kup_bridge/ring_fixture.h"

namespace {

using uwq::kup::RingFixture;

#define FUZZ_CHECK(cond)  \
  do {                    \
    if (!(cond)) abort(); \
  } while (0)

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return size_ == 0; }
  template <typename T>
  T Take() {
    T value = 0;
    const size_t n = size_ < sizeof value ? size_ : sizeof value;
    memcpy(&value, data_, n);
    data_ += n;
    size_ -= n;
    return value;
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

void CheckRx(const kup_rx& rx) {
  FUZZ_CHECK(rx.last - rx.first <= KUP_WINDOW);
  if (rx.bad != KUP_BAD_NONE) return;
  FUZZ_CHECK(rx.head_seen - rx.tail_pub <= rx.size);
  FUZZ_CHECK(rx.next - rx.tail_pub <= rx.head_seen - rx.tail_pub);
  FUZZ_CHECK(rx.tail_now - rx.tail_pub <= rx.next - rx.tail_pub);
}

void CheckTx(const kup_tx& tx) {
  FUZZ_CHECK(tx.next - tx.tail_seen <= tx.size);
  FUZZ_CHECK(tx.published - tx.tail_seen <= tx.next - tx.tail_seen);
}

// A near miss is worth more than a random number.
uint64_t NearValue(uint64_t base, uint8_t how, uint16_t delta) {
  switch (how % 4) {
    case 0:
      return base + delta * uint64_t{16};
    case 1:
      return base - delta * uint64_t{16};
    case 2:
      return base + delta;
    default:
      return uint64_t{delta} << (how / 4);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input in(data, size);
  // One mapping for all runs: making it costs more than a run.
  static RingFixture* const memory = new RingFixture();
  const uint32_t max_record = 16 + in.Take<uint8_t>() * 16u;
  RingFixture& ring = *memory;
  memset(ring.map.data(), 0, KUP_RING_MIN);
  ring.words = {};
  kup_tx_init(&ring.tx, ring.map.data(), KUP_RING_MIN, max_record, 0, 0, 0);
  kup_rx_init(ring.rx.get(), ring.map.data(), KUP_RING_MIN, max_record, 0, 0);
  kup_rx* rx = ring.rx.get();
  std::vector<uint32_t> held;
  uint64_t sum = 0;
  for (int steps = 0; !in.empty() && steps < 4096; ++steps) {
    const uint8_t op = in.Take<uint8_t>();
    kup_view view;
    kup_data_t* payload;
    switch (op % 14) {
      case 0: {
        const bool was_bad = rx->bad != KUP_BAD_NONE;
        const int rc = kup_rx_next(rx, &view);
        FUZZ_CHECK(!was_bad || rc == KUP_RING_POISONED);
        FUZZ_CHECK((rc == KUP_RING_POISONED) == (rx->bad != KUP_BAD_NONE));
        if (rc != KUP_RING_OK) break;
        FUZZ_CHECK(view.rec.len <= max_record);
        FUZZ_CHECK(view.payload >= ring.map.data() + 16);
        FUZZ_CHECK(view.payload + view.rec.len <= ring.map.data() + 2 * KUP_RING_MIN);
        FUZZ_CHECK(view.pos + kup_rec_span(view.rec.len) == rx->next);
        for (uint32_t i = 0; i < view.rec.len; ++i) sum += view.payload[i];
        held.push_back(view.token);
        break;
      }
      case 1:
        if (!held.empty()) {
          const size_t i = in.Take<uint8_t>() % held.size();
          FUZZ_CHECK(kup_rx_release(rx, held[i]) == KUP_RING_OK);
          held.erase(held.begin() + static_cast<ptrdiff_t>(i));
        }
        break;
      case 2: {
        const uint32_t token = in.Take<uint32_t>();
        bool mine = false;
        for (uint32_t t : held) mine |= t == token;
        if (!mine) FUZZ_CHECK(kup_rx_release(rx, token) == KUP_RING_TOKEN);
        break;
      }
      case 3:
        (void)kup_rx_flush(rx);
        break;
      case 4:
        (void)kup_rx_arm(rx, in.Take<uint8_t>());
        break;
      case 5: {
        const uint32_t len = in.Take<uint16_t>();
        const int rc = kup_tx_reserve(&ring.tx, len, &payload);
        FUZZ_CHECK((len > max_record) == (rc == KUP_RING_TOOBIG) || rc == KUP_RING_POISONED);
        if (rc != KUP_RING_OK) break;
        memset(payload, op, len);
        kup_tx_commit(&ring.tx, len, op, in.Take<uint8_t>(), 0);
        break;
      }
      case 6:
        (void)kup_tx_publish(&ring.tx);
        break;
      case 7:
        (void)kup_tx_arm(&ring.tx, in.Take<uint16_t>() % (max_record + 1));
        break;
      case 8:
        ring.words.head = NearValue(ring.words.head, in.Take<uint8_t>(), in.Take<uint16_t>());
        break;
      case 9:
        ring.words.tail = NearValue(ring.words.tail, in.Take<uint8_t>(), in.Take<uint16_t>());
        break;
      case 10:
        ring.words.wake_at = in.Take<uint64_t>();
        break;
      case 11:
        ring.words.space_at = in.Take<uint64_t>();
        break;
      case 12: {  // a header
        const uint32_t at = in.Take<uint8_t>() * 16u;
        kup_rec rec = {in.Take<uint16_t>(), 1, in.Take<uint8_t>(), 0, 0};
        if (op & 0x80) rec.len = in.Take<uint32_t>();
        kup_header_put(ring.map.data() + at, &rec);
        break;
      }
      default:  // anything anywhere
        ring.map.data()[in.Take<uint16_t>() % KUP_RING_MIN] = in.Take<uint8_t>();
    }
    CheckRx(*rx);
    CheckTx(ring.tx);
  }
  asm volatile("" : : "r"(sum));  // the reads must happen
  return 0;
}
