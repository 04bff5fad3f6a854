// SPDX-License-Identifier: BSD-3-Clause
//
// tsan.h -- tells ThreadSanitizer that base::Mutex is a mutex, so that it checks
// lock orders and names locks in its reports.  Nothing in other builds.
#ifndef UWQ_WORKQUEUE_BASE_TSAN_H_
#define UWQ_WORKQUEUE_BASE_TSAN_H_

#if defined(__SANITIZE_THREAD__)
#define UWQ_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UWQ_TSAN 1
#endif
#endif

#if defined(UWQ_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace uwq::base {

#if defined(UWQ_TSAN)
inline void TsanMutexPreLock(void* mu) { __tsan_mutex_pre_lock(mu, 0); }
inline void TsanMutexPostLock(void* mu) { __tsan_mutex_post_lock(mu, 0, 0); }
inline void TsanMutexPreTryLock(void* mu) { __tsan_mutex_pre_lock(mu, __tsan_mutex_try_lock); }
inline void TsanMutexPostTryLock(void* mu, bool got) {
  __tsan_mutex_post_lock(mu, __tsan_mutex_try_lock | (got ? 0 : __tsan_mutex_try_lock_failed), 0);
}
inline void TsanMutexPreUnlock(void* mu) { __tsan_mutex_pre_unlock(mu, 0); }
inline void TsanMutexPostUnlock(void* mu) { __tsan_mutex_post_unlock(mu, 0); }
inline void TsanMutexDestroy(void* mu) { __tsan_mutex_destroy(mu, __tsan_mutex_linker_init); }
#else
inline void TsanMutexPreLock(void*) {}
inline void TsanMutexPostLock(void*) {}
inline void TsanMutexPreTryLock(void*) {}
inline void TsanMutexPostTryLock(void*, bool) {}
inline void TsanMutexPreUnlock(void*) {}
inline void TsanMutexPostUnlock(void*) {}
inline void TsanMutexDestroy(void*) {}
#endif

}  // namespace uwq::base

#endif  // UWQ_WORKQUEUE_BASE_TSAN_H_
