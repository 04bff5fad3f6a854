// SPDX-License-Identifier: BSD-3-Clause
// eddc.h: reads all blocks of an EDID over E-DDC, as a state machine without a
// bus and without a clock.
//
// Invariant: the reader never asks for a block whose predecessors are not
// settled, never asks for one block more than `attempts` times, and ends.
//
// The driver's EDID work asks Next(), performs the transfer, and tells Done().
//
//   EdidReader reader;
//   for (;;) {
//     EdidReader::Step step = reader.Next();
//     if (step.action == EdidReader::Action::kFinished) break;
//     // kRetryLater: re-arm the delayed work by step.delay_ms, then go on.
//     bytes_or = bus.Transfer(step.messages);
//     reader.Done(bytes_or);
//   }
//
// Threads: one at a time.  Blocks: never.  Deadlocks: none.
// Read on: edid.h (what the bytes mean).
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDDC_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDDC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "drivers/hdmi_example/edid/ddc_message.h"
#include "drivers/hdmi_example/edid/edid.h"

namespace uwq::hdmi {

// The transfer for one block: for blocks 2 and up the segment pointer goes first
// in the same transfer.  `block` is 0..255.
std::vector<DdcMessage> EddcBlockTransfer(int block);

class EdidReader {
 public:
  enum class Action {
    kTransfer,    // perform step.messages, then Done()
    kRetryLater,  // the same, but not before step.delay_ms have passed
    kFinished,    // see result()
  };
  struct Step {
    Action action = Action::kFinished;
    int block = 0;
    int delay_ms = 0;
    std::vector<DdcMessage> messages;
  };

  // `attempts` per block (Linux: 5), `retry_ms` between two of them.
  explicit EdidReader(int attempts = 5, int retry_ms = 100)
      : attempts_(attempts < 1 ? 1 : attempts), retry_ms_(retry_ms) {}

  // What to do now.  Does not change the state; may be asked twice.
  Step Next() const;

  // The outcome of the transfer of Next(): the bytes read, or why not.
  void Done(const absl::StatusOr<std::vector<uint8_t>>& bytes);

  bool finished() const { return finished_; }

  // Once finished.  OK: the blocks that could be read; some may be missing, see
  // warnings().  Errors: that of the last attempt at block 0.
  absl::StatusOr<std::vector<uint8_t>> result() const;

  // Extension blocks that were given up, one line each.
  const std::vector<std::string>& warnings() const { return warnings_; }

  int retries() const { return retries_; }

 private:
  void Advance();

  const int attempts_;
  const int retry_ms_;
  std::vector<uint8_t> bytes_;
  std::vector<std::string> warnings_;
  absl::Status failure_;
  int block_ = 0;
  int tries_ = 0;  // of block_
  int retries_ = 0;
  bool finished_ = false;
};

}  // namespace uwq::hdmi

#endif  // UWQ_DRIVERS_HDMI_EXAMPLE_EDID_EDDC_H_
