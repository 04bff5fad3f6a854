// SPDX-License-Identifier: BSD-3-Clause
//
// workqueue_api_test.cc -- the promises of workqueue/workqueue.h, each cited by its id
// (tests/coverage checks that none is left out), on each kind of queue.
#include <signal.h>
#include <stddef.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "workqueue/workqueue.h"

namespace uwq {
namespace {

static_assert(sizeof(uwq_work) == 32 && sizeof(WorkItem) == 32);
static_assert(offsetof(uwq_work, data) == 0 && offsetof(uwq_work, entry) == 8 &&
              offsetof(uwq_work, func) == 24);
static_assert(!std::is_copy_constructible_v<Work> && !std::is_move_constructible_v<Work>);
static_assert(!std::is_copy_constructible_v<Workqueue>);

// A latch that items wait at.
class Latch {
 public:
  void Wait() {
    BlockingScope blocking;
    done_.Wait();
  }
  void Open() { done_.Set(); }

 private:
  base::Completion done_;
};

class Api : public testing::TestWithParam<WorkqueueKind> {
 protected:
  void SetUp() override {
    core::ResetReports();
    SetReportHandler([this](const Report& report) {
      std::lock_guard<std::mutex> lock(mutex_);
      reports_.push_back(report);
    });
    RuntimeOptions options;
    options.topology = Topology::Emulated(1, 2);
    auto runtime = Runtime::Create(options);
    ASSERT_TRUE(runtime.ok());
    runtime_ = *std::move(runtime);
    wq_ = Make(GetParam());
  }
  void TearDown() override {
    wq_.reset();
    runtime_.reset();
    SetReportHandler(nullptr);
    for (const Report& report : reports_) {
      ADD_FAILURE() << core::ReportKindName(report.kind) << ": " << report.text;
    }
  }
  std::unique_ptr<Workqueue> Make(WorkqueueKind kind, const std::string& name = "api") {
    Workqueue::Options options;
    options.kind = kind;
    options.runtime = runtime_.get();
    auto wq = Workqueue::Create(name, options);
    EXPECT_TRUE(wq.ok()) << wq.status();
    return *std::move(wq);
  }
  // The number of reports of `kind`, which are thereby in order.
  int Take(ReportKind kind) {
    std::lock_guard<std::mutex> lock(mutex_);
    const size_t before = reports_.size();
    std::erase_if(reports_, [&](const Report& r) { return r.kind == kind; });
    return static_cast<int>(before - reports_.size());
  }
  bool bh() const { return GetParam() == WorkqueueKind::kBh; }

  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<Workqueue> wq_;
  std::mutex mutex_;
  std::vector<Report> reports_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, Api,
                         testing::Values(WorkqueueKind::kUnbound, WorkqueueKind::kPerCpu,
                                         WorkqueueKind::kOrdered, WorkqueueKind::kBh),
                         [](const auto& info) {
                           switch (info.param) {
                             case WorkqueueKind::kUnbound:
                               return "Unbound";
                             case WorkqueueKind::kPerCpu:
                               return "PerCpu";
                             case WorkqueueKind::kOrdered:
                               return "Ordered";
                             default:
                               return "Bh";
                           }
                         });

// [UWQ-QUEUE-1]: true, and one execution that sees what was stored before.  Plain data:
// TSan is the judge.
TEST_P(Api, QueueTrueIsSeen) {
  int plain = 0, seen = 0, runs = 0;
  Work work([&] {
    seen = plain;
    ++runs;
  });
  for (int i = 1; i <= 100; ++i) {
    plain = i;
    ASSERT_TRUE(wq_->Queue(work));
    wq_->Flush();
    ASSERT_EQ(seen, i);
  }
  EXPECT_EQ(runs, 100);
  EXPECT_FALSE(work.pending());
  EXPECT_EQ(work.busy(), 0u);
}

// [UWQ-QUEUE-2]: false means pending already, and that execution sees the stores, too.
TEST_P(Api, QueueFalseIsSeen) {
  std::atomic<bool> go{false}, started{false};
  std::atomic<int> value{0};
  int runs = 0, seen = 0;
  Work work([&] {
    ++runs;
    seen = value.load(std::memory_order_relaxed);
    started = true;
    while (runs == 1 && !go) std::this_thread::yield();
  });
  ASSERT_TRUE(wq_->Queue(work));
  while (!started) std::this_thread::yield();
  ASSERT_TRUE(wq_->Queue(work));  // while it runs: once more, afterwards
  EXPECT_TRUE(work.pending());
  value.store(1, std::memory_order_relaxed);
  EXPECT_FALSE(wq_->Queue(work));
  go = true;
  wq_->Flush();
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(seen, 1);
}

// [UWQ-CANCEL-1]: true if pending; false if idle or only running, without waiting;
// legal from the item's own function.
TEST_P(Api, Cancel) {
  std::atomic<bool> go{false}, started{false};
  Work work([&] {
    started = true;
    while (!go) std::this_thread::yield();
  });
  EXPECT_FALSE(work.Cancel());
  ASSERT_TRUE(wq_->Queue(work));
  while (!started) std::this_thread::yield();
  EXPECT_FALSE(work.Cancel());  // only running: returns at once
  ASSERT_TRUE(wq_->Queue(work));
  EXPECT_TRUE(work.Cancel());
  go = true;
  wq_->Flush();
  int inside = -1;
  Work own([&] {
    wq_->Queue(own);
    inside = own.Cancel();
  });
  ASSERT_TRUE(wq_->Queue(own));
  wq_->Flush();
  EXPECT_EQ(inside, 1);
}

// [UWQ-CANCEL-2]: afterwards neither pending nor running; meanwhile queueing is
// refused; from its own function it is reported, not entered.
TEST_P(Api, CancelSync) {
  std::atomic<bool> go{false}, started{false};
  std::atomic<int> running{0}, runs{0};
  Work work([&] {
    ++running;
    started = true;
    while (!go) std::this_thread::yield();
    ++runs;
    --running;
  });
  ASSERT_TRUE(wq_->Queue(work));
  while (!started) std::this_thread::yield();
  std::thread canceler([&] {
    EXPECT_FALSE(work.CancelSync());
    EXPECT_EQ(running, 0);
  });
  while (core::DisableDepthOf(core::LoadWord(work.raw())) == 0) std::this_thread::yield();
  EXPECT_FALSE(wq_->Queue(work));
  go = true;
  canceler.join();
  EXPECT_EQ(runs, 1);
  Work own([&] { EXPECT_FALSE(own.CancelSync()); });
  ASSERT_TRUE(wq_->Queue(own));
  wq_->Flush();
  EXPECT_EQ(Take(ReportKind::kSelfFlush), 1);
}

// [UWQ-DISABLE-1]: refused until enabled as often.  [UWQ-DISABLE-2]: what disabling
// cancelled is not queued again.
TEST_P(Api, DisableEnable) {
  int runs = 0;
  Work work([&] { ++runs; });
  EXPECT_FALSE(work.Disable());
  EXPECT_FALSE(work.DisableSync());
  EXPECT_FALSE(wq_->Queue(work));
  EXPECT_FALSE(work.Enable());
  EXPECT_FALSE(wq_->Queue(work));
  EXPECT_FALSE(work.Disable());
  EXPECT_FALSE(work.Enable());
  EXPECT_TRUE(wq_->EnableAndQueue(work));
  wq_->Flush();
  EXPECT_EQ(runs, 1);
  // Cancelled by disabling: gone.
  std::atomic<bool> go{false}, started{false};
  Work blocker([&] {
    started = true;
    while (!go) std::this_thread::yield();
  });
  auto ordered = Make(WorkqueueKind::kOrdered, "holder");
  ASSERT_TRUE(ordered->Queue(blocker));
  while (!started) std::this_thread::yield();
  ASSERT_TRUE(ordered->Queue(work));
  EXPECT_TRUE(work.Disable());
  EXPECT_TRUE(work.Enable());
  go = true;
  ordered->Flush();
  EXPECT_EQ(runs, 1);
}

// [UWQ-FLUSH-1]: waits for the last queued instance, or the running one.
// [UWQ-FLUSH-2]: waits for all that was queued before; from its own item it is reported.
TEST_P(Api, Flush) {
  std::atomic<int> runs{0};
  Work work([&] { ++runs; });
  EXPECT_FALSE(work.Flush());
  ASSERT_TRUE(wq_->Queue(work));
  EXPECT_TRUE(work.Flush() || runs == 1);
  EXPECT_EQ(runs, 1);
  std::vector<std::unique_ptr<Work>> works;
  for (int i = 0; i < 20; ++i) {
    works.push_back(std::make_unique<Work>([&] { ++runs; }));
    ASSERT_TRUE(wq_->QueueOn(i % 2, *works.back()));
  }
  wq_->Flush();
  EXPECT_EQ(runs, 21);
  Work own([&] {
    wq_->Flush();
    ++runs;
  });
  ASSERT_TRUE(wq_->Queue(own));
  wq_->Flush();
  EXPECT_EQ(runs, 22);
  EXPECT_EQ(Take(ReportKind::kOwnQueueFlush), 1);
  (void)Take(ReportKind::kSleepInBh);
}

// [UWQ-DRAIN-1]: until the queue is empty; its own items may queue meanwhile.
TEST_P(Api, Drain) {
  if (bh()) return;  // X9: nothing is chained in BH
  std::atomic<int> runs{0};
  Work c([&] { ++runs; });
  Work b([&] {
    ++runs;
    wq_->Queue(c);
  });
  Work a([&] {
    ++runs;
    wq_->Queue(b);
  });
  ASSERT_TRUE(wq_->Queue(a));
  wq_->Drain();
  EXPECT_EQ(runs, 3);
}

// [UWQ-DESTROY-1]: pending items run first, chained queueing is accepted, other
// queueing is refused with a report.
TEST_P(Api, Destroy) {
  std::atomic<bool> go{false};
  std::atomic<int> runs{0};
  auto wq = Make(GetParam(), "doomed");
  core::Workqueue* const raw = wq->raw();
  Work chained([&] { ++runs; }), outside([&] { runs += 100; });
  Work work([&] {
    while (!go) std::this_thread::yield();
    ++runs;
    if (!bh()) core::QueueWork(raw, chained.raw());
  });
  ASSERT_TRUE(wq->Queue(work));
  std::thread destroyer([&] { wq.reset(); });
  while (!raw->HasFlag(core::kWqDraining)) std::this_thread::yield();
  EXPECT_TRUE(core::QueueWork(raw, outside.raw()));  // "true", as in the kernel (Q7)
  EXPECT_FALSE(outside.pending());
  go = true;
  destroyer.join();
  EXPECT_EQ(runs, bh() ? 1 : 2);
  EXPECT_EQ(Take(ReportKind::kQueueOnDraining), 1);
}

// [UWQ-LIFE-1]: destroying a pending or running item is reported by name, and it is
// cancelled and waited for.
TEST_P(Api, DestroyedWhilePendingOrRunning) {
  std::atomic<bool> go{false}, started{false}, ended{false};
  auto running = std::make_unique<Work>([&] {
    started = true;
    while (!go) std::this_thread::yield();
    ended = true;
  });
  ASSERT_TRUE(wq_->Queue(*running));
  while (!started) std::this_thread::yield();
  auto pending = std::make_unique<WorkItem>([](uwq_work*) { ADD_FAILURE() << "was cancelled"; });
  auto holder = Make(WorkqueueKind::kOrdered, "holder");
  std::atomic<bool> holding{false};
  Work blocker([&] {
    holding = true;
    while (!go) std::this_thread::yield();
  });
  ASSERT_TRUE(holder->Queue(blocker));
  while (!holding) std::this_thread::yield();
  ASSERT_TRUE(holder->Queue(*pending));
  pending.reset();
  std::thread owner([&] {
    running.reset();
    EXPECT_TRUE(ended);
  });
  go = true;
  owner.join();
  holder->Flush();
  const int reports = Take(ReportKind::kFreedWhileBusy);
  EXPECT_GE(reports, 1);  // the running one may have ended in time
  EXPECT_LE(reports, 2);
}

// [UWQ-LIFE-2]: the item's own function may destroy it.
TEST_P(Api, OwnFunctionDestroys) {
  std::atomic<int> ended{0};
  for (int i = 0; i < 100; ++i) {
    struct Frame {
      explicit Frame(std::atomic<int>* ended)
          : ended(ended), work([this] {
              std::atomic<int>* const counter = this->ended;
              delete this;
              ++*counter;
            }) {}
      std::atomic<int>* const ended;
      Work work;
    };
    ASSERT_TRUE(wq_->Queue((new Frame(&ended))->work));
  }
  wq_->Flush();
  EXPECT_EQ(ended, 100);
}

// [UWQ-ORDER-1]: one at a time, in queueing order.
TEST_P(Api, Ordered) {
  auto made = Workqueue::CreateOrdered("ordered", runtime_.get());
  ASSERT_TRUE(made.ok());
  std::vector<int> order;  // plain: nothing but the queue orders its writers
  std::vector<std::unique_ptr<Work>> works;
  for (int i = 0; i < 500; ++i) {
    works.push_back(std::make_unique<Work>([&order, i] { order.push_back(i); }));
    ASSERT_TRUE((*made)->QueueOn(i % 2, *works.back()));
  }
  (*made)->Flush();
  ASSERT_EQ(order.size(), 500u);
  for (int i = 0; i < 500; ++i) ASSERT_EQ(order[i], i);
}

// [UWQ-GATE-1]: in its turn, and on the caller's own thread when the queue is idle.
TEST_P(Api, RunSync) {
  std::thread::id ran_on;
  const absl::Status status = wq_->RunSync([&] { ran_on = std::this_thread::get_id(); });
  if (GetParam() != WorkqueueKind::kOrdered) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("api"), absl::string_view::npos) << status;
    return;
  }
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  absl::Status inside;
  Work own([&] { inside = wq_->RunSync([] { ADD_FAILURE(); }); });
  ASSERT_TRUE(wq_->Queue(own));
  wq_->Flush();
  EXPECT_EQ(inside.code(), absl::StatusCode::kFailedPrecondition);
  std::lock_guard<std::mutex> lock(mutex_);
  EXPECT_EQ(reports_.size(), 1u);
  reports_.clear();
}

// [UWQ-GATE-1]: an exception leaves the queue as it was.
TEST_P(Api, RunSyncThrows) {
  if (GetParam() != WorkqueueKind::kOrdered) return;
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW((void)wq_->RunSync([] { throw 1; }), int);
    EXPECT_FALSE(core::HoldsGate(wq_->raw()));
    bool ran = false;
    EXPECT_TRUE(wq_->RunSync([&] { ran = true; }).ok());
    EXPECT_TRUE(ran);
  }
  std::atomic<int> runs{0};
  Work work([&] { ++runs; });
  EXPECT_TRUE(wq_->Queue(work));
  wq_->Drain();
  EXPECT_EQ(runs, 1);
}

void DestroyFromInside() {
  SetReportHandler(nullptr);  // the message below
  std::unique_ptr<Runtime> runtime = *Runtime::Create({});
  Workqueue::Options on;
  on.runtime = runtime.get();
  std::unique_ptr<Workqueue> wq = *Workqueue::Create("own", on);
  Work work([&] { runtime.reset(); });
  (void)wq->Queue(work);
  wq->Flush();
}

// A Runtime that an item of its own destroys: says so and ends, and does not hang.
TEST(RuntimeLife, DestroyedByItsOwnItem) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(DestroyFromInside(), testing::KilledBySignal(SIGABRT), "by an item of its own");
}

// Works with member functions, large callables, and bare items with a found-from object.
TEST_P(Api, Shapes) {
  struct Device {
    std::atomic<int> polls{0};
    void Poll() { ++polls; }
    Work work{this, &Device::Poll};
  } device;
  ASSERT_TRUE(wq_->Queue(device.work));
  char large[256] = "large";
  std::atomic<bool> same{false};
  Work captured([&same, large] { same = std::string(large) == "large"; });
  ASSERT_TRUE(wq_->Queue(captured));
  static std::atomic<int> bare_runs;
  bare_runs = 0;
  WorkItem bare([](uwq_work* raw) {
    bare_runs += raw == WorkItem::FromRaw(raw)->raw();
    (void)CurrentWork();
  });
  ASSERT_TRUE(wq_->Queue(bare));
  wq_->Flush();
  EXPECT_EQ(device.polls, 1);
  EXPECT_TRUE(same);
  EXPECT_EQ(bare_runs, 1);
  EXPECT_EQ(wq_->name(), "api");
}

// Bad input: a status that names what is wrong, and nothing made.
TEST_P(Api, CreateRefuses) {
  Workqueue::Options options;
  options.kind = GetParam();
  options.runtime = runtime_.get();
  EXPECT_EQ(Workqueue::Create("", options).status().code(), absl::StatusCode::kInvalidArgument);
  options.max_active = -1;
  const absl::Status negative = Workqueue::Create("odd", options).status();
  EXPECT_EQ(negative.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(negative.message().find("-1"), absl::string_view::npos) << negative;
  options.max_active = 3;
  const bool limited = GetParam() != WorkqueueKind::kOrdered && GetParam() != WorkqueueKind::kBh;
  EXPECT_EQ(Workqueue::Create("odd", options).ok(), limited);
  options.max_active = 0;
  options.mem_reclaim = true;
  EXPECT_EQ(Workqueue::Create("odd", options).ok(), !bh());
  EXPECT_EQ(Take(ReportKind::kBadFlags), bh() ? 1 : 0);
  EXPECT_EQ(core::TakeSnapshot(runtime_.get()).workqueues.size(), 1u);
}

// UWQ-SYSTEM-1: the queue outlives its handles, and is the same one for all of them.
TEST(ApiRuntime, SystemQueues) {
  auto runtime = *Runtime::Create({});
  std::atomic<int> runs{0};
  Work work([&] { ++runs; });
  auto highpri = Workqueue::System(SystemWq::kHighpri, runtime.get());
  ASSERT_NE(highpri, nullptr);
  EXPECT_EQ(highpri->name(), "events_highpri");
  EXPECT_TRUE(highpri->Queue(work));
  core::Workqueue* const raw = highpri->raw();
  highpri.reset();
  EXPECT_TRUE(work.Flush() || runs == 1);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(Workqueue::System(SystemWq::kHighpri, runtime.get())->raw(), raw);
}

// The default Runtime is one for the process.
TEST(ApiRuntime, Default) {
  EXPECT_EQ(Runtime::Default(), Runtime::Default());
  auto wq = Workqueue::Create("default");
  ASSERT_TRUE(wq.ok());
  std::atomic<int> runs{0};
  Work work([&] { ++runs; });
  EXPECT_TRUE((*wq)->Queue(work));
  (*wq)->Flush();
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace uwq
