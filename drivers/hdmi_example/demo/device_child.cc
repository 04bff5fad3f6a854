// SPDX-License-Identifier: BSD-3-Clause
//
// device_child.cc -- see device_child.h.
// Invariant: only async-signal-safe calls between fork and exec.
#include "drivers/hdmi_example/demo/device_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace uwq::hdmi {

absl::Status DeviceChild::Start() {
  if (access(options_.program.c_str(), X_OK) != 0) {
    return absl::NotFoundError(
        absl::StrCat("no device program at \"", options_.program, "\": ", strerror(errno)));
  }
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("pipe: ", strerror(errno)));
  }
  const std::string name = absl::StrCat("--name=", options_.name);
  const std::string seed = absl::StrCat("--seed=", options_.seed);
  const std::string speed = absl::StrCat("--speed=", options_.speed);
  const char* const argv[] = {options_.program.c_str(),
                              name.c_str(),
                              seed.c_str(),
                              speed.c_str(),
                              options_.hdcp22 ? "--hdcp22" : "--nohdcp22",
                              options_.machine_clock ? "--machine_clock" : "--nomachine_clock",
                              nullptr};
  const pid_t pid = fork();
  if (pid < 0) {
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return absl::ResourceExhaustedError(absl::StrCat("fork: ", strerror(errno)));
  }
  if (pid == 0) {
    dup2(pipe_fds[1], STDOUT_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execv(argv[0], const_cast<char* const*>(argv));
    _exit(127);
  }
  pid_ = pid;
  close(pipe_fds[1]);
  char said[6] = {};
  size_t got = 0;
  while (got < sizeof(said)) {
    const ssize_t n = read(pipe_fds[0], said + got, sizeof(said) - got);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    got += static_cast<size_t>(n);
  }
  close(pipe_fds[0]);
  if (memcmp(said, "ready\n", sizeof(said)) == 0) return absl::OkStatus();
  Stop();
  return absl::InternalError(
      absl::StrCat("device process \"", options_.program, "\" ended before it was ready"));
}

void DeviceChild::End(int signo) {
  if (pid_ < 0) return;
  kill(pid_, signo);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void DeviceChild::Kill() { End(SIGKILL); }
void DeviceChild::Stop() { End(SIGTERM); }

std::string UniqueDeviceName(const char* prefix) {
  uint32_t number = 0;
  if (getrandom(&number, sizeof(number), 0) != sizeof(number)) number = 0;  // the id must do
  return absl::StrCat(prefix, "-", getpid(), "-", absl::Hex(number));
}

std::string DeviceProgramBeside(const char* argv0) {
  char path[4096];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
  std::string self = n > 0 ? std::string(path, static_cast<size_t>(n)) : std::string(argv0);
  // Started through a link of a build tree, the neighbours lie beside the link, too;
  // the real file's folder is the surer of the two.
  const size_t slash = self.rfind('/');
  return absl::StrCat(slash == std::string::npos ? "." : self.substr(0, slash),
                      "/hdmi_device_process");
}

}  // namespace uwq::hdmi
