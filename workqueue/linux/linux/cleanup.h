/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/cleanup.h>: guard(), __free() and what they are made of. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_CLEANUP_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_CLEANUP_H_

#include <linux/compiler.h>

/* Scope-bound pointers, classes and guards.  C only: C++ has destructors. */
#ifndef __cplusplus
#define __cleanup(function) __attribute__((__cleanup__(function)))

#define DEFINE_FREE(name, type, statement)     \
  static inline void __free_##name(void *at) { \
    type _T = *(type *)at;                     \
    statement;                                 \
  }
#define __free(name) __cleanup(__free_##name)
#define no_free_ptr(p)             \
  ({                               \
    __typeof__(p) uwq_kept_ = (p); \
    (p) = NULL;                    \
    uwq_kept_;                     \
  })
#define return_ptr(p) return no_free_ptr(p)
#define retain_and_null_ptr(p) ((void)no_free_ptr(p))

#define DEFINE_CLASS(name, type, exit_statement, init_expression, ...)        \
  typedef type class_##name##_t;                                              \
  static inline __maybe_unused void class_##name##_destructor(type *at) {     \
    type _T = *at;                                                            \
    exit_statement;                                                           \
  }                                                                           \
  static inline __maybe_unused type class_##name##_constructor(__VA_ARGS__) { \
    type uwq_object_ = init_expression;                                       \
    return uwq_object_;                                                       \
  }
#define CLASS(name, var)                                                     \
  class_##name##_t var __cleanup(class_##name##_destructor) __maybe_unused = \
      class_##name##_constructor
#define DEFINE_GUARD(name, type, lock_statement, unlock_statement) \
  DEFINE_CLASS(                                                    \
      name, type, if (_T) { unlock_statement; }, ({                \
        lock_statement;                                            \
        _T;                                                        \
      }),                                                          \
      type _T)
#define guard(name) CLASS(name, __UNIQUE_ID(uwq_guard_))
/* Runs its block once, with the guard held. */
#define UWQ_SCOPED_GUARD_(name, scope, once, ...) \
  for (CLASS(name, scope)(__VA_ARGS__), *once = NULL; !once; once = (void *)1, (void)scope)
#define scoped_guard(name, ...) \
  UWQ_SCOPED_GUARD_(name, __UNIQUE_ID(uwq_scope_), __UNIQUE_ID(uwq_once_), __VA_ARGS__)
#endif

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_CLEANUP_H_ */
