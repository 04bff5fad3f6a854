// SPDX-License-Identifier: BSD-3-Clause
//
// kernel_wq.cc -- the running kernel's own workqueue as a row of the same table.
//
// Where BPF is permitted (root, Linux 6.10 or later) the same three questions are put
// to the original: a burst of 64, a self-requeue hop, post to start on one CPU.  Times
// are taken inside of the kernel, so that the system call that starts a program is
// not counted.  Otherwise it names the reason and exits 3.
#include "bench/kernel_wq/kernel_wq.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/harness/workloads.h"

namespace uwq::bench {
namespace {

[[noreturn]] void Refuse(const char* what, int error) {
  fprintf(stderr, "kernel-wq: %s: %s\n", what, strerror(error < 0 ? -error : error));
  _exit(3);
}

class KernelWq {
 public:
  KernelWq() {
    libbpf_set_print(nullptr);
    char path[4096];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 32);
    if (length < 0) Refuse("/proc/self/exe", errno);
    path[length] = '\0';
    strcpy(strrchr(path, '/') + 1, "kernel_wq.bpf.o");
    object_ = bpf_object__open_file(path, nullptr);
    if (object_ == nullptr) Refuse(path, errno);
    if (const int error = bpf_object__load(object_); error != 0) {
      Refuse("BPF with bpf_wq is not permitted or not known here", error);
    }
    void* const shared =
        mmap(nullptr, static_cast<size_t>(sysconf(_SC_PAGESIZE)), PROT_READ | PROT_WRITE,
             MAP_SHARED, bpf_object__find_map_fd_by_name(object_, "control"), 0);
    if (shared == MAP_FAILED) Refuse("mmap of the control block", errno);
    control = static_cast<volatile kernel_wq_control*>(shared);
    // An item's memory comes from a pool that refills in the background.
    for (int i = 0; i < 20000 && control->ready < KERNEL_WQ_ITEMS; ++i) {
      Start("init_items");
      SleepFor(100000);
    }
    int hop = 1;
    for (int i = 0; i < 20000 && (hop = Start("init_hop")) != 0; ++i) SleepFor(100000);
    if (control->ready < KERNEL_WQ_ITEMS || hop != 0) Refuse("bpf_wq_init", ENOMEM);
  }

  // Runs a BPF program; its return value.
  int Start(const char* name) {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    bpf_program* const program = bpf_object__find_program_by_name(object_, name);
    const int error = bpf_prog_test_run_opts(bpf_program__fd(program), &options);
    if (error != 0) Refuse(name, error);
    return static_cast<int>(options.retval);
  }
  void Burst(size_t count) {
    control->count = count;
    control->done = 0;
    Start("queue_burst");
    while (control->done < count) sched_yield();
  }

  volatile kernel_wq_control* control;

 private:
  bpf_object* object_;
};

void Burst64(KernelWq& wq, Run& run) {
  std::vector<int64_t> total, post;
  for (size_t b = run.Scaled(1000); b > 0; --b) {
    wq.Burst(KERNEL_WQ_ITEMS);
    const auto begin = static_cast<int64_t>(wq.control->started_at);
    post.push_back((static_cast<int64_t>(wq.control->posted_at) - begin) / KERNEL_WQ_ITEMS);
    total.push_back((static_cast<int64_t>(wq.control->ended_at) - begin) / KERNEL_WQ_ITEMS);
  }
  run.result.AddPercentiles("", std::move(total));
  run.result.AddPercentiles("post_", std::move(post));
}

void SameCpu(KernelWq& wq, Run& run) {
  Place(Placement::kTogether);
  std::vector<int64_t> latency;
  for (size_t i = run.Scaled(kSamples); i > 0; --i) {
    wq.Burst(1);
    latency.push_back(static_cast<int64_t>(wq.control->latency));
    SleepFor(50000);
  }
  run.result.AddPercentiles("", std::move(latency));
}

void Hops(KernelWq& wq, Run& run) {
  const size_t full = run.Scaled(1000000);
  for (const size_t n : {full / 20 + 1, full}) {  // the first is the warm-up
    wq.control->count = n;
    wq.control->done = 0;
    wq.Start("start_hops");
    while (wq.control->done == 0) SleepFor(1000000);
    if (n != full) continue;
    run.result.Add("wall_ns", static_cast<double>(wq.control->ended_at - wq.control->started_at) /
                                  static_cast<double>(n));
  }
}

int Main(int argc, char** argv) {
  const struct {
    const char* name;
    void (*body)(KernelWq&, Run&);
  } workloads[] = {{"burst64", Burst64}, {"w3_same", SameCpu}, {"w7", Hops}};
  Run run;
  const char* wanted = nullptr;
  bool list = false;
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--list") == 0) list = true;
    if (strncmp(argv[i], "--scale=", 8) == 0) run.scale = atof(argv[i] + 8);
    if (argv[i][0] != '-') wanted = argv[i];  // the last of PEER WORKLOAD
  }
  KernelWq wq;
  for (const auto& workload : workloads) {
    if (list) printf("kernel-wq %s\n", workload.name);
    if (list || wanted == nullptr || strcmp(wanted, workload.name) != 0) continue;
    workload.body(wq, run);
    run.result.Print("kernel-wq", workload.name);
    return 0;
  }
  if (list) return 0;
  fprintf(stderr, "kernel-wq: no such workload; see --list\n");
  return 2;
}

}  // namespace
}  // namespace uwq::bench

int main(int argc, char** argv) { return uwq::bench::Main(argc, argv); }
