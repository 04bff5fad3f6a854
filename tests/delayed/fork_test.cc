// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: timers and grace periods in the child of a fork: what is inherited is refused and
// leaves the parent alone, what is new works.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "delayed/delayed_work.h"
#include "tests/delayed/fixture.h"
#include "workqueue/rcu_work.h"

namespace uwq {
namespace {

// Runs `body` in a child and expects that it returns true; ten seconds are a hang.
void InChild(const std::function<bool()>& body) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(10);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// The first time, in seconds from now, at which a timerfd of this process is due.
int64_t FirstTimerfd() {
  int64_t first = INT64_MAX;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream info(entry.path());
    for (std::string line; std::getline(info, line);) {
      if (line.rfind("it_value: (", 0) != 0) continue;
      const int64_t seconds = atoll(line.c_str() + 11);
      if (seconds > 0) first = std::min(first, seconds);
    }
  }
  return first;
}

class ForkTest : public QueueTest {};

// D4, Q7: the parent's timer is not the child's to move.
TEST_F(ForkTest, ArmedItem) {
  DelayedWork work([] {});
  ASSERT_TRUE(work.Queue(*wq_, absl::Seconds(5000)));
  InChild([&] {
    const bool was_pending = work.Mod(*wq_, absl::Seconds(50));
    const bool idle = !work.pending();
    const bool queued = work.Queue(*wq_, absl::Seconds(50));
    return was_pending && idle && queued && !work.pending() &&
           Reports(ReportKind::kForkedRuntime) == 1;
  });
  EXPECT_GT(FirstTimerfd(), 4000);
  EXPECT_TRUE(work.Cancel());
}

}  // namespace
}  // namespace uwq
