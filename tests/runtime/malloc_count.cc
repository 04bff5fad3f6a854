// SPDX-License-Identifier: BSD-3-Clause
#include "tests/runtime/malloc_count.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

#include <atomic>

// glibc's own, under the names that it keeps for replacements like this one.
extern "C" {
void* __libc_malloc(size_t size);
void __libc_free(void* p);
void* __libc_calloc(size_t n, size_t size);
void* __libc_realloc(void* p, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {

std::atomic<int64_t> allocations{0};
std::atomic<int64_t> live_bytes{0};
thread_local int64_t of_thread __attribute__((tls_model("initial-exec"))) = 0;

void* Count(void* p) {
  if (p == nullptr) return nullptr;
  ++of_thread;
  allocations.fetch_add(1, std::memory_order_relaxed);
  live_bytes.fetch_add(static_cast<int64_t>(malloc_usable_size(p)), std::memory_order_relaxed);
  return p;
}

void Discount(void* p) {
  if (p == nullptr) return;
  live_bytes.fetch_sub(static_cast<int64_t>(malloc_usable_size(p)), std::memory_order_relaxed);
}

}  // namespace

extern "C" {

void* malloc(size_t size) { return Count(__libc_malloc(size)); }
void* calloc(size_t n, size_t size) { return Count(__libc_calloc(n, size)); }
void free(void* p) {
  Discount(p);
  __libc_free(p);
}
void* realloc(void* p, size_t size) {
  Discount(p);
  void* const q = __libc_realloc(p, size);
  if (q == nullptr && size != 0) {
    Count(p);  // it is still there
    return nullptr;
  }
  return Count(q);
}
void* memalign(size_t alignment, size_t size) { return Count(__libc_memalign(alignment, size)); }
void* aligned_alloc(size_t alignment, size_t size) {
  return Count(__libc_memalign(alignment, size));
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  void* const p = Count(__libc_memalign(alignment, size));
  if (p == nullptr) return ENOMEM;
  *out = p;
  return 0;
}

}  // extern "C"

namespace uwq::test {
int64_t AllocationsOfThread() { return of_thread; }
int64_t Allocations() { return allocations.load(std::memory_order_relaxed); }
int64_t LiveBytes() { return live_bytes.load(std::memory_order_relaxed); }
}  // namespace uwq::test
