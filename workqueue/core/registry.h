// SPDX-License-Identifier: BSD-3-Clause
//
// registry.h -- WQ_SYSFS: queues that tools may read and adjust by name (1.14).
//
// The kernel shows them under /sys/bus/workqueue/devices/NAME/; here the same
// attributes, with the same texts, are read and written through two calls, which a
// driver may serve on whatever channel it has.
#ifndef UWQ_WORKQUEUE_CORE_REGISTRY_H_
#define UWQ_WORKQUEUE_CORE_REGISTRY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "workqueue/core/runtime.h"

namespace uwq::core {

// Names of the queues made with WQ_SYSFS, in order of creation.
std::vector<std::string> RegistryNames(Runtime* runtime);

// Attributes: per_cpu, max_active; unbound queues also nice, cpumask (as "0-3,8"),
// affinity_scope, affinity_strict.  NOT_FOUND: no such queue or attribute.
absl::StatusOr<std::string> RegistryRead(Runtime* runtime, absl::string_view queue,
                                         absl::string_view attribute);
// INVALID_ARGUMENT names a value that cannot be, PERMISSION_DENIED an attribute
// that cannot be written (per_cpu; max_active of BH and ordered queues).  Sleeps.
absl::Status RegistryWrite(Runtime* runtime, absl::string_view queue, absl::string_view attribute,
                           absl::string_view value);

// "0-3,8" -> mask; INVALID_ARGUMENT names the text.
absl::StatusOr<CpuMask> ParseCpuMask(absl::string_view text);

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_REGISTRY_H_
