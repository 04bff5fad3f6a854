// SPDX-License-Identifier: BSD-3-Clause
//
// fuzz_main.cc -- runs a libFuzzer target without libFuzzer: replays the committed
// corpus, then mutates it for a bounded time.  For compilers that have no
// -fsanitize=fuzzer, and for the default test tier.
//
//   ring_fuzz_test CORPUS_DIR
//   UWQ_FUZZ_SECONDS=N  how long to mutate [30]
//   UWQ_FUZZ_SEED=N     where to start [1]
// A crash leaves the input in the file crash-input of $TEST_UNDECLARED_OUTPUTS_DIR
// or of the working directory.
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

Bytes current;
std::string crash_file;

// Async-signal-safe: the bytes are in memory that only this thread changes.
void OnCrash(int sig) {
  const int fd = open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd >= 0) {
    (void)!write(fd, current.data(), current.size());  // we are dying anyway
    (void)close(fd);
  }
  (void)signal(sig, SIG_DFL);
  (void)raise(sig);
}

void Run(const Bytes& input) {
  current = input;
  (void)LLVMFuzzerTestOneInput(current.data(), current.size());  // always 0
}

Bytes Mutate(const std::vector<Bytes>& corpus, std::mt19937* random) {
  const auto pick = [random](size_t n) { return n == 0 ? 0 : (*random)() % n; };
  Bytes out = corpus[pick(corpus.size())];
  for (size_t n = 1 + pick(8); n > 0; --n) {
    switch (pick(6)) {
      case 0:
        if (!out.empty()) out[pick(out.size())] = static_cast<uint8_t>(pick(256));
        break;
      case 1:
        if (!out.empty()) out[pick(out.size())] ^= static_cast<uint8_t>(1u << pick(8));
        break;
      case 2:
        out.insert(out.begin() + static_cast<ptrdiff_t>(pick(out.size() + 1)), 1 + pick(16),
                   static_cast<uint8_t>(pick(256)));
        break;
      case 3:
        if (!out.empty()) {
          const size_t from = pick(out.size());
          out.erase(
              out.begin() + static_cast<ptrdiff_t>(from),
              out.begin() + static_cast<ptrdiff_t>(std::min(out.size(), from + 1 + pick(16))));
        }
        break;
      case 4: {  // splice
        const Bytes& other = corpus[pick(corpus.size())];
        if (other.empty()) break;
        const size_t from = pick(other.size());
        out.resize(std::min(out.size(), pick(out.size() + 1)));
        out.insert(out.end(), other.begin() + static_cast<ptrdiff_t>(from), other.end());
        break;
      }
      default: {
        static constexpr uint8_t kOdd[] = {0, 1, 15, 16, 17, 127, 128, 255};
        if (!out.empty()) out[pick(out.size())] = kOdd[pick(sizeof kOdd)];
      }
    }
  }
  if (out.size() > 8192) out.resize(8192);
  return out;
}

long FromEnv(const char* name, long usual) {
  const char* text = getenv(name);
  return text != nullptr ? atol(text) : usual;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s CORPUS_DIR\n", argv[0]);
    return 2;
  }
  const char* dir = getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  crash_file = std::string(dir != nullptr ? dir : ".") + "/crash-input";
  for (int sig : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) (void)signal(sig, OnCrash);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Bytes> corpus;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    Run(corpus.back());
  }
  if (corpus.empty()) {
    fprintf(stderr, "%s: no corpus\n", argv[1]);
    return 1;
  }
  const long seed = FromEnv("UWQ_FUZZ_SEED", 1);
  const time_t end = time(nullptr) + FromEnv("UWQ_FUZZ_SECONDS", 30);
  std::mt19937 random(static_cast<uint32_t>(seed));
  long runs = 0;
  while (time(nullptr) < end) {
    for (int i = 0; i < 1000; ++i, ++runs) Run(Mutate(corpus, &random));
  }
  printf("%zu corpus files, %ld mutated inputs from seed %ld: no fault\n", corpus.size(), runs,
         seed);
  return 0;
}
