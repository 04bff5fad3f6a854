// SPDX-License-Identifier: BSD-3-Clause
//
// port_user.cc -- kup_port.h for userspace, on base/sync.h and Sleeper.
//
// Invariant: kup_wait.impl is a Sleeper that belongs to whoever created it
// (sim_device.cc for the device, user_channel.cc for the user).
#include <cerrno>
#include <cstdlib>
#include <new>

#include "kup_bridge/kup_port.h"
#include "kup_bridge/sleeper.h"
#include "workqueue/base/sync.h"

namespace {

uwq::base::Mutex* MutexOf(kup_lock* lock) { return static_cast<uwq::base::Mutex*>(lock->impl); }
uwq::kup::Sleeper* SleeperOf(kup_wait* wait) { return static_cast<uwq::kup::Sleeper*>(wait->impl); }

}  // namespace

extern "C" {

int kup_lock_init(struct kup_lock* lock) {
  lock->impl = new (std::nothrow) uwq::base::Mutex;
  return lock->impl != nullptr ? 0 : -ENOMEM;
}

void kup_lock_fini(struct kup_lock* lock) {
  delete MutexOf(lock);
  lock->impl = nullptr;
}

// The C core pairs these itself; the analysis cannot follow a lock through C.
unsigned long kup_lock_take(struct kup_lock* lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  MutexOf(lock)->Lock();
  return 0;
}

void kup_lock_drop(struct kup_lock* lock, unsigned long) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  MutexOf(lock)->Unlock();
}

uint64_t kup_wait_epoch(struct kup_wait* wait) { return SleeperOf(wait)->Epoch(); }

int kup_wait_sleep(struct kup_wait* wait, uint64_t epoch, int64_t deadline) {
  return SleeperOf(wait)->Sleep(epoch, deadline) ? 0 : -ETIMEDOUT;
}

void kup_wait_idle(struct kup_wait* wait, uint64_t epoch) {
  (void)SleeperOf(wait)->Sleep(epoch, KUP_FOREVER);
}

void kup_wait_kick(struct kup_wait* wait) { SleeperOf(wait)->Kick(); }
void kup_wait_drain(struct kup_wait* wait) { SleeperOf(wait)->Drain(); }
void kup_wait_renotify(struct kup_wait* wait) { SleeperOf(wait)->Renotify(); }

int64_t kup_now(void) { return uwq::base::Now(); }
int64_t kup_spin_max(void) { return uwq::base::SpinBudget() > 0 ? KUP_SPIN_MAX_NS : 0; }
void kup_relax(void) { uwq::base::CpuRelax(); }
void* kup_zalloc(size_t size) { return calloc(1, size); }
void kup_free(void* p) { free(p); }

}  // extern "C"
