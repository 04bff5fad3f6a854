// SPDX-License-Identifier: BSD-3-Clause
//
// hdcp22_machine.h -- HDCP 2.2 authentication as the driver sees it: a message goes
// out, RxStatus is polled until the answer waits, the answer is read; a watchdog for
// each answer runs beside the polls.
//
// The locality check is the narrow one: L' must wait within 20 ms, else another round.
// Invariant: a deadline counts from the end of the write that asks, and is kept by the
// watchdog alone; a poll never decides that something came too late.
//
// Read on: hdcp_machine.h, ../hdcp/hdcp22.h (the arithmetic).
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP22_MACHINE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP22_MACHINE_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "drivers/hdmi_example/driver/hdcp_machine_base.h"
#include "drivers/hdmi_example/hdcp/hdcp22.h"

namespace uwq::hdmi {

enum class Hdcp22State {
  kIdle,
  kReadVersion,
  kWrite,        // a message goes out; expecting_ says what answers it
  kWait,         // between two looks at RxStatus
  kPoll,         // RxStatus is being read
  kReadMessage,  // the answer is being read
  kWaitEncrypt,
  kAuthenticated,  // from here on authenticated()
  kReadStatus,     // the link check
  kReadList,       // the repeater's tree has changed
  kWriteAck,
};

struct Hdcp22Env : HdcpEnv {
  explicit Hdcp22Env(RsaKey key) : authority(std::move(key)) {}
  RsaKey authority;                   // certificates are checked with it
  std::function<int()> content_type;  // of the stream: 0 or 1
  // A round of the locality check has ended: after so long, or by its limit.
  std::function<void(base::Nanos took, bool late)> on_locality;
  // The specification allows 1024 rounds; drivers give up after 3 to 10.
  int locality_rounds = 10;
};

class Hdcp22Machine : public HdcpMachineBase<Hdcp22State, Hdcp22Env> {
 public:
  explicit Hdcp22Machine(Env env);

  const char* name() const override { return "HDCP 2.2"; }
  absl::Duration link_period() const override { return absl::Milliseconds(500); }
  HdcpAction Start(int attempt) override;
  HdcpAction Step() override;
  HdcpAction Done(const absl::StatusOr<std::vector<DdcMessage>>& result) override;
  HdcpAction Watchdog() override;
  HdcpAction CheckLink(const LinkView& view) override;
  HdcpAction CheckRevocation() override;
  bool authenticated() const override { return state_ >= State::kAuthenticated; }
  std::string state() const override;

 private:
  // Writes a message; `expecting` is the id of the answer, 0 for none.
  HdcpAction Write(const Hdcp22Message& message, uint8_t expecting);
  // Begins to wait for expecting_: the first look, and the watchdog.
  HdcpAction Await();
  HdcpAction PollAgain();
  HdcpAction OnStatus(uint16_t status);
  HdcpAction OnMessage(const Hdcp22Message& message);
  HdcpAction OnLinkStatus(uint16_t status);
  HdcpAction OnList(const Hdcp22Message& message);
  HdcpAction ManageStream();
  HdcpAction LocalityRound(std::string note);
  HdcpAction WaitForEncryption();
  HdcpAction Encrypted();

  PairingTable pairings_;
  Hdcp22Transmitter tx_;
  uint8_t expecting_ = 0;        // kReceiverIdAck: that is what goes out, nothing answers it
  base::Nanos asked_ns_ = 0;     // when the wait for expecting_ began
  base::Nanos deadline_ns_ = 0;  // of it
  base::Nanos keyed_ns_ = 0;     // when SKE_Send_Eks had gone out
  int rounds_ = 0;               // of the locality check
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDCP22_MACHINE_H_
