// SPDX-License-Identifier: BSD-3-Clause
//
// realtime.h -- CLOCK_REALTIME of a test program, which jumps on command (F44): its own
// clock_gettime(), time() and gettimeofday() stand before the C library's, for the
// libraries that it uses as well.
#ifndef UWQ_TESTS_HDMI_REALTIME_H_
#define UWQ_TESTS_HDMI_REALTIME_H_

#include <cstdint>

namespace uwq::hdmi {

// By so much from now on, for whoever reads it.
void JumpRealtime(int64_t ns);
// How often it was read.
int64_t RealtimeReads();

}  // namespace uwq::hdmi

#endif  // UWQ_TESTS_HDMI_REALTIME_H_
