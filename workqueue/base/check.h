// SPDX-License-Identifier: BSD-3-Clause
//
// check.h -- internal invariants.
//
// UWQ_CHECK stays on in release builds (each one is O(1)); a failure is a bug
// of uwq itself and aborts with the values.  UWQ_DCHECK is for walks, on in
// debug and simulator builds.  A user's mistake is never a CHECK: it goes to
// core/report.h, which names the queue and the function and goes on.
#ifndef UWQ_WORKQUEUE_BASE_CHECK_H_
#define UWQ_WORKQUEUE_BASE_CHECK_H_

namespace uwq::base {

[[noreturn]] void CheckFailed(const char* file, int line, const char* what);

// Called before abort(), for instance by the simulator to print the seed.
using CheckHook = void (*)(const char* message);
void SetCheckHook(CheckHook hook);

}  // namespace uwq::base

#define UWQ_CHECK(cond)                                 \
  (__builtin_expect(!!(cond), 1) ? static_cast<void>(0) \
                                 : ::uwq::base::CheckFailed(__FILE__, __LINE__, #cond))

#if defined(UWQ_SIM) || !defined(NDEBUG)
#define UWQ_DCHECK(cond) UWQ_CHECK(cond)
#else
#define UWQ_DCHECK(cond) static_cast<void>(sizeof(!(cond)))
#endif

#endif  // UWQ_WORKQUEUE_BASE_CHECK_H_
