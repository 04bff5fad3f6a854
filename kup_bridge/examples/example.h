/* SPDX-License-Identifier: BSD-3-Clause */
/* example.h -- what the examples share: stop with a message when a call fails. */
#ifndef UWQ_KUP_BRIDGE_EXAMPLES_EXAMPLE_H_
#define UWQ_KUP_BRIDGE_EXAMPLES_EXAMPLE_H_

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int must(int rc, const char *what) {
  if (rc >= 0) return rc;
  fprintf(stderr, "%s: %s\n", what, strerror(-rc));
  exit(1);
}
#define MUST(call) must((call), #call)

#endif /* UWQ_KUP_BRIDGE_EXAMPLES_EXAMPLE_H_ */
