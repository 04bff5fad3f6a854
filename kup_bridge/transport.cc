// SPDX-License-Identifier: BSD-3-Clause
#include "kup_bridge/transport.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "kup_bridge/fake_device.h"
#include "kup_bridge/sim_socket.h"

namespace uwq::kup {

namespace {

kup_attach_args Request(uint32_t op, uint32_t channel, bool wait) {
  kup_attach_args request = {};
  request.magic = KUP_MAGIC;
  request.abi_major = KUP_ABI_MAJOR;
  request.abi_minor = KUP_ABI_MINOR;
  request.op = op;
  request.channel = channel;
  request.flags = wait ? KUP_ATTACH_WAIT : 0;
  return request;
}

absl::Status CheckAnswer(absl::string_view name, const kup_attach_args& answer, uint32_t channel) {
  if (answer.magic != KUP_MAGIC || answer.abi_major != KUP_ABI_MAJOR) {
    return ErrnoStatus(EPROTO, absl::StrCat("kup: ", name, " speaks ABI ", answer.abi_major, ".",
                                            answer.abi_minor, ", not ", KUP_ABI_MAJOR, ".x"));
  }
  constexpr uint32_t kMaxErrno = 4095;  // beyond it no negative result says "error"
  if (answer.error > kMaxErrno || answer.n_channels > KUP_CHANNELS_MAX) {
    return ErrnoStatus(EPROTO, absl::StrCat("kup: ", name, " answers with error ", answer.error,
                                            " and ", answer.n_channels, " channels"));
  }
  if (answer.error != 0) {
    return ErrnoStatus(static_cast<int>(answer.error),
                       absl::StrCat("kup: ", name, " refused channel ", channel, ": ",
                                    strerror(static_cast<int>(answer.error))));
  }
  return absl::OkStatus();
}

class SocketTransport : public Transport {
 public:
  SocketTransport(absl::string_view name, Fd socket, uint32_t n_channels)
      : name_(name), socket_(std::move(socket)), n_channels_(n_channels) {}

  static absl::StatusOr<Fd> Connect(absl::string_view name) {
    absl::string_view rest = name;
    absl::StatusOr<Fd> fd;
    if (absl::ConsumePrefix(&rest, kFakePrefix)) {
      fd = ConnectFake != nullptr ? ConnectFake(rest)
                                  : absl::NotFoundError(absl::StrCat("kup: no device ", name));
    } else {
      (void)absl::ConsumePrefix(&rest, kSimPrefix);
      fd = ConnectSim(rest);
    }
    if (fd.ok()) return fd;
    switch (fd.status().code()) {
      case absl::StatusCode::kNotFound:
        return ErrnoStatus(ENOENT, fd.status().message());
      case absl::StatusCode::kInvalidArgument:
        return ErrnoStatus(EINVAL, fd.status().message());
      case absl::StatusCode::kPermissionDenied:
        return ErrnoStatus(EACCES, fd.status().message());
      default:
        return ErrnoStatus(EIO, fd.status().message());
    }
  }

  // Sends `request` and waits for the answer.
  static absl::StatusOr<kup_attach_args> Ask(absl::string_view name, int socket,
                                             const kup_attach_args& request,
                                             base::Nanos deadline_ns, std::vector<Fd>* fds) {
    if (const int rc = SendAttach(socket, request, {}); rc != 0) {
      return ErrnoStatus(EPIPE, absl::StrCat("kup: ", name, " hung up: ", strerror(-rc)));
    }
    for (;;) {
      kup_attach_args answer;
      const int rc = ReceiveAttach(socket, &answer, fds);
      if (rc == 1) {
        absl::Status s = CheckAnswer(name, answer, request.channel);
        if (!s.ok()) return s;
        return answer;
      }
      if (rc != -EAGAIN) {
        return ErrnoStatus(rc == -EPROTO ? EPROTO : EPIPE,
                           absl::StrCat("kup: ", name, " hung up before it answered"));
      }
      pollfd fd = {socket, POLLIN, 0};
      timespec ts = {};
      timespec* timeout = nullptr;
      if (deadline_ns != base::kForever) {
        const base::Nanos left = deadline_ns - base::Now();
        if (left <= 0) {
          return ErrnoStatus(ETIMEDOUT, absl::StrCat("kup: channel ", request.channel, " of ", name,
                                                     " did not become free in time"));
        }
        ts.tv_sec = left / base::kSecond;
        ts.tv_nsec = left % base::kSecond;
        timeout = &ts;
      }
      (void)ppoll(&fd, 1, timeout, nullptr);  // whatever it says, we look again
    }
  }

  uint32_t n_channels() const override { return n_channels_; }

  absl::StatusOr<std::unique_ptr<Link>> Attach(uint32_t channel, base::Nanos deadline_ns) override {
    return Get(KUP_OP_ATTACH, channel, deadline_ns);
  }

  absl::StatusOr<std::unique_ptr<Link>> Observe(uint32_t channel) override {
    return Get(KUP_OP_OBSERVE, channel, base::Now() + 10 * base::kSecond);
  }

 private:
  absl::StatusOr<std::unique_ptr<Link>> Get(uint32_t op, uint32_t channel,
                                            base::Nanos deadline_ns) {
    absl::StatusOr<Fd> socket = Connect(name_);
    if (!socket.ok()) return socket.status();
    std::vector<Fd> fds;
    // A deadline in the past asks once: the device answers at once then, but the
    // answer takes a while.
    const bool wait = deadline_ns > base::Now();
    absl::StatusOr<kup_attach_args> answer =
        Ask(name_, socket->get(), Request(op, channel, wait),
            wait ? deadline_ns : base::Now() + 10 * base::kSecond, &fds);
    if (!answer.ok()) return answer.status();
    auto link = std::make_unique<Link>();
    const size_t frames = (answer->frames_d2u_len != 0) + (answer->frames_u2d_len != 0);
    const size_t expected = op == KUP_OP_OBSERVE ? 1 : KUP_FD_FRAMES + frames;
    if (fds.size() != expected) {
      return ErrnoStatus(EPROTO, absl::StrCat("kup: ", name_, " sent ", fds.size(),
                                              " descriptors, not ", expected));
    }
    link->dev = {fds[KUP_FD_DEV_REGION].get(), 0, answer->dev_region_len};
    if (op == KUP_OP_ATTACH) {
      link->user = {fds[KUP_FD_USER_REGION].get(), 0, answer->user_region_len};
      link->wake_fd = fds[KUP_FD_WAKE_USER].get();
      link->signal_fd = fds[KUP_FD_WAKE_DEVICE].get();
      size_t next = KUP_FD_FRAMES;
      if (answer->frames_d2u_len != 0) {
        link->frames_d2u = {fds[next++].get(), 0, answer->frames_d2u_len};
      }
      if (answer->frames_u2d_len != 0) {
        link->frames_u2d = {fds[next++].get(), 0, answer->frames_u2d_len};
      }
      // For other programs that use them; ours do not rely on it (eventfd.h).
      for (int fd : {link->wake_fd, link->signal_fd}) {
        if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
          return ErrnoStatus(EPROTO, absl::StrCat("kup: ", name_, " sent an odd descriptor"));
        }
      }
    }
    for (const Link::Region* r : {&link->dev, &link->user, &link->frames_d2u, &link->frames_u2d}) {
      if (r->fd < 0) continue;
      if (absl::Status s = CheckSealedMemory(r->fd, r->len); !s.ok()) {
        return ErrnoStatus(EPROTO, s.message());
      }
    }
    link->channel = answer->channel;
    link->generation = answer->generation;
    for (size_t i = 0; i < fds.size(); ++i) link->owned[i] = std::move(fds[i]);
    link->owned[KUP_FD_MAX] = *std::move(socket);
    link->hangup_fd = link->owned[KUP_FD_MAX].get();
    return link;
  }

  const std::string name_;
  const Fd socket_;  // keeps the device's serving thread aware of us; nothing more
  const uint32_t n_channels_;
};

class DeviceTransport : public Transport {
 public:
  DeviceTransport(absl::string_view path, Fd fd, uint32_t n_channels)
      : path_(path), fd_(std::move(fd)), n_channels_(n_channels) {}

  static absl::StatusOr<kup_attach_args> Ask(absl::string_view path, int fd,
                                             kup_attach_args request) {
    if (ioctl(fd, KUP_IOC_ATTACH, &request) != 0) {
      const int error = errno == ENOTTY ? EINVAL : errno;
      return ErrnoStatus(error, absl::StrCat("kup: ", path, " refused channel ", request.channel,
                                             ": ", strerror(error)));
    }
    absl::Status s = CheckAnswer(path, request, request.channel);
    if (!s.ok()) return s;
    return request;
  }

  uint32_t n_channels() const override { return n_channels_; }

  absl::StatusOr<std::unique_ptr<Link>> Attach(uint32_t channel, base::Nanos deadline_ns) override {
    // The kernel waits interruptibly without a limit; a bounded wait asks now and
    // again when the device says (poll on it: a channel became free).
    const bool wait = deadline_ns > base::Now();
    for (;;) {
      absl::StatusOr<kup_attach_args> answer =
          Ask(path_, fd_.get(), Request(KUP_OP_ATTACH, channel, deadline_ns == base::kForever));
      if (answer.ok()) return Wrap(*answer);
      if (ErrnoOf(answer.status()) == -EINTR) continue;
      if (ErrnoOf(answer.status()) != -EBUSY || !wait) return answer.status();
      base::Nanos left = deadline_ns - base::Now();
      if (left <= 0) {
        return ErrnoStatus(ETIMEDOUT, absl::StrCat("kup: channel ", channel, " of ", path_,
                                                   " did not become free in time"));
      }
      // Not for long: the refusal of another thread on this descriptor takes our news, too.
      left = std::min(left, 50 * base::kMillisecond);
      pollfd fd = {fd_.get(), POLLIN, 0};
      const timespec ts = {0, static_cast<long>(left)};
      (void)ppoll(&fd, 1, &ts, nullptr);  // whatever it says, we ask again
    }
  }

  absl::StatusOr<std::unique_ptr<Link>> Observe(uint32_t channel) override {
    absl::StatusOr<kup_attach_args> answer =
        Ask(path_, fd_.get(), Request(KUP_OP_OBSERVE, channel, false));
    if (!answer.ok()) return answer.status();
    return Wrap(*answer);
  }

 private:
  absl::StatusOr<std::unique_ptr<Link>> Wrap(const kup_attach_args& answer) const {
    auto link = std::make_unique<Link>();
    link->owned[0] = Fd(answer.fd);
    if (answer.user_region_len != 0) {
      // An eventfd although poll() would do: one kind of wake-up for both transports.
      link->owned[1] = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      int32_t wake = link->owned[1].get();
      if (wake < 0 || ioctl(answer.fd, KUP_IOC_SET_EVENTFD, &wake) != 0) {
        return ErrnoStatus(errno, absl::StrCat("kup: no eventfd for ", path_));
      }
      link->wake_fd = wake;
      link->user = {answer.fd, KUP_MMAP_USER, answer.user_region_len};
    }
    link->dev = {answer.fd, KUP_MMAP_DEV, answer.dev_region_len};
    if (answer.frames_d2u_len != 0) {
      link->frames_d2u = {answer.fd, KUP_MMAP_FRAMES_D2U, answer.frames_d2u_len};
    }
    if (answer.frames_u2d_len != 0) {
      link->frames_u2d = {answer.fd, KUP_MMAP_FRAMES_U2D, answer.frames_u2d_len};
    }
    link->hangup_fd = answer.fd;
    link->doorbell_fd = answer.fd;
    link->channel = answer.channel;
    link->generation = answer.generation;
    return link;
  }

  const std::string path_;
  const Fd fd_;
  const uint32_t n_channels_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> OpenSocketTransport(absl::string_view name) {
  absl::StatusOr<Fd> socket = SocketTransport::Connect(name);
  if (!socket.ok()) return socket.status();
  absl::StatusOr<kup_attach_args> info =
      SocketTransport::Ask(name, socket->get(), Request(KUP_OP_INFO, 0, false),
                           base::Now() + 10 * base::kSecond, nullptr);
  if (!info.ok()) return info.status();
  return std::make_unique<SocketTransport>(name, *std::move(socket), info->n_channels);
}

absl::StatusOr<std::unique_ptr<Transport>> OpenDeviceTransport(absl::string_view path) {
  Fd fd(open(std::string(path).c_str(), O_RDWR | O_CLOEXEC));
  // Who may only read may observe; attaching is refused by the device.
  if (!fd.valid() && errno == EACCES)
    fd = Fd(open(std::string(path).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    const int error = errno == ENXIO ? ENOENT : errno;
    return ErrnoStatus(error, absl::StrCat("kup: ", path, ": ", strerror(error)));
  }
  struct stat st;
  if (fstat(fd.get(), &st) != 0 || !S_ISCHR(st.st_mode)) {
    return ErrnoStatus(EINVAL, absl::StrCat("kup: ", path, " is not a device"));
  }
  absl::StatusOr<kup_attach_args> info =
      DeviceTransport::Ask(path, fd.get(), Request(KUP_OP_INFO, 0, false));
  if (!info.ok()) return info.status();
  return std::make_unique<DeviceTransport>(path, std::move(fd), info->n_channels);
}

absl::StatusOr<std::unique_ptr<Transport>> OpenTransport(absl::string_view name) {
  if (name.empty()) return ErrnoStatus(EINVAL, "kup: empty device name");
  if (absl::StartsWith(name, kSimPrefix) || absl::StartsWith(name, kFakePrefix)) {
    return OpenSocketTransport(name);
  }
  if (absl::StartsWith(name, "bpf:")) {
    if (OpenBpfTransport != nullptr) return OpenBpfTransport(name);
    return ErrnoStatus(ENOSYS, absl::StrCat("kup: ", name, ": linked without //kup_bridge:bpf"));
  }
  if (absl::StartsWith(name, "/dev/")) return OpenDeviceTransport(name);
  if (name.find('/') != absl::string_view::npos || name.find(':') != absl::string_view::npos ||
      name.size() >= KUP_NAME_MAX) {
    return ErrnoStatus(EINVAL, absl::StrCat("kup: \"", name, "\" is no device name"));
  }
  return OpenDeviceTransport(absl::StrCat("/dev/kup-", name));
}

}  // namespace uwq::kup
