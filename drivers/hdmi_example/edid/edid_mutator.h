// SPDX-License-Identifier: BSD-3-Clause
// edid_mutator.h: what the fuzz target and the mutation test both do with a
// piece of input, and the seeded mutations of the latter.
// Invariant: exercises every public function that takes bytes from outside.
// Read on: tests/fuzz/edid_fuzz.cc, edid_mutation_test.cc.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_MUTATOR_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_MUTATOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "drivers/hdmi_example/edid/eddc.h"
#include "drivers/hdmi_example/edid/edid.h"
#include "drivers/hdmi_example/video/info_frame.h"
#include "drivers/hdmi_example/video/mode_choice.h"

namespace uwq::hdmi {

// Returns what went against a promise, or nothing.
inline std::string ExerciseEdid(absl::Span<const uint8_t> bytes) {
  std::vector<EdidIssue> issues;
  const auto tolerant = ParseEdid(bytes, {}, &issues);
  if (tolerant.ok()) {
    if (EdidReport(*tolerant, issues).empty()) return "empty report";
    for (const EdidMode& mode : tolerant->modes) {
      if (mode.timing.htotal() == 0 || mode.timing.vtotal() == 0) return "mode without a size";
      if (mode.vic != 0 && FindVic(mode.vic) == nullptr) return "mode with an unknown VIC";
    }
    const LinkMode mode = ChooseMode(*tolerant, SourceLimits());
    for (const InfoFrame& frame :
         InfoFramesFor(mode, *tolerant, {ContentType::kGame, HdrMetadata()})) {
      if (!CheckInfoFrame(frame).ok()) return "an InfoFrame that is none";
    }
    if (tolerant->block_tags.size() > static_cast<size_t>(kEdidBlocksMax)) return "too many blocks";
  } else if (tolerant.status().message().empty()) {
    return "error without a message";
  }
  for (const EdidIssue& issue : issues) {
    if (issue.offset < 0 || issue.offset > kEdidBlockBytes) return "issue outside of a block";
  }
  const auto strict = ParseEdid(bytes, EdidOptions{.strict = true});
  if (strict.ok() && !tolerant.ok()) return "strict takes what tolerant refuses";
  // The same bytes as if they came from the bus, block by block.
  EdidReader reader(2, 0);
  int transfers = 0;
  while (!reader.finished()) {
    if (++transfers > 2 * kEdidBlocksMax) return "the reader does not end";
    const size_t from = static_cast<size_t>(reader.Next().block) * kEdidBlockBytes;
    if (from + kEdidBlockBytes > bytes.size()) {
      reader.Done(absl::UnavailableError("NAK"));
      continue;
    }
    const auto block = bytes.subspan(from, kEdidBlockBytes);
    reader.Done(std::vector<uint8_t>(block.begin(), block.end()));
  }
  (void)EdidFromFileContents(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  return "";
}

// A generator that any library would do for; here so that a seed printed by a
// failing test means the same bytes everywhere.
class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  size_t Below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(Next() % n); }

 private:
  uint64_t state_;
};

// A few random changes; mostly with the sums put right again, so that the parts
// behind the checksum are reached.
inline void MutateEdid(std::vector<uint8_t>& bytes, SplitMix& random) {
  const size_t changes = 1 + random.Below(6);
  for (size_t i = 0; i < changes && !bytes.empty(); ++i) {
    const size_t at = random.Below(bytes.size());
    switch (random.Below(6)) {
      case 0:
        bytes[at] ^= static_cast<uint8_t>(1u << random.Below(8));
        break;
      case 1:
        bytes[at] = static_cast<uint8_t>(random.Next());
        break;
      case 2:
        bytes[at] = random.Below(2) ? 0xff : 0x00;
        break;
      case 3:
        bytes.resize(random.Below(bytes.size() + 64));
        break;
      case 4:
        // The places where lengths and counts stand are worth more attention.
        if (bytes.size() > 160) bytes[128 + random.Below(32)] = static_cast<uint8_t>(random.Next());
        break;
      default:
        if (bytes.size() > 126) bytes[126] = static_cast<uint8_t>(random.Below(5));
    }
  }
  if (random.Below(4) == 0) return;
  for (size_t block = 0; block + kEdidBlockBytes <= bytes.size(); block += kEdidBlockBytes) {
    bytes[block + 127] = EdidChecksum(absl::MakeConstSpan(bytes).subspan(block, kEdidBlockBytes));
  }
}

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_MUTATOR_H_
