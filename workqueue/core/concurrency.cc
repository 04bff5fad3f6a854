// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/core/concurrency.h"

#include "absl/strings/str_cat.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/report.h"
#include "workqueue/core/worker_pool.h"

namespace uwq::core {

void BlockingScope::Enter() {
  Worker* const worker = CurrentWorker();
  if (worker == nullptr || worker->current_work == nullptr) return;
  if (worker->blocking_depth++ > 0) return;
  WorkerPool* const pool = worker->pool;
  AfterUnlock after;
  base::MutexLock held(&pool->lock);
  const int before = pool->nr_running;
  pool->SetFlagsLocked(worker, Worker::kSleeping);
  if (pool->nr_running == 0 && before > 0 && pool->KickLocked(&after)) {
    if (!pool->unbound()) worker->current_pwq->Count(PwqStat::kCmWakeup);
  }
}

void BlockingScope::Exit() {
  Worker* const worker = CurrentWorker();
  if (worker == nullptr || worker->current_work == nullptr) return;
  if (--worker->blocking_depth > 0) return;
  WorkerPool* const pool = worker->pool;
  base::MutexLock held(&pool->lock);
  pool->ClearFlagsLocked(worker, Worker::kSleeping | Worker::kSampledSleep);
}

void MightSleep(const char* what) {
  const Worker* const worker = CurrentWorker();
  if (worker == nullptr || worker->current_work == nullptr || !worker->pool->bh) return;
  ReportOnce(
      ReportKind::kSleepInBh, reinterpret_cast<void*>(worker->current_func),
      absl::StrCat(what, " may sleep, called from BH work ", FuncName(worker->current_func)));
}

}  // namespace uwq::core
