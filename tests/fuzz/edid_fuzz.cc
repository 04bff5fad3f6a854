// SPDX-License-Identifier: BSD-3-Clause
// edid_fuzz.cc: libFuzzer entry for everything that takes EDID bytes: the parser, the
// block reader, mode choice, InfoFrames, and the reader of files.
// Its corpus are the project's own screens, drivers/hdmi_example/edid/testdata.
// Invariant: no input faults, hangs, or breaks a promise of edid.h.
// Read on: drivers/hdmi_example/edid/edid_mutator.h.
#include <cstdio>
#include <cstdlib>

#include "drivers/hdmi_example/edid/edid_mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)uwq::hdmi::EdidFromFileContents({reinterpret_cast<const char*>(data), size});
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
