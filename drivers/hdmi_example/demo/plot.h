// SPDX-License-Identifier: BSD-3-Clause
//
// plot.h -- the run as a picture: states over time, works on their queues, and what
// the world did, as one SVG.
// Invariant: the picture needs no script and no font that is not everywhere.
// Read on: main.cc.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_PLOT_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_PLOT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "drivers/hdmi_example/demo/timeline.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"

namespace uwq::hdmi {

struct PlotData {
  std::string title, subtitle;
  double end_seconds = 0;
  struct Sample {
    double seconds;
    PortState state;
  };
  std::vector<Sample> states;
  struct Run {
    double seconds;
    std::string name, queue;
  };
  std::vector<Run> runs;
  std::vector<Timeline::Mark> marks;
};

// Errors: of the file system, with the path.
absl::Status WritePlot(const std::string& path, const PlotData& data);

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_PLOT_H_
