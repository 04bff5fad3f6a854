// SPDX-License-Identifier: BSD-3-Clause
//
// eventfd.h -- signals through eventfds, one's own and those that a peer holds, too.
//
// Descriptors that were passed on share one open file description, its flags included:
// a peer may clear O_NONBLOCK whenever it likes, and fill the counter.
// Invariant: nothing here blocks, whatever the peer does meanwhile.
#ifndef UWQ_KUP_BRIDGE_EVENTFD_H_
#define UWQ_KUP_BRIDGE_EVENTFD_H_

namespace uwq::kup {

// Makes an eventfd readable.  `fd` is our own: nobody else holds it.
void SignalOwn(int fd);
// Likewise one that a peer holds, too; without effect on anything but an eventfd.
void SignalShared(int fd);
// Takes the signal off it, whoever holds it; true if there was one.
bool DrainEventFd(int fd);

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_EVENTFD_H_
