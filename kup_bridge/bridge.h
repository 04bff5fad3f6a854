// SPDX-License-Identifier: BSD-3-Clause
//
// bridge.h -- messages of a KUP channel become work items.
//
//   auto bridge = uwq::kup::Bridge::Open("sim:hdmi0", 0, {});
//   (*bridge)->OnEvent(kHpd, *hpd_queue, [&](const Event& e) { Hotplug(e.count); });
//   (*bridge)->OnMessage(kCec, *misc_queue, {.backlog = 32}, [&](Message& m) { Cec(m); });
//   (*bridge)->Start();
//
// Invariant B1: handlers of one subscription run one at a time, in the order of the
// channel.  Invariant B2: a message is released to the device once, after its
// handler or when it is dropped, and every drop is counted.  A frame that is dropped,
// merged or of an unknown type is returned, and a request refused (if the ring has room).
// The channel is served on the event loop of the Runtime; a handler runs on the
// queue of its subscription, or, OnDirect, on the loop itself.
// Read on: docs/kup_protocol.md, kup_bridge/kup.h.
#ifndef UWQ_KUP_BRIDGE_BRIDGE_H_
#define UWQ_KUP_BRIDGE_BRIDGE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "kup_bridge/kup.h"
#include "workqueue/workqueue.h"

namespace uwq::kup {

// What became of the device.
enum class DeviceState {
  kReady,     // attached; after a loss: attached again, with a new generation
  kShutdown,  // the device was unloaded in order
  kDied,      // its process is gone
  kRevoked,   // it took the memory back
  kPoisoned,  // it broke the protocol; nothing is read from it any more
};
const char* DeviceStateName(DeviceState state);

// One message, in place in the shared memory, which the device may still write:
// copy what is checked before it is used.  Valid during the handler.
class Message {
 public:
  uint16_t type() const { return msg_.type; }
  uint32_t id() const { return msg_.id; }
  absl::Span<const uint8_t> data() const {
    return {static_cast<const uint8_t*>(msg_.data), msg_.len};
  }
  // The device waits for a Reply.
  bool is_request() const;
  // Errors: FAILED_PRECONDITION if it is no request; UNAVAILABLE if the device is gone;
  // INVALID_ARGUMENT if it is too long; RESOURCE_EXHAUSTED if the ring is full.
  absl::Status Reply(absl::Span<const uint8_t> data, int error = 0);
  const kup_msg& raw() const { return msg_; }
  kup_chan* channel() const { return chan_; }

 private:
  friend class Bridge;
  kup_chan* chan_ = nullptr;
  kup_msg msg_{};
};

// Messages that came since the last run, merged as on an interrupt line.
struct Event {
  static constexpr size_t kPayloadMax = 64;
  uint64_t count = 0;              // how many were merged, at least 1
  uint32_t len = 0;                // of the last one, cut to kPayloadMax
  uint8_t last[kPayloadMax] = {};  // a copy
};

// What happens to a message when the backlog of its subscription is full.
enum class Overflow {
  kBlockRing,   // the channel stands still: back-pressure reaches the device
  kDropOldest,  // the oldest waiting one is released unhandled, and counted
  kDropNewest,  // this one is
};

struct MessageOptions {
  // 1..128 messages wait at most: in the ring, without a copy, if a full backlog blocks
  // it; else copied out, so that a slow handler holds up nobody.
  int backlog = 64;
  Overflow overflow = Overflow::kBlockRing;
};

struct BridgeOptions {
  Runtime* runtime = nullptr;  // null: Runtime::Default(); must outlive the bridge
  // The longest that the loop polls for the next message before it sleeps; 0: not at
  // all (drivers on battery).  Within that it follows the gaps between messages, so an
  // idle channel costs nothing.  While it polls nothing else of the loop runs.
  absl::Duration spin = absl::ZeroDuration();
  // After a loss: try again each `reconnect`, for ever; infinite: never.
  absl::Duration reconnect = absl::InfiniteDuration();
  absl::Duration attach_timeout = absl::Seconds(1);
};

struct BridgeStats {
  uint64_t received = 0;  // messages taken from the ring
  uint64_t handled = 0;   // handed to a handler, or merged into an Event
  uint64_t merged = 0;    // of these, those that needed no run of their own
  uint64_t dropped = 0;   // by an overflow policy, or by Quiesce
  uint64_t unknown = 0;   // of a type that nobody subscribed to
  uint64_t blocked = 0;   // times the channel stood still for a full backlog or window
  uint64_t wakeups = 0;   // times the loop came for this channel
  uint64_t connects = 0;  // attachments, the first included
  uint64_t resent = 0;    // sent before a loss, not acknowledged, and given to the next device
  uint64_t unsent = 0;    // likewise, but it would not take them: lost
};

// Threads: any, but for Start, On..., which come first, on one thread.
class Bridge {
 public:
  using Options = BridgeOptions;

  // Opens the device and attaches to `channel`.  Errors: NOT_FOUND, PERMISSION_DENIED,
  // UNAVAILABLE, ... with kup.h's text.  Blocks: up to attach_timeout.
  static absl::StatusOr<std::unique_ptr<Bridge>> Open(absl::string_view device, uint32_t channel,
                                                      const Options& options = {});
  // Quiesces, then detaches.  Not from a handler of this bridge.  Sleeps.
  ~Bridge();
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  // --- Subscriptions: before Start, one for each type -------------------------------
  // ALREADY_EXISTS: the type has one.  FAILED_PRECONDITION: started.
  absl::Status OnEvent(uint16_t type, Workqueue& wq, std::function<void(const Event&)> handler);
  absl::Status OnMessage(uint16_t type, Workqueue& wq, const MessageOptions& options,
                         std::function<void(Message&)> handler);
  // On the loop's thread, at once: the lowest latency.  Must not block.
  absl::Status OnDirect(uint16_t type, std::function<void(Message&)> handler);
  // The device came or went.  On `wq`; the last state counts, like an Event.
  absl::Status OnState(Workqueue& wq, std::function<void(DeviceState)> handler);

  absl::Status Start();

  // --- Driver reset --------------------------------------------------------------------
  // When it returns no handler runs and none is queued; what waited is dropped and
  // counted, what the device sends meanwhile stays in the ring.  Calls nest.  Not from
  // a handler of this bridge, which is not waited for (and reported, unless it is a direct
  // one).  Sleeps.  [UWQ-BRIDGE-1]
  void Quiesce();
  void Resume();
  // When it returns OK, everything that the device had sent before the call has been
  // handled; nothing later is waited for (of "bpf:...?ringbuf", which has no positions: until
  // a look finds nothing).  Not from a handler of this bridge.  Sleeps.
  // FAILED_PRECONDITION: not started, or quiesced.  UNAVAILABLE: the device went, or
  // Quiesce came between.  [UWQ-BRIDGE-2]
  absl::Status Drain();

  // --- To the device: kup.h's calls on the current attachment --------------------------
  // UNAVAILABLE: no device now.  RESOURCE_EXHAUSTED: the ring is full.
  absl::Status Send(uint16_t type, absl::Span<const uint8_t> data);
  // Asks and waits for the reply, also behind more messages than can be held, as long as
  // handlers give some back; RESOURCE_EXHAUSTED: none did for a second.
  // DEADLINE_EXCEEDED.  Sleeps.
  absl::StatusOr<std::string> Call(uint16_t type, absl::Span<const uint8_t> data,
                                   absl::Duration timeout);

  DeviceState state() const;
  BridgeStats stats() const;

 private:
  struct Impl;
  explicit Bridge(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_BRIDGE_H_
