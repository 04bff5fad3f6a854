// SPDX-License-Identifier: BSD-3-Clause
//
// sim_device.cc -- kupdev_port.h for a process that plays the device: channel
// memory in sealed memfds, users served over a unix socket by one thread.
//
// Invariant: a connection that holds a channel is in `conns_` with a reference to
// that generation's memory; its end, however it comes, detaches exactly that
// generation.  Read on in sim_socket.h and kupdev_core.c.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "kup_bridge/eventfd.h"
#include "kup_bridge/fake_device.h"
#include "kup_bridge/kupdev_port.h"
#include "kup_bridge/ring_map.h"
#include "kup_bridge/sim_socket.h"
#include "kup_bridge/sleeper.h"
#include "workqueue/base/sync.h"

namespace uwq::kup {
namespace {

struct Memory {
  Fd dev_fd, user_fd, frames_d2u_fd, frames_u2d_fd, wake_user;
  Mapping dev, d2u, user, u2d, frames_d2u, frames_u2d;

  absl::Status Allocate(const kupdev_opts& opts) {
    kup_layout layout;
    kup_layout_of(&opts, &layout);
    // The device's own objects get no writer but these mappings.
    if (absl::Status s =
            Own("kup-dev", layout.dev_len, &dev_fd,
                [&]() -> absl::Status {
                  absl::StatusOr<Mapping> m = Mapping::Once(dev_fd.get(), 0, layout.dev_data, true);
                  if (!m.ok()) return m.status();
                  dev = *std::move(m);
                  m = Mapping::Twice(dev_fd.get(), layout.dev_data, opts.d2u_size, true);
                  if (!m.ok()) return m.status();
                  d2u = *std::move(m);
                  return SealAgainstWriters(dev_fd.get());
                });
        !s.ok()) {
      return s;
    }
    if (absl::Status s = Own(
            "kup-user", layout.user_len, &user_fd,
            [&]() -> absl::Status {
              absl::StatusOr<Mapping> m = Mapping::Once(user_fd.get(), 0, layout.user_data, true);
              if (!m.ok()) return m.status();
              user = *std::move(m);
              // The device reads only, but a new generation is filled in by it.
              m = Mapping::Twice(user_fd.get(), layout.user_data, opts.u2d_size, true);
              if (!m.ok()) return m.status();
              u2d = *std::move(m);
              return absl::OkStatus();
            });
        !s.ok()) {
      return s;
    }
    if (layout.frames_d2u_len != 0) {
      if (absl::Status s = Own("kup-frames-d2u", layout.frames_d2u_len, &frames_d2u_fd,
                               [&]() -> absl::Status {
                                 absl::StatusOr<Mapping> m = Mapping::Once(
                                     frames_d2u_fd.get(), 0, layout.frames_d2u_len, true);
                                 if (!m.ok()) return m.status();
                                 frames_d2u = *std::move(m);
                                 return SealAgainstWriters(frames_d2u_fd.get());
                               });
          !s.ok()) {
        return s;
      }
    }
    if (layout.frames_u2d_len != 0) {
      if (absl::Status s = Own("kup-frames-u2d", layout.frames_u2d_len, &frames_u2d_fd,
                               [&]() -> absl::Status {
                                 absl::StatusOr<Mapping> m = Mapping::Once(
                                     frames_u2d_fd.get(), 0, layout.frames_u2d_len, false);
                                 if (!m.ok()) return m.status();
                                 frames_u2d = *std::move(m);
                                 return absl::OkStatus();
                               });
          !s.ok()) {
        return s;
      }
    }
    wake_user = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_user.valid()) return absl::ErrnoToStatus(errno, "kup: eventfd");
    return absl::OkStatus();
  }

 private:
  template <typename Map>
  static absl::Status Own(const char* name, uint64_t len, Fd* fd, Map map) {
    absl::StatusOr<Fd> made = CreateSealedMemory(name, len);
    if (!made.ok()) return made.status();
    *fd = *std::move(made);
    return map();
  }
};

Memory* MemoryOf(kup_mem* mem) { return static_cast<Memory*>(mem->impl); }

// Serves users of one device.
class Port {
 public:
  Port(kupdev_softc* sc, Fd listener, std::string socket_path)
      : sc_(sc),
        listener_(std::move(listener)),
        socket_path_(std::move(socket_path)),
        poke_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  ~Port() {
    if (thread_.joinable()) {
      {
        base::MutexLock lock(&mu_);
        stop_ = true;
      }
      SignalOwn(poke_.get());
      thread_.Join();
    }
    for (Conn& conn : conns_) Drop(&conn);
    if (!socket_path_.empty()) (void)unlink(socket_path_.c_str());
  }

  absl::Status Start() {
    if (!poke_.valid()) return absl::ErrnoToStatus(errno, "kup: eventfd");
    base::Thread::Options options;
    options.name = "kup-sim";
    absl::StatusOr<base::Thread> thread = base::Thread::Start(options, [this] { Serve(); });
    if (!thread.ok()) return thread.status();
    thread_ = *std::move(thread);
    return absl::OkStatus();
  }

  // Takes over a connected socket (fake:NAME).
  void Adopt(Fd socket) {
    {
      base::MutexLock lock(&mu_);
      adopted_.push_back(std::move(socket));
    }
    SignalOwn(poke_.get());
  }

  void Poke() { SignalOwn(poke_.get()); }

 private:
  struct Conn {
    Conn(Fd fd, Fd watched) : socket(std::move(fd)), process(std::move(watched)) {}
    Fd socket;
    Fd process;  // readable when the peer's process is dead, though a child has the socket, too
    bool waiting = false;  // `request` waits for a free channel
    kup_attach_args request = {};
    kup_mem* mem = nullptr;  // holds a channel, or observes it
    bool user = false;
    uint32_t channel = 0;
    uint32_t generation = 0;
    bool dead = false;
  };

  static constexpr int kFullMs = 100;  // how long the door stays shut

  void Serve() {
    std::vector<pollfd> fds;
    bool full = false;
    for (;;) {
      fds.clear();
      fds.push_back({poke_.get(), POLLIN, 0});
      fds.push_back({full ? -1 : listener_.get(), POLLIN, 0});
      for (const Conn& conn : conns_) {
        fds.push_back({conn.socket.get(), POLLIN, 0});
        fds.push_back({conn.process.get(), POLLIN, 0});
      }
      if (poll(fds.data(), fds.size(), full ? kFullMs : -1) < 0) continue;  // EINTR
      full = false;
      if (fds[0].revents != 0) {
        (void)DrainEventFd(poke_.get());
        base::MutexLock lock(&mu_);
        if (stop_) return;
        for (Fd& socket : adopted_) conns_.emplace_back(std::move(socket), Fd());  // of our own
        adopted_.clear();
      }
      size_t i = 2;
      const size_t polled = fds.size();
      for (auto it = conns_.begin(); it != conns_.end() && i < polled; ++it, i += 2) {
        if (fds[i].revents != 0) Read(&*it);
        if (fds[i + 1].revents != 0 && !it->dead) Drop(&*it);
      }
      if (fds[1].revents != 0) {
        Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        // Out of descriptors or memory: who knocks stays at the door, and that readable.
        full = !socket.valid() && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR;
        if (socket.valid()) {
          Fd process = PeerProcess(socket.get());
          conns_.emplace_back(std::move(socket), std::move(process));
        }
      }
      conns_.remove_if([](const Conn& conn) { return conn.dead; });
      for (Conn& conn : conns_) {
        if (conn.waiting) Answer(&conn);
      }
    }
  }

  void Read(Conn* conn) {
    kup_attach_args request;
    const int rc = ReceiveAttach(conn->socket.get(), &request, nullptr);
    if (rc == -EAGAIN) return;
    // A holder of a channel has nothing more to say; whatever it is, it ends it.
    if (rc != 1 || conn->mem != nullptr) {
      Drop(conn);
      return;
    }
    conn->request = request;
    Answer(conn);
  }

  void Drop(Conn* conn) {
    conn->dead = true;
    conn->waiting = false;
    if (conn->mem == nullptr) return;
    if (conn->user) kup_core_detach(sc_, conn->channel, conn->generation);
    kup_core_put_mem(sc_, conn->channel, conn->mem);
    conn->mem = nullptr;
  }

  int Handle(Conn* conn) {
    const kup_attach_args& r = conn->request;
    if (r.magic != KUP_MAGIC || r.abi_major != KUP_ABI_MAJOR) return -EPROTO;
    if ((r.flags & ~KUP_ATTACH_WAIT) != 0) return -EINVAL;
    if (!PeerAllowed(conn->socket.get(), kup_core_opts(sc_)->mode)) return -EACCES;
    switch (r.op) {
      case KUP_OP_INFO:
        return 0;
      case KUP_OP_ATTACH:
        return kup_core_attach(sc_, r.channel, &conn->mem);
      case KUP_OP_OBSERVE:
        return kup_core_observe(sc_, r.channel, &conn->mem);
      default:
        return -EINVAL;
    }
  }

  void Answer(Conn* conn) {
    const kupdev_opts& opts = *kup_core_opts(sc_);
    const int rc = Handle(conn);
    conn->waiting = rc == -EBUSY && (conn->request.flags & KUP_ATTACH_WAIT) != 0;
    if (conn->waiting) return;
    kup_layout layout;
    kup_layout_of(&opts, &layout);
    kup_attach_args answer = {};
    answer.magic = KUP_MAGIC;
    answer.abi_major = KUP_ABI_MAJOR;
    answer.abi_minor = KUP_ABI_MINOR;
    answer.op = conn->request.op;
    answer.n_channels = opts.n_channels;
    answer.max_record = opts.max_record;
    answer.fd = -1;
    std::vector<int> fds;
    if (rc < 0) {
      answer.error = static_cast<uint32_t>(-rc);
    } else if (conn->mem != nullptr) {
      Memory* memory = MemoryOf(conn->mem);
      conn->channel = static_cast<uint32_t>(rc);
      conn->generation = conn->mem->generation;
      conn->user = conn->request.op == KUP_OP_ATTACH;
      answer.channel = conn->channel;
      answer.generation = conn->generation;
      answer.dev_region_len = layout.dev_len;
      fds.push_back(memory->dev_fd.get());
      if (conn->user) {
        answer.user_region_len = layout.user_len;
        answer.frames_d2u_len = layout.frames_d2u_len;
        answer.frames_u2d_len = layout.frames_u2d_len;
        fds.push_back(memory->user_fd.get());
        fds.push_back(memory->wake_user.get());
        fds.push_back(static_cast<Sleeper*>(kup_core_wait(sc_, conn->channel)->impl)->wake_fd());
        if (memory->frames_d2u_fd.valid()) fds.push_back(memory->frames_d2u_fd.get());
        if (memory->frames_u2d_fd.valid()) fds.push_back(memory->frames_u2d_fd.get());
      }
    }
    if (SendAttach(conn->socket.get(), answer, fds) != 0) Drop(conn);
  }

  kupdev_softc* const sc_;
  const Fd listener_;
  const std::string socket_path_;
  const Fd poke_;
  base::Thread thread_;
  std::list<Conn> conns_;  // of the serving thread
  base::Mutex mu_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Fd> adopted_ ABSL_GUARDED_BY(mu_);
};

struct FakeRegistry {
  base::Mutex mu;
  std::map<std::string, Port*> ports ABSL_GUARDED_BY(mu);
};

FakeRegistry& Fakes() {
  static FakeRegistry* registry = new FakeRegistry;  // never destroyed: devices may outlive main
  return *registry;
}

struct PortHandle {
  std::unique_ptr<Port> port;
  std::string fake_name;
};

int ErrnoOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kAlreadyExists:
      return -EEXIST;
    case absl::StatusCode::kInvalidArgument:
      return -EINVAL;
    case absl::StatusCode::kPermissionDenied:
      return -EACCES;
    default:
      return -ENOMEM;
  }
}

}  // namespace

absl::StatusOr<Fd> ConnectFake(absl::string_view name) {
  FakeRegistry& fakes = Fakes();
  base::MutexLock lock(&fakes.mu);
  auto it = fakes.ports.find(std::string(name));
  if (it == fakes.ports.end()) {
    return absl::NotFoundError(absl::StrCat("kup: no device fake:", name));
  }
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    return absl::ErrnoToStatus(errno, "kup: socketpair");
  }
  it->second->Adopt(Fd(pair[0]));
  return Fd(pair[1]);
}

}  // namespace uwq::kup

extern "C" {

using uwq::kup::Memory;
using uwq::kup::MemoryOf;

struct kup_mem* kup_mem_alloc(const struct kupdev_opts* opts) {
  auto memory = std::make_unique<Memory>();
  if (!memory->Allocate(*opts).ok()) return nullptr;
  auto* mem = new kup_mem();
  mem->dev = reinterpret_cast<kup_dev_page*>(memory->dev.data());
  mem->groups = reinterpret_cast<kup_counters*>(memory->dev.data() + KUP_PAGE_SIZE);
  mem->user = reinterpret_cast<kup_user_page*>(memory->user.data());
  mem->params = reinterpret_cast<uint64_t*>(memory->user.data() + KUP_PAGE_SIZE);
  mem->d2u = memory->d2u.data();
  mem->u2d = memory->u2d.data();
  mem->frames_d2u = memory->frames_d2u.data();
  mem->frames_u2d = memory->frames_u2d.data();
  mem->impl = memory.release();
  return mem;
}

void kup_mem_free(struct kup_mem* mem) {
  delete MemoryOf(mem);
  delete mem;
}

void kup_mem_signal(struct kup_mem* mem) { uwq::kup::SignalShared(MemoryOf(mem)->wake_user.get()); }

// Here the user keeps its pages, which belong to nobody else any more.
void kup_mem_revoke(struct kup_mem*) {}

int kup_dev_wait_init(struct kup_wait* wait) {
  auto sleeper = std::make_unique<uwq::kup::Sleeper>();
  if (!sleeper->CreateWakeFd()) return -errno;
  wait->impl = sleeper.release();
  return 0;
}

void kup_dev_wait_fini(struct kup_wait* wait) {
  delete static_cast<uwq::kup::Sleeper*>(wait->impl);
  wait->impl = nullptr;
}

int kup_port_register(struct kupdev_softc* sc, const char* name, void** port) {
  if (name == nullptr) return -EINVAL;
  absl::string_view rest(name);
  auto handle = std::make_unique<uwq::kup::PortHandle>();
  if (absl::ConsumePrefix(&rest, uwq::kup::kFakePrefix)) {
    if (rest.empty() || rest.size() >= KUP_NAME_MAX) return -EINVAL;
    handle->fake_name = std::string(rest);
    handle->port = std::make_unique<uwq::kup::Port>(sc, uwq::kup::Fd(), "");
  } else {
    (void)absl::ConsumePrefix(&rest, uwq::kup::kSimPrefix);
    absl::StatusOr<uwq::kup::Fd> listener = uwq::kup::ListenSim(rest, kup_core_opts(sc)->mode);
    if (!listener.ok()) return uwq::kup::ErrnoOf(listener.status());
    const bool is_path = rest.find('/') != absl::string_view::npos;
    handle->port = std::make_unique<uwq::kup::Port>(sc, *std::move(listener),
                                                    is_path ? std::string(rest) : "");
  }
  if (absl::Status s = handle->port->Start(); !s.ok()) return uwq::kup::ErrnoOf(s);
  if (!handle->fake_name.empty()) {
    uwq::kup::FakeRegistry& fakes = uwq::kup::Fakes();
    uwq::base::MutexLock lock(&fakes.mu);
    if (!fakes.ports.emplace(handle->fake_name, handle->port.get()).second) return -EEXIST;
  }
  *port = handle.release();
  return 0;
}

void kup_port_unregister(void* port) {
  auto* handle = static_cast<uwq::kup::PortHandle*>(port);
  if (!handle->fake_name.empty()) {
    uwq::kup::FakeRegistry& fakes = uwq::kup::Fakes();
    uwq::base::MutexLock lock(&fakes.mu);
    fakes.ports.erase(handle->fake_name);
  }
  delete handle;
}

void kup_port_offer(void* port) { static_cast<uwq::kup::PortHandle*>(port)->port->Poke(); }

int kupdev_fd(struct kupdev_softc* sc, int chan_id) {
  if (chan_id < 0 || static_cast<uint32_t>(chan_id) >= kup_core_opts(sc)->n_channels) {
    return -ECHRNG;
  }
  auto* wait = kup_core_wait(sc, static_cast<uint32_t>(chan_id));
  return static_cast<uwq::kup::Sleeper*>(wait->impl)->PollFd();
}

}  // extern "C"
