// SPDX-License-Identifier: BSD-3-Clause
//
// test_util.h -- for the tests of the explorer itself, which fail on purpose.
#ifndef UWQ_TESTS_SIM_TEST_UTIL_H_
#define UWQ_TESTS_SIM_TEST_UTIL_H_

#include <stdlib.h>

#include <functional>
#include <string>
#include <utility>

#include "tests/sim/explorer.h"
#include "workqueue/base/sync.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UWQ_TEST_LSAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define UWQ_TEST_LSAN 1
#endif
#if defined(UWQ_TEST_LSAN)
#include <sanitizer/lsan_interface.h>
#endif

namespace uwq::sim {

// Explores a body that is expected to fail.  What the abandoned threads own is
// no leak of the code under test.
inline Result ExploreBug(const Options& options, const std::function<void()>& body) {
#if defined(UWQ_TEST_LSAN)
  __lsan::ScopedDisabler abandoned;
#endif
  return Explore(options, body);
}

class ScopedEnv {
 public:
  ScopedEnv(std::string name, const std::string& value) : name_(std::move(name)) {
    setenv(name_.c_str(), value.c_str(), 1);
  }
  ~ScopedEnv() { unsetenv(name_.c_str()); }
  ScopedEnv(const ScopedEnv&) = delete;
  ScopedEnv& operator=(const ScopedEnv&) = delete;

 private:
  const std::string name_;
};

inline base::Thread StartOrDie(const std::string& name, std::function<void()> body) {
  base::Thread::Options options;
  options.name = name;
  return std::move(base::Thread::Start(options, std::move(body))).value();
}

}  // namespace uwq::sim

#endif  // UWQ_TESTS_SIM_TEST_UTIL_H_
