// SPDX-License-Identifier: BSD-3-Clause
//
// sync_sim.h -- base/sync.h on fibers, under an explorer, in virtual time.
// Include sync.h, never this file.
//
// The memory model is sequential consistency: an Atomic is a plain value, memory
// orders are accepted and ignored, a Fence does nothing, a weak compare-exchange
// never fails spuriously.  What depends on weaker orders is checked elsewhere
// (tests/relacy, TSan).
//
// Each operation is a scheduling point: other threads may run just before it.
// Blocking operations announce what they wait for, so that a thread is chosen
// only when its operation can succeed.  Outside of an execution (static
// initialisation, a test before and after exploring) operations simply act, and
// one that would have to wait is a CheckFailed.
//
// Read on: sim/scheduler.h (mechanism), sim/sim.h (what tests may ask for),
// tests/sim/explorer.h (how schedules are enumerated).
#ifndef UWQ_WORKQUEUE_BASE_SYNC_SIM_H_
#define UWQ_WORKQUEUE_BASE_SYNC_SIM_H_

#include <sched.h>

#include <atomic>  // std::memory_order
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "workqueue/base/sim/scheduler.h"
#include "workqueue/base/sync_types.h"

namespace uwq::base {

// Lets somebody else run, without counting as a preemption; alone, a spinning
// thread makes the clock jump to the next deadline.
inline void CpuRelax() { sim::Yield(); }

namespace internal {

// The operations of std::atomic on a plain value that Derived::cell() names.
template <typename T, typename Derived>
class AtomicOps {
 public:
  using value_type = T;
  static constexpr bool is_always_lock_free = true;
  bool is_lock_free() const { return true; }

  T load(std::memory_order = std::memory_order_seq_cst) const {
    At("Atomic::load");
    return *cell();
  }
  void store(T value, std::memory_order = std::memory_order_seq_cst) const {
    At("Atomic::store");
    *cell() = value;
    sim::AfterRelease();
  }
  T exchange(T value, std::memory_order = std::memory_order_seq_cst) const {
    At("Atomic::exchange");
    return Update(value);
  }
  bool compare_exchange_strong(T& expected, T desired,
                               std::memory_order = std::memory_order_seq_cst) const {
    At("Atomic::compare_exchange");
    T* c = cell();
    if (*c != expected) {
      expected = *c;
      return false;
    }
    *c = desired;
    sim::AfterRelease();
    return true;
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order, std::memory_order) const {
    return compare_exchange_strong(expected, desired);
  }
  bool compare_exchange_weak(T& expected, T desired,
                             std::memory_order = std::memory_order_seq_cst) const {
    return compare_exchange_strong(expected, desired);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order, std::memory_order) const {
    return compare_exchange_strong(expected, desired);
  }

  // Integers, and pointers for add and sub.
  template <typename U>
  T fetch_add(U operand, std::memory_order = std::memory_order_seq_cst) const {
    At("Atomic::fetch_add");
    return Update(Add(*cell(), operand));
  }
  template <typename U>
  T fetch_sub(U operand, std::memory_order = std::memory_order_seq_cst) const {
    At("Atomic::fetch_sub");
    return Update(Sub(*cell(), operand));
  }
  T fetch_and(T operand, std::memory_order = std::memory_order_seq_cst) const {
    At("Atomic::fetch_and");
    return Update(static_cast<T>(*cell() & operand));
  }
  T fetch_or(T operand, std::memory_order = std::memory_order_seq_cst) const {
    At("Atomic::fetch_or");
    return Update(static_cast<T>(*cell() | operand));
  }
  T fetch_xor(T operand, std::memory_order = std::memory_order_seq_cst) const {
    At("Atomic::fetch_xor");
    return Update(static_cast<T>(*cell() ^ operand));
  }

  operator T() const { return load(); }
  T operator++() const { return static_cast<T>(fetch_add(1) + 1); }
  T operator++(int) const { return fetch_add(1); }
  T operator--() const { return static_cast<T>(fetch_sub(1) - 1); }
  T operator--(int) const { return fetch_sub(1); }
  T operator+=(T operand) const { return static_cast<T>(fetch_add(operand) + operand); }
  T operator-=(T operand) const { return static_cast<T>(fetch_sub(operand) - operand); }
  T operator|=(T operand) const { return static_cast<T>(fetch_or(operand) | operand); }
  T operator&=(T operand) const { return static_cast<T>(fetch_and(operand) & operand); }
  T operator^=(T operand) const { return static_cast<T>(fetch_xor(operand) ^ operand); }

 private:
  T* cell() const { return static_cast<const Derived*>(this)->Cell(); }
  void At(const char* op) const { sim::Point(op, cell()); }
  T Update(T value) const {
    T old = std::exchange(*cell(), value);
    sim::AfterRelease();
    return old;
  }
  // std::atomic wraps signed overflow; plain arithmetic would be undefined.
  template <typename U>
  static T Add(T a, U b) {
    if constexpr (std::is_integral_v<T>) {
      using Unsigned = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<Unsigned>(a) + static_cast<Unsigned>(static_cast<T>(b)));
    } else {
      return a + b;
    }
  }
  template <typename U>
  static T Sub(T a, U b) {
    if constexpr (std::is_integral_v<T>) {
      using Unsigned = std::make_unsigned_t<T>;
      return static_cast<T>(static_cast<Unsigned>(a) - static_cast<Unsigned>(static_cast<T>(b)));
    } else {
      return a - b;
    }
  }
};

}  // namespace internal

// wait() and notify() of std::atomic are absent on purpose: sleeping goes through
// Completion, Parker and CondVar.
template <typename T>
class Atomic : public internal::AtomicOps<T, Atomic<T>> {
 public:
  constexpr Atomic() : value_() {}
  constexpr Atomic(T value) : value_(value) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;
  T operator=(T value) {
    this->store(value);
    return value;
  }

 private:
  friend class internal::AtomicOps<T, Atomic<T>>;
  T* Cell() const { return &value_; }
  mutable T value_;
};

template <typename T>
class AtomicRef : public internal::AtomicOps<T, AtomicRef<T>> {
 public:
  static constexpr size_t required_alignment = std::atomic_ref<T>::required_alignment;

  explicit AtomicRef(T& object) : object_(&object) {}
  AtomicRef(const AtomicRef&) = default;
  AtomicRef& operator=(const AtomicRef&) = delete;
  T operator=(T value) const {
    this->store(value);
    return value;
  }

 private:
  friend class internal::AtomicOps<T, AtomicRef<T>>;
  T* Cell() const { return object_; }
  T* object_;
};

inline void Fence(std::memory_order) {}

class ABSL_LOCKABLE Mutex {
 public:
  constexpr Mutex() = default;
  // A failure if it is held or waited for.
  ~Mutex();
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  // A failure unless the caller holds it.
  void Unlock() ABSL_UNLOCK_FUNCTION();
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true);
  // Checked here, unlike in the real back end.
  void AssertHeld() const ABSL_ASSERT_EXCLUSIVE_LOCK();

 private:
  friend class CondVar;
  void Take();
  void Drop();
  void Lock(const char* op);

  sim::Fiber* owner_ = nullptr;
  // Those whose next step is to take it: runnable while it is free, else asleep.
  sim::WaitQueue waiters_;
};

class CondVar {
 public:
  constexpr CondVar() = default;
  // A failure if somebody waits.
  ~CondVar();
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  // No spurious wake-ups here, but NotifyOne may pick any waiter, and another
  // thread may take the mutex first: wait in a loop.
  void Wait(Mutex* mu) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  bool WaitUntil(Mutex* mu, Nanos deadline_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void NotifyOne();
  void NotifyAll();

 private:
  void Notify(sim::Fiber* fiber);
  sim::WaitQueue waiters_;
};

class Completion {
 public:
  constexpr Completion() = default;
  // A failure if somebody waits.
  ~Completion();
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  void Wait() { (void)WaitUntil(kForever); }
  // A failure if a second thread waits: Set wakes one.
  bool WaitUntil(Nanos deadline_ns);
  void Set();
  bool IsSet() const {
    sim::Point("Completion::IsSet", this);
    return set_;
  }
  void Reset();

 private:
  bool set_ = false;
  sim::WaitQueue waiters_;
};

class Parker {
 public:
  constexpr Parker() = default;
  // A failure if somebody is parked.
  ~Parker();
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  void Park() { (void)ParkUntil(kForever); }
  // A failure if a second thread parks here at the same time.
  bool ParkUntil(Nanos deadline_ns);
  bool SpinFor(Nanos) { return false; }  // spinning takes no virtual time
  // True if the owner was asleep.
  bool Unpark();

 private:
  bool token_ = false;
  sim::WaitQueue waiters_;
};

using ThreadId = int;  // counts from 2 (the root) in each execution; 1 is outside
ThreadId SelfId();

class Thread {
 public:
  struct Options {
    std::string name = {};            // shown in traces and dumps
    int cpu = -1;                     // >= 0: CurrentCpu() of the thread, if that CPU exists
    const cpu_set_t* cpus = nullptr;  // else the lowest CPU of the set that exists
    int nice = 0;                     // ignored
    int rt_priority = 0;              // ignored
  };
  // Fails at fault point "thread_create".  With neither cpu nor cpus, the thread
  // starts on its creator's CPU.
  static absl::StatusOr<Thread> Start(const Options& options, std::function<void()> body);

  Thread() = default;
  Thread(Thread&& other) noexcept { *this = std::move(other); }
  Thread& operator=(Thread&& other) noexcept {
    id_ = std::exchange(other.id_, 0);
    execution_ = std::exchange(other.execution_, 0);
    return *this;
  }
  bool joinable() const { return id_ != 0; }
  void Join();
  ThreadId id() const { return id_; }

 private:
  ThreadId id_ = 0;
  uint64_t execution_ = 0;
};

void SetThreadName(const std::string& name);
// Exact.  `sleeping` includes waiting for a mutex; the CPU time is what the
// thread spent in sim::BurnCpu(), all else takes no time.
ThreadProbe ProbeThread(ThreadId id);

Nanos Now();
inline Nanos StaleNow() { return Now(); }
int OnlineCpus();
inline int CurrentCpu() { return sim::Self()->cpu; }

inline void*& ThreadSlot(Slot slot) { return sim::Self()->slots[static_cast<int>(slot)]; }

inline int SpinBudget() { return 0; }

}  // namespace uwq::base

#endif  // UWQ_WORKQUEUE_BASE_SYNC_SIM_H_
