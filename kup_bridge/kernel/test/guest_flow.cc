// SPDX-License-Identifier: BSD-3-Clause
//
// guest_flow.cc -- messages, frames, words and turns between the kernel and kup.h,
// and how fast they go.  The numbers are of a machine in software emulation: fit to
// be compared with each other, and with nothing else.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "kup_bridge/kernel/test/guest.h"

namespace guest {
namespace {

double PerSecond(uint64_t n, int64_t ns) {
  return static_cast<double>(n) * 1e9 / static_cast<double>(ns);
}

// Takes `count` messages; `spin`: never sleeps.  Checks their numbers if `numbered`.
bool Drain(kup_chan* ch, uint64_t count, bool spin, bool numbered) {
  kup_msg msgs[64];
  for (uint64_t got = 0; got < count;) {
    const int n = spin ? kup_poll(ch, msgs, 64) : kup_receive_batch(ch, msgs, 64, 10000);
    if (n < 0) return false;
    for (int i = 0; i < n; ++i) {
      kup_test_stamp stamp;
      memcpy(&stamp, msgs[i].data, sizeof stamp);
      if (numbered && stamp.number != got + static_cast<uint64_t>(i)) return false;
    }
    if (n > 0 && kup_release(ch, msgs, n) != 0) return false;
    got += static_cast<uint64_t>(n);
  }
  return true;
}

void Flood(uint32_t len, uint64_t count, bool spin, uint32_t batch, int64_t spin_ns) {
  Channel ch(1);
  EXPECT_IS(ch.error(), 0);
  kup_set_spin(ch.get(), spin_ns);
  const int64_t begin = NowNs();
  EXPECT_IS(Ask(KUP_TEST_FLOOD, 1, count, len, 0, batch).rc, 0);
  EXPECT(Drain(ch.get(), count, spin, batch == 0));
  const int64_t ns = NowNs() - begin;
  const kup_test_answer end = Ask(KUP_TEST_WAIT, 1);
  EXPECT_IS(end.rc, 0);
  EXPECT_IS(end.value[0], count);
  kup_stats stats;
  kup_get_stats(ch.get(), &stats);
  EXPECT_IS(stats.lost, 0);
  Remark("%.0f messages/s of %u bytes", PerSecond(count, ns), len);
  Remark("%.0f MB/s", PerSecond(count * len, ns) / 1e6);
  Remark("%llu sleeps", static_cast<unsigned long long>(stats.sleeps));
}

KUP_SCENARIO(FloodPolling, "flow.d2u.poll", "a kernel thread floods, the user polls") {
  Flood(64, Rounds(300000), true, 0, 0);
}
KUP_SCENARIO(FloodBatches, "flow.d2u.batch", "the kernel publishes 32 at a time") {
  Flood(64, Rounds(300000), true, 32, 0);
}
KUP_SCENARIO(FloodBlocking, "flow.d2u.block", "the user sleeps when it has caught up") {
  Flood(64, Rounds(100000), false, 0, 0);
}
KUP_SCENARIO(FloodLarge, "flow.d2u.4k", "messages of 4 KiB") {
  Flood(4096, Rounds(30000), true, 0, 0);
}

KUP_SCENARIO(Sink, "flow.u2d", "the user floods, a kernel thread checks each number") {
  const uint64_t count = Rounds(200000);
  Channel ch(1);
  EXPECT_IS(ch.error(), 0);
  EXPECT_IS(Ask(KUP_TEST_SINK, 1, count).rc, 0);
  const int64_t begin = NowNs();
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t payload[8] = {i};
    EXPECT_IS(kup_send(ch.get(), KUP_TEST_MESSAGE, payload, sizeof payload, 10000), 0);
  }
  const kup_test_answer end = Ask(KUP_TEST_WAIT, 1);
  EXPECT_IS(end.rc, 0);
  EXPECT_IS(end.value[0], count);
  Remark("%.0f messages/s", PerSecond(count, NowNs() - begin));
}

KUP_SCENARIO(PingPong, "flow.pingpong", "to a kernel thread and back, both sleeping") {
  const uint64_t count = Rounds(2000);
  Channel ch(1);
  EXPECT_IS(ch.error(), 0);
  EXPECT_IS(Ask(KUP_TEST_ECHO, 1, count).rc, 0);
  std::vector<int64_t> ns;
  for (uint64_t i = 0; i < count; ++i) {
    kup_msg msg;
    const int64_t begin = NowNs();
    EXPECT_IS(kup_send(ch.get(), KUP_TEST_MESSAGE, &i, sizeof i, 1000), 0);
    EXPECT_IS(kup_receive(ch.get(), &msg, 10000), 0);
    ns.push_back(NowNs() - begin);
    uint64_t back;
    memcpy(&back, msg.data, sizeof back);
    EXPECT_IS(back, i);
    EXPECT_IS(kup_release(ch.get(), &msg, 1), 0);
  }
  EXPECT_IS(Ask(KUP_TEST_WAIT, 1).rc, 0);
  std::sort(ns.begin(), ns.end());
  Remark("round trip p50 %.1f us", static_cast<double>(ns[ns.size() / 2]) / 1e3);
}

// The same guest's socket pair between two processes, to compare with.
KUP_SCENARIO(PingPongPeer, "flow.pingpong.socketpair", "the anchor: a socket pair, two processes") {
  int pair[2];
  EXPECT_IS(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    char buffer[64];
    close(pair[0]);
    while (read(pair[1], buffer, sizeof buffer) > 0 && write(pair[1], buffer, 8) == 8) {
    }
    _exit(0);
  }
  close(pair[1]);
  std::vector<int64_t> ns;
  for (uint64_t i = 0; i < Rounds(2000); ++i) {
    uint64_t back;
    const int64_t begin = NowNs();
    EXPECT_IS(write(pair[0], &i, sizeof i), 8);
    EXPECT_IS(read(pair[0], &back, sizeof back), 8);
    ns.push_back(NowNs() - begin);
  }
  close(pair[0]);
  std::sort(ns.begin(), ns.end());
  Remark("round trip p50 %.1f us", static_cast<double>(ns[ns.size() / 2]) / 1e3);
}

void TickLatency(bool spin) {
  const uint64_t count = Rounds(2000);
  Channel ch(1);
  EXPECT_IS(ch.error(), 0);
  kup_set_spin(ch.get(), 0);
  EXPECT_IS(Ask(KUP_TEST_TICK, 1, count, 64, 200000).rc, 0);
  std::vector<int64_t> ns;
  while (ns.size() < count) {
    kup_msg msg;
    const int n = spin ? kup_poll(ch.get(), &msg, 1) : kup_receive(ch.get(), &msg, 10000) + 1;
    if (n == 0) continue;
    EXPECT_IS(n, 1);
    kup_test_stamp stamp;
    memcpy(&stamp, msg.data, sizeof stamp);
    ns.push_back(NowNs() - static_cast<int64_t>(stamp.ns));
    EXPECT_IS(stamp.context, 2);
    EXPECT_IS(stamp.number, ns.size() - 1);
    EXPECT_IS(kup_release(ch.get(), &msg, 1), 0);
  }
  EXPECT_IS(Ask(KUP_TEST_WAIT, 1).rc, 0);
  std::sort(ns.begin(), ns.end());
  Remark("interrupt to user p50 %.1f us, p90 %.1f us", static_cast<double>(ns[count / 2]) / 1e3,
         static_cast<double>(ns[count * 9 / 10]) / 1e3);
}

KUP_SCENARIO(TickPolling, "flow.hardirq.poll", "a hard interrupt posts, the user polls") {
  TickLatency(true);
}
KUP_SCENARIO(TickBlocking, "flow.hardirq.block", "a hard interrupt posts and wakes the user") {
  TickLatency(false);
}

// Nothing is lost without being told: received + told as lost = posted.
KUP_SCENARIO(Mix, "flow.producers",
             "two hard-irq, two softirq and two thread producers on one channel") {
  const uint64_t each = Rounds(4000), all = each * KUP_TEST_PRODUCERS;
  Channel ch(2);
  EXPECT_IS(ch.error(), 0);
  EXPECT_IS(Ask(KUP_TEST_MIX, 2, each, 64, 50000).rc, 0);
  std::map<uint32_t, uint64_t> next, contexts;
  uint64_t got = 0, lost = 0;
  // What is dropped at the very end is told by the next message only, so the
  // device's own count ends the loop, not a sum.
  kup_test_answer end = {};
  bool ended = false;
  for (;;) {
    kup_msg msg;
    const int rc = kup_receive(ch.get(), &msg, ended ? 0 : 200);
    if (rc == -ETIMEDOUT || (rc == -EAGAIN && !ended)) {
      end = Ask(KUP_TEST_WAIT, 2);
      EXPECT_IS(end.rc, 0);
      ended = true;
      continue;
    }
    if (rc == -EAGAIN) break;
    EXPECT_IS(rc, 0);
    if (msg.type == KUP_TYPE_LOST) {
      kup_lost told;
      memcpy(&told, msg.data, sizeof told);
      lost += told.records;
    } else {
      kup_test_stamp stamp;
      memcpy(&stamp, msg.data, sizeof stamp);
      EXPECT(stamp.number >= next[stamp.producer]);
      next[stamp.producer] = stamp.number + 1;
      ++contexts[stamp.context];
      ++got;
    }
    EXPECT_IS(kup_release(ch.get(), &msg, 1), 0);
  }
  EXPECT_IS(end.value[0], all);
  EXPECT_IS(got + end.value[2], all);
  EXPECT(lost <= end.value[2]);
  EXPECT_IS(contexts.size(), 3);
  Remark("%llu received, %llu dropped and counted", static_cast<unsigned long long>(got),
         static_cast<unsigned long long>(end.value[2]));
}

KUP_SCENARIO(Questions, "flow.call", "the kernel asks, the user answers by id") {
  const uint64_t count = Rounds(500);
  Channel ch(3);
  EXPECT_IS(ch.error(), 0);
  EXPECT_IS(Ask(KUP_TEST_ASK, 3, count).rc, 0);
  for (uint64_t i = 0; i < count; ++i) {
    kup_msg msg;
    EXPECT_IS(kup_receive(ch.get(), &msg, 10000), 0);
    EXPECT_IS(msg.type, KUP_TEST_QUESTION);
    uint64_t number;
    memcpy(&number, msg.data, sizeof number);
    ++number;
    EXPECT_IS(kup_reply(ch.get(), &msg, 0, &number, sizeof number), 0);
    EXPECT_IS(kup_release(ch.get(), &msg, 1), 0);
  }
  EXPECT_IS(Ask(KUP_TEST_WAIT, 3).rc, 0);
}

KUP_SCENARIO(Turns, "flow.turns", "KUP's own calls at both ends: kernproxy_* and kupdev_*") {
  const uint64_t count = Rounds(300);
  void* handle = kernproxy_open("ktest");
  EXPECT(handle != nullptr);
  void* channel = kernproxy_channel(handle, 4, 0);
  EXPECT(channel != nullptr);
  EXPECT_IS(Ask(KUP_TEST_TURNS, 4, count).rc, 0);
  for (uint64_t i = 0; i < count; ++i) {
    void* data = kernproxy_receive(channel, 0);
    EXPECT(data != nullptr);
    uint64_t number;
    memcpy(&number, data, sizeof number);
    EXPECT_IS(number, i);
    ++number;
    EXPECT_IS(kernproxy_send(channel, &number, sizeof number, 0), 0);
  }
  EXPECT_IS(Ask(KUP_TEST_WAIT, 4).rc, 0);
  kernproxy_close(handle);
}

KUP_SCENARIO(Frames, "flow.frames", "buffers of 64 KiB handed over without a copy") {
  const uint64_t count = Rounds(200);
  Channel ch(5);
  EXPECT_IS(ch.error(), 0);
  EXPECT_IS(Ask(KUP_TEST_FRAMES, 5, count).rc, 0);
  for (uint64_t i = 0; i < count; ++i) {
    kup_msg msg;
    kup_frame frame;
    EXPECT_IS(kup_receive(ch.get(), &msg, 10000), 0);
    EXPECT_IS(kup_frame_open(ch.get(), &msg, &frame), 0);
    EXPECT_IS(frame.len, KUP_TEST_FRAME_SIZE);
    const uint8_t* bytes = static_cast<const uint8_t*>(frame.data);
    EXPECT(bytes[0] == (i & 255) && bytes[frame.len - 1] == (i & 255));
    EXPECT_IS(kup_frame_return(ch.get(), &frame), 0);
    EXPECT_IS(kup_release(ch.get(), &msg, 1), 0);
  }
  EXPECT_IS(Ask(KUP_TEST_WAIT, 5).rc, 0);
}

KUP_SCENARIO(Words, "flow.words", "parameters to the kernel, counters from it, an observer") {
  Channel ch(6);
  EXPECT_IS(ch.error(), 0);
  EXPECT_IS(kup_param_set(ch.get(), 7, 0x1122334455667788), 0);
  kup_test_answer answer = Ask(KUP_TEST_PARAM, 6, 0, 7);
  EXPECT_IS(answer.value[0], 0x1122334455667788);
  EXPECT_IS(Ask(KUP_TEST_COUNTERS, 6, 41).rc, 0);
  uint64_t values[KUP_COUNTERS_PER_GROUP];
  EXPECT_IS(kup_counters_get(ch.get(), 1, values, KUP_COUNTERS_PER_GROUP), 0);
  EXPECT_IS(values[0] + values[14], 82);
  kup_observer* observer;
  EXPECT_IS(kup_observe("ktest", 6, &observer), 0);
  EXPECT_IS(Ask(KUP_TEST_COUNTERS, 6, 43).rc, 0);
  EXPECT_IS(kup_observer_counters(observer, 1, values, 1), 0);
  EXPECT_IS(values[0], 43);
  kup_unobserve(observer);
}

}  // namespace
}  // namespace guest
