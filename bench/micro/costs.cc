// SPDX-License-Identifier: BSD-3-Clause
//
// costs.cc -- what the machine charges for the steps that a queued item is made of:
// atomic operations, cache-line transfers, system calls, wake-ups.
//
// Printed as one JSON object in ns, the least of many rounds each: others that use
// the machine only ever add.  One thread's costs are its CPU time, two threads' wall
// time.  The cost model of docs/performance.md is built from them.
#include <stdio.h>
#include <sys/eventfd.h>

#include <functional>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>

#include "bench/harness/completion.h"
#include "bench/harness/measure.h"
#include "bench/harness/workloads.h"

namespace uwq::bench {
namespace {

constexpr int kRounds = 9;

double Least(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

void Print(const char* name, double ns) {
  static const char* separator = "{";
  printf("%s\"%s\": %.4g", separator, name, ns);
  separator = ",\n ";
}

void Each(const char* name, int ops, const std::function<void(int)>& loop) {
  std::vector<double> rounds;
  loop(ops / 10);
  for (int r = 0; r < kRounds; ++r) {
    const int64_t begin = ReadClock(CLOCK_THREAD_CPUTIME_ID);
    loop(ops);
    rounds.push_back(static_cast<double>(ReadClock(CLOCK_THREAD_CPUTIME_ID) - begin) / ops);
  }
  Print(name, Least(rounds));
}

void PinTo(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  (void)sched_setaffinity(0, sizeof(cpus), &cpus);
}

struct alignas(128) Line {
  std::atomic<uint64_t> word{0};
};
Line lines[4];

void OneThread() {
  PinTo(0);
  std::atomic<uint64_t>& word = lines[0].word;
  Each("rmw_own_line", 1000000, [&](int n) {
    for (int i = 0; i < n; ++i) word.fetch_add(1, std::memory_order_acq_rel);
  });
  Each("fence", 1000000, [&](int n) {
    for (int i = 0; i < n; ++i) {
      word.store(1, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_seq_cst);
    }
  });
  std::mutex mutex;
  Each("mutex_own_line", 1000000, [&](int n) {
    for (int i = 0; i < n; ++i) {
      mutex.lock();
      mutex.unlock();
    }
  });
  // What one hop of an item that queues itself is made of: claim, push, empty the door,
  // start, and the pool's lock pair.
  Each("hop_rmw", 1000000, [&](int n) {
    for (int i = 0; i < n; ++i) {
      for (Line& line : lines) line.word.exchange(1, std::memory_order_acq_rel);
      mutex.lock();
      mutex.unlock();
    }
  });
  Each("clock_read", 1000000, [&](int n) {
    for (int i = 0; i < n; ++i) (void)Now();
  });
  Each("getcpu", 1000000, [&](int n) {
    for (int i = 0; i < n; ++i) (void)sched_getcpu();
  });
  Each("syscall", 200000, [&](int n) {
    for (int i = 0; i < n; ++i) syscall(SYS_getppid);
  });
  Each("futex_wake_nobody", 200000, [&](int n) {
    for (int i = 0; i < n; ++i) {
      syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }
  });
}

// What taking a timer out of a list costs at least: entries as large as a delayed item,
// linked in one random order and taken out in another, so that the entry and both of its
// neighbours are nowhere near the CPU.
struct Entry {
  Entry *next, *prev;
  std::atomic<uint64_t> word{0};
  uint64_t rest[7];

  void Unlink() {
    next->prev = prev;
    prev->next = next;
  }
  void LinkBehind(Entry* other) {
    next = other->next;
    prev = other;
    next->prev = other->next = this;
  }
};

void AtRandom(const char* name, size_t size, const std::function<void(Entry&)>& each) {
  std::vector<Entry> entries(size);
  std::vector<size_t> order(size);
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<double> rounds;
  for (unsigned r = 0; r < 3; ++r) {
    std::shuffle(order.begin(), order.end(), std::mt19937_64(2 * r));
    for (size_t i = 0; i < size; ++i) {
      Entry* const next = &entries[order[(i + 1) % size]];
      entries[order[i]].next = next;
      next->prev = &entries[order[i]];
    }
    std::shuffle(order.begin(), order.end(), std::mt19937_64(2 * r + 1));
    const int64_t begin = ReadClock(CLOCK_THREAD_CPUTIME_ID);
    for (const size_t i : order) each(entries[i]);
    rounds.push_back(static_cast<double>(ReadClock(CLOCK_THREAD_CPUTIME_ID) - begin) /
                     static_cast<double>(size));
  }
  Print(name, Least(rounds));
}

void RandomLists() {
  AtRandom("unlink_random_of_1e6", 1000000, [](Entry& entry) {
    entry.Unlink();
    entry.next = entry.prev = &entry;
  });
  // The same from any thread: under a lock, and with the word of the item changed.  Locked
  // operations wait for the misses before them, which without them overlap.
  std::mutex mutex;
  AtRandom("unlink_random_of_1e6_locked", 1000000, [&](Entry& entry) {
    std::lock_guard lock(mutex);
    entry.Unlink();
    entry.next = entry.prev = &entry;
    entry.word.fetch_and(~uint64_t{1}, std::memory_order_acq_rel);
  });
  // To the end of one of 500 lists, about as many as hold the timers of 1 .. 1000 s.
  std::vector<Entry> heads(500);
  for (Entry& head : heads) head.next = head.prev = &head;
  size_t turn = 0;
  AtRandom("relink_random_of_1e5_locked", 100000, [&](Entry& entry) {
    std::lock_guard lock(mutex);
    entry.Unlink();
    entry.LinkBehind(heads[turn++ * 7919 % heads.size()].prev);
    entry.word.fetch_or(1, std::memory_order_acq_rel);
  });
}

// Steps begin..end of one side of a two-sided loop.
using Side = std::function<void(int begin, int end)>;

// `here` on CPU 0 and `there` on `cpu`, in `chunks` of `ops`; each chunk is timed.
std::vector<double> Two(int cpu, int chunks, int ops, const Side& here, const Side& there) {
  for (Line& line : lines) line.word = 0;
  std::atomic<int> ready{0};
  std::thread other([&] {
    PinTo(cpu);
    ready = 1;
    there(0, chunks * ops);
  });
  PinTo(0);
  while (ready.load() == 0) sched_yield();
  std::vector<double> times;
  for (int c = 0; c < chunks; ++c) {
    const int64_t begin = Now();
    here(c * ops, (c + 1) * ops);
    times.push_back(static_cast<double>(Now() - begin) / ops);
  }
  other.join();
  return times;
}

void TwoThreads() {
  std::atomic<uint64_t>& a = lines[0].word;
  std::atomic<uint64_t>& b = lines[1].word;
  // One line changes sides twice per round.
  const auto ping = [](uint64_t parity) {
    return [parity](int begin, int end) {
      std::atomic<uint64_t>& word = lines[2].word;
      for (int i = begin; i < end; ++i) {
        const uint64_t turn = static_cast<uint64_t>(i) * 2 + parity;
        while (word.load(std::memory_order_acquire) != turn) Relax();
        word.store(turn + 1, std::memory_order_release);
      }
    };
  };
  Print("line_round_trip", Least(Two(1, 500, 500, ping(0), ping(1))));
  // What handing items over costs at least: 32 bytes each, written on one side and on
  // the other, told of once per 64, with no atomic read-modify-write at all.
  struct Item {
    uint64_t words[4];
  };
  constexpr int kItems = 4096, kBatch = 64;
  std::vector<Item> items(kItems);
  const auto produce = [&](int begin, int end) {
    for (int i = begin; i < end; ++i) {
      while (static_cast<uint64_t>(i) >= b.load(std::memory_order_acquire) + kItems) Relax();
      items[i % kItems].words[0] = static_cast<uint64_t>(i);
      if (i % kBatch == kBatch - 1)
        a.store(static_cast<uint64_t>(i) + 1, std::memory_order_release);
    }
  };
  const auto consume = [&](int begin, int end) {
    for (int i = begin; i < end; i += kBatch) {
      while (a.load(std::memory_order_acquire) < static_cast<uint64_t>(i) + kBatch) Relax();
      for (int k = i; k < i + kBatch; ++k) ++items[k % kItems].words[1];
      b.store(static_cast<uint64_t>(i) + kBatch, std::memory_order_release);
    }
  };
  Print("item_handover", Least(Two(1, 64, 64 * kItems / 8, produce, consume)));
  // What `w1` takes at least: two million items, each handed over once, with the
  // read-modify-writes of the shortest way: claim and push here, start and the pool's lock
  // pair there.  The push is on a line that both write, once per batch there.
  constexpr int kMany = 64 * 32768;
  std::vector<Item> many(kMany);
  const auto rmw = [](uint64_t& word) {
    std::atomic_ref<uint64_t>(word).exchange(1, std::memory_order_acq_rel);
  };
  std::atomic<uint64_t>& door = lines[2].word;
  std::atomic<uint64_t>& lock = lines[3].word;
  const auto queue = [&](int begin, int end) {
    for (int i = begin; i < end; ++i) {
      rmw(many[i].words[0]);
      door.exchange(static_cast<uint64_t>(i), std::memory_order_acq_rel);
      if (i % kBatch == kBatch - 1)
        a.store(static_cast<uint64_t>(i) + 1, std::memory_order_release);
    }
  };
  const auto run = [&](int begin, int end) {
    for (int i = begin; i < end; i += kBatch) {
      while (a.load(std::memory_order_acquire) < static_cast<uint64_t>(i) + kBatch) Relax();
      door.exchange(0, std::memory_order_acq_rel);
      for (int k = i; k < i + kBatch; ++k) {
        rmw(many[k].words[0]);
        lock.exchange(0, std::memory_order_acq_rel);
        lock.exchange(1, std::memory_order_acq_rel);
      }
      b.store(static_cast<uint64_t>(i) + kBatch, std::memory_order_release);
    }
  };
  const auto queue_and_wait = [&](int begin, int end) {
    queue(begin, end);
    while (b.load(std::memory_order_acquire) < static_cast<uint64_t>(end)) Relax();
  };
  std::vector<double> whole;
  for (int round = 0; round < 3; ++round) whole.push_back(Two(1, 1, kMany, queue_and_wait, run)[0]);
  Print("item_handover_rmw", Least(whole));
  const auto futex = [](std::atomic<uint64_t>& from, std::atomic<uint64_t>& to, bool first) {
    const auto wake = [&to](int i) {
      to.store(static_cast<uint64_t>(i) + 1, std::memory_order_release);
      syscall(SYS_futex, &to, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    };
    return [&from, first, wake](int begin, int end) {
      for (int i = begin; i < end; ++i) {
        if (first) wake(i);
        uint64_t seen;
        while ((seen = from.load(std::memory_order_acquire)) != static_cast<uint64_t>(i) + 1) {
          syscall(SYS_futex, &from, FUTEX_WAIT_PRIVATE, static_cast<int>(seen), nullptr, nullptr,
                  0);
        }
        if (!first) wake(i);
      }
    };
  };
  Print("futex_round_trip_same_cpu",
        Least(Two(0, 100, 100, futex(a, b, true), futex(b, a, false))));
  Print("futex_round_trip_two_cpus", Least(Two(1, 100, 50, futex(a, b, true), futex(b, a, false))));
  const int one = eventfd(0, 0), two = eventfd(0, 0);
  const auto event = [](int from, int to, bool first) {
    return [from, to, first](int begin, int end) {
      uint64_t value = 1;
      for (int i = begin; i < end; ++i) {
        if (first && write(to, &value, sizeof(value)) < 0) abort();
        if (read(from, &value, sizeof(value)) < 0) abort();
        value = 1;
        if (!first && write(to, &value, sizeof(value)) < 0) abort();
      }
    };
  };
  Print("eventfd_round_trip_same_cpu",
        Least(Two(0, 100, 100, event(one, two, true), event(two, one, false))));
  Print("eventfd_round_trip_two_cpus",
        Least(Two(1, 100, 50, event(one, two, true), event(two, one, false))));
}

}  // namespace
}  // namespace uwq::bench

int main() {
  uwq::bench::OneThread();
  uwq::bench::RandomLists();
  if (sysconf(_SC_NPROCESSORS_ONLN) > 1) uwq::bench::TwoThreads();
  printf("}\n");
  return 0;
}
