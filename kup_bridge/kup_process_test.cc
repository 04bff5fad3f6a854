// SPDX-License-Identifier: BSD-3-Clause
//
// kup_process_test.cc -- sim:NAME between two processes: who may come in, what
// survives fork and restart, several processes on one channel.
#include <grp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kup_abi.h"
#include "kup_bridge/kupdev.h"
#include "kup_bridge/sim_socket.h"
#include "kup_bridge/test_peer.h"

namespace uwq::kup {
namespace {

constexpr uid_t kNobody = 65534;

class KupProcess : public ::testing::Test {
 protected:
  void Start(const kupdev_opts& opts = {}) {
    name_ = UniqueSimName("process");
    ASSERT_EQ(kupdev_open(name_.c_str(), &opts, &sc_), 0);
  }
  void TearDown() override {
    if (sc_ != nullptr) {
      EXPECT_EQ(kupdev_unload(sc_), 0);
    }
  }
  void AwaitEvent(uint32_t kind) {
    kupdev_event event;
    do {
      ASSERT_EQ(kupdev_wait_event(sc_, &event, 30000), 0);
    } while (event.kind != kind);
  }
  std::string name_;
  kupdev_softc* sc_ = nullptr;
};

// Echoes until the device hangs up.
int EchoUser(const std::string& name) {
  kup_dev* dev;
  kup_chan* ch;
  if (kup_open(name.c_str(), &dev) != 0 || kup_attach(dev, 0, 10000, &ch) != 0) return 2;
  kup_msg msg;
  int rc;
  while ((rc = kup_receive(ch, &msg, -1)) == 0) {
    if (kup_send(ch, msg.type, msg.data, msg.len, -1) != 0) return 3;
    if (kup_release(ch, &msg, 1) != 0) return 4;
  }
  kup_close(dev);
  return rc == -ESHUTDOWN ? 0 : 5;
}

TEST_F(KupProcess, EchoThroughAnotherProcess) {
  kupdev_opts opts = {};
  opts.d2u_size = opts.u2d_size = 4096;  // full most of the time
  Start(opts);
  const pid_t pid = SpawnPeer("echo", {name_});
  uint32_t sent = 0, received = 0;
  constexpr uint32_t kCount = 50000;
  while (received < kCount) {
    uint32_t words[16];
    for (uint32_t& w : words) w = sent;
    const kup_vec vec = {words, (1 + sent % 16) * 4, 1, 0, 0};
    if (sent < kCount && kupdev_post_batch(sc_, 0, &vec, 1) == 1) {
      ++sent;
      continue;
    }
    kup_msg msg;
    const int rc = kupdev_take(sc_, 0, &msg, -1);
    if (rc == -EPIPE && received == 0) {  // it has not come yet
      AwaitEvent(KUPDEV_ATTACHED);
      continue;
    }
    ASSERT_EQ(rc, 0);
    ASSERT_EQ(msg.len, (1 + received % 16) * 4);
    ASSERT_EQ(memcmp(msg.data, &received, 4), 0);
    ASSERT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
    ++received;
  }
  ASSERT_EQ(kupdev_unload(sc_), 0);
  sc_ = nullptr;
  EXPECT_EQ(WaitPeer(pid), 0);
}

/* ---- who may come in ------------------------------------------------------------- */

int Stranger(const std::string& name) {
  if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 || setuid(kNobody) != 0) return 2;
  kup_dev* dev;
  const int rc = kup_open(name.c_str(), &dev);
  if (rc == 0) kup_close(dev);
  return -rc;
}

// "Access only to the device's owner": another user is refused, unless the mode
// bits let it in.  Who is not root cannot become another user; then only the
// owner's side can be looked at.
TEST_F(KupProcess, AnotherUserIsRefused) {
  Start();
  kup_dev* dev;
  ASSERT_EQ(kup_open(name_.c_str(), &dev), 0) << "the owner is not";
  kup_close(dev);
  if (geteuid() != 0) return;
  EXPECT_EQ(WaitPeer(SpawnPeer("stranger", {name_})), EACCES);
  kupdev_opts open_to_all = {};
  open_to_all.mode = 0666;
  kupdev_softc* sc;
  const std::string name = UniqueSimName("public");
  ASSERT_EQ(kupdev_open(name.c_str(), &open_to_all, &sc), 0);
  EXPECT_EQ(WaitPeer(SpawnPeer("stranger", {name})), 0);
  EXPECT_EQ(kupdev_unload(sc), 0);
}

TEST_F(KupProcess, WrongVersionIsRefusedByNumber) {
  Start();
  const auto ask = [&](kup_attach_args request) -> int {
    absl::StatusOr<Fd> socket = ConnectSim(name_.substr(4));
    EXPECT_TRUE(socket.ok());
    EXPECT_EQ(SendAttach(socket->get(), request, {}), 0);
    kup_attach_args answer;
    int rc;
    do {
      rc = ReceiveAttach(socket->get(), &answer, nullptr);
    } while (rc == -EAGAIN);
    return rc == 1 ? static_cast<int>(answer.error) : -1;
  };
  kup_attach_args good = {};
  good.magic = KUP_MAGIC;
  good.abi_major = KUP_ABI_MAJOR;
  good.op = KUP_OP_INFO;
  EXPECT_EQ(ask(good), 0);
  kup_attach_args bad = good;
  bad.abi_major = KUP_ABI_MAJOR + 1;
  EXPECT_EQ(ask(bad), EPROTO);
  bad = good;
  bad.abi_minor = 999;
  EXPECT_EQ(ask(bad), 0) << "a higher minor only adds";
  bad = good;
  bad.magic = 1;
  EXPECT_EQ(ask(bad), EPROTO);
  bad = good;
  bad.op = 99;
  EXPECT_EQ(ask(bad), EINVAL);
  bad = good;
  bad.op = KUP_OP_ATTACH;
  bad.channel = 1;
  EXPECT_EQ(ask(bad), ECHRNG);
  bad.channel = 0;
  bad.flags = KUP_ATTACH_WAIT << 1;
  EXPECT_EQ(ask(bad), EINVAL);
}

// Goal: whatever a device answers, what is no success is an error.  Method: a listener of
// our own plays the device; an answer to the question for the channels, then to the attach.
TEST_F(KupProcess, HostileAnswersAreErrors) {
  const std::string name = UniqueSimName("hostile-answer");
  absl::StatusOr<Fd> listener = ListenSim(name.substr(4), 0600);
  ASSERT_TRUE(listener.ok());
  const auto answer = [&](kup_attach_args with) {
    pollfd knock = {listener->get(), POLLIN, 0};
    ASSERT_EQ(poll(&knock, 1, -1), 1);
    const Fd socket(accept(listener->get(), nullptr, nullptr));
    kup_attach_args request;
    pollfd asked = {socket.get(), POLLIN, 0};
    ASSERT_EQ(poll(&asked, 1, -1), 1);
    ASSERT_EQ(ReceiveAttach(socket.get(), &request, nullptr), 1);
    ASSERT_EQ(SendAttach(socket.get(), with, {}), 0);
  };
  kup_attach_args good = {};
  good.magic = KUP_MAGIC;
  good.abi_major = KUP_ABI_MAJOR;
  good.n_channels = 1;
  for (uint32_t error : {4096u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    kup_attach_args bad = good;
    bad.error = error;
    std::thread device([&] {
      answer(bad);
      answer(good);
      answer(bad);
    });
    kup_dev* dev;
    EXPECT_EQ(kup_open(name.c_str(), &dev), -EPROTO) << error;
    EXPECT_EQ(kup_open(name.c_str(), &dev), 0) << kup_error_text();
    kup_chan* ch;
    EXPECT_EQ(kup_attach(dev, 0, 0, &ch), -EPROTO) << error;
    EXPECT_EQ(ch, nullptr);
    kup_close(dev);
    device.join();
  }
}

// Goal: a device that is out of descriptors waits for better times, and not in a loop.
// Method: no descriptor is left when somebody knocks; the CPU time that passes meanwhile.
TEST_F(KupProcess, OutOfDescriptors) {
  Start();
  rlimit usual;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
  rlimit few = usual;
  few.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<Fd> all;
  for (int fd; (fd = dup(0)) >= 0;) all.emplace_back(fd);
  ASSERT_FALSE(all.empty());
  all.pop_back();  // for the one who knocks
  absl::StatusOr<Fd> knocking = ConnectSim(name_.substr(4));
  ASSERT_TRUE(knocking.ok());
  kup_attach_args request = {};
  request.magic = KUP_MAGIC;
  request.abi_major = KUP_ABI_MAJOR;
  request.op = KUP_OP_INFO;
  rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  ASSERT_EQ(SendAttach(knocking->get(), request, {}), 0);
  pollfd fd = {knocking->get(), POLLIN, 0};
  EXPECT_EQ(poll(&fd, 1, 300), 0) << "not served";
  getrusage(RUSAGE_SELF, &after);
  const auto ms = [](const rusage& u) {
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
  };
  EXPECT_LT(ms(after) - ms(before), 50);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
  EXPECT_EQ(poll(&fd, 1, -1), 1) << "served again";
}

// Garbage on the socket ends that connection and nothing else.
TEST_F(KupProcess, GarbageOnTheSocket) {
  Start();
  const std::string rest = name_.substr(4);
  for (size_t len :
       {size_t{1}, sizeof(kup_attach_args) - 1, sizeof(kup_attach_args) + 1, size_t{4096}}) {
    absl::StatusOr<Fd> socket = ConnectSim(rest);
    ASSERT_TRUE(socket.ok());
    const std::vector<char> garbage(len, 'x');
    ASSERT_EQ(send(socket->get(), garbage.data(), len, 0), static_cast<ssize_t>(len));
    kup_attach_args answer;
    int rc;
    do {
      rc = ReceiveAttach(socket->get(), &answer, nullptr);
    } while (rc == -EAGAIN);
    EXPECT_EQ(rc, 0) << "hung up on " << len << " bytes";
  }
  kup_dev* dev;
  EXPECT_EQ(kup_open(name_.c_str(), &dev), 0);
  kup_close(dev);
}

TEST_F(KupProcess, NamesInTheFileSystem) {
  const char* tmp = getenv("TEST_TMPDIR");
  const std::string path =
      std::string(tmp != nullptr ? tmp : "/tmp") + "/kup-" + std::to_string(getpid()) + ".sock";
  if (path.size() > 100) return;  // no unix socket has such a name
  const std::string name = "sim:" + path;
  kupdev_opts opts = {};
  ASSERT_EQ(kupdev_open(name.c_str(), &opts, &sc_), 0);
  struct stat st;
  ASSERT_EQ(stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  kupdev_softc* second;
  EXPECT_EQ(kupdev_open(name.c_str(), &opts, &second), -EEXIST);
  kup_dev* dev;
  ASSERT_EQ(kup_open(name.c_str(), &dev), 0) << kup_error_text();
  kup_close(dev);
  ASSERT_EQ(kupdev_unload(sc_), 0);
  sc_ = nullptr;
  EXPECT_NE(stat(path.c_str(), &st), 0) << "it cleans up";
  // A killed device leaves its file behind; the next one takes over.
  const pid_t pid = SpawnPeer("device", {name});
  while (kup_open(name.c_str(), &dev) != 0) {
  }
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  ASSERT_EQ(WaitPeer(pid), -SIGKILL);
  kup_close(dev);
  ASSERT_EQ(stat(path.c_str(), &st), 0);
  ASSERT_EQ(kupdev_open(name.c_str(), &opts, &sc_), 0);
  ASSERT_EQ(kup_open(name.c_str(), &dev), 0);
  kup_close(dev);
}

// Who mistakes a file for a name keeps the file.
TEST_F(KupProcess, FilesAreNotReplaced) {
  const char* tmp = getenv("TEST_TMPDIR");
  const std::string path =
      std::string(tmp != nullptr ? tmp : "/tmp") + "/kup-" + std::to_string(getpid()) + ".txt";
  if (path.size() > 100) return;  // no unix socket has such a name
  const std::string link = path + ".link";
  std::ofstream(path) << "precious";
  ASSERT_EQ(symlink(path.c_str(), link.c_str()), 0);
  for (const std::string& name : {path, link}) {
    kupdev_opts opts = {};
    EXPECT_EQ(kupdev_open(("sim:" + name).c_str(), &opts, &sc_), -EEXIST);
    struct stat st;
    ASSERT_EQ(lstat(name.c_str(), &st), 0);
  }
  std::string text;
  std::ifstream(path) >> text;
  EXPECT_EQ(text, "precious");
  (void)unlink(link.c_str());
  (void)unlink(path.c_str());
}

/* ---- fork, observers in other processes -------------------------------------------- */

// A child of fork() must not become a second consumer: it has no mapping at all.
int ForkedUser(const std::string& name) {
  kup_dev* dev;
  kup_chan* ch;
  if (kup_open(name.c_str(), &dev) != 0 || kup_attach(dev, 0, 10000, &ch) != 0) return 2;
  const pid_t child = fork();
  if (child == 0) {
    // A sanitizer would report the fault that we are here for.
    signal(SIGSEGV, SIG_DFL);
    (void)kup_param_set(ch, 0, 1);
    _exit(0);
  }
  int status;
  if (waitpid(child, &status, 0) != child) return 3;
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV) return 4;
  // And the parent goes on.
  if (kup_send(ch, 1, "parent", 6, -1) != 0) return 5;
  kup_close(dev);
  return 0;
}

TEST_F(KupProcess, ForkedChildHasNoMapping) {
  Start();
  EXPECT_EQ(WaitPeer(SpawnPeer("fork", {name_})), 0);
  kup_msg msg;
  ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
  EXPECT_EQ(msg.len, 6u);
  EXPECT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
}

struct Orphan {
  std::atomic<pid_t> pid;
};

// Dies while a child of its own lives on, with copies of its descriptors.
int UserWithAChild(const std::string& name, const std::string& log_fd) {
  SharedLog<Orphan> log(log_fd);
  kup_dev* dev;
  kup_chan* ch;
  if (kup_open(name.c_str(), &dev) != 0 || kup_attach(dev, 0, 10000, &ch) != 0) return 2;
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // should the test fail
    for (;;) pause();
  }
  log->pid = child;
  if (kup_send(ch, 1, "forked", 6, -1) != 0) return 3;
  for (;;) pause();
}

TEST_F(KupProcess, DeathIsSeenThoughAChildLivesOn) {
  Start();
  SharedLog<Orphan> log;
  const pid_t pid = SpawnPeer("parent", {name_, log.fd()});
  AwaitEvent(KUPDEV_ATTACHED);
  kup_msg msg;
  ASSERT_EQ(kupdev_take(sc_, 0, &msg, -1), 0);
  EXPECT_EQ(kupdev_give_back(sc_, 0, &msg, 1), 0);
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  ASSERT_EQ(WaitPeer(pid), -SIGKILL);
  AwaitEvent(KUPDEV_DETACHED);
  kup_dev* dev;
  kup_chan* ch;
  ASSERT_EQ(kup_open(name_.c_str(), &dev), 0);
  EXPECT_EQ(kup_attach(dev, 0, 10000, &ch), 0) << kup_error_text();
  kup_close(dev);
  EXPECT_EQ(kill(log->pid, SIGKILL), 0);
}

int Observer(const std::string& name) {
  kup_observer* observer;
  if (kup_observe(name.c_str(), 0, &observer) != 0) return 2;
  kup_rec rec;
  char text[16];
  const int rc = kup_observer_next(observer, &rec, text, sizeof text);
  kup_unobserve(observer);
  return rc == 1 && rec.len == 4 && memcmp(text, "seen", 4) == 0 ? 0 : 3;
}

TEST_F(KupProcess, ObserversInOtherProcesses) {
  Start();
  kup_dev* dev;
  kup_chan* ch;
  ASSERT_EQ(kup_open(name_.c_str(), &dev), 0);
  ASSERT_EQ(kup_attach(dev, 0, 0, &ch), 0);
  ASSERT_EQ(kupdev_post(sc_, 0, 1, "seen", 4), 0);
  std::vector<pid_t> pids;
  for (int i = 0; i < 4; ++i) pids.push_back(SpawnPeer("observer", {name_}));
  for (pid_t pid : pids) EXPECT_EQ(WaitPeer(pid), 0);
  kup_msg msg;
  ASSERT_EQ(kup_receive(ch, &msg, 0), 0) << "and the user has lost nothing";
  EXPECT_EQ(kup_release(ch, &msg, 1), 0);
  kup_close(dev);
}

int PlainDevice(const std::string& name) {
  kupdev_softc* sc;
  if (kupdev_open(name.c_str(), nullptr, &sc) != 0) return 2;
  pause();  // until it is killed
  return 3;
}

}  // namespace

int PeerMain(const std::string& mode, const std::vector<std::string>& args) {
  if (mode == "echo") return EchoUser(args[0]);
  if (mode == "stranger") return Stranger(args[0]);
  if (mode == "fork") return ForkedUser(args[0]);
  if (mode == "parent") return UserWithAChild(args[0], args[1]);
  if (mode == "observer") return Observer(args[0]);
  if (mode == "device") return PlainDevice(args[0]);
  return 99;
}

}  // namespace uwq::kup
