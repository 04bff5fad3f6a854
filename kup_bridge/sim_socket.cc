// SPDX-License-Identifier: BSD-3-Clause
#include "kup_bridge/sim_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace uwq::kup {

namespace {

// An abstract name, or a path if there is a slash in it.
absl::StatusOr<socklen_t> AddressOf(absl::string_view name, sockaddr_un* address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  std::string text(name);
  if (name.empty() || name.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError("kup: empty device name");
  }
  const bool is_path = name.find('/') != absl::string_view::npos;
  if (!is_path) text = absl::StrCat(std::string(1, '\0'), "uwq-kup/", name);
  if ((!is_path && name.size() >= KUP_NAME_MAX) || text.size() >= sizeof address->sun_path) {
    return absl::InvalidArgumentError(
        absl::StrCat("kup: device name of ", name.size(), " characters is too long: ", name));
  }
  memcpy(address->sun_path, text.data(), text.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (is_path ? 1 : 0));
}

}  // namespace

absl::StatusOr<Fd> ListenSim(absl::string_view name, unsigned mode) {
  sockaddr_un address;
  absl::StatusOr<socklen_t> len = AddressOf(name, &address);
  if (!len.ok()) return len.status();
  Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "kup: socket");
  const bool is_path = address.sun_path[0] != '\0';
  if (is_path && ConnectSim(name).status().code() == absl::StatusCode::kNotFound) {
    // Nobody answers: left behind by a device that was killed (or not there, or no socket).
    struct stat st;
    if (lstat(address.sun_path, &st) == 0 && S_ISSOCK(st.st_mode)) (void)unlink(address.sun_path);
  }
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), *len) != 0) {
    if (errno == EADDRINUSE) {
      return absl::AlreadyExistsError(absl::StrCat("kup: device ", name, " exists"));
    }
    return absl::ErrnoToStatus(errno, absl::StrCat("kup: bind of ", name));
  }
  if (is_path && chmod(address.sun_path, mode & 0777) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("kup: chmod of ", name));
  }
  if (listen(fd.get(), 64) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("kup: listen on ", name));
  }
  return fd;
}

absl::StatusOr<Fd> ConnectSim(absl::string_view name) {
  sockaddr_un address;
  absl::StatusOr<socklen_t> len = AddressOf(name, &address);
  if (!len.ok()) return len.status();
  Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "kup: socket");
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), *len) != 0) {
    if (errno == ECONNREFUSED || errno == ENOENT) {
      return absl::NotFoundError(absl::StrCat("kup: no device sim:", name));
    }
    return absl::ErrnoToStatus(errno, absl::StrCat("kup: connect to sim:", name));
  }
  return fd;
}

int SendAttach(int socket, const kup_attach_args& message, const std::vector<int>& fds) {
  iovec iov = {const_cast<kup_attach_args*>(&message), sizeof message};
  alignas(cmsghdr) char control[CMSG_SPACE(KUP_FD_MAX * sizeof(int))] = {};
  msghdr msg = {};
  msg.msg_iov = &iov;
  msg.msg_iovlen = 1;
  if (!fds.empty()) {
    msg.msg_control = control;
    msg.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&msg);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  return sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(sizeof message)
             ? 0
             : -errno;
}

int ReceiveAttach(int socket, kup_attach_args* message, std::vector<Fd>* fds) {
  iovec iov = {message, sizeof *message};
  alignas(cmsghdr) char control[CMSG_SPACE(KUP_FD_MAX * sizeof(int))] = {};
  msghdr msg = {};
  msg.msg_iov = &iov;
  msg.msg_iovlen = 1;
  msg.msg_control = control;
  msg.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) return errno == EWOULDBLOCK ? -EAGAIN : -errno;
  for (cmsghdr* h = CMSG_FIRSTHDR(&msg); h != nullptr; h = CMSG_NXTHDR(&msg, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
      Fd owned(fd);  // closes itself when the caller wants none
      if (fds != nullptr) fds->push_back(std::move(owned));
    }
  }
  if (n == 0) return 0;
  if (n != static_cast<ssize_t>(sizeof *message) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
    return -EPROTO;
  }
  return 1;
}

Fd PeerProcess(int socket) {
  ucred peer;
  socklen_t len = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || peer.pid <= 0) return Fd();
  return Fd(static_cast<int>(syscall(SYS_pidfd_open, peer.pid, 0)));
}

bool PeerAllowed(int socket, unsigned mode) {
  ucred peer;
  socklen_t len = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) return false;
  if (peer.uid == 0 || peer.uid == geteuid()) return true;
  if (peer.gid == getegid() && (mode & 0060) == 0060) return true;
  return (mode & 0006) == 0006;
}

}  // namespace uwq::kup
