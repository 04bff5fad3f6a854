// SPDX-License-Identifier: BSD-3-Clause
//
// timer_wheel.h -- a million deadlines at full precision; arm, cancel and mod O(1).
//
// Invariant T1: a node is handed over only by an Expire(now) with now >= its
// deadline, never early (D2).
// Invariant T2: on every level above the lowest, the slot of the current unit is
// empty: what it held has moved down.  Hence a level's slots, taken in circular
// order from the current one, are in order of time.
// Invariant T3: slot.wake <= the wake time of each node in the slot.
//
// The wheel reads no clock, takes no lock and never allocates: time is a
// parameter, and the owner guards it with one base::Mutex.  The owner's loop:
//
//   { MutexLock lock(&mu);
//     done = wheel.Expire(Now(), &due);       // not done: drop the lock, come again
//     next = wheel.NextWake(); }
//   timer_source->ArmAt(next);                // outside the lock
//   while (TimerNode* t = due.PopFront()) ... // callbacks run with no lock held
//
// and whoever arms:
//
//   { MutexLock lock(&mu); earlier = wheel.Arm(&node, deadline, now); }
//   if (earlier) timer_source->ArmAt(deadline);
//
// Why this shape, with the measurements behind it: docs/timers.md.
#ifndef UWQ_DELAYED_TIMER_WHEEL_H_
#define UWQ_DELAYED_TIMER_WHEEL_H_

#include <cstddef>
#include <cstdint>

#include "delayed/timer_node.h"
#include "workqueue/base/list.h"
#include "workqueue/base/sync_types.h"

namespace uwq::delayed {

using TimerNode = ::uwq_timer;

// The slack that lets a timer of this delay wait for company: at most 12.5 % of
// it, what the kernel's wheel rounds up by (D2, D11).
inline base::Nanos DeferrableSlack(base::Nanos delay_ns) { return delay_ns / 8; }

// Nodes that Expire handed over, in order of their deadlines (ties: in the order
// of arming).  Belongs to the caller, who needs no lock for it.
class DueList {
 public:
  DueList() = default;
  DueList(const DueList&) = delete;
  DueList& operator=(const DueList&) = delete;

  bool empty() const { return head_ == nullptr; }
  // The first node, from now on unarmed and untouched by the list: its callback
  // may re-arm or free it.  Null if there is none.
  TimerNode* PopFront();
  // Calls visit(TimerNode*) for each node, in order; it must not unlink any.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (TimerNode* node = head_; node != nullptr; node = After(node)) visit(node);
  }

 private:
  static TimerNode* After(TimerNode* node) {
    base::ListNode* const next = node->entry.next;
    return next == nullptr ? nullptr : base::EntryOf<TimerNode, &TimerNode::entry>(next);
  }

  friend class TimerWheel;
  void Append(TimerNode* node);

  TimerNode* head_ = nullptr;
  TimerNode* tail_ = nullptr;
};

// Threads: none of its own; the caller serialises all calls.  Blocks: never.
class TimerWheel {
 public:
  // How many nodes one Expire moves before it lets the owner drop the lock.
  static constexpr int kDefaultBudget = 256;

  // `now_ns`: the time of construction, on the clock of all later calls.
  explicit TimerWheel(base::Nanos now_ns);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  // Armed nodes are forgotten, not handed over; their memory is not touched.
  ~TimerWheel() = default;

  // True from Arm until Cancel or until Expire hands the node over.
  static bool Armed(const TimerNode& node) { return node.entry.prev != nullptr; }

  // Arms an unarmed node for an absolute deadline; one in the past is due at
  // once, kForever never comes.  The node stays in memory while it is armed.
  // `slack_ns` > 0 (deferrable): the node fires with any Expire from its deadline
  // on, but asks for a wake-up only at deadline + slack, the slack rounded down to
  // a power of two; kForever: it never asks for one (D11).
  // Returns true if the owner's waker must now be told a time earlier than the
  // one NextWake() gave it: WakeTime(node).
  [[nodiscard]] bool Arm(TimerNode* node, base::Nanos deadline_ns, base::Nanos now_ns,
                         base::Nanos slack_ns = 0);

  // Returns true if the node was armed.  The waker is not told: at worst it
  // wakes once for nothing.
  bool Cancel(TimerNode* node);

  struct ModResult {
    bool was_armed;
    bool earlier;  // as Arm returns it
  };
  // Cancel and Arm in one.
  [[nodiscard]] ModResult Mod(TimerNode* node, base::Nanos deadline_ns, base::Nanos now_ns,
                              base::Nanos slack_ns = 0);

  // Appends nodes with deadline <= now to `due`, in order.  Returns false if
  // `budget` nodes were moved and there may be more: the owner then drops its lock
  // for a moment and calls again.  (Nodes due within the same 16 us go together,
  // whatever the budget.)  A `now` before an earlier call's counts as that one.
  [[nodiscard]] bool Expire(base::Nanos now_ns, DueList* due, int budget = kDefaultBudget);

  // How far a walk over all slots has come: from the highest down, as nodes move.
  struct Walk {
    int slots_left = kLevels * kSlots;
  };
  // Appends armed nodes for which take(TimerNode*) is true to `out`, in no order, no longer
  // armed.  O(armed): for tear-down.  Returns false if `budget` nodes were looked at and
  // there may be more: the owner may drop its lock, and calls again with the same `walk`.
  // (Nodes of one slot go together.)  What is armed or modified meanwhile may be missed.
  template <typename Take>
  [[nodiscard]] bool TakeIf(Walk* walk, Take take, DueList* out, int budget) {
    const auto look_at = [&](base::ListNode* head) {
      for (base::ListNode *entry = head->next, *next; entry != head; entry = next) {
        next = entry->next;
        --budget;
        TimerNode* const node = base::EntryOf<TimerNode, &TimerNode::entry>(entry);
        if (!take(node)) continue;
        (void)Cancel(node);
        out->Append(node);
      }
    };
    look_at(&cascade_);  // may come from a slot ahead and go to one that is done
    while (walk->slots_left > 0) {
      if (budget <= 0) return false;
      --walk->slots_left;
      look_at(&slots_[walk->slots_left / kSlots][walk->slots_left % kSlots].head);
    }
    return true;
  }

  // When to call Expire next, after one that returned true; kForever: not before
  // something is armed.  Remembers the answer as what the waker knows.  Exact but
  // for cancelled nodes, whose time may still be named.
  base::Nanos NextWake();

  // When `node`, armed, asks for a wake-up.
  static base::Nanos WakeTime(const TimerNode& node);

  size_t armed() const { return armed_; }

  // Optional, before taking the lock for Cancel or Mod of `node`, which the caller
  // keeps in memory: starts to fetch its neighbours in the list, which are cold
  // among many timers, while the lock is being taken.  Whatever it reads may be
  // stale; it is an address to prefetch and nothing else.
  static void WarmUp(const TimerNode& node);

  // Walks everything and checks T1-T3; O(n), for tests.
  void CheckInvariants() const;

 private:
  // Level L has slots of 2^(14 + 5 L) ns, 256 of them: 16 us each for the next
  // 4 ms, 0.5 ms for 134 ms, 17 ms for 4 s, 0.5 s for 2 min, 17 s for 73 min ...
  // A slot spans at most an eighth of the delay of what is put there, so that
  // moving one down never touches most of the timers at once.
  static constexpr int kSlotBits = 8;
  static constexpr int kSlots = 1 << kSlotBits;
  static constexpr int kUnitBits = 14;
  static constexpr int kLevelBits = 5;
  static constexpr int kLevels = 10;
  static constexpr int kWords = kSlots / 64;
  static_assert(kUnitBits + kLevelBits * (kLevels - 1) + kSlotBits >= 63, "covers int64");

  struct Slot {
    base::ListNode head;
    base::Nanos wake;  // T3; meaningful while the list is not empty
  };
  struct Position {
    int level;
    int index;
    base::Nanos start;
  };

  static constexpr int UnitShift(int level) { return kUnitBits + kLevelBits * level; }
  static int LevelFor(base::Nanos from, base::Nanos to);
  // The next used slot of `level`, `from` or more slots after the current one;
  // returns its distance or -1.  Forgets the marks of slots found empty.
  int NextUsed(int level, int from);
  bool FirstSlot(Position* position);
  void Link(TimerNode* node);
  void EmitDue(Slot* slot, base::Nanos now_ns, DueList* due, int* budget);

  base::Nanos last_;  // every node due by then is handed over or on cascade_ or in its slot
  base::Nanos told_ = base::kForever;  // what the waker knows
  size_t armed_ = 0;
  uint64_t next_order_ = 0;
  // Nodes of a slot that is being moved down, `budget` at a time.
  base::ListNode cascade_;
  // A set bit: the slot may be in use.  Cancel leaves it set: it need not know
  // the slot, which keeps the node small and the cancel short.
  uint64_t used_[kLevels][kWords] = {};
  uint32_t levels_used_ = 0;  // likewise, one bit a level
  Slot slots_[kLevels][kSlots];
};

inline void TimerWheel::WarmUp(const TimerNode& node) {
#if defined(__x86_64__)
  // Assembly, because the compiler must take no interest in the value: another
  // thread may be changing the links under the lock.
  const void* neighbour;
  asm volatile("mov %1, %0\n\tprefetchw (%0)" : "=&r"(neighbour) : "m"(node.entry.prev));
  asm volatile("mov %1, %0\n\tprefetchw (%0)" : "=&r"(neighbour) : "m"(node.entry.next));
#else
  (void)node;
#endif
}

}  // namespace uwq::delayed

#endif  // UWQ_DELAYED_TIMER_WHEEL_H_
