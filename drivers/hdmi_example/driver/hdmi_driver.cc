// SPDX-License-Identifier: BSD-3-Clause
//
// hdmi_driver.cc -- the driver's life: made, asked by clients, removed.
// Invariant: the source of events is opened last and closed first.
// Read on: events.cc, hotplug.cc, display.cc, protection.cc.
#include "drivers/hdmi_example/driver/hdmi_driver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "drivers/hdmi_example/driver/hdcp14_machine.h"
#include "drivers/hdmi_example/driver/hdcp22_machine.h"

namespace uwq::hdmi {
namespace {

// The transmitter's place among the devices of the simulation authority.
constexpr uint64_t kTransmitterIndex = 0;

}  // namespace

absl::StatusOr<std::unique_ptr<HdmiDriver>> HdmiDriver::Create(std::unique_ptr<Hardware> hardware,
                                                               DriverOptions options) {
  if (!(options.speed > 0 && options.speed <= 1000)) {
    return absl::InvalidArgumentError(
        absl::StrCat("speed is ", options.speed, ", should be above 0 and at most 1000"));
  }
  WorkqueueOptions hpd_options;
  hpd_options.kind = WorkqueueKind::kOrdered;
  hpd_options.highpri = true;
  hpd_options.runtime = options.runtime;
  auto hpd = Workqueue::Create("hdmi-hpd", hpd_options);
  if (!hpd.ok()) return hpd.status();
  auto port = Workqueue::CreateOrdered("hdmi-port", options.runtime);
  if (!port.ok()) return port.status();
  WorkqueueOptions misc_options;
  misc_options.max_active = 4;
  misc_options.runtime = options.runtime;
  auto misc = Workqueue::Create("hdmi-misc", misc_options);
  if (!misc.ok()) return misc.status();

  std::unique_ptr<HdmiDriver> driver(new HdmiDriver(std::move(hardware), std::move(options),
                                                    *std::move(hpd), *std::move(port),
                                                    *std::move(misc)));
  if (absl::Status s = driver->hardware_->Start(driver.get()); !s.ok()) {
    (void)driver->Remove();  // OK: nothing has begun
    return s;
  }
  return driver;
}

HdmiDriver::HdmiDriver(std::unique_ptr<Hardware> hardware, DriverOptions options,
                       std::unique_ptr<Workqueue> hpd, std::unique_ptr<Workqueue> port,
                       std::unique_ptr<Workqueue> misc)
    : options_(std::move(options)),
      on_work_(options_.on_work),
      hardware_(std::move(hardware)),
      hpd_wq_(std::move(hpd)),
      port_wq_(std::move(port)),
      misc_wq_(std::move(misc)),
      connector_(Connector::Create(*misc_wq_, options_.speed, &on_work_, options_.on_protection,
                                   options_.live_connectors)),
      hpd_work_("hpd_dwork", *hpd_wq_, options_.speed, &on_work_, [this] { HpdWork(); }),
      reset_work_("reset_work", *hpd_wq_, options_.speed, &on_work_, [this] { ResetWork(); }),
      recovery_work_("recovery_dwork", *hpd_wq_, options_.speed, &on_work_,
                     [this] { RecoveryWork(); }),
      storm_work_("storm_dwork", *hpd_wq_, options_.speed, &on_work_, [this] { StormWork(); }),
      resync_work_("resync_work", *hpd_wq_, options_.speed, &on_work_, [this] { ResyncWork(); }),
      heartbeat_work_("heartbeat_dwork", *hpd_wq_, options_.speed, &on_work_,
                      [this] { HeartbeatWork(); }),
      edid_work_("edid_dwork", *port_wq_, options_.speed, &on_work_, [this] { EdidWork(); }),
      modeset_work_("modeset_dwork", *port_wq_, options_.speed, &on_work_,
                    [this] { ModesetWork(); }),
      content_work_("content_work", *port_wq_, options_.speed, &on_work_,
                    [this] { ContentWork(); }),
      infoframe_work_("infoframe_dwork", *port_wq_, options_.speed, &on_work_,
                      [this] { InfoframeWork(); }),
      scdc_work_("scdc_dwork", *port_wq_, options_.speed, &on_work_, [this] { ScdcWork(); }),
      protection_work_("protection_work", *port_wq_, options_.speed, &on_work_,
                       [this] { ProtectionWork(); }),
      hdcp_step_work_("hdcp_step_dwork", *port_wq_, options_.speed, &on_work_,
                      [this] { HdcpStep(); }),
      hdcp_watchdog_work_("hdcp_watchdog_dwork", *port_wq_, options_.speed, &on_work_,
                          [this] { HdcpWatchdog(); }),
      link_check_work_("link_check_dwork", *port_wq_, options_.speed, &on_work_,
                       [this] { LinkCheck(); }),
      ddc_timeout_work_("ddc_timeout_dwork", *port_wq_, options_.speed, &on_work_,
                        [this] { ddc_.OnTimeout(); }),
      hpd_group_({&hpd_work_, &reset_work_, &recovery_work_, &storm_work_, &resync_work_,
                  &heartbeat_work_}),
      port_group_({&edid_work_, &modeset_work_, &content_work_, &infoframe_work_, &scdc_work_,
                   &protection_work_, &hdcp_step_work_, &hdcp_watchdog_work_, &link_check_work_,
                   &ddc_timeout_work_}),
      ddc_(*hardware_, ddc_timeout_work_, options_.ddc_timeout),
      cec_(*hardware_, *misc_wq_, options_.speed, &on_work_, options_.on_cec),
      edid_request_(ddc_, &edid_work_),
      modeset_request_(ddc_, &modeset_work_),
      scdc_request_(ddc_, &scdc_work_),
      hdcp_request_(ddc_, &hdcp_step_work_),
      link_request_(ddc_, &link_check_work_),
      random_(options_.seed) {
  Hdcp14Machine::Env env;
  FillEnv(&Latch::srm, env);
  hdcp14_authority_device(options_.authority, kTransmitterIndex, &env.keys);
  hdcp14_ = std::make_unique<Hdcp14Machine>(std::move(env));
  hdcp_ = hdcp14_.get();
  if (options_.hdcp22_authority.has_value()) MakeHdcp22();

  for (const WorkGroup* group : {&hpd_group_, &port_group_}) {
    all_works_.insert(all_works_.end(), group->works().begin(), group->works().end());
  }
  const std::vector<DriverWork*> cec = cec_.works();
  all_works_.insert(all_works_.end(), cec.begin(), cec.end());
  // Nothing of the port may run before there is a cable.
  port_group_.CloseSync();
  base::MutexLock lock(&mutex_);
  latch_.accepting = true;
}

void HdmiDriver::FillEnv(std::shared_ptr<const Srm> Latch::*srm, HdcpEnv& env) {
  env.random = [this] { return Random(); };
  env.now = [this] { return WorldNow(); };
  env.srm = [this, srm] {
    base::MutexLock lock(&mutex_);
    return latch_.*srm;
  };
}

void HdmiDriver::MakeHdcp22() {
  Hdcp22Machine::Env env(*options_.hdcp22_authority);
  FillEnv(&Latch::srm22, env);
  env.content_type = [this] { return content_type_; };
  env.on_locality = [this](base::Nanos took, bool late) {
    base::MutexLock lock(&mutex_);
    ++stats_.locality_checks;
    if (late) {
      ++stats_.locality_late;
    } else {
      stats_.locality_ns_max = std::max(stats_.locality_ns_max, took);
    }
  };
  env.locality_rounds = options_.locality_rounds;
  hdcp22_ = std::make_unique<Hdcp22Machine>(std::move(env));
}

HdmiDriver::~HdmiDriver() { (void)Remove(); }  // what is left over was logged

// --- Clients -------------------------------------------------------------------------------

HdmiDriver::Call::Call(HdmiDriver& driver) : driver_(driver) {
  base::MutexLock lock(&driver_.mutex_);
  admitted_ = driver_.latch_.accepting;
  if (admitted_) ++driver_.latch_.calls;
}

HdmiDriver::Call::~Call() {
  if (!admitted_) return;
  base::MutexLock lock(&driver_.mutex_);
  // Under the lock: once it is released, Remove() may return and the driver be gone.
  if (--driver_.latch_.calls == 0) driver_.calls_ended_.NotifyAll();
}

absl::Status HdmiDriver::SetProtection(bool desired, int content_type) {
  if (content_type != 0 && content_type != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("content type is ", content_type, ", should be 0 or 1"));
  }
  const Call call(*this);
  if (call.turned_away()) return call.error();
  {
    // Both in one, so that of two clients one wins in both.
    base::MutexLock lock(&mutex_);
    latch_.content_type = content_type;
    ++latch_.requests;
    (void)connector_->SetWanted(desired);
  }
  // Coalesces; refused while there is no cable, when Plug() will look at it.
  (void)protection_work_.Queue();
  return absl::OkStatus();
}

absl::Status HdmiDriver::SetContent(const Content& content) {
  if (const auto& hdr = content.hdr_output_metadata;
      hdr.has_value() && (hdr->eotf < 0 || hdr->eotf > 3)) {
    return absl::InvalidArgumentError(absl::StrCat("eotf is ", hdr->eotf, ", should be 0 to 3"));
  }
  const Call call(*this);
  if (call.turned_away()) return call.error();
  {
    base::MutexLock lock(&mutex_);
    latch_.content = content;
  }
  // Coalesces; refused while there is no cable, when VideoUp() will look at it.
  (void)content_work_.Queue();
  return absl::OkStatus();
}

absl::Status HdmiDriver::SetSrm(absl::Span<const uint8_t> blob) {
  const Call call(*this);
  if (call.turned_away()) return call.error();
  constexpr uint8_t kFormat2 = 0x91;
  SrmVerifier verifier = SimSrmVerifier();
  if (!blob.empty() && blob[0] == kFormat2) {
    if (!options_.hdcp22_authority.has_value()) {
      return absl::FailedPreconditionError("an SRM for HDCP 2.2, and no key to check it with");
    }
    verifier = [key = *options_.hdcp22_authority](absl::Span<const uint8_t> body,
                                                  absl::Span<const uint8_t> tail) {
      return key.Verify(body, tail);
    };
  }
  absl::StatusOr<Srm> srm = Srm::Parse(blob, verifier);
  if (!srm.ok()) return srm.status();
  {
    base::MutexLock lock(&mutex_);
    std::shared_ptr<const Srm>& latched = srm->hdcp_version() == 2 ? latch_.srm22 : latch_.srm;
    latched = std::make_shared<const Srm>(*std::move(srm));
    ++latch_.requests;
  }
  (void)protection_work_.Queue();
  return absl::OkStatus();
}

absl::Status HdmiDriver::Reset() {
  const Call call(*this);
  if (call.turned_away()) return call.error();
  // Any work item of anybody: it might be one that hdmi-port waits to end.
  const bool from_work = CurrentWork() != nullptr;
  int64_t mine;
  {
    base::MutexLock lock(&mutex_);
    if (state_.suspended) return absl::FailedPreconditionError("the port is suspended");
    if (from_work) ++stats_.resets_deferred;
    mine = ++latch_.resets_asked;
  }
  const bool queued = reset_work_.Queue();
  // A work that waits for another queue's work is one that sleeps; and hdmi-hpd waits
  // for hdmi-port, so that from there it would be waiting for itself.
  if (!from_work) (void)reset_work_.Flush();  // false: it has run already
  base::MutexLock lock(&mutex_);
  if (!from_work) {
    ++stats_.flushes;
    // Suspend() came first and closed the gate, or took it off the queue again.
    if (latch_.resets_answered < mine) {
      return absl::FailedPreconditionError("the port was suspended before the reset");
    }
  }
  if (!queued) ++stats_.resets_coalesced;
  return absl::OkStatus();
}

absl::Status HdmiDriver::Suspend() {
  const Call call(*this);
  if (call.turned_away()) return call.error();
  return hpd_wq_->RunSync([this] {
    if (suspended_) return;
    suspended_ = true;
    CloseLink("suspend", /*cec_too=*/false);
    // In its turn on the ordered queue none of these runs: no need to wait.
    for (DriverWork* work : hpd_group_.works()) (void)work->Disable();
    base::MutexLock lock(&mutex_);
    state_.suspended = true;
  });
}

absl::Status HdmiDriver::Resume() {
  const Call call(*this);
  if (call.turned_away()) return call.error();
  return hpd_wq_->RunSync([this] {
    if (!suspended_) return;
    suspended_ = false;
    hpd_group_.Open();
    {
      base::MutexLock lock(&mutex_);
      state_.suspended = false;
    }
    recovery_init_ = true;
    (void)recovery_work_.Mod(absl::ZeroDuration());
  });
}

absl::Status HdmiDriver::CecRequest(CecBytes message, int reply_opcode, absl::Duration timeout,
                                    CecDone done) {
  const Call call(*this);
  if (call.turned_away()) return call.error();
  return cec_.Request(std::move(message), reply_opcode, timeout, std::move(done));
}

// --- The end -------------------------------------------------------------------------------

// The order matters; ../README.md gives the reason for each step.
absl::Status HdmiDriver::Remove() {
  {
    base::MutexLock lock(&mutex_);
    if (removed_) return absl::OkStatus();
    removed_ = true;
    latch_.accepting = false;  // 1. the gate: clients and late events are turned away,
    while (latch_.calls > 0) calls_ended_.Wait(&mutex_);  // and who was let in has left
  }
  hardware_->Stop();                      // 2. the source of events
  hpd_group_.CloseSync();                 // 3. what queues works of the port ...
  CloseLink("remove", /*cec_too=*/true);  // 4. ... and those works; picture off
  {
    base::MutexLock lock(&mutex_);
    prop_counts_ = connector_->prop_work().counts();
  }
  connector_->Unregister();  // 5. prop_work is not waited for: it has its reference
  // 6. Destroying a queue drains it.  First the one on which clients are told: here
  // the last callback is waited for.
  misc_wq_.reset();
  port_wq_.reset();
  hpd_wq_.reset();

  const std::vector<std::string> busy = BusyWorks();  // 7. nothing is left
  if (busy.empty()) return absl::OkStatus();
  const std::string text = absl::StrCat("left over: ", absl::StrJoin(busy, ", "));
  Warn(text);
  return absl::InternalError(text);
}

// --- Looking at it -------------------------------------------------------------------------

std::vector<std::string> HdmiDriver::BusyWorks() {
  std::vector<std::string> busy;
  for (DriverWork* work : all_works_) {
    if (work->busy() != 0 || work->pending()) busy.push_back(work->name());
  }
  return busy;
}

PortState HdmiDriver::state() {
  PortState state;
  {
    base::MutexLock lock(&mutex_);
    state = state_;
    state.storm = latch_.storm;
    state.generation = latch_.generation;
    if (!removed_) state.protection = connector_->value();
  }
  state.physical_address = cec_.physical_address();
  return state;
}

DriverStats HdmiDriver::stats() {
  DriverStats stats;
  {
    base::MutexLock lock(&mutex_);
    stats = stats_;
    // Once Remove() has begun, the connector may be gone.
    stats.works.push_back(removed_ ? prop_counts_ : connector_->prop_work().counts());
  }
  stats.ddc = ddc_.counts();
  stats.cec = cec_.counts();
  WorkCounts replies;
  for (const DriverWork* work : all_works_) {
    const WorkCounts counts = work->counts();
    if (absl::string_view(counts.name) != "cec_reply_dwork") {
      stats.works.push_back(counts);
      continue;
    }
    // One for each slot; nobody cares which.
    replies.name = counts.name;
    replies.queue = counts.queue;
    replies.runs += counts.runs;
    replies.queued += counts.queued;
    replies.coalesced += counts.coalesced;
    replies.refused += counts.refused;
    replies.cancelled += counts.cancelled;
  }
  stats.works.push_back(replies);
  return stats;
}

// --- Helpers -------------------------------------------------------------------------------

const DriverWork* HdmiDriver::Current() const {
  const uwq_work* const current = CurrentWork();
  if (current == nullptr) return nullptr;
  for (DriverWork* work : all_works_) {
    if (&work->raw()->work == current) return work;
  }
  return nullptr;
}

void HdmiDriver::Log(LogLine::Kind kind, std::string text) {
  if (!options_.on_log) return;
  LogLine line;
  line.kind = kind;
  line.time_ns = base::Now();
  if (const DriverWork* work = Current(); work != nullptr) {
    line.work = work->name();
    line.queue = work->queue();
    line.latency_ns = work->latency_ns();
  }
  line.text = std::move(text);
  options_.on_log(line);
}

bool HdmiDriver::Send(const HdmiCommand& command) {
  const absl::Status s = hardware_->Send(command);
  if (s.ok()) return true;
  Warn(absl::StrCat(CommandTypeName(command.record.type), ": ", s.message()));
  return false;
}

bool HdmiDriver::SendValue(hdmi_cmd_type type, uint64_t value) {
  return Send(ValueCommand(type, Generation(), value));
}

uint32_t HdmiDriver::Generation() {
  base::MutexLock lock(&mutex_);
  return latch_.generation;
}

void HdmiDriver::Count(int64_t DriverStats::*counter) {
  base::MutexLock lock(&mutex_);
  ++(stats_.*counter);
}

base::Nanos HdmiDriver::WorldNow() const {
  return static_cast<base::Nanos>(static_cast<double>(base::Now()) * options_.speed);
}

uint64_t HdmiDriver::Random() { return random_ = hdcp14_mix64(random_); }

}  // namespace uwq::hdmi
