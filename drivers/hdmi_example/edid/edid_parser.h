// SPDX-License-Identifier: BSD-3-Clause
// edid_parser.h: the parser's own parts, shared by its source files.
// Invariant: Block::at() is the only way to a byte and checks its offset.
// Read on: edid.h.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_PARSER_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_PARSER_H_

#include <string>
#include <utility>
#include <vector>

#include "drivers/hdmi_example/edid/edid.h"

namespace uwq::hdmi::edid_internal {

// A run of bytes inside one block, with its place for the reports.
class Block {
 public:
  Block(absl::Span<const uint8_t> bytes, int number, int base)
      : bytes_(bytes), number_(number), base_(base) {}
  // 0 past the end: a field that is not there reads as "not stated".
  uint8_t at(int i) const {
    return i >= 0 && i < size() ? bytes_[static_cast<size_t>(i)] : uint8_t{0};
  }
  int size() const { return static_cast<int>(bytes_.size()); }
  int number() const { return number_; }
  int base() const { return base_; }  // offset of byte 0 inside the block
  Block Sub(int from, int length) const {
    from = from < 0 ? 0 : (from > size() ? size() : from);
    length = length < 0 ? 0 : (length > size() - from ? size() - from : length);
    return Block(bytes_.subspan(static_cast<size_t>(from), static_cast<size_t>(length)), number_,
                 base_ + from);
  }

 private:
  absl::Span<const uint8_t> bytes_;
  int number_;
  int base_;
};

class Parser {
 public:
  explicit Parser(std::vector<EdidIssue>& issues) : issues_(issues) {}

  Edid edid;

  void ParseBase(const Block& block);
  void ParseCta(const Block& block);
  // Applies what refers to all blocks: the 4:2:0 map, and the order of modes.
  void Finish();

  void Report(EdidSeverity severity, const Block& block, int offset, std::string what) {
    issues_.push_back({severity, block.number(), block.base() + offset, std::move(what)});
  }

 private:
  void ParseDescriptor(const Block& d, bool first);
  void ParseStandardTiming(const Block& bytes, ModeSource source);
  bool ParseDetailed(const Block& d, ModeSource source, bool preferred, bool native);
  void ParseRange(const Block& d);

  void ParseDataBlocks(const Block& collection);
  void ParseVideo(const Block& payload, ModeSource source);
  void ParseAudio(const Block& payload);
  void ParseVendor(const Block& payload);
  void ParseExtended(const Block& payload);
  void ParseHdmiVsdb(const Block& payload);
  // `fields` starts at the version byte.
  void ParseForum(const Block& fields);

  void AddMode(const EdidMode& mode);
  void AddVic(int vic, const Block& at, int offset, ModeSource source, bool native);

  std::vector<EdidIssue>& issues_;
  std::vector<int> svd_vics_;  // in order, for the 4:2:0 capability map
  std::vector<uint8_t> map420_;
  bool map420_all_ = false;
};

}  // namespace uwq::hdmi::edid_internal

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDID_PARSER_H_
