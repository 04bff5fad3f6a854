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

 private:
  const std::unique_ptr<event::EventLoop> loop_;
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
  absl::StatusOr<event::EventLoop*> loop = LoopOf(runtime);
  if (!loop.ok()) return loop.status();
  int ran = 0;
  for (;;) {
    ran += runtime->RunPending();
    absl::StatusOr<int> callbacks =
        ran > 0 ? (*loop)->RunUntilIdle() : (*loop)->RunOnce(deadline_ns);
    if (!callbacks.ok()) return callbacks.status();
    const int more = runtime->RunPending();
    ran += more;
    if (more == 0 && (ran > 0 || *callbacks == 0)) return ran;
  }
}

absl::StatusOr<int> RunUntilIdle(core::Runtime* runtime) { return RunOnce(runtime, 0); }

}  // namespace uwq::delayed
