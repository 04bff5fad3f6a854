// SPDX-License-Identifier: BSD-3-Clause
//
// sim_socket.h -- the unix socket over which a process that plays the device
// hands out channel memory (sim:NAME), and its in-process twin (fake:NAME).
//
// Invariant: one struct kup_attach_args per packet in either direction; descriptors
// travel with the answer only.  Read on in kup_abi.h, "asking for a channel".
#ifndef UWQ_KUP_BRIDGE_SIM_SOCKET_H_
#define UWQ_KUP_BRIDGE_SIM_SOCKET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kup_bridge/kup_abi.h"
#include "kup_bridge/ring_map.h"

namespace uwq::kup {

inline constexpr absl::string_view kSimPrefix = "sim:";
inline constexpr absl::string_view kFakePrefix = "fake:";

// Listens at sim:`name`.  ALREADY_EXISTS if somebody listens there; a dead
// socket file is replaced.  `mode`: permission bits of a socket file.
absl::StatusOr<Fd> ListenSim(absl::string_view name, unsigned mode);
// Connects to it.  NOT_FOUND if nobody listens, PERMISSION_DENIED.
absl::StatusOr<Fd> ConnectSim(absl::string_view name);

// Sends one packet.  Returns 0 or -errno.
int SendAttach(int socket, const kup_attach_args& message, const std::vector<int>& fds);
// Receives one packet; never blocks.  1, 0 at the end of the connection, -EAGAIN
// or another -errno; -EPROTO for a packet of the wrong size.
int ReceiveAttach(int socket, kup_attach_args* message, std::vector<Fd>* fds);

// A descriptor that becomes readable when the process that connected `socket` has ended.
// Invalid where there is none to be had (before Linux 5.3, another PID namespace).
Fd PeerProcess(int socket);

// May the process at the other end of `socket` have a device with these
// permission bits?  Its user is compared with ours; root may always.
bool PeerAllowed(int socket, unsigned mode);

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_SIM_SOCKET_H_
