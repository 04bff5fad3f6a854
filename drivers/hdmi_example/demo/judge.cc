// SPDX-License-Identifier: BSD-3-Clause
//
// judge.cc -- the demo's checks and its summary table.
// Invariant: the exit code is 0 only if every check that is printed held.
// Read on: demo.h.
#include <stdio.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "drivers/hdmi_example/demo/demo.h"
#include "drivers/hdmi_example/demo/fault_outcome.h"

namespace uwq::hdmi {
namespace {

std::string Micros(base::Nanos ns) {
  return ns < 10'000'000 ? absl::StrFormat("%.1f us", static_cast<double>(ns) / 1e3)
                         : absl::StrFormat("%.1f ms", static_cast<double>(ns) / 1e6);
}

base::Nanos Percentile(std::vector<base::Nanos>& values, double p) {
  if (values.empty()) return 0;
  const size_t i = std::min(values.size() - 1, static_cast<size_t>(p * values.size()));
  std::nth_element(values.begin(), values.begin() + i, values.end());
  return values[i];
}

}  // namespace

void Demo::CheckMovieNight() {
  const DriverStats& s = final_stats_;
  std::vector<std::pair<double, Protection>> told;
  {
    base::MutexLock lock(&mutex_);
    told = told_;
  }
  const bool own_sink = !options_.sink.empty();
  if (!own_sink) {
    // Television, wrong Ri', AVR, reset, crash: each ends protected; the SRM ends it.
    std::string sequence;
    for (const auto& t : told) sequence += t.second == Protection::kEnabled ? 'E' : 'D';
    Expect(sequence == "EDEDEDEDED",
           absl::StrCat("clients were told E D E D E D E D E D (", sequence, ")"));
    // Before the next thing happens; how long it took is shown.
    const auto expect_enabled = [&](double from, double until, absl::string_view what) {
      const auto found = std::find_if(told.begin(), told.end(), [&](const auto& t) {
        return t.second == Protection::kEnabled && t.first >= from && t.first <= until;
      });
      Expect(found != told.end(), found == told.end() ? absl::StrCat("not protected after ", what)
                                                      : absl::StrFormat("protected %.1f s after %s",
                                                                        found->first - from, what));
    };
    expect_enabled(1, 10, "the television was plugged");
    expect_enabled(14, 20, "Ri' began to be wrong");
    expect_enabled(20.4, 30, "the AVR was plugged, with what is behind it");
    expect_enabled(30, 40, "the client's reset");
    expect_enabled(40, 50, "the transmitter's crash");
    Expect(final_state_.protection == Protection::kDesired && final_state_.hdcp_idle &&
               final_state_.muted,
           "the revoked AVR: DESIRED, idle, muted");
  }
  Expect(s.plugs >= 4, absl::StrFormat("the cable was seen %d times", s.plugs));
  Expect(s.storms == 1, absl::StrFormat("%d HPD storm(s); %d HPD events came, %d works ran",
                                        s.storms, s.hpd_events, [&] {
                                          for (const WorkCounts& w : s.works) {
                                            if (absl::string_view(w.name) == "hpd_dwork") {
                                              return w.runs;
                                            }
                                          }
                                          return int64_t{0};
                                        }()));
  // As much work comes in a second of the world, at whatever speed.
  const double at_speed_1 = cpu_percent_ / options_.speed;
  Expect(at_speed_1 < 2,
         absl::StrFormat("at speed 1 driver and demo take less than 2 %% of one core: %.2f %%",
                         at_speed_1));
  Expect(s.resets == 1 && s.pending_after_reset == 0,
         absl::StrFormat("one reset, %d works pending after it, longest %s", s.pending_after_reset,
                         Micros(s.reset_ns_max)));
}

void Demo::CheckFault() {
  const Outcome outcome = OutcomeOf(options_.fault->id);
  const std::string wrong = CheckOutcome(outcome, final_state_);
  Expect(wrong.empty(), absl::StrCat("at the end: ", OutcomeName(outcome),
                                     wrong.empty() ? "" : absl::StrCat(" (", wrong, ")")));
}

void Demo::Summary() {
  const DriverStats& s = final_stats_;
  int64_t runs = 0, coalesced = 0, cancelled = 0, refused = 0;
  printf("\n%s\n", timeline_
                       .Bold(absl::StrFormat("%-22s %-10s %6s %10s %10s %8s", "work", "queue",
                                             "runs", "coalesced", "cancelled", "refused"))
                       .c_str());
  for (const WorkCounts& w : s.works) {
    runs += w.runs;
    coalesced += w.coalesced;
    cancelled += w.cancelled;
    refused += w.refused;
    if (w.runs + w.coalesced + w.cancelled + w.refused == 0) continue;
    absl::PrintF("%-22s %-10s %6d %10d %10d %8d\n", w.name, w.queue, w.runs, w.coalesced,
                 w.cancelled, w.refused);
  }
  absl::PrintF("%-22s %-10s %6d %10d %10d %8d\n", "all", "", runs, coalesced, cancelled, refused);

  std::vector<base::Nanos> latencies, times;
  {
    base::MutexLock lock(&mutex_);
    latencies = latencies_;
    times = run_times_;
  }
  absl::PrintF("\n%s", timeline_.Bold("events   "));
  absl::PrintF("%d taken, %d lost, %d of an earlier generation, %d bad\n", s.events, s.events_lost,
               s.events_stale, s.events_bad);
  absl::PrintF("%s", timeline_.Bold("DDC      "));
  absl::PrintF("%d transfers, %d failed, %d timed out, %d stale completions\n", s.ddc.transfers,
               s.ddc.failed, s.ddc.timed_out, s.ddc.stale);
  absl::PrintF("%s", timeline_.Bold("HDCP     "));
  absl::PrintF("%d attempts, %d ok, %d link checks, %d link failures\n", s.auth_attempts, s.auth_ok,
               s.link_checks, s.link_failures);
  absl::PrintF("%s", timeline_.Bold("flushes  "));
  absl::PrintF("%d by the driver\n", s.flushes);
  absl::PrintF("%s", timeline_.Bold("cpu      "));
  absl::PrintF("%.2f %% of one core over %.1f s at speed %g\n", cpu_percent_, wall_seconds_,
               options_.speed);
  absl::PrintF("%s", timeline_.Bold("latency  "));
  latency_p50_ = Micros(Percentile(latencies, 0.50));
  absl::PrintF("due to start: p50 %s, p99 %s; a run takes p50 %s, p99 %s\n", latency_p50_,
               Micros(Percentile(latencies, 0.99)), Micros(Percentile(times, 0.50)),
               Micros(Percentile(times, 0.99)));
}

int Demo::Judge() {
  if (options_.fault != nullptr) {
    CheckFault();
  } else {
    CheckMovieNight();
  }
  Expect(removed_.ok() && connectors_.load() == 0, "nothing left pending, no reference left");
  Expect(final_stats_.unplug_ns_max < 50 * base::kMillisecond,
         absl::StrFormat("an unplug is quiet in less than 50 ms: %s at most",
                         Micros(final_stats_.unplug_ns_max)));
  Expect(final_stats_.cec.double_completions == 0, "no CEC request was completed twice");
  int mistakes = 0;
  {
    base::MutexLock lock(&mutex_);
    for (const core::ReportKind kind : reports_) {
      // F30 destroys the queues while a stranger's works are armed on them.
      const bool of_f30 = kind == core::ReportKind::kArmedTimerAtDestroy &&
                          options_.fault != nullptr && options_.fault->number == 30;
      if (!of_f30) ++mistakes;
    }
  }
  Expect(mistakes == 0, absl::StrFormat("the library saw %d mistakes of the driver", mistakes));
  Summary();
  bool all = true;
  printf("\n");
  for (const Check& check : checks_) {
    printf("%s  %s\n", timeline_.Good(check.good, check.good ? "ok  " : "FAIL").c_str(),
           check.what.c_str());
    all = all && check.good;
  }
  if (!options_.plot.empty()) {
    PlotData data;
    {
      base::MutexLock lock(&mutex_);
      data = std::move(plot_);
    }
    data.title = options_.fault != nullptr
                     ? absl::StrCat(options_.fault->id, ": ", options_.fault->injects)
                     : "movie_night";
    data.subtitle = absl::StrFormat(
        "seed %d at speed %g: %d runs of works, %d events; started %s after they were due (p50)",
        options_.seed, options_.speed, data.runs.size(), final_stats_.events, latency_p50_);
    data.end_seconds = timeline_.seconds();
    data.marks = timeline_.marks();
    if (absl::Status s = WritePlot(options_.plot, data); !s.ok()) {
      fprintf(stderr, "plot: %s\n", s.ToString().c_str());
      all = false;
    } else {
      printf("picture: %s\n", options_.plot.c_str());
    }
  }
  return all ? 0 : 1;
}

}  // namespace uwq::hdmi
