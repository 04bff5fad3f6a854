// SPDX-License-Identifier: BSD-3-Clause
// Tests of the fault catalogue and of the scenario: complete, runnable, and the
// same every time.
#include "drivers/hdmi_example/device/script.h"

#include <gtest/gtest.h>

#include <set>

#include "drivers/hdmi_example/device/device_testing.h"

namespace uwq::hdmi {
namespace {

TEST(Faults, AllFortyFourAreThereInOrder) {
  std::set<std::string> names;
  int last = 0;
  for (const Fault& fault : AllFaults()) {
    EXPECT_TRUE(fault.number == last || fault.number == last + 1) << fault.id;
    last = fault.number;
    EXPECT_TRUE(names.insert(fault.id).second) << fault.id;
    EXPECT_TRUE(names.insert(fault.name).second) << fault.name;
    EXPECT_FALSE(fault.steps.empty()) << fault.id;
    EXPECT_GT(fault.run_ns, kPlugNs) << fault.id;
    EXPECT_EQ(FindFault(fault.id), &fault);
    EXPECT_EQ(FindFault(fault.name), &fault);
    // Every step comes early enough to have an effect.
    for (const ScriptStep& step : fault.steps) EXPECT_LT(step.at_ns, fault.run_ns) << fault.id;
  }
  EXPECT_EQ(last, 44);
  EXPECT_EQ(FindFault("no such fault"), nullptr);
}

TEST(Faults, EveryScriptIsAcceptedByTheDevice) {
  for (const Fault& fault : AllFaults()) {
    if (fault.needs_hdcp22) continue;
    TestLink link;
    const absl::Status s = ArmDevice(link.device, FaultScript(fault));
    EXPECT_TRUE(s.ok()) << fault.id << s;
    link.RunUntil(fault.run_ns);
    if (fault.slot >= 0) {
      EXPECT_GE(link.Count(HDMI_EV_HPD), 1) << fault.id;
    }
  }
}

TEST(Faults, ScriptsAreSortedAndPlugOnce) {
  for (const Fault& fault : AllFaults()) {
    const auto steps = FaultScript(fault);
    int plugs = 0;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (i > 0) {
        EXPECT_LE(steps[i - 1].at_ns, steps[i].at_ns) << fault.id;
      }
      plugs += steps[i].inject.op == HDMI_OP_PLUG;
      EXPECT_NE(ScriptStepToString(steps[i]), "");
    }
    EXPECT_EQ(plugs, 1) << fault.id;
  }
}

TEST(Moments, UnplugWhileBlock1IsOnTheWire) {
  // F4 with the driver's own reader.
  TestLink link;
  ASSERT_TRUE(ArmDevice(link.device, FaultScript(*FindFault("F4"))).ok());
  link.RunUntil(kPlugNs + 350 * kMs);
  const auto edid = link.ReadEdid();
  // Block 0 came, block 1 did not.
  ASSERT_TRUE(edid.ok());
  EXPECT_EQ(edid->size(), 128u);
  EXPECT_EQ(link.device.Reg(HDMI_REG_HPD), 0u);
}

TEST(Moments, UnplugFiftyMillisecondsAfterAksv) {
  // F5.
  TestLink link;
  ASSERT_TRUE(ArmDevice(link.device, FaultScript(*FindFault("unplug-ake"))).ok());
  link.RunUntil(kPlugNs);
  EXPECT_EQ(link.Authenticate().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(link.Last(HDMI_EV_HPD)->record.u.level, 0u);
}

TEST(Moments, UnplugExactlyWithVsync128) {
  // F7.
  TestLink link;
  ASSERT_TRUE(ArmDevice(link.device, FaultScript(*FindFault("F7"))).ok());
  link.RunUntil(kPlugNs);
  link.StartVideo();
  ASSERT_TRUE(link.Authenticate().ok());
  link.Encrypt(true);
  link.RunFor(3 * kSecond);
  ASSERT_GE(link.Count(HDMI_EV_VSYNC128), 1);
  EXPECT_EQ(link.Last(HDMI_EV_HPD)->record.u.level, 0u);
  for (const HdmiEvent& e : link.events) {
    if (e.record.type != HDMI_EV_VSYNC128) continue;
    EXPECT_EQ(e.record.time_ns, link.Last(HDMI_EV_HPD)->record.time_ns);
    break;
  }
}

TEST(Moments, UnplugInTheMiddleOfALongFifo) {
  // F24.
  TestLink link;
  ASSERT_TRUE(ArmDevice(link.device, FaultScript(*FindFault("F24"))).ok());
  link.RunUntil(kPlugNs + 10 * kMs);
  ASSERT_TRUE(link.Authenticate().ok());
  EXPECT_EQ(link.AuthenticateRepeater().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(link.Last(HDMI_EV_HPD)->record.u.level, 0u);
}

TEST(MovieNight, DeviceSideOfTheScenario) {
  TestLink link;
  ASSERT_TRUE(ArmDevice(link.device, MovieNight().steps).ok());
  link.RunUntil(kSecond + 300 * kMs);
  EXPECT_EQ(link.Count(HDMI_EV_HPD), 7);  // the plug and six bounces
  link.RunUntil(MovieNight().run_ns);
  EXPECT_EQ(link.Count(HDMI_EV_FW_RESET), 1);
  EXPECT_GE(link.Count(HDMI_EV_HPD), 1500);
  EXPECT_EQ(link.device.Reg(HDMI_REG_HPD), 1u);
  EXPECT_EQ(link.device.Reg(HDMI_REG_DROPPED), 0u);
}

std::vector<std::string> History(uint64_t seed, uint64_t script_seed) {
  TestLink link(SimDevice::Options{.seed = seed});
  EXPECT_TRUE(ArmDevice(link.device, RandomScript(script_seed, 40, 20 * kSecond)).ok());
  link.RunUntil(2 * kSecond);
  (void)link.ReadEdid();
  (void)link.Authenticate();
  link.RunUntil(20 * kSecond);
  std::vector<std::string> history;
  for (const HdmiEvent& e : link.events) {
    history.push_back(EventToString(e));
  }
  return history;
}

TEST(Determinism, SameSeedSameHistory) {
  const auto a = History(3, 4);
  EXPECT_GT(a.size(), 150u);
  EXPECT_EQ(a, History(3, 4));
  EXPECT_NE(a, History(3, 5));
}

TEST(RandomScripts, OneHundredMixesRunAndEnd) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    TestLink link(SimDevice::Options{.seed = seed});
    // An operation may be refused (a plug of nothing is not); no step may fault.
    (void)ArmDevice(link.device, RandomScript(seed, 30, 10 * kSecond));
    link.RunUntil(kPlugNs + kSecond);
    if (link.device.Reg(HDMI_REG_HPD)) {
      (void)link.ReadEdid();
      if (link.Authenticate(seed).ok() && ParseBcaps(link.bcaps).repeater) {
        (void)link.AuthenticateRepeater();
      }
    }
    link.RunUntil(12 * kSecond);
    EXPECT_GT(link.Count(HDMI_EV_HEARTBEAT), 0) << seed;
  }
}

TEST(HostileCommands, TwentyThousandRandomRecordsDoNoHarm) {
  // Whatever a driver process writes into the channel, the device stays sane.
  TestLink link;
  link.Plug(kSlotTv);
  uint64_t state = 99;
  for (int i = 0; i < 20000; ++i) {
    HdmiCommand command;
    auto* bytes = reinterpret_cast<uint8_t*>(&command.record);
    for (size_t j = 0; j < sizeof(command.record); ++j) {
      state = hdcp14_mix64(state);
      bytes[j] = static_cast<uint8_t>(state);
    }
    command.record.type = static_cast<uint16_t>(state % (HDMI_CMD_NR + 1));
    command.record.len &= 63;
    if (state & 0x1000) command.record.generation = 0;
    if (state & 0x2000) command.record.u.ddc.nr &= 7;
    if (command.record.type == HDMI_CMD_INJECT) {
      command.record.u.inject.op %= HDMI_OP_NR;
      command.record.u.inject.when %= HDMI_WHEN_NR;
      if (command.record.u.inject.op == HDMI_OP_EVENT_FLOOD) command.record.u.inject.a &= 1023;
      command.record.u.inject.delay_ns &= 0xfffffff;
    }
    command.bulk.resize((state >> 20) % 700);
    (void)link.device.Command(link.now(), command);
    link.device.Step(link.now() + static_cast<int64_t>(state >> 44));
    while (auto event = link.device.Pop()) (void)CheckEvent(event->record, event->bulk.size());
  }
  EXPECT_LE(link.device.model().nr_timers, static_cast<uint32_t>(HDMI_DEV_TIMERS));
}

}  // namespace
}  // namespace uwq::hdmi
