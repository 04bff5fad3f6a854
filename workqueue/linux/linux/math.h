/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/math.h>: division and rounding. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_MATH_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_MATH_H_

#include <linux/types.h>

#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define DIV_ROUND_UP_ULL(n, d) DIV_ROUND_UP((unsigned long long)(n), (unsigned long long)(d))
#define DIV_ROUND_DOWN_ULL(n, d) ((unsigned long long)(n) / (unsigned long long)(d))
#define DIV_ROUND_CLOSEST(n, d)                                      \
  ({                                                                 \
    __typeof__(n) uwq_n_ = (n);                                      \
    __typeof__(d) uwq_d_ = (d);                                      \
    ((uwq_n_ > 0) == (uwq_d_ > 0)) ? (uwq_n_ + uwq_d_ / 2) / uwq_d_  \
                                   : (uwq_n_ - uwq_d_ / 2) / uwq_d_; \
  })
#define round_up(x, y) ((((x)-1) | ((__typeof__(x))(y)-1)) + 1) /* y: a power of two */
#define round_down(x, y) ((x) & ~((__typeof__(x))(y)-1))
#ifndef roundup /* <sys/param.h> has the same */
#define roundup(x, y) ((((x) + ((y)-1)) / (y)) * (y))
#endif
#define rounddown(x, y) ((x) - ((x) % (y)))
#define ALIGN(x, a) round_up(x, a)
#define ALIGN_DOWN(x, a) round_down(x, a)
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a)-1)) == 0)
#define PTR_ALIGN(p, a) ((__typeof__(p))ALIGN((unsigned long)(p), (a)))
#define abs_diff(a, b) ((a) > (b) ? (a) - (b) : (b) - (a))
#define mult_frac(x, n, d)                                      \
  ({                                                            \
    __typeof__(x) uwq_x_ = (x);                                 \
    __typeof__(n) uwq_m_ = (n);                                 \
    __typeof__(d) uwq_q_ = (d);                                 \
    uwq_x_ / uwq_q_* uwq_m_ + uwq_x_ % uwq_q_* uwq_m_ / uwq_q_; \
  })
#define do_div(n, base)                       \
  ({                                          \
    u32 uwq_rest_ = (u32)((n) % (u32)(base)); \
    (n) /= (u32)(base);                       \
    uwq_rest_;                                \
  })

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_MATH_H_ */
