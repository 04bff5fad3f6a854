// SPDX-License-Identifier: BSD-3-Clause
//
// pool_policy.h -- when a pool starts, keeps and reaps workers.
//
// Policy apart from mechanism: pure functions of a few numbers, in the kernel's
// vocabulary (P1, P3, P9, P10), table-tested in pool_policy_test.cc.
#ifndef UWQ_WORKQUEUE_CORE_POOL_POLICY_H_
#define UWQ_WORKQUEUE_CORE_POOL_POLICY_H_

#include "workqueue/base/sync_types.h"

namespace uwq::core {

struct PoolView {
  bool has_work;   // the pool's list is not empty
  int nr_running;  // runnable workers that count
  int nr_workers;
  int nr_idle;
  bool managing;          // a worker is creating another one
  bool parallel = false;  // unbound: each waiting item deserves a worker of its own
};

// Work waits and nobody who counts is running, or running is no reason to wait.
constexpr bool NeedMoreWorker(const PoolView& p) {
  return p.has_work && (p.nr_running == 0 || p.parallel);
}

// The caller, just woken, may take work: someone else is left to be woken when it blocks.
constexpr bool MayStartWorking(const PoolView& p) { return p.nr_idle > 0; }

// The caller, running, goes on to the next item.
constexpr bool KeepWorking(const PoolView& p) {
  return p.has_work && (p.nr_running <= 1 || p.parallel);
}

constexpr bool NeedToCreateWorker(const PoolView& p) {
  return NeedMoreWorker(p) && !MayStartWorking(p);
}

// Items may be left without a word: somebody runs and comes for them, and somebody
// else (`guarded`) looks after them if that one sleeps or takes long.
constexpr bool Attended(const PoolView& p, bool guarded) {
  return guarded && p.nr_running > 0 && !p.parallel;
}

// More than two idle, and more than a quarter as many idle as busy.
constexpr int kMaxIdleWorkersRatio = 4;
constexpr bool TooManyWorkers(const PoolView& p) {
  const int nr_idle = p.nr_idle + (p.managing ? 1 : 0);
  const int nr_busy = p.nr_workers - nr_idle;
  return nr_idle > 2 && (nr_idle - 2) * kMaxIdleWorkersRatio >= nr_busy;
}

// Whether an unbound pool's items are so short that a second worker would only get in
// the first one's way (docs/concurrency_management.md).  One long stretch after two short
// ones is forgiven: the thread may have been preempted.  A stall is not soon forgotten.
constexpr base::Nanos kShortItemNs = 1000;
class ShortItems {
 public:
  bool yes() const { return trust_ > 0; }
  void Measured(base::Nanos mean_ns) {
    if (mean_ns >= kShortItemNs) {
      if (trust_ > 0) --trust_;
    } else if (trust_ < 2) {
      ++trust_;
    }
  }
  void Stalled() { trust_ = -8; }

 private:
  int trust_ = 0;
};

// Whether a worker that has run out of work stays awake for a while.  It begins after a
// pause so short that staying awake would have bridged it, and goes on while about every
// second try is right.  Where none is, because who queues needs this very CPU, say, it
// tries again after twice as many short pauses as the time before.
class IdleSpin {
 public:
  bool worthwhile() const { return trust_ > 0; }
  // It slept at once, for that long; a spin would have been `most` long.
  void Slept(base::Nanos pause_ns, base::Nanos most_ns) {
    if (pause_ns > most_ns) return;
    if (skip_ > 0) {
      --skip_;
    } else {
      trust_ = 1;
    }
  }
  // It spun, and work came or did not.
  void Spun(bool came) {
    if (came) {
      if (trust_ < kTrustMax) ++trust_;
      failures_ = 0;
    } else if (--trust_ == 0) {
      if (failures_ < kFailuresMax) ++failures_;
      skip_ = 1 << failures_;
    }
  }

 private:
  static constexpr int kTrustMax = 3, kFailuresMax = 10;
  int trust_ = 0;
  int failures_ = 0;  // times that trust was lost since work last came
  int skip_ = 0;      // short pauses until the next try
};

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_POOL_POLICY_H_
