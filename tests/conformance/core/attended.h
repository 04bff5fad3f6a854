// SPDX-License-Identifier: BSD-3-Clause
//
// attended.h -- a pool whose door is attended (docs/door.md): one of its workers runs an
// item, here `a`, which does not sleep, and somebody looks after it: the sampler of a
// per-CPU pool, the standby of an unbound one.
#ifndef UWQ_TESTS_CONFORMANCE_CORE_ATTENDED_H_
#define UWQ_TESTS_CONFORMANCE_CORE_ATTENDED_H_

#include <atomic>

#include "tests/conformance/core/env.h"

namespace uwq::conformance {

// `a` runs until Open() and `b` waits behind it.
class Attended {
 public:
  Attended(Env& env, core::Workqueue* wq, Kind kind)
      : env_(env), wq_(wq), a_([this] {
          started_.Set();
          AwaitTrue([this] { return opened_.load(); });  // computing all the time
          ended_ = base::Now();
        }) {
    base::Completion go;
    Item first([&] { go.Wait(); }), more[kShort];
    if (kind != Kind::kPerCpu) {
      // `a` comes in a stretch of short items, for which the pool wants a standby.
      EXPECT_TRUE(env_.Queue(wq_, first));
      for (Item& item : more) EXPECT_TRUE(env_.Queue(wq_, item));
    }
    EXPECT_TRUE(env_.Queue(wq_, a_));
    go.Set();
    started_.Wait();
    (void)core::FlushWork(first);
    for (Item& item : more) (void)core::FlushWork(item);
    EXPECT_TRUE(env_.Queue(wq_, b_));
    for (int i = 0; kSim && i < 100 && !open(); ++i) Step();
  }
  ~Attended() {
    Open();
    core::FlushWorkqueue(wq_);
    EXPECT_EQ(a_.runs() + b_.runs(), 2);
    env_.ExpectIdle(wq_);
  }
  bool open() { return wq_->cpu_pwq[0].load()->pool.load()->door.attended.load(); }
  void Open() { opened_ = true; }
  Nanos ended() const { return ended_.load(); }

 private:
  static constexpr int kShort = 18;

  Env& env_;
  core::Workqueue* const wq_;
  base::Completion started_;
  std::atomic<bool> opened_{false};
  std::atomic<Nanos> ended_{0};
  Item a_, b_;
};

}  // namespace uwq::conformance

#endif  // UWQ_TESTS_CONFORMANCE_CORE_ATTENDED_H_
