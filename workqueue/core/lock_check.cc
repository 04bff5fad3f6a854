// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/core/lock_check.h"

#include <atomic>

#include "absl/strings/str_cat.h"
#include "workqueue/core/gate.h"
#include "workqueue/core/report.h"
#include "workqueue/core/worker_pool.h"

namespace uwq::core {
namespace {

// Pairs (function or queue, lock) as 64-bit fingerprints in a fixed open-addressed
// table: bounded, lock-free, never erased.  When it is full, new pairs are not
// learnt; nothing else depends on it.  No scheduling points: a checker must not
// change what the simulator explores.
constexpr size_t kSlots = 1 << 13;
constexpr size_t kProbes = 32;
std::atomic<uint64_t> pairs[kSlots];
std::atomic<uint64_t> next_lock_id{1};

uint64_t Fingerprint(uint64_t subject, uint64_t lock_id) {
  uint64_t x = subject * 0x9E3779B97F4A7C15ull ^ lock_id * 0xC2B2AE3D27D4EB4Full;
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93ull;
  x ^= x >> 32;
  return x | 1;  // 0 marks a free slot
}

void Learn(uint64_t print) {
  for (size_t i = 0; i < kProbes; ++i) {
    std::atomic<uint64_t>& slot = pairs[(print + i) % kSlots];
    uint64_t seen = slot.load(std::memory_order_relaxed);
    if (seen == print) return;
    if (seen == 0 && slot.compare_exchange_strong(seen, print, std::memory_order_relaxed)) return;
    if (seen == print) return;
  }
}

bool Known(uint64_t print) {
  for (size_t i = 0; i < kProbes; ++i) {
    const uint64_t seen = pairs[(print + i) % kSlots].load(std::memory_order_relaxed);
    if (seen == print) return true;
    if (seen == 0) return false;
  }
  return false;
}

uint64_t SubjectOf(WorkFunc func) { return reinterpret_cast<uintptr_t>(func); }
uint64_t SubjectOf(const Workqueue* wq) { return ~wq->serial; }

TrackedLock* HeldChain() {
  return static_cast<TrackedLock*>(base::ThreadSlot(base::Slot::kLockDep));
}

}  // namespace

TrackedLock::TrackedLock(const char* name)
    : name(name), id(next_lock_id.fetch_add(1, std::memory_order_relaxed)) {}

void LockAcquired(TrackedLock* lock) {
  lock->next_held = HeldChain();
  base::ThreadSlot(base::Slot::kLockDep) = lock;
  ForEachHeldGate([lock](const Workqueue* wq) { Learn(Fingerprint(SubjectOf(wq), lock->id)); });
  const Worker* const worker = CurrentWorker();
  if (worker == nullptr || worker->current_work == nullptr) return;
  Learn(Fingerprint(SubjectOf(worker->current_func), lock->id));
  Learn(Fingerprint(SubjectOf(worker->current_pwq->wq.load(std::memory_order_relaxed)), lock->id));
}

void LockReleased(TrackedLock* lock) {
  // Mostly the newest; locks may be released in any order.
  TrackedLock* chain = HeldChain();
  if (chain == lock) {
    base::ThreadSlot(base::Slot::kLockDep) = lock->next_held;
    return;
  }
  for (; chain != nullptr; chain = chain->next_held) {
    if (chain->next_held == lock) {
      chain->next_held = lock->next_held;
      return;
    }
  }
}

void CheckLocksBeforeFlush(WorkFunc func, const char* call) {
  for (TrackedLock* held = HeldChain(); held != nullptr; held = held->next_held) {
    if (!Known(Fingerprint(SubjectOf(func), held->id))) continue;
    ReportOnce(ReportKind::kFlushUnderLock, reinterpret_cast<void*>(func),
               absl::StrCat(call, "(", FuncName(func), ") while holding lock ", held->name,
                            ", which ", FuncName(func), " takes: possible deadlock"));
  }
}

void CheckLocksBeforeFlushQueue(const Workqueue* wq, const char* call) {
  for (TrackedLock* held = HeldChain(); held != nullptr; held = held->next_held) {
    if (!Known(Fingerprint(SubjectOf(wq), held->id))) continue;
    ReportOnce(ReportKind::kFlushUnderLock, wq,
               absl::StrCat(call, "(", wq->name, ") while holding lock ", held->name,
                            ", which an item of that workqueue takes: possible deadlock"));
  }
}

void LockCheckItemScope::ReportLeak() {
  const TrackedLock* const lock = HeldChain();
  base::ThreadSlot(base::Slot::kLockDep) = nullptr;
  ReportOnce(ReportKind::kLeakedLock, reinterpret_cast<void*>(func_),
             absl::StrCat("workqueue leaked lock: ", FuncName(func_), " on ", wq_->name,
                          " returned holding ", lock->name));
}

}  // namespace uwq::core
