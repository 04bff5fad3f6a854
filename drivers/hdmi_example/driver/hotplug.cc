// SPDX-License-Identifier: BSD-3-Clause
//
// hotplug.cc -- works of hdmi-hpd: the cable, reset, recovery, storms, the heartbeat.
//
// They may wait for works of hdmi-port, which never wait for anything; so CloseLink()
// takes as long as the one step that runs, and a hung bus does not hold it up.
// Invariant: the port's gate is open exactly while plugged_.
// Read on: display.cc.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"

namespace uwq::hdmi {
namespace {

// After HPD rises many sinks do not answer on the DDC yet.
constexpr absl::Duration kEdidAfterHpd = absl::Milliseconds(100);
constexpr absl::Duration kStormPoll = absl::Seconds(1);
// Up to so many edges in a polling interval are a plug, not a storm.
constexpr uint64_t kStormQuietEdges = 2;
// The first pause before a core that crashed is brought up again; doubled with each
// crash that follows within kCrashMemory.
constexpr absl::Duration kRecoveryPause = absl::Milliseconds(200);
constexpr absl::Duration kCrashMemory = absl::Seconds(30);
constexpr int kCrashesMax = 5;
constexpr absl::Duration kResetLimit = absl::Milliseconds(500);
constexpr uint64_t kMaskAll = ~uint64_t{0} & ~(uint64_t{1} << HDMI_EV_FW_RESET);

}  // namespace

// --- The cable -------------------------------------------------------------------------------

void HdmiDriver::HpdWork() {
  bool level, meant;
  int irqs;
  {
    base::MutexLock lock(&mutex_);
    level = latch_.hpd;
    meant = latch_.low_meant;
    latch_.low_meant = false;
    irqs = latch_.hpd_in_window;
  }
  // A pulse that the sink meant is a loss of the link even if this work comes only
  // after its end: the sink has forgotten scrambling and HDCP (U18).
  if (plugged_ && (!level || meant)) CloseLink("HPD low", /*cec_too=*/true);
  if (level && !plugged_ && !lost_) {
    Log(LogLine::Kind::kState,
        absl::StrCat("HPD high after ", irqs, " events; reading EDID in 100 ms"));
    Plug();
  }
}

void HdmiDriver::Plug() {
  plugged_ = true;
  {
    base::MutexLock lock(&mutex_);
    state_.plugged = true;
    ++stats_.plugs;
    // The gate is closed, so P is ours.
    content_type_ = latch_.content_type;
  }
  reader_.emplace();
  edid_retry_due_ = false;
  mode_step_ = ModeStep::kIdle;
  mode_tries_ = 0;
  attempts_ = hdcp22_failures_ = 0;
  hold_ = false;
  port_group_.Open();
  (void)edid_work_.Queue(kEdidAfterHpd);
}

void HdmiDriver::CloseLink(absl::string_view why, bool cec_too) {
  const base::Nanos start = base::Now();
  if (plugged_) {
    port_group_.CloseSync();
    ddc_.AbortAll();
  }
  // From here on P is ours.
  hdcp_->Stop();
  if (!lost_) {
    if (encrypting_) (void)SendValue(HDMI_CMD_HDCP_CTRL, 0);
    if (plugged_) (void)SendValue(HDMI_CMD_PHY, 0);
  }
  encrypting_ = false;
  video_up_ = false;
  mute_reasons_ = 0;
  if (cec_too) cec_.Down();
  const bool told = connector_->SetEnabled(false);
  if (!plugged_) return;
  plugged_ = false;
  const base::Nanos took = base::Now() - start;
  {
    base::MutexLock lock(&mutex_);
    state_.plugged = state_.video = state_.encrypted = state_.muted = false;
    state_.hdcp_idle = false;
    state_.hdcp = hdcp_->state();
    state_.sink.clear();
    state_.mode.clear();
    latch_.encrypted_since_ns = 0;
    latch_.frame = 0;
    ++stats_.unplugs;
    stats_.unplug_ns_max = std::max(stats_.unplug_ns_max, took);
  }
  Log(LogLine::Kind::kState, absl::StrCat("link closed (", why, "): works of hdmi-port cancelled",
                                          told ? ", ENABLED -> DESIRED" : ""));
}

// --- Reset and recovery ------------------------------------------------------------------------

// Runs on hdmi-hpd because it flushes hdmi-port: a work cannot flush its own queue.
void HdmiDriver::ResetWork() {
  const base::Nanos start = base::Now();
  {
    // Whoever has asked by now is answered by this run.
    base::MutexLock lock(&mutex_);
    latch_.resets_answered = latch_.resets_asked;
  }
  CloseLink("reset", /*cec_too=*/true);
  port_wq_->Flush();  // the gate is closed: this finds nothing, and proves it
  int64_t pending = 0;
  for (DriverWork* work : port_group_.works()) pending += work->pending() ? 1 : 0;
  for (DriverWork* work : hpd_group_.works()) {
    if (work == &reset_work_ || work == &heartbeat_work_) continue;
    (void)work->Cancel();
    pending += work->pending() ? 1 : 0;
  }
  if (!lost_) {
    (void)SendValue(HDMI_CMD_IRQ_MASK, kMaskAll);
    (void)SendValue(HDMI_CMD_RESET, 0);
  }
  mode_hash_ = 0;
  {
    base::MutexLock lock(&mutex_);
    ++stats_.resets;
    ++stats_.flushes;
    stats_.pending_after_reset += pending;
    stats_.reset_ns_max = std::max(stats_.reset_ns_max, base::Now() - start);
  }
  Log(LogLine::Kind::kState, "reset: gate closed, hdmi-port flushed, transmitter in reset");
  // FW_RESET brings it forward; without an answer it is tried all the same.
  recovery_init_ = true;
  (void)recovery_work_.Queue(kResetLimit);
}

// Two steps: first everything is stopped, at once; then, after a pause, brought up.
void HdmiDriver::RecoveryWork() {
  bool by_driver, link_up, link_lost;
  {
    base::MutexLock lock(&mutex_);
    link_lost = latch_.link_lost;
    latch_.link_lost = false;
    by_driver = latch_.reset_by_driver;
    latch_.reset_by_driver = false;
    link_up = latch_.link_up;
  }
  if (link_lost && !lost_) Lost("channel lost and found");
  if (!link_up) return;
  if (!recovery_init_ && !lost_ && !by_driver) {
    const base::Nanos now = base::Now();
    if (absl::Nanoseconds(now - last_crash_ns_) > recovery_work_.Scaled(kCrashMemory)) {
      crashes_ = 0;
    }
    last_crash_ns_ = now;
    const absl::Duration pause = kRecoveryPause * (1 << std::min(crashes_++, kCrashesMax));
    Warn(absl::StrCat("transmitter crashed; generation ", Generation(), ", up again in ",
                      absl::FormatDuration(pause)));
    CloseLink("crash", /*cec_too=*/true);
    mode_hash_ = 0;
    recovery_init_ = true;
    (void)recovery_work_.Queue(pause);
    return;
  }
  recovery_init_ = false;
  lost_ = false;
  {
    base::MutexLock lock(&mutex_);
    state_.device_up = true;
    latch_.hpd_known = false;  // so that the answer below decides, whatever it is
    latch_.storm = false;
    latch_.hpd_in_window = 0;
    ++stats_.recoveries;
  }
  (void)SendValue(HDMI_CMD_IRQ_MASK, 0);
  // The level that was latched may be of another age: read it; the answer replays it.
  (void)SendValue(HDMI_CMD_REG_READ, HDMI_REG_HPD);
  (void)heartbeat_work_.Mod(options_.heartbeat_limit);
  Log(LogLine::Kind::kState, "transmitter up; asking for the level of HPD");
}

void HdmiDriver::Lost(absl::string_view why) {
  Warn(absl::StrCat("transmitter lost: ", why));
  lost_ = true;  // nothing is sent to it while the link is closed
  CloseLink("transmitter lost", /*cec_too=*/true);
  mode_hash_ = 0;
  base::MutexLock lock(&mutex_);
  ++stats_.losses;
  state_.device_up = false;
}

// No sign of life for so long, or the channel broke.
void HdmiDriver::HeartbeatWork() {
  if (lost_) return;
  bool link_up;
  absl::Duration silent;
  {
    base::MutexLock lock(&mutex_);
    link_up = latch_.link_up;
    silent = absl::Nanoseconds(base::Now() - latch_.beat_ns);
  }
  // If this very work is late, it is this process that stood still (a debugger, a
  // suspended machine): the heartbeats that were sent meanwhile are on their way.  One may
  // have come while this run began, and arms the work anew, which this run's lateness
  // does not know.
  const absl::Duration limit = heartbeat_work_.Scaled(options_.heartbeat_limit);
  const absl::Duration late = absl::Nanoseconds(heartbeat_work_.latency_ns());
  if (link_up && (late > limit / 2 || silent < limit)) {
    (void)heartbeat_work_.Queue(options_.heartbeat_limit);
    return;
  }
  Lost(link_up ? "no heartbeat" : "its process or channel is gone");
  base::MutexLock lock(&mutex_);
  // Whoever answers next, its numbers are taken.
  latch_.generation = 0;
  latch_.have_seq = false;
  latch_.hpd_known = false;
}

// --- Storms, losses ------------------------------------------------------------------------------

void HdmiDriver::StormWork() {
  bool quiet = false;
  uint64_t delta = 0;
  {
    base::MutexLock lock(&mutex_);
    if (!latch_.storm) return;
    if (latch_.edges_known) {
      delta = latch_.edges - storm_edges_;
      quiet = storm_edges_known_ && delta <= kStormQuietEdges;
      storm_edges_ = latch_.edges;
      storm_edges_known_ = true;
      latch_.edges_known = false;
      if (quiet) {
        latch_.storm = false;
        latch_.hpd_in_window = 0;
        storm_edges_known_ = false;
      }
    }
  }
  if (quiet) {
    (void)SendValue(HDMI_CMD_IRQ_MASK, 0);
    Log(LogLine::Kind::kState, "HPD storm is over: interrupts on, level replayed");
    (void)SendValue(HDMI_CMD_REG_READ, HDMI_REG_HPD);
    // Masked edges left no event; look at the level even if it is the one we know.
    (void)hpd_work_.Mod(options_.debounce_up);
    return;
  }
  if (delta > 0) Info(absl::StrCat("HPD storm: ", delta, " edges since the last poll"));
  (void)SendValue(HDMI_CMD_REG_READ, HDMI_REG_HPD);
  (void)SendValue(HDMI_CMD_REG_READ, HDMI_REG_HPD_EDGES);
  (void)storm_work_.Queue(kStormPoll);
}

void HdmiDriver::ResyncWork() {
  if (!lost_) (void)SendValue(HDMI_CMD_REG_READ, HDMI_REG_HPD);
}

}  // namespace uwq::hdmi
