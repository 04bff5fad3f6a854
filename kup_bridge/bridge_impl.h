// SPDX-License-Identifier: BSD-3-Clause
//
// bridge_impl.h -- what a bridge is made of: bridge.cc is its surface, bridge_serve.cc the
// way of a message, bridge_reset.cc devices that come and go, quiesce and drain.
#ifndef UWQ_KUP_BRIDGE_BRIDGE_IMPL_H_
#define UWQ_KUP_BRIDGE_BRIDGE_IMPL_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "delayed/delayed_work.h"
#include "kup_bridge/attachment.h"
#include "kup_bridge/bridge.h"
#include "workqueue/base/sync.h"
#include "workqueue/event/event_loop.h"
#include "workqueue/workqueue.h"

namespace uwq::kup {

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
  };

  // A Drain that waits until what was sent before it is delivered; on its stack.
  struct Draining {
    const Attachment* at;
    uint64_t head;    // the device had sent up to here
    uint64_t number;  // of the call
    bool passed = false;
  };

  // --- The loop's side: bridge_serve.cc -------------------------------------------------
  void Serve();
  void AdaptSpinLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  bool TakeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  bool DeliverStalledLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void MergeLocked(Sub* sub, const kup_msg& msg) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void AskServe();
  void PostServeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // --- The handlers' side: bridge_serve.cc ----------------------------------------------
  static void Release(Waiting* w);
  static void Discard(Waiting* w);
  static void CopyOut(Waiting* w);
  static void Handle(Sub& sub, Waiting& w);
  void Run(Sub* sub);
  void UnblockLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // --- Coming and going: bridge_reset.cc ------------------------------------------------
  void TellLocked(DeviceState state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void LostLocked(int error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void RetryLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Reconnect();
  absl::Status WatchLocked(std::shared_ptr<Attachment> at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void DropLocked(std::deque<Waiting>* waiting) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void DropWaitingLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Quiesce();
  void PassDrainsLocked(uint64_t empty_since) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status Drain();
  void Resume();
  std::shared_ptr<Attachment> Current() {
    base::MutexLock lock(&mutex);
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
  uint64_t freed ABSL_GUARDED_BY(mutex) = 0;  // messages given back by handlers of items
  int quiesced ABSL_GUARDED_BY(mutex) = 0;
  uint64_t quiesces ABSL_GUARDED_BY(mutex) = 0;     // calls of Quiesce so far
  base::Nanos spin ABSL_GUARDED_BY(mutex) = 0;      // of the next look that finds nothing
  base::Nanos armed_at ABSL_GUARDED_BY(mutex) = 0;  // when the loop went to sleep over the ring
  uint64_t drains ABSL_GUARDED_BY(mutex) = 0;       // calls of Drain so far
  std::vector<Draining*> draining ABSL_GUARDED_BY(mutex);
  std::shared_ptr<Attachment> current ABSL_GUARDED_BY(mutex);
  std::shared_ptr<Attachment> previous ABSL_GUARDED_BY(mutex);  // for what it did not acknowledge
  event::FdWatch watch ABSL_GUARDED_BY(mutex);
  std::deque<Waiting> stalled ABSL_GUARDED_BY(mutex);  // taken from the ring, not delivered
  DeviceState device_state ABSL_GUARDED_BY(mutex) = DeviceState::kReady;
  BridgeStats stats ABSL_GUARDED_BY(mutex);
};

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_BRIDGE_IMPL_H_
