// SPDX-License-Identifier: BSD-3-Clause
//
// report.h -- how a user's mistake is told: once, with names and a stack.
//
// Where the kernel would WARN, hang or corrupt, uwq reports and goes on without
// touching any other item.  A report is made once for each pair (kind, subject),
// where the subject is the work function or the queue: the second different
// mistake of one kind is still seen.
#ifndef UWQ_WORKQUEUE_CORE_REPORT_H_
#define UWQ_WORKQUEUE_CORE_REPORT_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "workqueue/core/work_state.h"

namespace uwq::core {

enum class ReportKind : int {
  kBadFlags,           // alloc: unknown or contradictory flags (1.4)
  kMaxActiveClamped,   // alloc, set_max_active: out of range (T108)
  kNameTruncated,      // alloc: longer than 31 characters (T135)
  kBadCpu,             // queue_work_on: no such CPU
  kQueueOnDraining,    // Q7
  kListCorruption,     // Q10
  kUninitialised,      // queueing an item that was never initialised (T150)
  kReinitWhileQueued,  // INIT_WORK on a queued item (T149)
  kFreedWhileBusy,     // a C++ item destroyed while pending or running
  kStackMismatch,      // on-stack rules (T148)
  kDisableOverflow,    // E1
  kEnableUnderflow,    // E1
  kSelfFlush,          // F11
  kOwnQueueFlush,      // F11
  kOrderedFlush,       // F11: flush_work of a later item of the caller's ordered queue
  kFlushUnderLock,     // L2, L3, T088
  kFlushDependency,    // F12
  kSystemFlush,        // T090
  kSecondQueue,        // N3, C8: queued on a second wq while running on the first
  kUnboundOnly,        // attributes on a per-CPU queue (T132), queue_work_node
  kOrderedMaxActive,   // A10
  kOrderedAttrs,       // ordered queue re-attributed with ordered = false
  kDeprecatedQueue,    // __WQ_DEPRECATED
  kDestroyBusy,        // X6
  kDoubleDestroy,
  kArmedTimerAtDestroy,  // D10
  kCancelArmedTimer,     // D8
  kSlowDrain,            // X3
  kSleepInBh,            // B2
  kLeakedLock,           // P13
  kCpuHog,               // P5
  kStall,                // W3
  kForkedRuntime,        // use of a Runtime in the child of a fork
  kBadDelay,             // a negative or infinite delay
  kOther,
  kCount
};
const char* ReportKindName(ReportKind kind);

struct Report {
  ReportKind kind;
  std::string text;   // one line; names the queue and the function
  std::string stack;  // of the caller, one frame a line; may be empty
};

// Replaces the handler (null: the default, which writes to stderr).  The handler
// runs on the thread that made the mistake, with no lock of uwq held; it may
// call uwq, and may abort.
void SetReportHandler(std::function<void(const Report&)> handler);
// Forgets which reports were made: for tests, and for a driver that restarts.
void ResetReports();
// Number of reports of `kind` made or suppressed since the last reset.
int64_t ReportCount(ReportKind kind);

// Makes the report unless it was made for the same (kind, subject) before.
// Returns true if it was made.  Never called with a lock of uwq held.
bool ReportOnce(ReportKind kind, const void* subject, const std::string& text);
// Always makes it (hog and stall reports count by themselves).
void ReportAlways(ReportKind kind, const std::string& text);

// While it lives the calling thread's reports wait; its end makes them.  Declared before a
// lock of uwq that is held over calls which may report.
class DeferReports {
 public:
  DeferReports();
  ~DeferReports();
  DeferReports(const DeferReports&) = delete;
  DeferReports& operator=(const DeferReports&) = delete;
  void Add(Report report) { waiting_.push_back(std::move(report)); }

 private:
  DeferReports* const outer_;
  std::vector<Report> waiting_;
};

// Around fork(): the child finds what is kept about reports whole.
void LockReports();
void UnlockReports();

// "drv_poll+0x10" where the symbol can be found, the address otherwise.
std::string FuncName(WorkFunc func);

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_REPORT_H_
