// SPDX-License-Identifier: BSD-3-Clause
//
// handoff.h -- the intrusive list under a mutex that users of one-thread event loops
// write to reach the loop from other threads.
#ifndef UWQ_BENCH_HARNESS_HANDOFF_H_
#define UWQ_BENCH_HARNESS_HANDOFF_H_

#include <mutex>
#include <utility>
#include <vector>

#include "bench/harness/completion.h"

namespace uwq::bench {

class Handoff {
 public:
  void Prepare(size_t n, Callback fn) {
    callback_ = fn;
    if (items_.size() < n) items_.resize(n);
  }
  // Any thread; then wake the loop.
  void Push(size_t i) {
    Item* const item = &items_[i];
    item->next = nullptr;
    const std::lock_guard lock(mutex_);
    *tail_ = item;
    tail_ = &item->next;
  }
  // The loop's thread: takes the whole list and runs it.
  void Drain() {
    Item* item;
    {
      const std::lock_guard lock(mutex_);
      item = std::exchange(head_, nullptr);
      tail_ = &head_;
    }
    while (item != nullptr) {
      Item* const next = item->next;  // the item may post itself again
      callback_();
      item = next;
    }
  }

 private:
  struct Item {
    Item* next = nullptr;
  };
  Callback callback_ = nullptr;
  std::vector<Item> items_;
  std::mutex mutex_;
  Item* head_ = nullptr;
  Item** tail_ = &head_;
};

}  // namespace uwq::bench

#endif  // UWQ_BENCH_HARNESS_HANDOFF_H_
