// SPDX-License-Identifier: BSD-3-Clause
//
// sleeper.h -- several threads of one process wait on one end of a channel,
// whose wake-up is a single eventfd.
//
// An eventfd wakes whoever polls it, but the first to read it takes the news
// from the others.  So one thread at a time (the leader) polls, and the rest
// wait on a condition variable that the leader notifies.  An event loop is a waiter,
// too, and the leader may take the news from its descriptor as well, so PollFd() holds
// an eventfd beside the peer's that no leader touches: whoever wakes the others writes it.
//
// Invariant: a waiter that took its epoch before it armed the ring and re-checked
// returns from Sleep() after any wake-up that came later; and after any that comes later
// than Drain(), PollFd() is readable.
#ifndef UWQ_KUP_BRIDGE_SLEEPER_H_
#define UWQ_KUP_BRIDGE_SLEEPER_H_

#include <cstdint>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "kup_bridge/ring_map.h"
#include "workqueue/base/sync.h"

namespace uwq::kup {

class Sleeper {
 public:
  Sleeper();
  ~Sleeper() = default;
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Makes an eventfd of its own the wake_fd.  False: the system refused one.
  bool CreateWakeFd();
  int wake_fd() const { return wake_fd_; }

  // At most once, before the first Sleep(); without it only Kick() wakes.
  // `wake_fd` is the eventfd that the peer writes; `hangup_fd` hangs up when the
  // peer is gone, or -1.  Not owned.
  void SetFds(int wake_fd, int hangup_fd);
  // Likewise: one more descriptor that wakes; `drain` makes it unreadable and says
  // whether it was readable.
  void SetBell(int bell_fd, std::function<bool()> drain);

  // Reads the state that a later Sleep() compares with.  Any thread.
  uint64_t Epoch() const { return epoch_.load(std::memory_order_acquire); }

  // Blocks until the peer signals, the peer hangs up, Kick() is called after
  // `epoch` was read, or `deadline_ns` passes.  May return early; re-check.
  // Returns false if the deadline passed, and always after it, so that a peer which
  // signals without a pause does not stretch it: look before, not after.
  bool Sleep(uint64_t epoch, base::Nanos deadline_ns) ABSL_LOCKS_EXCLUDED(mu_);

  // The hangup_fd was seen hung up, here or by CheckHangup().  Any thread.
  bool HungUp() const { return hung_up_.load(std::memory_order_acquire); }
  void CheckHangup();

  // Makes every Sleep() with an older epoch return.  Any thread; never blocks
  // for long; no system call unless a leader sleeps.
  void Kick() ABSL_LOCKS_EXCLUDED(mu_);

  // For event loops: a descriptor that becomes readable when the peer signals or hangs
  // up, or when Kick() is called.  Made by the first call, after SetFds() and SetBell();
  // -errno if the system refuses one (-EPERM: a descriptor of the peer cannot be
  // polled).  Owned by this.
  int PollFd() ABSL_LOCKS_EXCLUDED(mu_);

  // For event loops: takes the signal off PollFd() before the ring is armed, and passes
  // it on to threads that sleep.
  void Drain() ABSL_LOCKS_EXCLUDED(mu_);

  // For event loops: makes PollFd() readable.  No effect without one.
  void Renotify() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  int Poll(base::Nanos deadline_ns);  // < 0: deadline passed
  // Something came: for everybody who waits.
  void MoveOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellLoop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  base::Mutex mu_;
  base::CondVar cv_;
  base::Atomic<uint64_t> epoch_{0};  // changes under mu_
  base::Atomic<bool> hung_up_{false};
  bool leader_ ABSL_GUARDED_BY(mu_) = false;  // a thread is in Poll()
  Fd poll_ ABSL_GUARDED_BY(mu_);              // epoll of the peer's descriptors and `news_`
  Fd news_ ABSL_GUARDED_BY(mu_);              // eventfd
  bool told_ ABSL_GUARDED_BY(mu_) = false;    // `news_` is readable
  Fd kick_;
  Fd owned_wake_;
  int wake_fd_ = -1;
  int hangup_fd_ = -1;
  int bell_fd_ = -1;
  std::function<bool()> drain_bell_;
};

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_SLEEPER_H_
