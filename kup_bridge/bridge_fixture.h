// SPDX-License-Identifier: BSD-3-Clause
//
// bridge_fixture.h -- a device of this process (fake:NAME), a bridge to it, and what
// the tests of bridge.h wait with.
#ifndef UWQ_KUP_BRIDGE_BRIDGE_FIXTURE_H_
#define UWQ_KUP_BRIDGE_BRIDGE_FIXTURE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "gtest/gtest.h"
#include "kup_bridge/bridge.h"
#include "kup_bridge/kupdev.h"
#include "workqueue/base/sync.h"

namespace uwq::kup {

enum : uint16_t { kHpd = 1, kCec = 2, kVsync = 3, kAsk = 4, kUnknown = 99 };

// Threads of the test meet here.
class Gate {
 public:
  void Pass() {
    base::MutexLock lock(&mutex_);
    ++arrivals_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(&mutex_);
  }
  void Open() {
    base::MutexLock lock(&mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void AwaitArrivals(int n) {
    base::MutexLock lock(&mutex_);
    while (arrivals_ < n) changed_.Wait(&mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  int arrivals_ ABSL_GUARDED_BY(mutex_) = 0;
};

class Log {
 public:
  void Add(std::string text) {
    base::MutexLock lock(&mutex_);
    lines_.push_back(std::move(text));
    changed_.NotifyAll();
  }
  std::vector<std::string> Await(size_t n) {
    base::MutexLock lock(&mutex_);
    while (lines_.size() < n) changed_.Wait(&mutex_);
    return lines_;
  }
  size_t size() {
    base::MutexLock lock(&mutex_);
    return lines_.size();
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

inline std::string Text(Message& m) {
  return std::string(reinterpret_cast<const char*>(m.data().data()), m.data().size());
}

// Waits for `done`, but not for ever: false where the code under test would hang.
inline bool AwaitUntil(const std::function<bool()>& done) {
  const base::Nanos end = base::Now() + 20 * base::kSecond;
  while (!done()) {
    if (base::Now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

class BridgeTest : public testing::Test {
 protected:
  void SetUp() override {
    static int n = 0;
    name_ = "fake:bridge_test" + std::to_string(++n);
    StartDevice();
    wq_ = *Workqueue::CreateOrdered("bridge_test");
  }
  void TearDown() override {
    bridge_.reset();
    wq_.reset();
    if (sc_ != nullptr) kupdev_unload(sc_);
  }
  void StartDevice() {
    kupdev_opts opts{};
    ASSERT_EQ(kupdev_open(name_.c_str(), &opts, &sc_), 0);
  }
  void Open(const BridgeOptions& options = {}) {
    absl::StatusOr<std::unique_ptr<Bridge>> bridge = Bridge::Open(name_, 0, options);
    ASSERT_TRUE(bridge.ok()) << bridge.status();
    bridge_ = *std::move(bridge);
  }
  // Starts the bridge, which ends with the result: to be declared after all that its
  // handlers use, since one may still run when the test has seen what it wanted.
  [[nodiscard]] auto Start() {
    EXPECT_TRUE(bridge_->Start().ok());
    return absl::MakeCleanup([this] { bridge_.reset(); });
  }
  void Post(uint16_t type, const std::string& text) {
    ASSERT_EQ(kupdev_post(sc_, 0, type, text.data(), static_cast<uint32_t>(text.size())), 0);
  }
  // A message on the loop's thread that is handled after all before it.
  void AwaitServed(int messages) {
    while (bridge_->stats().received < static_cast<uint64_t>(messages)) std::this_thread::yield();
  }

  std::string name_;
  kupdev_softc* sc_ = nullptr;
  std::unique_ptr<Workqueue> wq_;
  std::unique_ptr<Bridge> bridge_;
};

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_BRIDGE_FIXTURE_H_
