// SPDX-License-Identifier: BSD-3-Clause
//
// main.cc -- the HDMI/HDCP demo: a driver on workqueues against a transmitter in
// another process.
//
//   hdmi_demo                         the evening of section 6.1: some 40 s
//   hdmi_demo --fault=F20             one of 44 faults (--list_faults)
//   hdmi_demo --sink=tv.edid          with your own screen's EDID
//   hdmi_demo --plot=run.svg --trace=run.json
//   hdmi_demo --device=/dev/i2c-3     looks at a real screen, and writes nothing
//
// Exit code: 0 every check held, 1 one did not, 2 it could not start, 130 stopped.
// (A flag that does not exist ends it with 1, which is Abseil's choice.)
// Read on: demo.h, ../README.md.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hdmi_example/demo/demo.h"
#include "drivers/hdmi_example/demo/probe.h"
#include "drivers/hdmi_example/demo/trace_file.h"
#include "drivers/hdmi_example/edid/edid.h"

ABSL_FLAG(double, speed, 2, "seconds of the world in one second of this machine");
ABSL_FLAG(uint64_t, seed, 1, "of bounces, An and floods");
ABSL_FLAG(std::string, fault, "", "plays this fault, e.g. F20 or ready-never");
ABSL_FLAG(bool, list_faults, false, "lists the faults and ends");
ABSL_FLAG(std::string, sink, "", "EDID file (binary or hex) of the first screen");
ABSL_FLAG(std::string, trace, "", "writes a trace for chrome://tracing or Perfetto");
ABSL_FLAG(std::string, plot, "", "writes a picture of the run (SVG)");
ABSL_FLAG(std::string, device, "",
          "a device that runs already, e.g. sim:hdmi0 or /dev/kup-hdmi0; or /dev/i2c-N, to look "
          "at a real screen; empty: our own process");
ABSL_FLAG(std::string, device_process, "", "the device program; empty: beside this one");
ABSL_FLAG(std::string, color, "auto", "auto, always or never");

namespace {

volatile sig_atomic_t stop_asked = 0;
void OnSignal(int) { stop_asked = 1; }

int Usage(const std::string& text) {
  fprintf(stderr, "hdmi_demo: %s\n", text.c_str());
  return 2;
}

void ListFaults() {
  for (const uwq::hdmi::Fault& fault : uwq::hdmi::AllFaults()) {
    absl::PrintF("%-13s %-22s %s\n", fault.id, fault.name, fault.injects);
    absl::PrintF("%36s -> %s [%s]\n", "", fault.expects, fault.calls);
  }
}

// Reads the file; what is wrong with it goes to stderr.
bool ReadSink(const std::string& path, uwq::hdmi::DemoOptions* options) {
  auto bytes = uwq::hdmi::ReadEdidFile(path);
  if (!bytes.ok()) {
    fprintf(stderr, "--sink: %s\n", std::string(bytes.status().message()).c_str());
    return false;
  }
  std::vector<uwq::hdmi::EdidIssue> issues;
  const auto edid = uwq::hdmi::ParseEdid(*bytes, {}, &issues);
  for (const uwq::hdmi::EdidIssue& issue : issues) {
    fprintf(stderr, "--sink %s: %s\n", path.c_str(), issue.ToString().c_str());
  }
  if (!edid.ok()) {
    fprintf(stderr, "--sink %s cannot be used: %s\n", path.c_str(),
            std::string(edid.status().message()).c_str());
    return false;
  }
  fputs(uwq::hdmi::EdidReport(*edid, {}).c_str(), stdout);
  options->sink = *bytes;
  options->sink_name = edid->name.empty() ? path : edid->name;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "An HDMI/HDCP transmitter driver on workqueues, against a simulated transmitter with its "
      "screens in another process.  Plays an evening of plugs, faults, resets and a storm, and "
      "checks itself.");
  absl::FlagsUsageConfig usage;  // --help shows the flags of this folder
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::StrContains(file, "hdmi_example/demo/");
  };
  absl::SetFlagsUsageConfig(usage);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) return Usage(absl::StrCat("unexpected argument \"", rest[1], "\""));
  if (absl::GetFlag(FLAGS_list_faults)) {
    ListFaults();
    return 0;
  }
  uwq::hdmi::DemoOptions options;
  options.speed = absl::GetFlag(FLAGS_speed);
  if (!(options.speed >= 0.1 && options.speed <= 50)) {
    return Usage(absl::StrCat("--speed is ", options.speed, ", should be 0.1 to 50"));
  }
  options.seed = absl::GetFlag(FLAGS_seed);
  options.plot = absl::GetFlag(FLAGS_plot);
  options.device = absl::GetFlag(FLAGS_device);
  options.program = absl::GetFlag(FLAGS_device_process);
  if (options.program.empty()) options.program = uwq::hdmi::DeviceProgramBeside(argv[0]);
  const std::string color = absl::GetFlag(FLAGS_color);
  if (color != "auto" && color != "always" && color != "never") {
    return Usage(absl::StrCat("--color is \"", color, "\", should be auto, always or never"));
  }
  options.color = color == "always" || (color == "auto" && isatty(STDOUT_FILENO) != 0);
  if (const std::string fault = absl::GetFlag(FLAGS_fault); !fault.empty()) {
    options.fault = uwq::hdmi::FindFault(fault);
    if (options.fault == nullptr) {
      return Usage(absl::StrCat("no fault \"", fault, "\"; --list_faults shows all"));
    }
  }
  if (const std::string sink = absl::GetFlag(FLAGS_sink); !sink.empty()) {
    if (!ReadSink(sink, &options)) return 2;
  }
  const std::string trace = absl::GetFlag(FLAGS_trace);
  options.trace = !trace.empty();
  if (options.trace) uwq::hdmi::TraceFile::Start();

  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  options.stop = [] { return stop_asked != 0; };

  int code = 2;
  if (absl::StartsWith(options.device, "/dev/i2c-")) {
    const absl::StatusOr<int> result = uwq::hdmi::ProbeI2c(options.device, options.color);
    return result.ok() ? *result : Usage(result.status().ToString());
  }
  {
    uwq::hdmi::Demo demo(std::move(options));
    const absl::StatusOr<int> result = demo.Run();
    if (!result.ok()) return Usage(result.status().ToString());
    code = *result;
  }
  if (!trace.empty()) {
    if (absl::Status s = uwq::hdmi::TraceFile::Write(trace); !s.ok()) {
      return Usage(absl::StrCat("trace: ", s.ToString()));
    }
    absl::PrintF("trace: %s, %d records%s\n", trace, uwq::hdmi::TraceFile::recorded(),
                 uwq::hdmi::TraceFile::left_out() > 0
                     ? absl::StrCat(", ", uwq::hdmi::TraceFile::left_out(), " left out")
                     : "");
  }
  return code;
}
