// SPDX-License-Identifier: BSD-3-Clause
//
// topology_test.cc -- emulated machines, pods of every scope (1.13), masks as text.
#include "workqueue/core/topology.h"

#include <set>

#include "gtest/gtest.h"
#include "workqueue/base/sync.h"

namespace uwq::core {
namespace {

std::string Pod(const Topology& t, AffnScope scope, int cpu, int shard = 8) {
  return FormatCpuMask(t.PodMask(scope, cpu, shard));
}

TEST(Topology, Machine) {
  const Topology t = Topology::FromMachine();
  EXPECT_TRUE(t.Validate().ok());
  EXPECT_GE(t.nr_cpus(), 1);
  EXPECT_GE(t.nr_nodes(), 1);
  for (int cpu = 0; cpu < t.nr_cpus(); ++cpu) {
    EXPECT_LT(t.NodeOf(cpu), t.nr_nodes());
    EXPECT_EQ(t.FromMachineCpu(t.MachineCpu(cpu)), cpu);
    for (int scope = 1; scope < kAffnScopes; ++scope) {
      EXPECT_TRUE(t.PodMask(static_cast<AffnScope>(scope), cpu, 8).test(cpu));
    }
  }
  EXPECT_EQ(t.FromMachineCpu(-1), -1);
  EXPECT_EQ(t.FromMachineCpu(1 << 20), -1);
}

TEST(Topology, Emulated) {
  const Topology t = Topology::Emulated(2, 3);
  EXPECT_TRUE(t.Validate().ok());
  EXPECT_EQ(t.nr_cpus(), 6);
  EXPECT_EQ(t.nr_nodes(), 2);
  EXPECT_EQ(t.NodeOf(2), 0);
  EXPECT_EQ(t.NodeOf(3), 1);
  EXPECT_EQ(FormatCpuMask(t.NodeMask(0)), "0-2");
  EXPECT_EQ(FormatCpuMask(t.NodeMask(1)), "3-5");
  EXPECT_EQ(FormatCpuMask(t.all()), "0-5");
  EXPECT_EQ(Pod(t, AffnScope::kCpu, 4), "4");
  EXPECT_EQ(Pod(t, AffnScope::kSmt, 4), "4");
  EXPECT_EQ(Pod(t, AffnScope::kCache, 4), "3-5");
  EXPECT_EQ(Pod(t, AffnScope::kNuma, 1), "0-2");
  EXPECT_EQ(Pod(t, AffnScope::kSystem, 1), "0-5");
  EXPECT_EQ(Pod(t, AffnScope::kCacheShard, 1), "0-2");
  for (int cpu = 0; cpu < 6; ++cpu) {
    EXPECT_EQ(t.MachineCpu(cpu), cpu < base::OnlineCpus() ? cpu : -1);
  }
}

// cache_shard: max(1, round(cores / size)) groups whose sizes differ by at most one,
// which together are the cache.
TEST(Topology, CacheShards) {
  for (int cores = 1; cores <= 40; ++cores) {
    const Topology t = Topology::Emulated(1, cores);
    for (const int size : {1, 3, 8, 100}) {
      std::set<std::string> pods;
      int smallest = cores, largest = 0;
      for (int cpu = 0; cpu < cores; ++cpu) {
        const CpuMask mask = t.PodMask(AffnScope::kCacheShard, cpu, size);
        EXPECT_TRUE(mask.test(cpu));
        pods.insert(FormatCpuMask(mask));
        smallest = std::min(smallest, static_cast<int>(mask.count()));
        largest = std::max(largest, static_cast<int>(mask.count()));
      }
      EXPECT_EQ(static_cast<int>(pods.size()), std::max(1, (cores + size / 2) / size))
          << cores << " cores by " << size;
      EXPECT_LE(largest - smallest, 1) << cores << " cores by " << size;
    }
  }
  EXPECT_EQ(Pod(Topology::Emulated(1, 2), AffnScope::kCacheShard, 0, 0), "0");  // 0 is 1
}

TEST(Topology, Refused) {
  EXPECT_FALSE(Topology::Emulated(0, 4).Validate().ok());
  EXPECT_FALSE(Topology::Emulated(4, 0).Validate().ok());
  EXPECT_FALSE(Topology::Emulated(-1, -1).Validate().ok());
  EXPECT_FALSE(Topology::Emulated(2, 513).Validate().ok());
  EXPECT_FALSE(Topology::Emulated(1 << 30, 1 << 30).Validate().ok());
  EXPECT_TRUE(Topology::Emulated(2, 512).Validate().ok());
}

TEST(Topology, Names) {
  EXPECT_STREQ(AffnScopeName(AffnScope::kDefault), "default");
  EXPECT_STREQ(AffnScopeName(AffnScope::kCacheShard), "cache_shard");
  EXPECT_STREQ(AffnScopeName(static_cast<AffnScope>(9)), "invalid");
}

TEST(CpuMaskText, Formats) {
  CpuMask mask;
  EXPECT_EQ(FormatCpuMask(mask), "");
  mask.set(0);
  EXPECT_EQ(FormatCpuMask(mask), "0");
  mask.set(1).set(2).set(8).set(1022).set(1023);
  EXPECT_EQ(FormatCpuMask(mask), "0-2,8,1022-1023");
  EXPECT_EQ(FormatCpuMask(CpuMask().set()), "0-1023");
}

}  // namespace
}  // namespace uwq::core
