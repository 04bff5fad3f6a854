// SPDX-License-Identifier: BSD-3-Clause
#include "kup_bridge/bridge.h"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "delayed/delayed_work.h"
#include "delayed/runtime_loop.h"
#include "kup_bridge/attachment.h"
#include "workqueue/event/event_loop.h"

namespace uwq::kup {

using base::MutexLock;

namespace {

constexpr int kBatch = 64;        // messages taken from the ring at once
constexpr int kRunBatch = 16;     // messages handled in one run of an item
constexpr int kTurnBatches = 16;  // batches in one turn of the loop: it has others to serve
constexpr int kBacklogMax = 128;

}  // namespace

struct Bridge::Impl : std::enable_shared_from_this<Bridge::Impl> {
  struct Waiting {
    std::shared_ptr<Attachment> at;
    kup_msg msg;
    std::string copy;  // the payload, once the record itself was given back
    bool copied = false;
  };
  struct Sub {
    Workqueue* wq = nullptr;  // null: direct
    MessageOptions options;
    bool event = false;
    std::function<void(const Event&)> on_event;
    std::function<void(Message&)> on_message;
    std::unique_ptr<Work> work;
    std::deque<Waiting> backlog;  // Impl::mutex
    Event merged;                 // Impl::mutex; count 0: nothing
    uint64_t taken = 0;           // Impl::mutex; messages put into the backlog
    uint64_t done = 0;            // Impl::mutex; and those that were handled or dropped
  };

  // --- The loop's side ------------------------------------------------------------------

  void Serve() {
    MutexLock lock(&mutex);
    if (serving) return;  // a direct handler pumped the loop
    serving = true;
    serve_wanted = false;
    ++stats.wakeups;
    AdaptSpinLocked();
    bool armed = false;
    int batches = 0;
    while (!armed && batches < kTurnBatches && current != nullptr && quiesced == 0 && !blocked &&
           DeliverStalledLocked()) {
      armed = TakeLocked();
      ++batches;
    }
    serving = false;
    served.NotifyAll();
    if (current == nullptr) return;
    if (!armed && quiesced == 0 && !blocked) {
      PostServeLocked();
      return;
    }
    // Masked by Quiesce or a full backlog: who lifts that asks for another Serve, which
    // takes what is there before it finds the end; but the end is told at once.
    const int end = armed ? 0 : EndOf(*current);
    if (end == 0) {
      (void)watch.Rearm();
    } else {
      TellLocked(StateOf(end));
    }
  }

  // Polling pays only if it outlasts the gap between messages (docs/kup_protocol.md,
  // "Adaptive polling"): it grows while gaps are short and ends when one was long.
  void AdaptSpinLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const base::Nanos max = spin_max;
    if (max == 0 || armed_at == 0) return;
    const base::Nanos gap = base::Now() - std::exchange(armed_at, 0);
    if (gap > 2 * max) {
      spin = 0;
    } else {
      spin = std::min(max, spin != 0 ? 2 * spin : std::max<base::Nanos>(max / 8, 1));
    }
  }

  // Takes one batch.  True: the ring is empty and will signal.
  bool TakeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const std::shared_ptr<Attachment> at = current;
    const base::Nanos spin_ns = spin;
    const uint64_t drain = drains_asked;
    kup_msg batch[kBatch];
    mutex.Unlock();
    int n = kup_receive_batch(at->chan, batch, kBatch, 0);
    if (n == -EAGAIN && spin_ns > 0) {
      const base::Nanos until = base::Now() + spin_ns;
      n = 0;
      while (n == 0 && base::Now() < until) {
        n = kup_poll(at->chan, batch, kBatch);
        if (n == 0) base::CpuRelax();
      }
      // Nothing came: the call that arms the notification.
      if (n == 0) n = kup_receive_batch(at->chan, batch, kBatch, 0);
    }
    mutex.Lock();
    if (n == -EAGAIN || n == 0) {
      drains_done = drain;
      served.NotifyAll();
      armed_at = spin_max > 0 ? base::Now() : 0;
      return true;
    }
    if (n == -ENOBUFS) {
      // The handlers hold all that may be held; the first to give back goes on.
      ++stats.blocked;
      blocked = true;
      return false;
    }
    if (n < 0) {
      LostLocked(n);
      return false;
    }
    stats.received += static_cast<uint64_t>(n);
    for (int i = 0; i < n; ++i) stalled.push_back({at, batch[i], {}});
    return false;
  }

  // Delivers what was taken, in order.  False: a full backlog stops it.
  bool DeliverStalledLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    while (!stalled.empty() && quiesced == 0) {
      Waiting& w = stalled.front();
      const auto found = subs.find(w.msg.type);
      if (found == subs.end()) {
        ++stats.unknown;
        Release(&w);
        stalled.pop_front();
        continue;
      }
      Sub& sub = found->second;
      if (sub.wq == nullptr) {
        Waiting taken = std::move(w);
        stalled.pop_front();
        ++stats.handled;
        mutex.Unlock();
        Handle(sub, taken);
        mutex.Lock();
        continue;
      }
      if (sub.event) {
        MergeLocked(&sub, w.msg);
        Release(&w);
        stalled.pop_front();
        continue;
      }
      if (static_cast<int>(sub.backlog.size()) >= sub.options.backlog) {
        if (sub.options.overflow == Overflow::kBlockRing) {
          ++stats.blocked;
          blocked = true;
          return false;
        }
        ++stats.dropped;
        if (sub.options.overflow == Overflow::kDropNewest) {
          Release(&w);
          stalled.pop_front();
          continue;
        }
        ++sub.done;
        sub.backlog.pop_front();
      }
      // Who may drop must not hold up the ring: the tail does not pass what is held.
      if (sub.options.overflow != Overflow::kBlockRing) CopyOut(&w);
      ++sub.taken;
      sub.backlog.push_back(std::move(w));
      stalled.pop_front();
      (void)sub.wq->Queue(*sub.work);  // false: pending, that run takes it
    }
    return true;
  }

  void MergeLocked(Sub* sub, const kup_msg& msg) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Event& e = sub->merged;
    ++stats.handled;
    if (e.count++ > 0) ++stats.merged;
    e.len = std::min<uint32_t>(msg.len, Event::kPayloadMax);
    if (e.len > 0) memcpy(e.last, msg.data, e.len);
    (void)sub->wq->Queue(*sub->work);
  }

  static void Release(Waiting* w) {
    if (!w->copied) (void)kup_release(w->at->chan, &w->msg, 1);
  }

  static void CopyOut(Waiting* w) {
    w->copy.assign(static_cast<const char*>(w->msg.data), w->msg.len);
    Release(w);
    w->copied = true;
  }

  void AskServe() {
    MutexLock lock(&mutex);
    PostServeLocked();
  }

  void PostServeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (serve_wanted || !started) return;
    serve_wanted = true;
    // False: the loop has stopped, and with it everything that would be served.
    (void)loop->Post([weak = weak_from_this()] {
      if (const std::shared_ptr<Impl> self = weak.lock()) self->Serve();
    });
  }

  // --- The handlers' side ---------------------------------------------------------------

  static void Handle(Sub& sub, Waiting& w) {
    Message message;
    message.chan_ = w.at->chan;
    message.msg_ = w.msg;
    if (w.copied) message.msg_.data = w.copy.data();
    sub.on_message(message);
    Release(&w);
  }

  void Run(Sub* sub) {
    if (sub->event) {
      Event event;
      {
        MutexLock lock(&mutex);
        event = std::exchange(sub->merged, Event());
      }
      if (event.count > 0) sub->on_event(event);
      return;
    }
    for (int i = 0; i < kRunBatch; ++i) {
      Waiting w;
      {
        MutexLock lock(&mutex);
        if (sub->backlog.empty()) return;
        w = std::move(sub->backlog.front());
        sub->backlog.pop_front();
        ++stats.handled;
        UnblockLocked();
      }
      Handle(*sub, w);
      MutexLock lock(&mutex);
      ++sub->done;
      UnblockLocked();  // once more: the window may have been full
    }
    // Fair to the other items of the queue: the rest in another turn.
    MutexLock lock(&mutex);
    if (!sub->backlog.empty()) (void)sub->wq->Queue(*sub->work);
  }

  void UnblockLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (std::exchange(blocked, false)) PostServeLocked();
  }

  // --- Coming and going -------------------------------------------------------------------

  void TellLocked(DeviceState state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (std::exchange(device_state, state) == state) return;
    if (state_work != nullptr) (void)state_wq->Queue(*state_work);
  }

  void LostLocked(int error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    TellLocked(StateOf(error));
    served.NotifyAll();
    previous = std::exchange(current, nullptr);
    watch.Unwatch();  // on the loop's thread: returns at once
    if (options.reconnect < absl::InfiniteDuration() && device_state != DeviceState::kPoisoned) {
      RetryLocked();
    }
  }

  void RetryLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    (void)uwq_queue_delayed_work(reinterpret_cast<uwq_workqueue*>(retry_wq), retry->raw(),
                                 absl::ToInt64Nanoseconds(options.reconnect));
  }

  void Reconnect() {
    absl::StatusOr<std::shared_ptr<Attachment>> at =
        Attach(device, channel, options.attach_timeout);
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

  absl::Status WatchLocked(std::shared_ptr<Attachment> at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
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

  void DropLocked(std::deque<Waiting>* waiting) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    stats.dropped += waiting->size();
    for (Waiting& w : *waiting) Release(&w);
    waiting->clear();
  }

  void DropWaitingLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    DropLocked(&stalled);
    for (auto& [type, sub] : subs) {
      DropLocked(&sub.backlog);
      sub.done = sub.taken;
      stats.dropped += sub.merged.count;
      sub.merged = Event();
    }
    blocked = false;
  }

  void Quiesce() {
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
  bool AwaitEmpty() {
    MutexLock lock(&mutex);
    const uint64_t mine = ++drains_asked;
    PostServeLocked();
    while (drains_done < mine && current != nullptr && quiesced == 0) served.Wait(&mutex);
    return drains_done >= mine;
  }

  absl::Status Drain() {
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

  void Resume() {
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

  std::shared_ptr<Attachment> Current() {
    MutexLock lock(&mutex);
    return current;
  }

  // --- I: set before Start ------------------------------------------------------------------
  Options options;
  std::string device;
  uint32_t channel = 0;
  Runtime* runtime = nullptr;
  event::EventLoop* loop = nullptr;
  std::map<uint16_t, Sub> subs;
  Workqueue* state_wq = nullptr;
  std::function<void(DeviceState)> on_state;
  std::unique_ptr<Work> state_work;
  core::Workqueue* retry_wq = nullptr;
  std::unique_ptr<DelayedWork> retry;

  base::Nanos spin_max = 0;

  base::Mutex mutex;  // held over no handler and no sleeping call
  base::CondVar served;
  bool started ABSL_GUARDED_BY(mutex) = false;
  bool closing ABSL_GUARDED_BY(mutex) = false;
  bool serving ABSL_GUARDED_BY(mutex) = false;
  bool serve_wanted ABSL_GUARDED_BY(mutex) = false;
  bool blocked ABSL_GUARDED_BY(mutex) = false;
  int quiesced ABSL_GUARDED_BY(mutex) = 0;
  base::Nanos spin ABSL_GUARDED_BY(mutex) = 0;      // of the next look that finds nothing
  base::Nanos armed_at ABSL_GUARDED_BY(mutex) = 0;  // when the loop went to sleep over the ring
  uint64_t drains_asked ABSL_GUARDED_BY(mutex) = 0;
  uint64_t drains_done ABSL_GUARDED_BY(mutex) = 0;
  std::shared_ptr<Attachment> current ABSL_GUARDED_BY(mutex);
  std::shared_ptr<Attachment> previous ABSL_GUARDED_BY(mutex);  // for what it did not acknowledge
  event::FdWatch watch ABSL_GUARDED_BY(mutex);
  std::deque<Waiting> stalled ABSL_GUARDED_BY(mutex);  // taken from the ring, not delivered
  DeviceState device_state ABSL_GUARDED_BY(mutex) = DeviceState::kReady;
  BridgeStats stats ABSL_GUARDED_BY(mutex);
};

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
