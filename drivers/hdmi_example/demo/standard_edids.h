// SPDX-License-Identifier: BSD-3-Clause
//
// standard_edids.h -- the EDIDs of the standard sinks as hex text, by slot, so that a
// program needs no files.
// Invariant: they are those of ../edid/testdata; the build writes them into a source.
// Read on: BUILD.
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_STANDARD_EDIDS_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_STANDARD_EDIDS_H_

namespace uwq::hdmi {

// As EdidFromFileContents() takes it.
extern const char* const kStandardEdidText[4];

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_DEMO_STANDARD_EDIDS_H_
