// SPDX-License-Identifier: BSD-3-Clause
//
// hdcp_machine_base.h -- what the machines of both versions are made of: the state
// that they are in, what they ask of the driver, and the actions that leave a state.
//
// Invariant: each function that builds an action also enters the state in which its
// answer is awaited, so that no caller can do one without the other.
//
// `State` is an enumeration with kIdle and kAuthenticated among others; `Env` is an
// HdcpEnv, or more than one.
//
// Read on: hdcp14_machine.h, hdcp22_machine.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP_MACHINE_BASE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP_MACHINE_BASE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "drivers/hdmi_example/driver/hdcp_machine.h"
#include "drivers/hdmi_example/hdcp/srm.h"
#include "workqueue/base/sync_types.h"

namespace uwq::hdmi {

// What a machine asks of the driver.
struct HdcpEnv {
  std::function<uint64_t()> random;                 // for An, rtx, km, ...
  std::function<base::Nanos()> now;                 // in the world's time
  std::function<std::shared_ptr<const Srm>()> srm;  // null: none
};

template <typename StateType, typename EnvType>
class HdcpMachineBase : public HdcpMachine {
 public:
  using Env = EnvType;

  void Stop() override { state_ = State::kIdle; }
  bool idle() const override { return state_ == State::kIdle; }

 protected:
  using State = StateType;
  using Verdict = HdcpAction::Verdict;

  explicit HdcpMachineBase(Env env) : env_(std::move(env)) {}

  HdcpAction Transfer(State state, std::vector<DdcMessage> messages) {
    state_ = state;
    HdcpAction action;
    action.transfer = std::move(messages);
    return action;
  }

  HdcpAction Again(State state, absl::Duration delay, std::string note = "") {
    state_ = state;
    HdcpAction action;
    action.again = delay;
    action.note = std::move(note);
    return action;
  }

  // Looks again after `period`, or `last_look` before the deadline if that is sooner; past
  // that nothing is asked for, and the watchdog decides.
  HdcpAction PollUntil(State state, base::Nanos deadline_ns, absl::Duration period,
                       absl::Duration last_look) {
    const absl::Duration left = absl::Nanoseconds(deadline_ns - env_.now()) - last_look;
    if (left > absl::ZeroDuration()) return Again(state, std::min(period, left));
    state_ = state;
    return {};
  }

  HdcpAction Fail(std::string note) { return End(Verdict::kFailed, std::move(note)); }
  // As Fail(), and trying again is of no use.
  HdcpAction Refuse(std::string note) { return End(Verdict::kRefused, std::move(note)); }

  HdcpAction End(Verdict verdict, std::string note) {
    state_ = State::kIdle;
    HdcpAction action;
    action.verdict = verdict;
    action.encrypt = false;
    action.stop_watchdog = true;
    action.note = std::move(note);
    return action;
  }

  HdcpAction Authenticated(std::string note) {
    state_ = State::kAuthenticated;
    reads_ = 0;
    HdcpAction action;
    action.verdict = Verdict::kAuthenticated;
    action.encrypt = true;
    action.note = std::move(note);
    return action;
  }

  bool Revoked(const SrmId& id) const {
    const std::shared_ptr<const Srm> srm = env_.srm();
    return srm != nullptr && srm->Revoked(id);
  }

  static uint16_t Le16(const std::vector<uint8_t>& bytes) {
    return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
  }

  const Env env_;
  State state_ = State::kIdle;
  int reads_ = 0;  // of one value: that were wrong, or failed, in a row
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP_MACHINE_BASE_H_
