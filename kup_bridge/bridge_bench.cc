// SPDX-License-Identifier: BSD-3-Clause
//
// bridge_bench.cc -- what the bridge adds to a channel, what each setting of adaptive
// polling costs and gives, and what the running kernel posts through BPF.
//
// As kup_bench.cc: two processes (or a kernel and a process) on two CPUs, medians.
// Not a test: tagged manual.  Sections: bridge, spin, bpf; all without an argument.
#include <sys/resource.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "delayed/delayed_work.h"
#include "kup_bridge/bridge.h"
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

// One-way nanoseconds at p50, from post to handler.
double OneWay(Way way, long n, int64_t period_ns, absl::Duration spin, double* wakeups) {
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
        (void)bridge->Start();
        while (seen < n) absl::SleepFor(absl::Milliseconds(5));
        *wakeups = static_cast<double>(bridge->stats().wakeups) / static_cast<double>(n);
      });
  return Percentile(ns, 0.5);
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

void BenchBridge(int runs) {
  double ignored = 0, wakeups = 0;
  std::vector<double> plain, direct;
  for (int i = 0; i < runs; ++i) {
    plain.push_back(OneWay(Way::kPlain, 10000, 20000, {}, &ignored));
    direct.push_back(OneWay(Way::kDirect, 10000, 20000, absl::Microseconds(400), &wakeups));
  }
  printf(
      "one way, polling, 64-bit payload each 20 us: channel p50 %.0f ns, bridge OnDirect %.0f ns,\n"
      "  added %.0f ns (bar 500); turns of the loop per message %.3f\n",
      Median(plain), Median(direct), Median(direct) - Median(plain), wakeups);
  const double slept = OneWay(Way::kDirect, 2000, 200000, {}, &wakeups);
  printf(
      "one way, sleeping, each 200 us: OnDirect p50 %.1f us, wake-ups per message %.3f (bar 1)\n",
      slept / 1e3, wakeups);
  const double queued = OneWay(Way::kEvent, 2000, 200000, {}, &wakeups);
  printf("  the same to a work item (OnEvent): p50 %.1f us, wake-ups of the loop %.3f\n",
         queued / 1e3, wakeups);
  printf("flood: wake-ups per message %.5f (bar 1/64 = 0.01563)\n", FloodWakeups(2000000));
  PairNamed(
      {},
      [](kupdev_softc* sc) {
        kupdev_event event;  // until the user has looked
        while (kupdev_wait_event(sc, &event, -1) == 0 && event.kind != KUPDEV_DETACHED) {
        }
        _exit(0);
      },
      [](const std::string& name) {
        auto bridge = *Bridge::Open(name, 0, {.spin = absl::Microseconds(50)});
        (void)bridge->OnDirect(kType, [](Message&) {});
        (void)bridge->Start();
        absl::SleepFor(absl::Milliseconds(100));
        const uint64_t before = bridge->stats().wakeups;
        const double cpu = CpuSeconds();
        absl::SleepFor(absl::Seconds(1));
        printf("idle for 1 s: %llu wake-ups, %.0f us of CPU\n",
               static_cast<unsigned long long>(bridge->stats().wakeups - before),
               (CpuSeconds() - cpu) * 1e6);
      });
}

/* ---- adaptive polling ------------------------------------------------------------------ */

void BenchSpin() {
  printf("adaptive polling: p50 us / CPU of the receiver / sleeps per message / ns per post\n");
  printf("%8s", "period");
  const int64_t spins[] = {0, 10000, 50000, 400000};
  for (int64_t spin : spins)
    printf("  %24s", absl::FormatDuration(absl::Nanoseconds(spin)).c_str());
  printf("\n");
  for (int64_t period : {10000, 50000, 200000}) {
    printf("%5lld us", static_cast<long long>(period / 1000));
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
      printf("  %6.2f/%3.0f %%/%4.2f/%6.0f", p50 / 1e3, cpu * 100, sleeps, cost);
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

void BenchBpf(int runs) {
  const struct {
    const char* what;
    const char* name;
    uint32_t batch;
  } rows[] = {{"own layout, 64 per publish", "bpf:run", 64},
              {"own layout, publish each", "bpf:run", 1},
              {"BPF ring buffer", "bpf:run?ringbuf", 64}};
  for (const auto& row : rows) {
    std::vector<double> rate, lost;
    for (int i = 0; i < runs; ++i) {
      lost.push_back(0);
      rate.push_back(RunBpf(row.name, row.batch, 4000000, &lost.back()));
    }
    printf("kernel to user, 48 bytes, %-28s %6.1f M/s delivered, %4.1f %% dropped\n", row.what,
           Median(rate), Median(lost) * 100);
  }
}

int Main(int argc, char** argv) {
  const std::string only = argc > 1 ? argv[1] : "";
  const int runs = argc > 2 ? atoi(argv[2]) : 5;
  if (only.empty() || only == "bpf") BenchBpf(runs);
  if (only.empty() || only == "bridge") BenchBridge(runs);
  if (only.empty() || only == "spin") BenchSpin();
  return 0;
}

}  // namespace
}  // namespace uwq::kup

int main(int argc, char** argv) { return uwq::kup::Main(argc, argv); }
