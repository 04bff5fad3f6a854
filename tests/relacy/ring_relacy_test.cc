// SPDX-License-Identifier: BSD-3-Clause
//
// ring_relacy_test.cc -- ring.h under weak memory (invariants R4 and R5), and the words by
// which frame buffers come back.
//
// Goal: with every order in place all executions are right; with any one of them
// taken away, one is found that is not.  Method: a ring of two records, relacy's
// random scheduler over many executions (its exhaustive one for the small
// hand-shakes), a mutant per site.  Nothing really sleeps: a side that would
// sleep writes so down, and at the end its peer must have notified it.
#include <cstdio>
#include <ostream>
#include <streambuf>

#include "tests/relacy/ring_policy.h"  // brings kup_bridge/ring.h

namespace {

constexpr uint32_t kSize = 2 * sizeof(kup_rec);  // two records without payload

struct Ring {
  kup_word_t head, tail, wake_at, space_at;
  kup_data_t data[kSize];
  kup_tx tx;
  kup_rx rx;

  void Init() {
    head($) = 0u;
    tail($) = 0u;
    wake_at($) = ~uint64_t{0};
    space_at($) = ~uint64_t{0};
    memset(&tx, 0, sizeof tx);  // not "= {}": a fiber has a small stack
    tx.head = &head;
    tx.tail = &tail;
    tx.wake_at = &wake_at;
    tx.space_at = &space_at;
    kup_tx_init(&tx, data, kSize, 0, 0, 0, 0);
    memset(&rx, 0, sizeof rx);
    rx.head = &head;
    rx.tail = &tail;
    rx.wake_at = &wake_at;
    rx.space_at = &space_at;
    kup_rx_init(&rx, data, kSize, 0, 0, 0);
  }

  // Returns false if it is full; `*notify`: what publish said.
  bool Put(bool* notify) {
    kup_data_t* payload;
    const int rc = kup_tx_reserve(&tx, 0, &payload);
    RL_ASSERT(rc >= 0);
    if (rc != KUP_RING_OK) return false;
    kup_tx_commit(&tx, 0, 7, 0, tx.seq);
    *notify = kup_tx_publish(&tx) != 0;
    return true;
  }

  // Returns false if it is empty; `*notify`: what flush said.
  bool Take(uint32_t expected, bool* notify) {
    kup_view view;
    const int rc = kup_rx_next(&rx, &view);
    RL_ASSERT(rc >= 0);
    if (rc != KUP_RING_OK) return false;
    RL_ASSERT(view.rec.seq == expected && view.rec.id == expected && view.rec.type == 7);
    RL_ASSERT(kup_rx_release(&rx, view.token) == KUP_RING_OK);
    *notify = kup_rx_flush(&rx) != 0;
    return true;
  }
};

// Three records through two places: publish and consume, release and reuse.
struct FlowTest : rl::test_suite<FlowTest, 2> {
  Ring ring;
  void before() { ring.Init(); }
  void thread(unsigned index) {
    bool notify;
    for (uint32_t n = 0; n < 3; ++n) {
      if (index == 0) {
        while (!ring.Put(&notify)) rl::yield(1, $);
      } else {
        while (!ring.Take(n, &notify)) rl::yield(1, $);
      }
    }
  }
};

// A consumer that goes to sleep while two records are published.
struct WakeTest : rl::test_suite<WakeTest, 2> {
  Ring ring;
  bool notified[2];
  bool slept;
  uint32_t seen;
  void before() {
    ring.Init();
    notified[0] = notified[1] = slept = false;
    seen = 0;
  }
  void thread(unsigned index) {
    if (index == 0) {
      for (bool& n : notified) RL_ASSERT(ring.Put(&n));
      return;
    }
    bool notify;
    while (seen < 2 && !slept) {
      if (ring.Take(seen, &notify)) {
        ++seen;
      } else {
        const int rc = kup_rx_arm(&ring.rx, 0);
        RL_ASSERT(rc >= 0);
        slept = rc == KUP_RING_NONE;
      }
    }
  }
  // The publish that crosses where it sleeps must have said so.
  void after() { RL_ASSERT(!slept || notified[seen]); }
};

// A producer that goes to sleep over a full ring while it is emptied.
struct SpaceTest : rl::test_suite<SpaceTest, 2> {
  Ring ring;
  bool notified[2];
  bool slept;
  void before() {
    ring.Init();
    bool notify;
    RL_ASSERT(ring.Put(&notify));
    RL_ASSERT(ring.Put(&notify));
    notified[0] = notified[1] = slept = false;
  }
  void thread(unsigned index) {
    if (index == 0) {
      bool notify;
      while (!slept && !ring.Put(&notify)) {
        const int rc = kup_tx_arm(&ring.tx, 0);
        RL_ASSERT(rc >= 0);
        slept = rc == KUP_RING_NONE;
      }
      return;
    }
    for (uint32_t n = 0; n < 2; ++n) RL_ASSERT(ring.Take(n, &notified[n]));
  }
  void after() { RL_ASSERT(!slept || notified[0]); }
};

// The owner of a frame buffer goes to sleep, or fills it again, while the peer gives it back.
struct FrameTest : rl::test_suite<FrameTest, 2> {
  kup_half_t done, wanted;
  rl::var<uint64_t> buffer;
  bool notified, slept;
  void before() {
    done($) = 0u;
    wanted($) = 0u;
    buffer($) = 1u;
    notified = slept = false;
  }
  void thread(unsigned index) {
    constexpr uint32_t kUse = 1;
    if (index == 1) {
      RL_ASSERT(buffer($) == 1u);
      notified = kup_frame_give(&done, &wanted, kUse) != 0;
      return;
    }
    bool back = kup_frame_is_back(&done, kUse) != 0;
    if (!back) {
      kup_frame_want(&wanted);
      back = kup_frame_is_back(&done, kUse) != 0;
      slept = !back;
    }
    if (back) buffer($) = 2u;
  }
  void after() { RL_ASSERT(!slept || notified); }
};

// Swallows relacy's reports.  No string stream: relacy replaces operator delete for
// its own bookkeeping, and the library's strings do not take part in that.
struct Sink : std::streambuf {
  int overflow(int c) override { return c; }
};

// True if no execution went wrong.
template <typename Test>
bool Run(rl::scheduler_type_e search, unsigned iterations) {
  rl::test_params params;
  Sink buffer;
  std::ostream sink(&buffer);
  params.output_stream = &sink;
  params.progress_stream = &sink;
  params.iteration_count = iterations;
  params.search_type = search;
  params.execution_depth_limit = 10000;
  return rl::simulate<Test>(params);
}

int failures = 0;

template <typename Test>
void Check(const char* test, const char* name, KupSite site, rl::scheduler_type_e search,
           unsigned iterations) {
  mutant = site;
  const bool ok = Run<Test>(search, iterations);
  const bool expected = site == KUP_SITE_NONE;
  printf("%-6s %-22s %s%s\n", test, name, ok ? "no fault" : "fault found",
         ok == expected ? "" : "   <-- NOT AS EXPECTED");
  if (ok != expected) ++failures;
}

}  // namespace

int main() {
  constexpr auto kRandom = rl::random_scheduler_type;
  constexpr auto kFull = rl::fair_full_search_scheduler_type;
  constexpr unsigned kMany = 200000;
  Check<FlowTest>("flow", "as it is", KUP_SITE_NONE, kRandom, kMany);
  Check<FlowTest>("flow", "relaxed publish", KUP_SITE_PUBLISH, kRandom, kMany);
  Check<FlowTest>("flow", "relaxed head read", KUP_SITE_READ_HEAD, kRandom, kMany);
  Check<FlowTest>("flow", "relaxed release", KUP_SITE_RELEASE, kRandom, kMany);
  Check<FlowTest>("flow", "relaxed tail read", KUP_SITE_READ_TAIL, kRandom, kMany);
  Check<WakeTest>("wake", "as it is", KUP_SITE_NONE, kFull, kMany);
  Check<WakeTest>("wake", "as it is, random", KUP_SITE_NONE, kRandom, kMany);
  Check<WakeTest>("wake", "no fence in publish", KUP_SITE_WAKE_PUB, kRandom, kMany);
  Check<WakeTest>("wake", "no fence in arm", KUP_SITE_WAKE_ARM, kRandom, kMany);
  Check<SpaceTest>("space", "as it is", KUP_SITE_NONE, kFull, kMany);
  Check<SpaceTest>("space", "as it is, random", KUP_SITE_NONE, kRandom, kMany);
  Check<SpaceTest>("space", "no fence in flush", KUP_SITE_SPACE_PUB, kRandom, kMany);
  Check<SpaceTest>("space", "no fence in arm", KUP_SITE_SPACE_ARM, kRandom, kMany);
  Check<FrameTest>("frame", "as it is", KUP_SITE_NONE, kFull, kMany);
  Check<FrameTest>("frame", "as it is, random", KUP_SITE_NONE, kRandom, kMany);
  Check<FrameTest>("frame", "relaxed hand-back", KUP_SITE_FRAME_GIVE, kRandom, kMany);
  Check<FrameTest>("frame", "relaxed look", KUP_SITE_FRAME_TAKE, kRandom, kMany);
  Check<FrameTest>("frame", "no fence in hand-back", KUP_SITE_FRAME_PUB, kRandom, kMany);
  Check<FrameTest>("frame", "no fence in want", KUP_SITE_FRAME_ARM, kRandom, kMany);
  return failures == 0 ? 0 : 1;
}
