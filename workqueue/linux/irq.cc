// SPDX-License-Identifier: BSD-3-Clause
//
// irq.cc -- interrupt lines for <linux/interrupt.h>: a file descriptor each.
//
// Invariant I1: a line's handlers run on its own thread only, one at a time, and not
// between disable_irq() and enable_irq().  What arrives meanwhile stays in the
// descriptor and is delivered then, as on a level-triggered line.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "workqueue/base/sync.h"
#include "workqueue/core/report.h"
#include "workqueue/linux/uwq_linux.h"

namespace base = uwq::base;
namespace core = uwq::core;

namespace {

using Handler = uwq_irq_handler_fn;
constexpr int kWakeThread = 2;  // IRQ_WAKE_THREAD

// The first number: far from descriptors, so that a mix-up fails.
constexpr int kFirstIrq = 1000;

struct Line {
  ~Line() {
    if (own_fd) close(fd);
    if (control >= 0) close(control);
  }
  int irq = 0;
  int fd = -1;
  bool own_fd = false;   // made by uwq_irq_create()
  bool eventfd = false;  // read by us
  int control = -1;      // wakes the thread: an eventfd

  base::Mutex mutex;
  base::CondVar idle;  // with mutex: `running` has become false
  Handler handler ABSL_GUARDED_BY(mutex) = nullptr;
  Handler thread_fn ABSL_GUARDED_BY(mutex) = nullptr;
  void* data ABSL_GUARDED_BY(mutex) = nullptr;
  bool requested ABSL_GUARDED_BY(mutex) = false;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  bool running ABSL_GUARDED_BY(mutex) = false;
  int disabled ABSL_GUARDED_BY(mutex) = 0;
  base::ThreadId thread_id ABSL_GUARDED_BY(mutex) = 0;
  base::Thread thread;
};

void Poke(const Line& line) {
  const uint64_t one = 1;
  (void)!write(line.control, &one, sizeof(one));  // full: it is poked already
}

struct Table {
  base::Mutex mutex;
  std::vector<std::shared_ptr<Line>> lines ABSL_GUARDED_BY(mutex);
};

Table& TheTable() {
  static Table* const table = new Table;
  return *table;
}

std::shared_ptr<Line> Find(unsigned irq) {
  Table& table = TheTable();
  base::MutexLock lock(&table.mutex);
  const size_t index = static_cast<size_t>(irq) - kFirstIrq;
  if (irq < kFirstIrq || index >= table.lines.size()) return nullptr;
  return table.lines[index];
}

int Add(int fd, bool own_fd, bool eventfd_reading) {
  auto line = std::make_shared<Line>();
  line->fd = fd;
  line->own_fd = own_fd;
  line->eventfd = eventfd_reading;
  line->control = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (line->control < 0) return -errno;
  Table& table = TheTable();
  base::MutexLock lock(&table.mutex);
  for (size_t i = 0; i < table.lines.size(); ++i) {
    if (table.lines[i] != nullptr) continue;
    line->irq = kFirstIrq + static_cast<int>(i);
    table.lines[i] = line;
    return line->irq;
  }
  line->irq = kFirstIrq + static_cast<int>(table.lines.size());
  table.lines.push_back(line);
  return line->irq;
}

bool IsEventfd(int fd) {
  char name[64];
  const std::string link = absl::StrCat("/proc/self/fd/", fd);
  const ssize_t size = readlink(link.c_str(), name, sizeof(name) - 1);
  return size > 0 &&
         std::string(name, static_cast<size_t>(size)).find("[eventfd]") != std::string::npos;
}

void Deliver(Line* line) {
  Handler handler = nullptr;
  Handler thread_fn = nullptr;
  void* data = nullptr;
  {
    base::MutexLock lock(&line->mutex);
    if (line->stopping || line->disabled > 0) return;
    handler = line->handler;
    thread_fn = line->thread_fn;
    data = line->data;
    line->running = true;
  }
  if (line->eventfd) {
    // Before the handler: an event that comes while it runs is a new one.
    uint64_t count = 0;
    (void)!read(line->fd, &count, sizeof(count));
  }
  int result = kWakeThread;
  if (handler != nullptr) {
    const unsigned before = uwq_context_set(UWQ_CTX_HARDIRQ);
    result = handler(line->irq, data);
    uwq_context_set(before);
  }
  if (result == kWakeThread && thread_fn != nullptr) thread_fn(line->irq, data);
  base::MutexLock lock(&line->mutex);
  line->running = false;
  line->idle.NotifyAll();
}

void LineMain(Line* line) {
  {
    base::MutexLock lock(&line->mutex);
    line->thread_id = base::SelfId();
  }
  for (;;) {
    bool listening = false;
    {
      base::MutexLock lock(&line->mutex);
      if (line->stopping) return;
      listening = line->disabled == 0;
    }
    pollfd fds[2] = {{line->control, POLLIN, 0}, {listening ? line->fd : -1, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if ((fds[0].revents & POLLIN) != 0) {
      uint64_t count = 0;
      (void)!read(line->control, &count, sizeof(count));
    }
    if ((fds[1].revents & (POLLERR | POLLNVAL)) != 0) {
      core::ReportOnce(core::ReportKind::kOther, line,
                       absl::StrCat("interrupt line ", line->irq, ": its descriptor ", line->fd,
                                    " is broken, nothing more comes from it"));
      return;
    }
    if ((fds[1].revents & (POLLIN | POLLHUP)) != 0) Deliver(line);
  }
}

void ReportNoLine(const char* call, unsigned irq) {
  core::ReportOnce(core::ReportKind::kOther, reinterpret_cast<void*>(static_cast<uintptr_t>(irq)),
                   absl::StrCat(call, ": there is no interrupt line ", irq));
}

}  // namespace

extern "C" {

int uwq_irq_from_fd(int fd) {
  if (fcntl(fd, F_GETFD) < 0) return -errno;
  return Add(fd, false, IsEventfd(fd));
}

int uwq_irq_create(void) {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return fd < 0 ? -errno : Add(fd, true, true);
}

int uwq_irq_raise(int irq) {
  const std::shared_ptr<Line> line = Find(static_cast<unsigned>(irq));
  if (line == nullptr || !line->eventfd) return -EINVAL;
  const uint64_t one = 1;
  if (write(line->fd, &one, sizeof(one)) < 0 && errno != EAGAIN) return -errno;
  return 0;
}

int uwq_irq_dispose(int irq) {
  const std::shared_ptr<Line> line = Find(static_cast<unsigned>(irq));
  if (line == nullptr) return -EINVAL;
  {
    base::MutexLock lock(&line->mutex);
    if (line->requested) return -EBUSY;
  }
  Table& table = TheTable();
  base::MutexLock lock(&table.mutex);
  table.lines[static_cast<size_t>(irq) - kFirstIrq] = nullptr;
  return 0;
}

int uwq_linux_request_irq(unsigned irq, Handler handler, Handler thread_fn, bool start_disabled,
                          const char* name, void* data) {
  uwq_linux_might_sleep("request_irq");
  const std::shared_ptr<Line> line = Find(irq);
  if (line == nullptr || (handler == nullptr && thread_fn == nullptr)) return -EINVAL;
  {
    base::MutexLock lock(&line->mutex);
    if (line->requested) return -EBUSY;
    line->requested = true;
    line->stopping = false;
    line->handler = handler;
    line->thread_fn = thread_fn;
    line->data = data;
    line->disabled = start_disabled ? 1 : 0;
  }
  base::Thread::Options options;
  options.name = absl::StrCat("irq/", irq, "-", name != nullptr ? name : "");
  absl::StatusOr<base::Thread> thread =
      base::Thread::Start(options, [line] { LineMain(line.get()); });
  if (!thread.ok()) {
    base::MutexLock lock(&line->mutex);
    line->requested = false;
    return -EAGAIN;
  }
  line->thread = *std::move(thread);
  return 0;
}

void uwq_free_irq(unsigned irq, void* data) {
  uwq_linux_might_sleep("free_irq");
  const std::shared_ptr<Line> line = Find(irq);
  {
    bool mine = false;
    if (line != nullptr) {
      base::MutexLock lock(&line->mutex);
      mine = line->requested && line->data == data && !line->stopping;
      if (mine) line->stopping = true;
    }
    if (!mine) {
      ReportNoLine("free_irq() of what was not requested", irq);
      return;
    }
  }
  Poke(*line);
  line->thread.Join();
  base::MutexLock lock(&line->mutex);
  line->requested = false;
}

void uwq_synchronize_irq(unsigned irq) {
  const std::shared_ptr<Line> line = Find(irq);
  if (line == nullptr) return ReportNoLine("synchronize_irq()", irq);
  {
    base::MutexLock lock(&line->mutex);
    if (line->thread_id == base::SelfId()) return;  // from the handler: nothing to wait for
  }
  uwq_linux_might_sleep("synchronize_irq");
  base::MutexLock lock(&line->mutex);
  while (line->running) line->idle.Wait(&line->mutex);
}

void uwq_disable_irq(unsigned irq, bool wait) {
  const std::shared_ptr<Line> line = Find(irq);
  if (line == nullptr) return ReportNoLine("disable_irq()", irq);
  {
    base::MutexLock lock(&line->mutex);
    ++line->disabled;
  }
  Poke(*line);
  if (wait) uwq_synchronize_irq(irq);
}

void uwq_enable_irq(unsigned irq) {
  const std::shared_ptr<Line> line = Find(irq);
  if (line == nullptr) return ReportNoLine("enable_irq()", irq);
  bool unbalanced = false;
  {
    base::MutexLock lock(&line->mutex);
    unbalanced = line->disabled == 0;
    if (!unbalanced) --line->disabled;
  }
  if (unbalanced) {
    core::ReportOnce(core::ReportKind::kOther, line.get(),
                     absl::StrCat("enable_irq(", irq, "): it is enabled already"));
  }
  Poke(*line);
}

}  // extern "C"
