// SPDX-License-Identifier: BSD-3-Clause
//
// naive.cc -- what one writes in an afternoon: a mutex, a condition variable, a deque
// of std::function.  The floor that must be beaten.
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>

#include "bench/harness/main.h"

namespace uwq::bench {
namespace {

class Pool {
 public:
  explicit Pool(int workers) {
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
  }
  void Post(std::function<void()> fn) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(fn));
    }
    wake_.notify_one();
  }

 private:
  void Work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const std::function<void()> fn = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      fn();
    }
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

struct Naive : PeerDefaults {
  static constexpr bool kStops = true;
  explicit Naive(int workers) : pool(workers) {}
  void Prepare(size_t, Callback f) { fn = f; }
  void Post(size_t) { pool.Post(fn); }
  void PrepareSerial(size_t, Callback f) {
    fn = f;
    if (!one) one = std::make_unique<Pool>(1);
  }
  void PostSerial(size_t) { one->Post(fn); }
  void RoundTrip() {
    std::promise<void> done;
    pool.Post([&done] { done.set_value(); });
    done.get_future().wait();
  }
  Pool pool;
  std::unique_ptr<Pool> one;
  Callback fn = nullptr;
};

}  // namespace
}  // namespace uwq::bench

UWQ_BENCH_PEERS(Peer<uwq::bench::Naive>("naive"))
