/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/compiler.h>: what the compiler is told, and how a call that uwq lacks refuses to compile.
 * Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_COMPILER_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_COMPILER_H_

/* Some drivers rely on <linux/...> to bring the C library's part of the kernel. */
#include <stddef.h>

#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

/* A function, because <barrier> of C++ has a class of that name. */
static inline void barrier(void) { __asm__ __volatile__("" : : : "memory"); }
#define barrier_data(ptr) __asm__ __volatile__("" : : "r"(ptr) : "memory")
#define OPTIMIZER_HIDE_VAR(var) __asm__("" : "=r"(var) : "0"(var))

/* One access, not torn, not repeated: what the sanitizers know as an atomic one. */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, value) __atomic_store_n(&(x), (value), __ATOMIC_RELAXED)
#define data_race(expr) (expr)

#define __must_check __attribute__((__warn_unused_result__))
#define __maybe_unused __attribute__((__unused__))
#define __always_unused __attribute__((__unused__))
#define __printf(fmt, args) __attribute__((__format__(__printf__, fmt, args)))
#define __user
#define __kernel
#define __iomem
#define __percpu
#define __rcu
#define __private
#define __acquires(x)
#define __releases(x)
#define __must_hold(x)
#define __acquire(x) ((void)0)
#define __release(x) ((void)0)

/* These words are identifiers or attributes in C++ libraries. */
#ifndef __cplusplus
#define __force
#define __nocast
#ifndef __packed
#define __packed __attribute__((__packed__))
#endif
#ifndef __aligned
#define __aligned(x) __attribute__((__aligned__(x)))
#endif
#ifndef __weak
#define __weak __attribute__((__weak__))
#endif
#ifndef __pure
#define __pure __attribute__((__pure__))
#endif
#ifndef __cold
#define __cold __attribute__((__cold__))
#endif
#ifndef __noreturn
#define __noreturn __attribute__((__noreturn__))
#endif
#ifndef noinline
#define noinline __attribute__((__noinline__))
#endif
#ifndef fallthrough
#define fallthrough __attribute__((__fallthrough__))
#endif
/* A call that no header declares must not link by luck. */
#pragma GCC diagnostic error "-Wimplicit-function-declaration"
#endif

#ifndef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#endif
#ifndef __counted_by
#define __counted_by(member)
#endif

#define typecheck(type, x) ((void)(sizeof((__typeof__(x) *)0 == (type *)0)), 1)
#define __same_type(a, b) __builtin_types_compatible_p(__typeof__(a), __typeof__(b))

#define UWQ_CONCAT_(a, b) a##b
#define UWQ_CONCAT(a, b) UWQ_CONCAT_(a, b)
#define __UNIQUE_ID(prefix) UWQ_CONCAT(prefix, __COUNTER__)

/* A call that the kernel has and uwq has not: naming it is an error that says why. */
#if defined(__has_attribute)
#if __has_attribute(unavailable)
#define UWQ_UNSUPPORTED(why) __attribute__((unavailable("uwq does not support this call: " why)))
#endif
#endif
#ifndef UWQ_UNSUPPORTED
#define UWQ_UNSUPPORTED(why) __attribute__((error("uwq does not support this call: " why)))
#endif

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_COMPILER_H_ */
