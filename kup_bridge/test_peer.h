// SPDX-License-Identifier: BSD-3-Clause
//
// test_peer.h -- tests that need a second process run themselves again.
//
// A test program lists its peers in PeerMain(); SpawnPeer() executes the same
// program with "--peer=MODE ARGS".  Execute, not just fork: a fork of a program
// with threads may do next to nothing.
#ifndef UWQ_KUP_BRIDGE_TEST_PEER_H_
#define UWQ_KUP_BRIDGE_TEST_PEER_H_

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kup_bridge/ring_map.h"

extern char** environ;

namespace uwq::kup {

// Written by the test program: runs peer `mode`, returns its exit code.
int PeerMain(const std::string& mode, const std::vector<std::string>& args);

inline pid_t SpawnPeer(const std::string& mode, const std::vector<std::string>& args) {
  std::vector<std::string> all = {"peer", "--peer=" + mode};
  all.insert(all.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& arg : all) argv.push_back(arg.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int rc = posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, argv.data(), environ);
  EXPECT_EQ(rc, 0) << strerror(rc);
  return pid;
}

// The peer's exit code, or -signal.
inline int WaitPeer(pid_t pid) {
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// A few words shared with a peer through an inherited descriptor, so that what a
// killed peer knew is still known.
template <typename T>
class SharedLog {
 public:
  SharedLog() : fd_(memfd_create("log", 0)) {
    EXPECT_EQ(ftruncate(fd_.get(), sizeof(T)), 0);
    Map();
  }
  explicit SharedLog(const std::string& fd) : fd_(atoi(fd.c_str())) { Map(); }
  ~SharedLog() { munmap(log_, sizeof(T)); }
  std::string fd() const { return std::to_string(fd_.get()); }
  T* operator->() { return log_; }

 private:
  void Map() {
    log_ =
        static_cast<T*>(mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0));
    EXPECT_NE(log_, MAP_FAILED);
  }
  Fd fd_;
  T* log_ = nullptr;
};

// Sandboxes count their processes from 1, but have the abstract names in common.
inline std::string UniqueSimName(const char* what) {
  static int n = 0;
  struct stat pids = {};
  (void)stat("/proc/self/ns/pid", &pids);
  return std::string("sim:") + what + "-" + std::to_string(pids.st_ino) + "-" +
         std::to_string(getpid()) + "-" + std::to_string(++n);
}

// How often to repeat: `usual` in the default tier, or what the variable says.
inline long CountFromEnv(const char* variable, long usual) {
  const char* text = getenv(variable);
  return text != nullptr ? atol(text) : usual;
}

}  // namespace uwq::kup

int main(int argc, char** argv) {
  if (argc > 1 && strncmp(argv[1], "--peer=", 7) == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlives the test
    return uwq::kup::PeerMain(argv[1] + 7, std::vector<std::string>(argv + 2, argv + argc));
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

#endif  // UWQ_KUP_BRIDGE_TEST_PEER_H_
