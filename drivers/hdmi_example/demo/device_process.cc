// SPDX-License-Identifier: BSD-3-Clause
//
// device_process.cc -- the program that plays the transmitter and its sinks.
//
//   hdmi_device_process --name=hdmi0 --seed=7 --speed=2
//
// Prints "ready" when the driver can attach.  Ends by SIGTERM, or with its parent.
// Invariant: it knows nothing of the driver but its commands.
// Read on: device_host.h.
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "drivers/hdmi_example/demo/device_host.h"

ABSL_FLAG(std::string, name, "hdmi0", "name of the device; users open sim:NAME");
ABSL_FLAG(uint64_t, seed, 1, "of bounces and floods");
ABSL_FLAG(double, speed, 1, "seconds of the device in one second of this machine");
ABSL_FLAG(bool, hdcp22, false, "the television and the AVR may have HDCP 2.2");
ABSL_FLAG(bool, machine_clock, false, "an event's time is CLOCK_MONOTONIC's when it is written");
ABSL_FLAG(bool, end_with_parent, true, "end when the process that started this one ends");

namespace {
volatile sig_atomic_t stop_asked = 0;
void OnTerm(int) { stop_asked = 1; }
}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Plays an HDMI transmitter with its sinks behind a KUP channel.");
  absl::FlagsUsageConfig usage;  // --help shows the flags of this folder
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::StrContains(file, "hdmi_example/demo/");
  };
  absl::SetFlagsUsageConfig(usage);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  const double speed = absl::GetFlag(FLAGS_speed);
  if (rest.size() > 1 || !(speed > 0 && speed <= 1000)) {
    fprintf(stderr,
            rest.size() > 1 ? "unexpected argument \"%s\"\n"
                            : "--speed must be above 0 and at most 1000\n",
            rest.size() > 1 ? rest[1] : "");
    return 2;
  }
  if (absl::GetFlag(FLAGS_end_with_parent)) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == 1) return 0;  // the parent was faster
  }
  struct sigaction action = {};
  action.sa_handler = OnTerm;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);

  uwq::hdmi::DeviceHostOptions options;
  options.name = absl::GetFlag(FLAGS_name);
  options.seed = absl::GetFlag(FLAGS_seed);
  options.speed = speed;
  options.hdcp22 = absl::GetFlag(FLAGS_hdcp22);
  options.machine_clock = absl::GetFlag(FLAGS_machine_clock);
  options.ready = [] {
    puts("ready");
    fflush(stdout);
  };
  options.stop = [] { return stop_asked != 0; };
  const absl::Status status = uwq::hdmi::RunDeviceHost(options);
  if (!status.ok()) {
    fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
