// SPDX-License-Identifier: BSD-3-Clause
//
// kup_test.cc -- kup.h against kupdev.h, both ends in this process (fake:NAME):
// the same code as between processes except for how the socket is connected, and
// visible to the sanitizers as a whole.  KUP's own calls: kernproxy_test.cc.
// Two processes: kup_process_test.cc.
#include "kup_bridge/kup.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kup_bridge/kupdev.h"
#include "kup_bridge/kupdev_core.h"
#include "kup_bridge/life_fixture.h"

namespace {

std::string Text(const kup_msg& msg) {
  return std::string(static_cast<const char*>(msg.data), msg.len);
}

class KupTest : public uwq::kup::KupDevice {
 protected:
  std::string Receive(int timeout_ms = -1) {
    kup_msg msg;
    const int rc = kup_receive(ch_, &msg, timeout_ms);
    if (rc != 0) return "error " + std::to_string(-rc);
    std::string text = Text(msg);
    EXPECT_EQ(kup_release(ch_, &msg, 1), 0);
    return text;
  }
  std::string Take(int timeout_ms = -1) {
    kup_msg msg;
    const int rc = kupdev_take(sc_, 0, &msg, timeout_ms);
    if (rc != 0) return "error " + std::to_string(-rc);
    std::string text = Text(msg);
    EXPECT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
    return text;
  }
  int Post(const std::string& text, uint16_t type = 1) {
    return kupdev_post(sc_, 0, type, text.data(), static_cast<uint32_t>(text.size()));
  }
  int Send(const std::string& text, int timeout_ms = 0) {
    return kup_send(ch_, 1, text.data(), static_cast<uint32_t>(text.size()), timeout_ms);
  }
  static std::string Error(int error) { return "error " + std::to_string(error); }
};

/* ---- bad input: each its own error (issue 5, "Bad input") ------------------------- */

// This program has no bpf: transport linked in, and says so.
TEST_F(KupTest, BpfIsLinkedByThoseWhoWantIt) {
  kup_dev* dev;
  EXPECT_EQ(kup_open("bpf:timer/1000", &dev), -ENOSYS);
  EXPECT_NE(std::string(kup_error_text()).find("//kup_bridge:bpf"), std::string::npos);
}

TEST_F(KupTest, BadNames) {
  kup_dev* dev;
  EXPECT_EQ(kup_open(nullptr, &dev), -EINVAL);
  EXPECT_EQ(kup_open("", &dev), -EINVAL);
  EXPECT_EQ(kup_open("a/b", &dev), -EINVAL);
  EXPECT_EQ(kup_open("odd:name", &dev), -EINVAL);
  EXPECT_EQ(kup_open("sim:", &dev), -EINVAL);
  EXPECT_EQ(kup_open(("sim:" + std::string(64, 'x')).c_str(), &dev), -EINVAL);
  EXPECT_EQ(kup_open("sim:nobody-is-called-that", &dev), -ENOENT);
  EXPECT_NE(std::string(kup_error_text()).find("nobody-is-called-that"), std::string::npos);
  EXPECT_EQ(kup_open("fake:nobody", &dev), -ENOENT);
  EXPECT_EQ(kup_open("no-such-device", &dev), -ENOENT);
  EXPECT_EQ(kup_open("/dev/null", &dev), -EINVAL) << "a device, but none of ours";
  EXPECT_EQ(dev, nullptr);
}

TEST_F(KupTest, BadDeviceOptions) {
  kupdev_softc* sc;
  const std::string name = uwq::kup::UniqueName();
  const auto open = [&](kupdev_opts opts) { return kupdev_open(name.c_str(), &opts, &sc); };
  kupdev_opts opts = {};
  opts.d2u_size = 4096 + 16;
  EXPECT_EQ(open(opts), -EINVAL) << "no power of two";
  opts = {};
  opts.u2d_size = 2048;
  EXPECT_EQ(open(opts), -EINVAL) << "less than a page";
  opts = {};
  opts.max_record = 256 * 1024;
  EXPECT_EQ(open(opts), -EINVAL) << "never fits";
  opts = {};
  opts.n_channels = KUP_CHANNELS_MAX + 1;
  EXPECT_EQ(open(opts), -EINVAL);
  opts = {};
  opts.n_frames_d2u = 1;
  EXPECT_EQ(open(opts), -EINVAL) << "frames of no size";
  opts.frame_size = 100;
  EXPECT_EQ(open(opts), -EINVAL) << "no multiple of the page";
  opts = {};
  EXPECT_EQ(kupdev_open("fake:", &opts, &sc), -EINVAL);
  EXPECT_EQ(kupdev_open(nullptr, &opts, &sc), -EINVAL);
  ASSERT_EQ(open(opts), 0);
  kupdev_softc* second;
  EXPECT_EQ(kupdev_open(name.c_str(), &opts, &second), -EEXIST);
  EXPECT_EQ(kupdev_unload(sc), 0);
}

TEST_F(KupTest, BadChannels) {
  kupdev_opts opts = {};
  opts.n_channels = 2;
  Start(opts);
  kup_chan* other;
  EXPECT_EQ(kup_channels(dev_), 2);
  EXPECT_EQ(kup_attach(dev_, 2, 0, &other), -ECHRNG);
  EXPECT_EQ(kup_attach(dev_, 0, 0, &other), -EBUSY);
  EXPECT_EQ(kup_attach(dev_, 0, 20, &other), -ETIMEDOUT);
  ASSERT_EQ(kup_attach(dev_, KUP_CHAN_ANY, 0, &other), 0);
  kup_geometry geometry;
  kup_geometry_of(other, &geometry);
  EXPECT_EQ(geometry.channel, 1u);
  EXPECT_EQ(kupdev_post(sc_, 2, 1, "", 0), -ECHRNG);
  EXPECT_EQ(kupdev_post(sc_, -1, 1, "", 0), -ECHRNG);
  kup_msg msg;
  EXPECT_EQ(kupdev_take(sc_, 7, &msg, 0), -ECHRNG);
}

TEST_F(KupTest, TakenChannelIsWaitedFor) {
  Start();
  std::thread waiter([&] {
    kup_chan* second;
    ASSERT_EQ(kup_attach(dev_, 0, -1, &second), 0) << kup_error_text();
    kup_detach(second);
  });
  AwaitEvent(KUPDEV_ATTACHED);
  kup_detach(ch_);
  waiter.join();
}

TEST_F(KupTest, OversizedAndFull) {
  kupdev_opts opts = {};
  opts.d2u_size = opts.u2d_size = 4096;
  opts.max_record = 1000;
  Start(opts);
  EXPECT_EQ(Send(std::string(1001, 'x')), -EMSGSIZE);
  EXPECT_EQ(Post(std::string(1001, 'x')), -EMSGSIZE);
  int n = 0;
  while (Send(std::string(900, 'x')) == 0) ++n;
  EXPECT_EQ(n, 4);
  EXPECT_EQ(Send("x", 0), 0) << "a short one still fits";
  EXPECT_EQ(Send(std::string(1000, 'x'), 0), -EAGAIN);
  EXPECT_EQ(Send(std::string(1000, 'x'), 10), -ETIMEDOUT);
}

// A short message that waits for room goes as soon as it fits, whatever longer one has
// waited, too, and given up.
TEST_F(KupTest, ShortSenderIsNotForgottenForALongOne) {
  kupdev_opts opts = {};
  opts.d2u_size = opts.u2d_size = 4096;
  Start(opts);
  const std::string text(16, 'x');
  while (Send(text) == 0) continue;
  std::thread sender([&] { EXPECT_EQ(Send(text, -1), 0) << kup_error_text(); });
  const uint64_t armed = sizeof(kup_rec) + text.size() - 1;  // the tail that suffices, less one
  while (kup_load(&ch_->user_page->u2d_space_at) != armed) std::this_thread::yield();
  EXPECT_EQ(Send(std::string(1000, 'x'), 10), -ETIMEDOUT);
  EXPECT_EQ(Take(), text);
  sender.join();
}

/* ---- messages ------------------------------------------------------------------------ */

TEST_F(KupTest, BothWaysWithLengthsTypesAndIds) {
  Start();
  EXPECT_EQ(Send("to the device"), 0);
  EXPECT_EQ(Take(), "to the device");
  const kup_vec msg = {"abc", 3, 42, 0, 99};
  EXPECT_EQ(kupdev_post_ex(sc_, 0, &msg), 0);
  kup_msg got;
  ASSERT_EQ(kup_receive(ch_, &got, -1), 0);
  EXPECT_EQ(Text(got), "abc");
  EXPECT_EQ(got.type, 42);
  EXPECT_EQ(got.id, 99u);
  EXPECT_EQ(kup_release(ch_, &got, 1), 0);
  EXPECT_EQ(kup_release(ch_, &got, 1), -EINVAL) << "twice";
}

TEST_F(KupTest, ZeroCopySend) {
  Start();
  void* payload;
  ASSERT_EQ(kup_reserve(ch_, 100, &payload), 0);
  memcpy(payload, "in place", 8);
  EXPECT_EQ(kup_commit(ch_, 8, 3, 5), 0);
  ASSERT_EQ(kup_reserve(ch_, 100, &payload), 0);
  kup_abort(ch_);
  ASSERT_EQ(kup_reserve(ch_, 4, &payload), 0);
  EXPECT_EQ(kup_commit(ch_, 5, 3, 5), -EINVAL) << "more than was reserved";
  EXPECT_EQ(Take(), "in place");
  EXPECT_EQ(Take(0), Error(EAGAIN));
  EXPECT_EQ(kup_reserve(ch_, 1u << 30, &payload), -EMSGSIZE);
}

TEST_F(KupTest, BatchesGoTogether) {
  Start();
  const kup_vec msgs[3] = {{"a", 1, 1, 0, 0}, {"b", 1, 1, 0, 0}, {"c", 1, 1, 0, 0}};
  EXPECT_EQ(kup_send_batch(ch_, msgs, 3, 0), 3);
  kup_msg got[8];
  ASSERT_EQ(kupdev_take_batch(sc_, 0, got, 8, -1), 3);
  EXPECT_EQ(Text(got[2]), "c");
  // Out of order, in two goes.
  EXPECT_EQ(kupdev_give_back(sc_, 0, &got[1], 2), 0);
  kup_stats stats;
  kup_get_stats(ch_, &stats);
  EXPECT_EQ(stats.pending, 96u) << "the first is still held";
  EXPECT_EQ(kupdev_give_back(sc_, 0, &got[0], 1), 0);
  kup_get_stats(ch_, &stats);
  EXPECT_EQ(stats.pending, 0u);
}

TEST_F(KupTest, DroppedRecordsAreCountedAndToldInBand) {
  kupdev_opts opts = {};
  opts.d2u_size = opts.u2d_size = 4096;
  opts.max_record = 1000;
  Start(opts);
  int posted = 0;
  while (Post(std::string(1000, 'x')) == 0) ++posted;
  EXPECT_EQ(Post(std::string(1000, 'y')), -EAGAIN);
  kupdev_stats dev_stats;
  ASSERT_EQ(kupdev_get_stats(sc_, 0, &dev_stats), 0);
  EXPECT_EQ(dev_stats.dropped_records, 2u);
  EXPECT_EQ(dev_stats.dropped_bytes, 2000u);
  for (int i = 0; i < posted; ++i) EXPECT_EQ(Receive(), std::string(1000, 'x'));
  EXPECT_EQ(Post("after"), 0);
  kup_msg msg;
  ASSERT_EQ(kup_receive(ch_, &msg, -1), 0);
  ASSERT_EQ(msg.type, KUP_TYPE_LOST);
  kup_lost lost;
  ASSERT_EQ(msg.len, sizeof lost);
  memcpy(&lost, msg.data, sizeof lost);
  EXPECT_EQ(lost.records, 2u);
  EXPECT_EQ(lost.bytes, 2000u);
  EXPECT_EQ(lost.last_seq - lost.first_seq, 1u);
  EXPECT_EQ(kup_release(ch_, &msg, 1), 0);
  EXPECT_EQ(Receive(), "after");
  kup_stats stats;
  kup_get_stats(ch_, &stats);
  EXPECT_EQ(stats.lost, 2u) << "the same by sequence numbers";
  EXPECT_EQ(stats.dev_dropped_records, 2u) << "and by the device's page";
}

// Goal: blocking works at full speed both ways at once; nothing is lost, doubled
// or out of order.  Method: small rings, so that both sides sleep often.
TEST_F(KupTest, DuplexFloodWithSleepingPeers) {
  kupdev_opts opts = {};
  opts.d2u_size = opts.u2d_size = 4096;
  Start(opts);
  constexpr uint32_t kCount = 20000;
  std::thread dev_tx([&] {
    for (uint32_t i = 0; i < kCount; ++i) {
      const kup_vec msg = {&i, sizeof i, 1, 0, 0};
      ASSERT_EQ(kupdev_post_wait(sc_, 0, &msg, -1), 0);
    }
  });
  std::thread dev_rx([&] {
    for (uint32_t i = 0; i < kCount; ++i) {
      kup_msg msg;
      ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
      ASSERT_EQ(memcmp(msg.data, &i, sizeof i), 0);
      ASSERT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
    }
  });
  std::thread user_tx([&] {
    for (uint32_t i = 0; i < kCount; ++i) {
      ASSERT_EQ(kup_send(ch_, 1, &i, sizeof i, -1), 0) << kup_error_text();
    }
  });
  for (uint32_t i = 0; i < kCount; ++i) {
    kup_msg msg;
    ASSERT_EQ(kup_receive(ch_, &msg, -1), 0) << kup_error_text();
    ASSERT_EQ(memcmp(msg.data, &i, sizeof i), 0);
    ASSERT_EQ(kup_release(ch_, &msg, 1), 0);
  }
  dev_tx.join();
  dev_rx.join();
  user_tx.join();
  kup_stats stats;
  kup_get_stats(ch_, &stats);
  EXPECT_EQ(stats.lost, 0u);
}

// Several producers in the device ("many producers in the kernel"), several
// consumers in the user.
TEST_F(KupTest, ManyProducersAndConsumers) {
  Start();
  constexpr uint32_t kThreads = 3, kEach = 3000;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < kEach; ++i) {
        const uint32_t value = t * kEach + i;
        const kup_vec msg = {&value, sizeof value, 1, 0, 0};
        ASSERT_EQ(kupdev_post_wait(sc_, 0, &msg, -1), 0);
      }
    });
  }
  std::vector<uint32_t> seen[2];
  for (auto& mine : seen) {
    threads.emplace_back([&, &mine = mine] {
      kup_msg msg;
      while (kup_receive(ch_, &msg, -1) == 0) {
        uint32_t value;
        memcpy(&value, msg.data, sizeof value);
        ASSERT_EQ(kup_release(ch_, &msg, 1), 0);
        if (msg.type == 2) return;
        mine.push_back(value);
      }
    });
  }
  for (uint32_t t = 0; t < kThreads; ++t) threads[t].join();
  const kup_vec stop = {"stop", 4, 2, 0, 0};
  for (int i = 0; i < 2; ++i) ASSERT_EQ(kupdev_post_wait(sc_, 0, &stop, -1), 0);
  threads[kThreads].join();
  threads[kThreads + 1].join();
  std::vector<uint32_t> all = seen[0];
  all.insert(all.end(), seen[1].begin(), seen[1].end());
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), kThreads * kEach);
  for (uint32_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], i);
}

/* ---- asynchronous: the mode that KUP left open -------------------------------------------- */

bool Readable(int fd, int timeout_ms = 0) {
  pollfd p = {fd, POLLIN, 0};
  return poll(&p, 1, timeout_ms) == 1;
}

TEST_F(KupTest, DescriptorIsReadableExactlyWhenThereIsSomething) {
  Start();
  const int fd = kup_fd(ch_);
  EXPECT_EQ(Receive(0), Error(EAGAIN)) << "arms it";
  EXPECT_FALSE(Readable(fd));
  ASSERT_EQ(Post("a"), 0);
  ASSERT_EQ(Post("b"), 0);
  EXPECT_TRUE(Readable(fd, 10000));
  EXPECT_EQ(Receive(0), "a");
  EXPECT_EQ(Receive(0), "b");
  EXPECT_EQ(Receive(0), Error(EAGAIN));
  EXPECT_FALSE(Readable(fd));
  const int dev_fd = kupdev_fd(sc_, 0);
  EXPECT_EQ(Take(0), Error(EAGAIN));
  EXPECT_FALSE(Readable(dev_fd));
  ASSERT_EQ(Send("c"), 0);
  EXPECT_TRUE(Readable(dev_fd, 10000));
  EXPECT_EQ(Take(0), "c");
}

TEST_F(KupTest, DescriptorTellsTheEndOfTheDevice) {
  Start();
  EXPECT_EQ(Receive(0), Error(EAGAIN));
  ASSERT_EQ(kupdev_unload(sc_), 0);
  sc_ = nullptr;
  EXPECT_TRUE(Readable(kup_fd(ch_), 10000));
  EXPECT_EQ(Receive(-1), Error(ESHUTDOWN));
}

TEST_F(KupTest, PollingNeverArms) {
  Start();
  kup_msg msg;
  EXPECT_EQ(kup_poll(ch_, &msg, 1), 0);
  ASSERT_EQ(Post("a"), 0);
  ASSERT_EQ(kup_poll(ch_, &msg, 1), 1);
  EXPECT_EQ(kup_release(ch_, &msg, 1), 0);
  kupdev_stats stats;
  ASSERT_EQ(kupdev_get_stats(sc_, 0, &stats), 0);
  EXPECT_EQ(stats.signals, 0u);
}

/* ---- requests -------------------------------------------------------------------------------- */

TEST_F(KupTest, CallIsAnsweredByIdAndOtherMessagesAreKept) {
  Start();
  std::thread device([&] {
    kup_msg msg;
    ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
    ASSERT_TRUE(msg.flags & KUP_REC_REQUEST);
    ASSERT_EQ(Post("event 1"), 0);
    ASSERT_EQ(Post("event 2"), 0);
    ASSERT_EQ(kupdev_reply(sc_, 0, &msg, 0, "answer", 6), 0);
    ASSERT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
    ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
    ASSERT_EQ(kupdev_reply(sc_, 0, &msg, 1, nullptr, 0), 0);
    ASSERT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
  });
  char reply[4];
  EXPECT_EQ(kup_call(ch_, 5, "q", 1, reply, sizeof reply, -1), 6) << "its whole length";
  EXPECT_EQ(std::string(reply, 4), "answ");
  EXPECT_TRUE(Readable(kup_fd(ch_))) << "event loops hear of what was set aside";
  EXPECT_EQ(kup_call(ch_, 5, "q", 1, nullptr, 0, -1), -EREMOTEIO);
  device.join();
  EXPECT_EQ(Receive(0), "event 1");
  EXPECT_EQ(Receive(0), "event 2");
}

// Goal: an event loop hears of what comes while another thread waits for something else
// on the channel, and at once.  Method: the loop looks only when the waiter has set the
// message aside and taken the signal off the eventfd that both wait for.
class LoopBesideAWaiter : public KupTest {
 protected:
  static void AwaitSetAside(kup_end* end, int wake_fd, uint32_t count = 1) {
    for (uint32_t n = 0; n < count || Readable(wake_fd); std::this_thread::yield()) {
      const unsigned long flags = kup_lock_take(&end->rx_lock);
      n = end->stash_last - end->stash_first;
      kup_lock_drop(&end->rx_lock, flags);
    }
  }
};

TEST_F(LoopBesideAWaiter, InCall) {
  Start();
  EXPECT_EQ(Receive(0), Error(EAGAIN)) << "arms it";
  std::thread caller([&] { EXPECT_EQ(kup_call(ch_, 5, "q", 1, nullptr, 0, -1), 1); });
  kup_msg msg;
  ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
  for (const char* text : {"one", "two"}) {
    ASSERT_EQ(Post(text), 0);
    AwaitSetAside(&ch_->end, ch_->link->wake_fd);
    EXPECT_TRUE(Readable(kup_fd(ch_)));
    EXPECT_EQ(Receive(0), text);
    EXPECT_EQ(Receive(0), Error(EAGAIN));
    EXPECT_FALSE(Readable(kup_fd(ch_)));
  }
  ASSERT_EQ(kupdev_reply(sc_, 0, &msg, 0, "r", 1), 0);
  ASSERT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
  caller.join();
}

TEST_F(LoopBesideAWaiter, InTurns) {
  Start();
  EXPECT_EQ(Receive(0), Error(EAGAIN)) << "arms it";
  std::thread waiter([&] { EXPECT_NE(kernproxy_receive(ch_, 0), nullptr); });
  ASSERT_EQ(Post("event"), 0);
  AwaitSetAside(&ch_->end, ch_->link->wake_fd);
  EXPECT_TRUE(Readable(kup_fd(ch_)));
  EXPECT_EQ(Receive(0), "event");
  kupdev_pass(sc_, 0);
  waiter.join();
}

// Goal: a call outlasts more messages before its reply than can be held, if they are
// handled meanwhile.  Method: they come when as many are set aside as can be.
TEST_F(LoopBesideAWaiter, HandlesMoreThanCanBeHeld) {
  Start();
  int rc = 0;
  std::thread caller([&] { rc = kup_call(ch_, 5, "q", 1, nullptr, 0, -1); });
  kup_msg msg;
  ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
  for (uint32_t i = 0; i < KUP_WINDOW; ++i) ASSERT_EQ(Post("event"), 0);
  AwaitSetAside(&ch_->end, ch_->link->wake_fd, KUP_WINDOW);
  for (uint32_t i = 0; i < 100; ++i) ASSERT_EQ(Post("event"), 0);
  ASSERT_EQ(kupdev_reply(sc_, 0, &msg, 0, "r", 1), 0);
  ASSERT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
  for (uint32_t i = 0; i < KUP_WINDOW + 100; ++i) ASSERT_EQ(Receive(), "event");
  caller.join();
  EXPECT_EQ(rc, 1);
}

TEST_F(LoopBesideAWaiter, ThatNobodyIs) {
  Start();
  for (uint32_t i = 0; i < KUP_WINDOW; ++i) ASSERT_EQ(Post("event"), 0);
  EXPECT_EQ(kup_call(ch_, 5, "q", 1, nullptr, 0, 5), -ETIMEDOUT);
  EXPECT_EQ(kup_call(ch_, 5, "q", 1, nullptr, 0, -1), -ENOBUFS) << "after a second";
}

TEST_F(LoopBesideAWaiter, OfTheDevice) {
  Start();
  EXPECT_EQ(Take(0), Error(EAGAIN)) << "arms it";
  const int loop = kupdev_fd(sc_, 0);
  std::thread caller([&] { EXPECT_EQ(kupdev_call(sc_, 0, 5, "q", 1, nullptr, 0, -1), 1); });
  kup_msg msg;
  ASSERT_EQ(kup_receive(ch_, &msg, -1), 0);
  ASSERT_EQ(Send("event"), 0);
  AwaitSetAside(&sc_->channels[0].end, ch_->link->signal_fd);
  EXPECT_TRUE(Readable(loop));
  EXPECT_EQ(Take(0), "event");
  ASSERT_EQ(kup_reply(ch_, &msg, 0, "r", 1), 0);
  ASSERT_EQ(kup_release(ch_, &msg, 1), 0);
  caller.join();
}

TEST_F(KupTest, CallTimesOutAndTheLateReplyIsDropped) {
  Start();
  EXPECT_EQ(kup_call(ch_, 5, "q", 1, nullptr, 0, 5), -ETIMEDOUT);
  kup_msg msg;
  ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
  ASSERT_EQ(kupdev_reply(sc_, 0, &msg, 0, "late", 4), 0);
  ASSERT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
  ASSERT_EQ(Post("next"), 0);
  EXPECT_EQ(Receive(), "next");
  kup_stats stats;
  kup_get_stats(ch_, &stats);
  EXPECT_EQ(stats.late_replies, 1u);
}

TEST_F(KupTest, RequestsWithoutWaiting) {
  Start();
  EXPECT_EQ(kup_request(ch_, 5, KUP_ID_CALL | 1, "q", 1), -EINVAL);
  for (uint32_t id = 1; id <= 3; ++id) ASSERT_EQ(kup_request(ch_, 5, id, "q", 1), 0);
  kup_msg msgs[3];
  ASSERT_EQ(kupdev_take_batch(sc_, 0, msgs, 3, -1), 3);
  for (int i = 2; i >= 0; --i) ASSERT_EQ(kupdev_reply(sc_, 0, &msgs[i], 0, "r", 1), 0);
  ASSERT_EQ(kupdev_give_back(sc_, 0, msgs, 3), 0);
  for (uint32_t id = 3; id >= 1; --id) {
    kup_msg msg;
    ASSERT_EQ(kup_receive(ch_, &msg, -1), 0);
    EXPECT_TRUE(msg.flags & KUP_REC_REPLY);
    EXPECT_EQ(msg.id, id);
    EXPECT_EQ(kup_release(ch_, &msg, 1), 0);
  }
}

// "A request from the kernel that user code answers by id."
TEST_F(KupTest, DeviceAsksTheUser) {
  Start();
  std::thread user([&] {
    kup_msg msg;
    ASSERT_EQ(kup_receive(ch_, &msg, -1), 0);
    ASSERT_EQ(Text(msg), "question");
    ASSERT_EQ(kup_reply(ch_, &msg, 0, "42", 2), 0);
    ASSERT_EQ(kup_release(ch_, &msg, 1), 0);
  });
  char reply[8];
  EXPECT_EQ(kupdev_call(sc_, 0, 9, "question", 8, reply, sizeof reply, -1), 2);
  EXPECT_EQ(std::string(reply, 2), "42");
  user.join();
}

TEST_F(KupTest, CallsFromSeveralThreadsGetTheirOwnReplies) {
  Start();
  std::thread device([&] {
    for (int i = 0; i < 300; ++i) {
      kup_msg msg;
      ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
      ASSERT_EQ(kupdev_reply(sc_, 0, &msg, 0, msg.data, msg.len), 0);
      ASSERT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
    }
  });
  std::vector<std::thread> users;
  for (uint32_t t = 0; t < 3; ++t) {
    users.emplace_back([&, t] {
      for (uint32_t i = 0; i < 100; ++i) {
        const uint32_t question = t * 1000 + i;
        uint32_t answer = 0;
        ASSERT_EQ(kup_call(ch_, 1, &question, sizeof question, &answer, sizeof answer, -1), 4);
        ASSERT_EQ(answer, question);
      }
    });
  }
  for (std::thread& user : users) user.join();
  device.join();
}

TEST_F(KupTest, PendingCallEndsWithTheDevice) {
  Start();
  std::thread device([&] {
    kup_msg msg;
    ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
    ASSERT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
    ASSERT_EQ(kupdev_unload(sc_), 0);
  });
  EXPECT_EQ(kup_call(ch_, 1, "q", 1, nullptr, 0, -1), -ESHUTDOWN);
  device.join();
  sc_ = nullptr;
}

}  // namespace
