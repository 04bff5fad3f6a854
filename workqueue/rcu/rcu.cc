// SPDX-License-Identifier: BSD-3-Clause
//
// rcu.cc -- grace periods, and work that waits for one.
//
// Invariant R1: a reader's word is 0 outside and, inside, the number of the grace
// period that it found on entry.  synchronize_rcu() opens a new period and waits for
// every reader that is still in an older one.
//
// A fence stands between the store of the word and the later loads of the reader, and
// one between the new period and the updater's look at the words.  One of the two is
// first: either the updater sees the word, or the reader sees what was published before
// the new period (tests/relacy/pending_litmus.cc, "grace").  The seq_cst operations
// beside them are for TSan, which has no fences.
//
// After a fork the child's only reader can be the thread that forked; a grace period
// under way there is nobody's, and callbacks that had not run are the parent's.  An item
// that waited for one of them counts as idle, as every item of the parent's (runtime.h).
//
// Not liburcu: its prebuilt library is invisible to the thread sanitizer, which then
// reports every free after a grace period as a race (docs/porting_from_linux.md).
#include <stdlib.h>

#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "workqueue/base/check.h"
#include "workqueue/base/fork.h"
#include "workqueue/base/list.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/concurrency.h"
#include "workqueue/core/item.h"
#include "workqueue/core/report.h"
#include "workqueue/rcu/uwq_rcu.h"

namespace base = uwq::base;
namespace core = uwq::core;

namespace {

struct Reader {
  base::ListNode node;
  base::Atomic<uint64_t> period{0};
  int depth = 0;  // own thread only
};

struct Domain {
  base::Atomic<uint64_t> period{1};
  base::Mutex updating;  // before `registry`: one grace period at a time
  base::Mutex registry;
  base::List<Reader, &Reader::node> readers ABSL_GUARDED_BY(registry);
};

Domain& TheDomain() {
  static Domain* const domain = new Domain;  // never destroyed: used by exiting threads
  return *domain;
}

thread_local Reader* registered = nullptr;  // the calling thread's, once it has one
void InstallForkHandler();

// Links the thread at its first read section, unlinks it when the thread ends.
struct Registration {
  Registration() {
    InstallForkHandler();
    registered = &reader;
    base::MutexLock lock(&TheDomain().registry);
    TheDomain().readers.push_back(&reader);
  }
  ~Registration() {
    base::MutexLock lock(&TheDomain().registry);
    TheDomain().readers.remove(&reader);
  }
  Reader reader;
};

Reader& Self() {
  static thread_local Registration registration;
  return registration.reader;
}

void WaitForReaders(uint64_t period) {
  Domain& domain = TheDomain();
  for (int round = 0;; ++round) {
    bool quiet = true;
    {
      base::MutexLock lock(&domain.registry);
      for (Reader* r = domain.readers.front(); r != nullptr; r = domain.readers.next(r)) {
        const uint64_t seen = r->period.load(std::memory_order_seq_cst);
        if (seen != 0 && seen < period) quiet = false;
      }
    }
    if (quiet) return;
    // Read sections are short; a reader tells nobody that it leaves, so that leaving
    // costs one store.
    base::Completion never;
    (void)never.WaitUntil(base::Now() + (round < 8 ? 20 : 500) * base::kMicrosecond);
  }
}

void GracePeriod() {
  Domain& domain = TheDomain();
  base::MutexLock lock(&domain.updating);
  const uint64_t period = domain.period.fetch_add(1, std::memory_order_seq_cst) + 1;
  base::Fence(std::memory_order_seq_cst);
  WaitForReaders(period);
}

constexpr uintptr_t kOffsetMax = 4096;
constexpr base::Nanos kBatch = 4 * base::kMillisecond;

void RunCallback(uwq_rcu_head* head) {
  const auto func = reinterpret_cast<uintptr_t>(head->func);
  if (func < kOffsetMax) {
    free(reinterpret_cast<char*>(head) - func);  // kfree_rcu()
  } else {
    head->func(head);  // may free it
  }
}

base::Atomic<void (*)(bool)> on_callbacks{nullptr};

uwq_rcu_work* RcuWorkOf(uwq_rcu_head* head) {
  return reinterpret_cast<uwq_rcu_work*>(reinterpret_cast<char*>(head) -
                                         offsetof(uwq_rcu_work, rcu));
}

void QueueAfterGracePeriod(uwq_rcu_head* head) {
  uwq_rcu_work* const rwork = RcuWorkOf(head);
  core::QueueClaimed(core::kWorkCpuUnbound, reinterpret_cast<core::Workqueue*>(rwork->wq),
                     &rwork->work);
}

// As an item in its grace period is.
bool ClaimedAndNowhere(core::WorkItem* work) {
  constexpr core::Word kPlaces = core::kOnPwq | core::kTimer | core::kDoor;
  return (core::LoadWord(work) & (core::kPending | kPlaces)) == core::kPending;
}

// Runs callbacks in the order of call_rcu(), a batch for each grace period, on a thread
// of its own.  While the system refuses that thread, who waits for callbacks runs them.
class Callbacks {
 public:
  void Add(uwq_rcu_head* head) {
    head->next = nullptr;
    bool have_thread;
    {
      base::MutexLock lock(&mutex_);
      *tail_ = head;
      tail_ = &head->next;
      ++added_;
      have_thread = HaveThreadLocked();
      work_.NotifyOne();
    }
    if (!have_thread) {
      core::ReportOnce(core::ReportKind::kOther, reinterpret_cast<void*>(&uwq_call_rcu),
                       "call_rcu: no thread for the callbacks; they run when one can be had, "
                       "or in rcu_barrier() and flush_rcu_work()");
    }
  }

  void Barrier() {
    mutex_.Lock();
    for (const uint64_t mine = added_; done_ < mine;) {
      if (running_ || HaveThreadLocked()) {
        progress_.Wait(&mutex_);
      } else {
        RunBatchLocked();
      }
    }
    mutex_.Unlock();
  }

  // Around fork(): the child must find the lists whole.
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex_) { mutex_.Lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION(mutex_) { mutex_.Unlock(); }
  // In the child, where no callback runs that the parent asked for: their items are idle.
  void ReleaseItems() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (uwq_rcu_head* head : {batch_, head_}) {
      for (; head != nullptr; head = head->next) {
        if (head->func != &QueueAfterGracePeriod) continue;
        core::WorkItem* const work = &RcuWorkOf(head)->work;
        if (!ClaimedAndNowhere(work)) continue;
        (void)core::ReleaseClaim(work, 0);  // who slept on the claim is not here
      }
    }
  }

  // Takes a callback back that has not begun; false: it is not here.  One that has begun is
  // waited for.  Compares addresses only: `head` may be any memory.
  bool Take(uwq_rcu_head* head) {
    base::MutexLock lock(&mutex_);
    for (uwq_rcu_head** list : {&batch_, &head_}) {
      for (uwq_rcu_head** link = list; *link != nullptr; link = &(*link)->next) {
        if (*link != head) continue;
        *link = head->next;
        if (tail_ == &head->next) tail_ = link;
        return true;
      }
    }
    ++takers_;
    while (current_ == head && runner_ != base::SelfId()) progress_.Wait(&mutex_);
    --takers_;
    return false;
  }

  // The calling thread runs callbacks, and is inside one.
  bool InCallback() {
    base::MutexLock lock(&mutex_);
    return runner_ == base::SelfId();
  }

 private:
  bool HaveThreadLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!has_thread_) {
      InstallForkHandler();
      base::Thread::Options options;
      options.name = "uwq-rcu";
      has_thread_ = base::Thread::Start(options, [this] { Main(); }).ok();  // never joined
    }
    return has_thread_;
  }

  void Main() {
    mutex_.Lock();
    for (;;) {
      while (head_ == nullptr || running_) work_.Wait(&mutex_);
      // One grace period serves what comes within the time that a kernel's takes at
      // least; so queue_rcu_work() and flush_rcu_work() in a row find the item pending.
      const base::Nanos full = base::Now() + kBatch;
      while (base::Now() < full) (void)work_.WaitUntil(&mutex_, full);
      RunBatchLocked();
    }
  }

  // Drops the lock meanwhile.
  void RunBatchLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    batch_ = std::exchange(head_, nullptr);
    tail_ = &head_;
    const uint64_t upto = added_;
    running_ = true;
    mutex_.Unlock();
    GracePeriod();
    // Callbacks must not sleep, as in the kernel.
    const auto mark = on_callbacks.load(std::memory_order_acquire);
    if (mark != nullptr) mark(true);
    mutex_.Lock();
    runner_ = base::SelfId();
    while (batch_ != nullptr) {
      current_ = std::exchange(batch_, batch_->next);
      uwq_rcu_head* const head = current_;
      mutex_.Unlock();
      RunCallback(head);
      mutex_.Lock();
      current_ = nullptr;
      if (takers_ > 0) progress_.NotifyAll();
    }
    runner_ = 0;
    mutex_.Unlock();
    if (mark != nullptr) mark(false);
    mutex_.Lock();
    running_ = false;
    done_ = upto;
    progress_.NotifyAll();
    work_.NotifyOne();
  }

  base::Mutex mutex_;
  base::CondVar work_;      // with mutex_
  base::CondVar progress_;  // with mutex_
  uwq_rcu_head* head_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uwq_rcu_head** tail_ ABSL_GUARDED_BY(mutex_) = &head_;
  // Of the batch under way: what has not begun, what runs, and the thread that runs it.
  uwq_rcu_head* batch_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uwq_rcu_head* current_ ABSL_GUARDED_BY(mutex_) = nullptr;
  base::ThreadId runner_ ABSL_GUARDED_BY(mutex_) = 0;
  int takers_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t added_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;  // a batch is under way
  bool has_thread_ ABSL_GUARDED_BY(mutex_) = false;
};

Callbacks& TheCallbacks() {
  static Callbacks* const callbacks = new Callbacks;
  return *callbacks;
}

void BeforeFork() ABSL_NO_THREAD_SAFETY_ANALYSIS { TheCallbacks().Lock(); }
void InParent() ABSL_NO_THREAD_SAFETY_ANALYSIS { TheCallbacks().Unlock(); }

// Both anew and in place: threads that are not here may have held their locks.
void InChild() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Domain* const domain = &TheDomain();
  const uint64_t period = domain->period.load(std::memory_order_relaxed);
  new (domain) Domain;
  domain->period.store(period, std::memory_order_relaxed);
  if (registered != nullptr) domain->readers.push_back(registered);
  TheCallbacks().ReleaseItems();
  new (&TheCallbacks()) Callbacks;
}

void InstallForkHandler() {
  static const bool once = [] {
    (void)TheDomain(), (void)TheCallbacks();
    base::AtFork(&BeforeFork, &InParent, &InChild);
    return true;
  }();
  (void)once;
}

// The grace period of an item that is in it is called off: true, the caller owns its claim.
// `rwork` may be any memory.
bool CallOff(uwq_rcu_work* rwork) {
  return ClaimedAndNowhere(&rwork->work) && TheCallbacks().Take(&rwork->rcu);
}

bool WouldWaitForItself(const char* call, bool for_callbacks) {
  const bool reading = Self().depth > 0;
  if (!reading && !(for_callbacks && TheCallbacks().InCallback())) return false;
  core::ReportOnce(core::ReportKind::kSelfFlush, call,
                   absl::StrCat(call, "() inside ", reading ? "rcu_read_lock()" : "an RCU callback",
                                " would never return"));
  return true;
}

}  // namespace

extern "C" {

void uwq_rcu_read_lock(void) {
  Reader& self = Self();
  if (self.depth++ > 0) return;
  self.period.store(TheDomain().period.load(std::memory_order_seq_cst), std::memory_order_seq_cst);
  base::Fence(std::memory_order_seq_cst);
}

void uwq_rcu_read_unlock(void) {
  Reader& self = Self();
  UWQ_CHECK(self.depth > 0);
  if (--self.depth > 0) return;
  self.period.store(0, std::memory_order_release);
}

bool uwq_rcu_read_lock_held(void) { return Self().depth > 0; }

void uwq_synchronize_rcu(void) {
  core::MightSleep("synchronize_rcu");
  if (WouldWaitForItself("synchronize_rcu", /*for_callbacks=*/false)) return;
  const core::BlockingScope scope;
  GracePeriod();
}

void uwq_call_rcu(uwq_rcu_head* head, void (*func)(uwq_rcu_head*)) {
  head->func = func;
  TheCallbacks().Add(head);
}

void uwq_kfree_rcu(uwq_rcu_head* head, size_t offset) {
  // The function's place holds the offset, which no function's address can be.
  head->func = reinterpret_cast<void (*)(uwq_rcu_head*)>(offset);
  TheCallbacks().Add(head);
}

void uwq_rcu_barrier(void) {
  core::MightSleep("rcu_barrier");
  if (WouldWaitForItself("rcu_barrier", /*for_callbacks=*/true)) return;
  const core::BlockingScope scope;
  TheCallbacks().Barrier();
}

void uwq_rcu_on_callbacks(void (*mark)(bool)) {
  on_callbacks.store(mark, std::memory_order_release);
}

void uwq_init_rcu_work(uwq_rcu_work* rwork, uwq_work_func_t func) {
  if (CallOff(rwork)) {  // T149: it would take the callbacks behind it along
    const std::string was = core::FuncName(rwork->work.func);
    core::ReleaseClaimed(&rwork->work, 0);
    core::ReportReinit(func, was, "in its grace period");
  }
  core::InitWork(&rwork->work, func, false);
  rwork->rcu = {};
  rwork->wq = nullptr;
}

void uwq_destroy_rcu_work(uwq_rcu_work* rwork) {
  uwq_work* const work = &rwork->work;
  if (CallOff(rwork)) {
    core::ReleaseClaimed(work, core::DisableDepthOf(core::OwnedWord(work)));
    core::ReportOnce(core::ReportKind::kFreedWhileBusy, reinterpret_cast<void*>(work->func),
                     absl::StrCat("RCU work of ", core::FuncName(work->func),
                                  " destroyed in its grace period; it was cancelled"));
  }
  core::EndOfLife(work, /*timer=*/false);
}

bool uwq_queue_rcu_work(uwq_workqueue* wq, uwq_rcu_work* rwork) {
  uwq_work* const work = &rwork->work;
  if (!core::ClaimForQueueing(work)) {
    const core::Word word = core::LoadWord(work);
    if (!core::OnList(word) && core::DisableDepthOf(word) > 0) {
      core::ReportOnce(core::ReportKind::kOther, reinterpret_cast<void*>(work->func),
                       "queue_rcu_work() of a disabled item: nothing is queued");
    }
    return false;
  }
  rwork->wq = wq;
  uwq_call_rcu(&rwork->rcu, QueueAfterGracePeriod);
  return true;
}

bool uwq_flush_rcu_work(uwq_rcu_work* rwork) {
  if (!core::WorkPending(&rwork->work)) return core::FlushWork(&rwork->work);
  if (WouldWaitForItself("flush_rcu_work", /*for_callbacks=*/true)) return false;
  uwq_rcu_barrier();
  core::FlushWork(&rwork->work);
  return true;
}

}  // extern "C"
