// SPDX-License-Identifier: BSD-3-Clause
//
// hdmi_driver.h -- an HDMI transmitter driver with content protection, in user space.
//
//   auto driver = uwq::hdmi::HdmiDriver::Create(std::move(hardware), options);
//   (*driver)->SetProtection(true);
//   ...                                     // everything else happens by itself
//   (*driver)->Remove();                    // or the destructor
//
// Event-driven throughout: a work does one step, says what it waits for (a completion,
// a deadline) by arming itself or being named in a request, and returns.
//
//   hdmi-hpd   ordered, high priority   plug and unplug, reset, recovery, storms
//   hdmi-port  ordered                  EDID, mode, SCDC, InfoFrames, HDCP
//   hdmi-misc  unbound                  clients' callbacks, CEC
//
// Invariant H1: state marked P is touched by works of hdmi-port, or by a work of
// hdmi-hpd while port_group_ is closed.  The queue's order is the lock.
// Invariant H2: state marked H is touched by works of hdmi-hpd, one at a time.
// Invariant H3: the event thread latches (under mutex_) and queues; nothing else.
// Invariant H4: after Remove() no work is pending, none runs, and no reference is left.
//
// Read on: ../README.md (the work graph), then hotplug.cc, display.cc, protection.cc.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDMI_DRIVER_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDMI_DRIVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "drivers/hdmi_example/driver/cec.h"
#include "drivers/hdmi_example/driver/connector.h"
#include "drivers/hdmi_example/driver/ddc_engine.h"
#include "drivers/hdmi_example/driver/driver_work.h"
#include "drivers/hdmi_example/driver/hardware.h"
#include "drivers/hdmi_example/driver/hdcp_machine_base.h"
#include "drivers/hdmi_example/driver/port_state.h"
#include "drivers/hdmi_example/edid/eddc.h"
#include "drivers/hdmi_example/edid/edid.h"
#include "drivers/hdmi_example/hdcp/hdcp14_authority.h"
#include "drivers/hdmi_example/hdcp/hdcp22_crypto.h"
#include "drivers/hdmi_example/hdcp/srm.h"
#include "drivers/hdmi_example/video/info_frame.h"
#include "drivers/hdmi_example/video/mode_choice.h"
#include "workqueue/workqueue.h"

namespace uwq::hdmi {

// One line of the driver's log; may come from several threads at once.
struct LogLine {
  enum class Kind { kInfo, kState, kWarning };
  Kind kind = Kind::kInfo;
  base::Nanos time_ns = 0;
  const char* work = "";        // which runs; empty: the event thread or a client
  absl::string_view queue;      // of that work
  base::Nanos latency_ns = -1;  // how late it began; -1: no work
  std::string text;
};

struct DriverOptions {
  Runtime* runtime = nullptr;  // null: Runtime::Default()
  double speed = 1;            // the world's seconds in one second of this machine
  uint64_t seed = 1;           // of An
  uint64_t authority = HDCP14_SIM_SEED;
  SourceLimits limits;
  ModeRequest mode;
  // A choice, not a standard (reference hdmi.md 6.2): a pulse of 100 ms must be seen,
  // bounces of a plug must not.
  absl::Duration debounce_up = absl::Milliseconds(250);
  absl::Duration debounce_down = absl::Milliseconds(60);
  absl::Duration ddc_timeout = absl::Milliseconds(200);
  absl::Duration heartbeat_limit = absl::Milliseconds(500);
  // Whose certificates HDCP 2.2 accepts; none: 2.2 is not spoken, whatever the sink has.
  std::optional<RsaKey> hdcp22_authority;
  int locality_rounds = 10;  // the specification allows 1024
  // Runs on hdmi-misc, one at a time; may take its time and may call the driver.
  std::function<void(Protection)> on_protection;
  std::function<void(CecBytes)> on_cec;
  // Run on whatever thread the thing happens on; must be quick.
  std::function<void(const LogLine&)> on_log;
  std::function<void(const WorkRun&)> on_work;
  base::Atomic<int>* live_connectors = nullptr;  // for tests
};

struct DriverStats {
  int64_t events = 0;
  int64_t events_bad = 0;    // failed CheckEvent, or impossible
  int64_t events_stale = 0;  // of another generation of the transmitter
  int64_t events_lost = 0;   // by gaps in the sequence
  int64_t events_late = 0;   // came after Remove() began
  int64_t hpd_events = 0, storms = 0;
  int64_t plugs = 0, unplugs = 0;
  int64_t resets = 0, resets_coalesced = 0, resets_deferred = 0;
  int64_t recoveries = 0, losses = 0;
  int64_t flushes = 0;  // of queues and works, by the driver
  int64_t edid_reads = 0, edid_bad = 0;
  int64_t mode_sets = 0, mode_sets_skipped = 0, scdc_repairs = 0;
  int64_t infoframe_retries = 0;
  int64_t auth_attempts = 0, auth_ok = 0, auth_failed = 0, link_checks = 0, link_failures = 0;
  int64_t locality_checks = 0, locality_late = 0;  // rounds of HDCP 2.2's 20 ms check
  base::Nanos locality_ns_max = 0;                 // of those in time, in the world's time
  int64_t pending_after_reset = 0;                 // H4 for a reset; stays 0
  base::Nanos reset_ns_max = 0, unplug_ns_max = 0;
  DdcEngine::Counts ddc;
  Cec::Counts cec;
  std::vector<WorkCounts> works;
};

class HdmiDriver : private Hardware::Handler {
 public:
  // Makes the queues, then opens the source of events.  Errors: those of
  // Workqueue::Create and Hardware::Start.  Sleeps.
  static absl::StatusOr<std::unique_ptr<HdmiDriver>> Create(std::unique_ptr<Hardware> hardware,
                                                            DriverOptions options);
  ~HdmiDriver() override;
  HdmiDriver(const HdmiDriver&) = delete;
  HdmiDriver& operator=(const HdmiDriver&) = delete;

  // --- For clients: any thread, also from callbacks ------------------------------------
  // Errors of all that change something: FailedPrecondition, once Remove() has begun.

  // DESIRED or UNDESIRED.  Survives unplugging, resets and failures.  Content of type 1
  // goes over HDCP 2.2 only.  Errors: InvalidArgument (type).  Never blocks.
  absl::Status SetProtection(bool desired, int content_type = 0);
  // What the picture is, for InfoFrames: at once if one is shown, and with each mode
  // set from now on.  What the sink does not know is not sent.  Errors:
  // InvalidArgument (hdr_output_metadata.eotf).  Never blocks.
  absl::Status SetContent(const Content& content);
  // A new list of revoked receivers, of the 1.x or the 2.x format; there is one of
  // each.  Errors: those of Srm::Parse; then the list that was there stays.
  absl::Status SetSrm(absl::Span<const uint8_t> blob);
  // Puts the transmitter into reset and returns when it is there; it then comes up
  // again by itself.  Several callers at a time share one reset.  From a work item:
  // is done by hdmi-hpd as soon as it can, without waiting (resets_deferred), since
  // the reset flushes hdmi-port and would wait for its caller.
  // Errors: FailedPrecondition (removed, suspended, also if that overtook the reset).
  // Sleeps.
  absl::Status Reset();
  // No work of hdmi-hpd and hdmi-port runs between the two; CEC goes on, since a
  // screen may wake us by it, and so do clients' callbacks.  Not from a work of
  // hdmi-hpd.  Sleeps.
  absl::Status Suspend();
  absl::Status Resume();
  // See Cec::Request().
  absl::Status CecRequest(CecBytes message, int reply_opcode, absl::Duration timeout, CecDone done);
  // The teardown order of ../README.md.  On return nothing is pending.  Idempotent.
  // Waits for clients' callbacks and for calls that are under way, from callbacks too;
  // later ones are turned away.  Errors: Internal, naming what was left over.  Not from
  // a work of the driver, nor from a callback.  Sleeps.
  absl::Status Remove();

  PortState state() ABSL_LOCKS_EXCLUDED(mutex_);
  DriverStats stats() ABSL_LOCKS_EXCLUDED(mutex_);
  // Works that are armed, queued or running now, by name.
  std::vector<std::string> BusyWorks();
  std::vector<DriverWork*> works() const { return all_works_; }
  // For tests that queue something beside the driver.
  Workqueue& port_queue() { return *port_wq_; }
  Workqueue& misc_queue() { return *misc_wq_; }
  Hardware& hardware() { return *hardware_; }

 private:
  HdmiDriver(std::unique_ptr<Hardware> hardware, DriverOptions options,
             std::unique_ptr<Workqueue> hpd, std::unique_ptr<Workqueue> port,
             std::unique_ptr<Workqueue> misc);

  // --- events.cc: the event thread -------------------------------------------------------
  void OnEvent(const HdmiEvent& event) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnLink(bool up) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool AcceptEvent(const HdmiEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnHpd(bool level, uint64_t time_ns) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnHeartbeat() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnFwReset(const HdmiEvent& event) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnVsync(uint64_t frame) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnInfoframeAck(uint32_t type) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnRegister(uint32_t reg, uint64_t value, uint64_t time_ns) ABSL_LOCKS_EXCLUDED(mutex_);
  bool FrameIsPossibleLocked(uint64_t frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- hotplug.cc: works of hdmi-hpd -----------------------------------------------------
  void HpdWork();
  void ResetWork();
  void RecoveryWork();
  void StormWork();
  void ResyncWork();
  void HeartbeatWork();
  void Lost(absl::string_view why);
  void Plug();
  // Everything that hangs on the cable: stopped, off, forgotten.  Nothing of the port
  // runs or can be queued after this.
  void CloseLink(absl::string_view why, bool cec_too);

  // --- display.cc: works of hdmi-port ------------------------------------------------------
  void EdidWork();
  void EdidFinished();
  void ModesetWork();
  void ProgramMode();
  void VideoUp();
  void ContentWork();
  void UpdateInfoframes();
  void InfoframeWork();
  void ScdcWork();
  void SetMute(unsigned reason, bool on);

  // --- protection.cc: works of hdmi-port ---------------------------------------------------
  void ProtectionWork();
  void HdcpStep();
  HdcpAction StartAttempt();
  HdcpAction WithoutHdcp22();
  void HdcpWatchdog();
  void LinkCheck();
  void Apply(const HdcpAction& action, DriverWork& work, DdcRequest& request);
  void AuthenticationFailed(const HdcpAction& action);
  void StopProtection(absl::string_view why);
  void SetEncryption(bool on);

  // --- Helpers ---------------------------------------------------------------------------
  // A client's call while it is under way, or one that is turned away.  Whatever it
  // uses (queues, the connector, H) is there until it ends: Remove() waits for it.
  class Call {
   public:
    explicit Call(HdmiDriver& driver);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    bool turned_away() const { return !admitted_; }
    absl::Status error() const { return absl::FailedPreconditionError("the driver was removed"); }

   private:
    HdmiDriver& driver_;
    bool admitted_;
  };
  struct Latch;
  // What both machines ask for; `srm`: which of the latched lists.
  void FillEnv(std::shared_ptr<const Srm> Latch::*srm, HdcpEnv& env);
  void MakeHdcp22();
  void Log(LogLine::Kind kind, std::string text);
  void Info(std::string text) { Log(LogLine::Kind::kInfo, std::move(text)); }
  void Warn(std::string text) { Log(LogLine::Kind::kWarning, std::move(text)); }
  bool Send(const HdmiCommand& command);
  bool SendValue(hdmi_cmd_type type, uint64_t value);
  uint32_t Generation() ABSL_LOCKS_EXCLUDED(mutex_);
  void Count(int64_t DriverStats::*counter) ABSL_LOCKS_EXCLUDED(mutex_);
  const DriverWork* Current() const;
  base::Nanos WorldNow() const;
  uint64_t Random();

  const DriverOptions options_;
  const DriverWork::Observer on_work_;
  const std::unique_ptr<Hardware> hardware_;

  // Destroyed in Remove(), the last one first.
  std::unique_ptr<Workqueue> hpd_wq_;
  std::unique_ptr<Workqueue> port_wq_;
  std::unique_ptr<Workqueue> misc_wq_;

  // --- L: what the event thread and clients leave for the works ----------------------------
  struct Latch {
    bool accepting = false;   // between Start() and Remove()
    bool link_up = false;     // Hardware::OnLink
    bool link_lost = false;   // it was down since recovery_dwork last looked
    base::Nanos beat_ns = 0;  // the last sign of life
    uint32_t generation = 0;  // 0: of the next event that comes
    bool have_seq = false;
    uint32_t seq = 0;  // of the last event
    bool hpd_known = false;
    bool hpd = false;
    bool low_meant = false;     // it was low for as long as a sink means it
    uint64_t low_since_ns = 0;  // the device's clock
    bool storm = false;
    int hpd_in_window = 0;
    base::Nanos window_start_ns = 0;
    bool edges_known = false;
    uint64_t edges = 0;
    uint64_t frame = 0;
    base::Nanos encrypted_since_ns = 0;
    uint64_t frame_ns = 0;
    uint32_t mode_done = 0;      // id
    uint32_t acks_expected = 0;  // bit n: type 0x80 + n
    uint32_t acks = 0;
    bool reset_by_driver = false;
    std::shared_ptr<const Srm> srm, srm22;  // of the 1.x and of the 2.x format
    uint64_t requests = 0;                  // of clients for protection or with an SRM
    int content_type = 0;
    Content content;
    int calls = 0;  // of clients, under way
    // Calls of Reset(), and those that a reset has begun after.
    int64_t resets_asked = 0, resets_answered = 0;
  };
  base::Mutex mutex_;
  base::CondVar calls_ended_;  // with mutex_
  Latch latch_ ABSL_GUARDED_BY(mutex_);
  PortState state_ ABSL_GUARDED_BY(mutex_);
  DriverStats stats_ ABSL_GUARDED_BY(mutex_);
  WorkCounts prop_counts_ ABSL_GUARDED_BY(mutex_);  // once it was removed

  Connector* connector_;  // until Remove(); see connector.h for who else holds it

  // --- Works ---------------------------------------------------------------------------------
  DriverWork hpd_work_, reset_work_, recovery_work_, storm_work_, resync_work_, heartbeat_work_;
  DriverWork edid_work_, modeset_work_, content_work_, infoframe_work_, scdc_work_,
      protection_work_, hdcp_step_work_, hdcp_watchdog_work_, link_check_work_, ddc_timeout_work_;
  WorkGroup hpd_group_;
  WorkGroup port_group_;  // closed but for between Plug() and CloseLink()
  DdcEngine ddc_;
  Cec cec_;
  std::vector<DriverWork*> all_works_;

  // --- H ---------------------------------------------------------------------------------------
  bool plugged_ = false;
  bool suspended_ = false;
  bool removed_ = false;
  bool lost_ = true;            // the device is not there; nothing is sent to it
  bool recovery_init_ = false;  // the next run of recovery_work brings it up
  int crashes_ = 0;
  base::Nanos last_crash_ns_ = 0;
  uint64_t storm_edges_ = 0;
  bool storm_edges_known_ = false;

  // --- P ---------------------------------------------------------------------------------------
  DdcRequest edid_request_, modeset_request_, scdc_request_, hdcp_request_, link_request_;
  std::optional<EdidReader> reader_;
  bool edid_retry_due_ = false;
  std::optional<Edid> edid_;  // of the sink that is plugged, or was last
  enum class ModeStep { kIdle, kScdc, kProgram, kWaitDone };
  ModeStep mode_step_ = ModeStep::kIdle;
  LinkMode mode_;
  uint64_t mode_hash_ = 0;        // of the EDID that mode_ was chosen for; 0: none
  uint32_t mode_generation_ = 0;  // of the transmitter that it was programmed into
  uint32_t mode_id_ = 0;
  int mode_tries_ = 0;
  bool video_up_ = false;
  std::vector<InfoFrame> infoframes_;
  uint32_t infoframes_due_ = 0;  // not acknowledged; bits as Latch::acks
  int infoframe_tries_ = 0;
  bool scdc_writing_ = false;
  unsigned mute_reasons_ = 0;
  std::unique_ptr<HdcpMachine> hdcp14_, hdcp22_;  // 2.2: null without keys
  HdcpMachine* hdcp_;                             // the one of this attempt
  int hdcp22_failures_ = 0;
  int content_type_ = 0;
  int attempts_ = 0;   // since the plug, or since the link was last good
  bool hold_ = false;  // no further attempt before something changes
  bool encrypting_ = false;
  uint64_t requests_seen_ = 0;
  uint64_t random_;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_HDMI_DRIVER_H_
