// SPDX-License-Identifier: BSD-3-Clause
//
// trace_file.cc -- see trace_file.h.
// Invariant: `ready` of a record is set last, so that Write() sees whole ones only.
#include "drivers/hdmi_example/demo/trace_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "workqueue/base/trace.h"

namespace uwq::hdmi {
namespace {

enum class Kind : int { kNone, kQueue, kStart, kEnd };

struct Record {
  base::Atomic<int> ready{0};  // a Kind
  base::Nanos at_ns = 0;
  const void* work = nullptr;
  int thread = 0;
  char queue[16] = {};
};

Record* records = nullptr;  // set once, never freed: trace points may still hold it
base::Atomic<size_t> next_record{0};
base::Mutex names_mutex;
std::map<const void*, std::string>& Names() {
  static auto* const names = new std::map<const void*, std::string>;
  return *names;
}

void Add(Kind kind, const void* work, const char* queue) {
  const size_t i = next_record.fetch_add(1, std::memory_order_relaxed);
  if (i >= TraceFile::kRecords) return;
  Record& r = records[i];
  r.at_ns = base::Now();
  r.work = work;
  r.thread = base::SelfId();
  if (queue != nullptr) snprintf(r.queue, sizeof(r.queue), "%.15s", queue);
  r.ready.store(static_cast<int>(kind), std::memory_order_release);
}

std::string NameOf(const void* work) {
  base::MutexLock lock(&names_mutex);
  const auto found = Names().find(work);
  return found != Names().end() ? found->second
                                : absl::StrFormat("item %x", reinterpret_cast<uintptr_t>(work));
}

size_t Used() { return std::min(next_record.load(std::memory_order_relaxed), TraceFile::kRecords); }

}  // namespace

void TraceFile::Start() {
  if (records != nullptr) return;
  records = new Record[kRecords];
  static constexpr base::TraceSink kSink = {
      .queue_work = [](const void* work, uwq_work_func_t, const char* wq, int,
                       int) { Add(Kind::kQueue, work, wq); },
      .activate_work = nullptr,
      .execute_start = [](const void* work, uwq_work_func_t,
                          const char* wq) { Add(Kind::kStart, work, wq); },
      .execute_end = [](const void* work, uwq_work_func_t) { Add(Kind::kEnd, work, nullptr); },
  };
  base::SetTraceSink(&kSink);
}

bool TraceFile::started() { return records != nullptr; }

void TraceFile::NameWorks(const std::vector<DriverWork*>& works) {
  base::MutexLock lock(&names_mutex);
  for (DriverWork* work : works) Names()[work->raw()] = work->name();
}

int64_t TraceFile::recorded() { return static_cast<int64_t>(Used()); }
int64_t TraceFile::left_out() {
  return static_cast<int64_t>(next_record.load(std::memory_order_relaxed) - Used());
}

absl::Status TraceFile::Write(const std::string& path) {
  base::SetTraceSink(nullptr);
  FILE* const file = fopen(path.c_str(), "w");
  if (file == nullptr) {
    return absl::UnavailableError(absl::StrCat("\"", path, "\": ", strerror(errno)));
  }
  fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n", file);
  base::Nanos zero = 0;
  const char* separator = "";
  std::map<int, std::pair<base::Nanos, const Record*>> running;  // by thread
  for (size_t i = 0; i < Used(); ++i) {
    const Record& r = records[i];
    const Kind kind = static_cast<Kind>(r.ready.load(std::memory_order_acquire));
    if (kind == Kind::kNone) continue;
    if (zero == 0) zero = r.at_ns;
    const double us = static_cast<double>(r.at_ns - zero) / 1000;
    const std::string name = NameOf(r.work);
    switch (kind) {
      case Kind::kQueue:
        absl::FPrintF(file,
                      "%s{\"name\":\"queue %s\",\"cat\":\"%s\",\"ph\":\"i\",\"s\":\"t\","
                      "\"ts\":%.3f,\"pid\":1,\"tid\":%d}",
                      separator, name, r.queue, us, r.thread);
        break;
      case Kind::kStart:
        running[r.thread] = {r.at_ns, &r};
        continue;
      case Kind::kEnd: {
        const auto begun = running.find(r.thread);
        if (begun == running.end() || begun->second.second->work != r.work) continue;
        absl::FPrintF(file,
                      "%s{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"X\",\"ts\":%.3f,"
                      "\"dur\":%.3f,\"pid\":1,\"tid\":%d,\"args\":{\"queue\":\"%s\"}}",
                      separator, name, begun->second.second->queue,
                      static_cast<double>(begun->second.first - zero) / 1000,
                      static_cast<double>(r.at_ns - begun->second.first) / 1000, r.thread,
                      begun->second.second->queue);
        running.erase(begun);
        break;
      }
      case Kind::kNone:
        continue;
    }
    separator = ",\n";
  }
  fputs("\n]}\n", file);
  if (fclose(file) != 0) {
    return absl::UnavailableError(absl::StrCat("\"", path, "\": ", strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace uwq::hdmi
