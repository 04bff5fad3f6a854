// SPDX-License-Identifier: BSD-3-Clause
//
// pending_litmus.cc -- the pairs of atomic operations that no lock orders.
//
// Goal: each pair, with the orders of the code, is right in every execution that the
// C++ memory model allows; with one order or one step taken away, an execution is found
// that is not.  Method: the few lines in question on relacy's types, every interleaving
// and every stale value that a relaxed load may return.
//   refuse   Claim on the refusing path / StartExecution       work_state.h, M2, M3
//   slot     NodeActive::Put / AddWaiter and the second TryGet  pool_workqueue.h, A9
//   thaw     NodeActive::SetMax / Put                           pool_workqueue.h, A7
//   park     Parker::Park / Unpark                              base/sync_real.cc
//   done     Completion::Wait / Set                             base/sync_real.cc, M5
//   door     QueueAtDoor / UpdateAttendedLocked                 queue.cc, door.cc
//   grace    uwq_rcu_read_lock / GracePeriod                    rcu/rcu.cc
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#include <relacy/relacy.hpp>
#pragma GCC diagnostic pop

#include <cstdio>
#include <ostream>
#include <streambuf>

namespace {

enum class Site {
  kNone,
  // refuse
  kLoadEarlyExit,
  kRelaxedStart,
  kStartStores,
  // slot, thaw
  kRelaxedCount,
  kRelaxedPending,
  kLookBeforeLine,
  kPutLooksFirst,
  kRelaxedLimit,
  // park, done
  kNoLock,
  kBlindSleep,
  kStoredToken,
  kRelaxedSet,
  // door
  kRelaxedPush,
  kRelaxedLook,
  kRelaxedClear,
  kRelaxedDoor,
  kLookBeforePush,
  // grace
  kNoReaderFence,
  kNoUpdaterFence,
  kRelaxedLeave,
};
Site mutant = Site::kNone;

rl::memory_order Unless(Site site, rl::memory_order order) {
  return mutant == site ? rl::mo_relaxed : order;
}

// --- refuse: what was stored before a refused queue_work() is seen by the run -----------

constexpr unsigned kPending = 1, kLinked = 8;

struct RefuseTest : rl::test_suite<RefuseTest, 3> {
  rl::atomic<unsigned> word;
  rl::atomic<int> data;
  bool refused;
  int seen;

  void before() {
    word($) = kPending;  // an instance is queued
    data($) = 0;
    refused = false;
    seen = -1;
  }
  void thread(unsigned index) {
    if (index == 0) {  // the caller: shared data, then queue_work()
      data.store(1, rl::mo_relaxed, $);
      unsigned old = 0;
      if (mutant == Site::kLoadEarlyExit) old = word.load(rl::mo_seq_cst, $);
      if ((old & kPending) == 0) old = word.fetch_or(kPending, rl::mo_acq_rel, $);
      refused = (old & kPending) != 0;  // otherwise it queues another run
    } else if (index == 1) {            // the worker: StartExecution, then the function
      if (mutant == Site::kStartStores) {
        word.store(0u, rl::mo_release, $);
      } else {
        (void)word.exchange(0u, Unless(Site::kRelaxedStart, rl::mo_acq_rel), $);
      }
      seen = data.load(rl::mo_relaxed, $);
    } else {  // a flusher: MarkLinked must not break the chain of RMWs
      (void)word.fetch_or(kLinked, rl::mo_relaxed, $);
    }
  }
  void after() { RL_ASSERT(!refused || seen == 1); }
};

// --- slot: a freed slot and a new waiter do not miss each other -------------------------

struct SlotTest : rl::test_suite<SlotTest, 2> {
  rl::atomic<int> nr, nr_pending;
  bool serves, got;

  void before() {
    nr($) = 1;  // max is 1
    nr_pending($) = 0;
    serves = got = false;
  }
  bool TryGet() {
    int seen = nr.load(Unless(Site::kRelaxedCount, rl::mo_seq_cst), $);
    while (seen < 1) {
      if (nr.compare_exchange_strong(seen, seen + 1, rl::mo_seq_cst, $)) return true;
    }
    return false;
  }
  void thread(unsigned index) {
    if (index == 0) {  // Put()
      if (mutant == Site::kPutLooksFirst) serves = nr_pending.load(rl::mo_seq_cst, $) != 0;
      (void)nr.fetch_sub(1, rl::mo_seq_cst, $);
      if (mutant != Site::kPutLooksFirst) {
        serves = nr_pending.load(Unless(Site::kRelaxedPending, rl::mo_seq_cst), $) != 0;
      }
    } else {  // TryGetActiveLocked()
      got = TryGet();
      if (got) return;
      if (mutant == Site::kLookBeforeLine) got = TryGet();
      (void)nr_pending.fetch_add(1, rl::mo_seq_cst, $);
      if (mutant != Site::kLookBeforeLine) got = TryGet();
    }
  }
  void after() { RL_ASSERT(serves || got); }
};

// --- thaw: a raised limit and a freed slot do not miss each other -----------------------

struct ThawTest : rl::test_suite<ThawTest, 2> {
  rl::atomic<int> nr, max;
  bool serves, got;

  void before() {
    nr($) = 1;
    max($) = 0;  // frozen with one item running, one waiting in line
    serves = got = false;
  }
  void thread(unsigned index) {
    if (index == 0) {  // Put(): nr_pending is known to be 1
      const int left = nr.fetch_sub(1, rl::mo_seq_cst, $) - 1;
      serves = left < max.load(Unless(Site::kRelaxedLimit, rl::mo_seq_cst), $);
    } else {  // SetMax(1), then the walk's TryGet()
      max.store(1, rl::mo_seq_cst, $);
      int seen = nr.load(Unless(Site::kRelaxedCount, rl::mo_seq_cst), $);
      got = seen < 1;
    }
  }
  void after() { RL_ASSERT(serves || got); }
};

// --- park: no wake-up is lost --------------------------------------------------------------

enum { kEmpty = 0, kToken = 1, kSleeping = 2 };

struct Parker {
  rl::atomic<int> state;

  void Park() {
    int seen = kToken;
    if (state.compare_exchange_strong(seen, kEmpty, rl::mo_acquire, $)) return;
    for (;;) {
      seen = kEmpty;
      if (mutant == Site::kBlindSleep) {
        state.store(kSleeping, rl::mo_seq_cst, $);
      } else if (!state.compare_exchange_strong(seen, kSleeping, rl::mo_acquire, $) &&
                 seen == kToken) {
        state.store(kEmpty, rl::mo_relaxed, $);
        return;
      }
      rl::rl_futex(&state, rl::RL_FUTEX_WAIT, kSleeping, nullptr, nullptr, 0, $);
      seen = kToken;
      if (state.compare_exchange_strong(seen, kEmpty, rl::mo_acquire, $)) return;
    }
  }
  void Unpark() {
    int old = kEmpty;
    if (mutant == Site::kStoredToken) {
      old = state.load(rl::mo_seq_cst, $);
      state.store(kToken, rl::mo_seq_cst, $);
    } else {
      old = state.exchange(kToken, rl::mo_acq_rel, $);
    }
    if (old == kSleeping) rl::rl_futex(&state, rl::RL_FUTEX_WAKE, 1, nullptr, nullptr, 0, $);
  }
};

// Two wakers put an item each on the pool's list, then wake the worker, which sleeps only
// if it finds the list empty.  A lost wake-up is a deadlock, which relacy reports.
struct ParkTest : rl::test_suite<ParkTest, 3> {
  Parker parker;
  rl::mutex lock;
  rl::atomic<int> items;  // relaxed: the lock alone orders it

  void before() {
    parker.state($) = kEmpty;
    items($) = 0;
  }
  void Lock() {
    if (mutant != Site::kNoLock) lock.lock($);
  }
  void Unlock() {
    if (mutant != Site::kNoLock) lock.unlock($);
  }
  void thread(unsigned index) {
    if (index > 0) {
      Lock();
      (void)items.fetch_add(1, rl::mo_relaxed, $);
      Unlock();
      parker.Unpark();
      return;
    }
    for (int taken = 0; taken < 2;) {
      Lock();
      const int here = items.load(rl::mo_relaxed, $);
      Unlock();
      if (here == taken) {
        parker.Park();
      } else {
        taken = here;
      }
    }
  }
};

// --- done: the waiter sees what the item wrote, and always wakes --------------------------

enum { kUnset = 0, kSet = 1 };

struct DoneTest : rl::test_suite<DoneTest, 2> {
  rl::atomic<int> state;
  rl::var<int> effect;  // plain: a missing order is a data race

  void before() { state($) = kUnset; }
  void thread(unsigned index) {
    if (index == 0) {  // the worker: the item, then its barrier
      effect($) = 1;
      int old = kUnset;
      if (mutant == Site::kStoredToken) {
        old = state.load(rl::mo_seq_cst, $);
        state.store(kSet, rl::mo_seq_cst, $);
      } else {
        old = state.exchange(kSet, Unless(Site::kRelaxedSet, rl::mo_acq_rel), $);
      }
      if (old == kSleeping) rl::rl_futex(&state, rl::RL_FUTEX_WAKE, 1, nullptr, nullptr, 0, $);
      return;
    }
    for (;;) {  // flush_work()
      int seen = state.load(rl::mo_acquire, $);
      if (seen == kSet) break;
      if (mutant == Site::kBlindSleep) {
        state.store(kSleeping, rl::mo_seq_cst, $);
      } else if (seen == kUnset &&
                 !state.compare_exchange_strong(seen, kSleeping, rl::mo_acquire, $)) {
        continue;
      }
      rl::rl_futex(&state, rl::RL_FUTEX_WAIT, kSleeping, nullptr, nullptr, 0, $);
    }
    RL_ASSERT(int(effect($)) == 1);
  }
};

// --- door: no item is left at an unattended door, and none comes in half-written ----------

struct DoorTest : rl::test_suite<DoorTest, 3> {
  rl::atomic<int> newest;  // 0: nobody; else the item's index + 1
  rl::atomic<int> attended;
  rl::var<int> older[2];  // WorkItem::entry: plain
  bool let_in[2], by_producer[2];

  void before() {
    newest($) = 0;
    attended($) = 1;
    let_in[0] = let_in[1] = by_producer[0] = by_producer[1] = false;
  }
  void thread(unsigned index) {
    if (index == 2) {  // UpdateAttendedLocked() by a worker that rests
      attended.store(0, Unless(Site::kRelaxedClear, rl::mo_seq_cst), $);
      int seen = newest.load(Unless(Site::kRelaxedDoor, rl::mo_seq_cst), $);
      if (seen == 0) return;
      seen = newest.exchange(0, rl::mo_seq_cst, $);
      while (seen != 0) {
        let_in[seen - 1] = true;
        seen = older[seen - 1]($);
      }
      return;
    }
    if (mutant == Site::kLookBeforePush) {
      by_producer[index] = attended.load(rl::mo_seq_cst, $) == 0;
    }
    int seen = newest.load(rl::mo_relaxed, $);
    do {
      older[index]($) = seen;
    } while (!newest.compare_exchange_strong(seen, static_cast<int>(index) + 1,
                                             Unless(Site::kRelaxedPush, rl::mo_seq_cst), $));
    if (mutant == Site::kLookBeforePush) return;
    by_producer[index] = attended.load(Unless(Site::kRelaxedLook, rl::mo_seq_cst), $) == 0;
  }
  void after() {
    for (int i = 0; i < 2; ++i) RL_ASSERT(let_in[i] || by_producer[i]);
  }
};

// --- grace: what a reader can still find is not freed ----------------------------------------

struct GraceTest : rl::test_suite<GraceTest, 2> {
  rl::atomic<int> period, word;
  rl::atomic<int> published;  // which object readers find
  rl::var<int> old;           // object 0: plain, so that freeing it under a reader is a race

  void before() {
    period($) = 1;
    word($) = 0;
    published($) = 0;
    old($) = 1;
  }
  void Fence(Site site) {
    if (mutant != site) rl::atomic_thread_fence(rl::mo_seq_cst, $);
  }
  void thread(unsigned index) {
    if (index == 0) {  // uwq_rcu_read_lock(), the section, uwq_rcu_read_unlock()
      word.store(period.load(rl::mo_seq_cst, $), rl::mo_seq_cst, $);
      Fence(Site::kNoReaderFence);
      if (published.load(rl::mo_acquire, $) == 0) RL_ASSERT(int(old($)) == 1);
      word.store(0, Unless(Site::kRelaxedLeave, rl::mo_release), $);
      return;
    }
    (void)published.exchange(1, rl::mo_acq_rel, $);
    const int fresh = period.fetch_add(1, rl::mo_seq_cst, $) + 1;
    Fence(Site::kNoUpdaterFence);
    const int seen = word.load(rl::mo_seq_cst, $);
    if (seen != 0 && seen < fresh) return;  // it would look again
    old($) = 0;
  }
};

// --- The table ---------------------------------------------------------------------------------

// Swallows relacy's reports.  No string stream: relacy replaces operator delete for its
// own bookkeeping, and the library's strings do not take part in that.
struct Sink : std::streambuf {
  int overflow(int c) override { return c; }
};

int failures = 0;

template <typename Test>
void Check(const char* test, const char* name, Site site,
           rl::scheduler_type_e search = rl::fair_full_search_scheduler_type) {
  constexpr unsigned kRandomRuns = 100000;
  mutant = site;
  rl::test_params params;
  Sink buffer;
  std::ostream sink(&buffer);
  params.output_stream = &sink;
  params.progress_stream = &sink;
  params.iteration_count = kRandomRuns;
  params.search_type = search;
  params.execution_depth_limit = 2000;
  const bool ok = rl::simulate<Test>(params);
  const bool expected = site == Site::kNone;
  printf("%-7s %-34s %9u executions  %s%s\n", test, name,
         static_cast<unsigned>(params.stop_iteration), ok ? "no fault" : "fault found",
         ok == expected ? "" : "   <-- NOT AS EXPECTED");
  if (ok != expected) ++failures;
}

}  // namespace

int main() {
  constexpr auto kRandom = rl::random_scheduler_type;
  Check<RefuseTest>("refuse", "as it is", Site::kNone);
  Check<RefuseTest>("refuse", "plain load before the RMW", Site::kLoadEarlyExit);
  Check<RefuseTest>("refuse", "relaxed StartExecution", Site::kRelaxedStart);
  Check<RefuseTest>("refuse", "StartExecution by a store", Site::kStartStores);
  Check<SlotTest>("slot", "as it is", Site::kNone);
  Check<SlotTest>("slot", "relaxed load of the count", Site::kRelaxedCount);
  Check<SlotTest>("slot", "relaxed load of nr_pending", Site::kRelaxedPending);
  Check<SlotTest>("slot", "second look before joining the line", Site::kLookBeforeLine);
  Check<SlotTest>("slot", "Put looks before it releases", Site::kPutLooksFirst);
  Check<ThawTest>("thaw", "as it is", Site::kNone);
  Check<ThawTest>("thaw", "relaxed load of the limit", Site::kRelaxedLimit);
  Check<ThawTest>("thaw", "relaxed load of the count", Site::kRelaxedCount);
  Check<ParkTest>("park", "as it is", Site::kNone, kRandom);
  Check<ParkTest>("park", "sleeps without a CAS", Site::kBlindSleep, kRandom);
  Check<ParkTest>("park", "token by load and store", Site::kStoredToken, kRandom);
  Check<ParkTest>("park", "what is waited for has no lock", Site::kNoLock, kRandom);
  Check<DoneTest>("done", "as it is", Site::kNone);
  Check<DoneTest>("done", "sleeps without a CAS", Site::kBlindSleep);
  Check<DoneTest>("done", "Set by load and store", Site::kStoredToken);
  Check<DoneTest>("done", "relaxed Set", Site::kRelaxedSet);
  Check<DoorTest>("door", "as it is", Site::kNone);
  Check<DoorTest>("door", "relaxed push", Site::kRelaxedPush);
  Check<DoorTest>("door", "relaxed look at the attendance", Site::kRelaxedLook);
  Check<DoorTest>("door", "relaxed end of the attendance", Site::kRelaxedClear);
  Check<DoorTest>("door", "relaxed look at the door", Site::kRelaxedDoor);
  Check<DoorTest>("door", "looks before it pushes", Site::kLookBeforePush);
  Check<GraceTest>("grace", "as it is", Site::kNone);
  Check<GraceTest>("grace", "no fence in the reader", Site::kNoReaderFence);
  Check<GraceTest>("grace", "no fence in the updater", Site::kNoUpdaterFence);
  Check<GraceTest>("grace", "relaxed end of the section", Site::kRelaxedLeave);
  return failures == 0 ? 0 : 1;
}
