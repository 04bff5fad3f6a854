// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/event/port.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "workqueue/base/check.h"
#include "workqueue/base/fork.h"

namespace uwq::event {
namespace {

// Callbacks per turn, before libevent sees to the driver's own events.
constexpr int kBatch = 64;

absl::Status WatchError(int fd, int error) {
  const std::string what = absl::StrCat("fd ", fd, ": ");
  switch (error) {
    case EBADF:
      return absl::InvalidArgumentError(absl::StrCat(what, "not an open file descriptor"));
    case EPERM:
      return absl::InvalidArgumentError(
          absl::StrCat(what, "is always ready (a regular file or directory), cannot be watched"));
    case EEXIST:
      return absl::AlreadyExistsError(absl::StrCat(what, "is already watched by this loop"));
    case ENOENT:
      return absl::FailedPreconditionError(absl::StrCat(what, "was closed while it was watched"));
    default:
      return absl::InternalError(absl::StrCat(what, "epoll_ctl: ", strerror(error)));
  }
}

absl::Status InheritedError() {
  return absl::FailedPreconditionError("the event loop belongs to the parent of this fork");
}

base::Atomic<int> forks{0};

bool Maskable(Port::Mode mode) {
  return mode == Port::Mode::kMaskedLevel || mode == Port::Mode::kMaskedEdge;
}

uint32_t ModeBits(Port::Mode mode) {
  switch (mode) {
    case Port::Mode::kLevel:
      return 0;
    case Port::Mode::kEdge:
    case Port::Mode::kMaskedEdge:
      return EPOLLET;
    case Port::Mode::kMaskedLevel:
      return EPOLLONESHOT;  // the kernel does the masking: no turn of the loop while masked
  }
  return 0;
}

}  // namespace

int ForkCount() {
  static const bool once = [] {
    base::AtFork(nullptr, nullptr, [] { forks.fetch_add(1); });
    return true;
  }();
  (void)once;
  return forks.load(std::memory_order_relaxed);
}

absl::StatusOr<std::shared_ptr<Port>> Port::Create() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return absl::ResourceExhaustedError(absl::StrCat("epoll_create1: ", strerror(errno)));
  return std::shared_ptr<Port>(new Port(fd));
}

Port::~Port() { close(epoll_fd_); }

absl::StatusOr<Port::Id> Port::Add(int fd, uint32_t epoll_events, Mode mode, bool masked,
                                   Callback callback) {
  UWQ_CHECK(!masked || Maskable(mode));
  if (Inherited()) return InheritedError();
  auto source = std::make_shared<Source>();
  source->fd = fd;
  source->epoll_events = epoll_events | ModeBits(mode);
  source->mode = mode;
  source->masked = masked;
  source->callback = std::move(callback);

  base::MutexLock lock(&mu_);
  if (closed_) return absl::FailedPreconditionError(absl::StrCat("fd ", fd, ": the loop is gone"));
  const Id id = next_id_++;
  epoll_event event{};
  event.events = source->epoll_events;
  event.data.u64 = id;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) return WatchError(fd, errno);
  // Whoever had this number was closed without Remove: what it did to the number would
  // from now on hit the new source.
  const auto [owner, fresh] = owners_.try_emplace(fd, id);
  if (!fresh) sources_.at(std::exchange(owner->second, id))->lost = true;
  sources_.emplace(id, std::move(source));
  return id;
}

absl::Status Port::Rearm(Id id) {
  if (Inherited()) return InheritedError();
  base::MutexLock lock(&mu_);
  const auto found = sources_.find(id);
  if (found == sources_.end()) {
    return absl::FailedPreconditionError("rearm: the descriptor is not watched any more");
  }
  Source& source = *found->second;
  if (source.lost) return WatchError(source.fd, ENOENT);
  if (!source.masked) return absl::OkStatus();
  // A level must be enabled again in the kernel.  An edge that came while masked
  // is raised again the same way: EPOLL_CTL_MOD reports what is ready now, hence
  // nothing if somebody has consumed it.
  if (source.mode == Mode::kMaskedLevel || source.latched) {
    epoll_event event{};
    event.events = source.epoll_events;
    event.data.u64 = id;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, source.fd, &event) != 0) {
      return WatchError(source.fd, errno);
    }
  }
  source.masked = source.latched = false;
  return absl::OkStatus();
}

void Port::Remove(Id id) {
  if (Inherited()) return;
  // Destroyed after the lock is dropped: it may own whatever the user captured.
  std::shared_ptr<Source> source;
  base::MutexLock lock(&mu_);
  const auto found = sources_.find(id);
  if (found != sources_.end()) {
    source = std::move(found->second);
    sources_.erase(found);
    DropLocked(*source);
  }
  WaitWhileRunning(id);
}

void Port::DropLocked(const Source& source) {
  if (source.lost) return;
  owners_.erase(source.fd);
  // Fails if the user has closed the descriptor already, which removed it.
  (void)epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, source.fd, nullptr);
}

void Port::WaitWhileRunning(Id id) {
  if (InCallback()) return;
  while (running_id_ == id) idle_.Wait(&mu_);
}

void Port::Close() {
  if (Inherited()) return;
  std::unordered_map<Id, std::shared_ptr<Source>> sources;
  base::MutexLock lock(&mu_);
  closed_ = true;
  sources.swap(sources_);
  for (const auto& [id, source] : sources) {
    DropLocked(*source);
  }
  if (InCallback()) return;
  while (running_id_ != 0) idle_.Wait(&mu_);
}

void Port::Dispatch() {
  if (Inherited()) return;
  epoll_event events[kBatch];
  const int count = epoll_wait(epoll_fd_, events, kBatch, 0);
  for (int i = 0; i < count; ++i) RunOne(events[i].data.u64, events[i].events);
}

void Port::RunOne(Id id, uint32_t epoll_events) {
  std::shared_ptr<Source> source;  // a callback may remove itself and yet run to its end
  {
    base::MutexLock lock(&mu_);
    const auto found = sources_.find(id);
    if (found == sources_.end()) return;
    if (found->second->masked) {
      found->second->latched = true;
      return;
    }
    source = found->second;
    source->masked = Maskable(source->mode);
    UWQ_CHECK(running_id_ == 0);
    running_id_ = id;
    running_thread_.store(base::SelfId());
  }
  source->callback(epoll_events);
  handled_.fetch_add(1);
  // If it removed itself, what it captured is destroyed here, still as its own thread.
  source.reset();
  base::MutexLock lock(&mu_);
  running_thread_.store(0);
  running_id_ = 0;
  idle_.NotifyAll();
}

}  // namespace uwq::event
