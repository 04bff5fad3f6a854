// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/kthread_worker.h"

#include "workqueue/core/report.h"

namespace uwq {

absl::StatusOr<std::unique_ptr<KthreadWorker>> KthreadWorker::Create(const std::string& name,
                                                                     const Options& options) {
  auto worker =
      kthread::ThreadWorker::Create(name, {options.cpu, options.nice, options.rt_priority});
  if (!worker.ok()) return worker.status();
  return std::unique_ptr<KthreadWorker>(new KthreadWorker(*std::move(worker)));
}

KthreadWorker::~KthreadWorker() {
  UWQ_CHECK(!worker_->OnOwnThread());  // a thread cannot wait for its own end
  worker_->Stop();
}

KthreadWork::KthreadWork(KthreadWorker& worker, absl::AnyInvocable<void()> fn)
    : worker_(worker.worker_), fn_(std::move(fn)) {
  uwq_kthread_delayed_work_init(&item_.dwork, &Run);
  item_.self = this;
}

KthreadWork::~KthreadWork() { worker_->EndOfLife(&item_.dwork.work); }

void KthreadWork::Run(uwq_kthread_work* work) { reinterpret_cast<Item*>(work)->self->fn_(); }

bool KthreadDelayedWork::Queue(absl::Duration delay) {
  return worker_->QueueDelayed(&item_.dwork, absl::ToInt64Nanoseconds(delay));
}

bool KthreadDelayedWork::Mod(absl::Duration delay) {
  return worker_->ModDelayed(&item_.dwork, absl::ToInt64Nanoseconds(delay));
}

}  // namespace uwq
