// SPDX-License-Identifier: BSD-3-Clause
//
// Question: what do arm, cancel and mod of one timer cost beside a million
// others, against libevent's timers in the same run?  (peer-bench W6)
//
// Both sides are thread-safe: ours takes the owner's mutex for each operation,
// libevent the lock of its base.  "Clock" variants read the clock for each arm,
// as a relative delay needs; libevent always does (its default reads the coarse
// clock, which is cheaper and lets timers fire up to 4 ms early).
// Items are 88 bytes apart, as delayed items are at most.
// Compare medians: --benchmark_repetitions=7 --benchmark_report_aggregates_only.
#include <benchmark/benchmark.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <time.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "delayed/timer_wheel.h"
#include "workqueue/base/sync.h"

namespace {

using uwq::base::kMillisecond;
using uwq::base::kSecond;
using uwq::base::Nanos;
using uwq::delayed::DueList;
using uwq::delayed::TimerNode;
using uwq::delayed::TimerWheel;

constexpr size_t kMillion = 1000000;

struct Item {
  char work[32];
  TimerNode timer;
  char rest[24];
};
static_assert(sizeof(Item) == 88);

template <bool kReadClock>
class Wheel {
 public:
  explicit Wheel(size_t n) : start_(uwq::base::Now()), wheel_(start_), items_(n) {}
  void Arm(size_t i, Nanos delay_ns) {
    const Nanos now = Clock();
    TimerWheel::WarmUp(items_[i].timer);
    uwq::base::MutexLock lock(&mu_);
    benchmark::DoNotOptimize(wheel_.Mod(&items_[i].timer, now + delay_ns, now));
  }
  void Cancel(size_t i) {
    TimerWheel::WarmUp(items_[i].timer);
    uwq::base::MutexLock lock(&mu_);
    wheel_.Cancel(&items_[i].timer);
  }

 private:
  Nanos Clock() const { return kReadClock ? uwq::base::Now() : start_; }
  const Nanos start_;
  uwq::base::Mutex mu_;
  TimerWheel wheel_;
  std::vector<Item> items_;
};

template <int kFlags>
class Libevent {
 public:
  explicit Libevent(size_t n) : events_(n) {
    evthread_use_pthreads();
    event_config* config = event_config_new();
    event_config_set_flag(config, kFlags);
    base_ = event_base_new_with_config(config);
    event_config_free(config);
    for (event& e : events_)
      evtimer_assign(
          &e, base_, [](int, short, void*) {}, nullptr);
  }
  ~Libevent() {
    for (event& e : events_) event_del(&e);
    event_base_free(base_);
  }
  void Arm(size_t i, Nanos delay_ns) {
    const timeval tv = {delay_ns / kSecond, delay_ns % kSecond / 1000};
    event_add(&events_[i], &tv);
  }
  void Cancel(size_t i) { event_del(&events_[i]); }

 private:
  event_base* base_;
  std::vector<event> events_;
};

std::vector<Nanos> Delays(size_t n) {
  std::mt19937_64 random(1);
  std::vector<Nanos> delays(n);
  for (Nanos& d : delays) d = kSecond + static_cast<Nanos>(random() % (999 * kSecond));
  return delays;
}

std::vector<uint32_t> Shuffled(size_t n) {
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(2));
  return order;
}

void SetCost(benchmark::State& state, size_t n) {
  state.counters["per_op"] =
      benchmark::Counter(static_cast<double>(n), benchmark::Counter::kIsIterationInvariantRate |
                                                     benchmark::Counter::kInvert);
}

template <typename Timers>
void BM_ArmMillion(benchmark::State& state) {
  Timers timers(kMillion);
  const std::vector<Nanos> delays = Delays(kMillion);
  const std::vector<uint32_t> order = Shuffled(kMillion);
  for (auto _ : state) {
    for (size_t i = 0; i < kMillion; ++i) timers.Arm(i, delays[i]);
    state.PauseTiming();
    for (size_t i : order) timers.Cancel(i);
    state.ResumeTiming();
  }
  SetCost(state, kMillion);
}

template <typename Timers>
void BM_CancelMillionRandom(benchmark::State& state) {
  Timers timers(kMillion);
  const std::vector<Nanos> delays = Delays(kMillion);
  const std::vector<uint32_t> order = Shuffled(kMillion);
  for (auto _ : state) {
    state.PauseTiming();
    for (size_t i = 0; i < kMillion; ++i) timers.Arm(i, delays[i]);
    state.ResumeTiming();
    for (size_t i : order) timers.Cancel(i);
  }
  SetCost(state, kMillion);
}

template <typename Timers>
void BM_CancelMillionInOrder(benchmark::State& state) {
  Timers timers(kMillion);
  const std::vector<Nanos> delays = Delays(kMillion);
  for (auto _ : state) {
    state.PauseTiming();
    for (size_t i = 0; i < kMillion; ++i) timers.Arm(i, delays[i]);
    state.ResumeTiming();
    for (size_t i = 0; i < kMillion; ++i) timers.Cancel(i);
  }
  SetCost(state, kMillion);
}

// A million random re-arms among 10^5 live timers.
template <typename Timers>
void BM_Rearm100k(benchmark::State& state) {
  constexpr size_t kLive = 100000;
  Timers timers(kLive);
  const std::vector<Nanos> delays = Delays(kMillion);
  std::mt19937_64 random(3);
  std::vector<uint32_t> which(kMillion);
  for (uint32_t& w : which) w = random() % kLive;
  for (size_t i = 0; i < kLive; ++i) timers.Arm(i, delays[i]);
  for (auto _ : state) {
    for (size_t i = 0; i < kMillion; ++i) timers.Arm(which[i], delays[i]);
  }
  SetCost(state, kMillion);
}

// What a node costs when it does expire: its moves down and the hand-over, over
// 1000 s with an Expire each millisecond.
void BM_WheelExpireMillion(benchmark::State& state) {
  const std::vector<Nanos> delays = Delays(kMillion);
  std::vector<Item> items(kMillion);
  for (auto _ : state) {
    state.PauseTiming();
    Nanos now = uwq::base::Now();
    TimerWheel wheel(now);
    for (size_t i = 0; i < kMillion; ++i) {
      benchmark::DoNotOptimize(wheel.Arm(&items[i].timer, now + delays[i], now));
    }
    DueList due;
    state.ResumeTiming();
    while (wheel.armed() != 0) {
      now += kMillisecond;
      while (!wheel.Expire(now, &due)) {
      }
      benchmark::DoNotOptimize(wheel.NextWake());
      while (due.PopFront() != nullptr) {
      }
    }
  }
  SetCost(state, kMillion);
}

// How long one Expire keeps the owner's lock, in CPU time of the thread (on a
// shared machine the wall clock measures the neighbours).
void BM_WheelLongestHold(benchmark::State& state) {
  const auto cpu_now = [] {
    timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * kSecond + ts.tv_nsec;
  };
  const std::vector<Nanos> delays = Delays(kMillion);
  std::vector<Item> items(kMillion);
  std::vector<Nanos> holds;
  for (auto _ : state) {
    Nanos now = uwq::base::Now();
    TimerWheel wheel(now);
    for (size_t i = 0; i < kMillion; ++i) {
      benchmark::DoNotOptimize(wheel.Arm(&items[i].timer, now + delays[i], now));
    }
    DueList due;
    while (wheel.armed() != 0) {
      now += kMillisecond;
      for (bool done = false; !done;) {
        const Nanos begin = cpu_now();
        done = wheel.Expire(now, &due);
        holds.push_back(cpu_now() - begin);
      }
      while (due.PopFront() != nullptr) {
      }
    }
  }
  std::sort(holds.begin(), holds.end());
  state.counters["p50_ns"] = static_cast<double>(holds[holds.size() / 2]);
  state.counters["p9999_ns"] = static_cast<double>(holds[holds.size() * 9999 / 10000]);
  state.counters["max_ns"] = static_cast<double>(holds.back());
}

using WheelClock = Wheel<true>;
using WheelNoClock = Wheel<false>;
using LibeventDefault = Libevent<0>;
using LibeventPrecise = Libevent<EVENT_BASE_FLAG_PRECISE_TIMER>;

#define UWQ_TIMER_BENCH(bm)                                               \
  BENCHMARK_TEMPLATE(bm, WheelNoClock)->Unit(benchmark::kMillisecond);    \
  BENCHMARK_TEMPLATE(bm, WheelClock)->Unit(benchmark::kMillisecond);      \
  BENCHMARK_TEMPLATE(bm, LibeventDefault)->Unit(benchmark::kMillisecond); \
  BENCHMARK_TEMPLATE(bm, LibeventPrecise)->Unit(benchmark::kMillisecond)
UWQ_TIMER_BENCH(BM_ArmMillion);
UWQ_TIMER_BENCH(BM_CancelMillionRandom);
UWQ_TIMER_BENCH(BM_CancelMillionInOrder);
UWQ_TIMER_BENCH(BM_Rearm100k);
BENCHMARK(BM_WheelExpireMillion)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_WheelLongestHold)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace

BENCHMARK_MAIN();
