// SPDX-License-Identifier: BSD-3-Clause
//
// sim_runtime_loop.cc -- the simulator's loop: a fiber that sleeps on its parker.
#include "delayed/runtime_loop.h"

namespace uwq::delayed {
namespace {

class FiberLoop : public RuntimeLoop {
 public:
  explicit FiberLoop(std::function<void()> on_wake) : on_wake_(std::move(on_wake)) {}

  ~FiberLoop() override {
    stop_.store(true, std::memory_order_release);
    parker_.Unpark();
    if (thread_.joinable()) thread_.Join();
  }

  absl::Status Start() {
    base::Thread::Options options;
    options.name = "uwq/loop";
    absl::StatusOr<base::Thread> thread = base::Thread::Start(options, [this] { Main(); });
    if (!thread.ok()) return thread.status();
    thread_ = *std::move(thread);
    return absl::OkStatus();
  }

  void ArmAt(base::Nanos deadline_ns) override {
    base::Nanos armed = deadline_.load(std::memory_order_acquire);
    while (deadline_ns < armed) {
      if (!deadline_.compare_exchange_strong(armed, deadline_ns, std::memory_order_acq_rel)) {
        continue;
      }
      parker_.Unpark();
      return;
    }
  }
  event::EventLoop* loop() override { return nullptr; }

 private:
  void Main() {
    while (!stop_.load(std::memory_order_acquire)) {
      const base::Nanos deadline = deadline_.load(std::memory_order_acquire);
      if (base::Now() < deadline) {
        (void)parker_.ParkUntil(deadline);
        continue;
      }
      deadline_.store(base::kForever, std::memory_order_release);
      on_wake_();
    }
  }

  const std::function<void()> on_wake_;
  base::Atomic<base::Nanos> deadline_{base::kForever};
  base::Atomic<bool> stop_{false};
  base::Parker parker_;
  base::Thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RuntimeLoop>> MakeRuntimeLoop(core::Runtime* runtime,
                                                             std::function<void()> on_wake) {
  (void)runtime;
  auto made = std::make_unique<FiberLoop>(std::move(on_wake));
  absl::Status status = made->Start();
  if (!status.ok()) return status;
  return made;
}

}  // namespace uwq::delayed
