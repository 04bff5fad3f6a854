// SPDX-License-Identifier: BSD-3-Clause
//
// fork.h -- what happens around fork(): handlers in parent and child.
//
// In the simulator there is no fork and the handlers are never called.
#ifndef UWQ_WORKQUEUE_BASE_FORK_H_
#define UWQ_WORKQUEUE_BASE_FORK_H_

#if !defined(UWQ_SIM)
#include <pthread.h>
#endif

namespace uwq::base {

// Installed for the life of the process: call once.
inline void AtFork(void (*prepare)(), void (*parent)(), void (*child)()) {
#if !defined(UWQ_SIM)
  pthread_atfork(prepare, parent, child);
#else
  (void)prepare, (void)parent, (void)child;
#endif
}

}  // namespace uwq::base

#endif  // UWQ_WORKQUEUE_BASE_FORK_H_
