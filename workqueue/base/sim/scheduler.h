// SPDX-License-Identifier: BSD-3-Clause
//
// scheduler.h -- threads as fibers of one OS thread, a virtual clock, and the
// one place where it is decided who runs next.
//
// Invariant: between two scheduling points a fiber runs alone, so what a fiber
// does there is atomic.  Every decision comes from the Strategy; nothing else
// (addresses, wall clock, hash order) may influence an execution.
//
// Tests use sim/sim.h and tests/sim/explorer.h; this header is for sync_sim and
// for those who write a Strategy.  One OS thread at a time may use all this.
#ifndef UWQ_WORKQUEUE_BASE_SIM_SCHEDULER_H_
#define UWQ_WORKQUEUE_BASE_SIM_SCHEDULER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "workqueue/base/sim/fiber_context.h"
#include "workqueue/base/sync_types.h"

namespace uwq::base {
class Mutex;
}

namespace uwq::sim {

using base::kForever;
using base::Nanos;

// The clock of every execution starts here: a value that is neither 0 nor real.
inline constexpr Nanos kStartNs = 1000 * base::kSecond;

struct Fiber;

// The fibers whose next step depends on one object, in the order they came.
struct WaitQueue {
  Fiber* head = nullptr;
  Fiber* tail = nullptr;

  bool empty() const { return head == nullptr; }
  void PushBack(Fiber* fiber);
  void Remove(Fiber* fiber);
};

// One simulated thread.
struct Fiber {
  enum class State {
    kRunnable,  // running, or waiting only to be chosen
    kBlocked,   // asleep: cannot be chosen
    kBurning,   // computing until `deadline_ns` of virtual time
    kDone
  };

  int id = 0;
  std::string name;
  State state = State::kDone;
  void* slots[static_cast<int>(base::Slot::kCount)] = {};
  int cpu = 0;
  Nanos cpu_time_ns = 0;    // without the burst under way
  Nanos burn_start_ns = 0;  // kBurning only

  // What it is about to do or waits for; texts for traces and dumps.
  const char* op = "start";
  const void* object = nullptr;
  Fiber* const* holder = nullptr;  // whom it waits for, if one fiber can be named

  Nanos deadline_ns = kForever;
  bool timed_out = false;
  base::Mutex* reacquire = nullptr;  // CondVar: the mutex to hold when it goes on

  WaitQueue* queue = nullptr;
  Fiber* queue_prev = nullptr;
  Fiber* queue_next = nullptr;

  size_t run_index = 0;   // place in the list of runnable fibers
  uint64_t last_run = 0;  // when it was last chosen, in decisions
  uint64_t priority = 0;  // the Strategy's

  WaitQueue joiners;
  Fiber* join_target = nullptr;
  std::function<void()> body;
  FiberContext context;
};

// Decides.  Must be a function of its own state and its arguments alone.
class Strategy {
 public:
  struct Situation {
    Fiber* current;  // the fiber at its scheduling point; null if it cannot go on
    bool yielding;   // it spins: somebody else should run
    bool can_advance;
    const std::vector<Fiber*>& runnable;  // not empty; includes `current`
  };
  virtual ~Strategy() = default;
  // Called before the first decision in which `fiber` takes part.
  virtual void FiberStarted(Fiber* fiber) {}
  // Returns one of `runnable`, or null (only if can_advance) to let the clock
  // jump to the next deadline although somebody could run.
  virtual Fiber* Pick(const Situation& situation) = 0;
  // Returns a number in [0, count), count >= 2.
  virtual int Choose(int count) = 0;
};

struct RunOptions {
  int cpus = 2;
  int64_t max_steps = 100000;
  // Also stop after operations that let others go on (Unlock, Set, stores), so
  // that plain memory touched after a release is raced for.
  bool release_points = false;
  // Let deadlines pass while others can still run.
  bool time_races = false;
  bool trace = false;
};

struct RunResult {
  bool ok = true;
  std::string failure;
  int64_t steps = 0;
  uint64_t hash = 0;  // of all decisions
};

// Runs `body` as the root fiber of one execution, until it and every fiber it
// started have finished, or something failed.  After a failure the fibers that
// live are abandoned: their stacks stay allocated and no destructor runs.
// Not reentrant.  Blocks: no.
RunResult Run(const RunOptions& options, Strategy* strategy, const std::function<void()>& body);

namespace internal {
extern Fiber* self;      // null until the first execution; see Self()
extern bool active;      // an execution is under way
extern int nr_runnable;  // including the running fiber
void PointSlow(const char* op, const void* object);
void AfterReleaseSlow();
extern bool release_points;
Fiber* Outside();  // stands for code that runs before, after and without executions
}  // namespace internal

inline bool Active() { return internal::active; }
inline Fiber* Self() {
  return __builtin_expect(internal::self != nullptr, 1) ? internal::self : internal::Outside();
}

// ---- For sync_sim.cc. ----

// A scheduling point: others may run before this returns.
inline void Point(const char* op, const void* object) {
  if (internal::active) internal::PointSlow(op, object);
}
// The scheduling point after a release, if the execution wants those.  The
// object may be gone: it is not named.
inline void AfterRelease() {
  if (internal::release_points) internal::AfterReleaseSlow();
}
// Sleeps until Wake() or until the deadline; false: the deadline passed, and the
// fiber has been taken off `queue` (may be null).  Outside: CheckFailed.
bool Block(const char* op, const void* object, WaitQueue* queue, Nanos deadline_ns,
           Fiber* const* holder);
// Makes a sleeper runnable; does not touch its queue.
void Wake(Fiber* fiber);
// The opposite, for a fiber whose announced operation became impossible.
void Suspend(Fiber* fiber);
// A step of a spin loop.
void Yield();
Fiber* StartFiber(const std::string& name, int cpu, std::function<void()> body);
// Null if there is no such fiber in this execution.
Fiber* FindFiber(int id);
Nanos CpuTimeOf(const Fiber* fiber);
Nanos VirtualNow();
// Counts executions, so that a handle of an earlier one is recognised.
uint64_t ExecutionNumber();
int Cpus();

// Marks the execution as failed; it stops at the next scheduling point.  For
// callers that hold locks of their own (GoogleTest's reporter).
void NoteFailure(const std::string& message);

}  // namespace uwq::sim

#endif  // UWQ_WORKQUEUE_BASE_SIM_SCHEDULER_H_
