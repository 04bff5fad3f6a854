// SPDX-License-Identifier: BSD-3-Clause
//
// ddc_engine.cc -- see ddc_engine.h.
// Invariant: a work is queued after mutex_ was released, so that it never finds the
// mutex taken by the thread that woke it.
#include "drivers/hdmi_example/driver/ddc_engine.h"

#include <algorithm>
#include <utility>

#include "drivers/hdmi_example/device/hdmi_abi.h"

namespace uwq::hdmi {
namespace {

void QueueAll(const std::vector<DriverWork*>& works) {
  // Mod: the work may be armed for later; the result is here now.
  for (DriverWork* work : works) (void)work->Mod(absl::ZeroDuration());
}

}  // namespace

void DdcEngine::Submit(DdcRequest& request, DdcMessages messages) {
  std::vector<DriverWork*> ended;
  {
    base::MutexLock lock(&mutex_);
    UWQ_CHECK(request.state_ == DdcRequest::State::kIdle);
    request.state_ = DdcRequest::State::kWaiting;
    request.messages_ = std::move(messages);
    waiting_.push_back(&request);
    StartLocked(ended);
  }
  QueueAll(ended);
}

std::optional<absl::StatusOr<DdcMessages>> DdcEngine::Take(DdcRequest& request) {
  base::MutexLock lock(&mutex_);
  if (request.state_ != DdcRequest::State::kDone) return std::nullopt;
  request.state_ = DdcRequest::State::kIdle;
  if (!request.status_.ok()) return request.status_;
  return std::move(request.messages_);
}

bool DdcEngine::Busy(const DdcRequest& request) {
  base::MutexLock lock(&mutex_);
  return request.state_ != DdcRequest::State::kIdle;
}

void DdcEngine::StartLocked(std::vector<DriverWork*>& ended) {
  while (current_ == nullptr && !waiting_.empty()) {
    DdcRequest* const request = waiting_.front();
    waiting_.pop_front();
    request->id_ = next_id_++;
    request->state_ = DdcRequest::State::kOnWire;
    current_ = request;
    ++counts_.transfers;
    // Armed before the command goes out: the completion may be here before Send()
    // has returned, and it cancels the timer.
    deadline_ns_ = base::Now() + absl::ToInt64Nanoseconds(timeout_work_.Scaled(timeout_));
    (void)timeout_work_.Mod(timeout_);
    absl::StatusOr<HdmiCommand> command = DdcCommand(request->id_, generation_, request->messages_);
    const absl::Status sent = command.ok() ? hardware_.Send(*command) : command.status();
    if (!sent.ok()) EndLocked(sent, ended);
  }
}

void DdcEngine::EndLocked(absl::Status status, std::vector<DriverWork*>& ended) {
  if (!status.ok()) ++counts_.failed;
  current_->status_ = std::move(status);
  current_->state_ = DdcRequest::State::kDone;
  ended.push_back(current_->then_);
  FreeBusLocked();
}

void DdcEngine::FreeBusLocked() {
  current_ = nullptr;
  (void)timeout_work_.Cancel();  // false: it runs, and will find nothing due
}

void DdcEngine::OnDone(const HdmiEvent& event) {
  std::vector<DriverWork*> ended;
  {
    base::MutexLock lock(&mutex_);
    if (current_ == nullptr || current_->id_ != event.record.u.ddc_done.id) {
      ++counts_.stale;
      return;
    }
    EndLocked(ParseDdcReply(event, current_->messages_), ended);
    StartLocked(ended);
  }
  QueueAll(ended);
}

void DdcEngine::OnTimeout() {
  std::vector<DriverWork*> ended;
  {
    base::MutexLock lock(&mutex_);
    if (current_ == nullptr || base::Now() < deadline_ns_) return;
    ++counts_.timed_out;
    // The abort recovers the bus (the controller clocks the sink free).  Its own
    // completion finds the id gone.
    (void)hardware_.Send(ValueCommand(HDMI_CMD_DDC_ABORT, generation_, current_->id_));
    EndLocked(absl::DeadlineExceededError("DDC: no completion; bus recovered"), ended);
    StartLocked(ended);
  }
  QueueAll(ended);
}

void DdcEngine::Forget(DdcRequest& request) {
  std::vector<DriverWork*> ended;
  {
    base::MutexLock lock(&mutex_);
    if (current_ == &request) {
      ++counts_.aborted;
      (void)hardware_.Send(ValueCommand(HDMI_CMD_DDC_ABORT, generation_, request.id_));
      FreeBusLocked();
      StartLocked(ended);
    }
    waiting_.erase(std::remove(waiting_.begin(), waiting_.end(), &request), waiting_.end());
    request.state_ = DdcRequest::State::kIdle;
  }
  QueueAll(ended);
}

void DdcEngine::AbortAll() {
  base::MutexLock lock(&mutex_);
  if (current_ != nullptr) {
    ++counts_.aborted;
    (void)hardware_.Send(ValueCommand(HDMI_CMD_DDC_ABORT, generation_, current_->id_));
    FreeBusLocked();
  }
  waiting_.clear();
  for (DdcRequest* request : all_) request->state_ = DdcRequest::State::kIdle;
}

void DdcEngine::set_generation(uint32_t generation) {
  base::MutexLock lock(&mutex_);
  generation_ = generation;
}

DdcEngine::Counts DdcEngine::counts() {
  base::MutexLock lock(&mutex_);
  return counts_;
}

}  // namespace uwq::hdmi
