// SPDX-License-Identifier: BSD-3-Clause
#include "kup_bridge/ring_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "kup_bridge/kup_abi.h"

namespace uwq::kup {

namespace {

absl::StatusOr<uint8_t*> Reserve(size_t len) {
  void* base = mmap(nullptr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    return absl::ErrnoToStatus(errno, absl::StrCat("kup: no address range of ", len, " bytes"));
  }
  return static_cast<uint8_t*>(base);
}

absl::Status MapAt(uint8_t* at, int fd, uint64_t offset, size_t len, bool writable) {
  const int prot = PROT_READ | (writable ? PROT_WRITE : 0);
  if (mmap(at, len, prot, MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(offset)) == MAP_FAILED) {
    return absl::ErrnoToStatus(errno, absl::StrCat("kup: mmap of ", len, " bytes at ", offset,
                                                   writable ? " for writing" : " for reading"));
  }
  // Best effort: /dev/kup-NAME sets the same by itself (VM_DONTCOPY).
  (void)madvise(at, len, MADV_DONTFORK);
  (void)madvise(at, len, MADV_DONTDUMP);
  return absl::OkStatus();
}

}  // namespace

void Fd::Reset() {
  if (fd_ >= 0) (void)close(fd_);  // EINTR closes too; nothing to be done about the rest
  fd_ = -1;
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    Reset();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    base_ = std::exchange(other.base_, nullptr);
    reserved_ = std::exchange(other.reserved_, 0);
  }
  return *this;
}

void Mapping::Reset() {
  if (base_ != nullptr) (void)munmap(base_, reserved_);
  data_ = base_ = nullptr;
  size_ = reserved_ = 0;
}

absl::StatusOr<Mapping> Mapping::Once(int fd, uint64_t offset, size_t len, bool writable) {
  Mapping m;
  absl::StatusOr<uint8_t*> base = Reserve(len + 2 * KUP_PAGE_SIZE);
  if (!base.ok()) return base.status();
  m.base_ = *base;
  m.reserved_ = len + 2 * KUP_PAGE_SIZE;
  m.data_ = *base + KUP_PAGE_SIZE;
  m.size_ = len;
  if (absl::Status s = MapAt(m.data_, fd, offset, len, writable); !s.ok()) return s;
  return m;
}

absl::StatusOr<Mapping> Mapping::Twice(int fd, uint64_t offset, size_t len, bool writable) {
  Mapping m;
  absl::StatusOr<uint8_t*> base = Reserve(2 * len + 2 * KUP_PAGE_SIZE);
  if (!base.ok()) return base.status();
  m.base_ = *base;
  m.reserved_ = 2 * len + 2 * KUP_PAGE_SIZE;
  m.data_ = *base + KUP_PAGE_SIZE;
  m.size_ = len;
  if (absl::Status s = MapAt(m.data_, fd, offset, len, writable); !s.ok()) return s;
  if (absl::Status s = MapAt(m.data_ + len, fd, offset, len, writable); !s.ok()) return s;
  return m;
}

absl::StatusOr<Fd> CreateSealedMemory(const char* name, uint64_t size) {
  Fd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, absl::StrCat("kup: memfd ", name));
  if (ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("kup: memfd ", name, " of ", size, " bytes"));
  }
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("kup: sealing memfd ", name));
  }
  return fd;
}

absl::Status SealAgainstWriters(int fd) {
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
    return absl::ErrnoToStatus(errno, "kup: sealing a memfd against writers");
  }
  return absl::OkStatus();
}

absl::Status CheckSealedMemory(int fd, uint64_t size) {
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return absl::FailedPreconditionError("kup: the peer's memory is not sealed against shrinking");
  }
  struct stat st;
  if (fstat(fd, &st) != 0) return absl::ErrnoToStatus(errno, "kup: fstat of the peer's memory");
  if (st.st_size < 0 || static_cast<uint64_t>(st.st_size) < size) {
    return absl::FailedPreconditionError(
        absl::StrCat("kup: the peer's memory has ", st.st_size, " bytes, announced ", size));
  }
  return absl::OkStatus();
}

}  // namespace uwq::kup
