// SPDX-License-Identifier: BSD-3-Clause
//
// timeline.h -- what the demo shows: one line for each thing that happens, with the
// work that did it, its queue and how late it began; and a progress line in between.
//
// Invariant: lines come out whole and in the order of their times; without a
// terminal there is no colour and no line that erases itself.
// Read on: main.cc.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_TIMELINE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_TIMELINE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "drivers/hdmi_example/driver/hdmi_driver.h"
#include "workqueue/base/sync.h"

namespace uwq::hdmi {

class Timeline {
 public:
  enum class Who { kWorld, kClient, kDriver, kDemo };

  // `quiet`: only warnings and the end.
  Timeline(double speed, bool color);

  // The clock starts; until then it shows 0.  Once, any thread.
  void Begin();
  // Seconds of the world since then.
  double seconds() const { return SecondsAt(base::Now()); }

  void Header();
  void Say(Who who, absl::string_view text);
  void OnLog(const LogLine& line);
  // One line that the next one replaces; nothing without a terminal.
  void Progress(const std::string& text);
  // When a line was last printed, in this machine's time.
  base::Nanos last_line_ns();
  std::string Bold(absl::string_view text) const;
  std::string Good(bool good, absl::string_view text) const;

  struct Mark {
    double seconds;
    Who who;
    bool warning;
    std::string text;
  };
  std::vector<Mark> marks();

 private:
  double SecondsAt(base::Nanos ns) const;
  void PrintLocked(const Mark& mark, const char* color, absl::string_view work,
                   absl::string_view queue, base::Nanos latency_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ErasePrgLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const double speed_;
  const bool color_;
  base::Atomic<base::Nanos> epoch_ns_{0};  // 0: not begun
  base::Mutex mutex_;
  bool progress_shown_ ABSL_GUARDED_BY(mutex_) = false;
  base::Nanos last_line_ns_ ABSL_GUARDED_BY(mutex_);
  std::vector<Mark> marks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_TIMELINE_H_
