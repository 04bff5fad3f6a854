// SPDX-License-Identifier: BSD-3-Clause
//
// kup_generation_test.cc -- Goal: what belongs to one user never reaches the next, and
// who comes and goes is told in the order in which it happened, however attach, detach
// and revoke race.  Both ends in this process, as in kup_test.cc.
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "kup_bridge/kupdev_core.h"
#include "kup_bridge/life_fixture.h"

namespace uwq::kup {
namespace {

// Goal: a reply that was on its way when the user changed does not go to the new one,
// whose calls have the same ids.  Method: the generation changes between the reply's
// call and the moment in which it may post.
TEST_F(KupLife, ReplyThatRacesWithTheNextUserIsStale) {
  Start();
  ASSERT_EQ(kup_request(ch_, 1, 5, "q", 1), 0);
  kup_msg request;
  ASSERT_EQ(kupdev_take(sc_, 0, &request, -1), 0);
  kup_end* end = &sc_->channels[0].end;
  std::atomic<bool> replying{false};
  int rc = 1;
  kup_lock_take(&end->tx_lock);
  std::thread device([&] {
    replying = true;
    rc = kupdev_reply(sc_, 0, &request, 0, "r", 1);
  });
  while (!replying) std::this_thread::yield();
  for (int i = 0; i < 100; ++i) std::this_thread::yield();  // it waits for the lock by now
  const uint32_t before = end->generation;
  end->generation = before + 1;
  kup_lock_drop(&end->tx_lock, 0);
  device.join();
  EXPECT_EQ(rc, -ESTALE);
  end->generation = before;
  EXPECT_EQ(kupdev_reply(sc_, 0, &request, 0, "r", 1), 0);
  EXPECT_EQ(kupdev_give_back(sc_, 0, &request, 1), 0);
}

// Likewise one that was not even taken when its user went: ids begin anew with each user.
TEST_F(KupLife, RequestOfAnEarlierUserIsAnsweredToNobody) {
  Start();
  EXPECT_EQ(kup_call(ch_, 1, "mine", 4, nullptr, 0, 0), -ETIMEDOUT);
  ASSERT_EQ(kup_request(ch_, 1, 5, "too", 3), 0);
  Reattach();
  int answered = 0;
  std::thread user([&] { answered = kup_call(ch_, 1, "next", 4, nullptr, 0, -1); });
  for (const char* text : {"mine", "too"}) {
    kup_msg msg;
    ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
    EXPECT_EQ(std::string(static_cast<const char*>(msg.data), msg.len), text);
    EXPECT_EQ(msg.flags & KUP_REC_REQUEST, 0);
    EXPECT_LT(kupdev_reply(sc_, 0, &msg, 0, "r", 1), 0) << text;
    EXPECT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
  }
  kup_msg msg;
  ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
  EXPECT_EQ(kupdev_reply(sc_, 0, &msg, 0, "right", 5), 0);
  EXPECT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
  user.join();
  EXPECT_EQ(answered, 5);
  EXPECT_EQ(Receive(), "EAGAIN");
}

// Each failure of a reply has its own number, at either end.
TEST_F(KupLife, ReplyTellsWhyItFailed) {
  kupdev_opts opts = {};
  opts.d2u_size = opts.u2d_size = KUP_RING_MIN;
  opts.max_record = 64;
  Start(opts);
  const char data[65] = {};
  kup_msg msg;
  // The device answers the user.
  ASSERT_EQ(kup_request(ch_, 1, 5, "q", 1), 0);
  ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
  EXPECT_EQ(kupdev_reply(sc_, 0, &msg, 0, data, 65), -EMSGSIZE);
  while (kupdev_reply(sc_, 0, &msg, 0, data, 64) == 0) continue;
  EXPECT_EQ(kupdev_reply(sc_, 0, &msg, 0, data, 64), -EAGAIN);
  kup_detach(ch_);
  AwaitEvent(KUPDEV_DETACHED);
  EXPECT_EQ(kupdev_reply(sc_, 0, &msg, 0, data, 1), -EPIPE);
  EXPECT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
  // The user answers the device.
  ASSERT_EQ(kup_attach(dev_, 0, 0, &ch_), 0);
  EXPECT_EQ(Receive(), "EAGAIN") << "replies to the user before";
  const kup_vec question = {"q", 1, 1, KUP_REC_REQUEST, 7};
  ASSERT_EQ(kupdev_post_batch(sc_, 0, &question, 1), 1);
  ASSERT_EQ(kup_receive(ch_, &msg, -1), 0);
  EXPECT_EQ(kup_reply(ch_, &msg, 0, data, 65), -EMSGSIZE);
  ASSERT_EQ(kupdev_unload(sc_), 0);
  sc_ = nullptr;
  EXPECT_EQ(kup_reply(ch_, &msg, 0, data, 1), -ESHUTDOWN);
}

// A user that answers and goes has answered.
TEST_F(KupLife, ReplyOfAUserThatLeavesIsDelivered) {
  Start();
  // Nobody of the device looks into the ring between the reply and the end of the user.
  kup_end* end = &sc_->channels[0].end;
  struct kup_end_call call = {};
  char reply[8] = {};
  call.id = KUP_ID_CALL | 77;
  call.reply = reply;
  call.cap = sizeof reply;
  end->calls = &call;
  const kup_vec question = {"q", 1, 1, KUP_REC_REQUEST, call.id};
  ASSERT_EQ(kupdev_post_batch(sc_, 0, &question, 1), 1);
  kup_msg msg;
  ASSERT_EQ(kup_receive(ch_, &msg, -1), 0);
  ASSERT_EQ(Send("before"), 0);
  ASSERT_EQ(kup_reply(ch_, &msg, 0, "answer", 6), 0);
  ASSERT_EQ(Send("behind"), 0);
  kup_detach(ch_);
  AwaitEvent(KUPDEV_DETACHED);
  const unsigned long flags = kup_lock_take(&end->rx_lock);
  end->calls = nullptr;
  kup_lock_drop(&end->rx_lock, flags);
  EXPECT_EQ(call.done, 1);
  EXPECT_EQ(call.result, 6);
  EXPECT_STREQ(reply, "answer");
  EXPECT_EQ(Take(), "before");
  EXPECT_EQ(Take(), "behind");
  EXPECT_EQ(Take(), "EPIPE");
  ASSERT_EQ(kup_attach(dev_, 0, 0, &ch_), 0);
}

TEST_F(KupLife, ReplyToADeadDevice) {
  Start();
  const kup_vec question = {"q", 1, 1, KUP_REC_REQUEST, 7};
  ASSERT_EQ(kupdev_post_batch(sc_, 0, &question, 1), 1);
  kup_msg msg;
  ASSERT_EQ(kup_receive(ch_, &msg, -1), 0);
  ASSERT_EQ(shutdown(ch_->link->hangup_fd, SHUT_RDWR), 0);  // as its death does
  ch_->hangup_checked_ns = 0;                               // looked at each millisecond
  EXPECT_EQ(kup_reply(ch_, &msg, 0, "r", 1), -EPIPE);
}

// What another thread still sends on the old channel either goes along or is refused.
TEST_F(KupLife, ResendBesideASender) {
  kupdev_opts opts = {};
  opts.d2u_size = opts.u2d_size = 64 * 1024;
  Start(opts);
  kup_chan* old = ch_;
  kup_dev* old_dev = dev_;
  kupdev_softc* old_sc = sc_;
  opts.d2u_size = opts.u2d_size = 1024 * 1024;
  Start(opts);
  std::atomic<int> sent{0};
  std::thread sender([&] {
    while (kup_send(old, 1, "x", 1, 0) == 0) ++sent;
  });
  while (sent < 100) std::this_thread::yield();
  const int resent = kup_resend(old, ch_, 0);
  sender.join();
  EXPECT_EQ(resent, sent);
  EXPECT_NE(kup_send(old, 1, "x", 1, 0), 0);
  kup_close(old_dev);
  kupdev_unload(old_sc);
}

// KUP's turns: what one user asked is not answered to the next.
TEST_F(KupLife, TurnOfAnEarlierUserIsStale) {
  Start();
  const auto ask = [&](const char* text) {
    kupdev_pass(sc_, 0);
    ASSERT_NE(kernproxy_receive(ch_, 0), nullptr);
    ASSERT_EQ(kernproxy_send(ch_, const_cast<char*>(text), 4, 0), 0);
  };
  ask("one");
  void* held = kupdev_receive(sc_, 0);
  ASSERT_STREQ(static_cast<char*>(held), "one");
  Reattach();
  char answer[] = "to one";
  EXPECT_EQ(kupdev_send(sc_, answer, sizeof answer, 0), -ESTALE);
  EXPECT_STREQ(static_cast<char*>(held), "one") << "until it is unlocked";
  kupdev_unlock_channel(sc_, 0);
  EXPECT_EQ(kernproxy_receive(ch_, KP_NB), nullptr) << "nothing reached the new user";
  EXPECT_EQ(kupdev_receive(sc_, 0), nullptr);
  EXPECT_EQ(kupdev_error(sc_, 0), -ENOMSG) << "its turn has just begun";
  ask("two");
  ASSERT_STREQ(static_cast<char*>(kupdev_receive(sc_, 0)), "two");
  Reattach();
  EXPECT_EQ(kupdev_receive(sc_, 0), nullptr) << "receive lets go of it, too";
  EXPECT_EQ(kupdev_error(sc_, 0), -ENOMSG);
  EXPECT_EQ(sc_->channels[0].retired, nullptr);
  char greeting[] = "hello";
  EXPECT_EQ(kupdev_send(sc_, greeting, sizeof greeting, 0), 0);
  EXPECT_STREQ(static_cast<char*>(kernproxy_receive(ch_, 0)), "hello");
}

// A turn that was set aside while the device waited for a reply goes with its user.
TEST_F(KupLife, TurnSetAsideGoesWithItsUser) {
  Start();
  kupdev_pass(sc_, 0);
  ASSERT_NE(kernproxy_receive(ch_, 0), nullptr);
  char text[] = "one";
  ASSERT_EQ(kernproxy_send(ch_, text, sizeof text, 0), 0);
  EXPECT_EQ(kupdev_call(sc_, 0, 1, "q", 1, nullptr, 0, 0), -ETIMEDOUT);
  EXPECT_EQ(Take(), "EAGAIN") << "it is set aside";
  Reattach();
  kupdev_pass(sc_, 0);
  std::thread user([&] {
    ASSERT_NE(kernproxy_receive(ch_, 0), nullptr);
    char two[] = "two";
    ASSERT_EQ(kernproxy_send(ch_, two, sizeof two, 0), 0);
  });
  EXPECT_STREQ(static_cast<char*>(kupdev_receive(sc_, 0)), "two");
  user.join();
}

// News of a user carry its own generation, also when another has begun.
TEST_F(KupLife, RevocationIsToldOfTheUserThatWasRevoked) {
  Start();
  ASSERT_EQ(kupdev_revoke(sc_, 0), 0);
  ASSERT_EQ(kupdev_revoke(sc_, 0), 0) << "of nobody";
  kupdev_event event;
  ASSERT_EQ(kupdev_wait_event(sc_, &event, -1), 0);
  EXPECT_EQ(event.kind, uint32_t{KUPDEV_ATTACHED});
  const uint32_t generation = event.generation;
  ASSERT_EQ(kupdev_wait_event(sc_, &event, -1), 0);
  EXPECT_EQ(event.kind, uint32_t{KUPDEV_DETACHED});
  EXPECT_EQ(event.generation, generation);
  EXPECT_EQ(kupdev_wait_event(sc_, &event, 0), -ETIMEDOUT);
}

// Goal: a channel has one user, and its news are paired and in order, while it is
// revoked again and again.  Method: a second user that is let in shows that the first
// one was revoked; each coming is followed by the same one's going.
TEST_F(KupLife, RevocationsThatRaceWithAttachLeaveOneUser) {
  Start();
  std::atomic<bool> stop{false};
  std::thread revoker([&] {
    while (!stop) ASSERT_EQ(kupdev_revoke(sc_, 0), 0);
  });
  uint32_t came = 0, last = 0;
  for (int round = 0; round < 500; ++round) {
    kup_chan* second = nullptr;
    const int rc = kup_attach(dev_, 0, 0, &second);
    if (rc == 0) {
      EXPECT_NE(kup_state(ch_, nullptr), uint32_t{KUP_STATE_READY}) << "two users";
    } else {
      EXPECT_EQ(rc, -EBUSY) << kup_error_text();
    }
    kup_detach(second);
    kup_detach(ch_);
    ASSERT_EQ(kup_attach(dev_, 0, -1, &ch_), 0) << kup_error_text();
    kupdev_event event;
    while (kupdev_wait_event(sc_, &event, 0) == 0) {
      if (event.kind == KUPDEV_ATTACHED) {
        ASSERT_EQ(came, 0u) << "the one before has not gone";
        ASSERT_GT(event.generation, last);
        came = last = event.generation;
      } else {
        ASSERT_EQ(event.kind, uint32_t{KUPDEV_DETACHED});
        ASSERT_EQ(event.generation, came);
        came = 0;
      }
    }
  }
  stop = true;
  revoker.join();
}

}  // namespace
}  // namespace uwq::kup
