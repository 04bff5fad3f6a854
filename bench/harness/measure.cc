// SPDX-License-Identifier: BSD-3-Clause
//
// measure.cc -- the allocation counter, by interposition, and the result line.
//
// Every allocation of the process passes through here, the peer's included; the
// flag costs one predictable branch in the runs that are timed.
#include "bench/harness/measure.h"

#include <errno.h>
#include <stdio.h>

#include <atomic>

namespace uwq::bench {
namespace {
std::atomic<bool> counting{false};
std::atomic<uint64_t> allocations{0};

inline void Count() {
  if (__builtin_expect(counting.load(std::memory_order_relaxed), 0)) {
    allocations.fetch_add(1, std::memory_order_relaxed);
  }
}
}  // namespace

uint64_t AllocationsSoFar() { return allocations.load(std::memory_order_relaxed); }
bool CountingAllocations() { return counting.load(std::memory_order_relaxed); }
void CountAllocations() { counting.store(true, std::memory_order_relaxed); }

void Result::Print(const std::string& peer, const std::string& workload) const {
  printf("{\"peer\": \"%s\", \"workload\": \"%s\", \"metrics\": {", peer.c_str(), workload.c_str());
  const char* separator = "";
  for (const auto& [name, value] : metrics_) {
    printf("%s\"%s\": %.9g", separator, name.c_str(), value);
    separator = ", ";
  }
  printf("}}\n");
  fflush(stdout);
}

}  // namespace uwq::bench

// The C library's own entry points, below the names that are replaced here.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  uwq::bench::Count();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  uwq::bench::Count();
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  uwq::bench::Count();
  return __libc_realloc(old, size);
}
void* memalign(size_t alignment, size_t size) {
  uwq::bench::Count();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  uwq::bench::Count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  uwq::bench::Count();
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}
}  // extern "C"
