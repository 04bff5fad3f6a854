// SPDX-License-Identifier: BSD-3-Clause
//
// module.cc -- the loader: runs what module_init() and module_exit() registered.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "workqueue/linux/uwq_linux.h"

namespace {

// Linked by constructors, before main() and by one thread.
uwq_module* modules;
uwq_module** modules_tail = &modules;
uwq_param* params;

// "tests/hdmi_port.c" is "hdmi_port".
std::string ModuleName(const uwq_module* module) {
  std::string_view name = module->name;
  const size_t slash = name.rfind('/');
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  const size_t dot = name.rfind('.');
  if (dot != std::string_view::npos && dot > 0) name = name.substr(0, dot);
  return std::string(name);
}

template <typename T>
bool SetInteger(void* at, std::string_view text, int base) {
  long long wide = 0;
  if (text.empty()) return false;
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  const bool negative = copy[0] == '-';
  if (negative && !std::is_signed_v<T>) return false;
  if constexpr (std::is_signed_v<T>) {
    wide = strtoll(copy.c_str(), &end, base);
  } else {
    wide = static_cast<long long>(strtoull(copy.c_str(), &end, base));
  }
  if (errno != 0 || *end != '\0') return false;
  const T value = static_cast<T>(wide);
  if (static_cast<long long>(value) != wide) return false;
  memcpy(at, &value, sizeof(value));
  return true;
}

bool Set(const uwq_param& param, std::string_view text) {
  switch (param.type) {
    case UWQ_PARAM_byte:
      return SetInteger<unsigned char>(param.value, text, 0);
    case UWQ_PARAM_short:
      return SetInteger<short>(param.value, text, 0);
    case UWQ_PARAM_ushort:
      return SetInteger<unsigned short>(param.value, text, 0);
    case UWQ_PARAM_int:
      return SetInteger<int>(param.value, text, 0);
    case UWQ_PARAM_uint:
      return SetInteger<unsigned>(param.value, text, 0);
    case UWQ_PARAM_long:
      return SetInteger<long>(param.value, text, 0);
    case UWQ_PARAM_ulong:
      return SetInteger<unsigned long>(param.value, text, 0);
    case UWQ_PARAM_bool: {
      // "name" alone switches it on, as on a kernel's command line.
      bool value = true;
      if (!text.empty() && !absl::SimpleAtob({text.data(), text.size()}, &value)) return false;
      *static_cast<bool*>(param.value) = value;
      return true;
    }
    case UWQ_PARAM_charp:
      *static_cast<char**>(param.value) = strdup(std::string(text).c_str());
      return true;
  }
  return false;
}

// "name=value" or "module.name=value".
int SetFromArgument(const char* argument) {
  const std::string_view whole = argument;
  const size_t equals = whole.find('=');
  std::string_view name = whole.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : whole.substr(equals + 1);
  const size_t dot = name.rfind('.');
  if (dot != std::string_view::npos) name.remove_prefix(dot + 1);
  for (const uwq_param* param = params; param != nullptr; param = param->next) {
    if (name != param->name) continue;
    if (Set(*param, value)) return 0;
    fprintf(stderr, "uwq: '%s': bad value for parameter %s\n", argument, param->name);
    return -EINVAL;
  }
  fprintf(stderr, "uwq: '%s': no module has such a parameter (see --list)\n", argument);
  return -ENOENT;
}

void List() {
  for (const uwq_module* m = modules; m != nullptr; m = m->next) {
    printf("module %s\n", ModuleName(m).c_str());
  }
  static const char* const kTypes[] = {"byte", "short", "ushort", "int",  "uint",
                                       "long", "ulong", "bool",   "charp"};
  for (const uwq_param* p = params; p != nullptr; p = p->next) {
    printf("parameter %s: %s\n", p->name, kTypes[p->type]);
  }
}

void ExitAll(const std::vector<uwq_module*>& loaded) {
  for (auto m = loaded.rbegin(); m != loaded.rend(); ++m) {
    if ((*m)->exit != nullptr) (*m)->exit();
  }
}

}  // namespace

extern "C" {

void uwq_module_register(uwq_module* module) {
  *modules_tail = module;
  modules_tail = &module->next;
}

void uwq_param_register(uwq_param* param) {
  param->next = params;
  params = param;
}

int uwq_module_main(int argc, char** argv) {
  bool stay = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--stay") {
      stay = true;
    } else if (argument == "--list") {
      List();
      return 0;
    } else if (SetFromArgument(argv[i]) != 0) {
      return 2;
    }
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  // Before any thread exists, so that none of them takes the signal.
  if (stay) pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  std::vector<uwq_module*> loaded;
  for (uwq_module* m = modules; m != nullptr; m = m->next) {
    const int error = m->init != nullptr ? m->init() : 0;
    if (error < 0) {
      fprintf(stderr, "uwq: module %s: init failed: %s\n", ModuleName(m).c_str(), strerror(-error));
      ExitAll(loaded);
      return 1;
    }
    loaded.push_back(m);
  }
  if (stay) {
    int which = 0;
    while (sigwait(&ends, &which) != 0) {
    }
  }
  ExitAll(loaded);
  return 0;
}

}  // extern "C"
