// SPDX-License-Identifier: BSD-3-Clause
//
// bpf_transport.cc -- bpf:SOURCE: loads source.bpf.c, makes its maps a channel,
// starts it on a timer, a perf event or a trace point.  Addresses: kup_bpf.h.
//
// Invariant: a Source lives as long as the memory of its channel (Link::keep), and
// its programs are detached before anything of it is freed.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "kup_bridge/bpf/object.h"
#include "kup_bridge/bpf/source.h"
#include "kup_bridge/channel.h"
#include "kup_bridge/kup_bpf.h"
#include "kup_bridge/ring.h"
#include "kup_bridge/transport.h"

namespace uwq::kup {

namespace {

constexpr uint32_t kRunBatchMax = 64;
constexpr int kPullMax = 64;
constexpr int kTimerAttempts = 1000;

// What an address says.
struct Spec {
  enum Kind { kTimer, kPerf, kTrace, kRun } kind = kRun;
  uint64_t period = 0;  // ns of a timer; events of perf
  uint64_t perf_event = 0;
  std::string trace;
  bool ringbuf = false;
};

const struct {
  const char* name;
  uint64_t id;
} kPerfEvents[] = {{"cpu-clock", PERF_COUNT_SW_CPU_CLOCK},
                   {"page-faults", PERF_COUNT_SW_PAGE_FAULTS},
                   {"context-switches", PERF_COUNT_SW_CONTEXT_SWITCHES},
                   {"cpu-migrations", PERF_COUNT_SW_CPU_MIGRATIONS},
                   {"minor-faults", PERF_COUNT_SW_PAGE_FAULTS_MIN}};

absl::StatusOr<Spec> ParseSpec(absl::string_view name) {
  Spec spec;
  absl::string_view rest = absl::StripPrefix(name, "bpf:");
  spec.ringbuf = absl::ConsumeSuffix(&rest, "?ringbuf");
  const std::vector<absl::string_view> part = absl::StrSplit(rest, '/');
  const auto bad = [name](absl::string_view what) {
    return ErrnoStatus(EINVAL, absl::StrCat("kup: \"", name, "\": ", what));
  };
  if (part[0] == "run" && part.size() == 1) return spec;
  if (part[0] == "trace" && part.size() == 2 && !part[1].empty()) {
    spec.kind = Spec::kTrace;
    spec.trace = std::string(part[1]);
    return spec;
  }
  if (part[0] == "timer" && part.size() == 2) {
    spec.kind = Spec::kTimer;
    if (!absl::SimpleAtoi(part[1], &spec.period) || spec.period < 1 || spec.period > 1000000000) {
      return bad("a timer's period is 1..1000000000 us");
    }
    spec.period *= 1000;
    return spec;
  }
  if (part[0] == "perf" && part.size() == 3) {
    spec.kind = Spec::kPerf;
    if (!absl::SimpleAtoi(part[2], &spec.period) || spec.period < 1) {
      return bad("a perf event's period is a number from 1");
    }
    for (const auto& event : kPerfEvents) {
      spec.perf_event = event.id;
      if (part[1] == event.name) return spec;
    }
    return bad("no such perf event");
  }
  return bad("not timer/US, perf/EVENT/PERIOD, trace/NAME or run");
}

absl::Status Refused(absl::string_view what, int error) {
  if (error == EPERM || error == EACCES) {
    return ErrnoStatus(EACCES,
                       absl::StrCat("kup: BPF is not permitted here (", what, ": ", strerror(error),
                                    "); it wants root, or CAP_BPF and CAP_PERFMON"));
  }
  return ErrnoStatus(error, absl::StrCat("kup: ", what, ": ", strerror(error)));
}

// A loaded object and what runs of it.
class Source {
 public:
  explicit Source(Spec spec) : spec_(std::move(spec)) {}
  ~Source() {
    for (bpf_link* link : links_) bpf_link__destroy(link);
    if (bell_ != nullptr) ring_buffer__free(bell_);
    // A timer ends with its map: the last reference is the program's.
    if (object_ != nullptr) bpf_object__close(object_);
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  const Spec& spec() const { return spec_; }
  int map(const char* name) const { return bpf_object__find_map_fd_by_name(object_, name); }

  absl::Status Load() {
    static const libbpf_print_fn_t silent = [] {
      libbpf_set_print(nullptr);  // reasons come back as errors
      return nullptr;
    }();
    (void)silent;
    object_ = bpf_object__open_mem(kBpfObject, kBpfObjectSize, nullptr);
    if (object_ == nullptr) return Refused("opening the BPF object", errno);
    if (const int rc = bpf_object__load(object_); rc != 0) {
      return Refused("loading the BPF program", -rc);
    }
    return absl::OkStatus();
  }

  // Makes the memory a channel.  Before Start.
  absl::Status Prepare(uint32_t generation) {
    kup_bpf_state state = {};
    state.batch = 1;
    state.ringbuf = spec_.ringbuf ? 1 : 0;
    state.period_ns = spec_.period;
    const uint32_t zero = 0;
    if (bpf_map_update_elem(map("state"), &zero, &state, BPF_ANY) != 0) {
      return Refused("the state of the BPF program", errno);
    }
    absl::StatusOr<Mapping> dev = Mapping::Once(map("device"), 0, sizeof(kup_bpf_device), true);
    if (!dev.ok()) return dev.status();
    absl::StatusOr<Mapping> user = Mapping::Once(map("user"), 0, sizeof(kup_bpf_user), true);
    if (!user.ok()) return user.status();
    dev_ = *std::move(dev);
    user_ = *std::move(user);
    kup_dev_page* d = device();
    d->magic = KUP_MAGIC;
    d->abi_major = KUP_ABI_MAJOR;
    d->abi_minor = KUP_ABI_MINOR;
    d->header_len = sizeof(kup_rec);
    d->generation = generation;
    d->d2u_size = KUP_BPF_RING;
    d->u2d_size = KUP_RING_MIN;
    d->d2u_off = d->u2d_off = KUP_PAGE_SIZE;
    d->max_record = KUP_RING_MIN - sizeof(kup_rec);
    // Index positions that nothing crosses: nobody sleeps yet.
    d->u2d_wake_at = d->d2u_space_at = ~uint64_t{0};
    user_page()->generation = generation;
    user_page()->state = KUP_STATE_READY;
    user_page()->d2u_wake_at = user_page()->u2d_space_at = ~uint64_t{0};
    kup_store_release(&d->state, uint32_t{KUP_STATE_READY}, KUP_SITE_STATE);
    return spec_.ringbuf ? PrepareRingbuf() : PrepareBell();
  }

  absl::Status Start() {
    switch (spec_.kind) {
      case Spec::kRun:
        return absl::OkStatus();
      case Spec::kTimer:
        return StartTimer();
      case Spec::kTrace:
        return Keep(bpf_program__attach_raw_tracepoint(program("on_trace"), spec_.trace.c_str()),
                    absl::StrCat("trace point ", spec_.trace));
      case Spec::kPerf:
        return StartPerf();
    }
    return absl::OkStatus();
  }

  // Any thread; one at a time, so that runs do not get into each other's way.
  int RunRecords(uint64_t records, uint32_t batch) {
    if (spec_.kind != Spec::kRun || batch < 1 || batch > kRunBatchMax) return -EINVAL;
    base::MutexLock lock(&run_mutex_);
    const uint32_t zero = 0;
    // bpf_loop takes at most 2^23 turns.
    for (uint64_t left = records; left > 0;) {
      const uint64_t n = std::min<uint64_t>(left, uint64_t{batch} << 20);
      kup_bpf_state state;
      if (bpf_map_lookup_elem(map("state"), &zero, &state) != 0) return -errno;
      state.batch = batch;
      state.count = n;
      if (bpf_map_update_elem(map("state"), &zero, &state, BPF_ANY) != 0) return -errno;
      if (const int rc = Run("run"); rc != 0) return rc;
      left -= n;
    }
    return 0;
  }

  std::unique_ptr<Link> MakeLink(const std::shared_ptr<Source>& self) const {
    auto link = std::make_unique<Link>();
    link->owned[0] = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    link->wake_fd = link->owned[0].get();
    link->dev = {map("device"), 0, sizeof(kup_bpf_device)};
    link->user = {map("user"), 0, sizeof(kup_bpf_user)};
    link->generation = device()->generation;
    link->receive_only = true;
    link->keep = self;
    if (spec_.ringbuf) {
      link->bell_fd = map("ringbuf");
      link->drain_bell = [] { return true; };  // that is Pull's
      link->pull = [source = self.get()] { return source->Pull(); };
    } else {
      link->bell_fd = map("doorbell");
      link->drain_bell = [source = self.get()] { return source->DrainBell(); };
    }
    return link;
  }

 private:
  kup_dev_page* device() const { return reinterpret_cast<kup_dev_page*>(dev_.data()); }
  kup_user_page* user_page() const { return reinterpret_cast<kup_user_page*>(user_.data()); }
  bpf_program* program(const char* name) const {
    return bpf_object__find_program_by_name(object_, name);
  }

  // 0, or -errno: the system's, or the program's own.
  int Run(const char* name) const {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    const int rc = bpf_prog_test_run_opts(bpf_program__fd(program(name)), &options);
    if (rc != 0) return rc;
    const int result = static_cast<int>(options.retval);
    return result > 0 ? -EIO : result;
  }

  absl::Status StartTimer() {
    int rc = Run("start_timer");
    // The kernel takes the timer from memory that it may not wait for, and refills that
    // meanwhile: not the last word.
    for (int i = 0; rc == -ENOMEM && i < kTimerAttempts; ++i) {
      (void)sched_yield();
      rc = Run("start_timer");
    }
    return rc == 0 ? absl::OkStatus() : Refused("starting the timer", -rc);
  }

  absl::Status Keep(bpf_link* link, absl::string_view what) {
    if (link == nullptr) return Refused(what, errno);
    links_.push_back(link);
    return absl::OkStatus();
  }

  absl::Status StartPerf() {
    perf_event_attr attr = {};
    attr.size = sizeof attr;
    attr.type = PERF_TYPE_SOFTWARE;
    attr.config = spec_.perf_event;
    attr.sample_period = spec_.period;
    const int cpus = libbpf_num_possible_cpus();
    for (int cpu = 0; cpu < cpus; ++cpu) {
      const long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
      if (fd < 0 && errno == ENODEV) continue;  // possible, and not there
      if (fd < 0) return Refused("perf event", errno);
      bpf_link* link = bpf_program__attach_perf_event(program("on_perf"), static_cast<int>(fd));
      if (link == nullptr) (void)close(static_cast<int>(fd));
      if (absl::Status s = Keep(link, "perf event"); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  absl::Status PrepareBell() {
    bell_ = ring_buffer__new(
        map("doorbell"), [](void*, void*, size_t) { return 0; }, nullptr, nullptr);
    return bell_ != nullptr ? absl::OkStatus() : Refused("the doorbell", errno);
  }

  bool DrainBell() {
    base::MutexLock lock(&bell_mutex_);
    return ring_buffer__consume(bell_) > 0;
  }

  // BPF's own ring: this process is then the device of a ring in our layout.
  absl::Status PrepareRingbuf() {
    tx_.head = &device()->d2u_head;
    tx_.tail = &user_page()->d2u_tail;
    tx_.wake_at = &user_page()->d2u_wake_at;
    tx_.space_at = &device()->d2u_space_at;
    tx_.floor = &device()->d2u_floor;
    absl::StatusOr<Mapping> data = Mapping::Twice(map("device"), KUP_PAGE_SIZE, KUP_BPF_RING, true);
    if (!data.ok()) return data.status();
    data_ = *std::move(data);
    kup_tx_init(&tx_, data_.data(), KUP_BPF_RING, sizeof(kup_bpf_event), 0, 0, 0);
    bell_ = ring_buffer__new(
        map("ringbuf"),
        [](void* context, void* record, size_t size) {
          return static_cast<Source*>(context)->Take(record, size);
        },
        this, nullptr);
    return bell_ != nullptr ? absl::OkStatus() : Refused("BPF's ring buffer", errno);
  }

  int Pull() {
    pulled_ = 0;
    (void)ring_buffer__consume(bell_);
    // Nobody sleeps on this ring: the receiver is the one who fills it.
    (void)kup_tx_publish(&tx_);
    kup_store(&device()->d2u_records, device()->d2u_records + static_cast<uint64_t>(pulled_));
    return pulled_;
  }

  // One record of BPF's ring.  Negative: taken, and enough for now.
  int Take(const void* record, size_t size) {
    kup_data_t* to;
    const auto len = static_cast<uint32_t>(std::min(size, sizeof(kup_bpf_event)));
    // Fails only when the user forged its tail, and then the loss is its own: the ring
    // was empty but for what the user holds, far less than it has room for.
    if (kup_tx_reserve(&tx_, len, &to) != KUP_RING_OK) return -ENOSPC;
    memcpy(to, record, len);
    kup_tx_commit(&tx_, len, TypeOf(), 0, 0);
    return ++pulled_ < kPullMax ? 0 : -EAGAIN;
  }

  uint16_t TypeOf() const {
    switch (spec_.kind) {
      case Spec::kTimer:
        return KUP_BPF_TIMER;
      case Spec::kPerf:
        return KUP_BPF_PERF;
      case Spec::kTrace:
        return KUP_BPF_TRACE;
      case Spec::kRun:
        break;
    }
    return KUP_BPF_RUN;
  }

  const Spec spec_;
  bpf_object* object_ = nullptr;
  std::vector<bpf_link*> links_;
  Mapping dev_, user_, data_;
  base::Mutex bell_mutex_;
  base::Mutex run_mutex_;
  ring_buffer* bell_ = nullptr;
  // ?ringbuf: under the channel's rx_lock
  kup_tx tx_ = {};
  int pulled_ = 0;
};

class BpfTransport : public Transport {
 public:
  BpfTransport(absl::string_view name, Spec spec, std::shared_ptr<Source> loaded)
      : name_(name), spec_(std::move(spec)), loaded_(std::move(loaded)) {}

  uint32_t n_channels() const override { return 1; }

  absl::StatusOr<std::unique_ptr<Link>> Attach(uint32_t channel, base::Nanos) override {
    if (channel != 0 && channel != KUP_CHAN_ANY) {
      return ErrnoStatus(ECHRNG, absl::StrCat("kup: no channel ", channel, " in ", name_));
    }
    base::MutexLock lock(&mutex_);
    if (!running_.expired()) {
      return ErrnoStatus(EBUSY, absl::StrCat("kup: the channel of ", name_, " is taken"));
    }
    std::shared_ptr<Source> source = std::exchange(loaded_, nullptr);
    if (source == nullptr) {
      source = std::make_shared<Source>(spec_);
      if (absl::Status s = source->Load(); !s.ok()) return s;
    }
    if (absl::Status s = source->Prepare(++generation_); !s.ok()) return s;
    if (absl::Status s = source->Start(); !s.ok()) return s;
    running_ = source;
    return source->MakeLink(source);
  }

  absl::StatusOr<std::unique_ptr<Link>> Observe(uint32_t) override {
    return ErrnoStatus(EOPNOTSUPP, absl::StrCat("kup: ", name_, " is of one process"));
  }

 private:
  const std::string name_;
  const Spec spec_;
  base::Mutex mutex_;
  std::shared_ptr<Source> loaded_ ABSL_GUARDED_BY(mutex_);  // by Open, for the first user
  std::weak_ptr<Source> running_ ABSL_GUARDED_BY(mutex_);
  uint32_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> OpenBpfTransport(absl::string_view name) {
  absl::StatusOr<Spec> spec = ParseSpec(name);
  if (!spec.ok()) return spec.status();
  // At once, so that who may not hears of it from kup_open.
  auto source = std::make_shared<Source>(*spec);
  if (absl::Status s = source->Load(); !s.ok()) return s;
  return std::make_unique<BpfTransport>(name, *spec, std::move(source));
}

}  // namespace uwq::kup

extern "C" int kup_bpf_run(struct kup_chan* ch, uint64_t records, uint32_t batch) {
  if (!ch->link->receive_only) return -EINVAL;  // no bpf: channel
  return static_cast<uwq::kup::Source*>(ch->link->keep.get())->RunRecords(records, batch);
}
