// SPDX-License-Identifier: BSD-3-Clause
//
// in_child.h -- what holds in the child of a fork().
#ifndef UWQ_TESTS_RUNTIME_IN_CHILD_H_
#define UWQ_TESTS_RUNTIME_IN_CHILD_H_

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "gtest/gtest.h"

namespace uwq {

// Runs `body` in a child and expects that it returns true; ten seconds are a hang.
inline void InChild(const std::function<bool()>& body) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(10);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status)
                                 << (WTERMSIG(status) == SIGALRM ? ": it hung" : "");
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace uwq

#endif  // UWQ_TESTS_RUNTIME_IN_CHILD_H_
