// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/core/report.h"

#include <stdio.h>

#include <atomic>
#include <memory>
#include <set>
#include <utility>

#include "absl/debugging/stacktrace.h"
#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace uwq::core {
namespace {

// Bounded, so that a driver that errs with ever new functions cannot grow it.
constexpr size_t kSubjectsMax = 4096;

using Handler = std::function<void(const Report&)>;

// Not on any hot path and no part of the protocols that the simulator explores,
// hence a plain process-wide mutex.
struct Registry {
  base::Mutex mutex;
  std::shared_ptr<const Handler> handler ABSL_GUARDED_BY(mutex);
  std::set<std::pair<ReportKind, const void*>> seen ABSL_GUARDED_BY(mutex);
  int64_t counts[static_cast<int>(ReportKind::kCount)] ABSL_GUARDED_BY(mutex) = {};
};

Registry& TheRegistry() {
  static Registry* const registry = new Registry;  // never destroyed: used by exiting threads
  return *registry;
}

std::string CurrentStack() {
  void* frames[24];
  const int n = absl::GetStackTrace(frames, 24, 3);
  std::string out;
  for (int i = 0; i < n; ++i) {
    char symbol[256];
    const bool known = absl::Symbolize(frames[i], symbol, sizeof(symbol));
    absl::StrAppendFormat(&out, "    #%d %p %s\n", i, frames[i], known ? symbol : "");
  }
  return out;
}

DeferReports*& Deferring() {
  return reinterpret_cast<DeferReports*&>(base::ThreadSlot(base::Slot::kReports));
}

void Handle(const Report& report) {
  Registry& registry = TheRegistry();
  std::shared_ptr<const Handler> handler;
  {
    base::MutexLock lock(&registry.mutex);
    handler = registry.handler;
  }
  if (handler != nullptr && *handler) {
    (*handler)(report);
  } else {
    fprintf(stderr, "uwq: %s: %s\n%s", ReportKindName(report.kind), report.text.c_str(),
            report.stack.c_str());
  }
}

void Deliver(ReportKind kind, const std::string& text) {
  Report report{kind, text, CurrentStack()};
  if (DeferReports* const deferring = Deferring()) {
    deferring->Add(std::move(report));
  } else {
    Handle(report);
  }
}

}  // namespace

DeferReports::DeferReports() : outer_(Deferring()) { Deferring() = this; }

DeferReports::~DeferReports() {
  Deferring() = outer_;
  for (Report& report : waiting_) {
    if (outer_ != nullptr) {
      outer_->Add(std::move(report));
    } else {
      Handle(report);
    }
  }
}

const char* ReportKindName(ReportKind kind) {
  static const char* const kNames[] = {"bad flags",
                                       "max_active clamped",
                                       "name truncated",
                                       "bad CPU",
                                       "queue on draining",
                                       "list corruption",
                                       "uninitialised item",
                                       "re-init while queued",
                                       "freed while busy",
                                       "on-stack rule",
                                       "disable overflow",
                                       "enable underflow",
                                       "self flush",
                                       "own queue flush",
                                       "ordered flush",
                                       "flush under lock",
                                       "flush dependency",
                                       "system queue flush",
                                       "second queue",
                                       "unbound only",
                                       "ordered max_active",
                                       "ordered attributes",
                                       "deprecated queue",
                                       "busy destroy",
                                       "double destroy",
                                       "armed timer",
                                       "cancel armed timer",
                                       "slow drain",
                                       "sleep in BH",
                                       "leaked lock",
                                       "CPU hog",
                                       "workqueue lockup",
                                       "forked runtime",
                                       "bad delay",
                                       "warning"};
  static_assert(sizeof(kNames) / sizeof(kNames[0]) == static_cast<size_t>(ReportKind::kCount));
  return kNames[static_cast<int>(kind)];
}

void SetReportHandler(std::function<void(const Report&)> handler) {
  Registry& registry = TheRegistry();
  auto next = std::make_shared<const Handler>(std::move(handler));
  base::MutexLock lock(&registry.mutex);
  registry.handler = std::move(next);
}

void ResetReports() {
  Registry& registry = TheRegistry();
  base::MutexLock lock(&registry.mutex);
  registry.seen.clear();
  for (int64_t& count : registry.counts) count = 0;
}

int64_t ReportCount(ReportKind kind) {
  Registry& registry = TheRegistry();
  base::MutexLock lock(&registry.mutex);
  return registry.counts[static_cast<int>(kind)];
}

bool ReportOnce(ReportKind kind, const void* subject, const std::string& text) {
  Registry& registry = TheRegistry();
  {
    base::MutexLock lock(&registry.mutex);
    ++registry.counts[static_cast<int>(kind)];
    if (registry.seen.size() >= kSubjectsMax || !registry.seen.insert({kind, subject}).second) {
      return false;
    }
  }
  Deliver(kind, text);
  return true;
}

void ReportAlways(ReportKind kind, const std::string& text) {
  Registry& registry = TheRegistry();
  {
    base::MutexLock lock(&registry.mutex);
    ++registry.counts[static_cast<int>(kind)];
  }
  Deliver(kind, text);
}

void LockReports() ABSL_NO_THREAD_SAFETY_ANALYSIS { TheRegistry().mutex.Lock(); }
void UnlockReports() ABSL_NO_THREAD_SAFETY_ANALYSIS { TheRegistry().mutex.Unlock(); }

std::string FuncName(WorkFunc func) {
  char symbol[256];
  void* address = reinterpret_cast<void*>(func);
  if (func != nullptr && absl::Symbolize(address, symbol, sizeof(symbol))) return symbol;
  return absl::StrFormat("%p", address);
}

}  // namespace uwq::core
