// SPDX-License-Identifier: BSD-3-Clause
#include "tests/sim/strategy.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "workqueue/base/check.h"

namespace uwq::sim {

// ---- Random ----

uint64_t Random::Next() {  // splitmix64
  uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t Random::Below(uint64_t bound) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
}

// ---- RandomStrategy ----

RandomStrategy::RandomStrategy(uint64_t seed) : random_(seed) {
  by_priority_ = random_.Below(2) == 0;
  release_points_ = random_.Below(4) == 0;
  static constexpr uint64_t kMasks[] = {0, 1, 3, 7, 15};
  stay_mask_ = kMasks[random_.Below(5)];
  // Executions differ in length by orders of magnitude, and the length must not
  // be learnt from other executions: so the range is drawn as well.
  const uint64_t range = uint64_t{8} << random_.Below(9);
  const uint64_t nr_changes = 1 + random_.Below(kChangesMax);
  for (uint64_t i = 0; i < nr_changes; ++i) changes_[i] = 1 + random_.Below(range);
}

void RandomStrategy::FiberStarted(Fiber* fiber) {
  fiber->priority = (random_.Next() >> 1) | (uint64_t{1} << 33);
}

Fiber* RandomStrategy::Pick(const Situation& situation) {
  ++picks_;
  if (situation.can_advance && random_.Below(32) == 0) return nullptr;
  return by_priority_ ? PickByPriority(situation) : PickAnyhow(situation);
}

Fiber* RandomStrategy::PickByPriority(const Situation& situation) {
  Fiber* current = situation.current;
  if (current != nullptr) {
    // A spinning thread must not keep those it waits for from running.
    if (situation.yielding) current->priority = --lowest_;
    for (uint64_t change : changes_) {
      if (change == picks_) current->priority = --lowest_;
    }
  }
  Fiber* best = situation.runnable.front();
  for (Fiber* fiber : situation.runnable) {
    if (fiber->priority > best->priority) best = fiber;
  }
  return best;
}

Fiber* RandomStrategy::PickAnyhow(const Situation& situation) {
  Fiber* current = situation.current;
  const uint64_t n = situation.runnable.size();
  if (current == nullptr || n == 1) return situation.runnable[random_.Below(n)];
  if (situation.yielding) {
    const uint64_t i = random_.Below(n - 1);
    return situation.runnable[i < current->run_index ? i : i + 1];
  }
  if ((random_.Next() & stay_mask_) != 0) return current;
  return situation.runnable[random_.Below(n)];
}

int RandomStrategy::Choose(int count) {
  return static_cast<int>(random_.Below(static_cast<uint64_t>(count)));
}

// ---- DfsStrategy ----

void DfsStrategy::Rewind() {
  depth_ = 0;
  preemptions_ = 0;
}

void DfsStrategy::Restart() {
  path_.clear();
  Rewind();
}

bool DfsStrategy::Advance() {
  while (!path_.empty()) {
    if (++path_.back().choice < path_.back().count) return true;
    path_.pop_back();
  }
  return false;
}

uint32_t DfsStrategy::Decide(uint32_t count) {
  if (count == 1) return 0;
  if (depth_ == path_.size()) path_.push_back({0, count});
  Decision& decision = path_[depth_++];
  if (decision.count == 0) decision.count = count;
  if (decision.count != count || decision.choice >= count) {
    NoteFailure(
        absl::StrCat("the body is not deterministic, or the path is not one of it: ", "decision ",
                     depth_ - 1, " was one of ", decision.count, " and is one of ", count));
    return 0;
  }
  return decision.choice;
}

Fiber* DfsStrategy::Pick(const Situation& situation) {
  const std::vector<Fiber*>& runnable = situation.runnable;
  Fiber* current = situation.current;
  const bool may_preempt = preemptions_ < preemption_bound_;
  const uint32_t others = static_cast<uint32_t>(runnable.size());
  const uint32_t advance = situation.can_advance && may_preempt ? 1 : 0;

  if (current == nullptr) {
    const uint32_t choice = Decide(others + advance);
    if (choice < others) return runnable[choice];
    ++preemptions_;
    return nullptr;
  }
  if (situation.yielding && others > 1) {
    // Fair by default, so that spinning threads do not spin with each other for
    // ever; the unfair choices cost a preemption, which keeps the tree finite.
    order_.clear();
    for (Fiber* fiber : runnable) {
      if (fiber != current) order_.push_back(fiber);
    }
    std::sort(order_.begin(), order_.end(), [](const Fiber* a, const Fiber* b) {
      return a->last_run < b->last_run || (a->last_run == b->last_run && a->id < b->id);
    });
    const uint32_t choice = may_preempt ? Decide(static_cast<uint32_t>(order_.size())) : 0;
    if (choice > 0) ++preemptions_;
    return order_[choice];
  }
  if (!may_preempt) return current;
  const uint32_t choice = Decide(others + advance);
  if (choice == 0) return current;
  ++preemptions_;
  if (choice >= others) return nullptr;
  // The others in order of the list, the current one left out.
  return runnable[choice - 1 < current->run_index ? choice - 1 : choice];
}

int DfsStrategy::Choose(int count) {
  return static_cast<int>(Decide(static_cast<uint32_t>(count)));
}

std::string DfsStrategy::Path() const {
  std::string text;
  for (size_t i = 0; i < std::min(depth_, path_.size()); ++i) {
    if (path_[i].choice == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : ",", i, ":", path_[i].choice);
  }
  return text.empty() ? "0:0" : text;
}

bool DfsStrategy::SetPath(const std::string& text) {
  path_.clear();
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(part, ':');
    uint32_t index = 0;
    uint32_t choice = 0;
    if (!absl::SimpleAtoi(pair.first, &index) || !absl::SimpleAtoi(pair.second, &choice) ||
        index > 10000000) {
      return false;
    }
    if (index >= path_.size()) path_.resize(index + 1, {0, 0});
    path_[index].choice = choice;
  }
  return true;
}

}  // namespace uwq::sim
