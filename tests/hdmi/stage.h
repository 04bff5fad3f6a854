// SPDX-License-Identifier: BSD-3-Clause
//
// stage.h -- the driver, the simulated device and a client on one stage, on virtual
// time under the explorer or on real threads, and a player for scripts.
//
// Invariant: everything that a run does follows from its script, its seed and its
// schedule; times that tests compare are those of the virtual clock.
//
// UWQ_HDMI_LOG=1 prints the driver's log at the end of each run.
// Read on: drivers/hdmi_example/device/script.h, fault_test.cc.
#ifndef UWQ_TESTS_HDMI_STAGE_H_
#define UWQ_TESTS_HDMI_STAGE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "drivers/hdmi_example/device/hdcp22_sink.h"
#include "drivers/hdmi_example/device/script.h"
#include "drivers/hdmi_example/device/sim_device.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"
#include "drivers/hdmi_example/driver/sim_hardware.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/report.h"
#include "workqueue/workqueue.h"

namespace uwq::hdmi {

struct StageOptions {
  double speed = 1;
  uint64_t seed = 1;
  int content_type = 0;
  bool desired = true;
  bool hdcp22 = false;  // the television and the AVR speak it, and the driver has the key
  std::function<void(DriverOptions&)> tune;
  // Puts something between the device and the driver.
  std::function<std::unique_ptr<Hardware>(std::unique_ptr<Hardware>)> wrap;
};

class Stage {
 public:
  using Options = StageOptions;
  explicit Stage(const Options& options = Options());
  ~Stage();

  // --- The run -----------------------------------------------------------------------------
  // Hands the device's steps over and performs the others at their times, until end_ns
  // of the stage's time.
  void Play(const std::vector<ScriptStep>& steps, int64_t end_ns);
  void RunUntil(int64_t at_ns);
  void RunFor(int64_t ns) { RunUntil(now_ns() + ns); }
  int64_t now_ns() const { return host_->now_ns(); }
  void Inject(hdmi_inject_op op, int64_t a = 0, int64_t b = 0);
  void Plug(int slot) { Inject(HDMI_OP_PLUG, slot); }
  void Unplug() { Inject(HDMI_OP_UNPLUG); }
  // Removes the driver; what is then not as it must be fails the test.
  void Finish();

  // --- What became of it -------------------------------------------------------------------
  HdmiDriver& driver() { return *driver_; }
  bool has_driver() const { return driver_ != nullptr; }
  SimDeviceHost& host() { return *host_; }
  PortState state() { return driver_->state(); }
  // After Finish(): those at the end.
  DriverStats stats() { return driver_ != nullptr ? driver_->stats() : last_stats_; }
  // Runs of the work with this name so far.
  int64_t runs(const std::string& work);
  WorkCounts counts(const std::string& work);

  struct Note {
    int64_t at_ns;
    std::string what;
  };
  // What clients were told ("ENABLED", "DESIRED"), in order.
  std::vector<Note> told();
  // The driver's log, with times of the stage.
  std::vector<Note> log();
  int CountLog(const std::string& part);
  // When the log first (or after `from_ns`) says so, or -1.
  int64_t LogTime(const std::string& part, int64_t from_ns = 0);
  std::string LogText();
  struct Started {
    std::string name;
    int64_t start_ns, end_ns;
    int64_t latency_ns;
  };
  // Runs of works, in order.
  std::vector<Started> started(const std::string& work);
  bool encrypting();  // as the device has it
  uint64_t Reg(hdmi_reg reg);

  struct Cec {
    int completions = 0;
    int64_t at_ns = 0;
    absl::Status status;
  };
  std::vector<Cec> cec();
  // Works of strangers on the driver's queues (kQueueWorks, kResetFromPort); until Finish().
  const std::vector<std::unique_ptr<DriverWork>>& extra() const { return extra_; }
  // The library must report nothing (a driver's mistake), but for this kind.
  void ExpectReports(core::ReportKind kind) { expected_report_ = kind; }
  size_t reports();
  // A client that is refused (suspended, no sink) is no failure of the test.
  void TolerateRefusals() { tolerant_ = true; }

 private:
  void StartDriver();
  void LoadSinks();
  SimDevice::Options DeviceOptions(uint64_t seed);
  void Expect(const absl::Status& s);
  void ClientStep(const ScriptStep& step);
  void ProcessStep(const ScriptStep& step);
  void OnProtection(Protection p);

  const Options options_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<Hdcp22Sinks> receivers_;  // or null
  std::unique_ptr<SimDeviceHost> host_;
  std::unique_ptr<HdmiDriver> driver_;
  DriverStats last_stats_;
  std::vector<std::unique_ptr<DriverWork>> extra_;
  base::Atomic<int> connectors_{0};
  base::Atomic<int64_t> callback_takes_ns_{0};
  base::Mutex mutex_;
  std::vector<Note> told_ ABSL_GUARDED_BY(mutex_);
  std::vector<Note> log_ ABSL_GUARDED_BY(mutex_);
  std::vector<Started> started_ ABSL_GUARDED_BY(mutex_);
  std::vector<Cec> cec_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> reports_ ABSL_GUARDED_BY(mutex_);
  std::vector<core::ReportKind> report_kinds_ ABSL_GUARDED_BY(mutex_);
  core::ReportKind expected_report_ = core::ReportKind::kCount;
  bool tolerant_ = false;
  std::vector<base::Thread> clients_;
};

// Runs `body` under the explorer with `schedules` schedules, or, on real threads,
// `repeat` times.
void OnStage(int schedules, const std::function<void()>& body);
// The key of the HDCP 2.2 certificates.
const RsaKey& SimAuthority();
// Sleeps: a foreign call that blocks its thread.
void BlockFor(base::Nanos ns);

#if defined(UWQ_SIM)
inline constexpr bool kVirtualTime = true;
#else
inline constexpr bool kVirtualTime = false;
#endif

}  // namespace uwq::hdmi

#endif  // UWQ_TESTS_HDMI_STAGE_H_
