// SPDX-License-Identifier: BSD-3-Clause
//
// plot.cc -- see plot.h.
// Invariant: x is time, one row for each state and for each work.
#include "drivers/hdmi_example/demo/plot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <functional>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace uwq::hdmi {
namespace {

constexpr double kLeft = 190, kRight = 60, kWidth = 1180, kTop = 170;
constexpr double kLabelApart = 16;  // labels nearer than this would cover each other
constexpr double kRow = 22, kGap = 14;

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

const char* QueueColor(absl::string_view queue) {
  if (queue == "hdmi-hpd") return "#c0392b";
  if (queue == "hdmi-port") return "#2980b9";
  return "#27ae60";
}

class Svg {
 public:
  explicit Svg(double end_seconds) : end_(std::max(end_seconds, 1.0)) {}

  double X(double seconds) const {
    return kLeft + std::clamp(seconds / end_, 0.0, 1.0) * (kWidth - kLeft - kRight);
  }
  void Rect(double from, double to, double y, double height, absl::string_view fill,
            absl::string_view title) {
    absl::StrAppendFormat(&body_,
                          "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                          "fill=\"%s\"><title>%s</title></rect>\n",
                          X(from), y, std::max(X(to) - X(from), 0.5), height, fill, Escaped(title));
  }
  void Tick(double seconds, double y, absl::string_view color, double opacity = 0.75) {
    absl::StrAppendFormat(&body_,
                          "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" "
                          "stroke=\"%s\" stroke-opacity=\"%.2f\"/>\n",
                          X(seconds), X(seconds), y, y + kRow - 6, color, opacity);
  }
  void Line(double seconds, double y1, double y2, absl::string_view color) {
    absl::StrAppendFormat(&body_,
                          "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" "
                          "stroke=\"%s\" stroke-dasharray=\"2 3\"/>\n",
                          X(seconds), X(seconds), y1, y2, color);
  }
  void Text(double x, double y, absl::string_view anchor, absl::string_view text, double angle = 0,
            absl::string_view color = "#333") {
    absl::StrAppendFormat(&body_,
                          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\" "
                          "transform=\"rotate(%.0f %.1f %.1f)\">%s</text>\n",
                          x, y, anchor, color, angle, x, y, Escaped(text));
  }
  std::string Done(double height) const {
    return absl::StrFormat(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
        "viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" font-size=\"11\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n%s</svg>\n",
        kWidth, height, kWidth, height, body_);
  }

 private:
  const double end_;
  std::string body_;
};

struct StateRow {
  const char* name;
  // The bar's colour, or empty for none.
  std::function<std::string(const PortState&)> color;
};

const std::vector<StateRow>& StateRows() {
  static const auto* const rows = new std::vector<StateRow>{
      {"transmitter up", [](const PortState& s) { return s.device_up ? "#7f8c8d" : ""; }},
      {"plugged", [](const PortState& s) { return s.plugged ? "#8e44ad" : ""; }},
      {"video / muted",
       [](const PortState& s) { return !s.video  ? ""
                                       : s.muted ? "#34495e"
                                                 : "#f39c12"; }},
      {"encrypted", [](const PortState& s) { return s.encrypted ? "#16a085" : ""; }},
      {"ENABLED / DESIRED",
       [](const PortState& s) {
         return s.protection == Protection::kEnabled   ? "#27ae60"
                : s.protection == Protection::kDesired ? "#f7dc6f"
                                                       : "";
       }},
      {"HPD storm", [](const PortState& s) { return s.storm ? "#c0392b" : ""; }},
  };
  return *rows;
}

double DrawStates(const PlotData& data, double y, Svg& svg) {
  for (const StateRow& row : StateRows()) {
    svg.Text(kLeft - 8, y + kRow - 9, "end", row.name);
    std::string color;
    double since = 0;
    const auto flush = [&](double until) {
      if (!color.empty()) {
        svg.Rect(since, until, y, kRow - 6, color,
                 absl::StrFormat("%s: %.3f s to %.3f s", row.name, since, until));
      }
    };
    for (const PlotData::Sample& sample : data.states) {
      const std::string now = row.color(sample.state);
      if (now == color) continue;
      flush(sample.seconds);
      color = now;
      since = sample.seconds;
    }
    flush(data.end_seconds);
    y += kRow;
  }
  return y + kGap;
}

double DrawRuns(const PlotData& data, double y, Svg& svg) {
  std::map<std::pair<std::string, std::string>, std::vector<double>> rows;
  for (const PlotData::Run& run : data.runs) rows[{run.queue, run.name}].push_back(run.seconds);
  std::string queue;
  for (const auto& [key, times] : rows) {
    if (key.first != queue && !queue.empty()) y += kGap;
    if (key.first != queue) {
      queue = key.first;
      svg.Text(6, y + kRow - 9, "start", queue, 0, QueueColor(queue));
    }
    svg.Text(kLeft - 8, y + kRow - 9, "end", absl::StrFormat("%s (%d)", key.second, times.size()));
    for (const double at : times) svg.Tick(at, y, QueueColor(queue));
    y += kRow;
  }
  return y + kGap;
}

}  // namespace

absl::Status WritePlot(const std::string& path, const PlotData& data) {
  Svg svg(data.end_seconds);
  svg.Text(kLeft, 18, "start", data.title);
  double y = DrawStates(data, kTop, svg);
  y = DrawRuns(data, y, svg);
  double last_label = -kLabelApart;
  for (const Timeline::Mark& mark : data.marks) {
    if (mark.who != Timeline::Who::kWorld && mark.who != Timeline::Who::kClient) continue;
    if (mark.text.rfind("told:", 0) == 0) continue;  // the rows above show that
    const char* const color = mark.who == Timeline::Who::kWorld ? "#16738c" : "#2c3e9e";
    svg.Line(mark.seconds, kTop - 4, y, color);
    if (svg.X(mark.seconds) - last_label < kLabelApart) continue;
    last_label = svg.X(mark.seconds);
    svg.Text(svg.X(mark.seconds) + 3, kTop - 8, "start",
             mark.text.size() > 34 ? mark.text.substr(0, 33) + "…" : mark.text, -38, color);
  }
  const int step = data.end_seconds > 40 ? 10 : data.end_seconds > 15 ? 5 : 1;
  for (int s = 0; s <= static_cast<int>(data.end_seconds); s += step) {
    svg.Text(svg.X(s), y + 12, "middle", absl::StrCat(s, " s"));
  }
  FILE* const file = fopen(path.c_str(), "w");
  if (file == nullptr) {
    return absl::UnavailableError(absl::StrCat("\"", path, "\": ", strerror(errno)));
  }
  fputs(svg.Done(y + 24).c_str(), file);
  if (fclose(file) != 0) {
    return absl::UnavailableError(absl::StrCat("\"", path, "\": ", strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace uwq::hdmi
