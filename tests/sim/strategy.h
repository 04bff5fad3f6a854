// SPDX-License-Identifier: BSD-3-Clause
//
// strategy.h -- the two ways in which the explorer chooses schedules.
//
// DfsStrategy walks the tree of all decisions with a bound on preemptions: most
// bugs need one or two.  RandomStrategy draws from a seed; half of the seeds use
// priorities that change at a few points (probabilistic concurrency testing),
// the others switch at every point with a probability of their own.
#ifndef UWQ_TESTS_SIM_STRATEGY_H_
#define UWQ_TESTS_SIM_STRATEGY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "workqueue/base/sim/scheduler.h"

namespace uwq::sim {

// Our own generator: the standard distributions differ between libraries.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  // In [0, bound), bound >= 1.
  uint64_t Below(uint64_t bound);

 private:
  uint64_t state_;
};

class RandomStrategy : public Strategy {
 public:
  explicit RandomStrategy(uint64_t seed);
  // Properties of the execution that the seed decides as well.
  bool wants_release_points() const { return release_points_; }

  void FiberStarted(Fiber* fiber) override;
  Fiber* Pick(const Situation& situation) override;
  int Choose(int count) override;

 private:
  static constexpr int kChangesMax = 3;
  Fiber* PickByPriority(const Situation& situation);
  Fiber* PickAnyhow(const Situation& situation);

  Random random_;
  bool by_priority_ = false;
  bool release_points_ = false;
  uint64_t stay_mask_ = 0;  // stays with the current fiber unless random bits & mask are 0
  uint64_t picks_ = 0;
  uint64_t lowest_ = uint64_t{1} << 32;  // next priority to hand out downwards
  uint64_t changes_[kChangesMax] = {};   // picks at which the current fiber is demoted
};

class DfsStrategy : public Strategy {
 public:
  explicit DfsStrategy(int preemption_bound) : preemption_bound_(preemption_bound) {}

  // Starts the next execution at the root of the tree.
  void Rewind();
  // Starts the whole walk again.
  void Restart();
  // Moves to the next schedule; false: that was the last one.
  bool Advance();
  // The decisions of this execution that are not the default, "12:1,57:2".
  std::string Path() const;
  // Fixes one execution.  False: `text` is no path.
  bool SetPath(const std::string& text);

  Fiber* Pick(const Situation& situation) override;
  int Choose(int count) override;

 private:
  struct Decision {
    uint32_t choice;
    uint32_t count;  // 0: from a path, not known
  };
  uint32_t Decide(uint32_t count);

  const int preemption_bound_;
  int preemptions_ = 0;
  std::vector<Decision> path_;
  size_t depth_ = 0;
  std::vector<Fiber*> order_;  // scratch
};

}  // namespace uwq::sim

#endif  // UWQ_TESTS_SIM_STRATEGY_H_
