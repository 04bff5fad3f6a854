// SPDX-License-Identifier: BSD-3-Clause
//
// demo.cc -- see demo.h: starting, playing, ending.
// Read on: judge.cc (checks and summary).
#include "drivers/hdmi_example/demo/demo.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hdmi_example/demo/fault_outcome.h"
#include "drivers/hdmi_example/demo/standard_edids.h"
#include "drivers/hdmi_example/demo/trace_file.h"
#include "drivers/hdmi_example/device/hdcp22_sink.h"
#include "drivers/hdmi_example/driver/kup_hardware.h"

namespace uwq::hdmi {
namespace {

constexpr double kLookSeconds = 0.1;             // of this machine: at stop(), at the progress line
constexpr base::Nanos kQuietNs = 1'500'000'000;  // then the progress line comes
constexpr base::Nanos kLateNs = 10'000'000'000;  // for an outcome that is late

void SleepNs(int64_t ns) {
  timespec left{ns / 1'000'000'000, ns % 1'000'000'000};
  (void)nanosleep(&left, nullptr);  // a signal ends it early, and the caller looks again
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::vector<uint8_t> StandardEdid(int slot) {
  const auto bytes = EdidFromFileContents(kStandardEdidText[slot]);
  return bytes.ok() ? *bytes : std::vector<uint8_t>();
}

std::string Describe(const ScriptStep& step) {
  if (step.text[0] != '\0' && absl::string_view(step.text) != "plug") return step.text;
  if (step.actor == Actor::kDevice && step.inject.op == HDMI_OP_PLUG) {
    return absl::StrCat("plug ", StandardSinkName(static_cast<int>(step.inject.a)));
  }
  std::string text = ScriptStepToString(step);
  // Without its time, which the line has.
  return text.substr(std::min(text.size(), text.find(' ') + 5));
}

}  // namespace

Demo::Demo(DemoOptions options)
    : options_(std::move(options)), timeline_(options_.speed, options_.color) {
  core::SetReportHandler([this](const core::Report& report) { OnReport(report); });
}

Demo::~Demo() {
  Finish();
  core::SetReportHandler(nullptr);
}

// --- Starting ----------------------------------------------------------------------------------

absl::Status Demo::StartDevice() {
  if (!options_.device.empty()) {
    device_ = options_.device;
    return absl::OkStatus();
  }
  DeviceChild::Options child;
  child.program = options_.program;
  child.name = UniqueDeviceName("hdmi-demo");
  child.seed = options_.seed;
  child.speed = options_.speed;
  child.hdcp22 = hdcp22();
  device_ = absl::StrCat("sim:", child.name);
  child_ = std::make_unique<DeviceChild>(std::move(child));
  if (absl::Status s = child_->Start(); !s.ok()) return s;
  timeline_.Say(Timeline::Who::kWorld,
                absl::StrFormat("device process %d: transmitter, generation 1, nothing plugged",
                                child_->pid()));
  return absl::OkStatus();
}

absl::Status Demo::Start() {
  timeline_.Header();
  if (absl::Status s = StartDevice(); !s.ok()) return s;
  if (absl::Status s = StartDriver(); !s.ok()) return s;
  return LoadSinks();
}

absl::Status Demo::StartDriver() {
  KupHardware::Options kup_options;
  auto hardware = KupHardware::Open(device_, kup_options);
  if (!hardware.ok()) return hardware.status();

  DriverOptions driver;
  driver.speed = options_.speed;
  driver.seed = options_.seed;
  // On a busy machine the device's process may not run for some 100 ms; at a high
  // speed that is a long time of the world.
  driver.heartbeat_limit =
      std::max(absl::Milliseconds(500), absl::Milliseconds(400) * options_.speed);
  driver.ddc_timeout = std::max(absl::Milliseconds(200), absl::Milliseconds(40) * options_.speed);
  driver.live_connectors = &connectors_;
  if (hdcp22()) {
    auto key = Hdcp22Sinks::AuthorityKey(HDCP14_SIM_SEED);
    if (!key.ok()) return key.status();
    driver.hdcp22_authority = *std::move(key);
  }
  driver.on_log = [this](const LogLine& line) { timeline_.OnLog(line); };
  driver.on_work = [this](const WorkRun& run) { OnWork(run); };
  driver.on_protection = [this](Protection p) {
    {
      base::MutexLock lock(&mutex_);
      told_.emplace_back(timeline_.seconds(), p);
    }
    timeline_.Say(Timeline::Who::kClient, absl::StrCat("told: ", ProtectionName(p)));
    if (const int64_t ns = callback_takes_ns_; ns > 0) {
      SleepNs(static_cast<int64_t>(static_cast<double>(ns) / options_.speed));
    }
  };
  auto made = HdmiDriver::Create(*std::move(hardware), std::move(driver));
  if (!made.ok()) return made.status();
  driver_ = *std::move(made);
  if (options_.trace) TraceFile::NameWorks(driver_->works());
  sampled_.store(driver_.get());
  timeline_.Say(Timeline::Who::kDriver,
                absl::StrCat("attached to ", device_,
                             "; queues hdmi-hpd (ordered, high priority), hdmi-port (ordered), "
                             "hdmi-misc"));
  return absl::OkStatus();
}

absl::Status Demo::LoadSinks() {
  for (int slot = 0; slot < HDMI_DEV_SLOTS; ++slot) {
    SinkSpec sink = StandardSink(slot, StandardEdid(slot));
    if (slot == kSlotTv && !options_.sink.empty()) sink = SinkForEdid(options_.sink);
    if (hdcp22() && slot <= kSlotAvr) sink.flags |= HDMI_SINK_HDCP22;
    auto command = SinkLoadCommand(slot, sink);
    if (!command.ok()) return command.status();
    if (absl::Status s = driver_->hardware().Send(*command); !s.ok()) return s;
  }
  return absl::OkStatus();
}

// --- Playing -----------------------------------------------------------------------------------

absl::StatusOr<int> Demo::Run() {
  if (absl::Status s = Start(); !s.ok()) return s;
  // Only now: at a high speed, starting two processes takes seconds of the world.
  timeline_.Begin();
  std::vector<ScriptStep> steps =
      options_.fault != nullptr ? FaultScript(*options_.fault) : MovieNight().steps;
  if (options_.fault != nullptr) {
    ScriptStep wish;
    wish.actor = Actor::kClient;
    wish.client = ClientOp::kProtection;
    wish.a = 1;
    wish.text = "the client wants protected content";
    const bool own = std::any_of(steps.begin(), steps.end(), [](const ScriptStep& s) {
      return s.client == ClientOp::kProtection;
    });
    if (!own) steps.insert(steps.begin(), wish);
    timeline_.Say(Timeline::Who::kDemo,
                  absl::StrCat(options_.fault->id, ": ", options_.fault->injects));
    timeline_.Say(Timeline::Who::kDemo, absl::StrCat("must be: ", options_.fault->expects));
    timeline_.Say(Timeline::Who::kDemo, absl::StrCat("exercises: ", options_.fault->calls));
  }
  const int64_t run_ns = options_.fault != nullptr ? options_.fault->run_ns : MovieNight().run_ns;
  Play(steps, static_cast<double>(run_ns) / 1e9);
  if (options_.fault != nullptr) AwaitOutcome();
  Finish();
  if (stopped_) {
    timeline_.Say(Timeline::Who::kDemo, "stopped by the user");
    return 130;
  }
  return Judge();
}

void Demo::Play(const std::vector<ScriptStep>& steps, double end_seconds) {
  for (const ScriptStep& step : steps) {
    // A step that waits for a moment is armed from the start.
    if (step.actor == Actor::kDevice && step.inject.when != HDMI_WHEN_NOW) DeviceStep(step);
  }
  for (const ScriptStep& step : steps) {
    if (step.actor == Actor::kDevice && step.inject.when != HDMI_WHEN_NOW) continue;
    if (!WaitUntil(static_cast<double>(step.at_ns) / 1e9)) return;
    switch (step.actor) {
      case Actor::kDevice:
        DeviceStep(step);
        break;
      case Actor::kClient:
        timeline_.Say(Timeline::Who::kClient, Describe(step));
        ClientStep(step);
        if (driver_ == nullptr) return;  // it was a shutdown
        break;
      case Actor::kProcess:
        timeline_.Say(Timeline::Who::kWorld, Describe(step));
        ProcessStep(step);
        break;
    }
  }
  (void)WaitUntil(end_seconds);
}

bool Demo::WaitUntil(double seconds) {
  for (;;) {
    if (stopped_ || (options_.stop && options_.stop())) {
      stopped_ = true;
      return false;
    }
    const double left = (seconds - timeline_.seconds()) / options_.speed;
    if (left <= 0) return true;
    if (base::Now() - timeline_.last_line_ns() > kQuietNs && driver_ != nullptr) {
      const PortState s = driver_->state();
      timeline_.Progress(absl::StrFormat("%s, %s, %s", s.plugged ? s.sink : "unplugged",
                                         ProtectionName(s.protection), s.hdcp));
    }
    SleepNs(static_cast<int64_t>(std::min(left, kLookSeconds) * 1e9));
  }
}

// At a high speed a machine that is busy is late by seconds of the world.
void Demo::AwaitOutcome() {
  const Outcome outcome = OutcomeOf(options_.fault->id);
  const base::Nanos until = base::Now() + kLateNs;
  const auto late = [&] {
    return driver_ != nullptr && outcome != Outcome::kRemoved &&
           !CheckOutcome(outcome, driver_->state()).empty() && base::Now() < until;
  };
  if (!stopped_ && late()) {
    timeline_.Say(Timeline::Who::kDemo, absl::StrCat("late; waiting for: ", OutcomeName(outcome)));
  }
  while (late() && WaitUntil(timeline_.seconds() + kLookSeconds * options_.speed)) {
  }
}

void Demo::DeviceStep(const ScriptStep& step) {
  if (step.inject.op == HDMI_OP_PLUG) slot_ = static_cast<int>(step.inject.a);
  std::string text = Describe(step);
  if (step.inject.op == HDMI_OP_PLUG && slot_ == kSlotTv && !options_.sink_name.empty()) {
    text = absl::StrCat("plug ", options_.sink_name);
  }
  timeline_.Say(Timeline::Who::kWorld, text);
  if (absl::Status s = driver_->hardware().Send(InjectCommand(step.inject)); !s.ok()) {
    timeline_.Say(Timeline::Who::kDemo, absl::StrCat("not injected: ", s.message()));
  }
}

void Demo::ClientStep(const ScriptStep& step) {
  switch (step.client) {
    case ClientOp::kNone:
      break;
    case ClientOp::kProtection:
      (void)driver_->SetProtection(step.a != 0, static_cast<int>(step.b));
      break;
    case ClientOp::kToggle:
      for (int64_t i = 0; i < step.a; ++i) (void)driver_->SetProtection(i % 2 != 0);
      break;
    case ClientOp::kReset:
      for (int64_t i = 0; i < step.a; ++i) {
        auto client = base::Thread::Start({.name = "client"}, [this] { (void)driver_->Reset(); });
        if (client.ok()) clients_.push_back(*std::move(client));
      }
      break;
    case ClientOp::kResetFromPort:
      extra_.push_back(std::make_unique<DriverWork>("from-port", driver_->port_queue(), 1, nullptr,
                                                    [this] { (void)driver_->Reset(); }));
      (void)extra_.back()->Queue();
      break;
    case ClientOp::kSuspend:
      (void)driver_->Suspend();
      break;
    case ClientOp::kResume:
      (void)driver_->Resume();
      break;
    case ClientOp::kSrm: {
      std::vector<SrmId> ids;
      if (step.a == 1) {
        ids.push_back(
            SrmIdOfKsv(hdcp14_authority_ksv(HDCP14_SIM_SEED, static_cast<uint64_t>(slot_) + 1)));
      } else if (step.a == 2) {
        ids.push_back(SrmIdOfKsv(hdcp14_authority_ksv(HDCP14_SIM_SEED, DownstreamIndex(slot_, 0))));
      }
      (void)driver_->SetSrm(BuildSimSrm(2, ids));
      break;
    }
    case ClientOp::kBlockCallback:
      callback_takes_ns_ = step.a;
      break;
    case ClientOp::kQueueWorks:
      AwaitOutcome();  // what is shut down is a port that does what it should
      for (int64_t i = 0; i < step.a + step.b; ++i) {
        Workqueue& wq = i % 2 != 0 ? driver_->port_queue() : driver_->misc_queue();
        extra_.push_back(std::make_unique<DriverWork>("extra", wq, 1, nullptr, [] {}));
        (void)extra_.back()->Queue(i < step.a ? absl::ZeroDuration() : absl::Hours(1));
      }
      Finish();
      break;
    case ClientOp::kCecRequest:
      (void)driver_->CecRequest(
          {0x40, static_cast<uint8_t>(step.a)}, 0x90, absl::Seconds(1),
          [this](const absl::StatusOr<CecBytes>& reply) {
            timeline_.Say(Timeline::Who::kClient,
                          absl::StrCat("CEC: ", reply.ok() ? "a reply" : reply.status().message()));
          });
      break;
    case ClientOp::kShutdown:
      Finish();
      break;
  }
}

void Demo::ProcessStep(const ScriptStep& step) {
  switch (step.process) {
    case ProcessOp::kNone:
      break;
    case ProcessOp::kRealtimeJump:
      // Setting the clock of the whole machine is not a demo's business.
      timeline_.Say(Timeline::Who::kDemo,
                    "not done: it is the clock of the whole machine; no timer here reads it");
      break;
    case ProcessOp::kKillDevice:
      if (child_ != nullptr) child_->Kill();
      break;
    case ProcessOp::kStartDevice: {
      if (child_ == nullptr) break;
      if (absl::Status s = child_->Start(); !s.ok()) {
        timeline_.Say(Timeline::Who::kDemo, s.ToString());
        break;
      }
      while (!driver_->state().device_up && WaitUntil(timeline_.seconds() + 0.05)) {
      }
      if (absl::Status s = LoadSinks(); !s.ok()) {
        timeline_.Say(Timeline::Who::kDemo, s.ToString());
      }
      ScriptStep plug;
      plug.inject.op = HDMI_OP_PLUG;
      plug.inject.a = kSlotTv;
      DeviceStep(plug);
      break;
    }
    case ProcessOp::kKillDriver:
      // Within one process it can be removed and made again; that a driver may be
      // killed outright is tested with processes (tests/hdmi/process_test.cc).
      sampled_.store(nullptr);
      (void)driver_->Remove();
      driver_.reset();
      break;
    case ProcessOp::kStartDriver:
      // The device has gone on meanwhile: its sinks are there, and so is the cable.
      if (absl::Status s = StartDriver(); !s.ok()) {
        timeline_.Say(Timeline::Who::kDemo, s.ToString());
        break;
      }
      (void)driver_->SetProtection(true);
      break;
    case ProcessOp::kStopDriver: {
      const pid_t self = getpid();
      if (fork() == 0) {
        kill(self, SIGSTOP);
        const int64_t ns = static_cast<int64_t>(static_cast<double>(step.a) / options_.speed);
        const timespec time{ns / 1'000'000'000, ns % 1'000'000'000};
        nanosleep(&time, nullptr);
        kill(self, SIGCONT);
        _exit(0);
      }
      break;
    }
  }
}

// --- Watching ----------------------------------------------------------------------------------

// A mistake in the use of the library is shown, and counts against the driver; that the
// machine stood still is nobody's mistake.
void Demo::OnReport(const core::Report& report) {
  timeline_.Say(Timeline::Who::kDemo, absl::StrCat("the library: ", report.text));
  if (report.kind == core::ReportKind::kStall || report.kind == core::ReportKind::kCpuHog) return;
  base::MutexLock lock(&mutex_);
  reports_.push_back(report.kind);
}

void Demo::OnWork(const WorkRun& run) {
  const double at = timeline_.seconds();
  {
    base::MutexLock lock(&mutex_);
    latencies_.push_back(run.latency_ns);
    run_times_.push_back(run.end_ns - run.start_ns);
    if (!options_.plot.empty()) {
      plot_.runs.push_back({at, run.name, std::string(run.queue)});
    }
  }
  Sample();
}

void Demo::Sample() {
  HdmiDriver* const driver = sampled_.load();
  if (driver == nullptr || options_.plot.empty()) return;
  PortState state = driver->state();
  const double at = timeline_.seconds();
  base::MutexLock lock(&mutex_);
  plot_.states.push_back({at, std::move(state)});
}

// --- Ending ------------------------------------------------------------------------------------

void Demo::Finish() {
  for (base::Thread& client : clients_) client.Join();
  clients_.clear();
  if (driver_ != nullptr) {
    final_state_ = driver_->state();
    Sample();
    sampled_.store(nullptr);
    const base::Nanos start = base::Now();
    removed_ = driver_->Remove();
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    wall_seconds_ = timeline_.seconds() / options_.speed;
    cpu_percent_ = 100 * (Seconds(usage.ru_utime) + Seconds(usage.ru_stime)) / wall_seconds_;
    remove_ms_ = static_cast<double>(base::Now() - start) / 1e6;
    final_stats_ = driver_->stats();
    timeline_.Say(
        Timeline::Who::kDriver,
        absl::StrFormat("removed in %.1f ms: %s", remove_ms_,
                        removed_.ok() ? "nothing pending, no reference left" : removed_.message()));
    driver_.reset();
    extra_.clear();
  }
  if (child_ != nullptr) child_->Stop();
}

}  // namespace uwq::hdmi
