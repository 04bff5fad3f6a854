// SPDX-License-Identifier: BSD-3-Clause
//
// uwq.cc -- the C ABI as thin calls on the core.
#include "workqueue/c/uwq.h"

#include <errno.h>
#include <unistd.h>

#include <string>

#include "workqueue/core/concurrency.h"
#include "workqueue/core/dump.h"
#include "workqueue/core/item.h"
#include "workqueue/core/lock_check.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"

namespace core = uwq::core;

static_assert(UWQ_WORK_DATA_INIT == core::kInitialWord);
// The two headers may not drift apart.
constexpr bool Same(unsigned c, unsigned core) { return c == core; }
static_assert(Same(UWQ_BH, core::kWqBh));
static_assert(Same(UWQ_UNBOUND, core::kWqUnbound));
static_assert(Same(UWQ_FREEZABLE, core::kWqFreezable));
static_assert(Same(UWQ_MEM_RECLAIM, core::kWqMemReclaim));
static_assert(Same(UWQ_HIGHPRI, core::kWqHighpri));
static_assert(Same(UWQ_CPU_INTENSIVE, core::kWqCpuIntensive));
static_assert(Same(UWQ_SYSFS, core::kWqSysfs));
static_assert(Same(UWQ_POWER_EFFICIENT, core::kWqPowerEfficient));
static_assert(Same(UWQ_PERCPU, core::kWqPercpu));
static_assert(Same(UWQ_ORDERED_INTERNAL, core::kWqOrdered));
static_assert(Same(UWQ_LEGACY_INTERNAL, core::kWqLegacy));
static_assert(UWQ_MAX_ACTIVE == core::kWqMaxActive && UWQ_CPU_UNBOUND == core::kWorkCpuUnbound);
static_assert(static_cast<int>(UWQ_SYSTEM_NR) == static_cast<int>(core::SystemWq::kCount));
static_assert(sizeof(uwq_tracked_lock) == sizeof(core::TrackedLock));
static_assert(sizeof(uwq_workqueue_attrs) == 144 && offsetof(uwq_workqueue_attrs, cpumask) == 16);

namespace {

thread_local std::string last_error;

int Fail(const absl::Status& status) {
  last_error = std::string(status.message());
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return EINVAL;
    case absl::StatusCode::kResourceExhausted:
      return EAGAIN;
    default:
      return ENOMEM;
  }
}

core::Workqueue* Wq(uwq_workqueue* wq) { return reinterpret_cast<core::Workqueue*>(wq); }
const core::Workqueue* Wq(const uwq_workqueue* wq) {
  return reinterpret_cast<const core::Workqueue*>(wq);
}
uwq_workqueue* Handle(core::Workqueue* wq) { return reinterpret_cast<uwq_workqueue*>(wq); }
uwq_runtime* Handle(core::Runtime* rt) { return reinterpret_cast<uwq_runtime*>(rt); }
core::Runtime* Rt(uwq_runtime* rt) {
  return rt != nullptr ? reinterpret_cast<core::Runtime*>(rt) : core::Runtime::Default();
}
core::TrackedLock* Lock(uwq_tracked_lock* lock) {
  return reinterpret_cast<core::TrackedLock*>(lock);
}

}  // namespace

extern "C" {

void uwq_init_work(uwq_work* work, uwq_work_func_t func) { core::InitWork(work, func, false); }
void uwq_init_work_onstack(uwq_work* work, uwq_work_func_t func) {
  core::InitWork(work, func, true);
}
void uwq_destroy_work_on_stack(uwq_work* work) { core::DestroyWorkOnStack(work); }

bool uwq_queue_work(uwq_workqueue* wq, uwq_work* work) { return core::QueueWork(Wq(wq), work); }
bool uwq_queue_work_on(int cpu, uwq_workqueue* wq, uwq_work* work) {
  return core::QueueWorkOn(cpu, Wq(wq), work);
}
bool uwq_queue_work_node(int node, uwq_workqueue* wq, uwq_work* work) {
  return core::QueueWorkNode(node, Wq(wq), work);
}
bool uwq_cancel_work(uwq_work* work) { return core::CancelWork(work); }
bool uwq_cancel_work_sync(uwq_work* work) { return core::CancelWorkSync(work); }
bool uwq_disable_work(uwq_work* work) { return core::DisableWork(work); }
bool uwq_disable_work_sync(uwq_work* work) { return core::DisableWorkSync(work); }
bool uwq_enable_work(uwq_work* work) { return core::EnableWork(work); }
bool uwq_enable_and_queue_work(uwq_workqueue* wq, uwq_work* work) {
  return core::EnableAndQueueWork(Wq(wq), work);
}
bool uwq_flush_work(uwq_work* work) { return core::FlushWork(work); }
bool uwq_work_pending(const uwq_work* work) {
  return core::WorkPending(const_cast<uwq_work*>(work));
}
unsigned uwq_work_busy(uwq_work* work) { return core::WorkBusy(work); }

uwq_workqueue* uwq_alloc_workqueue(uwq_runtime* rt, const char* name, unsigned flags,
                                   int max_active) {
  core::Runtime* const runtime = Rt(rt);
  absl::StatusOr<core::Workqueue*> wq = absl::ResourceExhaustedError("no default Runtime");
  if (name == nullptr) {
    wq = absl::InvalidArgumentError("workqueue: name is NULL");
  } else if (runtime != nullptr) {
    wq = core::AllocWorkqueue(runtime, {name, flags, max_active});
  }
  if (wq.ok()) return Handle(*wq);
  errno = Fail(wq.status());
  return nullptr;
}

uwq_workqueue* uwq_alloc_ordered_workqueue(uwq_runtime* rt, const char* name, unsigned flags) {
  return uwq_alloc_workqueue(rt, name, flags | UWQ_UNBOUND | UWQ_ORDERED_INTERNAL, 1);
}
void uwq_destroy_workqueue(uwq_workqueue* wq) { core::DestroyWorkqueue(Wq(wq)); }
void uwq_flush_workqueue(uwq_workqueue* wq) { core::FlushWorkqueue(Wq(wq)); }
void uwq_drain_workqueue(uwq_workqueue* wq) { core::DrainWorkqueue(Wq(wq)); }
void uwq_workqueue_set_max_active(uwq_workqueue* wq, int n) { core::SetMaxActive(Wq(wq), n); }
void uwq_workqueue_set_min_active(uwq_workqueue* wq, int n) { core::SetMinActive(Wq(wq), n); }
bool uwq_workqueue_congested(int cpu, uwq_workqueue* wq) {
  return core::WorkqueueCongested(cpu, Wq(wq));
}
const char* uwq_workqueue_name(const uwq_workqueue* wq) { return Wq(wq)->name; }
unsigned uwq_workqueue_flags(const uwq_workqueue* wq) {
  return Wq(wq)->flags.load(std::memory_order_relaxed);
}

int uwq_apply_workqueue_attrs(uwq_workqueue* wq, const uwq_workqueue_attrs* attrs) {
  core::WorkqueueAttrs a;
  a.nice = attrs->nice;
  a.affn_scope = static_cast<core::AffnScope>(attrs->affn_scope);
  a.affn_strict = attrs->affn_strict;
  a.ordered = attrs->ordered;
  for (int cpu = 0; cpu < core::kCpusMax; ++cpu) {
    if ((attrs->cpumask[cpu / 64] >> (cpu % 64) & 1) != 0) a.cpumask.set(cpu);
  }
  const absl::Status status = core::ApplyWorkqueueAttrs(Wq(wq), a);
  if (status.ok()) return 0;
  const int error = Fail(status);
  return error == EINVAL ? -EINVAL : -ENOMEM;
}

uwq_workqueue* uwq_system_wq(uwq_runtime* rt, int which) {
  core::Runtime* const runtime = Rt(rt);
  if (runtime == nullptr || which < 0 || which >= UWQ_SYSTEM_NR) return nullptr;
  return Handle(runtime->System(static_cast<core::SystemWq>(which)));
}

uwq_work* uwq_current_work(void) { return core::CurrentWork(); }
bool uwq_current_is_workqueue_rescuer(void) { return core::CurrentIsRescuer(); }
bool uwq_current_is_workqueue_mem_reclaim(void) { return core::CurrentIsMemReclaim(); }
void uwq_set_worker_desc(const char* desc) { core::SetWorkerDesc(desc); }
void uwq_blocking_enter(void) { core::BlockingScope::Enter(); }
void uwq_blocking_exit(void) { core::BlockingScope::Exit(); }
void uwq_might_sleep(const char* what) { core::MightSleep(what); }

void uwq_tracked_lock_init(uwq_tracked_lock* lock, const char* name) {
  new (lock) core::TrackedLock(name);
}
void uwq_tracked_lock_acquired(uwq_tracked_lock* lock) { core::LockAcquired(Lock(lock)); }
void uwq_tracked_lock_released(uwq_tracked_lock* lock) { core::LockReleased(Lock(lock)); }

uwq_runtime* uwq_runtime_default(void) { return Handle(core::Runtime::Default()); }
uwq_runtime* uwq_runtime_create(int nodes, int cpus_per_node) {
  core::RuntimeOptions options;
  if (nodes != 0 || cpus_per_node != 0) {
    if (nodes < 1 || cpus_per_node < 1 || nodes > core::kCpusMax / cpus_per_node) {
      errno =
          Fail(absl::InvalidArgumentError("nodes and cpus_per_node must be positive, "
                                          "their product at most 1024"));
      return nullptr;
    }
    options.topology = core::Topology::Emulated(nodes, cpus_per_node);
  }
  absl::StatusOr<std::unique_ptr<core::Runtime>> rt = core::Runtime::Create(std::move(options));
  if (rt.ok()) return Handle(rt->release());
  errno = Fail(rt.status());
  return nullptr;
}
void uwq_runtime_destroy(uwq_runtime* rt) { delete reinterpret_cast<core::Runtime*>(rt); }
int uwq_runtime_nr_cpus(uwq_runtime* rt) { return Rt(rt)->topology().nr_cpus(); }

void uwq_freeze_workqueues_begin(uwq_runtime* rt) { Rt(rt)->FreezeBegin(); }
bool uwq_freeze_workqueues_busy(uwq_runtime* rt) { return Rt(rt)->FreezeBusy(); }
void uwq_thaw_workqueues(uwq_runtime* rt) { Rt(rt)->Thaw(); }

static int WriteAll(int fd, const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = write(fd, text.data() + at, text.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    at += static_cast<size_t>(n);
  }
  return 0;
}
int uwq_show_all_workqueues(uwq_runtime* rt, int fd) {
  return WriteAll(fd, core::DumpText(Rt(rt), /*all=*/false));
}
int uwq_show_freezable_workqueues(uwq_runtime* rt, int fd) {
  return WriteAll(fd, core::DumpFreezable(Rt(rt)));
}
int uwq_show_one_workqueue(uwq_workqueue* wq, int fd) {
  return WriteAll(fd, core::DumpWorkqueue(Wq(wq)));
}

void uwq_set_report_handler(uwq_report_fn handler, void* arg) {
  if (handler == nullptr) {
    core::SetReportHandler(nullptr);
    return;
  }
  core::SetReportHandler([handler, arg](const core::Report& report) {
    handler(core::ReportKindName(report.kind), report.text.c_str(), arg);
  });
}
void uwq_reset_reports(void) { core::ResetReports(); }
void uwq_set_debug_objects(bool on) { core::SetDebugObjects(on); }
const char* uwq_last_error(void) { return last_error.c_str(); }

}  // extern "C"
