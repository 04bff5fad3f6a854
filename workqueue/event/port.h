// SPDX-License-Identifier: BSD-3-Clause
//
// port.h -- the set of descriptors behind an EventLoop; internal to this folder.
//
// One epoll set that libevent watches as a single descriptor.  Invariant P1: at
// most one callback of a port runs at a time, with no lock held.  Invariant P2:
// when Remove(id) has returned, the callback of `id` does not run and never will
// (except that a callback which removes itself is still on its way out).
// Why not one libevent event per descriptor: docs/timers.md.
#ifndef UWQ_WORKQUEUE_EVENT_PORT_H_
#define UWQ_WORKQUEUE_EVENT_PORT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "workqueue/base/sync.h"

namespace uwq::event {

// How many forks lie between the first process and this one.
int ForkCount();

class Port {
 public:
  using Id = uint64_t;  // never reused
  // Gets the epoll event bits.
  using Callback = std::function<void(uint32_t)>;
  enum class Mode {
    kLevel,        // again and again while ready
    kEdge,         // at each edge
    kMaskedLevel,  // once, then masked until Rearm
    kMaskedEdge,   // the same; an edge while masked is kept
  };

  static absl::StatusOr<std::shared_ptr<Port>> Create();
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  int fd() const { return epoll_fd_; }
  // Made by this process's parent, or by one before: the epoll set and the descriptors
  // in it are shared, what the child changes is changed for the parent.  Nothing is then
  // done here, and no lock taken that a thread of the parent's may have held.
  bool Inherited() const { return forks_ != ForkCount(); }

  // Any thread.  `masked`: Rearm comes first (masked modes only).  The caller keeps
  // `fd` open until Remove.
  absl::StatusOr<Id> Add(int fd, uint32_t epoll_events, Mode mode, bool masked, Callback callback);
  absl::Status Rearm(Id id);
  // Any thread; idempotent.  Waits for the callback if another thread runs it (P2).
  void Remove(Id id);
  // Removes everything and refuses what comes later.
  void Close();

  // Runs the callbacks of what is ready, without blocking; on the loop's thread.
  void Dispatch();
  // The caller is inside a callback of this port.
  bool InCallback() const { return running_thread_.load() == base::SelfId(); }
  // Callbacks run so far.
  uint64_t handled() const { return handled_.load(); }

 private:
  struct Source {
    int fd;
    uint32_t epoll_events;  // as given to epoll_ctl
    Mode mode;
    bool masked;
    bool latched = false;  // ready while masked
    bool lost = false;     // closed while watched, and `fd` is another source's now
    Callback callback;
  };

  explicit Port(int epoll_fd) : epoll_fd_(epoll_fd), forks_(ForkCount()) {}
  void RunOne(Id id, uint32_t epoll_events);
  // Out of the epoll set.
  void DropLocked(const Source& source) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WaitWhileRunning(Id id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int epoll_fd_;
  const int forks_;
  base::Atomic<base::ThreadId> running_thread_{0};
  base::Atomic<uint64_t> handled_{0};

  base::Mutex mu_;  // a leaf; never held while a callback runs
  base::CondVar idle_;
  // Looked up by id, because an event that epoll has already reported may name a
  // source that another thread has removed meanwhile.
  std::unordered_map<Id, std::shared_ptr<Source>> sources_ ABSL_GUARDED_BY(mu_);
  std::unordered_map<int, Id> owners_ ABSL_GUARDED_BY(mu_);  // by fd; not the lost ones
  Id next_id_ ABSL_GUARDED_BY(mu_) = 1;
  Id running_id_ ABSL_GUARDED_BY(mu_) = 0;  // 0: none
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace uwq::event

#endif  // UWQ_WORKQUEUE_EVENT_PORT_H_
