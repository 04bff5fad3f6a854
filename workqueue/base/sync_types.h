// SPDX-License-Identifier: BSD-3-Clause
//
// sync_types.h -- what both back ends of sync.h share.  Include sync.h.
#ifndef UWQ_WORKQUEUE_BASE_SYNC_TYPES_H_
#define UWQ_WORKQUEUE_BASE_SYNC_TYPES_H_

#include <cstdint>
#include <limits>

namespace uwq::base {

using Nanos = int64_t;  // a duration, or a point on the Now() clock
inline constexpr Nanos kForever = std::numeric_limits<Nanos>::max();
inline constexpr Nanos kMicrosecond = 1000;
inline constexpr Nanos kMillisecond = 1000 * kMicrosecond;
inline constexpr Nanos kSecond = 1000 * kMillisecond;
inline constexpr Nanos kStaleness = 100 * kMicrosecond;  // of StaleNow()

// Per-thread pointers that the library keeps; see ThreadSlot().
enum class Slot : int {
  kWorker,   // core: the Worker that this thread is, or null
  kLockDep,  // core: locks and work functions "held" by this thread
  kGate,     // core: the command gates that this thread holds
  kReports,  // core: where this thread's reports wait, or null
  kCount
};

// What ProbeThread() reports of another thread.
struct ThreadProbe {
  bool valid = false;     // the thread exists and could be read
  bool sleeping = false;  // blocked (not runnable, not running)
  Nanos cpu_time_ns = 0;  // CPU time it has used since it started
};

}  // namespace uwq::base

#endif  // UWQ_WORKQUEUE_BASE_SYNC_TYPES_H_
