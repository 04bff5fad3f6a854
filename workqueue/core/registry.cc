// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/core/registry.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace uwq::core {

using base::MutexLock;

namespace {

// A queue held by a reference for the time of one call, so that it cannot be
// destroyed under it: destroy_workqueue() waits for the call to end.
class Held {
 public:
  Held(Runtime* runtime, absl::string_view name) : runtime_(runtime) {
    MutexLock lock(&runtime->mutex);
    for (Workqueue* wq : runtime->workqueues) {
      if (wq_ == nullptr && wq->HasFlag(kWqSysfs) && name == wq->name) wq_ = wq;
    }
    if (wq_ != nullptr) ++wq_->readers;
  }
  ~Held() {
    if (wq_ == nullptr) return;
    MutexLock lock(&runtime_->mutex);
    --wq_->readers;
    runtime_->readers_left.NotifyAll();
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  Workqueue* get() const { return wq_; }

 private:
  Runtime* const runtime_;
  Workqueue* wq_ = nullptr;
};

absl::Status NoQueue(absl::string_view name) {
  return absl::NotFoundError(absl::StrCat("no WQ_SYSFS workqueue named ", name));
}
absl::Status NoAttribute(const Workqueue* wq, absl::string_view attribute) {
  return absl::NotFoundError(absl::StrCat("workqueue ", wq->name, " has no attribute ", attribute));
}
absl::Status BadValue(const Workqueue* wq, absl::string_view attribute, absl::string_view value) {
  return absl::InvalidArgumentError(
      absl::StrCat("workqueue ", wq->name, ": ", attribute, " cannot be '", value, "'"));
}

absl::StatusOr<AffnScope> ParseScope(absl::string_view name) {
  for (int i = 0; i < kAffnScopes; ++i) {
    if (name == AffnScopeName(static_cast<AffnScope>(i))) return static_cast<AffnScope>(i);
  }
  return absl::InvalidArgumentError(absl::StrCat("affinity scope '", name, "'"));
}

}  // namespace

absl::StatusOr<CpuMask> ParseCpuMask(absl::string_view text) {
  const absl::Status bad = absl::InvalidArgumentError(absl::StrCat("cpumask '", text, "'"));
  CpuMask mask;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> range =
        absl::StrSplit(part, absl::MaxSplits('-', 1));
    int first, last;
    if (!absl::SimpleAtoi(range.first, &first)) return bad;
    last = first;
    if (absl::StrContains(part, "-") && !absl::SimpleAtoi(range.second, &last)) return bad;
    if (first < 0 || last < first || last >= kCpusMax) return bad;
    for (int cpu = first; cpu <= last; ++cpu) mask.set(cpu);
  }
  return mask;
}

std::vector<std::string> RegistryNames(Runtime* runtime) {
  std::vector<std::string> names;
  MutexLock lock(&runtime->mutex);
  for (Workqueue* wq : runtime->workqueues) {
    if (wq->HasFlag(kWqSysfs)) names.push_back(wq->name);
  }
  return names;
}

absl::StatusOr<std::string> RegistryRead(Runtime* runtime, absl::string_view queue,
                                         absl::string_view attribute) {
  const Held held(runtime, queue);
  Workqueue* const wq = held.get();
  if (wq == nullptr) return NoQueue(queue);
  if (attribute == "per_cpu") return std::string(wq->unbound() ? "0" : "1");
  MutexLock lock(&wq->mutex);
  if (attribute == "max_active") return absl::StrCat(wq->saved_max_active);
  if (!wq->unbound()) return NoAttribute(wq, attribute);
  if (attribute == "nice") return absl::StrCat(wq->attrs.nice);
  if (attribute == "cpumask") {
    return FormatCpuMask(wq->attrs.cpumask.any() ? wq->attrs.cpumask : runtime->topology().all());
  }
  if (attribute == "affinity_scope") {
    if (wq->attrs.affn_scope != AffnScope::kDefault) {
      return std::string(AffnScopeName(wq->attrs.affn_scope));
    }
    return absl::StrCat("default (", AffnScopeName(runtime->options().default_affn_scope), ")");
  }
  if (attribute == "affinity_strict") return absl::StrCat(wq->attrs.affn_strict ? 1 : 0);
  return NoAttribute(wq, attribute);
}

absl::Status RegistryWrite(Runtime* runtime, absl::string_view queue, absl::string_view attribute,
                           absl::string_view value) {
  const Held held(runtime, queue);
  Workqueue* const wq = held.get();
  if (wq == nullptr) return NoQueue(queue);
  value = absl::StripAsciiWhitespace(value);
  if (attribute == "per_cpu" || (attribute == "max_active" && wq->HasFlag(kWqBh | kWqOrdered))) {
    return absl::PermissionDeniedError(
        absl::StrCat("workqueue ", wq->name, ": ", attribute, " is read-only"));
  }
  int number = 0;
  const bool is_number = absl::SimpleAtoi(value, &number);
  if (attribute == "max_active") {
    if (!is_number || number <= 0) return BadValue(wq, attribute, value);
    SetMaxActive(wq, number);
    return absl::OkStatus();
  }
  if (!wq->unbound()) return NoAttribute(wq, attribute);
  WorkqueueAttrs attrs;
  {
    MutexLock lock(&wq->mutex);
    attrs = wq->attrs;
  }
  if (attribute == "nice") {
    if (!is_number) return BadValue(wq, attribute, value);
    attrs.nice = number;
  } else if (attribute == "cpumask") {
    absl::StatusOr<CpuMask> mask = ParseCpuMask(value);
    if (!mask.ok()) return BadValue(wq, attribute, value);
    attrs.cpumask = *mask;
  } else if (attribute == "affinity_scope") {
    absl::StatusOr<AffnScope> scope = ParseScope(value);
    if (!scope.ok()) return BadValue(wq, attribute, value);
    attrs.affn_scope = *scope;
  } else if (attribute == "affinity_strict") {
    if (!is_number || (number != 0 && number != 1)) return BadValue(wq, attribute, value);
    attrs.affn_strict = number == 1;
  } else {
    return NoAttribute(wq, attribute);
  }
  return ApplyWorkqueueAttrs(wq, attrs);
}

}  // namespace uwq::core
