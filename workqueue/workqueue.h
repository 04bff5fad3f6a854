// SPDX-License-Identifier: BSD-3-Clause
//
// workqueue.h -- the C++ API: uwq::Workqueue, uwq::Work, uwq::Runtime.
//
//   auto wq = uwq::Workqueue::CreateOrdered("camera");   // absl::StatusOr
//   uwq::Work frame([&] { HandleFrame(); });
//   (*wq)->Queue(frame);     // true: this call made it pending
//   frame.CancelSync();      // on return neither pending nor running
//
// The semantics are the Linux kernel's (docs/guarantees.md); each promise below
// has an id in brackets that a test cites.  Every call is thread-safe.  "Sleeps"
// marks those that block; the others never allocate and never block for longer
// than a short critical section.  Nothing throws.
//
// Reading on: docs/architecture.md, then core/work_state.h, then core/worker_pool.h.
#ifndef UWQ_WORKQUEUE_WORKQUEUE_H_
#define UWQ_WORKQUEUE_WORKQUEUE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "workqueue/base/abi_types.h"
#include "workqueue/core/concurrency.h"
#include "workqueue/core/dump.h"
#include "workqueue/core/gate.h"
#include "workqueue/core/item.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"

namespace uwq {

class Workqueue;

using core::AffnScope;
using core::BlockingScope;
using core::CpuMask;
using core::DumpText;
using core::Report;
using core::ReportKind;
using core::Runtime;  // Create(options), Default(); survives fork as runtime.h says
using core::RuntimeOptions;
using core::SetReportHandler;
using core::Snapshot;
using core::SystemWq;
using core::TakeSnapshot;
using core::Topology;
using core::WorkqueueAttrs;

inline constexpr int kAnyCpu = core::kWorkCpuUnbound;

// The bare item: 32 bytes, a function and no more, as in the kernel.  Embed it and
// find your object from the pointer that the function gets.
class WorkItem {
 public:
  using Func = core::WorkFunc;

  explicit WorkItem(Func func) { core::InitWord(&item_, func); }
  // Destroying an item that is pending, or running on another thread, is a broken
  // contract: it is reported by name, cancelled and waited for.  [UWQ-LIFE-1]
  // The item's own function may destroy it.  [UWQ-LIFE-2]
  ~WorkItem() { core::EndOfLife(&item_, /*timer=*/false); }
  WorkItem(const WorkItem&) = delete;
  WorkItem& operator=(const WorkItem&) = delete;

  // Takes it off its queue.  True if it was pending; false if it was idle or only
  // running, which is not waited for.  Legal from its own function.  [UWQ-CANCEL-1]
  bool Cancel() { return core::CancelWork(&item_); }
  // As Cancel, then waits until it does not run either.  While it waits, every
  // attempt to queue the item is refused; afterwards it may be freed if nobody
  // queues it again.  Sleeps.  Deadlocks (reported, not entered): from its own
  // function.  [UWQ-CANCEL-2]
  bool CancelSync() { return core::CancelWorkSync(&item_); }
  // Cancels, and refuses queueing until Enable() was called as often.  [UWQ-DISABLE-1]
  bool Disable() { return core::DisableWork(&item_); }
  bool DisableSync() { return core::DisableWorkSync(&item_); }  // sleeps
  // True if it is enabled now; what was cancelled is not queued again.  [UWQ-DISABLE-2]
  bool Enable() { return core::EnableWork(&item_); }
  // Waits for the last queued instance, or the running one.  True if there was one.
  // Sleeps.  [UWQ-FLUSH-1]
  bool Flush() { return core::FlushWork(&item_); }

  // Queued or on a timer; false while its function runs, unless queued again.  Advisory.
  bool pending() { return core::WorkPending(&item_); }
  // core::kBusyPending | core::kBusyRunning.  Advisory.
  unsigned busy() { return core::WorkBusy(&item_); }

  uwq_work* raw() { return &item_; }
  static WorkItem* FromRaw(uwq_work* work) { return reinterpret_cast<WorkItem*>(work); }

 private:
  uwq_work item_;  // first: FromRaw
};
static_assert(sizeof(WorkItem) == 32);

// An item with a callable: a lambda, or an object and a member function.
// A callable of up to two words is stored in place; a larger one is allocated when
// the Work is made, never when it is queued.
class Work : public WorkItem {
 public:
  explicit Work(absl::AnyInvocable<void()> fn) : WorkItem(&Run), fn_(std::move(fn)) {}
  template <typename T>
  Work(T* object, void (T::*method)()) : Work([object, method] { (object->*method)(); }) {}
  // Before fn_ goes: the base's destructor would wait for a run that uses it.
  ~Work() { core::EndOfLife(raw(), /*timer=*/false); }

 private:
  static void Run(uwq_work* work) { static_cast<Work*>(FromRaw(work))->fn_(); }
  absl::AnyInvocable<void()> fn_;
};

enum class WorkqueueKind {
  kUnbound,  // any CPU, started as soon as a worker and max_active allow
  kPerCpu,   // on the queueing CPU, concurrency-managed
  kOrdered,  // one at a time, in queueing order  [UWQ-ORDER-1]
  kBh,       // on a non-sleeping thread of the queueing CPU
};

struct WorkqueueOptions {
  WorkqueueKind kind = WorkqueueKind::kUnbound;
  int max_active = 0;            // 0: the default, 1024; not for kOrdered and kBh
  bool highpri = false;          // pools of their own, nice -20 where permitted
  bool mem_reclaim = false;      // has a thread from its creation on
  bool freezable = false;        // stands still between FreezeBegin() and Thaw()
  bool cpu_intensive = false;    // kPerCpu: items do not hold others of the CPU back
  bool power_efficient = false;  // kPerCpu, unless RuntimeOptions::power_efficient
  bool sysfs = false;            // listed for tools by its name
  Runtime* runtime = nullptr;    // null: Runtime::Default(); must outlive the queue
};

// A queue.  Destruction drains it: every item that is pending runs first; chained
// queueing by its own items is accepted meanwhile, other queueing is refused with
// a report.  [UWQ-DESTROY-1]  Sleeps; never from an item of the queue.
class Workqueue {
 public:
  using Options = WorkqueueOptions;
  // INVALID_ARGUMENT: empty name, options that exclude each other, negative
  // max_active.  RESOURCE_EXHAUSTED: no thread, no memory.  Sleeps.
  static absl::StatusOr<std::unique_ptr<Workqueue>> Create(absl::string_view name,
                                                           const Options& options = {});
  static absl::StatusOr<std::unique_ptr<Workqueue>> CreateOrdered(absl::string_view name,
                                                                  Runtime* runtime = nullptr);
  // A handle on a system queue, which is made at the first call and ends with its Runtime
  // (null: Runtime::Default()), not with the handle.  [UWQ-SYSTEM-1]  Null, reported: no
  // thread, no memory.  Sleeps at the first call.
  static std::unique_ptr<Workqueue> System(SystemWq which, Runtime* runtime = nullptr);
  ~Workqueue() {
    if (!wq_->HasFlag(core::kWqSystem)) core::DestroyWorkqueue(wq_);
  }
  Workqueue(const Workqueue&) = delete;
  Workqueue& operator=(const Workqueue&) = delete;

  // True: this call made the item pending, so one execution follows that sees
  // everything stored before the call.  [UWQ-QUEUE-1]
  // False: it was pending already, and that execution sees it, too [UWQ-QUEUE-2];
  // or it is disabled, and nothing happens.
  bool Queue(WorkItem& work) { return core::QueueWork(wq_, work.raw()); }
  // On a per-CPU queue: on that CPU.  On others: a hint.
  bool QueueOn(int cpu, WorkItem& work) { return core::QueueWorkOn(cpu, wq_, work.raw()); }
  bool QueueOnNode(int node, WorkItem& work) { return core::QueueWorkNode(node, wq_, work.raw()); }
  // Enables it and, if that made it enabled, queues it.
  bool EnableAndQueue(WorkItem& work) { return core::EnableAndQueueWork(wq_, work.raw()); }

  // Waits for every item queued before the call, not for later ones.  Sleeps.
  // Deadlocks (reported, not entered): from an item of this queue.  [UWQ-FLUSH-2]
  void Flush() { core::FlushWorkqueue(wq_); }
  // Flushes until the queue is empty; only its own items may queue meanwhile.
  // Sleeps.  [UWQ-DRAIN-1]
  void Drain() { core::DrainWorkqueue(wq_); }

  // Ordered queues: runs `fn` in its turn, on the caller's thread when the queue is
  // idle, and returns when it has run.  From an item of this queue: reported,
  // FAILED_PRECONDITION, not run.  An exception on the caller's thread comes out again.
  // Sleeps.  [UWQ-GATE-1]
  absl::Status RunSync(absl::FunctionRef<void()> fn) { return core::RunSync(wq_, fn); }

  // Unbound queues.  Running items finish where they are.  Sleeps.
  absl::Status ApplyAttrs(const WorkqueueAttrs& attrs) {
    return core::ApplyWorkqueueAttrs(wq_, attrs);
  }
  // Clamped to 1..2048 with a report.  A raise takes effect at once.  Sleeps.
  void SetMaxActive(int max_active) { core::SetMaxActive(wq_, max_active); }
  void SetMinActive(int min_active) { core::SetMinActive(wq_, min_active); }
  // Items of `cpu` wait for max_active.  Advisory.
  bool Congested(int cpu = kAnyCpu) { return core::WorkqueueCongested(cpu, wq_); }

  absl::string_view name() const { return wq_->name; }
  core::Workqueue* raw() { return wq_; }

 private:
  explicit Workqueue(core::Workqueue* wq) : wq_(wq) {}
  core::Workqueue* const wq_;
};

// The kernel's current_work(): the item that the calling thread executes.
inline uwq_work* CurrentWork() { return core::CurrentWork(); }

}  // namespace uwq

#endif  // UWQ_WORKQUEUE_WORKQUEUE_H_
