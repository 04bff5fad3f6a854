// SPDX-License-Identifier: BSD-3-Clause
//
// kup_bpf_test.cc -- bpf:SOURCE: messages of the running kernel, no module.
//
// Where the machine does not permit BPF each test checks that kup_open says so, and
// in which words; a process that gave up its rights checks the same everywhere.
#include "kup_bridge/kup_bpf.h"

#include <grp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kup_bridge/bridge.h"
#include "kup_bridge/channel.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/test_peer.h"

namespace uwq::kup {

namespace {

// 0: permitted.  1: not, and well said.  2: not, and badly said.
int SaysWhyNot(int rc) {
  if (rc == 0) return 0;
  const std::string text = kup_error_text();
  printf("kup_open: %d: %s\n", rc, text.c_str());
  const bool said = (rc == -EACCES && text.find("BPF is not permitted here") != text.npos &&
                     text.find("CAP_BPF") != text.npos) ||
                    (rc == -ENOSYS && text.find("loading the BPF program") != text.npos);
  return said ? 1 : 2;
}

kup_bpf_event EventOf(const kup_msg& msg) {
  kup_bpf_event event = {};
  EXPECT_EQ(msg.len, sizeof event);
  memcpy(&event, msg.data, std::min<size_t>(msg.len, sizeof event));
  return event;
}

class KupBpf : public testing::Test {
 protected:
  // False: not permitted here, and that was said as it should be.
  bool Open(const std::string& name) {
    name_ = name;
    const int rc = kup_open(name.c_str(), &dev_);
    const int why = SaysWhyNot(rc);
    EXPECT_LT(why, 2) << rc;
    if (why != 0) return false;
    EXPECT_EQ(kup_attach(dev_, 0, 0, &ch_), 0) << kup_error_text();
    return ch_ != nullptr;
  }
  void TearDown() override { kup_close(dev_); }

  kup_msg Receive() {
    kup_msg msg = {};
    EXPECT_EQ(kup_receive(ch_, &msg, 30000), 0) << kup_error_text();
    return msg;
  }
  void Release(const kup_msg& msg) { EXPECT_EQ(kup_release(ch_, &msg, 1), 0); }

  std::string name_;
  kup_dev* dev_ = nullptr;
  kup_chan* ch_ = nullptr;
};

// The two ways: our layout, written by the BPF program; BPF's own ring buffer.
class BothWays : public KupBpf, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(KupBpf, BothWays, testing::Values("", "?ringbuf"),
                         [](const auto& info) { return *info.param ? "Ringbuf" : "OwnLayout"; });

// Goal: what the kernel posts arrives, each once, in order, whatever the batch.
TEST_P(BothWays, RunIsExact) {
  if (!Open(std::string("bpf:run") + GetParam())) return;
  for (uint32_t batch : {1u, 7u, 64u}) {
    ASSERT_EQ(kup_bpf_run(ch_, 1000, batch), 0);
    for (uint64_t left = 1000; left > 0; --left) {
      const kup_msg msg = Receive();
      ASSERT_EQ(msg.type, KUP_BPF_RUN);
      ASSERT_EQ(EventOf(msg).value[0], left);
      ASSERT_EQ(EventOf(msg).pid, static_cast<uint32_t>(getpid()));
      Release(msg);
    }
    kup_msg msg;
    EXPECT_EQ(kup_receive(ch_, &msg, 0), -EAGAIN);
  }
  kup_stats stats;
  kup_get_stats(ch_, &stats);
  EXPECT_EQ(stats.received, 3000u);
  EXPECT_EQ(stats.dev_records, 3000u);
  EXPECT_EQ(stats.lost + stats.dev_dropped_records, 0u);
  EXPECT_EQ(kup_bpf_run(ch_, 1, 0), -EINVAL);
  EXPECT_EQ(kup_bpf_run(ch_, 1, 65), -EINVAL);
}

// A kernel timer, its messages waited for; none comes early.
TEST_P(BothWays, Timer) {
  if (!Open(std::string("bpf:timer/500") + GetParam())) return;
  uint64_t last = 0;
  for (uint64_t n = 1; n <= 20; ++n) {
    const kup_msg msg = Receive();
    const kup_bpf_event event = EventOf(msg);
    EXPECT_EQ(msg.type, KUP_BPF_TIMER);
    EXPECT_EQ(event.value[0], n);
    if (last != 0) {
      EXPECT_GE(event.time_ns - last, 500000u);
    }
    last = event.time_ns;
    Release(msg);
  }
}

// Goal: from an interrupt to a thread that sleeps in less than a millisecond.  Method: one
// time in four at least, since the machine may have other things to do; the median is told.
TEST_P(BothWays, InterruptToUserInLessThanAMillisecond) {
  if (!Open(std::string("bpf:timer/1000") + GetParam())) return;
  std::vector<int64_t> ns;
  while (ns.size() < 50) {
    const kup_msg msg = Receive();
    const int64_t now = base::Now();
    if (msg.type == KUP_BPF_TIMER) ns.push_back(now - static_cast<int64_t>(EventOf(msg).time_ns));
    Release(msg);
  }
  std::sort(ns.begin(), ns.end());
  EXPECT_GE(ns.front(), 0);
  const int64_t quarter = ns[ns.size() / 4];
  EXPECT_LT(quarter, base::kMillisecond);
  printf("interrupt to user: fastest %.1f us, a quarter %.1f us, median %.1f us\n",
         static_cast<double>(ns.front()) / 1e3, static_cast<double>(quarter) / 1e3,
         static_cast<double>(ns[ns.size() / 2]) / 1e3);
}

// Clock interrupts of perf, on whatever CPU.
TEST_P(BothWays, PerfEvent) {
  if (!Open(std::string("bpf:perf/cpu-clock/200000") + GetParam())) return;
  for (int i = 0; i < 20; ++i) {
    const kup_msg msg = Receive();
    if (msg.type != KUP_TYPE_LOST) {  // CPUs that fire at once: one gives up, and that is told
      EXPECT_EQ(msg.type, KUP_BPF_PERF);
      EXPECT_EQ(EventOf(msg).value[0], 200000u);
    }
    Release(msg);
  }
}

// Waiting for it is what makes it fire.
TEST_P(BothWays, TracePoint) {
  if (!Open(std::string("bpf:trace/sched_switch") + GetParam())) return;
  bool ours = false;
  for (int i = 0; i < 20 || !ours; ++i) {
    const kup_msg msg = Receive();
    if (msg.type != KUP_TYPE_LOST) {
      EXPECT_EQ(msg.type, KUP_BPF_TRACE);
      ours |= EventOf(msg).pid == static_cast<uint32_t>(getpid());
    }
    Release(msg);
  }
}

// kup_fd: quiet, readable after a message, quiet again after -EAGAIN.
TEST_P(BothWays, EventLoop) {
  if (!Open(std::string("bpf:run") + GetParam())) return;
  kup_msg msg;
  EXPECT_EQ(kup_receive(ch_, &msg, 0), -EAGAIN);
  pollfd fd = {kup_fd(ch_), POLLIN, 0};
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(poll(&fd, 1, 0), 0);
    ASSERT_EQ(kup_bpf_run(ch_, 2, 2), 0);
    EXPECT_EQ(poll(&fd, 1, 30000), 1);
    for (int i = 0; i < 2; ++i) Release(Receive());
    EXPECT_EQ(kup_receive(ch_, &msg, 0), -EAGAIN);
  }
}

// A thread that sleeps in kup_receive is woken by the BPF program.
TEST_P(BothWays, SleeperIsWoken) {
  if (!Open(std::string("bpf:run") + GetParam())) return;
  std::thread kernel([&] {
    kup_stats stats;
    do {
      kup_get_stats(ch_, &stats);
    } while (stats.sleeps == 0);
    EXPECT_EQ(kup_bpf_run(ch_, 1, 1), 0);
  });
  Release(Receive());
  kernel.join();
}

// Messages of the kernel become work items.
TEST_P(BothWays, Bridge) {
  if (!Open(std::string("bpf:run") + GetParam())) return;
  kup_close(std::exchange(dev_, nullptr));
  auto wq = *Workqueue::CreateOrdered("kernel");
  auto bridge = Bridge::Open(std::string("bpf:timer/1000") + GetParam(), 0);
  ASSERT_TRUE(bridge.ok()) << bridge.status();
  base::Mutex mutex;
  base::CondVar changed;
  uint64_t seen = 0;
  ASSERT_TRUE((*bridge)
                  ->OnEvent(KUP_BPF_TIMER, *wq,
                            [&](const Event& event) {
                              base::MutexLock lock(&mutex);
                              seen += event.count;
                              changed.NotifyAll();
                            })
                  .ok());
  ASSERT_TRUE((*bridge)->Start().ok());
  {
    base::MutexLock lock(&mutex);
    while (seen < 10) changed.Wait(&mutex);
  }
  bridge->reset();
}

// Goal: a full ring loses the newest, and every loss is counted and told in band.
TEST_F(KupBpf, FullRingIsCountedAndToldInBand) {
  if (!Open("bpf:run")) return;
  constexpr uint64_t kSent = 40000;  // more than twice the ring
  ASSERT_EQ(kup_bpf_run(ch_, kSent, 64), 0);
  ASSERT_EQ(kup_bpf_run(ch_, 0, 1), 0);
  uint64_t got = 0, told = 0, rounds = 0;
  kup_stats stats;
  // Two records more after the drain, so that the second sees the loss told.
  for (; rounds < 3; ++rounds) {
    kup_msg msg;
    while (kup_receive(ch_, &msg, 0) == 0) {
      if (msg.type == KUP_TYPE_LOST) {
        kup_lost lost;
        memcpy(&lost, msg.data, sizeof lost);
        told += lost.records;
        EXPECT_EQ(lost.bytes, lost.records * sizeof(kup_bpf_event));
        EXPECT_EQ(lost.last_seq - lost.first_seq + 1, lost.records);
      } else {
        ++got;
      }
      Release(msg);
    }
    ASSERT_EQ(kup_bpf_run(ch_, 1, 1), 0);
  }
  kup_get_stats(ch_, &stats);
  EXPECT_GT(told, 0u);
  EXPECT_EQ(told, stats.dev_dropped_records);
  EXPECT_EQ(stats.lost, told);
  EXPECT_EQ(got + told, kSent + rounds - 1);  // the last one was not received
}

// Laps of a ring that the producer sees once: records of two sizes, so that they
// meet its end at different places.
TEST_F(KupBpf, ManyLaps) {
  if (!Open("bpf:run")) return;
  uint64_t got = 0, told = 0;
  for (int round = 0; round < 8; ++round) {
    ASSERT_EQ(kup_bpf_run(ch_, 20000, 13), 0);  // a LOST record each time
    kup_msg msgs[64];
    int n;
    while ((n = kup_receive_batch(ch_, msgs, 64, 0)) > 0) {
      for (int i = 0; i < n; ++i) {
        if (msgs[i].type == KUP_TYPE_LOST) {
          kup_lost lost;
          memcpy(&lost, msgs[i].data, sizeof lost);
          told += lost.records;
        } else {
          ASSERT_EQ(msgs[i].type, KUP_BPF_RUN);
          ++got;
        }
      }
      ASSERT_EQ(kup_release(ch_, msgs, n), 0);
    }
    ASSERT_EQ(n, -EAGAIN) << kup_error_text();
  }
  kup_stats stats;
  kup_get_stats(ch_, &stats);
  EXPECT_EQ(got + stats.dev_dropped_records, 160000u);
  EXPECT_LE(told, stats.dev_dropped_records);
  EXPECT_GT(told, 0u);
}

// The BPF program checks the user's tail as any device does.
TEST_F(KupBpf, ForgedTailPoisons) {
  for (const uint64_t forged : {uint64_t{7}, uint64_t{1} << 40, ~uint64_t{15}}) {
    if (!Open("bpf:run")) return;
    kup_store(&ch_->user_page->d2u_tail, forged);
    ASSERT_EQ(kup_bpf_run(ch_, 20000, 64), 0);
    int rc;
    kup_msg msg;
    while ((rc = kup_receive(ch_, &msg, 0)) == 0) continue;
    while (rc == -ENOBUFS) {  // 256 are held: the state is seen by a call that looks
      int alive;
      rc = kup_state(ch_, &alive) == KUP_STATE_POISONED ? -EBADMSG : -ENOBUFS;
    }
    EXPECT_EQ(rc, -EBADMSG);
    EXPECT_TRUE(kup_load(&ch_->dev_page->error) == KUP_BAD_TAIL_ALIGN ||
                kup_load(&ch_->dev_page->error) == KUP_BAD_TAIL_RANGE);
    kup_close(std::exchange(dev_, nullptr));
  }
}

TEST_F(KupBpf, BadAddresses) {
  if (!Open("bpf:run")) return;
  kup_dev* dev;
  for (const char* name :
       {"bpf:", "bpf:what", "bpf:run/1", "bpf:timer", "bpf:timer/", "bpf:timer/0", "bpf:timer/x",
        "bpf:timer/1/2", "bpf:perf/cpu-clock", "bpf:perf/cpu-clock/0", "bpf:perf/nothing/1",
        "bpf:trace", "bpf:trace/", "bpf:run?what"}) {
    EXPECT_EQ(kup_open(name, &dev), -EINVAL) << name;
    EXPECT_NE(std::string(kup_error_text()).find(name), std::string::npos) << kup_error_text();
  }
  ASSERT_EQ(kup_open("bpf:trace/no_such_trace_point", &dev), 0);
  kup_chan* ch;
  EXPECT_EQ(kup_attach(dev, 0, 0, &ch), -ENOENT) << kup_error_text();
  EXPECT_NE(std::string(kup_error_text()).find("no_such_trace_point"), std::string::npos);
  kup_close(dev);
}

TEST_F(KupBpf, WhatItCannotDoSaysSo) {
  if (!Open("bpf:run")) return;
  kup_chan* second;
  EXPECT_EQ(kup_attach(dev_, 0, 0, &second), -EBUSY);
  EXPECT_EQ(kup_attach(dev_, 1, 0, &second), -ECHRNG);
  EXPECT_EQ(kup_send(ch_, 1, "x", 1, 0), -EOPNOTSUPP);
  EXPECT_NE(std::string(kup_error_text()).find("takes no messages"), std::string::npos);
  kup_observer* observer;
  EXPECT_EQ(kup_observe("bpf:run", 0, &observer), -EOPNOTSUPP);
  // Attached anew: a new generation, from the beginning.
  kup_detach(ch_);
  ASSERT_EQ(kup_attach(dev_, KUP_CHAN_ANY, 0, &ch_), 0);
  kup_geometry geometry;
  kup_geometry_of(ch_, &geometry);
  EXPECT_EQ(geometry.generation, 2u);
  ASSERT_EQ(kup_bpf_run(ch_, 1, 1), 0);
  const kup_msg msg = Receive();
  EXPECT_EQ(msg.seq, 0u);
  Release(msg);
}

// Who gave up the rights hears why, as on a machine that gives them to nobody.
TEST(KupBpfRights, WithoutThemTheReasonIsGiven) { EXPECT_EQ(WaitPeer(SpawnPeer("nobody", {})), 1); }

}  // namespace

int PeerMain(const std::string&, const std::vector<std::string>&) {
  if (geteuid() == 0 && (setgroups(0, nullptr) != 0 || setuid(65534) != 0)) return 3;
  kup_dev* dev;
  return SaysWhyNot(kup_open("bpf:timer/1000", &dev));
}

}  // namespace uwq::kup
