// SPDX-License-Identifier: BSD-3-Clause
// edid_testdata.h: finds and changes the EDIDs that this project wrote for its
// tests (reference hdmi.md, appendix B).
// Invariant: a helper that changes bytes also puts the sums right, unless its
// name says otherwise.
// Read on: testdata/.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_TESTDATA_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_TESTDATA_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/hdmi_example/edid/edid.h"

namespace uwq::hdmi {

inline const char* const kTestEdids[] = {"uwq-tv-1080p", "uwq-tv-4k60", "uwq-avr-repeater",
                                         "uwq-dvi-xga", "uwq-4block"};

// Tests run with the project's root as their working directory.
inline std::vector<uint8_t> TestEdid(const std::string& name) {
  auto bytes = ReadEdidFile("drivers/hdmi_example/edid/testdata/" + name + ".edid");
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.ok() ? *bytes : std::vector<uint8_t>();
}

inline void FixChecksums(std::vector<uint8_t>& bytes) {
  for (size_t block = 0; block + kEdidBlockBytes <= bytes.size(); block += kEdidBlockBytes) {
    bytes[block + 127] = EdidChecksum(absl::MakeConstSpan(bytes).subspan(block, kEdidBlockBytes));
  }
}

// A base block with one CTA block whose data blocks are `data`.
inline std::vector<uint8_t> EdidWithDataBlocks(const std::vector<uint8_t>& data) {
  std::vector<uint8_t> bytes = TestEdid("uwq-tv-1080p");
  if (bytes.size() != 256) return bytes;
  std::fill(bytes.begin() + 128, bytes.end(), uint8_t{0});
  bytes[128] = 2;
  bytes[129] = 3;
  bytes[130] = static_cast<uint8_t>(4 + data.size());
  std::copy(data.begin(), data.end(), bytes.begin() + 132);
  FixChecksums(bytes);
  return bytes;
}

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_TESTDATA_H_
