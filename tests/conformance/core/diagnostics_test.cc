// SPDX-License-Identifier: BSD-3-Clause
//
// diagnostics_test.cc -- section 5.13: what is reported, dumped and traced (W*, L8-L10,
// T*), and bad input, which is refused by name and harms nothing.
#include <string.h>

#include "tests/conformance/core/env.h"
#include "workqueue/base/trace.h"
#include "workqueue/core/dump.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::QueueWorkOn;
using core::Workqueue;

bool Contains(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

// W1-W3: one report each threshold period, with pool, in-flight function and pending items.
UWQ_BODY(
    Diagnostics, T145_Watchdog, .schedules = 50, .repeat = 1, .tune = [](core::RuntimeOptions* o) {
      o->watchdog_thresh_ns = kSim ? kSecond : 30 * kMillisecond;
      o->cpu_intensive_thresh_ns = 0;
    }) {
  Workqueue* const wq = env.Alloc("stalled", core::kWqPercpu);
  std::atomic<bool> go{false};
  Item hog([&] {
    if (kSim) {
      Burn(5 * kSecond + kSecond / 2);
    } else {
      AwaitTrue([&] { return go.load(); });
    }
  });
  Item behind, behind_too;
  EXPECT_TRUE(env.Queue(wq, hog));
  EXPECT_TRUE(env.Queue(wq, behind));
  EXPECT_TRUE(env.Queue(wq, behind_too));
  if (!kSim) {
    AwaitTrue([&] { return env.Reports(ReportKind::kStall) >= 2; });
    go = true;
  }
  FlushWorkqueue(wq);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kStall);
  if (kSim) {
    EXPECT_EQ(texts.size(), 5u);
  }
  for (const std::string& text : texts) {
    EXPECT_TRUE(Contains(text, "BUG: workqueue lockup - pool cpus=0 ")) << text;
    EXPECT_TRUE(Contains(text, "workqueue stalled: flags=0x100")) << text;
    EXPECT_TRUE(Contains(text, "in-flight: ")) << text;
    EXPECT_TRUE(Contains(text, "pending: 2*")) << text;
    // The dump says how long, in whole seconds, as the first line does.
    const std::string seconds =
        text.substr(text.find("stuck for ") + 10, text.find("s!") - text.find("stuck for ") - 10);
    EXPECT_TRUE(Contains(text, " hung=" + seconds + "s workers=")) << text;
    EXPECT_TRUE(Contains(text, "Item::Run")) << text;
  }
  EXPECT_EQ(behind.runs(), 1);
}

// W1: the same on an unbound pool, where only creation failure or a rescuer's absence
// lets work wait; a queue at its limit is no stall (W4).
UWQ_BODY(
    Diagnostics, T146_NoFalseAlarm, .schedules = 50, .repeat = 1,
    .tune = [](core::RuntimeOptions* o) {
      o->watchdog_thresh_ns = kSecond;  // a busy machine is no stall, either
    }) {
  Workqueue* const wq = env.Alloc("limited", core::kWqPercpu, 1);
  Workqueue* const unbound = env.Alloc("unbound", core::kWqUnbound, 1);
  Item slow([] { Sleep(5 * kSecond / 2); });
  Item slow2([] { Sleep(5 * kSecond / 2); });
  std::vector<std::unique_ptr<Item>> waiting;
  EXPECT_TRUE(env.Queue(wq, slow));
  EXPECT_TRUE(env.Queue(unbound, slow2));
  for (int i = 0; i < 10; ++i) {
    waiting.push_back(std::make_unique<Item>());
    EXPECT_TRUE(env.Queue(i % 2 == 0 ? wq : unbound, *waiting.back()));
  }
  FlushWorkqueue(wq);
  FlushWorkqueue(unbound);
  EXPECT_EQ(core::ReportCount(ReportKind::kStall), 0);
}

// Once nothing waits the sampler looks a few more times, 5 ms apart, and then sleeps for
// good, also where its other looks are a second apart.
UWQ_BODY(Diagnostics, SamplerEnds, .schedules = 50, .repeat = 1) {
  for (const Kind kind : {Kind::kPerCpu, Kind::kUnbound, Kind::kOrdered}) {
    Workqueue* const wq = env.Make(kind);
    core::WorkerPool* const pool = wq->cpu_pwq[0].load()->pool.load();
    const auto watched = [pool] {
      base::MutexLock lock(&pool->lock);
      return pool->watched;
    };
    Gate gate;
    Item x([&] { gate.Pass(); }), y([&] { gate.Pass(); }), z([&] { gate.Pass(); });
    for (Item* item : {&x, &y, &z}) EXPECT_TRUE(core::QueueWorkOn(0, wq, *item));
    gate.AwaitArrivals();
    gate.Open();
    FlushWorkqueue(wq);
    if (kSim) {
      Sleep(1050 * kMillisecond);
      EXPECT_FALSE(watched());
    } else {
      AwaitTrue([&] { return !watched(); });
    }
  }
}

// W6: busy queues and pools, line by line; idle queues are left out.
UWQ_BODY(Diagnostics, T147_DumpFormat, .schedules = 20) {
  Workqueue* const wq = env.Alloc("busy", core::kWqPercpu | core::kWqFreezable, 1);
  Workqueue* const sleepy = env.Alloc("sleepy", core::kWqUnbound | core::kWqFreezable);
  Gate gate;
  Item a([&] {
    core::SetWorkerDesc("frame 7");
    gate.Pass();
  });
  Item b, c;
  EXPECT_TRUE(env.Queue(wq, a));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, b));
  EXPECT_TRUE(env.Queue(wq, c));
  const std::string text = core::DumpText(env.runtime(), /*all=*/false);
  EXPECT_TRUE(Contains(text, "Showing busy workqueues and worker pools:\n")) << text;
  EXPECT_TRUE(Contains(text, "workqueue busy: flags=0x104\n  pwq ")) << text;
  EXPECT_TRUE(Contains(text, "cpus=0 node=0 flags=0x0 nice=0 ")) << text;
  EXPECT_TRUE(Contains(text, " active=1 refcnt=4\n")) << text;  // the place itself, a, b and c
  EXPECT_TRUE(Contains(text, "    in-flight: ")) << text;
  EXPECT_TRUE(Contains(text, "    inactive: 2*")) << text;
  EXPECT_TRUE(Contains(text, "\npool ")) << text;
  EXPECT_TRUE(Contains(text, " hung=0s workers=")) << text;
  EXPECT_FALSE(Contains(text, "sleepy")) << text;
  EXPECT_TRUE(Contains(core::DumpText(env.runtime(), /*all=*/true), "workqueue sleepy: "));

  // One queue, and the freezable ones: the same lines, nothing of idle ones.
  EXPECT_TRUE(Contains(text, core::DumpWorkqueue(wq))) << core::DumpWorkqueue(wq);
  EXPECT_TRUE(Contains(core::DumpWorkqueue(wq), "    inactive: 2*"));
  EXPECT_EQ(core::DumpWorkqueue(sleepy), "");
  EXPECT_EQ(core::DumpFreezable(env.runtime()),
            "Showing freezable workqueues that are still busy:\n" + core::DumpWorkqueue(wq));

  const core::Snapshot snapshot = core::TakeSnapshot(env.runtime());
  bool found = false;
  for (const core::PoolSnapshot& pool : snapshot.pools) {
    for (const core::WorkerSnapshot& worker : pool.workers) {
      if (worker.func.empty()) continue;
      found = true;
      EXPECT_EQ(worker.desc, "frame 7");
      EXPECT_EQ(pool.cpu, 0);
      EXPECT_FALSE(worker.idle);
    }
  }
  EXPECT_TRUE(found);
  for (const core::WorkqueueSnapshot& s : snapshot.workqueues) {
    if (s.name != "busy") continue;
    EXPECT_EQ(s.max_active, 1);
    EXPECT_EQ(s.nr_active, 1);
    EXPECT_EQ(s.nr_inactive, 2);
    EXPECT_EQ(s.nr_in_flight, 3);
  }
  // A flusher of the running item, and one of an item that waits for the limit.
  const auto await = [&](const std::string& line, const std::string& rest) {
    AwaitTrue([&] {
      const std::string now = core::DumpText(env.runtime(), /*all=*/false);
      const size_t at = now.find(line);
      return at != std::string::npos && Contains(now.substr(at, now.find('\n', at) - at), rest);
    });
  };
  env.Spawn([&] { EXPECT_TRUE(core::FlushWork(a)); });
  await("    in-flight: ", " BAR(");
  env.Spawn([&] { EXPECT_TRUE(core::FlushWork(b)); });
  await("    inactive: ", ", BAR(");
  gate.Open();
  env.Join();
  FlushWorkqueue(wq);
  for (const core::WorkqueueSnapshot& s : core::TakeSnapshot(env.runtime()).workqueues) {
    if (s.name != "busy") continue;  // T3
    EXPECT_EQ(s.stats[static_cast<int>(core::PwqStat::kStarted)],
              s.stats[static_cast<int>(core::PwqStat::kCompleted)]);
    EXPECT_GE(s.stats[static_cast<int>(core::PwqStat::kCompleted)], 3);
  }
}

// L9, L10: on-stack rules.  A fiber's stack cannot be told from the heap, so in the
// simulator the checks on the place of the object do not apply.
UWQ_BODY(Diagnostics, T148_OnStackRules, .schedules = 20) {
  Workqueue* const wq = env.Alloc("limited", core::kWqPercpu, 1);
  {
    Gate gate;
    Item blocker([&] { gate.Pass(); });
    EXPECT_TRUE(env.Queue(wq, blocker));
    gate.AwaitArrivals();
    core::WorkItem left;
    core::InitWork(
        &left, [](core::WorkItem*) {}, /*on_stack=*/true);
    EXPECT_TRUE(env.Queue(wq, &left));
    core::DestroyWorkOnStack(&left);  // still queued: reported, and cancelled
    EXPECT_EQ(env.Reports(ReportKind::kFreedWhileBusy), 1);
    EXPECT_FALSE(core::WorkPending(&left));
    core::DestroyWorkOnStack(&left);  // idle: in order
    EXPECT_EQ(core::ReportCount(ReportKind::kFreedWhileBusy), 1);
    gate.Open();
    FlushWorkqueue(wq);
  }
  if (kSim) return;
  core::SetDebugObjects(true);
  core::WorkItem on_stack;
  auto on_heap = std::make_unique<core::WorkItem>();
  core::InitWork(
      &on_stack, [](core::WorkItem*) {}, /*on_stack=*/true);
  core::InitWork(
      on_heap.get(), [](core::WorkItem*) {}, /*on_stack=*/false);
  EXPECT_EQ(env.Reports(ReportKind::kStackMismatch), 0);
  core::InitWork(
      &on_stack, [](core::WorkItem*) {}, /*on_stack=*/false);
  EXPECT_EQ(env.Reports(ReportKind::kStackMismatch), 1);
  core::InitWork(
      on_heap.get(), [](core::WorkItem*) {}, /*on_stack=*/true);
  EXPECT_EQ(env.Reports(ReportKind::kStackMismatch), 2);
  core::SetDebugObjects(false);
}

// L9: INIT_WORK on a queued item: reported, and the item is taken off first.
UWQ_BODY(Diagnostics, T149_ReinitWhileQueued, .schedules = 200) {
  Workqueue* const wq = env.Alloc("limited", core::kWqPercpu, 1);
  Gate gate;
  Item blocker([&] { gate.Pass(); }), x, neighbour;
  EXPECT_TRUE(env.Queue(wq, blocker));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, x));
  EXPECT_TRUE(env.Queue(wq, neighbour));
  core::InitWork(x, &Item::Run, /*on_stack=*/false);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kReinitWhileQueued);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_TRUE(Contains(texts[0], "Item::Run")) << texts[0];
  EXPECT_FALSE(core::WorkPending(x));
  gate.Open();
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 0);
  EXPECT_EQ(neighbour.runs(), 1);
  env.ExpectIdle(wq);
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
  // Memory that looks like a queued item and is none.
  core::WorkItem garbage;
  memset(static_cast<void*>(&garbage), 0xff, sizeof(garbage));
  core::InitWork(&garbage, &Item::Run, /*on_stack=*/false);
  EXPECT_EQ(env.Reports(ReportKind::kReinitWhileQueued), 1);
  EXPECT_FALSE(core::WorkPending(&garbage));
}

// L9, F10: a zeroed item is not queued, and says so; other calls on it do nothing.
UWQ_BODY(Diagnostics, T150_Uninitialised, .schedules = 20) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  core::WorkItem zero;
  memset(static_cast<void*>(&zero), 0, sizeof(zero));
  EXPECT_FALSE(QueueWorkOn(0, wq, &zero));
  EXPECT_EQ(env.Reports(ReportKind::kUninitialised), 1);
  EXPECT_FALSE(core::WorkPending(&zero));
  EXPECT_FALSE(core::CancelWork(&zero));
  EXPECT_FALSE(core::FlushWork(&zero));
  EXPECT_FALSE(core::CancelWorkSync(&zero));
  core::WorkItem no_function;
  core::InitWord(&no_function, nullptr);
  EXPECT_FALSE(QueueWorkOn(0, wq, &no_function));
  EXPECT_EQ(env.Reports(ReportKind::kUninitialised), 2);
  Item x;
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// Q10: a list node that was overwritten while idle is not linked a second time.
UWQ_BODY(Diagnostics, Q10_CorruptNode, .schedules = 20) {
  Workqueue* const wq = env.Alloc("percpu", core::kWqPercpu);
  Item x;
  uwq_list_head bogus;
  x.raw()->entry.next = &bogus;
  EXPECT_TRUE(env.Queue(wq, x));  // as on a draining queue: reported and dropped
  EXPECT_EQ(env.Reports(ReportKind::kListCorruption), 1);
  EXPECT_FALSE(core::WorkPending(x));
  x.raw()->entry.next = &x.raw()->entry;
  EXPECT_TRUE(env.Queue(wq, x));
  FlushWorkqueue(wq);
  EXPECT_EQ(x.runs(), 1);
}

// Bad input of allocation: the status names what is wrong.
UWQ_BODY(Diagnostics, BadInput_Alloc, .schedules = 20) {
  const auto refused = [&](const std::string& name, unsigned flags) {
    const auto wq = core::AllocWorkqueue(env.runtime(), {name, flags, 0});
    EXPECT_EQ(wq.status().code(), absl::StatusCode::kInvalidArgument) << name << " " << flags;
    return std::string(wq.status().message());
  };
  EXPECT_TRUE(Contains(refused("", core::kWqPercpu), "name"));
  EXPECT_TRUE(Contains(refused("odd", core::kWqPercpu | 1u << 9), "0x200"));
  EXPECT_TRUE(Contains(refused("odd", core::kWqPercpu | 1u << 31), "0x80000000"));
  // Internal bits are no flags to ask for.
  EXPECT_TRUE(Contains(refused("odd", core::kWqPercpu | core::kWqDeprecated), "0x80000"));
  EXPECT_TRUE(Contains(refused("odd", core::kWqUnbound | core::kWqSystem), "0x1000000"));
  EXPECT_TRUE(Contains(refused("odd", core::kWqPercpu | core::kWqOrdered), "WQ_UNBOUND"));
  EXPECT_TRUE(Contains(refused("odd", core::kWqPercpu | core::kWqDraining), "0x10000"));
  EXPECT_TRUE(Contains(refused("odd", core::kWqPercpu | core::kWqDestroying), "0x8000"));
}

// Bad input of queueing: a CPU that does not exist; the item runs on the local one.
UWQ_BODY(Diagnostics, BadInput_Cpu, .schedules = 50) {
  for (Workqueue* wq :
       {env.Make(Kind::kPerCpu), env.Make(Kind::kUnbound), env.Make(Kind::kOrdered)}) {
    for (int cpu : {2, 1023, 100000, -2, -2147483647}) {
      Item x;
      EXPECT_TRUE(QueueWorkOn(cpu, wq, x));
      FlushWorkqueue(wq);
      EXPECT_EQ(x.runs(), 1);
    }
  }
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kBadCpu);
  ASSERT_EQ(texts.size(), 1u);  // one function, one report
  EXPECT_TRUE(Contains(texts[0], "CPU 2 ")) << texts[0];
  EXPECT_TRUE(Contains(texts[0], "percpu")) << texts[0];
  EXPECT_EQ(core::ReportCount(ReportKind::kBadCpu), 15);
}

// X8: destroying nothing.
UWQ_BODY(Diagnostics, X8_DestroyNull, .schedules = 5) {
  core::DestroyWorkqueue(nullptr);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kDoubleDestroy);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_TRUE(Contains(texts[0], "NULL")) << texts[0];
}

// Bad input: destroying twice.
UWQ_BODY(Diagnostics, BadInput_DoubleDestroy, .schedules = 50) {
  Workqueue* const wq = env.Alloc("gone", core::kWqPercpu);
  Workqueue* const other = env.Alloc("other", core::kWqPercpu);
  env.Destroy(wq);
  core::DestroyWorkqueue(wq);
  const std::vector<std::string> texts = env.ReportTexts(ReportKind::kDoubleDestroy);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_TRUE(Contains(texts[0], "gone")) << texts[0];
  Item x;
  EXPECT_TRUE(env.Queue(other, x));
  FlushWorkqueue(other);
  EXPECT_EQ(x.runs(), 1);
}

// Bad input of a Runtime.
TEST(BadInput, Runtime) {
  const auto refused = [](void (*spoil)(core::RuntimeOptions*)) {
    core::RuntimeOptions options;
    options.topology = core::Topology::Emulated(1, 2);
    spoil(&options);
    const auto runtime = core::Runtime::Create(options);
    EXPECT_EQ(runtime.status().code(), absl::StatusCode::kInvalidArgument);
  };
  refused([](core::RuntimeOptions* o) { o->topology = core::Topology::Emulated(0, 0); });
  refused([](core::RuntimeOptions* o) { o->topology = core::Topology::Emulated(2, 600); });
  refused([](core::RuntimeOptions* o) { o->topology = core::Topology::Emulated(-2, -2); });
  refused(
      [](core::RuntimeOptions* o) { o->topology = core::Topology::Emulated(1 << 20, 1 << 20); });
  refused([](core::RuntimeOptions* o) { o->sample_interval_ns = 0; });
  refused([](core::RuntimeOptions* o) { o->mayday_interval_ns = -1; });
  refused([](core::RuntimeOptions* o) { o->create_cooldown_ns = 0; });
  refused([](core::RuntimeOptions* o) { o->idle_worker_timeout_ns = -5; });
  refused([](core::RuntimeOptions* o) { o->unbound_cpus.set(2); });
}

UWQ_ON_ALL_KINDS(Trace);

// T1: the trace of one item, of a throttled one, and of a cancelled one.
UWQ_BODY_ON_KINDS(Trace, T151_Sequence, .schedules = 500) {
  static std::mutex mutex;
  static std::vector<std::pair<char, const void*>> events;
  static std::string traced;
  static int pool_cpu;
  static const auto note = [](char what, const void* work) {
    std::lock_guard<std::mutex> lock(mutex);
    events.emplace_back(what, work);
  };
  static const base::TraceSink sink = {
      .queue_work =
          [](const void* work, core::WorkFunc, const char* wq, int req_cpu, int cpu) {
            note(wq == traced ? 'q' : '?', work);
            EXPECT_EQ(req_cpu, 0);
            EXPECT_EQ(cpu, pool_cpu);
          },
      .activate_work = [](const void* work, core::WorkFunc) { note('a', work); },
      .execute_start = [](const void* work, core::WorkFunc,
                          const char* wq) { note(wq == traced ? 's' : '?', work); },
      .execute_end = [](const void* work, core::WorkFunc) { note('e', work); },
  };
  events.clear();
  Workqueue* const wq = env.Make(kind, 1);
  traced = wq->name;
  pool_cpu = kind == Kind::kPerCpu ? 0 : -1;  // an unbound pool has none
  Gate gate;
  Item one([&] { gate.Pass(); }), throttled, cancelled;
  base::SetTraceSink(&sink);
  EXPECT_TRUE(env.Queue(wq, one));
  gate.AwaitArrivals();
  EXPECT_TRUE(env.Queue(wq, throttled));
  EXPECT_TRUE(env.Queue(wq, cancelled));
  EXPECT_TRUE(core::CancelWork(cancelled));
  gate.Open();
  FlushWorkqueue(wq);
  env.Destroy(wq);
  base::SetTraceSink(nullptr);
  const auto of = [&](Item& item) {
    std::string sequence;
    for (const auto& [what, work] : events) {
      if (work == item.raw()) sequence += what;
    }
    return sequence;
  };
  EXPECT_EQ(of(one), "qase");
  EXPECT_EQ(of(throttled), "qase");
  EXPECT_EQ(of(cancelled), "q");
}

// A report is made once for each kind and subject, and again after a reset.
UWQ_BODY(Diagnostics, ReportsOnce, .schedules = 5) {
  int subject = 0, other = 0;
  EXPECT_TRUE(core::ReportOnce(ReportKind::kOther, &subject, "first"));
  EXPECT_FALSE(core::ReportOnce(ReportKind::kOther, &subject, "again"));
  EXPECT_TRUE(core::ReportOnce(ReportKind::kOther, &other, "another"));
  EXPECT_EQ(env.Reports(ReportKind::kOther), 2);
  EXPECT_EQ(core::ReportCount(ReportKind::kOther), 3);
  core::ResetReports();
  EXPECT_EQ(core::ReportCount(ReportKind::kOther), 0);
  EXPECT_TRUE(core::ReportOnce(ReportKind::kOther, &subject, "anew"));
}

}  // namespace uwq::conformance
