// SPDX-License-Identifier: BSD-3-Clause
//
// kup_life_test.cc -- control page, frames; users that come and go; shutdown,
// revocation, poison.  Both ends in this process, as in kup_test.cc.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "kup_bridge/kupdev_core.h"
#include "kup_bridge/life_fixture.h"

namespace uwq::kup {
namespace {

/* ---- control page ---------------------------------------------------------------- */

TEST_F(KupLife, ParametersReachTheDeviceWithoutAMessage) {
  kupdev_opts opts = {};
  opts.n_params = 100;
  Start(opts);
  EXPECT_EQ(kup_param_set(ch_, 99, 0x0123456789abcdefu), 0);
  EXPECT_EQ(kupdev_param(sc_, 0, 99), 0x0123456789abcdefu);
  EXPECT_EQ(kup_param_get(ch_, 99), 0x0123456789abcdefu);
  EXPECT_EQ(kup_param_set(ch_, 100, 1), -EINVAL);
  EXPECT_EQ(kupdev_param(sc_, 0, 100), 0u);
}

// Goal: a reader never sees half an update.  Method: all counters of a group are
// equal in every update; a writer updates without a pause.
TEST_F(KupLife, CountersAreNeverTorn) {
  kupdev_opts opts = {};
  opts.n_groups = 3;
  Start(opts);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t i = 0; !stop.load(); ++i) {
      const std::vector<uint64_t> values(KUP_COUNTERS_PER_GROUP, i);
      ASSERT_EQ(kupdev_counters_set(sc_, 0, 2, values.data(), KUP_COUNTERS_PER_GROUP), 0);
    }
  });
  int good = 0;
  while (good < 20000) {
    uint64_t values[KUP_COUNTERS_PER_GROUP];
    const int rc = kup_counters_get(ch_, 2, values, KUP_COUNTERS_PER_GROUP);
    if (rc == -EAGAIN) continue;
    ASSERT_EQ(rc, 0);
    for (uint64_t value : values) ASSERT_EQ(value, values[0]);
    ++good;
  }
  stop = true;
  writer.join();
  uint64_t value;
  EXPECT_EQ(kup_counters_get(ch_, 3, &value, 1), -EINVAL);
  EXPECT_EQ(kup_counters_get(ch_, 0, &value, 16), -EINVAL);
  EXPECT_EQ(kupdev_counters_set(sc_, 0, 0, &value, 16), -EINVAL);
}

// A device that holds the sequence odd for ever must not hang its reader.
TEST_F(KupLife, CountersThatNeverStandStillAreGivenUp) {
  kup_counters group = {};
  group.seq = 7;
  uint64_t value;
  EXPECT_EQ(ReadCounters(&group, &value, 1), -EAGAIN);
}

/* ---- frames ----------------------------------------------------------------------- */

TEST_F(KupLife, FramesMoveWithoutACopyBothWays) {
  Start(FrameOpts());
  kup_frame out;
  ASSERT_EQ(kupdev_frame_get(sc_, 0, &out, 0), 0);
  memset(out.data, 0x5a, out.size);
  ASSERT_EQ(kupdev_frame_send(sc_, 0, &out, 7, out.size, 1234), 0);
  kup_msg msg;
  ASSERT_EQ(kup_receive(ch_, &msg, -1), 0);
  EXPECT_EQ(msg.type, 7);
  kup_frame in;
  ASSERT_EQ(kup_frame_open(ch_, &msg, &in), 0);
  EXPECT_EQ(in.len, 64u * 1024);
  EXPECT_EQ(in.cookie, 1234u);
  EXPECT_EQ(static_cast<uint8_t*>(in.data)[in.len - 1], 0x5a);
  EXPECT_EQ(kup_release(ch_, &msg, 1), 0);
  EXPECT_EQ(kup_frame_return(ch_, &in), 0);

  ASSERT_EQ(kup_frame_get(ch_, &out, 0), 0);
  memset(out.data, 0x33, out.size);
  ASSERT_EQ(kup_frame_send(ch_, &out, 8, 100, 0), 0);
  ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
  ASSERT_EQ(kupdev_frame_open(sc_, 0, &msg, &in), 0);
  EXPECT_EQ(in.len, 100u);
  EXPECT_EQ(static_cast<uint8_t*>(in.data)[99], 0x33);
  EXPECT_EQ(kupdev_frame_return(sc_, 0, &in), 0);
  EXPECT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
}

TEST_F(KupLife, FramePoolRunsOutAndComesBack) {
  Start(FrameOpts());
  kup_frame a, b, c;
  ASSERT_EQ(kupdev_frame_get(sc_, 0, &a, 0), 0);
  ASSERT_EQ(kupdev_frame_get(sc_, 0, &b, 0), 0);
  EXPECT_NE(a.index, b.index);
  EXPECT_EQ(kupdev_frame_get(sc_, 0, &c, 0), -EAGAIN);
  EXPECT_EQ(kupdev_frame_get(sc_, 0, &c, 5), -ETIMEDOUT);
  EXPECT_EQ(kupdev_frame_send(sc_, 0, &a, 7, a.size + 1, 0), -EMSGSIZE);
  ASSERT_EQ(kupdev_frame_drop(sc_, 0, &b), 0);
  EXPECT_EQ(kupdev_frame_drop(sc_, 0, &b), -EINVAL) << "twice";
  ASSERT_EQ(kupdev_frame_get(sc_, 0, &b, 0), 0);
  ASSERT_EQ(kupdev_frame_send(sc_, 0, &a, 7, 1, 0), 0);
  std::thread waiter([&] { ASSERT_EQ(kupdev_frame_get(sc_, 0, &c, -1), 0); });
  kup_msg msg;
  kup_frame in;
  ASSERT_EQ(kup_receive(ch_, &msg, -1), 0);
  ASSERT_EQ(kup_frame_open(ch_, &msg, &in), 0);
  EXPECT_EQ(kup_release(ch_, &msg, 1), 0);
  ASSERT_EQ(kup_frame_return(ch_, &in), 0);
  waiter.join();
  EXPECT_EQ(c.index, a.index);
}

// A thread that waits for a frame has told the peer so.
class FrameWaiter : public KupLife {
 protected:
  void Start() { KupLife::Start(FrameOpts()); }
  void TakeBoth() {
    ASSERT_EQ(kupdev_frame_get(sc_, 0, &a_, 0), 0);
    ASSERT_EQ(kupdev_frame_get(sc_, 0, &b_, 0), 0);
  }
  void Wait() {
    waiter_ = std::thread([&] { EXPECT_EQ(kupdev_frame_get(sc_, 0, &got_, -1), 0); });
    while (kup_load(&sc_->channels[0].mem->dev->frame_wait) == 0) std::this_thread::yield();
  }
  kup_frame a_, b_, got_;
  std::thread waiter_;
};

TEST_F(FrameWaiter, GetsOneThatIsDropped) {
  Start();
  TakeBoth();
  Wait();
  EXPECT_EQ(kupdev_frame_drop(sc_, 0, &b_), 0);
  waiter_.join();
  EXPECT_EQ(got_.index, b_.index);
}

// Another thread takes the first one that comes back, before the peer has looked whether
// anybody waits.
TEST_F(FrameWaiter, IsNotForgottenWhenAnotherIsServed) {
  Start();
  TakeBoth();
  ASSERT_EQ(kupdev_frame_send(sc_, 0, &a_, 7, 1, 0), 0);
  ASSERT_EQ(kupdev_frame_send(sc_, 0, &b_, 7, 1, 0), 0);
  Wait();
  kup_msg msgs[2];
  kup_frame in[2], other;
  ASSERT_EQ(kup_receive_batch(ch_, msgs, 2, -1), 2);
  for (int i : {0, 1}) ASSERT_EQ(kup_frame_open(ch_, &msgs[i], &in[i]), 0);
  kup_store_release(&ch_->user_page->frame_done[in[0].index], in[0].use, KUP_SITE_FRAME_GIVE);
  EXPECT_EQ(kupdev_frame_get(sc_, 0, &other, 0), 0);
  EXPECT_EQ(kup_frame_return(ch_, &in[1]), 0);
  waiter_.join();
  EXPECT_EQ(got_.index, b_.index);
  EXPECT_EQ(kup_release(ch_, msgs, 2), 0);
}

TEST_F(KupLife, ForgedFrameDescriptorsPoison) {
  const kup_frame_desc kBad[] = {
      {2, 1, 1, 0}, {0xffffffffu, 1, 1, 0}, {0, 1, 64 * 1024 + 1, 0}, {0, 0, 1, 0}};
  for (const kup_frame_desc& desc : kBad) {
    Start(FrameOpts());
    const kup_vec msg = {&desc, sizeof desc, 7, KUP_REC_FRAME, 0};
    ASSERT_EQ(kup_send_batch(ch_, &msg, 1, 0), 1);
    kup_msg got;
    kup_frame frame;
    ASSERT_EQ(kupdev_take(sc_, 0, &got, -1), 0);
    EXPECT_EQ(kupdev_frame_open(sc_, 0, &got, &frame), -EBADMSG);
    EXPECT_EQ(AwaitEvent(KUPDEV_POISONED), uint32_t{KUP_BAD_FRAME});
    EXPECT_EQ(Receive(nullptr, -1), "EBADMSG") << "the user is told";
    TearDown();
    sc_ = nullptr;
    dev_ = nullptr;
  }
}

// The device may be filling a buffer when the user goes: its memory stays until it
// has found out.
TEST_F(KupLife, FramesOfAnEarlierUserAreStale) {
  Start(FrameOpts());
  kup_frame sent, dropped, revoked;
  ASSERT_EQ(kupdev_frame_get(sc_, 0, &sent, 0), 0);
  ASSERT_EQ(kupdev_frame_get(sc_, 0, &dropped, 0), 0);
  Reattach();
  ASSERT_EQ(kupdev_frame_get(sc_, 0, &revoked, 0), 0);
  ASSERT_EQ(kupdev_revoke(sc_, 0), 0);
  for (const kup_frame* frame : {&sent, &dropped, &revoked}) memset(frame->data, 1, frame->size);
  EXPECT_EQ(kupdev_frame_send(sc_, 0, &sent, 7, 1, 0), -ESTALE);
  EXPECT_EQ(kupdev_frame_drop(sc_, 0, &sent), -ESTALE) << "twice";
  memset(dropped.data, 2, dropped.size);
  EXPECT_EQ(kupdev_frame_drop(sc_, 0, &dropped), -ESTALE);
  EXPECT_EQ(kupdev_frame_send(sc_, 0, &revoked, 7, 1, 0), -ESTALE);
  EXPECT_EQ(sc_->channels[0].retired, nullptr) << "and goes then";
}

/* ---- users come and go ---------------------------------------------------------------- */

// Goal: what one user did not release goes to the next, marked; what it released
// does not ("nothing acknowledged is lost or seen twice").
TEST_F(KupLife, UnreleasedMessagesGoToTheNextUser) {
  Start();
  ASSERT_EQ(Post("one"), 0);
  ASSERT_EQ(Post("two"), 0);
  ASSERT_EQ(Post("three"), 0);
  uint16_t flags;
  EXPECT_EQ(Receive(&flags), "one");
  EXPECT_EQ(flags & KUP_REC_REDELIVERED, 0);
  kup_msg held;
  ASSERT_EQ(kup_receive(ch_, &held, 0), 0);  // "two" was seen, but not released
  Reattach();
  EXPECT_EQ(Receive(&flags), "two");
  EXPECT_NE(flags & KUP_REC_REDELIVERED, 0);
  EXPECT_EQ(Receive(&flags), "three");
  EXPECT_EQ(Receive(), "EAGAIN");
  kup_stats stats;
  kup_get_stats(ch_, &stats);
  EXPECT_EQ(stats.generation, 3u) << "one at creation, one per user";
  EXPECT_EQ(stats.lost, 0u);
}

TEST_F(KupLife, WhatADepartedUserSentIsStillTaken) {
  Start();
  ASSERT_EQ(Send("first"), 0);
  ASSERT_EQ(Send("second"), 0);
  kup_detach(ch_);
  AwaitEvent(KUPDEV_DETACHED);
  EXPECT_EQ(Take(), "first");
  ASSERT_EQ(kup_attach(dev_, 0, 0, &ch_), 0);
  ASSERT_EQ(Send("third"), 0);
  EXPECT_EQ(Take(), "second");
  EXPECT_EQ(Take(), "third");
  EXPECT_EQ(Take(), "EAGAIN");
  kupdev_stats stats;
  ASSERT_EQ(kupdev_get_stats(sc_, 0, &stats), 0);
  EXPECT_EQ(stats.lost_in, 0u);
}

TEST_F(KupLife, DeviceLearnsThatTheUserIsGone) {
  Start();
  ASSERT_EQ(Send("last words"), 0);
  kup_detach(ch_);
  EXPECT_EQ(Take(-1), "last words");
  EXPECT_EQ(Take(-1), "EPIPE");
  EXPECT_EQ(kupdev_call(sc_, 0, 1, "q", 1, nullptr, 0, -1), -EPIPE);
  EXPECT_EQ(Post("for the next"), 0);
  ASSERT_EQ(kup_attach(dev_, 0, 1000, &ch_), 0);
}

TEST_F(KupLife, MessagesHeldAcrossGenerationsStayValid) {
  Start();
  ASSERT_EQ(Send("held"), 0);
  ASSERT_EQ(Send("too"), 0);
  kup_msg held, other;
  ASSERT_EQ(kupdev_take(sc_, 0, &held, -1), 0);
  ASSERT_EQ(kupdev_take(sc_, 0, &other, -1), 0);
  Reattach();
  Reattach();
  EXPECT_EQ(kupdev_give_back(sc_, 0, &other, 1), 0);
  EXPECT_EQ(kupdev_give_back(sc_, 0, &other, 1), -EINVAL) << "while another is held";
  EXPECT_EQ(std::string(static_cast<const char*>(held.data), held.len), "held");
  EXPECT_EQ(kupdev_give_back(sc_, 0, &held, 1), 0);
  EXPECT_EQ(kupdev_give_back(sc_, 0, &held, 1), -EINVAL) << "twice";
}

TEST_F(KupLife, ReplyToAnEarlierUserIsStale) {
  Start();
  ASSERT_EQ(kup_request(ch_, 1, 5, "q", 1), 0);
  kup_msg request;
  ASSERT_EQ(kupdev_take(sc_, 0, &request, -1), 0);
  Reattach();
  EXPECT_EQ(kupdev_reply(sc_, 0, &request, 0, "r", 1), -ESTALE);
  EXPECT_EQ(kupdev_give_back(sc_, 0, &request, 1), 0);
  EXPECT_EQ(Receive(), "EAGAIN");
}

// The old user keeps its mapping and scribbles: the new one is not reached.
TEST_F(KupLife, OldMappingCannotReachTheNextUser) {
  Start();
  const Link& link = *ch_->link;
  void* old = mmap(nullptr, link.user.len, PROT_READ | PROT_WRITE, MAP_SHARED, link.user.fd, 0);
  ASSERT_NE(old, MAP_FAILED);
  const size_t len = link.user.len;
  Reattach();
  memset(old, 0xff, len);
  ASSERT_EQ(Post("a"), 0);
  EXPECT_EQ(Receive(), "a");
  ASSERT_EQ(Send("b"), 0);
  EXPECT_EQ(Take(), "b");
  munmap(old, len);
}

TEST_F(KupLife, ForgedTailOfADepartedUserLosesOnlyItsOwn) {
  Start();
  ASSERT_EQ(Post(std::string(100, 'x')), 0);
  ASSERT_EQ(Post("two"), 0);
  ch_->user_page->d2u_tail = 32;  // aligned, in range, and in the middle of a record
  Reattach();
  EXPECT_EQ(Receive(), "EAGAIN") << "nothing that starts inside a record is handed on";
  ASSERT_EQ(Post("fresh"), 0);
  EXPECT_EQ(Receive(), "fresh");
}

/* ---- the end, in its forms ---------------------------------------------------------------- */

TEST_F(KupLife, ShutdownDrainsFirst) {
  Start();
  ASSERT_EQ(Post("last"), 0);
  ASSERT_EQ(kupdev_unload(sc_), 0);
  sc_ = nullptr;
  EXPECT_EQ(Receive(), "last");
  EXPECT_EQ(Receive(nullptr, -1), "ESHUTDOWN");
  EXPECT_EQ(Send("x"), -ESHUTDOWN);
  kup_chan* other;
  EXPECT_NE(kup_attach(dev_, 0, 0, &other), 0);
}

TEST_F(KupLife, UnloadEndsEveryWaitingCall) {
  kupdev_opts opts = FrameOpts();
  opts.d2u_size = opts.u2d_size = 4096;
  Start(opts);
  AwaitEvent(KUPDEV_ATTACHED);
  while (Post(std::string(1000, 'x')) == 0) {
  }
  kup_frame frame;
  while (kupdev_frame_get(sc_, 0, &frame, 0) == 0) {
  }
  std::vector<std::thread> waiters;
  waiters.emplace_back([&] {
    kup_msg msg;
    EXPECT_EQ(kupdev_take(sc_, 0, &msg, -1), -ESHUTDOWN);
  });
  waiters.emplace_back([&] {
    const std::string text(1000, 'x');
    const kup_vec msg = {text.data(), 1000, 1, 0, 0};
    EXPECT_EQ(kupdev_post_wait(sc_, 0, &msg, -1), -ESHUTDOWN);
  });
  waiters.emplace_back([&] { EXPECT_EQ(kupdev_wait_channel(sc_), -ESHUTDOWN); });
  waiters.emplace_back([&] {
    kup_frame f;
    EXPECT_EQ(kupdev_frame_get(sc_, 0, &f, -1), -ESHUTDOWN);
  });
  // They have all gone to sleep once the statistics say so; the two that are not
  // counted there are caught by kup_enter whether asleep or not.
  kupdev_stats stats;
  do {
    ASSERT_EQ(kupdev_get_stats(sc_, 0, &stats), 0);
    std::this_thread::yield();
  } while (stats.sleeps == 0 || stats.waiting < 4);
  ASSERT_EQ(kupdev_unload(sc_), 0);
  sc_ = nullptr;
  for (std::thread& t : waiters) t.join();
}

TEST_F(KupLife, RevocationWakesTheUserAndLateWritesGoNowhere) {
  Start();
  ASSERT_EQ(Send("dropped"), 0);
  std::thread user([&] { EXPECT_EQ(Receive(nullptr, -1), "ENODEV"); });
  AwaitEvent(KUPDEV_ATTACHED);
  ASSERT_EQ(kupdev_revoke(sc_, 0), 0);
  user.join();
  EXPECT_EQ(Send("x"), -ENODEV);
  int alive;
  EXPECT_EQ(kup_state(ch_, &alive), uint32_t{KUP_STATE_REVOKED});
  // Writes into the old memory: no signal, no effect.
  memset(ch_->map_u2d.data(), 0xff, ch_->map_u2d.size());
  ch_->user_page->u2d_head = uint64_t{1} << 40;
  EXPECT_EQ(kup_param_set(ch_, 0, 77), 0);
  EXPECT_EQ(kupdev_param(sc_, 0, 0), 0u);
  EXPECT_EQ(Take(), "EPIPE");
  kup_chan* next;
  ASSERT_EQ(kup_attach(dev_, 0, 1000, &next), 0) << kup_error_text();
  EXPECT_EQ(kup_resend(ch_, next, 0), 0);
  kup_detach(ch_);
  ch_ = next;
  ASSERT_EQ(Send("works"), 0);
  EXPECT_EQ(Take(-1), "works");
}

TEST_F(KupLife, PoisonedChannelReportsAndOthersGoOn) {
  kupdev_opts opts = {};
  opts.n_channels = 2;
  Start(opts);
  kup_chan* other;
  ASSERT_EQ(kup_attach(dev_, 1, 0, &other), 0);
  ch_->user_page->u2d_head = 8;
  EXPECT_EQ(Take(), "EBADMSG");
  EXPECT_EQ(AwaitEvent(KUPDEV_POISONED), uint32_t{KUP_BAD_HEAD_ALIGN});
  EXPECT_EQ(Post("x"), -EBADMSG);
  EXPECT_EQ(Receive(nullptr, -1), "EBADMSG");
  EXPECT_EQ(Send("x"), -EBADMSG);
  EXPECT_NE(std::string(kup_error_text()).find("poisoned"), std::string::npos);
  kup_stats stats;
  kup_get_stats(ch_, &stats);
  EXPECT_EQ(stats.state, uint32_t{KUP_STATE_POISONED});
  ASSERT_EQ(kup_send(other, 1, "fine", 4, 0), 0);
  kup_msg msg;
  ASSERT_EQ(kupdev_take(sc_, 1, &msg, -1), 0);
  EXPECT_EQ(kupdev_give_back(sc_, 1, &msg, 1), 0);
  Reattach();  // and the next user of the poisoned one is fine
  ASSERT_EQ(Send("fine"), 0);
  EXPECT_EQ(Take(), "fine");
}

// A second turn that nobody can have passed would fill what is set aside, little by little.
TEST_F(KupLife, TurnsOutOfTurnPoison) {
  Start();
  const kup_vec turn = {"t", 1, KUP_TYPE_TURN, 0, 0};
  ASSERT_EQ(kup_send_batch(ch_, &turn, 1, 0), 1);
  ASSERT_EQ(Send("a"), 0);
  EXPECT_EQ(Take(), "a") << "one may be waiting";
  Reattach();
  ASSERT_EQ(kup_send_batch(ch_, &turn, 1, 0), 1);
  ASSERT_EQ(Send("b"), 0);
  EXPECT_EQ(Take(), "b") << "and one of the next user";
  ASSERT_EQ(kup_send_batch(ch_, &turn, 1, 0), 1);
  EXPECT_EQ(Take(), "EBADMSG");
  EXPECT_EQ(AwaitEvent(KUPDEV_POISONED), uint32_t{KUP_BAD_TURN});
}

// Goal: a channel is poisoned once, though both directions find a reason at once.
// Method: the two find theirs in two threads that start together, again and again.
TEST_F(KupLife, BothDirectionsPoisonOnce) {
  Start();
  AwaitEvent(KUPDEV_ATTACHED);
  for (int round = 0; round < 200; ++round) {
    ch_->user_page->u2d_head += 8;
    ch_->user_page->d2u_tail += 8;
    std::atomic<int> ready{0};
    const auto meet = [&ready] {
      for (++ready; ready < 2;) continue;
    };
    std::thread poster([&] {
      meet();
      std::string big(128 * 1024 - 16, 'x');
      while (Post(big) == 0) continue;
    });
    meet();
    EXPECT_EQ(Take(), "EBADMSG");
    poster.join();
    kupdev_event event;
    ASSERT_EQ(kupdev_wait_event(sc_, &event, 0), 0);
    EXPECT_EQ(event.kind, uint32_t{KUPDEV_POISONED});
    EXPECT_EQ(ch_->dev_page->error, event.bad);
    EXPECT_EQ(ch_->dev_page->error_pos % 16, 8u);
    ASSERT_EQ(kupdev_wait_event(sc_, &event, 0), -ETIMEDOUT) << "poisoned twice";
    Reattach();
    AwaitEvent(KUPDEV_ATTACHED);
  }
}

TEST_F(KupLife, UserGenerationAndStateAreChecked) {
  Start();
  ch_->user_page->generation = 999;
  EXPECT_EQ(Take(), "EBADMSG");
  EXPECT_EQ(AwaitEvent(KUPDEV_POISONED), uint32_t{KUP_BAD_GENERATION});
  Reattach();
  ch_->user_page->state = 12345;
  EXPECT_EQ(Take(), "EBADMSG");
  EXPECT_EQ(AwaitEvent(KUPDEV_POISONED), uint32_t{KUP_BAD_STATE});
}

// The flags of an eventfd that both hold, and its counter, are the user's to change.
TEST_F(KupLife, EventFdsOfAHostileUserBlockNobody) {
  Start();
  const int wake_user = ch_->link->wake_fd, wake_device = ch_->link->signal_fd;
  for (int fd : {wake_user, wake_device}) ASSERT_EQ(fcntl(fd, F_SETFL, O_RDWR), 0);
  EXPECT_EQ(Take(), "EAGAIN");
  EXPECT_EQ(Receive(), "EAGAIN") << "armed";
  const uint64_t max = ~uint64_t{1};
  ASSERT_EQ(write(wake_user, &max, sizeof max), 8);
  ASSERT_EQ(Post("x"), 0) << "with a signal";
  EXPECT_EQ(Receive(nullptr, -1), "x");
  ASSERT_EQ(write(wake_device, &max, sizeof max), 8);
  ASSERT_EQ(Send("y"), 0);
  EXPECT_EQ(Take(-1), "y");
}

/* ---- protection, geometry -------------------------------------------------------------------- */

TEST_F(KupLife, DeviceRegionCannotBeMappedForWriting) {
  Start();
  const Link& link = *ch_->link;
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, link.dev.fd, 0), MAP_FAILED);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(mprotect(ch_->map_dev.data(), 4096, PROT_READ | PROT_WRITE), -1) << "no upgrade";
  EXPECT_EQ(ftruncate(link.user.fd, 0), -1) << "nor can pages be taken away";
}

TEST_F(KupLife, GeometryFromAHostileDeviceIsRefused) {
  Start(FrameOpts());
  const kup_dev_page good = *ch_->dev_page;
  const Link& link = *ch_->link;
  kup_geometry g;
  uint32_t d2u, u2d;
  ASSERT_TRUE(ReadGeometry(&good, link, &g, &d2u, &u2d).ok());
  const auto refused = [&](auto change) {
    kup_dev_page page = good;
    change(&page);
    return !ReadGeometry(&page, link, &g, &d2u, &u2d).ok();
  };
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->magic = 0; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->abi_major = 2; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->header_len = 8; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->generation += 1; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->d2u_size = 3 << 16; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->d2u_size = 1u << 31; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->d2u_size *= 2; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->u2d_size *= 2; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->d2u_off = 0; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->d2u_off += 4096; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->d2u_off = 0xfffff000u; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->u2d_off += 1; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->max_record = 0xffffffffu; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->n_params = 0xffffffffu; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->n_groups = 1000; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->n_frames_d2u = 3; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->n_frames_u2d = 65; }));
  EXPECT_TRUE(refused([](kup_dev_page* p) { p->frame_size = 1u << 31; }));
}

}  // namespace
}  // namespace uwq::kup
