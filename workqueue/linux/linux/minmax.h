/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/minmax.h>: min(), max(), clamp(), swap(). Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_MINMAX_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_MINMAX_H_

#include <linux/types.h>

/* Macros of these names would break <algorithm> and every numeric_limits<>::max(). */
#ifdef __cplusplus
extern "C++" {
template <typename A, typename B>
constexpr auto min(A a, B b) {
  return a < b ? a : b;
}
template <typename A, typename B>
constexpr auto max(A a, B b) {
  return a > b ? a : b;
}
template <typename V, typename L, typename H>
constexpr V clamp(V value, L low, H high) {
  return value < static_cast<V>(low)    ? static_cast<V>(low)
         : value > static_cast<V>(high) ? static_cast<V>(high)
                                        : value;
}
}
#define min_t(type, a, b) (::min<type, type>((type)(a), (type)(b)))
#define max_t(type, a, b) (::max<type, type>((type)(a), (type)(b)))
#define clamp_t(type, value, low, high) \
  (::clamp<type, type, type>((type)(value), (type)(low), (type)(high)))
#else
#define UWQ_CHOOSE(op, a, b)            \
  ({                                    \
    __typeof__(a) uwq_a_ = (a);         \
    __typeof__(b) uwq_b_ = (b);         \
    uwq_a_ op uwq_b_ ? uwq_a_ : uwq_b_; \
  })
#define min(a, b) UWQ_CHOOSE(<, a, b)
#define max(a, b) UWQ_CHOOSE(>, a, b)
#define min3(a, b, c) min(min(a, b), c)
#define max3(a, b, c) max(max(a, b), c)
#define min_not_zero(a, b)                                             \
  ({                                                                   \
    __typeof__(a) uwq_x_ = (a);                                        \
    __typeof__(b) uwq_y_ = (b);                                        \
    uwq_x_ == 0 ? uwq_y_ : uwq_y_ == 0 ? uwq_x_ : min(uwq_x_, uwq_y_); \
  })
#define min_t(type, a, b)                        \
  ({                                             \
    type uwq_c_ = (type)(a), uwq_d_ = (type)(b); \
    uwq_c_ < uwq_d_ ? uwq_c_ : uwq_d_;           \
  })
#define max_t(type, a, b)                        \
  ({                                             \
    type uwq_c_ = (type)(a), uwq_d_ = (type)(b); \
    uwq_c_ > uwq_d_ ? uwq_c_ : uwq_d_;           \
  })
#define clamp_t(type, value, low, high) min_t(type, max_t(type, value, low), high)
#define clamp_val(value, low, high) clamp_t(__typeof__(value), value, low, high)
#define clamp(value, low, high) clamp_t(__typeof__(value), value, low, high)
#define swap(a, b)                 \
  do {                             \
    __typeof__(a) uwq_swap_ = (a); \
    (a) = (b);                     \
    (b) = uwq_swap_;               \
  } while (0)
#endif
#ifndef MIN
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_MINMAX_H_ */
