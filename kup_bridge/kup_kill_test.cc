// SPDX-License-Identifier: BSD-3-Clause
//
// kup_kill_test.cc -- kill -9 of either side at random points: the survivor sees
// it, nothing acknowledged is lost or seen twice, a restart reconnects.
//
// Acknowledged means released: what the tail has passed.  The victim writes down
// in shared memory what it is about to do and what it has done; between the two
// either may be true, and that is all the freedom the checks leave.
//
// Beside the numbered messages the survivor sends frames and, from a second thread, asks
// all the time; the victim takes several at once and gives them back from the last to the
// first, so that it dies holding messages, frames and questions, with gaps in between.
//
// 500 kills of each side, 1000 in all; UWQ_KUP_KILLS changes that.
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"
#include "kup_bridge/test_peer.h"

namespace uwq::kup {
namespace {

struct Log {
  std::atomic<uint64_t> seen, acked;      // received: before and after the release
  std::atomic<uint64_t> sending, sent;    // sent: before and after the call
  std::atomic<uint64_t> frames, answers;  // that it has dealt with
  std::atomic<uint64_t> error;            // a check of the victim that failed
};

int64_t NowNs() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

enum : uint16_t { kNumber = 1, kFrame = 2, kAsk = 3 };
constexpr uint32_t kFrames = 3;
constexpr uint32_t kFrameSize = 4096;

kupdev_opts Options() {
  kupdev_opts opts = {};
  opts.d2u_size = opts.u2d_size = 4096;
  opts.n_frames_d2u = opts.n_frames_u2d = kFrames;
  opts.frame_size = kFrameSize;
  return opts;
}

uint64_t Number(const kup_msg& msg) {
  uint64_t n = 0;
  if (msg.len == sizeof n) memcpy(&n, msg.data, sizeof n);
  return n;
}

// The two sides of a channel, to the code that is the same for both.
struct User {
  kup_chan* ch;
  int Receive(kup_msg* msgs, int n) { return kup_receive_batch(ch, msgs, n, -1); }
  int Release(const kup_msg& msg) { return kup_release(ch, &msg, 1); }
  int Reply(const kup_msg& msg, uint64_t n) { return kup_reply(ch, &msg, 0, &n, sizeof n); }
  int Send(uint64_t n) { return kup_send(ch, kNumber, &n, sizeof n, -1); }
  int TrySend(uint64_t n) { return kup_send(ch, kNumber, &n, sizeof n, 0); }
  int Call(uint64_t n, uint64_t* reply) {
    return kup_call(ch, kAsk, &n, sizeof n, reply, sizeof *reply, -1);
  }
  int FrameOpen(const kup_msg& msg, kup_frame* frame) { return kup_frame_open(ch, &msg, frame); }
  int FrameReturn(const kup_frame& frame) { return kup_frame_return(ch, &frame); }
  int FrameGet(kup_frame* frame) { return kup_frame_get(ch, frame, 0); }
  int FrameSend(const kup_frame& frame, uint64_t cookie) {
    return kup_frame_send(ch, &frame, kFrame, sizeof cookie, cookie);
  }
  int FrameDrop(const kup_frame& frame) { return kup_frame_drop(ch, &frame); }
};

struct Device {
  kupdev_softc* sc;
  int Receive(kup_msg* msgs, int n) {
    for (;;) {
      const int rc = kupdev_take_batch(sc, 0, msgs, n, -1);
      kupdev_event event;
      if (rc != -EPIPE) return rc;
      if (kupdev_wait_event(sc, &event, -1) != 0) return -EIO;  // nobody there yet
    }
  }
  int Release(const kup_msg& msg) { return kupdev_give_back(sc, 0, &msg, 1); }
  int Reply(const kup_msg& msg, uint64_t n) { return kupdev_reply(sc, 0, &msg, 0, &n, sizeof n); }
  int Send(uint64_t n) {
    const kup_vec vec = {&n, sizeof n, kNumber, 0, 0};
    return kupdev_post_wait(sc, 0, &vec, -1);
  }
  int TrySend(uint64_t n) {
    const kup_vec vec = {&n, sizeof n, kNumber, 0, 0};
    return kupdev_post_batch(sc, 0, &vec, 1) == 1 ? 0 : -EAGAIN;
  }
  int Call(uint64_t n, uint64_t* reply) {
    return kupdev_call(sc, 0, kAsk, &n, sizeof n, reply, sizeof *reply, -1);
  }
  int FrameOpen(const kup_msg& msg, kup_frame* frame) {
    return kupdev_frame_open(sc, 0, &msg, frame);
  }
  int FrameReturn(const kup_frame& frame) { return kupdev_frame_return(sc, 0, &frame); }
  int FrameGet(kup_frame* frame) { return kupdev_frame_get(sc, 0, frame, 0); }
  int FrameSend(const kup_frame& frame, uint64_t cookie) {
    return kupdev_frame_send(sc, 0, &frame, kFrame, sizeof cookie, cookie);
  }
  int FrameDrop(const kup_frame& frame) { return kupdev_frame_drop(sc, 0, &frame); }
};

// Receives a rising sequence, sends a rising sequence, answers, until it is killed.
template <typename Side>
int Victim(Side side, Log* log) {
  uint64_t expected = 0;
  for (;;) {
    constexpr int kBatch = 4;
    kup_msg msgs[kBatch];
    const int got = side.Receive(msgs, kBatch);
    if (got < 0) return 3;
    for (int i = 0; i < got; ++i) {
      const kup_msg& msg = msgs[i];
      const uint64_t n = Number(msg);
      kup_frame frame;
      uint64_t content;
      if (msg.type == kFrame) {
        if (side.FrameOpen(msg, &frame) != 0) return 4;
        memcpy(&content, frame.data, sizeof content);
        if (content != frame.cookie) log->error = frame.cookie;
        if (side.FrameReturn(frame) != 0) return 5;
        ++log->frames;
      } else if (msg.type == kAsk) {
        int rc;
        while ((rc = side.Reply(msg, n + 1)) == -EAGAIN) std::this_thread::yield();
        if (rc != 0) return 6;
        ++log->answers;
      } else {
        if (expected == 0) {
          // The first after a restart: not twice, not lost.
          if (n <= log->acked || n > log->seen + 1) log->error = n;
        } else if (n != expected) {
          log->error = n;
        }
        expected = n + 1;
        log->seen = n;
      }
    }
    for (int i = got; i-- > 0;) {
      if (side.Release(msgs[i]) != 0) return 7;
    }
    if (expected != 0) log->acked = expected - 1;
    const uint64_t out = log->sending + 1;
    log->sending = out;
    const int rc = side.Send(out);
    if (rc == -EPIPE) continue;  // a device's user that has not come yet
    if (rc != 0) return 8;
    log->sent = out;
  }
}

// The survivor's second thread: asks until the victim is dead.
template <typename Side>
class Asker {
 public:
  Asker(Side side, pid_t victim) : victim_(victim), thread_([this, side] { Run(side); }) {}
  ~Asker() {
    if (!thread_.joinable()) return;
    (void)kill(victim_, SIGKILL);  // a check has failed
    thread_.join();
  }
  // What the last question came to.
  int Join() {
    thread_.join();
    return result_;
  }

 private:
  void Run(Side side) {
    uint64_t reply = 0;
    for (uint64_t n = 1; (result_ = side.Call(n, &reply)) == sizeof reply; ++n) {
      EXPECT_EQ(reply, n + 1) << "the answer to another question";
    }
  }
  const pid_t victim_;
  int result_ = 0;
  std::thread thread_;
};

// Sends a frame if there is a buffer and room.
template <typename Side>
void SendFrame(Side side, uint64_t cookie) {
  kup_frame frame;
  if (side.FrameGet(&frame) != 0) return;
  memcpy(frame.data, &cookie, sizeof cookie);
  if (side.FrameSend(frame, cookie) != 0) (void)side.FrameDrop(frame);
}

// Seen within 100 ms, but for one time in a hundred, and once in few: others use the CPUs, too.
void Report(const char* who, std::vector<int64_t> ns) {
  constexpr int64_t kLimit = 100000000;
  std::sort(ns.begin(), ns.end());
  const auto ms = [](int64_t t) { return static_cast<double>(t) / 1e6; };
  printf("%s: %zu kills, survivor saw it after p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", who,
         ns.size(), ms(ns[ns.size() / 2]), ms(ns[ns.size() * 99 / 100]), ms(ns.back()));
  const auto first_late = std::upper_bound(ns.begin(), ns.end(), kLimit);
  for (auto late = first_late; late != ns.end(); ++late) printf("  late: %.2f ms\n", ms(*late));
  EXPECT_LE(static_cast<size_t>(ns.end() - first_late), std::max<size_t>(1, ns.size() / 100))
      << "not seen within 100 ms";
}

TEST(KupKill, UserIsKilled) {
  const long kKills = CountFromEnv("UWQ_KUP_KILLS", 500);
  const std::string name = UniqueSimName("kill-user");
  SharedLog<Log> log;
  std::mt19937 random(1);
  const kupdev_opts opts = Options();
  kupdev_softc* sc;
  ASSERT_EQ(kupdev_open(name.c_str(), &opts, &sc), 0);
  uint64_t next_out = 1, last_in = 0;
  std::vector<int64_t> latency;
  for (long i = 0; i < kKills; ++i) {
    const pid_t pid = SpawnPeer("user", {name, log.fd()});
    kupdev_event event;
    do {
      ASSERT_EQ(kupdev_wait_event(sc, &event, 30000), 0);
    } while (event.kind != KUPDEV_ATTACHED);
    Asker<Device> asker({sc}, pid);
    const int64_t kill_at = NowNs() + static_cast<int64_t>(random() % 2000000);
    bool killed = false;
    int64_t killed_at = 0;
    for (;;) {
      if (!killed && NowNs() >= kill_at) {
        killed_at = NowNs();
        ASSERT_EQ(kill(pid, SIGKILL), 0);
        killed = true;
      }
      if (!killed) {  // full: it will be emptied, by this user or the next
        if (Device{sc}.TrySend(next_out) == 0) ++next_out;
        SendFrame(Device{sc}, next_out);
      }
      kup_msg msg;
      const int rc = kupdev_take(sc, 0, &msg, killed ? -1 : 0);
      if (rc == -EAGAIN) continue;
      if (rc == -EPIPE && killed) break;
      ASSERT_EQ(rc, 0);
      const uint64_t n = Number(msg);
      ASSERT_GT(n, last_in) << "seen twice";
      ASSERT_LE(n, log->sending);
      last_in = n;
      ASSERT_EQ(kupdev_give_back(sc, 0, &msg, 1), 0);
    }
    latency.push_back(NowNs() - killed_at);
    ASSERT_EQ(asker.Join(), -EPIPE);
    ASSERT_EQ(WaitPeer(pid), -SIGKILL);
    ASSERT_EQ(log->error, 0u) << "after kill " << i;
    ASSERT_GE(last_in, log->sent) << "what it had sent successfully is lost, kill " << i;
  }
  EXPECT_GT(log->acked, 0u);
  EXPECT_GT(log->frames, 0u);
  EXPECT_GT(log->answers, 0u);
  Report("user", latency);
  EXPECT_EQ(kupdev_unload(sc), 0);
}

TEST(KupKill, DeviceIsKilled) {
  const long kKills = CountFromEnv("UWQ_KUP_KILLS", 500);
  const std::string name = UniqueSimName("kill-device");
  SharedLog<Log> log;
  std::mt19937 random(2);
  uint64_t next_out = 1, last_in = 0;
  std::vector<int64_t> latency;
  kup_dev* old_dev = nullptr;
  kup_chan* old = nullptr;
  for (long i = 0; i < kKills; ++i) {
    const pid_t pid = SpawnPeer("device", {name, log.fd()});
    kup_dev* dev;
    kup_chan* ch;
    int rc;
    do {  // until the new device listens
      rc = kup_open(name.c_str(), &dev);
    } while (rc == -ENOENT);
    ASSERT_EQ(rc, 0) << kup_error_text();
    ASSERT_EQ(kup_attach(dev, 0, 30000, &ch), 0) << kup_error_text();
    if (old != nullptr) {
      ASSERT_GE(kup_resend(old, ch, 30000), 0) << kup_error_text();
      kup_close(old_dev);
    }
    Asker<User> asker({ch}, pid);
    const int64_t kill_at = NowNs() + static_cast<int64_t>(random() % 2000000);
    bool killed = false;
    int64_t killed_at = 0;
    for (;;) {
      if (!killed && NowNs() >= kill_at) {
        killed_at = NowNs();
        ASSERT_EQ(kill(pid, SIGKILL), 0);
        killed = true;
      }
      if (!killed) {
        if (User{ch}.TrySend(next_out) == 0) ++next_out;
        SendFrame(User{ch}, next_out);
      }
      kup_msg msg;
      rc = kup_receive(ch, &msg, killed ? -1 : 0);
      if (rc == -EAGAIN) continue;
      if (rc == -EPIPE) break;
      ASSERT_EQ(rc, 0) << kup_error_text();
      const uint64_t n = Number(msg);
      ASSERT_GT(n, last_in);
      ASSERT_LE(n, log->sending);
      last_in = n;
      ASSERT_EQ(kup_release(ch, &msg, 1), 0);
    }
    ASSERT_TRUE(killed);
    latency.push_back(NowNs() - killed_at);
    ASSERT_EQ(asker.Join(), -EPIPE);
    ASSERT_EQ(WaitPeer(pid), -SIGKILL);
    ASSERT_EQ(log->error, 0u) << "after kill " << i;
    ASSERT_GE(last_in, log->sent) << "kill " << i;
    old = ch;
    old_dev = dev;
  }
  EXPECT_GT(log->acked, 0u);
  EXPECT_GT(log->frames, 0u);
  EXPECT_GT(log->answers, 0u);
  Report("device", latency);
  kup_close(old_dev);
}

}  // namespace

int PeerMain(const std::string& mode, const std::vector<std::string>& args) {
  SharedLog<Log> log(args[1]);
  if (mode == "user") {
    kup_dev* dev;
    kup_chan* ch;
    if (kup_open(args[0].c_str(), &dev) != 0 || kup_attach(dev, 0, 10000, &ch) != 0) return 2;
    return Victim(User{ch}, log.operator->());
  }
  const kupdev_opts opts = Options();
  kupdev_softc* sc;
  if (kupdev_open(args[0].c_str(), &opts, &sc) != 0) return 2;
  return Victim(Device{sc}, log.operator->());
}

}  // namespace uwq::kup
