// SPDX-License-Identifier: BSD-3-Clause
//
// object_life.cc -- INIT_WORK and the end of items: the kernel's debugobjects (L8-L10).
#include <pthread.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "workqueue/core/item.h"
#include "workqueue/core/pool_workqueue.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"

#if defined(__SANITIZE_ADDRESS__)
#define UWQ_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UWQ_ASAN 1
#endif
#endif
#if defined(UWQ_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace uwq::core {
namespace {

std::atomic<bool> debug_objects{false};

// Whether `p` lies on the calling thread's stack.
bool OnOwnStack(const void* p) {
#if defined(UWQ_SIM)
  (void)p;
  return false;  // fibers have stacks of their own
#else
  struct Bounds {
    char* low = nullptr;
    size_t size = 0;
  };
  static thread_local const Bounds bounds = [] {
    Bounds b;
    pthread_attr_t attr;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
      void* low = nullptr;
      pthread_attr_getstack(&attr, &low, &b.size);
      b.low = static_cast<char*>(low);
      pthread_attr_destroy(&attr);
    }
    return b;
  }();
#if defined(UWQ_ASAN)
  // The sanitizer keeps locals elsewhere, to notice their use after return.
  void* const fake = __asan_get_current_fake_stack();
  if (fake != nullptr &&
      __asan_addr_is_in_fake_stack(fake, const_cast<void*>(p), nullptr, nullptr) != nullptr) {
    return true;
  }
#endif
  const char* const c = static_cast<const char*>(p);
  return c >= bounds.low && c < bounds.low + bounds.size;
#endif
}

}  // namespace

void SetDebugObjects(bool on) { debug_objects.store(on, std::memory_order_relaxed); }

void InitWork(WorkItem* work, WorkFunc func, bool on_stack) {
  // The memory may hold anything: believe it is a queued item only if its word
  // names a pool_workqueue of ours that has it on a list.
  Word word = LoadWord(work);
  if (AtDoor(word)) {
    if (WorkerPool* const pool = Runtime::PoolById(PoolIdOf(word))) PoolLock let_in(pool);
    word = LoadWord(work);
  }
  if ((word & (kPending | kOnPwq)) == (kPending | kOnPwq) && Runtime::IsQueued(work, PwqOf(word))) {
    const std::string name = FuncName(work->func);
    (void)CancelWork(work);  // the kernel's fix-up: off the list before its links are lost
    ReportReinit(func, name, "queued");
  }
  if (debug_objects.load(std::memory_order_relaxed) && OnOwnStack(work) != on_stack) {
    ReportOnce(ReportKind::kStackMismatch, reinterpret_cast<void*>(func),
               absl::StrCat("work item of ", FuncName(func),
                            on_stack ? " is not on the stack, but is annotated so"
                                     : " is on the stack, but is not annotated so"));
  }
  InitWord(work, func);
}

void ReportReinit(WorkFunc func, const std::string& was, const char* state) {
  ReportOnce(ReportKind::kReinitWhileQueued, reinterpret_cast<void*>(func),
             absl::StrCat("INIT_WORK(", FuncName(func), ") on an item that is ", state, " (", was,
                          "); it was cancelled"));
}

void DestroyWorkOnStack(WorkItem* work, bool timer) {
  if (!WorkPending(work)) return;
  const WorkFunc func = work->func;
  (void)CancelFlags(work, timer, /*disable=*/false);
  ReportOnce(ReportKind::kFreedWhileBusy, reinterpret_cast<void*>(func),
             absl::StrCat("destroy_work_on_stack of the queued item ", FuncName(func),
                          "; it was cancelled"));
}

void EndOfLife(WorkItem* work, bool timer) {
  const Worker* const self = CurrentWorker();
  const bool own_function = self != nullptr && self->current_work == work;
  const unsigned busy = WorkBusy(work);
  const bool running_elsewhere = !own_function && (busy & kBusyRunning) != 0;
  if (__builtin_expect((busy & kBusyPending) == 0 && !running_elsewhere, 1)) return;
  const WorkFunc func = work->func;
  if (own_function) {
    (void)CancelFlags(work, timer, /*disable=*/false);
  } else {
    (void)CancelSyncFlags(work, timer, /*disable=*/false);
  }
  ReportOnce(ReportKind::kFreedWhileBusy, reinterpret_cast<void*>(func),
             absl::StrCat("work item of ", FuncName(func), " destroyed while ",
                          (busy & kBusyPending) != 0 ? "pending" : "running",
                          "; it was cancelled and waited for"));
}

}  // namespace uwq::core
