// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/base/sim/fiber_context.h"

#include <sys/mman.h>
#include <unistd.h>

#include <boost/context/detail/fcontext.hpp>
#include <vector>

#include "workqueue/base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define UWQ_SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UWQ_SIM_ASAN 1
#endif
#endif

#if defined(UWQ_SIM_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace uwq::sim {
namespace {

namespace context = boost::context::detail;

// Virtual memory; only what is touched costs.  Instrumented frames are larger.
#if defined(UWQ_SIM_ASAN)
constexpr size_t kStackBytes = 1024 * 1024;
#else
constexpr size_t kStackBytes = 256 * 1024;
#endif

// Free stacks, the most recently used last: it is still in cache.
std::vector<char*>& StackPool() {
  static auto* pool = new std::vector<char*>;
  return *pool;
}

char* NewStack() {
  const size_t guard = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, guard + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  UWQ_CHECK(memory != MAP_FAILED);
  // A fiber that overruns its stack faults here instead of writing into a neighbour.
  UWQ_CHECK(mprotect(memory, guard, PROT_NONE) == 0);
  char* stack = static_cast<char*>(memory) + guard;
#if defined(UWQ_SIM_ASAN)
  __lsan_register_root_region(stack, kStackBytes);
#endif
  return stack;
}

// The switch under way.  One OS thread, so two variables carry it across.
FiberContext* leaving = nullptr;
FiberContext* arriving = nullptr;

}  // namespace

class EntryPoint {
 public:
  static void Enter(context::transfer_t transfer) {
    FiberContext::Arrive(transfer.fctx);
    FiberContext* here = arriving;
    here->entry_(here->argument_);
    UWQ_CHECK(!"a fiber must leave by SwitchAndFinish");
  }
};

void FiberContext::Prepare(void (*entry)(void*), void* argument) {
  UWQ_CHECK(stack_ == nullptr);
  if (StackPool().empty()) {
    stack_ = NewStack();
  } else {
    stack_ = StackPool().back();
    StackPool().pop_back();
  }
#if defined(UWQ_SIM_ASAN)
  // The previous user never unwound its last frame, whose red zones are still there.
  __asan_unpoison_memory_region(stack_, kStackBytes);
#endif
  entry_ = entry;
  argument_ = argument;
  finished_ = false;
  fake_stack_ = nullptr;
  bottom_ = stack_;
  size_ = kStackBytes;
  saved_ = context::make_fcontext(stack_ + kStackBytes, kStackBytes, &EntryPoint::Enter);
}

void FiberContext::Leave(FiberContext* to, void** fake_stack) {
  leaving = this;
  arriving = to;
#if defined(UWQ_SIM_ASAN)
  __sanitizer_start_switch_fiber(fake_stack, to->bottom_, to->size_);
#endif
  const context::transfer_t transfer = context::jump_fcontext(to->saved_, nullptr);
  Arrive(transfer.fctx);
}

// Runs on the stack of `arriving`.
void FiberContext::Arrive(void* from_saved) {
  FiberContext* from = leaving;
  from->saved_ = from_saved;
#if defined(UWQ_SIM_ASAN)
  const void* bottom = nullptr;
  size_t size = 0;
  __sanitizer_finish_switch_fiber(arriving->fake_stack_, &bottom, &size);
  if (from->stack_ == nullptr) {  // the OS thread's own stack: its bounds are known only now
    from->bottom_ = bottom;
    from->size_ = size;
  }
#endif
  if (from->finished_) {
    StackPool().push_back(from->stack_);
    from->stack_ = nullptr;
  }
}

void FiberContext::SwitchTo(FiberContext* to) { Leave(to, &fake_stack_); }

void FiberContext::SwitchAndFinish(FiberContext* to) {
  finished_ = true;
  Leave(to, nullptr);
  __builtin_unreachable();
}

}  // namespace uwq::sim
