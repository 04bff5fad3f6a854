// SPDX-License-Identifier: BSD-3-Clause
//
// The oracle accuses whoever breaks a promise, and nobody else.
//
// Method: most tests play the workqueue themselves, record by record.  One runs a
// small correct queue on real threads and one a broken queue, both with the
// wrappers as tests of the core use them.
#include "tests/sim/history.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace uwq::sim {
namespace {

using testing::HasSubstr;
using Token = History::Token;

void Queue(History* h, int item, bool accepted) {
  h->Queue(item, [&] { return accepted; });
}
void RunItem(History* h, int item) {
  h->Run(item, [] {});
}

TEST(History, QueueRunQueueRun_IsFine) {
  History h;
  for (int i = 0; i < 3; ++i) {
    Queue(&h, 1, true);
    Queue(&h, 1, false);  // pending: refused
    RunItem(&h, 1);
  }
  EXPECT_EQ(h.Check(), "");
  EXPECT_EQ(h.accepted(1), 3);
  EXPECT_EQ(h.runs(1), 3);
  EXPECT_EQ(h.cancels(1), 0);
}

TEST(History, StartBeforeQueueReturns_IsFine) {
  History h;
  const Token token = h.QueueBegin(1);
  RunItem(&h, 1);
  h.QueueEnd(token, true);
  EXPECT_EQ(h.Check(), "");
}

TEST(History, TwiceAtOnce) {
  History h;
  Queue(&h, 1, true);
  h.Start(1);
  Queue(&h, 1, true);  // fine: it is running, not pending
  h.Start(1);
  EXPECT_THAT(h.Check(), HasSubstr("item 1: executes twice at once"));
}

TEST(History, RunsUnasked) {
  History h;
  RunItem(&h, 4);
  EXPECT_THAT(h.Check(), HasSubstr("item 4: executes although nothing was pending"));
}

TEST(History, LostItem) {
  History h;
  Queue(&h, 1, true);
  EXPECT_THAT(h.Check(), HasSubstr("accepted is not runs + cancels"));
}

TEST(History, StillExecuting) {
  History h;
  Queue(&h, 1, true);
  h.Start(1);
  EXPECT_THAT(h.Check(), HasSubstr("still executes"));
}

TEST(History, RefusedAlthoughIdle) {
  History h;
  Queue(&h, 1, false);
  EXPECT_THAT(h.Check(), HasSubstr("refused although neither pending nor disabled"));
}

TEST(History, RefusedWhileAnotherQueuesOrCancels_IsFine) {
  History h;
  Token other = h.QueueBegin(1);
  Queue(&h, 1, false);  // the other was first
  h.QueueEnd(other, true);
  RunItem(&h, 1);
  const Token cancel = h.CancelBegin(1);
  Queue(&h, 1, false);
  h.CancelEnd(cancel, false, true);
  EXPECT_EQ(h.Check(), "");
}

TEST(History, CancelConsumesAnInstance) {
  History h;
  Queue(&h, 1, true);
  h.Cancel(1, [] { return true; });
  h.Cancel(1, [] { return false; });
  EXPECT_EQ(h.Check(), "");
  EXPECT_EQ(h.cancels(1), 1);
}

TEST(History, CancelledAndRun) {
  History h;
  Queue(&h, 1, true);
  RunItem(&h, 1);
  h.Cancel(1, [] { return true; });
  EXPECT_THAT(h.Check(), HasSubstr("cancelled although nothing was pending"));
}

TEST(History, CancelSyncLeavesExecution) {
  History h;
  Queue(&h, 1, true);
  h.Start(1);
  h.CancelSync(1, [] { return false; });
  h.End(1);
  EXPECT_THAT(h.Check(), HasSubstr("executes after cancel_sync"));
}

TEST(History, CancelSyncLeavesPending) {
  History h;
  Queue(&h, 1, true);
  h.CancelSync(1, [] { return false; });
  RunItem(&h, 1);
  EXPECT_THAT(h.Check(), HasSubstr("cancel_sync returned before what was pending was over"));
}

TEST(History, CancelWithoutSyncMayLeaveExecution) {
  History h;
  Queue(&h, 1, true);
  h.Start(1);
  h.Cancel(1, [] { return false; });
  h.End(1);
  EXPECT_EQ(h.Check(), "");
}

TEST(History, CancelSyncWithARacingQueue_IsFine) {
  History h;
  Queue(&h, 1, true);
  h.Start(1);
  const Token cancel = h.CancelBegin(1);
  h.End(1);
  Queue(&h, 1, true);
  h.Start(1);
  h.CancelEnd(cancel, false, true);
  h.End(1);
  EXPECT_EQ(h.Check(), "");
}

TEST(History, AcceptedWhileDisabled) {
  History h;
  h.Disable(1, [] { return false; });
  Queue(&h, 1, false);
  EXPECT_EQ(History().Check(), "");
  Queue(&h, 1, true);
  RunItem(&h, 1);
  EXPECT_THAT(h.Check(), HasSubstr("accepted while disabled"));
}

TEST(History, DisableNestsAndEnableReopens) {
  History h;
  h.DisableSync(1, [] { return false; });
  h.Disable(1, [] { return false; });
  h.Enable(1, [] {});
  Queue(&h, 1, false);
  h.Enable(1, [&] { Queue(&h, 1, true); });  // racing with the enabling: either way
  RunItem(&h, 1);
  Queue(&h, 1, true);
  RunItem(&h, 1);
  EXPECT_EQ(h.Check(), "");
}

TEST(History, FlushReturnsEarly) {
  History pending;
  Queue(&pending, 1, true);
  pending.Flush(1, [] {});
  RunItem(&pending, 1);
  EXPECT_THAT(pending.Check(), HasSubstr("flush returned before what was pending was over"));

  History running;
  Queue(&running, 1, true);
  running.Start(1);
  running.Flush(1, [] {});
  running.End(1);
  EXPECT_THAT(running.Check(), HasSubstr("flush returned before what was executing had ended"));
}

TEST(History, FlushNeedNotWaitForLaterInstances) {
  History h;
  Queue(&h, 1, true);
  h.Flush(1, [&] {
    RunItem(&h, 1);
    Queue(&h, 1, true);
  });
  RunItem(&h, 1);
  EXPECT_EQ(h.Check(), "");
}

TEST(History, FlushGroupChecksItsGroupOnly) {
  History h;
  h.SetGroup(2, 1);
  Queue(&h, 1, true);
  Queue(&h, 2, true);
  h.FlushGroup(1, [&] { RunItem(&h, 2); });
  RunItem(&h, 1);
  EXPECT_EQ(h.Check(), "");
  Queue(&h, 2, true);
  h.FlushGroup(1, [] {});
  RunItem(&h, 2);
  EXPECT_THAT(h.Check(), HasSubstr("item 2: flush of a queue returned before"));
}

TEST(History, DrainLeavesAChainedItem) {
  History h;
  Queue(&h, 1, true);
  h.Drain(0, [&] { h.Run(1, [&] { Queue(&h, 2, true); }); });
  RunItem(&h, 2);
  EXPECT_THAT(h.Check(), HasSubstr("item 2: left after drain"));
}

TEST(History, MaxActiveExceeded) {
  History h;
  h.SetMaxActive(0, 2);
  for (int item : {1, 2, 3}) Queue(&h, item, true);
  for (int item : {1, 2, 3}) h.Start(item);
  for (int item : {1, 2, 3}) h.End(item);
  EXPECT_THAT(h.Check(), HasSubstr("item 3: is number 3 to execute at once in group 0"));
}

TEST(History, OrderBroken) {
  History h;
  h.SetOrdered(0);
  Queue(&h, 1, true);
  Queue(&h, 2, true);
  RunItem(&h, 2);
  RunItem(&h, 1);
  EXPECT_THAT(h.Check(), HasSubstr("item 1: was queued before item 2 and started after it"));
}

TEST(History, OverlappingQueueCallsMayStartEitherWay) {
  History h;
  h.SetOrdered(0);
  const Token one = h.QueueBegin(1);
  const Token two = h.QueueBegin(2);
  h.QueueEnd(one, true);
  h.QueueEnd(two, true);
  RunItem(&h, 2);
  RunItem(&h, 1);
  EXPECT_EQ(h.Check(), "");
}

TEST(History, CallbackGetsEachViolationOnceWithoutTheLock) {
  std::vector<std::string> seen;
  const History* self = nullptr;
  History h([&](const std::string& text) {
    EXPECT_GE(self->runs(1), 0);  // would hang if the lock were held
    seen.push_back(text);
  });
  self = &h;
  RunItem(&h, 1);
  RunItem(&h, 1);
  (void)h.Check();
  EXPECT_EQ(seen.size(), 3u);  // two runs unasked, and the sum
}

// One worker thread and a list: an ordered queue that keeps its promises, or one
// that takes the newest item first.
class ToyQueue {
 public:
  ToyQueue(History* history, bool lifo)
      : history_(history), lifo_(lifo), worker_([this] { Work(); }) {}
  ~ToyQueue() {
    {
      std::lock_guard<std::mutex> lock(mu_);
      stop_ = true;
    }
    cv_.notify_one();
    worker_.join();
  }
  bool Queue(int item) {
    std::lock_guard<std::mutex> lock(mu_);
    for (int pending : list_) {
      if (pending == item) return false;
    }
    list_.push_back(item);
    cv_.notify_one();
    return true;
  }
  // Holds the worker back until all is queued.
  void Pause(bool paused) {
    std::lock_guard<std::mutex> lock(mu_);
    paused_ = paused;
    cv_.notify_one();
  }

 private:
  void Work() {
    std::unique_lock<std::mutex> lock(mu_);
    for (;;) {
      cv_.wait(lock, [this] { return stop_ || (!paused_ && !list_.empty()); });
      if (list_.empty()) return;
      const int item = lifo_ ? list_.back() : list_.front();
      lifo_ ? list_.pop_back() : list_.pop_front();
      lock.unlock();
      history_->Run(item, [] {});
      lock.lock();
    }
  }

  History* const history_;
  const bool lifo_;
  std::mutex mu_;
  std::condition_variable cv_;
  std::deque<int> list_;
  bool stop_ = false;
  bool paused_ = false;
  std::thread worker_;
};

TEST(HistoryOnRealThreads, CorrectQueue_IsFine) {
  History h;
  h.SetOrdered(0);
  {
    ToyQueue queue(&h, /*lifo=*/false);
    std::vector<std::thread> producers;
    for (int p = 0; p < 3; ++p) {
      producers.emplace_back([&] {
        for (int i = 0; i < 500; ++i) {
          h.Queue(i % 7, [&] { return queue.Queue(i % 7); });
        }
      });
    }
    for (std::thread& t : producers) t.join();
  }
  EXPECT_EQ(h.Check(), "");
  EXPECT_GT(h.runs(0), 0);
}

TEST(HistoryOnRealThreads, LifoQueue_IsFound) {
  History h;
  h.SetOrdered(0);
  {
    ToyQueue queue(&h, /*lifo=*/true);
    queue.Pause(true);
    for (int i = 0; i < 3; ++i) h.Queue(i, [&] { return queue.Queue(i); });
    queue.Pause(false);
  }
  EXPECT_THAT(h.Check(), HasSubstr("started after it"));
}

}  // namespace
}  // namespace uwq::sim
