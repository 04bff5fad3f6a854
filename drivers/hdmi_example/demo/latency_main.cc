// SPDX-License-Identifier: BSD-3-Clause
//
// latency_main.cc -- measures the way of an HPD edge: from the moment at which the
// device process writes it into the channel to the first instruction of hpd_dwork.
//
//   hdmi_latency                 sleeping, 2000 edges; how exact the debounce is, 100; then
//                                with a spinning loop, 2000
//   hdmi_latency --locality      instead: ten ports at once, a thousand rounds each of
//                                HDCP 2.2's locality check; how many miss their 20 ms
//
// Sleeping: loop and workers sleep in the kernel between edges, so that the way has two
// wake-ups in it.  Spinning: a manual Runtime, whose one thread looks into the ring and
// runs the items, without ever sleeping; for a driver that has a CPU to itself, which it
// gets: it is pinned to the last CPU, and the device to the others.  Without that the
// kernel may wake the device on the CPU of the thread that spins, and what is measured is
// how long the device stays there.  The way is shown in two parts, at the moment at which
// the driver is handed the record.
// But where it is measured itself, the debounce is set to nothing: it would be all that is
// seen.
// Exit code: 0; 1 if a bar (../README.md) is not held, which takes a machine that is idle
// and --nobars leaves out; 2 if it could not start.
// Read on: ../README.md (the numbers).
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>
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
#include "delayed/runtime_loop.h"
#include "drivers/hdmi_example/demo/device_child.h"
#include "drivers/hdmi_example/demo/standard_edids.h"
#include "drivers/hdmi_example/device/hdcp22_sink.h"
#include "drivers/hdmi_example/device/script.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"
#include "drivers/hdmi_example/driver/kup_hardware.h"
#include "drivers/hdmi_example/driver/sim_hardware.h"
#include "drivers/hdmi_example/edid/edid.h"
#include "kup_bridge/kup.h"
#include "workqueue/base/sync.h"
#include "workqueue/workqueue.h"

ABSL_FLAG(int, edges, 2000, "edges per measurement");
ABSL_FLAG(bool, locality, false, "measures the locality check instead");
ABSL_FLAG(bool, bars, true, "exit code 1 if what is measured does not hold its bar");
ABSL_FLAG(std::string, device_process, "", "the device program; empty: beside this one");

namespace uwq::hdmi {
namespace {

// One thing that is measured.  Edges come so far apart that everybody sleeps again in
// between; the speed keeps the driver's storm gate open, 50 edges in a second of its world.
struct Way {
  const char* name;
  bool spinning;
  int edges;
  base::Nanos apart_ns;
  double speed;
  absl::Duration debounce;  // of the driver's world
  double percentile, bar_us;
};

// Whether it holds; says so if not.
bool Holds(const char* name, double value, double bar, const char* unit) {
  if (value <= bar || !absl::GetFlag(FLAGS_bars)) return true;
  absl::PrintF("%-10s does not hold its bar: %.1f, should be at most %.1f %s\n", name, value, bar,
               unit);
  return false;
}

// A channel without a loop: whoever has the thread looks into the ring.  What a driver
// with a loop of its own needs of Hardware, and nothing else.
class PolledKup : public Hardware {
 public:
  static absl::StatusOr<std::unique_ptr<PolledKup>> Open(const std::string& device) {
    std::unique_ptr<PolledKup> made(new PolledKup);
    int error = kup_open(device.c_str(), &made->device_);
    if (error == 0) error = kup_attach(made->device_, 0, 1000, &made->channel_);
    if (error != 0) return absl::UnavailableError(absl::StrCat(device, ": ", kup_error_text()));
    return made;
  }
  ~PolledKup() override {
    if (channel_ != nullptr) kup_detach(channel_);
    if (device_ != nullptr) kup_close(device_);
  }
  absl::Status Start(Hardware::Handler* handler) override {
    handler_ = handler;
    handler_->OnLink(true);
    return absl::OkStatus();
  }
  void Stop() override { handler_ = nullptr; }
  absl::Status Send(const HdmiCommand& command) override {
    std::vector<uint8_t> message(sizeof(command.record) + command.bulk.size());
    memcpy(message.data(), &command.record, sizeof(command.record));
    std::copy(command.bulk.begin(), command.bulk.end(), message.begin() + sizeof(command.record));
    const int error =
        kup_send(channel_, kKupCommand, message.data(), static_cast<uint32_t>(message.size()), 0);
    return error == 0 ? absl::OkStatus() : absl::UnavailableError(kup_error_text());
  }
  void Poll() {
    kup_msg msgs[16];
    const int n = kup_poll(channel_, msgs, static_cast<int>(std::size(msgs)));
    for (int i = 0; i < n && handler_ != nullptr; ++i) {
      HdmiEvent event;
      if (msgs[i].len < sizeof(event.record)) continue;
      const auto* const bytes = static_cast<const uint8_t*>(msgs[i].data);
      memcpy(&event.record, bytes, sizeof(event.record));
      event.bulk.assign(bytes + sizeof(event.record), bytes + msgs[i].len);
      handler_->OnEvent(event);
    }
    if (n > 0) (void)kup_release(channel_, msgs, n);
  }

 private:
  PolledKup() = default;
  kup_dev* device_ = nullptr;
  kup_chan* channel_ = nullptr;
  Hardware::Handler* handler_ = nullptr;
};

// Notes when the device wrote the last HPD record.
class Tap : public Hardware, private Hardware::Handler {
 public:
  explicit Tap(std::unique_ptr<Hardware> below) : below_(std::move(below)) {}
  absl::Status Start(Hardware::Handler* handler) override {
    handler_ = handler;
    return below_->Start(this);
  }
  void Stop() override { below_->Stop(); }
  absl::Status Send(const HdmiCommand& command) override { return below_->Send(command); }
  base::Nanos written_ns() const { return written_ns_.load(std::memory_order_acquire); }
  // And when the driver was handed it.
  base::Nanos handed_ns() const { return handed_ns_.load(std::memory_order_acquire); }

 private:
  void OnEvent(const HdmiEvent& event) override {
    if (event.record.type == HDMI_EV_HPD) {
      handed_ns_.store(base::Now(), std::memory_order_release);
      written_ns_.store(static_cast<base::Nanos>(event.record.time_ns), std::memory_order_release);
    }
    handler_->OnEvent(event);
  }
  void OnLink(bool up) override { handler_->OnLink(up); }

  const std::unique_ptr<Hardware> below_;
  Hardware::Handler* handler_ = nullptr;
  base::Atomic<base::Nanos> written_ns_{0};
  base::Atomic<base::Nanos> handed_ns_{0};
};

struct Result {
  std::vector<base::Nanos> latencies, handed;

  static double Micros(std::vector<base::Nanos>& values, double p) {
    std::sort(values.begin(), values.end());
    const size_t i = static_cast<size_t>(p * static_cast<double>(values.size()));
    return static_cast<double>(values[std::min(i, values.size() - 1)]) / 1e3;
  }
  bool Print(const Way& way) {
    absl::PrintF(
        "%-10s HPD edge to hpd_dwork%s: p50 %.1f us, p90 %.1f us, p99 %.1f us (%d edges); "
        "to the driver: p50 %.1f us\n",
        way.name, way.debounce > absl::ZeroDuration() ? ", off its 60 ms" : "",
        Micros(latencies, 0.5), Micros(latencies, 0.9), Micros(latencies, 0.99), latencies.size(),
        Micros(handed, 0.5));
    return Holds(way.name, Micros(latencies, way.percentile), way.bar_us, "us");
  }
};

// The last CPU for the thread that spins (own), the others for everybody else; nothing
// on a machine of one.
void UseCpus(bool own) {
  const int last = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) - 1;
  if (last < 1) return;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (int cpu = own ? last : 0; cpu < (own ? last + 1 : last); ++cpu) CPU_SET(cpu, &cpus);
  (void)sched_setaffinity(0, sizeof(cpus), &cpus);  // refused: measured without it
}

absl::StatusOr<Result> Measure(const Way& way, const std::string& device) {
  const bool spinning = way.spinning;
  RuntimeOptions runtime_options;
  runtime_options.manual = spinning;
  auto runtime = Runtime::Create(runtime_options);
  if (!runtime.ok()) return runtime.status();
  std::unique_ptr<Hardware> hardware;
  PolledKup* polled = nullptr;
  if (spinning) {
    auto opened = PolledKup::Open(device);
    if (!opened.ok()) return opened.status();
    polled = opened->get();
    hardware = *std::move(opened);
  } else {
    KupHardware::Options kup;
    kup.runtime = runtime->get();
    auto opened = KupHardware::Open(device, kup);
    if (!opened.ok()) return opened.status();
    hardware = *std::move(opened);
  }
  const auto turn = [&](base::Nanos ns) {
    const base::Nanos until = base::Now() + ns;
    if (!spinning) {
      base::Completion never;
      (void)never.WaitUntil(until);
      return;
    }
    for (int i = 1; base::Now() < until; ++i) {
      polled->Poll();
      (void)(*runtime)->RunPending();
      if (i % 1024 == 0) (void)delayed::RunUntilIdle(runtime->get());  // timers
    }
  };
  auto tapped = std::make_unique<Tap>(std::move(hardware));
  Tap* const tap = tapped.get();

  base::Atomic<base::Nanos> started_ns{0};
  DriverOptions options;
  options.runtime = runtime->get();
  options.speed = way.speed;
  options.debounce_up = options.debounce_down = way.debounce;
  options.heartbeat_limit = absl::Hours(10);
  options.on_work = [&](const WorkRun& run) {
    if (absl::string_view(run.name) == "hpd_dwork") {
      started_ns.store(run.start_ns, std::memory_order_release);
    }
  };
  auto driver = HdmiDriver::Create(std::move(tapped), std::move(options));
  if (!driver.ok()) return driver.status();
  turn(100 * base::kMillisecond);

  Result result;
  const base::Nanos delay = absl::ToInt64Nanoseconds(way.debounce / way.speed);
  for (int i = 0; i < way.edges; ++i) {
    InjectStep edge;
    edge.op = HDMI_OP_HPD;
    edge.a = i % 2 == 0 ? 1 : 0;
    const base::Nanos before = base::Now();
    if (absl::Status s = (*driver)->hardware().Send(InjectCommand(edge)); !s.ok()) return s;
    turn(way.apart_ns);
    const base::Nanos start = started_ns.load(std::memory_order_acquire);
    // An edge whose work came later than the next edge would be counted wrong.
    if (start > before && tap->written_ns() > before && start > tap->written_ns()) {
      result.latencies.push_back(std::abs(start - tap->written_ns() - delay));
      result.handed.push_back(tap->handed_ns() - tap->written_ns());
    }
  }
  if (absl::Status s = (*driver)->Remove(); !s.ok()) return s;
  if (result.latencies.empty()) return absl::InternalError("no edge arrived");
  return result;
}

// A port with its device in this process, whose receiver sends a wrong L' so often that
// the check takes a thousand rounds.
struct LocalityPort {
  static constexpr int kRounds = 1000;
  std::unique_ptr<Hdcp22Sinks> receivers;
  std::unique_ptr<SimDeviceHost> host;
  std::unique_ptr<HdmiDriver> driver;

  absl::Status Start(const Hdcp22Sinks& keys, const RsaKey& authority) {
    receivers = std::make_unique<Hdcp22Sinks>(keys);
    SimDevice::Options device;
    device.ops = receivers->Ops();
    auto made_host = SimDeviceHost::Create(device);
    if (!made_host.ok()) return made_host.status();
    host = *std::move(made_host);
    absl::Status prepared;
    host->With([&](SimDevice& d) {
      SinkSpec sink = StandardSink(kSlotTv, *EdidFromFileContents(kStandardEdidText[kSlotTv]));
      sink.flags |= HDMI_SINK_HDCP22;
      prepared = d.LoadSink(kSlotTv, sink);
      if (!prepared.ok()) return;
      prepared = d.Inject({.op = HDMI_OP_HDCP22_BAD, .a = kLcSendLPrime, .b = kRounds - 1});
      if (prepared.ok()) prepared = d.Inject({.op = HDMI_OP_PLUG, .a = kSlotTv});
    });
    if (!prepared.ok()) return prepared;
    DriverOptions options;
    options.hdcp22_authority = authority;
    options.locality_rounds = 1024;  // as many as the specification allows
    auto made = HdmiDriver::Create(std::make_unique<SimHardware>(*host), std::move(options));
    if (!made.ok()) return made.status();
    driver = *std::move(made);
    return driver->SetProtection(true);
  }
};

absl::StatusOr<bool> MeasureLocality() {
  const auto authority = Hdcp22Sinks::AuthorityKey(HDCP14_SIM_SEED);
  const auto keys = Hdcp22Sinks::Standard(HDCP14_SIM_SEED);
  if (!authority.ok() || !keys.ok()) return authority.ok() ? keys.status() : authority.status();
  std::vector<LocalityPort> ports(10);
  for (LocalityPort& port : ports) {
    if (absl::Status s = port.Start(**keys, *authority); !s.ok()) return s;
  }
  DriverStats sum;
  for (LocalityPort& port : ports) {
    const base::Nanos until = base::Now() + 120 * base::kSecond;
    while (port.driver->stats().locality_checks < LocalityPort::kRounds && base::Now() < until) {
      base::Completion never;
      (void)never.WaitUntil(base::Now() + 50 * base::kMillisecond);
    }
    const DriverStats stats = port.driver->stats();
    sum.locality_checks += stats.locality_checks;
    sum.locality_late += stats.locality_late;
    sum.locality_ns_max = std::max(sum.locality_ns_max, stats.locality_ns_max);
    if (absl::Status s = port.driver->Remove(); !s.ok()) return s;
  }
  absl::PrintF(
      "locality   %d rounds on %d ports at once: %d missed 20 ms; longest of the others "
      "%.1f ms (the receiver itself takes 4)\n",
      sum.locality_checks, ports.size(), sum.locality_late,
      static_cast<double>(sum.locality_ns_max) / 1e6);
  const double rounds = static_cast<double>(std::max<int64_t>(sum.locality_checks, 1));
  return Holds("locality", 10000 * static_cast<double>(sum.locality_late) / rounds, 1,
               "missed in 10,000");
}

// Whether all bars hold.
absl::StatusOr<bool> Main(const char* argv0) {
  if (absl::GetFlag(FLAGS_locality)) return MeasureLocality();
  DeviceChild::Options options;
  options.program = absl::GetFlag(FLAGS_device_process);
  if (options.program.empty()) options.program = DeviceProgramBeside(argv0);
  options.machine_clock = true;
  const int edges = absl::GetFlag(FLAGS_edges);
  const Way ways[] = {
      {"sleeping", false, edges, 2 * base::kMillisecond, 200, absl::ZeroDuration(), 0.5, 100},
      {"debounce", false, std::max(edges / 20, 1), 80 * base::kMillisecond, 1,
       absl::Milliseconds(60), 0.9, 2000},
      // Last, for this thread stays on the CPU that it is given.
      {"spinning", true, edges, 2 * base::kMillisecond, 200, absl::ZeroDuration(), 0.5, 5},
  };
  bool hold = true;
  for (const Way& way : ways) {
    options.name = UniqueDeviceName("hdmi-latency");
    DeviceChild child(options);
    if (way.spinning) UseCpus(/*own=*/false);  // the child inherits it
    if (absl::Status s = child.Start(); !s.ok()) return s;
    if (way.spinning) UseCpus(/*own=*/true);
    auto result = Measure(way, absl::StrCat("sim:", options.name));
    if (!result.ok()) return result.status();
    hold = result->Print(way) && hold;
  }
  return hold;
}

}  // namespace
}  // namespace uwq::hdmi

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Measures the way of an HPD edge to the driver's work.");
  absl::FlagsUsageConfig usage;  // --help shows the flags of this folder
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::StrContains(file, "hdmi_example/demo/");
  };
  absl::SetFlagsUsageConfig(usage);
  if (const auto rest = absl::ParseCommandLine(argc, argv); rest.size() > 1) {
    fprintf(stderr, "hdmi_latency: unexpected argument \"%s\"\n", rest[1]);
    return 2;
  }
  const absl::StatusOr<bool> hold = uwq::hdmi::Main(argv[0]);
  if (!hold.ok()) {
    fprintf(stderr, "hdmi_latency: %s\n", hold.status().ToString().c_str());
    return 2;
  }
  return *hold ? 0 : 1;
}
