// SPDX-License-Identifier: BSD-3-Clause
//
// bridge_reset.cc -- devices that come and go; quiesce, drain, resume.
#include <utility>

#include "absl/strings/str_cat.h"
#include "delayed/runtime_loop.h"
#include "kup_bridge/bridge_impl.h"

namespace uwq::kup {

using base::MutexLock;

void Bridge::Impl::TellLocked(DeviceState state) {
  if (std::exchange(device_state, state) == state) return;
  if (state_work != nullptr) (void)state_wq->Queue(*state_work);
}

void Bridge::Impl::LostLocked(int error) {
  TellLocked(StateOf(error));
  served.NotifyAll();
  previous = std::exchange(current, nullptr);
  watch.Unwatch();  // on the loop's thread: returns at once
  if (options.reconnect < absl::InfiniteDuration() && device_state != DeviceState::kPoisoned) {
    RetryLocked();
  }
}

void Bridge::Impl::RetryLocked() {
  (void)uwq_queue_delayed_work(reinterpret_cast<uwq_workqueue*>(retry_wq), retry->raw(),
                               absl::ToInt64Nanoseconds(options.reconnect));
}

void Bridge::Impl::Reconnect() {
  absl::StatusOr<std::shared_ptr<Attachment>> at = Attach(device, channel, options.attach_timeout);
  std::shared_ptr<Attachment> old;
  if (at.ok()) {
    MutexLock lock(&mutex);
    old = std::move(previous);
  }
  // Before anybody can send anything new.
  const Resent again = old != nullptr ? Resend(*old, **at, options.attach_timeout) : Resent();
  {
    MutexLock lock(&mutex);
    stats.resent += static_cast<uint64_t>(again.sent);
    stats.unsent += static_cast<uint64_t>(again.left);
    if (closing) return;
    if (!at.ok() || !WatchLocked(*at).ok()) {
      RetryLocked();
      return;
    }
    TellLocked(DeviceState::kReady);
  }
  AskServe();  // what the new device has sent already
}

absl::Status Bridge::Impl::WatchLocked(std::shared_ptr<Attachment> at) {
  absl::StatusOr<event::FdWatch> made =
      loop->WatchFd(kup_fd(at->chan), {}, [weak = weak_from_this()](uint32_t) {
        if (const std::shared_ptr<Impl> self = weak.lock()) self->Serve();
      });
  if (!made.ok()) return made.status();
  watch = *std::move(made);
  current = std::move(at);
  ++stats.connects;
  return absl::OkStatus();
}

void Bridge::Impl::DropLocked(std::deque<Waiting>* waiting) {
  stats.dropped += waiting->size();
  for (Waiting& w : *waiting) Release(&w);
  waiting->clear();
}

void Bridge::Impl::DropWaitingLocked() {
  DropLocked(&stalled);
  for (auto& [type, sub] : subs) {
    DropLocked(&sub.backlog);
    sub.done = sub.taken;
    stats.dropped += sub.merged.count;
    sub.merged = Event();
  }
  blocked = false;
}

void Bridge::Impl::Quiesce() {
  {
    MutexLock lock(&mutex);
    ++quiesced;
    served.NotifyAll();  // a Drain gives up
    while (serving && !loop->InLoop()) served.Wait(&mutex);
  }
  for (auto& [type, sub] : subs) {
    if (sub.work != nullptr) (void)sub.work->DisableSync();
  }
  MutexLock lock(&mutex);
  DropWaitingLocked();
}

// True: the ring was seen empty by a look that began after the call.
bool Bridge::Impl::AwaitEmpty() {
  MutexLock lock(&mutex);
  const uint64_t mine = ++drains_asked;
  PostServeLocked();
  while (drains_done < mine && current != nullptr && quiesced == 0) served.Wait(&mutex);
  return drains_done >= mine;
}

absl::Status Bridge::Impl::Drain() {
  {
    MutexLock lock(&mutex);
    if (!started || quiesced > 0) {
      return absl::FailedPreconditionError("the bridge is not started, or quiesced");
    }
  }
  if (!AwaitEmpty()) {
    return absl::UnavailableError(absl::StrCat(device, ": gone or quiesced while draining"));
  }
  for (auto& [type, sub] : subs) {
    if (sub.work == nullptr) continue;  // handled by the look itself
    uint64_t target;
    {
      MutexLock lock(&mutex);
      target = sub.taken;
    }
    for (;;) {
      (void)sub.work->Flush();
      MutexLock lock(&mutex);
      // Dropped by Quiesce meanwhile, or the handler queued itself again for the rest.
      if (sub.done >= target) break;
      (void)sub.wq->Queue(*sub.work);
    }
  }
  return absl::OkStatus();
}

void Bridge::Impl::Resume() {
  for (auto& [type, sub] : subs) {
    if (sub.work != nullptr) (void)sub.work->Enable();
  }
  {
    MutexLock lock(&mutex);
    UWQ_CHECK(quiesced > 0);
    if (--quiesced > 0) return;
  }
  AskServe();
}

}  // namespace uwq::kup
