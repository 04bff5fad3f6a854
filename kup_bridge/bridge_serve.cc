// SPDX-License-Identifier: BSD-3-Clause
//
// bridge_serve.cc -- the way of a message: from the ring, on the loop, to its handler.
#include <errno.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "kup_bridge/bridge_impl.h"

namespace uwq::kup {

using base::MutexLock;

namespace {

constexpr int kBatch = 64;        // messages taken from the ring at once
constexpr int kRunBatch = 16;     // messages handled in one run of an item
constexpr int kTurnBatches = 16;  // batches in one turn of the loop: it has others to serve

}  // namespace

void Bridge::Impl::Serve() {
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
    PassDrainsLocked(0);  // all that was taken is delivered
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
void Bridge::Impl::AdaptSpinLocked() {
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
bool Bridge::Impl::TakeLocked() {
  const std::shared_ptr<Attachment> at = current;
  const base::Nanos spin_ns = spin;
  const uint64_t drains_before = drains;
  const uint64_t freed_before = freed;
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
    PassDrainsLocked(drains_before);
    armed_at = spin_max > 0 ? base::Now() : 0;
    return true;
  }
  if (n == -ENOBUFS) {
    // The handlers hold all that may be held; the first to give back goes on.  Who gave
    // back since the look may have been the last one, and found nobody to wake.
    if (freed != freed_before) return false;
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

// Delivers what was taken, in order.  False: a full backlog or Quiesce stops it.
bool Bridge::Impl::DeliverStalledLocked() {
  while (!stalled.empty() && quiesced == 0) {
    Waiting& w = stalled.front();
    const auto found = subs.find(w.msg.type);
    if (found == subs.end()) {
      ++stats.unknown;
      Discard(&w);
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
      Discard(&w);
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
        Discard(&w);
        stalled.pop_front();
        continue;
      }
      Discard(&sub.backlog.front());
      sub.backlog.pop_front();
    }
    // Who may drop must not hold up the ring: the tail does not pass what is held.
    if (sub.options.overflow != Overflow::kBlockRing) CopyOut(&w);
    ++sub.taken;
    sub.backlog.push_back(std::move(w));
    stalled.pop_front();
    (void)sub.wq->Queue(*sub.work);  // false: pending, that run takes it
  }
  return quiesced == 0;  // a direct handler may have run meanwhile
}

void Bridge::Impl::MergeLocked(Sub* sub, const kup_msg& msg) {
  Event& e = sub->merged;
  ++stats.handled;
  if (e.count++ > 0) ++stats.merged;
  e.len = std::min<uint32_t>(msg.len, Event::kPayloadMax);
  if (e.len > 0) memcpy(e.last, msg.data, e.len);
  (void)sub->wq->Queue(*sub->work);
}

void Bridge::Impl::Release(Waiting* w) {
  if (!w->copied) (void)kup_release(w->at->chan, &w->msg, 1);
}

// Releases a message that no handler sees.  The device must not go without what a handler
// would have given back: a frame's buffer, the answer to a request.  (That one does not
// wait for room: a ring that is full is not being read.)
void Bridge::Impl::Discard(Waiting* w) {
  kup_chan* const chan = w->at->chan;
  kup_msg msg = w->msg;
  if (w->copied) msg.data = w->copy.data();
  kup_frame frame;
  if ((msg.flags & KUP_REC_FRAME) != 0 && kup_frame_open(chan, &msg, &frame) == 0) {
    (void)kup_frame_return(chan, &frame);
  }
  if ((msg.flags & KUP_REC_REQUEST) != 0) (void)kup_reply(chan, &msg, EIO, nullptr, 0);
  Release(w);
}

void Bridge::Impl::CopyOut(Waiting* w) {
  w->copy.assign(static_cast<const char*>(w->msg.data), w->msg.len);
  Release(w);
  w->copied = true;
}

void Bridge::Impl::AskServe() {
  MutexLock lock(&mutex);
  PostServeLocked();
}

void Bridge::Impl::PostServeLocked() {
  if (serve_wanted || !started) return;
  serve_wanted = true;
  // False: the loop has stopped, and with it everything that would be served.
  (void)loop->Post([weak = weak_from_this()] {
    if (const std::shared_ptr<Impl> self = weak.lock()) self->Serve();
  });
}

void Bridge::Impl::Handle(Sub& sub, Waiting& w) {
  Message message;
  message.chan_ = w.at->chan;
  message.msg_ = w.msg;
  if (w.copied) message.msg_.data = w.copy.data();
  sub.on_message(message);
  Release(&w);
}

void Bridge::Impl::Run(Sub* sub) {
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
    ++freed;
    UnblockLocked();  // once more: the window may have been full
  }
  // Fair to the other items of the queue: the rest in another turn.
  MutexLock lock(&mutex);
  if (!sub->backlog.empty()) (void)sub->wq->Queue(*sub->work);
}

void Bridge::Impl::UnblockLocked() {
  if (std::exchange(blocked, false)) PostServeLocked();
}

}  // namespace uwq::kup
