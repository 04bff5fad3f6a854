// SPDX-License-Identifier: BSD-3-Clause
#include "tests/sim/history.h"

#include <algorithm>

namespace uwq::sim {

void History::SetGroup(int item, int group) {
  std::lock_guard<std::mutex> lock(mu_);
  items_[item].group = group;
}

void History::SetMaxActive(int group, int limit) {
  std::lock_guard<std::mutex> lock(mu_);
  groups_[group].max_active = limit;
}

void History::SetOrdered(int group) {
  std::lock_guard<std::mutex> lock(mu_);
  groups_[group].max_active = 1;
  groups_[group].ordered = true;
}

// ---- Calls under way ----

History::Snapshot History::Take(int id) {
  const Item& item = items_[id];
  Snapshot snapshot{id, ++clock_, Item()};
  Item& copy = snapshot.item;
  copy.group = item.group;
  copy.accepted = item.accepted;
  copy.starts = item.starts;
  copy.ends = item.ends;
  copy.cancels = item.cancels;
  copy.disabled = item.disabled;
  copy.queueing = item.queueing;
  copy.cancelling = item.cancelling;
  copy.enabling = item.enabling;
  copy.disturbances = item.disturbances;
  copy.enables = item.enables;
  copy.queue_calls = item.queue_calls;
  return snapshot;
}

History::Token History::Open(std::vector<Snapshot> snapshots) {
  if (free_tokens_.empty()) {
    open_.push_back(std::move(snapshots));
    return open_.size() - 1;
  }
  const Token token = free_tokens_.back();
  free_tokens_.pop_back();
  open_[token] = std::move(snapshots);
  return token;
}

std::vector<History::Snapshot> History::Close(Token token) {
  free_tokens_.push_back(token);
  return std::move(open_[token]);
}

void History::Violation(int id, const std::string& text) {
  const Item& item = items_[id];
  violations_.push_back(
      "item " + std::to_string(id) + ": " + text + " (accepted " + std::to_string(item.accepted) +
      ", started " + std::to_string(item.starts) + ", ended " + std::to_string(item.ends) +
      ", cancelled " + std::to_string(item.cancels) + ", queueing " +
      std::to_string(item.queueing) + ", cancelling " + std::to_string(item.cancelling) + ")");
}

// The callback may leave the execution for ever: the lock must be free by then.
void History::ReportAndUnlock(std::unique_lock<std::mutex>* lock) {
  std::vector<std::string> news(violations_.begin() + static_cast<long>(nr_reported_),
                                violations_.end());
  nr_reported_ = violations_.size();
  lock->unlock();
  if (on_violation_ == nullptr) return;
  for (const std::string& text : news) on_violation_(text);
}

// ---- Queue ----

History::Token History::QueueBegin(int id) {
  std::lock_guard<std::mutex> lock(mu_);
  const Token token = Open({Take(id)});
  Item& item = items_[id];
  ++item.queueing;
  ++item.queue_calls;
  ++item.disturbances;
  return token;
}

void History::QueueEnd(Token token, bool accepted) {
  std::unique_lock<std::mutex> lock(mu_);
  const Snapshot then = Close(token)[0];
  Item& item = items_[then.id];
  --item.queueing;
  if (accepted) {
    ++item.accepted;
    item.queue_begins.push_back(then.time);
    item.queue_ends.push_back(++clock_);
    if (then.item.disabled > 0 && item.enables == then.item.enables && then.item.enabling == 0) {
      Violation(then.id, "accepted while disabled");
    }
  } else {
    // Refusing is right only if it was pending, disabled, or somebody was at it.
    const bool alone = then.item.queueing == 0 && then.item.cancelling == 0 &&
                       then.item.enabling == 0 && item.disturbances == then.item.disturbances + 1;
    const bool was_idle =
        then.item.disabled == 0 && then.item.accepted == then.item.starts + then.item.cancels;
    if (alone && was_idle) Violation(then.id, "refused although neither pending nor disabled");
  }
  ReportAndUnlock(&lock);
}

// ---- Execution ----

void History::Start(int id) {
  std::unique_lock<std::mutex> lock(mu_);
  Item& item = items_[id];
  Group& group = groups_[item.group];
  item.starts_at.push_back(++clock_);
  ++item.starts;
  ++group.running;
  if (item.starts - item.ends > 1) Violation(id, "executes twice at once");
  if (item.starts + item.cancels > item.accepted + item.queueing) {
    Violation(id, "executes although nothing was pending");
  }
  if (group.max_active > 0 && group.running > group.max_active) {
    Violation(id, "is number " + std::to_string(group.running) + " to execute at once in group " +
                      std::to_string(item.group) + ", allowed are " +
                      std::to_string(group.max_active));
  }
  ReportAndUnlock(&lock);
}

void History::End(int id) {
  std::unique_lock<std::mutex> lock(mu_);
  Item& item = items_[id];
  ++clock_;
  ++item.ends;
  --groups_[item.group].running;
  if (item.ends > item.starts) Violation(id, "ended without a start");
  ReportAndUnlock(&lock);
}

// ---- Cancel, disable, enable ----

History::Token History::CancelBegin(int id) {
  std::lock_guard<std::mutex> lock(mu_);
  const Token token = Open({Take(id)});
  Item& item = items_[id];
  ++item.cancelling;
  ++item.disturbances;
  return token;
}

void History::CancelEnd(Token token, bool cancelled, bool sync) {
  std::unique_lock<std::mutex> lock(mu_);
  const Snapshot then = Close(token)[0];
  Item& item = items_[then.id];
  --item.cancelling;
  ++clock_;
  if (cancelled) ++item.cancels;
  if (item.starts + item.cancels > item.accepted + item.queueing) {
    Violation(then.id, "cancelled although nothing was pending");
  }
  if (sync) {
    // Whoever queues meanwhile may start it again; what was there must be over.
    const bool alone = then.item.queueing == 0 && item.queue_calls == then.item.queue_calls;
    if (alone && item.starts != item.ends) Violation(then.id, "executes after cancel_sync");
    CheckEnded(then, "cancel_sync");
  }
  ReportAndUnlock(&lock);
}

void History::SetDisabled(int id, int change) {
  std::lock_guard<std::mutex> lock(mu_);
  items_[id].disabled += change;
  ++items_[id].disturbances;
  ++clock_;
}

History::Token History::EnableBegin(int id) {
  std::lock_guard<std::mutex> lock(mu_);
  const Token token = Open({Take(id)});
  Item& item = items_[id];
  --item.disabled;
  ++item.enables;
  ++item.enabling;
  ++item.disturbances;
  return token;
}

void History::EnableEnd(Token token) {
  std::lock_guard<std::mutex> lock(mu_);
  const Snapshot then = Close(token)[0];
  --items_[then.id].enabling;
  ++items_[then.id].disturbances;
  ++clock_;
}

// ---- Flush, drain ----

History::Token History::FlushBegin(int id) {
  std::lock_guard<std::mutex> lock(mu_);
  return Open({Take(id)});
}

History::Token History::FlushGroupBegin(int group) {
  std::lock_guard<std::mutex> lock(mu_);
  std::vector<Snapshot> snapshots;
  for (const auto& [id, item] : items_) {
    if (item.group == group) snapshots.push_back(Take(id));
  }
  return Open(std::move(snapshots));
}

// Instances are consumed in order, so it is enough to count.  A cancel under way
// may have taken one already.
void History::CheckEnded(const Snapshot& then, const char* call) {
  const Item& item = items_[then.id];
  if (item.ends + item.cancels + item.cancelling < then.item.accepted) {
    Violation(then.id, std::string(call) + " returned before what was pending was over");
  }
  if (item.ends < then.item.starts) {
    Violation(then.id, std::string(call) + " returned before what was executing had ended");
  }
}

void History::FlushEnd(Token token, const char* call) {
  std::unique_lock<std::mutex> lock(mu_);
  ++clock_;
  for (const Snapshot& then : Close(token)) CheckEnded(then, call);
  ReportAndUnlock(&lock);
}

void History::DrainEnd(int group) {
  std::unique_lock<std::mutex> lock(mu_);
  for (const auto& [id, item] : items_) {
    if (item.group != group || item.cancelling > 0) continue;
    if (item.accepted != item.ends + item.cancels) Violation(id, "left after drain");
  }
  ReportAndUnlock(&lock);
}

// ---- Results ----

// Of two instances of which one was surely accepted before the other, the earlier
// starts first.  The n-th acceptance of an item lies between the n-th smallest
// begin and the n-th smallest end, whichever call it came from.
void History::CheckFifo(int group) {
  struct Run {
    uint64_t start;
    uint64_t after;   // accepted later than this
    uint64_t before;  // and earlier than this
    int id;
  };
  std::vector<Run> runs;
  for (auto& [id, item] : items_) {
    if (item.group != group || item.cancels > 0) continue;
    std::sort(item.queue_begins.begin(), item.queue_begins.end());
    const size_t n = std::min(item.queue_ends.size(), item.starts_at.size());
    for (size_t i = 0; i < n; ++i) {
      runs.push_back({item.starts_at[i], item.queue_begins[i], item.queue_ends[i], id});
    }
  }
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.start < b.start; });
  const Run* latest = nullptr;  // of those started so far, the one surely accepted last
  for (const Run& run : runs) {
    if (latest != nullptr && run.before < latest->after) {
      Violation(run.id,
                "was queued before item " + std::to_string(latest->id) + " and started after it");
      return;
    }
    if (latest == nullptr || run.after > latest->after) latest = &run;
  }
}

std::string History::Check() {
  std::unique_lock<std::mutex> lock(mu_);
  for (const auto& [id, item] : items_) {
    if (item.queueing != 0 || item.cancelling != 0 || item.enabling != 0) {
      Violation(id, "a call is still under way");
    }
    if (item.starts != item.ends) Violation(id, "still executes");
    if (item.accepted != item.starts + item.cancels) {
      Violation(id, "accepted is not runs + cancels");
    }
  }
  for (const auto& [number, group] : groups_) {
    if (group.ordered) CheckFifo(number);
  }
  std::string all;
  for (const std::string& text : violations_) all += text + "\n";
  ReportAndUnlock(&lock);
  return all;
}

int64_t History::accepted(int item) const {
  std::lock_guard<std::mutex> lock(mu_);
  const auto it = items_.find(item);
  return it == items_.end() ? 0 : it->second.accepted;
}

int64_t History::runs(int item) const {
  std::lock_guard<std::mutex> lock(mu_);
  const auto it = items_.find(item);
  return it == items_.end() ? 0 : it->second.ends;
}

int64_t History::cancels(int item) const {
  std::lock_guard<std::mutex> lock(mu_);
  const auto it = items_.find(item);
  return it == items_.end() ? 0 : it->second.cancels;
}

}  // namespace uwq::sim
