// SPDX-License-Identifier: BSD-3-Clause
#include "kup_bridge/bridge.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "delayed/runtime_loop.h"
#include "kup_bridge/bridge_impl.h"

namespace uwq::kup {

using base::MutexLock;

namespace {

constexpr int kBacklogMax = 128;

}  // namespace

Bridge::Bridge(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<Bridge>> Bridge::Open(absl::string_view device, uint32_t channel,
                                                     const Options& options) {
  auto impl = std::make_shared<Impl>();
  impl->options = options;
  impl->device = std::string(device);
  impl->channel = channel;
  // On one CPU nobody could send while we poll.
  if (base::SpinBudget() > 0) impl->spin_max = absl::ToInt64Nanoseconds(options.spin);
  impl->runtime = options.runtime != nullptr ? options.runtime : Runtime::Default();
  if (impl->runtime == nullptr) return absl::ResourceExhaustedError("no default Runtime");
  absl::StatusOr<event::EventLoop*> loop = delayed::LoopOf(impl->runtime);
  if (!loop.ok()) return loop.status();
  impl->loop = *loop;
  if (options.reconnect < absl::InfiniteDuration()) {
    impl->retry_wq = impl->runtime->System(core::SystemWq::kDflLong);
    if (impl->retry_wq == nullptr) return absl::ResourceExhaustedError("no system workqueue");
    impl->retry = std::make_unique<DelayedWork>([self = impl.get()] { self->Reconnect(); });
  }
  absl::StatusOr<std::shared_ptr<Attachment>> at =
      Attach(impl->device, channel, options.attach_timeout);
  if (!at.ok()) return at.status();
  {
    MutexLock lock(&impl->mutex);
    impl->current = *std::move(at);
  }
  return std::unique_ptr<Bridge>(new Bridge(std::move(impl)));
}

Bridge::~Bridge() {
  {
    MutexLock lock(&impl_->mutex);
    impl_->closing = true;
  }
  if (impl_->retry != nullptr) (void)impl_->retry->DisableSync();
  Quiesce();
  if (impl_->state_work != nullptr) (void)impl_->state_work->DisableSync();
  event::FdWatch watch;
  {
    MutexLock lock(&impl_->mutex);
    watch = std::move(impl_->watch);
  }
  watch.Unwatch();
}

absl::Status Bridge::OnEvent(uint16_t type, Workqueue& wq,
                             std::function<void(const Event&)> handler) {
  absl::Status status = OnMessage(type, wq, {}, nullptr);
  if (!status.ok()) return status;
  Impl::Sub& sub = impl_->subs[type];
  sub.event = true;
  sub.on_event = std::move(handler);
  return absl::OkStatus();
}

absl::Status Bridge::OnMessage(uint16_t type, Workqueue& wq, const MessageOptions& options,
                               std::function<void(Message&)> handler) {
  if (options.backlog < 1 || options.backlog > kBacklogMax) {
    return absl::InvalidArgumentError(absl::StrCat("backlog ", options.backlog, " of message type ",
                                                   type, " is not in 1..", kBacklogMax));
  }
  absl::Status status = OnDirect(type, std::move(handler));
  if (!status.ok()) return status;
  Impl::Sub* const sub = &impl_->subs[type];
  sub->wq = &wq;
  sub->options = options;
  sub->work = std::make_unique<Work>([impl = impl_.get(), sub] { impl->Run(sub); });
  return absl::OkStatus();
}

absl::Status Bridge::OnDirect(uint16_t type, std::function<void(Message&)> handler) {
  MutexLock lock(&impl_->mutex);
  if (impl_->started) return absl::FailedPreconditionError("the bridge is started");
  const auto [it, fresh] = impl_->subs.try_emplace(type);
  if (!fresh) {
    return absl::AlreadyExistsError(absl::StrCat("message type ", type, " has a subscription"));
  }
  it->second.on_message = std::move(handler);
  return absl::OkStatus();
}

absl::Status Bridge::OnState(Workqueue& wq, std::function<void(DeviceState)> handler) {
  MutexLock lock(&impl_->mutex);
  if (impl_->started) return absl::FailedPreconditionError("the bridge is started");
  if (impl_->state_work != nullptr) return absl::AlreadyExistsError("OnState was called");
  impl_->state_wq = &wq;
  impl_->on_state = std::move(handler);
  impl_->state_work = std::make_unique<Work>([impl = impl_.get()] {
    DeviceState state;
    {
      MutexLock inner(&impl->mutex);
      state = impl->device_state;
    }
    impl->on_state(state);
  });
  return absl::OkStatus();
}

absl::Status Bridge::Start() {
  {
    MutexLock lock(&impl_->mutex);
    if (impl_->started) return absl::FailedPreconditionError("the bridge is started");
    absl::Status status = impl_->WatchLocked(impl_->current);
    if (!status.ok()) return status;
    impl_->started = true;
  }
  impl_->AskServe();  // what came before
  return absl::OkStatus();
}

void Bridge::Quiesce() { impl_->Quiesce(); }
void Bridge::Resume() { impl_->Resume(); }
absl::Status Bridge::Drain() { return impl_->Drain(); }

absl::Status Bridge::Send(uint16_t type, absl::Span<const uint8_t> data) {
  const std::shared_ptr<Attachment> at = impl_->Current();
  if (at == nullptr) return absl::UnavailableError(absl::StrCat(impl_->device, ": no device"));
  const int result = kup_send(at->chan, type, data.data(), static_cast<uint32_t>(data.size()), 0);
  return result < 0 ? FromErrno(result, impl_->device) : absl::OkStatus();
}

absl::StatusOr<std::string> Bridge::Call(uint16_t type, absl::Span<const uint8_t> data,
                                         absl::Duration timeout) {
  const std::shared_ptr<Attachment> at = impl_->Current();
  if (at == nullptr) return absl::UnavailableError(absl::StrCat(impl_->device, ": no device"));
  kup_geometry geometry;
  kup_geometry_of(at->chan, &geometry);
  std::string reply(geometry.max_record, '\0');
  BlockingScope blocking;
  const int length =
      kup_call(at->chan, type, data.data(), static_cast<uint32_t>(data.size()), reply.data(),
               static_cast<uint32_t>(reply.size()), Milliseconds(timeout));
  if (length < 0) return FromErrno(length, impl_->device);
  reply.resize(std::min<size_t>(reply.size(), static_cast<size_t>(length)));
  return reply;
}

DeviceState Bridge::state() const {
  MutexLock lock(&impl_->mutex);
  return impl_->device_state;
}

BridgeStats Bridge::stats() const {
  MutexLock lock(&impl_->mutex);
  return impl_->stats;
}

}  // namespace uwq::kup
