// SPDX-License-Identifier: BSD-3-Clause
//
// calls.cc -- workqueue calls that are more than one call of the C ABI, and reports.
#include <stdio.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/linux/uwq_linux.h"

namespace base = uwq::base;
namespace core = uwq::core;

namespace {

std::string Format(const char* fmt, va_list args) {
  char text[512];
  vsnprintf(text, sizeof(text), fmt, args);
  return text;
}

// work_on_cpu() on the caller's stack.
struct CallOnCpu {
  uwq_work work;
  long (*fn)(void*);
  void* arg;
  long result;
};

void RunCallOnCpu(uwq_work* work) {
  auto* const call = reinterpret_cast<CallOnCpu*>(work);
  call->result = call->fn(call->arg);
}

}  // namespace

extern "C" {

uwq_workqueue* uwq_linux_alloc_workqueue(const char* fmt, unsigned flags, int max_active, ...) {
  va_list args;
  va_start(args, max_active);
  const std::string name = Format(fmt, args);
  va_end(args);
  return uwq_alloc_workqueue(nullptr, name.c_str(), flags, max_active);
}

uwq_workqueue* uwq_linux_alloc_ordered_workqueue(const char* fmt, unsigned flags, ...) {
  va_list args;
  va_start(args, flags);
  const std::string name = Format(fmt, args);
  va_end(args);
  return uwq_alloc_ordered_workqueue(nullptr, name.c_str(), flags);
}

void uwq_linux_set_worker_desc(const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  const std::string text = Format(fmt, args);
  va_end(args);
  uwq_set_worker_desc(text.c_str());
}

void uwq_flush_system_workqueue(uwq_workqueue* wq) { uwq_flush_workqueue(wq); }

void uwq_watchdog_touch(int cpu) { core::Runtime::Default()->WatchdogTouch(cpu); }

int uwq_schedule_on_each_cpu(uwq_work_func_t func) {
  uwq_linux_might_sleep("schedule_on_each_cpu");
  uwq_workqueue* const wq = uwq_system_wq(nullptr, UWQ_SYSTEM_PERCPU);
  const int nr_cpus = uwq_nr_cpus();
  const auto works = std::make_unique<uwq_work[]>(nr_cpus);
  for (int cpu = 0; cpu < nr_cpus; ++cpu) {
    uwq_init_work(&works[cpu], func);
    uwq_queue_work_on(cpu, wq, &works[cpu]);
  }
  for (int cpu = 0; cpu < nr_cpus; ++cpu) uwq_flush_work(&works[cpu]);
  return 0;
}

long uwq_work_on_cpu(int cpu, long (*fn)(void*), void* arg) {
  uwq_linux_might_sleep("work_on_cpu");
  CallOnCpu call = {{}, fn, arg, 0};
  uwq_init_work_onstack(&call.work, RunCallOnCpu);
  uwq_queue_work_on(cpu, uwq_system_wq(nullptr, UWQ_SYSTEM_PERCPU), &call.work);
  uwq_flush_work(&call.work);
  uwq_destroy_work_on_stack(&call.work);
  return call.result;
}

void uwq_warn(const char* file, int line, bool once, const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  std::string text = Format(fmt, args);
  va_end(args);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  text = absl::StrCat("WARNING at ", file, ":", line, text.empty() ? "" : ": ", text);
  if (once) {
    // `file` is a literal: its address and the line make a subject that names the place.
    core::ReportOnce(core::ReportKind::kOther, file + line, text);
  } else {
    core::ReportAlways(core::ReportKind::kOther, text);
  }
}

void uwq_bug(const char* file, int line) {
  core::ReportAlways(core::ReportKind::kOther, absl::StrCat("kernel BUG at ", file, ":", line));
  abort();
}

void uwq_dump_stack(void) { core::ReportAlways(core::ReportKind::kOther, "dump_stack()"); }

bool uwq_ratelimit(const void* site) {
  // The kernel's defaults: ten in five seconds.  Sites share a small table; a
  // collision only makes two places share their allowance.
  struct Allowance {
    base::Nanos since = 0;
    int used = 0;
  };
  static base::Mutex* const mutex = new base::Mutex;
  static Allowance allowances[64];
  const base::Nanos now = base::Now();
  base::MutexLock lock(mutex);
  Allowance& a = allowances[(reinterpret_cast<uintptr_t>(site) >> 3) % 64];
  if (a.since == 0 || now - a.since > 5 * base::kSecond) a = {now, 0};
  return a.used++ < 10;
}

}  // extern "C"
