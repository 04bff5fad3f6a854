// SPDX-License-Identifier: BSD-3-Clause
//
// ring_test.cc -- ring.h with both ends in one thread: each rule by itself.
// Threads: kup_test.cc.  Weak memory: tests/relacy.  Garbage: tests/fuzz.
#include "kup_bridge/ring.h"

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kup_bridge/ring_fixture.h"

namespace uwq::kup {
namespace {

// Goal: what goes in comes out, for every size, across many laps.
// Method: sizes 0..max in a small ring, so that records wrap at every offset.
TEST(Ring, EverySizeAcrossTheWrap) {
  RingFixture ring(KUP_RING_MIN, 700);
  kup_view view;
  uint32_t expected_seq = 0;
  for (int lap = 0; lap < 3; ++lap) {
    for (uint32_t len = 0; len <= 700; ++len) {
      const std::string text(len, static_cast<char>('a' + len % 26));
      ASSERT_EQ(ring.Put(text, static_cast<uint16_t>(len), 0, len), KUP_RING_OK);
      kup_tx_publish(&ring.tx);
      ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
      EXPECT_EQ(RingFixture::Text(view), text);
      EXPECT_EQ(view.rec.type, len);
      EXPECT_EQ(view.rec.id, len);
      EXPECT_EQ(view.rec.seq, expected_seq++);
      ASSERT_EQ(kup_rx_release(ring.rx.get(), view.token), KUP_RING_OK);
      kup_rx_flush(ring.rx.get());
    }
  }
  EXPECT_EQ(ring.Next(&view), KUP_RING_NONE);
  EXPECT_EQ(ring.rx->lost, 0u);
}

// Goal: 64-bit positions may wrap; nothing compares them as plain numbers.
TEST(Ring, PositionsWrapAt64Bits) {
  RingFixture ring(KUP_RING_MIN, 0, uint64_t{0} - 4096);
  kup_view view;
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(ring.Put("0123456789abcdef"), KUP_RING_OK);
    kup_tx_publish(&ring.tx);
    ASSERT_EQ(ring.Next(&view), KUP_RING_OK) << i;
    ASSERT_EQ(kup_rx_release(ring.rx.get(), view.token), KUP_RING_OK);
    kup_rx_flush(ring.rx.get());
  }
  EXPECT_LT(ring.words.head, uint64_t{1} << 32);
}

TEST(Ring, UnpublishedIsInvisibleAndBatchAppearsAtOnce) {
  RingFixture ring;
  kup_view view;
  ASSERT_EQ(ring.Put("one"), KUP_RING_OK);
  ASSERT_EQ(ring.Put("two"), KUP_RING_OK);
  EXPECT_EQ(ring.Next(&view), KUP_RING_NONE);
  kup_tx_publish(&ring.tx);
  ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
  EXPECT_EQ(RingFixture::Text(view), "one");
  ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
  EXPECT_EQ(RingFixture::Text(view), "two");
  EXPECT_EQ(ring.Next(&view), KUP_RING_NONE);
}

TEST(Ring, FullRefusesAndExactFitIsAccepted) {
  RingFixture ring;
  const std::string whole(kup_ring_max_record(KUP_RING_MIN), 'x');
  ASSERT_EQ(ring.Put(whole), KUP_RING_OK);
  EXPECT_EQ(ring.Put(""), KUP_RING_NONE);
  kup_tx_publish(&ring.tx);
  kup_view view;
  ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
  EXPECT_EQ(RingFixture::Text(view), whole);
  ASSERT_EQ(kup_rx_release(ring.rx.get(), view.token), KUP_RING_OK);
  EXPECT_EQ(ring.Put(""), KUP_RING_NONE) << "released but not flushed: the producer cannot know";
  kup_rx_flush(ring.rx.get());
  EXPECT_EQ(ring.Put(""), KUP_RING_OK);
}

TEST(Ring, OversizeIsRefusedForEver) {
  RingFixture ring(KUP_RING_MIN, 100);
  kup_data_t* to;
  EXPECT_EQ(kup_tx_reserve(&ring.tx, 101, &to), KUP_RING_TOOBIG);
  EXPECT_EQ(kup_tx_reserve(&ring.tx, 0xffffffffu, &to), KUP_RING_TOOBIG);
  EXPECT_EQ(kup_tx_reserve(&ring.tx, 100, &to), KUP_RING_OK);
}

TEST(Ring, CommitMayShrink) {
  RingFixture ring;
  kup_data_t* to = nullptr;
  ASSERT_EQ(kup_tx_reserve(&ring.tx, 1000, &to), KUP_RING_OK);
  memcpy(to, "abc", 3);
  kup_tx_commit(&ring.tx, 3, 1, 0, 0);
  EXPECT_EQ(ring.tx.next, kup_rec_span(3));
}

TEST(Ring, ReleaseOutOfOrderMovesTheTailOverThePrefixOnly) {
  RingFixture ring;
  std::vector<kup_view> views(4);
  for (int i = 0; i < 4; ++i) ASSERT_EQ(ring.Put("x"), KUP_RING_OK);
  kup_tx_publish(&ring.tx);
  for (kup_view& view : views) ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
  kup_rx* rx = ring.rx.get();
  EXPECT_EQ(kup_rx_release(rx, views[2].token), KUP_RING_OK);
  EXPECT_EQ(kup_rx_release(rx, views[1].token), KUP_RING_OK);
  kup_rx_flush(rx);
  EXPECT_EQ(ring.words.tail, 0u);
  EXPECT_EQ(kup_rx_release(rx, views[0].token), KUP_RING_OK);
  kup_rx_flush(rx);
  EXPECT_EQ(ring.words.tail, 3 * kup_rec_span(1));
  EXPECT_EQ(kup_rx_release(rx, views[1].token), KUP_RING_TOKEN) << "twice";
  EXPECT_EQ(kup_rx_release(rx, views[3].token + 1), KUP_RING_TOKEN) << "never handed out";
  EXPECT_EQ(kup_rx_release(rx, views[3].token), KUP_RING_OK);
  EXPECT_EQ(kup_rx_release(rx, views[3].token), KUP_RING_TOKEN) << "twice, at the end";
}

TEST(Ring, WindowBoundsWhatIsHeld) {
  RingFixture ring(64 * 1024);
  kup_view view, first = {};
  for (uint32_t i = 0; i <= KUP_WINDOW; ++i) ASSERT_EQ(ring.Put(""), KUP_RING_OK);
  kup_tx_publish(&ring.tx);
  for (uint32_t i = 0; i < KUP_WINDOW; ++i) {
    ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
    if (i == 0) first = view;
  }
  EXPECT_EQ(ring.Next(&view), KUP_RING_WINDOW);
  ASSERT_EQ(kup_rx_release(ring.rx.get(), first.token), KUP_RING_OK);
  EXPECT_EQ(ring.Next(&view), KUP_RING_OK);
}

TEST(Ring, DiscardedRecordsAreSkippedAndReleasedWithTheirNeighbour) {
  RingFixture ring;
  kup_view view;
  ASSERT_EQ(ring.Put("skip", 1, KUP_REC_DISCARD), KUP_RING_OK);
  ASSERT_EQ(ring.Put("a"), KUP_RING_OK);
  ASSERT_EQ(ring.Put("skip", 1, KUP_REC_DISCARD), KUP_RING_OK);
  kup_tx_publish(&ring.tx);
  ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
  EXPECT_EQ(RingFixture::Text(view), "a");
  const uint32_t token = view.token;
  EXPECT_EQ(ring.Next(&view), KUP_RING_NONE);
  ASSERT_EQ(kup_rx_release(ring.rx.get(), token), KUP_RING_OK);
  kup_rx_flush(ring.rx.get());
  EXPECT_EQ(ring.words.tail, ring.words.head);
}

// A producer that cannot map twice (BPF) ends a lap with one discard record.
TEST(Ring, DiscardToTheEndOfTheLap) {
  RingFixture ring(KUP_RING_MIN, 100);
  kup_rec pad = {KUP_RING_MIN - 16, 0, KUP_REC_DISCARD, 0, 0};
  kup_header_put(ring.map.data(), &pad);
  kup_view view;
  ring.words.head = KUP_RING_MIN;
  EXPECT_EQ(ring.Next(&view), KUP_RING_NONE);
  EXPECT_EQ(ring.rx->bad, KUP_BAD_NONE);
  kup_rx_flush(ring.rx.get());
  EXPECT_EQ(ring.words.tail, KUP_RING_MIN);
}

TEST(Ring, FloodOfDiscardsDoesNotHoldTheConsumer) {
  RingFixture ring(64 * 1024);
  kup_view view;
  for (uint32_t i = 0; i < KUP_SKIPS_MAX + 1; ++i) {
    ASSERT_EQ(ring.Put("", 1, KUP_REC_DISCARD), KUP_RING_OK);
  }
  kup_tx_publish(&ring.tx);
  EXPECT_EQ(ring.Next(&view), KUP_RING_NONE);
  EXPECT_EQ(kup_rx_arm(ring.rx.get(), 0), KUP_RING_OK) << "there is more";
  EXPECT_EQ(ring.Next(&view), KUP_RING_NONE);
  EXPECT_EQ(kup_rx_arm(ring.rx.get(), 0), KUP_RING_NONE);
}

TEST(Ring, GapsInTheSequenceAreCounted) {
  RingFixture ring;
  kup_view view;
  ASSERT_EQ(ring.Put("a"), KUP_RING_OK);
  ring.tx.seq += 5;
  ASSERT_EQ(ring.Put("b"), KUP_RING_OK);
  kup_tx_publish(&ring.tx);
  ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
  ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
  EXPECT_EQ(ring.rx->lost, 5u);
}

/* ---- event index ---------------------------------------------------------------- */

TEST(RingEventIndex, SleeperIsNotifiedOnceAndABusyConsumerNever) {
  RingFixture ring;
  kup_view view;
  ASSERT_EQ(kup_rx_arm(ring.rx.get(), 0), KUP_RING_NONE);
  ASSERT_EQ(ring.Put("a"), KUP_RING_OK);
  EXPECT_EQ(kup_tx_publish(&ring.tx), 1);
  ASSERT_EQ(ring.Put("b"), KUP_RING_OK);
  EXPECT_EQ(kup_tx_publish(&ring.tx), 0) << "already woken";
  ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
  ASSERT_EQ(ring.Put("c"), KUP_RING_OK);
  EXPECT_EQ(kup_tx_publish(&ring.tx), 0) << "at work";
  EXPECT_EQ(kup_rx_arm(ring.rx.get(), 0), KUP_RING_OK) << "it would sleep over b";
}

TEST(RingEventIndex, BatchWakesAfterThatManyBytes) {
  RingFixture ring;
  ASSERT_EQ(kup_rx_arm(ring.rx.get(), 3 * kup_rec_span(1)), KUP_RING_NONE);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(ring.Put("x"), KUP_RING_OK);
    EXPECT_EQ(kup_tx_publish(&ring.tx), 0) << i;
  }
  ASSERT_EQ(ring.Put("x"), KUP_RING_OK);
  EXPECT_EQ(kup_tx_publish(&ring.tx), 1);
}

TEST(RingEventIndex, BlockedProducerIsNotifiedWhenItFitsAndNotBefore) {
  RingFixture ring;
  std::vector<kup_view> views(4);
  const std::string quarter(KUP_RING_MIN / 4 - 16, 'x');
  for (int i = 0; i < 4; ++i) ASSERT_EQ(ring.Put(quarter), KUP_RING_OK);
  kup_tx_publish(&ring.tx);
  for (kup_view& view : views) ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
  // Half of the ring is wanted: two records must go.
  ASSERT_EQ(kup_tx_arm(&ring.tx, KUP_RING_MIN / 2 - 16), KUP_RING_NONE);
  ASSERT_EQ(kup_rx_release(ring.rx.get(), views[0].token), KUP_RING_OK);
  EXPECT_EQ(kup_rx_flush(ring.rx.get()), 0);
  ASSERT_EQ(kup_rx_release(ring.rx.get(), views[1].token), KUP_RING_OK);
  EXPECT_EQ(kup_rx_flush(ring.rx.get()), 1);
  ASSERT_EQ(kup_rx_release(ring.rx.get(), views[2].token), KUP_RING_OK);
  EXPECT_EQ(kup_rx_flush(ring.rx.get()), 0) << "once is enough";
  EXPECT_EQ(kup_tx_arm(&ring.tx, KUP_RING_MIN / 2 - 16), KUP_RING_OK);
}

/* ---- a hostile peer: docs/kup_protocol.md, "Hostile peers" --------------------------- */

struct BadHead {
  const char* name;
  uint64_t head;
  uint32_t bad;
};

TEST(RingHostile, ProducerPositions) {
  const BadHead kCases[] = {
      {"unaligned", 8, KUP_BAD_HEAD_ALIGN},
      {"a ring and a record ahead", KUP_RING_MIN + 16, KUP_BAD_HEAD_RANGE},
      {"forged to 2^64 - 1024", uint64_t{0} - 1024, KUP_BAD_HEAD_RANGE},
      {"forged to 2^40", uint64_t{1} << 40, KUP_BAD_HEAD_RANGE},
  };
  for (const BadHead& c : kCases) {
    RingFixture ring;
    kup_view view;
    ring.words.head = c.head;
    EXPECT_EQ(ring.Next(&view), KUP_RING_POISONED) << c.name;
    EXPECT_EQ(ring.rx->bad, c.bad) << c.name;
    EXPECT_EQ(ring.rx->bad_pos, c.head) << c.name;
    ring.words.head = 0;
    EXPECT_EQ(ring.Next(&view), KUP_RING_POISONED) << c.name << ": stays so";
    EXPECT_EQ(kup_rx_arm(ring.rx.get(), 0), KUP_RING_POISONED) << c.name;
  }
}

TEST(RingHostile, ProducerGoesBackwards) {
  RingFixture ring;
  kup_view view;
  ASSERT_EQ(ring.Put("a"), KUP_RING_OK);
  ASSERT_EQ(ring.Put("b"), KUP_RING_OK);
  kup_tx_publish(&ring.tx);
  ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
  ASSERT_EQ(ring.Next(&view), KUP_RING_OK);
  ring.words.head -= 32;
  EXPECT_EQ(ring.Next(&view), KUP_RING_POISONED);
  EXPECT_EQ(ring.rx->bad, KUP_BAD_HEAD_BACK);
}

TEST(RingHostile, ConsumerPositions) {
  const BadHead kCases[] = {
      {"unaligned", 4, KUP_BAD_TAIL_ALIGN},
      {"ahead of the producer", 1 << 20, KUP_BAD_TAIL_RANGE},
      {"backwards", uint64_t{0} - 16, KUP_BAD_TAIL_RANGE},
  };
  for (const BadHead& c : kCases) {
    RingFixture ring;
    ASSERT_EQ(ring.Put(std::string(kup_ring_max_record(KUP_RING_MIN), 'x')), KUP_RING_OK);
    kup_tx_publish(&ring.tx);
    ring.words.tail = c.head;
    EXPECT_EQ(ring.Put("x"), KUP_RING_POISONED) << c.name;
    EXPECT_EQ(ring.tx.bad, c.bad) << c.name;
  }
}

TEST(RingHostile, RecordLengths) {
  const struct {
    const char* name;
    uint32_t len;
    uint16_t flags;
    uint32_t bad;
  } kCases[] = {
      {"longer than max_record", 101, 0, KUP_BAD_LEN},
      {"all ones", 0xffffffffu, 0, KUP_BAD_LEN},
      {"all ones, discarded", 0xffffffffu, KUP_REC_DISCARD, KUP_BAD_LEN},
      {"discard of a whole ring", KUP_RING_MIN, KUP_REC_DISCARD, KUP_BAD_LEN},
      {"behind the head", 17, 0, KUP_BAD_SPAN},
      {"discard behind the head", 200, KUP_REC_DISCARD, KUP_BAD_SPAN},
  };
  for (const auto& c : kCases) {
    RingFixture ring(KUP_RING_MIN, 100);
    ASSERT_EQ(ring.Put("0123456789abcdef"), KUP_RING_OK);
    kup_tx_publish(&ring.tx);
    kup_rec rec = {c.len, 1, c.flags, 0, 0};
    kup_header_put(ring.map.data(), &rec);
    kup_view view;
    EXPECT_EQ(ring.Next(&view), KUP_RING_POISONED) << c.name;
    EXPECT_EQ(ring.rx->bad, c.bad) << c.name;
  }
}

// Goal: random traffic keeps order and content, whatever the mix of batching,
// holding and releasing.  Method: a model queue beside the ring; seeded.
TEST(Ring, RandomTrafficMatchesAQueue) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    RingFixture ring(KUP_RING_MIN, 500, seed * 16);
    std::vector<std::string> sent;
    std::vector<kup_view> held;
    size_t received = 0;
    for (int step = 0; step < 5000; ++step) {
      kup_view view;
      switch (random() % 5) {
        case 0:
        case 1: {
          std::string text(random() % 500, static_cast<char>('a' + random() % 26));
          if (ring.Put(text) == KUP_RING_OK) sent.push_back(text);
          break;
        }
        case 2:
          kup_tx_publish(&ring.tx);
          break;
        case 3:
          if (ring.Next(&view) == KUP_RING_OK) {
            ASSERT_EQ(RingFixture::Text(view), sent[received++]) << "seed " << seed;
            held.push_back(view);
          }
          break;
        default:
          if (!held.empty()) {
            const size_t i = random() % held.size();
            ASSERT_EQ(kup_rx_release(ring.rx.get(), held[i].token), KUP_RING_OK);
            held.erase(held.begin() + static_cast<ptrdiff_t>(i));
            kup_rx_flush(ring.rx.get());
          }
      }
      ASSERT_EQ(ring.rx->bad, KUP_BAD_NONE) << "seed " << seed;
      ASSERT_EQ(ring.tx.bad, KUP_BAD_NONE) << "seed " << seed;
    }
    EXPECT_GT(received, 100u);
  }
}

}  // namespace
}  // namespace uwq::kup
