// SPDX-License-Identifier: BSD-3-Clause
//
// primitives.cc -- waiting on a word, time, contexts, threads: the floor under the
// Linux headers' locks, completions and wait queues.
//
// Invariant: a waiter is linked in its bucket exactly while nobody has decided to
// wake it; who unlinks it, under the bucket's lock, is who ends its wait.
#include <errno.h>
#include <sched.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "workqueue/base/list.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/concurrency.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"
#include "workqueue/core/worker_pool.h"
#include "workqueue/linux/uwq_linux.h"

namespace base = uwq::base;
namespace core = uwq::core;

namespace {

struct Waiter {
  base::ListNode node;
  const void* word;
  bool linked;  // under the bucket's mutex
  base::Completion woken;
};

struct Bucket {
  base::Mutex mutex;
  base::List<Waiter, &Waiter::node> waiters ABSL_GUARDED_BY(mutex);
  // Counts those who are about to look at their word as well, so that a waker that
  // finds 0 need not take the lock.  RMWs on both sides: whoever comes second sees
  // what the first had stored before.
  base::Atomic<uint32_t> present{0};
};

constexpr size_t kBuckets = 256;

Bucket& BucketOf(const void* word) {
  static Bucket* const buckets = new Bucket[kBuckets];  // never destroyed: used by exiting threads
  const auto address = reinterpret_cast<uintptr_t>(word);
  return buckets[(address * 0x9E3779B97F4A7C15ull) >> 56];
}

// What the Linux headers know of the calling thread.
struct ThreadContext {
  unsigned marks = 0;    // UWQ_CTX_HARDIRQ, UWQ_CTX_SOFTIRQ
  int atomic_depth = 0;  // spinlocks held, preempt_disable()
  void* task = nullptr;
};
thread_local ThreadContext context;

bool InBhItem() {
  const core::Worker* const worker = core::CurrentWorker();
  return worker != nullptr && worker->current_work != nullptr && worker->pool->bh;
}

// Callbacks of call_rcu() must not sleep.
const bool rcu_marked = [] {
  uwq_rcu_on_callbacks(
      [](bool begins) { (void)uwq_context_set(begins ? unsigned{UWQ_CTX_SOFTIRQ} : 0u); });
  return true;
}();

core::Runtime* DefaultRuntime() { return core::Runtime::Default(); }

}  // namespace

struct uwq_thread {
  base::Thread thread;
};

extern "C" {

bool uwq_wait_on(const void* word, uint32_t value, int64_t deadline_ns) {
  Bucket& bucket = BucketOf(word);
  Waiter self;
  self.word = word;
  bucket.present.fetch_add(1, std::memory_order_seq_cst);
  bool woken = true;
  {
    base::MutexLock lock(&bucket.mutex);
    auto& state = *static_cast<uint32_t*>(const_cast<void*>(word));
    self.linked = base::AtomicRef<uint32_t>(state).load(std::memory_order_seq_cst) == value;
    if (self.linked) bucket.waiters.push_back(&self);
  }
  if (self.linked) {
    woken = self.woken.WaitUntil(deadline_ns < 0 ? base::kForever : deadline_ns);
    if (!woken) {
      base::MutexLock lock(&bucket.mutex);
      if (self.linked) {
        bucket.waiters.remove(&self);
      } else {
        // Chosen by a waker meanwhile: its wake-up must not get lost.
        lock.Release();
        self.woken.Wait();
        woken = true;
      }
    }
  }
  bucket.present.fetch_sub(1, std::memory_order_relaxed);
  return woken;
}

void uwq_wake(const void* word, int count) {
  Bucket& bucket = BucketOf(word);
  if (bucket.present.fetch_add(0, std::memory_order_seq_cst) == 0) return;
  base::List<Waiter, &Waiter::node> chosen;
  {
    base::MutexLock lock(&bucket.mutex);
    for (Waiter* waiter = bucket.waiters.front(); waiter != nullptr && count > 0;) {
      Waiter* const next = bucket.waiters.next(waiter);
      if (waiter->word == word) {
        bucket.waiters.remove(waiter);
        waiter->linked = false;
        chosen.push_back(waiter);
        --count;
      }
      waiter = next;
    }
  }
  while (Waiter* const waiter = chosen.front()) {
    chosen.remove(waiter);
    waiter->woken.Set();  // the waiter's stack may be gone after this
  }
}

bool uwq_block_on(const void* word, uint32_t value, int64_t deadline_ns, const char* what) {
  uwq_linux_might_sleep(what);
  const core::BlockingScope scope;
  return uwq_wait_on(word, value, deadline_ns);
}

int64_t uwq_now_ns(void) { return base::Now(); }

unsigned long uwq_jiffies(void) { return uwq_ticks_at(base::Now()); }

void uwq_sleep_ns(int64_t ns, const char* what) {
  uwq_linux_might_sleep(what);
  const core::BlockingScope scope;
  base::Completion never;
  const base::Nanos now = base::Now();
  const base::Nanos deadline = ns > base::kForever - now ? base::kForever : now + ns;
  while (never.WaitUntil(deadline)) {
  }
}

void uwq_busy_wait_ns(int64_t ns) {
  for (const base::Nanos end = base::Now() + ns; base::Now() < end;) base::CpuRelax();
}

unsigned uwq_context(void) {
  unsigned marks = context.marks;
  if (context.atomic_depth > 0) marks |= UWQ_CTX_ATOMIC;
  if (InBhItem()) marks |= UWQ_CTX_SOFTIRQ;
  return marks;
}

unsigned uwq_context_set(unsigned marks) { return std::exchange(context.marks, marks); }

void uwq_atomic_enter(void) { ++context.atomic_depth; }
void uwq_atomic_exit(void) { --context.atomic_depth; }

void uwq_linux_might_sleep(const char* what) {
  core::MightSleep(what);
  if (context.marks == 0 && context.atomic_depth == 0) return;
  const char* const where = (context.marks & UWQ_CTX_HARDIRQ) != 0   ? "an interrupt handler"
                            : (context.marks & UWQ_CTX_SOFTIRQ) != 0 ? "a timer function"
                                                                     : "under a spinlock";
  const core::Worker* const worker = core::CurrentWorker();
  const void* const subject =
      worker != nullptr ? reinterpret_cast<const void*>(worker->current_func) : what;
  core::ReportOnce(core::ReportKind::kSleepInBh, subject,
                   absl::StrCat(what, " may sleep, called from ", where));
}

int uwq_thread_start(uwq_thread** out, const char* name, void (*body)(void*), void* arg) {
  base::Thread::Options options;
  options.name = name;
  absl::StatusOr<base::Thread> thread = base::Thread::Start(options, [body, arg] { body(arg); });
  if (!thread.ok()) return -EAGAIN;
  *out = new uwq_thread{*std::move(thread)};
  return 0;
}

void uwq_thread_join(uwq_thread* thread) {
  thread->thread.Join();
  delete thread;
}

void uwq_thread_bind_self(int cpu) {
  if (cpu < 0 || cpu >= uwq_nr_cpus()) return;
  const int machine_cpu = DefaultRuntime()->topology().MachineCpu(cpu);
  if (machine_cpu < 0) return;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(machine_cpu, &cpus);
  (void)sched_setaffinity(0, sizeof(cpus), &cpus);
}

int uwq_thread_self_id(void) { return base::SelfId(); }
void* uwq_thread_self(void) { return context.task; }
void uwq_thread_set_self(void* task) { context.task = task; }

int uwq_this_cpu(void) { return DefaultRuntime()->LocalCpu(); }
int uwq_nr_cpus(void) { return DefaultRuntime()->topology().nr_cpus(); }
int uwq_nr_nodes(void) { return DefaultRuntime()->topology().nr_nodes(); }
int uwq_cpu_to_node(int cpu) {
  return cpu >= 0 && cpu < uwq_nr_cpus() ? DefaultRuntime()->topology().NodeOf(cpu) : 0;
}

}  // extern "C"
