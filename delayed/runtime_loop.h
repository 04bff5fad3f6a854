// SPDX-License-Identifier: BSD-3-Clause
//
// runtime_loop.h -- the event loop of a Runtime: its timers wake here, and
// descriptors and signals of the same Runtime share it.
#ifndef UWQ_DELAYED_RUNTIME_LOOP_H_
#define UWQ_DELAYED_RUNTIME_LOOP_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/runtime.h"
#include "workqueue/event/timer_source.h"

namespace uwq::event {
class EventLoop;
}

namespace uwq::delayed {

// The source that the timer wheel sleeps on, and the loop behind it.
class RuntimeLoop : public event::TimerSource {
 public:
  // Null in the simulator, where a fiber stands in for the loop.
  virtual event::EventLoop* loop() = 0;
  // Manual Runtimes: an item was queued; ends the sleep of a RunOnce().
  virtual void Poke() {}
};

// By the Runtime's options: a thread of its own, the driver's event_base, or
// (manual) a loop that the caller runs.  `on_wake` runs on the loop's thread, with
// no lock held; after the destructor it is not running and never will.
absl::StatusOr<std::unique_ptr<RuntimeLoop>> MakeRuntimeLoop(core::Runtime* runtime,
                                                             std::function<void()> on_wake);

// The loop of `runtime`, made now if it has no queue yet.  Sleeps the first time.
absl::StatusOr<event::EventLoop*> LoopOf(core::Runtime* runtime);

// Manual Runtimes: runs items, expiries and loop callbacks on the calling thread
// until nothing is ready; returns how many items ran.  Never waits.
absl::StatusOr<int> RunUntilIdle(core::Runtime* runtime);
// The same, but waits for something to do until `deadline_ns`.
absl::StatusOr<int> RunOnce(core::Runtime* runtime, base::Nanos deadline_ns);

}  // namespace uwq::delayed

#endif  // UWQ_DELAYED_RUNTIME_LOOP_H_
