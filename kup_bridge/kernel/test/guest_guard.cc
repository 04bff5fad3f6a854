// SPDX-License-Identifier: BSD-3-Clause
//
// guest_guard.cc -- what a user may not do, what a hostile one achieves, and what is
// left to one whose memory was taken back.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "kup_bridge/kernel/test/guest.h"

namespace guest {
namespace {

// errno of an mmap that should be refused; 0: it was not.
int MapError(int fd, uint64_t offset, size_t len, int prot, int flags) {
  void* p = mmap(nullptr, len, prot, flags, fd, static_cast<off_t>(offset));
  if (p == MAP_FAILED) return errno;
  munmap(p, len);
  return 0;
}

short Poll(int fd, short events, int timeout_ms = 0) {
  pollfd p = {fd, events, 0};
  return poll(&p, 1, timeout_ms) >= 0 ? p.revents : static_cast<short>(-1);
}

// Dies of the signal that `status` tells?
bool DiedOf(int status, int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }

KUP_SCENARIO(Node, "guard.node", "the node belongs to root, 0600; others cannot open it") {
  struct stat st;
  EXPECT_IS(stat("/dev/kup-ktest", &st), 0);
  EXPECT_IS(st.st_mode & 0777, 0600);
  EXPECT_IS(st.st_uid, 0);
  const int status = InChild([] {
    if (setgid(1000) != 0 || setuid(1000) != 0) return 1;
    kup_dev* dev;
    return kup_open("ktest", &dev) == -EACCES ? 0 : 2;
  });
  EXPECT_IS(status, 0);
}

KUP_SCENARIO(Readers, "guard.readers", "who may read the node observes, and does not attach") {
  EXPECT_IS(chmod("/dev/kup-ktest", 0644), 0);
  const int status = InChild([] {
    if (setgid(1000) != 0 || setuid(1000) != 0) return 1;
    kup_dev* dev;
    kup_chan* chan;
    if (kup_open("ktest", &dev) != 0) return 2;
    if (kup_attach(dev, 1, 0, &chan) != -EACCES) return 3;
    kup_observer* observer;
    if (kup_observe("ktest", 1, &observer) != 0) return 4;
    kup_stats stats;
    kup_observer_stats(observer, &stats);
    kup_unobserve(observer);
    kup_close(dev);
    return stats.state == KUP_STATE_READY ? 0 : 5;
  });
  EXPECT_IS(chmod("/dev/kup-ktest", 0600), 0);
  EXPECT_IS(status, 0);
}

KUP_SCENARIO(RingSize, "guard.ringsize", "rings that would be copied for long are refused") {
  EXPECT_IS(Ask(KUP_TEST_OPEN, 0, 8u << 20).rc, -EINVAL);
  EXPECT_IS(Ask(KUP_TEST_OPEN, 0, 4u << 20).rc, 0);
  EXPECT_IS(Ask(KUP_TEST_UNLOAD, 0).rc, 0);
}

KUP_SCENARIO(Errors, "guard.errors", "each wrong request gets its own error") {
  kup_dev* dev;
  EXPECT_IS(kup_open("no-such-device", &dev), -ENOENT);
  EXPECT_IS(Channel(KUP_TEST_CHANNELS).error(), -ECHRNG);
  const int node = open("/dev/kup-ktest", O_RDWR | O_CLOEXEC);
  EXPECT(node >= 0);
  auto attach = [&](auto change) {
    kup_attach_args args = RawRequest(KUP_OP_ATTACH, 1);
    change(args);
    return RawAttach(node, &args);
  };
  EXPECT_IS(attach([](auto& a) { a.magic = 0; }), EPROTO);
  EXPECT_IS(attach([](auto& a) { a.abi_major++; }), EPROTO);
  EXPECT_IS(attach([](auto& a) { a.op = 9; }), EINVAL);
  EXPECT_IS(attach([](auto& a) { a.flags = 0x80; }), EINVAL);
  EXPECT_IS(attach([](auto& a) { a.channel = 4711; }), ECHRNG);
  EXPECT_IS(attach([](auto& a) { a.channel = KUP_TEST_CONTROL; }), EBUSY);
  EXPECT(ioctl(node, KUP_IOC_ATTACH, nullptr) == -1 && errno == EFAULT);
  EXPECT(ioctl(node, KUP_IOC_DOORBELL) == -1 && errno == ENOTTY);
  // The answer does not fit: nothing is attached, and no descriptor is left behind.
  const long page = sysconf(_SC_PAGESIZE);
  void* edge = mmap(nullptr, static_cast<size_t>(page), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *static_cast<kup_attach_args*>(edge) = RawRequest(KUP_OP_ATTACH, 1);
  mprotect(edge, static_cast<size_t>(page), PROT_READ);
  EXPECT(ioctl(node, KUP_IOC_ATTACH, edge) == -1 && errno == EFAULT);
  EXPECT_IS(Ask(KUP_TEST_STATS, 1).value[0], 0);
  // Who may only read the node may only observe.
  const int reader = open("/dev/kup-ktest", O_RDONLY | O_CLOEXEC);
  kup_attach_args args = RawRequest(KUP_OP_ATTACH, 1);
  EXPECT_IS(RawAttach(reader, &args), EACCES);
  close(reader);
  close(node);
}

KUP_SCENARIO(Taken, "guard.taken", "a channel that is taken: refused, timed out, or waited for") {
  Channel holder(1);
  EXPECT_IS(holder.error(), 0);
  kup_dev* dev;
  kup_chan* chan;
  EXPECT_IS(kup_open("ktest", &dev), 0);
  EXPECT_IS(kup_attach(dev, 1, 0, &chan), -EBUSY);
  EXPECT_IS(kup_attach(dev, 1, 20, &chan), -ETIMEDOUT);
  int bounded = 1;
  std::thread waiter([&] { bounded = kup_attach(dev, 1, 10000, &chan); });
  holder.Close();
  waiter.join();
  EXPECT_IS(bounded, 0);
  int forever = 1;
  std::thread patient([&] { forever = Channel(1).error(); });
  kup_detach(chan);
  patient.join();
  EXPECT_IS(forever, 0);
  kup_close(dev);
}

KUP_SCENARIO(Mappings, "guard.mmap", "no writable mapping of the device's pages, by no way") {
  Raw raw(1);
  EXPECT_IS(raw.error, 0);
  EXPECT(raw.Map());
  const int rw = PROT_READ | PROT_WRITE;
  EXPECT_IS(MapError(raw.fd, KUP_MMAP_DEV, 4096, rw, MAP_SHARED), EACCES);
  EXPECT_IS(MapError(raw.fd, KUP_MMAP_DEV, raw.args.dev_region_len, rw, MAP_SHARED), EACCES);
  EXPECT_IS(MapError(raw.fd, KUP_MMAP_FRAMES_D2U, 4096, rw, MAP_SHARED), EACCES);
  EXPECT_IS(MapError(raw.fd, KUP_MMAP_FRAMES_U2D, 4096, rw, MAP_SHARED), 0);
  EXPECT(MapError(raw.fd, KUP_MMAP_DEV, 4096, PROT_READ | PROT_EXEC, MAP_SHARED) != 0);
  EXPECT_IS(MapError(raw.fd, KUP_MMAP_USER, 4096, PROT_READ, MAP_PRIVATE), EINVAL);
  EXPECT_IS(MapError(raw.fd, KUP_MMAP_DEV, raw.args.dev_region_len + 4096, PROT_READ, MAP_SHARED),
            EINVAL);
  EXPECT_IS(MapError(raw.fd, KUP_MMAP_DEV + raw.args.dev_region_len, 4096, PROT_READ, MAP_SHARED),
            EINVAL);
  EXPECT_IS(MapError(raw.fd, 0x7000000000000000, 4096, PROT_READ, MAP_SHARED), EINVAL);
  // What mmap refused mprotect does not give, nor exec of what is writable.
  EXPECT(mprotect(raw.dev, 4096, rw) == -1 && errno == EACCES);
  EXPECT(mprotect(raw.user, 4096, rw | PROT_EXEC) == -1 && errno == EACCES);
  EXPECT(mremap(raw.dev, raw.args.dev_region_len, raw.args.dev_region_len + 4096, MREMAP_MAYMOVE) ==
         MAP_FAILED);
  const int status = InChild([] {
    Raw own(2);
    if (own.error != 0 || !own.Map()) return 1;
    signal(SIGSEGV, SIG_DFL);
    *reinterpret_cast<volatile uint32_t*>(&own.dev->state) = 0;
    return 0;
  });
  EXPECT(DiedOf(status, SIGSEGV));
  // The debugger's way in writes through a read-only mapping where it may.
  const int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
  EXPECT(mem >= 0);
  const uint32_t junk = 0xdddddddd;
  EXPECT(pwrite(mem, &junk, sizeof junk, reinterpret_cast<off_t>(&raw.dev->state)) == -1);
  close(mem);
  EXPECT_IS(raw.dev->state, KUP_STATE_READY);
}

KUP_SCENARIO(Observers, "guard.observer", "an observer sees the device region and nothing else") {
  Raw raw(1, KUP_OP_OBSERVE);
  EXPECT_IS(raw.error, 0);
  EXPECT(raw.Map());
  EXPECT_IS(raw.dev->magic, KUP_MAGIC);
  EXPECT_IS(raw.args.user_region_len, 0);
  EXPECT_IS(MapError(raw.fd, KUP_MMAP_USER, 4096, PROT_READ, MAP_SHARED), EACCES);
  EXPECT_IS(MapError(raw.fd, KUP_MMAP_DEV, 4096, PROT_READ | PROT_WRITE, MAP_SHARED), EACCES);
  EXPECT(mprotect(raw.dev, 4096, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
  EXPECT(ioctl(raw.fd, KUP_IOC_DOORBELL) == -1 && errno == EACCES);
}

KUP_SCENARIO(Readiness, "guard.poll", "poll and eventfd of a channel's descriptor") {
  Raw raw(1);
  EXPECT_IS(raw.error, 0);
  EXPECT(raw.Map());
  const short all = POLLIN | POLLOUT;
  EXPECT_IS(Poll(raw.fd, all), POLLOUT);
  int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), none = -1;
  EXPECT_IS(ioctl(raw.fd, KUP_IOC_SET_EVENTFD, &efd), 0);
  EXPECT_IS(Poll(efd, POLLIN), 0);
  raw.user->d2u_wake_at = raw.dev->d2u_head;  // wake me at the next record
  __sync_synchronize();
  EXPECT_IS(Ask(KUP_TEST_FLOOD, 1, 1).rc, 0);
  EXPECT_IS(Poll(efd, POLLIN, 5000), POLLIN);
  EXPECT_IS(Ask(KUP_TEST_WAIT, 1).rc, 0);
  EXPECT_IS(Poll(raw.fd, all), all);
  EXPECT_IS(ioctl(raw.fd, KUP_IOC_SET_EVENTFD, &none), 0);
  EXPECT(ioctl(raw.fd, KUP_IOC_SET_EVENTFD, &raw.fd) == -1);  // no eventfd
  raw.user->d2u_tail = raw.dev->d2u_head;
  EXPECT_IS(Poll(raw.fd, all), POLLOUT);
  close(efd);
}

KUP_SCENARIO(Forked, "guard.fork", "a child does not inherit the mapping") {
  Raw raw(1);
  EXPECT_IS(raw.error, 0);
  EXPECT(raw.Map());
  const int status = InChild([&] {
    signal(SIGSEGV, SIG_DFL);
    return static_cast<int>(*reinterpret_cast<volatile uint32_t*>(&raw.dev->magic) & 0);
  });
  EXPECT(DiedOf(status, SIGSEGV));
  EXPECT_IS(raw.dev->state, KUP_STATE_READY);
}

KUP_SCENARIO(Revoked, "guard.revoke",
             "revoked while mapped: reads say so, writes go nowhere, nobody gets SIGBUS") {
  Raw raw(1);
  EXPECT_IS(raw.error, 0);
  EXPECT(raw.Map());
  raw.user->frame_done[3] = 77;
  const int64_t begin = NowNs();
  EXPECT_IS(Ask(KUP_TEST_REVOKE, 1).rc, 0);
  Remark("%.1f ms", static_cast<double>(NowNs() - begin) / 1e6);
  EXPECT_IS(raw.dev->state, KUP_STATE_REVOKED);
  EXPECT_IS(raw.dev->magic, KUP_MAGIC);
  EXPECT_IS(raw.user->frame_done[3], 0);  // another page now
  memset(raw.user, 0xee, raw.args.user_region_len);
  EXPECT(Poll(raw.fd, POLLIN) & POLLHUP);
  EXPECT(ioctl(raw.fd, KUP_IOC_DOORBELL) == -1 && errno == ENODEV);
  // A mapping that is made afterwards is no way back.
  void* late = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, raw.fd,
                    static_cast<off_t>(KUP_MMAP_USER));
  EXPECT(late != MAP_FAILED);
  EXPECT_IS(static_cast<kup_user_page*>(late)->pad0, 0xeeeeeeee);
  munmap(late, 4096);
  // The channel is free, in fresh memory, for somebody else.
  Channel next(1);
  EXPECT_IS(next.error(), 0);
  EXPECT_IS(Ask(KUP_TEST_ECHO, 1, 1).rc, 0);
  memset(raw.user, 0xff, raw.args.user_region_len);
  uint64_t number = 5;
  kup_msg msg;
  EXPECT_IS(kup_send(next.get(), KUP_TEST_MESSAGE, &number, sizeof number, 1000), 0);
  EXPECT_IS(kup_receive(next.get(), &msg, 5000), 0);
  EXPECT_IS(kup_release(next.get(), &msg, 1), 0);
  EXPECT_IS(Ask(KUP_TEST_WAIT, 1).rc, 0);
}

KUP_SCENARIO(RevokedAsleep, "guard.revoke.wakes", "a user asleep in kup_receive gets -ENODEV") {
  Channel ch(2);
  EXPECT_IS(ch.error(), 0);
  Sleeper sleeper(ch);
  const int64_t revoked = Ask(KUP_TEST_REVOKE, 2).rc;
  EXPECT_IS(sleeper.Join(), -ENODEV);
  EXPECT_IS(revoked, 0);
}

KUP_SCENARIO(RevokedBusy, "guard.revoke.busy",
             "revoked again and again while it scribbles and faults") {
  for (uint64_t round = 0; round < Rounds(50); ++round) {
    Raw raw(1);
    EXPECT_IS(raw.error, 0);
    EXPECT(raw.Map());
    bool stop = false;
    std::thread scribbler([&] {
      while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        memset(raw.user, static_cast<int>(round), raw.args.user_region_len);
        madvise(raw.user, raw.args.user_region_len, MADV_DONTNEED);  // and fault again
      }
    });
    const int64_t rc = Ask(KUP_TEST_REVOKE, 1).rc;
    const uint32_t state = raw.dev->state;
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    scribbler.join();
    EXPECT_IS(rc, 0);
    EXPECT_IS(state, KUP_STATE_REVOKED);
  }
}

// Publishes 32 bytes that begin with a header which says `len`.
static void PublishRecordOfLength(Raw& r, uint32_t len) {
  auto* rec = reinterpret_cast<kup_rec*>(reinterpret_cast<char*>(r.user) + r.dev->u2d_off +
                                         (r.user->u2d_head & (r.dev->u2d_size - 1)));
  rec->len = len;
  rec->flags = 0;
  __sync_synchronize();
  r.user->u2d_head += 32;
}

// Each lie by itself, and how the kernel calls it.
KUP_SCENARIO(Lies, "guard.lies", "a forged word poisons the channel with the reason") {
  struct Lie {
    uint32_t bad;
    void (*tell)(Raw& raw);
  };
  const Lie lies[] = {
      {KUP_BAD_HEAD_ALIGN, [](Raw& r) { r.user->u2d_head += 8; }},
      {KUP_BAD_HEAD_RANGE, [](Raw& r) { r.user->u2d_head += 1ull << 40; }},
      {KUP_BAD_HEAD_RANGE, [](Raw& r) { r.user->u2d_head -= 1024; }},
      {KUP_BAD_LEN, [](Raw& r) { PublishRecordOfLength(r, 0xffffffff); }},
      {KUP_BAD_SPAN, [](Raw& r) { PublishRecordOfLength(r, 1024); }},
      {KUP_BAD_GENERATION, [](Raw& r) { r.user->generation++; }},
      {KUP_BAD_STATE, [](Raw& r) { r.user->state = KUP_STATE_POISONED; }},
  };
  for (const Lie& lie : lies) {
    Raw raw(3);
    EXPECT_IS(raw.error, 0);
    EXPECT(raw.Map());
    EXPECT_IS(Ask(KUP_TEST_SINK, 3, 1000000).rc, 0);
    lie.tell(raw);
    __sync_synchronize();
    (void)ioctl(raw.fd, KUP_IOC_DOORBELL);
    EXPECT_IS(Ask(KUP_TEST_WAIT, 3).rc, -EBADMSG);
    EXPECT_IS(Ask(KUP_TEST_STATS, 3).value[1], lie.bad);
    EXPECT_IS(raw.dev->state, KUP_STATE_POISONED);
    EXPECT_IS(raw.dev->error, lie.bad);
    EXPECT(Poll(raw.fd, POLLIN) & POLLERR);
  }
  Raw raw(3);
  EXPECT(raw.Map());
  raw.user->d2u_tail = raw.dev->d2u_head + (1ull << 40);
  EXPECT_IS(Ask(KUP_TEST_FLOOD, 3, 100000).rc, 0);
  EXPECT_IS(Ask(KUP_TEST_WAIT, 3).rc, -EBADMSG);
  EXPECT_IS(Ask(KUP_TEST_STATS, 3).value[1], KUP_BAD_TAIL_RANGE);
}

// No rule is broken and no message published: the kernel must not step over it for ever.
KUP_SCENARIO(Floods, "guard.flood",
             "a flood of discards or stale replies leaves the kernel its time") {
  for (uint16_t flags : {uint16_t{KUP_REC_DISCARD}, uint16_t{KUP_REC_REPLY}}) {
    Raw raw(3);
    EXPECT_IS(raw.error, 0);
    EXPECT(raw.Map());
    const uint64_t size = raw.dev->u2d_size;
    const kup_rec rec = {0, 1, flags, 0, 0xffff0000};
    for (uint64_t at = 0; at < size; at += sizeof rec) {
      memcpy(reinterpret_cast<char*>(raw.user) + raw.dev->u2d_off + at, &rec, sizeof rec);
    }
    bool stop = false;
    std::thread flooder([&] {
      while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        const uint64_t tail = __atomic_load_n(&raw.dev->u2d_tail, __ATOMIC_RELAXED);
        __atomic_store_n(&raw.user->u2d_head, tail + size, __ATOMIC_RELEASE);
      }
    });
    const uint64_t begin = __atomic_load_n(&raw.dev->u2d_tail, __ATOMIC_RELAXED);
    const kup_test_answer started = Ask(KUP_TEST_SINK, 3, 1);
    const auto rings = [&] {
      return (__atomic_load_n(&raw.dev->u2d_tail, __ATOMIC_RELAXED) - begin) / size;
    };
    const bool stepped = Until([&] { return rings() >= 10; });
    const kup_test_answer ended = Ask(KUP_TEST_STOP, 3);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    flooder.join();
    EXPECT_IS(started.rc, 0);
    EXPECT_IS(ended.rc, 0);
    EXPECT_IS(ended.value[0], 0);
    EXPECT_IS(raw.dev->state, KUP_STATE_READY);
    if (!stepped) return Fail(__LINE__, "only " + std::to_string(rings()) + " rings in time");
  }
}

// Anything anywhere in the user's region, while the kernel sends and receives.
KUP_SCENARIO(Scribbles, "guard.scribble", "random words all over, in a storm of both directions") {
  std::mt19937_64 random(1);
  uint64_t words = 0, poisoned = 0;
  for (uint64_t round = 0; round < Rounds(300); ++round) {
    Raw raw(4), other(5);
    EXPECT_IS(raw.error, 0);
    EXPECT(raw.Map() && other.Map());
    const bool sending = round & 1;
    EXPECT_IS(Ask(sending ? KUP_TEST_FLOOD : KUP_TEST_SINK, 4, 1u << 30).rc, 0);
    uint64_t* region = reinterpret_cast<uint64_t*>(raw.user);
    const uint64_t n = raw.args.user_region_len / 8;
    for (int i = 0; i < 2000; ++i, ++words) {
      // Half of them on the control page, where it hurts.
      const uint64_t at = random() % (random() & 1 ? 512 : n);
      const uint64_t values[] = {random(),
                                 random() % 65536 * 16,
                                 raw.dev->d2u_head,
                                 raw.dev->d2u_head + 16,
                                 raw.user->u2d_head + 32,
                                 0};
      __atomic_store_n(&region[at], values[random() % 6], __ATOMIC_RELAXED);
      if ((i & 255) == 0) (void)ioctl(raw.fd, KUP_IOC_DOORBELL);
    }
    const kup_test_answer end = Ask(KUP_TEST_STOP, 4);
    EXPECT(end.rc == 0 || end.rc == -EBADMSG || end.rc == -EILSEQ || end.rc == -EINVAL ||
           end.rc == -ENOBUFS);
    poisoned += end.rc == -EBADMSG;
    // The neighbour does not notice.
    EXPECT_IS(other.dev->state, KUP_STATE_READY);
  }
  Remark("%llu words, %llu of the channels poisoned", static_cast<unsigned long long>(words),
         static_cast<unsigned long long>(poisoned));
  EXPECT(poisoned > 0);
}

}  // namespace
}  // namespace guest
