// SPDX-License-Identifier: BSD-3-Clause
//
// bridge_reset.cc -- devices that come and go; quiesce, drain, resume.
#include <algorithm>
#include <utility>
#include <vector>

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
  for (Waiting& w : *waiting) Discard(&w);
  waiting->clear();
}

void Bridge::Impl::DropWaitingLocked() {
  DropLocked(&stalled);
  for (auto& [type, sub] : subs) {
    DropLocked(&sub.backlog);
    stats.dropped += sub.merged.count;
    sub.merged = Event();
  }
  blocked = false;
}

void Bridge::Impl::Quiesce() {
  {
    MutexLock lock(&mutex);
    ++quiesced;
    ++quiesces;
    served.NotifyAll();  // a Drain gives up
    while (serving && !loop->InLoop()) served.Wait(&mutex);
  }
  for (auto& [type, sub] : subs) {
    if (sub.work != nullptr) (void)sub.work->DisableSync();
  }
  MutexLock lock(&mutex);
  DropWaitingLocked();
}

// All that was taken from the ring is delivered.  `empty_since`: and nothing was found in
// it, at a look that began after that many Drains had been called; 0: no such look.
void Bridge::Impl::PassDrainsLocked(uint64_t empty_since) {
  for (Draining* d : draining) {
    if (d->passed || d->at != current.get()) continue;
    d->passed = TakenUpTo(*current, d->head, d->number <= empty_since);
    if (d->passed) served.NotifyAll();
  }
}

absl::Status Bridge::Impl::Drain() {
  const std::shared_ptr<Attachment> at = Current();
  absl::Status gone =
      absl::UnavailableError(absl::StrCat(device, ": gone or quiesced while draining"));
  std::vector<std::pair<Sub*, uint64_t>> targets;
  uint64_t before;
  {
    MutexLock lock(&mutex);
    if (!started || quiesced > 0) {
      return absl::FailedPreconditionError("the bridge is not started, or quiesced");
    }
    if (at == nullptr || at != current) return gone;
    before = quiesces;
    Draining mine = {at.get(), SentUpTo(*at), ++drains};
    draining.push_back(&mine);
    PostServeLocked();
    while (!mine.passed && at == current && quiesces == before) served.Wait(&mutex);
    draining.erase(std::find(draining.begin(), draining.end(), &mine));
    if (!mine.passed) return gone;
    for (auto& [type, sub] : subs) {
      if (sub.work != nullptr) targets.emplace_back(&sub, sub.taken);  // else handled already
    }
  }
  for (const auto& [sub, target] : targets) {
    for (bool begun = false; !begun;) {
      {
        MutexLock lock(&mutex);
        if (quiesces != before) return gone;  // which drops them, and lets no item run
        begun = sub->taken - sub->backlog.size() >= target;
      }
      // The last of them may be in its handler still; else the item is queued.
      (void)sub->work->Flush();
    }
  }
  MutexLock lock(&mutex);
  return quiesces == before ? absl::OkStatus() : gone;
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
