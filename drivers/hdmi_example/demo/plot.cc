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

constexpr double kLeft = 200, kRight = 70, kWidth = 1200, kTop = 190;
constexpr double kLabelApart = 17;  // labels nearer than this would cover each other
constexpr double kRow = 22, kGap = 14;
constexpr double kCharacter = 6.2;  // about as wide as one is at this size
constexpr const char* kInk = "#2d3436";
constexpr const char* kBold = " font-weight=\"bold\"";

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

const char* QueueColor(absl::string_view queue) {
  if (queue == "hdmi-hpd") return "#c0392b";
  if (queue == "hdmi-port") return "#2980b9";
  return "#27ae60";
}

constexpr absl::string_view kPale = "#f7dc6f";

class Svg {
 public:
  explicit Svg(double end_seconds) : end_(std::max(end_seconds, 1.0)) {}

  double X(double seconds) const {
    return kLeft + std::clamp(seconds / end_, 0.0, 1.0) * (kWidth - kLeft - kRight);
  }
  // With its label inside where that fits.
  void Bar(double from, double to, double y, absl::string_view fill, absl::string_view label,
           absl::string_view title) {
    const double width = std::max(X(to) - X(from), 0.5);
    absl::StrAppendFormat(&body_,
                          "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%.1f\" "
                          "fill=\"%s\"><title>%s</title></rect>\n",
                          X(from), y, width, kRow - 6, width > 6 ? 3.0 : 0.0, fill, Escaped(title));
    if (static_cast<double>(label.size()) * kCharacter + 8 < width) {
      Text(X(from) + 6, y + kRow - 10, "start", label, 0, fill == kPale ? kInk : "white");
    }
  }
  void Stripe(double y) {
    absl::StrAppendFormat(&body_,
                          "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                          "fill=\"#f4f6f8\"/>\n",
                          kLeft, y - 1, kWidth - kLeft - kRight, kRow - 4);
  }
  void Grid(double seconds, double y1, double y2) {
    absl::StrAppendFormat(&body_,
                          "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" "
                          "stroke=\"#dfe4ea\"/>\n",
                          X(seconds), X(seconds), y1, y2);
  }
  // From the rows up to a label that may have had to give way.
  void Leader(double seconds, double label_x, absl::string_view color) {
    absl::StrAppendFormat(&body_,
                          "<path d=\"M%.1f %.1f L%.1f %.1f\" fill=\"none\" stroke=\"%s\"/>\n",
                          X(seconds), kTop - 4, label_x, kTop - 14, color);
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
            absl::string_view color = kInk, absl::string_view style = "") {
    const std::string turn =
        angle == 0 ? "" : absl::StrFormat(" transform=\"rotate(%.0f %.1f %.1f)\"", angle, x, y);
    absl::StrAppendFormat(
        &body_, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\"%s%s>%s</text>\n", x, y,
        anchor, color, turn, style, Escaped(text));
  }
  void Append(const Svg& other) { body_ += other.body_; }
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
  // The bar's colour, or empty for none, and what stands in it.
  std::function<std::string(const PortState&)> color;
  std::function<std::string(const PortState&)> label;
};

const std::vector<StateRow>& StateRows() {
  static const auto* const rows = new std::vector<StateRow>{
      {"transmitter", [](const PortState& s) { return s.device_up ? "#7f8c8d" : ""; },
       [](const PortState&) { return "up"; }},
      {"cable", [](const PortState& s) { return s.plugged ? "#8e44ad" : ""; },
       [](const PortState& s) { return s.sink; }},
      {"picture",
       [](const PortState& s) { return !s.video  ? ""
                                       : s.muted ? "#34495e"
                                                 : "#e67e22"; },
       [](const PortState& s) { return s.muted ? "muted" : s.mode.substr(0, s.mode.find(' ')); }},
      {"HDCP", [](const PortState& s) { return s.encrypted ? "#16a085" : ""; },
       [](const PortState&) { return "encrypted"; }},
      {"content protection",
       [](const PortState& s) {
         return s.protection == Protection::kEnabled   ? std::string("#27ae60")
                : s.protection == Protection::kDesired ? std::string(kPale)
                                                       : std::string();
       },
       [](const PortState& s) { return ProtectionName(s.protection); }},
      {"HPD interrupts", [](const PortState& s) { return s.storm ? "#c0392b" : ""; },
       [](const PortState&) { return "masked"; }},
  };
  return *rows;
}

double DrawStates(const PlotData& data, double y, Svg& svg) {
  for (const StateRow& row : StateRows()) {
    svg.Stripe(y);
    svg.Text(kLeft - 8, y + kRow - 10, "end", row.name);
    std::string color, label;
    double since = 0;
    const auto flush = [&](double until) {
      if (color.empty()) return;
      svg.Bar(since, until, y, color, label,
              absl::StrFormat("%s: %s, %.3f s to %.3f s", row.name, label, since, until));
    };
    for (const PlotData::Sample& sample : data.states) {
      const std::string now = row.color(sample.state);
      // The name of the sink comes some time after the plug.
      if (now == color && label.empty()) label = row.label(sample.state);
      if (now == color) continue;
      flush(sample.seconds);
      color = now;
      label = row.label(sample.state);
      since = sample.seconds;
    }
    flush(data.end_seconds);
    y += kRow;
  }
  return y + kGap;
}

double DrawRuns(const PlotData& data, double y, Svg& svg) {
  // The queues in the order of their priority, the works by name.
  std::map<std::pair<int, std::string>, std::vector<double>> rows;
  constexpr const char* kQueues[] = {"hdmi-hpd", "hdmi-port", "hdmi-misc"};
  for (const PlotData::Run& run : data.runs) {
    int queue = 0;
    while (queue < 2 && run.queue != kQueues[queue]) ++queue;
    rows[{queue, run.name}].push_back(run.seconds);
  }
  int last = -1;
  for (const auto& [key, times] : rows) {
    const char* const color = QueueColor(kQueues[key.first]);
    if (key.first != last && last >= 0) y += kGap;
    if (key.first != last) svg.Text(6, y + kRow - 10, "start", kQueues[key.first], 0, color, kBold);
    last = key.first;
    svg.Stripe(y);
    svg.Text(kLeft - 8, y + kRow - 10, "end", key.second);
    svg.Text(kWidth - kRight + 8, y + kRow - 10, "start", absl::StrCat(times.size(), "x"), 0,
             color);
    for (const double at : times) svg.Tick(at, y, color);
    y += kRow;
  }
  return y + kGap;
}

// What the world and its clients did, above the rows.
void DrawMarks(const PlotData& data, double bottom, Svg& svg) {
  double last_label = -kLabelApart;
  for (const Timeline::Mark& mark : data.marks) {
    if (mark.who != Timeline::Who::kWorld && mark.who != Timeline::Who::kClient) continue;
    if (mark.text.rfind("told:", 0) == 0) continue;  // the rows above show that
    if (mark.text.rfind("device process", 0) == 0) continue;
    const char* const color = mark.who == Timeline::Who::kWorld ? "#16738c" : "#2c3e9e";
    svg.Line(mark.seconds, kTop - 4, bottom, color);
    last_label = std::max(svg.X(mark.seconds), last_label + kLabelApart);
    svg.Leader(mark.seconds, last_label, color);
    svg.Text(last_label + 3, kTop - 16, "start",
             mark.text.size() > 38 ? mark.text.substr(0, 37) + "…" : mark.text, -38, color);
  }
}

}  // namespace

absl::Status WritePlot(const std::string& path, const PlotData& data) {
  // The rows first, for how high they are; what lies below them is drawn before.
  Svg rows(data.end_seconds), svg(data.end_seconds);
  double y = DrawStates(data, kTop, rows);
  y = DrawRuns(data, y, rows);
  DrawMarks(data, y - kGap, rows);
  rows.Text(16, 28, "start", data.title, 0, kInk, " font-size=\"17\" font-weight=\"bold\"");
  rows.Text(16, 46, "start", data.subtitle, 0, "#636e72");
  const int step = data.end_seconds > 40 ? 10 : data.end_seconds > 15 ? 5 : 1;
  for (int s = 0; s <= static_cast<int>(data.end_seconds); s += step) {
    svg.Grid(s, kTop - 4, y - kGap);
    rows.Text(svg.X(s), y + 4, "middle", absl::StrCat(s, " s"), 0, "#636e72");
  }
  svg.Append(rows);
  FILE* const file = fopen(path.c_str(), "w");
  if (file == nullptr) {
    return absl::UnavailableError(absl::StrCat("\"", path, "\": ", strerror(errno)));
  }
  fputs(svg.Done(y + 16).c_str(), file);
  if (fclose(file) != 0) {
    return absl::UnavailableError(absl::StrCat("\"", path, "\": ", strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace uwq::hdmi
