// SPDX-License-Identifier: BSD-3-Clause
//
// demo.h -- plays a script against the driver and the device process, shows what
// happens, and judges it.
//
// Invariant: the main thread plays; the driver does everything else on its queues.
// Read on: main.cc, ../device/script.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_DEMO_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_DEMO_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "drivers/hdmi_example/demo/device_child.h"
#include "drivers/hdmi_example/demo/plot.h"
#include "drivers/hdmi_example/demo/timeline.h"
#include "drivers/hdmi_example/device/script.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/report.h"

namespace uwq::hdmi {

struct DemoOptions {
  double speed = 2;
  uint64_t seed = 1;
  const Fault* fault = nullptr;  // null: movie_night
  std::vector<uint8_t> sink;     // empty: the standard sinks
  std::string sink_name;
  std::string device;   // empty: a process of our own; else as kup_open() takes it
  std::string program;  // of the device process
  std::string plot;     // file, or empty
  bool color = false;
  bool trace = false;          // the trace points are being recorded
  std::function<bool()> stop;  // asked now and then: the user wants an end
};

class Demo {
 public:
  explicit Demo(DemoOptions options);
  ~Demo();

  // The whole run.  0: every check held; 1: one did not; 130: stopped by the user.
  // Errors: those of starting.
  absl::StatusOr<int> Run();

 private:
  struct Check {
    bool good;
    std::string what;
  };

  absl::Status Start();
  absl::Status StartDevice();
  absl::Status StartDriver();
  absl::Status LoadSinks();
  void Play(const std::vector<ScriptStep>& steps, double end_seconds);
  // Waits for the state that the fault must end in, if it is late.
  void AwaitOutcome();
  void DeviceStep(const ScriptStep& step);
  void ClientStep(const ScriptStep& step);
  void ProcessStep(const ScriptStep& step);
  bool WaitUntil(double seconds);  // false: the user wants an end
  void OnReport(const core::Report& report);
  void OnWork(const WorkRun& run);
  void Sample();
  bool hdcp22() const { return options_.fault != nullptr && options_.fault->needs_hdcp22; }
  void Finish();
  void Expect(bool good, std::string what) { checks_.push_back({good, std::move(what)}); }
  void CheckMovieNight();
  void CheckFault();
  void Summary();
  int Judge();

  const DemoOptions options_;
  Timeline timeline_;
  std::unique_ptr<DeviceChild> child_;
  std::string device_;
  std::unique_ptr<HdmiDriver> driver_;
  base::Atomic<HdmiDriver*> sampled_{nullptr};  // null: not made yet, or removed
  base::Atomic<int> connectors_{0};
  base::Atomic<int64_t> callback_takes_ns_{0};
  std::vector<std::unique_ptr<DriverWork>> extra_;
  std::vector<base::Thread> clients_;
  int slot_ = -1;  // that was plugged last
  bool stopped_ = false;

  PortState final_state_;
  DriverStats final_stats_;
  absl::Status removed_;
  double remove_ms_ = 0;
  double cpu_percent_ = 0, wall_seconds_ = 0;  // of this process, from its start to the removal
  std::string latency_p50_;
  std::vector<Check> checks_;

  base::Mutex mutex_;
  std::vector<std::pair<double, Protection>> told_ ABSL_GUARDED_BY(mutex_);
  std::vector<base::Nanos> latencies_ ABSL_GUARDED_BY(mutex_);
  std::vector<base::Nanos> run_times_ ABSL_GUARDED_BY(mutex_);
  std::vector<core::ReportKind> reports_ ABSL_GUARDED_BY(mutex_);
  PlotData plot_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_DEMO_H_
