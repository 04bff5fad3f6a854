// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/base/check.h"

#include <stdio.h>
#include <stdlib.h>

namespace uwq::base {
namespace {
CheckHook check_hook = nullptr;  // set once by test set-up, before threads exist
}

void SetCheckHook(CheckHook hook) { check_hook = hook; }

void CheckFailed(const char* file, int line, const char* what) {
  char message[512];
  snprintf(message, sizeof(message), "%s:%d: UWQ_CHECK failed: %s", file, line, what);
  fprintf(stderr, "%s\n", message);
  if (check_hook != nullptr) check_hook(message);
  abort();
}

}  // namespace uwq::base
