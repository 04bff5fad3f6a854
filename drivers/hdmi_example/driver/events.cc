// SPDX-License-Identifier: BSD-3-Clause
//
// events.cc -- the event thread: checks a record, latches what it says, queues a work.
//
// Invariant H3: nothing here sleeps or takes long; a flood costs a lock and a
// mod_delayed_work per record, and no memory.
// Read on: hotplug.cc.
#include "absl/strings/str_cat.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"

namespace uwq::hdmi {
namespace {

// More HPD events than this in a second and the line is masked and polled instead.
constexpr int kStormEvents = 50;
constexpr absl::Duration kStormWindow = absl::Seconds(1);
constexpr absl::Duration kStormPoll = absl::Seconds(1);
// A sink that means it keeps HPD low for at least so long.
constexpr uint64_t kHpdMeantNs = 100'000'000;
// How far a frame number may be ahead of the time: clocks differ, events wait.
constexpr uint64_t kFrameSlack = 256;

}  // namespace

bool HdmiDriver::AcceptEvent(const HdmiEvent& event) {
  const hdmi_event& e = event.record;
  bool resync = false;
  {
    base::MutexLock lock(&mutex_);
    if (!latch_.accepting) {
      ++stats_.events_late;
      return false;
    }
    ++stats_.events;
    if (!CheckEvent(e, event.bulk.size()).ok()) {
      ++stats_.events_bad;
      return false;
    }
    // FW_RESET tells of the next generation; everything else must be of this one.
    if (e.type != HDMI_EV_FW_RESET) {
      if (latch_.generation == 0) {
        latch_.generation = e.generation;
        ddc_.set_generation(e.generation);
      }
      if (e.generation != latch_.generation) {
        ++stats_.events_stale;
        return false;
      }
    }
    if (latch_.have_seq) {
      const uint32_t gap = e.seq - latch_.seq - 1;
      if (gap > 0x7fffffff) {  // a number that was there before
        ++stats_.events_bad;
        return false;
      }
      stats_.events_lost += gap;
      resync = gap > 0;
    }
    latch_.have_seq = true;
    latch_.seq = e.seq;
  }
  // A level may have changed among what is missing: read it.  Coalesces.
  if (resync) (void)resync_work_.Queue();
  return true;
}

void HdmiDriver::OnEvent(const HdmiEvent& event) {
  if (!AcceptEvent(event)) return;
  const hdmi_event& e = event.record;
  switch (e.type) {
    case HDMI_EV_HPD:
      OnHpd(e.u.level != 0, e.time_ns);
      break;
    case HDMI_EV_DDC_DONE:
      ddc_.OnDone(event);
      break;
    case HDMI_EV_CEC_RX:
      cec_.OnReceived(event);
      break;
    case HDMI_EV_CEC_TX_DONE:
      cec_.OnSent(event);
      break;
    case HDMI_EV_INFOFRAME_ACK:
      OnInfoframeAck(e.u.done.id);
      break;
    case HDMI_EV_VSYNC128:
      OnVsync(e.u.frame);
      break;
    case HDMI_EV_LINK_ERR:
      (void)scdc_work_.Mod(absl::ZeroDuration());  // refused without a picture
      break;
    case HDMI_EV_FW_RESET:
      OnFwReset(event);
      break;
    case HDMI_EV_HEARTBEAT:
      OnHeartbeat();
      break;
    case HDMI_EV_MODE_DONE: {
      {
        base::MutexLock lock(&mutex_);
        latch_.mode_done = e.u.done.id;
      }
      (void)modeset_work_.Mod(absl::ZeroDuration());
      break;
    }
    case HDMI_EV_REG:
      OnRegister(e.u.reg.reg, e.u.reg.value, e.time_ns);
      break;
    case HDMI_EV_RXSENSE:      // HPD says the same and more
    case HDMI_EV_HDCP_STATUS:  // our own engine knows
    default:
      break;
  }
}

// --- HPD -------------------------------------------------------------------------------------

void HdmiDriver::OnHpd(bool level, uint64_t time_ns) {
  bool storm_begins = false;
  {
    base::MutexLock lock(&mutex_);
    ++stats_.hpd_events;
    if (!level && latch_.hpd) latch_.low_since_ns = time_ns;
    if (level && !latch_.hpd && latch_.hpd_known && time_ns - latch_.low_since_ns >= kHpdMeantNs) {
      latch_.low_meant = true;
    }
    latch_.hpd = level;
    latch_.hpd_known = true;
    if (latch_.storm) return;  // StormWork() will look
    const base::Nanos now = base::Now();
    if (absl::Nanoseconds(now - latch_.window_start_ns) >= hpd_work_.Scaled(kStormWindow)) {
      latch_.window_start_ns = now;
      latch_.hpd_in_window = 0;
    }
    if (++latch_.hpd_in_window > kStormEvents) {
      latch_.storm = storm_begins = true;
      latch_.edges_known = false;
      ++stats_.storms;
    }
  }
  if (storm_begins) {
    (void)SendValue(HDMI_CMD_IRQ_MASK, 1u << HDMI_EV_HPD);
    // What it would decide on is noise; StormWork() decides when the line is quiet.
    (void)hpd_work_.Cancel();
    (void)storm_work_.Mod(kStormPoll);
    Warn(absl::StrCat("HPD storm: more than ", kStormEvents, " events in 1 s; masked, polling"));
    return;
  }
  // The debounce: each edge pushes the decision further away.
  (void)hpd_work_.Mod(level ? options_.debounce_up : options_.debounce_down);
}

void HdmiDriver::OnRegister(uint32_t reg, uint64_t value, uint64_t time_ns) {
  switch (reg) {
    case HDMI_REG_HPD: {
      bool decide;
      {
        base::MutexLock lock(&mutex_);
        const bool level = value != 0;
        decide = !latch_.storm && (!latch_.hpd_known || latch_.hpd != level);
        if (!level && latch_.hpd) latch_.low_since_ns = time_ns;
        latch_.hpd = level;
        latch_.hpd_known = true;
      }
      if (decide) {
        (void)hpd_work_.Mod(value != 0 ? options_.debounce_up : options_.debounce_down);
      }
      break;
    }
    case HDMI_REG_HPD_EDGES: {
      base::MutexLock lock(&mutex_);
      latch_.edges = value;
      latch_.edges_known = true;
      break;
    }
    case HDMI_REG_FRAME: {
      base::MutexLock lock(&mutex_);
      if (FrameIsPossibleLocked(value)) latch_.frame = value;
      break;
    }
    default:
      break;
  }
}

// --- The frame clock ---------------------------------------------------------------------------

// Following the cipher to a frame costs microseconds each: a frame number from
// another process is not followed further than time can have carried it.
bool HdmiDriver::FrameIsPossibleLocked(uint64_t frame) {
  if (latch_.frame_ns == 0 || latch_.encrypted_since_ns == 0) return false;
  const double world_ns =
      static_cast<double>(base::Now() - latch_.encrypted_since_ns) * options_.speed;
  const double possible = world_ns / static_cast<double>(latch_.frame_ns) + kFrameSlack;
  if (frame >= latch_.frame && static_cast<double>(frame) <= possible) return true;
  ++stats_.events_bad;
  return false;
}

void HdmiDriver::OnVsync(uint64_t frame) {
  {
    base::MutexLock lock(&mutex_);
    if (!FrameIsPossibleLocked(frame)) return;
    latch_.frame = frame;
  }
  (void)link_check_work_.Mod(absl::ZeroDuration());
}

void HdmiDriver::OnInfoframeAck(uint32_t type) {
  {
    base::MutexLock lock(&mutex_);
    if (type < 0x80 || type >= 0xa0) {
      ++stats_.events_bad;
      return;
    }
    latch_.acks |= 1u << (type - 0x80);
    if ((latch_.acks & latch_.acks_expected) != latch_.acks_expected) return;
    latch_.acks_expected = 0;
  }
  (void)infoframe_work_.Mod(absl::ZeroDuration());
}

// --- The transmitter itself ----------------------------------------------------------------------

void HdmiDriver::OnLink(bool up) {
  {
    base::MutexLock lock(&mutex_);
    if (!latch_.accepting) {
      ++stats_.events_late;
      return;
    }
    latch_.link_up = up;
    latch_.link_lost = latch_.link_lost || !up;
    latch_.beat_ns = base::Now();
    // Another process, perhaps: its numbers begin anew.
    latch_.generation = 0;
    latch_.have_seq = false;
  }
  ddc_.set_generation(0);
  if (up) {
    // Recovery asks; the first answer adopts the generation.
    (void)recovery_work_.Mod(absl::ZeroDuration());
    (void)heartbeat_work_.Mod(options_.heartbeat_limit);
  } else {
    (void)heartbeat_work_.Mod(absl::ZeroDuration());
  }
}

void HdmiDriver::OnHeartbeat() {
  bool back;
  {
    base::MutexLock lock(&mutex_);
    back = !state_.device_up;
    latch_.beat_ns = base::Now();
  }
  (void)heartbeat_work_.Mod(options_.heartbeat_limit);
  if (back) (void)recovery_work_.Queue();
}

void HdmiDriver::OnFwReset(const HdmiEvent& event) {
  const auto& reset = event.record.u.reset;
  {
    base::MutexLock lock(&mutex_);
    if (latch_.generation != 0 && reset.generation == latch_.generation) {
      ++stats_.events_stale;
      return;
    }
    // From here on whatever the old core still says is dropped.
    latch_.generation = reset.generation;
    latch_.reset_by_driver = reset.by_driver != 0;
  }
  ddc_.set_generation(reset.generation);
  (void)recovery_work_.Mod(absl::ZeroDuration());
}

}  // namespace uwq::hdmi
