// SPDX-License-Identifier: BSD-3-Clause
// dmt_table.cc: the monitor timings of VESA DMT, and the three lists of
// established timings of an EDID, which point into them.
//
// Invariant: borders are folded into the porches, so that active + blanking is
// the total in each row.
// Read on: timing.h.
#include <algorithm>

#include "drivers/hdmi_example/video/timing.h"

namespace uwq::hdmi {
namespace {

// DMT id, the two bytes of a standard timing (0 where none), reduced blanking,
// then the timing as in vic_table.cc.
constexpr DmtFormat kDmts[] = {
    {0x01, 0, 0, false, {640, 32, 64, 96, 350, 32, 3, 60, 31500, kHPos, 1}},
    {0x02, 0x31, 0x19, false, {640, 32, 64, 96, 400, 1, 3, 41, 31500, kVPos, 1}},
    {0x03, 0, 0, false, {720, 36, 72, 108, 400, 1, 3, 42, 35500, kVPos, 1}},
    {0x04, 0x31, 0x40, false, {640, 16, 96, 48, 480, 10, 2, 33, 25175, 0, 1}},
    {0x05, 0x31, 0x4c, false, {640, 24, 40, 128, 480, 9, 3, 28, 31500, 0, 1}},
    {0x06, 0x31, 0x4f, false, {640, 16, 64, 120, 480, 1, 3, 16, 31500, 0, 1}},
    {0x07, 0x31, 0x59, false, {640, 56, 56, 80, 480, 1, 3, 25, 36000, 0, 1}},
    {0x08, 0, 0, false, {800, 24, 72, 128, 600, 1, 2, 22, 36000, kHPos | kVPos, 1}},
    {0x09, 0x45, 0x40, false, {800, 40, 128, 88, 600, 1, 4, 23, 40000, kHPos | kVPos, 1}},
    {0x0a, 0x45, 0x4c, false, {800, 56, 120, 64, 600, 37, 6, 23, 50000, kHPos | kVPos, 1}},
    {0x0b, 0x45, 0x4f, false, {800, 16, 80, 160, 600, 1, 3, 21, 49500, kHPos | kVPos, 1}},
    {0x0c, 0x45, 0x59, false, {800, 32, 64, 152, 600, 1, 3, 27, 56250, kHPos | kVPos, 1}},
    {0x0d, 0, 0, true, {800, 48, 32, 80, 600, 3, 4, 29, 73250, kHPos, 1}},
    {0x0e, 0, 0, false, {848, 16, 112, 112, 480, 6, 8, 23, 33750, kHPos | kVPos, 1}},
    {0x0f, 0, 0, false, {1024, 8, 176, 56, 768, 0, 4, 20, 44900, kHPos | kVPos | kInterlaced, 1}},
    {0x10, 0x61, 0x40, false, {1024, 24, 136, 160, 768, 3, 6, 29, 65000, 0, 1}},
    {0x11, 0x61, 0x4c, false, {1024, 24, 136, 144, 768, 3, 6, 29, 75000, 0, 1}},
    {0x12, 0x61, 0x4f, false, {1024, 16, 96, 176, 768, 1, 3, 28, 78750, kHPos | kVPos, 1}},
    {0x13, 0x61, 0x59, false, {1024, 48, 96, 208, 768, 1, 3, 36, 94500, kHPos | kVPos, 1}},
    {0x14, 0, 0, true, {1024, 48, 32, 80, 768, 3, 4, 38, 115500, kHPos, 1}},
    {0x15, 0x71, 0x4f, false, {1152, 64, 128, 256, 864, 1, 3, 32, 108000, kHPos | kVPos, 1}},
    {0x16, 0, 0, true, {1280, 48, 32, 80, 768, 3, 7, 12, 68250, kHPos, 1}},
    {0x17, 0, 0, false, {1280, 64, 128, 192, 768, 3, 7, 20, 79500, kVPos, 1}},
    {0x18, 0, 0, false, {1280, 80, 128, 208, 768, 3, 7, 27, 102250, kVPos, 1}},
    {0x19, 0, 0, false, {1280, 80, 136, 216, 768, 3, 7, 31, 117500, kVPos, 1}},
    {0x1a, 0, 0, false, {1280, 48, 32, 80, 768, 3, 7, 35, 140250, kHPos, 1}},
    {0x1b, 0, 0, true, {1280, 48, 32, 80, 800, 3, 6, 14, 71000, kHPos, 1}},
    {0x1c, 0x81, 0x00, false, {1280, 72, 128, 200, 800, 3, 6, 22, 83500, kVPos, 1}},
    {0x1d, 0x81, 0x0f, false, {1280, 80, 128, 208, 800, 3, 6, 29, 106500, kVPos, 1}},
    {0x1e, 0x81, 0x19, false, {1280, 80, 136, 216, 800, 3, 6, 34, 122500, kVPos, 1}},
    {0x1f, 0, 0, true, {1280, 48, 32, 80, 800, 3, 6, 38, 146250, kHPos, 1}},
    {0x20, 0x81, 0x40, false, {1280, 96, 112, 312, 960, 1, 3, 36, 108000, kHPos | kVPos, 1}},
    {0x21, 0x81, 0x59, false, {1280, 64, 160, 224, 960, 1, 3, 47, 148500, kHPos | kVPos, 1}},
    {0x22, 0, 0, true, {1280, 48, 32, 80, 960, 3, 4, 50, 175500, kHPos, 1}},
    {0x23, 0x81, 0x80, false, {1280, 48, 112, 248, 1024, 1, 3, 38, 108000, kHPos | kVPos, 1}},
    {0x24, 0x81, 0x8f, false, {1280, 16, 144, 248, 1024, 1, 3, 38, 135000, kHPos | kVPos, 1}},
    {0x25, 0x81, 0x99, false, {1280, 64, 160, 224, 1024, 1, 3, 44, 157500, kHPos | kVPos, 1}},
    {0x26, 0, 0, true, {1280, 48, 32, 80, 1024, 3, 7, 50, 187250, kHPos, 1}},
    {0x27, 0, 0, false, {1360, 64, 112, 256, 768, 3, 6, 18, 85500, kHPos | kVPos, 1}},
    {0x28, 0, 0, true, {1360, 48, 32, 80, 768, 3, 5, 37, 148250, kHPos, 1}},
    {0x29, 0, 0, true, {1400, 48, 32, 80, 1050, 3, 4, 23, 101000, kHPos, 1}},
    {0x2a, 0x90, 0x40, false, {1400, 88, 144, 232, 1050, 3, 4, 32, 121750, kVPos, 1}},
    {0x2b, 0x90, 0x4f, false, {1400, 104, 144, 248, 1050, 3, 4, 42, 156000, kVPos, 1}},
    {0x2c, 0x90, 0x59, false, {1400, 104, 152, 256, 1050, 3, 4, 48, 179500, kVPos, 1}},
    {0x2d, 0, 0, true, {1400, 48, 32, 80, 1050, 3, 4, 55, 208000, kHPos, 1}},
    {0x2e, 0, 0, true, {1440, 48, 32, 80, 900, 3, 6, 17, 88750, kHPos, 1}},
    {0x2f, 0x95, 0x00, false, {1440, 80, 152, 232, 900, 3, 6, 25, 106500, kVPos, 1}},
    {0x30, 0x95, 0x0f, false, {1440, 96, 152, 248, 900, 3, 6, 33, 136750, kVPos, 1}},
    {0x31, 0x95, 0x19, false, {1440, 104, 152, 256, 900, 3, 6, 39, 157000, kVPos, 1}},
    {0x32, 0, 0, true, {1440, 48, 32, 80, 900, 3, 6, 44, 182750, kHPos, 1}},
    {0x33, 0xa9, 0x40, false, {1600, 64, 192, 304, 1200, 1, 3, 46, 162000, kHPos | kVPos, 1}},
    {0x34, 0xa9, 0x45, false, {1600, 64, 192, 304, 1200, 1, 3, 46, 175500, kHPos | kVPos, 1}},
    {0x35, 0xa9, 0x4a, false, {1600, 64, 192, 304, 1200, 1, 3, 46, 189000, kHPos | kVPos, 1}},
    {0x36, 0xa9, 0x4f, false, {1600, 64, 192, 304, 1200, 1, 3, 46, 202500, kHPos | kVPos, 1}},
    {0x37, 0xa9, 0x59, false, {1600, 64, 192, 304, 1200, 1, 3, 46, 229500, kHPos | kVPos, 1}},
    {0x38, 0, 0, true, {1600, 48, 32, 80, 1200, 3, 4, 64, 268250, kHPos, 1}},
    {0x39, 0, 0, true, {1680, 48, 32, 80, 1050, 3, 6, 21, 119000, kHPos, 1}},
    {0x3a, 0xb3, 0x00, false, {1680, 104, 176, 280, 1050, 3, 6, 30, 146250, kVPos, 1}},
    {0x3b, 0xb3, 0x0f, false, {1680, 120, 176, 296, 1050, 3, 6, 40, 187000, kVPos, 1}},
    {0x3c, 0xb3, 0x19, false, {1680, 128, 176, 304, 1050, 3, 6, 46, 214750, kVPos, 1}},
    {0x3d, 0, 0, true, {1680, 48, 32, 80, 1050, 3, 6, 53, 245500, kHPos, 1}},
    {0x3e, 0xc1, 0x40, false, {1792, 128, 200, 328, 1344, 1, 3, 46, 204750, kVPos, 1}},
    {0x3f, 0xc1, 0x4f, false, {1792, 96, 216, 352, 1344, 1, 3, 69, 261000, kVPos, 1}},
    {0x40, 0, 0, true, {1792, 48, 32, 80, 1344, 3, 4, 72, 333250, kHPos, 1}},
    {0x41, 0xc9, 0x40, false, {1856, 96, 224, 352, 1392, 1, 3, 43, 218250, kVPos, 1}},
    {0x42, 0xc9, 0x4f, false, {1856, 128, 224, 352, 1392, 1, 3, 104, 288000, kVPos, 1}},
    {0x43, 0, 0, true, {1856, 48, 32, 80, 1392, 3, 4, 74, 356500, kHPos, 1}},
    {0x44, 0, 0, true, {1920, 48, 32, 80, 1200, 3, 6, 26, 154000, kHPos, 1}},
    {0x45, 0xd1, 0x00, false, {1920, 136, 200, 336, 1200, 3, 6, 36, 193250, kVPos, 1}},
    {0x46, 0xd1, 0x0f, false, {1920, 136, 208, 344, 1200, 3, 6, 46, 245250, kVPos, 1}},
    {0x47, 0xd1, 0x19, false, {1920, 144, 208, 352, 1200, 3, 6, 53, 281250, kVPos, 1}},
    {0x48, 0, 0, true, {1920, 48, 32, 80, 1200, 3, 6, 62, 317000, kHPos, 1}},
    {0x49, 0xd1, 0x40, false, {1920, 128, 208, 344, 1440, 1, 3, 56, 234000, kVPos, 1}},
    {0x4a, 0xd1, 0x4f, false, {1920, 144, 224, 352, 1440, 1, 3, 56, 297000, kVPos, 1}},
    {0x4b, 0, 0, true, {1920, 48, 32, 80, 1440, 2, 3, 78, 380500, kHPos, 1}},
    {0x4c, 0, 0, true, {2560, 48, 32, 80, 1600, 3, 6, 37, 268500, kHPos, 1}},
    {0x4d, 0, 0, false, {2560, 192, 280, 472, 1600, 3, 6, 49, 348500, kVPos, 1}},
    {0x4e, 0, 0, false, {2560, 208, 280, 488, 1600, 3, 6, 63, 443250, kVPos, 1}},
    {0x4f, 0, 0, false, {2560, 208, 280, 488, 1600, 3, 6, 73, 505250, kVPos, 1}},
    {0x50, 0, 0, true, {2560, 48, 32, 80, 1600, 3, 6, 85, 552750, kHPos, 1}},
    {0x51, 0, 0, false, {1366, 70, 143, 213, 768, 3, 3, 24, 85500, kHPos | kVPos, 1}},
    {0x52, 0xd1, 0xc0, false, {1920, 88, 44, 148, 1080, 4, 5, 36, 148500, kHPos | kVPos, 1}},
    {0x53, 0xa9, 0xc0, true, {1600, 24, 80, 96, 900, 1, 3, 96, 108000, kHPos | kVPos, 1}},
    {0x54, 0xe1, 0xc0, true, {2048, 26, 80, 96, 1152, 1, 3, 44, 162000, kHPos | kVPos, 1}},
    {0x55, 0x81, 0xc0, false, {1280, 110, 40, 220, 720, 5, 5, 20, 74250, kHPos | kVPos, 1}},
    {0x56, 0, 0, true, {1366, 14, 56, 64, 768, 1, 3, 28, 72000, kHPos | kVPos, 1}},
    {0x57, 0, 0, true, {4096, 8, 32, 40, 2160, 48, 8, 6, 556744, kHPos, 1}},
    {0x58, 0, 0, true, {4096, 8, 32, 40, 2160, 48, 8, 6, 556188, kHPos, 1}},
};

// Bytes 0x23..0x25 of the base block, most significant bit first; id 0: not a
// DMT timing, the row stands in kOldTimings instead.
constexpr uint8_t kEstablished[] = {
    0x00, 0x00, 0x04, 0x00, 0x05, 0x06, 0x08, 0x09, 0x0a,
    0x0b, 0x00, 0x0f, 0x10, 0x11, 0x12, 0x24, 0x00,
};

// In the order in which kEstablished says 0.
constexpr Timing kOldTimings[] = {
    {720, 18, 108, 54, 400, 21, 2, 26, 28320, kVPos, 1},
    {720, 18, 108, 54, 400, 12, 2, 35, 35500, kVPos, 1},
    {640, 64, 64, 96, 480, 3, 3, 39, 30240, 0, 1},
    {832, 32, 64, 224, 624, 1, 3, 39, 57284, 0, 1},
    {1152, 48, 128, 128, 870, 3, 3, 39, 100000, kHPos | kVPos, 1},
};

// Bytes 6..11 of the established timings III descriptor (tag 0xf7).
constexpr uint8_t kEstablished3[] = {
    0x01, 0x02, 0x03, 0x07, 0x0e, 0x0c, 0x13, 0x15, 0x16, 0x17, 0x18, 0x19, 0x20, 0x21, 0x23,
    0x25, 0x27, 0x2e, 0x2f, 0x30, 0x31, 0x29, 0x2a, 0x2b, 0x2c, 0x39, 0x3a, 0x3b, 0x3c, 0x33,
    0x34, 0x35, 0x36, 0x37, 0x3e, 0x3f, 0x41, 0x42, 0x44, 0x45, 0x46, 0x47, 0x49, 0x4a,
};

}  // namespace

absl::Span<const DmtFormat> AllDmts() { return kDmts; }

const DmtFormat* FindDmt(int id) {
  const auto* end = std::end(kDmts);
  const auto* it =
      std::find_if(std::begin(kDmts), end, [id](const DmtFormat& f) { return f.id == id; });
  return it != end ? it : nullptr;
}

const DmtFormat* FindStandardTiming(uint8_t byte1, uint8_t byte2) {
  for (const DmtFormat& format : kDmts) {
    if (format.std1 != 0 && format.std1 == byte1 && format.std2 == byte2) return &format;
  }
  return nullptr;
}

const DmtFormat* FindDmtBySize(int width, int height, int hz) {
  const DmtFormat* reduced = nullptr;
  for (const DmtFormat& format : kDmts) {
    const Timing& t = format.timing;
    if (t.hactive != width || t.vactive != height || t.interlaced()) continue;
    if (static_cast<int>((t.RefreshMilliHz() + 500) / 1000) != hz) continue;
    if (!format.reduced_blanking) return &format;
    if (reduced == nullptr) reduced = &format;
  }
  return reduced;
}

const Timing* EstablishedTiming(int index) {
  if (index < 0 || index >= static_cast<int>(std::size(kEstablished))) return nullptr;
  if (kEstablished[index] != 0) return &FindDmt(kEstablished[index])->timing;
  const auto old = std::count(kEstablished, kEstablished + index, 0);
  return &kOldTimings[old];
}

const Timing* EstablishedTiming3(int index) {
  if (index < 0 || index >= static_cast<int>(std::size(kEstablished3))) return nullptr;
  return &FindDmt(kEstablished3[index])->timing;
}

}  // namespace uwq::hdmi
