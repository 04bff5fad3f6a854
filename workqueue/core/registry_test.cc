// SPDX-License-Identifier: BSD-3-Clause
//
// Goal: a WQ_SYSFS queue can be read and adjusted by name as in 1.14.
#include "workqueue/core/registry.h"

#include <gtest/gtest.h>

namespace uwq::core {
namespace {

class RegistryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RuntimeOptions options;
    options.topology = Topology::Emulated(1, 4);
    runtime_ = *Runtime::Create(options);
  }
  Workqueue* Alloc(const char* name, unsigned flags) {
    return *AllocWorkqueue(runtime_.get(), {name, flags, 0});
  }
  std::string Read(const char* queue, const char* attribute) {
    absl::StatusOr<std::string> text = RegistryRead(runtime_.get(), queue, attribute);
    return text.ok() ? *text : std::string(text.status().message());
  }
  absl::Status Write(const char* queue, const char* attribute, const char* value) {
    return RegistryWrite(runtime_.get(), queue, attribute, value);
  }
  std::unique_ptr<Runtime> runtime_;
};

TEST_F(RegistryTest, ListsOnlySysfsQueues) {
  Workqueue* seen = Alloc("seen", kWqUnbound | kWqSysfs);
  Workqueue* hidden = Alloc("hidden", kWqUnbound);
  EXPECT_EQ(RegistryNames(runtime_.get()), std::vector<std::string>{"seen"});
  EXPECT_EQ(RegistryRead(runtime_.get(), "hidden", "nice").status().code(),
            absl::StatusCode::kNotFound);
  DestroyWorkqueue(seen);
  EXPECT_TRUE(RegistryNames(runtime_.get()).empty());
  DestroyWorkqueue(hidden);
}

TEST_F(RegistryTest, UnboundAttributes) {
  Workqueue* wq = Alloc("u", kWqUnbound | kWqSysfs);
  EXPECT_EQ(Read("u", "per_cpu"), "0");
  EXPECT_EQ(Read("u", "max_active"), "1024");
  EXPECT_EQ(Read("u", "nice"), "0");
  EXPECT_EQ(Read("u", "cpumask"), "0-3");
  EXPECT_EQ(Read("u", "affinity_scope"), "default (cache_shard)");
  EXPECT_EQ(Read("u", "affinity_strict"), "0");
  EXPECT_TRUE(Write("u", "max_active", "7\n").ok());
  EXPECT_EQ(Read("u", "max_active"), "7");
  EXPECT_TRUE(Write("u", "cpumask", "0,2-3").ok());
  EXPECT_EQ(Read("u", "cpumask"), "0,2-3");
  EXPECT_TRUE(Write("u", "affinity_scope", "cpu").ok());
  EXPECT_EQ(Read("u", "affinity_scope"), "cpu");
  EXPECT_TRUE(Write("u", "nice", "5").ok());
  EXPECT_EQ(Read("u", "nice"), "5");
  EXPECT_TRUE(Write("u", "affinity_strict", "1").ok());
  EXPECT_EQ(Read("u", "affinity_strict"), "1");
  DestroyWorkqueue(wq);
}

TEST_F(RegistryTest, BadValuesAreNamedAndChangeNothing) {
  Workqueue* wq = Alloc("u", kWqUnbound | kWqSysfs);
  for (auto [attribute, value] : {std::pair{"max_active", "0"},
                                  {"max_active", "-3"},
                                  {"max_active", "many"},
                                  {"nice", "20"},
                                  {"nice", "x"},
                                  {"cpumask", "3-1"},
                                  {"cpumask", ""},
                                  {"cpumask", "9"},
                                  {"cpumask", "0-5000"},
                                  {"affinity_scope", "planet"},
                                  {"affinity_strict", "2"}}) {
    const absl::Status status = Write("u", attribute, value);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << attribute << " " << value;
  }
  EXPECT_EQ(Write("u", "colour", "red").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Read("u", "max_active"), "1024");
  EXPECT_EQ(Read("u", "cpumask"), "0-3");
  DestroyWorkqueue(wq);
}

TEST_F(RegistryTest, ReadOnlyAttributes) {
  Workqueue* percpu = Alloc("p", kWqPercpu | kWqSysfs);
  Workqueue* ordered = Alloc("o", kWqUnbound | kWqOrdered | kWqSysfs);
  EXPECT_EQ(Read("p", "per_cpu"), "1");
  EXPECT_EQ(Write("p", "per_cpu", "0").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Write("p", "nice", "1").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Write("o", "max_active", "4").code(), absl::StatusCode::kPermissionDenied);
  DestroyWorkqueue(percpu);
  DestroyWorkqueue(ordered);
}

}  // namespace
}  // namespace uwq::core
