// SPDX-License-Identifier: BSD-3-Clause
//
// gate.h -- RunSync: a function in its turn on an ordered queue, now.
//
// What XNU's IOCommandGate and libdispatch's sync give: the function is serialised
// with the queue's items; when the queue is idle it runs on the caller's own
// thread, with no hand-over, otherwise in its turn on a worker.
#ifndef UWQ_WORKQUEUE_CORE_GATE_H_
#define UWQ_WORKQUEUE_CORE_GATE_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "workqueue/core/workqueue.h"

namespace uwq::core {

// Returns when `fn` has run.  INVALID_ARGUMENT: not an ordered queue.
// FAILED_PRECONDITION, `fn` not run, reported: from an item or a gate of the same
// queue, where it would wait for itself, or on a draining or destroyed queue.
// What `fn` throws on the caller's thread, where an idle queue runs it, comes out again;
// on a worker it ends the process, as from an item.
// Sleeps.  No allocation.
absl::Status RunSync(Workqueue* wq, absl::FunctionRef<void()> fn);

// The queues whose gates the calling thread holds on its own frames, innermost first.
void ForEachHeldGate(absl::FunctionRef<void(const Workqueue*)> visit);
// The calling thread holds the gate of `wq`.
bool HoldsGate(const Workqueue* wq);

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_GATE_H_
