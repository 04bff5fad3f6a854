// SPDX-License-Identifier: BSD-3-Clause
#include "workqueue/core/topology.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "workqueue/base/sync.h"

namespace uwq::core {
#if !defined(UWQ_SIM)
namespace {

// The first number of a /sys list file, or `fallback` where there is none.
int ReadFirstNumber(const std::string& path, int fallback) {
  std::ifstream file(path);
  int value;
  return file >> value ? value : fallback;
}

int NodeOfMachineCpu(int cpu) {
  for (int node = 0; node < 64; ++node) {
    std::ifstream file(
        absl::StrFormat("/sys/devices/system/node/node%d/cpu%d/topology/core_id", node, cpu));
    if (file.good()) return node;
  }
  return 0;
}

// The id of the outermost cache, named by its first CPU.
int LastCacheOf(int cpu) {
  int cache = cpu;
  for (int index = 0; index < 8; ++index) {
    const std::string path =
        absl::StrFormat("/sys/devices/system/cpu/cpu%d/cache/index%d/shared_cpu_list", cpu, index);
    const int first = ReadFirstNumber(path, -1);
    if (first < 0) break;
    cache = first;
  }
  return cache;
}

// Renames arbitrary ids to 0..n-1, in order of first appearance.
int Dense(std::map<int, int>& ids, int id) {
  return ids.try_emplace(id, static_cast<int>(ids.size())).first->second;
}

}  // namespace
#endif

const char* AffnScopeName(AffnScope scope) {
  static const char* const kNames[kAffnScopes] = {"default",     "cpu",  "smt",   "cache",
                                                  "cache_shard", "numa", "system"};
  const int i = static_cast<int>(scope);
  return i >= 0 && i < kAffnScopes ? kNames[i] : "invalid";
}

Topology Topology::FromMachine() {
  Topology t;
#if defined(UWQ_SIM)
  for (int cpu = 0; cpu < base::OnlineCpus(); ++cpu) {
    t.cpus_.push_back({0, 0, cpu});
    t.machine_cpus_.push_back(cpu);
  }
#else
  std::map<int, int> nodes, caches, cores;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) CPU_SET(0, &allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE && static_cast<int>(t.cpus_.size()) < kCpusMax; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const int core = ReadFirstNumber(
        absl::StrFormat("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu), cpu);
    t.cpus_.push_back(
        {Dense(nodes, NodeOfMachineCpu(cpu)), Dense(caches, LastCacheOf(cpu)), Dense(cores, core)});
    t.machine_cpus_.push_back(cpu);
  }
#endif
  t.Finish();
  return t;
}

Topology Topology::Emulated(int nodes, int cpus_per_node) {
  Topology t;
  // Nothing sensible was asked for: no CPU at all, which Validate() refuses.
  if (nodes < 1 || cpus_per_node < 1 || nodes > kCpusMax / cpus_per_node) return t;
  const int machine = base::OnlineCpus();
  for (int cpu = 0; cpu < nodes * cpus_per_node; ++cpu) {
    t.cpus_.push_back({cpu / cpus_per_node, cpu / cpus_per_node, cpu});
    t.machine_cpus_.push_back(cpu < machine ? cpu : -1);
  }
  t.Finish();
  return t;
}

void Topology::Finish() {
  nr_nodes_ = 0;
  for (const Cpu& cpu : cpus_) nr_nodes_ = std::max(nr_nodes_, cpu.node + 1);
  node_masks_.assign(nr_nodes_, CpuMask());
  for (int cpu = 0; cpu < nr_cpus(); ++cpu) {
    all_.set(cpu);
    node_masks_[cpus_[cpu].node].set(cpu);
    const int machine = machine_cpus_[cpu];
    if (machine < 0) continue;
    if (machine >= static_cast<int>(from_machine_.size())) from_machine_.resize(machine + 1, -1);
    from_machine_[machine] = cpu;
  }
}

absl::Status Topology::Validate() const {
  if (cpus_.empty() || nr_cpus() > kCpusMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("topology: ", cpus_.size(), " CPUs, must be 1..", kCpusMax));
  }
  return absl::OkStatus();
}

CpuMask Topology::PodMask(AffnScope scope, int cpu, int cache_shard_size) const {
  const Cpu& self = cpus_[cpu];
  CpuMask mask;
  switch (scope) {
    case AffnScope::kCpu:
      mask.set(cpu);
      return mask;
    case AffnScope::kSmt:
      for (int i = 0; i < nr_cpus(); ++i) mask[i] = cpus_[i].core == self.core;
      return mask;
    case AffnScope::kCache:
      for (int i = 0; i < nr_cpus(); ++i) mask[i] = cpus_[i].cache == self.cache;
      return mask;
    case AffnScope::kNuma:
      return node_masks_[self.node];
    case AffnScope::kDefault:
    case AffnScope::kCacheShard:
      break;
    case AffnScope::kSystem:
      return all_;
  }
  // kCacheShard: the cores of one cache in groups of about cache_shard_size,
  // max(1, round(cores / size)) groups whose sizes differ by at most one.
  std::vector<int> cores;
  for (const Cpu& other : cpus_) {
    if (other.cache == self.cache &&
        std::find(cores.begin(), cores.end(), other.core) == cores.end()) {
      cores.push_back(other.core);
    }
  }
  const int n = static_cast<int>(cores.size());
  const int size = std::max(1, cache_shard_size);
  const int shards = std::max(1, (n + size / 2) / size);
  const auto shard_of = [&](int core) {
    const auto at = std::find(cores.begin(), cores.end(), core) - cores.begin();
    return static_cast<int>(at * shards / n);
  };
  for (int i = 0; i < nr_cpus(); ++i) {
    mask[i] = cpus_[i].cache == self.cache && shard_of(cpus_[i].core) == shard_of(self.core);
  }
  return mask;
}

std::string FormatCpuMask(const CpuMask& mask) {
  std::string out;
  for (int cpu = 0; cpu < kCpusMax; ++cpu) {
    if (!mask.test(cpu)) continue;
    int last = cpu;
    while (last + 1 < kCpusMax && mask.test(last + 1)) ++last;
    absl::StrAppend(&out, out.empty() ? "" : ",", cpu);
    if (last > cpu) absl::StrAppend(&out, "-", last);
    cpu = last;
  }
  return out;
}

}  // namespace uwq::core
