// SPDX-License-Identifier: BSD-3-Clause
//
// display.cc -- works of hdmi-port that make a picture: EDID, mode, InfoFrames, SCDC.
//
// Each is a small state machine.  A run looks what has come (a result, a completion,
// the time), takes one step, and returns.
// Invariant H1: no lock; the queue runs one of them at a time.
// Read on: protection.cc.
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/numeric/bits.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"
#include "drivers/hdmi_example/hdcp/hdcp_regs.h"

namespace uwq::hdmi {
namespace {

constexpr absl::Duration kModeLimit = absl::Milliseconds(500);
constexpr absl::Duration kScdcRetry = absl::Milliseconds(50);
constexpr int kModeTries = 3;
constexpr absl::Duration kAckLimit = absl::Milliseconds(100);
constexpr int kInfoframeRetries = 3;
constexpr absl::Duration kScdcFirst = absl::Milliseconds(200);
constexpr absl::Duration kScdcPeriod = absl::Seconds(1);
constexpr absl::Duration kHdcpAfterVideo = absl::Milliseconds(200);

constexpr uint8_t kScdcTmdsConfig = 0x20;
constexpr uint8_t kScdcScrambleAndRatio = 3;  // scrambling, bit rate 1/40

constexpr unsigned kMuteModeset = 1;

// Of an InfoFrame's type, as in Latch::acks.
uint32_t Bit(const InfoFrame& frame) { return 1u << (frame[0] & 0x1f); }

}  // namespace

// --- EDID ------------------------------------------------------------------------------------

void HdmiDriver::EdidWork() {
  if (auto result = ddc_.Take(edid_request_); result.has_value()) {
    if (result->ok()) {
      reader_->Done((*result)->back().data);
    } else {
      reader_->Done(result->status());
    }
  } else if (ddc_.Busy(edid_request_)) {
    return;
  }
  EdidReader::Step step = reader_->Next();
  switch (step.action) {
    case EdidReader::Action::kFinished:
      EdidFinished();
      return;
    case EdidReader::Action::kRetryLater:
      if (!edid_retry_due_) {
        edid_retry_due_ = true;
        Warn(
            absl::StrFormat("EDID block %d unreadable; again in %d ms", step.block, step.delay_ms));
        (void)edid_work_.Queue(absl::Milliseconds(step.delay_ms));
        return;
      }
      break;
    case EdidReader::Action::kTransfer:
      break;
  }
  edid_retry_due_ = false;
  ddc_.Submit(edid_request_, std::move(step.messages));
}

void HdmiDriver::EdidFinished() {
  absl::StatusOr<Edid> edid = absl::InternalError("not read");
  if (auto bytes = reader_->result(); bytes.ok()) {
    edid = ParseEdid(*bytes);
  } else {
    edid = bytes.status();
  }
  for (const std::string& warning : reader_->warnings()) Warn(absl::StrCat("EDID: ", warning));
  uint64_t hash = 0;
  if (edid.ok()) {
    hash = edid->hash;
    edid_ = *std::move(edid);
    mode_ = ChooseMode(*edid_, options_.limits, options_.mode);
  } else if (edid_.has_value()) {
    // A screen that was fine before is more likely to be the same one with a bad
    // contact than one that shows nothing.
    Warn(absl::StrCat("EDID unusable (", edid.status().message(), "); using the last good one"));
    mode_ = ChooseMode(*edid_, options_.limits, options_.mode);
  } else {
    Warn(absl::StrCat("EDID unusable (", edid.status().message(), "); 640x480 DVI"));
    mode_ = FailSafeMode("no usable EDID");
  }
  const bool same = hash != 0 && hash == mode_hash_ && Generation() == mode_generation_;
  mode_hash_ = hash;
  {
    base::MutexLock lock(&mutex_);
    ++stats_.edid_reads;
    if (hash == 0) ++stats_.edid_bad;
    state_.sink = edid_.has_value() ? edid_->name : "";
  }
  if (edid_.has_value() && hash != 0) {
    Info(absl::StrFormat("EDID: %s \"%s\", %d extension(s), physical address %s%s",
                         edid_->manufacturer, edid_->name, edid_->announced_extensions,
                         PhysicalAddressToString(edid_->physical_address()),
                         same ? ", unchanged" : ""));
  }
  if (hash != 0 && edid_->is_hdmi()) cec_.Up(edid_->physical_address(), Generation());
  mode_tries_ = 0;
  mode_step_ = mode_.scrambling ? ModeStep::kScdc : ModeStep::kProgram;
  if (same) {
    // The core still has this mode; only what the sink forgot is done again.
    mode_id_ = 0;
    Count(&DriverStats::mode_sets_skipped);
  } else {
    mode_id_ = 1 + static_cast<uint32_t>(Random() & 0x7fffffff);
  }
  (void)modeset_work_.Queue();
}

// --- Mode ------------------------------------------------------------------------------------

void HdmiDriver::ModesetWork() {
  switch (mode_step_) {
    case ModeStep::kIdle:
      return;  // a completion of long ago
    case ModeStep::kScdc: {
      auto result = ddc_.Take(modeset_request_);
      if (!result.has_value()) {
        // The sink must know before the first scrambled pixel comes.
        if (!ddc_.Busy(modeset_request_)) {
          ddc_.Submit(modeset_request_, DdcWriteRegister(HDMI_DDC_ADDR_SCDC, kScdcTmdsConfig,
                                                         {kScdcScrambleAndRatio}));
        }
        return;
      }
      if (!result->ok()) {
        Warn(absl::StrCat("SCDC: ", result->status().message()));
        if (++mode_tries_ < kModeTries) {
          (void)modeset_work_.Queue(kScdcRetry);
          return;
        }
        SourceLimits limits = options_.limits;
        limits.scdc = false;
        mode_ = ChooseMode(*edid_, limits, options_.mode);
        if (mode_id_ == 0) mode_id_ = 1 + static_cast<uint32_t>(Random() & 0x7fffffff);
        mode_hash_ = 0;  // this is not the mode that this EDID should have
      }
      mode_tries_ = 0;
      ProgramMode();
      return;
    }
    case ModeStep::kProgram:
      ProgramMode();
      return;
    case ModeStep::kWaitDone: {
      bool done;
      {
        base::MutexLock lock(&mutex_);
        done = latch_.mode_done == mode_id_;
      }
      if (done) {
        VideoUp();
      } else if (++mode_tries_ < kModeTries) {
        Warn("mode set: no completion; again");
        ProgramMode();
      } else {
        mode_step_ = ModeStep::kIdle;
        mode_hash_ = 0;
        Warn("mode set failed; waiting for the next plug");
      }
      return;
    }
  }
}

void HdmiDriver::ProgramMode() {
  SetMute(kMuteModeset, true);
  (void)SendValue(HDMI_CMD_PHY, 1);
  if (mode_id_ == 0) {
    VideoUp();
    return;
  }
  Count(&DriverStats::mode_sets);
  mode_step_ = ModeStep::kWaitDone;
  mode_generation_ = Generation();
  (void)Send(SetModeCommand(mode_id_, mode_generation_, mode_));
  // MODE_DONE brings it forward.
  (void)modeset_work_.Queue(kModeLimit);
}

void HdmiDriver::VideoUp() {
  mode_step_ = ModeStep::kIdle;
  video_up_ = true;
  {
    base::MutexLock lock(&mutex_);
    state_.video = true;
    state_.mode = LinkModeToString(mode_);
    latch_.frame_ns = static_cast<uint64_t>(mode_.timing.FramePeriodNs());
  }
  Log(LogLine::Kind::kState,
      absl::StrCat("video: ", TimingToString(mode_.timing), mode_.hdmi ? ", HDMI" : ", DVI",
                   mode_.scrambling ? ", scrambled" : "", " (", mode_.why, ")",
                   mode_id_ == 0 ? ", kept" : ""));
  infoframes_due_ = 0;
  UpdateInfoframes();
  for (const InfoFrame& frame : infoframes_) infoframes_due_ |= Bit(frame);  // all of them
  scdc_writing_ = false;
  if (mode_.scrambling) (void)scdc_work_.Queue(kScdcFirst);
  if (connector_->wanted()) (void)hdcp_step_work_.Queue(kHdcpAfterVideo);
}

// --- InfoFrames ------------------------------------------------------------------------------

// A client says what the picture is; one that is shown stays on meanwhile.
void HdmiDriver::ContentWork() {
  if (video_up_) UpdateInfoframes();  // else VideoUp() will
}

// From what the transmitter sends to what it should: what is no more is switched off,
// what is new or different is due.
void HdmiDriver::UpdateInfoframes() {
  Content content;
  {
    base::MutexLock lock(&mutex_);
    content = latch_.content;
  }
  std::vector<InfoFrame> before = std::move(infoframes_);
  infoframes_.clear();
  if (edid_.has_value() && mode_.hdmi) infoframes_ = InfoFramesFor(mode_, *edid_, content);
  uint32_t wanted = 0;
  for (const InfoFrame& frame : infoframes_) {
    wanted |= Bit(frame);
    if (absl::c_find(before, frame) == before.end()) infoframes_due_ |= Bit(frame);
  }
  for (const InfoFrame& frame : before) {
    if ((wanted & Bit(frame)) == 0) (void)Send(InfoFrameOffCommand(Generation(), frame[0]));
  }
  infoframes_due_ &= wanted;
  infoframe_tries_ = 0;
  (void)infoframe_work_.Mod(absl::ZeroDuration());
}

// After a mode set the picture is muted until the sink has been told what it is.
void HdmiDriver::InfoframeWork() {
  const int due = absl::popcount(infoframes_due_);
  uint32_t missing;
  {
    base::MutexLock lock(&mutex_);
    if (infoframe_tries_ == 0) latch_.acks = 0;
    missing = infoframes_due_ & ~latch_.acks;
    latch_.acks_expected = infoframe_tries_ <= kInfoframeRetries ? missing : 0;
  }
  if (missing == 0 || infoframe_tries_ > kInfoframeRetries) {
    const char* const picture = (mute_reasons_ & kMuteModeset) != 0 ? "; picture on" : "";
    if (missing != 0) {
      Warn(absl::StrCat("InfoFrames are not acknowledged", picture,
                        *picture != 0 ? " all the same" : ""));
    } else if (due != 0) {
      Info(absl::StrCat(due, " InfoFrames acknowledged", picture));
    }
    infoframes_due_ = 0;
    SetMute(kMuteModeset, false);
    return;
  }
  if (infoframe_tries_++ > 0) Count(&DriverStats::infoframe_retries);
  for (const InfoFrame& frame : infoframes_) {
    if ((missing & Bit(frame)) == 0) continue;
    if (auto command = InfoFrameCommand(Generation(), frame); command.ok()) (void)Send(*command);
  }
  (void)infoframe_work_.Queue(kAckLimit);
}

void HdmiDriver::SetMute(unsigned reason, bool on) {
  const unsigned before = mute_reasons_;
  mute_reasons_ = on ? before | reason : before & ~reason;
  if ((before != 0) == (mute_reasons_ != 0)) return;
  (void)SendValue(HDMI_CMD_AVMUTE, mute_reasons_ != 0 ? 1 : 0);
  base::MutexLock lock(&mutex_);
  state_.muted = mute_reasons_ != 0;
}

// --- SCDC ------------------------------------------------------------------------------------

// A sink may lose scrambling by itself (a switch, a short loss of clock): look every
// second, and at once when it reports a bad link.
void HdmiDriver::ScdcWork() {
  if (!video_up_ || !mode_.scrambling) return;
  auto result = ddc_.Take(scdc_request_);
  if (!result.has_value()) {
    if (!ddc_.Busy(scdc_request_)) {
      ddc_.Submit(scdc_request_, DdcReadRegister(HDMI_DDC_ADDR_SCDC, kScdcTmdsConfig, 2));
    }
    return;
  }
  absl::Duration next = kScdcPeriod;
  if (scdc_writing_) {
    scdc_writing_ = false;
    next = kScdcFirst;  // see whether it helped
  } else if (!result->ok()) {
    Warn(absl::StrCat("SCDC: ", result->status().message()));
  } else {
    const std::vector<uint8_t>& bytes = (*result)->back().data;
    if (bytes[0] != kScdcScrambleAndRatio || (bytes[1] & 1) == 0) {
      Warn(absl::StrFormat("SCDC: configuration %02x, scrambler status %02x; set again", bytes[0],
                           bytes[1]));
      Count(&DriverStats::scdc_repairs);
      scdc_writing_ = true;
      ddc_.Submit(scdc_request_,
                  DdcWriteRegister(HDMI_DDC_ADDR_SCDC, kScdcTmdsConfig, {kScdcScrambleAndRatio}));
      return;
    }
  }
  (void)scdc_work_.Queue(next);
}

}  // namespace uwq::hdmi
