// SPDX-License-Identifier: BSD-3-Clause
//
// kup_hostile_test.cc -- a peer process that scribbles over everything it can
// write: indices, event indices, lengths, generations, states, record headers,
// frame words, payloads.
//
// Goal: the survivor neither crashes nor leaves the channel's memory (guard pages
// around each data area, ASan around the rest); the channel is poisoned and says
// so; a good channel beside it goes on undisturbed; the next user of the poisoned
// channel starts clean.  10^7 scribbles each way; UWQ_KUP_SCRIBBLES changes that.
// And a peer that breaks no rule, but never publishes a message: its floods of records
// that are not handed out must not keep a call from returning.
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kup_bridge/channel.h"
#include "kup_bridge/eventfd.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"
#include "kup_bridge/kupdev_core.h"
#include "kup_bridge/test_peer.h"

namespace uwq::kup {
namespace {

struct Log {
  std::atomic<uint64_t> scribbles;
  std::atomic<uint64_t> sessions;  // channels it had
  std::atomic<uint64_t> ended;     // and is done with
  std::atomic<uint32_t> stop;
};

class Scribbler {
 public:
  explicit Scribbler(uint32_t seed) : random_(seed) {}

  uint64_t Value() {
    switch (Random() % 8) {
      case 0:
        return Random() % 64;
      case 1:
        return uint64_t{0} - Random() % 8192;
      case 2:
        return (Random() % 8192) & ~uint64_t{15};
      case 3:
        return uint64_t{Random()} << 32 | Random();
      case 4:
        return Random() % (1u << 20);
      default:  // near the truth: the interesting part
        return (base_ + Random() % 512) & ~uint64_t{Random() % 4 == 0 ? 0u : 15u};
    }
  }
  void SetBase(uint64_t base) { base_ = base; }

  void Word(uint64_t* at) { __atomic_store_n(at, Value(), __ATOMIC_RELAXED); }
  void Half(uint32_t* at) {
    __atomic_store_n(at, static_cast<uint32_t>(Value()), __ATOMIC_RELAXED);
  }
  // A record header somewhere, or a word of payload.
  void Data(uint8_t* data, uint32_t size) {
    uint8_t* at = data + ((base_ + Random() % 256) & (size - 1) & ~15u);
    kup_rec rec = {static_cast<uint32_t>(Random() % 3 == 0 ? Value() : Random() % 80),
                   static_cast<uint16_t>(Random()), static_cast<uint16_t>(Random() % 64), Random(),
                   Random()};
    if (Random() % 16 == 0) rec.type = static_cast<uint16_t>(KUP_TYPE_LOST + Random() % 2);
    kup_header_put(at, &rec);
  }
  uint32_t Pick(uint32_t n) { return Random() % n; }

 private:
  uint32_t Random() { return static_cast<uint32_t>(random_()); }

  std::mt19937 random_;
  uint64_t base_ = 0;
};

/* ---- a hostile user -------------------------------------------------------------------- */

int HostileUser(const std::string& name, Log* log, uint64_t total) {
  Scribbler s(7);
  kup_dev* dev;
  if (kup_open(name.c_str(), &dev) != 0) return 2;
  uint64_t done = 0;
  while (done < total) {
    kup_chan* ch;
    const int rc = kup_attach(dev, 0, 20000, &ch);
    if (rc != 0) return 3;
    ++log->sessions;
    kup_user_page* u = ch->user_page;
    uint8_t* data = ch->map_u2d.data();
    // Plausible at first: some real records, then lies near the real positions.
    for (uint32_t i = s.Pick(20); i > 0; --i) (void)kup_send(ch, 1, &done, sizeof done, 0);
    // One session now and then keeps to one kind of lie, so that each gets its turn.
    const uint32_t only = s.Pick(3) == 0 ? s.Pick(12) : 12;
    for (uint32_t burst = 1; burst <= 16384; ++burst, ++done) {
      s.SetBase(s.Pick(2) ? ch->end.tx.next : kup_load(&ch->dev_page->d2u_head));
      switch (only < 12 ? only : s.Pick(64)) {
        case 0:
          s.Word(&u->u2d_head);
          break;
        case 1:
          s.Word(&u->d2u_tail);
          break;
        case 2:
          s.Word(&u->d2u_wake_at);
          break;
        case 3:
          s.Word(&u->u2d_space_at);
          break;
        case 4:
          s.Half(&u->generation);
          break;
        case 5:
          s.Half(&u->state);
          break;
        case 6:
          s.Half(&u->frame_done[s.Pick(KUP_FRAMES_MAX)]);
          break;
        case 7:
          s.Half(&u->frame_wait);
          break;
        case 8:
          s.Word(&ch->params[s.Pick(ch->geometry.n_params)]);
          break;
        case 9:  // publishes what the headers below pretend
          __atomic_store_n(&u->u2d_head, ch->end.tx.next + s.Pick(32) * 16, __ATOMIC_RELEASE);
          break;
        default:
          s.Data(data, ch->geometry.u2d_size);
      }
      if (burst % 4096 != 0 && (only == 12 || burst != 16)) continue;
      // Lets the device look now and then: it counts its looks in a counter.
      SignalShared(ch->link->signal_fd);
      uint64_t before = 0, now = 0;
      (void)kup_counters_get(ch, 0, &before, 1);
      do {
        std::this_thread::yield();
        (void)kup_counters_get(ch, 0, &now, 1);
      } while (now == before && kup_load(&ch->dev_page->state) == KUP_STATE_READY);
      if (kup_load(&ch->dev_page->state) != KUP_STATE_READY) break;
    }
    log->scribbles = done;
    kup_detach(ch);
  }
  kup_close(dev);
  return 0;
}

TEST(KupHostile, UserScribblesOverItsChannel) {
  const long kTotal = CountFromEnv("UWQ_KUP_SCRIBBLES", 10000000);
  const std::string name = UniqueSimName("hostile-user");
  SharedLog<Log> log;
  kupdev_opts opts = {};
  opts.n_channels = 2;
  opts.d2u_size = opts.u2d_size = 4096;
  opts.n_frames_d2u = opts.n_frames_u2d = 2;
  opts.frame_size = 4096;
  kupdev_softc* sc;
  ASSERT_EQ(kupdev_open(name.c_str(), &opts, &sc), 0);
  kup_dev* dev;
  kup_chan* good;
  ASSERT_EQ(kup_open(name.c_str(), &dev), 0);
  ASSERT_EQ(kup_attach(dev, 1, 0, &good), 0);
  const pid_t pid = SpawnPeer("user", {name, log.fd(), std::to_string(kTotal)});

  std::atomic<bool> stop{false};
  std::thread bystander([&] {  // the good channel, through all of it
    uint64_t n = 0;
    while (!stop.load()) {
      ++n;
      ASSERT_EQ(kup_send(good, 1, &n, sizeof n, -1), 0) << kup_error_text();
      kup_msg msg;
      ASSERT_EQ(kupdev_take(sc, 1, &msg, -1), 0);
      ASSERT_EQ(memcmp(msg.data, &n, sizeof n), 0);
      ASSERT_EQ(kupdev_post(sc, 1, 1, msg.data, msg.len), 0);
      ASSERT_EQ(kupdev_give_back(sc, 1, &msg, 1), 0);
      ASSERT_EQ(kup_receive(good, &msg, -1), 0) << kup_error_text();
      ASSERT_EQ(memcmp(msg.data, &n, sizeof n), 0);
      ASSERT_EQ(kup_release(good, &msg, 1), 0);
    }
    EXPECT_GT(n, 100u);
  });

  uint64_t poisoned[KUP_BAD_COUNT] = {}, messages = 0, sum = 0, looks = 0;
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    kup_msg msgs[16];
    const int n = kupdev_take_batch(sc, 0, msgs, 16, 1);
    for (int i = 0; i < n; ++i) {
      kup_frame frame;
      if ((msgs[i].flags & KUP_REC_FRAME) != 0 && kupdev_frame_open(sc, 0, &msgs[i], &frame) == 0) {
        sum += static_cast<const uint8_t*>(frame.data)[frame.len / 2];
        (void)kupdev_frame_return(sc, 0, &frame);  // stale when the user has just gone
      }
      // Every byte of what is handed out must be there.
      for (uint32_t b = 0; b < msgs[i].len; ++b)
        sum += static_cast<const uint8_t*>(msgs[i].data)[b];
      if ((msgs[i].flags & KUP_REC_REQUEST) != 0) {
        (void)kupdev_reply(sc, 0, &msgs[i], 0, "r", 1);  // may be poisoned by now
      }
      ++messages;
    }
    if (n > 0) {
      EXPECT_EQ(kupdev_give_back(sc, 0, msgs, n), 0);
    }
    (void)kupdev_post(sc, 0, 1, "0123456789", 10);  // whatever becomes of it
    kup_frame frame;
    if (kupdev_frame_get(sc, 0, &frame, 0) == 0 &&
        kupdev_frame_send(sc, 0, &frame, 1, 10, 0) != 0) {
      (void)kupdev_frame_drop(sc, 0, &frame);  // stale when the user has just gone
    }
    ++looks;
    ASSERT_EQ(kupdev_counters_set(sc, 0, 0, &looks, 1), 0);
    sum += kupdev_param(sc, 0, 3);
    kupdev_event event;
    while (kupdev_wait_event(sc, &event, 0) == 0) {
      if (event.kind == KUPDEV_POISONED) ++poisoned[event.bad];
    }
  }
  stop = true;
  bystander.join();
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_GE(log->scribbles, static_cast<uint64_t>(kTotal));
  printf("%lu scribbles in %lu sessions, %lu messages taken, sum %lu; poisoned:\n",
         log->scribbles.load(), log->sessions.load(), messages, sum);
  uint64_t all = 0;
  for (uint32_t bad = 0; bad < KUP_BAD_COUNT; ++bad) {
    if (poisoned[bad] != 0) printf("  %-36s %lu\n", kup_bad_name(bad), poisoned[bad]);
    all += poisoned[bad];
  }
  EXPECT_GT(all, 0u);
  // After all of it, an honest user of channel 0 is served.
  kup_chan* honest;
  ASSERT_EQ(kup_attach(dev, 0, 20000, &honest), 0) << kup_error_text();
  ASSERT_EQ(kup_send(honest, 77, "honest", 6, 0), 0);
  kup_msg msg;
  int rc;
  do {  // what the last scribbler left in good form comes first
    rc = kupdev_take(sc, 0, &msg, -1);
    ASSERT_EQ(rc, 0);
    rc = msg.type == 77 && msg.len == 6 && memcmp(msg.data, "honest", 6) == 0;
    ASSERT_EQ(kupdev_give_back(sc, 0, &msg, 1), 0);
  } while (rc == 0);
  kup_close(dev);
  EXPECT_EQ(kupdev_unload(sc), 0);
}

/* ---- a hostile device --------------------------------------------------------------------- */

int HostileDevice(const std::string& name, Log* log) {
  Scribbler s(11);
  kupdev_opts opts = {};
  opts.n_channels = 2;
  opts.d2u_size = opts.u2d_size = 4096;
  opts.n_frames_d2u = opts.n_frames_u2d = 2;
  opts.frame_size = 4096;
  kupdev_softc* sc;
  if (kupdev_open(name.c_str(), &opts, &sc) != 0) return 2;
  kup_channel* ch = &sc->channels[0];
  while (log->stop == 0) {
    kupdev_event event;
    if (kupdev_wait_event(sc, &event, 100) != 0 || event.kind != KUPDEV_ATTACHED) continue;
    // The channel's memory stays ours until we let the next user in, which needs
    // this thread's event loop only in that we look for it here.
    kup_mem* mem;
    if (kup_core_observe(sc, 0, &mem) < 0) return 3;
    ++log->sessions;
    for (uint32_t i = s.Pick(20); i > 0; --i) (void)kupdev_post(sc, 0, 1, "message", 7);
    const uint32_t only = s.Pick(3) == 0 ? s.Pick(12) : 12;
    for (uint32_t burst = 4096; burst > 0; --burst, ++log->scribbles) {
      kup_dev_page* d = mem->dev;
      s.SetBase(s.Pick(2) ? ch->end.tx.next : kup_load(&mem->user->u2d_head));
      switch (only < 12 ? only : s.Pick(64)) {
        case 0:
          s.Word(&d->d2u_head);
          break;
        case 1:
          s.Word(&d->u2d_tail);
          break;
        case 2:
          s.Word(&d->u2d_wake_at);
          break;
        case 3:
          s.Word(&d->d2u_space_at);
          break;
        case 4:
          s.Half(&d->generation);
          break;
        case 5:
          kup_store(&d->state, s.Pick(2) ? s.Pick(6) : uint32_t{KUP_STATE_READY});
          break;
        case 6:
          s.Half(&d->frame_done[s.Pick(KUP_FRAMES_MAX)]);
          break;
        case 7:
          s.Word(&d->d2u_floor);
          break;
        case 8:
          s.Half(&mem->groups[s.Pick(opts.n_groups ? opts.n_groups : 4)].seq);
          break;
        case 9:
          __atomic_store_n(&d->d2u_head, ch->end.tx.next + s.Pick(32) * 16, __ATOMIC_RELEASE);
          break;
        case 10:  // geometry, too late to matter, and too early for the next observer
          s.Half(&d->d2u_size + s.Pick(8));
          break;
        default:
          s.Data(mem->d2u, 4096);
      }
      if (burst % 1024 != 0) continue;
      // Lets the user look now and then, if it is still there: it counts its looks.
      kup_mem_signal(mem);
      const uint64_t look = kup_load(&mem->params[0]);
      for (int i = 0; i < 100 && kup_load(&mem->params[0]) == look; ++i) {
        std::this_thread::yield();
      }
    }
    kup_core_put_mem(sc, 0, mem);
    ++log->ended;
  }
  return 0;  // dies with its users attached
}

TEST(KupHostile, DeviceScribblesOverItsChannel) {
  const uint64_t total = static_cast<uint64_t>(CountFromEnv("UWQ_KUP_SCRIBBLES", 10000000));
  const std::string name = UniqueSimName("hostile-device");
  SharedLog<Log> log;
  const pid_t pid = SpawnPeer("device", {name, log.fd()});
  kup_dev* dev;
  int rc;
  do {
    rc = kup_open(name.c_str(), &dev);
  } while (rc == -ENOENT);
  ASSERT_EQ(rc, 0);
  uint64_t ends[256] = {}, messages = 0, observed = 0, sum = 0;
  while (log->scribbles < total) {
    kup_chan* ch;
    const uint64_t ended = log->ended;
    rc = kup_attach(dev, 0, 20000, &ch);
    if (rc == -EPROTO) {  // it lied early enough
      ++ends[EPROTO];
      continue;
    }
    ASSERT_EQ(rc, 0) << kup_error_text();
    kup_observer* observer;
    const bool observing = kup_observe(name.c_str(), 0, &observer) == 0;
    uint64_t looks = 0;
    while (log->ended == ended) {
      ASSERT_EQ(kup_param_set(ch, 0, ++looks), 0);
      kup_msg msgs[16];
      rc = kup_receive_batch(ch, msgs, 16, 0);
      for (int i = 0; i < rc; ++i) {
        kup_frame frame;
        if ((msgs[i].flags & KUP_REC_FRAME) != 0 && kup_frame_open(ch, &msgs[i], &frame) == 0) {
          sum += static_cast<const uint8_t*>(frame.data)[frame.len / 2];
          EXPECT_EQ(kup_frame_return(ch, &frame), 0);
        }
        for (uint32_t b = 0; b < msgs[i].len; ++b) {
          sum += static_cast<const uint8_t*>(msgs[i].data)[b];
        }
        ++messages;
      }
      if (rc > 0) {
        EXPECT_EQ(kup_release(ch, msgs, rc), 0);
      }
      (void)kup_send(ch, 1, "0123456789", 10, 0);  // whatever becomes of it
      kup_frame frame;
      if (kup_frame_get(ch, &frame, 0) == 0 && kup_frame_send(ch, &frame, 1, 10, 0) != 0) {
        EXPECT_EQ(kup_frame_drop(ch, &frame), 0);
      }
      uint64_t values[KUP_COUNTERS_PER_GROUP];
      (void)kup_counters_get(ch, 0, values, KUP_COUNTERS_PER_GROUP);  // -EAGAIN is fine
      if (observing) {
        kup_rec rec;
        char payload[32];
        observed += kup_observer_next(observer, &rec, payload, sizeof payload) == 1;
      }
      if (rc < 0 && rc != -EAGAIN) {
        ++ends[-rc];
        break;
      }
    }
    if (observing) kup_unobserve(observer);
    kup_detach(ch);
  }
  log->stop = 1;
  EXPECT_EQ(WaitPeer(pid), 0);
  printf("%lu scribbles in %lu sessions, %lu messages, %lu observed, sum %lu; ends:",
         log->scribbles.load(), log->sessions.load(), messages, observed, sum);
  for (int e = 0; e < 256; ++e) {
    if (ends[e] != 0) printf(" %s %lu", strerrorname_np(e), ends[e]);
  }
  printf("\n");
  EXPECT_GT(ends[EBADMSG], 0u);
  kup_close(dev);
}

/* ---- floods of records that are never handed out ------------------------------------------- */

constexpr uint32_t kFloodRing = 1u << 20;

// Fills the ring once with headers, and publishes them again as soon as they are taken.
void Flood(uint8_t* data, uint64_t* head, const uint64_t* tail, uint16_t flags, Log* log) {
  const kup_rec rec = {0, 1, flags, 0, KUP_ID_CALL | 0x7fff0000u};
  for (uint32_t at = 0; at < kFloodRing; at += KUP_ALIGN) kup_header_put(data + at, &rec);
  do {
    __atomic_store_n(head, __atomic_load_n(tail, __ATOMIC_RELAXED) + kFloodRing, __ATOMIC_RELEASE);
  } while (log->stop == 0);
}

int FloodingUser(const std::string& name, Log* log, uint16_t flags) {
  kup_dev* dev;
  kup_chan* ch;
  if (kup_open(name.c_str(), &dev) != 0) return 2;
  if (kup_attach(dev, 0, 20000, &ch) != 0) return 3;
  Flood(ch->map_u2d.data(), &ch->user_page->u2d_head, &ch->dev_page->u2d_tail, flags, log);
  kup_close(dev);
  return 0;
}

int FloodingDevice(const std::string& name, Log* log, uint16_t flags) {
  kupdev_opts opts = {};
  opts.d2u_size = opts.u2d_size = kFloodRing;
  kupdev_softc* sc;
  kup_mem* mem;
  if (kupdev_open(name.c_str(), &opts, &sc) != 0) return 2;
  if (kupdev_wait_channel(sc) != 0) return 3;
  if (kup_core_observe(sc, 0, &mem) < 0) return 4;
  Flood(mem->d2u, &mem->dev->d2u_head, &mem->user->d2u_tail, flags, log);
  kup_core_put_mem(sc, 0, mem);
  return kupdev_unload(sc);
}

class KupFlood : public ::testing::TestWithParam<uint16_t> {
 protected:
  std::string Flags() const { return std::to_string(GetParam()); }
  // Goal: a call returns after two passes over the ring at most, however fast the peer
  // fills it again.  `tail`: how far we are; until the flood has filled it many times.
  template <typename Call>
  void ExpectReturns(const uint64_t* tail, const Call& call) {
    const uint64_t end = kup_load(tail) + 50 * uint64_t{kFloodRing};
    for (uint64_t now = kup_load(tail); now < end;) {
      const uint64_t before = now;
      ASSERT_EQ(call(), -EAGAIN);
      now = kup_load(tail);
      ASSERT_LE(now - before, 2 * uint64_t{kFloodRing});
    }
  }
  SharedLog<Log> log_;
};

TEST_P(KupFlood, LeavesTheDeviceItsTime) {
  const std::string name = UniqueSimName("flood-user");
  kupdev_opts opts = {};
  opts.d2u_size = opts.u2d_size = kFloodRing;
  kupdev_softc* sc;
  ASSERT_EQ(kupdev_open(name.c_str(), &opts, &sc), 0);
  const pid_t pid = SpawnPeer("flood-user", {name, log_.fd(), Flags()});
  ASSERT_EQ(kupdev_wait_channel(sc), 0);
  kup_mem* mem;
  ASSERT_EQ(kup_core_observe(sc, 0, &mem), 0);
  kup_msg msg;
  ExpectReturns(&mem->dev->u2d_tail, [&] { return kupdev_take(sc, 0, &msg, 0); });
  kup_core_put_mem(sc, 0, mem);
  EXPECT_EQ(kupdev_take(sc, 0, &msg, 20), -ETIMEDOUT);
  EXPECT_EQ(kupdev_call(sc, 0, 1, "q", 1, nullptr, 0, 20), -ETIMEDOUT);
  log_->stop = 1;
  EXPECT_EQ(WaitPeer(pid), 0);
  EXPECT_EQ(kupdev_unload(sc), 0);
}

TEST_P(KupFlood, LeavesTheUserItsTime) {
  const std::string name = UniqueSimName("flood-device");
  const pid_t pid = SpawnPeer("flood-device", {name, log_.fd(), Flags()});
  kup_dev* dev;
  kup_chan* ch;
  while (kup_open(name.c_str(), &dev) == -ENOENT) std::this_thread::yield();
  ASSERT_EQ(kup_attach(dev, 0, 20000, &ch), 0) << kup_error_text();
  kup_msg msg;
  ExpectReturns(&ch->user_page->d2u_tail, [&] { return kup_receive(ch, &msg, 0); });
  EXPECT_EQ(kup_receive(ch, &msg, 20), -ETIMEDOUT);
  EXPECT_EQ(kup_call(ch, 1, "q", 1, nullptr, 0, 20), -ETIMEDOUT);
  log_->stop = 1;
  kup_close(dev);
  EXPECT_EQ(WaitPeer(pid), 0);
}

INSTANTIATE_TEST_SUITE_P(Discards, KupFlood, ::testing::Values(KUP_REC_DISCARD));
INSTANTIATE_TEST_SUITE_P(StaleReplies, KupFlood, ::testing::Values(KUP_REC_REPLY));

}  // namespace

int PeerMain(const std::string& mode, const std::vector<std::string>& args) {
  SharedLog<Log> log(args[1]);
  if (mode == "flood-user" || mode == "flood-device") {
    const auto flags = static_cast<uint16_t>(atoi(args[2].c_str()));
    return (mode == "flood-user" ? FloodingUser : FloodingDevice)(args[0], log.operator->(), flags);
  }
  return mode == "user"
             ? HostileUser(args[0], log.operator->(), strtoull(args[2].c_str(), nullptr, 10))
             : HostileDevice(args[0], log.operator->());
}

}  // namespace uwq::kup
