// SPDX-License-Identifier: BSD-3-Clause
//
// fault_test.cc -- the system refuses threads and memory: nothing is lost, queues of
// kind WQ_MEM_RECLAIM go on (R*, T125, T126), errors are clear, nothing leaks.
//
// Invariant: a fault is counted, so that a test knows that it has met it.
// Time is exact in the simulator; on real threads only lower bounds are checked.
#include "workqueue/base/fault.h"

#include <stdio.h>
#include <string.h>

#include "tests/conformance/core/env.h"
#include "tests/sim/history.h"
#include "workqueue/core/dump.h"
#include "workqueue/core/rescuer.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::PwqStat;
using core::QueueWorkOn;
using core::Workqueue;

// While it lives, operations at `point` fail: the calls from number `first` on (0 is
// the next one), `count` of them.
class Fault {
 public:
  explicit Fault(const char* point, int first = 0, int count = 1 << 30) {
    point_ = point;
    first_ = first;
    last_ = first + count;
    calls_ = failures_ = 0;
    base::SetFaultHook([](const char* at) {
      if (strcmp(at, point_) != 0) return false;
      const int call = calls_++;
      const bool fails = call >= first_ && call < last_;
      failures_ += fails;
      return fails;
    });
  }
  ~Fault() { base::SetFaultHook(nullptr); }
  void End() { base::SetFaultHook(nullptr); }
  int failures() const { return failures_; }

 private:
  static inline const char* point_;
  static inline int first_, last_;
  static inline std::atomic<int> calls_, failures_;
};

// A manager's pause between two attempts: the kernel's second where time is free.
void ShortPause(core::RuntimeOptions* options) {
  if (!kSim) options->create_cooldown_ns = 20 * kMillisecond;
}

UWQ_ON_ALL_KINDS(Faults);

// T125, R1-R6: no thread can be made and all workers block.  The item of the reclaim
// queue runs on its rescuer, 10 to 110 ms later; the plain one waits until a thread can
// be made, and is not lost.
UWQ_BODY_ON_KINDS(Faults, T125_ThreadCreationFails, .schedules = 1000, .repeat = 2,
                  .tune = &ShortPause) {
  Workqueue* const plain = env.Make(kind);
  Workqueue* const holder =
      env.Alloc("holder", kind == Kind::kPerCpu ? +core::kWqPercpu : +core::kWqUnbound);
  Workqueue* const reclaim =
      env.Alloc("reclaim",
                core::kWqMemReclaim | (kind == Kind::kPerCpu ? core::kWqPercpu : core::kWqUnbound));
  // An ordered queue's pool is that of the system scope: the same here (one node).
  Gate gate;
  Item blocker([&] { gate.Pass(); });
  bool on_rescuer = false;
  core::Workqueue* ran_on = nullptr;
  Nanos ran_at = 0;
  Item urgent([&] {
    on_rescuer = core::CurrentIsRescuer();
    ran_on = CurrentQueue();
    ran_at = base::Now();
    EXPECT_EQ(core::CurrentWork(), urgent.raw());
    EXPECT_TRUE(core::CurrentIsMemReclaim());
  });
  Item patient;
  {
    // The workers that exist by now are the one that blocks and the spare one (P9),
    // which blocks as well.
    Item blocker2([&] { gate.Pass(); });
    Fault fault("thread_create");
    EXPECT_TRUE(env.Queue(holder, blocker));
    if (kSim) Settle();
    const Nanos start = base::Now();
    EXPECT_TRUE(env.Queue(plain, patient));
    EXPECT_TRUE(env.Queue(reclaim, urgent));
    EXPECT_TRUE(core::FlushWork(urgent) || urgent.runs() == 1);
    EXPECT_EQ(urgent.runs(), 1);
    EXPECT_TRUE(on_rescuer);
    EXPECT_EQ(ran_on, reclaim);
    EXPECT_GE(fault.failures(), 1);
    if (kSim) {
      EXPECT_GE(ran_at - start, 10 * kMillisecond);
      EXPECT_LE(ran_at - start, 110 * kMillisecond);
    }
    EXPECT_EQ(patient.runs(), 0);
    EXPECT_EQ(blocker.runs(), 0);  // its own worker tries to make another one first
    EXPECT_GE(env.Stat(reclaim, PwqStat::kMayday), 1);  // T3
    EXPECT_GE(env.Stat(reclaim, PwqStat::kRescued), 1);
  }
  // R2: the manager tries again within its pause.
  gate.Open();
  FlushWorkqueue(plain);
  FlushWorkqueue(holder);
  EXPECT_EQ(patient.runs(), 1);
  EXPECT_EQ(blocker.runs(), 1);
}

// Whether a snapshot shows the rescuer at work, with the function that it executes.
bool SeenAsRescuer(Env& env, base::ThreadId tid) {
  for (const core::PoolSnapshot& pool : core::TakeSnapshot(env.runtime()).pools) {
    for (const core::WorkerSnapshot& worker : pool.workers) {
      if (worker.tid != tid) continue;
      return worker.rescuer && !worker.idle && worker.func.find("Item::Run") != std::string::npos;
    }
  }
  return false;
}

// R3, R4, T126: each rescuer runs the items of its own queue only.
UWQ_BODY(FaultsRescuer, T126_OnlyItsOwn, .schedules = 1500, .repeat = 2, .tune = &ShortPause) {
  Workqueue* const a = env.Alloc("reclaim_a", core::kWqPercpu | core::kWqMemReclaim);
  Workqueue* const b = env.Alloc("reclaim_b", core::kWqPercpu | core::kWqMemReclaim);
  Fault fault("thread_create");
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 40; ++i) {  // more than one batch (16) each
    items.push_back(std::make_unique<Item>([&, i] {
      EXPECT_EQ(CurrentQueue(), i % 2 == 0 ? a : b);
      if (!core::CurrentIsRescuer()) return;
      EXPECT_EQ(core::CurrentWorker()->rescue_wq, i % 2 == 0 ? a : b);
      EXPECT_TRUE(SeenAsRescuer(env, core::CurrentWorker()->tid.load()));
    }));
    EXPECT_TRUE(QueueWorkOn(0, i % 2 == 0 ? a : b, *items.back()));
  }
  FlushWorkqueue(a);
  FlushWorkqueue(b);
  for (auto& item : items) EXPECT_EQ(item->runs(), 1);
  EXPECT_GE(fault.failures(), 1);
  EXPECT_GE(env.Stat(a, PwqStat::kRescued) + env.Stat(b, PwqStat::kRescued), 40);
}

// R3: one item at a time: what the rescuer has not begun runs as soon as a thread can be
// made, also while the rescuer's own item waits for that.
UWQ_BODY(FaultsRescuer, R3_HoldsNothingBack, .schedules = 500, .repeat = 2, .tune = &ShortPause) {
  Workqueue* const wq = env.Alloc("reclaim", core::kWqPercpu | core::kWqMemReclaim);
  Fault fault("thread_create");
  Gate gate;
  Item first([&] {
    EXPECT_TRUE(core::CurrentIsRescuer());
    fault.End();
    gate.Pass();
  });
  Item second([&] {
    EXPECT_FALSE(core::CurrentIsRescuer());
    gate.Open();
  });
  EXPECT_TRUE(QueueWorkOn(0, wq, first));
  EXPECT_TRUE(QueueWorkOn(0, wq, second));
  FlushWorkqueue(wq);
  EXPECT_EQ(first.runs(), 1);
  EXPECT_EQ(second.runs(), 1);
}

// W6: the dump marks the place whose rescuer is called, and the rescuer at work.
UWQ_BODY(FaultsRescuer, T126_SeenInTheDump, .schedules = 300, .repeat = 1, .tune = &ShortPause) {
  Workqueue* const wq = env.Alloc("reclaim", core::kWqPercpu | core::kWqMemReclaim);
  Fault fault("thread_create");
  Gate gate;
  std::vector<std::unique_ptr<Item>> items;
  const auto queue = [&] {
    items.push_back(std::make_unique<Item>([&] { gate.Pass(); }));
    EXPECT_TRUE(QueueWorkOn(0, wq, *items.back()));
  };
  const auto await = [&](const char* what) {
    AwaitTrue([&] {
      return core::DumpText(env.runtime(), /*all=*/false).find(what) != std::string::npos;
    });
  };
  // The workers and then the rescuer stand at the gate; what comes now waits for a thread.
  for (int i = 0; i < 4; ++i) queue();
  await("(RESCUER):");
  queue();
  await(" MAYDAY\n");
  gate.Open();
  FlushWorkqueue(wq);
  for (auto& item : items) EXPECT_EQ(item->runs(), 1);
}

// R6, N1: what the rescuer runs keeps every promise: requeueing, flushing, cancelling.
UWQ_BODY(FaultsRescuer, R6_AllCallsWork, .schedules = 5000, .repeat = 1, .tune = &ShortPause) {
  Workqueue* const wq = env.Alloc("reclaim", core::kWqUnbound | core::kWqMemReclaim, 2);
  sim::History history;
  Fault fault("thread_create");
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 3; ++i) {
    items.push_back(std::make_unique<Item>([&, i] {
      history.Run(i, [&, i] {
        if (items[i]->runs() == 1) history.Queue(i, [&] { return env.Queue(wq, *items[i]); });
      });
    }));
  }
  for (int round = 0; round < Rounds(2, 2); ++round) {
    for (int i = 0; i < 3; ++i) history.Queue(i, [&] { return env.Queue(wq, *items[i]); });
    const int id = Choose(3);
    history.CancelSync(id, [&] { return core::CancelWorkSync(*items[id]); });
    history.Flush((id + 1) % 3, [&] { (void)core::FlushWork(*items[(id + 1) % 3]); });
    history.FlushGroup(0, [&] { FlushWorkqueue(wq); });
  }
  history.Drain(0, [&] { core::DrainWorkqueue(wq); });
  EXPECT_EQ(history.Check(), "");
  env.ExpectIdle(wq);
  env.Destroy(wq);  // X6: with the rescuer at work a moment ago
}

// P9: once threads can be made again the pool recovers by itself, without any call.
UWQ_BODY_ON_KINDS(Faults, P9_RecoversByItself, .schedules = 1000, .repeat = 1,
                  .tune = &ShortPause) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  Fault fault("thread_create", 0, 3);
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
  EXPECT_EQ(fault.failures(), 3);
}

// W1: a stall also where the only worker cannot begin, since it must make another one first.
UWQ_BODY_ON_KINDS(
    Faults, W1_NoWorkerCanBegin, .schedules = 50, .repeat = 1, .tune = [](core::RuntimeOptions* o) {
      ShortPause(o);
      o->watchdog_thresh_ns = kSim ? kSecond : 30 * kMillisecond;
    }) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  Fault fault("thread_create");
  EXPECT_TRUE(env.Queue(wq, x));
  AwaitTrue([&] { return env.Reports(ReportKind::kStall) >= 1; });
  fault.End();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// The same for the memory of a worker.
UWQ_BODY_ON_KINDS(Faults, P9_NoMemoryForAWorker, .schedules = 1000, .repeat = 1,
                  .tune = &ShortPause) {
  Workqueue* const wq = env.Make(kind);
  Item x;
  Fault fault("alloc_worker", 0, 2);
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
  EXPECT_EQ(fault.failures(), 2);
}

// Allocation: whichever step fails, a clear error, nothing left behind, and the next
// attempt works.
UWQ_BODY_ON_KINDS(
    Faults, AllocFails, .schedules = 100, .nodes = 2, .cpus = 1,
    .tune = [](core::RuntimeOptions* o) { o->default_affn_scope = core::AffnScope::kCpu; }) {
  const unsigned flags = (kind == Kind::kPerCpu ? core::kWqPercpu : core::kWqUnbound) |
                         (kind == Kind::kOrdered ? +core::kWqOrdered : 0u) | core::kWqMemReclaim;
  int failed = 0, succeeded = 0;
  for (const char* point : {"alloc_workqueue", "alloc_pwq", "alloc_worker", "thread_create"}) {
    for (int first = 0; first < 4; ++first) {
      absl::StatusOr<Workqueue*> wq;
      {
        Fault fault(point, first, 1);
        wq = core::AllocWorkqueue(env.runtime(), {"frail", flags, 0});
        if (fault.failures() == 0) {
          EXPECT_TRUE(wq.ok()) << point << " " << first;
        } else {
          EXPECT_FALSE(wq.ok()) << point << " " << first;
        }
      }
      if (wq.ok()) {
        ++succeeded;
        Item x;
        EXPECT_TRUE(env.Queue(*wq, x));
        core::DestroyWorkqueue(*wq);
        EXPECT_EQ(x.runs(), 1);
        continue;
      }
      ++failed;
      EXPECT_EQ(wq.status().code(), absl::StatusCode::kResourceExhausted);
      EXPECT_NE(wq.status().message().find("frail"), absl::string_view::npos)
          << wq.status().message();
    }
  }
  EXPECT_GE(failed, 2);  // at least the queue itself, and the rescuer's thread
  EXPECT_GE(succeeded, 4);
  // None of the failures has left a queue behind.
  EXPECT_TRUE(core::TakeSnapshot(env.runtime()).workqueues.empty());
}

// U4: attributes are all or nothing: a failure leaves the queue where it was.
UWQ_BODY(FaultsAttributes, U4_AllOrNothing, .schedules = 500, .nodes = 2, .cpus = 1) {
  Workqueue* const wq = env.Alloc("unbound", core::kWqUnbound);
  core::WorkqueueAttrs attrs;
  attrs.nice = 3;
  attrs.affn_scope = core::AffnScope::kCpu;
  int failed = 0;
  for (const char* point : {"alloc_pwq", "alloc_worker", "thread_create"}) {
    for (int first = 0; first < 2; ++first) {
      int pool_before = 0, pool_after = 0;
      Item before([&] { pool_before = CurrentPoolId(); });
      Item after([&] { pool_after = CurrentPoolId(); });
      EXPECT_TRUE(env.Queue(wq, before));
      FlushWorkqueue(wq);
      absl::Status status;
      {
        Fault fault(point, first, 1);
        status = core::ApplyWorkqueueAttrs(wq, attrs);
        EXPECT_EQ(status.ok(), fault.failures() == 0) << point << " " << first;
      }
      EXPECT_TRUE(env.Queue(wq, after));
      FlushWorkqueue(wq);
      EXPECT_EQ(after.runs(), 1);
      if (status.ok()) {
        EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, core::WorkqueueAttrs()).ok());
        continue;
      }
      ++failed;
      EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status.message();
      EXPECT_EQ(pool_before, pool_after);
    }
  }
  EXPECT_GE(failed, 2);
  EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq, attrs).ok());
}

// A Runtime without its service thread is none, and says which thread it lacks.
UWQ_BODY(FaultsRuntime, CreateFails, .schedules = 20) {
  Fault fault("thread_create", 0, 1);
  core::RuntimeOptions options;
  options.topology = core::Topology::Emulated(1, 1);
  const auto runtime = core::Runtime::Create(options);
  EXPECT_EQ(runtime.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(runtime.status().message().find("service"), absl::string_view::npos)
      << runtime.status().message();
}

// A system queue that cannot be made is null and reported; later it can.
UWQ_BODY(FaultsRuntime, SystemQueueFails, .schedules = 20) {
  {
    Fault fault("alloc_workqueue");
    EXPECT_EQ(env.runtime()->System(core::SystemWq::kLong), nullptr);
  }
  EXPECT_EQ(env.Reports(ReportKind::kOther), 1);
  // The handler runs with no lock of ours held: it may want a system queue as well.
  {
    Fault fault("alloc_workqueue", 0, 1);
    Workqueue* other = nullptr;
    core::ResetReports();
    core::SetReportHandler([&](const core::Report& report) {
      EXPECT_EQ(report.kind, ReportKind::kOther);
      other = env.runtime()->System(core::SystemWq::kHighpri);
    });
    EXPECT_EQ(env.runtime()->System(core::SystemWq::kLong), nullptr);
    EXPECT_NE(other, nullptr);
    core::SetReportHandler(nullptr);
  }
  Workqueue* const wq = env.runtime()->System(core::SystemWq::kLong);
  ASSERT_NE(wq, nullptr);
  Item x;
  EXPECT_TRUE(env.Queue(wq, x));
  (void)core::CancelWorkSync(x);
}

// Faults at random while a storm is on: nothing is lost.
UWQ_BODY_ON_KINDS(
    Faults, RandomFaults, .schedules = 10000, .repeat = 1, .tune = [](core::RuntimeOptions* o) {
      o->create_cooldown_ns = kSim ? kSecond : kMillisecond;
      o->idle_worker_timeout_ns = kMillisecond;
    }) {
  static std::atomic<unsigned> calls;
  static std::atomic<unsigned> mask;
  calls = 0;
  mask = static_cast<unsigned>(Choose(256));
  base::SetFaultHook([](const char*) { return (mask >> (calls++ % 8) & 1u) != 0 && calls < 64; });
  absl::StatusOr<Workqueue*> made = absl::UnknownError("");
  unsigned flags = kind == Kind::kPerCpu ? core::kWqPercpu : core::kWqUnbound;
  if (kind == Kind::kOrdered) flags |= core::kWqOrdered;
  while (!made.ok()) {
    made = core::AllocWorkqueue(env.runtime(), {"frail", flags | core::kWqMemReclaim, 0});
  }
  Workqueue* const wq = *made;
  sim::History history;
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 3; ++i) {
    items.push_back(std::make_unique<Item>([&, i] { history.Run(i, [] { ScopedSleep(1000); }); }));
  }
  for (int i = 0; i < Rounds(300, 6); ++i) {
    const int id = Choose(3);
    history.Queue(id, [&] { return QueueWorkOn(Choose(2), wq, *items[id]); });
    if (Choose(4) == 0) history.Flush(id, [&] { (void)core::FlushWork(*items[id]); });
    if (kind != Kind::kPerCpu && Choose(4) == 0) {
      core::WorkqueueAttrs attrs;
      attrs.nice = Choose(3);
      attrs.ordered = kind == Kind::kOrdered;
      (void)core::ApplyWorkqueueAttrs(wq, attrs);  // may fail, must not harm
    }
  }
  FlushWorkqueue(wq);
  EXPECT_EQ(history.Check(), "");
  env.ExpectIdle(wq);
  base::SetFaultHook(nullptr);
  core::DestroyWorkqueue(wq);
}

}  // namespace uwq::conformance
