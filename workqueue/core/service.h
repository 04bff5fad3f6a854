// SPDX-License-Identifier: BSD-3-Clause
//
// service.h -- the one housekeeping thread of a Runtime.
#ifndef UWQ_WORKQUEUE_CORE_SERVICE_H_
#define UWQ_WORKQUEUE_CORE_SERVICE_H_

#include "workqueue/core/runtime.h"

namespace uwq::core {

// Sleeps until the earliest deadline of any pool, or for ever; Poke() makes it look.
class Service {
 public:
  explicit Service(Runtime* runtime) : runtime_(runtime) {}
  absl::Status Start();
  void Stop();
  void Poke() { parker_.Unpark(); }

  void ReleaseLater(PoolWorkqueue* pwq);
  void WaitReleased();
  // Releases what was handed over; the thread's work, or a manual Runtime's caller's.
  void ReleaseAll();

 private:
  void Main();
  bool Release();

  Runtime* const runtime_;
  base::Thread thread_;
  base::Parker parker_;
  base::Mutex mutex_;  // a leaf: any other lock may be held
  base::CondVar released_;
  PoolWorkqueue* releases_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool releasing_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_SERVICE_H_
