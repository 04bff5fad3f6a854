// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/core/gate.h"

#include "absl/strings/str_cat.h"
#include "workqueue/core/concurrency.h"
#include "workqueue/core/item.h"
#include "workqueue/core/lock_check.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"

namespace uwq::core {

namespace {

// The gates that a thread holds, innermost first, on its own stack.
struct Held {
  const Workqueue* wq;
  const Held* outer;
};

const Held* HeldChain() { return static_cast<const Held*>(base::ThreadSlot(base::Slot::kGate)); }

// The queue is busy: an item on our stack waits in line like any other.
struct InTurn {
  WorkItem work;
  absl::FunctionRef<void()> fn;
  bool ran;
};

void RunInTurn(WorkItem* work) {
  auto* const self = reinterpret_cast<InTurn*>(work);
  self->fn();
  self->ran = true;
}

// Takes the queue's one slot as if an item were running.  False: somebody has it.
bool TryEnter(PoolWorkqueue* pwq, WorkerPool* pool, Workqueue* wq, Word* word) {
  PoolLock lock(pool);
  if (!pwq->live || pwq->wq.load(std::memory_order_relaxed) != wq ||
      pwq->pool.load(std::memory_order_relaxed) != pool || !base::ListEmpty(&pwq->inactive) ||
      !TryGetActiveLocked(pool, pwq, /*fill=*/false)) {
    return false;
  }
  // In flight with the current colour: flush_workqueue waits for it (F1).
  ++pwq->nr_in_flight[pwq->work_color];
  *word = static_cast<Word>(pwq->work_color) << kColorShift;
  return true;
}

// The gate of an idle queue, on the caller's frame; given back also when `fn` throws.
class Turn {
 public:
  Turn(const Workqueue* wq, PoolWorkqueue* pwq, WorkerPool* pool, Word word)
      : held_{wq, HeldChain()}, pwq_(pwq), pool_(pool), word_(word) {
    base::ThreadSlot(base::Slot::kGate) = &held_;
  }
  ~Turn() {
    base::ThreadSlot(base::Slot::kGate) = const_cast<Held*>(held_.outer);
    PoolLock lock(pool_);
    LeaveLocked(pool_, pwq_, word_, &lock.after);
    pool_->KickLocked(&lock.after);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Held held_;
  PoolWorkqueue* const pwq_;
  WorkerPool* const pool_;
  const Word word_;
};

}  // namespace

void ForEachHeldGate(absl::FunctionRef<void(const Workqueue*)> visit) {
  for (const Held* held = HeldChain(); held != nullptr; held = held->outer) visit(held->wq);
}

bool HoldsGate(const Workqueue* wq) {
  for (const Held* held = HeldChain(); held != nullptr; held = held->outer) {
    if (held->wq == wq) return true;
  }
  return false;
}

absl::Status RunSync(Workqueue* wq, absl::FunctionRef<void()> fn) {
  if (!wq->ordered()) {
    return absl::InvalidArgumentError(
        absl::StrCat("RunSync: workqueue ", wq->name, " is not ordered"));
  }
  if (IsChained(wq)) {
    const std::string text =
        absl::StrCat("RunSync(", wq->name, ") from its own item or gate would wait for itself");
    ReportOnce(ReportKind::kOwnQueueFlush, wq, text);
    return absl::FailedPreconditionError(text);
  }
  if (wq->HasFlag(kWqDestroying | kWqDraining)) {
    const std::string text = absl::StrCat("RunSync(", wq->name, "): it is draining or destroyed");
    ReportOnce(ReportKind::kQueueOnDraining, wq, text);
    return absl::FailedPreconditionError(text);
  }
  PoolWorkqueue* const pwq = wq->cpu_pwq[0].load(std::memory_order_acquire);
  WorkerPool* const pool = pwq->pool.load(std::memory_order_acquire);
  CheckLocksBeforeFlushQueue(wq, "RunSync");  // L2: also when it is idle
  Word word;
  if (!TryEnter(pwq, pool, wq, &word)) {
    MightSleep("RunSync");
    InTurn in_turn{{}, fn, false};
    InitWord(&in_turn.work, RunInTurn);
    (void)QueueWork(wq, &in_turn.work);
    (void)FlushWork(&in_turn.work);
    if (in_turn.ran) return absl::OkStatus();
    // A drain began meanwhile and the item was dropped (Q7); that is reported.
    return absl::FailedPreconditionError(
        absl::StrCat("RunSync(", wq->name, "): it began to drain"));
  }
  const Turn turn(wq, pwq, pool, word);
  fn();
  return absl::OkStatus();
}

}  // namespace uwq::core
