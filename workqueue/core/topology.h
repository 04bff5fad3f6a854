// SPDX-License-Identifier: BSD-3-Clause
//
// topology.h -- CPUs, NUMA nodes, caches and affinity scopes.
//
// A Topology is a value, read from the machine or made up by a test: everything
// above sees CPU numbers 0..nr_cpus-1 only through it, so a two-node machine can
// be emulated on any other (T111, T112).
#ifndef UWQ_WORKQUEUE_CORE_TOPOLOGY_H_
#define UWQ_WORKQUEUE_CORE_TOPOLOGY_H_

#include <bitset>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace uwq::core {

inline constexpr int kCpusMax = 1024;
using CpuMask = std::bitset<kCpusMax>;

// The kernel's wq_affn_scope, with its values.
enum class AffnScope : int {
  kDefault = 0,
  kCpu = 1,
  kSmt = 2,
  kCache = 3,
  kCacheShard = 4,
  kNuma = 5,
  kSystem = 6,
};
inline constexpr int kAffnScopes = 7;
const char* AffnScopeName(AffnScope scope);

class Topology {
 public:
  struct Cpu {
    int node = 0;   // NUMA node
    int cache = 0;  // id of the last-level cache
    int core = 0;   // id of the physical core (SMT siblings share it)
  };

  // The CPUs that this process may use, from /sys and sched_getaffinity.  Falls
  // back to one node, one cache and one core per CPU where /sys is silent.
  static Topology FromMachine();
  // An emulated machine: `cpus_per_node` consecutive CPUs in each of `nodes` nodes.
  static Topology Emulated(int nodes, int cpus_per_node);

  absl::Status Validate() const;

  int nr_cpus() const { return static_cast<int>(cpus_.size()); }
  int nr_nodes() const { return nr_nodes_; }
  int NodeOf(int cpu) const { return cpus_[cpu].node; }
  const CpuMask& NodeMask(int node) const { return node_masks_[node]; }
  // The first node that holds all of `mask`, or -1.
  int NodeAround(const CpuMask& mask) const {
    for (int node = 0; node < nr_nodes_; ++node) {
      if ((mask & ~node_masks_[node]).none()) return node;
    }
    return -1;
  }
  const CpuMask& all() const { return all_; }
  // The CPUs that share `cpu`'s pod in `scope` (not kDefault).
  CpuMask PodMask(AffnScope scope, int cpu, int cache_shard_size) const;
  // The machine's own number of emulated CPU `cpu`, or -1: do not bind.
  int MachineCpu(int cpu) const { return machine_cpus_[cpu]; }
  // The topology's number of the machine's CPU, or -1.
  int FromMachineCpu(int machine_cpu) const {
    return machine_cpu >= 0 && machine_cpu < static_cast<int>(from_machine_.size())
               ? from_machine_[machine_cpu]
               : -1;
  }

 private:
  void Finish();

  std::vector<Cpu> cpus_;
  std::vector<int> machine_cpus_;
  std::vector<int> from_machine_;
  std::vector<CpuMask> node_masks_;
  CpuMask all_;
  int nr_nodes_ = 1;
};

// "0-3,8" as in the kernel's cpumask files.
std::string FormatCpuMask(const CpuMask& mask);

}  // namespace uwq::core

#endif  // UWQ_WORKQUEUE_CORE_TOPOLOGY_H_
