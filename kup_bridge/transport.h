// SPDX-License-Identifier: BSD-3-Clause
//
// transport.h -- how a user reaches a device: one interface, three ways (a unix
// socket to a process that plays the device, the kernel's /dev/kup-NAME, a BPF
// program of the running kernel).
//
// Invariant: what a transport delivers is untrusted; channel.cc checks the
// geometry against the sizes stated here, and the transport has checked that the
// memory really has these sizes and cannot shrink.
#ifndef UWQ_KUP_BRIDGE_TRANSPORT_H_
#define UWQ_KUP_BRIDGE_TRANSPORT_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kup_bridge/kup_abi.h"
#include "kup_bridge/ring_map.h"
#include "workqueue/base/sync.h"

namespace uwq::kup {

// A channel as delivered: descriptors to map, and how to wake each other.
struct Link {
  struct Region {
    int fd = -1;          // one of `owned`
    uint64_t offset = 0;  // of the region in `fd`
    uint64_t len = 0;
  };
  Region dev, user, frames_d2u, frames_u2d;
  int wake_fd = -1;      // eventfd: look at the rings
  int hangup_fd = -1;    // hangs up when the device is gone
  int signal_fd = -1;    // eventfd that wakes the device; -1: `doorbell_fd`
  int doorbell_fd = -1;  // KUP_IOC_DOORBELL; -1: a device that never waits for us
  // A second descriptor that wakes us, for a device that cannot write an eventfd.
  // `drain_bell` makes it unreadable and says whether it was readable.
  int bell_fd = -1;
  std::function<bool()> drain_bell;
  // Brings records from a ring of another layout into ours; how many.  Called by one
  // thread at a time, when ours is empty.
  std::function<int()> pull;
  bool receive_only = false;
  // What else must live as long as the mappings.
  std::shared_ptr<void> keep;
  uint32_t channel = 0;
  uint32_t generation = 0;
  Fd owned[KUP_FD_MAX + 1];
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual uint32_t n_channels() const = 0;
  // Blocks until `deadline_ns` for a channel that is taken.  Errors: the errno
  // of kup.h, with the offending value in the message.
  virtual absl::StatusOr<std::unique_ptr<Link>> Attach(uint32_t channel,
                                                       base::Nanos deadline_ns) = 0;
  // The device region alone, read-only.
  virtual absl::StatusOr<std::unique_ptr<Link>> Observe(uint32_t channel) = 0;
};

// Chooses by the form of `name`.
absl::StatusOr<std::unique_ptr<Transport>> OpenTransport(absl::string_view name);
absl::StatusOr<std::unique_ptr<Transport>> OpenSocketTransport(absl::string_view name);
absl::StatusOr<std::unique_ptr<Transport>> OpenDeviceTransport(absl::string_view path);
// Weak: a program that does not link //kup_bridge:bpf needs no libbpf.
absl::StatusOr<std::unique_ptr<Transport>> OpenBpfTransport(absl::string_view name)
    __attribute__((weak));

// A status that carries an errno for the C API, and the way back.
absl::Status ErrnoStatus(int error, absl::string_view message);
int ErrnoOf(const absl::Status& status);

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_TRANSPORT_H_
