// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/base/sync_real.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "workqueue/base/check.h"
#include "workqueue/base/fault.h"
#include "workqueue/base/sync.h"

namespace uwq::base {
namespace {

// CLOCK_MONOTONIC absolute timeout, hence FUTEX_WAIT_BITSET.
void FutexWait(std::atomic<uint32_t>* word, uint32_t expected, Nanos deadline_ns) {
  timespec ts;
  timespec* timeout = nullptr;
  if (deadline_ns != kForever) {
    ts.tv_sec = deadline_ns / kSecond;
    ts.tv_nsec = deadline_ns % kSecond;
    timeout = &ts;
  }
  syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, timeout, nullptr,
          FUTEX_BITSET_MATCH_ANY);
}

// Uses the address only, so the word may already be gone (a stray wake is harmless).
void FutexWake(std::atomic<uint32_t>* word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

}  // namespace

int SpinBudget() {
  static const int budget = OnlineCpus() > 1 ? 100 : 0;
  return budget;
}

// Spins briefly first: critical sections here are some tens of ns, a futex sleep
// and wake costs microseconds.
void Mutex::LockSlow() {
  for (int i = SpinBudget(); i > 0; --i) {
    CpuRelax();
    uint32_t seen = kFree;
    if (state_.load(std::memory_order_relaxed) == kFree &&
        state_.compare_exchange_strong(seen, kHeld, std::memory_order_acquire)) {
      return;
    }
  }
  // From here on "contended": whoever unlocks wakes one, who takes it as contended
  // again, since there may be more.
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
    FutexWait(&state_, kContended, kForever);
  }
}

void Mutex::Wake() { FutexWake(&state_, 1); }

bool CondVar::WaitUntil(Mutex* mu, Nanos deadline_ns) {
  // Under the mutex, so that a notifier, who changed the state under it, too, either
  // comes before our caller's look at the state or sees us here.
  waiters_.fetch_add(1, std::memory_order_relaxed);
  const uint32_t sequence = sequence_.load(std::memory_order_relaxed);
  mu->Unlock();
  FutexWait(&sequence_, sequence, deadline_ns);
  const bool notified = sequence_.load(std::memory_order_acquire) != sequence ||
                        deadline_ns == kForever || Now() < deadline_ns;
  // A notifier that holds no mutex may touch this until the count is down: the
  // destroyer of a CondVar has to know that it was the last, as with std's.
  waiters_.fetch_sub(1, std::memory_order_relaxed);
  mu->Lock();
  return notified;
}

void CondVar::Notify(int count) {
  if (waiters_.load(std::memory_order_relaxed) == 0) return;
  sequence_.fetch_add(1, std::memory_order_release);
  FutexWake(&sequence_, count);
}

void CondVar::NotifyAll() { Notify(INT_MAX); }

bool Completion::WaitUntil(Nanos deadline_ns) {
  for (int i = SpinBudget(); i > 0 && !IsSet(); --i) CpuRelax();
  for (;;) {
    uint32_t seen = state_.load(std::memory_order_acquire);
    if (seen == kSet) return true;
    if (deadline_ns != kForever && Now() >= deadline_ns) return false;
    if (seen == kUnset &&
        !state_.compare_exchange_strong(seen, kSleeping, std::memory_order_acquire)) {
      continue;
    }
    FutexWait(&state_, kSleeping, deadline_ns);
  }
}

void Completion::Set() {
  // release: pairs with the acquire in WaitUntil.  After this exchange the waiter
  // may have returned and destroyed *this; only its address is used below.
  const uint32_t old = state_.exchange(kSet, std::memory_order_acq_rel);
  if (old == kSleeping) FutexWake(&state_, 1);
}

bool Parker::ParkUntil(Nanos deadline_ns) {
  uint32_t seen = kToken;
  if (state_.compare_exchange_strong(seen, kEmpty, std::memory_order_acquire)) return true;
  for (;;) {
    seen = kEmpty;
    if (!state_.compare_exchange_strong(seen, kSleeping, std::memory_order_acquire) &&
        seen == kToken) {
      state_.exchange(kEmpty, std::memory_order_acquire);
      return true;
    }
    FutexWait(&state_, kSleeping, deadline_ns);
    seen = kToken;
    if (state_.compare_exchange_strong(seen, kEmpty, std::memory_order_acquire)) return true;
    if (deadline_ns != kForever && Now() >= deadline_ns) {
      seen = kSleeping;
      if (state_.compare_exchange_strong(seen, kEmpty, std::memory_order_acquire)) return false;
      state_.exchange(kEmpty, std::memory_order_acquire);  // a token came in meanwhile
      return true;
    }
  }
}

bool Parker::SpinFor(Nanos duration_ns) {
  if (SpinBudget() == 0) return false;  // whoever would unpark us needs this CPU
  const Nanos end = Now() + duration_ns;
  do {
    for (int i = 0; i < 16; ++i) {
      if (state_.load(std::memory_order_relaxed) == kToken) return true;
      CpuRelax();
    }
  } while (Now() < end);
  return false;
}

bool Parker::Unpark() {
  const uint32_t old = state_.exchange(kToken, std::memory_order_acq_rel);
  if (old != kSleeping) return false;
  FutexWake(&state_, 1);
  return true;
}

ThreadId SelfId() {
  static thread_local const ThreadId id = static_cast<ThreadId>(syscall(SYS_gettid));
  return id;
}

struct Thread::Impl {
  Options options;
  cpu_set_t cpus;
  std::function<void()> body;
  pthread_t handle;
  Completion started;
  ThreadId id = 0;
};

namespace {

// Best effort by contract: a driver on a machine without CAP_SYS_NICE still works.
void ApplyScheduling(const Thread::Options& options, const cpu_set_t& cpus) {
  if (options.cpu >= 0 || options.cpus != nullptr) {
    (void)sched_setaffinity(0, sizeof(cpus), &cpus);
  }
  if (options.nice != 0) (void)setpriority(PRIO_PROCESS, SelfId(), options.nice);
  if (options.rt_priority > 0) {
    sched_param param{};
    param.sched_priority = options.rt_priority;
    (void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
  }
}

}  // namespace

absl::StatusOr<Thread> Thread::Start(const Options& options, std::function<void()> body) {
  if (FaultInjected("thread_create")) {
    return absl::ResourceExhaustedError(absl::StrCat("thread ", options.name, ": injected fault"));
  }
  auto impl = std::make_shared<Impl>();
  impl->options = options;
  impl->body = std::move(body);
  CPU_ZERO(&impl->cpus);
  if (options.cpu >= 0) CPU_SET(options.cpu, &impl->cpus);
  if (options.cpu < 0 && options.cpus != nullptr) impl->cpus = *options.cpus;

  // Signals belong to the driver's own threads: the new thread inherits a full mask.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  auto* arg = new std::shared_ptr<Impl>(impl);
  const int error = pthread_create(
      &impl->handle, nullptr,
      [](void* p) -> void* {
        std::unique_ptr<std::shared_ptr<Impl>> holder(static_cast<std::shared_ptr<Impl>*>(p));
        Impl& self = **holder;
        self.id = SelfId();
        SetThreadName(self.options.name);
        ApplyScheduling(self.options, self.cpus);
        self.started.Set();
        self.body();
        return nullptr;
      },
      arg);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  if (error != 0) {
    delete arg;
    return absl::ResourceExhaustedError(
        absl::StrCat("thread ", options.name, ": pthread_create: ", strerror(error)));
  }
  impl->started.Wait();
  Thread thread;
  thread.impl_ = std::move(impl);
  return thread;
}

void Thread::Join() {
  UWQ_CHECK(joinable());
  pthread_join(impl_->handle, nullptr);
  impl_.reset();
}

ThreadId Thread::id() const { return impl_ == nullptr ? 0 : impl_->id; }

void SetThreadName(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

ThreadProbe ProbeThread(ThreadId id) {
  ThreadProbe probe;
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/task/%d/stat", id);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return probe;
  char text[512];
  const ssize_t length = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (length <= 0) return probe;
  text[length] = '\0';
  // "tid (comm) S ...": comm may itself hold parentheses, so search from the end.
  const char* state = strrchr(text, ')');
  if (state == nullptr || state[1] == '\0') return probe;
  probe.sleeping = state[2] == 'S' || state[2] == 'D';
  // The kernel encodes a thread's CPU clock id from its tid (clock_getcpuclockid does the same).
  const clockid_t clock = static_cast<clockid_t>((~static_cast<unsigned>(id) << 3) | 6);
  timespec ts;
  if (clock_gettime(clock, &ts) != 0) return probe;
  probe.cpu_time_ns = ts.tv_sec * kSecond + ts.tv_nsec;
  probe.valid = true;
  return probe;
}

Nanos Now() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * kSecond + ts.tv_nsec;
}

namespace {

#if defined(__x86_64__)
// The kernel keeps the time by the TSC only where that runs at one rate, through all
// idle states, and alike on all CPUs.
bool TscIsTheClock() {
  const int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                      O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[16] = {};
  const ssize_t length = read(fd, text, sizeof(text) - 1);
  close(fd);
  return length > 0 && strcmp(text, "tsc\n") == 0;
}
#endif

}  // namespace

Nanos StaleNow() {
#if defined(__x86_64__)
  // No TSC is slower than 0.5 GHz, and that is all that has to be known of its rate:
  // so few cycles later, the reading is not older than promised.
  constexpr uint64_t kCycles = kStaleness / 2;
  static const bool usable = TscIsTheClock();
  thread_local uint64_t read_at = 0;
  thread_local Nanos reading = 0;
  if (usable) {
    const uint64_t cycles = __builtin_ia32_rdtsc();
    if (cycles - read_at >= kCycles) {  // also when it went back
      read_at = cycles;
      reading = Now();
    }
    return reading;
  }
#endif
  return Now();
}

int OnlineCpus() {
  static const int cpus = [] {
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? static_cast<int>(n) : 1;
  }();
  return cpus;
}

}  // namespace uwq::base
