// SPDX-License-Identifier: BSD-3-Clause
//
// connector.cc -- see connector.h.
// Invariant: the callback runs with no lock held.
#include "drivers/hdmi_example/driver/connector.h"

#include <utility>

namespace uwq::hdmi {

Connector* Connector::Create(Workqueue& wq, double speed, const DriverWork::Observer* observer,
                             Callback callback, base::Atomic<int>* live) {
  return new Connector(wq, speed, observer, std::move(callback), live);
}

Connector::Connector(Workqueue& wq, double speed, const DriverWork::Observer* observer,
                     Callback callback, base::Atomic<int>* live)
    : live_(live),
      callback_(std::move(callback)),
      prop_work_("prop_work", wq, speed, observer, [this] { PropWork(); }) {
  if (live_ != nullptr) live_->fetch_add(1);
}

Connector::~Connector() {
  if (live_ != nullptr) live_->fetch_sub(1);
}

void Connector::Put() {
  if (refs_.fetch_sub(1) != 1) return;
  // The work may drop the last reference itself and free what it is part of.  Anybody
  // else waits for it to return: it has no reference any more, so it is past the
  // client's callback and a few instructions from its end.
  if (CurrentWork() != &prop_work_.raw()->work) (void)prop_work_.CancelSync();
  delete this;
}

Protection Connector::SetWanted(bool desired) {
  base::MutexLock lock(&mutex_);
  const Protection before = value_;
  if (desired == (value_ != Protection::kUndesired)) return before;
  value_ = desired ? Protection::kDesired : Protection::kUndesired;
  told_ = value_;  // the client knows what it asked for
  return before;
}

bool Connector::wanted() {
  base::MutexLock lock(&mutex_);
  return value_ != Protection::kUndesired;
}

Protection Connector::value() {
  base::MutexLock lock(&mutex_);
  return value_;
}

bool Connector::SetEnabled(bool enabled) {
  {
    base::MutexLock lock(&mutex_);
    if (!registered_ || value_ == Protection::kUndesired) return false;
    const Protection next = enabled ? Protection::kEnabled : Protection::kDesired;
    if (next == value_) return false;
    value_ = next;
  }
  // The reference is taken before the work can run, and given back if this call did
  // not make it pending: then the queueing before it has one already.
  Get();
  if (!prop_work_.Queue()) Put();
  return true;
}

void Connector::Unregister() {
  {
    base::MutexLock lock(&mutex_);
    registered_ = false;
  }
  Put();
}

void Connector::PropWork() {
  Protection tell;
  bool changed;
  {
    base::MutexLock lock(&mutex_);
    tell = value_;
    changed = registered_ && tell != told_;
    told_ = tell;
  }
  if (changed && callback_) callback_(tell);
  Put();  // of the queueing that made this run
}

}  // namespace uwq::hdmi
