// SPDX-License-Identifier: BSD-3-Clause
//
// hdcp14_machine.h -- the transmitter's side of HDCP 1.4: first, second and third
// part, as a state machine (states named as in the published transmitter diagram).
//
//   A0 wait for the receiver -> A1 exchange KSVs -> A3 compare R0' -> A6 repeater?
//     no  -> A4 authenticated, A5 link check
//     yes -> A8 wait for READY -> A9 read and check the list -> A4, A5
//
// Invariant: R0' is never read earlier than 100 ms after the last byte of Aksv was
// written, and no KSV that the SRM names gets past A1 or A9.
//
// Threads: one at a time (the driver's ordered queue).  Blocks: never.
// Read on: hdcp_machine.h, ../hdcp/hdcp14.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP14_MACHINE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP14_MACHINE_H_

#include <string>
#include <utility>
#include <vector>

#include "drivers/hdmi_example/driver/hdcp_machine_base.h"
#include "drivers/hdmi_example/hdcp/hdcp14.h"

namespace uwq::hdmi {

enum class Hdcp14State {
  kIdle,
  kReadBcaps,  // A0
  kReadBksv,   // A1 ...
  kWriteAinfo,
  kWriteAn,
  kWriteAksv,
  kReadR0,       // A3
  kWaitReady,    // A8
  kReadBstatus,  // A9 ...
  kReadFifo,
  kReadV,
  kAuthenticated,  // A4
  kReadRi,         // A5
};

struct Hdcp14Env : HdcpEnv {
  hdcp14_device_keys keys = {};
};

class Hdcp14Machine : public HdcpMachineBase<Hdcp14State, Hdcp14Env> {
 public:
  explicit Hdcp14Machine(Env env) : HdcpMachineBase(std::move(env)) {}

  const char* name() const override { return "HDCP 1.4"; }
  // VSYNC128 comes every 2.13 s at 60 Hz; the rule is "at least every 2 s".
  absl::Duration link_period() const override { return absl::Seconds(2); }
  HdcpAction Start(int attempt) override;
  HdcpAction Step() override;
  HdcpAction Done(const absl::StatusOr<std::vector<DdcMessage>>& result) override;
  HdcpAction Watchdog() override;
  HdcpAction CheckLink(const LinkView& view) override;
  HdcpAction CheckRevocation() override;
  bool authenticated() const override {
    return state_ == State::kAuthenticated || state_ == State::kReadRi;
  }
  std::string state() const override;

 private:
  HdcpAction Read(State state, uint8_t reg, uint16_t length);
  HdcpAction Write(State state, uint8_t reg, const std::vector<uint8_t>& bytes);
  HdcpAction OnTransferFailed(const absl::Status& status);
  HdcpAction OnBcaps(uint8_t bcaps);
  HdcpAction OnBksv(const std::vector<uint8_t>& bytes);
  HdcpAction OnR0(uint16_t r0);
  HdcpAction OnReady(uint8_t bcaps);
  HdcpAction OnBstatus(uint16_t bstatus);
  HdcpAction OnV(const std::vector<uint8_t>& v);
  HdcpAction OnRi(uint16_t ri);
  HdcpAction PollReadyAgain();

  Hdcp14Session session_;
  bool repeater_ = false;
  bool postpone_encryption_ = false;  // until the second part is done
  uint64_t an_ = 0;
  base::Nanos ready_deadline_ns_ = 0;
  base::Nanos first_nak_ns_ = 0;  // of a link check that gets no answer; 0: none
  uint64_t frame_ = 0;
  uint64_t noted_frame_ = 0;  // of the last check that was logged
  uint16_t bstatus_ = 0;
  std::vector<uint8_t> fifo_;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP14_MACHINE_H_
