// SPDX-License-Identifier: BSD-3-Clause
//
// guest_life.cc -- users die, devices and modules go, the HDMI model is driven; and
// at the end, whether the kernel complained.  The scenarios run in this order.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <thread>

#include "kup_bridge/kernel/test/guest.h"

namespace guest {
namespace {

int DeleteModule(const char* name) {
  return syscall(SYS_delete_module, name, O_NONBLOCK) == 0 ? 0 : -errno;
}

// Zero parameters or the given ones; 0 or -errno.
int LoadModule(const char* name, const char* parameters) {
  const int fd = open((std::string("/modules/") + name + ".ko").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const int rc = syscall(SYS_finit_module, fd, parameters, 0) == 0 ? 0 : -errno;
  close(fd);
  return rc;
}

// A user takes numbered messages and is killed; the next one goes on where it was.
KUP_SCENARIO(Killed, "life.kill",
             "SIGKILL of the user in a flood: nothing acknowledged is lost or comes twice") {
  struct Progress {
    uint64_t next;       // the first number that is not acknowledged for certain
    uint64_t releasing;  // the number whose release is under way
    uint64_t wrong;
  };
  auto* shared = static_cast<Progress*>(
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  memset(shared, 0, sizeof *shared);
  std::mt19937 random(7);
  const uint64_t kills = Rounds(50);
  std::vector<int64_t> ns;
  EXPECT_IS(Ask(KUP_TEST_FLOOD, 6, 1u << 30).rc, 0);
  for (uint64_t round = 0; round < kills; ++round) {
    const uint64_t before = shared->next;
    const pid_t pid = fork();
    if (pid == 0) {
      Channel ch(6);
      if (ch.error() != 0) _exit(1);
      for (bool first = true;; first = false) {
        kup_msg msg;
        if (kup_receive(ch.get(), &msg, 10000) != 0) _exit(2);
        kup_test_stamp stamp;
        memcpy(&stamp, msg.data, sizeof stamp);
        // The dead one may have come to release `releasing` or not.
        const bool good =
            stamp.number == shared->next || (first && stamp.number == shared->releasing);
        if (!good) __atomic_store_n(&shared->wrong, stamp.number + 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&shared->releasing, stamp.number, __ATOMIC_SEQ_CST);
        __atomic_store_n(&shared->next, stamp.number + 1, __ATOMIC_SEQ_CST);
        if (kup_release(ch.get(), &msg, 1) != 0) _exit(3);
      }
    }
    // Killed at a random message after it has begun.
    const uint64_t stop = before + 1 + random() % 500;
    EXPECT(Until([&] {
      return __atomic_load_n(&shared->next, __ATOMIC_SEQ_CST) > stop ||
             waitpid(pid, nullptr, WNOHANG) != 0;
    }));
    const int64_t begin = NowNs();
    kill(pid, SIGKILL);
    EXPECT_IS(waitpid(pid, nullptr, 0), pid);
    EXPECT(Until([] { return Ask(KUP_TEST_STATS, 6).value[0] == 0; }));
    ns.push_back(NowNs() - begin);
    EXPECT_IS(shared->wrong, 0);
  }
  EXPECT_IS(Ask(KUP_TEST_STOP, 6).rc, 0);
  std::sort(ns.begin(), ns.end());
  const int64_t most = ns[ns.size() * 9 / 10];  // the host may take the CPUs away now and then
  Remark("%zu kills, the module knew after p50 %.1f ms, p90 %.1f ms, max %.1f ms", ns.size(),
         static_cast<double>(ns[ns.size() / 2]) / 1e6, static_cast<double>(most) / 1e6,
         static_cast<double>(ns.back()) / 1e6);
  EXPECT(most < 100000000 || Slow());
  munmap(shared, sizeof *shared);
}

KUP_SCENARIO(KilledParent, "life.kill.parent",
             "SIGKILL of a user whose child holds the descriptor frees the channel") {
  auto* child = static_cast<pid_t*>(
      mmap(nullptr, sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  *child = 0;
  const pid_t pid = fork();
  if (pid == 0) {
    Channel ch(2);
    if (ch.error() != 0) _exit(1);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      for (;;) pause();
    }
    // A child that ends is none of the device's business.
    const pid_t other = fork();
    if (other == 0) _exit(0);
    if (waitpid(other, nullptr, 0) != other) _exit(2);
    __atomic_store_n(child, grandchild, __ATOMIC_SEQ_CST);
    for (;;) pause();
  }
  EXPECT(Until([&] { return __atomic_load_n(child, __ATOMIC_SEQ_CST) != 0; }));
  EXPECT_IS(Ask(KUP_TEST_STATS, 2).value[0], 1);
  kill(pid, SIGKILL);
  EXPECT_IS(waitpid(pid, nullptr, 0), pid);
  const bool freed = Until([] { return Ask(KUP_TEST_STATS, 2).value[0] == 0; });
  const int again = Channel(2).error();
  kill(*child, SIGKILL);
  munmap(child, sizeof *child);
  EXPECT(freed);
  EXPECT_IS(again, 0);
}

KUP_SCENARIO(Unloaded, "life.unload",
             "kupdev_unload with users: one drains, one sleeps, one only holds a mapping") {
  EXPECT_IS(Ask(KUP_TEST_OPEN, 0).rc, 0);
  Channel drains(0, "ktest2");
  EXPECT_IS(drains.error(), 0);
  Channel sleeps(1, "ktest2");
  EXPECT_IS(sleeps.error(), 0);
  Raw observes(0, KUP_OP_OBSERVE, "/dev/kup-ktest2");
  EXPECT(observes.Map());
  close(observes.fd);
  observes.fd = -1;
  EXPECT_IS(Ask(KUP_TEST_POST2, 0, 3).rc, 0);
  Sleeper sleeper(sleeps);
  const int64_t unloaded = Ask(KUP_TEST_UNLOAD, 0).rc;
  EXPECT_IS(sleeper.Join(), -ESHUTDOWN);
  EXPECT_IS(unloaded, 0);
  kup_msg msg;
  for (int i = 0; i < 3; ++i) {
    EXPECT_IS(kup_receive(drains.get(), &msg, 1000), 0);
    EXPECT_IS(kup_release(drains.get(), &msg, 1), 0);
  }
  EXPECT_IS(kup_receive(drains.get(), &msg, 1000), -ESHUTDOWN);
  EXPECT_IS(observes.dev->state, KUP_STATE_SHUTDOWN);
  kup_dev* dev;
  EXPECT_IS(kup_open("ktest2", &dev), -ENOENT);
  // The name is free for a successor while the old users still look at the old one.
  EXPECT_IS(Ask(KUP_TEST_OPEN, 0).rc, 0);
  {
    Channel fresh(0, "ktest2");
    EXPECT_IS(fresh.error(), 0);
    EXPECT_IS(kup_receive(drains.get(), &msg, 0), -ESHUTDOWN);
  }
  EXPECT_IS(Ask(KUP_TEST_UNLOAD, 0).rc, 0);
}

KUP_SCENARIO(WaitsInVain, "life.unload.waiter",
             "who waits for a channel is told that none will come") {
  EXPECT_IS(Ask(KUP_TEST_OPEN, 0).rc, 0);
  Channel holder(0, "ktest2");
  EXPECT_IS(holder.error(), 0);
  const int node = open("/dev/kup-ktest2", O_RDWR | O_CLOEXEC);
  kup_attach_args args = RawRequest(KUP_OP_ATTACH, 0);
  EXPECT_IS(RawAttach(node, &args), EBUSY);
  pollfd p = {node, POLLIN, 0};
  EXPECT_IS(poll(&p, 1, 0), 0);  // refused, and nothing has changed since
  args.flags = KUP_ATTACH_WAIT;
  int error = 0;
  std::thread waiter([&] { error = RawAttach(node, &args); });
  EXPECT_IS(Ask(KUP_TEST_UNLOAD, 0).rc, 0);
  waiter.join();
  EXPECT_IS(error, ESHUTDOWN);
  close(node);
}

// The example's driver plays `fault` against the model in the kernel; its exit status.
static int PlayFault(const char* fault) {
  const int status = InChild([fault] {
    const int out = open("/hdmi.log", O_CREAT | O_WRONLY | O_TRUNC, 0600);
    dup2(out, 1);
    dup2(out, 2);
    const std::string argument = std::string("--fault=") + fault;
    execl("/hdmi_demo", "hdmi_demo", "--device=hdmi0", argument.c_str(), "--speed=2",
          "--color=never", nullptr);
    return 127;
  });
  if (status != 0) {
    if (FILE* log = fopen("/hdmi.log", "r")) {
      char line[300];
      while (fgets(line, sizeof line, log) != nullptr) {
        line[strcspn(line, "\n")] = 0;
        Log(std::string("hdmi_demo says ") + line);
      }
      fclose(log);
    }
  }
  return status;
}

// The driver of the example, whole, against the transmitter in the kernel: a bouncing
// hot-plug line, one wrong link check, and a wrong V' of a repeater, whose list comes
// through the channel and is hashed in the kernel.
KUP_SCENARIO(Hdmi, "life.hdmi",
             "the HDMI driver plays faults against the device model in the kernel") {
  if (access("/hdmi_demo", X_OK) != 0) {
    Remark("SKIP the demo program was not built");
    return;
  }
  const int64_t begin = NowNs();
  for (const char* fault : {"F1", "F17", "F23.once"}) {
    EXPECT_IS(LoadModule("kup_hdmi", "speed=2"), 0);
    const int status = PlayFault(fault);
    const int unloaded = DeleteModule("kup_hdmi");
    if (status != 0) return Fail(__LINE__, std::string("fault ") + fault + " failed");
    EXPECT_IS(unloaded, 0);
  }
  Remark("faults F1, F17 and F23.once in %.1f s", static_cast<double>(NowNs() - begin) / 1e9);
}

KUP_SCENARIO(
    Rmmod, "life.rmmod",
    "rmmod of the device's module with a user; of kup itself only when nobody has it open") {
  EXPECT_IS(DeleteModule("kup"), -EWOULDBLOCK);  // kup_test uses it
  Raw raw(1);
  EXPECT_IS(raw.error, 0);
  EXPECT(raw.Map());
  Channel ch(2);
  EXPECT_IS(ch.error(), 0);
  int rc = 1;
  std::thread sleeper([&] {
    kup_msg msg;
    rc = kup_receive(ch.get(), &msg, 20000);
  });
  EXPECT_IS(DeleteModule("kup_test"), 0);
  sleeper.join();
  EXPECT_IS(rc, -ESHUTDOWN);
  EXPECT_IS(raw.dev->state, KUP_STATE_SHUTDOWN);
  memset(raw.user, 0x55, raw.args.user_region_len);
  pollfd p = {raw.fd, POLLIN, 0};
  EXPECT(poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0);
  ch.Close();
  CloseControl();
  EXPECT_IS(DeleteModule("kup"), -EWOULDBLOCK);  // a descriptor
  close(raw.fd);
  raw.fd = -1;
  EXPECT_IS(DeleteModule("kup"), -EWOULDBLOCK);  // a mapping
  EXPECT_IS(raw.dev->state, KUP_STATE_SHUTDOWN);
  raw.Unmap();
  EXPECT(Until([] { return DeleteModule("kup") == 0; }));
}

KUP_SCENARIO(Reload, "life.reload", "and all of it once more") {
  EXPECT_IS(LoadModule("kup", ""), 0);
  EXPECT_IS(LoadModule("kup_test", ""), 0);
  EXPECT(OpenControl());
  {
    Channel ch(1);
    EXPECT_IS(ch.error(), 0);
    EXPECT_IS(Ask(KUP_TEST_ECHO, 1, 1).rc, 0);
    uint64_t number = 5;
    kup_msg msg;
    EXPECT_IS(kup_send(ch.get(), KUP_TEST_MESSAGE, &number, sizeof number, 1000), 0);
    EXPECT_IS(kup_receive(ch.get(), &msg, 5000), 0);
    EXPECT_IS(kup_release(ch.get(), &msg, 1), 0);
    EXPECT_IS(Ask(KUP_TEST_WAIT, 1).rc, 0);
  }
  CloseControl();
  EXPECT_IS(DeleteModule("kup_test"), 0);
  EXPECT(Until([] { return DeleteModule("kup") == 0; }));
}

// What kmemleak has found, if it is there: after the modules are gone, nothing of theirs is left.
std::string Leaks() {
  const int fd = open("/sys/kernel/debug/kmemleak", O_RDWR | O_CLOEXEC);
  if (fd < 0) return "";
  // An object counts from the second scan that does not find it, and only if it is some seconds
  // old.
  const timespec pause = {6, 0};
  for (int i = 0; i < 2; ++i) {
    nanosleep(&pause, nullptr);
    (void)!write(fd, "scan", 4);
  }
  std::string text(65536, '\0');
  const ssize_t n = read(fd, text.data(), text.size());
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  close(fd);
  return text;
}

KUP_SCENARIO(Quiet, "life.quiet", "no warning, no report of a checker, no leak of ours") {
  const std::string leaks = Leaks();
  for (size_t at = 0, n = 0; at < leaks.size() && n < 40; ++n) {
    const size_t end = leaks.find('\n', at);
    Log("kmemleak: " + leaks.substr(at, end - at));
    at = end == std::string::npos ? leaks.size() : end + 1;
  }
  EXPECT(leaks.find("[kup") == std::string::npos);
  const int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  EXPECT(kmsg >= 0);
  char record[8192];
  uint64_t records = 0;
  for (;; ++records) {
    const ssize_t n = read(kmsg, record, sizeof record - 1);
    if (n < 0 && errno == EPIPE) continue;  // overwritten meanwhile
    if (n < 0) break;
    record[n] = 0;
    for (const char* sign : {"WARNING:", "BUG:", "UBSAN:", "possible circular locking",
                             "inconsistent lock state", "possible recursive locking",
                             "suspicious RCU usage", "sleeping function called", "Oops", "stall"}) {
      if (strstr(record, sign) != nullptr) {
        Fail(__LINE__, record);
        return;
      }
    }
  }
  Remark("%llu lines of the log, %s", static_cast<unsigned long long>(records),
         Slow() ? "KASAN, lockdep, kmemleak and UBSAN on" : "an ordinary kernel");
}

}  // namespace
}  // namespace guest
