// SPDX-License-Identifier: BSD-3-Clause
#include "delayed/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "workqueue/base/check.h"

namespace uwq::delayed {
namespace {

using base::kForever;
using base::Nanos;

constexpr int kSlackBits = 6;
constexpr uint64_t kSlackMask = (1u << kSlackBits) - 1;
constexpr uint64_t kSlackForever = kSlackMask;

TimerNode* NodeOf(base::ListNode* entry) {
  return base::EntryOf<TimerNode, &TimerNode::entry>(entry);
}

uint64_t SlackCode(Nanos slack_ns) {
  if (slack_ns == kForever) return kSlackForever;
  if (slack_ns <= 1) return 0;
  return std::bit_width(static_cast<uint64_t>(slack_ns)) - 1;
}

bool Before(const TimerNode* a, const TimerNode* b) {
  if (a->deadline_ns != b->deadline_ns) return a->deadline_ns < b->deadline_ns;
  return a->order < b->order;
}

TimerNode* Next(const TimerNode* node) {
  return node->entry.next == nullptr ? nullptr : NodeOf(node->entry.next);
}
void SetNext(TimerNode* node, TimerNode* next) {
  node->entry.next = next == nullptr ? nullptr : &next->entry;
}

TimerNode* Merge(TimerNode* a, TimerNode* b) {
  TimerNode first{};
  TimerNode* tail = &first;
  while (a != nullptr && b != nullptr) {
    TimerNode*& least = Before(b, a) ? b : a;
    SetNext(tail, least);
    tail = least;
    least = Next(least);
  }
  SetNext(tail, a != nullptr ? a : b);
  return Next(&first);
}

// Bottom-up merge sort of a chain: bin i holds a sorted chain of 2^i nodes.
TimerNode* Sort(TimerNode* chain) {
  TimerNode* bins[64] = {};
  while (chain != nullptr) {
    TimerNode* rest = Next(chain);
    TimerNode* run = chain;
    SetNext(run, nullptr);
    int i = 0;
    for (; bins[i] != nullptr; ++i) {
      run = Merge(bins[i], run);
      bins[i] = nullptr;
    }
    bins[i] = run;
    chain = rest;
  }
  TimerNode* all = nullptr;
  for (TimerNode* bin : bins) {
    if (bin != nullptr) all = all == nullptr ? bin : Merge(bin, all);
  }
  return all;
}

// Removal without ListInit: an unarmed node is all null, not self-linked.
void Detach(TimerNode* node) {
  node->entry.prev->next = node->entry.next;
  node->entry.next->prev = node->entry.prev;
  node->entry.next = node->entry.prev = nullptr;
}

}  // namespace

TimerNode* DueList::PopFront() {
  TimerNode* node = head_;
  if (node == nullptr) return nullptr;
  head_ = Next(node);
  if (head_ == nullptr) tail_ = nullptr;
  node->entry.next = nullptr;
  return node;
}

void DueList::Append(TimerNode* node) {
  if (tail_ == nullptr) {
    head_ = node;
  } else {
    SetNext(tail_, node);
  }
  tail_ = node;
}

TimerWheel::TimerWheel(Nanos now_ns) : last_(std::max<Nanos>(now_ns, 0)) {
  base::ListInit(&cascade_);
  for (auto& level : slots_) {
    for (Slot& slot : level) base::ListInit(&slot.head);
  }
}

Nanos TimerWheel::WakeTime(const TimerNode& node) {
  const uint64_t code = node.order & kSlackMask;
  if (code == 0) return node.deadline_ns;
  if (code == kSlackForever) return kForever;
  const Nanos slack = Nanos{1} << code;
  return node.deadline_ns > kForever - slack ? kForever : node.deadline_ns + slack;
}

// The lowest level on which `to` is less than a full turn ahead of `from`.
inline int TimerWheel::LevelFor(Nanos from, Nanos to) {
  const int width = std::bit_width(static_cast<uint64_t>(to - from));
  const int excess = width - (kUnitBits + kSlotBits);
  int level = excess <= 0 ? 0 : (excess + kLevelBits - 1) / kLevelBits;
  // Unaligned, a distance just below a turn can touch one unit more.
  const int shift = UnitShift(level);
  if ((to >> shift) - (from >> shift) >= kSlots) ++level;
  return level;
}

inline void TimerWheel::Link(TimerNode* node) {
  const Nanos at = std::max(node->deadline_ns, last_);
  const int level = LevelFor(last_, at);
  const int index = static_cast<int>((at >> UnitShift(level)) & (kSlots - 1));
  Slot& slot = slots_[level][index];
  const Nanos wake = WakeTime(*node);
  if (base::ListEmpty(&slot.head)) {
    slot.wake = wake;
    used_[level][index / 64] |= uint64_t{1} << (index % 64);
    levels_used_ |= 1u << level;
  } else if (wake < slot.wake) {
    slot.wake = wake;
  }
  base::PushBack(&slot.head, &node->entry);
}

bool TimerWheel::Arm(TimerNode* node, Nanos deadline_ns, Nanos now_ns, Nanos slack_ns) {
  UWQ_CHECK(!Armed(*node));
  // An empty wheel may have slept for long; start from here rather than move
  // everything down from the coarse slots that the old time would choose.
  if (armed_ == 0 && now_ns > last_) last_ = now_ns;
  node->deadline_ns = std::max<Nanos>(deadline_ns, 0);
  node->order = (next_order_++ << kSlackBits) | SlackCode(slack_ns);
  ++armed_;
  Link(node);
  const Nanos wake = WakeTime(*node);
  if (wake >= told_) return false;
  told_ = wake;
  return true;
}

bool TimerWheel::Cancel(TimerNode* node) {
  if (!Armed(*node)) return false;
  Detach(node);
  --armed_;
  return true;
}

TimerWheel::ModResult TimerWheel::Mod(TimerNode* node, Nanos deadline_ns, Nanos now_ns,
                                      Nanos slack_ns) {
  const bool was_armed = Cancel(node);
  return {was_armed, Arm(node, deadline_ns, now_ns, slack_ns)};
}

int TimerWheel::NextUsed(int level, int from) {
  const int current = static_cast<int>((last_ >> UnitShift(level)) & (kSlots - 1));
  uint64_t* words = used_[level];
  for (int distance = from; distance < kSlots;) {
    const int index = (current + distance) & (kSlots - 1);
    const uint64_t rest = words[index / 64] >> (index % 64);
    if (rest == 0) {
      distance += 64 - index % 64;
      continue;
    }
    distance += std::countr_zero(rest);
    if (distance >= kSlots) break;
    const int found = (current + distance) & (kSlots - 1);
    if (!base::ListEmpty(&slots_[level][found].head)) return distance;
    words[found / 64] &= ~(uint64_t{1} << (found % 64));
  }
  return -1;
}

// The slot that starts first; of several the highest, which must move down before
// a lower one is handed over.
bool TimerWheel::FirstSlot(Position* position) {
  bool found = false;
  for (uint32_t levels = levels_used_; levels != 0;) {
    const int level = std::bit_width(levels) - 1;
    levels &= ~(1u << level);
    const int distance = NextUsed(level, 0);
    if (distance < 0) {
      levels_used_ &= ~(1u << level);
      continue;
    }
    const int shift = UnitShift(level);
    const Nanos unit = (last_ >> shift) + distance;
    const Nanos start = unit << shift;
    if (found && start >= position->start) continue;
    *position = {level, static_cast<int>(unit & (kSlots - 1)), start};
    found = true;
  }
  return found;
}

// Hands over what is due in a slot of the lowest level and finds the exact wake
// time of what stays.
void TimerWheel::EmitDue(Slot* slot, Nanos now_ns, DueList* due, int* budget) {
  TimerNode first{};
  TimerNode* tail = &first;
  bool sorted = true;
  Nanos wake = kForever;
  base::ListNode* const head = &slot->head;
  for (base::ListNode *entry = head->next, *next; entry != head; entry = next) {
    next = entry->next;
    TimerNode* node = NodeOf(entry);
    if (node->deadline_ns > now_ns) {
      wake = std::min(wake, WakeTime(*node));
      continue;
    }
    Detach(node);
    --armed_;
    --*budget;
    if (tail != &first && Before(node, tail)) sorted = false;
    SetNext(tail, node);
    tail = node;
  }
  slot->wake = wake;
  TimerNode* chain = sorted ? Next(&first) : Sort(Next(&first));
  while (chain != nullptr) {
    TimerNode* next = Next(chain);
    SetNext(chain, nullptr);
    due->Append(chain);
    chain = next;
  }
}

bool TimerWheel::Expire(Nanos now_ns, DueList* due, int budget) {
  now_ns = std::max(now_ns, last_);
  // The waker has come for what it was told; it knows of nothing more.
  if (told_ <= now_ns) told_ = kForever;
  for (;;) {
    while (!base::ListEmpty(&cascade_)) {
      if (budget-- <= 0) return false;
      TimerNode* node = NodeOf(cascade_.next);
      Detach(node);
      Link(node);
    }
    Position at;
    if (!FirstSlot(&at) || at.start > now_ns) break;
    if (budget <= 0) return false;
    last_ = std::max(last_, at.start);
    Slot* slot = &slots_[at.level][at.index];
    if (at.level > 0) {
      base::SpliceBack(&cascade_, &slot->head);
      continue;
    }
    EmitDue(slot, now_ns, due, &budget);
    if (!base::ListEmpty(&slot->head)) break;  // now_ns lies in this slot
  }
  last_ = now_ns;
  return true;
}

Nanos TimerWheel::NextWake() {
  told_ = kForever;
  if (!base::ListEmpty(&cascade_)) {
    told_ = last_;
    return told_;
  }
  for (uint32_t levels = levels_used_; levels != 0; levels &= levels - 1) {
    const int level = std::countr_zero(levels);
    const int shift = UnitShift(level);
    for (int distance = NextUsed(level, 0); distance >= 0;
         distance = NextUsed(level, distance + 1)) {
      const Nanos unit = (last_ >> shift) + distance;
      // A deferrable node's wake time lies behind its slot: look on until nothing
      // can be earlier.  Without such nodes this ends at the second slot.
      if ((unit << shift) >= told_) break;
      told_ = std::min(told_, slots_[level][unit & (kSlots - 1)].wake);
    }
  }
  return told_;
}

void TimerWheel::CheckInvariants() const {
  size_t seen = 0;
  for (const base::ListNode* e = cascade_.next; e != &cascade_; e = e->next) ++seen;
  for (int level = 0; level < kLevels; ++level) {
    const int shift = UnitShift(level);
    const int current = static_cast<int>((last_ >> shift) & (kSlots - 1));
    for (int index = 0; index < kSlots; ++index) {
      const Slot& slot = slots_[level][index];
      if (base::ListEmpty(&slot.head)) continue;
      UWQ_CHECK((used_[level][index / 64] >> (index % 64)) & 1);
      UWQ_CHECK((levels_used_ >> level) & 1);
      const int distance = (index - current) & (kSlots - 1);
      UWQ_CHECK(level == 0 || distance > 0);  // T2
      for (base::ListNode* e = slot.head.next; e != &slot.head; e = e->next) {
        const TimerNode* node = NodeOf(const_cast<base::ListNode*>(e));
        UWQ_CHECK(Armed(*node));
        const Nanos at = std::max(node->deadline_ns, last_);
        UWQ_CHECK((at >> shift) == (last_ >> shift) + distance);
        UWQ_CHECK(slot.wake <= WakeTime(*node));  // T3
        ++seen;
      }
    }
  }
  UWQ_CHECK(seen == armed_);
}

}  // namespace uwq::delayed
