// SPDX-License-Identifier: BSD-3-Clause
//
// pool_policy.h -- when a pool starts, keeps and reaps workers.
//
// Policy apart from mechanism: pure functions of a few numbers, in the kernel's
// vocabulary (P1, P3, P9, P10), table-tested in pool_policy_test.cc.
#ifndef UWQ_WORKQUEUE_CORE_POOL_POLICY_H_
#define UWQ_WORKQUEUE_CORE_POOL_POLICY_H_

namespace uwq::core {

struct PoolView {
  bool has_work;   // the pool's list is not empty
  int nr_running;  // runnable workers that count; always 0 for unbound pools
  int nr_workers;
  int nr_idle;
  bool managing;  // a worker is creating another one
};

// Work waits and nobody who counts is running.
constexpr bool NeedMoreWorker(const PoolView& p) { return p.has_work && p.nr_running == 0; }

// The caller, just woken, may take work: someone else is left to be woken when it blocks.
constexpr bool MayStartWorking(const PoolView& p) { return p.nr_idle > 0; }

// The caller, running, goes on to the next item.
constexpr bool KeepWorking(const PoolView& p) { return p.has_work && p.nr_running <= 1; }

constexpr bool NeedToCreateWorker(const PoolView& p) {
  return NeedMoreWorker(p) && !MayStartWorking(p);
}

// More than two idle, and more than a quarter as many idle as busy.
constexpr int kMaxIdleWorkersRatio = 4;
constexpr bool TooManyWorkers(const PoolView& p) {
  const int nr_idle = p.nr_idle + (p.managing ? 1 : 0);
  const int nr_busy = p.nr_workers - nr_idle;
  return nr_idle > 2 && (nr_idle - 2) * kMaxIdleWorkersRatio >= nr_busy;
}

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_POOL_POLICY_H_
