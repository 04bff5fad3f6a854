// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/workqueue.h"

#include "absl/strings/str_cat.h"

namespace uwq {

absl::StatusOr<std::unique_ptr<Workqueue>> Workqueue::Create(absl::string_view name,
                                                             const Options& options) {
  Runtime* const runtime = options.runtime != nullptr ? options.runtime : Runtime::Default();
  if (runtime == nullptr) return absl::ResourceExhaustedError("no default Runtime");
  const bool limited =
      options.kind != WorkqueueKind::kOrdered && options.kind != WorkqueueKind::kBh;
  if (options.max_active < 0 || (!limited && options.max_active != 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("workqueue ", name, ": max_active ", options.max_active,
                     limited ? " is negative" : " is fixed for this kind"));
  }
  unsigned flags = 0;
  switch (options.kind) {
    case WorkqueueKind::kUnbound:
      flags = core::kWqUnbound;
      break;
    case WorkqueueKind::kPerCpu:
      flags = core::kWqPercpu;
      break;
    case WorkqueueKind::kOrdered:
      flags = core::kWqUnbound | core::kWqOrdered;
      break;
    case WorkqueueKind::kBh:
      flags = core::kWqBh;
      break;
  }
  if (options.highpri) flags |= core::kWqHighpri;
  if (options.mem_reclaim) flags |= core::kWqMemReclaim;
  if (options.freezable) flags |= core::kWqFreezable;
  if (options.cpu_intensive) flags |= core::kWqCpuIntensive;
  if (options.power_efficient) flags |= core::kWqPowerEfficient;
  if (options.sysfs) flags |= core::kWqSysfs;
  absl::StatusOr<core::Workqueue*> wq =
      core::AllocWorkqueue(runtime, {std::string(name), flags, options.max_active});
  if (!wq.ok()) return wq.status();
  return std::unique_ptr<Workqueue>(new Workqueue(*wq));
}

absl::StatusOr<std::unique_ptr<Workqueue>> Workqueue::CreateOrdered(absl::string_view name,
                                                                    Runtime* runtime) {
  Options options;
  options.kind = WorkqueueKind::kOrdered;
  options.runtime = runtime;
  return Create(name, options);
}

std::unique_ptr<Workqueue> Workqueue::System(SystemWq which, Runtime* runtime) {
  if (runtime == nullptr) runtime = Runtime::Default();
  core::Workqueue* const wq = runtime != nullptr ? runtime->System(which) : nullptr;
  return wq != nullptr ? std::unique_ptr<Workqueue>(new Workqueue(wq)) : nullptr;
}

}  // namespace uwq
