// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/event/loop_handles.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "workqueue/base/check.h"
#include "workqueue/event/port.h"

namespace uwq::event {

using base::kForever;
using base::Nanos;

FdWatch& FdWatch::operator=(FdWatch&& other) noexcept {
  if (this == &other) return *this;
  Unwatch();
  port_ = std::move(other.port_);
  id_ = std::exchange(other.id_, 0);
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

absl::Status FdWatch::Rearm() {
  if (port_ == nullptr) {
    return absl::FailedPreconditionError("rearm: this handle watches no descriptor");
  }
  absl::Status status = port_->Rearm(id_);
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("fd ", fd_, ": ", status.message()));
}

void FdWatch::Unwatch() {
  // Moved out first: the callback may own this handle and destroy it once more.
  std::shared_ptr<Port> port = std::move(port_);
  if (port != nullptr) port->Remove(id_);
}

absl::StatusOr<std::shared_ptr<LoopTimer::State>> LoopTimer::State::Create(
    std::function<void()> callback) {
  auto state = std::make_shared<State>();
  state->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (state->fd < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("timerfd_create: ", strerror(errno)));
  }
  state->callback = std::move(callback);
  return state;
}

LoopTimer::State::~State() {
  if (fd >= 0) close(fd);
}

void LoopTimer::State::ProgramLocked() {
  itimerspec spec{};
  if (wanted != kForever) {
    // Zero would disarm; one is as long past.
    const Nanos at = std::max<Nanos>(wanted, 1);
    spec.it_value.tv_sec = at / base::kSecond;
    spec.it_value.tv_nsec = at % base::kSecond;
  }
  UWQ_CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
}

void LoopTimer::State::OnReadable() {
  {
    base::MutexLock lock(&mu);
    uint64_t expirations;
    // EAGAIN: it was set anew after the loop had seen it expire.
    if (read(fd, &expirations, sizeof(expirations)) < 0) return;
    if (wanted == kForever) return;
    if (base::Now() < wanted) {  // never early, whatever woke us
      ProgramLocked();
      return;
    }
    wanted = kForever;
  }
  callback();
}

LoopTimer::~LoopTimer() {
  if (port_ != nullptr) port_->Remove(id_);
}

void LoopTimer::ArmAt(Nanos deadline_ns) {
  if (port_->Inherited()) return;  // the timerfd is shared, too
  base::MutexLock lock(&state_->mu);
  if (deadline_ns >= state_->wanted) return;
  state_->wanted = deadline_ns;
  state_->ProgramLocked();
}

void LoopTimer::SetAt(Nanos deadline_ns) {
  if (port_->Inherited()) return;  // the timerfd is shared, too
  base::MutexLock lock(&state_->mu);
  if (deadline_ns == state_->wanted) return;
  state_->wanted = deadline_ns;
  state_->ProgramLocked();
}

Nanos LoopTimer::deadline() const {
  base::MutexLock lock(&state_->mu);
  return state_->wanted;
}

namespace {
// 0, or one more than the ForkCount() of the watching process: a child has no watches.
base::Atomic<int> watched_signals[_NSIG] = {};
}  // namespace

absl::StatusOr<std::shared_ptr<SignalFd>> SignalFd::Create(int signo) {
  const int mine = ForkCount() + 1;
  if (watched_signals[signo].exchange(mine) == mine) {
    return absl::AlreadyExistsError(absl::StrCat("signal ", signo, " (", strsignal(signo),
                                                 ") is already watched in this process"));
  }
  std::shared_ptr<SignalFd> made(new SignalFd(signo, mine));  // takes the mark back
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signo);
  made->fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (made->fd_ < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("signalfd: ", strerror(errno)));
  }
  return made;
}

SignalFd::~SignalFd() {
  if (fd_ >= 0) close(fd_);
  if (mark_ == ForkCount() + 1) watched_signals[signo_].store(0);
}

absl::Status CheckSignalBlocked(int signo) {
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr) {
    return absl::InternalError(absl::StrCat("/proc/self/task: ", strerror(errno)));
  }
  absl::Status status;
  while (const dirent* entry = readdir(tasks)) {
    if (entry->d_name[0] == '.') continue;
    const std::string path = absl::StrCat("/proc/self/task/", entry->d_name, "/status");
    FILE* file = fopen(path.c_str(), "re");
    if (file == nullptr) continue;  // it has ended meanwhile
    char line[256];
    while (fgets(line, sizeof(line), file) != nullptr) {
      if (strncmp(line, "SigBlk:", 7) != 0) continue;
      const unsigned long long blocked = strtoull(line + 7, nullptr, 16);
      if ((blocked >> (signo - 1) & 1) == 0) {
        status = absl::FailedPreconditionError(
            absl::StrCat("signal ", signo, " (", strsignal(signo), ") is not blocked in thread ",
                         entry->d_name, ": block it with pthread_sigmask before starting threads"));
      }
    }
    fclose(file);
  }
  closedir(tasks);
  return status;
}

}  // namespace uwq::event
