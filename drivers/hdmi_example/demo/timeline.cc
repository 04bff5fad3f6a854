// SPDX-License-Identifier: BSD-3-Clause
//
// timeline.cc -- see timeline.h.
// Invariant: everything is printed under mutex_.
#include "drivers/hdmi_example/demo/timeline.h"

#include <stdio.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace uwq::hdmi {
namespace {

constexpr const char* kReset = "\033[0m";
constexpr const char* kDim = "\033[2m";
constexpr const char* kBold = "\033[1m";
constexpr const char* kRed = "\033[31m";
constexpr const char* kGreen = "\033[32m";
constexpr const char* kYellow = "\033[33m";
constexpr const char* kBlue = "\033[34m";
constexpr const char* kCyan = "\033[36m";
constexpr int kTextWidth = 74;

std::string Latency(base::Nanos ns) {
  if (ns < 0) return "";
  if (ns < 10'000'000) return absl::StrFormat("%d us", ns / 1000);
  return absl::StrFormat("%d ms", ns / 1'000'000);
}

}  // namespace

Timeline::Timeline(double speed, bool color)
    : speed_(speed), color_(color), last_line_ns_(base::Now()) {}

void Timeline::Begin() { epoch_ns_.store(base::Now()); }

double Timeline::SecondsAt(base::Nanos ns) const {
  const base::Nanos epoch = epoch_ns_.load();
  return epoch == 0 || ns < epoch ? 0 : static_cast<double>(ns - epoch) * speed_ / 1e9;
}

void Timeline::Header() {
  base::MutexLock lock(&mutex_);
  printf("%s%8s  %-3s  %-*s  %-19s  %-9s  %8s%s\n", color_ ? kBold : "", "time s", "who",
         kTextWidth, "event", "work", "queue", "latency", color_ ? kReset : "");
}

void Timeline::Say(Who who, absl::string_view text) {
  const char* const color = who == Who::kWorld    ? kCyan
                            : who == Who::kClient ? kBlue
                            : who == Who::kDemo   ? kDim
                                                  : "";
  base::MutexLock lock(&mutex_);
  PrintLocked({seconds(), who, false, std::string(text)}, color, "", "", -1);
}

void Timeline::OnLog(const LogLine& line) {
  const char* const color = line.kind == LogLine::Kind::kWarning ? kYellow
                            : line.kind == LogLine::Kind::kState ? kGreen
                                                                 : "";
  const double at = SecondsAt(line.time_ns);
  base::MutexLock lock(&mutex_);
  PrintLocked({at, Who::kDriver, line.kind == LogLine::Kind::kWarning, line.text}, color, line.work,
              line.queue, line.latency_ns);
}

void Timeline::PrintLocked(const Mark& mark, const char* color, absl::string_view work,
                           absl::string_view queue, base::Nanos latency_ns) {
  constexpr const char* kNames[] = {"sim", "usr", "drv", "---"};
  ErasePrgLocked();
  const std::string line =
      absl::StrFormat("%8.3f  %s%-3s  %-*s%s  %-19s  %-9s  %8s", mark.seconds, color_ ? color : "",
                      kNames[static_cast<int>(mark.who)], kTextWidth, mark.text,
                      color_ && *color ? kReset : "", work, queue, Latency(latency_ns));
  const size_t end = line.find_last_not_of(' ');
  printf("%s\n", line.substr(0, end + 1).c_str());
  fflush(stdout);
  last_line_ns_ = base::Now();
  marks_.push_back(mark);
}

void Timeline::ErasePrgLocked() {
  if (!progress_shown_) return;
  printf("\r\033[K");
  progress_shown_ = false;
}

void Timeline::Progress(const std::string& text) {
  if (!color_) return;
  base::MutexLock lock(&mutex_);
  printf("\r\033[K%s%8.3f  ... %s%s", kDim, seconds(), text.c_str(), kReset);
  fflush(stdout);
  progress_shown_ = true;
}

base::Nanos Timeline::last_line_ns() {
  base::MutexLock lock(&mutex_);
  return last_line_ns_;
}

std::string Timeline::Bold(absl::string_view text) const {
  return color_ ? absl::StrCat(kBold, text, kReset) : std::string(text);
}

std::string Timeline::Good(bool good, absl::string_view text) const {
  return color_ ? absl::StrCat(good ? kGreen : kRed, text, kReset) : std::string(text);
}

std::vector<Timeline::Mark> Timeline::marks() {
  base::MutexLock lock(&mutex_);
  return marks_;
}

}  // namespace uwq::hdmi
