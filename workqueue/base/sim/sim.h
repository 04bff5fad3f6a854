// SPDX-License-Identifier: BSD-3-Clause
//
// sim.h -- what the body of a simulated test may ask of the simulator, besides
// base/sync.h itself.  The explorer that runs bodies is tests/sim/explorer.h.
//
// Threads: any fiber of an execution.  Called outside of one, each of these is a
// CheckFailed, except SetCurrentCpu.
#ifndef UWQ_WORKQUEUE_BASE_SIM_SIM_H_
#define UWQ_WORKQUEUE_BASE_SIM_SIM_H_

#include <string>

#include "workqueue/base/sync_types.h"

namespace uwq::sim {

// Computes for `duration_ns` of virtual time: ProbeThread() says "not sleeping"
// and its CPU time grows, while other fibers run.  The machine has as many CPUs
// as needed: two fibers on one emulated CPU burn side by side.
void BurnCpu(base::Nanos duration_ns);

// Sleeps for `duration_ns` of virtual time, as a foreign blocking call would:
// ProbeThread() says "sleeping".
void SleepFor(base::Nanos duration_ns);

// The whole process stands still for `duration_ns` (SIGSTOP, a debugger): the clock
// jumps, and whatever became due meanwhile is due now, in no particular order.
void StandStill(base::Nanos duration_ns);

// Sleeps until nothing more can happen without time passing: every other fiber
// is blocked, burning or finished.  The clock does not move.
void RunUntilIdle();

// Sets what CurrentCpu() returns to the caller.  Not checked against the number
// of CPUs, so that tests can report a CPU that does not exist.
void SetCurrentCpu(int cpu);

// A choice that belongs to the schedule: a number in [0, count), every one of
// which the exhaustive mode tries.
int Choose(int count);

// Fails the execution with `message` and never returns.
[[noreturn]] void Fail(const std::string& message);

}  // namespace uwq::sim

#endif  // UWQ_WORKQUEUE_BASE_SIM_SIM_H_
