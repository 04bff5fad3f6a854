// SPDX-License-Identifier: BSD-3-Clause
// Tests of the device model: cable, DDC, HDCP receiver, frames, SCDC, CEC, reset.
#include "drivers/hdmi_example/device/sim_device.h"

#include <gtest/gtest.h>

#include "drivers/hdmi_example/device/device_testing.h"
#include "drivers/hdmi_example/hdcp/srm.h"

namespace uwq::hdmi {
namespace {

TEST(Cable, PlugRaisesHpdAndReceiverSense) {
  TestLink link;
  EXPECT_EQ(link.device.Reg(HDMI_REG_HPD), 0u);
  link.Inject(HDMI_OP_PLUG, kSlotTv, 0, kSecond);
  link.RunUntil(kSecond - 1);
  EXPECT_EQ(link.Count(HDMI_EV_HPD), 0);
  link.RunUntil(kSecond);
  ASSERT_EQ(link.Count(HDMI_EV_HPD), 1);
  EXPECT_EQ(link.Last(HDMI_EV_HPD)->record.u.level, 1u);
  EXPECT_EQ(link.Last(HDMI_EV_HPD)->record.time_ns, static_cast<uint64_t>(kSecond));
  EXPECT_EQ(link.Last(HDMI_EV_RXSENSE)->record.u.level, 1u);
  EXPECT_EQ(link.device.Reg(HDMI_REG_HPD), 1u);
}

TEST(Cable, BounceHasItsEdgesAndEndsWhereItShould) {
  TestLink link;
  link.Plug(kSlotTv);
  link.Inject(HDMI_OP_HPD_BOUNCE, 20, 300 * kMs);
  link.RunFor(kSecond);
  EXPECT_EQ(link.Count(HDMI_EV_HPD), 21);
  EXPECT_EQ(link.Last(HDMI_EV_HPD)->record.u.level, 1u);
  EXPECT_EQ(link.Last(HDMI_EV_HPD)->record.time_ns, static_cast<uint64_t>(300 * kMs));
}

TEST(Cable, MaskedHpdIsSilentButLatchedAndCounted) {
  TestLink link;
  ASSERT_TRUE(link.Command(ValueCommand(HDMI_CMD_IRQ_MASK, 0, 1u << HDMI_EV_HPD)).ok());
  link.Plug(kSlotTv);
  link.Inject(HDMI_OP_HPD_FLOOD, 500, 3 * kSecond);
  link.RunFor(4 * kSecond);
  EXPECT_EQ(link.Count(HDMI_EV_HPD), 0);
  EXPECT_EQ(link.device.Reg(HDMI_REG_HPD), 1u);
  EXPECT_EQ(link.device.Reg(HDMI_REG_HPD_EDGES), 1501u);
  ASSERT_TRUE(link.Command(ValueCommand(HDMI_CMD_REG_READ, 0, HDMI_REG_HPD, 5)).ok());
  ASSERT_NE(link.Last(HDMI_EV_REG), nullptr);
  EXPECT_EQ(link.Last(HDMI_EV_REG)->record.u.reg.value, 1u);
}

TEST(Ddc, EdidOfEverySinkComesOverTheWire) {
  for (int slot = 0; slot < HDMI_DEV_SLOTS; ++slot) {
    TestLink link;
    link.Plug(slot);
    const auto edid = link.ReadEdid();
    ASSERT_TRUE(edid.ok()) << StandardSinkName(slot) << edid.status();
    EXPECT_EQ(*edid, TestEdid(StandardSinkName(slot)));
  }
}

TEST(Ddc, TakesItsTimeOnTheWire) {
  TestLink link;
  link.Plug(kSlotTv);
  const uint32_t id = link.Begin(EddcBlockTransfer(0));
  const int64_t from = link.now();
  ASSERT_NE(link.Wait(id), nullptr);
  // 131 bytes of 90 us and three starts or stops: about 12 ms (section 2.1).
  EXPECT_EQ(link.now() - from, 131 * 90'000 + 3 * 20'000);
}

TEST(Ddc, NothingPluggedIsANak) {
  TestLink link;
  EXPECT_EQ(link.Read(0x50, 0, 128).status().code(), absl::StatusCode::kUnavailable);
}

TEST(Ddc, AddressesThatNobodyHas) {
  TestLink link;
  link.Plug(kSlotDvi);
  EXPECT_FALSE(link.Read(HDMI_DDC_ADDR_SCDC, 0x20, 1).ok());
  EXPECT_FALSE(link.Read(0x20, 0, 1).ok());
  // The segment pointer of a sink that has one segment is not acknowledged ...
  auto messages = EddcBlockTransfer(2);
  EXPECT_FALSE(link.Transfer(messages).ok());
  // ... which a driver may tolerate.
  messages = EddcBlockTransfer(2);
  messages[0].ignore_nak = true;
  EXPECT_TRUE(link.Transfer(messages).ok());
}

TEST(Ddc, SegmentPointerEndsWithTheTransfer) {
  TestLink link;
  link.Plug(kSlot4Block);
  auto messages = EddcBlockTransfer(2);
  ASSERT_TRUE(link.Transfer(messages).ok());
  const auto edid = TestEdid("uwq-4block");
  EXPECT_EQ(messages[2].data, std::vector<uint8_t>(edid.begin() + 256, edid.begin() + 384));
  EXPECT_EQ(*link.Read(0x50, 0, 128), std::vector<uint8_t>(edid.begin(), edid.begin() + 128));
}

TEST(Ddc, OneTransferAtATime) {
  TestLink link;
  link.Plug(kSlotTv);
  const uint32_t first = link.Begin(EddcBlockTransfer(0));
  const uint32_t second = link.Begin(EddcBlockTransfer(1));
  ASSERT_NE(link.Wait(second), nullptr);
  EXPECT_EQ(link.Wait(second)->record.u.ddc_done.status, HDMI_DDC_BUSY);
  ASSERT_NE(link.Wait(first), nullptr);
  EXPECT_EQ(link.Wait(first)->record.u.ddc_done.status, 0);
  EXPECT_EQ(link.Wait(first)->bulk.size(), 128u);
}

TEST(Ddc, UnplugOnTheWireEndsTheTransferThere) {
  // F4.
  TestLink link;
  link.Plug(kSlotTv);
  const uint32_t id = link.Begin(EddcBlockTransfer(1));
  link.Inject(HDMI_OP_UNPLUG, 0, 0, 5 * kMs);
  ASSERT_NE(link.Wait(id), nullptr);
  EXPECT_EQ(link.now(), 5 * kMs);
  EXPECT_EQ(link.Wait(id)->record.u.ddc_done.status, HDMI_DDC_NAK);
}

TEST(Ddc, HangEndsOnlyByAbort) {
  // F12.
  TestLink link;
  link.Plug(kSlotTv);
  link.Inject(HDMI_OP_DDC_HANG, 1);
  const uint32_t id = link.Begin(EddcBlockTransfer(0));
  EXPECT_EQ(link.Wait(id, 10 * kSecond), nullptr);
  ASSERT_TRUE(link.Command(ValueCommand(HDMI_CMD_DDC_ABORT, 0, id)).ok());
  ASSERT_NE(link.Wait(id), nullptr);
  EXPECT_EQ(link.Wait(id)->record.u.ddc_done.status, HDMI_DDC_CANCELED);
  EXPECT_TRUE(link.ReadEdid().ok());
}

TEST(Ddc, LateCompletionCarriesTheOldId) {
  // F13: the second transfer is under way when the first one completes.
  TestLink link;
  link.Plug(kSlotTv);
  link.Inject(HDMI_OP_DDC_HANG, 1);
  link.Inject(HDMI_OP_DDC_LATE, 3 * kMs);
  const uint32_t first = link.Begin(EddcBlockTransfer(0));
  ASSERT_TRUE(link.Command(ValueCommand(HDMI_CMD_DDC_ABORT, 0, first)).ok());
  const uint32_t second = link.Begin(EddcBlockTransfer(0));
  link.RunFor(5 * kMs);
  ASSERT_NE(link.Last(HDMI_EV_DDC_DONE), nullptr);
  EXPECT_EQ(link.Last(HDMI_EV_DDC_DONE)->record.u.ddc_done.id, first);
  EXPECT_TRUE(link.Last(HDMI_EV_DDC_DONE)->bulk.empty());
  ASSERT_NE(link.Wait(second), nullptr);
  EXPECT_EQ(link.Wait(second)->bulk.size(), 128u);
}

TEST(Hdcp14Rx, PartOneWithASink) {
  TestLink link;
  link.Plug(kSlotTv);
  link.StartVideo();
  EXPECT_TRUE(link.Authenticate().ok());
  EXPECT_FALSE(ParseBcaps(link.bcaps).repeater);
  // The hardware's own engine agrees.
  ASSERT_TRUE(
      link.Command(HdcpStartCommand(1, 0, 0x0123456789abcdef, link.session.bksv(), false)).ok());
  link.RunFor(2 * kMs);
  EXPECT_EQ(link.device.Reg(HDMI_REG_TX_R0), link.session.r0());
  EXPECT_EQ(link.device.Reg(HDMI_REG_TX_M0), link.session.m0());
  EXPECT_EQ(link.device.Reg(HDMI_REG_TX_AKSV), link.tx.ksv);
  EXPECT_EQ(link.Last(HDMI_EV_HDCP_STATUS)->record.u.bits, HDMI_HDCP_R0_READY);
}

TEST(Hdcp14Rx, R0IsZeroUntilItIsComputed) {
  TestLink link;
  link.Plug(kSlotTv);
  link.Inject(HDMI_OP_R0_DELAY, 180 * kMs);
  // F16: not there after 100 ms, there after 200.
  EXPECT_EQ(link.Authenticate().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(*link.ReadRi(), 0);
  link.RunFor(100 * kMs);
  EXPECT_EQ(*link.ReadRi(), link.session.r0());
}

TEST(Hdcp14Rx, ShortReadIsRi) {
  TestLink link;
  link.Plug(kSlotTv);
  ASSERT_TRUE(link.Authenticate().ok());
  std::vector<DdcMessage> messages = {DdcMessage::Read(HDMI_DDC_ADDR_HDCP, 2)};
  ASSERT_TRUE(link.Transfer(messages).ok());
  EXPECT_EQ(messages[0].data, ToWire(link.session.r0(), 2));
}

TEST(Hdcp14Rx, RiFollowsTheFramesOfBothEnds) {
  TestLink link;
  link.Plug(kSlotTv);
  link.StartVideo();
  ASSERT_TRUE(link.Authenticate().ok());
  ASSERT_TRUE(
      link.Command(HdcpStartCommand(1, 0, 0x0123456789abcdef, link.session.bksv(), false)).ok());
  const int64_t on = link.now();
  link.Encrypt(true);
  for (int i = 1; i <= 5; ++i) {
    // The event comes exactly with frame 128 * i.
    while (link.Count(HDMI_EV_VSYNC128) < i) link.RunUntil(link.device.Deadline());
    const HdmiEvent* vsync = link.Last(HDMI_EV_VSYNC128);
    EXPECT_EQ(vsync->record.u.frame, 128u * i);
    EXPECT_EQ(static_cast<int64_t>(vsync->record.time_ns) - on, 128 * i * 16666666ll);
    const uint16_t ours = link.session.RiAt(vsync->record.u.frame);
    EXPECT_EQ(*link.ReadRi(), ours) << i;
    EXPECT_EQ(link.device.Reg(HDMI_REG_TX_RI), ours) << i;
  }
  EXPECT_NE(link.session.RiAt(640), link.session.r0());
}

TEST(Hdcp14Rx, RiWrongOnceThenRight) {
  // F17.
  TestLink link;
  link.Plug(kSlotTv);
  ASSERT_TRUE(link.Authenticate().ok());
  link.Inject(HDMI_OP_RI_BAD, 1);
  EXPECT_NE(*link.ReadRi(), link.session.r0());
  EXPECT_EQ(*link.ReadRi(), link.session.r0());
}

TEST(Hdcp14Rx, RiWrongForGoodUntilReauthentication) {
  // F18.
  TestLink link;
  link.Plug(kSlotTv);
  ASSERT_TRUE(link.Authenticate().ok());
  link.Inject(HDMI_OP_RI_BAD, -1);
  for (int i = 0; i < 3; ++i) EXPECT_NE(*link.ReadRi(), link.session.r0());
  EXPECT_TRUE(link.Authenticate(2).ok());
}

TEST(Hdcp14Rx, BksvWith21OnesOnce) {
  // F14.
  TestLink link;
  link.Plug(kSlotTv);
  link.Inject(HDMI_OP_BKSV_BAD, 1);
  EXPECT_EQ(link.Authenticate().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(link.Authenticate().ok());
}

TEST(Hdcp14Rx, CounterfeitNeverMatches) {
  // F15.
  TestLink link;
  link.Plug(kSlotTv);
  link.Inject(HDMI_OP_COUNTERFEIT, 1);
  for (uint64_t an = 1; an < 6; ++an) {
    EXPECT_EQ(link.Authenticate(an).code(), absl::StatusCode::kUnauthenticated);
  }
  link.Inject(HDMI_OP_COUNTERFEIT, 0);
  EXPECT_TRUE(link.Authenticate().ok());
}

TEST(Hdcp14Rx, PartTwoWithARepeater) {
  TestLink link;
  link.Plug(kSlotAvr);
  link.StartVideo();
  ASSERT_TRUE(link.Authenticate().ok());
  EXPECT_TRUE(ParseBcaps(link.bcaps).repeater);
  ASSERT_TRUE(link.AuthenticateRepeater().ok());
  EXPECT_EQ(ParseBstatus(link.bstatus).device_count, 3);
  EXPECT_EQ(ParseBstatus(link.bstatus).depth, 2);
  EXPECT_TRUE(ParseBstatus(link.bstatus).hdmi_mode);
  for (int i = 0; i < 3; ++i) {
    const auto ksv = KsvFromWire(absl::MakeConstSpan(link.fifo).subspan(5 * i, 5));
    ASSERT_TRUE(ksv.ok());
    EXPECT_EQ(*ksv, hdcp14_authority_ksv(HDCP14_SIM_SEED, DownstreamIndex(kSlotAvr, i)));
  }
}

TEST(Hdcp14Rx, FifoStartsAgainWithEachRead) {
  TestLink link;
  link.Plug(kSlotAvr);
  ASSERT_TRUE(link.Authenticate().ok());
  ASSERT_TRUE(link.AuthenticateRepeater().ok());
  EXPECT_EQ(*link.Read(HDMI_DDC_ADDR_HDCP, HDCP14_REG_FIFO, 5),
            std::vector<uint8_t>(link.fifo.begin(), link.fifo.begin() + 5));
  EXPECT_EQ(*link.Read(HDMI_DDC_ADDR_HDCP, HDCP14_REG_FIFO, 15), link.fifo);
}

TEST(Hdcp14Rx, RepeaterFaults) {
  struct {
    hdmi_inject_op op;
    int64_t a, b;
    absl::StatusCode expected;
  } cases[] = {
      {HDMI_OP_READY_DELAY, -1, 0, absl::StatusCode::kDeadlineExceeded},    // F20
      {HDMI_OP_READY_DELAY, 4990 * kMs, 0, absl::StatusCode::kOk},          // F21
      {HDMI_OP_BSTATUS, 0x80, -1, absl::StatusCode::kFailedPrecondition},   // F22
      {HDMI_OP_BSTATUS, 0x800, -1, absl::StatusCode::kFailedPrecondition},  // F22
      {HDMI_OP_BSTATUS, 0, 0, absl::StatusCode::kFailedPrecondition},       // F22
      {HDMI_OP_V_BAD, 1, 0, absl::StatusCode::kUnauthenticated},            // F23
      {HDMI_OP_DOWNSTREAM, 127, 7, absl::StatusCode::kOk},                  // F24
  };
  for (const auto& c : cases) {
    TestLink link;
    link.Plug(kSlotAvr);
    link.Inject(c.op, c.a, c.b);
    ASSERT_TRUE(link.Authenticate().ok());
    EXPECT_EQ(link.AuthenticateRepeater().code(), c.expected) << InjectOpName(c.op) << c.a;
    if (c.op == HDMI_OP_V_BAD) {
      EXPECT_TRUE(link.AuthenticateRepeater().ok());
    }
    if (c.op == HDMI_OP_DOWNSTREAM) {
      EXPECT_EQ(link.fifo.size(), 635u);
    }
  }
}

TEST(Hdcp14Rx, TopologyChangeFallsBackToUnauthenticated) {
  // F25.
  TestLink link;
  link.Plug(kSlotAvr);
  ASSERT_TRUE(link.Authenticate().ok());
  ASSERT_TRUE(link.AuthenticateRepeater().ok());
  link.Inject(HDMI_OP_TOPOLOGY, 5, 3);
  EXPECT_EQ(*link.ReadRi(), 0);
  EXPECT_FALSE(ParseBcaps((*link.Read(HDMI_DDC_ADDR_HDCP, HDCP14_REG_BCAPS, 1))[0]).ready);
  ASSERT_TRUE(link.Authenticate().ok());
  ASSERT_TRUE(link.AuthenticateRepeater().ok());
  EXPECT_EQ(link.fifo.size(), 25u);
}

TEST(Hdcp14Rx, LongHpdLowForgets_ShortOneDoesNot) {
  // F2 and F3.
  TestLink link;
  link.Plug(kSlotTv);
  ASSERT_TRUE(link.Authenticate().ok());
  link.Inject(HDMI_OP_HPD_PULSE, 20 * kMs);
  link.RunFor(200 * kMs);
  EXPECT_EQ(*link.ReadRi(), link.session.r0());
  link.Inject(HDMI_OP_HPD_PULSE, 120 * kMs);
  link.RunFor(200 * kMs);
  EXPECT_EQ(*link.ReadRi(), 0);
}

TEST(Hdcp14Rx, DownstreamKsvCanBeRevoked) {
  // F26 with a device behind the repeater.
  TestLink link;
  link.Plug(kSlotAvr);
  ASSERT_TRUE(link.Authenticate().ok());
  ASSERT_TRUE(link.AuthenticateRepeater().ok());
  const uint64_t revoked = hdcp14_authority_ksv(HDCP14_SIM_SEED, DownstreamIndex(kSlotAvr, 2));
  const auto srm = Srm::Parse(BuildSimSrm(2, {{SrmIdOfKsv(revoked)}}), SimSrmVerifier());
  ASSERT_TRUE(srm.ok());
  SrmId id;
  std::copy_n(link.fifo.begin() + 10, 5, id.begin());
  EXPECT_TRUE(srm->Revoked(id));
  EXPECT_FALSE(srm->RevokedKsv(link.session.bksv()));
}

TEST(Scdc, ScramblingIsSeenLostAndSeenAgain) {
  // F39.
  TestLink link;
  link.Plug(kSlotTv);
  link.StartVideo();
  EXPECT_TRUE(link.mode.scrambling);
  EXPECT_EQ(*link.Read(HDMI_DDC_ADDR_SCDC, 0x21, 1), std::vector<uint8_t>{1});
  EXPECT_EQ(*link.Read(HDMI_DDC_ADDR_SCDC, 0x40, 1), std::vector<uint8_t>{0x0f});
  link.Inject(HDMI_OP_SCDC_LOSE);
  EXPECT_EQ(*link.Read(HDMI_DDC_ADDR_SCDC, 0x21, 1), std::vector<uint8_t>{0});
  ASSERT_NE(link.Last(HDMI_EV_LINK_ERR), nullptr);
  EXPECT_EQ(link.Last(HDMI_EV_LINK_ERR)->record.u.bits,
            HDMI_LINK_ERR_SCRAMBLING | HDMI_LINK_ERR_LOCK);
  ASSERT_TRUE(link.Write(HDMI_DDC_ADDR_SCDC, 0x20, {3}).ok());
  link.RunFor(20 * kMs);
  EXPECT_EQ(*link.Read(HDMI_DDC_ADDR_SCDC, 0x21, 1), std::vector<uint8_t>{1});
}

TEST(Scdc, HpdPulseMakesTheSinkForgetScrambling) {
  // F2, U18.
  TestLink link;
  link.Plug(kSlotTv);
  link.StartVideo();
  link.Inject(HDMI_OP_HPD_PULSE, 150 * kMs);
  link.RunFor(300 * kMs);
  EXPECT_EQ(*link.Read(HDMI_DDC_ADDR_SCDC, 0x20, 2), (std::vector<uint8_t>{0, 0}));
}

TEST(Scdc, CharacterErrorsAreReadOnce) {
  TestLink link;
  link.Plug(kSlotTv);
  link.Inject(HDMI_OP_CHARACTER_ERRORS, 0x123);
  const auto ced = link.Read(HDMI_DDC_ADDR_SCDC, 0x50, 7);
  ASSERT_TRUE(ced.ok());
  uint8_t sum = 0;
  for (uint8_t b : *ced) sum = static_cast<uint8_t>(sum + b);
  EXPECT_EQ(sum, 0);
  EXPECT_EQ((*ced)[0], 0x23);
  EXPECT_EQ((*ced)[1], 0x81);
  EXPECT_EQ(*link.Read(HDMI_DDC_ADDR_SCDC, 0x50, 7), std::vector<uint8_t>(7));
}

TEST(Video, InfoFrameIsAckedWithTheNextFrameOrDropped) {
  TestLink link;
  link.Plug(kSlotTv);
  link.StartVideo();
  const auto frame = InfoFrameCommand(0, AviInfoFrame(link.mode));
  ASSERT_TRUE(frame.ok());
  ASSERT_TRUE(link.Command(*frame).ok());
  link.RunFor(17 * kMs);
  ASSERT_EQ(link.Count(HDMI_EV_INFOFRAME_ACK), 1);
  EXPECT_EQ(link.Last(HDMI_EV_INFOFRAME_ACK)->record.u.done.id, 0x82u);
  // F37.
  link.Inject(HDMI_OP_IF_DROP, 1);
  ASSERT_TRUE(link.Command(*frame).ok());
  link.RunFor(kSecond);
  EXPECT_EQ(link.Count(HDMI_EV_INFOFRAME_ACK), 1);
}

TEST(Video, NoEncryptionWithoutVideo) {
  TestLink link;
  link.Plug(kSlotTv);
  link.Encrypt(true);
  EXPECT_EQ(link.device.Reg(HDMI_REG_HDCP_CTRL), 0u);
  link.StartVideo();
  link.Encrypt(true);
  EXPECT_EQ(link.device.Reg(HDMI_REG_HDCP_CTRL), HDMI_HDCP_ENCRYPT);
  ASSERT_TRUE(link.Command(ValueCommand(HDMI_CMD_PHY, 0, 0)).ok());
  EXPECT_EQ(link.device.Reg(HDMI_REG_HDCP_CTRL), 0u);
  EXPECT_EQ(link.Last(HDMI_EV_HDCP_STATUS)->record.u.bits, 0u);
}

TEST(Cec, RequestIsSentAndAnswered) {
  TestLink link;
  link.Plug(kSlotTv);
  const uint8_t give_power[] = {0x40, 0x8f};
  const auto command = CecCommand(9, 0, give_power);
  ASSERT_TRUE(command.ok());
  ASSERT_TRUE(link.Command(*command).ok());
  link.RunFor(kSecond);
  ASSERT_NE(link.Last(HDMI_EV_CEC_TX_DONE), nullptr);
  EXPECT_EQ(link.Last(HDMI_EV_CEC_TX_DONE)->record.u.done.id, 9u);
  EXPECT_EQ(link.Last(HDMI_EV_CEC_TX_DONE)->record.u.done.status, HDMI_CEC_OK);
  ASSERT_NE(link.Last(HDMI_EV_CEC_RX), nullptr);
  const auto& cec = link.Last(HDMI_EV_CEC_RX)->record.u.cec;
  EXPECT_EQ(cec.len, 3);
  EXPECT_EQ(cec.bytes[0], 0x04);
  EXPECT_EQ(cec.bytes[1], 0x90);
}

TEST(Cec, ReplyComesExactlyWhenToldOrNever) {
  // F38.
  TestLink link;
  link.Plug(kSlotTv);
  link.Inject(HDMI_OP_CEC_REPLY, 1000 * kMs);
  const uint8_t give_power[] = {0x40, 0x8f};
  ASSERT_TRUE(link.Command(*CecCommand(1, 0, give_power)).ok());
  link.RunFor(2 * kSecond);
  EXPECT_EQ(
      link.Last(HDMI_EV_CEC_RX)->record.time_ns - link.Last(HDMI_EV_CEC_TX_DONE)->record.time_ns,
      static_cast<uint64_t>(1000 * kMs));
  link.Inject(HDMI_OP_CEC_REPLY, -1);
  ASSERT_TRUE(link.Command(*CecCommand(2, 0, give_power)).ok());
  link.RunFor(5 * kSecond);
  EXPECT_EQ(link.Count(HDMI_EV_CEC_RX), 1);
}

TEST(Cec, NobodyAcknowledges) {
  TestLink link;
  const uint8_t poll[] = {0x40};
  ASSERT_TRUE(link.Command(*CecCommand(1, 0, poll)).ok());
  ASSERT_TRUE(link.Command(*CecCommand(2, 0, poll)).ok());
  EXPECT_EQ(link.Last(HDMI_EV_CEC_TX_DONE)->record.u.done.status, HDMI_CEC_BUSY);
  link.RunFor(kSecond);
  EXPECT_EQ(link.Last(HDMI_EV_CEC_TX_DONE)->record.u.done.id, 1u);
  EXPECT_EQ(link.Last(HDMI_EV_CEC_TX_DONE)->record.u.done.status, HDMI_CEC_NAK);
}

TEST(Core, FirmwareResetStartsANewGeneration) {
  // F34.
  TestLink link;
  link.Plug(kSlotTv);
  ASSERT_TRUE(link.Command(SetModeCommand(5, 1, FailSafeMode(""))).ok());
  link.Inject(HDMI_OP_FW_RESET, 0, 0, 10 * kMs);
  link.RunFor(kSecond);
  EXPECT_EQ(link.Count(HDMI_EV_MODE_DONE), 0);
  ASSERT_NE(link.Last(HDMI_EV_FW_RESET), nullptr);
  EXPECT_EQ(link.Last(HDMI_EV_FW_RESET)->record.u.reset.generation, 2u);
  EXPECT_EQ(link.Last(HDMI_EV_FW_RESET)->record.u.reset.by_driver, 0u);
  EXPECT_EQ(link.device.Reg(HDMI_REG_HPD), 1u);
  // Commands of the old generation are refused; a transfer also completes so.
  EXPECT_EQ(link.Command(SetModeCommand(6, 1, FailSafeMode(""))).code(),
            absl::StatusCode::kFailedPrecondition);
  const auto ddc = DdcCommand(99, 1, EddcBlockTransfer(0));
  EXPECT_FALSE(link.Command(*ddc).ok());
  EXPECT_EQ(link.Last(HDMI_EV_DDC_DONE)->record.u.ddc_done.status, HDMI_DDC_STALE);
  ASSERT_TRUE(link.Command(ValueCommand(HDMI_CMD_RESET, 2, 0)).ok());
  EXPECT_EQ(link.Last(HDMI_EV_FW_RESET)->record.u.reset.by_driver, 1u);
}

TEST(Core, HeartbeatEvery100msAndSilenceWhenDead) {
  // F32.
  TestLink link;
  link.RunUntil(kSecond);
  EXPECT_EQ(link.Count(HDMI_EV_HEARTBEAT), 10);
  link.Inject(HDMI_OP_DEAD, 1);
  const size_t events = link.events.size();
  link.Plug(kSlotTv);
  link.RunFor(kSecond);
  EXPECT_EQ(link.events.size(), events);
  link.Inject(HDMI_OP_DEAD, 0);
  EXPECT_EQ(link.Last(HDMI_EV_FW_RESET)->record.generation, link.device.generation());
  EXPECT_GT(link.device.generation(), 1u);
  EXPECT_EQ(link.device.Reg(HDMI_REG_HPD), 1u);
  link.RunFor(kSecond);
  EXPECT_GT(link.events.size(), events);
}

TEST(Core, EventFloodIsBoundedAndLossesShowInTheSequence) {
  // F35: nobody fetches for a second.
  TestLink link;
  link.Plug(kSlotTv);
  ASSERT_TRUE(link.device.Inject({.op = HDMI_OP_EVENT_FLOOD, .a = 100000, .b = kSecond}).ok());
  link.device.Step(2 * kSecond);
  uint32_t fetched = 0, last = 0;
  uint32_t first = 0;
  while (auto e = link.device.Pop()) {
    if (fetched++ == 0) first = e->record.seq;
    last = e->record.seq;
  }
  EXPECT_EQ(fetched, static_cast<uint32_t>(HDMI_DEV_EVENTS));
  EXPECT_EQ(last - first + 1, fetched);
  EXPECT_GE(link.device.Reg(HDMI_REG_DROPPED), 99000u);
  // The next event's number tells how many were lost.
  link.Inject(HDMI_OP_HPD_PULSE, kMs);
  EXPECT_EQ(link.events.back().record.seq, last + link.device.Reg(HDMI_REG_DROPPED) + 1);
}

TEST(Core, BadRecordsAreNoticed) {
  // F36.
  TestLink link;
  link.Plug(kSlotTv);
  for (int which : {0, 1}) {
    link.Inject(HDMI_OP_BAD_RECORD, which);
    EXPECT_FALSE(CheckEvent(link.events.back().record, 0).ok()) << which;
  }
  link.Inject(HDMI_OP_BAD_RECORD, 3);
  EXPECT_TRUE(CheckEvent(link.events.back().record, 0).ok());
  EXPECT_NE(link.events.back().record.generation, link.device.generation());
  // Lying DDC lengths.
  link.Inject(HDMI_OP_DDC_LIE, 100, 1);
  EXPECT_EQ(link.Read(0x50, 0, 128).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(link.Read(0x50, 0, 128).ok());
}

TEST(Core, MalformedCommandsAreRefused) {
  TestLink link;
  link.Plug(kSlotTv);
  HdmiCommand command;
  for (uint32_t type : {0u, 15u, 0xffffu}) {
    command.record.type = static_cast<uint16_t>(type);
    EXPECT_FALSE(link.Command(command).ok()) << type;
  }
  command = ValueCommand(HDMI_CMD_PHY, 0, 1);
  command.record.len = 41;
  EXPECT_FALSE(link.Command(command).ok());
  command = *DdcCommand(1, 0, EddcBlockTransfer(0));
  command.record.u.ddc.nr = 9;
  EXPECT_FALSE(link.Command(command).ok());
  command = *DdcCommand(2, 0, EddcBlockTransfer(0));
  command.record.u.ddc.msg[0].len = 500;  // more than its bulk holds
  EXPECT_FALSE(link.Command(command).ok());
  EXPECT_EQ(link.Last(HDMI_EV_DDC_DONE)->record.u.ddc_done.status, HDMI_DDC_INVALID);
  EXPECT_FALSE(link.device.Inject({.op = HDMI_OP_PLUG, .a = 4}).ok());
  EXPECT_FALSE(link.device.Inject({.op = static_cast<hdmi_inject_op>(63)}).ok());
  EXPECT_FALSE(link.device.Inject({.op = HDMI_OP_UNPLUG, .delay_ns = -1}).ok());
  EXPECT_FALSE(link.device.LoadSink(4, SinkSpec()).ok());
  EXPECT_FALSE(link.device.LoadSink(0, SinkForEdid(std::vector<uint8_t>(5000))).ok());
}

}  // namespace
}  // namespace uwq::hdmi
