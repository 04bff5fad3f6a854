// SPDX-License-Identifier: BSD-3-Clause
//
// bridge_bench.cc -- what the bridge adds to a channel, what each setting of adaptive
// polling costs and gives, and what the running kernel posts through BPF.
//
// As kup_bench.cc: two processes (or a kernel and a process) on two CPUs, medians.
// Not a test: tagged manual.
//
//   bridge_bench [bridge | spin | bpf | all] [RUNS] [--markdown]      exits 1 if a bar is missed
//   bridge_bench bridge --markdown | bench/document.py docs/kup_protocol.md bridge_bench
#include <atomic>
#include <cmath>
#include <thread>

#include "delayed/delayed_work.h"
#include "kup_bridge/bridge.h"
#include "kup_bridge/kup_bench_report.h"
#include "kup_bridge/kup_bench_util.h"
#include "kup_bridge/kup_bpf.h"

namespace uwq::kup {
namespace {

constexpr uint16_t kType = 1;

// CPU time of this process, seconds.
double CpuSeconds() {
  timespec ts;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) / 1e9;
}

double Percentile(std::vector<double> v, double p) {
  if (v.empty()) return NAN;
  std::sort(v.begin(), v.end());
  return v[static_cast<size_t>(static_cast<double>(v.size() - 1) * p)];
}

// Posts `n` messages with the time in them, one each `period_ns`.  The cost of a post
// goes into `cost` if that is not null.
void PostPaced(kupdev_softc* sc, long n, int64_t period_ns, double* cost) {
  int64_t spent = 0;
  int64_t next = Now() + 2000000;
  for (long i = 0; i < n; ++i, next += period_ns) {
    int64_t now;
    while ((now = Now()) < next) {
    }
    // Waits for room only where a receiver lost its CPU to somebody else.
    const kup_vec msg = {&now, sizeof now, kType, 0, 0};
    if (const int rc = kupdev_post_wait(sc, 0, &msg, -1); rc != 0) Die("post", rc);
    spent += Now() - now;
  }
  if (cost != nullptr) *cost = static_cast<double>(spent) / static_cast<double>(n);
}

/* ---- bridge -------------------------------------------------------------------------- */

enum class Way { kPlain, kDirect, kEvent };

struct OneWayResult {
  double p50_ns = 0;
  double loop = 0;  // turns of the loop per message
  double all = 0;   // sleeps per message: of the loop, the worker and who looks after it
};

// From post to handler.
OneWayResult OneWay(Way way, long n, int64_t period_ns, absl::Duration spin) {
  OneWayResult result;
  std::vector<double> ns;
  ns.reserve(static_cast<size_t>(n));
  std::atomic<long> seen{0};
  const auto take = [&](const void* data) {
    int64_t sent;
    memcpy(&sent, data, sizeof sent);
    ns.push_back(static_cast<double>(Now() - sent));
    ++seen;
  };
  PairNamed(
      {}, [&](kupdev_softc* sc) { PostPaced(sc, n, period_ns, nullptr); },
      [&](const std::string& name) {
        if (way == Way::kPlain) {
          kup_dev* dev;
          kup_chan* ch;
          if (kup_open(name.c_str(), &dev) != 0 || kup_attach(dev, 0, 10000, &ch) != 0) exit(1);
          while (seen < n) {
            kup_msg msg;
            if (kup_poll(ch, &msg, 1) <= 0) continue;
            take(msg.data);
            kup_release(ch, &msg, 1);
          }
          kup_close(dev);
          return;
        }
        auto wq = *Workqueue::CreateOrdered("bench");
        auto bridge = *Bridge::Open(name, 0, {.spin = spin});
        if (way == Way::kDirect) {
          (void)bridge->OnDirect(kType, [&](Message& m) { take(m.data().data()); });
        } else {
          (void)bridge->OnEvent(kType, *wq, [&](const Event& e) {
            take(e.last);
            seen += static_cast<long>(e.count) - 1;
          });
        }
        const long before = SleepsOfOthers();
        (void)bridge->Start();
        while (seen < n) absl::SleepFor(absl::Milliseconds(5));
        result.all = static_cast<double>(SleepsOfOthers() - before) / static_cast<double>(n);
        result.loop = static_cast<double>(bridge->stats().wakeups) / static_cast<double>(n);
      });
  result.p50_ns = Percentile(ns, 0.5);
  return result;
}

// The run whose p50 is the median.
OneWayResult MedianOneWay(int runs, Way way, long n, int64_t period_ns, absl::Duration spin) {
  std::vector<OneWayResult> all;
  for (int i = 0; i < runs; ++i) all.push_back(OneWay(way, n, period_ns, spin));
  std::sort(all.begin(), all.end(),
            [](const OneWayResult& a, const OneWayResult& b) { return a.p50_ns < b.p50_ns; });
  return all[all.size() / 2];
}

// Turns of the loop per message when the device never stops.
double FloodWakeups(long n) {
  double per_message = 0;
  PairNamed(
      {},
      [&](kupdev_softc* sc) {
        for (long i = 0; i < n; ++i) {
          const kup_vec msg = {&i, sizeof i, kType, 0, 0};
          if (const int rc = kupdev_post_wait(sc, 0, &msg, -1); rc != 0) Die("post", rc);
        }
      },
      [&](const std::string& name) {
        auto bridge = *Bridge::Open(name, 0);
        std::atomic<long> seen{0};
        (void)bridge->OnDirect(kType, [&](Message&) { ++seen; });
        (void)bridge->Start();
        while (seen < n) absl::SleepFor(absl::Milliseconds(5));
        per_message = static_cast<double>(bridge->stats().wakeups) / static_cast<double>(n);
      });
  return per_message;
}

void RowAdded(Report* report, const char* what, const OneWayResult& plain,
              const OneWayResult& bridge) {
  const double added = bridge.p50_ns - plain.p50_ns;
  report->Row(
      what, absl::StrFormat("p50 %.0f ns (%.0f against %.0f)", added, bridge.p50_ns, plain.p50_ns),
      "500 ns",
      std::abs(added) <= 500);  // far below the channel itself: others used the machine
}

void RowWakeups(Report* report, const char* what, const OneWayResult& r, double wakeups) {
  report->Row(what, absl::StrFormat("%.2f (one way p50 %.1f us)", wakeups, r.p50_ns / 1e3), "1",
              wakeups <= 1);
}

void BenchBridge(Report* report, int runs) {
  constexpr absl::Duration kSpin = absl::Microseconds(400);
  // One each 20 us for who polls, so that it never sleeps; each 200 us for who sleeps.
  const OneWayResult plain = MedianOneWay(runs, Way::kPlain, 10000, 20000, {});
  const OneWayResult direct = MedianOneWay(runs, Way::kDirect, 10000, 20000, kSpin);
  const OneWayResult event = MedianOneWay(runs, Way::kEvent, 10000, 20000, kSpin);
  RowAdded(report, "what the bridge adds while polling, OnDirect", plain, direct);
  RowAdded(report, "what the bridge adds while polling, to a work item (OnEvent)", plain, event);
  report->Row("wake-ups per message while polling, all threads, OnDirect; OnEvent",
              absl::StrFormat("%.3f; %.3f", direct.all, event.all));
  const OneWayResult slept = MedianOneWay(runs, Way::kDirect, 2000, 200000, {});
  const OneWayResult queued = MedianOneWay(runs, Way::kEvent, 2000, 200000, {});
  RowWakeups(report, "wake-ups per message, sleeping, OnDirect (the loop)", slept, slept.all);
  RowWakeups(report, "wake-ups per message, sleeping, OnEvent (the loop)", queued, queued.loop);
  RowWakeups(report, "wake-ups per message, sleeping, OnEvent (all threads)", queued, queued.all);
  const double flood = FloodWakeups(2000000);
  report->Row("wake-ups per message under flood, through the bridge",
              absl::StrFormat("%.5f", flood), "1/64", flood <= 1.0 / 64);
  PairNamed(
      {},
      [](kupdev_softc* sc) {
        kupdev_event ended;  // until the user has looked
        while (kupdev_wait_event(sc, &ended, -1) == 0 && ended.kind != KUPDEV_DETACHED) {
        }
        _exit(0);
      },
      [&](const std::string& name) {
        auto bridge = *Bridge::Open(name, 0, {.spin = absl::Microseconds(50)});
        (void)bridge->OnDirect(kType, [](Message&) {});
        (void)bridge->Start();
        absl::SleepFor(absl::Milliseconds(100));
        const long before = SleepsOfOthers();
        const double cpu = CpuSeconds();
        absl::SleepFor(absl::Seconds(1));
        const long wakeups = SleepsOfOthers() - before;
        report->Row(
            "an idle channel for a second",
            absl::StrFormat("%ld wake-ups, %.0f us of CPU", wakeups, (CpuSeconds() - cpu) * 1e6),
            "0 wake-ups", wakeups == 0);
      });
}

/* ---- adaptive polling ------------------------------------------------------------------ */

// p50 / CPU of the receiver / sleeps per message / ns per post.
void BenchSpin(bool markdown) {
  // A table of its own shape, without bars.
  printf(markdown ? "| one message each |" : "%8s", "period");
  const int64_t spins[] = {0, 10000, 50000, 400000};
  for (int64_t spin : spins) {
    const std::string text = absl::FormatDuration(absl::Nanoseconds(spin));
    printf(markdown ? " up to %s |" : "  %28s", text.c_str());
  }
  printf(markdown ? "\n|---|---|---|---|---|\n" : "\n");
  for (int64_t period : {10000, 50000, 200000}) {
    printf(markdown ? "| %lld us |" : "%5lld us", static_cast<long long>(period / 1000));
    const long n = 300000000 / period;
    for (int64_t spin : spins) {
      int fds[2];
      if (pipe(fds) != 0) Die("pipe", -errno);
      double p50 = 0, cpu = 0, sleeps = 0, cost = 0;
      Pair(
          {},
          [&](kupdev_softc* sc) {
            double spent;
            PostPaced(sc, n, period, &spent);
            if (write(fds[1], &spent, sizeof spent) != sizeof spent) exit(1);
          },
          [&](kup_chan* ch) {
            kup_set_spin(ch, spin);
            std::vector<double> ns;
            double cpu0 = 0;
            int64_t t0 = 0;
            for (long i = 0; i < n; ++i) {
              kup_msg msg;
              if (const int rc = kup_receive(ch, &msg, -1); rc != 0) Die("receive", rc);
              int64_t sent;
              memcpy(&sent, msg.data, sizeof sent);
              ns.push_back(static_cast<double>(Now() - sent));
              kup_release(ch, &msg, 1);
              if (i == 0) {
                cpu0 = CpuSeconds();
                t0 = Now();
              }
            }
            cpu = (CpuSeconds() - cpu0) / (static_cast<double>(Now() - t0) / 1e9);
            kup_stats stats;
            kup_get_stats(ch, &stats);
            sleeps = static_cast<double>(stats.sleeps) / static_cast<double>(n);
            p50 = Percentile(ns, 0.5);
          });
      if (read(fds[0], &cost, sizeof cost) != sizeof cost) exit(1);
      close(fds[0]);
      close(fds[1]);
      printf(markdown ? " %.2f us, %.0f %%, %.2f, %.0f |" : "  %6.2f us, %3.0f %%, %4.2f, %6.0f",
             p50 / 1e3, cpu * 100, sleeps, cost);
      fflush(stdout);  // before a fork
    }
    printf("\n");
  }
}

/* ---- BPF --------------------------------------------------------------------------------- */

// Million records delivered per second, the kernel on CPU 1, this process on CPU 0.
double RunBpf(const char* name, uint32_t batch, uint64_t n, double* lost) {
  kup_dev* dev;
  kup_chan* ch;
  int rc = kup_open(name, &dev);
  if (rc != 0 || (rc = kup_attach(dev, 0, 0, &ch)) != 0) Die(name, rc);
  std::atomic<bool> finished{false};
  std::thread kernel([&] {
    Pin(1);
    if (const int run = kup_bpf_run(ch, n, batch); run != 0) Die("kup_bpf_run", run);
    finished = true;
  });
  Pin(0);
  uint64_t got = 0;
  int64_t start = 0;
  kup_msg msgs[64];
  for (;;) {
    const bool last = finished;
    const int count = kup_poll(ch, msgs, 64);
    if (count < 0) Die("poll", count);
    if (start == 0 && count > 0) start = Now();
    got += static_cast<uint64_t>(count);
    if (count > 0) kup_release(ch, msgs, count);
    if (count == 0 && last) break;
  }
  const double seconds = static_cast<double>(Now() - start) / 1e9;
  kernel.join();
  kup_stats stats;
  kup_get_stats(ch, &stats);
  *lost = static_cast<double>(stats.dev_dropped_records) / static_cast<double>(n);
  kup_close(dev);
  return static_cast<double>(got) / seconds / 1e6;
}

void BenchBpf(Report* report, int runs) {
  const struct {
    const char* what;
    const char* name;
    uint32_t batch;
    double bar;
  } rows[] = {{"BPF, own layout, 48 bytes, 64 per publish", "bpf:run", 64, 10},
              {"BPF, own layout, publish each", "bpf:run", 1, 0},
              {"BPF's ring buffer", "bpf:run?ringbuf", 64, 0}};
  for (const auto& row : rows) {
    std::vector<double> rate, lost;
    for (int i = 0; i < runs; ++i) {
      lost.push_back(0);
      rate.push_back(RunBpf(row.name, row.batch, 4000000, &lost.back()));
    }
    const std::string text =
        absl::StrFormat("%.1f M/s delivered, %.1f %% dropped", Median(rate), Median(lost) * 100);
    if (row.bar > 0) {
      report->Row(row.what, text, absl::StrFormat("%.0f M/s", row.bar), Median(rate) >= row.bar);
    } else {
      report->Row(row.what, text);
    }
  }
}

int Main(int argc, char** argv) {
  Report report(&argc, argv);
  const std::string only = argc > 1 ? argv[1] : "all";
  const int runs = argc > 2 ? atoi(argv[2]) : 5;
  if ((only != "all" && only != "bridge" && only != "bpf" && only != "spin") || runs < 1) {
    Die("usage: bridge_bench [bridge | spin | bpf | all] [RUNS] [--markdown]", -EINVAL);
  }
  if (only == "spin") {  // has no bars
    BenchSpin(report.markdown());
    return 0;
  }
  if (only != "bridge") BenchBpf(&report, runs);
  if (only != "bpf") BenchBridge(&report, runs);
  if (only == "all" && !report.markdown()) BenchSpin(false);
  return report.Finish(absl::StrFormat("Medians of %d runs, %s", runs, Load()));
}

}  // namespace
}  // namespace uwq::kup

int main(int argc, char** argv) { return uwq::kup::Main(argc, argv); }
