// SPDX-License-Identifier: BSD-3-Clause
//
// storm_test.cc -- T109 and everything at once: random calls on a few items from a few
// threads and from the items themselves, judged by the oracle (tests/sim/history.h).
//
// Small on purpose: the explorer runs each storm under many thousands of schedules; the
// big one on real threads is tests/stress.
#include "tests/conformance/core/env.h"
#include "tests/sim/history.h"

namespace uwq::conformance {

using core::FlushWorkqueue;
using core::QueueWorkOn;
using core::Workqueue;

struct Storm {
  Kind kind;
  int max_active;
  int nr_items;
  int nr_threads;
  int calls;     // of each thread
  bool disturb;  // limits, attributes and the freezer move as well
};

class Stormer {
 public:
  Stormer(Env* env, const Storm& storm)
      : env_(env),
        storm_(storm),
        wq_(env->Make(storm.kind, storm.max_active, storm.disturb ? +core::kWqFreezable : 0u)) {
    if (storm.kind == Kind::kOrdered) history_.SetOrdered(0);
    for (int i = 0; i < storm.nr_items; ++i) {
      items_.push_back(
          std::make_unique<Item>([this, i] { history_.Run(i, [this, i] { FromInside(i); }); }));
    }
  }

  void Run() {
    for (int t = 0; t < storm_.nr_threads; ++t) {
      env_->Spawn([this] {
        for (int i = 0; i < storm_.calls; ++i) OneCall(Choose(storm_.nr_items));
      });
    }
    if (storm_.disturb) {
      for (int i = 0; i < Rounds(100, 2); ++i) Disturb();
    }
    env_->Join();
    history_.FlushGroup(0, [this] { core::DrainWorkqueue(wq_); });
    EXPECT_EQ(history_.Check(), "");
    env_->ExpectIdle(wq_);
    int64_t accepted = 0, consumed = 0;
    for (int i = 0; i < storm_.nr_items; ++i) {
      accepted += history_.accepted(i);
      consumed += history_.runs(i) + history_.cancels(i);
      EXPECT_LE(items_[i]->max_running(), 1);
    }
    EXPECT_EQ(accepted, consumed);
  }

 private:
  core::WorkItem* At(int id) { return items_[id]->raw(); }

  void OneCall(int id) {
    switch (Choose(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        history_.Queue(id, [&] { return QueueWorkOn(Choose(2), wq_, At(id)); });
        break;
      case 4:
        history_.Cancel(id, [&] { return core::CancelWork(At(id)); });
        break;
      case 5:
        history_.CancelSync(id, [&] { return core::CancelWorkSync(At(id)); });
        break;
      case 6:
        history_.Flush(id, [&] { (void)core::FlushWork(At(id)); });
        break;
      case 7:
        history_.FlushGroup(0, [&] { FlushWorkqueue(wq_); });
        break;
      case 8:
        // Enabled by the same thread, so that nothing is pending then, and an
        // enable takes no instance away unseen.
        DisableOne(id);
        EnableOne(id);
        break;
      case 9:
        (void)core::WorkBusy(At(id));
        (void)core::WorkqueueCongested(Choose(2), wq_);
        break;
    }
  }

  // In halves: another thread may be refused as soon as the call has taken effect, so
  // the record of it must come before the call counts as over.
  void DisableOne(int id) {
    const sim::History::Token token = history_.CancelBegin(id);
    const bool cancelled = core::DisableWorkSync(At(id));
    history_.SetDisabled(id, +1);
    history_.CancelEnd(token, cancelled, /*sync=*/true);
  }

  void EnableOne(int id) {
    history_.Enable(id, [&] { (void)core::EnableWork(At(id)); });
  }

  // From the function: what may be called there.
  void FromInside(int id) {
    switch (Choose(4)) {
      case 0:
        if (items_[id]->runs() % 3 == 0) {
          history_.Queue(id, [&] { return QueueWorkOn(Choose(2), wq_, At(id)); });
        }
        break;
      case 1:
        history_.Cancel(id, [&] { return core::CancelWork(At(id)); });
        break;
      case 2:
        history_.Cancel((id + 1) % storm_.nr_items,
                        [&] { return core::CancelWork(At((id + 1) % storm_.nr_items)); });
        break;
      default:
        Step();
    }
  }

  void Disturb() {
    switch (Choose(3)) {
      case 0:
        if (storm_.kind != Kind::kOrdered) core::SetMaxActive(wq_, 1 + Choose(3));
        break;
      case 1:
        if (storm_.kind != Kind::kPerCpu) {
          core::WorkqueueAttrs attrs;
          attrs.nice = Choose(2);
          attrs.affn_scope = Choose(2) == 0 ? core::AffnScope::kCpu : core::AffnScope::kSystem;
          attrs.ordered = storm_.kind == Kind::kOrdered;
          EXPECT_TRUE(core::ApplyWorkqueueAttrs(wq_, attrs).ok());
        }
        break;
      case 2:
        env_->runtime()->FreezeBegin();
        (void)env_->runtime()->FreezeBusy();
        env_->runtime()->Thaw();
        break;
    }
  }

  Env* const env_;
  const Storm storm_;
  sim::History history_;
  Workqueue* const wq_;
  std::vector<std::unique_ptr<Item>> items_;
};

UWQ_ON_ALL_KINDS(Storms);

UWQ_BODY_ON_KINDS(Storms, T109_TwoItems, .schedules = 60000, .repeat = 1) {
  Stormer(&env, {kind, 1, 2, 3, Rounds(8000, 4), false}).Run();
}

UWQ_BODY_ON_KINDS(Storms, T109_OneItem, .schedules = 60000, .repeat = 1) {
  Stormer(&env, {kind, 0, 1, 3, Rounds(8000, 4), false}).Run();
}

UWQ_BODY_ON_KINDS(
    Storms, T109_ManyPools, .schedules = 60000, .repeat = 1, .nodes = 2, .cpus = 1,
    .tune = [](core::RuntimeOptions* o) { o->default_affn_scope = core::AffnScope::kCpu; }) {
  Stormer(&env, {kind, 2, 4, 3, Rounds(8000, 4), false}).Run();
}

UWQ_BODY_ON_KINDS(
    Storms, T109_Disturbed, .schedules = 60000, .repeat = 1,
    .tune = [](core::RuntimeOptions* o) { o->default_affn_scope = core::AffnScope::kCpu; }) {
  Stormer(&env, {kind, 1, 3, 2, Rounds(8000, 4), true}).Run();
}

// Deadlines of the service thread fall into the middle of things: the sampler, the
// reaper and the mayday timer run while others do.
UWQ_BODY_ON_KINDS(
    Storms, T109_TimeRaces, .schedules = 30000, .time_races = true, .repeat = 1,
    .tune = [](core::RuntimeOptions* o) { o->idle_worker_timeout_ns = base::kMillisecond; }) {
  Stormer(&env, {kind, 3, 3, 2, Rounds(8000, 4), false}).Run();
}

}  // namespace uwq::conformance
