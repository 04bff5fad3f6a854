// SPDX-License-Identifier: BSD-3-Clause
//
// fiber_context.h -- a stack and a saved register set.
//
// Boost.Context's fcontext switches in a few ns.  ucontext would make two system
// calls for the signal mask at every switch.  AddressSanitizer is told about
// every switch, so that simulated tests run under it.
#ifndef UWQ_WORKQUEUE_BASE_SIM_FIBER_CONTEXT_H_
#define UWQ_WORKQUEUE_BASE_SIM_FIBER_CONTEXT_H_

#include <cstddef>

namespace uwq::sim {

class FiberContext {
 public:
  FiberContext() = default;
  FiberContext(const FiberContext&) = delete;
  FiberContext& operator=(const FiberContext&) = delete;

  // Takes a stack of the pool; the first switch to it calls entry(argument),
  // which must leave by SwitchAndFinish.
  void Prepare(void (*entry)(void*), void* argument);
  // Saves the caller in *this (it must be the running context) and goes on in
  // `to`; returns when somebody switches back.
  void SwitchTo(FiberContext* to);
  // Goes on in `to` for ever; the stack of *this returns to the pool.
  [[noreturn]] void SwitchAndFinish(FiberContext* to);
  // Between Prepare and the end of the entry function.
  bool has_stack() const { return stack_ != nullptr; }

 private:
  friend class EntryPoint;
  void Leave(FiberContext* to, void** fake_stack);
  static void Arrive(void* from_saved);

  void* saved_ = nullptr;
  char* stack_ = nullptr;  // lowest usable byte; null for an OS thread's own stack
  bool finished_ = false;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  // Only AddressSanitizer uses these; they are always there so that the layout
  // does not depend on the build.
  void* fake_stack_ = nullptr;
  const void* bottom_ = nullptr;
  size_t size_ = 0;
};

}  // namespace uwq::sim

#endif  // UWQ_WORKQUEUE_BASE_SIM_FIBER_CONTEXT_H_
