// SPDX-License-Identifier: BSD-3-Clause
//
// kup_observer_test.cc -- Goal: an observer sees what passes by, intact or not at all,
// is told when there is nothing more to see, and disturbs nobody.  Device, user and
// observer in this process, as in kup_test.cc.
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "kup_bridge/kupdev_core.h"
#include "kup_bridge/life_fixture.h"

namespace uwq::kup {
namespace {

using KupObserver = KupLife;

TEST_F(KupObserver, ObserversSeeEverythingAndDisturbNobody) {
  Start();
  kup_observer* observer;
  ASSERT_EQ(kup_observe(name_.c_str(), 0, &observer), 0) << kup_error_text();
  ASSERT_EQ(Post("first"), 0);
  ASSERT_EQ(Post("second"), 0);
  kup_rec rec;
  char text[16] = {};
  ASSERT_EQ(kup_observer_next(observer, &rec, text, sizeof text), 1);
  EXPECT_EQ(std::string(text, rec.len), "first");
  EXPECT_EQ(Receive(), "first") << "the user still gets it";
  EXPECT_EQ(Receive(), "second");
  ASSERT_EQ(kup_observer_next(observer, &rec, text, sizeof text), 1);
  EXPECT_EQ(std::string(text, rec.len), "second");
  EXPECT_EQ(kup_observer_next(observer, &rec, text, sizeof text), 0);
  const uint64_t value = 5;
  ASSERT_EQ(kupdev_counters_set(sc_, 0, 0, &value, 1), 0);
  uint64_t seen = 0;
  EXPECT_EQ(kup_observer_counters(observer, 0, &seen, 1), 0);
  EXPECT_EQ(seen, 5u);
  kup_stats stats;
  kup_observer_stats(observer, &stats);
  EXPECT_EQ(stats.dev_records, 2u);
  EXPECT_EQ(stats.state, uint32_t{KUP_STATE_READY});
  kup_unobserve(observer);
  EXPECT_EQ(kup_observe(name_.c_str(), 5, &observer), -ECHRNG);
}

// A channel moves to other memory with each user, and its counters with it.
TEST_F(KupObserver, ObserversAreToldThatTheChannelGoesOnElsewhere) {
  Start();
  kup_observer* observer;
  ASSERT_EQ(kup_observe(name_.c_str(), 0, &observer), 0) << kup_error_text();
  const uint64_t values[] = {5, 6};
  ASSERT_EQ(kupdev_counters_set(sc_, 0, 3, values, 2), 0);
  ASSERT_EQ(Post("unseen"), 0);
  kup_rec rec;
  char text[16] = {};
  kup_detach(ch_);
  AwaitEvent(KUPDEV_DETACHED);
  ASSERT_EQ(kup_observer_next(observer, &rec, text, sizeof text), 1);
  EXPECT_EQ(kup_observer_next(observer, &rec, text, sizeof text), 0) << "nobody is there";
  ASSERT_EQ(kup_attach(dev_, 0, 0, &ch_), 0) << kup_error_text();
  EXPECT_EQ(kup_observer_next(observer, &rec, text, sizeof text), -ENODEV);
  kup_unobserve(observer);
  ASSERT_EQ(kup_observe(name_.c_str(), 0, &observer), 0) << kup_error_text();
  ASSERT_EQ(kup_observer_next(observer, &rec, text, sizeof text), 1);
  EXPECT_EQ(std::string(text, rec.len), "unseen");
  uint64_t seen[2] = {};
  EXPECT_EQ(kup_observer_counters(observer, 3, seen, 2), 0);
  EXPECT_EQ(seen[1], 6u);
  ASSERT_EQ(kupdev_revoke(sc_, 0), 0);
  EXPECT_EQ(kup_observer_next(observer, &rec, text, sizeof text), -ENODEV);
  kup_unobserve(observer);
  ASSERT_EQ(kup_observe(name_.c_str(), 0, &observer), 0) << kup_error_text();
  EXPECT_EQ(kup_observer_counters(observer, 3, seen, 2), 0);
  EXPECT_EQ(seen[0], 5u);
  ASSERT_EQ(kupdev_unload(sc_), 0);
  sc_ = nullptr;
  ASSERT_EQ(kup_observer_next(observer, &rec, text, sizeof text), 1) << "what was carried over";
  EXPECT_EQ(kup_observer_next(observer, &rec, text, sizeof text), -ESHUTDOWN);
  kup_unobserve(observer);
}

TEST_F(KupObserver, ObserverDoesNotStartInsideARecord) {
  Start();
  uint64_t* floor = &sc_->channels[0].mem->dev->d2u_floor;
  *floor += 8;  // a device that lies just then
  kup_observer* observer;
  ASSERT_EQ(kup_observe(name_.c_str(), 0, &observer), 0) << kup_error_text();
  *floor -= 8;
  ASSERT_EQ(Post("whole"), 0);
  kup_rec rec;
  char text[16] = {};
  ASSERT_EQ(kup_observer_next(observer, &rec, text, sizeof text), 1);
  EXPECT_EQ(std::string(text, rec.len), "whole");
  kup_unobserve(observer);
}

// An observer that is overtaken skips; what it does get is intact.
TEST_F(KupObserver, ObserverThatIsOvertakenSkips) {
  kupdev_opts opts = {};
  opts.d2u_size = opts.u2d_size = 4096;
  Start(opts);
  kup_observer* observer;
  ASSERT_EQ(kup_observe(name_.c_str(), 0, &observer), 0);
  std::thread user([&] {
    kup_msg msg;
    while (kup_receive(ch_, &msg, -1) == 0) {
      const bool last = msg.type == 2;
      kup_release(ch_, &msg, 1);
      if (last) return;
    }
  });
  std::thread device([&] {
    for (uint32_t i = 0; i < 20000; ++i) {
      std::vector<uint32_t> words(1 + i % 50, i);
      const kup_vec msg = {words.data(), static_cast<uint32_t>(words.size() * 4), 1, 0, 0};
      ASSERT_EQ(kupdev_post_wait(sc_, 0, &msg, -1), 0);
    }
    const kup_vec stop = {nullptr, 0, 2, 0, 0};
    ASSERT_EQ(kupdev_post_wait(sc_, 0, &stop, -1), 0);
  });
  kup_rec rec = {};
  uint32_t words[64], last_seq = 0, got = 0;
  while (rec.type != 2) {
    const int rc = kup_observer_next(observer, &rec, words, sizeof words);
    if (rc == 0 || rc == -EAGAIN) continue;
    ASSERT_EQ(rc, 1) << kup_error_text();
    if (rec.type == 2) break;
    ASSERT_TRUE(got == 0 || rec.seq > last_seq);
    last_seq = rec.seq;
    ++got;
    ASSERT_EQ(rec.len, (1 + rec.seq % 50) * 4);
    for (uint32_t i = 0; i < rec.len / 4; ++i) ASSERT_EQ(words[i], rec.seq);
  }
  user.join();
  device.join();
  kup_unobserve(observer);
}

}  // namespace
}  // namespace uwq::kup
