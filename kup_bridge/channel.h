// SPDX-License-Identifier: BSD-3-Clause
//
// channel.h -- the user's end of a channel: endpoint.h plus mapped memory.
//
// Invariant: nothing is read from the shared pages twice to decide one thing;
// the geometry is copied once, checked, and used from the copy.
#ifndef UWQ_KUP_BRIDGE_CHANNEL_H_
#define UWQ_KUP_BRIDGE_CHANNEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kup_bridge/endpoint.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/ring_map.h"
#include "kup_bridge/sleeper.h"
#include "kup_bridge/transport.h"
#include "workqueue/base/sync.h"

// The first member is the endpoint: its callbacks cast back.
struct kup_chan {
  kup_end end = {};
  kup_dev* dev = nullptr;
  kup_geometry geometry = {};
  kup_dev_page* dev_page = nullptr;
  kup_user_page* user_page = nullptr;
  const kup_counters* groups = nullptr;
  uint64_t* params = nullptr;
  uwq::base::Atomic<int64_t> hangup_checked_ns{0};
  unsigned long reserve_flags = 0;  // between kup_reserve and kup_commit, under tx_lock
  std::unique_ptr<uwq::kup::Link> link;
  uwq::kup::Mapping map_dev, map_d2u, map_user, map_u2d, map_frames_d2u, map_frames_u2d;
  uwq::kup::Sleeper sleeper;
  int poll_fd = -1;  // the sleeper's
};

struct kup_dev {
  std::string name;
  std::unique_ptr<uwq::kup::Transport> transport;
  uwq::base::Mutex mu;
  std::vector<kup_chan*> channels ABSL_GUARDED_BY(mu);
  uwq::base::Atomic<int> kup_error{EKU_NONE};
};

namespace uwq::kup {

// Copies and checks what the device says about itself.  `dev_len`, `user_len` and
// the pool lengths are what the transport vouches for.
absl::Status ReadGeometry(const kup_dev_page* page, const Link& link, kup_geometry* geometry,
                          uint32_t* d2u_off, uint32_t* u2d_off);

// Copies a group of counters when it stands still.
int ReadCounters(const kup_counters* group, uint64_t* values, uint32_t n);

// kup_resend, and what became of the rest.
struct Resent {
  int sent = 0;
  int left = 0;   // records that the new device did not get
  int error = 0;  // why
};
Resent Resend(kup_chan* old, kup_chan* fresh, int timeout_ms);

// Remembers the text for kup_error_text(); returns its errno.
int Fail(const absl::Status& status);
int Fail(int error, absl::string_view text);

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_CHANNEL_H_
