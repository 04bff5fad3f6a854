// SPDX-License-Identifier: BSD-3-Clause
//
// trace_file.h -- records the library's trace points (workqueue/base/trace.h) and
// writes them as a file that chrome://tracing and Perfetto show.
//
// Invariant: recording neither blocks nor allocates: a slot is claimed by one atomic
// addition; when they are used up, the rest is counted and left out.
// Read on: main.cc, plot.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_TRACE_FILE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_TRACE_FILE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "drivers/hdmi_example/driver/driver_work.h"
#include "workqueue/base/sync.h"

namespace uwq::hdmi {

class TraceFile {
 public:
  static constexpr size_t kRecords = 1 << 18;

  // Starts to record.  One at a time in a process; lives until its end.
  static void Start();
  static bool started();

  // Names for the items of a driver.
  static void NameWorks(const std::vector<DriverWork*>& works);

  // Writes what was recorded.  Errors: of the file system, with the path.
  static absl::Status Write(const std::string& path);
  static int64_t recorded();
  static int64_t left_out();
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_TRACE_FILE_H_
