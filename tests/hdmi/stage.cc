// SPDX-License-Identifier: BSD-3-Clause
//
// stage.cc -- see stage.h.
// Invariant: Finish() is what every run ends with.
#include "tests/hdmi/stage.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hdmi_example/edid/edid_testdata.h"
#include "tests/hdmi/realtime.h"
#include "workqueue/core/report.h"
#include "workqueue/core/runtime.h"

#if defined(UWQ_SIM)
#include "tests/sim/explorer.h"
#include "workqueue/base/sim/sim.h"
#else
#include <time.h>
#endif

namespace uwq::hdmi {

#if defined(UWQ_SIM)
void BlockFor(base::Nanos ns) { sim::SleepFor(ns); }
#else
void BlockFor(base::Nanos ns) {
  timespec left{ns / base::kSecond, ns % base::kSecond};
  while (nanosleep(&left, &left) != 0) {
  }
}
#endif

namespace {

// Made once: its keys cost a second of CPU.
const Hdcp22Sinks& StandardReceivers() {
  static const Hdcp22Sinks* const receivers = Hdcp22Sinks::Standard(HDCP14_SIM_SEED)->release();
  return *receivers;
}

}  // namespace

const RsaKey& SimAuthority() {
  static const RsaKey* const key = new RsaKey(*Hdcp22Sinks::AuthorityKey(HDCP14_SIM_SEED));
  return *key;
}

void OnStage(int schedules, const std::function<void()>& body) {
#if defined(UWQ_SIM)
  sim::Options options;
  options.max_executions = schedules;
  options.max_steps = 1000 * 1000 * 1000;
  sim::ExploreOrFail(options, body);
#else
  for (int i = 0; i < std::max(1, schedules / 8); ++i) body();
#endif
}

Stage::Stage(const Options& options) : options_(options) {
#if defined(UWQ_SIM)
  // Each run hears of each mistake, as if the process was new.  (On real threads
  // several stages may share the process; the test installs one handler.)
  core::ResetReports();
  core::SetReportHandler([this](const core::Report& report) {
    base::MutexLock lock(&mutex_);
    reports_.push_back(report.text);
    report_kinds_.push_back(report.kind);
  });
#endif
  core::RuntimeOptions runtime;
  runtime.topology = core::Topology::Emulated(1, 2);
  runtime_ = *Runtime::Create(std::move(runtime));
  if (options.hdcp22) receivers_ = std::make_unique<Hdcp22Sinks>(StandardReceivers());
  host_ = *SimDeviceHost::Create(DeviceOptions(options.seed), options.speed);
  LoadSinks();
  StartDriver();
}

Stage::~Stage() {
  Finish();
#if defined(UWQ_SIM)
  core::SetReportHandler(nullptr);
#endif
  base::MutexLock lock(&mutex_);
  for (size_t i = 0; i < reports_.size(); ++i) {
    EXPECT_EQ(report_kinds_[i], expected_report_) << reports_[i];
  }
}

SimDevice::Options Stage::DeviceOptions(uint64_t seed) {
  SimDevice::Options device;
  device.seed = seed;
  if (receivers_ != nullptr) device.ops = receivers_->Ops();
  return device;
}

void Stage::LoadSinks() {
  host_->With([this](SimDevice& device) {
    for (int slot = 0; slot < HDMI_DEV_SLOTS; ++slot) {
      SinkSpec sink = StandardSink(slot, TestEdid(StandardSinkName(slot)));
      if (receivers_ != nullptr && slot <= kSlotAvr) sink.flags |= HDMI_SINK_HDCP22;
      const absl::Status s = device.LoadSink(slot, sink);
      EXPECT_TRUE(s.ok()) << s;
    }
  });
}

void Stage::StartDriver() {
  DriverOptions driver;
  driver.runtime = runtime_.get();
  driver.speed = options_.speed;
  driver.seed = options_.seed;
  driver.live_connectors = &connectors_;
  driver.on_protection = [this](Protection p) { OnProtection(p); };
  driver.on_log = [this](const LogLine& line) {
    base::MutexLock lock(&mutex_);
    log_.push_back({now_ns(), line.text});
  };
  driver.on_work = [this](const WorkRun& run) {
    const int64_t shift = now_ns() - base::Now();  // speed 1: both clocks advance alike
    base::MutexLock lock(&mutex_);
    started_.push_back({run.name, run.start_ns + shift, run.end_ns + shift, run.latency_ns});
  };
  if (options_.hdcp22) driver.hdcp22_authority = SimAuthority();
  if (options_.tune) options_.tune(driver);
  std::unique_ptr<Hardware> hardware = std::make_unique<SimHardware>(*host_);
  if (options_.wrap) hardware = options_.wrap(std::move(hardware));
  auto made = HdmiDriver::Create(std::move(hardware), std::move(driver));
  ASSERT_TRUE(made.ok()) << made.status();
  driver_ = *std::move(made);
  if (options_.desired) {
    EXPECT_TRUE(driver_->SetProtection(true, options_.content_type).ok());
  }
}

void Stage::OnProtection(Protection p) {
  {
    base::MutexLock lock(&mutex_);
    told_.push_back({now_ns(), ProtectionName(p)});
  }
  if (const int64_t ns = callback_takes_ns_; ns > 0) {
    BlockFor(static_cast<base::Nanos>(static_cast<double>(ns) / options_.speed));
  }
}

void Stage::Finish() {
  for (base::Thread& client : clients_) client.Join();
  clients_.clear();
  if (driver_ != nullptr) {
    const absl::Status s = driver_->Remove();
    EXPECT_TRUE(s.ok()) << s;
    last_stats_ = driver_->stats();
    EXPECT_EQ(last_stats_.cec.double_completions, 0);
    EXPECT_EQ(last_stats_.pending_after_reset, 0);
    driver_.reset();
    if (getenv("UWQ_HDMI_LOG") != nullptr) printf("%s", LogText().c_str());
  }
  EXPECT_EQ(connectors_.load(), 0) << "references of the connector are left";
  extra_.clear();
  base::MutexLock lock(&mutex_);
  for (const Cec& cec : cec_) EXPECT_EQ(cec.completions, 1) << "a CEC request";
  // Virtual time passes only while everybody sleeps: a work whose run takes any has slept.
  // What a client does in its callback is its own affair.
  for (const Started& run : started_) {
    if (!kVirtualTime || run.name == "prop_work") continue;
    EXPECT_EQ(run.end_ns, run.start_ns) << run.name << " slept in its run";
  }
}

// --- The player ---------------------------------------------------------------------------------

void Stage::RunUntil(int64_t at_ns) {
  const int64_t ns = at_ns - now_ns();
  if (ns > 0) BlockFor(static_cast<base::Nanos>(static_cast<double>(ns) / options_.speed));
}

void Stage::Inject(hdmi_inject_op op, int64_t a, int64_t b) {
  host_->With([&](SimDevice& device) {
    const absl::Status s = device.Inject({.op = op, .a = a, .b = b});
    EXPECT_TRUE(s.ok()) << s;
  });
}

void Stage::Play(const std::vector<ScriptStep>& steps, int64_t end_ns) {
  host_->With([&](SimDevice& device) {
    const absl::Status s = ArmDevice(device, steps);
    EXPECT_TRUE(s.ok()) << s;
  });
  for (const ScriptStep& step : steps) {
    if (step.actor == Actor::kDevice) continue;
    RunUntil(step.at_ns);
    if (step.actor == Actor::kClient) {
      ClientStep(step);
    } else {
      ProcessStep(step);
    }
  }
  RunUntil(end_ns);
}

void Stage::Expect(const absl::Status& s) { EXPECT_TRUE(s.ok() || tolerant_) << s; }

void Stage::ClientStep(const ScriptStep& step) {
  if (driver_ == nullptr) return;
  switch (step.client) {
    case ClientOp::kNone:
      break;
    case ClientOp::kProtection:
      Expect(driver_->SetProtection(step.a != 0, static_cast<int>(step.b)));
      break;
    case ClientOp::kToggle:
      for (int64_t i = 0; i < step.a; ++i) {
        Expect(driver_->SetProtection(i % 2 != 0));
      }
      break;
    case ClientOp::kReset:
      for (int64_t i = 0; i < step.a; ++i) {
        clients_.push_back(
            *base::Thread::Start({.name = "client"}, [this] { Expect(driver_->Reset()); }));
      }
      break;
    case ClientOp::kResetFromPort:
      extra_.push_back(std::make_unique<DriverWork>("from-port", driver_->port_queue(), 1, nullptr,
                                                    [this] { (void)driver_->Reset(); }));
      extra_.back()->Queue();
      break;
    case ClientOp::kSuspend:
      Expect(driver_->Suspend());
      break;
    case ClientOp::kResume:
      Expect(driver_->Resume());
      break;
    case ClientOp::kSrm: {
      std::vector<SrmId> ids;
      const uint32_t plugged = static_cast<uint32_t>(state().sink == "UWQ AVR" ? 2 : 1);
      if (step.a == 1) {
        host_->With(
            [&](SimDevice& device) { ids.push_back(SrmIdOfKsv(device.model().rx.keys.ksv)); });
      } else if (step.a == 2) {
        ids.push_back(SrmIdOfKsv(hdcp14_authority_ksv(
            HDCP14_SIM_SEED, DownstreamIndex(static_cast<int>(plugged) - 1, 0))));
      }
      EXPECT_TRUE(driver_->SetSrm(BuildSimSrm(2, ids)).ok());
      break;
    }
    case ClientOp::kBlockCallback:
      callback_takes_ns_ = step.a;
      break;
    case ClientOp::kQueueWorks:
      for (int64_t i = 0; i < step.a + step.b; ++i) {
        Workqueue& wq = i % 2 != 0 ? driver_->port_queue() : driver_->misc_queue();
        extra_.push_back(std::make_unique<DriverWork>("extra", wq, 1, nullptr, [] {}));
        extra_.back()->Queue(i < step.a ? absl::ZeroDuration() : absl::Seconds(3600));
      }
      break;
    case ClientOp::kCecRequest: {
      // On real threads the screen of the script may be late.
      for (int i = 0; !kVirtualTime && !tolerant_ && i < 600; ++i) {
        if (state().physical_address != 0xffff) break;
        RunFor(static_cast<int64_t>(options_.speed * 100) * kMs);
      }
      size_t index;
      {
        base::MutexLock lock(&mutex_);
        index = cec_.size();
        cec_.emplace_back();
      }
      const int reply = step.a == 0x8f ? 0x90 : -1;
      const absl::Status s =
          driver_->CecRequest({0x40, static_cast<uint8_t>(step.a)}, reply, absl::Seconds(1),
                              [this, index](absl::StatusOr<CecBytes> result) {
                                base::MutexLock lock(&mutex_);
                                ++cec_[index].completions;
                                cec_[index].at_ns = now_ns();
                                cec_[index].status = result.status();
                              });
      Expect(s);
      if (!s.ok()) {
        // It was not accepted, so it is not completed either.
        base::MutexLock lock(&mutex_);
        cec_[index].completions = 1;
        cec_[index].status = s;
      }
      break;
    }
    case ClientOp::kShutdown: {
      const absl::Status s = driver_->Remove();
      EXPECT_TRUE(s.ok()) << s;
      break;
    }
  }
}

void Stage::ProcessStep(const ScriptStep& step) {
  switch (step.process) {
    case ProcessOp::kNone:
      break;
    case ProcessOp::kRealtimeJump:
      JumpRealtime(step.a);
      break;
    case ProcessOp::kKillDevice:
      host_->SetReachable(false);
      break;
    case ProcessOp::kStartDevice: {
      host_->Replace(DeviceOptions(options_.seed + 1));
      LoadSinks();
      Plug(kSlotTv);
      host_->SetReachable(true);
      break;
    }
    case ProcessOp::kKillDriver:
      // In one process it can only be removed; kill -9 is tested with processes.
      EXPECT_TRUE(driver_->Remove().ok());
      driver_.reset();
      break;
    case ProcessOp::kStartDriver:
      StartDriver();
      break;
    case ProcessOp::kStopDriver:
#if defined(UWQ_SIM)
      // The device's time goes on: what it did meanwhile is found afterwards.
      sim::StandStill(static_cast<base::Nanos>(static_cast<double>(step.a) / options_.speed));
#else
      // As far as it can be had without stopping the test: no event comes, then all do.
      host_->Pause(step.a);
#endif
      break;
  }
}

// --- What became of it ------------------------------------------------------------------------

WorkCounts Stage::counts(const std::string& work) {
  for (const WorkCounts& counts : stats().works) {
    if (work == counts.name) return counts;
  }
  ADD_FAILURE() << "no work is called " << work;
  return {};
}

int64_t Stage::runs(const std::string& work) { return counts(work).runs; }

std::vector<Stage::Note> Stage::told() {
  base::MutexLock lock(&mutex_);
  return told_;
}

std::vector<Stage::Note> Stage::log() {
  base::MutexLock lock(&mutex_);
  return log_;
}

int Stage::CountLog(const std::string& part) {
  base::MutexLock lock(&mutex_);
  return static_cast<int>(std::count_if(log_.begin(), log_.end(), [&](const Note& note) {
    return note.what.find(part) != std::string::npos;
  }));
}

int64_t Stage::LogTime(const std::string& part, int64_t from_ns) {
  base::MutexLock lock(&mutex_);
  for (const Note& note : log_) {
    if (note.at_ns >= from_ns && note.what.find(part) != std::string::npos) return note.at_ns;
  }
  return -1;
}

std::string Stage::LogText() {
  std::string text;
  base::MutexLock lock(&mutex_);
  for (const Note& note : log_) {
    absl::StrAppendFormat(&text, "%10.4f %s\n", static_cast<double>(note.at_ns) / 1e9, note.what);
  }
  return text;
}

std::vector<Stage::Started> Stage::started(const std::string& work) {
  std::vector<Started> result;
  base::MutexLock lock(&mutex_);
  for (const Started& s : started_) {
    if (s.name == work) result.push_back(s);
  }
  return result;
}

std::vector<Stage::Cec> Stage::cec() {
  base::MutexLock lock(&mutex_);
  return cec_;
}

size_t Stage::reports() {
  base::MutexLock lock(&mutex_);
  return reports_.size();
}

bool Stage::encrypting() { return Reg(HDMI_REG_HDCP_CTRL) != 0; }

uint64_t Stage::Reg(hdmi_reg reg) {
  uint64_t value = 0;
  host_->With([&](SimDevice& device) { value = device.Reg(reg); });
  return value;
}

}  // namespace uwq::hdmi
