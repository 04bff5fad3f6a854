// SPDX-License-Identifier: BSD-3-Clause
//
// guest.h -- the program that tools/kernel-test kup runs inside the guest: scenarios
// against /dev/kup-ktest, results as TAP lines in the kernel's log.
//
// A line goes to /dev/kmsg in one write, so it is never torn by a message of the
// kernel.  Invariant: a scenario leaves every channel but the control channel free.
// Read on: kup_test_abi.h (what the module does for us), guest_main.cc.
#ifndef UWQ_KUP_BRIDGE_KERNEL_TEST_GUEST_H_
#define UWQ_KUP_BRIDGE_KERNEL_TEST_GUEST_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "kup_bridge/kernel/test/kup_test_abi.h"
#include "kup_bridge/kup.h"

namespace guest {

// Runs when the program does; `name` is unique, `text` says what must hold.
struct Scenario {
  Scenario(const char* name, const char* text, void (*body)());
};

#define KUP_SCENARIO(id, name, text)                            \
  static void id();                                             \
  static const ::guest::Scenario scenario_##id(name, text, id); \
  static void id()

void Fail(int line, const std::string& what);  // the scenario that runs
bool Failed();
void Remark(const char* format, ...) __attribute__((format(printf, 1, 2)));  // behind "ok"
void Log(const std::string& line);

// Ends the scenario's function, which returns nothing.
#define EXPECT(condition)                  \
  do {                                     \
    if (!(condition)) {                    \
      ::guest::Fail(__LINE__, #condition); \
      return;                              \
    }                                      \
  } while (0)
// The number that was found is told.
#define EXPECT_IS(expression, expected)                                                  \
  do {                                                                                   \
    const long long found_ = static_cast<long long>(expression);                         \
    if (found_ != static_cast<long long>(expected)) {                                    \
      ::guest::Fail(__LINE__, std::string(#expression " is ") + std::to_string(found_) + \
                                  ", not " #expected);                                   \
      return;                                                                            \
    }                                                                                    \
  } while (0)

int64_t NowNs();
bool Slow();  // a kernel with checks compiled in: fewer rounds
uint64_t Rounds(uint64_t n);

// ---- the module kup_test ---------------------------------------------------------------

// One request on the control channel.
kup_test_answer Ask(uint32_t op, uint32_t chan, uint64_t count = 0, uint32_t len = 64,
                    uint64_t period_ns = 0, uint32_t batch = 0);
bool OpenControl();  // as the user of the control channel
void CloseControl();

// A channel of /dev/kup-ktest (or another device) through kup.h.
class Channel {
 public:
  explicit Channel(uint32_t index, const char* device = "ktest");
  ~Channel() { Close(); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  int error() const { return error_; }
  kup_chan* get() const { return chan_; }
  void Close();

 private:
  int error_;
  kup_dev* dev_ = nullptr;
  kup_chan* chan_ = nullptr;
};

// A thread that waits in kup_receive, at most 20 s.
class Sleeper {
 public:
  explicit Sleeper(const Channel& ch);
  int Join();  // what ended the wait

 private:
  int rc_ = 1;
  std::thread thread_;
};

// A channel by ioctl and mmap alone, so that nothing of our library stands between a
// hostile program and the kernel.
struct Raw {
  explicit Raw(uint32_t index, uint32_t op = KUP_OP_ATTACH, const char* path = "/dev/kup-ktest");
  ~Raw() { Close(); }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;
  // The regions whole; false: mmap refused.
  bool Map();
  void Unmap();
  void Close();

  int error = 0;  // of the attach, positive
  int fd = -1;
  kup_attach_args args = {};
  kup_dev_page* dev = nullptr;
  kup_user_page* user = nullptr;
};
int RawAttach(int node, kup_attach_args* args);  // 0 or errno
kup_attach_args RawRequest(uint32_t op, uint32_t channel);

// Runs `body` in a child; returns waitpid's status word.
int InChild(const std::function<int()>& body);
// Waits until `done`, looking every millisecond; false after ten seconds,
// or a minute on a slow kernel.
bool Until(const std::function<bool()>& done);

}  // namespace guest

#endif  // UWQ_KUP_BRIDGE_KERNEL_TEST_GUEST_H_
