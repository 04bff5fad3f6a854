// SPDX-License-Identifier: BSD-3-Clause
//
// kup_bench_report.h -- what kup_bench.cc and bridge_bench.cc measure beside time, and their
// table: each row with its bar and whether it holds.
#ifndef UWQ_KUP_BRIDGE_KUP_BENCH_REPORT_H_
#define UWQ_KUP_BRIDGE_KUP_BENCH_REPORT_H_

#include <linux/perf_event.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_format.h"
#include "kup_bridge/ring_map.h"

namespace uwq::kup {

// The table, printed row by row: as text, or for a document (bench/document.py).
class Report {
 public:
  // What is left of the arguments without --markdown goes to `argv`.
  Report(int* argc, char** argv) {
    int kept = 1;
    for (int i = 1; i < *argc; ++i) {
      if (std::string(argv[i]) == "--markdown") {
        markdown_ = true;
      } else {
        argv[kept++] = argv[i];
      }
    }
    *argc = kept;
  }
  void Row(const std::string& what, const std::string& measured) { Print(what, measured, {}, ""); }
  void Row(const std::string& what, const std::string& measured, const std::string& bar,
           bool holds) {
    ++bars_;
    if (!holds) ++missed_;
    Print(what, measured, bar, holds ? "yes" : "no");
  }
  // Where no table will do.
  bool markdown() const { return markdown_; }
  // The program's result: 1 if a bar is missed.
  int Finish(const std::string& how) const {
    printf("%s%s; bars: %d of %d hold\n", markdown_ ? "\n" : "", how.c_str(), bars_ - missed_,
           bars_);
    return missed_ != 0 ? 1 : 0;
  }

 private:
  void Print(const std::string& what, const std::string& measured, const std::string& bar,
             const char* holds) {
    if (markdown_ && rows_++ == 0) printf("| what | measured | bar | holds |\n|---|---|---|---|\n");
    printf(markdown_ ? "| %s | %s | %s | %s |\n" : "%-52s %-52s %-20s %s\n", what.c_str(),
           measured.c_str(), bar.c_str(), holds);
    fflush(stdout);  // before a fork
  }
  bool markdown_ = false;
  int rows_ = 0, bars_ = 0, missed_ = 0;
};

inline std::string Load() {
  double load;
  return getloadavg(&load, 1) == 1 ? absl::StrFormat("load %.1f", load) : "load unknown";
}

// System calls of this process, its later threads and its later children, as the kernel
// counts them (trace point raw_syscalls:sys_enter).  Wants root and tracefs.
class SyscallCounter {
 public:
  SyscallCounter() {
    FILE* const file = fopen("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "r");
    if (file == nullptr) return;
    perf_event_attr attr = {};
    attr.type = PERF_TYPE_TRACEPOINT;
    attr.size = sizeof attr;
    attr.inherit = 1;
    unsigned long long id;
    if (fscanf(file, "%llu", &id) == 1) {
      attr.config = id;
      fd_ = Fd(static_cast<int>(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0)));
    }
    fclose(file);
  }
  bool counts() const { return fd_.valid(); }
  // Itself one of them.
  int64_t Read() const {
    int64_t value = 0;
    if (!counts() || read(fd_.get(), &value, sizeof value) != sizeof value) return 0;
    return value;
  }

 private:
  Fd fd_;
};

// Times that threads other than the caller slept: each ends with a wake-up that somebody
// paid for.
inline long SleepsOfOthers() {
  rusage all, caller;
  getrusage(RUSAGE_SELF, &all);
  getrusage(RUSAGE_THREAD, &caller);
  return all.ru_nvcsw - caller.ru_nvcsw;
}

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_KUP_BENCH_REPORT_H_
