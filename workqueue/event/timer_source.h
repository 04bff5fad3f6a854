// SPDX-License-Identifier: BSD-3-Clause
//
// timer_source.h -- "call me at that time": the one seam between timers and the
// thing that sleeps.
//
// Who creates a source gives it a callback.  Invariant: the callback never starts
// before the deadline that it answers, on base::Now().  Implementations: LoopTimer
// (event_loop.h); tests drive their own.
#ifndef UWQ_WORKQUEUE_EVENT_TIMER_SOURCE_H_
#define UWQ_WORKQUEUE_EVENT_TIMER_SOURCE_H_

#include "workqueue/base/sync_types.h"

namespace uwq::event {

class TimerSource {
 public:
  virtual ~TimerSource() = default;

  // The callback will run once, at `deadline_ns` or as soon as possible after it;
  // kForever: no effect.  While an earlier deadline is armed a later one has no
  // effect either, so that callers need no order among themselves: the callback
  // finds the source disarmed, looks what is due, and arms the next.
  // Threads: any, from the callback too.  Blocks: no.  Locks of the caller: should
  // hold none, it is a system call.
  virtual void ArmAt(base::Nanos deadline_ns) = 0;
};

}  // namespace uwq::event

#endif  // UWQ_WORKQUEUE_EVENT_TIMER_SOURCE_H_
