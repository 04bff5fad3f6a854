// SPDX-License-Identifier: BSD-3-Clause
//
// malloc_count.h -- counts the program's allocations, by replacing malloc and its kin.
//
// Link malloc_count.cc into a program of its own; not together with the sanitizers,
// which replace malloc as well.
#ifndef UWQ_TESTS_RUNTIME_MALLOC_COUNT_H_
#define UWQ_TESTS_RUNTIME_MALLOC_COUNT_H_

#include <stdint.h>

namespace uwq::test {

int64_t AllocationsOfThread();  // calls that allocate, by the calling thread so far
int64_t Allocations();          // by all threads
int64_t LiveBytes();            // allocated and not yet freed, as malloc_usable_size says

}  // namespace uwq::test

#endif  // UWQ_TESTS_RUNTIME_MALLOC_COUNT_H_
