// SPDX-License-Identifier: BSD-3-Clause
//
// fault.h -- named points where a test can make the system refuse.
//
// Points stand on slow paths only (thread creation, allocation of queues), so
// that they may stay compiled in: what is tested is what ships.
#ifndef UWQ_WORKQUEUE_BASE_FAULT_H_
#define UWQ_WORKQUEUE_BASE_FAULT_H_

namespace uwq::base {

// Returns true if the operation called `point` must fail now.
using FaultHook = bool (*)(const char* point);

// Installs `hook` (null: none).  Any thread; takes effect at the next point.
void SetFaultHook(FaultHook hook);
bool FaultInjected(const char* point);

}  // namespace uwq::base

#endif  // UWQ_WORKQUEUE_BASE_FAULT_H_
