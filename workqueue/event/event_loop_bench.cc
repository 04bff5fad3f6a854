// SPDX-License-Identifier: BSD-3-Clause
//
// Questions: how late are 1000 timers in 10..500 ms, and how many of 10^5 are early,
// on a TimerWheel behind a LoopTimer and on libevent's own timers (peer-bench W6)?
// What do a post, a moved deadline and a rearm cost the thread that asks?
// Compare medians: --benchmark_repetitions=7 --benchmark_report_aggregates_only.
#include <benchmark/benchmark.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <vector>

#include "delayed/timer_wheel.h"
#include "workqueue/base/sync.h"
#include "workqueue/event/event_loop.h"

namespace {

using uwq::base::kMillisecond;
using uwq::base::kSecond;
using uwq::base::Nanos;
using uwq::delayed::DueList;
using uwq::delayed::TimerNode;
using uwq::delayed::TimerWheel;
using uwq::event::EventLoop;
using uwq::event::LoopTimer;

std::vector<Nanos> Delays(size_t n, Nanos from, Nanos to) {
  std::mt19937_64 random(1);
  std::vector<Nanos> delays(n);
  // Whole milliseconds: libevent knows no less than a microsecond.
  for (Nanos& d : delays) {
    d = (from + static_cast<Nanos>(random() % static_cast<uint64_t>(to - from))) / kMillisecond *
        kMillisecond;
  }
  return delays;
}

// Each returns how late each timer ran, in ns; negative: early.
std::vector<Nanos> RunWheel(const std::vector<Nanos>& delays) {
  struct Item {
    TimerNode timer{};
    Nanos deadline;
  };
  auto loop = *EventLoop::StartThread("bench");
  uwq::base::Mutex mu;
  TimerWheel wheel(uwq::base::Now());
  std::vector<Item> items(delays.size());
  std::vector<Nanos> late;
  late.reserve(delays.size());
  uwq::base::Completion done;
  std::unique_ptr<LoopTimer> source;
  source = *loop->NewTimer([&] {
    DueList due;
    Nanos next = 0;
    for (bool finished = false; !finished;) {
      uwq::base::MutexLock lock(&mu);
      finished = wheel.Expire(uwq::base::Now(), &due);
      next = wheel.NextWake();
    }
    source->ArmAt(next);
    while (TimerNode* node = due.PopFront()) {
      late.push_back(uwq::base::Now() - reinterpret_cast<Item*>(node)->deadline);
    }
    if (late.size() == delays.size()) done.Set();
  });
  for (size_t i = 0; i < delays.size(); ++i) {
    const Nanos now = uwq::base::Now();
    items[i].deadline = now + delays[i];
    bool earlier;
    {
      uwq::base::MutexLock lock(&mu);
      earlier = wheel.Arm(&items[i].timer, items[i].deadline, now);
    }
    if (earlier) source->ArmAt(items[i].deadline);
  }
  done.Wait();
  return late;
}

std::vector<Nanos> RunLibevent(const std::vector<Nanos>& delays, int flags) {
  evthread_use_pthreads();
  struct Item {
    event timer;
    Nanos deadline;
    std::vector<Nanos>* late;
  };
  event_config* config = event_config_new();
  event_config_set_flag(config, flags);
  event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  std::vector<Item> items(delays.size());
  std::vector<Nanos> late;
  late.reserve(delays.size());
  for (size_t i = 0; i < delays.size(); ++i) {
    items[i].late = &late;
    evtimer_assign(
        &items[i].timer, base,
        [](int, short, void* arg) {
          auto* item = static_cast<Item*>(arg);
          item->late->push_back(uwq::base::Now() - item->deadline);
        },
        &items[i]);
    items[i].deadline = uwq::base::Now() + delays[i];
    const timeval tv = {delays[i] / kSecond, delays[i] % kSecond / 1000};
    event_add(&items[i].timer, &tv);
  }
  event_base_dispatch(base);
  event_base_free(base);
  return late;
}

void Report(benchmark::State& state, std::vector<Nanos> late) {
  std::sort(late.begin(), late.end());
  const auto at = [&](double part) {
    return static_cast<double>(
               late[static_cast<size_t>(part * static_cast<double>(late.size() - 1))]) /
           1000;
  };
  state.counters["p50_us"] = at(0.5);
  state.counters["p99_us"] = at(0.99);
  state.counters["max_us"] = at(1);
  state.counters["earliest_us"] = at(0);
  state.counters["early"] =
      static_cast<double>(std::lower_bound(late.begin(), late.end(), 0) - late.begin());
}

void BM_LatenessWheel(benchmark::State& state) {
  const auto delays = Delays(static_cast<size_t>(state.range(0)), 10 * kMillisecond, kSecond / 2);
  for (auto _ : state) Report(state, RunWheel(delays));
}
template <int kFlags>
void BM_LatenessLibevent(benchmark::State& state) {
  const auto delays = Delays(static_cast<size_t>(state.range(0)), 10 * kMillisecond, kSecond / 2);
  for (auto _ : state) Report(state, RunLibevent(delays, kFlags));
}
#define UWQ_LATENESS(...) \
  BENCHMARK(__VA_ARGS__)->Arg(1000)->Arg(100000)->Iterations(1)->Unit(benchmark::kMillisecond)
UWQ_LATENESS(BM_LatenessWheel);
UWQ_LATENESS(BM_LatenessLibevent<EVENT_BASE_FLAG_PRECISE_TIMER>);
UWQ_LATENESS(BM_LatenessLibevent<0>);

// One wake-up and a thousand tasks: what a post costs when the loop is busy.
void BM_PostAndRun1000(benchmark::State& state) {
  auto loop = *EventLoop::Create();
  std::vector<uwq::event::PostNode> nodes(1000);
  for (auto& node : nodes) node.run = [](uwq::event::PostNode*) {};
  for (auto _ : state) {
    for (auto& node : nodes) benchmark::DoNotOptimize(loop->Post(&node));
    benchmark::DoNotOptimize(loop->RunOnce().ok());
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(BM_PostAndRun1000);

void BM_MoveDeadlineEarlier(benchmark::State& state) {
  auto loop = *EventLoop::StartThread("bench");
  auto timer = *loop->NewTimer([] {});
  Nanos deadline = uwq::base::Now() + 1000000 * kSecond;
  timer->SetAt(deadline);
  for (auto _ : state) timer->ArmAt(--deadline);
}
BENCHMARK(BM_MoveDeadlineEarlier);

// An event and its rearm, on one thread: what the two cost without any switch.
void BM_FdEventAndRearm(benchmark::State& state) {
  auto loop = *EventLoop::Create();
  const int fd = eventfd(1, EFD_NONBLOCK);
  auto watch = *loop->WatchFd(fd, {.edge = false}, [](uint32_t) {});
  for (auto _ : state) {
    benchmark::DoNotOptimize(loop->RunOnce().ok());
    benchmark::DoNotOptimize(watch.Rearm().ok());
  }
  watch.Unwatch();
  close(fd);
}
BENCHMARK(BM_FdEventAndRearm);

}  // namespace

BENCHMARK_MAIN();
