// SPDX-License-Identifier: BSD-3-Clause
// script.cc: the stage, random mixes, and handing a script to a device.
// Invariant: a random script depends on its seed alone.
// Read on: script.h.
#include "drivers/hdmi_example/device/script.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace uwq::hdmi {
namespace {

constexpr const char* kSinkNames[] = {"uwq-tv-4k60", "uwq-avr-repeater", "uwq-dvi-xga",
                                      "uwq-4block"};

constexpr uint32_t kDownstreamBase = 1000;

constexpr const char* kClientNames[] = {
    "none",   "protection", "toggle",         "reset",       "reset-from-port-work", "suspend",
    "resume", "srm",        "block-callback", "queue-works", "cec-request",          "shutdown"};
constexpr const char* kProcessNames[] = {"none",         "kill-device",  "start-device",
                                         "kill-driver",  "start-driver", "stop-driver",
                                         "realtime-jump"};

}  // namespace

const char* StandardSinkName(int slot) {
  return slot >= 0 && slot < HDMI_DEV_SLOTS ? kSinkNames[slot] : "?";
}

uint32_t DownstreamIndex(int slot, int n) {
  return kDownstreamBase * static_cast<uint32_t>(slot + 1) + static_cast<uint32_t>(n);
}

SinkSpec StandardSink(int slot, std::vector<uint8_t> edid) {
  SinkSpec sink = SinkForEdid(std::move(edid), static_cast<uint32_t>(slot) + 1);
  sink.flags |= HDMI_SINK_FEATURES_1_1;
  if (slot == kSlotAvr) {
    sink.flags |= HDMI_SINK_REPEATER;
    sink.downstream = 3;
    sink.depth = 2;
  }
  return sink;
}

std::vector<ScriptStep> FaultScript(const Fault& fault) {
  std::vector<ScriptStep> steps = fault.steps;
  if (fault.slot >= 0) {
    ScriptStep plug;
    plug.at_ns = kPlugNs;
    plug.inject.op = HDMI_OP_PLUG;
    plug.inject.a = fault.slot;
    plug.text = "plug";
    steps.push_back(plug);
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const ScriptStep& x, const ScriptStep& y) { return x.at_ns < y.at_ns; });
  return steps;
}

std::vector<ScriptStep> RandomScript(uint64_t seed, int nr, int64_t run_ns) {
  uint64_t state = hdcp14_mix64(seed);
  const auto below = [&state](int64_t n) {
    state = hdcp14_mix64(state);
    return static_cast<int64_t>(state % static_cast<uint64_t>(n));
  };
  std::vector<ScriptStep> steps;
  for (int i = 0; i < nr; ++i) {
    ScriptStep step;
    step.at_ns = kPlugNs + below(std::max<int64_t>(run_ns - kPlugNs, 1));
    step.text = "random";
    InjectStep& in = step.inject;
    const struct {
      hdmi_inject_op op;
      int64_t a, b;
    } choices[] = {
        {HDMI_OP_PLUG, below(HDMI_DEV_SLOTS), 0},
        {HDMI_OP_UNPLUG, 0, 0},
        {HDMI_OP_HPD_PULSE, (1 + below(400)) * kMs, 0},
        {HDMI_OP_HPD_BOUNCE, 2 * (1 + below(20)), 300 * kMs},
        {HDMI_OP_HPD_FLOOD, 500, (1 + below(3)) * kSecond},
        {HDMI_OP_DDC_NAK, -1, below(6)},
        {HDMI_OP_DDC_NAK_FOR, HDMI_DDC_ADDR_HDCP, (1 + below(3000)) * kMs},
        {HDMI_OP_DDC_HANG, 1 + below(2), 0},
        {HDMI_OP_DDC_STRETCH, below(250) * kMs, 1 + below(4)},
        {HDMI_OP_DDC_ARB, below(4), 0},
        {HDMI_OP_DDC_LATE, (1 + below(300)) * kMs, 0},
        {HDMI_OP_DDC_LIE, below(300) - 150, 1},
        {HDMI_OP_EDID_CORRUPT, below(2) << 8 | below(128), below(8)},
        {HDMI_OP_EDID_NAK, below(3) - 1, 0},
        {HDMI_OP_BKSV_BAD, below(3), 0},
        {HDMI_OP_COUNTERFEIT, below(2), 0},
        {HDMI_OP_R0_DELAY, below(250) * kMs, 0},
        {HDMI_OP_RI_BAD, below(5), below(2)},
        {HDMI_OP_READY_DELAY, below(5200) * kMs, 0},
        {HDMI_OP_V_BAD, below(4), 0},
        {HDMI_OP_TOPOLOGY, below(128), below(8)},
        {HDMI_OP_SCDC_LOSE, 0, 0},
        {HDMI_OP_CHARACTER_ERRORS, below(1000), 0},
        {HDMI_OP_IF_DROP, below(4), 0},
        {HDMI_OP_CEC_REPLY, below(1200) * kMs, 0},
        {HDMI_OP_CEC_SEND, 0x840f, 2},
        {HDMI_OP_FW_RESET, 0, 0},
        {HDMI_OP_EVENT_FLOOD, 1 + below(5000), kSecond},
        {HDMI_OP_BAD_RECORD, below(5), 0},
        {HDMI_OP_MODE_DELAY, below(200) * kMs, 0},
    };
    const auto& choice = choices[below(static_cast<int64_t>(std::size(choices)))];
    in.op = choice.op;
    in.a = choice.a;
    in.b = choice.b;
    if (below(3) == 0) {
      in.when = static_cast<hdmi_when>(below(HDMI_WHEN_NR));
      in.arg = static_cast<int>(below(2));
    }
    steps.push_back(step);
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const ScriptStep& x, const ScriptStep& y) { return x.at_ns < y.at_ns; });
  return steps;
}

absl::Status ArmDevice(SimDevice& device, absl::Span<const ScriptStep> steps) {
  for (const ScriptStep& step : steps) {
    if (step.actor != Actor::kDevice) continue;
    InjectStep inject = step.inject;
    // A step that waits for a moment waits from the start: its own delay counts
    // from that moment.
    if (inject.when == HDMI_WHEN_NOW) inject.delay_ns += step.at_ns - device.now_ns();
    if (inject.delay_ns < 0) inject.delay_ns = 0;
    if (absl::Status s = device.Inject(inject); !s.ok()) {
      return absl::Status(s.code(), absl::StrCat(ScriptStepToString(step), ": ", s.message()));
    }
  }
  return absl::OkStatus();
}

std::string ScriptStepToString(const ScriptStep& step) {
  std::string out = absl::StrFormat("%d.%03d ", step.at_ns / kSecond, step.at_ns / kMs % 1000);
  switch (step.actor) {
    case Actor::kDevice:
      absl::StrAppendFormat(&out, "sim %s(%d, %d)", InjectOpName(step.inject.op), step.inject.a,
                            step.inject.b);
      if (step.inject.when != HDMI_WHEN_NOW) {
        absl::StrAppendFormat(&out, " %d us after %s", step.inject.delay_ns / 1000,
                              WhenName(step.inject.when));
      }
      break;
    case Actor::kClient:
      absl::StrAppendFormat(&out, "usr %s(%d, %d)", kClientNames[static_cast<int>(step.client)],
                            step.a, step.b);
      break;
    case Actor::kProcess:
      absl::StrAppendFormat(&out, "os  %s(%d)", kProcessNames[static_cast<int>(step.process)],
                            step.a);
      break;
  }
  if (step.text[0] != '\0') absl::StrAppend(&out, "  # ", step.text);
  return out;
}

}  // namespace uwq::hdmi
