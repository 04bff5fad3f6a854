// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: whatever the sequence of arm, cancel, mod and the passing of time, the
// wheel does what a sorted list would (D2: never early; order of deadlines).
// Method: 10^7 random operations on both.  The model is a map ordered by deadline
// and order of arming.  Each Expire must hand over exactly the model's due nodes in
// the model's order, and NextWake must be no later than the model's, not before the
// present, and exact where nothing was cancelled.
// UWQ_SEED and UWQ_OPS replay and scale a run; both are printed.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include "delayed/timer_wheel.h"

namespace uwq::delayed {
namespace {

using base::kForever;
using base::Nanos;

// Sanitizers make each operation ten times dearer; the plain build runs them all.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kOperations = 1000000;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr uint64_t kOperations = 1000000;
#else
constexpr uint64_t kOperations = 10000000;
#endif
#else
constexpr uint64_t kOperations = 10000000;
#endif

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

class Property {
 public:
  Property(uint64_t seed, Nanos start, size_t nodes)
      : random_(seed), now_(start), wheel_(start), nodes_(nodes), state_(nodes) {}

  void Run(uint64_t operations) {
    for (uint64_t i = 0; i < operations && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE(testing::Message() << "operation " << i << " now " << now_);
      Step();
      if ((i & 0xfffff) == 0) wheel_.CheckInvariants();
    }
    wheel_.CheckInvariants();
  }
  uint64_t fired() const { return fired_; }

 private:
  // Two keys make the order; the second counts arms.
  using Model = std::map<std::pair<Nanos, uint64_t>, size_t>;
  struct State {
    bool armed = false;
    Model::iterator where;
    std::multimap<Nanos, size_t>::iterator wake;
  };

  // Delays of all magnitudes: a random width first, then a random value.
  Nanos RandomDelay() {
    const uint64_t kind = random_() % 64;
    if (kind == 0) return kForever - now_;
    if (kind == 1) return 0;
    if (kind == 2) return -static_cast<Nanos>(random_() % 100000);
    if (kind < 32) return static_cast<Nanos>(random_() % (100 * base::kMillisecond));
    const int width = static_cast<int>(random_() % 62);
    return static_cast<Nanos>(random_() >> (63 - width));
  }

  Nanos Saturated(Nanos delay) const { return delay > kForever - now_ ? kForever : now_ + delay; }

  Nanos RandomSlack(Nanos delay) {
    switch (random_() % 8) {
      case 0:
        return DeferrableSlack(delay);
      case 1:
        return kForever;
      default:
        return 0;
    }
  }

  void Step() {
    const size_t which = random_() % nodes_.size();
    switch (random_() % 10) {
      case 0:
      case 1:
      case 2:
        if (state_[which].armed) break;
        DoArm(which, /*mod=*/false);
        break;
      case 3:
      case 4:
      case 5:
        DoArm(which, /*mod=*/true);
        break;
      case 6:
      case 7:
        ASSERT_EQ(wheel_.Cancel(&nodes_[which]), state_[which].armed);
        if (state_[which].armed) {
          Forget(which);
          cancelled_since_ = true;
        }
        break;
      default:
        Advance();
    }
    ASSERT_EQ(wheel_.armed(), model_.size());
    ASSERT_EQ(TimerWheel::Armed(nodes_[which]), state_[which].armed);
  }

  void DoArm(size_t which, bool mod) {
    const Nanos delay = RandomDelay();
    const Nanos deadline = Saturated(delay);
    const Nanos slack = RandomSlack(delay);
    bool earlier;
    if (mod) {
      const TimerWheel::ModResult result = wheel_.Mod(&nodes_[which], deadline, now_, slack);
      ASSERT_EQ(result.was_armed, state_[which].armed);
      earlier = result.earlier;
      if (result.was_armed) {
        Forget(which);
        cancelled_since_ = true;
      }
    } else {
      earlier = wheel_.Arm(&nodes_[which], deadline, now_, slack);
    }
    const Nanos wake = TimerWheel::WakeTime(nodes_[which]);
    // The slack is kept to a factor of two, and never exceeded.
    if (slack > 1 && slack < kForever && deadline <= kForever - slack) {
      ASSERT_LE(wake, std::max<Nanos>(deadline, 0) + slack);
      ASSERT_GT(wake, std::max<Nanos>(deadline, 0) + slack / 2);
    }
    ASSERT_EQ(earlier, wake < told_);
    told_ = std::min(told_, wake);
    State& state = state_[which];
    state.where = model_.insert({{std::max<Nanos>(deadline, 0), order_++}, which}).first;
    state.wake = wakes_.insert({wake, which});
    state.armed = true;
  }

  void Forget(size_t which) {
    model_.erase(state_[which].where);
    wakes_.erase(state_[which].wake);
    state_[which].armed = false;
  }

  // Time passes: a little, to exactly the next deadline or just before it, or far.
  void Advance() {
    Nanos step = 0;
    switch (random_() % 16) {
      case 0:
        step = 0;
        break;
      case 1:
        step = static_cast<Nanos>(random_() >> (63 - random_() % 40));
        break;
      case 2:
      case 3:
      case 4:
        if (told_ < kForever) step = told_ - now_;
        break;
      case 5:
      case 6:
        if (!model_.empty()) step = model_.begin()->first.first - now_;
        break;
      case 7:
        if (!model_.empty()) step = model_.begin()->first.first - now_ - 1;
        break;
      default:
        step = static_cast<Nanos>(random_() % (5 * base::kMillisecond));
    }
    // Beyond a few centuries there is no time left to test with.
    if (step > 0 && step < (Nanos{1} << 61) - now_) now_ += step;
    const int budget = random_() % 4 == 0 ? 1 + static_cast<int>(random_() % 8) : 1 << 30;
    DueList due;
    int rounds = 0;
    while (!wheel_.Expire(now_, &due, budget)) {
      ASSERT_LT(++rounds, 1 << 24);
    }
    while (TimerNode* node = due.PopFront()) {
      ASSERT_FALSE(model_.empty());
      const size_t which = static_cast<size_t>(node - nodes_.data());
      ASSERT_LE(node->deadline_ns, now_) << "early";
      ASSERT_EQ(model_.begin()->second, which) << "out of order";
      ASSERT_FALSE(TimerWheel::Armed(*node));
      Forget(which);
      ++fired_;
    }
    if (!model_.empty()) {
      ASSERT_GT(model_.begin()->first.first, now_) << "due but not handed over";
    }
    told_ = wheel_.NextWake();
    ASSERT_GT(told_, now_);
    const Nanos exact = wakes_.empty() ? kForever : wakes_.begin()->first;
    if (cancelled_since_) {
      ASSERT_LE(told_, exact);
      // An empty wheel forgets what was cancelled.
      if (model_.empty()) {
        ASSERT_EQ(told_, kForever);
        cancelled_since_ = false;
      }
    } else {
      ASSERT_EQ(told_, exact);
    }
  }

  std::mt19937_64 random_;
  Nanos now_;
  TimerWheel wheel_;
  std::vector<TimerNode> nodes_;
  std::vector<State> state_;
  Model model_;
  std::multimap<Nanos, size_t> wakes_;
  uint64_t order_ = 0;
  uint64_t fired_ = 0;
  Nanos told_ = kForever;
  bool cancelled_since_ = false;
};

TEST(TimerWheelProperty, RandomOperations_EqualASortedList) {
  const uint64_t seed = FromEnvironment("UWQ_SEED", std::random_device()());
  const uint64_t operations = FromEnvironment("UWQ_OPS", kOperations);
  std::printf("UWQ_SEED=%llu UWQ_OPS=%llu\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(operations));
  std::fflush(stdout);
  SCOPED_TRACE(testing::Message() << "UWQ_SEED=" << seed << " UWQ_OPS=" << operations);
  std::mt19937_64 random(seed);
  // Few nodes empty the wheel often and keep wake times exact; many fill the slots.
  const size_t sizes[] = {3, 20, 300, 5000};
  const Nanos starts[] = {0, 1, (Nanos{1} << 40) - 100000, 123456789012345};
  uint64_t fired = 0;
  for (size_t size : sizes) {
    Property property(random(), starts[random() % 4], size);
    property.Run(operations / 4);
    fired += property.fired();
  }
  EXPECT_GT(fired, operations / 100);
}

}  // namespace
}  // namespace uwq::delayed
