// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/kthread_worker.h"

#include "absl/strings/str_cat.h"
#include "workqueue/core/report.h"

namespace uwq {
namespace {

base::Nanos FromDuration(absl::Duration delay, const kthread::ThreadWorker& worker) {
  if (delay == absl::InfiniteDuration() || delay < absl::ZeroDuration()) {
    core::ReportOnce(
        core::ReportKind::kBadDelay, &worker,
        absl::StrCat("delay of ", absl::FormatDuration(delay), " on kthread worker ", worker.name(),
                     delay < absl::ZeroDuration()
                         ? " is negative; it counts as 0"
                         : "; the item stays armed until it is cancelled"));
  }
  return absl::ToInt64Nanoseconds(delay);  // saturates
}

}  // namespace

absl::StatusOr<std::unique_ptr<KthreadWorker>> KthreadWorker::Create(const std::string& name,
                                                                     const Options& options) {
  auto worker =
      kthread::ThreadWorker::Create(name, {options.cpu, options.nice, options.rt_priority});
  if (!worker.ok()) return worker.status();
  return std::unique_ptr<KthreadWorker>(new KthreadWorker(*std::move(worker)));
}

KthreadWorker::~KthreadWorker() {
  if (!worker_->Stop()) (void)worker_->Keep();  // its thread goes on
}

KthreadWork::KthreadWork(KthreadWorker& worker, absl::AnyInvocable<void()> fn)
    : worker_(worker.worker_), fn_(std::move(fn)) {
  uwq_kthread_delayed_work_init(&item_.dwork, &Run);
  item_.self = this;
}

KthreadWork::~KthreadWork() { worker_->EndOfLife(&item_.dwork.work); }

void KthreadWork::Run(uwq_kthread_work* work) { reinterpret_cast<Item*>(work)->self->fn_(); }

bool KthreadDelayedWork::Queue(absl::Duration delay) {
  return worker_->QueueDelayed(&item_.dwork, FromDuration(delay, *worker_));
}

bool KthreadDelayedWork::Mod(absl::Duration delay) {
  return worker_->ModDelayed(&item_.dwork, FromDuration(delay, *worker_));
}

}  // namespace uwq
