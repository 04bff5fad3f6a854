// SPDX-License-Identifier: BSD-3-Clause
// Seeded mutations of the test EDIDs through everything that takes EDID bytes.
// A failure prints the seed; the same seed makes the same bytes everywhere.
#include <gtest/gtest.h>

#include "drivers/hdmi_example/edid/edid_mutator.h"
#include "drivers/hdmi_example/edid/edid_testdata.h"

namespace uwq::hdmi {
namespace {

TEST(EdidMutation, TwentyThousandMutationsKeepEveryPromise) {
  int parsed = 0, refused = 0;
  for (const char* name : kTestEdids) {
    const std::vector<uint8_t> original = TestEdid(name);
    for (uint64_t seed = 0; seed < 4000; ++seed) {
      SplitMix random(seed);
      std::vector<uint8_t> bytes = original;
      MutateEdid(bytes, random);
      ASSERT_EQ(ExerciseEdid(bytes), "") << name << " seed " << seed;
      ParseEdid(bytes).ok() ? ++parsed : ++refused;
    }
  }
  // Both outcomes must be common, else the mutations miss their aim.
  EXPECT_GT(parsed, 5000);
  EXPECT_GT(refused, 1000);
}

TEST(EdidMutation, EveryByteOfEveryEdidMayBeAnything) {
  for (const char* name : kTestEdids) {
    std::vector<uint8_t> bytes = TestEdid(name);
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (uint8_t value : {0x00, 0x01, 0x1f, 0x7f, 0x80, 0xe0, 0xff}) {
        std::vector<uint8_t> changed = bytes;
        changed[at] = value;
        FixChecksums(changed);
        ASSERT_EQ(ExerciseEdid(changed), "") << name << " byte " << at << " = " << int{value};
      }
    }
  }
}

}  // namespace
}  // namespace uwq::hdmi
