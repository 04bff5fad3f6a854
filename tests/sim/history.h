// SPDX-License-Identifier: BSD-3-Clause
//
// history.h -- the oracle: what a workqueue was told to do and did, checked
// against what it promises, whatever its implementation.
//
// Invariant: each accepted queueing of an item (an "instance") is consumed
// exactly once, by an execution or by a successful cancel, in order.
//
// A test makes its calls through the wrappers below, from whichever thread, and
// wraps the work function's body in Run().  What other threads record in between
// bounds what may have happened; the checks use only what these bounds prove, so
// a report is always a bug.  Knows nothing of the core; items and groups (a
// group: a queue) are small numbers.  Thread-safe, on real threads and on fibers.
//
//   History history;                       // under the explorer: History history(&sim::Fail)
//   history.SetOrdered(0);                 // group 0 is an ordered queue
//   history.Queue(7, [&] { return QueueWork(wq, &work7); });
//   ...
//   EXPECT_EQ(history.Check(), "");        // when all is quiet
#ifndef UWQ_TESTS_SIM_HISTORY_H_
#define UWQ_TESTS_SIM_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace uwq::sim {

class History {
 public:
  // `on_violation` is called for each violation, on the thread that found it and
  // with no lock held; under the simulator pass sim::Fail, to stop there.
  explicit History(std::function<void(const std::string&)> on_violation = nullptr)
      : on_violation_(std::move(on_violation)) {}
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // ---- Set-up, before the first call.  Items are in group 0 unless told. ----
  void SetGroup(int item, int group);
  // At most `limit` executions of the group's items at once; 0: no limit.
  void SetMaxActive(int group, int limit);
  // One at a time, and first queued first started.  The order is checked of items
  // that are never cancelled: a cancel leaves open which instance it took.
  void SetOrdered(int group);

  // ---- Calls.  `call` does the operation and returns what it returned. ----
  template <typename Call>
  bool Queue(int item, const Call& call) {
    const Token token = QueueBegin(item);
    const bool accepted = call();
    QueueEnd(token, accepted);
    return accepted;
  }
  // The work function: `body` may queue, cancel and flush other items.
  template <typename Body>
  void Run(int item, const Body& body) {
    Start(item);
    body();
    End(item);
  }
  // True means that a pending instance was removed.  Cancel may leave an
  // execution running; CancelSync must not.
  template <typename Call>
  bool Cancel(int item, const Call& call) {
    const Token token = CancelBegin(item);
    const bool cancelled = call();
    CancelEnd(token, cancelled, /*sync=*/false);
    return cancelled;
  }
  template <typename Call>
  bool CancelSync(int item, const Call& call) {
    const Token token = CancelBegin(item);
    const bool cancelled = call();
    CancelEnd(token, cancelled, /*sync=*/true);
    return cancelled;
  }
  // Disabling also cancels; from its return until the matching Enable begins
  // nothing may be accepted.  Nests.
  template <typename Call>
  bool Disable(int item, const Call& call) {
    const Token token = CancelBegin(item);
    const bool cancelled = call();
    CancelEnd(token, cancelled, /*sync=*/false);
    SetDisabled(item, +1);
    return cancelled;
  }
  template <typename Call>
  bool DisableSync(int item, const Call& call) {
    const Token token = CancelBegin(item);
    const bool cancelled = call();
    CancelEnd(token, cancelled, /*sync=*/true);
    SetDisabled(item, +1);
    return cancelled;
  }
  template <typename Call>
  void Enable(int item, const Call& call) {
    const Token token = EnableBegin(item);
    call();
    EnableEnd(token);
  }
  // All instances accepted before the call have ended when it returns.
  template <typename Call>
  void Flush(int item, const Call& call) {
    const Token token = FlushBegin(item);
    call();
    FlushEnd(token, "flush");
  }
  template <typename Call>
  void FlushGroup(int group, const Call& call) {
    const Token token = FlushGroupBegin(group);
    call();
    FlushEnd(token, "flush of a queue");
  }
  // Nothing of the group is left when it returns.  For destroying, too.  No
  // thread outside of the group's own items may queue meanwhile.
  template <typename Call>
  void Drain(int group, const Call& call) {
    const Token token = FlushGroupBegin(group);
    call();
    FlushEnd(token, "drain");
    DrainEnd(group);
  }

  // ---- The same in halves, where a wrapper does not fit. ----
  using Token = size_t;
  [[nodiscard]] Token QueueBegin(int item);
  void QueueEnd(Token token, bool accepted);
  void Start(int item);
  void End(int item);
  [[nodiscard]] Token CancelBegin(int item);
  void CancelEnd(Token token, bool cancelled, bool sync);
  void SetDisabled(int item, int change);
  [[nodiscard]] Token EnableBegin(int item);
  void EnableEnd(Token token);
  [[nodiscard]] Token FlushBegin(int item);
  [[nodiscard]] Token FlushGroupBegin(int group);
  void FlushEnd(Token token, const char* call);
  void DrainEnd(int group);

  // ---- Results. ----
  // Checks that everything accepted was consumed, that nothing is under way, and
  // the order.  Call it once, when all is quiet.  Returns all violations, one per
  // line; "" if there are none.
  std::string Check();
  int64_t accepted(int item) const;
  int64_t runs(int item) const;
  int64_t cancels(int item) const;

 private:
  struct Item {
    int group = 0;
    int64_t accepted = 0;
    int64_t starts = 0;
    int64_t ends = 0;
    int64_t cancels = 0;     // successful ones that have returned
    int64_t disabled = 0;    // depth
    int64_t queueing = 0;    // queue calls under way
    int64_t cancelling = 0;  // cancel calls under way, perhaps successful already
    int64_t enabling = 0;
    // Count of everything that changes whether the item may be queued.
    int64_t disturbances = 0;
    int64_t enables = 0;      // begun, ever
    int64_t queue_calls = 0;  // begun, ever
    // Times of the records.  Of accepted queue calls; the two are in an order of
    // their own, as calls that overlap may be recorded in any order.
    std::vector<uint64_t> queue_begins;
    std::vector<uint64_t> queue_ends;
    std::vector<uint64_t> starts_at;
  };
  struct Group {
    int max_active = 0;
    bool ordered = false;
    int64_t running = 0;
  };
  // An item as it was when a call began.
  struct Snapshot {
    int id;
    uint64_t time;
    Item item;  // without the vectors
  };

  Token Open(std::vector<Snapshot> snapshots);
  Snapshot Take(int id);
  std::vector<Snapshot> Close(Token token);
  void CheckEnded(const Snapshot& then, const char* call);
  void CheckFifo(int group);
  void Violation(int id, const std::string& text);
  void ReportAndUnlock(std::unique_lock<std::mutex>* lock);

  const std::function<void(const std::string&)> on_violation_;
  mutable std::mutex mu_;  // protects all below; held for some instructions only
  uint64_t clock_ = 0;     // counts records
  std::map<int, Item> items_;
  std::map<int, Group> groups_;
  std::vector<std::vector<Snapshot>> open_;  // calls under way, by token
  std::vector<Token> free_tokens_;
  std::vector<std::string> violations_;
  size_t nr_reported_ = 0;
};

}  // namespace uwq::sim

#endif  // UWQ_TESTS_SIM_HISTORY_H_
