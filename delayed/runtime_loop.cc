// SPDX-License-Identifier: BSD-3-Clause
#include "delayed/runtime_loop.h"

#include <utility>

#include "delayed/timer_host.h"
#include "workqueue/event/event_loop.h"

namespace uwq::delayed {
namespace {

class LibeventRuntimeLoop : public RuntimeLoop {
 public:
  explicit LibeventRuntimeLoop(std::unique_ptr<event::EventLoop> loop) : loop_(std::move(loop)) {}

  absl::Status Start(std::function<void()> on_wake) {
    absl::StatusOr<std::unique_ptr<event::LoopTimer>> timer = loop_->NewTimer(std::move(on_wake));
    if (!timer.ok()) return timer.status();
    timer_ = *std::move(timer);
    return absl::OkStatus();
  }
  void ArmAt(base::Nanos deadline_ns) override { timer_->ArmAt(deadline_ns); }
  event::EventLoop* loop() override { return loop_.get(); }
  // In a callback of the loop: who runs it looks for items next.
  void Poke() override {
    if (sleepers_.load(std::memory_order_seq_cst) > 0 && !loop_->InLoop()) {
      timer_->ArmAt(base::Now());
    }
  }

  // RunPending(), and then a turn of the loop, which sleeps if no item ran: one that is
  // queued after the last look pokes, as the pool's lock is between the two.
  absl::StatusOr<int> TurnAfterItems(core::Runtime* runtime, base::Nanos deadline_ns, int* ran) {
    *ran += runtime->RunPending();
    if (*ran > 0) return loop_->RunUntilIdle();
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    *ran += runtime->RunPending();
    absl::StatusOr<int> callbacks = *ran > 0 ? loop_->RunUntilIdle() : loop_->RunOnce(deadline_ns);
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
    return callbacks;
  }

 private:
  const std::unique_ptr<event::EventLoop> loop_;
  base::Atomic<int> sleepers_{0};            // in RunOnce(), about to sleep or asleep
  std::unique_ptr<event::LoopTimer> timer_;  // goes first
};

absl::StatusOr<std::unique_ptr<event::EventLoop>> MakeLoop(const core::RuntimeOptions& options) {
  if (options.event_base != nullptr) return event::EventLoop::Embed(options.event_base);
  if (options.manual) return event::EventLoop::Create();
  return event::EventLoop::StartThread("uwq/loop");
}

}  // namespace

absl::StatusOr<std::unique_ptr<RuntimeLoop>> MakeRuntimeLoop(core::Runtime* runtime,
                                                             std::function<void()> on_wake) {
  absl::StatusOr<std::unique_ptr<event::EventLoop>> loop = MakeLoop(runtime->options());
  if (!loop.ok()) return loop.status();
  auto made = std::make_unique<LibeventRuntimeLoop>(*std::move(loop));
  absl::Status status = made->Start(std::move(on_wake));
  if (!status.ok()) return status;
  return made;
}

absl::StatusOr<event::EventLoop*> LoopOf(core::Runtime* runtime) {
  absl::Status status = runtime->EnsureExtension();
  if (!status.ok()) return status;
  return static_cast<TimerHost*>(runtime->extension())->loop()->loop();
}

absl::StatusOr<int> RunOnce(core::Runtime* runtime, base::Nanos deadline_ns) {
  if (!runtime->options().manual) {
    return absl::FailedPreconditionError("RunOnce and RunUntilIdle are for manual Runtimes");
  }
  if (absl::StatusOr<event::EventLoop*> loop = LoopOf(runtime); !loop.ok()) return loop.status();
  auto* const loop =
      static_cast<LibeventRuntimeLoop*>(static_cast<TimerHost*>(runtime->extension())->loop());
  int ran = 0;
  for (;;) {
    absl::StatusOr<int> callbacks = loop->TurnAfterItems(runtime, deadline_ns, &ran);
    if (!callbacks.ok()) return callbacks.status();
    const int more = runtime->RunPending();
    ran += more;
    if (more == 0 && (ran > 0 || *callbacks == 0)) return ran;
  }
}

absl::StatusOr<int> RunUntilIdle(core::Runtime* runtime) { return RunOnce(runtime, 0); }

}  // namespace uwq::delayed
