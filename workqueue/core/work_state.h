// SPDX-License-Identifier: BSD-3-Clause
//
// work_state.h -- the state word of a work item (docs/state_word.md).
//
//   MSB                                                                    LSB
//    63                                8 7      4    3      2      1        0
//   [ pool_workqueue pointer >> 8       ][ colour ][LINKED][PWQ=1][INACT][PENDING=1]   on a list
//    63 55   54    53     52    51        21 20     5   4     3     2     1      0
//   [ 0   ][DOOR][TIMER][WAIT][ last pool id ][ disable ][BH ][ 0  ][PWQ=0][ 0 ][PENDING ]   off
//
// Invariant S1: whoever turned PENDING from 0 to 1 owns the item until it has put
// it on a list, on a timer, or given PENDING back.  While the item is on a list,
// its word changes only under the lock of the pool that the word points to.
// Invariant S2: every step out of "PENDING, off a list" is one RMW that returns
// the WAIT bit, so that a canceler asleep on that window is never forgotten.
//
// Each legal transition is one function here; each asserts both of its ends.
// DOOR, TIMER and WAIT are ours (the kernel spins with interrupts off where we sleep);
// the rest is laid out as in the kernel (docs/state_word.md).
#ifndef UWQ_WORKQUEUE_CORE_WORK_STATE_H_
#define UWQ_WORKQUEUE_CORE_WORK_STATE_H_

#include <cstdint>

#include "workqueue/base/abi_types.h"
#include "workqueue/base/check.h"
#include "workqueue/base/list.h"
#include "workqueue/base/sync.h"

namespace uwq::core {

struct PoolWorkqueue;

using WorkItem = ::uwq_work;
using WorkFunc = ::uwq_work_func_t;
using Word = unsigned long;
static_assert(sizeof(Word) == 8, "the state word is laid out for 64-bit machines");

inline constexpr Word kPending = 1ul << 0;
inline constexpr Word kInactive = 1ul << 1;
inline constexpr Word kOnPwq = 1ul << 2;
inline constexpr Word kLinked = 1ul << 3;

// On a list.
inline constexpr int kColorShift = 4;
inline constexpr int kNrColors = 16;
inline constexpr Word kColorMask = (kNrColors - 1ul) << kColorShift;
inline constexpr int kPwqShift = 8;
inline constexpr Word kPwqMask = ~((1ul << kPwqShift) - 1);

// Off a list.
inline constexpr Word kOffBh = 1ul << 4;
inline constexpr int kDisableShift = 5;
inline constexpr int kDisableBits = 16;
inline constexpr Word kDisableMax = (1ul << kDisableBits) - 1;
inline constexpr Word kDisableMask = kDisableMax << kDisableShift;
inline constexpr int kPoolShift = 21;
inline constexpr int kPoolBits = 31;
inline constexpr Word kPoolNone = (1ul << kPoolBits) - 1;
inline constexpr Word kPoolMask = kPoolNone << kPoolShift;
inline constexpr Word kWait = 1ul << 52;
inline constexpr Word kTimer = 1ul << 53;
inline constexpr Word kDoor = 1ul << 54;
static_assert(kPoolShift + kPoolBits == 52);

// The word of a fresh item: idle, no pool yet, enabled.
inline constexpr Word kInitialWord = kPoolNone << kPoolShift;

inline base::AtomicRef<Word> WordOf(WorkItem* work) { return base::AtomicRef<Word>(work->data); }

// --- Reading a word -------------------------------------------------------

inline bool OnList(Word w) { return (w & kOnPwq) != 0; }
// At the door of the pool that the word names (docs/door.md).
inline bool AtDoor(Word w) { return (w & (kOnPwq | kDoor)) == kDoor; }
inline PoolWorkqueue* PwqOf(Word w) { return reinterpret_cast<PoolWorkqueue*>(w & kPwqMask); }
inline int ColorOf(Word w) { return static_cast<int>((w & kColorMask) >> kColorShift); }
inline int PoolIdOf(Word w) { return static_cast<int>((w & kPoolMask) >> kPoolShift); }
inline int DisableDepthOf(Word w) { return static_cast<int>((w & kDisableMask) >> kDisableShift); }

inline Word LoadWord(WorkItem* work) { return WordOf(work).load(std::memory_order_acquire); }

inline void InitWord(WorkItem* work, WorkFunc func) {
  WordOf(work).store(kInitialWord, std::memory_order_relaxed);
  base::ListInit(&work->entry);
  work->func = func;
}

inline Word ListedWord(PoolWorkqueue* pwq, int color) {
  return reinterpret_cast<Word>(pwq) | (static_cast<Word>(color) << kColorShift) | kPending |
         kOnPwq;
}

// --- Transitions ----------------------------------------------------------

// IDLE or RUNNING -> CLAIMED; also reports the refusals.  Returns the word before.
// M2, M3: a real RMW even when it refuses, so that the caller's earlier stores
// are ordered before it; pairs with the RMW in StartExecution: either this one
// comes first and the execution sees those stores, or it finds PENDING clear.
inline Word Claim(WorkItem* work) {
  return WordOf(work).fetch_or(kPending, std::memory_order_acq_rel);
}

// IDLE or RUNNING -> AT THE DOOR, claim and destination in one step: only from a word
// that says "enabled, and of this pool or of none".  On failure use Claim (M3).
[[nodiscard]] inline bool ClaimForDoor(WorkItem* work, Word seen, Word next) {
  UWQ_DCHECK((seen & (kPending | kDisableMask)) == 0 && AtDoor(next));
  return WordOf(work).compare_exchange_strong(seen, next, std::memory_order_acq_rel);
}

// CLAIMED -> AT THE DOOR, under the pool's lock: others stand in the hall, and it comes
// behind them.  Returns true if a canceler sleeps.
[[nodiscard]] inline bool EnterDoor(WorkItem* work, Word door_word) {
  const Word old = WordOf(work).exchange(door_word, std::memory_order_acq_rel);
  UWQ_CHECK((old & (kPending | kOnPwq | kTimer | kDoor)) == kPending);
  return (old & kWait) != 0;
}

// AT THE DOOR -> CLAIMED: it is not let in.  Returns true if a canceler sleeps.
[[nodiscard]] inline bool LeaveDoor(WorkItem* work) {
  const Word old = WordOf(work).fetch_and(~(kDoor | kWait), std::memory_order_acq_rel);
  UWQ_CHECK(AtDoor(old) && (old & kPending) != 0);
  return (old & kWait) != 0;
}

// AT THE DOOR or ON A LIST -> CLAIMED by whoever takes the item back from a pool that is no
// more: the child of a fork has the items of its parent, but nobody who would run them.
[[nodiscard]] inline bool Abandon(WorkItem* work, Word seen) {
  UWQ_DCHECK((AtDoor(seen) || OnList(seen)) && (seen & kPending) != 0);
  return WordOf(work).compare_exchange_strong(seen, kInitialWord | kPending,
                                              std::memory_order_acq_rel);
}

// CLAIMED or AT THE DOOR -> ON A LIST, under the pool's lock.  Returns true if a canceler sleeps.
// S2: an exchange, not a store, because the canceler sets WAIT by CAS.
[[nodiscard]] inline bool EnterList(WorkItem* work, PoolWorkqueue* pwq, int color, Word flags) {
  const Word next = ListedWord(pwq, color) | flags;
  UWQ_DCHECK(PwqOf(next) == pwq && (flags & ~(kInactive | kLinked)) == 0);
  const Word old = WordOf(work).exchange(next, std::memory_order_acq_rel);
  UWQ_CHECK((old & (kPending | kOnPwq | kTimer)) == kPending);
  return (old & kWait) != 0;
}

// INACTIVE -> active on the pool's list, under the pool's lock.
inline void MarkActive(WorkItem* work) {
  const Word old = WordOf(work).fetch_and(~kInactive, std::memory_order_relaxed);
  UWQ_CHECK((old & (kOnPwq | kInactive)) == (kOnPwq | kInactive));
}

// A flush barrier is attached behind the item, under the pool's lock.
inline void MarkLinked(WorkItem* work) {
  const Word old = WordOf(work).fetch_or(kLinked, std::memory_order_relaxed);
  UWQ_CHECK(OnList(old));
}

// ON A LIST -> RUNNING, under the pool's lock, as the last touch before the
// function is entered (Q2, Q5).  acq_rel: M2 (see Claim), and M4: the unlinking
// is visible to the next owner of PENDING.
inline void StartExecution(WorkItem* work, int pool_id, Word off_flags) {
  const Word next = (static_cast<Word>(pool_id) << kPoolShift) | off_flags;
  const Word old = WordOf(work).exchange(next, std::memory_order_acq_rel);
  UWQ_CHECK((old & (kPending | kOnPwq)) == (kPending | kOnPwq));
}

// AT THE DOOR -> RUNNING, under the pool's lock: EnterList and StartExecution in one step,
// for the worker that lets the item in.  Returns true if a canceler sleeps.
[[nodiscard]] inline bool StartFromDoor(WorkItem* work, Word idle_word) {
  const Word old = WordOf(work).exchange(idle_word, std::memory_order_acq_rel);
  UWQ_CHECK(AtDoor(old) && (old & kPending) != 0);
  return (old & kWait) != 0;
}

// ON A LIST -> CLAIMED by a canceler, under the pool's lock.
inline void StealFromList(WorkItem* work, int pool_id, Word off_flags) {
  const Word next = (static_cast<Word>(pool_id) << kPoolShift) | off_flags | kPending;
  const Word old = WordOf(work).exchange(next, std::memory_order_acq_rel);
  UWQ_CHECK((old & (kPending | kOnPwq)) == (kPending | kOnPwq));
}

// CLAIMED -> IDLE (or still RUNNING), with a new disable depth.  Returns true if
// a canceler sleeps.  release: M4.
[[nodiscard]] inline bool ReleaseClaim(WorkItem* work, int disable_depth) {
  Word old = WordOf(work).load(std::memory_order_relaxed);
  for (;;) {
    UWQ_CHECK((old & (kPending | kOnPwq | kTimer | kDoor)) == kPending);
    const Word next = (old & ~(kPending | kWait | kDisableMask)) |
                      (static_cast<Word>(disable_depth) << kDisableShift);
    if (WordOf(work).compare_exchange_strong(old, next, std::memory_order_acq_rel)) {
      return (old & kWait) != 0;
    }
  }
}

// CLAIMED -> CLAIMED, held by an armed timer.  Under the timer's lock.
// Returns true if a canceler sleeps: it may now take the timer down.
[[nodiscard]] inline bool EnterTimer(WorkItem* work) {
  Word old = WordOf(work).load(std::memory_order_relaxed);
  for (;;) {
    UWQ_CHECK((old & (kPending | kOnPwq | kTimer | kDoor)) == kPending);
    const Word next = (old & ~kWait) | kTimer;
    if (WordOf(work).compare_exchange_strong(old, next, std::memory_order_acq_rel)) {
      return (old & kWait) != 0;
    }
  }
}

// Held by a timer -> CLAIMED by whoever took the timer down.  Under the timer's lock.
inline void LeaveTimer(WorkItem* work) {
  const Word old = WordOf(work).fetch_and(~kTimer, std::memory_order_acq_rel);
  UWQ_CHECK((old & (kPending | kOnPwq | kTimer)) == (kPending | kTimer));
}

// Held by a timer -> IDLE (or still RUNNING), by a canceler who took the timer down
// and wants no claim; no canceler sleeps on TIMER.  Under the timer's lock.
inline void CancelTimer(WorkItem* work) {
  const Word old = WordOf(work).fetch_and(~(kTimer | kPending), std::memory_order_acq_rel);
  UWQ_CHECK((old & (kPending | kOnPwq | kTimer | kWait)) == (kPending | kTimer));
}

// CLAIMED or AT THE DOOR, seen as `seen` -> the same with WAIT: the canceler may go to sleep
// until the owner's next step.  False: the word has moved on, look again.
[[nodiscard]] inline bool MarkWait(WorkItem* work, Word seen) {
  UWQ_DCHECK((seen & (kPending | kOnPwq | kTimer)) == kPending);
  if ((seen & kWait) != 0) return true;
  return WordOf(work).compare_exchange_strong(seen, seen | kWait, std::memory_order_acq_rel);
}

// The owner of a claim asks for the last pool and the disable depth.
inline Word OwnedWord(WorkItem* work) {
  const Word w = WordOf(work).load(std::memory_order_relaxed);
  UWQ_DCHECK((w & (kPending | kOnPwq)) == kPending);
  return w;
}

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_WORK_STATE_H_
