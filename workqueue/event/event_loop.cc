// SPDX-License-Identifier: BSD-3-Clause
//
// The only file that knows libevent.  libevent owns the sleep and shares it with a
// driver's own events; it sees of us one descriptor, the port's.
#include "workqueue/event/event_loop.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "workqueue/base/check.h"
#include "workqueue/event/loop_handles.h"
#include "workqueue/event/port.h"

namespace uwq::event {
namespace {

using base::kForever;
using base::Nanos;

// How often one turn takes up what its own tasks have posted.
constexpr int kPostRounds = 16;

struct FunctionTask : PostNode {
  std::function<void()> task;
  static void Run(PostNode* node) {
    std::unique_ptr<FunctionTask> self(static_cast<FunctionTask*>(node));
    self->task();
  }
};

// Threads of loops that were destroyed by their own callbacks: a thread cannot join
// itself, so somebody who comes by once it has ended does, or the end of the process.
class Graveyard {
 public:
  using Ended = std::shared_ptr<base::Atomic<bool>>;

  static Graveyard& Get() {
    static Graveyard graveyard;
    return graveyard;
  }
  ~Graveyard() { Join(/*all=*/true); }
  void Bury(base::Thread thread, Ended ended) {
    base::MutexLock lock(&mu_);
    graves_.push_back({std::move(thread), std::move(ended)});
  }
  void Visit() { Join(/*all=*/false); }

 private:
  struct Grave {
    base::Thread thread;
    Ended ended;
  };
  void Join(bool all) {
    std::vector<Grave> ended;
    {
      base::MutexLock lock(&mu_);
      for (size_t i = graves_.size(); i-- > 0;) {
        if (!all && !graves_[i].ended->load()) continue;
        ended.push_back(std::move(graves_[i]));
        graves_.erase(graves_.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    for (Grave& grave : ended) grave.thread.Join();
  }

  base::Mutex mu_;
  std::vector<Grave> graves_ ABSL_GUARDED_BY(mu_);
};

uint32_t ToEpoll(uint32_t events) {
  uint32_t bits = EPOLLRDHUP;
  if (events & kReadable) bits |= EPOLLIN;
  if (events & kWritable) bits |= EPOLLOUT;
  if (events & kPriority) bits |= EPOLLPRI;
  return bits;
}

uint32_t FromEpoll(uint32_t bits) {
  uint32_t events = 0;
  if (bits & EPOLLIN) events |= kReadable;
  if (bits & EPOLLOUT) events |= kWritable;
  if (bits & EPOLLPRI) events |= kPriority;
  if (bits & EPOLLRDHUP) events |= kEof;
  if (bits & EPOLLHUP) events |= kHangup;
  if (bits & EPOLLERR) events |= kError;
  return events;
}

}  // namespace

class EventLoop::Impl : public std::enable_shared_from_this<EventLoop::Impl> {
 public:
  enum class Kind { kThread, kManual, kEmbedded };

  static absl::StatusOr<std::shared_ptr<Impl>> Create(Kind kind, event_base* base);
  explicit Impl(Kind kind) : kind(kind) {}
  ~Impl();

  bool Push(PostNode* node);
  void Stop() {
    if (port->Inherited()) return;
    stop.store(true);
    Wake();
  }
  // From now on posts are refused; runs what was taken before.
  void CloseAndDrain();
  // The EventLoop goes; `inside`: from one of its own callbacks.
  void Shutdown(bool inside);
  bool InLoop() const { return port->InCallback() || draining_thread_.load() == base::SelfId(); }
  bool gone() const { return gone_.load(); }
  // One pass of libevent; its number of our callbacks.
  absl::StatusOr<int> Turn(int flags);

  const Kind kind;
  std::shared_ptr<Port> port;
  event_base* base = nullptr;
  base::Atomic<bool> stop{false};
  base::Atomic<bool> running{false};  // manual: a thread is inside RunOnce
  base::Atomic<uint64_t> wakeups{0};
  std::unique_ptr<LoopTimer> deadline_timer;  // manual, the running thread's
  bool timed_out = false;                     // likewise
  std::shared_ptr<Impl> kept;                 // itself: of an inherited loop, which stays
  base::Thread kept_thread;                   // likewise
  const Graveyard::Ended thread_ended = std::make_shared<base::Atomic<bool>>(false);

 private:
  static void OnReady(evutil_socket_t, short, void* arg);
  void Wake();
  void RunPosts();
  static void RunReversed(PostNode* newest);

  // Stands in head_ for "closed".  Never dereferenced.
  static PostNode* Closed() { return reinterpret_cast<PostNode*>(1); }

  struct event* event_ = nullptr;  // the port's readiness
  int wake_fd_ = -1;
  base::Atomic<base::ThreadId> draining_thread_{0};
  base::Atomic<bool> gone_{false};  // the EventLoop was destroyed
  bool running_posts_ = false;      // the loop's thread only
  // Posted and not yet taken, newest first; Closed() once posts are refused.
  base::Atomic<PostNode*> head_{nullptr};
};

absl::StatusOr<std::shared_ptr<EventLoop::Impl>> EventLoop::Impl::Create(Kind kind,
                                                                         event_base* base) {
  auto impl = std::make_shared<Impl>(kind);
  absl::StatusOr<std::shared_ptr<Port>> port = Port::Create();
  if (!port.ok()) return port.status();
  impl->port = *std::move(port);
  impl->wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (impl->wake_fd_ < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("eventfd: ", strerror(errno)));
  }
  // Edge: each write is one report, and nobody has to read the counter back.
  absl::StatusOr<Port::Id> wake =
      impl->port->Add(impl->wake_fd_, EPOLLIN, Port::Mode::kEdge, /*masked=*/false,
                      [raw = impl.get()](uint32_t) { raw->RunPosts(); });
  if (!wake.ok()) return wake.status();

  impl->base = base;
  if (kind != Kind::kEmbedded) {
    event_config* config = event_config_new();
    if (config != nullptr) {
      // For a driver's own timers on this base; without it they fire up to 4 ms early.
      event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
      impl->base = event_base_new_with_config(config);
      event_config_free(config);
    }
    if (impl->base == nullptr) {
      return absl::ResourceExhaustedError("event_base_new_with_config failed");
    }
  }
  impl->event_ =
      event_new(impl->base, impl->port->fd(), EV_READ | EV_PERSIST, &Impl::OnReady, impl.get());
  if (impl->event_ == nullptr || event_add(impl->event_, nullptr) != 0) {
    return absl::ResourceExhaustedError("libevent: event_add failed");
  }
  return impl;
}

EventLoop::Impl::~Impl() {
  deadline_timer.reset();
  // Of an embedded loop Shutdown() has freed it, unless Create() failed.
  const bool freed = kind == Kind::kEmbedded && gone_.load();
  if (event_ != nullptr && !freed) event_free(event_);
  if (kind != Kind::kEmbedded && base != nullptr) event_base_free(base);
  if (wake_fd_ >= 0) close(wake_fd_);
}

void EventLoop::Impl::OnReady(evutil_socket_t, short, void* arg) {
  // A callback may destroy the EventLoop.
  const std::shared_ptr<Impl> self = static_cast<Impl*>(arg)->shared_from_this();
  if (self->kind == Kind::kEmbedded) self->wakeups.fetch_add(1);
  self->port->Dispatch();
  // The other kinds see `stop` where they call libevent.
  if (self->kind == Kind::kEmbedded && self->stop.load()) {
    if (!self->gone_.load()) event_del(self->event_);  // if it goes now, it waits for us
    self->CloseAndDrain();
  }
}

void EventLoop::Impl::Wake() {
  const uint64_t one = 1;
  // Cannot fill up: that takes 2^64 posts.
  (void)!write(wake_fd_, &one, sizeof(one));
}

bool EventLoop::Impl::Push(PostNode* node) {
  if (port->Inherited()) return false;
  PostNode* old = head_.load(std::memory_order_relaxed);
  do {
    if (old == Closed()) return false;
    node->next = old;
    // release: pairs with the exchange in RunPosts and CloseAndDrain, which reads
    // the node and what its task needs.
  } while (!head_.compare_exchange_weak(old, node, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  // A list that was not empty has its wake-up under way: RunPosts takes all of it
  // after the wake-up, so nobody is forgotten.  A task of this loop needs none.
  if (old == nullptr && !(port->InCallback() && running_posts_)) Wake();
  return true;
}

void EventLoop::Impl::RunReversed(PostNode* newest) {
  PostNode* oldest = nullptr;
  while (newest != nullptr) {
    PostNode* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    PostNode* node = oldest;
    oldest = node->next;
    node->run(node);
  }
}

void EventLoop::Impl::RunPosts() {
  running_posts_ = true;
  // When asked to stop, CloseAndDrain has the last word; a busy poster could keep us here.
  for (int round = 0; round < kPostRounds && (round == 0 || !stop.load()); ++round) {
    PostNode* newest = head_.load(std::memory_order_relaxed);
    if (newest == nullptr || newest == Closed()) break;
    RunReversed(head_.exchange(nullptr, std::memory_order_acq_rel));
  }
  running_posts_ = false;
  // Tasks that post tasks for ever must not keep timers and descriptors waiting.
  if (head_.load(std::memory_order_relaxed) != nullptr) Wake();
}

void EventLoop::Impl::CloseAndDrain() {
  PostNode* newest = head_.exchange(Closed(), std::memory_order_acq_rel);
  if (newest == Closed()) return;
  draining_thread_.store(base::SelfId());
  RunReversed(newest);
  draining_thread_.store(0);
}

void EventLoop::Impl::Shutdown(bool inside) {
  gone_.store(true);
  if (kind == Kind::kEmbedded) {
    // Waits for the callback if `base` has locks and another thread runs it; until then
    // that callback may still name the event.
    event_free(event_);
  }
  port->Close();
  // Inside a callback the outermost frame does it, in order, when the callback is done.
  if (!inside) CloseAndDrain();
}

absl::StatusOr<int> EventLoop::Impl::Turn(int flags) {
  const uint64_t before = port->handled();
  if (event_base_loop(base, flags | EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) < 0) {
    return absl::InternalError("libevent: event_base_loop failed");
  }
  wakeups.fetch_add(1);
  return static_cast<int>(port->handled() - before);
}

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::StartThread(const std::string& name) {
  Graveyard::Get().Visit();
  absl::StatusOr<std::shared_ptr<Impl>> impl = Impl::Create(Impl::Kind::kThread, nullptr);
  if (!impl.ok()) return impl.status();
  std::unique_ptr<EventLoop> loop(new EventLoop(*impl));
  absl::StatusOr<base::Thread> thread =
      base::Thread::Start({.name = name}, [impl = *std::move(impl)]() mutable {
        while (!impl->stop.load()) UWQ_CHECK(impl->Turn(0).ok());
        impl->CloseAndDrain();
        const Graveyard::Ended ended = impl->thread_ended;
        impl.reset();  // the base goes with it if the EventLoop is gone already
        ended->store(true);
      });
  if (!thread.ok()) return thread.status();
  loop->thread_ = *std::move(thread);
  return loop;
}

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create() {
  absl::StatusOr<std::shared_ptr<Impl>> impl = Impl::Create(Impl::Kind::kManual, nullptr);
  if (!impl.ok()) return impl.status();
  return std::unique_ptr<EventLoop>(new EventLoop(*std::move(impl)));
}

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Embed(struct event_base* base) {
  if (base == nullptr) return absl::InvalidArgumentError("Embed: the event_base is null");
  absl::StatusOr<std::shared_ptr<Impl>> impl = Impl::Create(Impl::Kind::kEmbedded, base);
  if (!impl.ok()) return impl.status();
  return std::unique_ptr<EventLoop>(new EventLoop(*std::move(impl)));
}

EventLoop::~EventLoop() {
  if (impl_->port->Inherited()) {
    // Its memory stays: the base's epoll set is the parent's, and the thread is not here.
    impl_->kept_thread = std::move(thread_);
    impl_->kept = impl_;
    return;
  }
  const bool inside = impl_->InLoop();
  impl_->Stop();
  if (thread_.joinable()) {
    if (inside) {
      Graveyard::Get().Bury(std::move(thread_), impl_->thread_ended);
    } else {
      thread_.Join();
      Graveyard::Get().Visit();
    }
  }
  impl_->Shutdown(inside);
}

// Once pushed, the task may run, and it may destroy the loop before we have woken it:
// hence the reference.
bool EventLoop::Post(PostNode* node) {
  const std::shared_ptr<Impl> impl = impl_;
  return impl->Push(node);
}

bool EventLoop::Post(std::function<void()> task) {
  auto node = std::make_unique<FunctionTask>();
  node->run = &FunctionTask::Run;
  node->task = std::move(task);
  if (!Post(node.get())) return false;
  (void)node.release();  // Run deletes it
  return true;
}

absl::StatusOr<std::unique_ptr<LoopTimer>> EventLoop::NewTimer(std::function<void()> callback) {
  absl::StatusOr<std::shared_ptr<LoopTimer::State>> state =
      LoopTimer::State::Create(std::move(callback));
  if (!state.ok()) return state.status();
  std::unique_ptr<LoopTimer> timer(new LoopTimer);
  timer->state_ = *state;
  absl::StatusOr<Port::Id> id =
      impl_->port->Add((*state)->fd, EPOLLIN, Port::Mode::kLevel, /*masked=*/false,
                       [state = *state](uint32_t) { state->OnReadable(); });
  if (!id.ok()) return id.status();
  timer->port_ = impl_->port;
  timer->id_ = *id;
  return timer;
}

absl::StatusOr<FdWatch> EventLoop::WatchFd(int fd, const FdOptions& options,
                                           std::function<void(uint32_t)> callback) {
  if (fd < 0) return absl::InvalidArgumentError(absl::StrCat("fd ", fd, ": negative"));
  constexpr uint32_t kAskable = kReadable | kWritable | kPriority;
  if ((options.events & ~kAskable) != 0 || options.events == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("fd ", fd, ": events ", options.events, " are not what can be asked for"));
  }
  const Port::Mode mode = options.edge ? Port::Mode::kMaskedEdge : Port::Mode::kMaskedLevel;
  absl::StatusOr<Port::Id> id = impl_->port->Add(
      fd, ToEpoll(options.events), mode, options.masked,
      [callback = std::move(callback)](uint32_t bits) { callback(FromEpoll(bits)); });
  if (!id.ok()) return id.status();
  FdWatch watch;
  watch.port_ = impl_->port;
  watch.id_ = *id;
  watch.fd_ = fd;
  return watch;
}

absl::StatusOr<SignalWatch> EventLoop::WatchSignal(
    int signo, std::function<void(const signalfd_siginfo&)> callback) {
  if (signo < 1 || signo > SIGRTMAX || signo == SIGKILL || signo == SIGSTOP) {
    return absl::InvalidArgumentError(absl::StrCat("signal ", signo, " cannot be watched"));
  }
  if (absl::Status status = CheckSignalBlocked(signo); !status.ok()) return status;
  absl::StatusOr<std::shared_ptr<SignalFd>> opened = SignalFd::Create(signo);
  if (!opened.ok()) return opened.status();
  const int fd = (*opened)->fd();
  // One for each call: in between, the callback may end its watch, or the loop.
  absl::StatusOr<Port::Id> id =
      impl_->port->Add(fd, EPOLLIN, Port::Mode::kLevel, /*masked=*/false,
                       [owner = *opened, callback = std::move(callback)](uint32_t) {
                         signalfd_siginfo info;
                         if (read(owner->fd(), &info, sizeof(info)) == sizeof(info)) callback(info);
                       });
  if (!id.ok()) return id.status();
  SignalWatch watch;
  watch.watch_.port_ = impl_->port;
  watch.watch_.id_ = *id;
  watch.watch_.fd_ = fd;
  return watch;
}

void EventLoop::Stop() {
  const std::shared_ptr<Impl> impl = impl_;  // as in Post
  impl->Stop();
}

absl::StatusOr<int> EventLoop::RunOnce(Nanos deadline_ns) {
  const std::shared_ptr<Impl> impl = impl_;  // a callback may destroy *this
  if (impl->kind != Impl::Kind::kManual) {
    return absl::FailedPreconditionError("RunOnce: this loop is run by another thread or base");
  }
  if (impl->port->Inherited()) {
    return absl::FailedPreconditionError("RunOnce: this loop belongs to the parent of this fork");
  }
  if (impl->InLoop()) {
    return absl::FailedPreconditionError("RunOnce: called from a callback of the same loop");
  }
  if (impl->running.exchange(true)) {
    return absl::FailedPreconditionError("RunOnce: another thread runs this loop");
  }
  absl::StatusOr<int> count = 0;
  bool wait = deadline_ns > base::Now();
  impl->timed_out = false;
  if (wait && deadline_ns != kForever) {
    if (impl->deadline_timer == nullptr) {
      auto timer = NewTimer([raw = impl.get()] { raw->timed_out = true; });
      if (timer.ok()) {
        impl->deadline_timer = *std::move(timer);
      } else {
        count = timer.status();
      }
    }
    if (count.ok()) impl->deadline_timer->SetAt(deadline_ns);
  }
  while (count.ok() && !impl->stop.load()) {
    count = impl->Turn(wait ? 0 : EVLOOP_NONBLOCK);
    if (count.ok() && impl->timed_out) *count -= 1;
    if (!wait || !count.ok() || *count > 0 || impl->timed_out) break;
  }
  if (impl->deadline_timer != nullptr) impl->deadline_timer->SetAt(kForever);
  if (impl->stop.load()) impl->CloseAndDrain();
  impl->running.store(false);
  return count;
}

absl::StatusOr<int> EventLoop::RunUntilIdle() {
  const std::shared_ptr<Impl> impl = impl_;
  int total = 0;
  while (!impl->gone()) {
    absl::StatusOr<int> count = RunOnce(0);
    if (!count.ok()) return count;
    if (*count == 0) break;
    total += *count;
  }
  return total;
}

bool EventLoop::InLoop() const { return impl_->InLoop(); }
uint64_t EventLoop::wakeups() const { return impl_->wakeups.load(); }
struct event_base* EventLoop::base() const {
  return impl_->base;
}

}  // namespace uwq::event
