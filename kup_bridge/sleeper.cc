// SPDX-License-Identifier: BSD-3-Clause
#include "kup_bridge/sleeper.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include <cerrno>
#include <utility>

#include "kup_bridge/eventfd.h"
#include "workqueue/base/check.h"

namespace uwq::kup {

Sleeper::Sleeper() : kick_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { UWQ_CHECK(kick_.valid()); }

void Sleeper::SetFds(int wake_fd, int hangup_fd) {
  wake_fd_ = wake_fd;
  hangup_fd_ = hangup_fd;
}

void Sleeper::SetBell(int bell_fd, std::function<bool()> drain) {
  bell_fd_ = bell_fd;
  drain_bell_ = std::move(drain);
}

bool Sleeper::CreateWakeFd() {
  owned_wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!owned_wake_.valid()) return false;
  wake_fd_ = owned_wake_.get();
  return true;
}

void Sleeper::CheckHangup() {
  if (hangup_fd_ < 0 || HungUp()) return;
  pollfd fd = {hangup_fd_, 0, 0};
  if (poll(&fd, 1, 0) > 0) hung_up_.store(true, std::memory_order_release);
}

int Sleeper::Poll(base::Nanos deadline_ns) {
  pollfd fds[4] = {
      {kick_.get(), POLLIN, 0}, {wake_fd_, POLLIN, 0}, {hangup_fd_, 0, 0}, {bell_fd_, POLLIN, 0}};
  timespec ts;
  timespec* timeout = nullptr;
  if (deadline_ns != base::kForever) {
    base::Nanos left = deadline_ns - base::Now();
    if (left < 0) left = 0;
    ts.tv_sec = left / base::kSecond;
    ts.tv_nsec = left % base::kSecond;
    timeout = &ts;
  }
  const int n = ppoll(fds, 4, timeout, nullptr);
  if (n == 0) return -1;
  if (n > 0 && fds[2].revents != 0) hung_up_.store(true, std::memory_order_release);
  if (fds[0].revents != 0) (void)DrainEventFd(kick_.get());
  if (fds[1].revents != 0) (void)DrainEventFd(wake_fd_);
  if (fds[3].revents != 0) (void)drain_bell_();
  return 0;
}

bool Sleeper::Sleep(uint64_t epoch, base::Nanos deadline_ns) {
  // First: a peer that signals without a pause moves the epoch before each call.
  if (deadline_ns != base::kForever && base::Now() >= deadline_ns) return false;
  base::MutexLock lock(&mu_);
  if (epoch_.load(std::memory_order_relaxed) != epoch) return true;
  bool in_time = true;
  while (epoch_.load(std::memory_order_relaxed) == epoch) {
    if (leader_) {
      in_time = cv_.WaitUntil(&mu_, deadline_ns);
      if (!in_time) break;
      continue;
    }
    leader_ = true;
    mu_.Unlock();
    in_time = Poll(deadline_ns) == 0;
    mu_.Lock();
    leader_ = false;
    // Also after a time-out: somebody else must poll now.
    if (in_time) {
      MoveOn();
      TellLoop();
    } else {
      cv_.NotifyAll();
      break;
    }
  }
  return in_time;
}

void Sleeper::MoveOn() {
  epoch_.fetch_add(1, std::memory_order_release);
  if (leader_) SignalOwn(kick_.get());
  cv_.NotifyAll();
}

void Sleeper::TellLoop() {
  if (!poll_.valid() || told_) return;
  told_ = true;
  SignalOwn(news_.get());
}

void Sleeper::Kick() {
  base::MutexLock lock(&mu_);
  MoveOn();
  TellLoop();
}

int Sleeper::PollFd() {
  base::MutexLock lock(&mu_);
  if (poll_.valid()) return poll_.get();
  Fd news(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), poll(epoll_create1(EPOLL_CLOEXEC));
  if (!news.valid() || !poll.valid()) return -errno;
  for (const int fd : {wake_fd_, hangup_fd_, bell_fd_, news.get()}) {
    epoll_event event = {};
    if (fd != hangup_fd_) event.events = EPOLLIN;  // a hang-up is always reported
    if (fd >= 0 && epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return -errno;
  }
  news_ = std::move(news);
  poll_ = std::move(poll);
  return poll_.get();
}

void Sleeper::Drain() {
  const bool woken = wake_fd_ >= 0 && DrainEventFd(wake_fd_);
  const bool rung = bell_fd_ >= 0 && drain_bell_();
  base::MutexLock lock(&mu_);
  // Always: a thread that armed but does not sleep yet must not miss what we took.
  if (woken || rung) MoveOn();
  if (told_) (void)DrainEventFd(news_.get());
  told_ = false;
}

void Sleeper::Renotify() {
  base::MutexLock lock(&mu_);
  TellLoop();
}

}  // namespace uwq::kup
