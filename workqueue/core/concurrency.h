// SPDX-License-Identifier: BSD-3-Clause
//
// concurrency.h -- "a worker blocks": what replaces the kernel's scheduler hooks.
//
// A per-CPU pool starts a further worker only when none of its workers is
// runnable (P1, P2).  Three sources tell it that one blocks:
//   BlockingScope   exact: our own waits use it, and drivers around theirs
//   the sampler     looks at the workers' scheduler state while work waits and
//                   nothing moves: foreign blocking calls, within about 10 ms
//   the simulator   both of the above, exact, on virtual time
#ifndef UWQ_WORKQUEUE_CORE_CONCURRENCY_H_
#define UWQ_WORKQUEUE_CORE_CONCURRENCY_H_

#include "workqueue/base/sync.h"

namespace uwq::core {

// Tells the pool of the calling worker that the enclosed code may sleep.  Free
// outside work items (one thread-local read); nests.
class BlockingScope {
 public:
  BlockingScope() { Enter(); }
  ~BlockingScope() { Exit(); }
  BlockingScope(const BlockingScope&) = delete;
  BlockingScope& operator=(const BlockingScope&) = delete;

  // For C callers; each Enter needs its Exit on the same thread.
  static void Enter();
  static void Exit();
};

// Reports B2 when called from a BH item: `what` may sleep.
void MightSleep(const char* what);

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_CONCURRENCY_H_
