// SPDX-License-Identifier: BSD-3-Clause
//
// ring_map.h -- memory of a KUP channel in userspace: sealed memfds, and data
// areas that are mapped twice back to back.
//
// Invariant: the address range of a data area lies between two inaccessible
// pages, so that an access beyond a checked record faults instead of reading a
// neighbour.  Read on in kup_abi.h for what stands in the memory.
#ifndef UWQ_KUP_BRIDGE_RING_MAP_H_
#define UWQ_KUP_BRIDGE_RING_MAP_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace uwq::kup {

// A file descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset();

 private:
  int fd_ = -1;
};

// A mapping that unmaps itself.  Never inherited by fork(): a child that used
// the channel would be a second consumer of a single-consumer ring.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept { *this = std::move(other); }
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping() { Reset(); }

  // `len` bytes of `fd` from `offset`, both multiples of the page size.
  static absl::StatusOr<Mapping> Once(int fd, uint64_t offset, size_t len, bool writable);
  // The same bytes twice in a row, so that data()[i] is data()[i + len].
  static absl::StatusOr<Mapping> Twice(int fd, uint64_t offset, size_t len, bool writable);

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }  // of one copy
  void Reset();

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  uint8_t* base_ = nullptr;  // with the guard pages
  size_t reserved_ = 0;
};

// A memfd of `size` bytes, sealed against shrinking and growing: the peer cannot
// take pages away under us (SIGBUS).
absl::StatusOr<Fd> CreateSealedMemory(const char* name, uint64_t size);

// Forbids writable mappings made from now on.  Call after the owner has mapped.
absl::Status SealAgainstWriters(int fd);

// Refuses a descriptor from a peer that is not sealed against shrinking or that
// is shorter than `size` bytes.
absl::Status CheckSealedMemory(int fd, uint64_t size);

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_RING_MAP_H_
