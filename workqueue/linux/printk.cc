// SPDX-License-Identifier: BSD-3-Clause
//
// printk.cc -- the log: one line, one write.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "workqueue/base/sync.h"
#include "workqueue/linux/uwq_linux.h"

namespace base = uwq::base;

namespace {

constexpr int kDefaultLevel = 4;
constexpr size_t kLineMax = 1024;  // the kernel's, too

struct Log {
  base::Mutex mutex;
  uwq_printk_fn handler ABSL_GUARDED_BY(mutex) = nullptr;
  void* arg ABSL_GUARDED_BY(mutex) = nullptr;
};

Log& TheLog() {
  static Log* const log = new Log;  // never destroyed: used by exiting threads
  return *log;
}

void Emit(int level, const char* text, size_t size) {
  Log& log = TheLog();
  uwq_printk_fn handler = nullptr;
  void* arg = nullptr;
  {
    base::MutexLock lock(&log.mutex);
    handler = log.handler;
    arg = log.arg;
  }
  if (handler != nullptr) {
    handler(level, text, arg);
    return;
  }
  while (size > 0) {
    const ssize_t n = write(STDERR_FILENO, text, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // a log that cannot be written has nobody to complain to
    text += n;
    size -= static_cast<size_t>(n);
  }
}

}  // namespace

extern "C" {

void uwq_set_printk_handler(uwq_printk_fn handler, void* arg) {
  Log& log = TheLog();
  base::MutexLock lock(&log.mutex);
  log.handler = handler;
  log.arg = arg;
}

int uwq_vprintk(const char* fmt, va_list args) {
  int level = kDefaultLevel;
  // KERN_*: a byte 1 and a digit, or `c` for a line that goes on.
  if (fmt[0] == '\001' && fmt[1] != '\0') {
    if (fmt[1] >= '0' && fmt[1] <= '7') level = fmt[1] - '0';
    fmt += 2;
  }
  char line[kLineMax];
  const int wanted = vsnprintf(line, sizeof(line), fmt, args);
  if (wanted < 0) return wanted;
  const size_t size =
      static_cast<size_t>(wanted) < sizeof(line) ? static_cast<size_t>(wanted) : sizeof(line) - 1;
  Emit(level, line, size);
  return static_cast<int>(size);
}

int uwq_printk(const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  const int n = uwq_vprintk(fmt, args);
  va_end(args);
  return n;
}

int uwq_dev_printk(int level, const char* driver, const char* device, const char* fmt, ...) {
  char line[kLineMax];
  const char* const gap = driver[0] != '\0' ? " " : "";
  int size = snprintf(line, sizeof(line), "%s%s%s: ", driver, gap, device);
  if (size < 0 || static_cast<size_t>(size) >= sizeof(line)) size = 0;
  va_list args;
  va_start(args, fmt);
  const int more = vsnprintf(line + size, sizeof(line) - size, fmt, args);
  va_end(args);
  if (more > 0) size += more;
  if (static_cast<size_t>(size) >= sizeof(line)) size = sizeof(line) - 1;
  Emit(level, line, static_cast<size_t>(size));
  return size;
}

}  // extern "C"
