// SPDX-License-Identifier: BSD-3-Clause
//
// kup_bench.cc -- what a channel costs, beside a pipe and a SOCK_SEQPACKET pair in
// the same run.  Two processes pinned to two CPUs: the device (producer) on CPU 1,
// the user (consumer) on CPU 0; 64-byte messages with all hostile-peer checks on.
//
//   kup_bench [RUNS] [--markdown]      exits 1 if a bar is missed
//   kup_bench --markdown | bench/document.py docs/kup_protocol.md kup_bench
//
// Ratios carry over between machines, absolute numbers do not; a cross-CPU wake of
// an idle virtual CPU costs 25-40 us here whatever the transport.  Medians of
// several runs.  Not a test: tagged manual.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "kup_bridge/kup.h"
#include "kup_bridge/kup_bench_report.h"
#include "kup_bridge/kup_bench_util.h"
#include "kup_bridge/kupdev.h"

namespace uwq::kup {
namespace {

constexpr uint32_t kSize = 64;
constexpr int kBatch = 64;
constexpr uint64_t kFrame = 4 << 20;

/* ---- peers ---------------------------------------------------------------------- */

// Nanoseconds per message through a pair of descriptors; `per_message`: system calls, two if
// the counter can be trusted.
double DescriptorPair(bool seqpacket, long n, const SyscallCounter& calls, double* per_message) {
  int fds[2];
  if (seqpacket) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) != 0) Die("socketpair", -errno);
    const int size = 1 << 20;
    (void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  } else {
    if (pipe(fds) != 0) Die("pipe", -errno);
    (void)fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
  }
  const pid_t pid = ForkOn1();
  if (pid == 0) {
    char message[kSize] = {};
    for (long i = 0; i < n; ++i) {
      memcpy(message, &i, sizeof i);
      if (write(fds[1], message, kSize) != kSize) _exit(1);
    }
    _exit(0);
  }
  Pin(0);
  char message[kSize];
  if (read(fds[0], message, kSize) != kSize) Die("read", -errno);
  const int64_t calls_before = calls.Read(), start = Now();
  for (long i = 1; i < n; ++i) {
    if (read(fds[0], message, kSize) != kSize) Die("read", -errno);
  }
  const double ns = static_cast<double>(Now() - start) / static_cast<double>(n - 1);
  *per_message = static_cast<double>(calls.Read() - calls_before) / static_cast<double>(n - 1);
  int status;
  waitpid(pid, &status, 0);
  close(fds[0]);
  close(fds[1]);
  return ns;
}

// A ring of fixed slots with two positions, nothing checked, nobody sleeps: what
// the machine's memory allows.  Nanoseconds per message; `p50_ns`: one way, paced.
struct BareRing {
  struct Slot {
    alignas(128) char bytes[kSize];
  };
  static constexpr uint64_t kSlots = 8192;
  alignas(128) uint64_t head;
  alignas(128) uint64_t tail;
  alignas(128) Slot slots[kSlots];
};

double RunBare(long n, long paced, double* p50_ns) {
  auto* ring = static_cast<BareRing*>(
      mmap(nullptr, sizeof(BareRing), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (ring == MAP_FAILED) Die("mmap", -errno);
  const pid_t pid = ForkOn1();
  if (pid == 0) {
    uint64_t tail = 0;
    int64_t next = 0;
    for (uint64_t i = 0; i < static_cast<uint64_t>(n + paced); ++i) {
      while (i - tail == BareRing::kSlots) tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
      int64_t value = static_cast<int64_t>(i);
      if (i >= static_cast<uint64_t>(n)) {
        if (next == 0) next = Now() + 1000000;
        while ((value = Now()) < next) {
        }
        next += 20000;
      }
      memcpy(ring->slots[i % BareRing::kSlots].bytes, &value, sizeof value);
      __atomic_store_n(&ring->head, i + 1, __ATOMIC_RELEASE);
    }
    _exit(0);
  }
  Pin(0);
  std::vector<double> ns;
  const int64_t start = Now();
  double per_message = 0;
  uint64_t head = 0;
  for (uint64_t i = 0; i < static_cast<uint64_t>(n + paced); ++i) {
    while (i == head) head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
    char message[kSize];
    memcpy(message, ring->slots[i % BareRing::kSlots].bytes, kSize);
    int64_t value;
    memcpy(&value, message, sizeof value);
    if (i >= static_cast<uint64_t>(n)) ns.push_back(static_cast<double>(Now() - value));
    __atomic_store_n(&ring->tail, i + 1, __ATOMIC_RELEASE);
    if (i + 1 == static_cast<uint64_t>(n)) {
      per_message = static_cast<double>(Now() - start) / static_cast<double>(n);
    }
  }
  int status;
  waitpid(pid, &status, 0);
  munmap(ring, sizeof(BareRing));
  *p50_ns = Median(ns);
  return per_message;
}

/* ---- our channel ------------------------------------------------------------------ */

struct Flood {
  double ns = 0;
  double calls_per_message = 0;  // system calls of both sides
  double wakeups_per_message = 0;
};

// `poll`: neither side ever sleeps.  `batch`: messages per publish.  `calls`: counts both sides.
Flood RunFlood(bool poll, int batch, long n, const SyscallCounter& calls) {
  Flood out;
  kupdev_opts opts = {};
  opts.d2u_size = 1 << 20;
  Pair(
      opts,
      [&](kupdev_softc* sc) {
        char text[kBatch][kSize] = {};
        kup_vec msgs[kBatch];
        for (int i = 0; i < kBatch; ++i) msgs[i] = {text[i], kSize, 1, 0, 0};
        for (long sent = 0; sent < n;) {
          const int want = static_cast<int>(std::min<long>(batch, n - sent));
          for (int i = 0; i < want; ++i) {
            const long value = sent + i;
            memcpy(text[i], &value, sizeof value);
          }
          int rc = kupdev_post_batch(sc, 0, msgs, want);
          if (rc == -EAGAIN && !poll) {
            rc = kupdev_post_wait(sc, 0, &msgs[0], -1) == 0 ? 1 : -EIO;
          }
          if (rc > 0) sent += rc;
          if (rc < 0 && rc != -EAGAIN) Die("post", rc);
        }
        kupdev_stats stats;
        kupdev_get_stats(sc, 0, &stats);
        const kup_vec last = {&stats.signals, sizeof stats.signals, 2, 0, 0};
        if (const int rc = kupdev_post_wait(sc, 0, &last, -1); rc != 0) Die("last", rc);
      },
      [&](kup_chan* ch) {
        kup_msg msgs[kBatch];
        long expected = 0;
        int64_t start = 0, calls_before = 0;
        uint64_t signals = 0;
        for (bool end = false; !end;) {
          int got = poll ? kup_poll(ch, msgs, kBatch) : kup_receive_batch(ch, msgs, kBatch, -1);
          if (got < 0) Die("receive", got);
          if (start == 0 && got > 0) {
            calls_before = calls.Read();
            start = Now();
          }
          for (int i = 0; i < got; ++i) {
            if (msgs[i].type == 2) {
              memcpy(&signals, msgs[i].data, sizeof signals);
              end = true;
              continue;
            }
            long value;
            memcpy(&value, msgs[i].data, sizeof value);
            if (value != expected++) Die("order", -EIO);
          }
          if (got > 0) kup_release(ch, msgs, got);
        }
        out.ns = static_cast<double>(Now() - start) / static_cast<double>(n);
        const double count = static_cast<double>(n);
        out.wakeups_per_message = static_cast<double>(signals) / count;
        out.calls_per_message = static_cast<double>(calls.Read() - calls_before) / count;
      });
  return out;
}

struct Latency {
  double p50, p90, p99;
};

Latency RunLatency(bool poll, long n, int64_t period_ns) {
  Latency out = {};
  Pair(
      {},
      [&](kupdev_softc* sc) {
        char text[kSize] = {};
        int64_t next = Now() + 1000000;
        for (long i = 0; i < n; ++i, next += period_ns) {
          int64_t now;
          while ((now = Now()) < next) {
          }
          memcpy(text, &now, sizeof now);
          if (const int rc = kupdev_post(sc, 0, 1, text, kSize); rc != 0) Die("post", rc);
        }
      },
      [&](kup_chan* ch) {
        std::vector<double> ns;
        while (ns.size() < static_cast<size_t>(n)) {
          kup_msg msg;
          const int got = poll ? kup_poll(ch, &msg, 1) : kup_receive(ch, &msg, -1) + 1;
          if (got <= 0) continue;
          int64_t sent;
          memcpy(&sent, msg.data, sizeof sent);
          ns.push_back(static_cast<double>(Now() - sent));
          kup_release(ch, &msg, 1);
        }
        std::sort(ns.begin(), ns.end());
        const size_t last = ns.size() - 1;
        out = {ns[last / 2], ns[last * 9 / 10], ns[last * 99 / 100]};
      });
  return out;
}

// GB/s of frames that are written once and read once.
double RunFrames(long n) {
  double gb = 0;
  kupdev_opts opts = {};
  opts.n_frames_d2u = 4;
  opts.frame_size = kFrame;
  Pair(
      opts,
      [&](kupdev_softc* sc) {
        for (long i = 0; i < n; ++i) {
          kup_frame frame;
          if (const int rc = kupdev_frame_get(sc, 0, &frame, -1); rc != 0) Die("frame", rc);
          memset(frame.data, static_cast<int>(i), kFrame);
          if (const int rc = kupdev_frame_send(sc, 0, &frame, 1, kFrame, 0); rc != 0) {
            Die("frame", rc);
          }
        }
      },
      [&](kup_chan* ch) {
        uint64_t sum = 0;
        int64_t start = 0;
        constexpr long kWarm = 8;  // the pool's pages are touched for the first time
        for (long i = 0; i < n; ++i) {
          if (i == kWarm) start = Now();
          kup_msg msg;
          kup_frame frame;
          if (const int rc = kup_receive(ch, &msg, -1); rc != 0) Die("receive", rc);
          if (const int rc = kup_frame_open(ch, &msg, &frame); rc != 0) Die("open", rc);
          const auto* words = static_cast<const uint64_t*>(frame.data);
          for (uint64_t w = 0; w < kFrame / 8; w += 4) {
            sum += words[w] ^ words[w + 1] ^ words[w + 2] ^ words[w + 3];
          }
          kup_release(ch, &msg, 1);
          kup_frame_return(ch, &frame);
        }
        gb = static_cast<double>((n - kWarm) * kFrame) / static_cast<double>(Now() - start);
        if (sum == 1) printf(" ");  // keeps the reads
      });
  return gb;
}

double RunParameter(long n) {
  double ns = 0;
  Pair(
      {}, [](kupdev_softc*) {},
      [&](kup_chan* ch) {
        const int64_t start = Now();
        for (long i = 0; i < n; ++i) kup_param_set(ch, 3, static_cast<uint64_t>(i));
        ns = static_cast<double>(Now() - start) / static_cast<double>(n);
      });
  return ns;
}

Flood Best(int runs, const std::function<Flood()>& run) {
  std::vector<Flood> all;
  for (int i = 0; i < runs; ++i) all.push_back(run());
  std::sort(all.begin(), all.end(), [](const Flood& a, const Flood& b) { return a.ns < b.ns; });
  return all[all.size() / 2];
}

constexpr double kMillion = 30;        // bar: messages per second while polling
constexpr double kCallsMax = 0.001;    // bar: 0, but one side looks each millisecond at the other
constexpr double kWakeMax = 1.0 / 64;  // bar: wake-ups per message under flood

struct Peers {
  double pipe_ns, seqpacket_ns;
};

std::string Rate(double ns, const Peers& peers) {
  return absl::StrFormat("%.2f M/s: %.1f x pipe, %.1f x seqpacket", 1e3 / ns, peers.pipe_ns / ns,
                         peers.seqpacket_ns / ns);
}

void RowBlocking(Report* report, const char* what, double ns, const Peers& peers) {
  report->Row(what, Rate(ns, peers), "4 x, 8 x",
              peers.pipe_ns / ns >= 4 && peers.seqpacket_ns / ns >= 8);
}

void RowPolling(Report* report, const char* what, double ns, const Peers& peers) {
  report->Row(what, Rate(ns, peers), absl::StrFormat("%.0f M/s", kMillion), 1e3 / ns >= kMillion);
}

void RowCalls(Report* report, const char* what, const Flood& flood, const SyscallCounter& calls) {
  const std::string name = std::string("system calls per message, both sides, ") + what;
  if (!calls.counts()) {
    report->Row(name, "not counted: wants root and tracefs");
    return;
  }
  report->Row(name, absl::StrFormat("%.5f", flood.calls_per_message),
              absl::StrFormat("0 (%.3f)", kCallsMax), flood.calls_per_message <= kCallsMax);
}

int Main(int argc, char** argv) {
  Report report(&argc, argv);
  const SyscallCounter calls;
  const int runs = argc > 1 ? atoi(argv[1]) : 5;
  if (runs < 1) Die("usage: kup_bench [RUNS] [--markdown]", -EINVAL);
  std::vector<double> pipe_ns, seq_ns;
  double pipe_calls = 0, seq_calls = 0;
  for (int i = 0; i < runs; ++i) {
    pipe_ns.push_back(DescriptorPair(false, 500000, calls, &pipe_calls));
    seq_ns.push_back(DescriptorPair(true, 300000, calls, &seq_calls));
  }
  double bare_p50 = 0;
  std::vector<double> bare_ns;
  for (int i = 0; i < runs; ++i) bare_ns.push_back(RunBare(2000000, 5000, &bare_p50));
  const Peers peers = {Median(pipe_ns), Median(seq_ns)};
  report.Row("pipe; SOCK_SEQPACKET pair; bare ring without checks",
             absl::StrFormat("%.2f; %.2f; %.1f M/s", 1e3 / peers.pipe_ns, 1e3 / peers.seqpacket_ns,
                             1e3 / Median(bare_ns)));
  if (calls.counts()) {
    report.Row("system calls per message, both sides, pipe; SOCK_SEQPACKET pair",
               absl::StrFormat("%.2f; %.2f", pipe_calls, seq_calls));
  }
  const Flood b1 = Best(runs, [&] { return RunFlood(false, 1, 2000000, calls); });
  RowBlocking(&report, "blocking, publish each", b1.ns, peers);
  const Flood b64 = Best(runs, [&] { return RunFlood(false, kBatch, 4000000, calls); });
  RowBlocking(&report, "blocking, 64 per publish", b64.ns, peers);
  const Flood p64 = Best(runs, [&] { return RunFlood(true, kBatch, 8000000, calls); });
  RowPolling(&report, "polling, 64 per publish", p64.ns, peers);
  const Flood p1 = Best(runs, [&] { return RunFlood(true, 1, 4000000, calls); });
  RowPolling(&report, "polling, publish each", p1.ns, peers);
  const Latency l = RunLatency(true, 20000, 20000);
  report.Row("one way, polling",
             absl::StrFormat("p50 %.0f, p90 %.0f, p99 %.0f ns (bare ring %.0f)", l.p50, l.p90,
                             l.p99, bare_p50),
             "p50 400 ns", l.p50 <= 400);
  const Latency s = RunLatency(false, 5000, 200000);
  report.Row("one way, sleeping", absl::StrFormat("p50 %.1f, p90 %.1f, p99 %.1f us", s.p50 / 1e3,
                                                  s.p90 / 1e3, s.p99 / 1e3));
  RowCalls(&report, "polling", p1, calls);
  RowCalls(&report, "blocking", b1, calls);
  report.Row("wake-ups per message under flood", absl::StrFormat("%.5f", b1.wakeups_per_message),
             "1/64", b1.wakeups_per_message <= kWakeMax);
  std::vector<double> gb;
  for (int i = 0; i < runs; ++i) gb.push_back(RunFrames(400));
  report.Row("frames of 4 MiB, written once, read once", absl::StrFormat("%.1f GB/s", Median(gb)),
             "5 GB/s", Median(gb) >= 5);
  const double parameter = RunParameter(20000000);
  report.Row("parameter", absl::StrFormat("%.1f ns", parameter), "20 ns", parameter <= 20);
  return report.Finish(
      absl::StrFormat("64-byte messages, two processes, medians of %d runs, %s", runs, Load()));
}

}  // namespace
}  // namespace uwq::kup

int main(int argc, char** argv) { return uwq::kup::Main(argc, argv); }
