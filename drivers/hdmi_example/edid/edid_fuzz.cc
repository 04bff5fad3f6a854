// SPDX-License-Identifier: BSD-3-Clause
// edid_fuzz.cc: libFuzzer entry for the EDID parser; seeds in testdata/.
// The build line stands in BUILD; then: edid_fuzz CORPUS testdata -max_total_time=60
// Invariant: no input faults, hangs, or breaks a promise of edid.h.
// Read on: edid_mutator.h.
#include <cstdio>
#include <cstdlib>

#include "drivers/hdmi_example/edid/edid_mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data, data + size);
  std::string broken = uwq::hdmi::ExerciseEdid(bytes);
  // Most mutations only break a sum; look behind it as well.
  for (size_t block = 0; block + 128 <= bytes.size(); block += 128) {
    bytes[block + 127] = uwq::hdmi::EdidChecksum(absl::MakeConstSpan(bytes).subspan(block, 128));
  }
  if (broken.empty()) broken = uwq::hdmi::ExerciseEdid(bytes);
  if (!broken.empty()) {
    fprintf(stderr, "broken promise: %s\n", broken.c_str());
    abort();
  }
  return 0;
}
