// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/core/service.h"

#include <algorithm>

namespace uwq::core {

using base::MutexLock;

absl::Status Service::Start() {
  base::Thread::Options options;
  options.name = "uwq/service";
  absl::StatusOr<base::Thread> thread = base::Thread::Start(options, [this] { Main(); });
  if (!thread.ok()) return thread.status();
  thread_ = *std::move(thread);
  return absl::OkStatus();
}

void Service::Stop() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(&mutex_);
    stop_ = true;
  }
  Poke();
  thread_.Join();
}

void Service::Main() {
  for (;;) {
    ReleaseAll();
    {
      MutexLock lock(&mutex_);
      if (stop_) return;
    }
    const base::Nanos now = base::Now();
    base::Nanos next = base::kForever;
    runtime_->ForEachPool([&](WorkerPool* pool) { next = std::min(next, pool->Tick(now)); });
    (void)parker_.ParkUntil(next);
  }
}

void Service::ReleaseLater(PoolWorkqueue* pwq) {
  {
    MutexLock lock(&mutex_);
    pwq->next_release = releases_;
    releases_ = pwq;
  }
  Poke();
}

bool Service::Release() {
  PoolWorkqueue* list;
  {
    MutexLock lock(&mutex_);
    list = std::exchange(releases_, nullptr);
    releasing_ = list != nullptr;
    if (list == nullptr) {
      released_.NotifyAll();
      return false;
    }
  }
  while (list != nullptr) ReleasePwq(std::exchange(list, list->next_release));
  return true;
}

void Service::ReleaseAll() {
  while (Release()) {
  }
}

void Service::WaitReleased() {
  MutexLock lock(&mutex_);
  while (releases_ != nullptr || releasing_) released_.Wait(&mutex_);
}

}  // namespace uwq::core
