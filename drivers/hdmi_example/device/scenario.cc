// SPDX-License-Identifier: BSD-3-Clause
// scenario.cc: movie_night, the demo (reference hdmi.md, section 6.1).
// Invariant: only the lines "sim" and "usr" of that table are here; the lines
// "drv" are what the driver makes of them.
// Read on: script.h.
#include "drivers/hdmi_example/device/script.h"

namespace uwq::hdmi {
namespace {

ScriptStep Sim(int64_t at_ns, hdmi_inject_op op, int64_t a, int64_t b, const char* text) {
  ScriptStep step;
  step.at_ns = at_ns;
  step.inject.op = op;
  step.inject.a = a;
  step.inject.b = b;
  step.text = text;
  return step;
}

ScriptStep User(int64_t at_ns, ClientOp op, int64_t a, const char* text) {
  ScriptStep step;
  step.at_ns = at_ns;
  step.actor = Actor::kClient;
  step.client = op;
  step.a = a;
  step.text = text;
  return step;
}

}  // namespace

const Scenario& MovieNight() {
  static const Scenario* const scenario = new Scenario{
      "movie_night",
      72 * kSecond,
      {
          User(0, ClientOp::kProtection, 1, "the client wants protected content"),
          // The plug itself is the first edge; six bounces follow it.
          Sim(1 * kSecond, HDMI_OP_PLUG, kSlotTv, 0, "the television is plugged in"),
          Sim(1 * kSecond, HDMI_OP_HPD_BOUNCE, 6, 180 * kMs, "the contacts bounce"),
          Sim(10 * kSecond, HDMI_OP_RI_BAD, 1, 0, "one Ri' is read wrong"),
          Sim(14 * kSecond, HDMI_OP_RI_BAD, -1, 0, "Ri' is wrong until re-authentication"),
          Sim(20 * kSecond, HDMI_OP_UNPLUG, 0, 0, "the viewer inserts an AVR"),
          Sim(20 * kSecond, HDMI_OP_READY_DELAY, 2400 * kMs, 0, "which takes its time"),
          Sim(20 * kSecond + 400 * kMs, HDMI_OP_PLUG, kSlotAvr, 0, "the AVR is there"),
          User(30 * kSecond, ClientOp::kReset, 1, "hdmictl reset"),
          Sim(40 * kSecond, HDMI_OP_FW_RESET, 0, 0, "the transmitter's core crashes"),
          Sim(50 * kSecond, HDMI_OP_HPD_FLOOD, 500, 3 * kSecond, "the HPD line flutters"),
          User(60 * kSecond, ClientOp::kSrm, 1, "a new SRM revokes the AVR"),
          User(70 * kSecond, ClientOp::kShutdown, 0, "SIGTERM"),
      }};
  return *scenario;
}

}  // namespace uwq::hdmi
