// SPDX-License-Identifier: BSD-3-Clause
//
// loop_handles.h -- what the handles of event_loop.h hide; internal to this folder.
#ifndef UWQ_WORKQUEUE_EVENT_LOOP_HANDLES_H_
#define UWQ_WORKQUEUE_EVENT_LOOP_HANDLES_H_

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "workqueue/base/sync.h"
#include "workqueue/event/event_loop.h"

namespace uwq::event {

// A timerfd with an absolute deadline: exact to the nanosecond, and any thread may
// move it with one system call that does not wake the loop.
// Invariant: with mu held, the timerfd is set to `wanted`.
struct LoopTimer::State {
  static absl::StatusOr<std::shared_ptr<State>> Create(std::function<void()> callback);
  ~State();

  void ProgramLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  // The timerfd is readable: runs the callback if its time has really come.
  void OnReadable() ABSL_LOCKS_EXCLUDED(mu);

  int fd = -1;
  std::function<void()> callback;
  mutable base::Mutex mu;  // a leaf
  base::Nanos wanted ABSL_GUARDED_BY(mu) = base::kForever;
};

// The process's only reader of a signal: of several, each delivery would reach one.
class SignalFd {
 public:
  static absl::StatusOr<std::shared_ptr<SignalFd>> Create(int signo);
  ~SignalFd();
  SignalFd(const SignalFd&) = delete;
  SignalFd& operator=(const SignalFd&) = delete;
  int fd() const { return fd_; }

 private:
  SignalFd(int signo, int mark) : signo_(signo), mark_(mark) {}
  const int signo_;
  const int mark_;
  int fd_ = -1;
};

// OK if every thread of the process blocks `signo`.
absl::Status CheckSignalBlocked(int signo);

}  // namespace uwq::event

#endif  // UWQ_WORKQUEUE_EVENT_LOOP_HANDLES_H_
