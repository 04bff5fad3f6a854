// SPDX-License-Identifier: BSD-3-Clause
#include "kup_bridge/eventfd.h"

#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <new>

#include "kup_bridge/ring_map.h"
#include "workqueue/base/check.h"
#include "workqueue/base/sync.h"

namespace uwq::kup {

namespace {

// A write() blocks when the counter is full and O_NONBLOCK is gone, and no flag of a
// call prevents it.  The kernel's own signal never blocks, and the completion of an
// asynchronous read (here of nothing, so it completes at once) may ask for one.
class Completions {
 public:
  // False: the kernel has none for us.
  bool Signal(int fd) {
    const aio_context_t context = Context();
    if (context == 0) return false;
    iocb read = {};
    read.aio_lio_opcode = IOCB_CMD_PREAD;
    read.aio_fildes = static_cast<uint32_t>(source_.get());
    read.aio_flags = IOCB_FLAG_RESFD;
    read.aio_resfd = static_cast<uint32_t>(fd);
    iocb* reads[] = {&read};
    while (syscall(SYS_io_submit, context, 1, reads) < 0 && errno == EAGAIN) {
      // The results of earlier ones fill the queue; nobody wants them.
      io_event events[64];
      timespec now = {};
      (void)syscall(SYS_io_getevents, context, 0, 64, events, &now);
    }
    return true;
  }

 private:
  aio_context_t Context() {
    aio_context_t context = context_->load(std::memory_order_acquire);
    if (context != 0) return context;
    if (syscall(SYS_io_setup, 64, &context) != 0) return 0;
    aio_context_t other = 0;
    if (!context_->compare_exchange_strong(other, context, std::memory_order_acq_rel,
                                           std::memory_order_acquire)) {
      (void)syscall(SYS_io_destroy, context);
      return other;
    }
    return context;
  }

  // A child of fork() has no context any more: it reads 0.
  static base::Atomic<aio_context_t>* Page() {
    void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    UWQ_CHECK(page != MAP_FAILED && madvise(page, 4096, MADV_WIPEONFORK) == 0);
    return new (page) base::Atomic<aio_context_t>(0);
  }

  const Fd source_{memfd_create("kup-nothing", MFD_CLOEXEC)};
  base::Atomic<aio_context_t>* const context_ = Page();
};

}  // namespace

void SignalOwn(int fd) {
  const uint64_t one = 1;
  // EAGAIN: the counter is at its maximum, so the sleeper is awake anyway.
  (void)!write(fd, &one, sizeof one);
}

void SignalShared(int fd) {
  static Completions* const completions = new Completions;  // devices may outlive main
  if (completions->Signal(fd)) return;
  // Without: full is signalled already.  A peer that fills it this moment blocks us.
  pollfd room = {fd, POLLOUT, 0};
  if (poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) != 0) SignalOwn(fd);
}

bool DrainEventFd(int fd) {
  uint64_t count;
  const iovec to = {&count, sizeof count};
  return preadv2(fd, &to, 1, -1, RWF_NOWAIT) == static_cast<ssize_t>(sizeof count);
}

}  // namespace uwq::kup
