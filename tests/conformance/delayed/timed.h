// SPDX-License-Identifier: BSD-3-Clause
//
// timed.h -- the words of the scenarios of delayed work, beside those of core/env.h.
#ifndef UWQ_TESTS_CONFORMANCE_DELAYED_TIMED_H_
#define UWQ_TESTS_CONFORMANCE_DELAYED_TIMED_H_

#include <atomic>
#include <functional>
#include <utility>

#include "delayed/delayed_work.h"
#include "tests/conformance/core/env.h"

namespace uwq::conformance {

using core::Workqueue;

// A delayed item that notes when and how often it ran.
struct Timed {
  explicit Timed(std::function<void()> fn = nullptr, uint32_t flags = 0) : body(std::move(fn)) {
    uwq_init_delayed_work(&dw, &Timed::Run, flags);
  }
  ~Timed() { EXPECT_FALSE(uwq_delayed_work_pending(&dw)) << "still pending at its end"; }
  static void Run(uwq_work* work) {
    auto* const self = reinterpret_cast<Timed*>(work);
    self->ran_at = base::Now();
    ++self->runs;
    if (self->body) self->body();
  }
  uwq_delayed_work dw{};  // first; zeroed, for what the heap held must not steer the schedule
  std::atomic<Nanos> ran_at{0};
  std::atomic<int> runs{0};
  std::function<void()> body;
};

inline uwq_workqueue* Raw(Workqueue* wq) { return reinterpret_cast<uwq_workqueue*>(wq); }
inline bool Queue(Workqueue* wq, Timed& t, Nanos delay) {
  return uwq_queue_delayed_work_on(0, Raw(wq), &t.dw, delay);
}
inline bool Mod(Workqueue* wq, Timed& t, Nanos delay) {
  return uwq_mod_delayed_work_on(0, Raw(wq), &t.dw, delay);
}
inline bool Pending(Timed& t) { return uwq_delayed_work_pending(&t.dw); }
inline void AwaitRuns(Timed& t, int n) {
  AwaitTrue([&] { return t.runs >= n; });
}

}  // namespace uwq::conformance

#endif  // UWQ_TESTS_CONFORMANCE_DELAYED_TIMED_H_
