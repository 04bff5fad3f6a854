// SPDX-License-Identifier: BSD-3-Clause
//
// connector.h -- the content-protection property as clients see it, and the work
// that tells them.
//
// A client asks for kDesired; only the driver makes that kEnabled, or takes it back.
// Clients are told of what the driver did, never of what they did themselves.
//
// The client's callback may take as long as it likes and may call the driver.  So
// the work that runs it is never cancelled and never waited for by the driver's own
// paths; instead each successful queueing holds a reference of the Connector, which
// the work drops when it is done.  Whoever drops the last one frees it: that may be
// the work itself.
//
// Invariant C1: references = 1 (the owner's, until Unregister) + 1 if prop_work is
// pending or running for a queueing that was counted.
//
// Read on: hdmi_driver.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_CONNECTOR_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_CONNECTOR_H_

#include <functional>

#include "drivers/hdmi_example/driver/driver_work.h"
#include "drivers/hdmi_example/driver/port_state.h"
#include "workqueue/base/sync.h"

namespace uwq::hdmi {

class Connector {
 public:
  using Callback = std::function<void(Protection)>;

  // Owns itself; the caller has one reference, which it gives back by Unregister().
  // `live` (may be null) counts objects that exist, for tests and the summary.
  static Connector* Create(Workqueue& wq, double speed, const DriverWork::Observer* observer,
                           Callback callback, base::Atomic<int>* live);

  // What the client wants, silently.  Returns the property's value before.
  Protection SetWanted(bool desired) ABSL_LOCKS_EXCLUDED(mutex_);
  bool wanted() ABSL_LOCKS_EXCLUDED(mutex_);
  Protection value() ABSL_LOCKS_EXCLUDED(mutex_);

  // The driver's side: enabled, or no longer.  Ignored while the client does not want
  // it.  Queues the client's callback if that was a change.  Never sleeps.
  bool SetEnabled(bool enabled) ABSL_LOCKS_EXCLUDED(mutex_);

  // No callback begins after this; one that runs is not waited for.  Drops the
  // owner's reference.  Not from the callback.
  void Unregister() ABSL_LOCKS_EXCLUDED(mutex_);

  DriverWork& prop_work() { return prop_work_; }

 private:
  Connector(Workqueue& wq, double speed, const DriverWork::Observer* observer, Callback callback,
            base::Atomic<int>* live);
  ~Connector();
  void PropWork();
  void Get() { refs_.fetch_add(1); }
  void Put();

  base::Atomic<int> refs_{1};
  base::Atomic<int>* const live_;
  const Callback callback_;
  base::Mutex mutex_;
  Protection value_ ABSL_GUARDED_BY(mutex_) = Protection::kUndesired;
  Protection told_ ABSL_GUARDED_BY(mutex_) = Protection::kUndesired;
  bool registered_ ABSL_GUARDED_BY(mutex_) = true;
  DriverWork prop_work_;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DRIVER_CONNECTOR_H_
