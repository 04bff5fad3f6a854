// SPDX-License-Identifier: BSD-3-Clause
//
// delayed_races_test.cc -- two threads, one armed item, and its expiry: every pair of
// calls; under the explorer 27 of the 36 pairs, those of cancel, mod, flush and expiry among
// them, in every schedule with one preemption or one passed deadline.
//
// What must hold, whichever call wins: accepted = runs + cancelled (C1, D4); after a
// cancel_sync the item is idle and does not run again (C2, D7); nobody hangs.
#include <string>
#include <utility>
#include <vector>

#include "delayed/delayed_work.h"
#include "tests/conformance/core/env.h"

namespace uwq::conformance {

enum class Call { kQueue, kMod, kModNow, kReduce, kCancel, kCancelSync, kFlush, kDisable, kCount };

const char* NameOf(Call call) {
  static constexpr const char* kNames[] = {"Queue",  "Mod",        "ModNow", "Reduce",
                                           "Cancel", "CancelSync", "Flush",  "DisableEnable"};
  return kNames[static_cast<int>(call)];
}

struct Raced {
  uwq_delayed_work dw{};  // first
  std::atomic<int> accepted{0}, cancelled{0}, runs{0};

  static void Run(uwq_work* work) { ++reinterpret_cast<Raced*>(work)->runs; }
  void Do(Call call, core::Workqueue* to) {
    auto* const wq = reinterpret_cast<uwq_workqueue*>(to);
    switch (call) {
      case Call::kQueue:
        accepted += uwq_queue_delayed_work_on(0, wq, &dw, kMillisecond / 2);
        break;
      case Call::kMod:
        accepted += !uwq_mod_delayed_work_on(0, wq, &dw, 2 * kMillisecond);
        break;
      case Call::kModNow:
        accepted += !uwq_mod_delayed_work_on(0, wq, &dw, 0);
        break;
      case Call::kReduce:
        accepted += !uwq_reduce_delayed_work(wq, &dw, kMillisecond / 2);
        break;
      case Call::kCancel:
        cancelled += uwq_cancel_delayed_work(&dw);
        break;
      case Call::kCancelSync:
        cancelled += uwq_cancel_delayed_work_sync(&dw);
        break;
      case Call::kFlush:
        (void)uwq_flush_delayed_work(&dw);
        break;
      case Call::kDisable:
        cancelled += uwq_disable_delayed_work(&dw);
        (void)uwq_enable_delayed_work(&dw);
        break;
      case Call::kCount:
        break;
    }
  }
};

using Pair = std::pair<Call, Call>;
class DelayedRaces : public testing::TestWithParam<Pair> {};

TEST_P(DelayedRaces, WithExpiry) {
  const Call first = GetParam().first, second = GetParam().second;
  const auto has = [&](Call call) { return first == call || second == call; };
  // A call that starts a worker multiplies the schedules by a hundred: exhaustive where it
  // meets a mod or a cancel, at random beside the others.
  const auto starts_worker = [](Call call) {
    return call == Call::kModNow || call == Call::kFlush;
  };
  const auto central = [](Call call) {
    return call == Call::kMod || call == Call::kCancel || call == Call::kCancelSync;
  };
  const bool light = !starts_worker(first) && !starts_worker(second);
  BodyOptions options;
  options.exhaustive = light || central(first) || central(second);
  options.preemptions = 1;
  options.schedules = options.exhaustive ? 500 : 3000;
  options.time_races = true;
  options.repeat = 20;
  options.cpus = 1;
  RunBody(options, [&, first = first, second = second](Env& env) {
    core::Workqueue* const wq = env.Make(Kind::kPerCpu);
    Raced item;
    uwq_init_delayed_work(&item.dw, &Raced::Run, 0);
    item.Do(Call::kQueue, wq);
    env.Spawn([&] { item.Do(second, wq); });
    item.Do(first, wq);
    env.Join();
    item.cancelled += uwq_cancel_delayed_work_sync(&item.dw);
    EXPECT_FALSE(uwq_delayed_work_pending(&item.dw));
    const int runs = item.runs;
    if ((has(Call::kMod) || has(Call::kModNow) || has(Call::kReduce)) &&
        (has(Call::kDisable) || has(Call::kCancelSync))) {
      // E7: a mod that meets the closed gate returns false, as for an idle item.
      EXPECT_GE(item.accepted, runs + item.cancelled);
      EXPECT_LE(item.accepted, runs + item.cancelled + 1);
    } else {
      EXPECT_EQ(item.accepted, runs + item.cancelled);
    }
    Settle();
    EXPECT_EQ(item.runs, runs);
  });
}

// Each once: the two threads race whichever of them makes which call.
std::vector<Pair> AllPairs() {
  std::vector<Pair> pairs;
  for (int a = 0; a < static_cast<int>(Call::kCount); ++a) {
    for (int b = a; b < static_cast<int>(Call::kCount); ++b) {
      pairs.emplace_back(static_cast<Call>(a), static_cast<Call>(b));
    }
  }
  return pairs;
}
INSTANTIATE_TEST_SUITE_P(Pairs, DelayedRaces, testing::ValuesIn(AllPairs()),
                         [](const testing::TestParamInfo<Pair>& info) {
                           return std::string(NameOf(info.param.first)) + "_" +
                                  NameOf(info.param.second);
                         });

}  // namespace uwq::conformance
