// SPDX-License-Identifier: BSD-3-Clause
// script.h: what happens to the driver, and when, as data: the scenario of the
// demo and the catalogue of faults (reference hdmi.md, sections 6.1 and 6.2).
//
// Invariant: a script says nothing about how the driver works, only what the
// world around it does.  Steps of the device go to the device (SimDevice::Inject
// or an INJECT command over the channel), the others to whoever runs the driver.
//
// The stage: four sinks are loaded (StandardSink), nothing is plugged, the client
// wants content protection from the start, and the cable goes in at kPlugNs.
//
// Threads: constant data; any thread.  Blocks: never.
// Read on: faults.cc, scenario.cc, hdmi_inject.h.
//
//   for (const ScriptStep& step : FindFault("F5")->steps) {
//     if (step.actor == Actor::kDevice) device.Inject(step.inject) ...
//   }
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_SCRIPT_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_SCRIPT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "drivers/hdmi_example/device/hdmi_records.h"
#include "drivers/hdmi_example/device/sim_device.h"

namespace uwq::hdmi {

inline constexpr int64_t kMs = 1'000'000;
inline constexpr int64_t kSecond = 1'000'000'000;
inline constexpr int64_t kPlugNs = kSecond;

enum class Actor { kDevice, kClient, kProcess };

// What a client of the driver does.
enum class ClientOp {
  kNone,
  kProtection,     // a: 0 undesired, 1 desired; b: content type 0 or 1
  kToggle,         // a: times, ends desired
  kReset,          // a: callers at the same moment
  kResetFromPort,  // asks for a reset from inside a work of hdmi-port
  kSuspend,
  kResume,
  kSrm,            // a: 1: an SRM that revokes the plugged sink, 2: one that revokes
                   // a device behind it, 0: an empty one
  kBlockCallback,  // a: ns that the client's callback takes from now on
  kQueueWorks,     // a: pending works, b: delayed works, then shutdown
  kCecRequest,     // a: opcode that expects a reply
  kShutdown,
};

// What happens to the processes and their clocks.
enum class ProcessOp {
  kNone,
  kKillDevice,  // SIGKILL
  kStartDevice,
  kKillDriver,  // SIGKILL
  kStartDriver,
  kStopDriver,    // SIGSTOP; a: ns until SIGCONT
  kRealtimeJump,  // CLOCK_REALTIME; a: ns
};

struct ScriptStep {
  int64_t at_ns = 0;  // since the start of the run
  Actor actor = Actor::kDevice;
  InjectStep inject = {};  // of the device; its delay_ns counts from at_ns
  ClientOp client = ClientOp::kNone;
  ProcessOp process = ProcessOp::kNone;
  int64_t a = 0, b = 0;  // of client and process steps
  const char* text = "";
};

// The stage's sinks by slot: 0 uwq-tv-4k60, 1 uwq-avr-repeater (three devices,
// depth 2), 2 uwq-dvi-xga (with HDCP), 3 uwq-4block.  `edid` are the bytes of
// testdata/<StandardSinkName(slot)>.edid.
inline constexpr int kSlotTv = 0, kSlotAvr = 1, kSlotDvi = 2, kSlot4Block = 3;
const char* StandardSinkName(int slot);
SinkSpec StandardSink(int slot, std::vector<uint8_t> edid);
// The index, under the authority, of the n-th device behind a repeater in `slot`.
uint32_t DownstreamIndex(int slot, int n);

struct Fault {
  int number;           // 1..44
  const char* id;       // "F9", or "F9.always" where there are several
  const char* name;     // for --fault
  const char* injects;  // what is done
  const char* expects;  // what the driver must do
  const char* calls;    // the workqueue calls that this exercises
  int slot;             // the sink that is plugged at kPlugNs; -1: the script plugs
  int64_t run_ns;       // by when the outcome can be judged
  bool needs_hdcp22;
  std::vector<ScriptStep> steps;
};

// All faults, F1..F44 in order; some have several entries.
absl::Span<const Fault> AllFaults();
// By id or by name, or nullptr.
const Fault* FindFault(absl::string_view id_or_name);
// The fault's whole script with its plugging, sorted by time.
std::vector<ScriptStep> FaultScript(const Fault& fault);

// A random mix of device faults for stress runs: `nr` of them in run_ns.
std::vector<ScriptStep> RandomScript(uint64_t seed, int nr, int64_t run_ns);

struct Scenario {
  const char* name;
  int64_t run_ns;
  std::vector<ScriptStep> steps;
};
// The demo of section 6.1.
const Scenario& MovieNight();

// Hands the steps of the device over, all at once; each waits for its time.
// Errors: those of SimDevice::Inject.
absl::Status ArmDevice(SimDevice& device, absl::Span<const ScriptStep> steps);

std::string ScriptStepToString(const ScriptStep& step);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_SCRIPT_H_
