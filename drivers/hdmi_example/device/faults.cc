// SPDX-License-Identifier: BSD-3-Clause
// faults.cc: F1..F26 of the 44 faults of reference hdmi.md section 6.2, as data.
// Invariant: every number 1..44 has at least one entry, in order.
// Read on: faults_lifecycle.cc, script.h, hdmi_inject.h.
#include <vector>

#include "drivers/hdmi_example/device/fault_steps.h"
#include "drivers/hdmi_example/device/script.h"

namespace uwq::hdmi {
namespace {

using namespace fault_internal;  // NOLINT: the short spellings of this table

void AddCableAndEdid(std::vector<Fault>& f) {
  f.push_back({1,
               "F1",
               "hpd-bounce",
               "HPD 20 edges in 300 ms",
               "exactly one hpd_dwork run, final level wins",
               "mod_delayed_work from event thread",
               kSlotTv,
               6 * kSecond,
               false,
               {At(kPlugNs, HDMI_OP_HPD_BOUNCE, 20, 300 * kMs)}});
  f.push_back({2,
               "F2",
               "hpd-pulse",
               "HPD low for 120 ms, EDID unchanged",
               "treated as link loss: scrambling and HDCP redone, mode set skipped",
               "cancel_delayed_work, queue_delayed_work",
               kSlotTv,
               16 * kSecond,
               false,
               {At(kSettled, HDMI_OP_HPD_PULSE, 120 * kMs)}});
  f.push_back({3,
               "F3",
               "hpd-glitch",
               "HPD low for 20 ms",
               "ignored by the 60 ms down-debounce",
               "mod_delayed_work re-arm",
               kSlotTv,
               14 * kSecond,
               false,
               {At(kSettled, HDMI_OP_HPD_PULSE, 20 * kMs)}});
  f.push_back({4,
               "F4",
               "unplug-edid",
               "unplug while EDID block 1 is on the wire",
               "DDC error, no stale EDID published, physical address f.f.f.f",
               "cancel_work_sync of a running work",
               kSlotTv,
               6 * kSecond,
               false,
               {On(HDMI_WHEN_EDID, 3 * kMs, HDMI_OP_UNPLUG, 0, 0, 1)}});
  f.push_back({5,
               "F5",
               "unplug-ake",
               "unplug between Aksv and R0'",
               "the step never runs again, encryption never enabled",
               "cancel_delayed_work_sync of a pending timer",
               kSlotTv,
               8 * kSecond,
               false,
               {On(HDMI_WHEN_AKSV, 50 * kMs, HDMI_OP_UNPLUG)}});
  f.push_back(
      {6,
       "F6",
       "unplug-wait-ready",
       "unplug while waiting for READY",
       "both works gone, no time-out callback later",
       "disable_delayed_work_sync x2",
       kSlotAvr,
       14 * kSecond,
       false,
       {At(0, HDMI_OP_READY_DELAY, -1), On(HDMI_WHEN_ENCRYPT, 1 * kSecond, HDMI_OP_UNPLUG)}});
  f.push_back({7,
               "F7",
               "unplug-link-check",
               "unplug exactly when link_check runs",
               "the work stops, its count of runs stays fixed",
               "cancel_delayed_work_sync vs self re-arm",
               kSlotTv,
               14 * kSecond,
               false,
               {On(HDMI_WHEN_VSYNC128, 0, HDMI_OP_UNPLUG)}});
  f.push_back({8,
               "F8",
               "unplug-prop-work",
               "unplug during prop_work, whose callback blocks 2 s",
               "the unplug path does not wait; a reference keeps the port alive",
               "refcount per queue, no sync cancel",
               kSlotTv,
               14 * kSecond,
               false,
               {Client(0, ClientOp::kBlockCallback, 2 * kSecond),
                On(HDMI_WHEN_ENCRYPT, 500 * kMs, HDMI_OP_UNPLUG)}});
  f.push_back({9,
               "F9.once",
               "edid-checksum-once",
               "EDID checksum wrong once",
               "retry after 100 ms, good",
               "queue_delayed_work retry",
               kSlotTv,
               6 * kSecond,
               false,
               {At(0, HDMI_OP_EDID_CORRUPT, 1 << 8 | 40, 1)}});
  f.push_back({9,
               "F9.always",
               "edid-checksum-always",
               "EDID checksum always wrong",
               "at most 5 attempts, then last good or fail-safe mode",
               "queue_delayed_work, cap",
               kSlotTv,
               8 * kSecond,
               false,
               {At(0, HDMI_OP_EDID_CORRUPT, 0 << 8 | 40, -1)}});
  f.push_back({10,
               "F10",
               "edid-nak-block2",
               "EDID says 3 extensions, the bus returns NAK on block 2",
               "partial EDID accepted, warning",
               "error path, flush_work",
               kSlot4Block,
               8 * kSecond,
               false,
               {At(0, HDMI_OP_EDID_NAK, 2)}});
}

void AddDdcAndHdcp(std::vector<Fault>& f) {
  f.push_back({11,
               "F11",
               "bksv-nak",
               "DDC NAK on Bksv for 2 s (the sink is not ready)",
               "A0 polls every 500 ms, no failure is counted",
               "self re-arming delayed work",
               kSlotTv,
               10 * kSecond,
               false,
               {At(kPlugNs, HDMI_OP_DDC_NAK_FOR, HDMI_DDC_ADDR_HDCP, 2 * kSecond)}});
  f.push_back({12,
               "F12",
               "ddc-hang",
               "a DDC transfer never completes",
               "time-out 200 ms, bus recovery, retry; other queues keep running",
               "worker blocked + second queue + watchdog",
               kSlotTv,
               8 * kSecond,
               false,
               {At(0, HDMI_OP_DDC_HANG, 1)}});
  f.push_back({13,
               "F13",
               "ddc-late",
               "DDC_DONE arrives after the time-out",
               "ignored by request id and generation",
               "stale completion, no double complete",
               kSlotTv,
               8 * kSecond,
               false,
               {At(0, HDMI_OP_DDC_HANG, 1), At(0, HDMI_OP_DDC_LATE, 150 * kMs)}});
  f.push_back({14,
               "F14",
               "bksv-21-ones",
               "Bksv with 21 ones",
               "one re-read, then the attempt fails",
               "immediate requeue",
               kSlotTv,
               8 * kSecond,
               false,
               {At(0, HDMI_OP_BKSV_BAD, 1)}});
  f.push_back({15,
               "F15",
               "counterfeit",
               "R0' never matches (keys of another authority)",
               "fail, back-off, 5 attempts, idle DESIRED",
               "exponential queue_delayed_work",
               kSlotTv,
               40 * kSecond,
               false,
               {At(kPlugNs + kMs, HDMI_OP_COUNTERFEIT, 1)}});
  f.push_back({16,
               "F16",
               "r0-late",
               "R0' is ready after 180 ms",
               "first compare fails, re-read after 100 ms succeeds",
               "mod_delayed_work of own work",
               kSlotTv,
               8 * kSecond,
               false,
               {At(0, HDMI_OP_R0_DELAY, 180 * kMs)}});
  f.push_back({17,
               "F17",
               "ri-wrong-once",
               "Ri' wrong in 1 of 3 reads",
               "no action",
               "link_check",
               kSlotTv,
               16 * kSecond,
               false,
               {At(kSettled, HDMI_OP_RI_BAD, 1)}});
  f.push_back({18,
               "F18",
               "ri-wrong",
               "Ri' wrong 3 times in mid-stream",
               "encryption off, AVMUTE, ENABLED to DESIRED, re-authentication",
               "queue_work(prop), mod_delayed_work(step, 0)",
               kSlotTv,
               20 * kSecond,
               false,
               {At(kSettled, HDMI_OP_RI_BAD, -1)}});
  f.push_back({19,
               "F19",
               "ri-nak",
               "Ri' read not acknowledged for 2.5 s",
               "counts as a failure",
               "time-out accounting",
               kSlotTv,
               20 * kSecond,
               false,
               {On(HDMI_WHEN_VSYNC128, 0, HDMI_OP_DDC_NAK_FOR, HDMI_DDC_ADDR_HDCP, 2500 * kMs)}});
  f.push_back({20,
               "F20",
               "ready-never",
               "the repeater never raises READY",
               "watchdog at 5 s, fail, encryption postponed on the next try",
               "watchdog vs step race",
               kSlotAvr,
               40 * kSecond,
               false,
               {At(0, HDMI_OP_READY_DELAY, -1)}});
  // READY is counted from the end of the receiver's computation; the driver's 5 s
  // begin some 40 ms later, when it has read R0' (100 ms after Aksv).
  f.push_back({21,
               "F21",
               "ready-late",
               "READY at 4.99 s of the limit of 5 s",
               "accepted; the watchdog is cancelled",
               "cancel_delayed_work returning false must be harmless",
               kSlotAvr,
               16 * kSecond,
               false,
               {At(0, HDMI_OP_READY_DELAY, 4990 * kMs)}});
  f.push_back({22,
               "F22.devs",
               "max-devs",
               "MAX_DEVS_EXCEEDED",
               "part 2 fails, no FIFO read",
               "state logic",
               kSlotAvr,
               30 * kSecond,
               false,
               {At(0, HDMI_OP_BSTATUS, HDCP14_BSTATUS_MAX_DEVS, -1)}});
  f.push_back({22,
               "F22.cascade",
               "max-cascade",
               "MAX_CASCADE_EXCEEDED",
               "part 2 fails, no FIFO read",
               "state logic",
               kSlotAvr,
               30 * kSecond,
               false,
               {At(0, HDMI_OP_BSTATUS, HDCP14_BSTATUS_MAX_CASCADE, -1)}});
  f.push_back({22,
               "F22.zero",
               "device-count-0",
               "a repeater with no device",
               "part 2 fails, no FIFO read",
               "state logic",
               kSlotAvr,
               30 * kSecond,
               false,
               {At(0, HDMI_OP_BSTATUS, 0, 0)}});
  f.push_back({23,
               "F23.once",
               "v-wrong-once",
               "V' wrong once",
               "second compare is good",
               "step loop",
               kSlotAvr,
               12 * kSecond,
               false,
               {At(0, HDMI_OP_V_BAD, 1)}});
  f.push_back({23,
               "F23.always",
               "v-wrong",
               "V' always wrong",
               "fails after 3 compares",
               "step loop",
               kSlotAvr,
               30 * kSecond,
               false,
               {At(0, HDMI_OP_V_BAD, -1)}});
  f.push_back({24,
               "F24",
               "fifo-127",
               "127 devices (635 bytes), unplugged in the middle",
               "read in one transfer; the unplug returns in less than 100 ms",
               "cancel of long DDC work",
               kSlotAvr,
               12 * kSecond,
               false,
               {At(kPlugNs + kMs, HDMI_OP_DOWNSTREAM, 127, 7),
                On(HDMI_WHEN_FIFO, 25 * kMs, HDMI_OP_UNPLUG)}});
  f.push_back({25,
               "F25",
               "topology",
               "the topology behind the repeater changes while ENABLED",
               "part 2 again (2.2) or re-authentication (1.4)",
               "event to mod_delayed_work(step, 0)",
               kSlotAvr,
               24 * kSecond,
               false,
               {At(kSettled, HDMI_OP_TOPOLOGY, 5, 3)}});
  f.push_back({26,
               "F26",
               "srm-revokes",
               "an SRM update revokes the current sink",
               "ENABLED to DESIRED, no retry until SRM or HPD change",
               "queue_work from client thread",
               kSlotTv,
               20 * kSecond,
               false,
               {Client(kSettled, ClientOp::kSrm, 1)}});
}

}  // namespace

absl::Span<const Fault> AllFaults() {
  static const std::vector<Fault>* const faults = [] {
    auto* f = new std::vector<Fault>;
    AddCableAndEdid(*f);
    AddDdcAndHdcp(*f);
    AddLifecycle(*f);
    return f;
  }();
  return *faults;
}

const Fault* FindFault(absl::string_view id_or_name) {
  for (const Fault& fault : AllFaults()) {
    if (id_or_name == fault.id || id_or_name == fault.name) return &fault;
  }
  return nullptr;
}

}  // namespace uwq::hdmi
