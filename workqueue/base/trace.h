// SPDX-License-Identifier: BSD-3-Clause
//
// trace.h -- hooks with the kernel's tracepoint names (T1).
//
// Off, a hook costs one relaxed load and a branch that is never taken.  A sink
// sees the item only as an address: at execute_end its memory may be gone (Q5).
#ifndef UWQ_WORKQUEUE_BASE_TRACE_H_
#define UWQ_WORKQUEUE_BASE_TRACE_H_

#include <atomic>

#include "workqueue/base/abi_types.h"

namespace uwq::base {

// Callbacks run on the thread where the event happens, some of them under a
// pool's lock: they must not block, allocate or call back into uwq.
struct TraceSink {
  // The item enters a list (a delayed one: when its timer expires).
  // `req_cpu` as asked for, `cpu` -1 for unbound pools.
  void (*queue_work)(const void* work, uwq_work_func_t func, const char* wq_name, int req_cpu,
                     int cpu) = nullptr;
  // It starts to count against max_active.
  void (*activate_work)(const void* work, uwq_work_func_t func) = nullptr;
  void (*execute_start)(const void* work, uwq_work_func_t func, const char* wq_name) = nullptr;
  void (*execute_end)(const void* work, uwq_work_func_t func) = nullptr;
};

// A std::atomic on purpose: a trace point is no scheduling point of the simulator.
extern std::atomic<const TraceSink*> trace_sink;

// Installs `sink` (null: off).  The caller keeps it alive and unchanged until
// every thread that may have loaded it has passed its trace point, in practice
// for ever: use a static object.
inline void SetTraceSink(const TraceSink* sink) {
  trace_sink.store(sink, std::memory_order_release);
}

inline const TraceSink* ActiveTraceSink() { return trace_sink.load(std::memory_order_acquire); }

}  // namespace uwq::base

// UWQ_TRACE(queue_work, work, func, name, req_cpu, cpu);
#define UWQ_TRACE(event, ...)                                                     \
  do {                                                                            \
    const ::uwq::base::TraceSink* uwq_sink = ::uwq::base::ActiveTraceSink();      \
    if (__builtin_expect(uwq_sink != nullptr && uwq_sink->event != nullptr, 0)) { \
      uwq_sink->event(__VA_ARGS__);                                               \
    }                                                                             \
  } while (0)

#endif  // UWQ_WORKQUEUE_BASE_TRACE_H_
