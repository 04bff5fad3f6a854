// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "kup_bridge/kernel/test/guest.h"

namespace guest {
namespace {

struct Entry {
  const char* name;
  const char* text;
  void (*body)();
};

std::vector<Entry>& Entries() {
  static std::vector<Entry> entries;
  return entries;
}

std::string failure, remark;
kup_dev* control_dev;
kup_chan* control;

}  // namespace

Scenario::Scenario(const char* name, const char* text, void (*body)()) {
  Entries().push_back({name, text, body});
}

void Fail(int line, const std::string& what) {
  if (failure.empty()) failure = "line " + std::to_string(line) + ": " + what;
}

bool Failed() { return !failure.empty(); }

void Remark(const char* format, ...) {
  char text[200];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (!remark.empty()) remark += ", ";
  remark += text;
}

void Log(const std::string& line) {
  static const int kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
  const std::string record = "<6>" + line;
  if (kmsg < 0 || write(kmsg, record.data(), record.size()) < 0) puts(line.c_str());
}

int64_t NowNs() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

bool Slow() {
  static const bool slow = access("/sys/kernel/debug/kmemleak", F_OK) == 0;
  return slow;
}

uint64_t Rounds(uint64_t n) { return Slow() ? std::max<uint64_t>(n / 10, 1) : n; }

bool OpenControl() {
  return kup_open("ktest", &control_dev) == 0 &&
         kup_attach(control_dev, KUP_TEST_CONTROL, 5000, &control) == 0;
}

void CloseControl() {
  kup_close(control_dev);
  control_dev = nullptr;
  control = nullptr;
}

kup_test_answer Ask(uint32_t op, uint32_t chan, uint64_t count, uint32_t len, uint64_t period_ns,
                    uint32_t batch) {
  const kup_test_ask ask = {op, chan, count, period_ns, len, batch};
  kup_test_answer answer = {};
  const int rc =
      kup_call(control, KUP_TEST_REQUEST, &ask, sizeof ask, &answer, sizeof answer, 120000);
  if (rc != static_cast<int>(sizeof answer)) answer.rc = rc < 0 ? rc : -EPROTO;
  return answer;
}

Channel::Channel(uint32_t index, const char* device) {
  error_ = kup_open(device, &dev_);
  if (error_ == 0) error_ = kup_attach(dev_, index, 5000, &chan_);
}

void Channel::Close() {
  kup_close(dev_);
  dev_ = nullptr;
  chan_ = nullptr;
}

Sleeper::Sleeper(const Channel& ch) {
  thread_ = std::thread([this, chan = ch.get()] {
    kup_msg msg;
    rc_ = kup_receive(chan, &msg, 20000);
  });
}

int Sleeper::Join() {
  thread_.join();
  return rc_;
}

kup_attach_args RawRequest(uint32_t op, uint32_t channel) {
  kup_attach_args args = {};
  args.magic = KUP_MAGIC;
  args.abi_major = KUP_ABI_MAJOR;
  args.abi_minor = KUP_ABI_MINOR;
  args.op = op;
  args.channel = channel;
  return args;
}

int RawAttach(int node, kup_attach_args* args) {
  return ioctl(node, KUP_IOC_ATTACH, args) == 0 ? 0 : errno;
}

Raw::Raw(uint32_t index, uint32_t op, const char* path) : args(RawRequest(op, index)) {
  const int node = open(path, (op == KUP_OP_OBSERVE ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  args.flags = op == KUP_OP_ATTACH ? KUP_ATTACH_WAIT : 0;
  error = node < 0 ? errno : RawAttach(node, &args);
  if (error == 0) fd = args.fd;
  if (node >= 0) close(node);
}

bool Raw::Map() {
  void* d = mmap(nullptr, args.dev_region_len, PROT_READ, MAP_SHARED, fd, KUP_MMAP_DEV);
  if (d == MAP_FAILED) return false;
  dev = static_cast<kup_dev_page*>(d);
  if (args.user_region_len == 0) return true;
  void* u = mmap(nullptr, args.user_region_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                 static_cast<off_t>(KUP_MMAP_USER));
  if (u == MAP_FAILED) return false;
  user = static_cast<kup_user_page*>(u);
  return true;
}

void Raw::Unmap() {
  if (dev != nullptr) munmap(dev, args.dev_region_len);
  if (user != nullptr) munmap(user, args.user_region_len);
  dev = nullptr;
  user = nullptr;
}

void Raw::Close() {
  Unmap();
  if (fd >= 0) close(fd);
  fd = -1;
}

int InChild(const std::function<int()>& body) {
  const pid_t pid = fork();
  if (pid == 0) _exit(body());
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

bool Until(const std::function<bool()>& done) {
  const int64_t seconds = Slow() ? 60 : 10;
  for (const int64_t end = NowNs() + seconds * 1'000'000'000; NowNs() < end;) {
    if (done()) return true;
    const timespec pause = {0, 1'000'000};
    nanosleep(&pause, nullptr);
  }
  return done();
}

static int RunAll() {
  int passed = 0, failed = 0;
  // Families in the order of their names, whatever the linker's order; life.* comes last,
  // since it unloads the modules.
  std::stable_sort(Entries().begin(), Entries().end(),
                   [](const Entry& a, const Entry& b) { return strncmp(a.name, b.name, 4) < 0; });
  Log("# suite kup");
  if (!OpenControl()) {
    Log(std::string("not ok control ") + kup_error_text());
    return 1;
  }
  for (const Entry& entry : Entries()) {
    failure.clear();
    remark.clear();
    Log(std::string("# ") + entry.name + " " + entry.text);
    entry.body();
    if (Failed()) {
      ++failed;
      Log(std::string("not ok ") + entry.name + " " + failure + " (" + kup_error_text() + ")");
    } else {
      ++passed;
      Log(std::string("ok ") + entry.name + " " + remark);
    }
  }
  Log("# end kup: " + std::to_string(passed) + " passed, " + std::to_string(failed) + " failed");
  return failed != 0;
}

}  // namespace guest

int main() { return guest::RunAll(); }
