// SPDX-License-Identifier: BSD-3-Clause
// device_testing.h: a patient, synchronous driver for the tests of the device
// model: it performs one thing after the other and lets the model's time run
// meanwhile.  No queue, no thread; it is what a real driver must not be.
// Invariant: time moves only inside TestLink.
// Read on: sim_device_test.cc.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_DEVICE_TESTING_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_DEVICE_TESTING_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/hdmi_example/device/hdmi_records.h"
#include "drivers/hdmi_example/device/script.h"
#include "drivers/hdmi_example/device/sim_device.h"
#include "drivers/hdmi_example/edid/ddc_message.h"
#include "drivers/hdmi_example/edid/eddc.h"
#include "drivers/hdmi_example/edid/edid_testdata.h"
#include "drivers/hdmi_example/hdcp/hdcp14.h"
#include "drivers/hdmi_example/video/mode_choice.h"

namespace uwq::hdmi {

class TestLink {
 public:
  explicit TestLink(const SimDevice::Options& options = SimDevice::Options()) : device(options) {
    for (int slot = 0; slot < HDMI_DEV_SLOTS; ++slot) {
      EXPECT_TRUE(device.LoadSink(slot, StandardSink(slot, TestEdid(StandardSinkName(slot)))).ok());
    }
    hdcp14_authority_device(options.authority, HDMI_DEV_TX_DEVICE, &tx);
  }

  SimDevice device;
  std::vector<HdmiEvent> events;  // everything that came, in order
  hdcp14_device_keys tx;
  Hdcp14Session session;
  uint8_t bcaps = 0;

  int64_t now() const { return device.now_ns(); }

  // Lets everything happen until `at_ns`.
  void RunUntil(int64_t at_ns) {
    while (device.Deadline() <= at_ns) {
      device.Step(device.Deadline());
      Drain();
    }
    device.Step(at_ns);
    Drain();
  }
  void RunFor(int64_t ns) { RunUntil(now() + ns); }

  void Inject(hdmi_inject_op op, int64_t a = 0, int64_t b = 0, int64_t delay_ns = 0) {
    const absl::Status s = device.Inject({.op = op, .a = a, .b = b, .delay_ns = delay_ns});
    EXPECT_TRUE(s.ok()) << s;
    Drain();
  }
  void InjectWhen(hdmi_when when, int64_t delay_ns, hdmi_inject_op op, int64_t a = 0, int64_t b = 0,
                  int arg = 0) {
    const absl::Status s =
        device.Inject({.op = op, .a = a, .b = b, .delay_ns = delay_ns, .when = when, .arg = arg});
    EXPECT_TRUE(s.ok()) << s;
  }
  absl::Status Command(const HdmiCommand& command) {
    const absl::Status s = device.Command(now(), command);
    Drain();
    return s;
  }

  void Plug(int slot) { Inject(HDMI_OP_PLUG, slot); }

  // Starts a transfer; its completion comes as an event.
  uint32_t Begin(const std::vector<DdcMessage>& messages) {
    const auto command = DdcCommand(++next_id_, 0, messages);
    EXPECT_TRUE(command.ok()) << command.status();
    if (command.ok()) {
      EXPECT_TRUE(Command(*command).ok());
    }
    return next_id_;
  }

  // Waits for the completion of transfer `id`, at most `wait_ns`.
  const HdmiEvent* Wait(uint32_t id, int64_t wait_ns = kSecond) {
    const int64_t end = now() + wait_ns;
    for (;;) {
      for (const HdmiEvent& e : events) {
        if (e.record.type == HDMI_EV_DDC_DONE && e.record.u.ddc_done.id == id) return &e;
      }
      const int64_t next = device.Deadline();
      if (next > end) return nullptr;
      RunUntil(next);
    }
  }

  // A whole transfer.  Errors also: DeadlineExceeded after a second.
  absl::Status Transfer(std::vector<DdcMessage>& messages) {
    const uint32_t id = Begin(messages);
    const HdmiEvent* done = Wait(id);
    if (done == nullptr) return absl::DeadlineExceededError("no DDC_DONE");
    if (absl::Status s = CheckEvent(done->record, done->bulk.size()); !s.ok()) return s;
    return ParseDdcReply(*done, messages);
  }

  absl::StatusOr<std::vector<uint8_t>> Read(uint8_t address, uint8_t offset, uint16_t length) {
    auto messages = DdcReadRegister(address, offset, length);
    if (absl::Status s = Transfer(messages); !s.ok()) return s;
    return messages[1].data;
  }
  absl::Status Write(uint8_t address, uint8_t offset, const std::vector<uint8_t>& bytes) {
    auto messages = DdcWriteRegister(address, offset, bytes);
    return Transfer(messages);
  }

  absl::StatusOr<std::vector<uint8_t>> ReadEdid() {
    EdidReader reader;
    for (;;) {
      EdidReader::Step step = reader.Next();
      if (step.action == EdidReader::Action::kFinished) break;
      RunFor(step.delay_ms * kMs);
      const absl::Status s = Transfer(step.messages);
      reader.Done(s.ok() ? absl::StatusOr<std::vector<uint8_t>>(step.messages.back().data) : s);
    }
    return reader.result();
  }

  // Mode, phy, and for scrambled modes SCDC first.
  void StartVideo() {
    const auto edid = ParseEdid(*ReadEdid());
    ASSERT_TRUE(edid.ok());
    mode = ChooseMode(*edid, SourceLimits());
    if (mode.scrambling) {
      ASSERT_TRUE(Write(HDMI_DDC_ADDR_SCDC, 0x20, {3}).ok());
    }
    ASSERT_TRUE(Command(ValueCommand(HDMI_CMD_PHY, 0, 1)).ok());
    ASSERT_TRUE(Command(SetModeCommand(77, 0, mode)).ok());
    RunFor(100 * kMs);
  }

  // Part 1.  Errors: Unauthenticated when R0' differs.
  absl::Status Authenticate(uint64_t an = 0x0123456789abcdef) {
    const auto caps = Read(HDMI_DDC_ADDR_HDCP, HDCP14_REG_BCAPS, 1);
    if (!caps.ok()) return caps.status();
    bcaps = (*caps)[0];
    const auto bksv = Read(HDMI_DDC_ADDR_HDCP, HDCP14_REG_BKSV, 5);
    if (!bksv.ok()) return bksv.status();
    const auto ksv = KsvFromWire(*bksv);
    if (!ksv.ok()) return ksv.status();
    absl::Status s = session.Start(tx, an, *ksv, ParseBcaps(bcaps).repeater);
    if (s.ok()) s = Write(HDMI_DDC_ADDR_HDCP, HDCP14_REG_AINFO, {0});
    if (s.ok()) s = Write(HDMI_DDC_ADDR_HDCP, HDCP14_REG_AN, ToWire(an, 8));
    if (s.ok()) s = Write(HDMI_DDC_ADDR_HDCP, HDCP14_REG_AKSV, ToWire(tx.ksv, 5));
    if (!s.ok()) return s;
    RunFor(100 * kMs);
    const auto ri = ReadRi();
    if (!ri.ok()) return ri.status();
    if (*ri != session.r0()) return absl::UnauthenticatedError("R0' differs");
    return absl::OkStatus();
  }
  absl::StatusOr<uint16_t> ReadRi() {
    const auto bytes = Read(HDMI_DDC_ADDR_HDCP, HDCP14_REG_RI, 2);
    if (!bytes.ok()) return bytes.status();
    return static_cast<uint16_t>((*bytes)[0] | (*bytes)[1] << 8);
  }
  void Encrypt(bool on) {
    EXPECT_TRUE(Command(ValueCommand(HDMI_CMD_HDCP_CTRL, 0, on ? HDMI_HDCP_ENCRYPT : 0)).ok());
  }

  // Part 2.  Errors: DeadlineExceeded after `wait_ns` without READY; those of
  // CheckTopology() and Hdcp14Session::CheckV().
  absl::Status AuthenticateRepeater(int64_t wait_ns = 5 * kSecond) {
    const int64_t end = now() + wait_ns;
    for (;;) {
      const auto caps = Read(HDMI_DDC_ADDR_HDCP, HDCP14_REG_BCAPS, 1);
      if (!caps.ok()) return caps.status();
      if (ParseBcaps((*caps)[0]).ready) break;
      if (now() > end) return absl::DeadlineExceededError("READY never came");
      RunFor(100 * kMs);
    }
    const auto status = Read(HDMI_DDC_ADDR_HDCP, HDCP14_REG_BSTATUS, 2);
    if (!status.ok()) return status.status();
    bstatus = static_cast<uint16_t>((*status)[0] | (*status)[1] << 8);
    if (absl::Status s = CheckTopology(bstatus); !s.ok()) return s;
    const auto list = Read(HDMI_DDC_ADDR_HDCP, HDCP14_REG_FIFO,
                           static_cast<uint16_t>(5 * ParseBstatus(bstatus).device_count));
    if (!list.ok()) return list.status();
    fifo = *list;
    const auto v = Read(HDMI_DDC_ADDR_HDCP, HDCP14_REG_V, 20);
    if (!v.ok()) return v.status();
    return session.CheckV(fifo, bstatus, *v);
  }

  int Count(hdmi_event_type type) const {
    return static_cast<int>(std::count_if(
        events.begin(), events.end(), [&](const HdmiEvent& e) { return e.record.type == type; }));
  }
  const HdmiEvent* Last(hdmi_event_type type) const {
    for (auto it = events.rbegin(); it != events.rend(); ++it) {
      if (it->record.type == type) return &*it;
    }
    return nullptr;
  }

  LinkMode mode;
  std::vector<uint8_t> fifo;
  uint16_t bstatus = 0;

 private:
  void Drain() {
    while (auto event = device.Pop()) events.push_back(*std::move(event));
  }

  uint32_t next_id_ = 0;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_DEVICE_TESTING_H_
