// SPDX-License-Identifier: BSD-3-Clause
//
// fd_work.h -- work items fed by descriptors and signals, like interrupt lines.
//
//   auto irq = uwq::FdWork::Watch(*wq, fd, {}, [&](uint32_t events) { ReadIrq(fd); });
//
// Readiness queues the item and masks the descriptor; when the handler has run, the
// line is unmasked.  So the handler runs at most once at a time, events that come
// meanwhile are not lost, and a storm costs one run after another and no more.  What
// comes while the queue drains is kept and handled after the drain.
#ifndef UWQ_WORKQUEUE_FD_WORK_H_
#define UWQ_WORKQUEUE_FD_WORK_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "workqueue/event/event_loop.h"
#include "workqueue/workqueue.h"

namespace uwq {

class EventItem;

// Masked while its handler is queued or runs.  Thread-safe.
class FdWork {
 public:
  using Handler = std::function<void(uint32_t events)>;  // event::FdEvents

  // Watches `fd`, level or edge (options.edge), on the loop of the queue's Runtime.  Owns: not
  // `fd`; destroy this before closing it.  Errors: as event::EventLoop::WatchFd, naming the
  // descriptor; FAILED_PRECONDITION in a fork's child for a queue of the parent's, where a
  // line that it has inherited is only good to be destroyed.  Sleeps.  [UWQ-FD-1]
  static absl::StatusOr<std::unique_ptr<FdWork>> Watch(Workqueue& wq, int fd,
                                                       const event::FdOptions& options,
                                                       Handler handler);
  // On return the handler does not run and never will; the queue must still exist.
  // Sleeps; from the handler itself, which may destroy this, it does not wait, on a BH
  // queue neither.
  // [UWQ-FD-2]
  ~FdWork();
  FdWork(const FdWork&) = delete;
  FdWork& operator=(const FdWork&) = delete;

  // Like disable_irq_nosync(): no handler starts until Unmask(), one that runs is not waited
  // for; what comes meanwhile is handled then.  Nests.  A line that starts masked
  // (options.masked) has had its first Mask().  One Unmask() too many is reported and does
  // nothing.  [UWQ-FD-3]
  void Mask();
  void Unmask();

 private:
  struct Line;
  explicit FdWork(std::shared_ptr<Line> line) : line_(std::move(line)) {}
  std::shared_ptr<Line> line_;
};

// A signal as a work item: deliveries that come while it is pending are one run.
// The signal must be blocked in every thread (event::EventLoop::WatchSignal says
// why), FAILED_PRECONDITION names a thread that does not; and it has one watch in the
// process, ALREADY_EXISTS.  [UWQ-SIGNAL-1]
class SignalWork {
 public:
  static absl::StatusOr<std::unique_ptr<SignalWork>> Watch(Workqueue& wq, int signo,
                                                           std::function<void()> handler);
  // As ~FdWork.
  ~SignalWork();
  SignalWork(const SignalWork&) = delete;
  SignalWork& operator=(const SignalWork&) = delete;

 private:
  SignalWork(Workqueue& wq, std::function<void()> handler);
  const std::unique_ptr<EventItem> item_;
  std::unique_ptr<event::SignalWatch> watch_;
};

}  // namespace uwq

#endif  // UWQ_WORKQUEUE_FD_WORK_H_
