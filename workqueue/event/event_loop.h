// SPDX-License-Identifier: BSD-3-Clause
//
// event_loop.h -- one thread on libevent that runs posted tasks, timers, readiness
// of descriptors and signals.
//
// Invariant E1: callbacks of a loop run one at a time, on the thread that runs the
// loop, with no lock of the library held.  Invariant E2: a task that Post() took
// runs exactly once.  Invariant E3: a loop with nothing to do does not wake up.
//
// Three ways to run one:
//   StartThread   it has its own thread
//   Create        the caller runs it (RunOnce, RunUntilIdle): single-threaded programs, tests
//   Embed         a driver's event_base runs it among the driver's own events
//
//   auto loop = uwq::event::EventLoop::StartThread("hdmi");
//   auto watch = (*loop)->WatchFd(irq_fd, {}, [&](uint32_t) { wq.Queue(hotplug); });
//   ... the handler, on any thread, reads irq_fd, then: watch->Rearm();
//
// Destroying a loop or a handle is safe on any thread and in any order, from a
// callback too; what must not happen is to wait for a callback (Unwatch, the
// destructors) while holding a lock that this callback takes.
// In the child of a fork() a loop and its handles are inert: their descriptors are the
// parent's, which goes on as if there were no child.  Destroying them frees no memory.
// Read on: docs/timers.md.
#ifndef UWQ_WORKQUEUE_EVENT_EVENT_LOOP_H_
#define UWQ_WORKQUEUE_EVENT_EVENT_LOOP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "workqueue/base/sync.h"
#include "workqueue/event/timer_source.h"

struct event_base;
struct signalfd_siginfo;

namespace uwq::event {

class Port;

// A task of the caller's own memory.  Reusable once `run` has been entered; the
// loop does not touch it after that, so `run` may free it.
struct PostNode {
  void (*run)(PostNode* node) = nullptr;
  PostNode* next = nullptr;  // the loop's while posted
};

// What a descriptor is ready for; to ask for and to be told.
enum FdEvents : uint32_t {
  kReadable = 1u << 0,
  kWritable = 1u << 1,
  kPriority = 1u << 2,  // out-of-band data; sysfs attributes signal this way
  // Told unasked:
  kEof = 1u << 3,     // the peer will send no more
  kHangup = 1u << 4,  // both directions are closed
  kError = 1u << 5,
};

struct FdOptions {
  uint32_t events = kReadable;
  // Level: Rearm reports again what is still ready.  Edge: only what became ready
  // since; an edge during the masked time is kept and reported at Rearm.
  bool edge = false;
  // Start masked: nothing is reported before the first Rearm.
  bool masked = false;
};

// A watched descriptor; destroying it is Unwatch.
class FdWatch {
 public:
  FdWatch() = default;
  FdWatch(FdWatch&& other) noexcept { *this = std::move(other); }
  FdWatch& operator=(FdWatch&& other) noexcept;
  ~FdWatch() { Unwatch(); }

  // Ends the masked time that began with the last callback; no effect outside of it.
  // Errors: FAILED_PRECONDITION or INVALID_ARGUMENT naming the descriptor if it was
  // closed, or if the loop is gone.  Threads: any.  Blocks: no.
  absl::Status Rearm();
  // When it returns, the callback does not run and never will; on the loop's own
  // thread it returns at once.  Call it before closing the descriptor.
  // Threads: any.  Blocks: while the callback runs on another thread.
  void Unwatch();
  int fd() const { return fd_; }

 private:
  friend class EventLoop;
  std::shared_ptr<Port> port_;
  uint64_t id_ = 0;
  int fd_ = -1;
};

// A timer of the loop, for one earliest deadline; many timers go to a
// delayed::TimerWheel that sits on one of these.  Destroying it is as Unwatch.
class LoopTimer final : public TimerSource {
 public:
  ~LoopTimer() override;
  LoopTimer(const LoopTimer&) = delete;
  LoopTimer& operator=(const LoopTimer&) = delete;

  void ArmAt(base::Nanos deadline_ns) override;
  // Replaces the deadline by an earlier or later one; kForever disarms.  Of several
  // callers the last wins.  A callback that has been entered is not taken back.
  void SetAt(base::Nanos deadline_ns);
  // kForever: disarmed.
  base::Nanos deadline() const;

 private:
  friend class EventLoop;
  struct State;
  LoopTimer() = default;
  std::shared_ptr<State> state_;
  std::shared_ptr<Port> port_;
  uint64_t id_ = 0;
};

// A watched signal; destroying it is as Unwatch.
class SignalWatch {
 public:
  SignalWatch(SignalWatch&&) = default;
  SignalWatch& operator=(SignalWatch&&) = default;

 private:
  friend class EventLoop;
  SignalWatch() = default;
  FdWatch watch_;  // what it calls owns the signalfd
};

class EventLoop {
 public:
  // Errors of all three: RESOURCE_EXHAUSTED if the system refuses a descriptor or a thread.
  // All signals are blocked in the thread.
  static absl::StatusOr<std::unique_ptr<EventLoop>> StartThread(const std::string& name);
  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();
  // `base` outlives the loop.  Embed() and the destructor touch libevent: call them
  // on the thread that runs `base`, or while none does, or give `base` locks
  // (evthread_use_pthreads() before it is made).  Everything else here never does.
  static absl::StatusOr<std::unique_ptr<EventLoop>> Embed(struct event_base* base);

  // Stops, runs the tasks that were taken and have not run, silences timers, watches
  // and signals, joins the thread.  Handles that are left become inert.
  // Blocks: until a callback that runs on another thread has returned.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs the task on the loop's thread.  Tasks of one thread keep their order, and
  // all run in the order of their posting; many posts share one wake-up.
  // Returns false, and the task will not run, if the loop has stopped.
  // Threads: any.  Blocks: no.  Allocates: the first never.
  [[nodiscard]] bool Post(PostNode* node);
  [[nodiscard]] bool Post(std::function<void()> task);

  // A disarmed timer; `callback` runs at or after each deadline.
  absl::StatusOr<std::unique_ptr<LoopTimer>> NewTimer(std::function<void()> callback);

  // Calls `callback` on the loop's thread with the FdEvents when `fd` is ready, and
  // masks the descriptor until Rearm(), like an interrupt line.  Data may be gone by
  // the time the handler looks: descriptors should be non-blocking.
  // Owns: not `fd`; Unwatch before closing it.
  // Errors: INVALID_ARGUMENT naming `fd` if it is closed, negative or always ready
  // (a regular file); ALREADY_EXISTS if this loop watches it; FAILED_PRECONDITION
  // after Stop has taken effect.   Threads: any.
  absl::StatusOr<FdWatch> WatchFd(int fd, const FdOptions& options,
                                  std::function<void(uint32_t events)> callback);

  // Calls `callback` for each delivery of `signo`, through a signalfd: no handler is
  // installed and no mask changed, so nothing is taken from the rest of the program.
  // In turn, every thread must block the signal (pthread_sigmask before threads are
  // started; threads of this library block all): errors FAILED_PRECONDITION naming
  // the signal and a thread that does not; INVALID_ARGUMENT for a number that is
  // none or cannot be caught; ALREADY_EXISTS if any loop of the process watches it, as
  // each delivery has one reader (a watch that its own callback destroys counts until
  // that has returned).   Threads: any.
  absl::StatusOr<SignalWatch> WatchSignal(
      int signo, std::function<void(const struct signalfd_siginfo& info)> callback);

  // Asks the loop to end: tasks taken so far run, later ones are refused, the thread
  // ends.  Idempotent.  Threads: any, from a callback too.  Blocks: no.
  void Stop();

  // Create() only.  Runs what is ready; if nothing is, waits for something until
  // `deadline_ns`.  Returns the number of callbacks run, 0 if the time passed or the
  // loop was stopped.  Errors: FAILED_PRECONDITION for other loops, from a callback
  // of the same loop, or while another thread runs it.
  absl::StatusOr<int> RunOnce(base::Nanos deadline_ns = base::kForever);
  // Runs until nothing is ready, never waits.
  absl::StatusOr<int> RunUntilIdle();

  // The caller is inside a callback of this loop.
  bool InLoop() const;
  // How often the loop has come out of its sleep; E3 is tested with it.
  uint64_t wakeups() const;
  // The base, for a driver's own events; only its loop's thread may touch it.
  struct event_base* base() const;

 private:
  class Impl;
  explicit EventLoop(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

  std::shared_ptr<Impl> impl_;
  base::Thread thread_;
};

}  // namespace uwq::event

#endif  // UWQ_WORKQUEUE_EVENT_EVENT_LOOP_H_
