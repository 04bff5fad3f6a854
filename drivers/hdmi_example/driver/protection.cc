// SPDX-License-Identifier: BSD-3-Clause
//
// protection.cc -- works of hdmi-port that drive the HDCP machine: they turn what it
// says into requests, re-armed works, a watchdog, encryption, and the property.
//
// hdcp_step_dwork is armed either by the machine's own delay, or by the completion of
// its request, or by the back-off; nobody else touches its timer, because the delays
// are the protocol's.  Clients therefore have a work of their own, protection_work.
// Invariant H1: no lock; the queue runs one of them at a time.
// Read on: hdcp_machine.h.
#include <iterator>

#include "absl/strings/str_cat.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"

namespace uwq::hdmi {
namespace {

using Verdict = HdcpAction::Verdict;

// Between attempts; when they are used up, the port stays DESIRED and idle (U20).
constexpr absl::Duration kBackOff[] = {absl::Milliseconds(200), absl::Seconds(1), absl::Seconds(2),
                                       absl::Seconds(4)};
constexpr int kAttemptsMax = 1 + static_cast<int>(std::size(kBackOff));
// After so many failures of HDCP 2.2, content of type 0 goes over 1.4 instead.
constexpr int kHdcp22Failures = 2;

constexpr unsigned kMuteProtection = 2;

}  // namespace

// A client, or the SRM, has changed something.
void HdmiDriver::ProtectionWork() {
  uint64_t requests;
  int content_type;
  {
    base::MutexLock lock(&mutex_);
    requests = latch_.requests;
    content_type = latch_.content_type;
  }
  const bool changed = requests != requests_seen_;
  requests_seen_ = requests;
  if (content_type != content_type_) {
    // What was agreed with the sink was agreed for the other type.
    content_type_ = content_type;
    if (!hdcp_->idle()) {
      StopProtection("the type of the content changes");
      (void)connector_->SetEnabled(false);
    }
  }
  if (!connector_->wanted()) {
    if (!hdcp_->idle() || encrypting_ || hold_) StopProtection("off, as the client wants");
    return;
  }
  if (!hdcp_->idle()) {
    const HdcpAction action = hdcp_->CheckRevocation();
    Apply(action, hdcp_step_work_, hdcp_request_);
    // The client took its wish back and repeated it before this work ran: the link
    // never stopped being protected, and the property says so again.
    if (hdcp_->authenticated()) (void)connector_->SetEnabled(true);
    return;
  }
  if (changed) {
    attempts_ = hdcp22_failures_ = 0;
    hold_ = false;
  }
  // Refused if the back-off is armed: then that comes first.
  if (video_up_ && !hold_) (void)hdcp_step_work_.Queue();
}

void HdmiDriver::HdcpStep() {
  if (!video_up_ || hold_) return;
  // An attempt that runs goes on even if the client has just taken its wish back:
  // to stop it is protection_work's part, which may find the wish repeated.
  if (hdcp_->idle() && !connector_->wanted()) return;
  HdcpAction action;
  if (auto result = ddc_.Take(hdcp_request_); result.has_value()) {
    action = hdcp_->Done(*result);
    if (action.verdict == Verdict::kUnsupported) action = WithoutHdcp22();
  } else if (ddc_.Busy(hdcp_request_)) {
    return;
  } else if (hdcp_->idle()) {
    Count(&DriverStats::auth_attempts);
    action = StartAttempt();
  } else {
    action = hdcp_->Step();
  }
  Apply(action, hdcp_step_work_, hdcp_request_);
}

// HDCP 2.2 where the sink has it; 1.4 where not, or where 2.2 keeps failing.  Content
// of type 1 never falls back.
HdcpAction HdmiDriver::StartAttempt() {
  if (hdcp22_ != nullptr && (content_type_ == 1 || hdcp22_failures_ < kHdcp22Failures)) {
    hdcp_ = hdcp22_.get();
    return hdcp_->Start(attempts_);
  }
  return WithoutHdcp22();
}

HdcpAction HdmiDriver::WithoutHdcp22() {
  if (content_type_ == 1) {
    HdcpAction action;
    action.verdict = Verdict::kRefused;
    action.encrypt = false;
    action.note = "content of type 1 needs HDCP 2.2";
    return action;
  }
  hdcp_ = hdcp14_.get();
  return hdcp_->Start(attempts_);
}

void HdmiDriver::HdcpWatchdog() {
  const HdcpAction action = hdcp_->Watchdog();
  if (action.verdict == Verdict::kNone && action.transfer.empty()) return;  // it was in time
  // A look that is under way would come too late.
  ddc_.Forget(hdcp_request_);
  (void)hdcp_step_work_.Cancel();
  Apply(action, hdcp_step_work_, hdcp_request_);
}

void HdmiDriver::LinkCheck() {
  if (!hdcp_->authenticated()) return;
  HdcpAction action;
  bool checked = false;
  if (auto result = ddc_.Take(link_request_); result.has_value()) {
    action = hdcp_->Done(*result);
    checked = true;
  } else if (ddc_.Busy(link_request_)) {
    return;  // VSYNC128 came while Ri' is on the wire
  } else {
    LinkView view;
    {
      base::MutexLock lock(&mutex_);
      view.frame = latch_.frame;
      ++stats_.link_checks;
    }
    action = hdcp_->CheckLink(view);
  }
  if (action.again.has_value()) {
    // Perhaps it is we who missed a VSYNC128: ask before the next reading.
    (void)SendValue(HDMI_CMD_REG_READ, HDMI_REG_FRAME);
  }
  const bool good = checked && action.verdict == Verdict::kNone && !action.again.has_value() &&
                    action.transfer.empty();
  Apply(action, link_check_work_, link_request_);
  if (good) {
    attempts_ = 0;
    (void)link_check_work_.Queue(hdcp_->link_period());
  }
}

// What every answer of the machine goes through.
void HdmiDriver::Apply(const HdcpAction& action, DriverWork& work, DdcRequest& request) {
  if (action.encrypt.has_value()) SetEncryption(*action.encrypt);
  if (action.stop_watchdog) {
    // False: it runs after us, and the machine will tell it that it is late.
    (void)hdcp_watchdog_work_.Cancel();
  }
  if (action.watchdog.has_value()) (void)hdcp_watchdog_work_.Mod(*action.watchdog);
  if (!action.note.empty()) {
    const std::string text = absl::StrCat(hdcp_->name(), ": ", action.note);
    if (action.verdict != Verdict::kNone && action.verdict != Verdict::kAuthenticated) {
      Warn(text);
    } else {
      Info(text);
    }
  }
  {
    base::MutexLock lock(&mutex_);
    state_.hdcp = hdcp_->state();
  }
  switch (action.verdict) {
    case Verdict::kNone:
      break;
    case Verdict::kAuthenticated:
      Count(&DriverStats::auth_ok);
      SetMute(kMuteProtection, false);
      if (connector_->SetEnabled(true)) {
        Log(LogLine::Kind::kState, "content protection: DESIRED -> ENABLED");
      }
      (void)link_check_work_.Queue(hdcp_->link_period());
      return;
    case Verdict::kFailed:
    case Verdict::kRefused:
    case Verdict::kUnsupported:
      AuthenticationFailed(action);
      return;
  }
  if (!action.transfer.empty()) {
    ddc_.Submit(request, action.transfer);
  } else if (action.again.has_value()) {
    (void)work.Queue(*action.again);
  }
}

void HdmiDriver::AuthenticationFailed(const HdcpAction& action) {
  ddc_.Forget(hdcp_request_);
  ddc_.Forget(link_request_);
  (void)link_check_work_.Cancel();
  (void)hdcp_step_work_.Cancel();
  const bool was_enabled = connector_->SetEnabled(false);
  if (was_enabled) {
    // What was protected must not go on in the clear.
    SetMute(kMuteProtection, true);
    Log(LogLine::Kind::kState, "content protection: ENABLED -> DESIRED; picture muted");
  }
  absl::Duration pause = absl::ZeroDuration();
  bool hold = action.verdict == Verdict::kRefused;
  if (was_enabled) {
    Count(&DriverStats::link_failures);  // the first attempt after that is at once
  } else if (attempts_ + 1 < kAttemptsMax) {
    pause = kBackOff[attempts_];
  } else {
    hold = true;
  }
  if (!was_enabled) {
    Count(&DriverStats::auth_failed);
    if (hdcp_ == hdcp22_.get()) ++hdcp22_failures_;
  }
  ++attempts_;
  hold_ = hold || attempts_ >= kAttemptsMax;
  {
    base::MutexLock lock(&mutex_);
    state_.attempts = attempts_;
    state_.hdcp_idle = hold_;
  }
  if (hold_) {
    Warn(absl::StrCat("content protection: idle, ",
                      action.verdict == Verdict::kRefused
                          ? "refused"
                          : absl::StrCat("after ", attempts_, " attempts"),
                      "; until HPD, SRM or the client changes"));
    return;
  }
  (void)hdcp_step_work_.Queue(pause);
}

void HdmiDriver::StopProtection(absl::string_view why) {
  hdcp_->Stop();
  ddc_.Forget(hdcp_request_);
  ddc_.Forget(link_request_);
  (void)hdcp_step_work_.Cancel();
  (void)hdcp_watchdog_work_.Cancel();
  (void)link_check_work_.Cancel();
  SetEncryption(false);
  SetMute(kMuteProtection, false);
  attempts_ = hdcp22_failures_ = 0;
  hold_ = false;
  {
    base::MutexLock lock(&mutex_);
    state_.hdcp = hdcp_->state();
    state_.hdcp_idle = false;
  }
  Log(LogLine::Kind::kState, absl::StrCat("content protection: ", why));
}

void HdmiDriver::SetEncryption(bool on) {
  if (on == encrypting_) return;
  encrypting_ = on;
  {
    // Frames are counted from here; before the command, so that no event of the new
    // count is dropped as impossible.
    base::MutexLock lock(&mutex_);
    latch_.frame = 0;
    latch_.encrypted_since_ns = on ? base::Now() : 0;
    state_.encrypted = on;
  }
  (void)SendValue(HDMI_CMD_HDCP_CTRL, on ? HDMI_HDCP_ENCRYPT : 0);
}

}  // namespace uwq::hdmi
